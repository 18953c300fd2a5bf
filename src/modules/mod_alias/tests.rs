//! Aliases and redirects as Apache answers them.

use crate::{modules::testing::Site, system::Memory};

fn world() -> Memory {
    Memory::new()
        .with("/y/f.txt", "yyy")
        .with("/y/index.html", "yidx")
        .with("/root/y/f.txt", "rooted")
        .with("/cgi/env", "program")
        .with("/cgi/x.html", "program")
        .with("/www/index.html", "front")
}

#[track_caller]
fn check(config: &str, answers: &[(&str, &str)]) {
    let mut site = Site::new(config, world());
    for (request, expected) in answers {
        assert_eq!(site.get(request), *expected, "{request}");
    }
}

#[track_caller]
fn messages(config: &str, expected: &str) {
    assert_eq!(Site::new(config, world()).messages(), expected, "{config}");
}

#[test]
fn aliases() {
    let config = "Alias /a /y\nAlias /b/ /y/\nAlias /rel y\nAlias x /y\nAliasMatch ^/mm/(.*) /y/$1\n";
    check(
        config,
        &[
            ("/a/-x", "404"),
            ("/b/f.txt", "200 yyy"),
            ("/a//f.txt", "200 yyy"),
            ("//a///f.txt", "200 yyy"),
            ("/ab", "404"),
            ("/a", "301 Location: http://localhost/a/"),
            ("/rel/f.txt", "200 rooted"),
            ("/x", "404"),
            ("/mm/f.txt", "200 yyy"),
        ],
    );
}

#[test]
fn script_aliases_and_their_context() {
    let config = "ScriptAlias /ctx /cgi\nScriptAliasMatch ^/sm/([a-z]+(/.*)?)$ /cgi/$1\n\
                  ScriptAlias /sb /cgi\n<Location /sb>\nAddHandler default-handler .html\n</Location>\n";
    check(
        config,
        &[
            ("/ctx/env/pi?q", "200 /cgi/env|/pi|q|/ctx|/cgi"),
            ("/sm/env/pi", "200 /cgi/env|/pi|||"),
            ("/sb/x.html", "200 program"),
        ],
    );
}

#[test]
fn redirects() {
    let config = "Redirect /r1 http://h/t\nRedirect /r2 http://h/t?own=1\nRedirect /r4 \"/loc al?x#f\"\n\
                  RedirectMatch ^/rm3 nonurl\nRedirectMatch ^/rm4 foo:bar\nRedirectMatch ^/rm5/(.*) /l/$1?q=$1\n\
                  Redirect 404 /r6\nRedirect gone /r7\nRedirectMatch 403 ^/r8\n\
                  Redirect /prec http://h/1\nRedirect /prec1 http://h/2\n";
    check(
        config,
        &[
            ("/r1/a", "302 Location: http://h/t/a"),
            ("/r1/a?q", "302 Location: http://h/t/a?q"),
            ("/r2/x?q", "302 Location: http://h/t?own=1/x"),
            ("/r4", "302 Location: http://localhost/loc al?x#f"),
            ("/rm3", "500"),
            ("/rm4", "302 Location: foo:bar"),
            ("/rm5/z", "302 Location: http://localhost/l/z?q=z"),
            ("/r6", "404"),
            ("/r7", "410"),
            ("/r8", "403"),
            ("/prec1", "302 Location: http://h/2"),
            ("/prec/x", "302 Location: http://h/1/x"),
        ],
    );
}

#[test]
fn redirects_of_sections() {
    let config = "<Location /l1>\nRedirect http://h/t\n</Location>\n\
        <Location /l2>\nRedirect permanent \"http://h/%{REQUEST_METHOD} x\"\n</Location>\n\
        <Location /l3>\nRedirect 403\n</Location>\n\
        <Location /l6>\nRedirect /l6 http://h/two\n</Location>\n\
        <Location /la>\nRedirect y\n</Location>\n\
        <Location /lc>\nRedirect /local\n</Location>\n\
        <Location /ld>\nRedirectRelative On\nRedirect /local\n</Location>\n\
        <Location /le>\nRedirectMatch (.*) http://h$1/le\n</Location>\n\
        <Location /lh>\nRedirect 307 \"http://h/%{REQUEST_URI}?%{QUERY_STRING}#x\"\n</Location>\n\
        <Location /lj>\nRedirect \"http://h/%{REQUEST_URI}\"\nRedirectMatch ^/lj/a http://h/rm\n</Location>\n\
        <Location /p1>\nRedirect gone http://y/\n</Location>\n\
        <Location /p5>\nRedirect 403\nRedirect http://h/later\n</Location>\n\
        <Location /p3>\nRedirect gone /p3\n</Location>\n\
        <Directory /www/d>\nRedirect http://h/dir\n</Directory>\n";
    check(
        config,
        &[
            ("/l1/x/y?q", "302 Location: http://h/t?q"),
            ("/l2/a", "301 Location: http://h/GET%20x"),
            ("/l3/z", "403"),
            ("/l6/q", "302 Location: http://h/two/q"),
            ("/la/x", "500"),
            ("/lc", "302 Location: http://localhost/local"),
            ("/ld/x", "302 Location: /local"),
            ("/le", "302 Location: http://h/le/le"),
            ("/lh/x?z", "307 Location: http://h//lh/x?z#x"),
            ("/lj/abc", "302 Location: http://h//lj/abc"),
            ("/p1/x", "404"),
            ("/p5/x", "302 Location: http://h/later"),
            ("/p3/x", "410"),
        ],
    );
}

#[test]
fn aliases_of_sections() {
    let config = "<Location /l5>\nAlias /y\n</Location>\n\
        <Location /l7>\nAliasPreservePath On\nAlias /y\n</Location>\n\
        <Location /l8>\nAliasPreservePath On\nScriptAlias /cgi\n</Location>\n\
        <Location /lf>\nAlias y\nAliasPreservePath On\n</Location>\n\
        <Location /lg>\nAlias /y/f.txt\n</Location>\n";
    check(
        config,
        &[
            ("/l5/f.txt", "301 Location: http://localhost/l5/f.txt/"),
            ("/l7/f.txt", "200 yyy"),
            ("/l8/env/pi", "200 /cgi/env|/pi||/l8|/cgi"),
            ("/lf/f.txt", "200 rooted"),
            ("/lg/f.txt", "200 yyy"),
        ],
    );
}

#[test]
fn redirects_come_before_aliases() {
    check(
        "Alias /docs /y\nRedirect /docs/f.txt https://e/i\n",
        &[("/docs/f.txt", "302 Location: https://e/i"), ("/docs/index.html", "200 yidx")],
    );
}

#[test]
fn mistakes_of_aliases() {
    messages("Alias /x\n", "Alias must have two arguments when used globally");
    messages("ScriptAlias /x\n", "Alias must have two arguments when used globally");
    messages("Alias\n", "Alias takes 1-2 arguments, a fakename and a realname, or a realname in a Location");
    messages("<Directory /x>\nAlias /x /y\n</Directory>\n", "Alias cannot occur within directory context");
    messages("<Directory /x>\nAlias /y\n</Directory>\n", "Alias cannot occur within <Directory> section");
    messages("AliasMatch a( /x\n", "Regular expression could not be compiled.");
    messages(
        "<Location /x>\nAlias \"%{bogus:a}\"\n</Location>\n",
        "Cannot parse alias expression '%{bogus:a}': Function 'bogus' does not exist",
    );
}

#[test]
fn mistakes_of_redirects() {
    messages("Redirect /x\n", "URL to redirect to is missing");
    messages("Redirect http://x\n", "URL to redirect to is missing");
    messages("Redirect permanent /x\n", "URL to redirect to is missing");
    messages("<Location /x>\nRedirect permanent\n</Location>\n", "URL to redirect to is missing");
    messages("Redirect /x foo\n", "Redirect to non-URL");
    messages("RedirectTemp /x y\n", "Redirect to non-URL");
    messages("Redirect gone /x http://y/\n", "Redirect URL not valid for this status");
    messages("Redirect bogus /x http://y/\n", "Redirect: invalid first argument (of three)");
    messages("RedirectMatch a( /x\n", "Regular expression could not be compiled.");
    messages("Redirect foo http://x/\nRedirect gone\nRedirect 99 /x\nRedirect 399 /x http://h/\n", "");
}

#[test]
fn overlapping_aliases() {
    let warning = |name: &str, earlier: &str| {
        format!(
            "AH00671: The {name} directive in t.conf at line 2 will probably never match because it overlaps an \
             earlier {earlier}."
        )
    };
    messages("Alias /a /b\nAlias /a/c /d\n", &warning("Alias", "Alias"));
    messages("Alias /a /b\nScriptAlias /a/b /c\n", &warning("ScriptAlias", "Alias"));
    messages("AliasMatch ^/a /b\nAlias /a /b\n", &warning("Alias", "AliasMatch"));
    for silent in
        ["Alias /a/ /b\nAlias /a /c\n", "Alias /a /b\nAlias /ab /c\n", "Alias /a/c /b\nAlias /a /d\n"]
    {
        messages(silent, "");
    }
}

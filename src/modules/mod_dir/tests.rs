//! Directories as Apache answers them.

use crate::{modules::testing::Site, system::Memory};

fn world() -> Memory {
    let mut world = Memory::new()
        .with("/www/i1/x.html", "x")
        .with("/www/i2/two.html", "two")
        .with("/www/i3/index.html", "i3")
        .with("/www/sp ace/index.html", "sp")
        .with("/www/fb/real.txt", "fbx")
        .with("/www/front.txt", "front")
        .with("/www/neg/denied", "secret")
        .with("/www/only/denied", "secret")
        .with("/www/rd/index.html", "rd")
        .with("/cgi/env", "program");
    world.dirs.push("/www/fb/bare".into());
    world
}

#[track_caller]
fn check(config: &str, answers: &[(&str, &str)]) {
    let config = format!("ScriptAlias /cgi-bin /cgi\n{config}");
    let mut site = Site::new(&config, world());
    for (request, expected) in answers {
        assert_eq!(site.get(request), *expected, "{request}");
    }
}

#[test]
fn slashes() {
    check(
        "SetEnvIf U c redirect-carefully\n",
        &[
            ("/i3", "301 Location: http://localhost/i3/"),
            ("/i3?q=1", "301 Location: http://localhost/i3/?q=1"),
            ("/sp%20ace?x%20", "301 Location: http://localhost/sp%20ace/?x%20"),
            ("POST /i3", "301 Location: http://localhost/i3/"),
            ("POST /i3|U: c", "404"),
        ],
    );
    check("DirectorySlash Off\n", &[("/i3", "404"), ("/i3/", "200 i3")]);
}

#[test]
fn index_pages() {
    check("", &[("/i3/", "200 i3"), ("/i3/?a", "200 i3"), ("/i1/", "404"), ("/absent/", "404")]);
    let config = "DirectoryIndex no.html /cgi-bin/env\n";
    check(config, &[("/i1/", "200 /cgi/env||||"), ("/i1/?q", "200 /cgi/env||q||")]);
    check("DirectoryIndex ../i3/index.html\n", &[("/only/", "200 i3")]);
    check("DirectoryIndex no.html\nDirectoryIndex two.html\n", &[("/i2/", "200 two")]);
}

#[test]
fn disabled() {
    check("DirectoryIndex x.html\nDirectoryIndex disabled\n", &[("/i1/", "404")]);
    check("DirectoryIndex disabled\nDirectoryIndex two.html\n", &[("/i2/", "200 two")]);
    check("DirectoryIndex disabled two.html\n", &[("/i2/", "200 two")]);
    check("DirectoryIndex\n", &[("/i3/", "404")]);
    check("DirectoryIndex \"\"\n", &[("/i3/", "404")]);
}

#[test]
fn a_denied_index_is_told_unless_another_exists() {
    // Under the very settings of its directory an index is not asked for access again.
    let own = "<Location /only/denied>\nDirectorySlash On\n</Location>\n";
    check(&format!("DirectoryIndex denied index.html\n{own}"), &[("/only/", "403")]);
    let own = "<Location /neg/denied>\nDirectorySlash On\n</Location>\n";
    check(&format!("DirectoryIndex denied /front.txt\n{own}"), &[("/neg/", "200 front")]);
}

#[test]
fn a_redirected_index_is_a_redirect() {
    let config = "DirectoryIndex sub no.html\n<Location /rd/sub>\nRedirect http://h/sub\n</Location>\n";
    check(config, &[("/rd/", "302 Location: http://h/sub")]);
}

#[test]
fn index_redirects() {
    let to = |status: &str| format!("{status} Location: http://localhost/rd/index.html");
    for (word, status) in [("307", "307"), ("On", "302"), ("permanent", "301"), ("seeother", "303")] {
        check(&format!("DirectoryIndexRedirect {word}\n"), &[("/rd/?q=1", &to(status))]);
    }
    check("DirectoryIndexRedirect off\n", &[("/rd/", "200 rd")]);
}

#[test]
fn fallback_resources() {
    check(
        "<Location /fb>\nFallbackResource /front.txt\n</Location>\n",
        &[
            ("/fb/none?q", "200 front"),
            ("/fb/none/more", "200 front"),
            ("/fb/real.txt", "200 fbx"),
            ("/fb/bare/", "200 front"),
            ("/fb/real.txt/pi", "404"),
        ],
    );
    check(
        "<Location /fb>\nFallbackResource /cgi-bin/env\n</Location>\n",
        &[("/fb/x?a=b", "200 /cgi/env||a=b||"), ("POST /fb/x", "200 /cgi/env||||")],
    );
    check(
        "<Location /fb2>\nFallbackResource /i3\n</Location>\n",
        &[("/fb2/x", "301 Location: http://localhost/i3/")],
    );
    check(
        "FallbackResource /front.txt\n<Location /n>\nFallbackResource disabled\n</Location>\n",
        &[("/n/x", "404")],
    );
}

#[track_caller]
fn message(config: &str, expected: &str) {
    assert_eq!(Site::new(config, Memory::new()).messages(), expected, "{config}");
}

#[test]
fn mistakes() {
    let range = "DirectoryIndexRedirect only accepts values between 300 and 399";
    message("DirectoryIndexRedirect 200\n", range);
    message("DirectoryIndexRedirect 3000\n", range);
    message("DirectoryIndexRedirect 99999999999\n", range);
    message("DirectoryIndexRedirect 30x\n", range);
    message("DirectoryIndexRedirect 300abc\n", "");
    message("DirectoryIndexRedirect bogus\n", "DirectoryIndexRedirect ON|OFF|permanent|temp|seeother|3xx");
    message("FallbackResource\n", "FallbackResource takes one argument, Set a default handler");
}

/// Each look-up of the directory looks its own index up, one for each name: without a bound there would be
/// as many as names to the power of LimitInternalRecursion.
#[test]
fn a_directory_that_is_its_own_index_is_an_error_soon() {
    for count in [1, 2, 3000] {
        check(&format!("DirectoryIndex{}\n", " .".repeat(count)), &[("/i1/", "500")]);
    }
}

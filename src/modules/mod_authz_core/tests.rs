//! Configurations and what apache2 2.4.71 says of them: at the start, to requests, in its log.

use crate::modules::testing_authz::{Server, accepted, answers, directory, log, refused, refused_text};

const RULES: [(&str, &str); 4] = [
    ("/", "Require expr \"%{REQUEST_URI} =~ /1/\""),
    ("/x", "Require expr \"%{REQUEST_URI} =~ /2/\""),
    ("/x", ""),
    ("/x", "AuthzSendForbiddenOnFailure On"),
];

/// Status of /x, /x/1, /x/2, /x/12 (404: nothing is there, so they may) under a rule for `/` and one
/// for `/x` that begins with `merging`.
#[track_caller]
fn merges(merging: &str, inner: usize, expected: [bool; 4]) {
    let location = |path: &str, lines: &str| format!("<Location {path}>\n{lines}\n</Location>\n");
    let (outer, inner) = (RULES[0], RULES[inner]);
    let config = location(outer.0, outer.1) + &location(inner.0, &format!("{merging}\n{}", inner.1));
    let mut server = Server::new(&config);
    let may = ["/x", "/x/1", "/x/2", "/x/12"].map(|url| server.ask("GET", url).0 != 403);
    assert_eq!(may, expected, "{config}");
}

#[test]
fn unknown_providers() {
    refused("Require", 2, "Unknown Authz provider: ");
    refused("Require not", 2, "Unknown Authz provider: ");
    refused("Require valid_user", 2, "Unknown Authz provider: valid_user");
    refused("Require not foo", 2, "Unknown Authz provider: foo");
    refused("Require ALL granted", 2, "Unknown Authz provider: ALL");
}

#[test]
fn arguments_of_all() {
    let message = "Argument for 'Require all' must be 'granted' or 'denied'";
    for lines in ["Require all", "Require all foo", "Require all granted x", "Require \"all\" \"granted\""] {
        refused(lines, 2, message);
    }
    accepted(&directory("Require all Granted"));
}

#[test]
fn arguments_of_method_and_expr() {
    refused("Require method get", 2, "Invalid Method 'get'");
    let parse = "Cannot parse expression in require line: syntax error, unexpected";
    refused("Require expr", 2, &format!("{parse} $end"));
    refused("Require expr foo bar", 2, &format!("{parse} T_ID, expecting '('"));
    refused("Require expr \"a\" \"b\"", 2, &format!("{parse} T_STR_BEGIN, expecting '('"));
    for lines in ["Require env", "Require method", "Require expr \"true\""] {
        accepted(&directory(lines));
    }
}

#[test]
fn arguments_of_ip() {
    refused("Require ip", 2, "'require ip' requires an argument");
    refused("Require ip 10 foo", 2, "ip address 'foo' appears to be invalid");
    refused(
        "Require ip 10/8",
        2,
        "ip address '10/8' appears to be invalid: The specified IP address is invalid.",
    );
    refused(
        "Require ip 10.0.0.0/33",
        2,
        "ip address '10.0.0.0/33' appears to be invalid: The specified network mask is invalid.",
    );
}

#[test]
fn arguments_of_host() {
    let parse = "Cannot parse expression in require line: ";
    refused("Require host \"%{foo}\"", 2, &format!("{parse}Variable 'foo' does not exist"));
    for lines in ["Require host", "Require forward-dns", "Require local x", "Require host %{REQUEST_URI} a"] {
        accepted(&directory(lines));
    }
}

#[test]
fn groups_that_cannot_be() {
    refused("<RequireAll>\n</RequireAll>", 2, "<RequireAll> directive contains no authorization directives");
    refused(
        "<RequireAll x>\nRequire all granted\n</RequireAll>",
        2,
        "<RequireAll> directive doesn't take additional arguments",
    );
    refused(
        "<RequireNone>\nRequire all granted\n</RequireNone>",
        2,
        "<RequireNone> directive has no effect in <RequireAny> directive",
    );
    refused(
        "<RequireNone>\nRequire not env x\n</RequireNone>",
        3,
        "negative Require directive has no effect in <RequireNone> directive",
    );
    refused("Require not env x", 2, "negative Require directive has no effect in <RequireAny> directive");
}

#[test]
fn groups_that_grant_nothing() {
    let message = "AH01624: <RequireAll> directive contains only negative authorization directives\nAH00014: Configuration check failed";
    refused_text(&directory("<RequireAll>\nRequire not env x\n</RequireAll>"), message);
    let none = "<RequireAll>\n<RequireNone>\nRequire env x\n</RequireNone>\n</RequireAll>";
    refused_text(&directory(none), message);
    accepted(&directory(
        "<RequireAll>\n<RequireAll>\nRequire not env x\n</RequireAll>\nRequire all granted\n</RequireAll>",
    ));
}

#[test]
fn what_may_stand_in_groups() {
    let all = |line: &str| format!("<RequireAll>\n{line}\nRequire all granted\n</RequireAll>");
    refused(&all("Options None"), 3, "Options not allowed in <RequireAll> context");
    refused(&all("Order allow,deny"), 3, "order not allowed in <RequireAll> context");
    for line in ["AuthMerging Off", "Satisfy any", "<Limit GET>\nRequire all granted\n</Limit>"] {
        accepted(&directory(&all(line)));
    }
}

#[test]
fn other_directives() {
    refused("AuthMerging foo", 2, "AuthMerging must be one of: Off | And | Or");
    refused("AuthzSendForbiddenOnFailure x", 2, "AuthzSendForbiddenOnFailure must be On or Off");
    accepted(&directory("AuthMerging and"));
    refused_text(
        "Require all granted",
        "AH00526: Syntax error on line 1 of /httpd.conf:\nRequire not allowed here",
    );
}

#[test]
fn aliases() {
    let one = "AH00526: Syntax error on line 1 of /httpd.conf:\n";
    let alias = |args: &str| format!("<AuthzProviderAlias{args}>\n</AuthzProviderAlias>\n");
    let more = format!("{one}<AuthzProviderAlias> directive requires additional arguments");
    refused_text(&alias(""), &more);
    refused_text(&alias(" env"), &more);
    refused_text(&alias(" foo a b"), &format!("{one}Unknown Authz provider: foo"));
    refused_text(
        &alias(" ip a foo"),
        &format!("{one}Can't parse 'Require ip foo': ip address 'foo' appears to be invalid"),
    );
    refused_text(
        &(alias(" env A b") + &directory("Require a")),
        "AH00526: Syntax error on line 4 of /httpd.conf:\nUnknown Authz provider: a",
    );
    let mut server = Server::new(&(alias(" ip near \"127 11\"") + &directory("Require near ignored")));
    assert_eq!(server.ask("GET", "/x.txt").0, 200);
}

#[test]
fn one_requirement() {
    answers("", 200);
    answers("Require all granted", 200);
    answers("Require all denied", 403);
    answers("Require method GET", 200);
    answers("Require method POST", 403);
    answers("Require env nothing", 403);
    answers("Require expr \"%{REQUEST_URI} == '/x.txt'\"", 200);
    answers("Require expr \"file('/nonexist') == ''\"", 500);
    answers("Require ip 10.1 127.0.0.0/16", 200);
    answers("Require ip 127.0.0.2", 403);
    answers("Require local", 200);
}

#[test]
fn several_requirements() {
    answers("Require all denied\nRequire all granted", 200);
    answers("<RequireAll>\nRequire all granted\nRequire not method POST\n</RequireAll>", 200);
    answers("<RequireAll>\nRequire all granted\nRequire not method GET\n</RequireAll>", 403);
    answers(
        "<RequireAll>\n<RequireNone>\nRequire method PUT\nRequire ip 127\n</RequireNone>\nRequire all granted\n</RequireAll>",
        403,
    );
}

#[test]
fn a_user_is_needed_and_none_can_be_had() {
    answers("Require expr \"%{REMOTE_USER} == 'x'\"", 500);
    answers("Require expr \"%{REMOTE_USER} == 'x'\"\nRequire all denied", 500);
    answers("Require expr \"%{REMOTE_USER} == 'x'\"\nRequire all granted", 200);
    answers("Require expr \"%{REMOTE_USER} == ''\"", 200);
    answers("<RequireAll>\nRequire expr \"%{REMOTE_USER} == 'x'\"\nRequire all denied\n</RequireAll>", 403);
}

#[test]
fn names_of_clients() {
    answers("Require host localhost", 200);
    answers("Require host host", 403);
    answers("Require host \"%{HTTP_HOST}\" .org", 200);
    answers("Require forward-dns nowhere.invalid localhost", 200);
    answers("Require forward-dns nowhere.invalid", 403);
}

#[test]
fn denials_in_the_log() {
    log(
        "Require all denied",
        "GET",
        &[
            "authz_core AH01626: authorization result of Require all denied: denied",
            "authz_core AH01626: authorization result of <RequireAny>: denied",
            "authz_core AH01630: client denied by server configuration: /site/x.txt",
        ],
    );
    log(
        "Require forward-dns nowhere.invalid",
        "GET",
        &[
            "authz_host AH03356: No sockaddr info for \"nowhere.invalid\"",
            "authz_core AH01626: authorization result of Require forward-dns nowhere.invalid: denied",
            "authz_core AH01626: authorization result of <RequireAny>: denied",
            "authz_core AH01630: client denied by server configuration: /site/x.txt",
        ],
    );
    log(
        "Require local",
        "GET",
        &[
            "authz_core AH01626: authorization result of Require local : granted",
            "authz_core AH01626: authorization result of <RequireAny>: granted",
        ],
    );
}

#[test]
fn none_in_all_is_rewritten() {
    let lines = "<RequireAll>\nRequire all granted\n<RequireNone>\nRequire env bad\nRequire method PUT\n</RequireNone>\n</RequireAll>";
    log(
        lines,
        "GET",
        &[
            "authz_core AH01626: authorization result of Require all granted: granted",
            "authz_core AH01626: authorization result of Require not env bad: neutral",
            "authz_core AH01626: authorization result of Require not method PUT: neutral",
            "authz_core AH01626: authorization result of <RequireAll>: granted",
            "authz_core AH01626: authorization result of <RequireAny>: granted",
        ],
    );
}

#[test]
fn limits() {
    let lines = "<Limit POST>\nRequire all denied\n</Limit>\n<Limit GET>\nRequire env one\n</Limit>";
    log(
        lines,
        "GET",
        &[
            "authz_core AH01625: authorization result of Require all denied: neutral (directive limited to other methods)",
            "authz_core AH01626: authorization result of Require env one: denied",
            "authz_core AH01626: authorization result of <RequireAny>: denied",
            "authz_core AH01630: client denied by server configuration: /site/x.txt",
        ],
    );
    answers("<Limit POST>\nRequire all denied\n</Limit>", 200);
    answers("<LimitExcept POST>\nRequire all denied\n</LimitExcept>", 403);
    log(
        "<Limit POST>\nRequire all denied\n</Limit>",
        "GET",
        &[
            "authz_core AH01625: authorization result of <RequireAny>: granted (directive limited to other methods)",
        ],
    );
}

#[test]
fn inner_sections_replace_outer_ones() {
    merges("", 1, [false, false, true, true]);
    merges("", 2, [false, true, false, true]);
    merges("", 3, [false, true, false, true]);
    merges("AuthMerging Off", 1, [false, false, true, true]);
}

#[test]
fn merging_off_alone_forgets_what_is_around() {
    merges("AuthMerging Off", 2, [true; 4]);
    merges("AuthMerging Off", 3, [true; 4]);
}

#[test]
fn merging_and_or() {
    merges("AuthMerging And", 1, [false, false, false, true]);
    merges("AuthMerging Or", 1, [false, true, true, true]);
    merges("AuthMerging And", 2, [false, true, false, true]);
    merges("AuthMerging Or", 3, [false, true, false, true]);
}

// The case of docs/architecture.md in which a left fold serves what Apache denies.
#[test]
fn locations_are_merged_among_themselves_first() {
    let config = "<Directory /site>\nRequire all denied\n</Directory>\n\
        <Location />\nAuthMerging Off\nRequire all granted\n</Location>\n\
        <Location /x.txt>\nAuthMerging And\nRequire all granted\n</Location>";
    assert_eq!(Server::new(config).ask("GET", "/x.txt").0, 403);
}

#[test]
fn htaccess_is_not_checked_for_groups_that_grant_nothing() {
    let mut server = Server::new(&directory("AllowOverride All"));
    assert_eq!(server.ask("GET", "/ht/x.txt").0, 403);
    let (status, log) = server.ask("GET", "/bad/x.txt");
    assert_eq!((status, log.len()), (500, 1));
    assert!(log[0].ends_with("/site/bad/.htaccess: Unknown Authz provider: foo"), "{log:?}");
}

#[test]
fn aliases_hold_in_virtual_hosts_and_htaccess() {
    let alias = "<AuthzProviderAlias all nobody denied>\n</AuthzProviderAlias>\n";
    let vhost =
        format!("<VirtualHost *:80>\nDocumentRoot /site\n{}\n</VirtualHost>", directory("Require nobody"));
    assert_eq!(Server::new(&(alias.to_owned() + &vhost)).ask("GET", "/x.txt").0, 403);
    let mut server = Server::new(&(alias.to_owned() + &directory("AllowOverride All")));
    assert_eq!(server.ask("GET", "/alias/x.txt").0, 403);
}

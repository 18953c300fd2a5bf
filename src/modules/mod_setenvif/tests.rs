//! Variables as Apache sets them.

use super::*;
use crate::{modules::testing::Site, system::Memory};

/// The variables that a program sees, of those that begin with `V_`.
#[track_caller]
fn check(directives: &str, request: &str, expected: &str) {
    let config = format!("ScriptAlias /cgi /cgi\n{directives}");
    let answer = Site::new(&config, Memory::new().with("/cgi/env", "program")).get(request);
    let (_, variables) = answer.split_once("|/cgi|/cgi").expect("the program answers");
    assert_eq!(variables.trim_start(), expected, "{directives}");
}

#[test]
fn plain_patterns_are_texts_and_their_values_too() {
    check("SetEnvIf X abc V_=$0\n", "/cgi/env|X: zabcz", "V_=$0");
    check("SetEnvIf X abc V_\n", "/cgi/env|X: ABC", "");
    check("SetEnvIfNoCase X abc V_\n", "/cgi/env|X: ABC", "V_=1");
    check("SetEnvIf X a\\.c V_=$0\n", "/cgi/env|X: abc", "");
}

#[test]
fn regular_expressions_and_their_groups() {
    check("SetEnvIf X a.c V_re=$0\n", "/cgi/env|X: abc", "V_re=abc");
    check(r"SetEnvIf X (a)(b) V_=&-\&-\$1-$2-\x-$9", "/cgi/env|X: abc", "V_=&-&-$1-b-x-");
}

#[test]
fn ways_to_write_a_variable() {
    check("SetEnvIf X abc V_q= V_bang=!x !V_set=x\n", "/cgi/env|X: abc", "V_q=1");
    check("SetEnvIf X a V_1 V_1=2 V_2\nSetEnvIf X b !V_2\n", "/cgi/env|X: ab", "V_1=2");
}

#[test]
fn what_is_asked() {
    check("SetEnvIf request_uri env V_uri\n", "/cgi/env", "V_uri=1");
    check("SetEnvIf Remote_Host (.*) V_rh=$1\n", "/cgi/env", "V_rh=127.0.0.1");
    check("SetEnvIf Remote_Addr (.*) V_ra=$1\n", "/cgi/env", "V_ra=127.0.0.1");
    check("SetEnvIf Request_Protocol (.*) V_p=$1\n", "/cgi/env", "V_p=HTTP/1.1");
    check("SetEnvIf Request_Method (.*) V_m=$1\n", "/cgi/env", "V_m=GET");
    check("SetEnvIf X-Absent ^$ V_absent\n", "/cgi/env", "V_absent=1");
    check("BrowserMatchNoCase robot V_r V_a=seen\n", "/cgi/env|User-Agent: a Robot", "V_a=seen V_r=1");
}

#[test]
fn names_of_headers_as_patterns() {
    check("SetEnvIf ^X- ^(.*)$ V_h=$1\n", "/cgi/env|X-A: 1|X-B: 2", "V_h=2");
    check("SetEnvIf X- ^(.*)$ V_h=none$1\n", "/cgi/env|X-A: 1", "V_h=none");
}

#[test]
fn variables_set_before() {
    check("SetEnvIf X a V_lit\nSetEnvIf v_lit . V_insensitive\n", "/cgi/env|X: a", "V_insensitive=1 V_lit=1");
}

#[test]
fn in_a_row_the_same_name_is_looked_up_once() {
    check("SetEnvIf V_c ^$ V_c=1\nSetEnvIf V_c 1 V_d\n", "/cgi/env", "V_c=1");
    check("SetEnvIf V_c ^$ V_c=1\nSetEnvIf X ^ V_x\nSetEnvIf V_c 1 V_d\n", "/cgi/env", "V_c=1 V_d=1 V_x=1");
}

#[test]
fn expressions() {
    let match_id = "SetEnvIfExpr \"%{QUERY_STRING} =~ /id=(.)/\" V_e=$1-$0\n";
    check(match_id, "/cgi/env?id=7", "V_e=7-id=7");
    check(match_id, "/cgi/env?x", "");
    let both = format!("{match_id}SetEnvIfExpr \"%{{QUERY_STRING}} == 'id=7'\" V_f=$1-$0\n");
    check(&both, "/cgi/env?id=7", "V_e=7-id=7 V_f=7-id=7");
}

#[test]
fn sections_come_after_the_server_and_before_set_env() {
    let config = "<Location /cgi>\nSetEnvIf X abc V_loc=$0 V_lit=over\nSetEnvIf V_lit over V_chain\n</Location>\n\
                  SetEnvIf X abc V_lit\n";
    check(config, "/cgi/env|X: abc", "V_chain=1 V_lit=over V_loc=$0");
    check("SetEnv V_sei fixed\nSetEnvIf X a V_sei=sei\n", "/cgi/env|X: a", "V_sei=fixed");
}

#[track_caller]
fn message(config: &str, expected: &str) {
    assert_eq!(Site::new(config, Memory::new()).messages(), expected, "{config}");
}

#[test]
fn mistakes() {
    message("SetEnvIf\n", "Missing header-field name for SetEnvIf");
    message("SetEnvIf a\n", "Missing regular expression for SetEnvIf");
    message("SetEnvIf a \"\" c\n", "Missing regular expression for SetEnvIf");
    message("SetEnvIfNoCase a b\n", "Missing envariable expression for SetEnvIfNoCase");
    message("SetEnvIf a b( c\n", "SetEnvIf regex could not be compiled.");
    message("SetEnvIf ^a( b c\n", "SetEnvIfHeader name regex could not be compiled.");
    message("BrowserMatch\n", "Missing regular expression for BrowserMatch");
    message("BrowserMatch a( b\n", "BrowserMatch regex could not be compiled.");
    message("SetEnvIfExpr\n", "Missing expression for SetEnvIfExpr");
    message("SetEnvIfExpr true\n", "Missing envariable expression for SetEnvIfExpr");
    message(
        "SetEnvIfExpr \"bogus(\" a\n",
        "Could not parse expression \"bogus(\": syntax error, unexpected $end",
    );
    message("SetEnvIf a b =x\nSetEnvIf a b c=\nSetEnvIf a b !\n", "");
}

#[test]
fn patterns_without_special_characters() {
    assert_eq!(plain_text(br"a\.b\\c"), Some(r"a.b\c".into()));
    assert_eq!(plain_text(br"a\db"), None);
    assert_eq!(plain_text(b"a.b"), None);
}

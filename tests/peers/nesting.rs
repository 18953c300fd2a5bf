//! Configurations that lead a request back to where it came from.

use super::{each, statuses};

/// The statuses for a path under a configuration, and what the log then holds, if anything.
#[track_caller]
fn leads(conf: &str, path: &str, statuses_expected: &str, log: &str) {
    let loop_script = b"#!/bin/sh\necho Location: /cgi-bin/b\necho\n";
    let back_script = b"#!/bin/sh\necho Location: /cgi-bin/a\necho\n";
    let files: [(&str, &[u8]); 4] = [
        ("cgi-bin/a", loop_script),
        ("cgi-bin/b", back_script),
        ("cgi-bin/broken", b"#!/bin/sh\necho no header\n"),
        ("htdocs/d/e/f/file", b""),
    ];
    let conf = format!("<Directory $ROOT/htdocs/d>\n{conf}</Directory>\n");
    each(&conf, &files, |peer| {
        let answer = peer.get(path);
        assert_eq!(statuses(&answer), [statuses_expected], "{}: {answer}", peer.kind.name());
        if !log.is_empty() {
            peer.logs(log);
        }
    });
}

const LIMIT: &str = "AH00124: Request exceeded the limit of 10 internal redirects";
const DEPTH: &str = "AH00125: Request exceeded the limit of 10 subrequest nesting levels";

#[test]
fn a_fallback_that_is_not_there() {
    leads("FallbackResource /none\n", "/d/other", "404 Not Found", "");
}

#[test]
fn a_fallback_to_itself_that_is_not_there() {
    leads("FallbackResource /d/none\n", "/d/other", "500 Internal Server Error", DEPTH);
}

#[test]
fn a_fallback_for_a_directory_that_is_not_there() {
    leads("FallbackResource /d/none/\n", "/d/", "500 Internal Server Error", DEPTH);
}

#[test]
fn an_error_document_that_is_not_there() {
    leads("ErrorDocument 404 /d/gone\n", "/d/none", "404 Not Found", "");
}

#[test]
fn error_documents_that_lead_to_each_other() {
    let conf = "ErrorDocument 404 /cgi-bin/broken\nErrorDocument 500 /d/none\n";
    leads(conf, "/d/none", "404 Not Found", "");
}

#[test]
fn an_error_document_that_redirects_in_a_circle() {
    leads("ErrorDocument 404 /cgi-bin/a\n", "/d/none", "404 Not Found", "");
}

#[test]
fn programs_that_lead_to_each_other() {
    leads("", "/cgi-bin/a", "500 Internal Server Error", LIMIT);
}

#[test]
fn an_index_that_is_the_directory() {
    leads("DirectoryIndex .\n", "/d/", "500 Internal Server Error", DEPTH);
}

#[test]
fn an_index_that_is_the_directory_by_its_url() {
    leads("DirectoryIndex /d/\n", "/d/", "500 Internal Server Error", DEPTH);
}

#[test]
fn an_index_that_is_a_directory_below() {
    leads("DirectoryIndex e/\n", "/d/", "404 Not Found", "");
}

#[test]
fn an_index_that_is_a_program_that_leads_back() {
    leads("DirectoryIndex /cgi-bin/a\n", "/d/", "500 Internal Server Error", LIMIT);
}

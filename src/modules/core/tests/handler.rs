//! What the default handler and the hooks before it answer.

use super::Site;

/// The status line's code, then the header fields named, then the body.
#[track_caller]
fn check(config: &str, request: &str, expected: &str) {
    let answer = Site::new(config).ask(request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let shown = ["Allow", "Accept-Ranges", "ETag", "Last-Modified", "Content-MD5", "Content-Type"];
    let fields = head.lines().skip(1).filter(|line| {
        line.split_once(':').is_some_and(|(name, _)| shown.contains(&name))
    });
    let mut found = vec![head.get(9..12).unwrap_or("???")];
    found.extend(fields);
    if !body.starts_with("<!DOCTYPE") && !body.is_empty() {
        found.push(body);
    }
    assert_eq!(found.join(" | "), expected, "{request}");
}

const ALLOW: &str = "Allow: GET,POST,OPTIONS,HEAD,TRACE";

#[test]
fn methods() {
    check("FileETag None", "OPTIONS /nope", &format!("200 | {ALLOW}"));
    check("", "PUT /a.html", &format!("405 | {ALLOW} | Content-Type: text/html; charset=iso-8859-1"));
    check("", "PUT /nope", &format!("405 | {ALLOW} | Content-Type: text/html; charset=iso-8859-1"));
    check("", "FOO /nope", &format!("501 | {ALLOW} | Content-Type: text/html; charset=iso-8859-1"));
    check("", "OPTIONS *", "200");
    check("TraceEnable off", "OPTIONS /a.html", "200 | Allow: GET,POST,OPTIONS,HEAD");
}

#[test]
fn trace() {
    check("", "TRACE /nope?q\nX: y\n", "200 | Content-Type: message/http | TRACE /nope?q HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n");
    check("TraceEnable off", "TRACE /nope", "405 | Allow:  | Content-Type: text/html; charset=iso-8859-1");
}

#[test]
fn files() {
    let validators = "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT | Accept-Ranges: bytes";
    check("FileETag None", "GET /a.html", &format!("200 | {validators} | a"));
    check("FileETag None", "POST /a.html\nContent-Length: 0\n", &format!("200 | {validators} | a"));
    check("FileETag None\nContentDigest on", "GET /a.html", &format!("200 | {validators} | Content-MD5: DMF1ucDxtqgxw5niaXcmYQ== | a"));
    check("FileETag None\nForceType a/b", "GET /a.html", &format!("200 | {validators} | Content-Type: a/b | a"));
    check("FileETag None\nForceType none", "GET /a.html", &format!("200 | {validators} | a"));
    check("FileETag None\nForceType text/html\nAddDefaultCharset on", "GET /a.html", &format!("200 | {validators} | Content-Type: text/html; charset=iso-8859-1 | a"));
}

#[test]
fn path_info() {
    let page = "404 | Content-Type: text/html; charset=iso-8859-1";
    check("", "GET /a.html/more", page);
    check("AcceptPathInfo default", "GET /a.html/more", page);
    let on = "FileETag None\nAcceptPathInfo on\n<Files b.txt>\nAcceptPathInfo off\n</Files>";
    check(on, "GET /sub/b.txt/more", page);
    let sent = "200 | Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT | Accept-Ranges: bytes | a";
    check(on, "GET /a.html/more", sent);
}

#[test]
fn directories_are_not_served() {
    check("", "GET /sub/", "404 | Content-Type: text/html; charset=iso-8859-1");
    check("", "GET /sub", "404 | Content-Type: text/html; charset=iso-8859-1");
}

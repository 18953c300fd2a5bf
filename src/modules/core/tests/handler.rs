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

/// The parts of the tag of a file of 3 bytes under settings of the server, a directory and another
/// below it: `I` inode 1, `S` size, `M` time.
#[track_caller]
fn tag(server: &str, outer: &str, inner: &str, expected: &str) {
    let config = format!("{server}\n<Directory /srv>\n{outer}\n</Directory>\n<Directory /srv/d>\n{inner}\n</Directory>");
    let answer = Site::over(&config, super::world().with("/srv/d/abc", "abc")).ask("GET /d/abc");
    let tag = answer.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap_or("none");
    let part = |part: &str| match part {
        "1" => "I".to_owned(),
        "3" => "S".to_owned(),
        "60a23e2f28000" => "M".to_owned(),
        other => other.to_owned(),
    };
    let parts: Vec<String> = tag.trim_start_matches("W/").trim_matches('"').split('-').map(part).collect();
    assert_eq!(parts.join("-"), expected, "{config}");
}

#[test]
fn parts_of_the_entity_tag() {
    tag("", "", "", "S-M");
    tag("FileETag INode", "", "", "I");
    tag("FileETag +INode", "", "", "I");
    tag("FileETag -Size", "", "", "S-M");
    tag("FileETag INode +MTime", "", "", "I-M");
    tag("FileETag +MTime INode", "", "", "I");
    tag("FileETag All None", "", "", "none");
    tag("FileETag None Size", "", "", "S");
    tag("FileETag INode\nFileETag Size", "", "", "S");
    tag("FileETag INode\nFileETag +Size", "", "", "I-S");
    tag("FileETag +INode\nFileETag Size", "", "", "S");
    tag("FileETag Digest +Size", "", "", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
}

#[test]
fn entity_tags_of_sections() {
    tag("FileETag MTime", "FileETag +INode", "", "I");
    tag("FileETag MTime", "FileETag -MTime", "", "S-M");
    tag("FileETag None", "FileETag +INode", "", "I");
    tag("FileETag +INode", "FileETag -Size", "", "I");
    tag("FileETag INode", "FileETag None", "FileETag +Size", "S");
    tag("FileETag All", "FileETag -INode", "", "S-M");
    tag("FileETag -MTime", "FileETag All", "", "I-S-M");
    tag("FileETag -MTime", "FileETag +MTime", "", "M");
}

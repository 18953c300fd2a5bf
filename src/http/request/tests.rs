//! Expected values are Apache 2.4.71's answers and log lines to the same bytes.

use super::*;
use proptest::prelude::*;

fn unsafe_() -> Limits {
    Limits { strict: false, ..Limits::default() }
}

#[track_caller]
fn good(limits: &Limits, bytes: &str) -> Head {
    match parse(bytes.as_bytes(), limits) {
        Parse::Done(head, len) => {
            assert_eq!(len, bytes.len());
            *head
        }
        other => panic!("{other:?}"),
    }
}

/// `expected` is status, AH number and the message.
#[track_caller]
fn bad(limits: &Limits, bytes: &str, expected: &str) {
    match parse(bytes.as_bytes(), limits) {
        Parse::Bad(bad) => assert_eq!(format!("{} {}: {}", bad.status, bad.ah, bad.message), expected),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn bad_line(line: &str, expected: &str) {
    let expected = expected.replacen(": ", ": HTTP Request Line; ", 1);
    bad(&Limits::default(), &format!("{line}\r\nHost: h\r\n\r\n"), &format!("400 {expected}"));
}

#[track_caller]
fn bad_field(limits: &Limits, field: &str, expected: &str) {
    bad(limits, &format!("GET /f.txt HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n"), &format!("400 {expected}"));
}

#[track_caller]
fn field(value: &str, expected: &str) {
    let head = good(&Limits::default(), &format!("GET / HTTP/1.1\r\nHost: h\r\nFoo: {value}\r\n\r\n"));
    assert_eq!(head.headers.get("foo"), Some(expected.into()));
}

#[test]
fn a_plain_request() {
    let head = good(&Limits::default(), "GET /a?b HTTP/1.1\r\nHost: H:80\r\n\r\n");
    assert_eq!(head.request_line, "GET /a?b HTTP/1.1");
    assert_eq!((head.method, head.version), (Method::Get, Version::Http11));
    assert_eq!((head.parts.path, head.parts.query), ("/a".into(), Some("b".into())));
    assert_eq!((head.hostname, head.port), (Some("h".into()), Some(80)));
    assert_eq!((head.framing, head.must_close), (Framing::None, false));
}

#[test]
fn every_prefix_is_partial() {
    let bytes = b"\r\nPOST /a HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n";
    for end in 0..bytes.len() {
        assert!(matches!(parse(&bytes[..end], &Limits::default()), Parse::Partial), "{end}");
    }
}

#[test]
fn only_line_ends_and_long_lines_are_worth_parsing() {
    let limits = Limits { line: 20, field_size: 20, ..Limits::default() };
    assert!(!worth_parsing(b"GET / HTTP/1.1\r\nHo", b"o", &limits));
    assert!(worth_parsing(b"GET / HTTP/1.1\r\n", b"\r\n", &limits));
    assert!(worth_parsing(b"GET /aaaaaaaaaaaaaaaaaaaaaaaa", b"a", &limits));
}

#[test]
fn simple_requests() {
    let head = good(&Limits::default(), "GET /f.txt\r\n");
    assert_eq!((head.version, head.protocol), (Version::Http09, "HTTP/0.9".into()));
    bad_line(
        "HEAD /f.txt",
        "AH03444: Invalid method token: 'HEAD' (only GET is allowed for HTTP/0.9 requests)",
    );
    let limits = Limits { allow_09: false, ..Limits::default() };
    bad(&limits, "GET /\r\n", "400 AH02401: HTTP Request Line; Rejected HTTP/0.9 request");
}

#[test]
fn request_lines_that_strict_refuses() {
    let excess = "AH03448: Excess whitespace (disallowed by HttpProtocolOptions Strict)";
    bad_line("GET  /f.txt  HTTP/1.1 ", excess);
    bad_line("GET /f.txt HTTP/1.1 x", excess);
    bad_line("GET\t/f.txt HTTP/1.1", "AH03447: Invalid whitespace");
    bad_line(" GET /f.txt HTTP/1.1", "AH03447: Invalid whitespace");
    bad_line("G(T /f.txt HTTP/1.1", "AH03445: Invalid method token: 'G(T'");
    bad_line("GET", "AH03454: URI incorrectly encoded: ''");
    bad_line("GET /f.txt\x7f HTTP/1.1", "AH03454: URI incorrectly encoded: '/f.txt\x7f'");
    for protocol in ["http/1.1", "HTTP/0.9", "HTTP/1.10", "HTTP/11.1", "FOO/1.1", "HTTP/1.x"] {
        let told = format!("AH02418: Unrecognized protocol '{protocol}' (perhaps whitespace was injected?)");
        bad_line(&format!("GET / {protocol}"), &told);
    }
}

#[test]
fn targets_that_are_refused() {
    bad_line("GET f.txt HTTP/1.1", "AH03450: Unable to parse URI: 'f.txt'");
    bad_line("GET http:f.txt HTTP/1.1", "AH03450: Unable to parse URI: 'f.txt'");
    bad_line("GET * HTTP/1.1", "AH03450: Unable to parse URI: '*'");
    bad_line("CONNECT /f.txt HTTP/1.1", "AH03450: Unable to parse URI: '/f.txt'");
    bad_line("GET /f.txt#x HTTP/1.1", "AH02421: URI must not contain a fragment");
    bad_line("GET http://u:p@x/ HTTP/1.1", "AH02422: URI must not contain a username/password");
    bad(&Limits::default(), "GET ftp://x/ HTTP/1.1\r\nHost: h\r\n\r\n", "400 : ");
}

#[test]
fn request_lines_that_unsafe_takes() {
    for line in ["GET  /f.txt  HTTP/1.1 ", "GET /f.txt http/1.1", "G(T / HTTP/1.1", "GET /f.txt#x HTTP/1.1"] {
        good(&unsafe_(), &format!("{line}\r\nHost: h\r\n\r\n"));
    }
    good(&unsafe_(), "GET /f.txt HTTP/1.1\nHost: h\n\n");
    let trailing = "HTTP Request Line; Extraneous text found 'x' (perhaps whitespace was injected?)";
    bad(&unsafe_(), "GET / HTTP/1.1 x\r\n", &format!("400 AH03449: {trailing}"));
}

#[test]
fn bare_line_feeds_are_refused() {
    bad(&Limits::default(), "GET / HTTP/1.1\n", "400 AH00566: request failed: malformed request line");
    bad(&Limits::default(), "GET / HTTP/1.1\r\nHost: h\n", "400 : ");
}

#[test]
fn empty_lines_first() {
    good(&Limits::default(), "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let told = "400 AH03445: HTTP Request Line; Invalid method token: ''";
    bad(&Limits::default(), &"\r\n".repeat(120), told);
}

#[test]
fn the_longest_line() {
    let line = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(len - 14));
    good(&Limits::default(), &line(8191));
    let told = "request failed: client's request-line exceeds LimitRequestLine (longer than 8190)";
    bad(&Limits::default(), &line(8192), &format!("414 AH00565: {told}"));
}

#[test]
fn field_limits() {
    field(&"a".repeat(8186), &"a".repeat(8186));
    let size = "Request header exceeds LimitRequestFieldSize";
    bad_field(&Limits::default(), &format!("X: {}", "a".repeat(8189)), &format!("AH00561: {size}: X"));
    let folded = format!("X: {}\r\n {}", "a".repeat(5000), "b".repeat(5000));
    bad_field(&Limits::default(), &folded, &format!("AH00562: {size} after folding: X"));
    let many = ["X: a"; 100].join("\r\n");
    let told = "AH00563: Number of request headers exceeds LimitRequestFields";
    bad_field(&Limits::default(), &many, told);
    good(&Limits::default(), &format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: a\r\n".repeat(99)));
}

#[test]
fn folding_and_repeats() {
    field("a\r\n  b", "a b");
    field("a  \r\n\tb", "a b");
    field("\r\n b", "b");
    field("a\r\nBar: x\r\nfoo: c", "a, c");
    bad_field(&Limits::default(), "X: a\r\n \r\n b", "AH03443: Empty folded line encountered");
    let told = "400 AH03442: Line folding encountered before first header line";
    bad(&Limits::default(), "GET / HTTP/1.1\r\n x: y\r\n\r\n", told);
}

#[test]
fn field_lines_that_strict_refuses() {
    let limits = Limits::default();
    bad_field(&limits, "foo : b", "AH02426: Request header field name is malformed: foo : b");
    bad_field(&limits, "foo", "AH02426: Request header field name is malformed: foo");
    bad_field(&limits, ": b", "AH02426: Request header field name is malformed: : b");
    bad_field(&limits, "foo: b\x01c", "AH02427: Request header value is malformed: b\x01c");
    bad_field(&limits, "foo: b\0c", ": ");
}

#[test]
fn field_lines_that_unsafe_refuses() {
    let limits = unsafe_();
    bad_field(&limits, "foo : b", "AH03452: Request header field name presented invalid whitespace");
    bad_field(&limits, "foo", "AH00564: Request header field is missing ':' separator: foo");
    bad_field(&limits, ": b", "AH03453: Request header field name was empty");
    bad_field(&limits, "foo: b\rc", "AH03451: Request header field value presented bad whitespace");
    good(&limits, "GET / HTTP/1.1\r\nHost: h\r\nfo(o: b\x01\r\n\r\n");
}

#[track_caller]
fn host(limits: &Limits, value: &str, accepted: bool) {
    match parse(format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n").as_bytes(), limits) {
        Parse::Done(..) => assert!(accepted, "{value}"),
        Parse::Bad(bad) => {
            assert!(!accepted, "{value}");
            assert_eq!(bad.ah, "AH00550");
            assert_eq!(bad.message, format!("Client sent malformed Host header: {value}"));
        }
        Parse::Partial => panic!("partial"),
    }
}

#[test]
fn hosts() {
    let strict = Limits::default();
    for value in ["a:80", "[::1]", "[::1]:80", "h_x", "-h", "h.", ".h"] {
        host(&strict, value, true);
        host(&unsafe_(), value, true);
    }
    for value in ["a b", "a:b", "a.0:80", "h, g", "h%41", "1.2.3.4:", "*"] {
        host(&strict, value, false);
        host(&unsafe_(), value, true);
    }
    for value in ["a..b", "a/b", "h\\", "h:99999"] {
        host(&strict, value, false);
        host(&unsafe_(), value, false);
    }
}

#[test]
fn http_11_needs_a_host() {
    let told =
        "400 AH00569: client sent HTTP/1.1 request without hostname (see RFC2616 section 14.23): /f.txt";
    bad(&Limits::default(), "GET /f.txt HTTP/1.1\r\n\r\n", told);
    bad(&Limits::default(), "GET /f.txt HTTP/1.1\r\nHost: \r\n\r\n", told);
    bad(&Limits::default(), "GET http://x:80/f.txt HTTP/1.1\r\n\r\n", told);
    good(&Limits::default(), "GET /f.txt HTTP/1.0\r\n\r\n");
    good(&Limits::default(), "GET http://x/f.txt HTTP/1.1\r\nHost:\r\n\r\n");
    good(&Limits::default(), "GET http:///f.txt HTTP/1.1\r\nHost: h\r\n\r\n");
}

#[test]
fn an_absolute_target_overrides_the_host() {
    let request = "GET HTTP://X:81/f?q HTTP/1.1\r\nHost: h\r\n\r\n";
    let head = good(&Limits::default(), request);
    assert_eq!(head.headers.get("host"), Some("X:81".into()));
    assert_eq!((head.hostname, head.port), (Some("x".into()), Some(81)));
    assert_eq!((head.parts.path, head.target), ("/f".into(), "HTTP://X:81/f?q".into()));
    let head = good(&unsafe_(), request);
    assert_eq!(head.headers.get("host"), Some("h".into()));
    let head = good(&Limits::default(), "GET https://x/f HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(head.hostname, Some("h".into()));
    let head = good(&Limits::default(), "GET ///f HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(head.parts.path, "/f");
}

#[track_caller]
fn framed(field: &str, expected: Result<Framing, &str>) {
    let text = format!("POST /f.txt HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n");
    match (parse(text.as_bytes(), &Limits::default()), expected) {
        (Parse::Done(head, _), Ok(framing)) => assert_eq!(head.framing, framing),
        (Parse::Bad(bad), Err(told)) => {
            assert_eq!(format!("{} {}: {}", bad.status, bad.ah, bad.message), told)
        }
        (other, expected) => panic!("{other:?} instead of {expected:?}"),
    }
}

#[test]
fn framing_of_the_body() {
    framed("A: b", Ok(Framing::None));
    framed("Content-Length: 1 ", Ok(Framing::Length(1)));
    framed("Transfer-Encoding: CHUNKED", Ok(Framing::Chunked));
    framed("Transfer-Encoding: gzip, chunked", Ok(Framing::Chunked));
    framed("Transfer-Encoding: chunked\r\nContent-Length: 3", Ok(Framing::Chunked));
    for value in ["x", "-1", "+1", "1, 1", "", "99999999999999999999"] {
        let told = format!("400 AH10242: client sent invalid Content-Length ({value}): /f.txt");
        framed(&format!("Content-Length: {value}"), Err(&told));
    }
    for value in ["gzip", "chunked, gzip", "identity", ""] {
        let told = format!("400 AH02539: client sent unknown Transfer-Encoding ({value}): /f.txt");
        framed(&format!("Transfer-Encoding: {value}"), Err(&told));
    }
}

#[test]
fn expectations() {
    let head = good(&Limits::default(), "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n");
    assert!(head.expect_continue);
    let told = "417 AH00570: client sent an unrecognized expectation value of Expect: foo";
    bad(&Limits::default(), "PUT / HTTP/1.0\r\nExpect: foo\r\n\r\n", told);
}

#[test]
fn registered_methods() {
    let limits = Limits { registered_methods: Some(Vec::new()), ..Limits::default() };
    let told = "HTTP Request Line; Unrecognized HTTP method: 'FOO' (disallowed by RegisteredMethods)";
    bad(&limits, "FOO / HTTP/1.1\r\nHost: h\r\n\r\n", &format!("501 AH02423: {told}"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, strict: bool) {
        let _ = parse(&bytes, &Limits { strict, ..Limits::default() });
    }

    #[test]
    fn nothing_like_a_request_panics(text in "(GET|CONNECT) [ -~]{0,20}( HTTP/1.1)?\r\n([A-Za-z: ]{0,9}\r\n){0,4}") {
        let _ = parse(text.as_bytes(), &Limits::default());
        let _ = parse(text.as_bytes(), &unsafe_());
    }
}

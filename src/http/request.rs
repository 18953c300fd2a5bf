//! Request heads: bytes in, a [`Head`] or the answer to a bad request out.
//!
//! [`parse`] keeps nothing between calls: the caller gives it all bytes it has of the head so far.
//! The checks run in Apache's order, so that a request wrong in two ways is refused for the same one.

use super::fields::{self, Cut, Fields};
use super::headers::Headers;
use super::method::Method;
use super::request_line::{self, Line};
use super::status::Status;
use super::target::{self, Target};
use bstr::{BStr, BString, ByteSlice};

/// What the configuration says of request heads.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `LimitRequestLine`, in bytes.
    pub line: usize,
    /// `LimitRequestFields`; 0 is no limit.
    pub fields: usize,
    /// `LimitRequestFieldSize`, in bytes.
    pub field_size: usize,
    /// `HttpProtocolOptions Strict` (else `Unsafe`).
    pub strict: bool,
    /// `HttpProtocolOptions Allow0.9` (else `Require1.0`).
    pub allow_09: bool,
    /// `HttpProtocolOptions RegisteredMethods` (else `LenientMethods`): the methods that are let in
    /// besides the built-in ones.
    pub registered_methods: Option<Vec<BString>>,
    /// The scheme of the connection, `http` or `https`; an absolute target must have it.
    pub scheme: &'static str,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line: 8190,
            fields: 100,
            field_size: 8190,
            strict: true,
            allow_09: true,
            registered_methods: None,
            scheme: "http",
        }
    }
}

/// The protocol version of a request. Apache answers to every higher one as to 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// A request line without a protocol: no header fields in it, no head in the answer.
    Http09,
    /// `HTTP/1.0`.
    Http10,
    /// `HTTP/1.1`.
    Http11,
}

/// A complete request head.
#[derive(Clone, Debug)]
pub struct Head {
    /// The request line with single spaces, as `%r` logs it.
    pub request_line: BString,
    /// The method.
    pub method: Method,
    /// The method as the client wrote it.
    pub method_name: BString,
    /// The target as the client wrote it (`unparsed_uri`, CGI's `REQUEST_URI`).
    pub target: BString,
    /// The parts of the target.
    pub parts: Target,
    /// The protocol as the client wrote it, `HTTP/0.9` if there was none (CGI's `SERVER_PROTOCOL`).
    pub protocol: BString,
    /// Its meaning.
    pub version: Version,
    /// The name of the host asked for: lower case, no port, from the target if that is absolute, else
    /// from `Host`.
    pub hostname: Option<BString>,
    /// The port that came with `hostname`.
    pub port: Option<u16>,
    /// The fields, those of the same name joined by `, `.
    pub headers: Headers,
    /// How the body ends.
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// The request must be the connection's last: it has both Transfer-Encoding and Content-Length.
    pub must_close: bool,
}

/// How the body of a message is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, see [`super::chunked`].
    Chunked,
}

/// A request that is answered without being decided upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The status to send.
    pub status: Status,
    /// Apache's message number, empty where it says nothing.
    pub ah: &'static str,
    /// The log message without its number, unescaped.
    pub message: BString,
    /// Logged at level `info` (else `debug`), both of module `core`.
    pub info: bool,
    /// What the error page says besides (`error-notes`), HTML.
    pub notes: BString,
    /// For the access log: the request line as far as it is known.
    pub request_line: BString,
    /// The method as far as it is known.
    pub method_name: BString,
    /// The target as far as it is known.
    pub target: BString,
    /// The value of `Expect`, for the page of a 417.
    pub expect: Option<BString>,
    /// Whether the connection can be used for another request after this one.
    pub keep_alive: bool,
    /// Apache logs a second line after this one, `AH00567: request failed: error reading the headers`.
    pub in_headers: bool,
}

/// What [`parse`] found.
#[derive(Clone, Debug)]
pub enum Parse {
    /// Not the whole head yet.
    Partial,
    /// A head, and how many bytes it took.
    Done(Box<Head>, usize),
    /// Answer with this error; the connection closes unless `keep_alive`.
    Bad(Box<BadRequest>),
}

/// Whether [`parse`] can say more than `Partial` now that `fresh` was added to the end of `bytes`. Asking this
/// first keeps a client that sends byte by byte from having its head parsed anew for each of them.
pub fn worth_parsing(bytes: &[u8], fresh: &[u8], limits: &Limits) -> bool {
    let line = bytes.len() - bytes.iter().rposition(|&c| c == b'\n').map_or(0, |at| at + 1);
    fresh.contains(&b'\n') || line > limits.line.min(limits.field_size)
}

/// Parses the request head at the start of `bytes` (RFC 9112 sections 2 to 6, as Apache reads it).
pub fn parse(bytes: &[u8], limits: &Limits) -> Parse {
    let (line, start) = match first_line(bytes, limits) {
        Cut::Line(line, start) => (line, start),
        Cut::Partial => return Parse::Partial,
        Cut::TooLong => return Parse::Bad(BadRequest::long_line(limits, bytes)),
        Cut::Malformed => {
            let text: &[&[u8]] = &[b"request failed: malformed request line"];
            return Parse::Bad(Box::new(BadRequest::new(Status::BAD_REQUEST, "AH00566", text)));
        }
    };
    let line = match request_line::parse(line, limits) {
        Ok(line) => line,
        Err(bad) => return Parse::Bad(bad),
    };
    let parts = match target::split(&line, limits) {
        Ok(parts) => parts,
        Err(bad) => return Parse::Bad(bad),
    };
    let (headers, len) = match line.version {
        Version::Http09 => (Headers::new(), 0),
        _ => match fields::parse(&bytes[start..], limits) {
            Fields::Done(headers, len) => (headers, len),
            Fields::Partial => return Parse::Partial,
            Fields::Bad(bad) => return Parse::Bad(Box::new(bad.of(&line))),
        },
    };
    match complete(&line, parts, headers, limits) {
        Ok(head) => Parse::Done(Box::new(head), start + len),
        Err(bad) => Parse::Bad(Box::new(bad.of(&line))),
    }
}

/// The first line that is not empty; Apache skips as many empty ones as it allows fields.
fn first_line<'a>(bytes: &'a [u8], limits: &Limits) -> Cut<'a> {
    let skip = if limits.fields == 0 { 100 } else { limits.fields };
    let mut at = 0;
    for _ in 0..skip {
        match fields::cut(&bytes[at..], limits.line, limits.strict) {
            Cut::Line(b"", len) => at += len,
            Cut::Line(line, len) => return Cut::Line(line, at + len),
            other => return other,
        }
    }
    match fields::cut(&bytes[at..], limits.line, limits.strict) {
        Cut::Line(line, len) => Cut::Line(line, at + len),
        other => other,
    }
}

fn complete(
    line: &Line<'_>,
    parts: Target,
    mut headers: Headers,
    limits: &Limits,
) -> Result<Head, Box<BadRequest>> {
    let must_close = headers.contains("Transfer-Encoding") && headers.contains("Content-Length");
    let framing = framing(&headers, parts.path.as_bstr())?;
    let host = target::host(&parts, &headers, limits)?;
    if line.version >= Version::Http11 && (host.name.is_none() || !headers.contains("Host")) {
        let text: &[&[u8]] =
            &[b"client sent HTTP/1.1 request without hostname (see RFC2616 section 14.23): ", &parts.path];
        return Err(Box::new(BadRequest::new(Status::BAD_REQUEST, "AH00569", text)));
    }
    if let Some(authority) = parts.authority.as_ref().filter(|_| limits.strict) {
        headers.set("Host", authority);
    }
    if framing == Framing::Chunked {
        headers.remove("Content-Length");
    }
    let expect_continue = expect(&headers)?;
    let protocol = if line.protocol.is_empty() { b"HTTP/0.9" } else { line.protocol };
    Ok(Head {
        request_line: line.rebuilt(),
        method: Method::from_name(line.method),
        method_name: line.method.into(),
        target: line.target.into(),
        parts,
        protocol: protocol.to_ascii_uppercase().into(),
        version: line.version,
        hostname: host.name,
        port: host.port,
        headers,
        framing,
        expect_continue,
        must_close,
    })
}

/// How the body ends (RFC 9112 section 6.3): Transfer-Encoding wins and must end in `chunked`.
fn framing(headers: &Headers, path: &BStr) -> Result<Framing, Box<BadRequest>> {
    let bad = |ah, what: &[u8], value: &[u8]| {
        let text: &[&[u8]] = &[b"client sent ", what, b" (", value, b"): ", path];
        Err(Box::new(BadRequest::new(Status::BAD_REQUEST, ah, text)))
    };
    if let Some(codings) = headers.get("Transfer-Encoding") {
        let last = codings.rsplit(|&c| c == b',').next().unwrap_or_default().trim();
        return match last.eq_ignore_ascii_case(b"chunked") {
            true => Ok(Framing::Chunked),
            false => bad("AH02539", b"unknown Transfer-Encoding", codings),
        };
    }
    match headers.get("Content-Length") {
        None => Ok(Framing::None),
        Some(length) => match content_length(length) {
            Some(length) => Ok(Framing::Length(length)),
            None => bad("AH10242", b"invalid Content-Length", length),
        },
    }
}

/// Digits only, and no more than fits a signed 64-bit number.
pub(super) fn content_length(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|n| *n <= i64::MAX as u64)
}

/// RFC 9110 section 10.1.1: only `100-continue` may be expected.
fn expect(headers: &Headers) -> Result<bool, Box<BadRequest>> {
    let Some(value) = headers.get("Expect").filter(|v| !v.is_empty()) else { return Ok(false) };
    if value.eq_ignore_ascii_case(b"100-continue") {
        return Ok(true);
    }
    let text: &[&[u8]] = &[b"client sent an unrecognized expectation value of Expect: ", value];
    let mut bad = BadRequest::new(Status::EXPECTATION_FAILED, "AH00570", text);
    bad.info = true;
    bad.keep_alive = true;
    bad.expect = Some(value.to_owned());
    Err(Box::new(bad))
}

impl BadRequest {
    /// An error with its log message given in pieces.
    pub(super) fn new(status: Status, ah: &'static str, text: &[&[u8]]) -> Self {
        BadRequest {
            status,
            ah,
            message: text.concat().into(),
            info: false,
            notes: BString::default(),
            request_line: BString::default(),
            method_name: BString::default(),
            target: BString::default(),
            expect: None,
            keep_alive: false,
            in_headers: false,
        }
    }

    /// An error in a header line.
    pub(super) fn header(ah: &'static str, text: &[&[u8]]) -> Box<Self> {
        Box::new(BadRequest { in_headers: true, ..Self::new(Status::BAD_REQUEST, ah, text) })
    }

    /// A header line that cannot even be read as one; only the second log line is written.
    pub(super) fn unreadable_headers() -> Box<Self> {
        Self::header("", &[])
    }

    fn long_line(limits: &Limits, bytes: &[u8]) -> Box<Self> {
        let most = limits.line.to_string();
        let text: &[&[u8]] = &[
            b"request failed: client's request-line exceeds LimitRequestLine (longer than ",
            most.as_bytes(),
            b")",
        ];
        let mut bad = Self::new(Status::REQUEST_URI_TOO_LARGE, "AH00565", text);
        bad.info = true;
        bad.request_line = bytes[..bytes.len().min(limits.line)].into();
        bad.method_name = bytes.split(|&c| c == b' ').next().unwrap_or_default().into();
        Box::new(bad)
    }

    fn of(self, line: &Line<'_>) -> Self {
        BadRequest {
            request_line: line.rebuilt(),
            method_name: line.method.into(),
            target: line.target.into(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;

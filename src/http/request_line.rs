//! The request line, scanned as Apache scans it: the whole line is taken apart first, and the first
//! thing found wrong is what the log says.

use super::method::Method;
use super::request::{BadRequest, Limits, Version};
use super::status::Status;

/// The parts of a request line.
pub(super) struct Line<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub protocol: &'a [u8],
    pub version: Version,
}

/// What is wrong with a line; the order of the checks, not of this list, decides which is told.
enum Fault<'a> {
    Method,
    MissingUri,
    Uri,
    Whitespace,
    Excess,
    Trailing(&'a [u8]),
    Protocol,
}

/// Takes `line` (without its line end) apart.
pub(super) fn parse<'a>(line: &'a [u8], limits: &Limits) -> Result<Line<'a>, Box<BadRequest>> {
    let mut fault = None;
    let mut out = scan(line, limits.strict, &mut fault);
    out.version = version(&out, limits.strict, &mut fault);
    if let Some(fault) = fault {
        return Err(Box::new(out.explain(fault)));
    }
    check_simple(&out, limits)?;
    if limits
        .registered_methods
        .as_ref()
        .is_some_and(|known| Method::find(out.method, known) == Method::Other)
    {
        return Err(out.bad(
            Status::NOT_IMPLEMENTED,
            "AH02423",
            &[
                b"HTTP Request Line; Unrecognized HTTP method: '",
                out.method,
                b"' (disallowed by RegisteredMethods)",
            ],
        ));
    }
    Ok(out)
}

fn scan<'a>(line: &'a [u8], strict: bool, fault: &mut Option<Fault<'a>>) -> Line<'a> {
    let blank = Line { method: b"", target: b"", protocol: b"", version: Version::Http09 };
    let start = spaces(line);
    if start > 0 {
        fault.get_or_insert(Fault::Whitespace);
    }
    let line = &line[start..];
    let good = if strict { is_token } else { is_vchar };
    let (method, rest) = word(line);
    if method.is_empty() || !method.iter().all(|&c| good(c)) {
        fault.get_or_insert(Fault::Method);
        if rest.is_empty() {
            return Line { method, ..blank };
        }
    }
    let rest = gap(rest, strict, fault);
    if rest.is_empty() {
        fault.get_or_insert(Fault::MissingUri);
    }
    let (target, rest) = word(rest);
    if target.is_empty() || !target.iter().all(|&c| is_vchar(c)) {
        *fault = Some(Fault::Uri);
    }
    let rest = gap(rest, strict, fault);
    let (protocol, rest) = word(rest);
    if !protocol.iter().all(|&c| is_vchar(c)) {
        *fault = Some(Fault::Protocol);
    } else if strict && !rest.is_empty() {
        *fault = Some(Fault::Excess);
    } else {
        let trailing = gap(rest, false, fault);
        if !trailing.is_empty() {
            fault.get_or_insert(Fault::Trailing(trailing));
        }
    }
    Line { method, target, protocol, ..blank }
}

fn version<'a>(line: &Line<'a>, strict: bool, fault: &mut Option<Fault<'a>>) -> Version {
    match line.protocol {
        [] => Version::Http09,
        [h @ .., b'/', major @ b'1'..=b'9', b'.', minor @ b'0'..=b'9'] if h.eq_ignore_ascii_case(b"HTTP") => {
            if strict && h != b"HTTP" {
                fault.get_or_insert(Fault::Protocol);
            }
            match (major, minor) {
                (b'1', b'0') => Version::Http10,
                _ => Version::Http11,
            }
        }
        _ => {
            fault.get_or_insert(Fault::Protocol);
            Version::Http10
        }
    }
}

fn check_simple(line: &Line<'_>, limits: &Limits) -> Result<(), Box<BadRequest>> {
    if line.version != Version::Http09 {
        return Ok(());
    }
    if !limits.allow_09 {
        let text: &[&[u8]] = &[b"HTTP Request Line; Rejected HTTP/0.9 request"];
        return Err(line.bad(Status::BAD_REQUEST, "AH02401", text));
    }
    if limits.strict && line.method != b"GET" {
        return Err(line.bad(
            Status::BAD_REQUEST,
            "AH03444",
            &[
                b"HTTP Request Line; Invalid method token: '",
                line.method,
                b"' (only GET is allowed for HTTP/0.9 requests)",
            ],
        ));
    }
    Ok(())
}

impl Line<'_> {
    fn explain(&self, fault: Fault<'_>) -> BadRequest {
        let injected: &[u8] = b"' (perhaps whitespace was injected?)";
        let (ah, text): (_, [&[u8]; 3]) = match fault {
            Fault::Method => ("AH03445", [b"Invalid method token: '", self.method, b"'"]),
            Fault::MissingUri => ("AH03446", [b"Missing URI", b"", b""]),
            Fault::Uri => ("AH03454", [b"URI incorrectly encoded: '", self.target, b"'"]),
            Fault::Whitespace => ("AH03447", [b"Invalid whitespace", b"", b""]),
            Fault::Excess => {
                ("AH03448", [b"Excess whitespace (disallowed by HttpProtocolOptions Strict)", b"", b""])
            }
            Fault::Trailing(text) => ("AH03449", [b"Extraneous text found '", text, injected]),
            Fault::Protocol => ("AH02418", [b"Unrecognized protocol '", self.protocol, injected]),
        };
        *self.bad(Status::BAD_REQUEST, ah, &[b"HTTP Request Line; ", text[0], text[1], text[2]])
    }

    /// The error, with what of the line the access log and the error page may still show.
    pub fn bad(&self, status: Status, ah: &'static str, text: &[&[u8]]) -> Box<BadRequest> {
        let mut bad = BadRequest::new(status, ah, text);
        bad.request_line = self.rebuilt();
        bad.method_name = self.method.into();
        bad.target = self.target.into();
        Box::new(bad)
    }

    /// The line with single spaces, as `%r` logs it.
    pub fn rebuilt(&self) -> bstr::BString {
        let words = [self.method, self.target, self.protocol];
        words.iter().copied().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(&b' ').into()
    }
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

fn is_vchar(c: u8) -> bool {
    c > b' ' && c != 0x7f
}

/// A `tchar` of RFC 9110 section 5.6.2.
pub(super) fn is_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c)
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|&&c| is_space(c)).count()
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|&c| is_space(c)).unwrap_or(text.len()))
}

/// Skips white space; anything but spaces is a fault, and so is more than one where `strict`.
fn gap<'a>(text: &'a [u8], strict: bool, fault: &mut Option<Fault<'a>>) -> &'a [u8] {
    let (gap, rest) = text.split_at(spaces(text));
    if strict && gap.len() > 1 {
        fault.get_or_insert(Fault::Excess);
    }
    if gap.iter().any(|&c| c != b' ') {
        fault.get_or_insert(Fault::Whitespace);
    }
    rest
}

//! The target of a request taken apart, and the host it is for.

use super::headers::Headers;
use super::request::{BadRequest, Limits};
use super::request_line::Line;
use super::status::Status;
use bstr::{BString, ByteSlice};

/// The parts of a target, still escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Path; `*` for `OPTIONS *`, empty for CONNECT.
    pub path: BString,
    /// What follows the first `?`.
    pub query: Option<BString>,
    /// `host[:port]` of an absolute target or of CONNECT.
    pub authority: Option<BString>,
}

/// A host name and port.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub name: Option<BString>,
    pub port: Option<u16>,
}

/// Splits the target of `line` (RFC 9112 section 3.2) and refuses what Apache refuses.
pub(super) fn split(line: &Line<'_>, limits: &Limits) -> Result<Target, Box<BadRequest>> {
    if line.method == b"CONNECT" {
        return connect(line);
    }
    let mut rest = line.target;
    while rest.starts_with(b"//") {
        rest = &rest[1..];
    }
    let mut out = Target::default();
    if let Some((scheme, tail)) = scheme(rest) {
        if !tail.starts_with(b"/") {
            return Err(unparsable(line, tail));
        }
        if ![b"http".as_slice(), b"https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(line.bad(Status::BAD_REQUEST, "", &[]));
        }
        let ours = scheme.eq_ignore_ascii_case(limits.scheme.as_bytes());
        rest = tail;
        if let Some(tail) = tail.strip_prefix(b"//") {
            let end = tail.iter().position(|c| b"/?#".contains(c)).unwrap_or(tail.len());
            let authority = authority(line, &tail[..end], limits)?;
            out.authority = ours.then_some(authority);
            rest = &tail[end..];
        }
    }
    let (rest, fragment) = cut(rest, b'#');
    let (path, query) = cut(rest, b'?');
    out.query = query.map(BString::from);
    out.path = if path.is_empty() { "/".into() } else { path.into() };
    let asterisk = line.method == b"OPTIONS" && out.path == "*";
    if !out.path.starts_with(b"/") && !asterisk {
        return Err(unparsable(line, &out.path));
    }
    if limits.strict && fragment.is_some() {
        let text: &[&[u8]] = &[b"HTTP Request Line; URI must not contain a fragment"];
        return Err(line.bad(Status::BAD_REQUEST, "AH02421", text));
    }
    Ok(out)
}

fn connect(line: &Line<'_>) -> Result<Target, Box<BadRequest>> {
    match split_port(line.target) {
        (host, Some(port)) if !host.is_empty() && parse_port(port).is_some() => {
            Ok(Target { authority: Some(line.target.into()), ..Target::default() })
        }
        (host, _) => Err(unparsable(line, host)),
    }
}

fn authority(line: &Line<'_>, text: &[u8], limits: &Limits) -> Result<BString, Box<BadRequest>> {
    let (user, host) = match text.rfind_byte(b'@') {
        Some(at) => (true, &text[at + 1..]),
        None => (false, text),
    };
    let open = host.starts_with(b"[") && !host.contains(&b']');
    if open || split_port(host).1.is_some_and(|port| !port.iter().all(u8::is_ascii_digit)) {
        return Err(unparsable(line, line.target));
    }
    if user && limits.strict {
        let text: &[&[u8]] = &[b"HTTP Request Line; URI must not contain a username/password"];
        return Err(line.bad(Status::BAD_REQUEST, "AH02422", text));
    }
    Ok(host.into())
}

fn unparsable(line: &Line<'_>, shown: &[u8]) -> Box<BadRequest> {
    line.bad(Status::BAD_REQUEST, "AH03450", &[b"HTTP Request Line; Unable to parse URI: '", shown, b"'"])
}

/// `scheme` and what follows its colon.
fn scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|c| !(c.is_ascii_alphanumeric() || b"+-.".contains(c)))?;
    let (scheme, rest) = text.split_at(end);
    let rest = rest.strip_prefix(b":")?;
    scheme.first()?.is_ascii_alphabetic().then_some((scheme, rest))
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.find_byte(at) {
        Some(i) => (&text[..i], Some(&text[i + 1..])),
        None => (text, None),
    }
}

/// The host the request is for: that of an absolute target, else of the `Host` field.
pub(super) fn host(target: &Target, headers: &Headers, limits: &Limits) -> Result<Host, Box<BadRequest>> {
    let field = headers.get("Host");
    let text = match (&target.authority, field) {
        (Some(authority), _) => authority.as_bstr(),
        (None, Some(field)) => field,
        (None, None) => return Ok(Host::default()),
    };
    if text.is_empty() {
        let name = target.authority.as_ref().map(|_| BString::default());
        return Ok(Host { name, port: None });
    }
    if text.iter().any(|c| b"/\\".contains(c)) {
        return Err(malformed(text));
    }
    let (name, port) = split_port(text);
    let rule = if limits.strict { strict_name } else { safe_name };
    let port_number = match port {
        None => None,
        Some(port) if target.authority.is_some() => parse_port(port),
        Some(b"") if !limits.strict => None,
        Some(port) => match parse_port(port) {
            Some(port) => Some(port),
            None if !limits.strict && !port.iter().all(u8::is_ascii_digit) => None,
            None => return Err(malformed(text)),
        },
    };
    if !rule(name) {
        return Err(malformed(text));
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    Ok(Host { name: Some(name.to_ascii_lowercase().into()), port: port_number })
}

fn malformed(text: &[u8]) -> Box<BadRequest> {
    Box::new(BadRequest::new(Status::BAD_REQUEST, "AH00550", &[b"Client sent malformed Host header: ", text]))
}

/// Host and what follows the colon after it; brackets hold an IPv6 address together.
fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let from = if text.starts_with(b"[") { text.find_byte(b']').unwrap_or(0) } else { 0 };
    match text[from..].rfind_byte(b':') {
        Some(at) => (&text[..from + at], Some(&text[from + at + 1..])),
        None => (text, None),
    }
}

fn parse_port(text: &[u8]) -> Option<u16> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok())?.filter(|port| *port > 0)
}

fn strict_name(name: &[u8]) -> bool {
    if name.starts_with(b"[") {
        return safe_name(name);
    }
    if name.iter().all(|c| c.is_ascii_digit() || *c == b'.') {
        return name.iter().filter(|&&c| c == b'.').count() == 3
            && !name.starts_with(b".")
            && safe_name(name);
    }
    // A top-level domain starts with a letter (RFC 1123 section 2.1), which tells it from an address.
    let top = name.rsplit(|&c| c == b'.').next().unwrap_or_default();
    let dotted = top.len() < name.len();
    let top_is_name = !dotted || top.first().is_none_or(u8::is_ascii_alphabetic);
    top_is_name && safe_name(name) && name.iter().all(|&c| c.is_ascii_alphanumeric() || b"-._".contains(&c))
}

/// What `HttpProtocolOptions Unsafe` still refuses in a name, besides slashes.
fn safe_name(name: &[u8]) -> bool {
    match name {
        [b'[', inner @ .., b']'] => is_ipv6(inner),
        [b'[', ..] => false,
        _ => !name.contains_str(".."),
    }
}

fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

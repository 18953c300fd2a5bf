//! Paths of URLs: normalization and unescaping, by Apache's rules.
//!
//! A path is first normalized while it is still escaped ([`normalize`]), then unescaped ([`unescape`]);
//! [`decode`] does both, as for the path of a request.

use bstr::{BString, ByteSlice};

/// What an escaped slash, `%2f`, in a path means (`AllowEncodedSlashes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slashes {
    /// `Off`: the path is not found.
    #[default]
    Refuse,
    /// `On`: it is a slash.
    Decode,
    /// `NoDecode`: it stays as it is.
    Keep,
}

/// Why a path cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It leaves the root, or does not begin there: 400.
    Invalid,
    /// A `%` without two hexadecimal digits: 400.
    Escape,
    /// `%2f` where `AllowEncodedSlashes` is Off: 404.
    Slash,
    /// `%00`: 404.
    Nul,
}

impl BadPath {
    /// Whether the answer is 400, and not 404.
    pub fn is_bad_request(self) -> bool {
        matches!(self, BadPath::Invalid | BadPath::Escape)
    }
}

/// The path of a request as `r->uri`: normalized and unescaped. `merge` is `MergeSlashes`.
pub fn decode(path: &[u8], slashes: Slashes, merge: bool) -> Result<BString, BadPath> {
    if path == b"*" {
        return Ok(path.into());
    }
    let path = normalize(path, merge, true)?;
    if !path.contains(&b'%') {
        return Ok(path);
    }
    let path = unescape(&path, slashes)?;
    match slashes {
        Slashes::Decode => normalize(&path, merge, false),
        _ => Ok(path),
    }
}

/// Removes `.` and `..` segments, and repeated slashes if `merge`. With `unreserved`, escapes of characters
/// that need none are undone on the way, so that `%2e` is a dot (RFC 3986 section 6.2.2).
pub fn normalize(path: &[u8], merge: bool, unreserved: bool) -> Result<BString, BadPath> {
    if !path.starts_with(b"/") {
        return Err(BadPath::Invalid);
    }
    if is_normal(path, merge) {
        return Ok(path.into());
    }
    let decoded = if unreserved { decode_unreserved(path)? } else { path.to_vec() };
    let mut out: Vec<u8> = Vec::with_capacity(decoded.len());
    out.push(b'/');
    let mut rest = decoded.get(1..).unwrap_or_default();
    while !rest.is_empty() {
        let end = rest.find_byte(b'/').unwrap_or(rest.len());
        let (segment, slash) = (&rest[..end], &rest[end..rest.len().min(end + 1)]);
        match segment {
            b"." => {}
            b".." => drop_last(&mut out)?,
            b"" if merge => {}
            _ => out.extend([segment, slash].concat()),
        }
        rest = &rest[end + slash.len()..];
    }
    Ok(out.into())
}

/// Undoes `%xx`.
pub fn unescape(path: &[u8], slashes: Slashes) -> Result<BString, BadPath> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    let mut bad = None;
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        if c != b'%' {
            out.push(c);
            continue;
        }
        let byte = hex(tail).ok_or(BadPath::Escape)?;
        rest = tail.get(2..).unwrap_or_default();
        match (byte, slashes) {
            (0, _) => bad = bad.or(Some(BadPath::Nul)),
            (b'/', Slashes::Refuse) => bad = bad.or(Some(BadPath::Slash)),
            (b'/', Slashes::Keep) => out.extend_from_slice(&[b'%', tail[0], tail[1]]),
            _ => out.push(byte),
        }
    }
    bad.map_or(Ok(out.into()), Err)
}

/// The common case: nothing to do.
fn is_normal(path: &[u8], merge: bool) -> bool {
    let odd = |pair: &[u8]| pair == b"/." || (merge && pair == b"//");
    !path.contains(&b'%') && !path.windows(2).any(odd)
}

fn drop_last(out: &mut Vec<u8>) -> Result<(), BadPath> {
    let parent = out.get(..out.len().saturating_sub(1)).and_then(|p| p.rfind_byte(b'/'));
    parent.map(|at| out.truncate(at + 1)).ok_or(BadPath::Invalid)
}

fn decode_unreserved(path: &[u8]) -> Result<Vec<u8>, BadPath> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&c, tail)) = rest.split_first() {
        match hex(tail).filter(|_| c == b'%') {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None if c == b'%' => return Err(BadPath::Invalid),
            _ => {
                out.push(c);
                rest = tail;
            }
        }
    }
    Ok(out)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let (high, low) = (digit(*digits.first()?)?, digit(*digits.get(1)?)?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(path: &str, expected: Result<&str, BadPath>) {
        assert_eq!(decode(path.as_bytes(), Slashes::Refuse, true), expected.map(BString::from), "{path}");
    }

    #[test]
    fn dots_and_slashes() {
        check("/a//b", Ok("/a/b"));
        check("/a/./b", Ok("/a/b"));
        check("/a/../b", Ok("/b"));
        check("/a/..", Ok("/"));
        check("/a/.", Ok("/a/"));
        check("/a//../b", Ok("/b"));
        check("/...", Ok("/..."));
        check("/.a", Ok("/.a"));
        check("/a/../..", Err(BadPath::Invalid));
        check("/a/b/../../../c", Err(BadPath::Invalid));
        assert_eq!(decode(b"/a//../b", Slashes::Refuse, false), Ok("/a/b".into()));
    }

    #[test]
    fn escapes() {
        check("/%2e%2e/b", Err(BadPath::Invalid));
        check("/a%2e%2e/b", Ok("/a../b"));
        check("/a/%2e/b", Ok("/a/b"));
        check("/a%41%7e", Ok("/aA~"));
        check("/a%252fb", Ok("/a%2fb"));
        check("/a%3fb", Ok("/a?b"));
        check("/a%00b", Err(BadPath::Nul));
        for path in ["/a%", "/a%2", "/a%zz"] {
            check(path, Err(BadPath::Invalid));
        }
    }

    #[track_caller]
    fn slashes(path: &str, on: &str, keep: &str) {
        check(path, Err(BadPath::Slash));
        assert_eq!(decode(path.as_bytes(), Slashes::Decode, true), Ok(on.into()));
        assert_eq!(decode(path.as_bytes(), Slashes::Keep, true), Ok(keep.into()));
    }

    #[test]
    fn encoded_slashes() {
        slashes("/a%2Fb", "/a/b", "/a%2Fb");
        slashes("/a%2f..%2fb", "/b", "/a%2f..%2fb");
        slashes("/a/..%2fb", "/b", "/a/..%2fb");
    }

    proptest! {
        #[test]
        fn never_leaves_the_root(path in "/[a./%2ef]{0,20}", merge: bool) {
            if let Ok(path) = decode(path.as_bytes(), Slashes::Decode, merge) {
                prop_assert!(path.starts_with(b"/"));
                prop_assert!(!path.split(|&c| c == b'/').any(|s| s == b".." || s == b"."));
            }
        }
    }
}

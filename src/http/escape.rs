//! The escapings Apache applies to URLs, HTML and log lines.

use bstr::BString;
use std::borrow::Cow;

/// `& < > "` as entities (`ap_escape_html`); other bytes, non-ASCII ones too, stay.
pub fn html(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|c| matches!(c, b'&' | b'<' | b'>' | b'"')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    for &c in text {
        match c {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A path made fit for a URL (`ap_escape_uri`): everything that may not stand in a path becomes `%xx`,
/// in lower-case hexadecimal.
pub fn uri(path: &[u8]) -> BString {
    percent(path, b"$-_.+!*'(),:;@&=/~")
}

/// Like [`uri`], but a `:` before the first `/` gets `./` in front, so that it cannot be
/// read as a scheme (`ap_os_escape_path` with `partial` 0).
pub fn os_path(path: &[u8]) -> BString {
    let escaped = uri(path);
    let colon = path.iter().position(|&c| c == b':');
    let slash = path.iter().position(|&c| c == b'/');
    match colon {
        Some(colon) if slash.is_none_or(|slash| colon < slash) => [b"./", escaped.as_slice()].concat().into(),
        _ => escaped,
    }
}

/// One path segment (`ap_escape_path_segment`): as [`uri`], and `/` is escaped too.
pub fn path_segment(segment: &[u8]) -> BString {
    percent(segment, b"$-_.+!*'(),:;@&=~")
}

/// A backslash before what a shell would act on (`ap_escape_shell_cmd`).
pub fn shell_cmd(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if b"&;`'\"|*?~<>^()[]{}$\\\n".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// `application/x-www-form-urlencoded` (`ap_escape_urlencoded`): a space becomes `+`.
pub fn urlencoded(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &c in text {
        match c {
            b' ' => out.push(b'+'),
            _ if c.is_ascii_alphanumeric() || b".-*_".contains(&c) => out.push(c),
            _ => push_hex(&mut out, b"%", c),
        }
    }
    out.into()
}

/// Undoes [`urlencoded`]; `None` for a `%` without two hexadecimal digits, and for `%00` and `%2f`.
pub fn unescape_urlencoded(text: &[u8]) -> Option<BString> {
    let spaces: Vec<u8> = text.iter().map(|&c| if c == b'+' { b' ' } else { c }).collect();
    super::path::unescape(&spaces, super::path::Slashes::Refuse).ok()
}

/// A value in an access log (`ap_escape_logitem`): quotes, backslashes and bytes that do not print.
pub fn log_item(text: &[u8]) -> Cow<'_, [u8]> {
    log(text, true)
}

/// A value in the error log (`ap_escape_errorlog_item`): as [`log_item`], but quotes stay.
pub fn error_log(text: &[u8]) -> Cow<'_, [u8]> {
    log(text, false)
}

/// A backslash before every `"` that has none (`ap_escape_quotes`).
pub fn quotes(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'"') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut bytes = text.iter().copied();
    while let Some(c) = bytes.next() {
        match c {
            b'\\' => {
                out.push(c);
                out.extend(bytes.next());
            }
            b'"' => out.extend_from_slice(b"\\\""),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn percent(text: &[u8], plain: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &c in text {
        if c.is_ascii_alphanumeric() || plain.contains(&c) {
            out.push(c);
        } else {
            push_hex(&mut out, b"%", c);
        }
    }
    out.into()
}

fn log(text: &[u8], with_quotes: bool) -> Cow<'_, [u8]> {
    let plain = |c: u8| (0x20..0x7f).contains(&c) && c != b'\\' && (c != b'"' || !with_quotes);
    if text.iter().all(|&c| plain(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    for &c in text {
        match c {
            _ if plain(c) => out.push(c),
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\x0b' => out.extend_from_slice(b"\\v"),
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', c]),
            _ => push_hex(&mut out, b"\\x", c),
        }
    }
    Cow::Owned(out)
}

fn push_hex(out: &mut Vec<u8>, prefix: &[u8], c: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(prefix);
    out.extend_from_slice(&[DIGITS[usize::from(c >> 4)], DIGITS[usize::from(c & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(actual: impl AsRef<[u8]>, expected: &str) {
        assert_eq!(bstr::BStr::new(actual.as_ref()), expected);
    }

    #[test]
    fn html_entities() {
        check(html(b"a&<b>\"'"), "a&amp;&lt;b&gt;&quot;'");
        check(html(b"plain"), "plain");
    }

    #[test]
    fn uri_escapes() {
        check(uri(b"/a b%\"\xe9~;"), "/a%20b%25%22%e9~;");
        check(os_path(b"a:b/c"), "./a:b/c");
        check(os_path(b"/a:b"), "/a:b");
        check(path_segment(b"a/b"), "a%2fb");
        check(urlencoded(b"a b&c~*"), "a+b%26c%7e*");
    }

    #[test]
    fn log_escapes() {
        check(log_item(b"a\"\\\n\x01\xe9"), "a\\\"\\\\\\n\\x01\\xe9");
        check(error_log(b"<&\"\xe9'>"), "<&\"\\xe9'>");
        check(quotes(b"a\"b\\\"c"), "a\\\"b\\\"c");
    }
}

//! What a client says it takes: Accept and its kin, and Negotiate (RFC 2295).
//!
//! Fields are read as leniently as Apache reads them: what is no quality counts as 1.

use crate::http::Headers;
use bstr::{BString, ByteSlice};

/// An item of a field, or a variant's media type.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Name, in lower case.
    pub name: BString,
    /// `q`, or a variant's `qs`.
    pub quality: f32,
    /// `level`.
    pub level: f32,
    /// `charset`, in lower case.
    pub charset: BString,
}

/// What a client takes; `None` for a field that it did not send.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    /// Accept.
    pub types: Option<Vec<Item>>,
    /// Whether any of the types has a quality below 1.
    pub has_quality: bool,
    /// Accept-Language.
    pub languages: Option<Vec<Item>>,
    /// Accept-Charset.
    pub charsets: Option<Vec<Item>>,
    /// Accept-Encoding.
    pub encodings: Option<Vec<Item>>,
    /// What Negotiate says.
    pub wishes: Wishes,
}

/// What a client that can choose by itself wishes (RFC 2295 section 8.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// It can choose from a list.
    pub transparent: bool,
    /// The server may choose by RVSA/1.0 (RFC 2296).
    pub by_rvsa: bool,
    /// The server may choose as it likes.
    pub by_any: bool,
}

impl Accept {
    /// Reads the fields of a request.
    pub fn of(headers: &Headers) -> Accept {
        let read = |name: &str| {
            let values: Vec<&[u8]> = headers.get_all(name).map(|value| value.as_bytes()).collect();
            (!values.is_empty()).then(|| items(&values.join(&b", "[..])))
        };
        let types = read("Accept").filter(|types| !types.is_empty());
        Accept {
            has_quality: types.iter().flatten().any(|item| item.quality < 1.0),
            types,
            languages: read("Accept-Language"),
            charsets: read("Accept-Charset"),
            encodings: read("Accept-Encoding"),
            wishes: headers.get("Negotiate").map(|value| wishes(value)).unwrap_or_default(),
        }
    }
}

fn wishes(value: &[u8]) -> Wishes {
    let mut found = Wishes::default();
    for word in value.split_str(",").map(<[u8]>::trim) {
        let word = word.to_ascii_lowercase();
        match word.as_slice() {
            b"trans" | b"vlist" | b"guess-small" => found.transparent = true,
            b"1.0" => (found.transparent, found.by_rvsa) = (true, true),
            b"*" => (found.transparent, found.by_any) = (true, true),
            [b'0'..=b'9', ..] => found.transparent = true,
            _ => {}
        }
    }
    found
}

fn items(text: &[u8]) -> Vec<Item> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (item, after) = item(rest);
        if !item.name.is_empty() {
            found.push(item);
        }
        let after = after.strip_prefix(b",").unwrap_or(after);
        // Nothing may stop the reading.
        rest = if after.len() < rest.len() { after } else { &rest[1..] };
    }
    found
}

/// Reads one item and what comes behind it.
pub fn item(text: &[u8]) -> (Item, &[u8]) {
    let (name, mut rest) = token(text, false);
    let name: BString = name.to_ascii_lowercase().into();
    let level = if name == "text/html" { 2.0 } else { 0.0 };
    let mut item = Item { name, quality: 1.0, level, charset: BString::default() };
    while let Some(after) = rest.strip_prefix(b";") {
        let (parameter, next) = token(after, true);
        rest = next;
        let Some(equals) = parameter.find_byte(b'=') else { continue };
        let name = parameter[..equals].trim().to_ascii_lowercase();
        let value = parameter[equals + 1..].trim_start_with(|c| c == '=' || c.is_whitespace());
        let value = match value.strip_prefix(b"\"") {
            Some(quoted) => quoted.split(|byte| b"\"\r\n".contains(byte)).next().unwrap_or_default(),
            None => value.split(u8::is_ascii_whitespace).next().unwrap_or_default(),
        };
        match name.as_slice() {
            b"q" | b"qs" => item.quality = quality(value),
            b"level" => item.level = f32::from(crate::modules::apr::leading_number(value)),
            b"charset" => item.charset = value.to_ascii_lowercase().into(),
            _ => {}
        }
    }
    (item, rest)
}

/// Up to a comma or semicolon, or a blank unless those belong to it (ap_get_token). Quotes hide them.
fn token(text: &[u8], blanks: bool) -> (&[u8], &[u8]) {
    let text = text.trim_start();
    let (mut end, mut quoted) = (text.len(), false);
    for (at, &byte) in text.iter().enumerate() {
        let ends = matches!(byte, b',' | b';') || (byte.is_ascii_whitespace() && !blanks);
        if ends && !quoted {
            end = at;
            break;
        }
        quoted ^= byte == b'"';
    }
    (&text[..end], text[end..].trim_start())
}

/// A number from 0 to 1 with at most three digits; everything else is 1.
fn quality(text: &[u8]) -> f32 {
    let text = text.trim_start();
    let fraction = match text {
        [] => return 1.0,
        [b'.', fraction @ ..] | [b'0', b'.', fraction @ ..] => fraction,
        [b'0', ..] => return 0.0,
        _ => return 1.0,
    };
    let digits = fraction.iter().take(3).take_while(|byte| byte.is_ascii_digit());
    let thousandths = digits.zip([100u16, 10, 1]).map(|(digit, unit)| u16::from(digit - b'0') * unit);
    f32::from(thousandths.sum::<u16>()) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, f32)]) {
        let found = items(text.as_bytes());
        let found: Vec<(String, f32)> =
            found.iter().map(|item| (item.name.to_string(), item.quality)).collect();
        let found: Vec<(&str, f32)> = found.iter().map(|(name, quality)| (name.as_str(), *quality)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn items_and_their_qualities() {
        check(
            "Text/HTML, image/*;q=0.5,*/*; q = 0.01",
            &[("text/html", 1.0), ("image/*", 0.5), ("*/*", 0.01)],
        );
        check(
            "a;q=.25, b;q=1.5, c;q=x, d;q=0, e;q=0.1239, f;q=\"0.2\"",
            &[("a", 0.25), ("b", 1.0), ("c", 1.0), ("d", 0.0), ("e", 0.123), ("f", 0.2)],
        );
        check("", &[]);
        check(" , ,,a", &[("a", 1.0)]);
        check("a b;q=0.5", &[("a", 1.0), ("b", 0.5)]);
    }

    #[test]
    fn parameters_of_types() {
        let (item, rest) = item(b"text/html;level=3; charset=\"UTF-8\";x;qs=0.7, next");
        assert_eq!((item.level, item.charset, item.quality), (3.0, "utf-8".into(), 0.7));
        assert_eq!(rest, b", next");
    }

    /// Whatever a client sends is read in one go.
    #[test]
    fn hostile_fields() {
        for text in ["\"", ";", ";;;=", "a;q=\"", "\0;\0=\0,\0", "a;q=99999999999999999999", "\u{b}"] {
            items(text.as_bytes());
        }
        for piece in ["a;q=0.5,", ";", ",", "\"", " ", "a;"] {
            let many = piece.repeat(100_000);
            assert!(items(many.as_bytes()).len() <= 100_000);
        }
    }
}

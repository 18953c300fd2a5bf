//! What `encoding` and `decoding` of echo and set do to a value.

use crate::{http::escape, policy::expr::functions};
use bstr::{BString, ByteSlice};

/// A way of encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As in a URL's path.
    Url,
    /// As in a query.
    UrlEncoded,
    /// HTML's entities.
    Entity,
    /// Base64.
    Base64,
}

/// Reads a list of codings, separated by commas or blanks.
///
/// # Errors
/// The first that is unknown.
pub fn list(text: &[u8]) -> Result<Vec<Option<Coding>>, BString> {
    let words = text.split(|byte| b", \t".contains(byte)).filter(|word| !word.is_empty());
    words.map(|word| named(word).ok_or_else(|| word.into())).collect()
}

fn named(word: &[u8]) -> Option<Option<Coding>> {
    Some(match word.to_ascii_lowercase().as_slice() {
        b"none" => None,
        b"url" => Some(Coding::Url),
        b"urlencoded" => Some(Coding::UrlEncoded),
        b"entity" => Some(Coding::Entity),
        b"base64" => Some(Coding::Base64),
        _ => return None,
    })
}

impl Coding {
    /// Encodes a value.
    pub fn encode(self, value: &[u8]) -> BString {
        match self {
            Coding::Url => escape::uri(value),
            Coding::UrlEncoded => escape::urlencoded(value),
            Coding::Entity => escape::html(value).into_owned().into(),
            Coding::Base64 => functions::base64(value),
        }
    }

    /// Takes the encoding off a value.
    pub fn decode(self, value: &[u8]) -> BString {
        match self {
            Coding::Url => percent_encoding::percent_decode(value).collect::<Vec<u8>>().into(),
            Coding::UrlEncoded => {
                let blanks: Vec<u8> = value.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
                percent_encoding::percent_decode(&blanks).collect::<Vec<u8>>().into()
            }
            Coding::Entity => entities(value),
            Coding::Base64 => functions::unbase64(value),
        }
    }
}

/// Takes entities off: numbers and names of Latin-1. What is none stays.
pub fn entities(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find_byte(b'&') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find_byte(b';').unwrap_or(rest.len());
        match rest[..end].get(1..).filter(|_| end < rest.len()).and_then(entity) {
            Some(byte) => {
                out.extend(byte);
                rest = &rest[end + 1..];
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out.into()
}

/// What an entity stands for; nothing at all for the number of a control character.
fn entity(name: &[u8]) -> Option<Option<u8>> {
    if let Some(digits) = name.strip_prefix(b"#") {
        let number: u32 = digits.to_str().ok()?.parse().ok()?;
        let printable = matches!(number, 9 | 10 | 32..=126 | 161..=255);
        return Some(u8::try_from(number).ok().filter(|_| printable));
    }
    let (_, byte) = NAMES.iter().find(|(known, _)| known.as_bytes() == name)?;
    Some(Some(*byte))
}

/// The names of HTML 2.0, section 9.7 (RFC 1866).
const NAMES: &[(&str, u8)] = &[
    ("lt", b'<'),
    ("gt", b'>'),
    ("amp", b'&'),
    ("quot", b'"'),
    ("Agrave", 192),
    ("Aacute", 193),
    ("Acirc", 194),
    ("Atilde", 195),
    ("Auml", 196),
    ("Aring", 197),
    ("AElig", 198),
    ("Ccedil", 199),
    ("Egrave", 200),
    ("Eacute", 201),
    ("Ecirc", 202),
    ("Euml", 203),
    ("Igrave", 204),
    ("Iacute", 205),
    ("Icirc", 206),
    ("Iuml", 207),
    ("ETH", 208),
    ("Ntilde", 209),
    ("Ograve", 210),
    ("Oacute", 211),
    ("Ocirc", 212),
    ("Otilde", 213),
    ("Ouml", 214),
    ("Oslash", 216),
    ("Ugrave", 217),
    ("Uacute", 218),
    ("Ucirc", 219),
    ("Uuml", 220),
    ("Yacute", 221),
    ("THORN", 222),
    ("szlig", 223),
    ("agrave", 224),
    ("aacute", 225),
    ("acirc", 226),
    ("atilde", 227),
    ("auml", 228),
    ("aring", 229),
    ("aelig", 230),
    ("ccedil", 231),
    ("egrave", 232),
    ("eacute", 233),
    ("ecirc", 234),
    ("euml", 235),
    ("igrave", 236),
    ("iacute", 237),
    ("icirc", 238),
    ("iuml", 239),
    ("eth", 240),
    ("ntilde", 241),
    ("ograve", 242),
    ("oacute", 243),
    ("ocirc", 244),
    ("otilde", 245),
    ("ouml", 246),
    ("oslash", 248),
    ("ugrave", 249),
    ("uacute", 250),
    ("ucirc", 251),
    ("uuml", 252),
    ("yacute", 253),
    ("thorn", 254),
    ("yuml", 255),
];

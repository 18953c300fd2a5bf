//! The string functions of expressions: their names, and those that need no request.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use bstr::BString;
use md5::{Digest, Md5};
use sha1::Sha1;

/// A function that takes a string and yields one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Apache's; see the table of expr.html")]
pub enum Function {
    /// `req`, `http`: a request header, which joins `Vary`.
    Req,
    ReqNovary,
    Resp,
    Reqenv,
    Osenv,
    Note,
    Env,
    Tolower,
    Toupper,
    Escape,
    Unescape,
    Base64,
    Unbase64,
    Md5,
    Sha1,
    File,
    Filesize,
    Ldap,
    /// mod_ssl's `SSL`: a variable by name.
    Ssl,
}

const TABLE: &[(&str, Function)] = &[
    ("osenv", Function::Osenv),
    ("env", Function::Env),
    ("resp", Function::Resp),
    ("req", Function::Req),
    ("http", Function::Req),
    ("note", Function::Note),
    ("reqenv", Function::Reqenv),
    ("req_novary", Function::ReqNovary),
    ("tolower", Function::Tolower),
    ("toupper", Function::Toupper),
    ("escape", Function::Escape),
    ("unescape", Function::Unescape),
    ("file", Function::File),
    ("filesize", Function::Filesize),
    ("base64", Function::Base64),
    ("unbase64", Function::Unbase64),
    ("sha1", Function::Sha1),
    ("md5", Function::Md5),
    ("ldap", Function::Ldap),
];

impl Function {
    /// The function of this name, case-free; mod_ssl's only when that module is there.
    pub fn named(name: &[u8], ssl: bool) -> Option<Function> {
        if ssl && name.eq_ignore_ascii_case(b"SSL") {
            return Some(Function::Ssl);
        }
        let row = TABLE.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(row.1)
    }

    /// All names of the core, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(name, _)| *name)
    }

    /// Whether `.htaccess` and mod_include may not use it.
    pub fn is_restricted(self) -> bool {
        matches!(self, Function::File | Function::Filesize)
    }
}

/// Lower-case hexadecimal digest.
pub fn md5(arg: &[u8]) -> BString {
    hex(&Md5::digest(arg))
}

/// Lower-case hexadecimal digest.
pub fn sha1(arg: &[u8]) -> BString {
    hex(&Sha1::digest(arg))
}

/// Standard alphabet, padded.
pub fn base64(arg: &[u8]) -> BString {
    STANDARD.encode(arg).into()
}

/// Decodes up to the first byte outside the alphabet, cut at the first NUL; a lone last digit is
/// dropped.
pub fn unbase64(arg: &[u8]) -> BString {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let digits = arg.iter().take_while(|b| is_digit(b)).count();
    let digits = if digits % 4 == 1 { digits - 1 } else { digits };
    let decoded = LENIENT.decode(arg.get(..digits).unwrap_or_default()).unwrap_or_default();
    cut_at_nul(decoded)
}

/// What follows a NUL is invisible to a C program.
pub fn cut_at_nul(mut bytes: Vec<u8>) -> BString {
    if let Some(end) = bytes.iter().position(|&b| b == 0) {
        bytes.truncate(end);
    }
    bytes.into()
}

/// Percent-encodes what may not stand in a path, digits in lower case (ap_os_escape_path).
pub fn escape(arg: &[u8]) -> BString {
    let mut out = Vec::with_capacity(arg.len());
    for &b in arg {
        if b.is_ascii_alphanumeric() || b"!$&'()*+,-./:;=@_~".contains(&b) {
            out.push(b);
        } else {
            out.extend(format!("%{b:02x}").bytes());
        }
    }
    out.into()
}

/// Decodes `%hex`, except an encoded slash. `None` for a bad escape or an encoded NUL.
pub fn unescape(arg: &[u8]) -> Result<BString, BadEscape> {
    let mut out = Vec::with_capacity(arg.len());
    let (mut rest, mut bad) = (arg, None);
    while let [b, tail @ ..] = rest {
        rest = tail;
        if *b != b'%' {
            out.push(*b);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|&d| char::from(d).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) => {
                let byte = u8::try_from(high << 4 | low).unwrap_or(0);
                match byte {
                    0 => bad = bad.or(Some(BadEscape::Forbidden)),
                    b'/' => out.extend([b'%', tail[0], tail[1]]),
                    _ => out.push(byte),
                }
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bad = Some(BadEscape::Bad),
        }
    }
    bad.map_or(Ok(out.into()), Err)
}

/// Why `unescape` yields nothing; Apache logs it (AH00538).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEscape {
    /// Not two hexadecimal digits.
    Bad,
    /// `%00`.
    Forbidden,
}

/// Escapes for LDAP filters and names: backslash and two digits.
pub fn ldap(arg: &[u8]) -> BString {
    let mut out = Vec::with_capacity(arg.len());
    for &b in arg {
        if !(0x20..0x7f).contains(&b) || b"\"()*+,;<>\\".contains(&b) {
            out.extend(format!("\\{b:02x}").bytes());
        } else {
            out.push(b);
        }
    }
    out.into()
}

fn hex(bytes: &[u8]) -> BString {
    bytes.iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect::<Vec<u8>>().into()
}

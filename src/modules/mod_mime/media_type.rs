//! A media type taken apart, so that a charset can be put into it.

use bstr::{BString, ByteSlice};

/// Why a text is no media type: Apache's number and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `AH…`.
    pub number: &'static str,
    /// The words; a `'%s'` at the end of Apache's stands for the text.
    pub words: &'static str,
    /// Whether the text follows in quotes.
    pub names_text: bool,
}

const NO_PARAMETER: &str = "Cannot get media parameter.";

const fn parameter(number: &'static str) -> Fault {
    Fault { number, words: NO_PARAMETER, names_text: false }
}

const fn no_type(number: &'static str) -> Fault {
    Fault { number, words: "Cannot get media type from", names_text: true }
}

/// The type with its parameters; `charset`, if given, replaces the one in it or is added.
///
/// # Errors
/// The text is no media type; Apache then sends it as it is, and without the charset.
pub fn with_charset(text: &[u8], charset: Option<&[u8]>) -> Result<BString, Fault> {
    let (kind, subtype, rest) = base(text)?;
    let mut out = BString::from([kind, b"/", subtype].concat());
    let mut placed = false;
    for (attribute, value) in parameters(rest)? {
        let (name, value) = match charset {
            Some(_) if attribute == b"charset" && placed => continue,
            Some(charset) if attribute == b"charset" => {
                placed = true;
                (&b"charset"[..], charset)
            }
            _ => (attribute, value),
        };
        out.extend_from_slice(&[b"; ", name, b"=", value].concat());
    }
    if let Some(charset) = charset.filter(|_| !placed) {
        out.extend_from_slice(&[b"; charset=", charset].concat());
    }
    Ok(out)
}

type Base<'t> = (&'t [u8], &'t [u8], Option<&'t [u8]>);

/// Type, subtype, and what follows the first `;`.
fn base(text: &[u8]) -> Result<Base<'_>, Fault> {
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return Err(no_type("AH01598"));
    }
    let end = |text: &[u8], stop: &[u8]| {
        let found = text.iter().skip(1).position(|c| c.is_ascii_whitespace() || stop.contains(c));
        found.map_or(text.len(), |at| at + 1)
    };
    let (kind, rest) = text.split_at(end(text, b"/;"));
    if rest.first().is_none_or(|&c| c == b';') {
        return Err(no_type("AH01599"));
    }
    let rest = rest.trim_ascii_start().strip_prefix(b"/").ok_or(no_type("AH01600"))?.trim_ascii_start();
    if rest.is_empty() {
        return Err(Fault { number: "AH01601", words: "Cannot get media subtype.", names_text: false });
    }
    let (subtype, rest) = rest.split_at(end(rest, b";"));
    let rest = rest.trim_ascii_start();
    Ok((kind, subtype, rest.split_first().map(|(_, parameters)| parameters)))
}

type Parameters<'t> = Vec<(&'t [u8], &'t [u8])>;

fn parameters(rest: Option<&[u8]>) -> Result<Parameters<'_>, Fault> {
    let mut found = Vec::new();
    let Some(rest) = rest else { return Ok(found) };
    let mut rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return Err(parameter("AH01602"));
    }
    while !rest.is_empty() {
        let equals = rest.iter().position(|&c| !is_token(c) && !c.is_ascii_whitespace());
        let Some(equals) = equals else { break };
        let (attribute, value) = rest.split_at(equals);
        let value = value.strip_prefix(b"=").ok_or(parameter("AH01605"))?.trim_ascii_start();
        let attribute = attribute.trim_ascii();
        if attribute.is_empty() {
            return Err(parameter("AH01603"));
        }
        let length = match value.first() {
            None => return Err(parameter("AH01604")),
            Some(b'"') => quoted_length(value)?,
            Some(_) => value.iter().take_while(|&&c| is_token(c)).count(),
        };
        let (value, more) = value.split_at(length);
        let more = if value.starts_with(b"\"") { more.trim_ascii_start() } else { more };
        if value.is_empty() {
            return Err(parameter("AH01609"));
        }
        found.push((attribute, value));
        rest = match more.split_first() {
            None => more,
            Some((b';', more)) => more,
            Some(_) if value.starts_with(b"\"") => return Err(parameter("AH01606")),
            Some(_) => return Err(parameter("AH01608")),
        };
    }
    Ok(found)
}

/// Length of a quoted string, quotes included; a missing one at the end is forgiven.
fn quoted_length(text: &[u8]) -> Result<usize, Fault> {
    let mut at = 1;
    while let Some(&c) = text.get(at) {
        at += match c {
            b'"' => return Ok(at + 1),
            b'\\' if text.get(at + 1).is_some_and(u8::is_ascii) => 2,
            b'\\' | b'\r' => return Err(parameter("AH01607")),
            c if c.is_ascii() => 1,
            _ => return Err(parameter("AH01607")),
        };
    }
    Ok(text.len())
}

fn is_token(c: u8) -> bool {
    c.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains_str([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, charset: Option<&str>, expected: Result<&str, &str>) {
        let made = with_charset(text.as_bytes(), charset.map(str::as_bytes));
        assert_eq!(made.map_err(|fault| fault.number), expected.map(BString::from), "{text}");
    }

    #[test]
    fn charsets_replace_or_are_added() {
        check("text/html", Some("utf-8"), Ok("text/html; charset=utf-8"));
        check("text/x-par; charset=foo; q=\"a b\"", None, Ok("text/x-par; charset=foo; q=\"a b\""));
        check(
            "text/x-par; charset=foo; q=\"a b\"",
            Some("utf-8"),
            Ok("text/x-par; charset=utf-8; q=\"a b\""),
        );
    }

    #[test]
    fn what_is_no_type_is_left() {
        check("badtype", Some("utf-8"), Err("AH01599"));
        check("bad/", None, Err("AH01601"));
        check("text/x;", None, Err("AH01602"));
    }
}

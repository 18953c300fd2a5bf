//! The test of `<IfVersion>`.

use std::{cmp::Ordering, fmt};

use bstr::ByteSlice;
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::tag,
    character::complete::{char, digit0, digit1},
    combinator::{all_consuming, eof, opt, value},
    sequence::{preceded, terminated},
};

use super::structure::log_text;

/// The version of Apache whose behaviour is reproduced.
pub const VERSION: (u32, u32, u32) = (2, 4, 71);

/// Why a test is refused; displays as Apache's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Error {
    MissingBracket,
    BadVersion,
    BadOperator(String),
    BadRegex,
    MissingSlash,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::MissingBracket => f.write_str("<IfVersion> directive missing closing '>'"),
            Error::BadVersion => f.write_str(
                "Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
            ),
            Error::BadOperator(operator) => write!(f, "unrecognized operator '{operator}'"),
            Error::BadRegex => f.write_str("Unable to compile regular expression"),
            Error::MissingSlash => f.write_str("Missing delimiting / of regular expression."),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Above,
    AtLeast,
    Below,
    AtMost,
    Regex,
}

/// Whether a test holds, given its one, two or three words; the `>` of the tag ends the last of them
/// or stands alone. Without an operator the version must be equal, and `!` is not understood.
pub(super) fn holds(words: &[&[u8]]) -> Result<bool, Error> {
    let words = match words {
        [words @ .., b">"] if !words.is_empty() => words.to_vec(),
        [words @ .., last] => {
            let last = last.strip_suffix(b">").ok_or(Error::MissingBracket)?;
            [words, &[last]].concat()
        }
        [] => return Err(Error::MissingBracket),
    };
    match words.as_slice() {
        [version] if version.starts_with(b"/") => regex_in_slashes(version),
        [version] => Ok(compare(version)? == Ordering::Equal),
        [word, version] => {
            let (negated, bare) = match word {
                [b'!', rest @ ..] => (true, rest),
                _ => (false, *word),
            };
            let operator = operator(bare).map_err(|_| Error::BadOperator(log_text(word)))?;
            Ok(test(operator, version)? != negated)
        }
        _ => Err(Error::MissingBracket),
    }
}

fn test(operator: Operator, version: &[u8]) -> Result<bool, Error> {
    match operator {
        Operator::Equal if version.starts_with(b"/") => regex_in_slashes(version),
        Operator::Regex => regex(version),
        Operator::Equal => Ok(compare(version)? == Ordering::Equal),
        Operator::Above => Ok(compare(version)? == Ordering::Greater),
        Operator::AtLeast => Ok(compare(version)? != Ordering::Less),
        Operator::Below => Ok(compare(version)? == Ordering::Less),
        Operator::AtMost => Ok(compare(version)? != Ordering::Greater),
    }
}

fn operator(word: &[u8]) -> Result<Operator, Error> {
    let mut operator = all_consuming(alt((
        value(Operator::Equal, preceded(tag(&b"="[..]), opt(tag(&b"="[..])))),
        value(Operator::AtLeast, tag(&b">="[..])),
        value(Operator::Above, tag(&b">"[..])),
        value(Operator::AtMost, tag(&b"<="[..])),
        value(Operator::Below, tag(&b"<"[..])),
        value(Operator::Regex, tag(&b"~"[..])),
    )));
    let parsed: IResult<&[u8], Operator> = operator.parse(word);
    parsed.map(|(_, operator)| operator).map_err(|_| Error::BadOperator(log_text(word)))
}

/// How our version compares to the one given.
fn compare(version: &[u8]) -> Result<Ordering, Error> {
    let (_, given) = numbers(version).map_err(|_| Error::BadVersion)?;
    Ok(VERSION.cmp(&given))
}

/// `major[.minor[.patch]]`; a dot may end any of them.
fn numbers(input: &[u8]) -> IResult<&[u8], (u32, u32, u32)> {
    let part = || opt(preceded(char('.'), digit0));
    let all = (digit1, part(), part());
    let (rest, (major, minor, patch)) = terminated(all, (opt(char('.')), eof)).parse(input)?;
    Ok((rest, (number(major), number(minor.unwrap_or_default()), number(patch.unwrap_or_default()))))
}

fn number(digits: &[u8]) -> u32 {
    let digits = digits.to_str().unwrap_or_default().trim_start_matches('0');
    if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u32::MAX) }
}

fn regex_in_slashes(pattern: &[u8]) -> Result<bool, Error> {
    let inside = pattern.strip_prefix(b"/").unwrap_or(pattern);
    regex(inside.strip_suffix(b"/").ok_or(Error::MissingSlash)?)
}

fn regex(pattern: &[u8]) -> Result<bool, Error> {
    let pattern = pattern.to_str().map_err(|_| Error::BadRegex)?;
    let regex = pcre2::bytes::Regex::new(pattern).map_err(|_| Error::BadRegex)?;
    let (major, minor, patch) = VERSION;
    regex.is_match(format!("{major}.{minor}.{patch}").as_bytes()).map_err(|_| Error::BadRegex)
}

//! Arguments, cut as Apache's `ap_getword_conf` cuts them.
//!
//! White space parts words; either quote holds a word together until the same quote or the end of
//! the line; inside, a backslash takes the quote or another backslash literally. A quoted word ends
//! at its quote, so `"/a""/tmp"` is two words.

use bstr::BString;
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    combinator::{opt, recognize, value, verify},
    multi::many0_count,
    number::complete::u8 as byte,
    sequence::{pair, preceded},
};

use super::{Node, Text};
use crate::diag::Span;

/// White space as C's `isspace` has it.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word without its quotes, escapes resolved.
    pub text: BString,
    /// Where it stands, quotes included.
    pub span: Span,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Whether it was quoted and the closing quote is missing; Apache accepts that in silence.
    pub unterminated: bool,
}

/// A word as found in a line, before anything is known about places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawWord<'a> {
    /// The bytes between the quotes, or all of them; escapes not resolved.
    pub raw: &'a [u8],
    /// The quote it stood in.
    pub quote: Option<u8>,
    /// Whether the closing quote is there.
    pub closed: bool,
}

impl RawWord<'_> {
    /// The word with `\\` and the escaped quote resolved.
    pub fn text(&self) -> BString {
        if !self.raw.contains(&b'\\') {
            return self.raw.into();
        }
        let mut text = Vec::with_capacity(self.raw.len());
        let mut bytes = self.raw.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let escaped = bytes.next_if(|&next| byte == b'\\' && (next == b'\\' || Some(next) == self.quote));
            text.push(escaped.unwrap_or(byte));
        }
        text.into()
    }
}

/// Takes the next word off a line. Gives the word and the rest, its leading white space removed;
/// nothing when only white space is left.
pub fn getword(line: &[u8]) -> Option<(RawWord<'_>, &[u8])> {
    let (rest, word) = preceded(take_while(is_space), alt((quoted, bare))).parse(line).ok()?;
    Some((word, line_start(rest)))
}

fn line_start(line: &[u8]) -> &[u8] {
    let blank = line.iter().take_while(|b| is_space(**b)).count();
    line.get(blank..).unwrap_or_default()
}

fn bare(input: &[u8]) -> IResult<&[u8], RawWord<'_>> {
    let word = take_while1(|b| !is_space(b));
    word.map(|raw| RawWord { raw, quote: None, closed: true }).parse(input)
}

fn quoted(input: &[u8]) -> IResult<&[u8], RawWord<'_>> {
    let (input, quote) = verify(byte, |b| matches!(b, b'"' | b'\'')).parse(input)?;
    let escape = value((), pair(tag(&b"\\"[..]), verify(byte, move |&b| b == quote || b == b'\\')));
    let plain = value((), verify(byte, move |&b| b != quote));
    let (input, raw) = recognize(many0_count(alt((escape, plain)))).parse(input)?;
    let (input, end) = opt(verify(byte, move |&b| b == quote)).parse(input)?;
    Ok((input, RawWord { raw, quote: Some(quote), closed: end.is_some() }))
}

/// A cursor over the arguments of a directive, which are cut one at a time because their shape is
/// known only after the directive is.
#[derive(Clone, Debug)]
pub struct Words<'t> {
    text: &'t Text,
    at: usize,
}

impl<'t> Words<'t> {
    /// The arguments of a node.
    pub fn new(node: &'t Node) -> Self {
        Words::of(&node.text)
    }

    /// The words of any text.
    pub fn of(text: &'t Text) -> Self {
        Words { text, at: 0 }
    }

    /// The bytes not cut yet, without leading white space: what a raw-args directive gets.
    pub fn rest(&self) -> &'t [u8] {
        line_start(self.text.bytes().get(self.at..).unwrap_or_default())
    }

    /// Where [`Words::rest`] stands.
    pub fn rest_span(&self) -> Span {
        let end = self.text.len();
        self.text.span(end - self.rest().len()..end)
    }

    /// Whether no word is left.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let line = self.rest();
        let start = self.text.len() - line.len();
        let (raw, rest) = getword(line)?;
        let length = raw.raw.len() + raw.quote.map_or(0, |_| 1 + usize::from(raw.closed));
        self.at = self.text.len() - rest.len();
        Some(Word {
            text: raw.text(),
            span: self.text.span(start..start + length),
            quoted: raw.quote.is_some(),
            unterminated: !raw.closed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let mut text = Text::new(FileId(0));
        text.push_copy(line.as_bytes(), 0);
        let words: Vec<BString> = Words::of(&text).map(|word| word.text).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn white_space_parts_words() {
        check("  a\tb\x0bc ", &["a", "b", "c"]);
        check("   ", &[]);
    }

    #[test]
    fn both_quotes_hold_words_together() {
        check(r#""a b" 'c "d'"#, &["a b", "c \"d"]);
    }

    #[test]
    fn a_quote_ends_its_word() {
        check(r#""/a""/tmp""#, &["/a", "/tmp"]);
        check(r#""Timeout"5"#, &["Timeout", "5"]);
    }

    #[test]
    fn a_quote_inside_a_bare_word_is_a_byte() {
        check(r#"a"b c""#, &["a\"b", "c\""]);
    }

    #[test]
    fn an_unterminated_quote_runs_to_the_end() {
        check(r#""a b"#, &["a b"]);
        check(r#""5\""#, &["5\""]);
    }

    #[test]
    fn a_backslash_escapes_quote_and_backslash_only() {
        check(r#"'Time\'out' "a\\b\c""#, &["Time'out", "a\\b\\c"]);
        check(r"T\\x \d", &["T\\x", "\\d"]);
    }

    #[test]
    fn empty_quotes_are_a_word() {
        check(r#""" x"#, &["", "x"]);
    }

    #[test]
    fn the_rest_is_raw() {
        let mut text = Text::new(FileId(0));
        text.push_copy(b"a  \"b\" c", 100);
        let mut words = Words::of(&text);
        words.next();
        assert_eq!(words.rest(), b"\"b\" c");
        assert_eq!(words.rest_span(), Span::new(FileId(0), 103, 108));
        assert_eq!(words.next().map(|w| w.span), Some(Span::new(FileId(0), 103, 106)));
    }
}

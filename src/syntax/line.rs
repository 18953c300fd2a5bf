//! A text cut into logical lines, losing nothing.
//!
//! The lines' spans tile the text, so that printing them gives the file back byte for byte. A
//! backslash directly before LF or CRLF joins a line to the next, in comments too. Apache holds
//! lines as C strings: what follows a NUL byte in a line is lost, a continuation included.

use std::sync::Arc;

use bstr::ByteSlice;
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take},
    combinator::{opt, rest, value},
    sequence::pair,
};

use super::{Text, text::offset, words::getword};
use crate::diag::{FileId, Span};

/// Longest line of the main configuration, continuations joined: 16 MiB.
pub const MAIN_LIMIT: usize = 16 * 1024 * 1024;
/// Longest line of an `.htaccess`, continuations joined.
pub const HTACCESS_LIMIT: usize = 8192;

/// What a line is, as far as its own bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but white space.
    Blank,
    /// `#` is the first byte after white space.
    Comment,
    /// A directive.
    Directive,
    /// The opening tag of a section.
    Open,
    /// The closing tag of a section.
    Close,
    /// Longer than the limit; Apache stops reading here.
    TooLong,
}

/// One logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// All bytes, with the end of the line and what was joined.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// The line without white space around it, continuations joined; knows its places. Variables
    /// are not expanded.
    pub text: Text,
    /// Apache's number of the line: that of the last of the lines joined.
    pub number: u32,
}

/// The logical lines of a text, one after the other.
#[derive(Clone, Debug)]
pub struct Lines {
    source: Arc<[u8]>,
    file: FileId,
    at: usize,
    number: u32,
    /// Bytes that a line may have, continuations joined; longer ones become [`Kind::TooLong`].
    limit: usize,
    /// Whether a backslash at the end joins a line to the next.
    joins: bool,
}

impl Lines {
    /// The lines of a file, `source` being its whole text.
    pub fn of_file(source: Arc<[u8]>, file: FileId, limit: usize) -> Self {
        Lines { source, file, at: 0, number: 0, limit, joins: true }
    }

    /// Lines that are given one by one, as `-c`, `-C` and macros do, and know no continuation.
    pub fn one_by_one(source: Arc<[u8]>, file: FileId) -> Self {
        Lines { source, file, at: 0, number: 0, limit: usize::MAX, joins: false }
    }

    /// A line that begins at `start`. It reaches to its own end, or further if that is joined.
    fn logical(&self, start: usize) -> Option<Logical> {
        let left = self.source.get(start..).filter(|left| !left.is_empty())?;
        let (after, (content, ending)) = physical(left).ok()?;
        let end = self.source.len() - after.len();
        let joined = self.joins && !ending.is_empty() && content.ends_with(b"\\");
        let nul = content.find_byte(0);
        let length = nul.unwrap_or(content.len() - usize::from(joined));
        let text = Text::stretch(self.file, &self.source, start..start + length);
        let ending = end - start - content.len();
        let logical = Logical { text, end, length: length + ending, physical: 1 };
        Some(if joined && nul.is_none() { self.joined(logical, length) } else { logical })
    }

    /// A line with those that follow it, as far as they are joined. `length` is that of its text.
    fn joined(&self, mut logical: Logical, mut length: usize) -> Logical {
        while let Some(left) = self.source.get(logical.end..).filter(|left| !left.is_empty()) {
            let Ok((after, (content, ending))) = physical(left) else { break };
            let joined = !ending.is_empty() && content.ends_with(b"\\");
            let nul = content.find_byte(0);
            let kept = nul.unwrap_or(content.len() - usize::from(joined));
            logical.text.push_copy(content.get(..kept).unwrap_or_default(), offset(logical.end));
            length += kept;
            let end = self.source.len() - after.len();
            logical.length = length + end - logical.end - (content.len() - usize::from(joined));
            logical.end = end;
            logical.physical += 1;
            if !joined || nul.is_some() {
                break;
            }
        }
        logical
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let logical = self.logical(self.at)?;
        let span = Span::new(self.file, offset(self.at), offset(logical.end));
        self.at = logical.end;
        self.number = self.number.saturating_add(logical.physical);
        let text = logical.text.trimmed();
        let kind = if logical.length > self.limit { Kind::TooLong } else { classify(text.bytes()) };
        Some(Line { span, kind, text, number: self.number })
    }
}

/// Cuts a text into lines, those of the main configuration.
pub fn lines(text: &[u8], file: FileId) -> Vec<Line> {
    Lines::of_file(text.into(), file, MAIN_LIMIT).collect()
}

struct Logical {
    text: Text,
    end: usize,
    /// Bytes that count against the limit: the text and the end of its last line.
    length: usize,
    physical: u32,
}

/// One physical line: what stands before its end, and its end, LF, CRLF or nothing.
fn physical(input: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    let (after, (content, ending)) = pair(content, opt(tag(&b"\n"[..]))).parse(input)?;
    let ending = ending.unwrap_or_default();
    let before_cr = content.strip_suffix(b"\r").filter(|_| !ending.is_empty());
    Ok((after, (before_cr.unwrap_or(content), ending)))
}

/// All that stands before the next LF.
fn content(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take(input.find_byte(b'\n').unwrap_or(input.len())).parse(input)
}

/// What begins with these bytes, other than a comment.
fn tagged(input: &[u8]) -> IResult<&[u8], Kind> {
    let close = value(Kind::Close, tag(&b"</"[..]));
    let open = value(Kind::Open, tag(&b"<"[..]));
    alt((close, open, value(Kind::Directive, rest))).parse(input)
}

fn classify(bytes: &[u8]) -> Kind {
    match bytes.first() {
        None => Kind::Blank,
        Some(b'#') => Kind::Comment,
        // A quoted name is rare but legal; what it is shows inside the quotes.
        Some(b'"' | b'\'') => {
            let word = getword(bytes).map_or(&b""[..], |(word, _)| word.raw);
            tagged(word).map_or(Kind::Directive, |(_, kind)| kind)
        }
        Some(_) => tagged(bytes).map_or(Kind::Directive, |(_, kind)| kind),
    }
}

/// Prints lines back: the bytes of the text they were cut from.
pub fn print(lines: &[Line], text: &[u8]) -> Vec<u8> {
    let bytes = lines.iter().filter_map(|l| text.get(l.span.start as usize..l.span.end as usize));
    bytes.flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, u32)]) {
        let lines = lines(text.as_bytes(), FileId(0));
        let found: Vec<_> = lines.iter().map(|l| (l.text.bytes().to_string(), l.number)).collect();
        let expected: Vec<_> = expected.iter().map(|(text, number)| (text.to_string(), *number)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn white_space_around_is_dropped() {
        check("\x0b\x0cTimeout\x0b5 \r\n\n x", &[("Timeout\x0b5", 1), ("", 2), ("x", 3)]);
    }

    #[test]
    fn a_backslash_before_the_end_joins() {
        check("Timeout \\\n5\\\r\n 6 7\nX", &[("Timeout 5 6 7", 3), ("X", 4)]);
    }

    #[test]
    fn a_backslash_before_a_blank_does_not() {
        check("Timeout 5 \\ \nTimeout 6\n", &[("Timeout 5 \\", 1), ("Timeout 6", 2)]);
    }

    #[test]
    fn comments_join_too() {
        check("# x \\\nTimeout 4\nTimeout 5\n", &[("# x Timeout 4", 2), ("Timeout 5", 3)]);
    }

    #[test]
    fn a_nul_ends_its_line() {
        check("Timeout 5\0 7\\\nTimeout 8\n", &[("Timeout 5", 1), ("Timeout 8", 2)]);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        check("Timeout 5\\", &[("Timeout 5\\", 1)]);
    }

    #[test]
    fn lines_over_the_limit_are_told() {
        let too_long = |text: &[u8]| {
            let first = Lines::of_file(text.into(), FileId(0), HTACCESS_LIMIT).next();
            first.is_some_and(|line| line.kind == Kind::TooLong)
        };
        assert!(!too_long(&[b"#".repeat(8191), b"\n".to_vec()].concat()));
        assert!(too_long(&[b"#".repeat(8192), b"\n".to_vec()].concat()));
        assert!(!too_long(&[b"#".repeat(8190), b"\r\n".to_vec()].concat()));
        assert!(!too_long(&b"#".repeat(8192)));
        assert!(too_long(&[b"#".repeat(4001), b"\\\n".to_vec(), b"y".repeat(4192)].concat()));
    }

    fn config() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "\\\n", "\\\r\n", "\n", "\r", "\0", " ", "\"", "'", "<A ", ">", "</A>", "#", "${", "}", "x", "\\",
        ]);
        let made = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
        prop_oneof![made, prop::collection::vec(any::<u8>(), 0..200)]
    }

    proptest! {
        #[test]
        fn lines_tile_the_text(text in config()) {
            let lines = lines(&text, FileId(0));
            prop_assert_eq!(print(&lines, &text), text.clone());
            let mut at = 0;
            for line in &lines {
                prop_assert_eq!(line.span.start, at);
                prop_assert!(line.span.end > at);
                at = line.span.end;
            }
            prop_assert_eq!(at as usize, text.len());
        }

        #[test]
        fn every_place_lies_in_its_line(text in config(), from in 0usize..50, length in 0usize..50) {
            for line in lines(&text, FileId(0)) {
                let span = line.text.span(from..from + length);
                prop_assert!(span.start <= span.end);
                prop_assert!(span.start >= line.span.start && span.end <= line.span.end);
            }
        }
    }
}

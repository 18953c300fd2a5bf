//! A text cut into logical lines, losing nothing.
//!
//! The lines' spans tile the text, so that printing them gives the file back byte for byte. A
//! backslash directly before LF or CRLF joins a line to the next, in comments too. Apache holds
//! lines as C strings: what follows a NUL byte in a line is lost, a continuation included.

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_till},
    combinator::{opt, rest, verify},
    sequence::pair,
};

use super::{
    Text,
    text::offset,
    words::{getword, is_space},
};
use crate::diag::{FileId, Span};

/// Longest line of the main configuration, continuations joined: 16 MiB.
pub const MAIN_LIMIT: usize = 16 * 1024 * 1024;
/// Longest line of an `.htaccess`, continuations joined.
pub const HTACCESS_LIMIT: usize = 8192;

/// What a line is, as far as its own bytes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but white space.
    Blank,
    /// `#` is the first byte after white space.
    Comment,
    /// A directive.
    Directive {
        /// Its name, quotes included.
        name: Span,
        /// All that follows, without white space around it.
        args: Span,
    },
    /// The opening tag of a section.
    Open {
        /// Its name with the `<`.
        name: Span,
        /// All that follows, usually up to a `>`.
        args: Span,
    },
    /// The closing tag of a section.
    Close {
        /// `</`, its name, and `>` where it follows.
        name: Span,
    },
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

/// Cuts a text into lines, those of the main configuration.
pub fn lines(text: &[u8], file: FileId) -> Vec<Line> {
    lines_limited(text, file, MAIN_LIMIT)
}

/// Cuts a text into lines of at most `limit` bytes; longer ones become [`Kind::TooLong`].
pub fn lines_limited(text: &[u8], file: FileId, limit: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut at, mut number) = (0, 0);
    while at < text.len() {
        let logical = logical(text, at, file);
        number += logical.physical;
        let span = Span::new(file, offset(at), offset(logical.end));
        let text = trimmed(&logical.text);
        let kind = if logical.length > limit { Kind::TooLong } else { classify(&text) };
        lines.push(Line { span, kind, text, number });
        at = logical.end;
    }
    lines
}

/// Lines that are given one by one, as `-c` and `-C` do, and know no continuation.
pub(super) fn single_lines(text: &[u8], file: FileId) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut at = 0;
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let mut whole = Text::new(file);
        whole.push_copy(line, offset(at));
        let text = trimmed(&whole);
        let span = Span::new(file, offset(at), offset(at + line.len()));
        lines.push(Line { span, kind: classify(&text), text, number: offset(index + 1) });
        at += line.len();
    }
    lines
}

struct Logical {
    text: Text,
    end: usize,
    /// Bytes that count against the limit: the text and the end of its last line.
    length: usize,
    physical: u32,
}

fn logical(text: &[u8], start: usize, file: FileId) -> Logical {
    let mut logical = Logical { text: Text::new(file), end: start, length: 0, physical: 0 };
    while let Some(left) = text.get(logical.end..).filter(|left| !left.is_empty()) {
        let Ok((after, (content, ending))) = physical(left) else { break };
        let (content, joined) = match content.strip_suffix(b"\\") {
            Some(content) if !ending.is_empty() => (content, true),
            _ => (content, false),
        };
        let nul = content.iter().position(|byte| *byte == 0);
        let kept = content.get(..nul.unwrap_or(content.len())).unwrap_or_default();
        logical.text.push_copy(kept, offset(logical.end));
        let end = text.len() - after.len();
        let ending_length = end - logical.end - content.len();
        logical.length = logical.text.bytes.len() + ending_length;
        logical.end = end;
        logical.physical += 1;
        if !joined || nul.is_some() {
            break;
        }
    }
    logical
}

/// One physical line: what stands before its end, and its end, LF, CRLF or nothing.
fn physical(input: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    let (after, (content, ending)) =
        pair(take_till(|byte| byte == b'\n'), opt(tag(&b"\n"[..]))).parse(input)?;
    let ending = ending.unwrap_or_default();
    let before_cr = content.strip_suffix(b"\r").filter(|_| !ending.is_empty());
    let content = before_cr.unwrap_or(content);
    Ok((after, (content, ending)))
}

fn trimmed(text: &Text) -> Text {
    let leading = text.bytes.iter().take_while(|b| is_space(**b)).count();
    let trailing = text.bytes.iter().rev().take_while(|b| is_space(**b)).count();
    let end = (text.bytes.len() - trailing).max(leading);
    text.slice(leading..end)
}

#[derive(Clone, Copy)]
enum Shape {
    Comment,
    Close,
    Open,
    Directive,
}

fn shape(input: &[u8]) -> IResult<&[u8], Shape> {
    alt((
        tag(&b"#"[..]).map(|_| Shape::Comment),
        tag(&b"</"[..]).map(|_| Shape::Close),
        tag(&b"<"[..]).map(|_| Shape::Open),
        verify(rest, |bytes: &[u8]| !bytes.is_empty()).map(|_| Shape::Directive),
    ))
    .parse(input)
}

fn classify(text: &Text) -> Kind {
    let bytes: &[u8] = &text.bytes;
    let Some((word, args)) = getword(bytes) else { return Kind::Blank };
    let end = bytes.len() - args.len();
    let blank = bytes.iter().take(end).rev().take_while(|b| is_space(**b)).count();
    let name = text.span(0..end - blank);
    let args = text.span(end..bytes.len());
    let shape = match word.quote {
        // A quoted name is rare but legal; its shape shows inside the quotes.
        Some(_) => shape(word.raw).map_or(Shape::Directive, |(_, shape)| shape),
        None => shape(bytes).map_or(Shape::Directive, |(_, shape)| shape),
    };
    match (shape, word.quote) {
        (Shape::Comment, None) => Kind::Comment,
        (Shape::Close, _) => Kind::Close { name },
        (Shape::Open, _) => Kind::Open { name, args },
        _ => Kind::Directive { name, args },
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
        let found: Vec<_> = lines.iter().map(|l| (l.text.bytes.to_string(), l.number)).collect();
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
        let too_long = |text: &[u8]| lines_limited(text, FileId(0), HTACCESS_LIMIT)[0].kind == Kind::TooLong;
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

//! Text that remembers where it came from.
//!
//! Joining continued lines and expanding `${VAR}` changes bytes; a diagnostic must nevertheless
//! point into the file. A [`Text`] therefore carries the pieces it was made of.

use std::ops::Range;

use bstr::BString;

use crate::diag::{FileId, Span};

/// Bytes of a [`Text`] that stem from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// Where in the text the piece starts.
    at: usize,
    /// The bytes of the source it stands for.
    source: (u32, u32),
    /// Whether text and source are the same bytes; a variable's value is not.
    copied: bool,
}

/// Bytes with the places of a source they stem from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The bytes.
    pub bytes: BString,
    file: FileId,
    pieces: Vec<Piece>,
}

impl Text {
    /// No bytes yet, from `file`.
    pub fn new(file: FileId) -> Self {
        Text { bytes: BString::default(), file, pieces: Vec::new() }
    }

    /// Appends bytes that stand in the file at `source`.
    pub fn push_copy(&mut self, bytes: &[u8], source: u32) {
        let end = source.saturating_add(offset(bytes.len()));
        match self.pieces.last_mut() {
            Some(last) if last.copied && last.source.1 == source => last.source.1 = end,
            _ => self.pieces.push(Piece { at: self.bytes.len(), source: (source, end), copied: true }),
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes that stand for the bytes of the span.
    pub fn push_replaced(&mut self, bytes: &[u8], source: Span) {
        let at = self.bytes.len();
        self.pieces.push(Piece { at, source: (source.start, source.end), copied: false });
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends another text of the same file with its places.
    pub fn append(&mut self, other: &Text) {
        for (index, piece) in other.pieces.iter().enumerate() {
            let next = other.pieces.get(index + 1).map_or(other.bytes.len(), |next| next.at);
            let bytes = other.bytes.get(piece.at..next).unwrap_or_default();
            if piece.copied {
                self.push_copy(bytes, piece.source.0);
            } else {
                self.push_replaced(bytes, Span::new(self.file, piece.source.0, piece.source.1));
            }
        }
    }

    /// Whether the text is one unchanged stretch of its file.
    pub fn is_verbatim(&self) -> bool {
        self.pieces.len() <= 1 && self.pieces.iter().all(|piece| piece.copied)
    }

    /// The smallest span of the source that a range of the text stems from. A range inside a
    /// variable's value gives the `${VAR}` it replaced.
    pub fn span(&self, range: Range<usize>) -> Span {
        let (start, end) = self.locate(range.start);
        let mut span = Span::new(self.file, start, if range.is_empty() { start } else { end });
        if !range.is_empty() {
            span.end = self.locate(range.end.saturating_sub(1)).1.max(start);
        }
        span
    }

    /// A part of the text, still knowing its places. Cut where the range leaves the text.
    pub fn slice(&self, range: Range<usize>) -> Text {
        let end = range.end.min(self.bytes.len());
        let start = range.start.min(end);
        let mut part = Text::new(self.file);
        for (index, piece) in self.pieces.iter().enumerate() {
            let next = self.pieces.get(index + 1).map_or(self.bytes.len(), |next| next.at);
            let (from, to) = (piece.at.max(start), next.min(end));
            if from < to || (piece.at == start && start == end && part.pieces.is_empty()) {
                let bytes = self.bytes.get(from..to).unwrap_or_default();
                if piece.copied {
                    part.push_copy(bytes, piece.source.0.saturating_add(offset(from - piece.at)));
                } else {
                    part.push_replaced(bytes, Span::new(self.file, piece.source.0, piece.source.1));
                }
            }
        }
        if part.pieces.is_empty() {
            let at = self.locate(start).0;
            part.pieces.push(Piece { at: 0, source: (at, at), copied: true });
        }
        part
    }

    /// Source bytes, half open, of the byte at `at`; the end of the text is a place too.
    fn locate(&self, at: usize) -> (u32, u32) {
        let index = self.pieces.partition_point(|piece| piece.at <= at);
        let Some(piece) = index.checked_sub(1).and_then(|i| self.pieces.get(i)) else { return (0, 0) };
        if at >= self.bytes.len() && !self.bytes.is_empty() {
            return (piece.source.1, piece.source.1);
        }
        if !piece.copied {
            return piece.source;
        }
        let start = piece.source.0.saturating_add(offset(at - piece.at)).min(piece.source.1);
        (start, start.saturating_add(1).min(piece.source.1))
    }
}

/// A length as an offset of a source; texts end below 4 GiB.
pub(super) fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Text {
        let mut text = Text::new(FileId(0));
        text.push_copy(b"ab ", 10);
        text.push_replaced(b"value", Span::new(FileId(0), 13, 19));
        text.push_copy(b" cd", 19);
        text
    }

    #[track_caller]
    fn check(text: &Text, range: Range<usize>, expected: (u32, u32)) {
        let span = text.span(range);
        assert_eq!((span.start, span.end), expected);
    }

    #[test]
    fn copied_bytes_are_found_exactly() {
        check(&sample(), 0..2, (10, 12));
        check(&sample(), 9..11, (20, 22));
    }

    #[test]
    fn a_value_points_at_its_variable() {
        check(&sample(), 4..6, (13, 19));
        check(&sample(), 1..5, (11, 19));
    }

    #[test]
    fn a_slice_keeps_its_places() {
        check(&sample().slice(5..11), 0..1, (13, 19));
        check(&sample().slice(9..11), 1..2, (21, 22));
        check(&sample().slice(11..11), 0..0, (22, 22));
    }

    #[test]
    fn verbatim_is_one_unchanged_stretch() {
        assert!(!sample().is_verbatim());
        assert!(sample().slice(0..3).is_verbatim());
    }
}

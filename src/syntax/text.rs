//! Text that remembers where it came from.
//!
//! Joining continued lines and expanding `${VAR}` changes bytes; a diagnostic must nevertheless
//! point into the file. A [`Text`] therefore carries the pieces it was made of.

use std::{ops::Range, sync::Arc};

use bstr::{BStr, BString};

use super::words::is_space;
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
///
/// Nearly every line stands in its file as it is; then nothing is copied.
#[derive(Clone, Debug)]
pub struct Text {
    file: FileId,
    /// One unchanged stretch of the file, unless the text was made of pieces.
    source: Arc<[u8]>,
    start: u32,
    end: u32,
    made: Option<Box<Made>>,
}

#[derive(Clone, Debug, Default)]
struct Made {
    bytes: BString,
    pieces: Vec<Piece>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.bytes() == other.bytes() && self.pieces().eq(other.pieces())
    }
}

impl Eq for Text {}

impl Text {
    /// No bytes yet, from `file`.
    pub fn new(file: FileId) -> Self {
        Text { file, source: Arc::default(), start: 0, end: 0, made: Some(Box::default()) }
    }

    /// The bytes `range` of `source`, which is the whole text of `file`. Cut where the range leaves it.
    pub fn stretch(file: FileId, source: &Arc<[u8]>, range: Range<usize>) -> Self {
        let end = range.end.min(source.len());
        let (start, end) = (offset(range.start.min(end)), offset(end));
        Text { file, source: Arc::clone(source), start, end, made: None }
    }

    /// The bytes.
    pub fn bytes(&self) -> &BStr {
        match &self.made {
            Some(made) => made.bytes.as_ref(),
            None => self.source.get(self.start as usize..self.end as usize).unwrap_or_default().into(),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes that stand in the file at `source`.
    pub fn push_copy(&mut self, bytes: &[u8], source: u32) {
        let made = self.made();
        let end = source.saturating_add(offset(bytes.len()));
        match made.pieces.last_mut() {
            Some(last) if last.copied && last.source.1 == source => last.source.1 = end,
            _ => made.pieces.push(Piece { at: made.bytes.len(), source: (source, end), copied: true }),
        }
        made.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes that stand for the bytes of the span.
    pub fn push_replaced(&mut self, bytes: &[u8], source: Span) {
        let made = self.made();
        let at = made.bytes.len();
        made.pieces.push(Piece { at, source: (source.start, source.end), copied: false });
        made.bytes.extend_from_slice(bytes);
    }

    /// Appends another text of the same file with its places.
    pub fn append(&mut self, other: &Text) {
        for (piece, next) in other.bounded() {
            let bytes = other.bytes().get(piece.at..next).unwrap_or_default();
            if piece.copied {
                self.push_copy(bytes, piece.source.0);
            } else {
                self.push_replaced(bytes, Span::new(self.file, piece.source.0, piece.source.1));
            }
        }
    }

    /// Whether the text is one unchanged stretch of its file.
    pub fn is_verbatim(&self) -> bool {
        let one = |made: &Made| made.pieces.len() <= 1 && made.pieces.iter().all(|piece| piece.copied);
        self.made.as_ref().is_none_or(|made| one(made))
    }

    /// The smallest span of the source that a range of the text stems from. A range inside a
    /// variable's value gives the `${VAR}` it replaced.
    pub fn span(&self, range: Range<usize>) -> Span {
        if self.made.is_none() {
            let place = |at: usize| self.start.saturating_add(offset(at)).min(self.end);
            let (start, end) = (place(range.start), place(range.end));
            return Span::new(self.file, start, end.max(start));
        }
        let (start, end) = self.locate(range.start);
        let mut span = Span::new(self.file, start, if range.is_empty() { start } else { end });
        if !range.is_empty() {
            span.end = self.locate(range.end.saturating_sub(1)).1.max(start);
        }
        span
    }

    /// The span of the whole text.
    pub fn whole(&self) -> Span {
        self.span(0..self.len())
    }

    /// A part of the text, still knowing its places. Cut where the range leaves the text.
    pub fn slice(&self, range: Range<usize>) -> Text {
        self.clone().cut(range)
    }

    /// The same of a text that is not needed any more.
    pub fn cut(mut self, range: Range<usize>) -> Text {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        if self.made.is_none() {
            self.end = self.start.saturating_add(offset(end));
            self.start = self.start.saturating_add(offset(start));
            return self;
        }
        let mut part = Text::new(self.file);
        let mut found = false;
        for (piece, next) in self.bounded() {
            let (from, to) = (piece.at.max(start), next.min(end));
            if from < to || (piece.at == start && start == end && !found) {
                found = true;
                let bytes = self.bytes().get(from..to).unwrap_or_default();
                if piece.copied {
                    part.push_copy(bytes, piece.source.0.saturating_add(offset(from - piece.at)));
                } else {
                    part.push_replaced(bytes, Span::new(self.file, piece.source.0, piece.source.1));
                }
            }
        }
        if !found {
            part.push_copy(b"", self.locate(start).0);
        }
        part
    }

    /// The text without white space around it.
    pub fn trimmed(self) -> Text {
        let bytes = self.bytes();
        let leading = bytes.iter().take_while(|b| is_space(**b)).count();
        let trailing = bytes.iter().rev().take_while(|b| is_space(**b)).count();
        let end = (bytes.len() - trailing).max(leading);
        self.cut(leading..end)
    }

    /// The pieces to append to: a stretch becomes the first of them.
    fn made(&mut self) -> &mut Made {
        self.made.get_or_insert_with(|| {
            let (start, end) = (self.start as usize, self.end as usize);
            let bytes = self.source.get(start..end).unwrap_or_default().into();
            Box::new(Made {
                bytes,
                pieces: vec![Piece { at: 0, source: (self.start, self.end), copied: true }],
            })
        })
    }

    /// The whole text as one piece, where it is a stretch.
    fn stretched(&self) -> Option<Piece> {
        self.made.is_none().then_some(Piece { at: 0, source: (self.start, self.end), copied: true })
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let made = self.made.iter().flat_map(|made| made.pieces.iter().copied());
        self.stretched().into_iter().chain(made)
    }

    /// Each piece with the place in the text where it ends.
    fn bounded(&self) -> impl Iterator<Item = (Piece, usize)> + '_ {
        let ends = self.pieces().skip(1).map(|piece| piece.at).chain([self.len()]);
        self.pieces().zip(ends)
    }

    /// Source bytes, half open, of the byte at `at`; the end of the text is a place too.
    fn locate(&self, at: usize) -> (u32, u32) {
        let of_many = |made: &Made| {
            let index = made.pieces.partition_point(|piece| piece.at <= at);
            index.checked_sub(1).and_then(|i| made.pieces.get(i)).copied()
        };
        let piece = self.stretched().or_else(|| self.made.as_ref().and_then(|made| of_many(made)));
        let Some(piece) = piece else { return (0, 0) };
        if at >= self.len() && !self.is_empty() {
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

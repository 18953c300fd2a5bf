//! Source texts by number, and places in them.

use std::sync::{Arc, OnceLock};

/// Number of a source text in a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range of one source text, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which text.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` up to `end` of `file`.
    pub const fn new(file: FileId, start: u32, end: u32) -> Self {
        Span { file, start, end }
    }

    /// A setting that no line made: the compiled-in default.
    pub const BUILTIN: Span = Span { file: FileId(u32::MAX), start: 0, end: 0 };

    /// Whether this is [`Span::BUILTIN`].
    pub fn is_builtin(self) -> bool {
        self.file.0 == u32::MAX
    }

    /// The smallest span of the same file that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A place as people say it; lines and columns count from 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file's name as the configuration reached it.
    pub file: &'a str,
    /// Line number.
    pub line: u32,
    /// Column, in bytes.
    pub column: u32,
}

#[derive(Debug)]
struct Source {
    name: String,
    text: Arc<[u8]>,
    /// Byte offset at which each line starts; found when a place is first asked for.
    lines: OnceLock<Vec<u32>>,
    /// Number that the first line has: 1, but more for a text cut out of another.
    first_line: u32,
}

/// All texts that were read, numbered in the order of reading. Cloning is cheap: texts are shared.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<Source>>,
}

impl Sources {
    /// No texts.
    pub fn new() -> Self {
        Sources::default()
    }

    /// Takes a text in and numbers it. Texts of 4 GiB and more are cut there.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<[u8]>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("fewer than 2^32 files"));
        self.files.push(Arc::new(Source::new(name.into(), text.into())));
        id
    }

    /// Puts a new text in the place of `id`, for a file that changed on disk.
    pub fn replace(&mut self, id: FileId, name: impl Into<String>, text: impl Into<Arc<[u8]>>) {
        if let Some(slot) = self.files.get_mut(id.0 as usize) {
            *slot = Arc::new(Source::new(name.into(), text.into()));
        }
    }

    /// The texts before `id` only, so that the next one added gets that very number.
    pub fn before(&self, id: FileId) -> Sources {
        let end = (id.0 as usize).min(self.files.len());
        Sources { files: self.files[..end].to_vec() }
    }

    /// Forgets the texts numbered `len` and more.
    pub fn truncate(&mut self, len: usize) {
        self.files.truncate(len);
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The whole text; empty for a number that is not known.
    pub fn text(&self, id: FileId) -> &[u8] {
        self.files.get(id.0 as usize).map_or(&[], |s| &s.text)
    }

    /// The whole text, to be held beyond this borrow; empty for a number that is not known.
    pub fn shared(&self, id: FileId) -> Arc<[u8]> {
        self.files.get(id.0 as usize).map_or_else(Arc::default, |s| Arc::clone(&s.text))
    }

    /// The name under which the text was read.
    pub fn name(&self, id: FileId) -> &str {
        self.files.get(id.0 as usize).map_or("(built in)", |s| &s.name)
    }

    /// The bytes of a span; cut where it leaves the text.
    pub fn slice(&self, span: Span) -> &[u8] {
        let text = self.text(span.file);
        let end = (span.end as usize).min(text.len());
        &text[(span.start as usize).min(end)..end]
    }

    /// File, line and column where a span starts.
    pub fn place(&self, span: Span) -> Place<'_> {
        match self.files.get(span.file.0 as usize) {
            Some(source) => {
                let index = source.line_index(span.start);
                let column = span.start - source.lines()[index] + 1;
                Place { file: &source.name, line: source.first_line + index as u32, column }
            }
            None => Place { file: "(built in)", line: 0, column: 0 },
        }
    }

    /// Line number of a byte, counting as the text's own numbering does.
    pub fn line(&self, span: Span) -> u32 {
        self.place(span).line
    }

    /// The bytes of the physical lines that a span touches, the end of the last line included; cut
    /// where the span leaves the text.
    pub fn line_range(&self, span: Span) -> std::ops::Range<usize> {
        let Some(source) = self.files.get(span.file.0 as usize) else { return 0..0 };
        let start = source.lines()[source.line_index(span.start)] as usize;
        let last = source.line_index(span.end.saturating_sub(1).max(span.start));
        let end = source.lines().get(last + 1).map_or(source.text.len(), |&n| n as usize);
        start.min(end)..end
    }

    /// The physical line that holds the start of a span, without its end of line.
    pub fn source_line(&self, span: Span) -> &[u8] {
        let Some(source) = self.files.get(span.file.0 as usize) else { return &[] };
        let index = source.line_index(span.start);
        let start = source.lines()[index] as usize;
        let end = source.lines().get(index + 1).map_or(source.text.len(), |&n| n as usize);
        let line = &source.text[start..end];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

impl Source {
    fn new(name: String, text: Arc<[u8]>) -> Self {
        Source { name, text, lines: OnceLock::new(), first_line: 1 }
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let ends = self.text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let starts = ends.filter_map(|(at, _)| u32::try_from(at + 1).ok());
            std::iter::once(0).chain(starts).collect()
        })
    }

    fn line_index(&self, at: u32) -> usize {
        self.lines().partition_point(|&start| start <= at).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, at: u32, line: u32, column: u32) {
        let mut sources = Sources::new();
        let id = sources.add("f", text.as_bytes());
        let place = sources.place(Span::new(id, at, at));
        assert_eq!((place.line, place.column), (line, column));
    }

    #[test]
    fn first_byte_is_line_one_column_one() {
        check("ab\ncd", 0, 1, 1);
    }

    #[test]
    fn a_newline_belongs_to_its_own_line() {
        check("ab\ncd", 2, 1, 3);
        check("ab\ncd", 3, 2, 1);
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        check("ab\n", 3, 2, 1);
    }
}

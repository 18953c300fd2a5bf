//! A directive or section as the reading stage leaves it to the second stage.

use bstr::{BStr, BString, ByteSlice};

use super::{Text, Words};
use crate::diag::Span;

/// One directive, or one section with what it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name as written; sections keep their `<`.
    pub name: BString,
    /// The whole directive, or the opening tag of a section, without white space around it.
    pub span: Span,
    /// The name, quotes included where it has them.
    pub name_span: Span,
    /// The arguments; empty, at the end of the line, where there are none.
    pub args_span: Span,
    /// Whether `args` are the very bytes of `args_span`.
    pub verbatim: bool,
    /// Apache's number of the line: that of the last of the lines joined.
    pub line: u32,
    /// What a section contains.
    pub children: Vec<Node>,
    /// The closing tag; sections that were never closed have none.
    pub close: Option<Span>,
    pub(super) text: Text,
}

impl Node {
    /// Whether it is a section.
    pub fn is_section(&self) -> bool {
        self.name.first() == Some(&b'<')
    }

    /// The name of a section without the `<`.
    pub fn section_name(&self) -> Option<&BStr> {
        self.name.strip_prefix(b"<").map(BStr::new)
    }

    /// Whether it bears this name, letter case apart; a section's with its `<`.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Arguments: lines joined, `${VAR}` expanded, not cut. Sections keep their `>` as in Apache.
    pub fn args(&self) -> &BStr {
        self.text.bytes()
    }

    /// A cursor over the arguments.
    pub fn words(&self) -> Words<'_> {
        Words::new(self)
    }

    /// The arguments of a section up to its last `>`; nothing when there is no `>`.
    pub fn section_args(&self) -> Option<Text> {
        let end = self.args().rfind_byte(b'>')?;
        Some(self.text.slice(0..end))
    }

    /// Arguments that know their places.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Where a range of `args` stands in the source.
    pub fn place_of(&self, range: std::ops::Range<usize>) -> Span {
        self.text.span(range)
    }
}

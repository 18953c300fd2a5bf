//! `<!--#element attribute=value … -->`: finding elements in a content that comes piece by piece.

use bstr::{BString, ByteSlice};

/// An element as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// Its name, in lower case.
    pub name: BString,
    /// Its attributes in order.
    pub attributes: Vec<Attribute>,
}

/// An attribute of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, in lower case.
    pub name: BString,
    /// Its value, without quotes; `None` if there is no `=`.
    pub value: Option<BString>,
}

/// The next thing in a content.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Text that is no part of an element.
    Text(BString),
    /// An element.
    Tag(Tag),
}

/// Finds elements. What is not complete is kept for the next piece.
#[derive(Debug)]
pub struct Scanner {
    start: BString,
    end: BString,
    rest: Vec<u8>,
    /// Where in `rest` to go on.
    at: usize,
    /// An element that is not complete is not looked at again before this many bytes are there, so
    /// that one without an end is not read over and over.
    enough: usize,
}

impl Scanner {
    /// For elements that start and end so (SSIStartTag, SSIEndTag).
    pub fn new(start: &[u8], end: &[u8]) -> Scanner {
        Scanner { start: start.into(), end: end.into(), rest: Vec::new(), at: 0, enough: 0 }
    }

    /// Takes a piece of content.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.drain(..self.at);
        self.at = 0;
        self.rest.extend_from_slice(bytes);
    }

    /// The next thing; `None` if more of the content is needed to tell.
    pub fn next(&mut self) -> Option<Next> {
        let rest = &self.rest[self.at..];
        if rest.is_empty() || rest.len() < self.enough {
            return None;
        }
        let text = match rest.find(&self.start) {
            Some(0) => return self.tag(),
            Some(at) => at,
            None => rest.len() - begun(rest, &self.start),
        };
        if text == 0 {
            return None;
        }
        let text = BString::from(&rest[..text]);
        self.at += text.len();
        Some(Next::Text(text))
    }

    fn tag(&mut self) -> Option<Next> {
        let rest = &self.rest[self.at..];
        let inside = &rest[self.start.len()..];
        match read(inside, &self.end) {
            Some((tag, length)) => {
                self.at += self.start.len() + length;
                self.enough = 0;
                Some(Next::Tag(tag))
            }
            None => {
                self.enough = rest.len() * 2;
                None
            }
        }
    }

    /// The content is complete: what is there is enough.
    pub fn complete(&mut self) {
        self.enough = 0;
    }

    /// What is left when all of a complete content was looked at: the beginning of a start tag, which
    /// was none after all.
    ///
    /// # Errors
    /// An element is not finished; what is there of it, if its name is.
    pub fn rest(&mut self) -> Result<BString, Option<Tag>> {
        let rest = BString::from(&self.rest[self.at..]);
        self.at = self.rest.len();
        let Some(inside) = rest.strip_prefix(self.start.as_slice()) else { return Ok(rest) };
        let name = inside.iter().position(is_space).map(|end| inside[..end].to_ascii_lowercase().into());
        Err(name.map(|name| Tag { name, attributes: Vec::new() }))
    }
}

/// How many bytes at the end of a text may be the beginning of `what`.
fn begun(text: &[u8], what: &[u8]) -> usize {
    (1..what.len().min(text.len() + 1)).rev().find(|&length| text.ends_with(&what[..length])).unwrap_or(0)
}

/// Reads what stands behind a start tag: the element, and how long it is with its end.
fn read(text: &[u8], end: &[u8]) -> Option<(Tag, usize)> {
    let mut at = 0;
    let name = loop {
        let here = text.get(at..).filter(|here| !here.is_empty())?;
        if is_space(&here[0]) || here.starts_with(end) {
            break &text[..at];
        }
        at += 1;
    };
    let mut tag = Tag { name: name.to_ascii_lowercase().into(), attributes: Vec::new() };
    loop {
        at += text.get(at..)?.iter().position(|byte| !is_space(byte))?;
        let here = &text[at..];
        if here.starts_with(end) {
            return Some((tag, at + end.len()));
        }
        if end.starts_with(here) {
            return None;
        }
        let (attribute, length) = attribute(here)?;
        tag.attributes.push(attribute);
        at += length;
    }
}

/// Reads an attribute, and how long it is.
fn attribute(text: &[u8]) -> Option<(Attribute, usize)> {
    let stops = |byte: &u8| is_space(byte) || *byte == b'=';
    let mut at = text.iter().position(stops)?;
    let name = BString::from(text[..at].to_ascii_lowercase());
    at += blanks(&text[at..])?;
    if text[at] != b'=' {
        return Some((Attribute { name, value: None }, at));
    }
    at += 1;
    at += blanks(&text[at..])?;
    let (value, length) = match text[at] {
        quote @ (b'"' | b'\'' | b'`') => {
            let (value, length) = quoted(&text[at + 1..], quote)?;
            (value, length + 1)
        }
        _ => {
            let length = text[at..].iter().position(is_space)?;
            (text[at..at + length].into(), length)
        }
    };
    Some((Attribute { name, value: Some(value) }, at + length))
}

/// Whether it is white space to C.
pub fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// How many blanks there are before something else.
fn blanks(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !is_space(byte))
}

/// A value up to its closing quote, which a backslash keeps from being that and goes away.
fn quoted(text: &[u8], quote: u8) -> Option<(BString, usize)> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'\\' if *text.get(at + 1)? == quote => {
                value.push(quote);
                at += 2;
            }
            byte if byte == quote => return Some((value.into(), at + 1)),
            byte => {
                value.push(byte);
                at += 1;
            }
        }
    }
}

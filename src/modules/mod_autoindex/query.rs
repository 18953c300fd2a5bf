//! What a client may ask of a listing in its query: `C=S;O=D;F=2;V=1;P=*.txt`.

use super::options::Words;
use crate::http::{
    escape,
    path::{Slashes, unescape},
};
use bstr::{BString, ByteSlice};

/// By what a listing is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// `N`
    #[default]
    Name,
    /// `M`
    Modified,
    /// `S`
    Size,
    /// `D`
    Description,
}

impl Key {
    /// Its letter in a query.
    pub const fn letter(self) -> char {
        match self {
            Key::Name => 'N',
            Key::Modified => 'M',
            Key::Size => 'S',
            Key::Description => 'D',
        }
    }
}

/// Which way it is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `A`
    #[default]
    Ascending,
    /// `D`
    Descending,
}

/// How a listing is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `C`
    pub key: Key,
    /// `O`
    pub order: Order,
    /// `P`: only names of this pattern.
    pub pattern: Option<BString>,
    /// What is to go on behind the headings' own queries.
    pub kept: Vec<u8>,
}

/// Reads a query over what the configuration says. Reading ends at the first thing unknown.
pub fn read(query: &[u8], words: &mut Words, wish: &mut Wish) {
    let (mut format, mut version) = (None, None);
    let mut rest = query;
    while let [letter, b'=', after @ ..] = rest {
        let (letter, value) = (*letter, after.first().copied());
        let short = matches!(after.get(1), None | Some(b'&' | b';'));
        match (letter, value) {
            (b'C', Some(value @ (b'N' | b'M' | b'S' | b'D'))) if short => {
                wish.key = match value {
                    b'M' => Key::Modified,
                    b'S' => Key::Size,
                    b'D' => Key::Description,
                    _ => Key::Name,
                };
            }
            (b'O', Some(value @ (b'A' | b'D'))) if short => {
                wish.order = if value == b'A' { Order::Ascending } else { Order::Descending };
            }
            (b'F', Some(value @ b'0'..=b'2')) if short => {
                format = Some(value);
                *words = match value {
                    b'0' => words.without(Words::FANCY.with(Words::TABLE)),
                    b'1' => words.with(Words::FANCY).without(Words::TABLE),
                    _ => words.with(Words::FANCY).with(Words::TABLE),
                };
            }
            (b'V', Some(value @ (b'0' | b'1'))) if short => {
                version = Some(value);
                *words = match value {
                    b'0' => words.without(Words::VERSION_SORT),
                    _ => words.with(Words::VERSION_SORT),
                };
            }
            (b'P', _) => {
                let end = after.find_byteset(b"&;").unwrap_or(after.len());
                wish.pattern = unescape(&after[..end], Slashes::Refuse).ok();
                rest = after.get(end + 1..).unwrap_or_default();
                continue;
            }
            _ => break,
        }
        rest = after.get(2..).unwrap_or_default();
    }
    for (name, value) in [(b";F=", format), (b";V=", version)] {
        if let Some(value) = value {
            wish.kept.extend_from_slice(name);
            wish.kept.push(value);
        }
    }
    if let Some(pattern) = &wish.pattern {
        wish.kept.extend_from_slice(b";P=");
        wish.kept.extend_from_slice(&escape::html(&escape::os_path(pattern)));
    }
}

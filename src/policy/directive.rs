//! A row of a module's directive table: name, argument shape, where it may stand, what it does.
//!
//! Rows are data. Unknown-name suggestions, context errors, `-L`, `docs/directives.md` and the
//! laws tested over all tables come from them.

use super::place::Place;
use crate::{
    diag::{Fix, Span},
    syntax::{Node, Word},
};
use std::fmt;

/// How the text behind a directive's name is cut into words (Apache's `cmd_how`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The function gets the text and cuts it itself; sections are of this shape.
    Raw,
    /// Nothing may follow.
    NoArgs,
    /// One word, `On` or `Off`.
    Flag,
    /// One word.
    One,
    /// Two words.
    Two,
    /// Three words.
    Three,
    /// One or two words.
    OneTwo,
    /// One or three words.
    OneThree,
    /// Two or three words.
    TwoThree,
    /// One, two or three words.
    OneTwoThree,
    /// One word or more; the function is called once for each.
    Each,
    /// A word, then one word or more; the function is called once for each pair.
    EachWithFirst,
    /// Any number of words, all at once.
    Argv,
}

/// Where a directive may stand and which AllowOverride class lets it into `.htaccess`, in Apache's
/// own bits; the same type says what a place allows. A directive may stand where the two meet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(pub u16);

impl Scope {
    /// Nowhere.
    pub const NONE: Scope = Scope(0);
    /// AllowOverride Limit.
    pub const LIMIT: Scope = Scope(1);
    /// AllowOverride Options.
    pub const OPTIONS: Scope = Scope(2);
    /// AllowOverride FileInfo.
    pub const FILEINFO: Scope = Scope(4);
    /// AllowOverride AuthConfig.
    pub const AUTHCFG: Scope = Scope(8);
    /// AllowOverride Indexes.
    pub const INDEXES: Scope = Scope(16);
    /// Nothing was said with AllowOverride.
    pub const UNSET: Scope = Scope(32);
    /// Inside `<Directory>`, `<Location>` and the like in the server's configuration.
    pub const ACCESS_CONF: Scope = Scope(64);
    /// The server's configuration outside of those, `<VirtualHost>` included.
    pub const RSRC_CONF: Scope = Scope(128);
    /// Acts while the configuration is read.
    pub const EXEC_ON_READ: Scope = Scope(256);
    /// In `.htaccess` under any AllowOverride, and in the server's configuration.
    pub const ALL: Scope = Scope(31);

    /// Both together.
    pub const fn or(self, other: Scope) -> Scope {
        Scope(self.0 | other.0)
    }

    /// This without the other.
    pub const fn without(self, other: Scope) -> Scope {
        Scope(self.0 & !other.0)
    }

    /// Whether the two share a bit.
    pub const fn meets(self, place: Scope) -> bool {
        self.0 & place.0 != 0
    }

    /// Whether all of the other's bits are in this.
    pub const fn has(self, other: Scope) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Scope::LIMIT, "Limit"),
            (Scope::OPTIONS, "Options"),
            (Scope::FILEINFO, "FileInfo"),
            (Scope::AUTHCFG, "AuthConfig"),
            (Scope::INDEXES, "Indexes"),
            (Scope::UNSET, "unset"),
            (Scope::ACCESS_CONF, "directory"),
            (Scope::RSRC_CONF, "server"),
            (Scope::EXEC_ON_READ, "on-read"),
        ];
        let said = names.iter().filter(|(bit, _)| self.meets(*bit)).map(|(_, name)| *name);
        f.write_str(&said.collect::<Vec<_>>().join("|"))
    }
}

/// What a directive's function gets: its words, cut by its shape, and the whole node.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    /// The words of this call. Empty for [`Shape::Raw`].
    pub words: &'a [Word],
    /// The directive as it stands in the file, with the sections' children.
    pub node: &'a Node,
    /// The whole directive.
    pub span: Span,
    /// For [`Shape::Flag`]: whether it said `On`.
    pub on: bool,
}

impl<'a> Args<'a> {
    /// The text of word `n`; empty if there is none.
    pub fn text(&self, n: usize) -> &'a [u8] {
        self.words.get(n).map_or(&[], |word| word.text.as_slice())
    }

    /// The text of word `n`, if there is one.
    pub fn get(&self, n: usize) -> Option<&'a [u8]> {
        self.words.get(n).map(|word| word.text.as_slice())
    }

    /// Where word `n` stands, or else the whole directive.
    pub fn at(&self, n: usize) -> Span {
        self.words.get(n).map_or(self.span, |word| word.span)
    }

    /// The raw text behind the name.
    pub fn raw(&self) -> &'a [u8] {
        self.node.args()
    }
}

/// What a directive's function says when it cannot take what was written. The message is Apache's
/// own, word for word, since people and scripts look for it; the rest is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Stable id of our diagnostic.
    pub id: &'static str,
    /// Apache's message.
    pub message: String,
    /// The words at fault; the whole arguments if unsaid.
    pub span: Option<Span>,
    /// What to write under them.
    pub label: String,
    /// Why it is so.
    pub notes: Vec<String>,
    /// How to mend it.
    pub fix: Option<Box<Fix>>,
}

impl Mistake {
    /// Apache's message, and nothing more to say.
    pub fn new(message: impl Into<String>) -> Self {
        let (label, notes) = Default::default();
        Mistake { id: "RX0200", message: message.into(), span: None, label, notes, fix: None }
    }

    /// Names the diagnostic.
    pub fn id(mut self, id: &'static str) -> Self {
        self.id = id;
        self
    }

    /// Points at the words at fault.
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.span = Some(span);
        self.label = label.into();
        self
    }

    /// Adds a sentence that says why.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds advice and, where mechanical, the edits that carry it out.
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(Box::new(fix));
        self
    }
}

impl From<String> for Mistake {
    fn from(message: String) -> Self {
        Mistake::new(message)
    }
}

impl From<&str> for Mistake {
    fn from(message: &str) -> Self {
        Mistake::new(message)
    }
}

/// What a directive's function returns.
pub type Applied = Result<(), Mistake>;

/// A row of a module's directive table.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// Name as Apache spells it; a section's begins with `<`.
    pub name: &'static str,
    /// How its arguments are cut.
    pub shape: Shape,
    /// Where it may stand.
    pub scope: Scope,
    /// Apache's own short text, which `-L` prints and which ends its argument-count errors.
    pub usage: &'static str,
    /// What it is for, one line in our words.
    pub doc: &'static str,
    /// Stores what was said.
    pub apply: fn(&mut Place<'_, '_>, &Args<'_>) -> Applied,
}

impl Directive {
    /// Name of the section without its `<`, or the directive's name.
    pub fn bare_name(&self) -> &'static str {
        self.name.strip_prefix('<').unwrap_or(self.name)
    }
}

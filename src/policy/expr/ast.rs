//! The tree of a parsed expression.

use std::ops::Range;

use bstr::BString;

use super::{functions::Function, subnet::Subnet, variables::Variable};
use crate::policy::regex::Regex;

/// Bytes of the expression's text.
pub type Place = Range<usize>;

/// An expression: its text and its tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// As it was written.
    pub text: BString,
    /// The tree.
    pub root: Root,
    /// Whether reading a request header names it in `Vary`.
    pub varies: bool,
}

/// What an expression yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// True or false.
    Condition(Cond),
    /// A string with `%{…}` and `$N` in it.
    String(Word),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Cond {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: CondKind,
}

/// The kinds of conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum CondKind {
    /// `! c`.
    Not(Box<Cond>),
    /// `a && b && c`, at least two.
    And(Vec<Cond>),
    /// `a || b || c`, at least two.
    Or(Vec<Cond>),
    /// Anything else.
    Test(Test),
}

/// A condition that is made of no others.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `true`, `false`.
    Constant(bool),
    /// `a == b`, `a -lt b`, …
    Compare(CompareOp, Word, Word),
    /// `w =~ /re/`, and `w !~ /re/` when negated.
    Match {
        /// The subject.
        word: Word,
        /// The pattern.
        regex: Regex,
        /// Where the pattern stands.
        regex_place: Place,
        /// `!~`.
        negated: bool,
    },
    /// `w -in { … }`.
    In(Word, List),
    /// `-f w` and the like.
    Unary(UnaryOp, Word),
    /// `-R net`.
    RemoteIn(Subnet),
    /// `w -ipmatch net`.
    IpMatch(Word, Subnet),
    /// `w -strmatch pattern` and the like.
    Wildcard(WildcardOp, Word, Word),
}

/// What stands behind `-in`.
#[derive(Clone, Debug, PartialEq)]
pub enum List {
    /// `{ a, b }`.
    Words(Vec<Word>),
    /// `PeerExtList(oid)`, the only function that returns a list (mod_ssl).
    PeerExtList(Word),
}

/// A string-valued part.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: WordKind,
}

/// The kinds of words.
#[derive(Clone, Debug, PartialEq)]
pub enum WordKind {
    /// Bytes, escapes resolved.
    Literal(BString),
    /// Digits without quotes.
    Digits(BString),
    /// `$0` to `$9`.
    Backref(u8),
    /// `%{NAME}`.
    Variable(Variable),
    /// `name(word)` or `%{name:text}`.
    Call(Function, Box<Word>),
    /// Words in a row, at least two.
    Concat(Vec<Word>),
}

/// Comparisons. The `Str…` compare bytes, the others integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the operators")]
pub enum CompareOp {
    StrEq,
    StrNe,
    StrLt,
    StrLe,
    StrGt,
    StrGe,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Tests of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-d`: a directory.
    IsDir,
    /// `-e`: exists.
    Exists,
    /// `-f`: a regular file.
    IsFile,
    /// `-s`: exists and is not empty.
    HasSize,
    /// `-L`, `-h`: a symbolic link.
    IsLink,
    /// `-x`: executable by the server.
    IsExecutable,
    /// `-F`: a file that a sub-request would serve.
    FileAccessible,
    /// `-U`, `-A`: a URL that a sub-request would serve.
    UrlAccessible,
    /// `-n`: not empty.
    NonEmpty,
    /// `-z`: empty.
    Empty,
    /// `-T`: not empty, `0`, `off`, `false` or `no`.
    IsTrue,
}

/// Wildcard comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardOp {
    /// `-strmatch`.
    StrMatch,
    /// `-strcmatch`: without regard to case.
    StrcMatch,
    /// `-fnmatch`: slashes are matched only by slashes.
    FnMatch,
}

//! Tokens to a tree, with Apache's words for what is wrong.
//!
//! Apache's parser is made by bison; its messages name the token that came and, when four or fewer
//! would have been accepted, those. Unknown names do not stop it: parsing goes on, and the last
//! such message is the one reported.

use std::fmt;

use bstr::BString;

use super::{
    ast::{Cond, CondKind, Expr, List, Place, Root, Test, UnaryOp, WildcardOp, Word, WordKind},
    functions::Function,
    lex::{Lexer, Token},
    subnet::Subnet,
    variables::Variable,
};
use crate::policy::regex::{Defaults, Regex};

/// Parentheses and calls may nest this deep: a `.htaccess` file is read on a worker's stack. (Apache refuses to evaluate more than 20 anyway.)
const MAX_DEPTH: usize = 100;

/// What the expression is to yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// True or false: `<If>`, `Require expr`.
    Condition,
    /// Text with `%{…}` in it: `Redirect`, `Header set X expr=…`.
    String,
}

/// Which names are known, and what is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// mod_ssl is there: `SSL_…`, `SSL:…` and `PeerExtList(…)` exist.
    pub ssl: bool,
    /// Functions that read files are refused, as in `.htaccess`.
    pub no_file_functions: bool,
    /// mod_include's `<!--#if expr=…-->`: nothing that reads files, and `v(…)` for `reqenv(…)`.
    pub include: bool,
    /// Request headers do not join `Vary` (AP_EXPR_FLAG_DONT_VARY).
    pub dont_vary: bool,
    /// What holds for all regular expressions.
    pub regex: Defaults,
}

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Apache's words, to be put behind the directive's own.
    pub message: BString,
    /// The part of the text that is wrong.
    pub place: Place,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.message, f)
    }
}

impl std::error::Error for ParseError {}

/// Parses an expression.
///
/// # Errors
/// The text is no expression; the message is Apache's.
pub fn parse(text: &[u8], mode: Mode, options: Options) -> Result<Expr, ParseError> {
    // Apache's strings end at a NUL.
    let read = text.split(|&b| b == 0).next().unwrap_or_default();
    let lexer = Lexer::new(read, mode == Mode::String);
    let mut parser = Parser { lexer, peeked: None, end: 0, options, found: None, depth: 0 };
    let root = match mode {
        Mode::Condition => parser.condition_alone().map(Root::Condition),
        Mode::String => parser.string_alone().map(Root::String),
    };
    match (root, parser.found) {
        (Ok(root), None) => Ok(Expr { text: text.into(), root, varies: !options.dont_vary }),
        (Ok(_), Some(found)) => Err(found),
        (Err(Stop::Here(error)), _) => Err(error),
        (Err(Stop::Syntax(mut error)), found) => {
            if let Some(found) = found {
                error.message = bstr::concat([error.message.as_slice(), b": ", &found.message]).into();
            }
            Err(error)
        }
    }
}

/// Why parsing ends at once.
enum Stop {
    /// A syntax error, to which the last semantic message is added.
    Syntax(ParseError),
    /// The message as it is.
    Here(ParseError),
}

type Parsed<T> = Result<T, Stop>;

struct Parser<'t> {
    lexer: Lexer<'t>,
    peeked: Option<(Token, Place)>,
    /// Where the last token taken ends.
    end: usize,
    options: Options,
    /// The last message that did not stop parsing.
    found: Option<ParseError>,
    depth: usize,
}

impl Parser<'_> {
    /// Bison reads a token only when it has to; an error in it overwrites what was found before.
    fn peek(&mut self) -> (&Token, &Place) {
        let peeked = self.taken();
        let (token, place) = self.peeked.insert(peeked);
        (token, place)
    }

    fn taken(&mut self) -> (Token, Place) {
        match self.peeked.take() {
            Some(peeked) => peeked,
            None => self.read(),
        }
    }

    fn read(&mut self) -> (Token, Place) {
        let (token, place) = self.lexer.next();
        if let Token::Error(message) = &token {
            self.found = Some(ParseError { message: message.clone(), place: place.clone() });
        }
        (token, place)
    }

    fn advance(&mut self) -> (Token, Place) {
        let (token, place) = self.taken();
        self.end = place.end;
        (token, place)
    }

    /// The token that stands here is not one that may.
    fn unexpected<T>(&mut self, expected: &[&str]) -> Parsed<T> {
        let (token, place) = self.peek();
        let place = place.clone();
        if *token == Token::Jammed {
            return Err(Stop::Here(ParseError { message: "flex scanner jammed".into(), place }));
        }
        let mut message = format!("syntax error, unexpected {}", token.name());
        if !expected.is_empty() {
            message.push_str(", expecting ");
            message.push_str(&expected.join(" or "));
        }
        Err(Stop::Syntax(ParseError { message: message.into(), place }))
    }

    /// An error of the scanner where the grammar has room for one: its message alone.
    fn scanner_error<T>(&mut self) -> Parsed<T> {
        let (token, place) = self.advance();
        let message = if let Token::Error(message) = token { message } else { "syntax error".into() };
        Err(Stop::Here(ParseError { message, place }))
    }

    fn expect(&mut self, token: &Token, expected: &[&str]) -> Parsed<()> {
        if self.peek().0 == token {
            self.advance();
            return Ok(());
        }
        self.unexpected(expected)
    }

    fn note(&mut self, message: String, place: Place) {
        self.found = Some(ParseError { message: message.into(), place });
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            let place = self.peek().1.clone();
            return Err(Stop::Here(ParseError { message: "memory exhausted".into(), place }));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn condition_alone(&mut self) -> Parsed<Cond> {
        let cond = self.or()?;
        self.expect(&Token::End, &["$end"])?;
        Ok(cond)
    }

    fn or(&mut self) -> Parsed<Cond> {
        self.chain(&Token::Or, CondKind::Or, Self::and)
    }

    fn and(&mut self) -> Parsed<Cond> {
        self.chain(&Token::And, CondKind::And, Self::not)
    }

    fn chain(
        &mut self,
        operator: &Token,
        kind: fn(Vec<Cond>) -> CondKind,
        part: fn(&mut Self) -> Parsed<Cond>,
    ) -> Parsed<Cond> {
        let first = part(self)?;
        if self.peek().0 != operator {
            return Ok(first);
        }
        let start = first.place.start;
        let mut parts = vec![first];
        while self.peek().0 == operator {
            self.advance();
            parts.push(part(self)?);
        }
        Ok(Cond { place: start..self.end_of(&parts), kind: kind(parts) })
    }

    fn end_of(&self, parts: &[Cond]) -> usize {
        parts.last().map_or(self.end, |c| c.place.end)
    }

    fn not(&mut self) -> Parsed<Cond> {
        let start = self.peek().1.start;
        let mut count = 0usize;
        while *self.peek().0 == Token::Not {
            self.advance();
            count += 1;
        }
        let inner = self.primary()?;
        let place = start..inner.place.end;
        Ok(match (count, count % 2) {
            (0, _) => inner,
            (_, 0) => Cond { place, kind: inner.kind },
            _ => Cond { place, kind: CondKind::Not(Box::new(inner)) },
        })
    }

    fn primary(&mut self) -> Parsed<Cond> {
        let (token, place) = self.peek();
        let start = place.start;
        let kind = match token {
            Token::True | Token::False => CondKind::Test(Test::Constant(self.advance().0 == Token::True)),
            Token::Char(b'(') => {
                self.advance();
                let inner = self.nested(Self::or)?;
                self.expect(&Token::Char(b')'), &["T_OP_OR", "T_OP_AND", "')'"])?;
                inner.kind
            }
            Token::Unary(letter) => {
                let letter = *letter;
                let (_, operator) = self.advance();
                CondKind::Test(self.unary(letter, operator)?)
            }
            Token::Error(_) => return self.scanner_error(),
            _ => CondKind::Test(self.comparison()?),
        };
        Ok(Cond { place: start..self.end, kind })
    }

    fn unary(&mut self, letter: u8, operator: Place) -> Parsed<Test> {
        let word = self.word()?;
        let op = match letter {
            b'd' => UnaryOp::IsDir,
            b'e' => UnaryOp::Exists,
            b'f' => UnaryOp::IsFile,
            b's' => UnaryOp::HasSize,
            b'L' | b'h' => UnaryOp::IsLink,
            b'x' => UnaryOp::IsExecutable,
            b'F' => UnaryOp::FileAccessible,
            b'U' | b'A' => UnaryOp::UrlAccessible,
            b'n' => UnaryOp::NonEmpty,
            b'z' => UnaryOp::Empty,
            b'T' => UnaryOp::IsTrue,
            b'R' => {
                let subnet = self.subnet("R", &word);
                return Ok(subnet.map_or(Test::Constant(false), Test::RemoteIn));
            }
            other => {
                self.note(format!("Unary operator '-{}' does not exist", char::from(other)), operator);
                return Ok(Test::Constant(false));
            }
        };
        let reads_files = matches!(letter, b'd' | b'e' | b'f' | b's' | b'L' | b'h' | b'x');
        if reads_files && self.options.include {
            self.note(format!("-{} not available in restricted context", char::from(letter)), operator);
        }
        Ok(Test::Unary(op, word))
    }

    /// The network that `-R` and `-ipmatch` want as a plain string.
    fn subnet(&mut self, operator: &str, word: &Word) -> Option<Subnet> {
        let WordKind::Literal(text) = &word.kind else {
            let message = format!("-{operator} requires subnet/netmask as constant argument");
            self.note(message, word.place.clone());
            return None;
        };
        let subnet = Subnet::parse(text);
        if subnet.is_none() {
            self.note("parsing of subnet/netmask failed".to_owned(), word.place.clone());
        }
        subnet
    }

    fn comparison(&mut self) -> Parsed<Test> {
        let left = self.word()?;
        match self.peek().0.clone() {
            Token::Compare(op) => {
                self.advance();
                Ok(Test::Compare(op, left, self.word()?))
            }
            Token::Reg | Token::Nre => self.matching(left),
            Token::In => {
                self.advance();
                Ok(Test::In(left, self.list()?))
            }
            Token::Binary(name) => {
                let (_, operator) = self.advance();
                self.binary(&name, operator, left)
            }
            _ => self.unexpected(&[]),
        }
    }

    fn matching(&mut self, word: Word) -> Parsed<Test> {
        let negated = self.advance().0 == Token::Nre;
        let Token::Regex { pattern, caseless } = self.peek().0.clone() else {
            return self.unexpected(&["T_REGEX", "T_REGEX_I"]);
        };
        let regex_place = self.advance().1;
        match Regex::with(&pattern, caseless, self.options.regex) {
            Ok(regex) => Ok(Test::Match { word, regex, regex_place, negated }),
            Err(_) => {
                let message = "Failed to compile regular expression".into();
                Err(Stop::Here(ParseError { message, place: regex_place }))
            }
        }
    }

    fn binary(&mut self, name: &[u8], operator: Place, left: Word) -> Parsed<Test> {
        let right = self.word()?;
        let op = match name.to_ascii_lowercase().as_slice() {
            b"strmatch" => WildcardOp::StrMatch,
            b"strcmatch" => WildcardOp::StrcMatch,
            b"fnmatch" => WildcardOp::FnMatch,
            b"ipmatch" => {
                let subnet = self.subnet(&name.escape_ascii().to_string(), &right);
                return Ok(subnet.map_or(Test::Constant(false), |s| Test::IpMatch(left, s)));
            }
            _ => {
                let message = format!("Binary operator '-{}' does not exist", name.escape_ascii());
                self.note(message, operator);
                return Ok(Test::Constant(false));
            }
        };
        Ok(Test::Wildcard(op, left, right))
    }

    fn list(&mut self) -> Parsed<List> {
        match self.peek().0.clone() {
            Token::Id(name) => {
                let (_, place) = self.advance();
                let arg = self.call_argument()?;
                if !(self.options.ssl && name.eq_ignore_ascii_case(b"PeerExtList")) {
                    self.missing("List-returning function", &name, place);
                }
                Ok(List::PeerExtList(arg))
            }
            Token::Char(b'{') => {
                self.advance();
                let mut words = vec![self.word()?];
                while *self.peek().0 == Token::Char(b',') {
                    self.advance();
                    words.push(self.word()?);
                }
                self.expect(&Token::Char(b'}'), &["'}'", "','"])?;
                Ok(List::Words(words))
            }
            _ => self.unexpected(&["T_ID", "'{'"]),
        }
    }

    fn missing(&mut self, what: &str, name: &[u8], place: Place) {
        self.note(format!("{what} '{}' does not exist", name.escape_ascii()), place);
    }

    /// A word: parts joined by `.`.
    fn word(&mut self) -> Parsed<Word> {
        let mut parts = vec![self.simple_word()?];
        while *self.peek().0 == Token::Concat {
            self.advance();
            parts.push(self.simple_word()?);
        }
        Ok(concat(parts))
    }

    fn simple_word(&mut self) -> Parsed<Word> {
        let start = self.peek().1.start;
        let kind = match self.peek().0.clone() {
            Token::Digit(digits) => {
                self.advance();
                WordKind::Digits(digits.into())
            }
            Token::Backref(n) => {
                self.advance();
                WordKind::Backref(n)
            }
            Token::Id(name) => {
                let (_, place) = self.advance();
                let arg = self.call_argument()?;
                self.call(&name, place, arg)
            }
            Token::VarBegin => self.variable()?,
            Token::StrBegin => {
                self.advance();
                let word = self.string(start)?;
                self.expect(&Token::StrEnd, &[])?;
                word.kind
            }
            _ => return self.unexpected(&[]),
        };
        Ok(Word { place: start..self.end, kind })
    }

    fn call_argument(&mut self) -> Parsed<Word> {
        self.expect(&Token::Char(b'('), &["'('"])?;
        let arg = self.nested(Self::word)?;
        self.expect(&Token::Char(b')'), &["T_OP_CONCAT", "')'"])?;
        Ok(arg)
    }

    fn call(&mut self, name: &[u8], place: Place, arg: Word) -> WordKind {
        let Options { ssl, include, no_file_functions, .. } = self.options;
        let function = match name {
            [b'v' | b'V'] if include => Some(Function::Reqenv),
            _ => Function::named(name, ssl),
        };
        if function.is_none() {
            self.missing("Function", name, place.clone());
        }
        if function.is_some_and(Function::is_restricted) && (no_file_functions || include) {
            self.note(format!("{} not available in restricted context", name.escape_ascii()), place);
        }
        WordKind::Call(function.unwrap_or(Function::Note), Box::new(arg))
    }

    /// `%{NAME}` or `%{name:text}`.
    fn variable(&mut self) -> Parsed<WordKind> {
        self.advance();
        let Token::Id(name) = self.peek().0.clone() else { return self.unexpected(&["T_ID"]) };
        let (_, place) = self.advance();
        match self.peek().0 {
            Token::VarEnd => {
                self.advance();
                let variable = Variable::named(&name, self.options.ssl);
                if variable.is_none() {
                    self.missing("Variable", &name, place);
                }
                Ok(variable.map_or(WordKind::Literal(Default::default()), WordKind::Variable))
            }
            Token::Char(b':') => {
                let (_, colon) = self.advance();
                let arg = self.nested(|p| p.string(colon.end))?;
                if arg.place.is_empty() {
                    return self.unexpected(&["T_ERROR", "T_STRING", "T_REGEX_BACKREF", "T_VAR_BEGIN"]);
                }
                self.expect(&Token::VarEnd, &[])?;
                Ok(self.call(&name, place, arg))
            }
            _ => self.unexpected(&["T_VAR_END", "':'"]),
        }
    }

    fn string_alone(&mut self) -> Parsed<Word> {
        let word = self.string(0)?;
        self.expect(&Token::End, &["$end"])?;
        Ok(word)
    }

    /// Text with variables and back-references; may be empty.
    fn string(&mut self, start: usize) -> Parsed<Word> {
        let mut parts = Vec::new();
        loop {
            let from = self.peek().1.start;
            let kind = match self.peek().0.clone() {
                Token::String(text) => {
                    self.advance();
                    WordKind::Literal(text.into())
                }
                Token::Backref(n) => {
                    self.advance();
                    WordKind::Backref(n)
                }
                Token::VarBegin => self.variable()?,
                Token::Error(_) => return self.scanner_error(),
                _ if parts.is_empty() => {
                    return Ok(Word { place: start..start, kind: WordKind::Literal(Default::default()) });
                }
                _ => return Ok(concat(parts)),
            };
            parts.push(Word { place: from..self.end, kind });
        }
    }
}

fn concat(mut parts: Vec<Word>) -> Word {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let start = parts.first().map_or(0, |w| w.place.start);
    let end = parts.last().map_or(start, |w| w.place.end);
    Word { place: start..end, kind: WordKind::Concat(parts) }
}

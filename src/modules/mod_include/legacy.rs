//! Conditions as Apache 2.2 understood them (SSILegacyExprParser): strings, comparisons, regular
//! expressions between slashes.

use super::{
    page::{Matched, Page},
    variables::Undefined,
};
use crate::{
    engine::{Cx, LookedUp},
    http::Status,
    policy::{expr::Captures, regex::Regex},
};
use bstr::{BString, ByteSlice};
use std::cmp::Ordering;

/// Nothing nests deeper than this.
const MAX_DEPTH: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    String(BString),
    Regex(BString),
    And,
    Or,
    Not,
    Compare(Operator),
    Open,
    Close,
    Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A condition as it is put together.
#[derive(Debug)]
enum Node {
    String(BString),
    /// A string and what it is compared with, if that is there.
    Compare(Operator, BString, Option<Operand>),
    Not(Box<Node>),
    /// Parentheses; with nothing inside they hold.
    Group(Option<Box<Node>>),
    /// `&&`, or else `||`: all that follows is their right side, if there is one.
    Joined {
        and: bool,
        left: Box<Node>,
        right: Option<Box<Node>>,
    },
    Access(BString),
}

#[derive(Debug)]
enum Operand {
    String(BString),
    Regex(BString),
}

/// Why a text is no condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Order,
    Open,
    Close,
    Access,
}

impl Wrong {
    fn log(self, cx: &mut Cx<'_>, text: &BString) {
        let file = cx.req.filename.clone();
        match self {
            Wrong::Order => {
                cx.log(3, "AH03188", format_args!("Invalid expression \"{text}\" in file {file}"))
            }
            Wrong::Open => cx.log(3, "AH03191", format_args!("Unmatched '(' in \"{text}\" in file {file}")),
            Wrong::Close => cx.log(3, "AH03189", format_args!("Unmatched ')' in \"{text}\" in file {file}")),
            Wrong::Access => {
                let why = "Token '-A' must be followed by a URI string.";
                cx.log(3, "AH01335", format_args!("Invalid expression \"{text}\" in file {file}: {why}"));
            }
        }
    }
}

/// Whether a condition holds; `None` if it is none, which is logged.
pub fn holds(page: &mut Page, cx: &mut Cx<'_>, text: &BString) -> Option<bool> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    if parser.tokens.is_empty() {
        return Some(false);
    }
    let parsed = parser.joined(0).and_then(|node| match parser.peek() {
        None => Ok(node),
        Some(Token::Close) => Err(Wrong::Close),
        Some(_) => Err(Wrong::Order),
    });
    match parsed {
        Ok(node) => Run { page, text }.holds(cx, &node),
        Err(wrong) => {
            wrong.log(cx, text);
            None
        }
    }
}

fn tokens(text: &[u8]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, length) = token(rest, tokens.last());
        // Strings in a row are one, with blanks between them.
        match (tokens.last_mut(), token) {
            (Some(Token::String(before)), Token::String(more)) => {
                before.push(b' ');
                before.extend_from_slice(&more);
            }
            (_, token) => tokens.push(token),
        }
        rest = rest[length..].trim_start();
    }
    tokens
}

fn token(text: &[u8], before: Option<&Token>) -> (Token, usize) {
    const FIXED: [(&[u8], Token); 12] = [
        (b"==", Token::Compare(Operator::Equal)),
        (b"!=", Token::Compare(Operator::NotEqual)),
        (b"<=", Token::Compare(Operator::LessOrEqual)),
        (b">=", Token::Compare(Operator::GreaterOrEqual)),
        (b"&&", Token::And),
        (b"||", Token::Or),
        (b"=", Token::Compare(Operator::Equal)),
        (b"<", Token::Compare(Operator::Less)),
        (b">", Token::Compare(Operator::Greater)),
        (b"!", Token::Not),
        (b"(", Token::Open),
        (b")", Token::Close),
    ];
    if let Some((word, token)) = FIXED.iter().find(|(word, _)| text.starts_with(word)) {
        return (token.clone(), word.len());
    }
    match text[0] {
        b'\'' => {
            let (value, length) = quoted(&text[1..], b'\'');
            (Token::String(value), length + 1)
        }
        b'/' if before != Some(&Token::Access) => {
            let (value, length) = quoted(&text[1..], b'/');
            (Token::Regex(value), length + 1)
        }
        b'-' if text.get(1).is_some_and(|letter| *letter == b'A')
            && text.get(2).is_none_or(|next| next.is_ascii_whitespace()) =>
        {
            (Token::Access, 2)
        }
        _ => word(text),
    }
}

/// Up to the closing quote, without backslashes and with what each is before. Where the quote is missing
/// there is nothing.
fn quoted(text: &[u8], quote: u8) -> (BString, usize) {
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\\' => {
                value.extend(text.get(at));
                at += 1;
            }
            _ if byte == quote => return (value.into(), at),
            _ => value.push(byte),
        }
    }
    (BString::default(), text.len())
}

/// A string without quotes: up to a blank or an operator.
fn word(text: &[u8]) -> (Token, usize) {
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => {
                at += 1;
                value.extend(text.get(at));
            }
            b' ' | b'\t'..=b'\r' | b'=' | b'!' | b'<' | b'>' | b'(' | b')' => break,
            b'&' | b'|' if text.get(at + 1) == Some(&byte) => break,
            _ => value.push(byte),
        }
        at += 1;
    }
    (Token::String(value.into()), at.min(text.len()))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn joined(&mut self, depth: usize) -> Result<Node, Wrong> {
        if depth > MAX_DEPTH {
            return Err(Wrong::Order);
        }
        let left = self.unit(depth)?;
        let and = match self.peek() {
            Some(Token::And) => true,
            Some(Token::Or) => false,
            _ => return Ok(left),
        };
        self.at += 1;
        let ends = matches!(self.peek(), None | Some(Token::Close));
        let right = if ends { None } else { Some(Box::new(self.joined(depth + 1)?)) };
        Ok(Node::Joined { and, left: Box::new(left), right })
    }

    fn unit(&mut self, depth: usize) -> Result<Node, Wrong> {
        if depth > MAX_DEPTH {
            return Err(Wrong::Order);
        }
        match self.take() {
            Some(Token::Not) => match self.unit(depth + 1)? {
                // `!` takes a string alone.
                Node::Compare(..) => Err(Wrong::Order),
                node => Ok(Node::Not(Box::new(node))),
            },
            Some(Token::Open) => {
                let inside = match self.peek() {
                    Some(Token::Close) => None,
                    None => return Err(Wrong::Open),
                    Some(_) => Some(Box::new(self.joined(depth + 1)?)),
                };
                match self.take() {
                    Some(Token::Close) => Ok(Node::Group(inside)),
                    None => Err(Wrong::Open),
                    Some(_) => Err(Wrong::Order),
                }
            }
            Some(Token::Access) => match self.take() {
                Some(Token::String(url)) => Ok(Node::Access(url)),
                _ => Err(Wrong::Access),
            },
            Some(Token::String(left)) => {
                let Some(Token::Compare(operator)) = self.peek().cloned() else {
                    return Ok(Node::String(left));
                };
                self.at += 1;
                let right = match self.peek().cloned() {
                    Some(Token::String(right)) => Some(Operand::String(right)),
                    Some(Token::Regex(right)) => Some(Operand::Regex(right)),
                    None | Some(Token::Close | Token::And | Token::Or) => None,
                    Some(_) => return Err(Wrong::Order),
                };
                self.at += usize::from(right.is_some());
                Ok(Node::Compare(operator, left, right))
            }
            _ => Err(Wrong::Order),
        }
    }
}

struct Run<'r> {
    page: &'r mut Page,
    text: &'r BString,
}

impl Run<'_> {
    fn holds(&mut self, cx: &mut Cx<'_>, node: &Node) -> Option<bool> {
        match node {
            Node::String(text) => Some(!self.page.expand(cx, text, Undefined::Goes).is_empty()),
            Node::Not(node) => self.holds(cx, node).map(|holds| !holds),
            Node::Group(None) => Some(true),
            Node::Group(Some(node)) => self.holds(cx, node),
            Node::Access(url) => Some(self.accessible(cx, url)),
            Node::Joined { right: None, .. } => self.lacks(cx, "AH01332"),
            Node::Joined { and, left, right: Some(right) } => {
                let left = self.holds(cx, left)?;
                if left == *and { self.holds(cx, right) } else { Some(left) }
            }
            Node::Compare(_, _, None) => self.lacks(cx, "AH01333"),
            Node::Compare(operator, left, Some(Operand::Regex(pattern))) => {
                let left = self.page.expand(cx, left, Undefined::Goes);
                Some(self.matches(cx, &left, pattern) == (*operator == Operator::Equal))
            }
            Node::Compare(operator, left, Some(Operand::String(right))) => {
                let left = self.page.expand(cx, left, Undefined::Goes);
                let order = left.cmp(&self.page.expand(cx, right, Undefined::Goes));
                Some(operator.allows(order))
            }
        }
    }

    /// An operator without its right side.
    fn lacks(&self, cx: &mut Cx<'_>, number: &'static str) -> Option<bool> {
        let (text, file) = (self.text, cx.req.filename.clone());
        cx.log(3, number, format_args!("Invalid expression \"{text}\" in file {file}"));
        None
    }

    /// Whether a pattern fits; so does one that cannot be compiled.
    fn matches(&mut self, cx: &mut Cx<'_>, subject: &BString, pattern: &BString) -> bool {
        let pattern = self.page.expand(cx, pattern, Undefined::Goes);
        let Ok(regex) = Regex::new(&pattern, false) else {
            cx.log(3, "AH02667", format_args!("unable to compile pattern \"{pattern}\""));
            return true;
        };
        let groups = regex.captures(subject);
        let found = groups.is_some();
        let captures = groups.map(|groups| Captures::of(subject.clone(), groups));
        self.page.matched = Some(Matched { pattern, count: regex.group_count(), captures });
        found
    }

    fn accessible(&mut self, cx: &mut Cx<'_>, url: &BString) -> bool {
        let url = self.page.expand(cx, url, Undefined::Goes);
        match cx.look_up_url(&url) {
            LookedUp::Found(request) if request.status == Status::OK => true,
            _ => {
                let text = "The tested subrequest -A";
                cx.log(6, "AH01336", format_args!("mod_include: {text} \"{url}\" returned an error code."));
                false
            }
        }
    }
}

impl Operator {
    fn allows(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Greater => order == Ordering::Greater,
            Operator::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

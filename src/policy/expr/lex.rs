//! Text to tokens. Which tokens are possible depends on where one stands: in the open, in a
//! string, in the name of a variable, or in a function's argument behind a colon.

use bstr::BString;
use nom::{
    AsChar, IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_till, take_while},
    character::complete::{digit1, one_of, satisfy},
    combinator::{map, opt, recognize, value},
    sequence::pair,
};

use super::ast::{CompareOp, Place};

/// Strings and patterns hold fewer bytes than this (MAX_STRING_LEN).
const MAX_STRING_LEN: usize = 8192;

/// A token; names as in Apache's messages come from [`Token::name`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    True,
    False,
    Digit(Vec<u8>),
    Id(Vec<u8>),
    String(Vec<u8>),
    Regex {
        pattern: Vec<u8>,
        caseless: bool,
    },
    Backref(u8),
    Unary(u8),
    Binary(Vec<u8>),
    StrBegin,
    StrEnd,
    VarBegin,
    VarEnd,
    Compare(CompareOp),
    Reg,
    Nre,
    In,
    Concat,
    Or,
    And,
    Not,
    Char(u8),
    Error(BString),
    /// Apache's scanner has no rule for this and ends the process.
    Jammed,
    End,
}

impl Token {
    /// As bison names it.
    pub fn name(&self) -> &'static str {
        match self {
            Token::True => "T_TRUE",
            Token::False => "T_FALSE",
            Token::Digit(_) => "T_DIGIT",
            Token::Id(_) => "T_ID",
            Token::String(_) => "T_STRING",
            Token::Regex { caseless: false, .. } => "T_REGEX",
            Token::Regex { caseless: true, .. } => "T_REGEX_I",
            Token::Backref(_) => "T_REGEX_BACKREF",
            Token::Unary(_) => "T_OP_UNARY",
            Token::Binary(_) => "T_OP_BINARY",
            Token::StrBegin => "T_STR_BEGIN",
            Token::StrEnd => "T_STR_END",
            Token::VarBegin => "T_VAR_BEGIN",
            Token::VarEnd => "T_VAR_END",
            Token::Compare(op) => compare_name(*op),
            Token::Reg => "T_OP_REG",
            Token::Nre => "T_OP_NRE",
            Token::In => "T_OP_IN",
            Token::Concat => "T_OP_CONCAT",
            Token::Or => "T_OP_OR",
            Token::And => "T_OP_AND",
            Token::Not => "T_OP_NOT",
            Token::Char(b'(') => "'('",
            Token::Char(b')') => "')'",
            Token::Char(b'{') => "'{'",
            Token::Char(b'}') => "'}'",
            Token::Char(b',') => "','",
            Token::Char(_) => "':'",
            Token::Error(_) | Token::Jammed => "T_ERROR",
            Token::End => "$end",
        }
    }
}

fn compare_name(op: CompareOp) -> &'static str {
    match op {
        CompareOp::StrEq => "T_OP_STR_EQ",
        CompareOp::StrNe => "T_OP_STR_NE",
        CompareOp::StrLt => "T_OP_STR_LT",
        CompareOp::StrLe => "T_OP_STR_LE",
        CompareOp::StrGt => "T_OP_STR_GT",
        CompareOp::StrGe => "T_OP_STR_GE",
        CompareOp::Eq => "T_OP_EQ",
        CompareOp::Ne => "T_OP_NE",
        CompareOp::Lt => "T_OP_LT",
        CompareOp::Le => "T_OP_LE",
        CompareOp::Gt => "T_OP_GT",
        CompareOp::Ge => "T_OP_GE",
    }
}

/// Where the scanner stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    /// In a string; `None` for an expression that is a string as a whole.
    Str(Option<u8>),
    Var,
    VarArg,
}

/// Hands out one token after the other.
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    states: Vec<State>,
}

impl<'t> Lexer<'t> {
    /// A scanner for a condition, or for a string.
    pub fn new(text: &'t [u8], string: bool) -> Self {
        let state = if string { State::Str(None) } else { State::Open };
        Lexer { text, at: 0, states: vec![state] }
    }

    /// The next token and its place; [`Token::End`] for ever at the end.
    pub fn next(&mut self) -> (Token, Place) {
        match self.states.last().copied().unwrap_or(State::Open) {
            State::Open => self.open(),
            State::Str(quote) => self.string(quote),
            State::Var => self.var(),
            State::VarArg => self.var_arg(),
        }
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: Token, len: usize) -> (Token, Place) {
        let from = self.at;
        self.at = (from + len).min(self.text.len());
        (token, from..self.at)
    }

    fn open(&mut self) -> (Token, Place) {
        self.at += self.rest().iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n')).count();
        let rest = self.rest();
        let Some(&first) = rest.first() else { return self.take(Token::End, 0) };
        let unclosed = starts_regex(rest) && regex(rest).is_err();
        match open_token(rest) {
            _ if unclosed => self.take(Token::End, rest.len()),
            Ok((after, token)) => {
                match token {
                    Token::StrBegin => self.states.push(State::Str(Some(first))),
                    Token::VarBegin => self.states.push(State::Var),
                    _ => {}
                }
                self.take(token, rest.len() - after.len())
            }
            Err(_) => self.take(about("Parse error near", first), 1),
        }
    }

    fn var(&mut self) -> (Token, Place) {
        let rest = self.rest();
        match rest.first() {
            None => self.take(Token::Error(UNTERMINATED.into()), 0),
            Some(b':') => {
                self.states.pop();
                self.states.push(State::VarArg);
                self.take(Token::Char(b':'), 1)
            }
            Some(b'}') => {
                self.states.pop();
                self.take(Token::VarEnd, 1)
            }
            Some(&other) => match id(rest) {
                Ok((after, name)) => self.take(Token::Id(name.to_vec()), rest.len() - after.len()),
                Err(_) => self.take(about("Invalid character in variable name", other), 1),
            },
        }
    }

    fn string(&mut self, quote: Option<u8>) -> (Token, Place) {
        let from = self.at;
        let text = self.text_until(|b| Some(b) == quote);
        match (text, self.rest().first()) {
            (Err(error), _) => (error, from..self.at),
            (Ok(text), _) if self.at > from => (Token::String(text), from..self.at),
            (_, None) if quote.is_none() => self.take(Token::End, 0),
            (_, None) => self.take(Token::Error(UNTERMINATED.into()), 0),
            (_, Some(&b)) if Some(b) == quote => {
                self.states.pop();
                self.take(Token::StrEnd, 1)
            }
            _ => self.embedded(),
        }
    }

    fn var_arg(&mut self) -> (Token, Place) {
        let from = self.at;
        let text = self.text_until(|b| matches!(b, b'}' | b'\'' | b'"'));
        match (text, self.rest().first()) {
            (Err(error), _) => (error, from..self.at),
            (Ok(text), _) if self.at > from => (Token::String(text), from..self.at),
            (_, None) => self.take(Token::Error(UNTERMINATED.into()), 0),
            (_, Some(b'}')) => {
                self.states.pop();
                self.take(Token::VarEnd, 1)
            }
            (_, Some(b'\'' | b'"')) => self.take(Token::Jammed, 1),
            _ => self.embedded(),
        }
    }

    /// `%{` or `$N` inside a string.
    fn embedded(&mut self) -> (Token, Place) {
        match self.rest() {
            [b'$', n @ b'0'..=b'9', ..] => self.take(Token::Backref(n - b'0'), 2),
            _ => {
                self.states.push(State::Var);
                self.take(Token::VarBegin, 2)
            }
        }
    }

    /// Plain text up to a stop, a variable, or a back-reference; cut at the first NUL it makes.
    fn text_until(&mut self, stop: impl Fn(u8) -> bool) -> Result<Vec<u8>, Token> {
        let in_quotes = self.states.last() != Some(&State::Str(None));
        let mut out = Vec::new();
        loop {
            match self.rest() {
                [] | [b'%', b'{', ..] | [b'$', b'0'..=b'9', ..] => break,
                [b'\\', ..] => match escape(self.rest()) {
                    Ok((after, byte)) => {
                        self.at = self.text.len() - after.len();
                        out.push(byte.map_err(|text| Token::Error(text.into()))?);
                    }
                    Err(_) => return Err(Token::Jammed),
                },
                [b'\n', ..] if in_quotes => return Err(Token::Error(UNTERMINATED.into())),
                [b, ..] if stop(*b) => break,
                [b, ..] => {
                    out.push(*b);
                    self.at += 1;
                }
            }
            if out.len() >= MAX_STRING_LEN {
                return Err(Token::Error("String too long".into()));
            }
        }
        if let Some(nul) = out.iter().position(|&b| b == 0) {
            out.truncate(nul);
        }
        Ok(out)
    }
}

/// A complaint about one byte, which need not be ASCII.
fn about(what: &str, byte: u8) -> Token {
    let message = [what.as_bytes(), b" '", &[byte], b"'"].concat();
    Token::Error(message.into())
}

const UNTERMINATED: &str = "Unterminated string or variable";

fn id(text: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize(pair(satisfy(|c| c.is_ascii_alphabetic()), take_while(is_id_byte))).parse(text)
}

fn is_id_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// A backslash and what follows it: a byte, or Apache's message.
fn escape(text: &[u8]) -> IResult<&[u8], Result<u8, &'static str>> {
    let (rest, _) = tag("\\").parse(text)?;
    if let Ok((rest, digits)) = digit1::<_, nom::error::Error<&[u8]>>(rest) {
        let octal = digits.len() <= 3 && digits.iter().all(|b| b.is_oct_digit());
        let number = digits.iter().take(3).fold(0u32, |n, b| n * 8 + u32::from(b.wrapping_sub(b'0')));
        let byte = match (octal, u8::try_from(number)) {
            (false, _) => Err("Bad escape sequence"),
            (true, Err(_)) => Err("Escape sequence out of bound"),
            (true, Ok(byte)) => Ok(byte),
        };
        return Ok((rest, byte));
    }
    let (rest, b) = nom::number::complete::u8(rest)?;
    let byte = match b {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        other => other,
    };
    Ok((rest, Ok(byte)))
}

fn open_token(text: &[u8]) -> IResult<&[u8], Token> {
    alt((regex, string_or_variable, backref, digits, dashed, symbol, word)).parse(text)
}

fn string_or_variable(text: &[u8]) -> IResult<&[u8], Token> {
    alt((value(Token::StrBegin, one_of("'\"")), value(Token::VarBegin, tag("%{")))).parse(text)
}

fn backref(text: &[u8]) -> IResult<&[u8], Token> {
    let (rest, _) = tag("$").parse(text)?;
    map(satisfy(|c| c.is_ascii_digit()), |c| Token::Backref(c as u8 - b'0')).parse(rest)
}

fn digits(text: &[u8]) -> IResult<&[u8], Token> {
    map(recognize(pair(opt(tag("-")), digit1)), |d: &[u8]| Token::Digit(d.to_vec())).parse(text)
}

/// `-f`, `-in`, `-eq`, `-strmatch`: one letter is a unary operator, more are a binary one.
fn dashed(text: &[u8]) -> IResult<&[u8], Token> {
    let (rest, _) = tag("-").parse(text)?;
    let (after, name) =
        recognize(pair(satisfy(|c| c.is_ascii_alphabetic() || c == '_'), take_while(is_id_byte)))
            .parse(rest)?;
    let token = match name {
        b"in" => Token::In,
        [letter] if letter.is_ascii_alphabetic() => Token::Unary(*letter),
        _ => match integer_op(name) {
            Some(op) => Token::Compare(op),
            None if name.len() > 1 => Token::Binary(name.to_vec()),
            None => return Err(nom::Err::Error(nom::error::make_error(text, nom::error::ErrorKind::Alpha))),
        },
    };
    Ok((after, token))
}

fn integer_op(name: &[u8]) -> Option<CompareOp> {
    Some(match name {
        b"eq" => CompareOp::Eq,
        b"ne" => CompareOp::Ne,
        b"lt" => CompareOp::Lt,
        b"le" => CompareOp::Le,
        b"gt" => CompareOp::Gt,
        b"ge" => CompareOp::Ge,
        _ => return None,
    })
}

fn symbol(text: &[u8]) -> IResult<&[u8], Token> {
    alt((
        value(Token::Reg, tag("=~")),
        value(Token::Nre, tag("!~")),
        value(Token::Compare(CompareOp::StrEq), tag("==")),
        value(Token::Compare(CompareOp::StrNe), tag("!=")),
        value(Token::Compare(CompareOp::StrLe), tag("<=")),
        value(Token::Compare(CompareOp::StrGe), tag(">=")),
        value(Token::Compare(CompareOp::StrEq), tag("=")),
        value(Token::Compare(CompareOp::StrLt), tag("<")),
        value(Token::Compare(CompareOp::StrGt), tag(">")),
        value(Token::And, tag("&&")),
        value(Token::Or, tag("||")),
        value(Token::Not, tag("!")),
        value(Token::Concat, tag(".")),
        map(one_of("(){},:"), |c| Token::Char(c as u8)),
    ))
    .parse(text)
}

fn word(text: &[u8]) -> IResult<&[u8], Token> {
    map(id, |name| match name {
        b"true" => Token::True,
        b"false" => Token::False,
        b"and" => Token::And,
        b"or" => Token::Or,
        b"not" => Token::Not,
        b"in" => Token::In,
        _ => integer_op(name).map_or_else(|| Token::Id(name.to_vec()), Token::Compare),
    })
    .parse(text)
}

/// `/` or `m` and a delimiter. There is no escape for the delimiter inside.
fn regex_start(text: &[u8]) -> IResult<&[u8], u8> {
    let delimiter = |text| map(one_of("/#$%^|?!'\",;:._-"), |c| c as u8).parse(text);
    if let [b'm', b'_', ..] = text {
        return Err(nom::Err::Error(nom::error::make_error(text, nom::error::ErrorKind::OneOf)));
    }
    alt((value(b'/', tag("/")), nom::sequence::preceded(tag("m"), delimiter))).parse(text)
}

/// A pattern that is never closed is read to the end, and is no token at all.
fn starts_regex(text: &[u8]) -> bool {
    regex_start(text).is_ok()
}

fn regex(text: &[u8]) -> IResult<&[u8], Token> {
    let (rest, delimiter) = regex_start(text)?;
    let (rest, pattern) = take_till(|b| b == delimiter).parse(rest)?;
    if pattern.len() >= MAX_STRING_LEN {
        return Ok((rest, Token::Error("Regexp too long".into())));
    }
    let (rest, _) = nom::bytes::complete::take(1usize).parse(rest)?;
    let (rest, flag) = opt(tag("i")).parse(rest)?;
    Ok((rest, Token::Regex { pattern: pattern.to_vec(), caseless: flag.is_some() }))
}

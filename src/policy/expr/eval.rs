//! Evaluation over a request.

use std::{fmt, net::IpAddr};

use bstr::{BString, ByteSlice};

use super::{
    ast::{CompareOp, Cond, CondKind, Expr, List, Root, Test, UnaryOp, WildcardOp, Word, WordKind},
    functions::{self, BadEscape, Function},
    variables::Variable,
};
use crate::{
    policy::{
        fnmatch::{Flags, fnmatch},
        regex::{self, Regex},
    },
    system::{Kind, Stat, System, path},
};

/// Evaluation nests no deeper than this (AP_EXPR_MAX_RECURSION).
const MAX_RECURSION: usize = 20;

/// `file()` reads no more than this.
const MAX_FILE_SIZE: u64 = 10 * 1024 * 1024;

/// What evaluation asks of the request, and tells it.
pub trait Context {
    /// Files, clock and environment.
    fn system(&self) -> &dyn System;
    /// A variable other than request headers and the time; `None` reads as the empty string.
    fn variable(&mut self, variable: &Variable) -> Option<BString>;
    /// A request header, several of one name joined by `, `.
    fn request_header(&self, name: &[u8]) -> Option<BString>;
    /// A response header: those of errors too, normal ones first.
    fn response_header(&self, name: &[u8]) -> Option<BString>;
    /// A variable of the request's environment (`SetEnv`, `SetEnvIf`); names are case-free here.
    fn env(&mut self, name: &[u8]) -> Option<BString>;
    /// A note of the request.
    fn note(&self, name: &[u8]) -> Option<BString>;
    /// The result depends on this request header; Apache adds it to `Vary` (`Host` never comes).
    fn vary(&mut self, header: &[u8]);
    /// The client's address, for `-R`.
    fn remote_ip(&self) -> Option<IpAddr>;
    /// What a sub-request for the file or URL would come to.
    fn sub_request(&mut self, kind: SubRequestKind, target: &[u8]) -> SubRequest;
    /// mod_ssl's list of extension values of the client's certificate.
    fn peer_extensions(&mut self, oid: &[u8]) -> Vec<BString> {
        let _ = oid;
        Vec::new()
    }
    /// The truth of a condition that is made of no others, as it is found: for the trace.
    fn decided(&mut self, cond: &Cond, truth: bool) {
        let _ = (cond, truth);
    }
    /// A line for the error log.
    fn log(&mut self, level: LogLevel, text: String);
}

/// How a sub-request is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubRequestKind {
    /// By file name (`-F`).
    File,
    /// By URL (`-U`, `-A`).
    Url,
}

/// The outcome of a lookup, which is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubRequest {
    /// HTTP status that the lookup ends with.
    pub status: u16,
    /// Whether it came to a regular file.
    pub is_file: bool,
}

/// Levels of what evaluation logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Apache's")]
pub enum LogLevel {
    Warn,
    Trace,
}

/// Why an expression has no value; Apache logs `Evaluation of expression from F:N failed: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// Apache's words.
    pub message: BString,
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.message, f)
    }
}

impl std::error::Error for EvalError {}

/// `$0` to `$9`: the last match, with its own copy of the subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    source: BString,
    groups: regex::Groups,
}

impl Captures {
    /// No match yet.
    pub fn new() -> Self {
        Captures::default()
    }

    /// A match made elsewhere.
    pub fn of(source: impl Into<BString>, groups: regex::Groups) -> Self {
        Captures { source: source.into(), groups }
    }

    /// What was matched, and its groups.
    pub fn into_parts(self) -> (BString, regex::Groups) {
        (self.source, self.groups)
    }

    /// How many groups there are, the whole match among them; 0 without a match.
    pub fn count(&self) -> usize {
        self.groups.len()
    }

    /// The bytes of group `n`, if it took part.
    pub fn group(&self, n: usize) -> Option<&[u8]> {
        let (start, end) = (*self.groups.get(n)?)?;
        self.source.get(start..end)
    }

    /// The bytes of group `n`; empty when it took no part.
    pub fn get(&self, n: usize) -> &[u8] {
        regex::group(&self.source, &self.groups, n)
    }
}

/// The truth of a condition. A string counts as true when it is not empty.
///
/// # Errors
/// Nesting too deep, or a file function that failed.
pub fn eval<C: Context + ?Sized>(
    expr: &Expr,
    context: &mut C,
    captures: &mut Captures,
) -> Result<bool, EvalError> {
    let mut run = Run { context, captures, varies: expr.varies };
    match &expr.root {
        Root::Condition(cond) => run.cond(cond, 1),
        Root::String(word) => run.root_string(word).map(|text| !text.is_empty()),
    }
}

/// The text of a string expression; a condition yields `true` or `false`.
///
/// # Errors
/// Nesting too deep, or a file function that failed.
pub fn eval_string<C: Context + ?Sized>(
    expr: &Expr,
    context: &mut C,
    captures: &mut Captures,
) -> Result<BString, EvalError> {
    match &expr.root {
        Root::Condition(_) => eval(expr, context, captures).map(|truth| truth.to_string().into()),
        Root::String(word) => Run { context, captures, varies: expr.varies }.root_string(word),
    }
}

struct Run<'a, C: ?Sized> {
    context: &'a mut C,
    captures: &'a mut Captures,
    varies: bool,
}

fn too_deep(level: usize) -> Result<(), EvalError> {
    if level > MAX_RECURSION {
        return Err(EvalError { message: "Recursion limit reached".into() });
    }
    Ok(())
}

impl<C: Context + ?Sized> Run<'_, C> {
    /// The last part of a chain and the inside of a negation stay on their level, as in Apache.
    fn cond(&mut self, cond: &Cond, level: usize) -> Result<bool, EvalError> {
        too_deep(level)?;
        match &cond.kind {
            CondKind::Not(inner) => self.cond(inner, level).map(|truth| !truth),
            CondKind::And(parts) => self.chain(parts, level, false),
            CondKind::Or(parts) => self.chain(parts, level, true),
            CondKind::Test(test) => {
                let truth = self.test(test, level)?;
                self.context.decided(cond, truth);
                Ok(truth)
            }
        }
    }

    fn test(&mut self, test: &Test, level: usize) -> Result<bool, EvalError> {
        match test {
            Test::Constant(truth) => Ok(*truth),
            Test::Compare(op, left, right) => self.compare(*op, left, right, level + 1),
            Test::Match { word, regex, negated, .. } => {
                let subject = self.word(word, level + 1)?;
                Ok(self.matches(regex, subject) != *negated)
            }
            Test::In(word, list) => self.is_in(word, list, level + 1),
            Test::Unary(op, word) => {
                let arg = self.word(word, level + 1)?;
                Ok(self.unary(*op, &arg))
            }
            Test::RemoteIn(subnet) => {
                Ok(self.context.remote_ip().is_some_and(|address| subnet.contains(address)))
            }
            Test::IpMatch(word, subnet) => {
                let text = self.word(word, level + 1)?;
                let address = text.to_str().ok().and_then(|text| text.parse().ok());
                Ok(address.is_some_and(|address| subnet.contains(address)))
            }
            Test::Wildcard(op, word, pattern) => {
                let (text, pattern) = (self.word(word, level + 1)?, self.word(pattern, level + 1)?);
                Ok(fnmatch(&pattern, &text, wildcard_flags(*op)))
            }
        }
    }

    /// A pattern without groups leaves `$0` to `$9` alone; one with groups sets or clears them.
    fn matches(&mut self, regex: &Regex, subject: BString) -> bool {
        if regex.group_count() == 0 {
            return regex.is_match(&subject);
        }
        let groups = regex.captures(&subject);
        let matched = groups.is_some();
        *self.captures = Captures::of(subject, groups.unwrap_or_default());
        matched
    }

    fn chain(&mut self, parts: &[Cond], level: usize, stop_at: bool) -> Result<bool, EvalError> {
        for (n, part) in parts.iter().enumerate() {
            let last = n + 1 == parts.len();
            if self.cond(part, if last { level } else { level + 1 })? == stop_at {
                return Ok(stop_at);
            }
        }
        Ok(!stop_at)
    }

    fn compare(&mut self, op: CompareOp, left: &Word, right: &Word, level: usize) -> Result<bool, EvalError> {
        let (left, right) = (self.word(left, level)?, self.word(right, level)?);
        let strings = left.cmp(&right);
        let integers = integer(&left).cmp(&integer(&right));
        Ok(match op {
            CompareOp::StrEq => strings.is_eq(),
            CompareOp::StrNe => strings.is_ne(),
            CompareOp::StrLt => strings.is_lt(),
            CompareOp::StrLe => strings.is_le(),
            CompareOp::StrGt => strings.is_gt(),
            CompareOp::StrGe => strings.is_ge(),
            CompareOp::Eq => integers.is_eq(),
            CompareOp::Ne => integers.is_ne(),
            CompareOp::Lt => integers.is_lt(),
            CompareOp::Le => integers.is_le(),
            CompareOp::Gt => integers.is_gt(),
            CompareOp::Ge => integers.is_ge(),
        })
    }

    fn is_in(&mut self, word: &Word, list: &List, level: usize) -> Result<bool, EvalError> {
        let needle = self.word(word, level)?;
        match list {
            List::PeerExtList(oid) => {
                let oid = self.word(oid, level)?;
                Ok(self.context.peer_extensions(&oid).contains(&needle))
            }
            List::Words(words) => {
                for word in words {
                    if self.word(word, level)? == needle {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn unary(&mut self, op: UnaryOp, arg: &[u8]) -> bool {
        match op {
            UnaryOp::NonEmpty => !arg.is_empty(),
            UnaryOp::Empty => arg.is_empty(),
            UnaryOp::IsTrue => {
                let off: [&[u8]; 5] = [b"", b"0", b"off", b"false", b"no"];
                !off.iter().any(|word| arg.eq_ignore_ascii_case(word))
            }
            UnaryOp::IsDir => self.stat(arg).is_some_and(|s| s.is_dir()),
            UnaryOp::Exists => self.stat(arg).is_some(),
            UnaryOp::IsFile => self.stat(arg).is_some_and(|s| s.is_file()),
            UnaryOp::HasSize => self.stat(arg).is_some_and(|s| s.size != 0),
            // A link itself is executable by everyone, wherever it leads.
            UnaryOp::IsExecutable => self.lstat(arg).is_some_and(|s| s.mode & 0o111 != 0),
            UnaryOp::IsLink => self.lstat(arg).is_some_and(|s| s.kind == Kind::Link),
            UnaryOp::FileAccessible => {
                let outcome = self.context.sub_request(SubRequestKind::File, arg);
                outcome.status == 200 && outcome.is_file
            }
            UnaryOp::UrlAccessible => self.context.sub_request(SubRequestKind::Url, arg).status == 200,
        }
    }

    fn stat(&self, name: &[u8]) -> Option<Stat> {
        if name.is_empty() {
            return None;
        }
        self.context.system().stat(path(name)).ok()
    }

    fn lstat(&self, name: &[u8]) -> Option<Stat> {
        self.context.system().lstat(path(name)).ok()
    }

    /// In a string as a whole the parts of a row stand on the level of a single one.
    fn root_string(&mut self, word: &Word) -> Result<BString, EvalError> {
        match &word.kind {
            WordKind::Concat(parts) => self.concat(parts, 2),
            _ => self.word(word, 2),
        }
    }

    fn concat(&mut self, parts: &[Word], level: usize) -> Result<BString, EvalError> {
        let mut out = BString::default();
        for part in parts {
            out.extend_from_slice(&self.word(part, level)?);
        }
        Ok(out)
    }

    fn word(&mut self, word: &Word, level: usize) -> Result<BString, EvalError> {
        too_deep(level)?;
        match &word.kind {
            WordKind::Literal(text) | WordKind::Digits(text) => Ok(text.clone()),
            WordKind::Backref(n) => Ok(self.captures.get(usize::from(*n)).into()),
            WordKind::Variable(variable) => Ok(self.variable(variable)),
            WordKind::Call(function, arg) => {
                let arg = self.word(arg, level + 1)?;
                self.call(*function, &arg)
            }
            WordKind::Concat(parts) => self.concat(parts, level + 1),
        }
    }

    fn variable(&mut self, variable: &Variable) -> BString {
        match variable {
            Variable::Header(name) => self.header(name.as_bytes(), true),
            Variable::Time(part) => part.of(self.context.system().now()).into(),
            other => self.context.variable(other).unwrap_or_default(),
        }
    }

    fn header(&mut self, name: &[u8], varies: bool) -> BString {
        if varies && self.varies && !name.eq_ignore_ascii_case(b"Host") {
            self.context.vary(name);
        }
        self.context.request_header(name).unwrap_or_default()
    }

    fn call(&mut self, function: Function, arg: &[u8]) -> Result<BString, EvalError> {
        let osenv = |context: &C| context.system().env(arg).map(BString::from);
        Ok(match function {
            Function::Req => self.header(arg, true),
            Function::ReqNovary => self.header(arg, false),
            Function::Resp => self.context.response_header(arg).unwrap_or_default(),
            Function::Reqenv => self.context.env(arg).unwrap_or_default(),
            Function::Note => self.context.note(arg).unwrap_or_default(),
            Function::Osenv => osenv(self.context).unwrap_or_default(),
            Function::Env => {
                let own = self.context.note(arg).or_else(|| self.context.env(arg));
                own.or_else(|| osenv(self.context)).unwrap_or_default()
            }
            Function::Tolower => arg.to_ascii_lowercase().into(),
            Function::Toupper => arg.to_ascii_uppercase().into(),
            Function::Escape => functions::escape(arg),
            Function::Unescape => self.unescape(arg),
            Function::Base64 => functions::base64(arg),
            Function::Unbase64 => functions::unbase64(arg),
            Function::Md5 => functions::md5(arg),
            Function::Sha1 => functions::sha1(arg),
            Function::Ldap => functions::ldap(arg),
            Function::File => self.file(arg)?,
            Function::Filesize => {
                let size = self.stat(arg).filter(Stat::is_file).map_or(0, |s| s.size);
                size.to_string().into()
            }
            Function::Ssl => self.context.variable(&Variable::Ssl(arg.into())).unwrap_or_default(),
        })
    }

    fn unescape(&mut self, arg: &[u8]) -> BString {
        functions::unescape(arg).unwrap_or_else(|bad| {
            let what = if bad == BadEscape::Bad { "Bad" } else { "Forbidden" };
            let text = format!("AH00538: {what} % escape in unescape('{}')", arg.as_bstr());
            self.context.log(LogLevel::Warn, text);
            BString::default()
        })
    }

    fn file(&mut self, name: &[u8]) -> Result<BString, EvalError> {
        let fail = |before: &str, after: &str| {
            let message = bstr::concat([before.as_bytes(), name, after.as_bytes()]).into();
            Err(EvalError { message })
        };
        let Some(stat) = self.stat(name) else { return fail("Cannot open file ", "") };
        if stat.size > MAX_FILE_SIZE {
            return fail("File ", " too large");
        }
        match self.context.system().read(path(name), stat.size) {
            Ok(bytes) => Ok(functions::cut_at_nul(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => fail("Cannot read from file ", ""),
            Err(_) => fail("Cannot open file ", ""),
        }
    }
}

fn wildcard_flags(op: WildcardOp) -> Flags {
    match op {
        WildcardOp::StrMatch => Flags::NONE,
        WildcardOp::StrcMatch => Flags::CASE_BLIND,
        WildcardOp::FnMatch => Flags::PATHNAME,
    }
}

/// The number a string begins with, as strtoll(3) reads it in base 10; 0 when there is none.
fn integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0i64, |n, b| {
        let digit = i64::from(b - b'0');
        let n = n.saturating_mul(10);
        if negative { n.saturating_sub(digit) } else { n.saturating_add(digit) }
    })
}

//! `Header` and `RequestHeader`: what they say, checked in Apache's order.

use super::template::Template;
use crate::{
    diag::Span,
    policy::{
        Applied, Args, Config, Directive, Mistake, Place, Scope, Shape,
        expr::{self, Expr, Mode},
        regex::Regex,
    },
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

pub(super) static DIRECTIVES: [Directive; 2] = [
    Directive {
        name: "Header",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "an optional condition, an action, header and value followed by optional env clause",
        doc: "Changes a header field of answers.",
        apply: header,
    },
    Directive {
        name: "RequestHeader",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "an action, header and value followed by optional env clause",
        doc: "Changes a header field of requests.",
        apply: request_header,
    },
];

/// What the directives of a place say, in order.
#[derive(Clone, Debug, Default)]
pub struct HeaderRules {
    pub(super) request: Vec<Entry>,
    pub(super) success: Vec<Entry>,
    pub(super) always: Vec<Entry>,
}

impl Config for HeaderRules {
    fn merge(&self, outer: &Self) -> Self {
        HeaderRules {
            request: [outer.request.as_slice(), &self.request].concat(),
            success: [outer.success.as_slice(), &self.success].concat(),
            always: [outer.always.as_slice(), &self.always].concat(),
        }
    }
}

/// One directive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: BString,
    pub action: Action,
    pub condition: Condition,
    pub at: Span,
}

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Set(Value),
    SetIfEmpty(Value),
    Add(Value),
    Append(Value),
    Merge(Value),
    Unset,
    Echo(Regex),
    Note(Value),
    Edit { pattern: Regex, value: Value, all: bool },
}

/// When it is done.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    None,
    Early,
    Env { name: BString, set: bool },
    Expr(Arc<Expr>),
}

/// The text that is set.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Template(Template),
    Expr(Arc<Expr>),
}

fn header(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let mut words: Vec<BString> = args.node.words().map(|word| word.text).collect();
    let first = words.first().map(|word| word.to_ascii_lowercase());
    let always = first.as_deref() == Some(b"always");
    if always || first.as_deref() == Some(b"onsuccess") {
        words.remove(0);
    }
    let entry = entry(place, args, &words, true)?;
    let rules = place.dir::<HeaderRules>();
    if always {
        rules.always.push(entry)
    } else {
        rules.success.push(entry)
    }
    Ok(())
}

fn request_header(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let words: Vec<BString> = args.node.words().map(|word| word.text).collect();
    let entry = entry(place, args, &words, false)?;
    place.dir::<HeaderRules>().request.push(entry);
    Ok(())
}

fn mistake<T>(text: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake::new(text).id("RX0380"))
}

fn entry(
    place: &mut Place<'_, '_>,
    args: &Args<'_>,
    words: &[BString],
    answer: bool,
) -> Result<Entry, Mistake> {
    if words.len() > 5 {
        return mistake(format!("{} has too many arguments", args.node.name));
    }
    let word = |n: usize| words.get(n).map(|word| word.as_slice());
    let action = word(0).unwrap_or_default().to_ascii_lowercase();
    let name = word(1).unwrap_or_default();
    let (action, clause) = match action.as_slice() {
        b"edit" | b"edit*" => edit(place, words, action.ends_with(b"*"))?,
        _ if words.len() > 4 => return mistake("Too many arguments to directive"),
        b"unset" => match (word(2), word(3)) {
            (Some(_), Some(_)) => return mistake("header unset takes two arguments"),
            (clause, _) => (Action::Unset, clause),
        },
        b"echo" if word(3).is_some() => return mistake("Header echo takes two arguments"),
        b"echo" if !answer => return mistake("Header echo only valid on Header directives"),
        b"echo" => match place.regex(name, false) {
            Ok(pattern) => (Action::Echo(pattern), word(2)),
            Err(_) => return mistake("Header echo regex could not be compiled"),
        },
        b"note" if !answer => return mistake("RequestHeader does not support the 'note' action"),
        b"set" | b"setifempty" | b"add" | b"append" | b"merge" | b"note" => {
            let Some(text) = word(2) else { return mistake("Header requires three arguments") };
            let make = match action.as_slice() {
                b"set" => Action::Set,
                b"setifempty" => Action::SetIfEmpty,
                b"add" => Action::Add,
                b"append" => Action::Append,
                b"merge" => Action::Merge,
                _ => Action::Note,
            };
            (make(value(place, text)?), word(3))
        }
        _ => {
            return mistake(
                "first argument must be 'add', 'set', 'setifempty', 'append', 'merge', 'unset', 'echo', \
                 'note', 'edit', or 'edit*'.",
            );
        }
    };
    let condition = condition(place, clause)?;
    let name = name.split(|&byte| byte == b':').next().unwrap_or_default().into();
    Ok(Entry { name, action, condition, at: args.span })
}

fn edit<'w>(
    place: &Place<'_, '_>,
    words: &'w [BString],
    all: bool,
) -> Result<(Action, Option<&'w [u8]>), Mistake> {
    let [_, _, pattern, template, rest @ ..] = words else {
        return mistake("Header edit requires a match and a substitution");
    };
    let Ok(pattern) = place.regex(pattern, false) else {
        return mistake("Header edit regex could not be compiled");
    };
    let value = value(place, template)?;
    Ok((Action::Edit { pattern, value, all }, rest.first().map(|word| word.as_slice())))
}

fn value(place: &Place<'_, '_>, text: &[u8]) -> Result<Value, Mistake> {
    match text.strip_prefix(b"expr=") {
        Some(text) => match expr::parse(text, Mode::String, place.expression_options()) {
            Ok(parsed) => Ok(Value::Expr(Arc::new(parsed))),
            Err(error) => mistake(format!("Can't parse value expression : {}", error.message)),
        },
        None => Template::compile(text).map(Value::Template).or_else(mistake),
    }
}

fn condition(place: &Place<'_, '_>, clause: Option<&[u8]>) -> Result<Condition, Mistake> {
    let Some(clause) = clause else { return Ok(Condition::None) };
    let lower = clause.to_ascii_lowercase();
    if lower == b"early" {
        return Ok(Condition::Early);
    }
    if lower.starts_with(b"env=") {
        let (name, set) = match &clause[4..] {
            [b'!', name @ ..] => (name, false),
            name => (name, true),
        };
        if name.is_empty() {
            return mistake(
                "error: missing environment variable name. envclause should be in the form env=envar ",
            );
        }
        return Ok(Condition::Env { name: name.into(), set });
    }
    if lower.starts_with(b"expr=") {
        return match expr::parse(&clause[5..], Mode::Condition, place.expression_options()) {
            Ok(parsed) => Ok(Condition::Expr(Arc::new(parsed))),
            Err(error) => mistake(format!("Can't parse envclause/expression: {}", error.message)),
        };
    }
    mistake(format!("Unknown parameter: {}", clause.as_bstr()))
}

//! mod_headers: fields of requests and answers set, added to, edited and removed.
//!
//! Manual: `mod/mod_headers.html`. Those of requests change in the fixups, those of answers just
//! before the head is written; `early` ones as soon as the request is read.

mod config;
mod template;

use self::config::{Action, Condition, Entry, HeaderRules, Value};
use crate::{
    engine::{Answering, Cx, Hook, Made, Module, Order, Phase, Verdict},
    http::Headers,
    policy::{
        Kind,
        expr::{self, Captures},
        regex::{self, Regex},
    },
};
use bstr::{BString, ByteSlice};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_headers",
    source: "mod_headers.c",
    identifier: "headers_module",
    configs: &[Kind::of::<HeaderRules>()],
    directives: &config::DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::PostRead, order: Order::FIRST, run: early },
        Hook { phase: Phase::Fixup, order: Order::LAST, run: fixup },
    ],
    answering: Some(Answering { rank: 20, run: answering }),
    ..Module::NOTHING
};

/// Which fields an entry changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Those of the request.
    Request,
    /// Those of a successful answer.
    Success,
    /// Those of any answer (`always`).
    Always,
}

fn early(cx: &mut Cx<'_>) -> Verdict {
    let rules = cx.conf::<HeaderRules>();
    run(cx, &rules.request, Target::Request, true);
    run(cx, &rules.always, Target::Always, true);
    run(cx, &rules.success, Target::Success, true);
    Verdict::Declined
}

fn fixup(cx: &mut Cx<'_>) -> Verdict {
    let rules = cx.conf::<HeaderRules>();
    run(cx, &rules.request, Target::Request, false);
    Verdict::Declined
}

/// What the server makes itself for a status gets only what `always` says.
fn answering(cx: &mut Cx<'_>, made: Made) {
    let rules = cx.conf::<HeaderRules>();
    run(cx, &rules.always, Target::Always, false);
    if made == Made::ByHandler {
        run(cx, &rules.success, Target::Success, false);
    }
}

fn run(cx: &mut Cx<'_>, entries: &[Entry], target: Target, early: bool) {
    for entry in entries {
        if holds(cx, entry, early) {
            cx.once();
            cx.because(entry.at, format_args!("this changes the field {}", entry.name));
            apply(cx, entry, target);
        }
    }
}

fn holds(cx: &mut Cx<'_>, entry: &Entry, early: bool) -> bool {
    match &entry.condition {
        Condition::Early => early,
        _ if early => false,
        Condition::None => true,
        Condition::Env { name, set } => cx.req.env.contains(name) == *set,
        Condition::Expr(condition) => match expr::eval(condition, cx, &mut Captures::new()) {
            Ok(holds) => holds,
            Err(error) => {
                cx.log(
                    3,
                    "AH01501",
                    format_args!("Failed to evaluate expression ({}) - ignoring", error.message),
                );
                false
            }
        },
    }
}

fn table<'c>(cx: &'c mut Cx<'_>, target: Target) -> &'c mut Headers {
    match target {
        Target::Request => &mut cx.req.headers_in,
        Target::Success => &mut cx.req.headers_out,
        Target::Always => &mut cx.req.err_headers_out,
    }
}

fn apply(cx: &mut Cx<'_>, entry: &Entry, target: Target) {
    let name = &entry.name;
    // The type of an answer is not among its fields.
    let is_type = target != Target::Request && name.eq_ignore_ascii_case(b"Content-Type");
    match &entry.action {
        Action::Add(value) => {
            let text = expand(cx, value);
            table(cx, target).append(name, text);
        }
        Action::Append(value) => {
            let text = expand(cx, value);
            table(cx, target).merge(name, text);
        }
        Action::Merge(value) => {
            let text = expand(cx, value);
            let fields = table(cx, target);
            match fields.get(name) {
                None => fields.append(name, text),
                Some(old) if has_item(old, &text) => {}
                Some(_) => fields.merge(name, text),
            }
        }
        Action::SetIfEmpty(_) if table(cx, target).contains(name) => {}
        Action::Set(value) | Action::SetIfEmpty(value) => {
            let text = expand(cx, value);
            if is_type {
                cx.req.content_type = Some(text.clone());
            }
            table(cx, target).set(name, text);
        }
        Action::Unset => {
            if is_type {
                cx.req.content_type = None;
            }
            table(cx, target).remove(name);
        }
        Action::Echo(pattern) => {
            let same: Vec<(BString, BString)> = cx
                .req
                .headers_in
                .iter()
                .filter(|(name, _)| pattern.is_match(name))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            same.iter().for_each(|(name, value)| table(cx, target).append(name, value));
        }
        Action::Note(value) => {
            let note = expand(cx, value);
            if let Some(text) = table(cx, target).get(name).map(BString::from) {
                cx.req.notes.set(note, text);
            }
        }
        Action::Edit { pattern, value, all } => {
            edit_field(cx, entry, target, is_type, (pattern, value, *all))
        }
    }
}

fn edit_field(cx: &mut Cx<'_>, entry: &Entry, target: Target, is_type: bool, edit: (&Regex, &Value, bool)) {
    if is_type && let Some(old) = cx.req.content_type.clone() {
        cx.req.content_type = Some(edited(cx, &old, edit));
    }
    if !table(cx, target).contains(&entry.name) {
        return;
    }
    let old: Vec<(BString, BString)> =
        table(cx, target).iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut new = Headers::new();
    for (name, value) in old {
        let value = if name.eq_ignore_ascii_case(&entry.name) { edited(cx, &value, edit) } else { value };
        new.append(name, value);
    }
    *table(cx, target) = new;
}

/// The text with the first match, or all, replaced.
fn edited(cx: &mut Cx<'_>, text: &[u8], (pattern, value, all): (&Regex, &Value, bool)) -> BString {
    let mut out = BString::default();
    let mut rest = text;
    while let Some(groups) = pattern.captures(rest)
        && let Some(&Some((start, end))) = groups.first()
    {
        let template = expand(cx, value);
        out.extend_from_slice(&rest[..start]);
        out.extend_from_slice(&regex::substitute(&template, |n| regex::group(rest, &groups, n)));
        let mut next = end;
        if all && start == end {
            // A match of nothing would be found again: one byte is taken over.
            next = rest.len().min(end + 1);
            out.extend_from_slice(&rest[end..next]);
        }
        let done = !all || next >= rest.len();
        rest = &rest[next..];
        if done {
            break;
        }
    }
    out.extend_from_slice(rest);
    out
}

fn expand(cx: &mut Cx<'_>, value: &Value) -> BString {
    match value {
        Value::Template(template) => template.expand(cx),
        Value::Expr(value) => match expr::eval_string(value, cx, &mut Captures::new()) {
            Ok(text) => text,
            Err(error) => {
                cx.log(3, "AH02557", format_args!("Can't evaluate value expression: {}", error.message));
                BString::default()
            }
        },
    }
}

/// Whether a list that commas part has this item; commas in quotes part nothing.
fn has_item(list: &[u8], item: &[u8]) -> bool {
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, &byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                if list[start..at].trim() == item {
                    return true;
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    list[start..].trim() == item
}

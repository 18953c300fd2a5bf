//! if, elif, else and endif.

use super::{
    legacy,
    page::{Matched, Page},
    tags::Tag,
};
use crate::{
    engine::Cx,
    policy::expr::{self, Captures, Context, Mode, Options, SubRequest, SubRequestKind, Variable},
    system::System,
};
use bstr::BString;
use std::net::IpAddr;

/// Carries out one of them.
pub fn run(page: &mut Page, cx: &mut Cx<'_>, tag: &Tag, out: &mut Vec<u8>) {
    match tag.name.as_slice() {
        b"if" => {
            if tag.attributes.len() != 1 {
                complain(cx, page.level(), ("AH01352", "AH01353"), tag);
            }
            if page.skipped > 0 || !page.printing {
                page.skipped += 1;
                return;
            }
            let decided = expression(cx, tag, ("AH01355", "AH01354")).and_then(|text| decide(page, cx, text));
            turn(page, decided, out);
        }
        b"elif" => {
            if tag.attributes.len() != 1 {
                let level = if page.skipped > 0 { 4 } else { 3 };
                complain(cx, level, ("AH01356", "AH01357"), tag);
            }
            if page.skipped > 0 {
                return;
            }
            match expression(cx, tag, ("AH01359", "AH01358")) {
                Some(_) if page.held => page.printing = false,
                text => {
                    let decided = text.and_then(|text| decide(page, cx, text));
                    turn(page, decided, out);
                }
            }
        }
        name => without_condition(page, cx, tag, name == b"else", out),
    }
}

/// What a condition decided holds from here on. One that is wrong has neither its own text printed
/// nor that of else.
fn turn(page: &mut Page, decided: Option<bool>, out: &mut Vec<u8>) {
    if decided.is_none() {
        page.fail(out);
    }
    page.printing = decided.unwrap_or(false);
    page.held = decided.unwrap_or(true);
}

/// else and endif.
fn without_condition(page: &mut Page, cx: &mut Cx<'_>, tag: &Tag, is_else: bool, out: &mut Vec<u8>) {
    if !tag.attributes.is_empty() {
        let (number, name) = if is_else { ("AH01360", "else") } else { ("AH01361", "endif") };
        let file = cx.req.filename.clone();
        cx.log(page.level(), number, format_args!("{name} directive does not take tags in {file}"));
        if page.printing {
            page.fail(out);
        }
        return;
    }
    match (is_else, page.skipped) {
        (true, 0) => {
            page.printing = !page.held;
            page.held = true;
        }
        (false, 0) => {
            page.printing = true;
            page.held = true;
        }
        (false, _) => page.skipped -= 1,
        (true, _) => {}
    }
}

fn complain(cx: &mut Cx<'_>, level: u8, numbers: (&'static str, &'static str), tag: &Tag) {
    let file = cx.req.filename.clone();
    if tag.attributes.is_empty() {
        cx.log(level, numbers.1, format_args!("missing expr argument for if element in {file}"));
    } else {
        cx.log(level, numbers.0, format_args!("too many arguments for if element in {file}"));
    }
}

/// The expression of an element; `None` if there is something wrong with the element.
fn expression<'t>(
    cx: &mut Cx<'_>,
    tag: &'t Tag,
    numbers: (&'static str, &'static str),
) -> Option<&'t BString> {
    let [attribute] = tag.attributes.as_slice() else { return None };
    let file = cx.req.filename.clone();
    if attribute.name != "expr" {
        let name = &attribute.name;
        cx.log(3, numbers.1, format_args!("unknown parameter \"{name}\" to tag if in {file}"));
        return None;
    }
    if attribute.value.is_none() {
        let words = match tag.name.as_slice() {
            b"elif" => "missing expr in elif statement:",
            _ => "missing expr value for if element in",
        };
        cx.log(3, numbers.0, format_args!("{words} {file}"));
    }
    attribute.value.as_ref()
}

/// Whether an expression holds; `None` if it is none, or cannot be evaluated.
fn decide(page: &mut Page, cx: &mut Cx<'_>, text: &BString) -> Option<bool> {
    if page.legacy { legacy::holds(page, cx, text) } else { holds(page, cx, text) }
}

/// Whether an expression of ap_expr holds.
fn holds(page: &mut Page, cx: &mut Cx<'_>, text: &BString) -> Option<bool> {
    let file = cx.req.filename.clone();
    let options = Options { include: true, no_file_functions: true, ..Options::default() };
    let parsed = match expr::parse(text, Mode::Condition, options) {
        Ok(parsed) => parsed,
        Err(error) => {
            cx.log(3, "AH01337", format_args!("Could not parse expr \"{text}\" in {file}: {error}"));
            return None;
        }
    };
    let mut captures = Captures::new();
    let result = expr::eval(&parsed, &mut Scene { page, cx }, &mut captures);
    match result {
        Ok(holds) => {
            // Of what these match, Apache knows the whole alone.
            let before = page.matched.take().and_then(|matched| matched.captures);
            let captures = if captures.count() > 0 { Some(captures) } else { before };
            page.matched = Some(Matched { pattern: "(null)".into(), count: 0, captures });
            Some(holds)
        }
        Err(error) => {
            cx.log(3, "AH01338", format_args!("Could not evaluate expr \"{text}\" in {file}: {error}"));
            None
        }
    }
}

/// A request in which `v(…)` and its kin are the variables of a page.
struct Scene<'s, 'c> {
    page: &'s Page,
    cx: &'s mut Cx<'c>,
}

impl Context for Scene<'_, '_> {
    fn system(&self) -> &dyn System {
        self.cx.system()
    }

    fn variable(&mut self, variable: &Variable) -> Option<BString> {
        Context::variable(self.cx, variable)
    }

    fn request_header(&self, name: &[u8]) -> Option<BString> {
        self.cx.request_header(name)
    }

    fn response_header(&self, name: &[u8]) -> Option<BString> {
        self.cx.response_header(name)
    }

    fn env(&mut self, name: &[u8]) -> Option<BString> {
        self.page.variable(self.cx, name)
    }

    fn note(&self, name: &[u8]) -> Option<BString> {
        Context::note(self.cx, name)
    }

    fn vary(&mut self, header: &[u8]) {
        self.cx.vary(header);
    }

    fn remote_ip(&self) -> Option<IpAddr> {
        self.cx.remote_ip()
    }

    fn sub_request(&mut self, kind: SubRequestKind, target: &[u8]) -> SubRequest {
        Context::sub_request(self.cx, kind, target)
    }

    fn log(&mut self, level: expr::LogLevel, text: String) {
        // Of what goes wrong in a function Apache says nothing here.
        if level != expr::LogLevel::Warn {
            Context::log(self.cx, level, text);
        }
    }
}

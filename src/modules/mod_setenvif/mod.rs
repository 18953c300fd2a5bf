//! mod_setenvif: variables set by what the request is like.
//!
//! Manual: `mod/mod_setenvif.html`. What stands outside of sections is done as soon as the request
//! is read, what stands in sections once they are known, before access is decided.

#[cfg(test)]
mod tests;

use crate::{
    diag::Span,
    engine::{Cx, Hook, Module, Order, Pending, Phase, Verdict},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, SaidExt, Scope, Shape,
        core_conf::Lookups,
        expr::{self, Captures, Expr, Mode},
        regex::{self, Regex},
    },
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_setenvif",
    source: "mod_setenvif.c",
    identifier: "setenvif_module",
    configs: &[Kind::of::<OfServer>(), Kind::of::<OfSection>()],
    directives: &DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::PostRead, order: Order::MIDDLE, run: post_read },
        Hook { phase: Phase::HeaderParser, order: Order::MIDDLE, run: header_parser },
    ],
    ..Module::NOTHING
};

static DIRECTIVES: [Directive; 5] = [
    Directive {
        name: "SetEnvIf",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "A header-name, regex and a list of variables.",
        doc: "Sets variables if a header or another part of the request matches.",
        apply: |place, args| attribute(place, args, false),
    },
    Directive {
        name: "SetEnvIfNoCase",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "a header-name, regex and a list of variables.",
        doc: "As SetEnvIf, upper and lower case being one.",
        apply: |place, args| attribute(place, args, true),
    },
    Directive {
        name: "SetEnvIfExpr",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "an expression and a list of variables.",
        doc: "Sets variables if an expression holds.",
        apply: expression,
    },
    Directive {
        name: "BrowserMatch",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "A browser regex and a list of variables.",
        doc: "SetEnvIf on the User-Agent header.",
        apply: |place, args| browser(place, args, false),
    },
    Directive {
        name: "BrowserMatchNoCase",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "A browser regex and a list of variables.",
        doc: "SetEnvIfNoCase on the User-Agent header.",
        apply: |place, args| browser(place, args, true),
    },
];

/// What an entry looks at.
#[derive(Clone, Debug)]
enum Attribute {
    RemoteAddr,
    RemoteHost,
    ServerAddr,
    RequestUri,
    RequestMethod,
    RequestProtocol,
    /// A header or, where there is none of the name, a variable set before.
    Name(BString),
    /// The last of the headers whose name matches.
    Names(Regex),
}

/// What an entry asks.
#[derive(Clone, Debug)]
enum Test {
    /// A pattern without special characters is looked for as it is, and its variables are taken
    /// without `$1`.
    Text { text: BString, caseless: bool },
    /// A regular expression.
    Regex(Regex),
    /// An expression.
    Expr(Arc<Expr>),
}

/// What an entry does to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Unset,
    Set(BString),
}

/// One directive.
#[derive(Clone, Debug)]
struct Entry {
    /// Shared by the entries of one section that look at the same thing: in a row, they see the
    /// same value, whatever the ones before did to it.
    name: Arc<BString>,
    attribute: Option<Attribute>,
    test: Test,
    actions: Vec<(BString, Action)>,
    at: Span,
}

type Entries = Vec<Arc<Entry>>;

/// What stands outside of sections.
#[derive(Clone, Debug, Default)]
pub struct OfServer(Entries);

/// What stands in a section.
#[derive(Clone, Debug, Default)]
pub struct OfSection(Entries);

impl Config for OfServer {
    fn merge(&self, outer: &Self) -> Self {
        OfServer([outer.0.as_slice(), &self.0].concat())
    }
}

impl Config for OfSection {
    fn merge(&self, outer: &Self) -> Self {
        OfSection([outer.0.as_slice(), &self.0].concat())
    }
}

fn entries<'p>(place: &'p mut Place<'_, '_>) -> &'p mut Entries {
    match place.at.path {
        Some(_) => &mut place.dir::<OfSection>().0,
        None => &mut place.server::<OfServer>().0,
    }
}

/// A word of the line with its place.
struct Given {
    text: BString,
    at: Span,
}

/// The next word; an empty one counts as missing.
fn next(
    words: &mut impl Iterator<Item = crate::syntax::Word>,
    args: &Args<'_>,
    what: &str,
) -> Result<Given, Mistake> {
    let word = words.next().filter(|word| !word.text.is_empty());
    let missing = || Mistake::new(format!("Missing {what} for {}", args.node.name)).id("RX0341");
    word.map(|word| Given { text: word.text, at: word.span }).ok_or_else(missing)
}

fn attribute(place: &mut Place<'_, '_>, args: &Args<'_>, caseless: bool) -> Applied {
    let mut words = args.node.words();
    let name = next(&mut words, args, "header-field name")?;
    match_attribute(place, args, name, words, caseless)
}

fn browser(place: &mut Place<'_, '_>, args: &Args<'_>, caseless: bool) -> Applied {
    let name = Given { text: "User-Agent".into(), at: args.span };
    match_attribute(place, args, name, args.node.words(), caseless)
}

fn match_attribute(
    place: &mut Place<'_, '_>,
    args: &Args<'_>,
    name: Given,
    mut words: impl Iterator<Item = crate::syntax::Word>,
    caseless: bool,
) -> Applied {
    let pattern = next(&mut words, args, "regular expression")?;
    let attribute = named(place, &name.text).map_err(|error| {
        let message = format!("{}Header name regex could not be compiled.", args.node.name);
        Mistake::new(message).id("RX0342").at(name.at, error)
    })?;
    let test = match plain_text(&pattern.text) {
        Some(text) => Test::Text { text, caseless },
        None => place.regex(&pattern.text, caseless).map(Test::Regex).map_err(|error| {
            let message = format!("{} regex could not be compiled.", args.node.name);
            Mistake::new(message).id("RX0343").at(pattern.at, error.to_string())
        })?,
    };
    let actions = actions(args, words)?;
    let entries = entries(place);
    let known = entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(&name.text));
    let name = known.map_or_else(|| Arc::new(name.text), |entry| entry.name.clone());
    entries.push(Arc::new(Entry { name, attribute: Some(attribute), test, actions, at: args.span }));
    Ok(())
}

fn expression(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let mut words = args.node.words();
    let text = next(&mut words, args, "expression")?;
    let options = place.expression_options();
    let parsed = expr::parse(&text.text, Mode::Condition, options).map_err(|error| {
        let message = format!("Could not parse expression \"{}\": {}", text.text, error.message);
        Mistake::new(message).id("RX0344").at(text.at, error.message.to_string())
    })?;
    let actions = actions(args, words)?;
    let (name, test) = (Arc::default(), Test::Expr(Arc::new(parsed)));
    entries(place).push(Arc::new(Entry { name, attribute: None, test, actions, at: args.span }));
    Ok(())
}

/// `name`, `name=value` and `!name`; the last one of a name counts.
fn actions(
    args: &Args<'_>,
    words: impl Iterator<Item = crate::syntax::Word>,
) -> Result<Vec<(BString, Action)>, Mistake> {
    let mut found: Vec<(BString, Action)> = Vec::new();
    for word in words.take_while(|word| !word.text.is_empty()) {
        let (name, action) = action(&word.text);
        match found.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some(known) => known.1 = action,
            None => found.push((name, action)),
        }
    }
    if found.is_empty() {
        let message = format!("Missing envariable expression for {}", args.node.name);
        return Err(Mistake::new(message).id("RX0345"));
    }
    Ok(found)
}

/// One variable. A value that begins with `!` unsets it too, an empty one is 1, and with a value
/// a `!` before the name is part of the name.
fn action(word: &[u8]) -> (BString, Action) {
    let (name, value) = word.split_once_str("=").unwrap_or((word, b""));
    match (name, value) {
        (name, [b'!', ..]) => (name.into(), Action::Unset),
        (name, [_, ..]) => (name.into(), Action::Set(value.into())),
        ([b'!', name @ ..], []) => (name.into(), Action::Unset),
        (name, []) => (name.into(), Action::Set("1".into())),
    }
}

/// The attribute of a name; a name with characters that header names do not have is a regular
/// expression.
fn named(place: &Place<'_, '_>, name: &[u8]) -> Result<Attribute, String> {
    Ok(match name.to_ascii_lowercase().as_slice() {
        b"remote_addr" => Attribute::RemoteAddr,
        b"remote_host" => Attribute::RemoteHost,
        b"server_addr" => Attribute::ServerAddr,
        b"request_uri" => Attribute::RequestUri,
        b"request_method" => Attribute::RequestMethod,
        b"request_protocol" => Attribute::RequestProtocol,
        _ if name.iter().all(|&c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_') => {
            Attribute::Name(name.into())
        }
        _ => place.regex(name, true).map(Attribute::Names).map_err(|error| error.to_string())?,
    })
}

/// The text that a pattern means if it has no special characters but escaped ones.
fn plain_text(pattern: &[u8]) -> Option<BString> {
    let mut text = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(&c) = bytes.next() {
        let special = |c: u8| b"^.$|()[]*+?{}".contains(&c);
        text.push(match c {
            b'\\' => *bytes.next().filter(|&&next| next == b'\\' || special(next))?,
            _ if special(c) => return None,
            _ => c,
        });
    }
    Some(text.into())
}

fn post_read(cx: &mut Cx<'_>) -> Verdict {
    run(cx, &cx.server_conf::<OfServer>().0)
}

fn header_parser(cx: &mut Cx<'_>) -> Verdict {
    run(cx, &cx.conf::<OfSection>().0)
}

/// What looking at the entries has found so far.
#[derive(Default)]
struct Seen {
    /// The name of the value below.
    name: Option<Arc<BString>>,
    value: BString,
    /// `$0` to `$9` of the last match; an entry without a match of its own still sees them.
    captures: Captures,
}

/// Does what the entries say. Look-ups do not ask: they have their parent's variables.
fn run(cx: &mut Cx<'_>, entries: &[Arc<Entry>]) -> Verdict {
    if cx.req.is_sub {
        return Verdict::Declined;
    }
    let mut seen = Seen::default();
    for entry in entries {
        match holds(cx, entry, &mut seen) {
            Ok(true) => apply(cx, entry, &seen.captures),
            Ok(false) => {}
            Err(verdict) => return verdict,
        }
    }
    Verdict::Declined
}

fn holds(cx: &mut Cx<'_>, entry: &Entry, seen: &mut Seen) -> Result<bool, Verdict> {
    if let Some(attribute) = &entry.attribute
        && !seen.name.as_ref().is_some_and(|name| Arc::ptr_eq(name, &entry.name))
    {
        seen.value = value(cx, attribute)?;
        seen.name = Some(entry.name.clone());
    }
    match &entry.test {
        Test::Text { text, caseless: false } => Ok(seen.value.contains_str(text)),
        Test::Text { text, caseless: true } => {
            Ok(seen.value.to_ascii_lowercase().contains_str(text.to_ascii_lowercase()))
        }
        Test::Regex(regex) => match regex.captures(&seen.value) {
            Some(groups) => {
                seen.captures = Captures::of(seen.value.clone(), groups);
                Ok(true)
            }
            None => Ok(false),
        },
        // Apache takes what cannot be evaluated for what does not hold, without a word.
        Test::Expr(expr) => Ok(expr::eval(expr, cx, &mut seen.captures).unwrap_or(false)),
    }
}

/// What an attribute is; empty if it is not there.
fn value(cx: &Cx<'_>, attribute: &Attribute) -> Result<BString, Verdict> {
    let request = &*cx.req;
    let address = |ip: std::net::IpAddr| BString::from(ip.to_canonical().to_string());
    Ok(match attribute {
        Attribute::RemoteAddr => address(request.conn.client.ip()),
        Attribute::RemoteHost => remote_host(cx)?,
        Attribute::ServerAddr => address(request.conn.local.ip()),
        Attribute::RequestUri => request.uri.clone(),
        Attribute::RequestMethod => request.method_name.clone(),
        Attribute::RequestProtocol => request.protocol.clone(),
        Attribute::Name(name) => {
            let found = request.headers_in.get(name).or_else(|| request.env.get(name));
            found.map(ToOwned::to_owned).unwrap_or_default()
        }
        Attribute::Names(regex) => {
            let matching = request.headers_in.iter().filter(|(name, _)| regex.is_match(name));
            matching.last().map(|(_, value)| value.to_owned()).unwrap_or_default()
        }
    })
}

/// The client's name if HostnameLookups asks for it and it has one, else its address.
fn remote_host(cx: &Cx<'_>) -> Result<BString, Verdict> {
    let client = cx.req.conn.client.ip().to_canonical();
    if cx.core().lookups.value_or(Lookups::Off) == Lookups::Off {
        return Ok(client.to_string().into());
    }
    cx.once();
    match cx.req.conn.lookups.borrow().names.get(&client) {
        Some(name) => Ok(name.clone().unwrap_or_else(|| client.to_string().into())),
        None => Err(Verdict::Wait(Pending::NameOf(client))),
    }
}

fn apply(cx: &mut Cx<'_>, entry: &Entry, captures: &Captures) {
    for (name, action) in &entry.actions {
        match action {
            Action::Unset => {
                cx.because(entry.at, format_args!("this takes variable {name} away"));
                cx.req.env.remove(name);
            }
            Action::Set(template) => {
                let value = match entry.test {
                    Test::Text { .. } => template.clone(),
                    _ => regex::substitute(template, |n| captures.get(n)),
                };
                cx.because(entry.at, format_args!("this sets variable {name} to '{value}'"));
                cx.req.env.set(name, value);
            }
        }
    }
}

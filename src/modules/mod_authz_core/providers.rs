//! The words behind `Require` that are this module's own: all, env, method, expr.

use crate::{
    diag::Span,
    engine::{Authz, Cx, Requirement, parsed},
    http::{Method, MethodSet},
    policy::{
        Mistake, Place,
        expr::{self, Captures, Cond, CondKind, Expr, List, Root, Test, Variable, Word, WordKind},
        table::Parsed,
    },
    syntax::{Text, Words},
};
use bstr::BString;

/// `Require all granted`, `Require all denied`. Quotes are not taken off.
pub fn all(_: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    match text.bytes().to_ascii_lowercase().as_slice() {
        b"granted" => Ok(parsed(All { granted: true })),
        b"denied" => Ok(parsed(All { granted: false })),
        _ => Err(Mistake::new("Argument for 'Require all' must be 'granted' or 'denied'").id("RX0414")),
    }
}

/// What stands for a word whose module is lacking, where it can never be asked.
pub fn never() -> Parsed {
    parsed(All { granted: false })
}

#[derive(Debug)]
struct All {
    granted: bool,
}

impl Requirement for All {
    fn check(&self, _: &mut Cx<'_>, _: Span) -> Authz {
        Authz::granted_if(self.granted)
    }

    fn why(&self, _: &Cx<'_>, _: &Authz) -> String {
        if self.granted { "it lets everyone in" } else { "it refuses everyone" }.to_owned()
    }
}

/// `Require env NAME …`
pub fn env(_: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    let names = Words::of(text).map(|word| word.text).take_while(|name| !name.is_empty());
    Ok(parsed(Env { names: names.collect() }))
}

#[derive(Debug)]
struct Env {
    names: Vec<BString>,
}

impl Env {
    fn set<'n>(&'n self, cx: &Cx<'_>) -> Option<&'n BString> {
        self.names.iter().find(|name| cx.req.env.contains(name.as_slice()))
    }
}

impl Requirement for Env {
    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        Authz::granted_if(self.set(cx).is_some())
    }

    fn why(&self, cx: &Cx<'_>, _: &Authz) -> String {
        match (self.set(cx), self.names.as_slice()) {
            (Some(name), _) => format!("the variable {name} is set"),
            (None, [name]) => format!("the variable {name} is not set"),
            (None, _) => "none of these variables is set".to_owned(),
        }
    }
}

/// `Require method NAME …`
pub fn method(place: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    let mut methods = MethodSet::EMPTY;
    for word in Words::of(text).take_while(|word| !word.text.is_empty()) {
        match Method::find(&word.text, &place.process().methods) {
            Method::Other => {
                let mistake = Mistake::new(format!("Invalid Method '{}'", word.text)).id("RX0415");
                return Err(mistake.at(word.span, "no method is called so; the letters' case counts"));
            }
            method => methods = methods.with(method),
        }
    }
    Ok(parsed(Methods { methods }))
}

#[derive(Debug)]
struct Methods {
    methods: MethodSet,
}

impl Requirement for Methods {
    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        Authz::granted_if(self.methods.contains(cx.req.method))
    }

    fn why(&self, cx: &Cx<'_>, _: &Authz) -> String {
        format!("the method is {}", cx.req.method_name)
    }
}

/// `Require expr EXPRESSION`; one pair of double quotes around all of it is taken off.
pub fn expr(place: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    let written: &[u8] = text.bytes();
    let bare = written.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
    let (source, skipped) = match bare {
        Some(bare) => (bare, 1),
        None => (written, 0),
    };
    let options = place.expression_options();
    let expr = expr::parse(source, expr::Mode::Condition, options).map_err(|error| {
        let at = text.span(error.place.start + skipped..error.place.end + skipped);
        Mistake::new(format!("Cannot parse expression in require line: {}", error.message))
            .id("RX0413")
            .at(at, "")
    })?;
    let asks_user = match &expr.root {
        Root::Condition(cond) => cond_asks_user(cond),
        Root::String(word) => word_asks_user(word),
    };
    Ok(parsed(Condition { expr, asks_user }))
}

/// An expression. One that reads REMOTE_USER may come out otherwise once somebody has logged in.
#[derive(Debug)]
struct Condition {
    expr: Expr,
    asks_user: bool,
}

impl Requirement for Condition {
    fn check(&self, cx: &mut Cx<'_>, at: Span) -> Authz {
        match expr::eval(&self.expr, cx, &mut Captures::new()) {
            Ok(true) => Authz::Granted,
            // Whether somebody has logged in already makes no difference to Apache.
            Ok(false) if self.asks_user => Authz::DeniedNoUser,
            Ok(false) => Authz::Denied,
            Err(error) => {
                let place = cx.worker.sources.place(at);
                let (file, line) = (place.file.to_owned(), place.line);
                cx.log(3, "", format_args!("Evaluation of expression from {file}:{line} failed: {error}"));
                cx.log(3, "AH02320", format_args!("Error evaluating expression in 'Require expr': {error}"));
                cx.because(at, format_args!("the expression could not be evaluated: {error}"));
                Authz::Error
            }
        }
    }

    fn why(&self, _: &Cx<'_>, said: &Authz) -> String {
        if *said == Authz::Granted { "the expression holds" } else { "the expression does not hold" }
            .to_owned()
    }
}

fn cond_asks_user(cond: &Cond) -> bool {
    match &cond.kind {
        CondKind::Not(inner) => cond_asks_user(inner),
        CondKind::And(parts) | CondKind::Or(parts) => parts.iter().any(cond_asks_user),
        CondKind::Test(test) => test_asks_user(test),
    }
}

fn test_asks_user(test: &Test) -> bool {
    match test {
        Test::Constant(_) | Test::RemoteIn(_) => false,
        Test::Compare(_, left, right) | Test::Wildcard(_, left, right) => {
            word_asks_user(left) || word_asks_user(right)
        }
        Test::In(word, list) => word_asks_user(word) || list_asks_user(list),
        Test::Match { word, .. } | Test::Unary(_, word) | Test::IpMatch(word, _) => word_asks_user(word),
    }
}

fn list_asks_user(list: &List) -> bool {
    match list {
        List::Words(words) => words.iter().any(word_asks_user),
        List::PeerExtList(oid) => word_asks_user(oid),
    }
}

fn word_asks_user(word: &Word) -> bool {
    match &word.kind {
        WordKind::Variable(variable) => *variable == Variable::RemoteUser,
        WordKind::Call(_, word) => word_asks_user(word),
        WordKind::Concat(words) => words.iter().any(word_asks_user),
        _ => false,
    }
}

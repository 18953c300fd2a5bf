//! Asking the rules of a place: first without a user, then, if only a user is missing, with one.

use super::{AuthzDir, Group, Logic, Require, Rule};
use crate::{
    diag::Span,
    engine::{Authz, Cx, Verdict, requirement},
    http::Status,
    modules::mod_authn_core::auth_type,
    policy::{SaidExt, Setting},
};
use bstr::{BString, ByteSlice};

/// \[access_checker_ex\]: what can be told without a user.
pub fn userless(cx: &mut Cx<'_>) -> Verdict {
    authorize(cx, false)
}

/// \[auth_checker\]: the user is known now.
pub fn user(cx: &mut Cx<'_>) -> Verdict {
    authorize(cx, true)
}

fn authorize(cx: &mut Cx<'_>, user_known: bool) -> Verdict {
    let dir: &AuthzDir = cx.conf();
    let Some(group) = dir.rules.as_deref() else { return Verdict::Ok };
    let asked = ask_group(cx, group, Logic::And);
    if let (true, Some(home)) = (cx.tracing(), home_of(group, asked.at)) {
        cx.because(home.at, format_args!("{} decides who may: {}", home.value, asked.said.word()));
    }
    match asked.said {
        Authz::Granted => Verdict::Ok,
        Authz::DeniedNoUser if !user_known => Verdict::Declined,
        Authz::DeniedNoUser => {
            let uri = cx.req.uri.clone();
            cx.log(3, "AH01629", format_args!("authorization failure (no authenticated user): {uri}"));
            ask_for_user(cx);
            Verdict::Status(Status(401))
        }
        Authz::Denied | Authz::Neutral => denied(cx, dir, user_known),
        Authz::Error => Verdict::Status(Status(500)),
        Authz::Wait(pending) => Verdict::Wait(pending),
    }
}

fn denied(cx: &mut Cx<'_>, dir: &AuthzDir, user_known: bool) -> Verdict {
    let (file, uri) = (cx.req.filename.clone(), cx.req.uri.clone());
    if let (true, Some(user)) = (user_known, cx.req.user.clone()) {
        cx.log(3, "AH01631", format_args!("user {user}: authorization failure for \"{uri}\": "));
        if dir.forbidden.value_or(false) {
            cx.because(dir.forbidden.at(), format_args!("a user who may not is told so"));
            return Verdict::Status(Status(403));
        }
        ask_for_user(cx);
        return Verdict::Status(Status(401));
    }
    if file.is_empty() {
        cx.log(3, "AH01630", format_args!("client denied by server configuration: uri {uri}"));
    } else {
        cx.log(3, "AH01630", format_args!("client denied by server configuration: {file}"));
    }
    Verdict::Status(Status(403))
}

/// Another user may be let in (ap_note_auth_failure).
fn ask_for_user(cx: &mut Cx<'_>) {
    let Some(kind) = auth_type(cx) else {
        let uri = cx.req.uri.clone();
        cx.as_module("mod_core", |cx| {
            cx.log(3, "AH00571", format_args!("need AuthType to note auth failure: {uri}"));
        });
        return;
    };
    let modules = cx.engine.modules.iter();
    for challenge in modules.filter_map(|module| module.challenge) {
        if challenge(cx, &kind.value) {
            return;
        }
    }
}

/// The section of the configuration in which the deciding line stands.
fn home_of(group: &Group, decider: Span) -> Option<&Setting<BString>> {
    let inner = group.rules.iter().find_map(|rule| match rule {
        Rule::Group(inner) => home_of(inner, decider),
        Rule::Require(_) => None,
    });
    inner.or_else(|| group.home.as_ref().filter(|_| holds_line(group, decider)))
}

fn holds_line(group: &Group, line: Span) -> bool {
    group.rules.iter().any(|rule| match rule {
        Rule::Require(require) => require.at == line,
        Rule::Group(inner) => inner.at == line || holds_line(inner, line),
    })
}

/// What rules say, and the line that decided it.
struct Asked {
    said: Authz,
    at: Span,
}

fn ask(cx: &mut Cx<'_>, rule: &Rule, around: Logic) -> Asked {
    match rule {
        Rule::Group(group) => ask_group(cx, group, around),
        Rule::Require(require) => ask_require(cx, require, around),
    }
}

fn ask_require(cx: &mut Cx<'_>, require: &Require, around: Logic) -> Asked {
    let at = require.at;
    if limited_elsewhere(cx, require.limited) {
        let said = not_for_this_method(cx, require, around);
        let line = require.to_string();
        let line = line.as_bytes().trim_end().as_bstr();
        cx.because(at, format_args!("`{line}` is limited to other methods ({})", said.word()));
        return Asked { said, at };
    }
    let Some(what) = requirement(&require.parsed) else { return Asked { said: Authz::Error, at } };
    let own = cx.as_module(what.module(), |cx| what.check(cx, at));
    if let Authz::Wait(_) = own {
        return Asked { said: own, at };
    }
    let why = if cx.tracing() { what.why(cx, &own) } else { String::new() };
    let said = if require.negated { negate(own) } else { own };
    let line = require.to_string();
    cx.because(at, format_args!("`{}`: {why} ({})", line.as_bytes().trim_end().as_bstr(), said.word()));
    result(cx, require, &said);
    Asked { said, at }
}

fn ask_group(cx: &mut Cx<'_>, group: &Group, around: Logic) -> Asked {
    if limited_elsewhere(cx, group.limited) {
        let said = not_for_this_method(cx, group, around);
        let (what, at) = match &group.home {
            Some(home) => (home.value.to_string(), home.at),
            None => (group.to_string(), group.at),
        };
        cx.because(at, format_args!("what {what} requires is limited to other methods ({})", said.word()));
        return Asked { said, at: group.at };
    }
    let mut all = Asked { said: Authz::Neutral, at: group.at };
    for rule in &group.rules {
        let one = ask(cx, rule, group.logic);
        match (&one.said, group.logic) {
            (Authz::Error | Authz::Wait(_), _) => return one,
            (Authz::Neutral, _) => {}
            (Authz::Denied, Logic::And) | (Authz::Granted, Logic::Or) => {
                all = one;
                break;
            }
            // A user might change it, which outweighs what holds already or does not yet.
            (Authz::DeniedNoUser, _) => all = one,
            _ if all.said == Authz::Neutral => all = one,
            _ => {}
        }
    }
    if group.negated {
        all.said = negate(all.said);
    }
    result(cx, group, &all.said);
    all
}

/// What denies cannot grant by being turned round; it only loses its say.
fn negate(said: Authz) -> Authz {
    match said {
        Authz::Granted => Authz::Denied,
        Authz::Denied | Authz::DeniedNoUser => Authz::Neutral,
        other => other,
    }
}

fn limited_elsewhere(cx: &Cx<'_>, limited: u64) -> bool {
    limited >> cx.req.method.number() & 1 == 0
}

/// `<Limit>`: in a group that none may fail it counts as granted, elsewhere it has no say.
fn not_for_this_method(cx: &mut Cx<'_>, rule: &dyn std::fmt::Display, around: Logic) -> Authz {
    let said = if around == Logic::And { Authz::Granted } else { Authz::Neutral };
    cx.log(
        7,
        "AH01625",
        format_args!("authorization result of {rule}: {} (directive limited to other methods)", said.word()),
    );
    said
}

fn result(cx: &mut Cx<'_>, rule: &dyn std::fmt::Display, said: &Authz) {
    cx.log(7, "AH01626", format_args!("authorization result of {rule}: {}", said.word()));
}

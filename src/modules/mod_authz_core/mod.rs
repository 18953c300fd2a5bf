//! mod_authz_core: `Require` and its groups (mod_authz_core.html). What the words behind `Require`
//! mean comes from providers, its own and those of other modules.

mod authorize;
mod directives;
mod providers;
#[cfg(test)]
mod tests;

use crate::{
    diag::Span,
    engine::{Hook, Module, Order, Phase},
    policy::{
        Config, Directive, Kind, Said, SaidExt, Scope, Setting, Shape,
        table::{Parsed, Provider},
    },
    syntax::Text,
};
use bstr::BString;
use rustc_hash::FxHashMap;
use std::{fmt, sync::Arc};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authz_core",
    source: "mod_authz_core.c",
    identifier: "authz_core_module",
    configs: &[Kind::of::<AuthzDir>(), Kind::of::<AuthzServer>()],
    directives: DIRECTIVES,
    authz_providers: &[
        Provider { name: "all", doc: "everyone (granted) or no one (denied)", parse: providers::all },
        Provider { name: "env", doc: "one of these variables is set", parse: providers::env },
        Provider { name: "method", doc: "the request has one of these methods", parse: providers::method },
        Provider { name: "expr", doc: "an expression holds", parse: providers::expr },
    ],
    hooks: &[
        Hook { phase: Phase::AccessEx, order: Order::LAST, run: authorize::userless },
        Hook { phase: Phase::Authz, order: Order::LAST, run: authorize::user },
    ],
    check: Some(directives::check),
    ..Module::NOTHING
};

const IN_DIRECTORIES: Scope = Scope::AUTHCFG.or(Scope::ACCESS_CONF);

const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "<AuthzProviderAlias",
        shape: Shape::Raw,
        scope: Scope::RSRC_CONF,
        usage: "container for grouping an authorization provider's directives under a provider alias",
        doc: "A word of one's own for Require: a provider with its arguments",
        apply: directives::alias,
    },
    Directive {
        name: "Require",
        shape: Shape::Raw,
        scope: IN_DIRECTORIES,
        usage: "specifies authorization directives which one must pass (or not) for a request to suceeed",
        doc: "Who may",
        apply: directives::require,
    },
    Directive {
        name: "<RequireAll",
        shape: Shape::Raw,
        scope: IN_DIRECTORIES,
        usage: "container for grouping authorization directives of which none must fail and at least one must pass for a request to succeed",
        doc: "None of these requirements may fail, and one must hold",
        apply: directives::group,
    },
    Directive {
        name: "<RequireAny",
        shape: Shape::Raw,
        scope: IN_DIRECTORIES,
        usage: "container for grouping authorization directives of which one must pass for a request to succeed",
        doc: "One of these requirements must hold",
        apply: directives::group,
    },
    Directive {
        name: "<RequireNone",
        shape: Shape::Raw,
        scope: IN_DIRECTORIES,
        usage: "container for grouping authorization directives of which none must pass for a request to succeed",
        doc: "None of these requirements may hold",
        apply: directives::group,
    },
    Directive {
        name: "AuthMerging",
        shape: Shape::One,
        scope: IN_DIRECTORIES,
        usage: "controls how a <Directory>, <Location>, or similar directive's authorization directives are combined with those of its predecessor",
        doc: "Whether Require here replaces what is said around, or is joined to it",
        apply: directives::merging,
    },
    Directive {
        name: "AuthzSendForbiddenOnFailure",
        shape: Shape::Flag,
        scope: IN_DIRECTORIES,
        usage: "Controls if an authorization failure should result in a '403 FORBIDDEN' response instead of the HTTP-conforming '401 UNAUTHORIZED'",
        doc: "Whether a user who may not gets 403 rather than 401",
        apply: directives::forbidden,
    },
];

/// How requirements make one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logic {
    /// None may fail, one must hold.
    And,
    /// One must hold.
    Or,
}

/// Where a group comes from, which is how logs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// `<RequireAll>` and its kin, or the `<RequireAny>` that every section is.
    Section,
    /// AuthMerging joined two sections.
    Merging,
}

/// A `Require` or a group of them.
#[derive(Clone, Debug)]
enum Rule {
    Require(Require),
    Group(Arc<Group>),
}

/// A group of rules.
#[derive(Clone, Debug)]
struct Group {
    logic: Logic,
    negated: bool,
    origin: Origin,
    /// Methods that any of its rules holds for, a bit for each of Apache's numbers.
    limited: u64,
    rules: Vec<Rule>,
    /// The opening line.
    at: Span,
    /// For the group that a section of the configuration is: that section's opening line.
    home: Option<Setting<BString>>,
}

impl Group {
    fn new(logic: Logic, negated: bool, at: Span) -> Group {
        // Most groups are of one rule.
        let rules = Vec::with_capacity(1);
        Group { logic, negated, origin: Origin::Section, limited: 0, rules, at, home: None }
    }

    fn push(&mut self, rule: Rule) {
        self.limited |= rule.limited();
        self.rules.push(rule);
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.origin, self.logic, self.negated) {
            (Origin::Merging, Logic::And, _) => "AuthMerging All",
            (Origin::Merging, Logic::Or, _) => "AuthMerging Any",
            (_, Logic::And, _) => "<RequireAll>",
            (_, Logic::Or, false) => "<RequireAny>",
            (_, Logic::Or, true) => "<RequireNone>",
        })
    }
}

/// One `Require`.
#[derive(Clone)]
struct Require {
    provider: BString,
    args: BString,
    negated: bool,
    limited: u64,
    parsed: Parsed,
    at: Span,
}

impl fmt::Debug for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// With a space at the end where there are no arguments, as Apache writes it.
impl fmt::Display for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "not " } else { "" };
        write!(f, "Require {not}{} {}", self.provider, self.args)
    }
}

impl Rule {
    fn limited(&self) -> u64 {
        match self {
            Rule::Require(require) => require.limited,
            Rule::Group(group) => group.limited,
        }
    }

    fn negated(&self) -> bool {
        match self {
            Rule::Require(require) => require.negated,
            Rule::Group(group) => group.negated,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Require(require) => require.fmt(f),
            Rule::Group(group) => group.fmt(f),
        }
    }
}

/// What a section says about who may.
#[derive(Clone, Debug, Default)]
pub struct AuthzDir {
    /// `AuthMerging`; `None` inside is Off.
    merging: Said<Option<Logic>>,
    rules: Option<Arc<Group>>,
    /// `AuthzSendForbiddenOnFailure`.
    forbidden: Said<bool>,
}

impl Config for AuthzDir {
    fn merge(&self, outer: &Self) -> Self {
        let forbidden = self.forbidden.over(&outer.forbidden);
        match (&self.merging, &self.rules, &outer.rules) {
            (None, None, Some(_)) => AuthzDir { forbidden, ..outer.clone() },
            (Some(Setting { value: Some(logic), at }), inner, around) => {
                let rules = match (inner, around) {
                    (Some(inner), Some(around)) => Some(Arc::new(joined(*logic, *at, around, inner))),
                    (inner, around) => inner.as_ref().or(around.as_ref()).cloned(),
                };
                AuthzDir { merging: self.merging, rules, forbidden }
            }
            _ => AuthzDir { forbidden, ..self.clone() },
        }
    }
}

fn joined(logic: Logic, at: Span, outer: &Arc<Group>, inner: &Arc<Group>) -> Group {
    let mut group = Group { origin: Origin::Merging, ..Group::new(logic, false, at) };
    group.push(Rule::Group(outer.clone()));
    group.push(Rule::Group(inner.clone()));
    group
}

/// `<AuthzProviderAlias>`, which hold for the whole server, virtual hosts and `.htaccess` included.
#[derive(Clone, Default)]
pub struct AuthzServer {
    aliases: FxHashMap<BString, Alias>,
}

#[derive(Clone)]
struct Alias {
    provider: &'static Provider,
    args: Text,
}

impl fmt::Debug for AuthzServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.aliases.keys()).finish()
    }
}

impl Config for AuthzServer {
    fn merge(&self, outer: &Self) -> Self {
        let mut aliases = outer.aliases.clone();
        aliases.extend(self.aliases.iter().map(|(name, alias)| (name.clone(), alias.clone())));
        AuthzServer { aliases }
    }
}

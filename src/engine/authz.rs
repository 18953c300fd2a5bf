//! What the words behind `Require` come to for a request. The modules that have such words list
//! them in their tables; mod_authz_core asks them and makes one answer of what they say.

use super::{answer::Pending, cx::Cx};
use crate::{diag::Span, policy::table::Parsed};
use std::{fmt, sync::Arc};

/// What a requirement, or a group of them, says of a request (Apache's authz_status).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authz {
    /// It may.
    Granted,
    /// It may not.
    Denied,
    /// It may not as long as nobody knows whose it is.
    DeniedNoUser,
    /// This has no say.
    Neutral,
    /// It cannot be told; the log says why. The request ends with 500.
    Error,
    /// It can be told once that is known.
    Wait(Pending),
}

impl Authz {
    /// As Apache writes it in its log.
    pub fn word(&self) -> &'static str {
        match self {
            Authz::Granted => "granted",
            Authz::Denied => "denied",
            Authz::DeniedNoUser => "denied (no authenticated user yet)",
            _ => "neutral",
        }
    }

    /// Granted or denied.
    pub fn granted_if(holds: bool) -> Authz {
        if holds { Authz::Granted } else { Authz::Denied }
    }
}

/// One `Require`, its arguments read.
pub trait Requirement: fmt::Debug + Send + Sync + 'static {
    /// What it says of the request; `at` is the directive.
    fn check(&self, cx: &mut Cx<'_>, at: Span) -> Authz;

    /// The module that log lines of [`Requirement::check`] name.
    fn module(&self) -> &'static str {
        "mod_authz_core"
    }

    /// Why it said so, a clause in plain words for the record.
    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        let _ = cx;
        match said {
            Authz::Granted => "it holds",
            _ => "it does not hold",
        }
        .to_owned()
    }
}

/// A requirement as a provider's parse function returns it.
pub fn parsed(requirement: impl Requirement) -> Parsed {
    let boxed: Box<dyn Requirement> = Box::new(requirement);
    Arc::new(boxed)
}

/// The requirement in what a provider's parse function returned.
pub fn requirement(parsed: &Parsed) -> Option<&dyn Requirement> {
    parsed.downcast_ref::<Box<dyn Requirement>>().map(|boxed| &**boxed)
}

//! mod_authz_user: `Require user` and `Require valid-user` (mod_authz_user.html).

use super::require_line;
use crate::{
    diag::Span,
    engine::{Authz, Cx, Module, Requirement, parsed},
    policy::{
        Mistake, Place,
        expr::Expr,
        table::{Parsed, Provider},
    },
    syntax::Text,
};
use bstr::BString;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authz_user",
    source: "mod_authz_user.c",
    identifier: "authz_user_module",
    authz_providers: &[
        Provider { name: "user", doc: "the user is one of these", parse: user },
        Provider { name: "valid-user", doc: "the user logged in, whoever it is", parse: valid_user },
    ],
    ..Module::NOTHING
};

fn user(place: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(User { names: require_line::names(place, text)? }))
}

#[derive(Debug)]
struct User {
    names: Expr,
}

impl Requirement for User {
    fn module(&self) -> &'static str {
        MODULE.name
    }

    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let Some(user) = cx.req.user.clone() else { return Authz::DeniedNoUser };
        let what = "authz_user authorize: require user";
        let Some(names) = require_line::evaluate(cx, &self.names, "AH02594", what) else {
            return Authz::Denied;
        };
        if names.contains(&user) {
            return Authz::Granted;
        }
        let uri = cx.req.uri.clone();
        cx.log(
            7,
            "AH01663",
            format_args!(
                "access to {uri} failed, reason: user '{user}' does not meet 'require'ments for user to be allowed \
                 access"
            ),
        );
        Authz::Denied
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        told(cx.req.user.as_ref(), said, "is one of these", "is not one of these")
    }
}

/// What `why` of a requirement that asks for a user says.
pub fn told(user: Option<&BString>, said: &Authz, yes: &str, no: &str) -> String {
    match (user, said) {
        (None, _) => "nobody has logged in".to_owned(),
        (Some(user), Authz::Granted) => format!("user {user} {yes}"),
        (Some(user), _) => format!("user {user} {no}"),
    }
}

fn valid_user(_: &mut Place<'_, '_>, _: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(ValidUser))
}

#[derive(Debug)]
struct ValidUser;

impl Requirement for ValidUser {
    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        if cx.req.user.is_some() { Authz::Granted } else { Authz::DeniedNoUser }
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        told(cx.req.user.as_ref(), said, "has logged in", "has not logged in")
    }
}

//! mod_authz_owner: `Require file-owner`, and the group of a file for `Require file-group`
//! (mod_authz_owner.html).

use super::mod_authz_user::told;
use crate::{
    diag::Span,
    engine::{Authz, Cx, Module, Requirement, parsed},
    policy::{
        Mistake, Place,
        table::{Parsed, Provider},
    },
    syntax::Text,
    system::{self, Stat},
};
use bstr::BString;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authz_owner",
    source: "mod_authz_owner.c",
    identifier: "authz_owner_module",
    authz_providers: &[Provider {
        name: "file-owner",
        doc: "the user has the name of the file's owner",
        parse: file_owner,
    }],
    ..Module::NOTHING
};

fn file_owner(_: &mut Place<'_, '_>, _: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(FileOwner))
}

#[derive(Debug)]
struct FileOwner;

impl Requirement for FileOwner {
    fn module(&self) -> &'static str {
        MODULE.name
    }

    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let Some(user) = cx.req.user.clone() else { return Authz::DeniedNoUser };
        let Some(stat) = stat(cx, &user, ["AH01633", "AH01634"]) else { return Authz::Denied };
        let Some(owner) = cx.system().user_name(stat.uid) else {
            return refused(cx, "AH01636", &user, "could not get name of file owner");
        };
        if user == owner {
            return Authz::Granted;
        }
        refused(cx, "AH01637", &user, &format!("file owner {owner} does not match."))
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        told(cx.req.user.as_ref(), said, "owns the file", "does not own the file")
    }
}

/// What the file system says of the file; `None` is logged under one of the numbers.
fn stat(cx: &mut Cx<'_>, user: &BString, numbers: [&'static str; 2]) -> Option<Stat> {
    let filename = cx.req.filename.clone();
    if filename.is_empty() {
        refused(cx, numbers[0], user, "no filename available");
        return None;
    }
    match cx.system().stat(system::path(&filename)) {
        Ok(stat) => Some(stat),
        Err(error) => {
            let uri = cx.req.uri.clone();
            let text = format_args!(
                "Authorization of user {user} to access {uri} failed, reason: could not stat file {filename}"
            );
            cx.log_os(3, error.raw_os_error(), numbers[1], text);
            None
        }
    }
}

/// The name of the file's group, if mod_authz_owner is active and there is one.
pub fn file_group(cx: &mut Cx<'_>, user: &BString) -> Option<BString> {
    if !cx.engine.modules.iter().any(|module| module.name == MODULE.name) {
        return None;
    }
    cx.as_module(MODULE.name, |cx| {
        let stat = stat(cx, user, ["AH01638", "AH01639"])?;
        let name = cx.system().group_name(stat.gid);
        if name.is_none() {
            refused(cx, "AH01641", user, "could not get name of file group");
        }
        name.map(BString::from)
    })
}

fn refused(cx: &mut Cx<'_>, number: &'static str, user: &BString, reason: &str) -> Authz {
    let uri = cx.req.uri.clone();
    cx.log(3, number, format_args!("Authorization of user {user} to access {uri} failed, reason: {reason}"));
    Authz::Denied
}

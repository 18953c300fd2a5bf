//! mod_authz_groupfile: `Require group` and `Require file-group` (mod_authz_groupfile.html).

use super::{mod_authz_owner, mod_authz_user::told, require_line, text_file};
use crate::{
    diag::Span,
    engine::{Authz, Cx, Module, Requirement, parsed},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Said, Scope, Setting, Shape,
        expr::Expr,
        table::{Parsed, Provider},
    },
    syntax::Text,
};
use bstr::{BString, ByteSlice};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authz_groupfile",
    source: "mod_authz_groupfile.c",
    identifier: "authz_groupfile_module",
    configs: &[Kind::of::<GroupFile>()],
    directives: &[Directive {
        name: "AuthGroupFile",
        shape: Shape::One,
        scope: Scope::AUTHCFG,
        usage: "text file containing group names and member user IDs",
        doc: "The file with the groups and their members",
        apply: group_file,
    }],
    authz_providers: &[
        Provider { name: "group", doc: "the user is in one of these groups", parse: group },
        Provider { name: "file-group", doc: "the user is in the group that the file has", parse: file_group },
    ],
    ..Module::NOTHING
};

/// `AuthGroupFile`.
#[derive(Clone, Debug, Default)]
pub struct GroupFile {
    path: Said<BString>,
}

impl Config for GroupFile {
    /// Apache does not merge these: what is inside takes the place of what is around.
    fn merge(&self, _: &Self) -> Self {
        self.clone()
    }
}

fn group_file(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let path = place.server_path(args.text(0));
    place.dir::<GroupFile>().path = Some(Setting::new(path, args.span));
    Ok(())
}

/// The groups that a user is in; `None` if that cannot be told or there are none, which is logged.
/// `numbers`: no file is said, it cannot be read; then what is said of a user in none.
fn groups_of(
    cx: &mut Cx<'_>,
    user: &BString,
    numbers: [&'static str; 2],
    (level, number): (u8, &'static str),
) -> Option<Vec<BString>> {
    let Some(said) = &cx.conf::<GroupFile>().path else {
        cx.log(3, numbers[0], format_args!("No group file was specified in the configuration"));
        return None;
    };
    let path = &said.value;
    let text = match text_file::read(cx, path) {
        Ok(text) => text,
        Err(error) => {
            cx.log_os(3, error.raw_os_error(), numbers[1], format_args!("Could not open group file: {path}"));
            cx.because(said.at, format_args!("this file cannot be read: {error}"));
            return None;
        }
    };
    let groups = groups_in(&text_file::joined(&text), user);
    if groups.is_empty() {
        let uri = cx.req.uri.clone();
        cx.log(
            level,
            number,
            format_args!(
                "Authorization of user {user} to access {uri} failed, reason: user doesn't appear in group file \
                 ({path})."
            ),
        );
        return None;
    }
    Some(groups)
}

/// The groups that have this member: `group: member member`.
fn groups_in(text: &[u8], user: &[u8]) -> Vec<BString> {
    let group = |line: &'_ [u8]| -> Option<BString> {
        let (name, members) = line.split_once_str(":")?;
        require_line::words(members).iter().any(|member| member == user).then(|| name.trim().into())
    };
    text_file::lines(text).filter_map(group).collect()
}

fn refused(cx: &mut Cx<'_>, number: &'static str, user: &BString, reason: &str) -> Authz {
    let uri = cx.req.uri.clone();
    cx.log(7, number, format_args!("Authorization of user {user} to access {uri} failed, reason: {reason}"));
    Authz::Denied
}

fn group(place: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(InGroup { names: require_line::names(place, text)? }))
}

#[derive(Debug)]
struct InGroup {
    names: Expr,
}

impl Requirement for InGroup {
    fn module(&self) -> &'static str {
        MODULE.name
    }

    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let Some(user) = cx.req.user.clone() else { return Authz::DeniedNoUser };
        let Some(groups) = groups_of(cx, &user, ["AH01664", "AH01665"], (6, "AH01666")) else {
            return Authz::Denied;
        };
        let what = "authz_groupfile authorize: require group";
        let Some(names) = require_line::evaluate(cx, &self.names, "AH02592", what) else {
            return Authz::Denied;
        };
        if names.iter().any(|name| groups.contains(name)) {
            return Authz::Granted;
        }
        refused(cx, "AH01667", &user, "user is not part of the 'require'ed group(s).")
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        told(cx.req.user.as_ref(), said, "is in one of these groups", "is in none of these groups")
    }
}

fn file_group(_: &mut Place<'_, '_>, _: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(InFileGroup))
}

#[derive(Debug)]
struct InFileGroup;

impl Requirement for InFileGroup {
    fn module(&self) -> &'static str {
        MODULE.name
    }

    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let Some(user) = cx.req.user.clone() else { return Authz::DeniedNoUser };
        let Some(groups) = groups_of(cx, &user, ["AH01668", "AH01669"], (3, "AH01670")) else {
            return Authz::Denied;
        };
        let Some(group) = mod_authz_owner::file_group(cx, &user) else { return Authz::Denied };
        if groups.contains(&group) {
            return Authz::Granted;
        }
        refused(cx, "AH01671", &user, "user is not part of the 'require'ed file group.")
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        told(cx.req.user.as_ref(), said, "is in the file's group", "is not in the file's group")
    }
}

#[cfg(test)]
mod tests {
    use super::groups_in;

    #[test]
    fn members_are_whole_words() {
        let text = b"# staff: amy\nstaff: amy  bob\nempty:\nno colon amy\nx : amy\nothers:\"amy\" carl\n";
        let groups = groups_in(text, b"amy");
        assert_eq!(groups, ["staff", "x", "others"]);
        assert!(groups_in(text, b"am").is_empty());
    }
}

//! mod_userdir: `/~name/…` leads to a directory of that user.
//!
//! Manual: `mod/mod_userdir.html`. A directory is a name below the user's home, or a path or URL in
//! which `*` stands for the user. Of several the first that exists is taken, else the last. A URL
//! without a star, which the manual has too, leads nowhere in Apache 2.4.71.

use crate::{
    diag::Span,
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    http::Status,
    policy::{Applied, Args, Config, Directive, Kind, Mistake, Place, Scope, Setting, Shape},
    system,
};
use bstr::{BString, ByteSlice};
use std::os::unix::ffi::OsStrExt;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_userdir",
    source: "mod_userdir.c",
    identifier: "userdir_module",
    configs: &[Kind::of_every_host::<UserDirs>()],
    directives: &[Directive {
        name: "UserDir",
        shape: Shape::Raw,
        scope: Scope::RSRC_CONF,
        usage: "the public subdirectory in users' home directories, or 'disabled', or 'disabled username username...', or 'enabled username username...'",
        doc: "The directory of a user that `/~name` leads to; for whom there is one.",
        apply: user_dir,
    }],
    hooks: &[Hook {
        phase: Phase::Translate,
        order: Order { rank: Order::MIDDLE.rank, after: &["mod_alias"] },
        run: translate,
    }],
    ..Module::NOTHING
};

/// The note that names whose directory a request is in, for suEXEC.
pub(super) const USER: &str = "mod_userdir_user";

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct UserDirs {
    /// `UserDir directory …`.
    directories: Option<Setting<Vec<BString>>>,
    /// `UserDir disabled` without names.
    all_disabled: Option<Setting<bool>>,
    /// `UserDir disabled name …`; this and the next of this server alone.
    disabled: Vec<Setting<BString>>,
    /// `UserDir enabled name …`.
    enabled: Vec<Setting<BString>>,
}

impl Config for UserDirs {
    fn merge(&self, outer: &Self) -> Self {
        UserDirs {
            directories: self.directories.clone().or_else(|| outer.directories.clone()),
            all_disabled: self.all_disabled.or(outer.all_disabled),
            disabled: self.disabled.clone(),
            enabled: self.enabled.clone(),
        }
    }
}

fn user_dir(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let words: Vec<BString> = args.node.words().map(|word| word.text).collect();
    let (keyword, names) = match words.split_first() {
        Some((keyword, names)) if !keyword.is_empty() => (keyword, names),
        _ => return Err(Mistake::new("UserDir requires an argument.").id("RX0730")),
    };
    let said = |name: &BString| Setting::new(name.clone(), args.span);
    let is = |words: [&str; 2]| words.iter().any(|word| keyword.eq_ignore_ascii_case(word.as_bytes()));
    let dirs = place.server::<UserDirs>();
    if is(["disable", "disabled"]) {
        if names.is_empty() {
            dirs.all_disabled = Some(Setting::new(true, args.span));
        }
        dirs.disabled.extend(names.iter().map(said));
    } else if is(["enable", "enabled"]) {
        dirs.enabled.extend(names.iter().map(said));
    } else {
        dirs.directories = Some(Setting::new(words, args.span));
    }
    Ok(())
}

impl UserDirs {
    /// The directive that keeps this user from having a directory.
    fn refused(&self, user: &[u8]) -> Option<Span> {
        let named =
            |list: &[Setting<BString>]| list.iter().find(|name| name.value == user).map(|name| name.at);
        named(&self.disabled).or_else(|| {
            let all = self.all_disabled.filter(|said| said.value)?;
            named(&self.enabled).is_none().then_some(all.at)
        })
    }
}

/// Where one of the directories leads.
enum Leads {
    /// To a file or directory; the user's own part of the path.
    File(BString),
    /// To another URL.
    Url(BString),
}

fn translate(cx: &mut Cx<'_>) -> Verdict {
    let dirs: &UserDirs = cx.server_conf();
    let Some(directories) = &dirs.directories else { return Verdict::Declined };
    let Some(after) = cx.req.uri.strip_prefix(b"/~") else { return Verdict::Declined };
    let end = after.find_byte(b'/').unwrap_or(after.len());
    let (user, rest) = (BString::from(&after[..end]), BString::from(&after[end..]));
    if matches!(user.as_slice(), b"" | b"." | b"..") {
        return Verdict::Declined;
    }
    if let Some(at) = dirs.refused(&user) {
        cx.because(at, format_args!("{user} has no directory of this server"));
        return Verdict::Declined;
    }
    let last = directories.value.len() - 1;
    for (at, directory) in directories.value.iter().enumerate() {
        let there = |path: &BString| cx.system().stat(system::path(path)).is_ok();
        match leads(cx, directory, &user, &rest) {
            Some(Leads::Url(url)) => {
                cx.because(directories.at, format_args!("the directory of {user} is elsewhere: {url}"));
                cx.req.headers_out.set("Location", url);
                return Verdict::Status(Status(302));
            }
            Some(Leads::File(path)) if at == last || there(&path) => {
                cx.because(directories.at, format_args!("/~{user} is {path}"));
                cx.req.context_prefix = Some([b"/~", user.as_slice()].concat().into());
                cx.req.context_document_root = Some(path.clone());
                cx.req.notes.set(USER, user.clone());
                cx.req.filename = [path.as_slice(), rest.as_slice()].concat().into();
                return Verdict::Ok;
            }
            Some(Leads::File(_)) => {}
            None => break,
        }
    }
    Verdict::Declined
}

/// What a directory is for a user; nothing if there is no such user. What stands behind the star of a
/// URL does not count.
fn leads(cx: &Cx<'_>, directory: &[u8], user: &[u8], rest: &[u8]) -> Option<Leads> {
    let (before, after) = directory.split_once_str("*").map_or((directory, None), |(b, a)| (b, Some(a)));
    let file = |parts: &[&[u8]]| Some(Leads::File(parts.concat().into()));
    match after {
        Some(after) if directory.starts_with(b"/") => file(&[before, user, after]),
        Some(_) if before.contains(&b':') => Some(Leads::Url([before, user, rest].concat().into())),
        Some(_) => None,
        None if directory.starts_with(b"/") => file(&[directory, b"/", user]),
        None => {
            let home = cx.system().user(&user.to_str_lossy())?.home;
            file(&[home.as_os_str().as_bytes(), b"/", directory])
        }
    }
}

//! mod_suexec: as whom a server's programs run, through Apache's setuid wrapper.
//!
//! Manual: `mod/mod_suexec.html`, `suexec.html`. Programs of `~user` URLs run as that user, whether
//! this module is there or not; that is mod_userdir's doing. [`crate::policy::suexec`] knows the wrapper,
//! mod_cgi calls it.

use super::{mod_unixd, mod_userdir};
use crate::{
    diag::Span,
    engine::{Cx, Module},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape,
        suexec::WRAPPER,
    },
};
use bstr::BString;

/// `suexec_module`
pub static MODULE: Module = Module {
    name: "mod_suexec",
    source: "mod_suexec.c",
    identifier: "suexec_module",
    configs: &[Kind::of::<SuexecServer>()],
    directives: &[Directive {
        name: "SuexecUserGroup",
        shape: Shape::Two,
        scope: Scope::RSRC_CONF,
        usage: "User and group for spawned processes",
        doc: "As whom the programs of a server run",
        apply: user_group,
    }],
    ..Module::NOTHING
};

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct SuexecServer {
    /// `SuexecUserGroup`: uid and gid.
    ids: Said<(u32, u32)>,
}

impl Config for SuexecServer {
    fn merge(&self, outer: &Self) -> Self {
        SuexecServer { ids: self.ids.over(&outer.ids) }
    }
}

fn user_group(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let suexec = place.process().suexec;
    let refuse =
        |why: String| Mistake::new(format!("SuexecUserGroup configured, but suEXEC is disabled: {why}"));
    match (suexec.said, suexec.wrapper) {
        (Some(Setting { value: false, .. }), _) => {
            return Err(refuse("Suexec directive is Off".to_owned()).id("RX0620"));
        }
        (_, Err(why)) => return Err(refuse(format!("{why} {WRAPPER}")).id("RX0620").note(why.advice())),
        (_, Ok(())) => {}
    }
    match (mod_unixd::user_id(place, args.text(0)), mod_unixd::group_id(place, args.text(1))) {
        (None, _) => place.warn(mod_unixd::unknown(args, 0, "user")),
        (_, None) => place.warn(mod_unixd::unknown(args, 1, "group")),
        (Some(uid), Some(gid)) => {
            place.server::<SuexecServer>().ids = Some(Setting::new((uid, gid), args.span));
        }
    }
    Ok(())
}

/// As whom the program of a request is to run, in the words that the wrapper takes.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Number of the user; `~` in front lets the wrapper look for the program below the user's home.
    pub user: BString,
    /// Number of the group.
    pub group: BString,
    /// The directive that says so.
    pub at: Option<Span>,
}

/// Asks mod_userdir, then SuexecUserGroup (ap_run_get_suexec_identity); nobody where the wrapper is
/// not to be used.
pub(super) fn identity(cx: &Cx<'_>) -> Option<Identity> {
    if !cx.engine.policy.process.suexec.enabled() {
        return None;
    }
    if let Some(user) =
        cx.req.notes.get(mod_userdir::USER).map(|name| String::from_utf8_lossy(name).into_owned())
        && let Some(user) = cx.system().user(&user)
    {
        let (user, group) = (format!("~{}", user.uid).into(), user.gid.to_string().into());
        return Some(Identity { user, group, at: None });
    }
    let said = cx.server_conf::<SuexecServer>().ids?;
    let (uid, gid) = said.value;
    Some(Identity { user: uid.to_string().into(), group: gid.to_string().into(), at: Some(said.at) })
}

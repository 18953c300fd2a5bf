//! mod_authn_anon: guests, who say their mail address in place of a password (mod_authn_anon.html).

use crate::{
    diag::Span,
    engine::{Authn, AuthnFunctions, Cx, Module},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape,
        table::AuthnProvider,
    },
};
use bstr::{BString, ByteSlice};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authn_anon",
    source: "mod_authn_anon.c",
    identifier: "authn_anon_module",
    configs: &[Kind::of::<Anonymous>()],
    directives: DIRECTIVES,
    authn_providers: &[AuthnProvider {
        name: "anon",
        doc: "guests, under the names of Anonymous",
        has_realms: false,
        functions: &FUNCTIONS,
    }],
    ..Module::NOTHING
};

static FUNCTIONS: AuthnFunctions = AuthnFunctions { password: check, realm: None };

const fn flag(
    name: &'static str,
    doc: &'static str,
    apply: fn(&mut Place<'_, '_>, &Args<'_>) -> Applied,
) -> Directive {
    let usage = "Limited to 'on' or 'off'";
    Directive { name, shape: Shape::Flag, scope: Scope::AUTHCFG, usage, doc, apply }
}

const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "Anonymous",
        shape: Shape::Each,
        scope: Scope::AUTHCFG,
        usage: "a space-separated list of user IDs",
        doc: "Names under which guests may come in; `*` is any name",
        apply: anonymous,
    },
    flag("Anonymous_MustGiveEmail", "Whether guests must say something as password", |place, args| {
        place.dir::<Anonymous>().must_give_email = said(args);
        Ok(())
    }),
    flag("Anonymous_NoUserId", "Whether guests may leave the name empty", |place, args| {
        place.dir::<Anonymous>().no_user_id = said(args);
        Ok(())
    }),
    flag("Anonymous_VerifyEmail", "Whether what guests say must look like a mail address", |place, args| {
        place.dir::<Anonymous>().verify_email = said(args);
        Ok(())
    }),
    flag(
        "Anonymous_LogEmail",
        "Whether the address goes into the error log, at level info",
        |place, args| {
            place.dir::<Anonymous>().log_email = said(args);
            Ok(())
        },
    ),
];

fn said(args: &Args<'_>) -> Said<bool> {
    Some(Setting::new(args.on, args.span))
}

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Anonymous {
    users: Vec<Setting<BString>>,
    must_give_email: Said<bool>,
    no_user_id: Said<bool>,
    verify_email: Said<bool>,
    log_email: Said<bool>,
}

impl Config for Anonymous {
    /// Apache does not merge these: what is inside takes the place of what is around.
    fn merge(&self, _: &Self) -> Self {
        self.clone()
    }
}

fn anonymous(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let name = args.text(0);
    if name.is_empty() {
        let message = "Anonymous string cannot be empty, use Anonymous_NoUserId";
        return Err(Mistake::new(message).id("RX0388").at(args.at(0), "empty"));
    }
    place.dir::<Anonymous>().users.push(Setting::new(name.into(), args.span));
    Ok(())
}

fn check(cx: &mut Cx<'_>, user: &[u8], password: &[u8], _: Span) -> Authn {
    let conf: &Anonymous = cx.conf();
    let at = if user.is_empty() {
        conf.no_user_id.as_ref().filter(|said| said.value).map(|said| said.at)
    } else {
        let fits = |name: &BString| name == "*" || name.eq_ignore_ascii_case(user);
        conf.users.iter().find(|name| fits(&name.value)).map(|name| name.at)
    };
    let Some(at) = at else { return Authn::NotFound };
    if conf.must_give_email.value_or(true) && password.is_empty() {
        cx.because(at, format_args!("a guest, who did not say a mail address"));
        return Authn::Denied;
    }
    if conf.verify_email.value_or(false) && !(password.contains(&b'@') && password.contains(&b'.')) {
        cx.because(conf.verify_email.at(), format_args!("what the guest said is no mail address"));
        return Authn::Denied;
    }
    if conf.log_email.value_or(true) && !cx.req.is_sub && cx.req.prev.is_none() {
        let address = if password.is_empty() { b"'none'" } else { password }.as_bstr();
        cx.as_module(MODULE.name, |cx| {
            cx.log(6, "AH01672", format_args!("Anonymous: Passwd <{address}> Accepted"));
        });
    }
    cx.because(at, format_args!("a guest"));
    Authn::Granted
}

//! mod_allowmethods: the methods that a place takes (mod_allowmethods.html).

use crate::{
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    http::{Method, MethodSet, Status},
    policy::{Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape},
};
use bstr::ByteSlice;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_allowmethods",
    source: "mod_allowmethods.c",
    identifier: "allowmethods_module",
    configs: &[Kind::of::<Allowed>()],
    directives: &[Directive {
        name: "AllowMethods",
        shape: Shape::Argv,
        scope: Scope::ACCESS_CONF,
        usage: "only allow specific methods",
        doc: "The only methods that are taken here; `reset` takes all",
        apply: allow_methods,
    }],
    hooks: &[Hook { phase: Phase::Access, order: Order::REALLY_FIRST, run: access }],
    ..Module::NOTHING
};

/// `AllowMethods`; an empty set is `reset`.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    methods: Said<MethodSet>,
}

impl Config for Allowed {
    fn merge(&self, outer: &Self) -> Self {
        Allowed { methods: self.methods.over(&outer.methods) }
    }
}

fn allow_methods(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if args.words.is_empty() {
        return Err(Mistake::new("AllowMethods: No method or 'reset' keyword given").id("RX0389"));
    }
    let mut methods = MethodSet::EMPTY;
    let reset = args.words.len() == 1 && args.text(0).eq_ignore_ascii_case(b"reset");
    if !reset {
        let registered = place.process().methods.clone();
        for (n, word) in args.words.iter().enumerate() {
            let method = Method::find(&word.text, &registered);
            if method == Method::Other {
                let message = format!("AllowMethods: Invalid Method '{}'", word.text.as_bstr());
                return Err(Mistake::new(message)
                    .id("RX0389")
                    .at(args.at(n), "no method; letter case counts"));
            }
            methods = methods.with(method);
        }
    }
    place.dir::<Allowed>().methods = Some(Setting::new(methods, args.span));
    Ok(())
}

/// \[access_checker\], first of all.
fn access(cx: &mut Cx<'_>) -> Verdict {
    let Some(said) = cx.conf::<Allowed>().methods.filter(|said| !said.value.is_empty()) else {
        return Verdict::Declined;
    };
    if said.value.contains(cx.req.method) {
        return Verdict::Declined;
    }
    let method = cx.req.method_name.clone();
    cx.because(said.at, format_args!("{method} is not among these"));
    let (what, name) = match cx.req.filename.is_empty() {
        true => ("uri ", cx.req.uri.clone()),
        false => ("", cx.req.filename.clone()),
    };
    let text = format_args!("client method denied by server configuration: '{method}' to {what}{name}");
    cx.log(3, "AH01623", text);
    Verdict::Status(Status(405))
}

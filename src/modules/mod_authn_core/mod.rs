//! mod_authn_core: AuthType, AuthName, and providers under names of one's own (mod_authn_core.html).
//!
//! What the modules that authenticate have in common is in `providers.rs`.

pub mod providers;

use crate::{
    diag::Span,
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape, Within,
        expr::{self, Captures, Expr, eval_string},
    },
    syntax::Words,
};
use bstr::{BString, ByteSlice};
use providers::{Alias, AliasServer};
use std::sync::Arc;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authn_core",
    source: "mod_authn_core.c",
    identifier: "authn_core_module",
    configs: &[Kind::of::<AuthnDir>(), Kind::of::<AliasServer>()],
    directives: &[
        Directive {
            name: "AuthType",
            shape: Shape::One,
            scope: Scope::AUTHCFG,
            usage: "an HTTP authorization type (e.g., \"Basic\")",
            doc: "How users say who they are: Basic, Digest, or None",
            apply: auth_type_said,
        },
        Directive {
            name: "AuthName",
            shape: Shape::One,
            scope: Scope::AUTHCFG,
            usage: "the authentication realm (e.g. \"Members Only\")",
            doc: "What the browser tells users that they log in to",
            apply: auth_name_said,
        },
        Directive {
            name: "<AuthnProviderAlias",
            shape: Shape::Raw,
            scope: Scope::RSRC_CONF,
            usage: "container for grouping an authentication provider's directives under a provider alias",
            doc: "A provider with its own settings under a name of one's own",
            apply: alias,
        },
    ],
    hooks: &[Hook { phase: Phase::Authn, order: Order::LAST, run: nobody_authenticates }],
    ..Module::NOTHING
};

/// AuthType and AuthName of a place.
#[derive(Clone, Debug, Default)]
pub struct AuthnDir {
    auth_type: Said<Arc<Expr>>,
    auth_name: Said<Arc<Expr>>,
}

impl Config for AuthnDir {
    fn merge(&self, outer: &Self) -> Self {
        AuthnDir {
            auth_type: self.auth_type.over(&outer.auth_type),
            auth_name: self.auth_name.over(&outer.auth_name),
        }
    }
}

fn auth_type_said(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let expr = text_of(place, args)?;
    place.dir::<AuthnDir>().auth_type = Some(expr);
    Ok(())
}

fn auth_name_said(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let expr = text_of(place, args)?;
    place.dir::<AuthnDir>().auth_name = Some(expr);
    Ok(())
}

fn text_of(place: &mut Place<'_, '_>, args: &Args<'_>) -> Result<Setting<Arc<Expr>>, Mistake> {
    let text = args.text(0);
    let options = expr::Options { dont_vary: true, ..place.expression_options() };
    let parsed = expr::parse(text, expr::Mode::String, options);
    let expr = parsed.map_err(|error| {
        let name = if args.node.is(b"AuthType") { "AuthType" } else { "AuthName" };
        let message = format!("Cannot parse expression '{}' in {name}: {}", text.as_bstr(), error.message);
        Mistake::new(message).id("RX0380").at(args.at(0), "")
    })?;
    Ok(Setting::new(Arc::new(expr), args.span))
}

/// `<AuthnProviderAlias provider name>`
fn alias(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let Some(text) = args.node.section_args() else {
        let message = "<AuthnProviderAlias> directive missing closing '>'";
        return Err(Mistake::new(message).id("RX0381"));
    };
    let mut words = Words::of(&text);
    let (Some(base), Some(name)) = (words.next(), words.next()) else {
        let message = "<AuthnProviderAlias> directive requires additional arguments";
        return Err(Mistake::new(message).id("RX0381").note("It takes a provider and a name."));
    };
    let conf = place.section(args.node, None, false);
    if base.text == name.text {
        let message = "The alias provider name must be different from the base provider name.";
        return Err(Mistake::new(message).id("RX0382").at(name.span, "the name of the provider itself"));
    }
    if place.server::<AliasServer>().knows(&name.text) || place.authn_provider(&name.text).is_some() {
        let message = format!(
            "The alias provider {} has already be registered previously as either a base provider or an alias \
             provider.",
            name.text
        );
        return Err(Mistake::new(message).id("RX0383").at(name.span, "taken"));
    }
    let Some(known) = providers::find(place, &base.text) else {
        return match place.refuse_authn_provider(&base.text, args.node) {
            Some(refused) => refused,
            None => Err(providers::unknown(&base.text, base.span)),
        };
    };
    place.server::<AliasServer>().add(Arc::new(Alias { name: name.text, base: known, conf }));
    Ok(())
}

/// The kind of authentication that holds here; `None` if none does (ap_auth_type).
pub fn auth_type(cx: &mut Cx<'_>) -> Option<Setting<BString>> {
    let said = cx.conf::<AuthnDir>().auth_type.as_ref()?;
    let value = evaluated(cx, &said.value, "AH02834", "AuthType")?;
    (!value.eq_ignore_ascii_case(b"none")).then(|| Setting::new(value, said.at))
}

/// The realm, quotes in it escaped (ap_auth_name).
pub fn auth_name(cx: &mut Cx<'_>) -> Option<BString> {
    let said = cx.conf::<AuthnDir>().auth_name.as_ref()?;
    Some(escape_quotes(&evaluated(cx, &said.value, "AH02835", "AuthName")?))
}

/// The directive that AuthName was said with.
pub fn auth_name_at(cx: &Cx<'_>) -> Span {
    cx.conf::<AuthnDir>().auth_name.at()
}

fn evaluated(cx: &mut Cx<'_>, expr: &Expr, number: &'static str, what: &str) -> Option<BString> {
    match eval_string(expr, cx, &mut Captures::new()) {
        Ok(value) => Some(value),
        Err(error) => {
            cx.as_module(MODULE.name, |cx| {
                cx.log(3, number, format_args!("{what} expression could not be evaluated: {error}"));
            });
            None
        }
    }
}

/// A backslash before each `"`; what has one already keeps it.
fn escape_quotes(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => {
                out.push(byte);
                out.extend(bytes.next());
            }
            _ => out.push(byte),
        }
    }
    out.into()
}

/// \[check_user_id\], last: nobody authenticated. Without an AuthType that is as it should be.
fn nobody_authenticates(cx: &mut Cx<'_>) -> Verdict {
    let Some(kind) = auth_type(cx) else { return Verdict::Ok };
    cx.log(3, "AH01796", format_args!("AuthType {} configured without corresponding module", kind.value));
    cx.fail(500, kind.at, format_args!("no active module authenticates by {}", kind.value))
}

#[cfg(test)]
mod tests {
    use super::escape_quotes;

    #[test]
    fn quotes_are_escaped_once() {
        assert_eq!(escape_quotes(br#"The "p" realm"#), br#"The \"p\" realm"#.as_slice());
        assert_eq!(escape_quotes(br#"a\"b\\"#), br#"a\"b\\"#.as_slice());
    }
}

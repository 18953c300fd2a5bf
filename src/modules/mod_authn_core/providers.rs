//! The lists of providers that AuthBasicProvider and AuthDigestProvider make, and asking them.

use crate::{
    diag::Span,
    engine::{Authn, AuthnFunctions, Cx, RealmHash, functions},
    policy::{Applied, Args, Conf, Config, Mistake, Place, Setting, table::AuthnProvider},
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

/// A provider as a configuration names it.
#[derive(Clone, Debug)]
pub enum Known {
    /// A module's.
    Own(&'static AuthnProvider),
    /// One of `<AuthnProviderAlias>`.
    Alias(Arc<Alias>),
}

/// `<AuthnProviderAlias base name>`.
#[derive(Debug)]
pub struct Alias {
    /// Its name.
    pub name: BString,
    /// Who is asked.
    pub base: Known,
    /// The settings that are laid over those of the place meanwhile.
    pub conf: Conf,
}

/// The aliases of the whole server.
#[derive(Clone, Debug, Default)]
pub struct AliasServer {
    aliases: Vec<Arc<Alias>>,
}

impl Config for AliasServer {
    fn merge(&self, outer: &Self) -> Self {
        AliasServer { aliases: [outer.aliases.as_slice(), &self.aliases].concat() }
    }
}

impl AliasServer {
    /// Whether there is one of this name.
    pub fn knows(&self, name: &[u8]) -> bool {
        self.aliases.iter().any(|alias| alias.name == name)
    }

    /// Adds one.
    pub fn add(&mut self, alias: Arc<Alias>) {
        self.aliases.push(alias);
    }
}

impl Known {
    /// What it is called.
    pub fn name(&self) -> &[u8] {
        match self {
            Known::Own(provider) => provider.name.as_bytes(),
            Known::Alias(alias) => &alias.name,
        }
    }

    /// The module's provider that answers in the end.
    pub fn base(&self) -> &'static AuthnProvider {
        match self {
            Known::Own(provider) => provider,
            Known::Alias(alias) => alias.base.base(),
        }
    }

    /// Whether the password is this user's.
    pub fn check(&self, cx: &mut Cx<'_>, user: &[u8], password: &[u8], at: Span) -> Authn {
        self.ask(cx, &mut |cx, functions| (functions.password)(cx, user, password, at))
            .unwrap_or(Authn::Error)
    }

    /// The hash of user, realm and password; `None`: this provider has none.
    pub fn realm(&self, cx: &mut Cx<'_>, user: &[u8], realm: &[u8], at: Span) -> Option<RealmHash> {
        self.ask(cx, &mut |cx, functions| functions.realm.map(|realm_hash| realm_hash(cx, user, realm, at)))?
    }

    fn ask<R>(
        &self,
        cx: &mut Cx<'_>,
        question: &mut dyn FnMut(&mut Cx<'_>, &AuthnFunctions) -> R,
    ) -> Option<R> {
        match self {
            Known::Own(provider) => {
                let functions = functions(provider)?;
                Some(question(cx, functions))
            }
            Known::Alias(alias) => cx.under(&alias.conf, |cx| alias.base.ask(cx, question)),
        }
    }
}

/// The provider of a name: an alias, or an active module's.
pub fn find(place: &mut Place<'_, '_>, name: &[u8]) -> Option<Known> {
    let server = std::mem::replace(&mut place.at.server, 0);
    let aliases = &place.server::<AliasServer>().aliases;
    let alias = aliases.iter().find(|alias| alias.name == name).cloned();
    place.at.server = server;
    alias.map(Known::Alias).or_else(|| place.authn_provider(name).map(Known::Own))
}

/// The mistake of naming one that nobody knows.
pub fn unknown(name: &[u8], at: Span) -> Mistake {
    Mistake::new(format!("Unknown Authn provider: {}", name.as_bstr()))
        .id("RX0384")
        .at(at, "no active module has this word")
        .note("The usual one is `file`, of mod_authn_file.")
}

/// One word of AuthBasicProvider or AuthDigestProvider, added to a list.
pub fn add(
    place: &mut Place<'_, '_>,
    args: &Args<'_>,
    list: for<'a> fn(&'a mut Place<'_, '_>) -> &'a mut Vec<Setting<Known>>,
    fits: fn(&AuthnProvider) -> Result<(), String>,
) -> Applied {
    let name = args.text(0);
    let Some(known) = find(place, name) else {
        return match place.refuse_authn_provider(name, args.node) {
            Some(refused) => refused,
            None => Err(unknown(name, args.at(0))),
        };
    };
    fits(known.base())
        .map_err(|message| Mistake::new(message).id("RX0385").at(args.at(0), "not this one"))?;
    list(place).push(Setting::new(known, args.span));
    Ok(())
}

/// The providers to ask: those that were named, else `file`; none if mod_authn_file is not active.
pub fn list(cx: &Cx<'_>, said: &[Setting<Known>]) -> Vec<Setting<Known>> {
    if !said.is_empty() {
        return said.to_vec();
    }
    let file = cx.engine.policy.tables.authn_provider(b"file");
    file.map(|provider| Setting::new(Known::Own(provider), Span::BUILTIN)).into_iter().collect()
}

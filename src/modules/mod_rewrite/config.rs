//! What is said about rewriting in one place, and how places are laid over one another.

use super::{maps::Map, parse::Condition, rules::Rule};
use crate::{
    diag::{Apache, Diagnostic},
    policy::{Applied, Args, Config, Mistake, Place, Said, SaidExt, Setting},
};
use bstr::{BString, ByteSlice};
use std::{
    ops::{BitOr, BitOrAssign},
    sync::Arc,
};

/// `RewriteOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(u16);

impl Options {
    pub const INHERIT: Options = Options(1);
    pub const INHERIT_BEFORE: Options = Options(1 << 1);
    pub const INHERIT_DOWN: Options = Options(1 << 2);
    pub const INHERIT_DOWN_BEFORE: Options = Options(1 << 3);
    pub const IGNORE_INHERIT: Options = Options(1 << 4);
    pub const NO_SLASH: Options = Options(1 << 5);
    pub const ANY_URI: Options = Options(1 << 6);
    pub const MERGE_BASE: Options = Options(1 << 7);
    pub const IGNORE_CONTEXT: Options = Options(1 << 8);
    pub const LEGACY_PREFIX: Options = Options(1 << 9);

    /// Whether all of these are among them.
    pub fn has(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Options {
    type Output = Options;

    fn bitor(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }
}

impl BitOrAssign for Options {
    fn bitor_assign(&mut self, other: Options) {
        self.0 |= other.0;
    }
}

/// Rules, with conditions that wait for theirs.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In order.
    pub list: Vec<Arc<Rule>>,
    /// Conditions of the next rule.
    pub pending: Vec<Condition>,
}

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct RewriteServer {
    pub engine: Said<bool>,
    pub options: Said<Options>,
    pub rules: Rules,
    /// By name.
    pub maps: Vec<(BString, Setting<Arc<Map>>)>,
}

/// Settings of a directory or another section.
#[derive(Clone, Debug, Default)]
pub struct RewriteDir {
    pub engine: Said<bool>,
    pub options: Said<Options>,
    pub rules: Rules,
    /// `RewriteBase`.
    pub base: Said<BString>,
    /// The section's path with a final slash; none at the level of a server.
    pub directory: Option<BString>,
}

/// Which of two lists of rules hold, where one place lies inside another.
fn joined(inner: &[Arc<Rule>], outer: &[Arc<Rule>], own: Options, around: Options) -> Vec<Arc<Rule>> {
    let down = |option| around.has(option) && !own.has(Options::IGNORE_INHERIT);
    if own.has(Options::INHERIT) || down(Options::INHERIT_DOWN) {
        [inner, outer].concat()
    } else if own.has(Options::INHERIT_BEFORE) || down(Options::INHERIT_DOWN_BEFORE) {
        [outer, inner].concat()
    } else {
        inner.to_vec()
    }
}

fn options_of(inner: &Said<Options>, outer: &Said<Options>) -> (Options, Options) {
    (inner.over(outer).value_or(Options::default()), outer.value_or(Options::default()))
}

impl Config for RewriteServer {
    fn merge(&self, outer: &Self) -> Self {
        let (own, around) = options_of(&self.options, &outer.options);
        let list = joined(&self.rules.list, &outer.rules.list, own, around);
        let down = Options::INHERIT_DOWN | Options::INHERIT_DOWN_BEFORE;
        let inherits = own.has(Options::INHERIT)
            || own.has(Options::INHERIT_BEFORE)
            || (around.0 & down.0 != 0 && !own.has(Options::IGNORE_INHERIT));
        let mut maps = self.maps.clone();
        if inherits {
            let known = |name: &BString| self.maps.iter().any(|(own, _)| own == name);
            maps.extend(outer.maps.iter().filter(|(name, _)| !known(name)).cloned());
        }
        RewriteServer {
            engine: self.engine.over(&outer.engine),
            options: self.options.over(&outer.options),
            rules: Rules { list, pending: Vec::new() },
            maps,
        }
    }
}

impl Config for RewriteDir {
    fn merge(&self, outer: &Self) -> Self {
        let (own, around) = options_of(&self.options, &outer.options);
        let base = match own.has(Options::MERGE_BASE) {
            true => self.base.over(&outer.base),
            false => self.base.clone(),
        };
        RewriteDir {
            engine: self.engine.over(&outer.engine),
            options: self.options.over(&outer.options),
            rules: Rules {
                list: joined(&self.rules.list, &outer.rules.list, own, around),
                pending: Vec::new(),
            },
            base,
            directory: self.directory.clone(),
        }
    }
}

/// The settings of the section that a directive stands in.
pub fn section<'c>(place: &'c mut Place<'_, '_>) -> &'c mut RewriteDir {
    let path = place.at.path.map(|path| {
        let slash: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
        BString::from([path, slash].concat())
    });
    let dir = place.dir::<RewriteDir>();
    if dir.directory.is_none() {
        dir.directory = path;
    }
    dir
}

pub fn engine(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let said = Some(Setting::new(args.on, args.span));
    if place.at.path.is_none() {
        place.server::<RewriteServer>().engine = said;
    }
    section(place).engine = said;
    Ok(())
}

pub fn options(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let word = args.text(0);
    let option = match word.to_ascii_lowercase().as_slice() {
        b"inherit" => Options::INHERIT,
        b"inheritbefore" => Options::INHERIT_BEFORE,
        b"inheritdown" => Options::INHERIT_DOWN,
        b"inheritdownbefore" => Options::INHERIT_DOWN_BEFORE,
        b"ignoreinherit" => Options::IGNORE_INHERIT,
        b"allownoslash" => Options::NO_SLASH,
        b"allowanyuri" => Options::ANY_URI,
        b"mergebase" => Options::MERGE_BASE,
        b"ignorecontextinfo" => Options::IGNORE_CONTEXT,
        b"legacyprefixdocroot" => Options::LEGACY_PREFIX,
        lower if lower.starts_with(b"maxredirects=") => {
            let text = "AH00664: RewriteOptions: MaxRedirects option has been removed in favor of the global LimitInternalRecursion directive and will be ignored.";
            let warning = Diagnostic::warning("RX0740", args.at(0), "MaxRedirects has no effect");
            let warning = warning.with_apache(Apache::Plain(text.into())).logged_by("rewrite");
            place.warn(warning.with_advice("LimitInternalRecursion is the limit"));
            Options::default()
        }
        _ => {
            let message = format!("RewriteOptions: unknown option '{}'", word.as_bstr());
            return Err(Mistake::new(message).id("RX0741").at(args.at(0), "there is no such option"));
        }
    };
    let add =
        |said: &Said<Options>| Some(Setting::new(said.value_or(Options::default()) | option, args.span));
    if place.at.path.is_none() {
        let server = place.server::<RewriteServer>();
        server.options = add(&server.options);
    }
    let dir = section(place);
    dir.options = add(&dir.options);
    Ok(())
}

pub fn base(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let url = args.text(0);
    let wrong = |text: &str| Err(Mistake::new(text).id("RX0742").at(args.at(0), "not this"));
    if place.at.path.is_none() {
        return wrong("RewriteBase: only valid in per-directory config files");
    }
    if !url.starts_with(b"/") {
        return wrong("RewriteBase: argument is not a valid URL");
    }
    let slash: &[u8] = if url.ends_with(b"/") { b"" } else { b"/" };
    let url = BString::from([url, slash].concat());
    section(place).base = Some(Setting::new(url, args.span));
    Ok(())
}

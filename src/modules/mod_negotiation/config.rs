//! The directives of mod_negotiation.

use crate::policy::{Applied, Args, Config, Directive, Mistake, Place, Said, SaidExt, Scope, Setting, Shape};
use bstr::BString;

/// `ForceLanguagePriority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Force {
    prefer: bool,
    fallback: bool,
}

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {
    /// `LanguagePriority`.
    pub priority: Said<Vec<BString>>,
    /// `ForceLanguagePriority`.
    pub force: Said<Force>,
}

impl Config for Negotiation {
    fn merge(&self, outer: &Self) -> Self {
        Negotiation { priority: self.priority.over(&outer.priority), force: self.force.over(&outer.force) }
    }
}

impl Negotiation {
    /// The place of a language in LanguagePriority.
    pub fn place_of(&self, language: &[u8]) -> Option<usize> {
        self.priority.value()?.iter().position(|known| known.eq_ignore_ascii_case(language))
    }

    /// Whether LanguagePriority decides among what is equally good.
    pub fn prefers(&self) -> bool {
        self.force.value().is_none_or(|force| force.prefer)
    }

    /// Whether LanguagePriority decides where the client takes no language that there is.
    pub fn falls_back(&self) -> bool {
        self.force.value().is_some_and(|force| force.fallback)
    }
}

/// Settings of a server. They are kept for `dump`; Apache 2.4.71 answers old clients the same way with
/// either.
#[derive(Clone, Debug, Default)]
pub struct Caching {
    /// `CacheNegotiatedDocs`.
    pub cache: Said<bool>,
}

impl Config for Caching {
    fn merge(&self, outer: &Self) -> Self {
        Caching { cache: self.cache.over(&outer.cache) }
    }
}

pub(super) static DIRECTIVES: [Directive; 3] = [
    Directive {
        name: "CacheNegotiatedDocs",
        shape: Shape::Flag,
        scope: Scope::RSRC_CONF,
        usage: "Either 'on' or 'off' (default)",
        doc: "Whether old caches may keep a chosen variant.",
        apply: |place, args| {
            place.server::<Caching>().cache = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
    Directive {
        name: "LanguagePriority",
        shape: Shape::Each,
        scope: Scope::FILEINFO,
        usage: "space-delimited list of MIME language abbreviations",
        doc: "Which language is better where the client does not say.",
        apply: language_priority,
    },
    Directive {
        name: "ForceLanguagePriority",
        shape: Shape::Each,
        scope: Scope::FILEINFO,
        usage: "Force LanguagePriority elections, either None, or Fallback and/or Prefer",
        doc: "When LanguagePriority decides.",
        apply: force,
    },
];

fn language_priority(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let priority = &mut place.dir::<Negotiation>().priority;
    let mut list = priority.take().map(|said| said.value).unwrap_or_default();
    list.push(args.text(0).into());
    *priority = Some(Setting::new(list, args.span));
    Ok(())
}

fn force(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let said = &mut place.dir::<Negotiation>().force;
    let before = said.as_ref().map(|said| said.value);
    let wrong = |text: String| Err(Mistake::new(text).id("RX0760").at(args.at(0), "this word"));
    let none = Force { prefer: false, fallback: false };
    let mut now = before.unwrap_or(none);
    match args.text(0).to_ascii_lowercase().as_slice() {
        b"none" => {
            if before.is_some_and(|before| before != none) {
                return wrong("Cannot combine ForceLanguagePriority options with None".to_owned());
            }
            now = none;
        }
        word @ (b"prefer" | b"fallback") => {
            let name = if word == b"prefer" { "Prefer" } else { "Fallback" };
            if before == Some(none) {
                return wrong(format!("Cannot combine ForceLanguagePriority options None and {name}"));
            }
            now.prefer |= word == b"prefer";
            now.fallback |= word == b"fallback";
        }
        _ => {
            let word = bstr::BStr::new(args.text(0));
            return wrong(format!("Invalid ForceLanguagePriority option {word}"));
        }
    }
    *said = Some(Setting::new(now, args.span));
    Ok(())
}

//! What is said about suffixes, and how sections lay it over one another.

use super::types::Types;
use crate::{
    diag::Diagnostic,
    policy::{Applied, Args, Config, Mistake, Place, Said, SaidExt, Setting},
};
use bstr::{BStr, BString};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What a suffix can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// AddType; an empty one is RemoveType, which outweighs TypesConfig too.
    Type,
    /// AddEncoding.
    Encoding,
    /// AddLanguage.
    Language,
    /// AddCharset.
    Charset,
    /// AddHandler.
    Handler,
    /// AddInputFilter.
    InputFilters,
    /// AddOutputFilter.
    OutputFilters,
}

const FIELDS: usize = 7;

/// What one suffix says.
#[derive(Clone, Debug, Default)]
pub struct Suffix {
    said: [Said<BString>; FIELDS],
}

impl Suffix {
    /// One of the things it says.
    pub fn get(&self, field: Field) -> Option<&Setting<BString>> {
        self.said[field as usize].as_ref()
    }

    fn over(&self, outer: &Suffix) -> Suffix {
        Suffix { said: std::array::from_fn(|n| self.said[n].over(&outer.said[n])) }
    }
}

/// `MultiviewsMatch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MultiviewsMatch {
    /// All suffixes are taken.
    pub any: bool,
    /// Only those that negotiation knows.
    pub negotiated_only: bool,
    /// Those of filters too.
    pub filters: bool,
    /// Those of handlers too.
    pub handlers: bool,
}

type Suffixes = FxHashMap<BString, Suffix>;

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct MimeDir {
    suffixes: Option<Arc<Suffixes>>,
    removed: Vec<(Field, BString)>,
    /// `DefaultLanguage`.
    pub default_language: Said<BString>,
    /// `MultiviewsMatch`.
    pub multiviews: Said<MultiviewsMatch>,
    /// `ModMimeUsePathInfo`.
    pub use_path_info: Said<bool>,
}

impl MimeDir {
    /// What is said about a suffix in lower case, without dot.
    pub fn suffix(&self, suffix: &[u8]) -> Option<&Suffix> {
        self.suffixes.as_ref()?.get(BStr::new(suffix))
    }

    /// Stores what a suffix says, as AddType and its kin do. Values are kept in lower case.
    pub fn add(&mut self, field: Field, suffix: &[u8], value: Setting<BString>) {
        let suffixes = Arc::make_mut(self.suffixes.get_or_insert_default());
        suffixes.entry(key(suffix)).or_default().said[field as usize] = Some(value);
    }

    /// Remembers that a suffix is to be silent about something, as RemoveHandler and its kin do.
    pub fn remove(&mut self, field: Field, suffix: &[u8]) {
        self.removed.push((field, key(suffix)));
    }
}

fn key(suffix: &[u8]) -> BString {
    suffix.strip_prefix(b".").unwrap_or(suffix).to_ascii_lowercase().into()
}

impl Config for MimeDir {
    /// Removals take effect on the two tables together, what the same section adds included, and
    /// are spent by that: a removal that meets an earlier section of its group does not reach what
    /// is around the group.
    fn merge(&self, outer: &Self) -> Self {
        let mut suffixes = match (&self.suffixes, &outer.suffixes) {
            (Some(own), Some(outer)) => Some(Arc::new(overlay(own, outer))),
            (own, outer) => own.as_ref().or(outer.as_ref()).cloned(),
        };
        if let Some(suffixes) = suffixes.as_mut().filter(|_| !self.removed.is_empty()) {
            let suffixes = Arc::make_mut(suffixes);
            for (field, suffix) in &self.removed {
                if let Some(suffix) = suffixes.get_mut(suffix) {
                    suffix.said[*field as usize] = None;
                }
            }
        }
        MimeDir {
            suffixes,
            removed: Vec::new(),
            default_language: self.default_language.over(&outer.default_language),
            multiviews: self.multiviews.over(&outer.multiviews),
            use_path_info: self.use_path_info.over(&outer.use_path_info),
        }
    }
}

fn overlay(own: &Suffixes, outer: &Suffixes) -> Suffixes {
    let mut both = outer.clone();
    for (name, suffix) in own {
        let entry = both.entry(name.clone()).or_default();
        *entry = suffix.over(entry);
    }
    both
}

/// Settings of the process: the type table.
#[derive(Clone, Debug, Default)]
pub struct MimeServer {
    /// `TypesConfig`.
    pub types: Said<TypesFile>,
}

impl Config for MimeServer {
    fn merge(&self, outer: &Self) -> Self {
        MimeServer { types: self.types.over(&outer.types) }
    }
}

/// The file that `TypesConfig` names.
#[derive(Clone, Debug)]
pub struct TypesFile {
    /// Where it is.
    pub path: BString,
    /// What it says, or the words and number of the system's error.
    pub types: Result<Arc<Types>, (String, Option<i32>)>,
}

/// `TypesConfig`. In a virtual host it is taken and has no effect, as in Apache; so has a missing
/// file until the server starts.
pub fn types_config(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if place.is_virtual_host() {
        return Ok(());
    }
    let path = place.server_path(args.text(0));
    let read = Types::read(place.system(), &path).map(Arc::new);
    if let Err(error) = &read {
        let warning =
            Diagnostic::warning("RX0321", args.at(0), format!("the media types in {path} cannot be read"))
                .with_label(error.to_string())
                .with_note("Apache finds this configuration in order, and then does not start.");
        place.warn(warning);
    }
    let types = read.map_err(|error| (error.to_string(), error.raw_os_error()));
    place.server::<MimeServer>().types = Some(Setting::new(TypesFile { path, types }, args.span));
    Ok(())
}

/// AddType and its kin: a value, and a suffix.
pub fn add(place: &mut Place<'_, '_>, args: &Args<'_>, field: Field) -> Applied {
    let value = Setting::new(BString::from(args.text(0).to_ascii_lowercase()), args.span);
    place.dir::<MimeDir>().add(field, args.text(1), value);
    Ok(())
}

/// RemoveHandler and its kin: a suffix. RemoveType acts at once, so that it outweighs TypesConfig.
pub fn remove(place: &mut Place<'_, '_>, args: &Args<'_>, field: Field) -> Applied {
    let suffix = args.text(0);
    match field {
        Field::Type => {
            place.dir::<MimeDir>().add(field, suffix, Setting::new(BString::default(), args.span));
        }
        _ => place.dir::<MimeDir>().remove(field, suffix),
    }
    Ok(())
}

/// `MultiviewsMatch`, called for each word.
pub fn multiviews_match(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let word = args.text(0);
    let said = &mut place.dir::<MimeDir>().multiviews;
    let mut matched = said.as_ref().map_or(MultiviewsMatch::default(), |said| said.value);
    let MultiviewsMatch { any, negotiated_only, filters, handlers } = matched;
    let refuse =
        |text: &str| Err(Mistake::new(text).id("RX0322").at(args.at(0), "not together with the others"));
    match word.to_ascii_lowercase().as_slice() {
        b"any" if negotiated_only || filters || handlers => {
            return refuse("Any is incompatible with NegotiatedOnly, Filters and Handlers");
        }
        b"negotiatedonly" if any || filters || handlers => {
            return refuse("NegotiatedOnly is incompatible with Any, Filters and Handlers");
        }
        b"filters" if any || negotiated_only => {
            return refuse("Filters is incompatible with Any and NegotiatedOnly");
        }
        b"handlers" if any || negotiated_only => {
            return refuse("Handlers is incompatible with Any and NegotiatedOnly");
        }
        b"any" => matched.any = true,
        b"negotiatedonly" => matched.negotiated_only = true,
        b"filters" => matched.filters = true,
        b"handlers" => matched.handlers = true,
        _ => {
            let mistake = Mistake::new(format!("Unrecognized option '{}'", BStr::new(word))).id("RX0323");
            return Err(mistake.at(args.at(0), "one of Any, NegotiatedOnly, Filters, Handlers"));
        }
    }
    *said = Some(Setting::new(matched, args.span));
    Ok(())
}

//! Variants, and how good each is for a client.

use super::{
    accept::{Accept, Item},
    config::Negotiation,
};
use crate::engine::Request;
use bstr::{BString, ByteSlice};
use std::cmp::Ordering;

/// One of the forms in which a document is to be had.
#[derive(Debug, Default)]
pub struct Variant {
    /// Its file, by a name relative to the document's.
    pub name: BString,
    /// What a look-up of that file found, if it was looked up already.
    pub found: Option<Box<Request>>,
    /// Where its content stands in the type map: first byte and length.
    pub body: Option<(u64, u64)>,
    /// Media type without parameters, lower case.
    pub kind: BString,
    /// Quality of the source (`qs`).
    pub source: f32,
    /// `level` of its type.
    pub level: f32,
    /// Charset.
    pub charset: BString,
    /// Encoding.
    pub encoding: BString,
    /// Languages.
    pub languages: Vec<BString>,
    /// Description.
    pub description: BString,
    /// Length; `None` if nobody knows.
    pub length: Option<u64>,
    /// How good it is.
    pub fit: Fit,
}

/// How good a variant is for a client.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    kind: f32,
    language: f32,
    charset: f32,
    encoding: f32,
    /// Place of its language in LanguagePriority.
    priority: Option<usize>,
    level_matched: f32,
    /// Nothing in it is guessed (RFC 2296).
    definite: bool,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit {
            kind: 1.0,
            language: 1.0,
            charset: 1.0,
            encoding: 1.0,
            priority: None,
            level_matched: 0.0,
            definite: true,
        }
    }
}

impl Variant {
    /// Takes type, quality, level and charset from a media type.
    pub fn set_type(&mut self, item: Item) {
        self.kind = item.name;
        self.source = item.quality;
        self.level = item.level;
        self.charset = item.charset;
    }

    /// Its languages as one text.
    pub fn all_languages(&self) -> BString {
        bstr::join(",", &self.languages).into()
    }
}

/// How a choice is made.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'m> {
    /// The configuration.
    pub conf: &'m Negotiation,
    /// What the client says is not improved upon: it knows how to negotiate.
    pub strict: bool,
    /// By RVSA/1.0.
    pub by_rvsa: bool,
    /// The quality of programs, if the client says nothing of types.
    pub programs: f32,
    /// The language that the environment prefers.
    pub preferred: Option<&'m [u8]>,
}

/// Type of a program of whose output nothing is known.
pub const PROGRAM: &str = "application/x-httpd-cgi";

/// The best variant, and whether it may be given to the client.
pub fn best(variants: &mut [Variant], accept: &Accept, manner: &Manner<'_>, choose: bool) -> Option<usize> {
    let any_language = variants.iter().any(|variant| !variant.languages.is_empty());
    let unsaid = if any_language && !manner.strict { 0.0001 } else { 1.0 };
    let mut best: Option<usize> = None;
    let mut quality = 0.0;
    for at in 0..variants.len() {
        let fit = fit(&mut variants[at], accept, manner, unsaid);
        variants[at].fit = fit;
        if choose && is_better(&variants[at], best.map(|best| &variants[best]), &mut quality, manner.by_rvsa)
        {
            best = Some(at);
        }
    }
    best.filter(|&best| quality > 0.0 && (!manner.by_rvsa || variants[best].fit.definite))
}

fn fit(variant: &mut Variant, accept: &Accept, manner: &Manner<'_>, unsaid: f32) -> Fit {
    let mut fit = Fit::default();
    by_type(&mut fit, variant, accept, manner);
    match manner.preferred {
        Some(preferred) => {
            if variant.languages.iter().any(|language| language == preferred) {
                fit.definite = true;
            } else {
                fit.language = if variant.languages.is_empty() { unsaid } else { 0.0 };
            }
        }
        None => by_language(&mut fit, variant, accept, manner, unsaid),
    }
    by_encoding(&mut fit, variant, accept);
    by_charset(&mut fit, variant, accept, manner);
    fit
}

/// By Accept: what is said to the letter counts more than `type/*`, and that more than `*/*`. If there
/// are no qualities at all, wildcards get low ones.
fn by_type(fit: &mut Fit, variant: &Variant, accept: &Accept, manner: &Manner<'_>) {
    if variant.kind == PROGRAM {
        fit.kind = manner.programs;
        return;
    }
    let Some(types) = &accept.types else {
        fit.definite &= variant.kind.is_empty();
        return;
    };
    let mut stars = 0;
    let (mut quality, mut definite) = (0.0, false);
    for item in types {
        let matched = if item.name == "*" || item.name == "*/*" {
            1
        } else if let Some(main) = item.name.strip_suffix(b"*").filter(|main| main.ends_with(b"/")) {
            if variant.kind.starts_with(main) { 2 } else { 0 }
        } else if item.name == variant.kind && item.level >= variant.level {
            fit.level_matched = variant.level;
            3
        } else {
            0
        };
        if matched > stars {
            stars = matched;
            quality = match stars {
                1 if !accept.has_quality => 0.01,
                2 if !accept.has_quality => 0.02,
                _ => item.quality,
            };
            definite = stars == 3;
        }
    }
    fit.kind = quality;
    fit.definite &= definite;
}

fn by_language(fit: &mut Fit, variant: &Variant, accept: &Accept, manner: &Manner<'_>, unsaid: f32) {
    if variant.languages.is_empty() {
        if !manner.strict {
            fit.language = unsaid;
        }
        return;
    }
    let place = variant.languages.iter().filter_map(|language| manner.conf.place_of(language)).min();
    match &accept.languages {
        None => fit.definite = false,
        Some(accepted) => {
            let (quality, star) = language_quality(&variant.languages, accepted, manner.strict);
            fit.language = quality;
            fit.definite &= !star;
        }
    }
    if fit.language == 0.0 && manner.conf.falls_back() && place.is_some() {
        // Better than what has no language, worse than any other match.
        fit.language = 0.0005;
        fit.priority = place;
    } else if manner.conf.prefers() {
        fit.priority = place;
    }
}

/// The best quality that one of the languages has, by the longest range that fits it, and whether that is
/// `*`. To a client that asks for `en-us` alone, `en` is still a little better than nothing.
fn language_quality(languages: &[BString], accepted: &[Item], strict: bool) -> (f32, bool) {
    let (mut best, mut any_star) = (None::<f32>, false);
    let mut related = 0.0f32;
    for language in languages {
        let mut longest: Option<&Item> = None;
        let mut star = None;
        for item in accepted {
            if item.name == "*" {
                star = star.or(Some(item));
                continue;
            }
            let rest = language.strip_prefix(item.name.as_slice());
            let fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"));
            if fits && longest.is_none_or(|longest| item.name.len() > longest.name.len()) {
                longest = Some(item);
            }
            let main = item.name.find_byte(b'-').map(|dash| &item.name[..dash]);
            if !strict && longest.is_none() && main.is_some_and(|main| language.starts_with(main)) {
                related = 0.001;
            }
        }
        if longest.is_none() && star.is_some() {
            longest = star;
            any_star = true;
        }
        if let Some(item) = longest {
            best = Some(best.map_or(item.quality, |best| best.max(item.quality)));
        }
    }
    let quality = best.unwrap_or(0.0);
    (if best.is_none() { related } else { quality }, any_star)
}

fn bare(encoding: &[u8]) -> &[u8] {
    encoding.strip_prefix(b"x-").unwrap_or(encoding)
}

/// By Accept-Encoding. What the client calls the encoding is how it will be called.
fn by_encoding(fit: &mut Fit, variant: &mut Variant, accept: &Accept) {
    let identity =
        variant.encoding.is_empty() || matches!(variant.encoding.as_slice(), b"7bit" | b"8bit" | b"binary");
    let Some(encodings) = &accept.encodings else {
        fit.encoding = if identity { 1.0 } else { 0.5 };
        return;
    };
    let own: BString = if identity { "identity".into() } else { bare(&variant.encoding).into() };
    let mut star = None;
    for item in encodings {
        if bare(&item.name) == own {
            fit.encoding = item.quality;
            if !identity {
                variant.encoding = item.name.clone();
            }
            return;
        }
        if item.name == "*" {
            star = Some(item.quality);
        }
    }
    fit.encoding = match star {
        Some(quality) => quality,
        None if identity => 0.0001,
        None => 0.0,
    };
}

/// By Accept-Charset. Texts without one are in ISO-8859-1, which everybody takes.
fn by_charset(fit: &mut Fit, variant: &Variant, accept: &Accept, manner: &Manner<'_>) {
    const STANDARD: &[u8] = b"iso-8859-1";
    let Some(charsets) = &accept.charsets else {
        fit.definite &= variant.charset.is_empty();
        return;
    };
    let own: &[u8] = if variant.charset.is_empty() {
        if manner.strict || !variant.kind.starts_with(b"text/") {
            return;
        }
        STANDARD
    } else {
        &variant.charset
    };
    if let Some(item) = charsets.iter().find(|item| item.name == own) {
        fit.charset = item.quality;
        return;
    }
    match charsets.iter().rev().find(|item| item.name == "*") {
        Some(star) => {
            fit.charset = star.quality;
            fit.definite = false;
        }
        None => fit.charset = if own == STANDARD { 1.0 } else { 0.0 },
    }
}

/// Whether a variant is better than the best so far, whose quality then becomes its own.
fn is_better(variant: &Variant, best: Option<&Variant>, quality: &mut f32, by_rvsa: bool) -> bool {
    let fit = &variant.fit;
    let parts = [fit.kind, fit.language, fit.charset, fit.encoding, variant.source];
    if parts.contains(&0.0) {
        return false;
    }
    let mut own = fit.kind * variant.source;
    if by_rvsa {
        own *= fit.charset * fit.language;
    }
    let better = match best {
        _ if own < *quality => false,
        None => own > 0.0,
        Some(_) if own > *quality => true,
        Some(best) if by_rvsa => fit.encoding > best.fit.encoding,
        Some(best) => compare(variant, best) == Ordering::Greater,
    };
    if better {
        *quality = own;
    }
    better
}

/// Of two variants of the same quality, which is better.
fn compare(a: &Variant, b: &Variant) -> Ordering {
    let by = |x: f32, y: f32| x.total_cmp(&y);
    // A place in the list is better than none, and a lower one than a higher.
    let priority = match (a.fit.priority, b.fit.priority) {
        (Some(x), Some(y)) => y.cmp(&x),
        (x, y) => x.is_some().cmp(&y.is_some()),
    };
    let special = |variant: &Variant| !variant.charset.is_empty() && variant.charset != "iso-8859-1";
    let length = |variant: &Variant| variant.length.unwrap_or(0);
    by(a.fit.language, b.fit.language)
        .then(priority)
        .then_with(|| by_level(a, b))
        .then_with(|| by(a.fit.charset, b.fit.charset))
        .then_with(|| special(a).cmp(&special(b)))
        .then_with(|| by(a.fit.encoding, b.fit.encoding))
        .then_with(|| length(b).cmp(&length(a)))
}

/// Levels count within one media type only.
fn by_level(a: &Variant, b: &Variant) -> Ordering {
    if a.kind != b.kind {
        return Ordering::Equal;
    }
    a.fit.level_matched.total_cmp(&b.fit.level_matched).then_with(|| b.level.total_cmp(&a.level))
}

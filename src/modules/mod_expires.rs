//! mod_expires: how long an answer may be kept, by its media type.
//!
//! Manual: `mod/mod_expires.html`. Expires and `Cache-Control: max-age` are made just before the
//! head is written, unless the answer has an Expires of its own.

use crate::{
    engine::{Answering, Cx, Made, Module},
    http::{Headers, date},
    policy::{Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape},
};
use bstr::{BString, ByteSlice};
use std::time::{SystemTime, UNIX_EPOCH};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_expires",
    source: "mod_expires.c",
    identifier: "expires_module",
    configs: &[Kind::of::<Expires>()],
    directives: &DIRECTIVES,
    answering: Some(Answering { rank: 18, run: answering }),
    ..Module::NOTHING
};

static DIRECTIVES: [Directive; 3] = [
    Directive {
        name: "ExpiresActive",
        shape: Shape::Flag,
        scope: Scope::INDEXES,
        usage: "Limited to 'on' or 'off'",
        doc: "Whether answers say how long they may be kept.",
        apply: |place, args| {
            place.dir::<Expires>().active = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
    Directive {
        name: "ExpiresByType",
        shape: Shape::Two,
        scope: Scope::INDEXES,
        usage: "a MIME type followed by an expiry date code",
        doc: "How long answers of a media type may be kept.",
        apply: by_type,
    },
    Directive {
        name: "ExpiresDefault",
        shape: Shape::One,
        scope: Scope::INDEXES,
        usage: "an expiry date code",
        doc: "How long all other answers may be kept.",
        apply: default,
    },
];

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Expires {
    active: Said<bool>,
    types: Vec<(BString, Setting<Term>)>,
    default: Said<Term>,
}

/// Until when: seconds after the request, or after the file was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    modification: bool,
    seconds: i64,
}

impl Config for Expires {
    fn merge(&self, outer: &Self) -> Self {
        let mut types = outer.types.clone();
        self.types.iter().for_each(|(name, term)| set_type(&mut types, name, *term));
        Expires { active: self.active.over(&outer.active), types, default: self.default.over(&outer.default) }
    }
}

fn set_type(types: &mut Vec<(BString, Setting<Term>)>, name: &[u8], term: Setting<Term>) {
    match types.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some(known) => known.1 = term,
        None => types.push((name.into(), term)),
    }
}

fn by_type(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if !args.text(0).contains(&b'/') {
        return Err(Mistake::new("Invalid mimetype: should contain a slash").id("RX0390"));
    }
    let wrong = |text| {
        Mistake::new(format!("'ExpiresByType {} {}': {text}", args.text(0).as_bstr(), args.text(1).as_bstr()))
    };
    let term = term(args.text(1)).map_err(|text| wrong(text).id("RX0391").at(args.at(1), "no such time"))?;
    set_type(&mut place.dir::<Expires>().types, args.text(0), Setting::new(term, args.span));
    Ok(())
}

fn default(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let wrong = |text| Mistake::new(format!("'ExpiresDefault {}': {text}", args.text(0).as_bstr()));
    let term = term(args.text(0)).map_err(|text| wrong(text).id("RX0391").at(args.at(0), "no such time"))?;
    place.dir::<Expires>().default = Some(Setting::new(term, args.span));
    Ok(())
}

/// Reads `A3600`, `M60` or `access plus 1 month 2 days`.
fn term(text: &[u8]) -> Result<Term, String> {
    if let [base @ (b'A' | b'M'), digits @ ..] = text {
        return Ok(Term { modification: *base == b'M', seconds: number(digits) });
    }
    let mut words = text.fields().peekable();
    let base = words.next().unwrap_or_default();
    let modification = match base {
        // A beginning of the word will do.
        b"now" => false,
        _ if is_start(base, b"access") => false,
        _ if is_start(base, b"modification") => true,
        _ => return Err(format!("bad expires code, unrecognised <base> '{}'", base.as_bstr())),
    };
    if words.peek().is_some_and(|word| is_start(word, b"plus")) {
        words.next();
    }
    let mut seconds = 0_i64;
    while let Some(word) = words.next() {
        if !word[0].is_ascii_digit() {
            return Err(format!("bad expires code, numeric value expected <num> '{}'", word.as_bstr()));
        }
        let Some(unit) = words.next() else { return Err("bad expires code, missing <type>".to_owned()) };
        let factor = match unit {
            _ if is_start(unit, b"years") => 31_536_000,
            _ if is_start(unit, b"months") => 2_592_000,
            _ if is_start(unit, b"weeks") => 604_800,
            _ if is_start(unit, b"days") => 86_400,
            _ if is_start(unit, b"hours") => 3_600,
            _ if is_start(unit, b"minutes") => 60,
            _ if is_start(unit, b"seconds") => 1,
            _ => return Err(format!("bad expires code, unrecognised <type>'{}'", unit.as_bstr())),
        };
        seconds = seconds.saturating_add(number(word).saturating_mul(factor));
    }
    Ok(Term { modification, seconds })
}

fn is_start(word: &[u8], whole: &[u8]) -> bool {
    !word.is_empty() && word.len() <= whole.len() && whole[..word.len()].eq_ignore_ascii_case(word)
}

fn number(digits: &[u8]) -> i64 {
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')))
}

fn answering(cx: &mut Cx<'_>, _: Made) {
    let conf = cx.conf::<Expires>();
    if cx.req.status.is_error() || !conf.active.value_or(false) {
        return;
    }
    let always = cx.req.err_headers_out.contains("Expires");
    if always || cx.req.headers_out.contains("Expires") {
        return;
    }
    let Some(said) = chosen(conf, cx.req.content_type.as_ref().map(|kind| kind.as_slice())) else { return };
    cx.once();
    let now = unix(cx.req.started);
    let base = match (said.value.modification, cx.req.stat) {
        (false, _) => now,
        (true, Some(stat)) => unix(stat.modified()),
        (true, None) => return,
    };
    let end = base.saturating_add(said.value.seconds).max(now);
    cx.because(said.at, format_args!("the answer may be kept for {} seconds", end - now));
    let fields: &mut Headers = &mut cx.req.headers_out;
    fields.merge("Cache-Control", format!("max-age={}", end - now));
    fields.set("Expires", date::format(end));
}

fn unix(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The term of the type, of all its kin (`text/*`), or of everything.
fn chosen(conf: &Expires, kind: Option<&[u8]>) -> Said<Term> {
    let find = |name: &[u8]| {
        let mut types = conf.types.iter();
        types.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, term)| *term)
    };
    let of_type = kind.and_then(|kind| {
        let bare = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_end();
        let major = bare.split(|&byte| byte == b'/').next().unwrap_or_default();
        find(bare).or_else(|| find(&[major, b"/*"].concat()))
    });
    of_type.or(conf.default)
}

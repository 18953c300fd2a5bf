//! mod_negotiation: the best of several variants of a document, by what the client takes.
//!
//! Manual: `mod/mod_negotiation.html`, `content-negotiation.html`; RFC 2295 for clients that choose by
//! themselves. Variants are the files `name.*` where `Options MultiViews` holds and `name` itself does
//! not exist ([`multi`]), or what a type map lists ([`type_map`]).

mod accept;
mod config;
mod headers;
mod multi;
mod type_map;
mod variants;

use self::{
    accept::Accept,
    config::{Caching, Negotiation},
    variants::{Manner, Variant},
};
use crate::{
    engine::{Answer, Content, Cx, Hook, LookedUp, Module, Order, Phase, Verdict},
    http::{
        Method, Status,
        conditional::{Conditions, meets},
        escape,
    },
    policy::{Kind, SaidExt},
    system,
};
use bstr::{BString, ByteSlice};
use std::time::UNIX_EPOCH;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_negotiation",
    source: "mod_negotiation.c",
    identifier: "negotiation_module",
    configs: &[Kind::of::<Negotiation>(), Kind::of::<Caching>()],
    directives: &config::DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::Type, order: Order::FIRST, run: multi::type_checker },
        Hook { phase: Phase::Fixup, order: Order::MIDDLE, run: call_encoding_as_the_client_does },
        Hook { phase: Phase::Handler, order: Order::MIDDLE, run: map },
    ],
    ..Module::NOTHING
};

/// Most bytes of a type map.
const LONGEST_MAP: u64 = 16 << 20;

/// Variants of a document, and who asks for it.
struct Resource {
    variants: Vec<Variant>,
    accept: Accept,
    /// The client may be given the list, to choose by itself.
    transparent: bool,
}

/// How it ended.
enum Outcome {
    /// This variant.
    Choice(usize),
    /// None; the client gets the list.
    List(Status),
}

/// Whether a request may have been meant for a program: it has a query, a path, or something to send.
fn prefers_programs(cx: &Cx<'_>) -> bool {
    let get = matches!(cx.req.method, Method::Get | Method::Head);
    !get || cx.req.args.is_some() || !cx.req.path_info.is_empty()
}

/// Chooses a variant, and writes the header fields that tell of it.
fn negotiate(cx: &mut Cx<'_>, resource: &mut Resource, for_programs: bool) -> Outcome {
    let get = matches!(cx.req.method, Method::Get | Method::Head);
    let neighbours = |variant: &Variant| !variant.name.contains(&b'/') && variant.body.is_none();
    resource.transparent = get && cx.req.path_info.is_empty() && resource.variants.iter().all(neighbours);
    let wishes = if resource.transparent { resource.accept.wishes } else { Default::default() };
    let choose = !wishes.transparent || wishes.by_rvsa || wishes.by_any;
    let preferred = cx.req.env.get("prefer-language").map(BString::from);
    let programs = match (wishes.by_rvsa, for_programs) {
        (true, _) => 0.0,
        (false, true) => 2.0,
        (false, false) => 0.001,
    };
    let mut manner = Manner {
        conf: cx.conf(),
        strict: wishes.by_rvsa || wishes.by_any,
        by_rvsa: wishes.by_rvsa,
        programs,
        preferred: preferred.as_ref().map(|language| language.as_bytes()),
    };
    let mut best = variants::best(&mut resource.variants, &resource.accept, &manner, choose);
    if best.is_none() && manner.preferred.take().is_some() {
        best = variants::best(&mut resource.variants, &resource.accept, &manner, choose);
    }
    headers::set(cx, resource, best, wishes.transparent);
    match best {
        Some(best) => {
            let name = &resource.variants[best].name;
            let at = cx.conf::<Negotiation>().priority.at();
            cx.because(at, format_args!("of {} variants {name} fits best", resource.variants.len()));
            Outcome::Choice(best)
        }
        None if wishes.transparent => Outcome::List(Status(300)),
        None => {
            let name = cx.req.filename.clone();
            cx.log(3, "AH00690", format_args!("no acceptable variant: {name}"));
            cx.note(format_args!("none of {} variants is acceptable", resource.variants.len()));
            Outcome::List(Status(406))
        }
    }
}

/// A client that knows `gzip` by its old name is told of `x-gzip`, and the other way round.
fn call_encoding_as_the_client_does(cx: &mut Cx<'_>) -> Verdict {
    let bare = |name: &[u8]| BString::from(name.strip_prefix(b"x-").unwrap_or(name));
    let Some(encoding) = cx.req.content_encoding.as_ref().filter(|name| !name.is_empty()) else {
        return Verdict::Declined;
    };
    let accepted = Accept::of(&cx.req.headers_in).encodings.unwrap_or_default();
    if let Some(item) = accepted.into_iter().find(|item| bare(&item.name) == bare(encoding)) {
        cx.req.content_encoding = Some(item.name);
    }
    Verdict::Declined
}

/// The handler `type-map`.
fn map(cx: &mut Cx<'_>) -> Verdict {
    let name = cx.req.handler.as_ref().or(cx.req.content_type.as_ref());
    if !name.is_some_and(|name| name == "type-map" || name == "application/x-type-map") {
        return Verdict::Declined;
    }
    let filename = cx.req.filename.clone();
    let text = match cx.system().read(system::path(&filename), LONGEST_MAP) {
        Ok(text) => text,
        Err(error) => {
            let os = error.raw_os_error();
            cx.log_os(3, os, "AH00683", format_args!("cannot access type map file: {filename}"));
            cx.note(format_args!("the map {filename} cannot be read: {error}"));
            return Verdict::Status(Status(403));
        }
    };
    let Some(variants) = read_map(cx, &text, &filename) else { return Verdict::Status(Status(500)) };
    cx.req.vlist_validator = super::core::file_validator(cx);
    let accept = Accept::of(&cx.req.headers_in);
    let mut resource = Resource { variants, accept, transparent: false };
    let best = match negotiate(cx, &mut resource, false) {
        Outcome::Choice(best) => best,
        Outcome::List(status) => return Verdict::Status(status),
    };
    let variant = &resource.variants[best];
    match variant.body {
        Some((from, length)) => {
            let part = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
            let body = text[part(from)..part(from + length)].to_vec();
            inside(cx, variant, body)
        }
        None => elsewhere(cx, variant),
    }
}

/// Reads a map, and says what is wrong with it.
fn read_map(cx: &mut Cx<'_>, text: &[u8], filename: &[u8]) -> Option<Vec<Variant>> {
    let mut faults = Vec::new();
    let variants = type_map::read(text, filename, &mut faults);
    for fault in faults {
        cx.log(3, fault.number, format_args!("{}", fault.text));
    }
    let mut variants = variants?;
    // How long the files are is asked here; why one cannot be had is not of interest.
    let said = cx.req.log.len();
    let directory = &filename[..filename.rfind_byte(b'/').map_or(0, |slash| slash + 1)];
    for variant in variants.iter_mut().filter(|variant| variant.length.is_none()) {
        let path = [directory, &variant.name].concat();
        if let LookedUp::Found(found) = cx.look_up_file(&path) {
            variant.length = found.stat.filter(|stat| stat.is_file()).map(|stat| stat.size);
        }
    }
    cx.req.log.truncate(said);
    Some(variants)
}

/// A variant whose content stands in the map.
fn inside(cx: &mut Cx<'_>, variant: &Variant, body: Vec<u8>) -> Verdict {
    let charset: &[u8] = if variant.charset.is_empty() { b"" } else { b"; charset=" };
    cx.req.content_type = Some([variant.kind.as_slice(), charset, &variant.charset].concat().into());
    cx.req.content_languages.clone_from(&variant.languages);
    cx.req.headers_out.set("Accept-Ranges", "bytes");
    let now = cx.req.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let conditions = Conditions {
        method: cx.req.method,
        request: &cx.req.headers_in,
        etag: None,
        modified: None,
        now: i64::try_from(now).unwrap_or(i64::MAX),
    };
    if let Some(status) = meets(&conditions) {
        cx.req.status = status;
        return Verdict::Answer(Answer::Content(Content::Empty));
    }
    Verdict::Answer(Answer::Content(Content::Bytes(body)))
}

/// A variant that is another document.
fn elsewhere(cx: &mut Cx<'_>, variant: &Variant) -> Verdict {
    let uri = cx.req.uri.strip_suffix(cx.req.path_info.as_slice()).unwrap_or(&cx.req.uri);
    let directory = escape::uri(&uri[..uri.rfind_byte(b'/').map_or(0, |slash| slash + 1)]);
    let mut url = [directory.as_slice(), &variant.name, &cx.req.path_info].concat();
    if let Some(args) = &cx.req.args {
        url.extend_from_slice(&[b"?", args.as_slice()].concat());
    }
    let base = cx.worker.base(cx.req.server);
    Verdict::Become(cx.req.redirect_to(&url, &base))
}

//! mod_include: elements in a page, carried out while it is sent (Server Side Includes).
//!
//! Manual: `mod/mod_include.html`, `howto/ssi.html`. The filter `INCLUDES` finds the elements
//! ([`tags`]) and carries them out ([`page`]); what they include is a request of its own, which the
//! exchange runs ([`parts`]).

mod coding;
mod conditions;
mod config;
mod elements;
mod legacy;
mod page;
mod parts;
mod tags;
#[cfg(test)]
mod tests;
mod variables;

use self::config::{Includes, Tags, XBitHack};
use super::mod_cgi::environment;
use crate::{
    engine::{
        Cx, Hook, Module, Order, Phase, Verdict,
        filter::{Chosen, Coming, Filter, FilterKind, Link},
    },
    http::date,
    policy::{Kind, OptionBits, SaidExt},
};
use std::time::UNIX_EPOCH;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_include",
    source: "mod_include.c",
    identifier: "include_module",
    configs: &[Kind::of::<Includes>(), Kind::of_every_host::<Tags>()],
    directives: &config::DIRECTIVES,
    filters: &[Filter { name: FILTER, kind: FilterKind::RESOURCE, init: Some(init), start }],
    hooks: &[
        Hook { phase: Phase::Fixup, order: Order::LAST, run: fixup },
        Hook { phase: Phase::Filter, order: Order::REALLY_LAST, run: learn_host },
    ],
    ..Module::NOTHING
};

const FILTER: &str = "INCLUDES";

/// The note of a part that is a page itself: what it sets holds in the page around it too.
const PARSED: &str = "rachis-included-page";

/// Whether there is a module that runs programs, and with it the element exec.
fn runs_programs(cx: &Cx<'_>) -> bool {
    let tables = &cx.engine.policy.tables;
    tables.is_active(b"cgi_module") || tables.is_active(b"cgid_module")
}

/// What is a page by its handler or its mode. The types text/x-server-parsed-html, which the manual has
/// too, make none in Apache 2.4.71.
fn fixup(cx: &mut Cx<'_>) -> Verdict {
    let conf: &Includes = cx.conf();
    if cx.req.handler.as_ref().is_some_and(|handler| handler == "server-parsed") {
        if cx.req.content_type.as_ref().is_none_or(|kind| kind.is_empty()) {
            cx.req.content_type = Some("text/html".into());
        }
        cx.req.handler = Some("default-handler".into());
        cx.note(format_args!("the handler server-parsed makes this a page with elements"));
    } else {
        let executable = cx.req.stat.is_some_and(|stat| stat.mode & 0o100 != 0);
        let hack = conf.x_bit_hack.value_or(XBitHack::Off);
        let is_html = cx.req.content_type.as_ref().is_some_and(|kind| kind == "text/html");
        if hack == XBitHack::Off || !executable || !is_html {
            return Verdict::Declined;
        }
        cx.because(conf.x_bit_hack.at(), format_args!("its mode makes this a page with elements"));
    }
    cx.add_output_filter(FILTER.as_bytes(), crate::diag::Span::BUILTIN);
    Verdict::Declined
}

/// A page's environment has the client's name, which is to be known before the page is begun.
fn learn_host(cx: &mut Cx<'_>) -> Verdict {
    let ours = cx.req.filters.iter().any(|chosen| chosen.name.eq_ignore_ascii_case(FILTER.as_bytes()));
    match environment::remote_host(cx) {
        Err(wait) if ours => wait,
        _ => Verdict::Declined,
    }
}

/// Whether a page has the date of its file: its group may execute it.
fn has_date(cx: &Cx<'_>) -> bool {
    let conf: &Includes = cx.conf();
    let by_group = cx.req.stat.is_some_and(|stat| stat.mode & 0o010 != 0);
    conf.x_bit_hack.value_or(XBitHack::Off) == XBitHack::Full && by_group
}

/// Before the handler: what a page is made of is not what a client has of it.
fn init(cx: &mut Cx<'_>) {
    let conf: &Includes = cx.conf();
    if !has_date(cx) {
        cx.req.no_local_copy = true;
    }
    if !conf.etag.value_or(false) {
        cx.req.notes.set("no-etag", "");
    }
}

/// Begins a page, if Options allow it.
fn start(cx: &mut Cx<'_>, _: &Chosen, _: Coming) -> Option<Link> {
    cx.as_module(MODULE.name, |cx| {
        if !cx.core().options.bits.has(OptionBits::INCLUDES) {
            let uri = cx.req.uri.clone();
            let text =
                "mod_include: Options +Includes (or IncludesNoExec) wasn't set, INCLUDES filter removed:";
            cx.log(4, "AH01374", format_args!("{text} {uri}"));
            return None;
        }
        let main = cx.req.main.clone();
        match main {
            Some(main) if main.nests => {
                cx.req.env = main.env.clone();
                if let (Some(stat), Some(mtime)) = (&mut cx.req.stat, main.mtime_ns) {
                    stat.mtime_ns = mtime;
                }
                cx.req.notes.set(PARSED, "");
            }
            _ => variables::establish(cx),
        }
        let conf: &Includes = cx.conf();
        if conf.last_modified.value_or(false) || has_date(cx) {
            let modified = cx.req.stat.map_or(UNIX_EPOCH, |stat| stat.modified());
            let seconds = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            cx.req.headers_out.set("Last-Modified", date::format(i64::try_from(seconds).unwrap_or(0)));
        } else {
            cx.req.headers_out.remove("Last-Modified");
        }
        if !conf.etag.value_or(false) {
            cx.req.headers_out.remove("ETag");
            cx.req.err_headers_out.remove("ETag");
        }
        cx.req.headers_out.remove("Content-Length");
        variables::add_query(cx);
        Some(Link::Compose(Box::new(page::Page::new(cx))))
    })
}

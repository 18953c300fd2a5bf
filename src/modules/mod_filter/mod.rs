//! mod_filter: filters that are chosen by what the answer is like.
//!
//! Manual: `mod/mod_filter.html`. A smart filter is a name with providers; when the head of an answer
//! is made, the provider whose condition holds takes its place.

mod config;

use self::config::{Condition, Filters, Provider, Smart};
use crate::{
    engine::{
        Cx, Hook, Module, Order, Phase, Verdict,
        filter::{Chosen, Coming, Link},
    },
    http::Status,
    policy::Kind,
};
use bstr::BString;
use std::sync::Arc;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_filter",
    source: "mod_filter.c",
    identifier: "filter_module",
    configs: &[Kind::of::<Filters>()],
    directives: &config::DIRECTIVES,
    hooks: &[Hook { phase: Phase::Filter, order: Order::MIDDLE, run: insert }],
    ..Module::NOTHING
};

/// FilterChain and AddOutputFilterByType: the filters of the chain.
fn insert(cx: &mut Cx<'_>) -> Verdict {
    let conf: &Filters = cx.conf();
    for link in &conf.chain {
        match conf.smart.get(&link.value) {
            None => {
                let name = &link.value;
                cx.because(link.at, format_args!("FilterDeclare has made no filter {name}"));
                cx.log(4, "AH01380", format_args!("Unknown filter {name} not added"));
            }
            Some(smart) => {
                let name = link.value.clone();
                let providers = smart.providers.iter();
                let filters = providers.filter_map(|provider| cx.engine.filter(&provider.name));
                for init in filters.filter_map(|filter| filter.init) {
                    init(cx);
                }
                cx.req.filters.push(Chosen { name, kind: smart.kind, start: dispatch, at: link.at });
            }
        }
    }
    Verdict::Declined
}

/// The provider whose condition holds; the one declared last is asked first.
fn dispatch(cx: &mut Cx<'_>, chosen: &Chosen, coming: Coming) -> Option<Link> {
    // What a program sends with another status passes only where this variable is set.
    if cx.req.status != Status(200) && !cx.req.env.contains("filter-errordocs") {
        return None;
    }
    let conf: &Filters = cx.conf();
    let smart: Arc<Smart> = conf.smart.get(&chosen.name)?.clone();
    let provider = smart.providers.iter().rev().find(|provider| holds(cx, provider))?;
    let filter = cx.engine.filter(&provider.name)?;
    protocol(cx, provider.protocol);
    let name = provider.name.clone();
    (filter.start)(cx, &Chosen { name, kind: smart.kind, start: filter.start, at: provider.at }, coming)
}

fn holds(cx: &mut Cx<'_>, provider: &Provider) -> bool {
    match &provider.condition {
        Condition::Types(types) => {
            let Some(kind) = &cx.req.content_type else { return false };
            let end = kind.iter().position(|byte| b"; \t".contains(byte)).unwrap_or(kind.len());
            let kind: BString = kind[..end].into();
            types.contains(&kind)
        }
        Condition::Expr(expr) => cx.condition(expr, provider.at).unwrap_or(false),
    }
}

/// What FilterProtocol says of a provider that takes part.
fn protocol(cx: &mut Cx<'_>, flags: u8) {
    let headers = &mut cx.req.headers_out;
    if flags & config::CHANGE != 0 {
        headers.remove("Content-MD5");
        headers.remove("ETag");
        if flags & config::CHANGE_LENGTH != 0 {
            headers.remove("Content-Length");
        }
    }
    if flags & config::NO_CACHE != 0 {
        headers.remove("Last-Modified");
        headers.append("Cache-Control", "no-cache");
    }
    if flags & config::NO_BYTERANGE != 0 {
        headers.set("Accept-Ranges", "none");
    }
}

//! mod_deflate: answers in gzip's encoding for clients that take it, and back.
//!
//! Manual: `mod/mod_deflate.html`; the format is RFC 1952's.

mod config;
mod gzip;

use self::{
    config::{AlterEtag, Deflate},
    gzip::{Gunzip, Gzip},
};
use crate::{
    engine::{
        Cx, Module,
        filter::{Chosen, Coming, Filter, FilterKind, Link},
    },
    http::Status,
    policy::{Kind, SaidExt},
};
use bstr::{BString, ByteSlice};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_deflate",
    source: "mod_deflate.c",
    identifier: "deflate_module",
    configs: &[Kind::of::<Deflate>()],
    directives: &config::DIRECTIVES,
    filters: &[
        Filter { name: "DEFLATE", kind: FilterKind::CONTENT_SET, init: None, start: deflate },
        Filter { name: "INFLATE", kind: FilterKind(FilterKind::RESOURCE.0 - 1), init: None, start: inflate },
    ],
    ..Module::NOTHING
};

/// DEFLATE: whether the answer is compressed, and the fields that say so.
fn deflate(cx: &mut Cx<'_>, chosen: &Chosen, coming: Coming) -> Option<Link> {
    if coming.length < SHORTEST {
        cx.because(chosen.at, format_args!("so short an answer is not compressed"));
        return None;
    }
    if cx.req.status == Status(204) || stands_aside(cx) {
        cx.because(chosen.at, format_args!("the answer is not to be compressed"));
        return None;
    }
    let encoding = encodings(cx);
    if !encoding.iter().all(|name| is_plain(name)) {
        cx.because(chosen.at, format_args!("the content is encoded already"));
        return None;
    }
    cx.req.headers_out.merge("Vary", "Accept-Encoding");
    if !cx.req.env.contains("force-gzip") {
        let accepted = cx.req.headers_in.get("Accept-Encoding");
        if !accepted.is_some_and(|list| names_gzip(list)) {
            cx.because(chosen.at, format_args!("the client does not take gzip"));
            return None;
        }
    }
    let conf: &Deflate = cx.server_conf();
    let headers = &mut cx.req.headers_out;
    if encoding.is_empty() || encoding.iter().all(|name| name.eq_ignore_ascii_case(b"identity")) {
        headers.set("Content-Encoding", "gzip");
    } else {
        headers.merge("Content-Encoding", "gzip");
    }
    if cx.req.content_encoding.is_some() {
        cx.req.content_encoding = cx.req.headers_out.get("Content-Encoding").map(BString::from);
    }
    cx.req.headers_out.remove("Content-Length");
    cx.req.headers_out.remove("Content-MD5");
    alter_etag(cx, conf, b"gzip");
    cx.because(chosen.at, format_args!("the answer is compressed"));
    Some(Link::Transform(Box::new(Gzip::new(conf))))
}

/// Shorter answers are left as they are.
const SHORTEST: u64 = 69;

/// `no-gzip`, `gzip-only-text/html`, and parts of a content.
fn stands_aside(cx: &Cx<'_>) -> bool {
    let request = &cx.req;
    if request.env.contains("no-gzip") || request.headers_out.contains("Content-Range") {
        return true;
    }
    let html = request.content_type.as_ref().is_some_and(|kind| kind.starts_with(b"text/html"));
    let only = request.env.get("gzip-only-text/html");
    only.is_some() && !html
}

/// The encodings that the content has already.
fn encodings(cx: &Cx<'_>) -> Vec<BString> {
    let request = &cx.req;
    let said = [
        request.headers_out.get("Content-Encoding"),
        request.err_headers_out.get("Content-Encoding"),
        request.content_encoding.as_ref().map(|text| text.as_bstr()),
    ];
    let words = said.into_iter().flatten().flat_map(|list| list.split(|&byte| byte == b','));
    words.map(|word| BString::from(word.trim())).filter(|word| !word.is_empty()).collect()
}

fn is_plain(encoding: &[u8]) -> bool {
    ["identity", "7bit", "8bit", "binary"].iter().any(|name| encoding.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether Accept-Encoding names gzip, not with the weight 0 (RFC 9110 section 12.5.3).
fn names_gzip(list: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|item| {
        let mut parts = item.split(|&byte| byte == b';').map(|part| part.trim());
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"gzip"));
        named && !parts.any(is_weight_zero)
    })
}

fn is_weight_zero(parameter: &[u8]) -> bool {
    let Some((name, value)) = parameter.split_once_str("=") else { return false };
    let (whole, fraction) = value.trim().split_once_str(".").unwrap_or((value.trim(), b""));
    name.trim().eq_ignore_ascii_case(b"q") && whole == b"0" && fraction.iter().all(|&byte| byte == b'0')
}

/// The entity tag of the other encoding.
fn alter_etag(cx: &mut Cx<'_>, conf: &Deflate, suffix: &[u8]) {
    let Some(tag) = cx.req.headers_out.get("ETag").map(BString::from) else { return };
    match conf.etag.value_or(AlterEtag::AddSuffix) {
        AlterEtag::NoChange => {}
        AlterEtag::Remove => {
            cx.req.headers_out.remove("ETag");
        }
        AlterEtag::AddSuffix => {
            if let Some(open) = tag.strip_suffix(b"\"").filter(|open| open.len() > 1) {
                cx.req.headers_out.set("ETag", [open, b"-", suffix, b"\""].concat());
            }
        }
    }
}

/// INFLATE: whether the answer is in gzip's encoding, which is taken off.
fn inflate(cx: &mut Cx<'_>, chosen: &Chosen, coming: Coming) -> Option<Link> {
    if coming.length == 0 || cx.req.status == Status(204) || cx.req.headers_out.contains("Content-Range") {
        return None;
    }
    let mut all = encodings(cx);
    let last = all.pop()?;
    if !(last.eq_ignore_ascii_case(b"gzip") || last.eq_ignore_ascii_case(b"x-gzip")) {
        cx.because(chosen.at, format_args!("the content is not in gzip's encoding"));
        return None;
    }
    let rest = bstr::join(", ", &all);
    let conf: &Deflate = cx.server_conf();
    cx.req.headers_out.remove("Content-Encoding");
    cx.req.err_headers_out.remove("Content-Encoding");
    cx.req.content_encoding = None;
    if !rest.is_empty() {
        cx.req.headers_out.set("Content-Encoding", rest);
    }
    cx.req.headers_out.remove("Content-Length");
    cx.req.headers_out.remove("Content-MD5");
    alter_etag(cx, conf, b"gunzip");
    cx.because(chosen.at, format_args!("gzip's encoding is taken off"));
    Some(Link::Transform(Box::new(Gunzip::new(conf))))
}

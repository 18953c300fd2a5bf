//! Core's answers in each phase: the walks over sections, the map from URL to file, TRACE and
//! `OPTIONS *`, and what SetHandler and ForceType override.

use super::{default_handler, documents};
use crate::{
    diag::Span,
    engine::{
        Answer, Content, Cx, Hook, Order, Pending, Phase, Verdict, directory_walk, file_walk, if_walk,
        location_walk, urls,
    },
    http::{Method, Status, request::Framing},
    policy::{
        SaidExt, Setting,
        core_conf::{CanonicalName, HandlerName, Lookups, Trace},
        place::server_root_relative,
    },
};
use bstr::{BString, ByteSlice};

pub(super) const HOOKS: &[Hook] = &[
    Hook { phase: Phase::PostRead, order: Order::REALLY_FIRST, run: client_name },
    Hook { phase: Phase::HeaderParser, order: Order::REALLY_FIRST, run: client_name },
    Hook { phase: Phase::PostRead, order: Order::REALLY_FIRST, run: own_name },
    Hook { phase: Phase::HeaderParser, order: Order::REALLY_FIRST, run: own_name },
    Hook { phase: Phase::Early, order: Order::FIRST, run: by_url },
    Hook { phase: Phase::Translate, order: Order::REALLY_LAST, run: translate },
    Hook { phase: Phase::Storage, order: Order::MIDDLE, run: no_storage },
    Hook { phase: Phase::Storage, order: Order::REALLY_LAST, run: storage },
    Hook { phase: Phase::Late, order: Order::FIRST, run: by_url },
    Hook { phase: Phase::Fixup, order: Order::REALLY_FIRST, run: override_type },
    Hook { phase: Phase::Filter, order: Order::MIDDLE, run: filters },
    Hook { phase: Phase::Handler, order: Order::REALLY_LAST, run: default_handler::run },
];

/// HostnameLookups: waits for the client's name where one is wanted, before anything asks for it.
/// Asked again once the settings of the place are known.
fn client_name(cx: &mut Cx<'_>) -> Verdict {
    let said = cx.core().lookups;
    let ip = cx.req.conn.client.ip();
    let wanted = said.value_or(Lookups::Off);
    if wanted == Lookups::Off || cx.req.is_sub {
        return Verdict::Declined;
    }
    cx.once();
    let known = cx.req.conn.lookups.borrow().names.get(&ip).cloned();
    let name = match known {
        None => return Verdict::Wait(Pending::NameOf(ip)),
        Some(None) => return Verdict::Declined,
        Some(Some(name)) => name,
    };
    if wanted == Lookups::Double {
        let addresses = cx.req.conn.lookups.borrow().addresses.get(&name).cloned();
        let Some(addresses) = addresses else { return Verdict::Wait(Pending::AddressesOf(name)) };
        if !addresses.iter().any(|found| found.to_canonical() == ip.to_canonical()) {
            cx.req.conn.lookups.borrow_mut().names.insert(ip, None);
            cx.because(said.at(), format_args!("{name} does not lead back to {ip}"));
            return Verdict::Declined;
        }
    }
    cx.because(said.at(), format_args!("the client's name is {name}"));
    Verdict::Declined
}

/// UseCanonicalName DNS: waits for the name of the address that the client reached, likewise.
fn own_name(cx: &mut Cx<'_>) -> Verdict {
    let ip = cx.req.conn.local.ip();
    let wanted = cx.core().canonical_name.value() == Some(&CanonicalName::Dns);
    if wanted {
        cx.once();
    }
    if !wanted || cx.req.is_sub || cx.req.conn.lookups.borrow().names.contains_key(&ip) {
        return Verdict::Declined;
    }
    Verdict::Wait(Pending::NameOf(ip))
}

/// SetOutputFilter and SetInputFilter. Of input filters there are none yet.
fn filters(cx: &mut Cx<'_>) -> Verdict {
    let core = cx.core();
    if let Some(said) = &core.output_filters {
        output_filters(cx, said);
    }
    if let Some(said) = &core.input_filters {
        input_filters(cx, said);
    }
    Verdict::Declined
}

fn names(said: &Setting<BString>) -> impl Iterator<Item = &[u8]> {
    said.value.split(|&byte| byte == b';').filter(|name| !name.is_empty())
}

/// Adds the filters of a list with `;` between the names.
pub(in crate::modules) fn output_filters(cx: &mut Cx<'_>, said: &Setting<BString>) {
    names(said).for_each(|name| cx.add_output_filter(name, said.at));
}

/// Apache's line for each filter that no module has.
pub(in crate::modules) fn input_filters(cx: &mut Cx<'_>, said: &Setting<BString>) {
    names(said).for_each(|name| cx.unknown_filter(name, said.at));
}

/// `<Location>`, then `<If>`: before the URL is mapped, and again for good.
fn by_url(cx: &mut Cx<'_>) -> Verdict {
    location_walk(cx);
    match cx.refresh(if_walk) {
        Verdict::Ok => Verdict::Declined,
        ended => ended,
    }
}

/// DocumentRoot and the URL's path make the file name (ap_core_translate).
fn translate(cx: &mut Cx<'_>) -> Verdict {
    let uri = cx.req.uri.clone();
    if !uri.starts_with(b"/") && uri != "*" {
        let line = cx.req.request_line.clone();
        cx.log(3, "AH00126", format_args!("Invalid URI in request '{uri}' {line}"));
        cx.note(format_args!("the path {uri} does not begin with a slash"));
        return Verdict::Status(Status(400));
    }
    let server = cx.core_server();
    // Apache's is compiled in, `htdocs` under its own ServerRoot; the file system's root it is never.
    let htdocs = server_root_relative(&cx.engine.policy.process.server_root, b"htdocs");
    let root = server.document_root.clone().unwrap_or(Setting::new(htdocs, Span::BUILTIN));
    let path = server.path.value().and_then(|prefix| urls::below(prefix, &uri)).unwrap_or(&uri);
    let relative = path.trim_start_with(|c| c == '/');
    // A name that climbs out of the root is refused by text, whatever the file system holds.
    if relative.split(|&byte| byte == b'/').any(|part| part == b"..") || relative.contains(&0) {
        cx.log(3, "AH00127", format_args!("Cannot map {} to file", cx.req.request_line.clone()));
        return cx.fail(403, root.at, format_args!("{uri} leads out of the DocumentRoot"));
    }
    let whole: BString = [root.value.as_slice(), b"/", relative].concat().into();
    cx.req.filename = server_root_relative(b"", &whole);
    let filename = cx.req.filename.clone();
    cx.because(root.at, format_args!("DocumentRoot makes {uri} the file {filename}"));
    Verdict::Ok
}

/// TRACE and `OPTIONS *` are about no file.
fn no_storage(cx: &mut Cx<'_>) -> Verdict {
    match cx.req.method {
        Method::Options if cx.req.uri == "*" => {
            cx.note(format_args!("OPTIONS * asks whether the server is there"));
            Verdict::Answer(Answer::Content(Content::Empty))
        }
        Method::Trace => trace(cx),
        _ => Verdict::Declined,
    }
}

/// TRACE: the request's head comes back (ap_send_http_trace).
fn trace(cx: &mut Cx<'_>) -> Verdict {
    let said = cx.core_server().trace;
    let value = said.value_or(Trace::On);
    if value == Trace::Off {
        cx.req.notes.set("error-notes", "TRACE denied by server configuration");
        return cx.fail(405, said.at(), format_args!("TraceEnable is Off"));
    }
    if value == Trace::On && !matches!(cx.req.framing, Framing::None | Framing::Length(0)) {
        cx.req.notes.set("error-notes", "TRACE with a request body is not allowed");
        return cx.fail(413, said.at(), format_args!("TRACE takes a body only with TraceEnable extended"));
    }
    let mut text = cx.req.request_line.to_vec();
    text.extend_from_slice(b"\r\n");
    for (name, value) in cx.req.headers_in.iter() {
        text.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend_from_slice(b"\r\n");
    cx.req.content_type = Some("message/http".into());
    Verdict::Answer(Answer::Content(Content::Bytes(text)))
}

/// `<Directory>` and `.htaccess`, then `<Files>`.
fn storage(cx: &mut Cx<'_>) -> Verdict {
    match directory_walk(cx) {
        Verdict::Ok => {}
        ended => return ended,
    }
    file_walk(cx);
    Verdict::Ok
}

/// ForceType and SetHandler go before what names say (core_override_type).
fn override_type(cx: &mut Cx<'_>) -> Verdict {
    let core = cx.core();
    if let Some(said) = &core.force_type
        && let Some(kind) = &said.value
    {
        cx.req.content_type = Some(kind.clone());
        cx.because(said.at, format_args!("ForceType makes it {kind}"));
    }
    let Some(said) = &core.handler else { return Verdict::Ok };
    let handler = match &said.value {
        HandlerName::Name(name) => name.clone(),
        HandlerName::None => return Verdict::Ok,
        HandlerName::Expr(expr) => match cx.expand(expr, said.at) {
            Ok(name) => documents::handler_text(&name),
            Err(ended) => return ended,
        },
    };
    if handler != "none" {
        cx.because(said.at, format_args!("SetHandler makes the handler {handler}"));
        cx.req.handler = Some(handler);
    }
    Verdict::Ok
}

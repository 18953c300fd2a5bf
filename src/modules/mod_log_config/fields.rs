//! The `%` items, one function each. Texts that a client can choose are escaped, and what there is
//! not is `-`.

use super::time::Times;
use crate::{
    engine::{Engine, Request, Sent, urls},
    http::{Headers, escape},
    policy::SaidExt,
};
use bstr::{BString, ByteSlice};
use std::{fmt::Display, io::Write, time::SystemTime};

/// A finished request.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The engine, with the policy.
    pub engine: &'a Engine,
    /// The request that was answered in the end.
    pub last: &'a Request,
    /// What was sent for it.
    pub sent: &'a Sent,
    /// When the line is written.
    pub ended: SystemTime,
    /// Texts of times made before.
    pub times: &'a mut Times,
}

/// Writes what an item stands for: given the request it is asked of, and the text in braces.
type WriteField = fn(&mut Finished<'_>, &Request, Option<&[u8]>, &mut Vec<u8>);

/// An item.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The letter, or `^` and two.
    pub name: &'static str,
    /// Whether it is asked of the request as it came, unless `>` says otherwise.
    pub original: bool,
    /// Writes it.
    pub write: WriteField,
}

const fn first(name: &'static str, write: WriteField) -> Field {
    Field { name, original: true, write }
}

const fn last(name: &'static str, write: WriteField) -> Field {
    Field { name, original: false, write }
}

/// The items of mod_ssl, which rachis lacks: of a connection that is not encrypted they tell nothing.
pub const SSL: &[Field] =
    &[last("c", |_, _, _, out| out.push(b'-')), last("x", |_, _, _, out| out.push(b'-'))];

/// All items, those of mod_logio among them.
pub const ALL: &[Field] = &[
    last("h", |_, req, _, out| remote_host(req, out)),
    last("a", |_, req, _, out| put(out, req.conn.client.ip().to_canonical())),
    last("A", |_, req, _, out| put(out, req.conn.local.ip().to_canonical())),
    last("l", |_, _, _, out| out.push(b'-')),
    last("u", |_, req, _, out| match &req.user {
        Some(user) if user.is_empty() => out.extend_from_slice(b"\"\""),
        user => escaped(out, user.as_ref()),
    }),
    last("t", time),
    last("f", |_, req, _, out| escaped(out, Some(&req.filename).filter(|name| !name.is_empty()))),
    last("b", |finished, _, _, out| match finished.sent.body {
        0 => out.push(b'-'),
        bytes => put(out, bytes),
    }),
    last("B", |finished, _, _, out| put(out, finished.sent.body)),
    last("i", |_, req, name, out| header(out, &req.headers_in, name)),
    last("o", header_out),
    last("n", |_, req, name, out| escaped(out, name.and_then(|name| req.notes.get(name)))),
    last("L", |_, _, _, out| out.push(b'-')),
    last("e", |_, req, name, out| escaped(out, name.and_then(|name| req.env.get(name)))),
    last("V", |finished, req, _, out| escaped(out, Some(urls::server_name(finished.engine, req)))),
    last("v", server_name),
    last("p", port),
    last("P", process),
    last("H", |_, req, _, out| escaped(out, Some(&req.protocol))),
    last("m", |_, req, _, out| escaped(out, Some(&req.method_name))),
    last("q", |_, req, _, out| {
        if let Some(args) = &req.args {
            out.push(b'?');
            out.extend_from_slice(&escape::log_item(args));
        }
    }),
    last("X", |finished, _, _, out| {
        out.push(match (finished.sent.aborted, finished.sent.keep_alive) {
            (true, _) => b'X',
            (false, true) => b'+',
            (false, false) => b'-',
        });
    }),
    last("C", |_, req, name, out| escaped(out, name.and_then(|name| cookie(&req.headers_in, name)))),
    // Apache counts the requests after which the connection is kept, this one included, and one less.
    last("k", |finished, req, _, out| {
        put(out, req.conn.keepalives.get().saturating_sub(u32::from(!finished.sent.keep_alive)));
    }),
    first("r", |_, req, _, out| escaped(out, Some(&req.request_line))),
    first("D", |finished, _, _, out| put(out, finished.sent.duration.as_micros())),
    first("T", duration),
    first("U", |_, req, _, out| escaped(out, Some(&req.uri))),
    first("s", |_, req, _, out| match req.status.0 {
        0 => out.push(b'-'),
        status => put(out, status),
    }),
    first("R", |_, req, _, out| escaped(out, req.handler.as_ref())),
    last("^ti", |_, _, _, out| out.push(b'-')),
    last("^to", |_, _, _, out| out.push(b'-')),
    last("I", |finished, _, _, out| put(out, finished.sent.received)),
    last("O", |finished, _, _, out| put(out, finished.sent.total)),
    last("S", |finished, _, _, out| put(out, finished.sent.received.saturating_add(finished.sent.total))),
    last("^FB", |_, _, _, out| out.push(b'-')),
];

fn put(out: &mut Vec<u8>, value: impl Display) {
    // Writing to memory does not fail.
    let _ = write!(out, "{value}");
}

fn escaped<T: AsRef<[u8]>>(out: &mut Vec<u8>, text: Option<T>) {
    match text {
        Some(text) => out.extend_from_slice(&escape::log_item(text.as_ref())),
        None => out.push(b'-'),
    }
}

/// `%{…}i`: several fields of the name are one, as Apache joins them when it reads them.
fn header(out: &mut Vec<u8>, headers: &Headers, name: Option<&[u8]>) {
    let values: Vec<&[u8]> =
        name.map(|name| headers.get_all(name).map(|value| value.as_bytes()).collect()).unwrap_or_default();
    escaped(out, (!values.is_empty()).then(|| values.join(&b", "[..])));
}

/// `%{…}o`: the type without its parameters.
fn header_out(_: &mut Finished<'_>, req: &Request, name: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(name) = name else { return out.push(b'-') };
    if name.eq_ignore_ascii_case(b"Content-Type")
        && !req.status.is_header_only()
        && let Some(content_type) = &req.content_type
    {
        let bare = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
        return escaped(out, Some(bare.trim_end()));
    }
    let own = if req.headers_out.contains(name) { &req.headers_out } else { &req.err_headers_out };
    header(out, own, Some(name));
}

/// `%h`: the client's name if it was looked up, else its address.
fn remote_host(req: &Request, out: &mut Vec<u8>) {
    let ip = req.conn.client.ip();
    match req.conn.lookups.borrow().names.get(&ip) {
        Some(Some(name)) => escaped(out, Some(name)),
        _ => put(out, ip.to_canonical()),
    }
}

fn server_name(finished: &mut Finished<'_>, req: &Request, _: Option<&[u8]>, out: &mut Vec<u8>) {
    match finished.engine.policy.servers[req.server].core().name.value() {
        Some(name) => escaped(out, Some(name)),
        None => put(out, req.conn.local.ip().to_canonical()),
    }
}

/// `%p`: the port of the server's own name; other words than the three are written as they are.
fn port(finished: &mut Finished<'_>, req: &Request, which: Option<&[u8]>, out: &mut Vec<u8>) {
    let server = &finished.engine.policy.servers[req.server];
    let own = server.core().port.value().copied();
    let listed = server.addresses.first().and_then(|named| named.address.port);
    match which {
        None | Some(b"" | b"canonical") => put(out, own.or(listed).unwrap_or(80)),
        Some(b"local") => put(out, req.conn.local.port()),
        Some(b"remote") => put(out, req.conn.client.port()),
        Some(other) => out.extend_from_slice(other),
    }
}

fn process(finished: &mut Finished<'_>, _: &Request, which: Option<&[u8]>, out: &mut Vec<u8>) {
    match which {
        None | Some(b"" | b"pid") => put(out, std::process::id()),
        Some(b"tid") => put(out, finished.sent.worker),
        Some(b"hextid") => put(out, format_args!("{:x}", finished.sent.worker)),
        Some(other) => out.extend_from_slice(other),
    }
}

/// `%T`: in seconds, or in the unit said; other words than the three are written as they are.
fn duration(finished: &mut Finished<'_>, _: &Request, unit: Option<&[u8]>, out: &mut Vec<u8>) {
    let duration = finished.sent.duration;
    match unit {
        None | Some(b"" | b"s") => put(out, duration.as_secs()),
        Some(b"ms") => put(out, duration.as_millis()),
        Some(b"us") => put(out, duration.as_micros()),
        Some(other) => out.extend_from_slice(other),
    }
}

/// `%t`: when the request came, or with `end:` when the line is written.
fn time(finished: &mut Finished<'_>, _: &Request, format: Option<&[u8]>, out: &mut Vec<u8>) {
    let format = format.unwrap_or_default();
    let after = |word: &[u8]| match format.strip_prefix(word)? {
        [] => Some(&format[format.len()..]),
        [b':', rest @ ..] => Some(rest),
        _ => None,
    };
    let started = finished.last.first().started;
    let (when, format) = match (after(b"begin"), after(b"end")) {
        (Some(format), _) => (started, format),
        (None, Some(format)) => (finished.ended, format),
        (None, None) => (started, format),
    };
    finished.times.write(when, format, out);
}

/// The value of the first cookie of this name, blanks around it dropped; names are case-free.
fn cookie(headers: &Headers, name: &[u8]) -> Option<BString> {
    let all: Vec<&[u8]> = headers.get_all("Cookie").map(|value| value.as_bytes()).collect();
    let all = all.join(&b", "[..]);
    let value = all.split(|&byte| byte == b';').find_map(|pair| {
        let (own, value) = pair.split_once_str(b"=")?;
        (own.trim().eq_ignore_ascii_case(name)).then(|| value.trim())
    })?;
    (!value.is_empty()).then(|| value.into())
}

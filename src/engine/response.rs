//! From a decided request to bytes: ranges, framing, the head (what Apache does in its output
//! filters and in ap_http_header_filter).

use super::{
    answer::Content, decide::Engine, exchange::Piece, request::Request, trace::Trace, urls, worker::Worker,
};
use crate::{
    http::{
        Method, Status,
        conditional::{Conditions, range_allowed},
        date, range,
        request::Version,
        response::{self, BadHeader, PersistInput, ResponseHead},
    },
    policy::{CoreDir, SaidExt},
    system::Opened,
};
use bstr::BString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the connection stands when an answer begins.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// No request may follow.
    pub closing: bool,
    /// The client still waits for `100 Continue`.
    pub expecting_100: bool,
    /// Requests answered before on this connection.
    pub served: u32,
}

/// An answer ready to be written.
#[derive(Debug)]
pub struct Outgoing {
    /// The head, empty for HTTP/0.9.
    pub head: Vec<u8>,
    /// The body, unless the client asked for the head only.
    pub body: Vec<Piece>,
    /// What becomes of the connection, and whether the body goes in chunks.
    pub connection: response::Connection,
}

/// Why an answer cannot be sent as it is.
#[derive(Debug)]
pub enum Refused {
    /// A field that may not be sent: 500.
    Header(BadHeader),
    /// No range of the content is asked for: 416.
    Range,
}

/// The answer with a content that is known whole.
///
/// # Errors
/// The request is to be ended with another status instead.
pub fn whole(
    engine: &Engine,
    worker: &mut Worker,
    request: &mut Request,
    content: Content,
    standing: Standing,
) -> Result<Outgoing, Refused> {
    engine.answering(worker, request, &mut Trace::off());
    let length = length(&content);
    let skip = matches!(content, Content::Empty) && request.header_only();
    if !request.status.is_header_only() && !skip {
        request.headers_out.set("Content-Length", length.to_string());
    }
    let mut body = match content {
        Content::Empty => Vec::new(),
        Content::Bytes(bytes) => vec![Piece::Bytes(bytes)],
        Content::File { file, skip, sendfile, .. } => {
            vec![Piece::File { file, at: skip, len: length, sendfile }]
        }
    };
    if let Some(plan) = ranges(engine, request, length) {
        body = apply(engine, request, plan, body, length)?;
    }
    let (head, connection) = head(engine, request, standing).map_err(Refused::Header)?;
    if request.header_only() || request.status.is_header_only() {
        body.clear();
    }
    Ok(Outgoing { head, body, connection })
}

/// The head of an answer, and what becomes of the connection.
///
/// # Errors
/// A field may not be sent.
pub fn head(
    engine: &Engine,
    request: &Request,
    standing: Standing,
) -> Result<(Vec<u8>, response::Connection), BadHeader> {
    let core = engine.policy.servers[request.server].core();
    let mut both = request.err_headers_out.clone();
    both.extend(&request.headers_out);
    let seconds =
        |said: &crate::policy::Said<Duration>, default| said.value().map_or(default, Duration::as_secs);
    let no_keepalive = request.env.contains("nokeepalive");
    // Kludges for old clients, by the environment (manual, env.html).
    let no_vary = request.env.contains("force-no-vary");
    let old = no_vary || (request.version > Version::Http10 && request.env.contains("downgrade-1.0"));
    let version = if old { Version::Http10 } else { request.version };
    let as_http10 = version == Version::Http10 && (no_vary || request.env.contains("force-response-1.0"));
    let connection = response::persist(&PersistInput {
        status: request.status,
        version,
        head_request: request.header_only(),
        request: &request.headers_in,
        response: &both,
        closing: standing.closing || request.must_close,
        expecting_100: standing.expecting_100,
        nokeepalive: no_keepalive,
        keep_alive: core.keep_alive.value_or(true),
        timeout: seconds(&core.keep_alive_timeout, 5).max(u64::from(core.keep_alive_timeout.is_some())),
        max_requests: core.keep_alive_max.value_or(100),
        served: standing.served,
    });
    let mut bytes = Vec::with_capacity(512);
    if request.version == Version::Http09 {
        return Ok((bytes, connection));
    }
    let now = date::format(unix(engine.system.now()));
    let server = urls::server_software(&engine.policy);
    response::write(
        &mut bytes,
        &ResponseHead {
            status: request.status,
            status_line: request.status_line.as_ref().map(|line| line.as_slice()),
            date: &now,
            server: Some(server.as_bytes()),
            err_headers: &request.err_headers_out,
            headers: &request.headers_out,
            content_type: content_type(request).as_ref().map(|text| text.as_slice()),
            content_encoding: request.content_encoding.as_ref().map(|text| text.as_slice()),
            content_languages: &request.content_languages,
            connection: &connection,
            as_http10,
            no_vary,
        },
    )?;
    Ok((bytes, connection))
}

/// The media type with AddDefaultCharset's charset, where that applies: to `text/html` and
/// `text/plain` that name none (ap_make_content_type).
fn content_type(request: &Request) -> Option<BString> {
    let own = request.content_type.as_ref().filter(|text| !text.is_empty())?;
    let core: &CoreDir = request.conf.conf.get();
    let Some(Some(charset)) = core.default_charset.value() else { return Some(own.clone()) };
    let lower = own.to_ascii_lowercase();
    let kind = lower.split(|&byte| byte == b';').next().unwrap_or_default();
    let kind = kind.strip_suffix(b" ").unwrap_or(kind);
    let named = bstr::ByteSlice::contains_str(lower.as_slice(), "charset=");
    if named || !(kind == b"text/html" || kind == b"text/plain") {
        return Some(own.clone());
    }
    Some([own.as_slice(), b"; charset=", charset.as_slice()].concat().into())
}

/// Seconds since the epoch.
pub fn unix(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// How long a content is.
pub fn length(content: &Content) -> u64 {
    match content {
        Content::Empty => 0,
        Content::Bytes(bytes) => bytes.len() as u64,
        Content::File { stat, skip, .. } => stat.size.saturating_sub(*skip),
    }
}

/// Which ranges are asked for, if that counts here (ap_set_byterange).
fn ranges(engine: &Engine, request: &Request, length: u64) -> Option<range::Plan> {
    let asked = request.headers_in.get("Range").or(request.headers_in.get("Request-Range"))?;
    let own = |name: &str| request.headers_out.get(name).or(request.err_headers_out.get(name));
    let refused = own("Accept-Ranges").is_some_and(|text| text.eq_ignore_ascii_case(b"none"));
    if request.status != Status(200) || refused || own("Content-Range").is_some() {
        return None;
    }
    if !matches!(request.method, Method::Get | Method::Head) || request.version == Version::Http09 {
        return None;
    }
    let conditions = Conditions {
        method: request.method,
        request: &request.headers_in,
        etag: own("ETag").map(|tag| tag.as_ref()),
        modified: own("Last-Modified").and_then(|text| date::parse(text)),
        now: unix(engine.system.now()),
    };
    if !range_allowed(&conditions) {
        return None;
    }
    let core: &CoreDir = request.conf.conf.get();
    let standard = range::Limits::default();
    let limit = |said: &crate::policy::Said<Option<u32>>, default| match said.value() {
        None => default,
        Some(limit) => limit.map(|n| n as usize),
    };
    let limits = range::Limits {
        ranges: limit(&core.max_ranges, standard.ranges),
        overlaps: limit(&core.max_range_overlaps, standard.overlaps),
        reversals: limit(&core.max_range_reversals, standard.reversals),
    };
    (limits.ranges != Some(0)).then(|| range::plan(asked, length, &limits))
}

fn apply(
    engine: &Engine,
    request: &mut Request,
    plan: range::Plan,
    body: Vec<Piece>,
    length: u64,
) -> Result<Vec<Piece>, Refused> {
    match plan {
        range::Plan::Whole => Ok(body),
        range::Plan::Unsatisfiable => {
            request.headers_out.set("Content-Range", format!("bytes */{length}"));
            Err(Refused::Range)
        }
        range::Plan::One(one) => {
            request.status = Status(206);
            request.headers_out.set("Content-Range", one.content_range(length));
            request.headers_out.set("Content-Length", one.len().to_string());
            Ok(cut(&body, one))
        }
        range::Plan::Many(many) => {
            request.status = Status(206);
            let boundary = boundary(engine.system.now());
            let kind = request.content_type.take();
            let mut pieces = Vec::new();
            for one in many {
                let part = range::part_head(&boundary, kind.as_ref().map(|k| k.as_slice()), &one, length);
                pieces.push(Piece::Bytes(part));
                pieces.extend(cut(&body, one));
            }
            pieces.push(Piece::Bytes(range::multipart_end(&boundary).into_bytes()));
            let total: u64 = pieces.iter().map(Piece::len).sum();
            request.headers_out.set("Content-Length", total.to_string());
            request.content_type = Some(range::multipart_type(&boundary).into());
            Ok(pieces)
        }
    }
}

/// A boundary as Apache makes it: the time and a number, in hexadecimal.
fn boundary(now: SystemTime) -> String {
    let micros = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
    format!("{:016x}", u64::try_from(micros).unwrap_or(0))
}

/// The part of a body of one piece that a range names.
fn cut(body: &[Piece], one: range::ByteRange) -> Vec<Piece> {
    let part = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => {
            let first = usize::try_from(one.first).unwrap_or(usize::MAX).min(bytes.len());
            let end = usize::try_from(one.last).unwrap_or(usize::MAX).saturating_add(1).min(bytes.len());
            Piece::Bytes(bytes[first..end.max(first)].to_vec())
        }
        Piece::File { file, at, sendfile, .. } => {
            let file: Opened = file.clone();
            Piece::File { file, at: at + one.first, len: one.len(), sendfile: *sendfile }
        }
    };
    body.iter().take(1).map(part).collect()
}

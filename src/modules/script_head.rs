//! What mod_cgi and mod_asis make of a head that a program or a file brings along
//! (ap_scan_script_header_err).

use crate::{
    engine::{Cx, Verdict},
    http::{
        Method, Status,
        cgi::{CgiHead, Note},
        date,
    },
};
use bstr::ByteSlice;
use std::time::UNIX_EPOCH;

/// Lays the program's fields over the answer's.
pub(super) fn take_over(cx: &mut Cx<'_>, head: &CgiHead) {
    let now = seconds(cx);
    let req = &mut *cx.req;
    for (name, value) in head.err_headers.iter() {
        if name.eq_ignore_ascii_case(b"Set-Cookie") {
            req.err_headers_out.append(name, value);
        } else if name.eq_ignore_ascii_case(b"ETag") {
            // Unlike the other fields it does not go along when another URL answers.
            req.headers_out.set(name, value);
        } else {
            req.err_headers_out.merge(name, value);
        }
    }
    for (name, value) in head.headers.iter() {
        req.headers_out.set(name, value);
    }
    if let Some(content_type) = &head.content_type {
        req.content_type = Some(content_type.clone()).filter(|text| !text.is_empty());
    }
    if let Some(length) = &head.content_length
        && req.env.contains("ap_trust_cgilike_cl")
    {
        req.headers_out.set("Content-Length", length);
    }
    if let Some(time) = head.last_modified {
        req.headers_out.set("Last-Modified", date::format(time.min(now)));
    }
}

/// The code that `Status` gave; what is no status at all is kept as the number it is, for the log,
/// and leaves the server as a 500.
pub(super) fn status_of(head: &CgiHead) -> Option<Status> {
    let invalid = head.notes.iter().rev().find_map(|note| match note {
        Note::Status(value, _) if head.status_line.is_none() => Some(value),
        _ => None,
    });
    match invalid {
        Some(value) if head.status == Some(Status::INTERNAL_SERVER_ERROR) => {
            let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
            Some(Status(value[..digits].to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(0)))
        }
        _ => head.status,
    }
}

/// `Location` with a path of this server: that is answered at once, as a GET. Who asked for a head
/// only still gets no more.
pub(super) fn redirect(cx: &mut Cx<'_>, location: &[u8]) -> Verdict {
    let mut next = cx.req.redirect_to(location, &cx.worker.base(cx.req.server));
    if next.method != Method::Head {
        next.method = Method::Get;
    }
    next.method_name = "GET".into();
    next.headers_in.remove("Content-Length");
    next.content_type.clone_from(&cx.req.content_type);
    Verdict::Become(next)
}

/// The time of the request.
pub(super) fn seconds(cx: &Cx<'_>) -> i64 {
    let since = cx.req.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

//! Ending a request with an error or redirect status: its ErrorDocument, or the built-in page
//! (Apache's ap_die and ap_send_error_response).

use super::{
    answer::{Answer, Content, Decision},
    decide::Engine,
    module::Verdict,
    request::{LogEntry, Request},
    trace::Trace,
    urls,
    worker::Worker,
};
use crate::{
    diag::Span,
    http::{
        Method, Status,
        canned::{Page, page},
        method::allow_header,
    },
    policy::{CoreDir, CoreServer, SaidExt, core_conf::ErrorDocument, expr::Expr},
};
use bstr::{BString, ByteSlice};

/// What follows.
pub enum After {
    /// This answer.
    Done(Decision),
    /// Another request takes over: a local ErrorDocument.
    Again(Box<Request>),
}

/// Ends `request` with `status`. A request that fails while it is itself an ErrorDocument gives its
/// place back to the one that failed first, whose page then names both.
pub fn die(
    engine: &Engine,
    worker: &mut Worker,
    mut request: Box<Request>,
    status: Status,
    trace: &mut Trace,
) -> After {
    if request.is_sub {
        // Who asked for it says what becomes of that.
        request.status = status;
        request.ended = true;
        return After::Done(Decision { request, answer: Answer::Content(Content::Empty) });
    }
    let failed_before = request.status != Status(200);
    if failed_before {
        // A status that was set ahead, of a redirect that a rule took back, was no failure.
        let document = request.prev.as_ref().is_some_and(|prev| prev.status != Status(200));
        let also = document.then_some(status);
        let mut first = first_error(request, status);
        first.document_failed = also;
        return After::Done(send(engine, worker, first, also));
    }
    request.status = status;
    if status.drops_connection() {
        request.must_close = true;
    }
    match document(engine, worker, &mut request, trace) {
        None | Some(ErrorDocument::Default | ErrorDocument::Text(_) | ErrorDocument::Expr(_)) => {
            After::Done(send(engine, worker, request, None))
        }
        Some(ErrorDocument::External(url)) => {
            request.status = Status(302);
            request.headers_out.set("Location", url);
            After::Done(send(engine, worker, request, None))
        }
        Some(ErrorDocument::Local(url)) if url.starts_with(b"/") => {
            After::Again(redirect(worker, request, &url))
        }
        Some(ErrorDocument::Local(url)) => {
            let text = format!("Invalid error redirection directive: {url}").into();
            let (level, module, number) = (3, "core", "AH01580");
            let entry = LogEntry { level, module, os_error: None, number, text, explanation: None };
            request.log.push(entry);
            After::Done(send(engine, worker, request, Some(Status(500))))
        }
    }
}

/// The earliest request of the chain that failed; `status` is set where there is none before.
fn first_error(mut request: Box<Request>, status: Status) -> Box<Request> {
    let mut any = false;
    while request.prev.as_ref().is_some_and(|prev| prev.status != Status(200)) {
        any = true;
        let log = std::mem::take(&mut request.log);
        // The requests of a chain share this table.
        let headers = std::mem::take(&mut request.err_headers_out);
        if let Some(prev) = request.prev.take() {
            request = prev;
        }
        request.log.extend(log);
        request.err_headers_out = headers;
    }
    if !any {
        request.status = status;
    }
    request
}

/// The text of an ErrorDocument. What it looked at is no reason for Vary: that went with the other
/// fields of the answer that failed.
fn expanded(
    engine: &Engine,
    worker: &mut Worker,
    request: &mut Request,
    expr: &Expr,
    at: Span,
    trace: &mut Trace,
) -> Result<BString, Verdict> {
    let before = request.headers_out.clone();
    let text = engine.with_cx(worker, request, "core", trace, |cx| cx.expand(expr, at));
    request.headers_out = before;
    text
}

/// The ErrorDocument that holds for the request's status, an expression evaluated.
fn document(
    engine: &Engine,
    worker: &mut Worker,
    request: &mut Request,
    trace: &mut Trace,
) -> Option<ErrorDocument> {
    let merged = request.conf.clone();
    let core: &CoreDir = merged.conf.get();
    let said = core.error_documents.get(&request.status.0)?;
    match &said.value {
        ErrorDocument::Expr(expr) => {
            let at = said.at;
            let text = expanded(engine, worker, request, expr, at, trace);
            let text = text.ok()?;
            Some(if urls::has_scheme(&text) {
                ErrorDocument::External(text)
            } else if text.starts_with(b"/") {
                ErrorDocument::Local(text)
            } else {
                ErrorDocument::Text(text)
            })
        }
        other => Some(other.clone()),
    }
}

/// The request for a local ErrorDocument: always a GET, and never answered with 304.
fn redirect(worker: &mut Worker, mut request: Box<Request>, url: &[u8]) -> Box<Request> {
    request.no_local_copy = true;
    let method = request.method_name.clone();
    request.env.set("REQUEST_METHOD", method);
    if let Some(notes) = request.notes.get("error-notes").map(BString::from) {
        request.env.set("ERROR_NOTES", notes);
    }
    let mut next = request.redirect_to(url, &worker.base(request.server));
    if next.method != Method::Head {
        next.method = Method::Get;
    }
    next.method_name = "GET".into();
    next.prev = Some(request);
    next
}

/// The answer with the built-in page, or the ErrorDocument's text.
fn send(engine: &Engine, worker: &mut Worker, mut request: Box<Request>, also: Option<Status>) -> Decision {
    let status = request.status;
    request.ended = true;
    if status.is_header_only() {
        return Decision { request, answer: Answer::Content(Content::Empty) };
    }
    request.filters.clear();
    let location = request.headers_out.get("Location").or(request.err_headers_out.get("Location"));
    let location = location.map(BString::from).unwrap_or_default();
    request.headers_out = std::mem::take(&mut request.err_headers_out);
    if (status.is_redirect() || status == Status(201)) && !location.is_empty() {
        request.headers_out.set("Location", &location);
    }
    request.content_languages.clear();
    request.content_encoding = None;
    let plain = request.env.contains("suppress-error-charset");
    request.content_type = Some(if plain { "text/html" } else { "text/html; charset=iso-8859-1" }.into());
    if matches!(status.0, 405 | 501) {
        let allow = allow_header(request.allowed, urls::trace_enabled(engine, &request));
        request.headers_out.set("Allow", allow);
    }
    if request.header_only() {
        return Decision { request, answer: Answer::Content(Content::Empty) };
    }
    let merged = request.conf.clone();
    let core: &CoreDir = merged.conf.get();
    let text = core.error_documents.get(&status.0).map(|said| &said.value);
    let body = match text {
        Some(ErrorDocument::Text(text)) => text.to_vec(),
        Some(ErrorDocument::Expr(expr)) => {
            let at = Span::BUILTIN;
            let text = expanded(engine, worker, &mut request, expr, at, &mut Trace::off());
            match text {
                Ok(text) if !text.starts_with(b"/") && !urls::has_scheme(&text) => text.into(),
                _ => built_in(engine, &request, core, &location, also),
            }
        }
        _ => built_in(engine, &request, core, &location, also),
    };
    Decision { request, answer: Answer::Content(Content::Bytes(body)) }
}

fn built_in(
    engine: &Engine,
    request: &Request,
    core: &CoreDir,
    location: &[u8],
    also: Option<Status>,
) -> Vec<u8> {
    let server: &CoreServer = engine.policy.servers[request.server].core();
    let admin = server.admin.value().map_or(&b"[no address given]"[..], |admin| admin.as_slice());
    let signature = urls::signature(engine, request, core);
    let note = |name: &str| request.notes.get(name).map_or(&b""[..], |text| text.as_bytes());
    page(&Page {
        status: request.status.0,
        status_line: request.status_line.as_ref().map(|line| line.as_slice()),
        method: &request.method_name,
        location,
        expect: request.headers_in.get("Expect").map(|text| text.as_bytes()),
        notes: note("error-notes"),
        only_notes: note("verbose-error-to") == b"*",
        variants: note("variant-list"),
        admin,
        also: also.map(|status| status.0),
        signature: &signature,
    })
}

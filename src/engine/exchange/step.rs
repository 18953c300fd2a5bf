//! One input being worked off: what the states of an exchange reach the engine and the output with.

use super::{LogEntry, Logged, Output, Refused, Request, Sent, Status, Trace};
use crate::{
    engine::{cx::Cx, decide::Engine, log, worker::Worker},
    http::request::BadRequest,
    policy::CoreDir,
};
use bstr::BString;
use std::time::SystemTime;

/// What an input is worked off with.
pub(super) struct Step<'s, 'o> {
    pub engine: &'s Engine,
    pub worker: &'s mut Worker,
    pub out: &'o mut Output,
    /// The record of the request being served, if somebody wants to know.
    pub trace: Trace,
}

impl Step<'_, '_> {
    /// Runs a function with a request's context, outside of the phases.
    pub fn with_cx<R>(&mut self, request: &mut Request, f: impl FnOnce(&mut Cx<'_>) -> R) -> R {
        self.engine.with_cx(self.worker, request, "mod_filter", &mut self.trace, f)
    }

    /// Hands out a request's entries for the error log.
    pub fn errors(&mut self, request: &mut Request) {
        let (server, client) = (request.server, Some(request.conn.client));
        let mut next = Some(request);
        while let Some(request) = next {
            self.out.lines.append(&mut request.records);
            for entry in request.log.drain(..) {
                self.trace.logged(&entry);
                self.out.errors.push(Logged { server, client, entry });
            }
            next = request.prev.as_deref_mut();
        }
    }

    /// Makes the lines of a finished request for the access logs.
    pub fn access(&mut self, request: &mut Request, sent: Sent) {
        self.errors(request);
        let now = self.engine.system.now();
        let begun: SystemTime = request.first().started;
        let sent = Sent { duration: now.duration_since(begun).unwrap_or_default(), ..sent };
        self.worker.score.count(&sent);
        for module in &self.engine.modules {
            let Some(log) = module.log else { continue };
            let lines = &mut self.out.lines;
            self.engine
                .with_cx(self.worker, request, module.name, &mut Trace::off(), |cx| log(cx, &sent, lines));
        }
        self.errors(request);
    }

    /// Logs why an answer could not be sent; the status to send instead.
    pub fn refused(&mut self, request: &mut Request, refused: &Refused) -> Status {
        let Refused::Header(bad) = refused else { return Status(416) };
        let (level, module, number) = (3, "http", bad.ah);
        let text = bad.message.clone();
        let explanation = Some(bad.why.to_owned());
        request.log.push(LogEntry { level, module, os_error: None, number, text, explanation });
        request.headers_out.clear();
        request.err_headers_out.clear();
        request.status_line = None;
        Status(500)
    }

    pub fn bad_request_log(&mut self, request: &mut Request, bad: &BadRequest) {
        let level = if bad.info { 6 } else { 7 };
        let mut add = |number: &'static str, text: BString| {
            let (module, os_error, explanation) = ("core", None, None);
            request.log.push(LogEntry { level, module, os_error, number, text, explanation });
        };
        if !bad.ah.is_empty() {
            add(bad.ah, bad.message.clone());
        }
        if bad.in_headers {
            add("AH00567", "request failed: error reading the headers".into());
        }
        let core = self.engine.policy.servers[request.server].core();
        let dir: &CoreDir = request.conf.conf.get();
        let most = log::level_for(dir, core, "core");
        request.log.retain(|entry| entry.level <= most);
    }
}

//! A CGI program's part of an exchange: its input, the head it prints, its output, its end.

use super::{
    After, Ask, Body, CgiFailure, Exchange, HALF_CLOSED, Input, LOGGED_FIRST, Piece, Request, Sent, State,
    Status, Step, TIMEOUT, response,
};
use crate::{
    engine::{
        answer::{BodyFault, Cgi, CgiFault},
        cx::Cx,
        filter::{AWAITED, Chain, Coming},
        module::Verdict,
    },
    http::{
        cgi::{CgiError, CgiErrorKind, CgiHead, Scan, Scanner},
        chunked::{LAST_CHUNK, framed},
    },
    policy::SaidExt,
};
use std::time::Duration;

/// How long after the end of its output a program's exit status is waited for, so that the log can
/// name it.
const EXIT_STATUS: Duration = Duration::from_millis(250);

/// Bytes handed out and not yet written from which on the program waits for the client.
pub(super) const UNSENT: u64 = 64 * 1024;

/// Bytes of output kept for the explanation of a failure.
const KEPT: usize = 1024;

/// A program that runs for a request.
#[derive(Debug)]
pub(super) struct Program {
    pub request: Box<Request>,
    pub timeout: Duration,
    /// Bytes handed out since the last time that all was written.
    pub unsent: u64,
    /// Input was given that the program has not taken yet.
    pub feeding: bool,
    /// Bytes of body and of everything handed out.
    pub body: u64,
    pub total: u64,
    stage: Stage,
    on_head: fn(&mut Cx<'_>, Result<Box<CgiHead>, CgiFault>) -> Verdict,
    on_stderr: fn(&mut Cx<'_>, &[u8]),
    on_failure: fn(&mut Cx<'_>, &CgiFailure) -> Verdict,
    /// The beginning of what it was given, and how much of it is kept.
    input: Vec<u8>,
    keep_input: usize,
    keep_output: usize,
    /// What it printed first, for the explanation of a failure.
    printed: Vec<u8>,
    /// Raw wait status, once it has ended.
    exit: Option<i32>,
    /// A line of standard error that is not complete.
    stderr: Vec<u8>,
    /// The filters that its output passes.
    pub chain: Option<Chain>,
    /// Its output is complete; the filters may still wait for a part.
    closed: bool,
    /// A filter could not go on: the answer breaks off.
    broken: bool,
    /// The time-out that ran out was that of a client which had closed its side.
    half_closed: bool,
}

#[derive(Debug)]
enum Stage {
    /// It prints its head.
    Head(Scanner),
    /// Its head is wrong, and the rest of its output is wanted all the same.
    Spoilt(Box<CgiError>),
    /// It closed its output without a complete head; its exit status is waited for.
    Headless(Scanner),
    /// The head is complete; the filters want to see the beginning of the body first.
    Held(Vec<u8>),
    /// The rest of its output is the body.
    Relay { chunked: bool, persists: bool, silent: bool },
    /// It speaks HTTP itself.
    Raw,
}

impl Exchange {
    /// Starts a program for a request.
    pub(super) fn spawn(&mut self, mut request: Box<Request>, cgi: Box<Cgi>, step: &mut Step<'_, '_>) {
        // The request's body is for the whole of which this may be a part, not for the part.
        // A part has what was kept of it, unless it is another request by now.
        let is_part = !self.whole.is_empty();
        let kept = request.kept_body.clone().filter(|kept| is_part && !kept.is_empty());
        if !is_part && let Some(entry) = self.body.refusal() {
            request.must_close = true;
            let failure = CgiFailure::Input(BodyFault::Refused(Status(413)));
            let verdict = step.with_cx(&mut request, |cx| {
                cx.record(entry);
                (cgi.on_failure)(cx, &failure)
            });
            let progress = step.engine.resume(step.worker, request, verdict, &mut step.trace);
            return self.progress(progress, step);
        }
        let comes = !is_part && !self.body.is_done();
        if comes {
            self.invite(&mut request, step);
        }
        let input = comes || kept.is_some();
        let stage = if cgi.nph { Stage::Raw } else { Stage::Head(Scanner::new()) };
        let (on_head, on_stderr, on_failure) = (cgi.on_head, cgi.on_stderr, cgi.on_failure);
        self.state = State::Program(Box::new(Program {
            request,
            timeout: cgi.timeout,
            unsent: 0,
            feeding: kept.is_some(),
            body: 0,
            total: 0,
            stage,
            on_head,
            on_stderr,
            on_failure,
            input: Vec::new(),
            keep_input: cgi.keep_input,
            keep_output: cgi.keep_output,
            printed: Vec::new(),
            exit: None,
            stderr: Vec::new(),
            chain: None,
            closed: false,
            broken: false,
            half_closed: false,
        }));
        step.out.asks.push(Ask::Wake(Some(cgi.timeout)));
        step.out.asks.push(Ask::Spawn { cgi, input });
        if is_part {
            step.out.asks.extend(kept.map(|kept| Ask::FeedChild(kept.to_vec())));
            step.out.asks.push(Ask::CloseChildInput);
        } else {
            self.feed(step);
        }
    }

    /// Gives the program what came of the request's body.
    pub(super) fn feed(&mut self, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        if self.body.is_done() && !program.feeding && self.body.received == 0 {
            program.request.kept_body = self.body.take_kept();
            step.out.asks.push(Ask::CloseChildInput);
            return;
        }
        let mut input = &self.buffer[..];
        let before = input.len();
        let mut data = Vec::new();
        let taken = self.body.take(&mut input, |bytes| data.extend_from_slice(bytes));
        let used = before - input.len();
        self.buffer.drain(..used);
        match taken {
            Ok(()) => {
                if !data.is_empty() {
                    program.feeding = true;
                    let room = program.keep_input.saturating_sub(program.input.len()).min(data.len());
                    program.input.extend_from_slice(&data[..room]);
                    step.out.asks.push(Ask::FeedChild(data));
                }
                if self.body.is_done() {
                    program.request.kept_body = self.body.take_kept();
                    step.out.asks.push(Ask::CloseChildInput);
                }
            }
            Err(refused) => {
                self.body = Body::none();
                step.with_cx(&mut program.request, |cx| cx.record(*refused.entry));
                let verdict = program.failure(&CgiFailure::Input(BodyFault::Refused(refused.status)), step);
                self.abandon(verdict, Ask::KillChild, step);
            }
        }
    }

    /// Something came from the program.
    pub(super) fn child(&mut self, input: Input<'_>, step: &mut Step<'_, '_>) {
        let client_eof = self.client_eof;
        let Some(program) = self.innermost() else { return };
        match input {
            Input::Child(bytes) => self.output(bytes, step),
            Input::ChildStderr(bytes) => {
                program.stderr.extend_from_slice(bytes);
                program.stderr_lines(step, false);
                // A program that complains is not silent.
                let waits = program.unsent == 0 && !matches!(program.stage, Stage::Headless(_));
                if waits && !client_eof {
                    step.out.asks.push(Ask::Wake(Some(program.timeout)));
                }
            }
            Input::ChildFed => program.feeding = false,
            Input::ChildClosed => self.output_closed(step),
            Input::ChildExit(status) => {
                program.exit = Some(status);
                program.stderr_lines(step, true);
                if matches!(program.stage, Stage::Headless(_)) {
                    self.headless(step);
                }
            }
            Input::SpawnFailed(what, error) => {
                let failure = CgiFailure::Exec { step: what, error };
                let verdict = program.failure(&failure, step);
                self.abandon(verdict, Ask::Wake(None), step);
            }
            _ => {}
        }
    }

    /// The program that was started last: the state, or that of which the state is a part.
    fn innermost(&mut self) -> Option<&mut Program> {
        let states = std::iter::once(&mut self.state).chain(self.whole.iter_mut().rev());
        states.into_iter().find_map(|state| match state {
            State::Program(program) => Some(&mut **program),
            _ => None,
        })
    }

    fn output(&mut self, bytes: &[u8], step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        let room = program.keep_output.max(KEPT).saturating_sub(program.printed.len()).min(bytes.len());
        program.printed.extend_from_slice(&bytes[..room]);
        step.out.asks.push(Ask::Wake(Some(program.timeout)));
        match &mut program.stage {
            Stage::Head(scanner) => match scanner.feed(bytes) {
                Ok(Scan::Partial) => {}
                Ok(Scan::Done(head, used)) => self.head(head, &bytes[used..], step),
                Err(error) if error.kind == CgiErrorKind::Malformed && program.keep_output > 0 => {
                    program.stage = Stage::Spoilt(Box::new(error));
                }
                Err(error) => self.bad_head(error, step),
            },
            Stage::Headless(_) | Stage::Spoilt(_) => {}
            Stage::Held(held) => {
                held.extend_from_slice(bytes);
                if held.len() >= AWAITED {
                    self.begin(step);
                }
            }
            Stage::Relay { .. } | Stage::Raw => self.relay(bytes, step),
        }
    }

    /// A piece of the body passes the filters.
    fn relay(&mut self, bytes: &[u8], step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        if bytes.is_empty() || matches!(program.stage, Stage::Relay { silent: true, .. }) {
            return;
        }
        let Program { chain, request, broken, .. } = &mut **program;
        let Some(chain) = chain else { return self.emit(bytes, step) };
        let mut passed = Vec::new();
        *broken |= step.with_cx(request, |cx| chain.take(cx, bytes, &mut passed)).is_err();
        step.errors(request);
        self.emit(&passed, step);
    }

    /// The program's head is complete.
    fn head(&mut self, head: Box<CgiHead>, rest: &[u8], step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        let on_head = program.on_head;
        let verdict = program.with_cx(step, |cx| on_head(cx, Ok(head)));
        if !matches!(verdict, Verdict::Ok) {
            return self.abandon(verdict, Ask::LeaveChild, step);
        }
        program.stage = Stage::Held(rest.to_vec());
        // What a filter says of a HEAD it says by the content too, which is not sent.
        let bodiless = program.request.status.is_header_only();
        if program.request.filters.is_empty() || bodiless || rest.len() >= AWAITED {
            self.begin(step);
        }
    }

    /// The answer begins.
    fn begin(&mut self, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        let Stage::Held(rest) = std::mem::replace(&mut program.stage, Stage::Raw) else { return };
        let coming = Coming { length: rest.len() as u64 };
        program.chain = Chain::start(step.engine, step.worker, &mut program.request, coming);
        if !self.whole.is_empty() {
            program.stage = Stage::Relay { chunked: false, persists: true, silent: false };
            return self.relay(&rest, step);
        }
        step.engine.answering(step.worker, &mut program.request, &mut step.trace);
        step.errors(&mut program.request);
        let request = &program.request;
        let standing = response::Standing {
            closing: self.stopping || self.client_eof,
            expecting_100: request.expect_continue,
            served: self.conn.keepalives.get(),
        };
        match response::head(step.engine, request, standing) {
            Ok((bytes, connection)) => {
                let silent = request.header_only() || request.status.is_header_only();
                let (chunked, persists) = (connection.chunked, connection.persists);
                program.stage = Stage::Relay { chunked, persists, silent };
                program.total += bytes.len() as u64;
                program.unsent += bytes.len() as u64;
                if !bytes.is_empty() {
                    step.out.pieces.push(Piece::Bytes(bytes));
                }
                self.relay(&rest, step);
            }
            Err(bad) => {
                let refused = response::Refused::Header(bad);
                let status = step.refused(&mut program.request, &refused);
                self.abandon(Verdict::Status(status), Ask::LeaveChild, step);
            }
        }
    }

    fn bad_head(&mut self, error: CgiError, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        program.stderr_lines(step, true);
        let output = std::mem::take(&mut program.printed).into();
        let input = std::mem::take(&mut program.input).into();
        let (on_head, fault) = (program.on_head, CgiFault { error, input, output, exit: program.exit });
        let verdict = program.with_cx(step, |cx| on_head(cx, Err(fault)));
        self.abandon(verdict, Ask::LeaveChild, step);
    }

    fn output_closed(&mut self, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        if matches!(program.stage, Stage::Held(_)) {
            self.begin(step);
        }
        let State::Program(program) = &mut self.state else { return };
        match std::mem::replace(&mut program.stage, Stage::Raw) {
            Stage::Head(scanner) => {
                let ended = program.exit.is_some();
                program.stage = Stage::Headless(scanner);
                if ended {
                    return self.headless(step);
                }
                step.out.asks.push(Ask::Wake(Some(EXIT_STATUS)));
            }
            Stage::Relay { chunked, persists, silent } => {
                program.stderr_lines(step, true);
                program.stage = Stage::Relay { chunked, persists, silent };
                program.closed = true;
                let last = program.end_filters(step);
                match last {
                    Ok(last) => self.emit(&last, step),
                    Err(_) => return self.client_gone(step),
                }
                self.relayed(step);
            }
            Stage::Raw => self.complete(false, step),
            Stage::Spoilt(error) => self.bad_head(*error, step),
            headless => program.stage = headless,
        }
    }

    /// The answer is complete once the filters have given out all there was.
    pub(super) fn relayed(&mut self, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        let Stage::Relay { chunked, persists, silent } = program.stage else { return };
        if !program.has_passed() {
            return;
        }
        if chunked && !silent {
            program.total += LAST_CHUNK.len() as u64;
            step.out.pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
        }
        self.complete(persists, step);
    }

    fn headless(&mut self, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        let Stage::Headless(scanner) = &program.stage else { return };
        let error = scanner.finish();
        self.bad_head(error, step);
    }

    /// The whole output is handed out.
    fn complete(&mut self, persists: bool, step: &mut Step<'_, '_>) {
        let State::Program(program) = std::mem::replace(&mut self.state, State::Closed) else { return };
        step.out.asks.push(Ask::LeaveChild);
        if !self.whole.is_empty() {
            return self.part_done(program.request, step);
        }
        let (body, total) = (program.body, program.total);
        let sent = Sent { body, total, ..self.received() };
        self.send(program.request, persists, sent, total <= LOGGED_FIRST, step);
    }

    /// Throws away what has come of the rest of a body, and goes on behind it.
    pub(super) fn skip_rest(&mut self, server: usize, step: &mut Step<'_, '_>) {
        let mut input = &self.buffer[..];
        let before = input.len();
        let taken = self.body.take(&mut input, |_| {});
        let used = before - input.len();
        self.buffer.drain(..used);
        if taken.is_err() {
            return self.close(step);
        }
        if self.body.is_done() {
            return self.next(server, After::Next, step);
        }
        let core = step.engine.policy.servers[server].core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
    }

    /// The program's answer is not used: the request goes on with a verdict of its module.
    fn abandon(&mut self, verdict: Verdict, ask: Ask, step: &mut Step<'_, '_>) {
        let State::Program(program) = std::mem::replace(&mut self.state, State::Closed) else { return };
        step.out.asks.push(ask);
        let progress = step.engine.resume(step.worker, program.request, verdict, &mut step.trace);
        self.progress(progress, step);
    }

    /// The rest of the body will not come, and the client has got nothing yet.
    pub(super) fn body_failed(&mut self, fault: BodyFault, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        self.body = Body::none();
        program.request.must_close = true;
        let verdict = program.failure(&CgiFailure::Input(fault), step);
        self.abandon(verdict, Ask::KillChild, step);
    }

    pub(super) fn program_deadline(&mut self, step: &mut Step<'_, '_>) {
        let State::Program(program) = &mut self.state else { return };
        if matches!(program.stage, Stage::Headless(_)) {
            return self.headless(step);
        }
        if self.client_eof && !program.half_closed && program.timeout > HALF_CLOSED {
            return self.client_gone(step);
        }
        if let Stage::Spoilt(error) = &program.stage {
            let error = (**error).clone();
            return self.bad_head(error, step);
        }
        let body = program.has_begun();
        if !body && self.whole.is_empty() && !self.body.is_done() && !program.feeding {
            // Not the program kept us waiting but the client, with the rest of its body.
            return self.body_failed(BodyFault::TimedOut, step);
        }
        let verdict = program.failure(&CgiFailure::Timeout { body }, step);
        step.errors(&mut program.request);
        if !body {
            return self.abandon(verdict, Ask::KillChild, step);
        }
        if self.whole.is_empty() {
            return self.client_gone(step);
        }
        step.out.asks.push(Ask::KillChild);
        if let State::Program(program) = std::mem::replace(&mut self.state, State::Closed) {
            self.part_done(program.request, step);
        }
    }
}

impl Program {
    /// Whether the client has all that it will get: an answer without a body, whose program goes on.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Relay { silent: true, .. }) && self.unsent == 0
    }

    /// Whether the client has got something of its answer.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Relay { .. } | Stage::Raw)
    }

    /// Whether all of its output has passed the filters.
    pub(super) fn has_passed(&self) -> bool {
        self.closed && self.chain.as_ref().is_none_or(Chain::is_ended)
    }

    /// The output is complete: what the filters still hold.
    fn end_filters(&mut self, step: &mut Step<'_, '_>) -> std::io::Result<Vec<u8>> {
        let mut last = Vec::new();
        if matches!(self.stage, Stage::Relay { silent: true, .. }) {
            self.chain = None;
        }
        let Some(chain) = &mut self.chain else { return Ok(last) };
        if self.broken {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        step.with_cx(&mut self.request, |cx| chain.end(cx, &mut last))?;
        step.errors(&mut self.request);
        Ok(last)
    }

    /// Hands out a piece of the body; how many bytes that makes.
    pub(super) fn hand_out(&mut self, bytes: &[u8], step: &mut Step<'_, '_>) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        let piece = framed(bytes, matches!(self.stage, Stage::Relay { chunked: true, .. }));
        let length = piece.len() as u64;
        self.body += bytes.len() as u64;
        self.total += length;
        step.out.pieces.push(Piece::Bytes(piece));
        length
    }

    /// Gives complete lines of standard error to the log; at the end the rest as well.
    fn stderr_lines(&mut self, step: &mut Step<'_, '_>, end: bool) {
        let all = std::mem::take(&mut self.stderr);
        let mut rest = &all[..];
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            let on_stderr = self.on_stderr;
            let line = rest[..at].strip_suffix(b"\r").unwrap_or(&rest[..at]);
            self.with_cx(step, |cx| on_stderr(cx, line));
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() && (end || rest.len() > 8192) {
            let on_stderr = self.on_stderr;
            self.with_cx(step, |cx| on_stderr(cx, rest));
        } else {
            self.stderr = rest.to_vec();
        }
        step.errors(&mut self.request);
    }

    fn failure(&mut self, failure: &CgiFailure, step: &mut Step<'_, '_>) -> Verdict {
        let on_failure = self.on_failure;
        self.with_cx(step, |cx| on_failure(cx, failure))
    }

    fn with_cx<R>(&mut self, step: &mut Step<'_, '_>, f: impl FnOnce(&mut Cx<'_>) -> R) -> R {
        step.engine.with_cx(step.worker, &mut self.request, "mod_cgi", &mut step.trace, f)
    }
}

//! One connection's requests and answers, as a state machine that touches no socket.
//!
//! The event loop feeds it what happened and does what it asks. It does not know its transport:
//! TCP drives it now, TLS and HTTP/2 streams can drive it as well, and tests drive it by hand.

mod body;
mod filtering;
mod interface;
mod parts;
mod program;
mod repeat;
mod step;
mod teaching;
mod wants;

pub use interface::{Ask, Input, Logged, Output, Piece};

use self::{body::Body, filtering::Filter, parts::Part, program::Program, step::Step};
use super::{
    answer::{Answer, BodyFault, CgiFailure, Content, Decision, Progress, Sent},
    body_limits::BodyLimits,
    decide::Engine,
    filter::{Chain, Coming, Filtered},
    incoming,
    repeats::Record,
    request::{Connection, LogEntry, Request},
    response::{self, Refused, Standing},
    scoreboard::Busy,
    trace::Trace,
    worker::Worker,
};
use crate::{
    http::{
        Status,
        request::{Head, Limits, Parse, Version, parse, worth_parsing},
        response::CONTINUE,
    },
    policy::SaidExt,
};
use std::{rc::Rc, time::Duration};

/// How long a client that closed its sending side is given to show, by taking what is sent, that it
/// still reads, before its program is taken for abandoned.
const HALF_CLOSED: Duration = Duration::from_secs(5);

/// The state machine. It is consumed by each input and given back changed.
#[derive(Debug)]
pub struct Exchange {
    conn: Rc<Connection>,
    limits: Limits,
    /// Bytes of the client that were not used yet.
    buffer: Vec<u8>,
    state: State,
    /// The contents that `state` is a part of, the outermost first: each waits for the next.
    whole: Vec<State>,
    /// The body of the request being served.
    body: Body,
    /// Bytes of its head.
    head_size: u64,
    stopping: bool,
    /// A request is being answered.
    busy: Option<Busy>,
    /// The last head could not be read, so what follows it is not read either. Apache does not say so
    /// in the answer to a request that expects too much.
    unreadable: bool,
    client_eof: bool,
    /// The record of the request being served.
    trace: Trace,
    /// The head of the request being served, if its answer is to be kept.
    wanted: Option<Vec<u8>>,
}

/// Where the exchange stands. A state knows only what it needs.
#[derive(Debug)]
enum State {
    /// Reading a head.
    Head,
    /// The decision waits for a look-up.
    Waiting(Box<Request>),
    /// The answer is decided; the rest of the request's body is read first, as Apache does.
    Discarding(Box<Decision>),
    /// A program runs.
    Program(Box<Program>),
    /// The content of a part of another one is handed out.
    Part(Box<Part>),
    /// Everything is handed out and being written.
    Sending(Box<Sending>),
    /// An answer is given again, and being written: the server that it belongs to, and whether the connection
    /// goes on.
    Repeating(usize, bool),
    /// The answer is complete; what is left of the request's body, which a program did not wait for, is thrown
    /// away before the next request, as Apache does. The server that it belonged to.
    Rest(usize),
    /// Nothing more.
    Closed,
}

/// What comes after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Another request.
    Next,
    /// The end, which the client wanted.
    Finish,
    /// The end, of which the client may not know yet.
    Linger,
}

/// An answer on its way.
#[derive(Debug)]
struct Sending {
    request: Box<Request>,
    persists: bool,
    sent: Sent,
    /// Whether the access logs have it already.
    logged: bool,
    /// What is still to come out of filters.
    rest: Option<Box<Rest>>,
}

/// The part of an answer that has not passed its filters yet.
#[derive(Debug)]
struct Rest {
    filtered: Filtered,
    chunked: bool,
}

impl Exchange {
    /// For a connection that was just accepted.
    pub fn new(conn: Connection, engine: &Engine, out: &mut Output) -> Exchange {
        let core = engine.policy.servers[engine.policy.vhosts.choose(conn.local, None)].core();
        out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        Exchange {
            conn: Rc::new(conn),
            limits: incoming::limits(core, &engine.policy.process.methods),
            buffer: Vec::new(),
            state: State::Head,
            whole: Vec::new(),
            body: Body::none(),
            head_size: 0,
            stopping: false,
            busy: None,
            unreadable: false,
            client_eof: false,
            trace: Trace::off(),
            wanted: None,
        }
    }

    /// Goes on after something happened.
    pub fn on(
        mut self,
        input: Input<'_>,
        engine: &Engine,
        worker: &mut Worker,
        out: &mut Output,
    ) -> Exchange {
        let step = &mut Step { engine, worker, out, trace: std::mem::take(&mut self.trace) };
        match input {
            Input::Client(bytes) => {
                self.buffer.extend_from_slice(bytes);
                let whole =
                    !matches!(self.state, State::Head) || worth_parsing(&self.buffer, bytes, &self.limits);
                if whole { self.advance(step) } else { self.arm_head(step) }
            }
            Input::ClientEof => self.client_eof(step),
            Input::ClientGone => self.client_gone(step),
            Input::Drained => self.drained(step),
            Input::Found(found) => {
                self.conn.lookups.borrow_mut().learn(found);
                self.looked_up(step);
            }
            Input::Deadline => self.deadline(step),
            Input::Stopping => {
                self.stopping = true;
                if self.is_idle() {
                    self.close(step);
                }
            }
            Input::Child(_)
            | Input::ChildStderr(_)
            | Input::ChildClosed
            | Input::ChildExit(_)
            | Input::ChildFed
            | Input::SpawnFailed(..) => self.child(input, step),
        }
        self.compose(step);
        self.trace = std::mem::take(&mut step.trace);
        self
    }

    /// The connection's addresses.
    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Uses what the client sent as far as the state allows.
    fn advance(&mut self, step: &mut Step<'_, '_>) {
        match &self.state {
            State::Head => self.read_head(step),
            State::Discarding(_) => self.discard(step),
            State::Program(_) => self.feed(step),
            State::Rest(server) => self.skip_rest(*server, step),
            State::Waiting(_) | State::Part(_) | State::Sending(_) | State::Repeating(..) | State::Closed => {
            }
        }
    }

    fn read_head(&mut self, step: &mut Step<'_, '_>) {
        if self.repeat(step) {
            return;
        }
        match parse(&self.buffer, &self.limits) {
            Parse::Partial => self.arm_head(step),
            Parse::Done(head, used) => {
                self.wanted = None;
                if self.may_repeat(&head, used, step) {
                    self.wanted = Some(self.buffer[..used].to_vec());
                }
                self.buffer.drain(..used);
                self.head_size = used as u64;
                self.start(*head, step);
            }
            Parse::Bad(bad) => {
                let mut request = incoming::bad_request(step.engine, step.worker, &self.conn, &bad);
                step.bad_request_log(&mut request, &bad);
                self.buffer.clear();
                self.body = Body::none();
                self.unreadable = true;
                step.trace = teaching::trace(&step.engine.policy);
                let progress = step.engine.die(step.worker, request, bad.status, &mut step.trace);
                self.progress(progress, step);
            }
        }
    }

    /// While a head is incomplete, the time until the next piece of it is bounded.
    fn arm_head(&mut self, step: &mut Step<'_, '_>) {
        let core = step.engine.policy.main().core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
    }

    fn start(&mut self, head: Head, step: &mut Step<'_, '_>) {
        self.busy.get_or_insert_with(|| step.worker.score.begin());
        step.trace = teaching::trace(&step.engine.policy);
        let (mut request, refused) = incoming::request(step.engine, step.worker, &self.conn, head);
        if self.wanted.is_some() {
            request.record = Record::begun();
        }
        self.body = Body::new(request.framing, &self.limits);
        let timeout = step.engine.policy.servers[request.server].core().timeout.value_or(TIMEOUT);
        step.out.asks.push(Ask::Wake(Some(timeout)));
        let progress = match refused {
            Some(status) => step.engine.die(step.worker, request, status, &mut step.trace),
            None => step.engine.decide(step.worker, request, &mut step.trace),
        };
        self.progress(progress, step);
    }

    fn looked_up(&mut self, step: &mut Step<'_, '_>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Waiting(request) => {
                let progress = step.engine.decide(step.worker, request, &mut step.trace);
                self.progress(progress, step);
            }
            other => self.state = other,
        }
    }

    /// The one place where a decision becomes effects.
    fn progress(&mut self, progress: Progress, step: &mut Step<'_, '_>) {
        if !self.whole.is_empty() {
            return self.part(progress, step);
        }
        let mut decision = match progress {
            Progress::Done(decision) => decision,
            Progress::Wait(request, pending) => {
                request.record.end();
                step.out.asks.push(Ask::Resolve(pending));
                self.state = State::Waiting(request);
                return;
            }
        };
        step.teach(&mut decision);
        step.errors(&mut decision.request);
        self.body.limits = BodyLimits::of(&decision.request);
        match decision.answer {
            Answer::Close => {
                step.out.asks.push(Ask::Abort);
                self.state = State::Closed;
            }
            Answer::Spawn(cgi) => self.spawn(decision.request, cgi, step),
            Answer::Content(content) => self.content(decision.request, content, step),
        }
    }

    /// An answer whose content is known: what is left of the request's body is read first, unless
    /// the connection is given up anyway.
    fn content(&mut self, mut request: Box<Request>, content: Content, step: &mut Step<'_, '_>) {
        if self.body.is_done() || request.must_close || request.status.drops_connection() {
            request.kept_body = self.body.take_kept();
            return self.respond(request, content, step);
        }
        let refused = request.status.is_error();
        if request.expect_continue && refused {
            return self.respond(request, content, step);
        }
        if let Some(entry) = self.body.refusal() {
            request.must_close = true;
            if refused {
                return self.respond(request, content, step);
            }
            step.with_cx(&mut request, |cx| cx.record(entry));
            let progress = step.engine.die(step.worker, request, Status(413), &mut step.trace);
            return self.progress(progress, step);
        }
        self.invite(&mut request, step);
        let core = step.engine.policy.servers[request.server].core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        let answer = Answer::Content(content);
        self.state = State::Discarding(Box::new(Decision { request, answer }));
        self.discard(step);
    }

    /// Sends `100 Continue` to a client that waits for it; one of HTTP/1.0 cannot (RFC 9110 section 10.1.1).
    fn invite(&mut self, request: &mut Request, step: &mut Step<'_, '_>) {
        if request.version >= Version::Http11 && std::mem::take(&mut request.expect_continue) {
            step.out.pieces.push(Piece::Bytes(CONTINUE.to_vec()));
        }
    }

    fn discard(&mut self, step: &mut Step<'_, '_>) {
        let mut input = &self.buffer[..];
        let before = input.len();
        let taken = self.body.take(&mut input, |_| {});
        let used = before - input.len();
        self.buffer.drain(..used);
        let State::Discarding(decision) = std::mem::replace(&mut self.state, State::Closed) else { return };
        let Decision { mut request, answer } = *decision;
        match taken {
            Err(refused) => {
                self.body = Body::none();
                request.must_close = true;
                step.with_cx(&mut request, |cx| cx.record(*refused.entry));
                let progress = step.engine.die(step.worker, request, refused.status, &mut step.trace);
                self.progress(progress, step);
            }
            Ok(()) if self.body.is_done() => match answer {
                Answer::Content(content) => {
                    request.kept_body = self.body.take_kept();
                    self.respond(request, content, step);
                }
                Answer::Spawn(_) | Answer::Close => self.close(step),
            },
            Ok(()) => self.state = State::Discarding(Box::new(Decision { request, answer })),
        }
    }

    fn standing(&self, request: &Request) -> Standing {
        Standing {
            closing: self.stopping || self.client_eof || !self.body.is_done(),
            expecting_100: request.expect_continue,
            served: self.conn.keepalives.get(),
        }
    }

    /// Hands out a whole answer.
    fn respond(&mut self, mut request: Box<Request>, content: Content, step: &mut Step<'_, '_>) {
        let coming = Coming { length: response::length(&content) };
        let chain = Chain::start(step.engine, step.worker, &mut request, coming);
        let content = match chain {
            None => content,
            Some(chain) => match self.filter(&mut request, chain, content, step) {
                Filter::Whole(content) => content,
                Filter::Streams(filtered, first) => return self.stream(request, *filtered, first, step),
            },
        };
        let standing = self.standing(&request);
        match response::whole(step.engine, step.worker, &mut request, content, standing) {
            Ok(outgoing) => {
                let body = outgoing.body.iter().map(Piece::len).sum();
                let total = outgoing.head.len() as u64 + body;
                self.keep(&request, &outgoing, step);
                if !outgoing.head.is_empty() {
                    step.out.pieces.push(Piece::Bytes(outgoing.head));
                }
                step.out.pieces.extend(outgoing.body.into_iter().filter(|piece| !piece.is_empty()));
                let sent = Sent { body, total, ..self.received() };
                let persists = outgoing.connection.persists;
                self.send(request, persists, sent, total <= LOGGED_FIRST, step);
            }
            Err(refused) => {
                request.must_close |= matches!(refused, Refused::Header(_));
                let status = step.refused(&mut request, &refused);
                let progress = step.engine.die(step.worker, request, status, &mut step.trace);
                self.progress(progress, step);
            }
        }
    }

    fn received(&self) -> Sent {
        Sent { received: self.head_size + self.body.received, ..Sent::default() }
    }

    /// Everything is handed out. What the kernel takes at once is logged first, so that whoever has
    /// the answer finds its line in the log.
    fn send(
        &mut self,
        mut request: Box<Request>,
        persists: bool,
        sent: Sent,
        logged: bool,
        step: &mut Step<'_, '_>,
    ) {
        if logged {
            step.access(&mut request, Sent { keep_alive: persists, ..sent });
        }
        let core = step.engine.policy.servers[request.server].core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        self.state = State::Sending(Box::new(Sending { request, persists, sent, logged, rest: None }));
    }

    /// Everything handed out is written.
    fn drained(&mut self, step: &mut Step<'_, '_>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sending(sending) if sending.rest.is_some() => self.more(sending, step),
            State::Sending(sending) => self.finish(*sending, step),
            State::Repeating(server, persists) => {
                self.next(server, if persists { After::Next } else { After::Finish }, step);
            }
            State::Program(mut program) => {
                program.unsent = 0;
                step.out.asks.push(Ask::Wake(Some(program.timeout)));
                self.state = State::Program(program);
            }
            State::Part(mut part) => {
                part.unsent = 0;
                self.state = State::Part(part);
            }
            other => self.state = other,
        }
    }

    /// The answer is complete: it is logged, and the next request is read, if there may be one.
    fn finish(&mut self, sending: Sending, step: &mut Step<'_, '_>) {
        let Sending { mut request, persists, sent, logged, rest: _ } = sending;
        if !logged {
            step.access(&mut request, Sent { keep_alive: persists, ..sent });
        }
        let after = match persists {
            true => After::Next,
            false if request.status.is_error() => After::Linger,
            false => After::Finish,
        };
        self.next(request.server, after, step);
    }

    /// Reads the next request, if there may be one.
    fn next(&mut self, server: usize, after: After, step: &mut Step<'_, '_>) {
        if after != After::Next || self.stopping || self.unreadable {
            let all_read = self.buffer.is_empty() && self.body.is_done() && !self.unreadable;
            let finished = after == After::Finish && all_read;
            return self.end(if finished { Ask::Finish } else { Ask::Close }, step);
        }
        if !self.body.is_done() {
            self.state = State::Rest(server);
            return self.skip_rest(server, step);
        }
        self.busy = None;
        self.conn.keepalives.set(self.conn.keepalives.get() + 1);
        self.state = State::Head;
        self.body = Body::none();
        if self.buffer.is_empty() {
            if self.buffer.capacity() > KEPT_BUFFER {
                self.buffer = Vec::new();
            }
            if self.client_eof {
                return self.close(step);
            }
            let core = step.engine.policy.servers[server].core();
            let time = core.keep_alive_timeout.value_or(KEEP_ALIVE_TIMEOUT);
            step.out.asks.push(Ask::Wake(Some(time)));
        } else {
            self.advance(step);
        }
    }

    fn close(&mut self, step: &mut Step<'_, '_>) {
        self.end(Ask::Close, step);
    }

    /// The connection is over: [`Ask::Close`] or [`Ask::Finish`].
    fn end(&mut self, how: Ask, step: &mut Step<'_, '_>) {
        self.busy = None;
        self.state = State::Closed;
        step.out.asks.push(Ask::Wake(None));
        step.out.asks.push(how);
    }

    fn client_eof(&mut self, step: &mut Step<'_, '_>) {
        self.client_eof = true;
        match &self.state {
            State::Head | State::Rest(_) => self.close(step),
            State::Discarding(_) => self.body_lost(BodyFault::CutOff, step),
            State::Program(program) if !self.body.is_done() => {
                match program.has_begun() || !self.whole.is_empty() {
                    true => self.client_gone(step),
                    false => self.body_failed(BodyFault::CutOff, step),
                }
            }
            State::Program(_) => step.out.asks.push(Ask::Wake(Some(HALF_CLOSED))),
            State::Waiting(_) | State::Part(_) | State::Sending(_) | State::Repeating(..) | State::Closed => {
            }
        }
    }

    fn client_gone(&mut self, step: &mut Step<'_, '_>) {
        self.give_up_parts(step);
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sending(sending) if sending.logged => {}
            State::Sending(mut sending) => {
                let sent = Sent { aborted: true, ..sending.sent };
                step.access(&mut sending.request, sent);
            }
            State::Program(mut program) => {
                let aborted = !program.is_answered();
                step.out.asks.push(if aborted { Ask::KillChild } else { Ask::LeaveChild });
                let sent = Sent { aborted, body: program.body, total: program.total, ..self.received() };
                step.access(&mut program.request, sent);
            }
            State::Discarding(mut decision) => {
                step.access(&mut decision.request, Sent { aborted: true, ..self.received() });
            }
            State::Head
            | State::Waiting(_)
            | State::Part(_)
            | State::Repeating(..)
            | State::Rest(_)
            | State::Closed => {}
        }
        step.out.asks.push(Ask::Abort);
    }

    fn deadline(&mut self, step: &mut Step<'_, '_>) {
        match &self.state {
            State::Head if self.head_has_line() => {
                let bad = incoming::timed_out(&self.buffer);
                let request = incoming::bad_request(step.engine, step.worker, &self.conn, &bad);
                self.buffer.clear();
                let progress = step.engine.die(step.worker, request, Status(408), &mut step.trace);
                self.progress(progress, step);
            }
            State::Head | State::Rest(_) => self.close(step),
            State::Program(_) => self.program_deadline(step),
            State::Discarding(_) => self.body_lost(BodyFault::TimedOut, step),
            State::Waiting(_) | State::Part(_) | State::Sending(_) | State::Repeating(..) => {
                self.client_gone(step)
            }
            State::Closed => step.out.asks.push(Ask::Abort),
        }
    }

    /// The rest of a body that was to be thrown away does not come: a status takes the answer's place.
    fn body_lost(&mut self, fault: BodyFault, step: &mut Step<'_, '_>) {
        let State::Discarding(decision) = std::mem::replace(&mut self.state, State::Closed) else { return };
        let mut request = decision.request;
        request.status = Status::OK;
        request.must_close = true;
        self.body = Body::none();
        let progress = step.engine.die(step.worker, request, fault.status(), &mut step.trace);
        self.progress(progress, step);
    }

    /// Whether the request line of an unfinished head is complete, so that it can be answered.
    fn head_has_line(&self) -> bool {
        self.buffer.contains(&b'\n')
    }
}

/// Largest buffer that an idle connection keeps.
const KEPT_BUFFER: usize = 2048;
/// Longest answer that is logged before it is written: one that a socket's buffer takes whole.
const LOGGED_FIRST: u64 = 64 * 1024;
/// `Timeout`'s default.
const TIMEOUT: Duration = Duration::from_secs(60);
/// `KeepAliveTimeout`'s default.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

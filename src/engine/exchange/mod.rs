//! One connection's requests and answers, as a state machine that touches no socket.
//!
//! The event loop feeds it what happened and does what it asks. It does not know its transport:
//! TCP drives it now, TLS and HTTP/2 streams can drive it as well, and tests drive it by hand.

mod body;
mod program;

use self::{body::Body, program::Program};
use super::{
    answer::{Answer, Cgi, CgiFailure, Content, Decision, Pending, Progress, Sent},
    decide::Engine,
    incoming,
    request::{Connection, LogEntry, Request},
    response::{self, Refused, Standing},
    trace::Trace,
    worker::Worker,
};
use crate::{
    http::{
        Status,
        request::{Head, Limits, Parse, parse, worth_parsing},
        response::CONTINUE,
    },
    policy::{CoreDir, SaidExt},
    system::Opened,
};
use bstr::BString;
use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::{Duration, SystemTime},
};

/// What happened outside, told by the event loop.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes came from the client. Only given while [`Exchange::wants_client`] holds.
    Client(&'a [u8]),
    /// The client closed its sending side; it may still be reading.
    ClientEof,
    /// The client is gone: reset, or a write failed. Nothing can be sent any more.
    ClientGone,
    /// Every piece handed out so far was written.
    Drained,
    /// Bytes of the program's standard output. Only given while [`Exchange::wants_child`] holds.
    Child(&'a [u8]),
    /// A piece of the program's standard error.
    ChildStderr(&'a [u8]),
    /// Standard output was closed by everyone who had it.
    ChildClosed,
    /// The program ended; raw wait status.
    ChildExit(i32),
    /// Everything given with [`Ask::FeedChild`] was written, or the program does not read any more.
    ChildFed,
    /// The program could not be started: which step failed, and how.
    SpawnFailed(&'static str, std::io::Error),
    /// The answer to [`Ask::Resolve`]: the name of an address.
    Name(IpAddr, Option<BString>),
    /// The answer to [`Ask::Resolve`]: the addresses of a name.
    Addresses(BString, Vec<IpAddr>),
    /// The time asked for with [`Ask::Wake`] is over.
    Deadline,
    /// The server is being stopped gracefully: no further request on this connection.
    Stopping,
}

/// What goes to the client, in order.
#[derive(Debug)]
pub enum Piece {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A range of an open file: by sendfile(2) where `sendfile` allows it.
    File {
        /// The file.
        file: Opened,
        /// First byte.
        at: u64,
        /// How many.
        len: u64,
        /// Whether sendfile(2) may be used.
        sendfile: bool,
    },
}

impl Piece {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the event loop is asked to do besides, in order.
#[derive(Debug)]
pub enum Ask {
    /// Start a program, in a process group of its own, with pipes for its three streams.
    Spawn(Box<Cgi>),
    /// Write to the program's standard input.
    FeedChild(Vec<u8>),
    /// Close the program's standard input once everything is written.
    CloseChildInput,
    /// Kill the program's process group, and reap it.
    KillChild,
    /// Forget the program: its answer is complete. It is reaped when it ends; if it still runs
    /// after a while it is killed.
    LeaveChild,
    /// Set the one timer of the connection, or stop it. The loop starts it again with the same time
    /// whenever bytes go to the client, so that it measures a standstill.
    Wake(Option<Duration>),
    /// Look something up on the helper pool.
    Resolve(Pending),
    /// Close the connection when every piece is written: shut down the sending side, read and
    /// throw away what the client still sends for a short while (Apache's lingering close).
    Close,
    /// Close the connection at once.
    Abort,
}

/// An entry of the error log, with what its line names.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Which server's log.
    pub server: usize,
    /// The client, if the entry is about a request.
    pub client: Option<SocketAddr>,
    /// The entry.
    pub entry: LogEntry,
}

/// What is to be done after an input. The event loop empties it.
#[derive(Debug, Default)]
pub struct Output {
    /// To the client, in order.
    pub pieces: Vec<Piece>,
    /// Everything else, in order.
    pub asks: Vec<Ask>,
    /// For the error log.
    pub errors: Vec<Logged>,
    /// For the other logs: number of the target in [`crate::policy::Policy::log_targets`], and the
    /// line with its end.
    pub lines: Vec<(usize, Vec<u8>)>,
}

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
    /// The body of the request being served.
    body: Body,
    /// Bytes of its head.
    head_size: u64,
    stopping: bool,
    client_eof: bool,
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
    /// Everything is handed out and being written.
    Sending(Box<Sending>),
    /// Nothing more.
    Closed,
}

/// An answer on its way.
#[derive(Debug)]
struct Sending {
    request: Box<Request>,
    persists: bool,
    sent: Sent,
}

impl Exchange {
    /// For a connection that was just accepted.
    pub fn new(conn: Connection, engine: &Engine, out: &mut Output) -> Exchange {
        let core = engine.policy.servers[engine.policy.vhosts.choose(conn.local, None)].core();
        out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        Exchange {
            conn: Rc::new(conn),
            limits: incoming::limits(core),
            buffer: Vec::new(),
            state: State::Head,
            body: Body::none(),
            head_size: 0,
            stopping: false,
            client_eof: false,
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
        let step = &mut Step { engine, worker, out };
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
            Input::Name(ip, name) => {
                self.conn.lookups.borrow_mut().names.insert(ip, name);
                self.looked_up(step);
            }
            Input::Addresses(name, addresses) => {
                self.conn.lookups.borrow_mut().addresses.insert(name, addresses);
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
        self
    }

    /// Whether bytes from the client are wanted now.
    pub fn wants_client(&self) -> bool {
        match &self.state {
            State::Head => true,
            State::Discarding(_) => !self.body.is_done(),
            State::Program(program) => !self.body.is_done() && !program.feeding,
            State::Waiting(_) | State::Sending(_) | State::Closed => false,
        }
    }

    /// Whether output of the program is wanted now; while it is not, the program waits.
    pub fn wants_child(&self) -> bool {
        matches!(&self.state, State::Program(program) if !program.sending)
    }

    /// Whether the connection waits for a first or next request, so that a graceful stop may close it.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Head) && self.buffer.is_empty()
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
            State::Waiting(_) | State::Sending(_) | State::Closed => {}
        }
    }

    fn read_head(&mut self, step: &mut Step<'_, '_>) {
        match parse(&self.buffer, &self.limits) {
            Parse::Partial => self.arm_head(step),
            Parse::Done(head, used) => {
                self.buffer.drain(..used);
                self.head_size = used as u64;
                self.start(*head, step);
            }
            Parse::Bad(bad) => {
                let mut request = incoming::bad_request(step.engine, step.worker, &self.conn, &bad);
                step.bad_request_log(&mut request, &bad);
                self.buffer.clear();
                self.body = Body::none();
                let progress = step.engine.die(step.worker, request, bad.status, &mut Trace::off());
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
        let (request, refused) = incoming::request(step.engine, step.worker, &self.conn, head);
        self.body = Body::new(request.framing, &self.limits);
        let timeout = step.engine.policy.servers[request.server].core().timeout.value_or(TIMEOUT);
        step.out.asks.push(Ask::Wake(Some(timeout)));
        let progress = match refused {
            Some(status) => step.engine.die(step.worker, request, status, &mut Trace::off()),
            None => step.engine.decide(step.worker, request, &mut Trace::off()),
        };
        self.progress(progress, step);
    }

    fn looked_up(&mut self, step: &mut Step<'_, '_>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Waiting(request) => {
                let progress = step.engine.decide(step.worker, request, &mut Trace::off());
                self.progress(progress, step);
            }
            other => self.state = other,
        }
    }

    /// The one place where a decision becomes effects.
    fn progress(&mut self, progress: Progress, step: &mut Step<'_, '_>) {
        let mut decision = match progress {
            Progress::Done(decision) => decision,
            Progress::Wait(request, pending) => {
                step.out.asks.push(Ask::Resolve(pending));
                self.state = State::Waiting(request);
                return;
            }
        };
        step.errors(&mut decision.request);
        let core: &CoreDir = decision.request.conf.conf.get();
        self.body.limit = core.limit_body.value_or(LIMIT_BODY);
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
            return self.respond(request, content, step);
        }
        let refused = request.status.is_error();
        if request.expect_continue && refused {
            return self.respond(request, content, step);
        }
        if self.body.exceeds() {
            request.must_close = true;
            if refused {
                return self.respond(request, content, step);
            }
            let progress = step.engine.die(step.worker, request, Status(413), &mut Trace::off());
            return self.progress(progress, step);
        }
        self.invite(&mut request, step);
        let answer = Answer::Content(content);
        self.state = State::Discarding(Box::new(Decision { request, answer }));
        self.discard(step);
    }

    /// Sends `100 Continue` to a client that waits for it.
    fn invite(&mut self, request: &mut Request, step: &mut Step<'_, '_>) {
        if std::mem::take(&mut request.expect_continue) {
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
            Err(status) => {
                self.body = Body::none();
                request.must_close = true;
                let progress = step.engine.die(step.worker, request, status, &mut Trace::off());
                self.progress(progress, step);
            }
            Ok(()) if self.body.is_done() => match answer {
                Answer::Content(content) => self.respond(request, content, step),
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
        let standing = self.standing(&request);
        match response::whole(step.engine, &mut request, content, standing) {
            Ok(outgoing) => {
                let body = outgoing.body.iter().map(Piece::len).sum();
                let total = outgoing.head.len() as u64 + body;
                if !outgoing.head.is_empty() {
                    step.out.pieces.push(Piece::Bytes(outgoing.head));
                }
                step.out.pieces.extend(outgoing.body.into_iter().filter(|piece| !piece.is_empty()));
                let sent = Sent { body, total, ..self.received() };
                self.send(request, outgoing.connection.persists, sent, step);
            }
            Err(refused) => {
                request.must_close |= matches!(refused, Refused::Header(_));
                let status = step.refused(&mut request, &refused);
                let progress = step.engine.die(step.worker, request, status, &mut Trace::off());
                self.progress(progress, step);
            }
        }
    }

    fn received(&self) -> Sent {
        Sent { received: self.head_size + self.body.received, ..Sent::default() }
    }

    fn send(&mut self, request: Box<Request>, persists: bool, sent: Sent, step: &mut Step<'_, '_>) {
        let core = step.engine.policy.servers[request.server].core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        self.state = State::Sending(Box::new(Sending { request, persists, sent }));
    }

    /// Everything handed out is written.
    fn drained(&mut self, step: &mut Step<'_, '_>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sending(sending) => self.finish(*sending, step),
            State::Program(mut program) => {
                program.sending = false;
                step.out.asks.push(Ask::Wake(Some(program.timeout)));
                self.state = State::Program(program);
            }
            other => self.state = other,
        }
    }

    /// The answer is complete: it is logged, and the next request is read, if there may be one.
    fn finish(&mut self, sending: Sending, step: &mut Step<'_, '_>) {
        let Sending { mut request, persists, sent } = sending;
        let sent = Sent { keep_alive: persists, ..sent };
        step.access(&mut request, sent);
        if !persists || self.stopping {
            return self.close(step);
        }
        self.conn.keepalives.set(self.conn.keepalives.get() + 1);
        self.state = State::Head;
        self.body = Body::none();
        if self.buffer.is_empty() {
            if self.client_eof {
                return self.close(step);
            }
            let core = step.engine.policy.servers[request.server].core();
            let time = core.keep_alive_timeout.value_or(KEEP_ALIVE_TIMEOUT);
            step.out.asks.push(Ask::Wake(Some(time)));
        } else {
            self.advance(step);
        }
    }

    fn close(&mut self, step: &mut Step<'_, '_>) {
        self.state = State::Closed;
        step.out.asks.push(Ask::Wake(None));
        step.out.asks.push(Ask::Close);
    }

    fn client_eof(&mut self, step: &mut Step<'_, '_>) {
        self.client_eof = true;
        match &self.state {
            State::Head => self.close(step),
            State::Discarding(_) => self.client_gone(step),
            State::Program(_) if !self.body.is_done() => self.client_gone(step),
            State::Program(_) => step.out.asks.push(Ask::Wake(Some(HALF_CLOSED))),
            State::Waiting(_) | State::Sending(_) | State::Closed => {}
        }
    }

    fn client_gone(&mut self, step: &mut Step<'_, '_>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sending(mut sending) => {
                let sent = Sent { aborted: true, ..sending.sent };
                step.access(&mut sending.request, sent);
            }
            State::Program(mut program) => {
                step.out.asks.push(Ask::KillChild);
                let sent =
                    Sent { aborted: true, body: program.body, total: program.total, ..self.received() };
                step.access(&mut program.request, sent);
            }
            State::Discarding(mut decision) => {
                step.access(&mut decision.request, Sent { aborted: true, ..self.received() });
            }
            State::Head | State::Waiting(_) | State::Closed => {}
        }
        step.out.asks.push(Ask::Abort);
    }

    fn deadline(&mut self, step: &mut Step<'_, '_>) {
        match &self.state {
            State::Head if self.head_has_line() => {
                let bad = incoming::timed_out(&self.buffer);
                let request = incoming::bad_request(step.engine, step.worker, &self.conn, &bad);
                self.buffer.clear();
                let progress = step.engine.die(step.worker, request, Status(408), &mut Trace::off());
                self.progress(progress, step);
            }
            State::Head => self.close(step),
            State::Program(_) => self.program_deadline(step),
            State::Waiting(_) | State::Discarding(_) | State::Sending(_) => self.client_gone(step),
            State::Closed => step.out.asks.push(Ask::Abort),
        }
    }

    /// Whether the request line of an unfinished head is complete, so that it can be answered.
    fn head_has_line(&self) -> bool {
        self.buffer.contains(&b'\n')
    }
}

/// `Timeout`'s default.
const TIMEOUT: Duration = Duration::from_secs(60);
/// `KeepAliveTimeout`'s default.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// `LimitRequestBody`'s default.
const LIMIT_BODY: u64 = 1 << 30;

/// What an input is worked off with.
struct Step<'s, 'o> {
    engine: &'s Engine,
    worker: &'s mut Worker,
    out: &'o mut Output,
}

impl Step<'_, '_> {
    /// Hands out a request's entries for the error log.
    fn errors(&mut self, request: &mut Request) {
        let (server, client) = (request.server, Some(request.conn.client));
        let entries = request.log.drain(..);
        self.out.errors.extend(entries.map(|entry| Logged { server, client, entry }));
        let mut earlier = request.prev.as_deref_mut();
        while let Some(request) = earlier {
            let entries = request.log.drain(..);
            self.out.errors.extend(entries.map(|entry| Logged { server, client, entry }));
            earlier = request.prev.as_deref_mut();
        }
    }

    /// Makes the lines of a finished request for the access logs.
    fn access(&mut self, request: &mut Request, sent: Sent) {
        self.errors(request);
        let now = self.engine.system.now();
        let begun: SystemTime = request.first().started;
        let sent = Sent { duration: now.duration_since(begun).unwrap_or_default(), ..sent };
        for module in &self.engine.modules {
            let Some(log) = module.log else { continue };
            let lines = &mut self.out.lines;
            self.engine
                .with_cx(self.worker, request, module.name, &mut Trace::off(), |cx| log(cx, &sent, lines));
        }
        self.errors(request);
    }

    /// Logs why an answer could not be sent; the status to send instead.
    fn refused(&mut self, request: &mut Request, refused: &Refused) -> Status {
        let Refused::Header(bad) = refused else { return Status(416) };
        let (level, module, number) = (3, "core", bad.ah);
        let text = bad.message.clone();
        request.log.push(LogEntry { level, module, os_error: None, number, text, explanation: None });
        request.headers_out.clear();
        request.err_headers_out.clear();
        request.status_line = None;
        Status(500)
    }

    fn bad_request_log(&mut self, request: &mut Request, bad: &crate::http::request::BadRequest) {
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
        let most = super::log::level_for(dir, core, "core");
        request.log.retain(|entry| entry.level <= most);
    }
}

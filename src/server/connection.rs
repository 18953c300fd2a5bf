//! One connection: drives its [`Exchange`] between a socket and perhaps a program.
//!
//! The poll tells of changes only, so what it told is remembered in flags until a call says
//! "not now". Nothing here waits, and an idle connection holds no buffer.

use super::{
    admission::Waiting,
    child::{Heard, PATIENCE, Program, Stage},
    outbox::{Flushed, Outbox},
    slab::Key,
    spawn::Failure,
    timer::Timer,
    worker::{Generation, Owner, Tools},
};
use crate::engine::{
    Connection as Addresses, Found,
    exchange::{Ask, Exchange, Input, Output},
};
use mio::{Interest, Token, net::TcpStream};
use nix::{libc::EAGAIN, sys::signal::Signal};
use std::{
    io::{self, Read},
    mem,
    net::Shutdown,
    rc::Rc,
    time::{Duration, Instant},
};

/// Apache's SECONDS_TO_LINGER: how long a client may be silent before it is given up.
const LINGER_STEP: Duration = Duration::from_secs(2);

/// Apache's MAX_SECS_TO_LINGER.
const LINGER_ALL: Duration = Duration::from_secs(30);

/// Most steps in one turn, so that one busy connection does not hold up the others.
const STEPS: usize = 16;

/// Most that is heard of a program in one turn: one that floods its error output, which nothing
/// holds back, must not hold up the others.
const HEAR: usize = 4;

/// How far its end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// To be closed when everything is written.
    Closing,
    /// Our side is shut; what the client still sends is thrown away.
    Lingering(Instant),
    Dead,
}

/// An accepted connection.
#[derive(Debug)]
pub struct Conn {
    key: Key,
    socket: TcpStream,
    /// `None` only while it is being driven, and when it is over.
    exchange: Option<Exchange>,
    generation: Rc<Generation>,
    outbox: Outbox,
    /// The programs that run for it, each for a part of what the one before makes. Only the last is
    /// heard.
    programs: Vec<Key>,
    /// The program that is to be started when others have ended.
    waiting: Option<Box<Waiting>>,
    timer: Timer,
    /// What the timer was last set to.
    patience: Option<Duration>,
    phase: Phase,
    /// The client has sent nothing yet.
    fresh: bool,
    readable: bool,
    /// The turn that began when there was something to read.
    announced: u64,
    /// The turn of the last attempt to read.
    read: u64,
    writable: bool,
    /// The client shut its side; there may still be bytes before that.
    hung_up: bool,
    /// There are bytes before that which the exchange does not want now.
    peeked: bool,
    /// The exchange knows that the client shut its side.
    eof: bool,
    /// The client has sent all that it will.
    done: bool,
    /// The exchange does not know yet that everything was written.
    drained_due: bool,
}

impl Conn {
    /// For a socket that is to be registered under `key`; see [`Conn::begin`].
    pub fn new(
        key: Key,
        socket: TcpStream,
        addresses: Addresses,
        generation: Rc<Generation>,
        tools: &mut Tools,
    ) -> Conn {
        let exchange = Exchange::new(addresses, &generation.config.engine, &mut tools.out);
        let mut conn = Conn {
            key,
            socket,
            exchange: Some(exchange),
            generation,
            outbox: Outbox::default(),
            programs: Vec::new(),
            waiting: None,
            timer: Timer::default(),
            patience: None,
            phase: Phase::Open,
            fresh: true,
            readable: false,
            announced: 0,
            read: 0,
            // A new socket's buffer is empty, and if not the first call says so.
            writable: true,
            hung_up: false,
            peeked: false,
            eof: false,
            done: false,
            drained_due: false,
        };
        conn.perform(tools);
        conn
    }

    /// Serves what came with the connection (`spoke`), and puts the socket into the poll unless that was all.
    pub fn begin(&mut self, spoke: bool, token: Token, tools: &mut Tools) {
        self.readable = spoke;
        self.drive(tools);
        let both = Interest::READABLE | Interest::WRITABLE;
        if !self.is_dead() && tools.registry.register(&mut self.socket, token, both).is_err() {
            self.abort(tools);
        }
    }

    /// Whether it is to be forgotten.
    pub fn is_dead(&self) -> bool {
        self.phase == Phase::Dead
    }

    /// Whether it was accepted under an older configuration than this.
    pub fn is_older(&self, than: &Rc<Generation>) -> bool {
        !Rc::ptr_eq(&self.generation, than)
    }

    /// Takes note of an event of its socket, and goes on.
    pub fn event(&mut self, event: &mio::event::Event, tools: &mut Tools) {
        self.readable |= event.is_readable();
        if event.is_readable() {
            self.announced = tools.turn;
        }
        self.writable |= event.is_writable();
        self.hung_up |= event.is_read_closed();
        let both = event.is_read_closed() && event.is_write_closed();
        if event.is_error() || (both && !matches!(self.phase, Phase::Lingering(_))) {
            return self.gone(tools);
        }
        self.drive(tools);
    }

    /// A request is being answered, so the client is not read; still a client that left is to be
    /// noticed, as far as nothing stands before its end.
    fn notice_hang_up(&mut self, tools: &mut Tools) -> bool {
        let unread = self.exchange.as_ref().is_some_and(|exchange| !exchange.wants_client());
        if !self.hung_up || self.eof || self.peeked || !unread || self.phase != Phase::Open {
            return false;
        }
        self.peeked = true;
        if !matches!(self.socket.peek(&mut [0]), Ok(0)) {
            return false;
        }
        self.eof = true;
        self.feed(Input::ClientEof, tools);
        true
    }

    /// The timer's moment has come.
    pub fn timer_due(&mut self, at: Instant, tools: &mut Tools) {
        let look = tools.timers.look(Owner::Connection(self.key), &mut self.timer, at, tools.now);
        if look == super::timer::Look::Waiting {
            return;
        }
        match self.phase {
            Phase::Lingering(_) => self.phase = Phase::Dead,
            // A program that has not begun is not late.
            _ if self.waiting.is_some() && !self.eof => self.wake(self.patience, tools),
            _ => self.feed(Input::Deadline, tools),
        }
        self.drive(tools);
    }

    /// An answer of the helpers has come.
    pub fn found(&mut self, found: Found, tools: &mut Tools) {
        self.feed(Input::Found(found), tools);
        self.drive(tools);
    }

    /// No further request is wanted.
    pub fn stopping(&mut self, tools: &mut Tools) {
        // A request that came already is still answered, even if its event was not taken yet.
        self.readable = true;
        self.drive(tools);
        self.feed(Input::Stopping, tools);
        self.drive(tools);
    }

    /// The configuration was replaced. A connection on which nothing was asked yet goes over to the
    /// new one; any other ends under its own.
    pub fn replaced(&mut self, new: &Rc<Generation>, tools: &mut Tools) {
        self.readable = true;
        self.drive(tools);
        match self.exchange.as_ref().map(Exchange::connection) {
            Some(old) if self.fresh && self.phase == Phase::Open => {
                let (keepalives, lookups) = Default::default();
                let Addresses { client, local, id, .. } = *old;
                let addresses = Addresses { client, local, id, keepalives, lookups };
                self.generation = new.clone();
                self.exchange = Some(Exchange::new(addresses, &new.config.engine, &mut tools.out));
                self.perform(tools);
            }
            _ => self.stopping(tools),
        }
    }

    /// Drops it, whatever it is doing.
    pub fn abort(&mut self, tools: &mut Tools) {
        self.end_programs(Stage::Terminated, tools);
        self.phase = Phase::Dead;
    }

    /// Goes on as far as it goes without waiting.
    pub fn drive(&mut self, tools: &mut Tools) {
        let mut hear = HEAR;
        for _ in 0..STEPS {
            match self.phase {
                Phase::Dead => return self.end_programs(Stage::Terminated, tools),
                Phase::Lingering(until) => return self.linger(until, tools),
                Phase::Open | Phase::Closing => {}
            }
            let mut moved = self.read(tools);
            // What is heard in one go is written in one call.
            while hear > 0 && self.hear_program(tools) {
                hear -= 1;
                moved = true;
            }
            moved |= self.write(tools);
            if self.phase == Phase::Closing && self.outbox.is_empty() && !self.drained_due {
                self.shut(tools);
            } else if !moved && !self.notice_hang_up(tools) {
                return;
            }
            if hear == 0 {
                break;
            }
        }
        tools.again.push(self.key);
    }

    fn write(&mut self, tools: &mut Tools) -> bool {
        if !self.outbox.is_empty() {
            if !self.writable {
                return false;
            }
            self.generation.write_lines();
            let last = self.exchange.as_ref().is_some_and(Exchange::ends_when_written);
            let flushed = self.outbox.flush(&self.socket, last);
            if self.outbox.take_moved() {
                self.wake(self.patience, tools);
            }
            match flushed {
                Ok(Flushed::All) => {}
                Ok(Flushed::More) => {
                    tools.again.push(self.key);
                    return false;
                }
                Ok(Flushed::Blocked) => {
                    self.writable = false;
                    return false;
                }
                Err(_) => {
                    self.gone(tools);
                    return true;
                }
            }
        }
        if !mem::take(&mut self.drained_due) {
            return false;
        }
        self.feed(Input::Drained, tools);
        true
    }

    fn read(&mut self, tools: &mut Tools) -> bool {
        let wanted = self.exchange.as_ref().is_some_and(Exchange::wants_client);
        if !self.readable || self.eof || !wanted || self.phase != Phase::Open {
            return false;
        }
        // What is read first in a turn that it was announced for was there when the turn began.
        let waited = mem::replace(&mut self.read, tools.turn) != tools.turn && self.announced == tools.turn;
        let mut buffer = mem::take(&mut tools.scratch);
        match self.socket.read(&mut buffer) {
            Ok(0) => {
                self.eof = true;
                self.feed(Input::ClientEof, tools);
            }
            Ok(count) => {
                self.peeked = false;
                self.fresh = false;
                self.wake(self.patience, tools);
                // Less than asked for: there was no more, and news will come as an event.
                self.readable = count == buffer.len() || self.hung_up;
                self.generation.worker.borrow_mut().arrived(tools.turn, waited);
                self.feed(Input::Client(buffer.get(..count).unwrap_or_default()), tools);
                self.generation.worker.borrow_mut().arrived(tools.turn, false);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.gone(tools),
        }
        tools.scratch = buffer;
        true
    }

    fn hear_program(&mut self, tools: &mut Tools) -> bool {
        let Some(&key) = self.programs.last() else { return false };
        let wanted = self.exchange.as_ref().is_some_and(Exchange::wants_child);
        // One that is over keeps its place until the exchange gives it up.
        let Some(program) = tools.programs.get_mut(key) else { return false };
        let mut buffer = mem::take(&mut tools.scratch);
        let heard = program.next(&mut buffer, wanted, &tools.registry, key);
        let over = program.is_over();
        let spoke = matches!(heard, Some(Heard::Output(_) | Heard::OutputClosed | Heard::Exit(_)));
        if let Some(start) = program.start.take_if(|_| spoke) {
            tools.pace.spoke(start, tools.now);
        }
        match heard {
            Some(Heard::Output(count)) => {
                self.feed(Input::Child(buffer.get(..count).unwrap_or_default()), tools);
            }
            Some(Heard::Stderr(count)) => {
                self.feed(Input::ChildStderr(buffer.get(..count).unwrap_or_default()), tools);
            }
            Some(Heard::OutputClosed) => self.feed(Input::ChildClosed, tools),
            Some(Heard::Fed) => self.feed(Input::ChildFed, tools),
            Some(Heard::Exit(status)) => self.feed(Input::ChildExit(status), tools),
            None => {}
        }
        tools.scratch = buffer;
        if over && heard.is_none() {
            tools.programs.remove(key);
        }
        heard.is_some()
    }

    /// Hands the exchange what happened, and does what it asks.
    fn feed(&mut self, input: Input<'_>, tools: &mut Tools) {
        let Some(exchange) = self.exchange.take() else { return };
        let drained = matches!(input, Input::Drained);
        let Generation { config, worker, .. } = &*self.generation;
        let next = exchange.on(input, &config.engine, &mut worker.borrow_mut(), &mut tools.out);
        // An exchange that wants nothing waits for its answer to be written, which one without
        // bytes, or one whose bytes are gone already, is at once.
        let waits = !next.wants_client() && !next.wants_child();
        self.exchange = Some(next);
        self.perform(tools);
        self.drained_due |= waits && !drained && self.outbox.is_empty();
    }

    fn perform(&mut self, tools: &mut Tools) {
        let Output { mut pieces, mut asks, mut errors, mut lines } = mem::take(&mut tools.out);
        for logged in errors.drain(..) {
            self.generation.config.logs.error(&logged, &mut tools.line);
        }
        for (target, line) in lines.drain(..) {
            self.generation.add_line(target, &line);
        }
        self.drained_due |= !pieces.is_empty();
        pieces.drain(..).for_each(|piece| self.outbox.push(piece));
        let failure = self.answer_asks(&mut asks, tools);
        tools.out = Output { pieces, asks, errors, lines };
        if let Some((step, error)) = failure {
            self.feed(Input::SpawnFailed(step, error), tools);
        }
    }

    fn answer_asks(&mut self, asks: &mut Vec<Ask>, tools: &mut Tools) -> Option<Failure> {
        let mut failure = None;
        for ask in asks.drain(..) {
            match ask {
                Ask::Spawn { cgi, input } => {
                    failure = self.ask_for_program(Waiting::new(cgi, input), tools);
                }
                Ask::FeedChild(bytes) => {
                    if let Some(waiting) = &mut self.waiting {
                        waiting.fed.extend_from_slice(&bytes);
                    } else if let Some(program) = self.program(tools) {
                        program.feed(bytes);
                    }
                }
                Ask::CloseChildInput => {
                    if let Some(waiting) = &mut self.waiting {
                        waiting.closed = true;
                    } else if let Some(program) = self.program(tools) {
                        program.close_input();
                    }
                }
                Ask::KillChild => self.end_program(Stage::Terminated, tools),
                Ask::LeaveChild => self.end_program(Stage::Left, tools),
                Ask::Wake(after) => self.wake(after, tools),
                Ask::Resolve(pending) => tools.resolver.ask(pending, self.key, tools.post.clone()),
                Ask::Close if self.phase == Phase::Open => self.phase = Phase::Closing,
                Ask::Finish if self.phase == Phase::Open => {
                    self.phase = Phase::Closing;
                    // What has come and was not read would be answered with a reset.
                    self.done = !self.readable;
                }
                Ask::Close | Ask::Finish => {}
                Ask::Abort => self.phase = Phase::Dead,
            }
        }
        failure
    }

    fn program<'t>(&self, tools: &'t mut Tools) -> Option<&'t mut Program> {
        tools.programs.get_mut(*self.programs.last()?)
    }

    /// Starts a program, or has it wait for others to end.
    fn ask_for_program(&mut self, wanted: Waiting, tools: &mut Tools) -> Option<Failure> {
        self.waiting = Some(Box::new(wanted));
        // What a program that runs already waits for must not wait for that program's end.
        if self.programs.is_empty() && !tools.admission.has_room(tools.programs.len()) {
            tools.admission.wait(self.key);
            return None;
        }
        match self.try_start(tools) {
            Ok(true) => None,
            Ok(false) => {
                tools.admission.wait(self.key);
                None
            }
            Err(failure) => Some(failure),
        }
    }

    /// It is this connection's turn: starts its program, if it still waits for one. Whether the
    /// next may have its turn.
    pub fn start_waiting(&mut self, tools: &mut Tools) -> bool {
        if self.waiting.is_none() {
            return true;
        }
        match self.try_start(tools) {
            Ok(true) => self.wake(self.patience, tools),
            Ok(false) => return false,
            Err((step, error)) => self.feed(Input::SpawnFailed(step, error), tools),
        }
        self.drive(tools);
        true
    }

    /// Starts the program that waits; false if it is not its time, or if there may not be another
    /// process as long as those that run do.
    fn try_start(&mut self, tools: &mut Tools) -> Result<bool, Failure> {
        let Some(waiting) = self.waiting.take() else { return Ok(true) };
        if self.programs.is_empty() && tools.is_held(&waiting.cgi.program) {
            self.waiting = Some(waiting);
            return Ok(false);
        }
        let started = match tools.spawner.start(&waiting.cgi, waiting.input) {
            Ok(started) => started,
            Err((_, error))
                if error.raw_os_error() == Some(EAGAIN)
                    && self.programs.is_empty()
                    && !tools.programs.is_empty() =>
            {
                self.waiting = Some(waiting);
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        };
        let Waiting { cgi, fed, closed, .. } = *waiting;
        let mut program = Program::new(started, self.key);
        if !fed.is_empty() {
            program.feed(fed);
        }
        if closed {
            program.close_input();
        }
        let full = || ("fork", io::Error::from(io::ErrorKind::OutOfMemory));
        let key = tools.programs.reserve().ok_or_else(full)?;
        let beside = tools.programs.values().filter(|other| other.start.is_some()).count() + 1;
        program.start = Some(tools.pace.started(cgi.program, key, beside, tools.now));
        tools.adopt(key, program).map_err(|error| ("fork", error))?;
        self.programs.push(key);
        Ok(true)
    }

    /// Cuts the last program off: it is told to end, or left to end by itself for a while.
    fn end_program(&mut self, stage: Stage, tools: &mut Tools) {
        if self.waiting.take().is_some() {
            return;
        }
        let Some(key) = self.programs.pop() else { return };
        let Some(program) = tools.programs.get_mut(key) else { return };
        program.detach(stage);
        if program.is_reaped() {
            tools.programs.remove(key);
            return;
        }
        if stage == Stage::Terminated {
            program.signal(Signal::SIGTERM);
        }
        tools.set_program_timer(key, PATIENCE);
    }

    fn end_programs(&mut self, stage: Stage, tools: &mut Tools) {
        while self.waiting.is_some() || !self.programs.is_empty() {
            self.end_program(stage, tools);
        }
    }

    fn wake(&mut self, after: Option<Duration>, tools: &mut Tools) {
        self.patience = after;
        let deadline = after.map(|after| tools.now + after);
        tools.timers.set(Owner::Connection(self.key), &mut self.timer, deadline);
    }

    /// Nothing can be sent any more.
    fn gone(&mut self, tools: &mut Tools) {
        self.outbox.clear();
        self.drained_due = false;
        self.eof = true;
        if matches!(self.phase, Phase::Open | Phase::Closing) {
            self.feed(Input::ClientGone, tools);
        }
        self.phase = Phase::Dead;
        self.end_programs(Stage::Terminated, tools);
    }

    /// Everything is written: shuts our side and starts to linger, unless the client shut its own.
    fn shut(&mut self, tools: &mut Tools) {
        self.exchange = None;
        self.end_programs(Stage::Left, tools);
        if self.eof || self.done || self.socket.shutdown(Shutdown::Write).is_err() {
            self.phase = Phase::Dead;
            return;
        }
        self.outbox.clear();
        self.phase = Phase::Lingering(tools.now + LINGER_ALL);
        self.wake(Some(LINGER_STEP), tools);
    }

    fn linger(&mut self, until: Instant, tools: &mut Tools) {
        let mut heard = false;
        while self.readable {
            match self.socket.read(&mut tools.scratch) {
                Ok(0) => return self.phase = Phase::Dead,
                Ok(count) => {
                    heard = true;
                    self.readable = count == tools.scratch.len() || self.hung_up;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.phase = Phase::Dead,
            }
        }
        if heard {
            let rest = until.saturating_duration_since(tools.now);
            self.wake(Some(LINGER_STEP.min(rest)), tools);
        }
    }
}

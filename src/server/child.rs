//! CGI programs as processes: three pipes driven by the loop, ended with everything they started,
//! always reaped.

use super::{
    pace::Start,
    pidfd::ExitWatch,
    slab::Key,
    spawn::{Child, Started},
    timer::Timer,
};
use mio::{
    Interest, Registry,
    unix::pipe::{Receiver, Sender},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// How long a program that was told to end may take until it is made to.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// How often to ask whether a program has ended, where it cannot be told.
pub const ASK_AGAIN: Duration = Duration::from_millis(10);

/// Kinds of tokens; see [`Key::token`].
pub mod token {
    /// The program's standard input.
    pub const STDIN: u8 = 1;
    /// The program's standard output.
    pub const STDOUT: u8 = 2;
    /// The program's standard error.
    pub const STDERR: u8 = 3;
    /// The end of the program.
    pub const EXIT: u8 = 4;
}

/// How far the ending of a program has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A connection waits for it.
    Wanted,
    /// Nobody waits for it any more; it may end by itself.
    Left,
    /// Its group was sent SIGTERM.
    Terminated,
    /// Its group was sent SIGKILL.
    Killed,
}

/// What [`Program::next`] has to tell.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes of standard output are in the buffer.
    Output(usize),
    /// Standard output is closed.
    OutputClosed,
    /// So many bytes of standard error are in the buffer.
    Stderr(usize),
    /// Its input was taken.
    Fed,
    /// It ended, with this wait status.
    Exit(i32),
}

/// A pipe from the program, and what the last event said about it.
#[derive(Debug, Default)]
struct Stream {
    pipe: Option<Receiver>,
    ready: bool,
    hung_up: bool,
}

/// A pipe to the program, and what is still to be written to it.
#[derive(Debug, Default)]
struct Input {
    pipe: Option<Sender>,
    registered: bool,
    ready: bool,
    queue: VecDeque<Vec<u8>>,
    written: usize,
    close: bool,
    fed_due: bool,
}

/// A program that was started and is not reaped yet.
#[derive(Debug)]
pub struct Program {
    /// The connection that waits for it.
    pub owner: Option<Key>,
    /// When to go on ending it, or to ask whether it ended.
    pub timer: Timer,
    /// How far its ending has come.
    pub stage: Stage,
    /// Its start, until it has said something.
    pub start: Option<Start>,
    child: Child,
    watch: Option<ExitWatch>,
    input: Input,
    output: Stream,
    stderr: Stream,
    exit: Option<i32>,
    exit_told: bool,
    closed_due: bool,
}

impl Program {
    /// A program that was just started for a connection.
    pub fn new(started: Started, owner: Key) -> Program {
        let Started { child, watch, stdin, stdout, stderr } = started;
        let stdin = stdin.map(Sender::from);
        let (stdout, stderr) = (Receiver::from(stdout), Receiver::from(stderr));
        // These fail for descriptors that are none; ours were made a moment ago.
        stdin.iter().for_each(|pipe| drop(pipe.set_nonblocking(true)));
        [&stdout, &stderr].into_iter().for_each(|pipe| drop(pipe.set_nonblocking(true)));
        Program {
            owner: Some(owner),
            timer: Timer::default(),
            stage: Stage::Wanted,
            start: None,
            watch,
            child,
            input: Input { pipe: stdin, ready: true, ..Input::default() },
            output: Stream { pipe: Some(stdout), ..Stream::default() },
            stderr: Stream { pipe: Some(stderr), ..Stream::default() },
            exit: None,
            exit_told: false,
            closed_due: false,
        }
    }

    /// Puts its pipes and its end into the poll. Standard input is put there only when the pipe
    /// is full, which most bodies never make it.
    pub fn register(&mut self, registry: &Registry, key: Key) -> io::Result<()> {
        for (stream, kind) in [(&mut self.output, token::STDOUT), (&mut self.stderr, token::STDERR)] {
            if let Some(pipe) = &mut stream.pipe {
                registry.register(pipe, key.token(kind), Interest::READABLE)?;
            }
        }
        match &self.watch {
            Some(watch) => watch.register(registry, key.token(token::EXIT)),
            None => Ok(()),
        }
    }

    /// Whether its end must be asked for, since no event will tell.
    pub fn is_unwatched(&self) -> bool {
        self.watch.is_none() && self.exit.is_none()
    }

    /// Takes note of an event.
    pub fn event(&mut self, kind: u8, event: &mio::event::Event) {
        match kind {
            token::STDIN => self.input.ready = true,
            token::STDOUT => self.output.note(event),
            token::STDERR => self.stderr.note(event),
            _ => {
                self.ask();
                // What it wrote last is to be heard before its end, whatever the order of events.
                self.output.ready = true;
                self.stderr.ready = true;
            }
        }
    }

    /// Asks whether it has ended, and reaps it if so.
    pub fn ask(&mut self) {
        if self.exit.is_some() {
            return;
        }
        if self.watch.is_some() && matches!(self.stage, Stage::Terminated | Stage::Killed) {
            // It is a zombie now, so its group's number is still its own.
            self.signal(Signal::SIGKILL);
        }
        match self.child.try_wait() {
            Ok(Some(status)) => self.exit = Some(status),
            Ok(None) => {}
            // Someone else reaped it: there is nothing more to learn.
            Err(_) => self.exit = Some(0),
        }
        if let Some(status) = self.exit {
            log::debug!("program {} ended, wait status {status}", self.child.id());
            self.watch = None;
        }
    }

    /// Whether it was reaped.
    pub fn is_reaped(&self) -> bool {
        self.exit.is_some()
    }

    /// Whether it has said nothing yet, and may be computing.
    pub fn is_starting(&mut self, now: Instant) -> bool {
        let process = self.child.id().as_raw();
        self.exit.is_none() && self.start.as_mut().is_some_and(|start| start.is_busy(process, now))
    }

    /// Whether all there is to hear of it was heard.
    pub fn is_over(&self) -> bool {
        self.exit_told && self.output.pipe.is_none()
    }

    /// Takes bytes for its standard input.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        self.input.queue.push_back(bytes);
        self.input.fed_due = true;
    }

    /// Closes its standard input behind what it was given.
    pub fn close_input(&mut self) {
        self.input.close = true;
        if self.input.queue.is_empty() {
            self.input.pipe = None;
        }
    }

    /// The next thing that there is to hear of it: error output first, its end last. Output is
    /// left where it is unless it is wanted.
    pub fn next(&mut self, buffer: &mut [u8], wanted: bool, registry: &Registry, key: Key) -> Option<Heard> {
        match self.stderr.read(buffer) {
            Some(0) | None => {}
            Some(count) => return Some(Heard::Stderr(count)),
        }
        if std::mem::take(&mut self.closed_due) {
            return Some(Heard::OutputClosed);
        }
        if wanted {
            match self.output.read(buffer) {
                Some(0) => {
                    // Whoever is told of the end may close everything, so errors go first.
                    self.closed_due = true;
                    self.stderr.ready = true;
                    return self.next(buffer, wanted, registry, key);
                }
                Some(count) => return Some(Heard::Output(count)),
                None => {}
            }
        }
        if self.input.write(registry, key) {
            return Some(Heard::Fed);
        }
        let status = self.exit.filter(|_| !self.exit_told)?;
        self.exit_told = true;
        Some(Heard::Exit(status))
    }

    /// Closes the pipes and cuts it off from its connection.
    pub fn detach(&mut self, stage: Stage) {
        self.owner = None;
        self.stage = stage;
        self.input = Input::default();
        self.output = Stream::default();
        self.stderr = Stream::default();
    }

    /// Sends a signal to the program and all it started; false if it is another user's (suEXEC),
    /// which nothing can be sent to.
    pub fn signal(&self, signal: Signal) -> bool {
        // ESRCH means that it is gone, which is what was wanted.
        self.exit.is_some() || killpg(self.child.id(), signal) != Err(Errno::EPERM)
    }

    /// Has it count as reaped: the server ends, and what it cannot end is left to init.
    pub fn give_up(&mut self) {
        self.exit.get_or_insert(0);
    }
}

impl Stream {
    fn note(&mut self, event: &mio::event::Event) {
        self.ready = true;
        self.hung_up |= event.is_read_closed();
    }

    /// Reads once; 0 when it was closed, `None` when there is nothing now.
    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if !self.ready {
            return None;
        }
        let pipe = self.pipe.as_mut()?;
        loop {
            match pipe.read(buffer) {
                Ok(0) => break,
                Ok(count) => {
                    self.ready = count == buffer.len() || self.hung_up;
                    return Some(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready = false;
                    return None;
                }
                Err(_) => break,
            }
        }
        self.pipe = None;
        Some(0)
    }
}

impl Input {
    /// Writes what the pipe takes; whether that was the last of it and nobody knows yet.
    fn write(&mut self, registry: &Registry, key: Key) -> bool {
        while self.ready && !self.queue.is_empty() {
            self.write_once(registry, key);
        }
        if !self.queue.is_empty() || !self.fed_due {
            return false;
        }
        if self.close {
            self.pipe = None;
        }
        std::mem::take(&mut self.fed_due)
    }

    fn write_once(&mut self, registry: &Registry, key: Key) {
        let (Some(pipe), Some(first)) = (&mut self.pipe, self.queue.front()) else {
            return self.queue.clear();
        };
        match pipe.write(first.get(self.written..).unwrap_or_default()) {
            Ok(count) => {
                self.written += count;
                if self.written >= first.len() {
                    self.written = 0;
                    self.queue.pop_front();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready = false;
                if !self.registered {
                    self.registered = true;
                    let token = key.token(token::STDIN);
                    if registry.register(pipe, token, Interest::WRITABLE).is_err() {
                        self.stop_reading();
                    }
                }
            }
            // EPIPE: it does not read its input, which is its right.
            Err(_) => self.stop_reading(),
        }
    }

    fn stop_reading(&mut self) {
        self.pipe = None;
        self.queue.clear();
        self.written = 0;
    }
}

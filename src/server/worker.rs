//! One event loop: its share of the connections, their programs and timers. Nothing of it is
//! shared with the other workers but the listening sockets and the counts of connections.

use super::{
    accept::{Accepted, Acceptor},
    admission::Admission,
    child::{ASK_AGAIN, PATIENCE, Program, Stage},
    connection::Conn,
    listen::Listener,
    log::Logs,
    pace::{self, Pace},
    resolve::Resolver,
    slab::{Key, Slab},
    spawn::Spawner,
    timer::{Look, Timers},
};
use crate::engine::{Connection, Engine, Found, Scoreboard, Worker, exchange::Output};
use bstr::BString;
use mio::{Events, Poll, Registry, Token, Waker};
use nix::sys::signal::Signal;
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender},
    },
    time::{Duration, Instant},
};

/// Bytes read at a time.
const SCRATCH: usize = 64 * 1024;

/// Events taken at a time.
const EVENTS: usize = 256;

/// The load of a worker that has ended: nobody hands it a connection.
pub const ENDED: usize = usize::MAX / 2;

/// Kinds of tokens besides those of programs.
mod token {
    pub const CONNECTION: u8 = 0;
    pub const LISTENER: u8 = 5;
    pub const WAKER: u8 = 6;
}

/// Everything that a reload replaces, as all workers see it.
#[derive(Debug)]
pub struct Config {
    /// Policy, modules, world.
    pub engine: Arc<Engine>,
    /// Open logs.
    pub logs: Arc<Logs>,
    /// Open sockets.
    pub listeners: Vec<Listener>,
}

/// What other threads tell a worker.
#[derive(Debug)]
pub enum Message {
    /// A connection that another worker accepted.
    Accepted(Accepted),
    /// The resolver found something for a connection.
    Found(Key, Found),
    /// A new configuration; whether connections of the old one are dropped.
    Reload(Arc<Config>, bool),
    /// End when all answers are given.
    StopGracefully,
    /// End at once; told twice: without mercy for programs.
    Stop,
}

/// The way to a worker.
#[derive(Clone, Debug)]
pub struct Post {
    messages: Sender<Message>,
    waker: Arc<Waker>,
}

impl Post {
    /// Tells it something. A worker that has ended hears nothing.
    pub fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            let _ = self.waker.wake();
        }
    }

    /// Tells it what the resolver found.
    pub fn found(&self, connection: Key, found: Found) {
        self.send(Message::Found(connection, found));
    }
}

/// Makes the way to a worker, and the poll at its end.
pub fn post_office() -> io::Result<(Post, Poll, Receiver<Message>)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), Key::fixed(0).token(token::WAKER))?);
    let (messages, inbox) = std::sync::mpsc::channel();
    Ok((Post { messages, waker }, poll, inbox))
}

/// One configuration within one worker. Connections keep the one they were accepted under.
#[derive(Debug)]
pub struct Generation {
    /// What it has in common with the other workers.
    pub config: Arc<Config>,
    /// Memos and caches.
    pub worker: RefCell<Worker>,
    lines: RefCell<Vec<Vec<u8>>>,
    has_lines: Cell<bool>,
}

impl Generation {
    fn new(config: Arc<Config>, scoreboard: &Arc<Scoreboard>, number: usize) -> Rc<Generation> {
        let worker = RefCell::new(Worker::among(&config.engine.policy, scoreboard.clone(), number));
        let lines = RefCell::new(vec![Vec::new(); config.logs.targets()]);
        Rc::new(Generation { config, worker, lines, has_lines: Cell::new(false) })
    }

    /// Keeps a line for a log until the next answer is written, or the end of this turn.
    pub fn add_line(&self, target: usize, line: &[u8]) {
        if let Some(lines) = self.lines.borrow_mut().get_mut(target) {
            lines.extend_from_slice(line);
            self.has_lines.set(true);
        }
    }

    /// Writes the lines kept so far.
    pub fn write_lines(&self) {
        if !self.has_lines.replace(false) {
            return;
        }
        for (target, lines) in self.lines.borrow_mut().iter_mut().enumerate() {
            if !lines.is_empty() {
                self.config.logs.write(target, lines);
                lines.clear();
            }
        }
    }
}

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A connection's.
    Connection(Key),
    /// A program's.
    Program(Key),
}

/// What a connection needs of its worker.
#[derive(Debug)]
pub struct Tools {
    /// The poll, for registering.
    pub registry: Registry,
    /// Programs, those without connection included.
    pub programs: Slab<Program>,
    /// All timers.
    pub timers: Timers<Owner>,
    /// What is read is read into this.
    pub scratch: Vec<u8>,
    /// What an exchange asks for; empty in between.
    pub out: Output,
    /// A line of the error log is made in this.
    pub line: Vec<u8>,
    /// Connections that have more to do at once.
    pub again: Vec<Key>,
    /// Starts programs.
    pub spawner: Spawner,
    /// Says how many of them.
    pub admission: Admission,
    /// Says when.
    pub pace: Pace,
    /// Slow programs that may start at a time.
    slow_starts: usize,
    /// Looks up names.
    pub resolver: Resolver,
    /// The way back to this worker.
    pub post: Post,
    /// When this turn began.
    pub now: Instant,
    /// Its number.
    pub turn: u64,
}

impl Tools {
    /// Registers a program under its key; if that fails it is killed and reaped.
    pub fn adopt(&mut self, key: Key, mut program: Program) -> io::Result<()> {
        let registered = program.register(&self.registry, key);
        let unwatched = program.is_unwatched();
        if registered.is_err() {
            program.detach(Stage::Killed);
            program.signal(Signal::SIGKILL);
        }
        self.programs.put(key, program);
        if unwatched || registered.is_err() {
            self.set_program_timer(key, ASK_AGAIN);
        }
        registered
    }

    /// Whether a program has to wait for others that are starting.
    pub fn is_held(&mut self, program: &BString) -> bool {
        self.pace.holds(program, self.slow_starts, &mut self.programs, self.now)
    }

    /// Sets a program's timer; one without an exit event is asked more often.
    pub fn set_program_timer(&mut self, key: Key, after: Duration) {
        if let Some(program) = self.programs.get_mut(key) {
            let after = if program.is_unwatched() { ASK_AGAIN } else { after };
            self.timers.set(Owner::Program(key), &mut program.timer, Some(self.now + after));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    Finishing,
    Stopping,
}

/// An event loop.
#[derive(Debug)]
pub struct EventLoop {
    id: usize,
    poll: Poll,
    inbox: Receiver<Message>,
    posts: Vec<Post>,
    loads: Arc<[AtomicUsize]>,
    scoreboard: Arc<Scoreboard>,
    acceptor: Acceptor,
    most: usize,
    accepted: u64,
    conns: Slab<Conn>,
    tools: Tools,
    current: Rc<Generation>,
    older: Vec<Rc<Generation>>,
    state: State,
}

/// What a worker starts with.
#[derive(Debug)]
pub struct Start {
    /// Number of the worker.
    pub id: usize,
    /// Its poll.
    pub poll: Poll,
    /// What others tell it.
    pub inbox: Receiver<Message>,
    /// The ways to all workers, this one included.
    pub posts: Vec<Post>,
    /// Connections of all workers.
    pub loads: Arc<[AtomicUsize]>,
    /// The counts of all workers.
    pub scoreboard: Arc<Scoreboard>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Looks up names.
    pub resolver: Resolver,
    /// Most connections of all workers together.
    pub most: usize,
}

impl EventLoop {
    /// Registers the listening sockets.
    pub fn new(start: Start) -> io::Result<EventLoop> {
        let Start { id, poll, inbox, posts, loads, scoreboard, config, resolver, most } = start;
        let tools = Tools {
            registry: poll.registry().try_clone()?,
            programs: Slab::default(),
            timers: Timers::default(),
            scratch: vec![0; SCRATCH],
            out: Output::default(),
            line: Vec::new(),
            again: Vec::new(),
            spawner: Spawner::new()?,
            admission: Admission::new(&config.engine.policy, posts.len()),
            pace: Pace::default(),
            slow_starts: pace::at_a_time(posts.len()),
            resolver,
            post: posts.get(id).cloned().ok_or(io::ErrorKind::InvalidInput)?,
            now: Instant::now(),
            turn: 0,
        };
        let acceptor = Acceptor::new(&config.listeners, &tools.registry, listener_token)?;
        let current = Generation::new(config, &scoreboard, id);
        let (conns, older, state) = (Slab::default(), Vec::new(), State::Serving);
        Ok(EventLoop {
            id,
            poll,
            inbox,
            posts,
            loads,
            scoreboard,
            acceptor,
            most,
            accepted: 0,
            conns,
            tools,
            current,
            older,
            state,
        })
    }

    /// Turns until it is told to stop and everything is over.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_over() {
            let waited = self.poll.poll(&mut events, self.timeout());
            self.tools.now = Instant::now();
            self.tools.turn += 1;
            if waited.is_err() {
                // EINTR, and nothing else once the poll exists.
                continue;
            }
            self.current.worker.borrow().score.set_connections(self.conns.len());
            let again = std::mem::take(&mut self.tools.again);
            events.iter().for_each(|event| self.event(event));
            again.into_iter().for_each(|key| self.with(key, |conn, tools| conn.drive(tools)));
            self.accept();
            self.timers();
            self.start_programs();
            self.write_logs();
        }
    }

    fn is_over(&self) -> bool {
        self.state != State::Serving && self.conns.is_empty() && self.tools.programs.is_empty()
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.tools.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = Instant::now();
        let timers = self.tools.timers.next(now);
        let pace = self.tools.pace.timeout().filter(|_| self.tools.admission.is_waited_for());
        timers.into_iter().chain(self.acceptor.timeout(now)).chain(pace).min()
    }

    fn event(&mut self, event: &mio::event::Event) {
        let (kind, key) = Key::of(event.token());
        match kind {
            token::CONNECTION => self.with(key, |conn, tools| conn.event(event, tools)),
            token::LISTENER => self.acceptor.ready(key.index()),
            token::WAKER => self.read_inbox(),
            _ => self.program_event(key, kind, event),
        }
    }

    /// Does something with a connection, and forgets it if it is over.
    fn with(&mut self, key: Key, act: impl FnOnce(&mut Conn, &mut Tools)) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        act(conn, &mut self.tools);
        if conn.is_dead() {
            self.conns.remove(key);
            self.count(self.id, false);
            self.acceptor.room();
        }
    }

    fn program_event(&mut self, key: Key, kind: u8, event: &mio::event::Event) {
        let Some(program) = self.tools.programs.get_mut(key) else { return };
        program.event(kind, event);
        self.after_program(key);
    }

    /// Tells a program's connection that there is news of it; forgets one that has none.
    fn after_program(&mut self, key: Key) {
        let Some(program) = self.tools.programs.get_mut(key) else { return };
        match program.owner {
            Some(owner) => self.with(owner, |conn, tools| conn.drive(tools)),
            None if program.is_reaped() => drop(self.tools.programs.remove(key)),
            None => {}
        }
    }

    /// Starts programs that had to wait, as far as there is room now.
    fn start_programs(&mut self) {
        while let Some(key) = self.tools.admission.next(self.tools.programs.len()) {
            let mut started = true;
            self.with(key, |conn, tools| started = conn.start_waiting(tools));
            if !started {
                return self.tools.admission.wait_on(key);
            }
        }
    }

    fn timers(&mut self) {
        while let Some((at, owner)) = self.tools.timers.pop(self.tools.now) {
            match owner {
                Owner::Connection(key) => self.with(key, |conn, tools| conn.timer_due(at, tools)),
                Owner::Program(key) => self.program_timer(key, at),
            }
        }
    }

    fn program_timer(&mut self, key: Key, at: Instant) {
        let Some(program) = self.tools.programs.get_mut(key) else { return };
        let look = self.tools.timers.look(Owner::Program(key), &mut program.timer, at, self.tools.now);
        if look == Look::Waiting {
            return;
        }
        program.ask();
        if !program.is_reaped() {
            match program.stage {
                Stage::Wanted => {}
                Stage::Left => {
                    program.stage = Stage::Terminated;
                    program.signal(Signal::SIGTERM);
                }
                Stage::Terminated | Stage::Killed => {
                    program.stage = Stage::Killed;
                    if !program.signal(Signal::SIGKILL) && self.state == State::Stopping {
                        program.give_up();
                    }
                }
            }
            self.tools.set_program_timer(key, PATIENCE);
        }
        self.after_program(key);
    }

    fn read_inbox(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                Message::Accepted(accepted) => self.serve(accepted),
                Message::Found(key, found) => self.with(key, |conn, tools| conn.found(found, tools)),
                Message::Reload(config, drop_all) => self.reload(config, drop_all),
                Message::StopGracefully => self.finish(),
                Message::Stop => self.stop(),
            }
        }
    }

    fn accept(&mut self) {
        if self.state != State::Serving {
            return;
        }
        let now = self.tools.now;
        loop {
            if self.is_full() {
                self.acceptor.full(now);
                break;
            }
            let Some(accepted) = self.acceptor.next(now) else { break };
            let least = self.least_loaded();
            self.count(least, true);
            match self.posts.get(least).filter(|_| least != self.id) {
                Some(post) => post.send(Message::Accepted(accepted)),
                None => self.serve(accepted),
            }
        }
        if let Some(failure) = self.acceptor.failure() {
            self.current.config.logs.error(&failure, &mut self.tools.line);
        }
    }

    /// Whether all workers together have as many connections as there may be.
    fn is_full(&self) -> bool {
        let all = self.loads.iter().map(|load| load.load(Ordering::Relaxed));
        all.filter(|load| *load < ENDED).fold(0, usize::saturating_add) >= self.most
    }

    /// The worker that has fewest connections: this one unless another has clearly fewer.
    fn least_loaded(&self) -> usize {
        let load = |id: usize| self.loads.get(id).map_or(usize::MAX, |load| load.load(Ordering::Relaxed));
        let least = (0..self.loads.len()).min_by_key(|id| load(*id)).unwrap_or(self.id);
        if load(self.id) <= load(least).saturating_add(1) { self.id } else { least }
    }

    fn count(&self, id: usize, up: bool) {
        let Some(load) = self.loads.get(id) else { return };
        match up {
            true => load.fetch_add(1, Ordering::Relaxed),
            false => load.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// Takes a connection over; it is counted already.
    fn serve(&mut self, accepted: Accepted) {
        let Accepted { socket, client, local, spoke } = accepted;
        let key = match self.conns.reserve() {
            Some(key) if self.state == State::Serving => key,
            other => {
                other.into_iter().for_each(|key| drop(self.conns.remove(key)));
                return self.count(self.id, false);
            }
        };
        let id = self.accepted * self.loads.len() as u64 + self.id as u64;
        self.accepted += 1;
        let (keepalives, lookups) = Default::default();
        let addresses = Connection { client, local, id, keepalives, lookups };
        let conn = Conn::new(key, socket, addresses, self.current.clone(), &mut self.tools);
        self.conns.put(key, conn);
        self.with(key, |conn, tools| conn.begin(spoke, key.token(token::CONNECTION), tools));
    }

    fn reload(&mut self, config: Arc<Config>, drop_all: bool) {
        self.acceptor.close(&self.tools.registry);
        match Acceptor::new(&config.listeners, &self.tools.registry, listener_token) {
            Ok(acceptor) => self.acceptor = acceptor,
            // Without descriptors for the new sockets there is nothing that could be served.
            Err(_) => return self.finish(),
        }
        self.tools.admission.reload(&config.engine.policy, self.posts.len());
        let new = Generation::new(config, &self.scoreboard, self.id);
        self.older.push(std::mem::replace(&mut self.current, new.clone()));
        for key in self.conns.keys() {
            self.with(key, |conn, tools| match (drop_all, conn.is_older(&new)) {
                (true, _) => conn.abort(tools),
                (false, true) => conn.replaced(&new, tools),
                (false, false) => {}
            });
        }
    }

    fn finish(&mut self) {
        if self.state == State::Serving {
            self.acceptor.close(&self.tools.registry);
            self.state = State::Finishing;
        }
        for key in self.conns.keys() {
            self.with(key, |conn, tools| conn.stopping(tools));
        }
    }

    fn stop(&mut self) {
        self.acceptor.close(&self.tools.registry);
        let twice = self.state == State::Stopping;
        self.state = State::Stopping;
        for key in self.conns.keys() {
            self.with(key, |conn, tools| conn.abort(tools));
        }
        for key in self.tools.programs.keys() {
            let Some(program) = self.tools.programs.get_mut(key) else { continue };
            let (stage, signal) = match (twice, program.stage) {
                (true, _) => (Stage::Killed, Signal::SIGKILL),
                (false, Stage::Wanted | Stage::Left) => (Stage::Terminated, Signal::SIGTERM),
                (false, _) => continue,
            };
            program.stage = stage;
            program.signal(signal);
            self.tools.set_program_timer(key, PATIENCE);
        }
    }

    fn write_logs(&mut self) {
        self.current.write_lines();
        if !self.older.is_empty() {
            self.older.iter().for_each(|generation| generation.write_lines());
            self.older.retain(|generation| Rc::strong_count(generation) > 1);
        }
    }
}

fn listener_token(index: usize) -> Token {
    Key::fixed(u32::try_from(index).unwrap_or(u32::MAX)).token(token::LISTENER)
}

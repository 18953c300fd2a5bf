//! From a policy to a running server, and the thread that waits for orders.

use super::{
    Detached, Options, StartError,
    listen::{self, Listener},
    log::Logs,
    process::{self, PidFile},
    resolve::Resolver,
    signals::{self, Order},
    worker::{self, Config, EventLoop, Message, Post},
};
use crate::{
    engine::{Engine, LogEntry, Scoreboard, exchange::Logged},
    policy::{Policy, SaidExt},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often to see whether log programs still run.
const LOG_PROGRAMS: Duration = Duration::from_secs(1);

/// Most descriptors to ask the system for.
const DESCRIPTORS: u64 = 65_536;

/// Makes a new engine from the configuration as it is now.
pub type Reload = Box<dyn Fn() -> Result<Arc<Engine>, StartError> + Send>;

/// The server, before it is one.
#[derive(Clone, Copy, Debug)]
pub struct Server;

/// A server that listens, has its logs open, its pid file written, and is not root any more.
#[derive(Debug)]
pub struct Bound {
    options: Options,
    listeners: Vec<Listener>,
    logs: Arc<Logs>,
    pid_file: Option<PidFile>,
    /// Warnings for the error log.
    warnings: Vec<String>,
    orders: (Sender<Event>, Receiver<Event>),
}

/// What there is to tell when connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Where the server listens; no port is 0.
    pub addresses: Vec<SocketAddr>,
    /// Its process.
    pub pid: u32,
}

/// Gives a running server orders from another thread.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: Sender<Event>,
}

impl Handle {
    /// Gives an order, as a signal would.
    pub fn order(&self, order: Order) {
        let _ = self.orders.send(Event::Order(order));
    }
}

#[derive(Debug)]
enum Event {
    Order(Order),
    /// A worker has ended.
    Ended,
}

impl Server {
    /// Opens sockets and logs, writes the pid file and stops being root. No other thread may run
    /// yet if `options.signals` is set.
    pub fn bind(policy: &Policy, mut options: Options) -> Result<Bound, StartError> {
        // Whoever sees an open port may stop the server at once; it is to leave nothing half done.
        if options.signals {
            signals::block().map_err(|error| StartError::line(super::os_error(&error)))?;
            super::spawn::close_on_exec();
        }
        let process = &policy.process;
        let identity = process::identity(process)?;
        let listeners = listen::open(process, &[])?;
        let logs = Logs::open(policy, &options.error_log, None)?;
        let file = match (&options.pid_file, process.pid_file.is_some()) {
            (None, false) => None,
            (default, _) => Some(process::pid_file(process, default.as_deref().unwrap_or_default())),
        };
        let (pid_file, warning) = file.map(|file| PidFile::write(&file)).transpose()?.unzip();
        raise_descriptors();
        if let Some(identity) = &identity {
            logs.give_to(identity.uid.as_raw(), identity.gid.as_raw());
            if let Some(file) = &pid_file {
                file.give_to(identity.uid.as_raw(), identity.gid.as_raw());
            }
            process::become_user(identity, process.chroot.value())?;
        }
        if options.workers == 0 {
            options.workers = thread::available_parallelism().map_or(1, usize::from);
        }
        let warnings = warning.flatten().into_iter().collect();
        Ok(Bound { options, listeners, logs: Arc::new(logs), pid_file, warnings, orders: channel() })
    }
}

impl Bound {
    /// Where it listens, and who it is.
    pub fn ready(&self) -> Ready {
        let addresses = self.listeners.iter().map(|listener| listener.bound).collect();
        Ready { addresses, pid: std::process::id() }
    }

    /// For orders that come from elsewhere than signals.
    pub fn handle(&self) -> Handle {
        Handle { orders: self.orders.0.clone() }
    }

    /// Serves until it is told to stop; then nothing is left running, and the pid file is gone.
    /// `on_ready` is called once, when connections are accepted. Without `reload`, orders to
    /// restart are not obeyed.
    pub fn run(
        mut self,
        engine: Arc<Engine>,
        reload: Option<Reload>,
        on_ready: impl FnOnce(&Ready),
    ) -> Result<(), StartError> {
        if let Err(fault) = engine.ready() {
            let error = not_ready(&fault);
            self.logs.error(&Logged { server: 0, client: None, entry: *fault }, &mut Vec::new());
            self.logs.plain(CONFIGURATION_FAILED.as_bytes());
            return Err(error);
        }
        let ready = self.ready();
        let (tell, events) = self.orders;
        let config = Arc::new(Config { engine, logs: self.logs, listeners: self.listeners });
        let resolver = Resolver::default();
        let scoreboard = Scoreboard::new(self.options.workers, config.engine.system.now());
        let (posts, threads) = start_workers(&scoreboard, self.options.workers, &config, &resolver, &tell)?;
        if self.options.signals {
            let tell = tell.clone();
            signals::listen(move |order| tell.send(Event::Order(order)).is_ok())
                .map_err(|error| StartError::line(super::os_error(&error)))?;
        }
        let detached = self.options.detached.take();
        let mut main = Main {
            options: self.options,
            config,
            posts,
            scoreboard,
            reload,
            live: threads.len(),
            deadline: None,
        };
        main.options.warnings.iter().for_each(|warning| main.entry(warning.clone()));
        self.warnings.iter().for_each(|text| main.log(4, "core", "AH00098", text));
        main.resuming();
        if let Some(detached) = detached {
            main.leave_caller(detached);
        }
        on_ready(&ready);
        let told = main.wait(&events);
        threads.into_iter().for_each(|thread| drop(thread.join()));
        resolver.stop();
        drop(self.pid_file);
        let alone = || StartError::line("all worker threads ended without being told to");
        told.then_some(()).ok_or_else(alone)
    }
}

/// What the waiting thread knows.
struct Main {
    options: Options,
    config: Arc<Config>,
    posts: Vec<Post>,
    scoreboard: Arc<Scoreboard>,
    reload: Option<Reload>,
    live: usize,
    /// When a graceful stop loses its patience.
    deadline: Option<Instant>,
}

impl Main {
    /// Obeys until all workers have ended; whether they were told to.
    fn wait(&mut self, events: &Receiver<Event>) -> bool {
        let mut told = false;
        while self.live > 0 {
            let programs = self.config.logs.has_programs().then_some(LOG_PROGRAMS);
            let patience = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let event = match programs.into_iter().chain(patience).min() {
                Some(timeout) => events.recv_timeout(timeout),
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(Event::Order(order)) => {
                    told |= matches!(order, Order::Stop(_) | Order::GracefulStop);
                    self.obey(order);
                }
                Ok(Event::Ended) => self.live -= 1,
                Err(RecvTimeoutError::Timeout) => self.tick(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        told
    }

    fn obey(&mut self, order: Order) {
        log::debug!("order: {order:?}");
        match order {
            Order::Stop(signal) => {
                self.log(5, "mpm_event", "AH00491", &format!("caught {signal}, shutting down"));
                self.tell(|| Message::Stop);
            }
            Order::GracefulStop => {
                self.log(5, "mpm_event", "AH00492", "caught SIGWINCH, shutting down gracefully");
                let process = &self.config.engine.policy.process;
                let patience = process.graceful_shutdown_timeout.value_or(Duration::ZERO);
                self.deadline = (!patience.is_zero()).then(|| Instant::now() + patience);
                self.tell(|| Message::StopGracefully);
            }
            Order::Restart => {
                self.log(5, "mpm_event", "AH00494", "SIGHUP received.  Attempting to restart");
                self.restart(true);
            }
            Order::GracefulRestart => {
                self.log(5, "mpm_event", "AH00493", "SIGUSR1 received.  Doing graceful restart");
                self.restart(false);
            }
        }
    }

    /// Goes over to a new configuration; one that cannot be used changes nothing.
    fn restart(&mut self, drop_all: bool) {
        match self.new_config() {
            Ok(config) => {
                self.config = Arc::new(config);
                self.scoreboard.next_generation();
                self.tell(|| Message::Reload(self.config.clone(), drop_all));
                self.resuming();
            }
            Err(error) => {
                error.lines.iter().for_each(|line| self.log(3, "core", "", line));
                self.log(
                    3,
                    "core",
                    "",
                    "the configuration was not changed: the server goes on with the old one",
                );
            }
        }
    }

    fn new_config(&self) -> Result<Config, StartError> {
        let missing =
            || StartError::line("this server was started without a way to read its configuration again");
        let engine = self.reload.as_ref().ok_or_else(missing)?()?;
        engine.ready().map_err(|fault| not_ready(&fault))?;
        let policy = &engine.policy;
        let listeners = listen::open(&policy.process, &self.config.listeners)?;
        let old = Some(&*self.config.logs);
        let logs = Arc::new(Logs::open(policy, &self.options.error_log, old)?);
        Ok(Config { engine, logs, listeners })
    }

    fn tick(&mut self) {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.deadline = None;
            self.tell(|| Message::Stop);
        }
        self.config.logs.revive();
    }

    fn resuming(&self) {
        let version = if self.options.version.is_empty() { "rachis" } else { &self.options.version };
        self.log(5, "mpm_event", "AH00489", &format!("{version} configured -- resuming normal operations"));
        if !self.options.command_line.is_empty() {
            self.log(5, "core", "AH00094", &format!("Command line: '{}'", self.options.command_line));
        }
    }

    fn leave_caller(&self, detached: Detached) {
        self.config.logs.take_stderr();
        if let Err(error) = detached.ready() {
            self.log(3, "core", "", &format!("{}: the caller could not be told", super::os_error(&error)));
        }
    }

    fn tell(&self, message: impl Fn() -> Message) {
        self.posts.iter().for_each(|post| post.send(message()));
    }

    fn log(&self, level: u8, module: &'static str, number: &'static str, text: &str) {
        if level >= NOTICE && !self.options.notices {
            return;
        }
        let entry = LogEntry { level, module, os_error: None, number, text: text.into(), explanation: None };
        self.entry(entry);
    }

    fn entry(&self, entry: LogEntry) {
        let level = self.config.engine.policy.main().core().log_levels.of(entry.module.as_bytes());
        if entry.level == NOTICE || entry.level <= level {
            self.config.logs.error(&Logged { server: 0, client: None, entry }, &mut Vec::new());
        }
    }
}

/// A worker's stack, in bytes: `.htaccess` files and conditions nest as deep as their readers let
/// them, many times less than this. Only what is used of it takes memory.
const STACK: usize = 8 * 1024 * 1024;

/// The level of what is not wrong at all.
const NOTICE: u8 = 5;

/// What Apache's log says last when a module cannot start.
const CONFIGURATION_FAILED: &str = "AH00016: Configuration Failed";

fn not_ready(fault: &LogEntry) -> StartError {
    let os = fault.os_error.map(|error| super::os_error(&std::io::Error::from_raw_os_error(error)) + ": ");
    let line = format!("{}{}: {}", os.unwrap_or_default(), fault.number, fault.text);
    StartError { lines: vec![line, CONFIGURATION_FAILED.to_owned()] }
}

/// Tells the waiting thread that a worker has ended, however it did.
struct Ending {
    id: usize,
    loads: Arc<[AtomicUsize]>,
    tell: Sender<Event>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(load) = self.loads.get(self.id) {
            load.store(worker::ENDED, Ordering::Relaxed);
        }
        let _ = self.tell.send(Event::Ended);
    }
}

fn start_workers(
    scoreboard: &Arc<Scoreboard>,
    count: usize,
    config: &Arc<Config>,
    resolver: &Resolver,
    tell: &Sender<Event>,
) -> Result<(Vec<Post>, Vec<JoinHandle<()>>), StartError> {
    let failed = |error: std::io::Error| {
        StartError::line(format!("{}: AH03104: could not start a worker thread", super::os_error(&error)))
    };
    let offices: Vec<_> =
        (0..count).map(|_| worker::post_office()).collect::<Result<_, _>>().map_err(failed)?;
    let posts: Vec<Post> = offices.iter().map(|(post, _, _)| post.clone()).collect();
    let loads: Arc<[AtomicUsize]> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let most = most_connections(&config.engine.policy);
    let mut threads = Vec::with_capacity(count);
    for (id, (_, poll, inbox)) in offices.into_iter().enumerate() {
        let start = worker::Start {
            id,
            poll,
            inbox,
            posts: posts.clone(),
            loads: loads.clone(),
            scoreboard: scoreboard.clone(),
            config: config.clone(),
            resolver: resolver.clone(),
            most,
        };
        let ending = Ending { id, loads: loads.clone(), tell: tell.clone() };
        let work = move || {
            let _ending = ending;
            if let Ok(event_loop) = EventLoop::new(start) {
                event_loop.run();
            }
        };
        let worker = thread::Builder::new().name(format!("worker {id}")).stack_size(STACK);
        threads.push(worker.spawn(work).map_err(failed)?);
    }
    Ok((posts, threads))
}

/// A quarter of the descriptors is kept for files and programs. `MaxRequestWorkers` bounds the
/// connections only where it is said: with Apache's event mpm it counts those that are being served,
/// and AsyncRequestWorkerFactor times as many again may be idle.
fn most_connections(policy: &Policy) -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft.min(DESCRIPTORS));
    let room = descriptors / 4 * 3;
    let process = &policy.process;
    connections(process.max_request_workers.value().copied(), process.async_factor.value_or(2.0), room)
}

fn connections(workers: Option<u32>, factor: f64, room: u64) -> usize {
    // Both are positive, and a number too large for the type becomes its largest.
    let said = workers.map_or(room, |workers| (f64::from(workers) * (factor + 1.0)) as u64);
    usize::try_from(said.min(room)).unwrap_or(usize::MAX).max(1)
}

/// Idle connections cost a descriptor each, so the soft limit is raised as far as is sensible.
fn raise_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let wanted = hard.min(DESCRIPTORS);
        if soft < wanted {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::connections;

    // The manual, AsyncRequestWorkerFactor: (AsyncRequestWorkerFactor + 1) * MaxRequestWorkers.
    #[test]
    fn most_connections() {
        assert_eq!(connections(Some(128), 2.0, 100_000), 384);
        assert_eq!(connections(Some(10), 0.5, 100_000), 15);
        assert_eq!(connections(Some(128), 100.0, 10_000), 10_000);
        assert_eq!(connections(None, 2.0, 10_000), 10_000);
        assert_eq!(connections(Some(0), 2.0, 10_000), 1);
        assert_eq!(connections(Some(u32::MAX), f64::INFINITY, 10_000), 10_000);
    }
}

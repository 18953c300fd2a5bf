//! Accepting connections in one worker. All workers listen on the same sockets; whoever is free
//! first takes the next connection.

use super::listen::Listener;
use crate::engine::{LogEntry, exchange::Logged};
use mio::{
    Interest, Registry, Token,
    net::{TcpListener, TcpStream},
};
use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Most connections accepted in one turn.
const BATCH: usize = 64;

/// How long not to accept when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening sockets of one worker.
#[derive(Debug)]
pub struct Acceptor {
    sockets: Vec<Socket>,
    /// How many more may be accepted in this turn.
    budget: usize,
    paused: Option<Instant>,
    /// Why it pauses, told once until accepting works again.
    failure: Option<Failure>,
    told: bool,
    /// Being full is told once in the life of a configuration.
    full_told: bool,
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket.
    pub socket: TcpStream,
    /// Who is at its other end.
    pub client: SocketAddr,
    /// The address that the client reached.
    pub local: SocketAddr,
    /// Whether it has sent something already, as a rule.
    pub spoke: bool,
}

#[derive(Debug)]
enum Failure {
    /// No descriptors left.
    Error(io::Error),
    /// As many connections as there may be.
    Full,
}

#[derive(Debug)]
struct Socket {
    socket: TcpListener,
    /// `None` for a wildcard: each connection has to be asked.
    local: Option<SocketAddr>,
    waits_for_data: bool,
    ready: bool,
}

impl Acceptor {
    /// Registers duplicates of the sockets.
    pub fn new(
        listeners: &[Listener],
        registry: &Registry,
        token: impl Fn(usize) -> Token,
    ) -> io::Result<Acceptor> {
        let mut sockets = Vec::with_capacity(listeners.len());
        for (index, listener) in listeners.iter().enumerate() {
            let mut socket = listener.duplicate()?;
            registry.register(&mut socket, token(index), Interest::READABLE)?;
            let local = Some(listener.bound).filter(|bound| !bound.ip().is_unspecified());
            sockets.push(Socket { socket, local, waits_for_data: listener.waits_for_data, ready: true });
        }
        Ok(Acceptor { sockets, budget: BATCH, paused: None, failure: None, told: false, full_told: false })
    }

    /// An event says that there is a connection.
    pub fn ready(&mut self, index: usize) {
        if let Some(socket) = self.sockets.get_mut(index) {
            socket.ready = true;
        }
    }

    /// The next connection; `None`: no more in this turn.
    pub fn next(&mut self, now: Instant) -> Option<Accepted> {
        if self.paused.is_some_and(|until| now < until) {
            return None;
        }
        self.paused = None;
        while let Some(listener) = self.sockets.iter_mut().find(|socket| socket.ready) {
            if self.budget == 0 {
                break;
            }
            match listener.socket.accept() {
                Ok((socket, client)) => {
                    self.budget -= 1;
                    self.told = false;
                    let Some(local) = listener.local.or_else(|| socket.local_addr().ok()) else { continue };
                    let (client, local) = (canonical(client), canonical(local));
                    return Some(Accepted { socket, client, local, spoke: listener.waits_for_data });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => listener.ready = false,
                Err(error) if is_exhaustion(&error) => {
                    self.paused = Some(now + PAUSE);
                    self.failure = Some(Failure::Error(error)).filter(|_| !self.told);
                    break;
                }
                // The client left before it was accepted, or the network had something to say.
                Err(_) => self.budget -= 1,
            }
        }
        self.budget = BATCH;
        None
    }

    /// There are as many connections as there may be.
    pub fn full(&mut self, now: Instant) {
        self.budget = BATCH;
        if self.sockets.iter().any(|socket| socket.ready) {
            self.paused = Some(now + PAUSE);
            self.failure = Some(Failure::Full).filter(|_| !std::mem::replace(&mut self.full_told, true));
        }
    }

    /// A connection has ended, so there may be room again.
    pub fn room(&mut self) {
        self.paused = None;
    }

    /// How long until accepting goes on by itself; `None`: not before an event.
    pub fn timeout(&self, now: Instant) -> Option<Duration> {
        let waiting = self.sockets.iter().any(|socket| socket.ready);
        waiting.then(|| self.paused.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }

    /// What there is to be said in the error log.
    pub fn failure(&mut self) -> Option<Logged> {
        let failure = self.failure.take()?;
        self.told = true;
        let (os_error, number, text) = match failure {
            Failure::Error(error) => (
                error.raw_os_error(),
                "AH00467",
                "apr_socket_accept: no descriptors left, accepting pauses until some are free",
            ),
            Failure::Full => (
                None,
                "AH00484",
                "server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting",
            ),
        };
        let (module, text) = (if os_error.is_some() { "core" } else { "mpm_event" }, text.into());
        let entry = LogEntry { level: 3, module, os_error, number, text, explanation: None };
        Some(Logged { server: 0, client: None, entry })
    }

    /// Takes the sockets out of the poll: the descriptors are duplicates, and closing them alone
    /// would leave them there.
    pub fn close(&mut self, registry: &Registry) {
        for mut listener in self.sockets.drain(..) {
            let _ = registry.deregister(&mut listener.socket);
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// IPv4 clients of an IPv6 socket are IPv4 clients.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

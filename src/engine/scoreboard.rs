//! What the event loops have done and are doing, for whoever asks (Apache's scoreboard).
//!
//! Each loop counts in atomics of its own, which no other loop writes; whoever reads them takes them as
//! they are. So nothing on a request's way waits for another loop.

use super::answer::Sent;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

/// The counts of all event loops. They outlive the configuration.
#[derive(Debug)]
pub struct Scoreboard {
    started: SystemTime,
    generation: AtomicU64,
    loops: Vec<Arc<Score>>,
}

/// The counts of one event loop, in cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Score {
    requests: AtomicU64,
    bytes: AtomicU64,
    micros: AtomicU64,
    busy: AtomicU64,
    connections: AtomicU64,
}

/// What a loop has counted, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered.
    pub requests: u64,
    /// Bytes of the bodies of their answers.
    pub bytes: u64,
    /// What they took together, in microseconds.
    pub micros: u64,
    /// Requests that are being answered.
    pub busy: u64,
    /// Open connections.
    pub connections: u64,
}

/// A request that is being answered; when it is dropped, that is over.
#[derive(Debug)]
pub struct Busy(Arc<Score>);

impl Scoreboard {
    /// For so many event loops.
    pub fn new(loops: usize, started: SystemTime) -> Arc<Scoreboard> {
        let loops = (0..loops.max(1)).map(|_| Arc::default()).collect();
        Arc::new(Scoreboard { started, generation: AtomicU64::new(0), loops })
    }

    /// The counts of a loop; the first one's if there is no such loop.
    pub fn of(&self, number: usize) -> Arc<Score> {
        self.loops.get(number).unwrap_or(&self.loops[0]).clone()
    }

    /// When the server was started.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// How often the configuration was read again.
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// The configuration was read again.
    pub fn next_generation(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// The counts of all loops.
    pub fn counts(&self) -> Vec<Counts> {
        self.loops.iter().map(|score| score.counts()).collect()
    }
}

impl Score {
    /// A request begins to be answered.
    pub fn begin(self: &Arc<Score>) -> Busy {
        self.busy.fetch_add(1, Relaxed);
        Busy(self.clone())
    }

    /// A request is answered.
    pub fn count(&self, sent: &Sent) {
        let micros = u64::try_from(sent.duration.as_micros()).unwrap_or(u64::MAX);
        self.requests.fetch_add(1, Relaxed);
        self.bytes.fetch_add(sent.body, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }

    /// So many connections are open.
    pub fn set_connections(&self, connections: usize) {
        self.connections.store(connections as u64, Relaxed);
    }

    fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            micros: self.micros.load(Relaxed),
            busy: self.busy.load(Relaxed),
            connections: self.connections.load(Relaxed),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

//! How many programs run at a time, and who waits until there is room for another.
//!
//! A program too many is not a failure: it is started when another has ended, in the order in which
//! they were asked for. Each connection asks for one at a time, so no client can push ahead.

use super::slab::Key;
use crate::{engine::Cgi, policy::Policy};
use nix::sys::resource::{Resource, getrlimit};
use std::{collections::VecDeque, thread};

/// Programs for each core where `CGIScriptLimit` is unsaid: most of them wait for something.
const FOR_EACH_CORE: u64 = 64;

/// A program that is to be started when there is room.
#[derive(Debug)]
pub struct Waiting {
    /// The program.
    pub cgi: Box<Cgi>,
    /// Whether it may be given input.
    pub input: bool,
    /// What it was given meanwhile; the connection gives no more until that was taken.
    pub fed: Vec<u8>,
    /// That was all.
    pub closed: bool,
}

impl Waiting {
    /// One that was given nothing yet.
    pub fn new(cgi: Box<Cgi>, input: bool) -> Waiting {
        Waiting { cgi, input, fed: Vec::new(), closed: false }
    }
}

/// One worker's share of the programs.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    /// Connections, first come first served. Some may have left.
    waiting: VecDeque<Key>,
}

impl Admission {
    /// The share of one of so many workers.
    pub fn new(policy: &Policy, workers: usize) -> Admission {
        Admission { most: share(policy, workers), waiting: VecDeque::new() }
    }

    /// A new configuration holds.
    pub fn reload(&mut self, policy: &Policy, workers: usize) {
        self.most = share(policy, workers);
    }

    /// Whether another program may be started while so many run, and nobody waits.
    pub fn has_room(&self, running: usize) -> bool {
        running < self.most && self.waiting.is_empty()
    }

    /// A connection's program has to wait.
    pub fn wait(&mut self, connection: Key) {
        self.waiting.push_back(connection);
    }

    /// One whose turn it was has to wait on, before all others.
    pub fn wait_on(&mut self, connection: Key) {
        self.waiting.push_front(connection);
    }

    /// Whether a connection waits.
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The connection whose turn it is, if there is room.
    pub fn next(&mut self, running: usize) -> Option<Key> {
        if running < self.most { self.waiting.pop_front() } else { None }
    }
}

fn share(policy: &Policy, workers: usize) -> usize {
    let said = policy.process.script_limit.as_ref().map(|said| u64::from(said.value));
    let most = said.unwrap_or_else(|| standard(cores(), processes()));
    usize::try_from(most.div_ceil(workers.max(1) as u64)).unwrap_or(usize::MAX).max(1)
}

/// What holds unless `CGIScriptLimit` says another number: so many for each core, but no more than
/// half of the processes that the server's user may have.
fn standard(cores: u64, processes: u64) -> u64 {
    (cores * FOR_EACH_CORE).min(processes / 2).max(1)
}

fn cores() -> u64 {
    thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// RLIMIT_NPROC. It does not hold for root, but programs of root's server run as another user.
fn processes() -> u64 {
    getrlimit(Resource::RLIMIT_NPROC).map_or(u64::MAX, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(most: usize) -> Admission {
        Admission { most, waiting: VecDeque::new() }
    }

    #[test]
    fn the_standard_leaves_the_user_other_processes() {
        assert_eq!(standard(2, u64::MAX), 128);
        assert_eq!(standard(2, 100), 50);
        assert_eq!(standard(2, 1), 1);
    }

    #[test]
    fn first_come_first_served() {
        let mut admission = admission(2);
        assert!(admission.has_room(1) && !admission.has_room(2));
        [3, 4, 5].into_iter().for_each(|n| admission.wait(Key::fixed(n)));
        // Nobody passes those who wait, even if there is room.
        assert!(!admission.has_room(1));
        assert_eq!(admission.next(2), None);
        assert_eq!(admission.next(1), Some(Key::fixed(3)));
        admission.wait_on(Key::fixed(3));
        assert_eq!(
            [1, 1, 1, 1].map(|running| admission.next(running)),
            [3, 4, 5, 0].map(|n| (n > 0).then(|| Key::fixed(n)))
        );
    }
}

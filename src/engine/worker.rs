//! What outlives a request within one worker: memos, caches, the texts of `.htaccess` files.

use super::{
    files::FileCache,
    repeats::Repeats,
    scoreboard::{Score, Scoreboard},
};
use crate::{
    diag::Sources,
    policy::{
        Conf, ConfId, Merged, Merges, Policy, htaccess::HtaccessCache, section::Section, server::Server,
    },
};
use rustc_hash::FxHashMap;
use std::{
    any::{Any, TypeId},
    cell::OnceCell,
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

/// A server's settings outside of all sections.
#[derive(Debug)]
struct Base {
    id: ConfId,
    shared: Arc<Conf>,
    own: OnceCell<Merged>,
}

/// The state of one worker. Nothing in it is shared, so nothing is locked.
#[derive(Debug)]
pub struct Worker {
    /// The memo of merges.
    pub merges: Merges,
    /// `.htaccess` files by path.
    pub htaccess: HtaccessCache,
    /// Contents of small files.
    pub files: FileCache,
    /// A buffer for the numbers of sections, lent to one walk at a time.
    pub(super) found: Vec<usize>,
    /// The policy's texts, and those of `.htaccess` files behind them.
    pub sources: Sources,
    sections: FxHashMap<u64, Merged>,
    /// Settings outside of all sections, by number; made when first asked for.
    bases: Vec<Base>,
    /// The counts of all workers.
    pub scoreboard: Arc<Scoreboard>,
    /// Its own.
    pub score: Arc<Score>,
    /// Its number among them.
    pub number: usize,
    /// Answers that may be given again.
    pub(super) repeats: Repeats,
    /// Number of the event loop's turn.
    pub(super) turn: u64,
    /// Whether the next head began to arrive before the turn did.
    pub(super) waited: bool,
    slots: FxHashMap<TypeId, Box<dyn Any>>,
}

impl Worker {
    /// What is told to an exchange next was read from the client in the event loop's turn of this number;
    /// `waited`: its first bytes were there when the turn began, and nothing of them was read since.
    pub fn arrived(&mut self, turn: u64, waited: bool) {
        (self.turn, self.waited) = (turn, waited);
    }

    /// A worker that knows nothing yet, and is alone.
    pub fn new(policy: &Policy) -> Self {
        Worker::among(policy, Scoreboard::new(1, SystemTime::UNIX_EPOCH), 0)
    }

    /// One of several that count on the same scoreboard.
    pub fn among(policy: &Policy, scoreboard: Arc<Scoreboard>, number: usize) -> Self {
        let base = |server: &Server| Base {
            id: ConfId(server.dir_id),
            shared: server.dir.clone(),
            own: OnceCell::new(),
        };
        Worker {
            merges: Merges::new(policy.next_id),
            htaccess: HtaccessCache::default(),
            files: FileCache::default(),
            found: Vec::new(),
            sources: policy.sources.clone(),
            sections: FxHashMap::default(),
            bases: policy.servers.iter().map(base).collect(),
            score: scoreboard.of(number),
            scoreboard,
            number,
            repeats: Repeats::default(),
            turn: 0,
            waited: false,
            slots: FxHashMap::default(),
        }
    }

    /// The settings outside of all sections of a server (lookup_defaults).
    pub fn base(&self, server: usize) -> Merged {
        let base = &self.bases[server];
        let make = || Merged { id: base.id, conf: Rc::new((*base.shared).clone()) };
        base.own.get_or_init(make).clone()
    }

    /// A section's settings with their number.
    pub fn section(&mut self, section: &Section) -> Merged {
        if self.sections.len() > Merges::LIMIT {
            self.sections.clear();
        }
        let make = || Merged { id: ConfId(section.id), conf: Rc::new((*section.conf).clone()) };
        self.sections.entry(section.id).or_insert_with(make).clone()
    }

    /// How many answers are kept to be given again, and how often one was.
    pub fn repeats(&self) -> (usize, u64) {
        self.repeats.counts()
    }

    /// A module's own memory in this worker (counters, pools, caches).
    pub fn slot<T: Default + 'static>(&mut self) -> &mut T {
        let slot = self.slots.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        slot.downcast_mut().expect("slots are keyed by type")
    }
}

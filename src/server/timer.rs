//! One timer for each connection and child, set and reset many times a second without a system
//! call.
//!
//! A heap holds the moments at which to look; what a timer is really set to stands with its owner.
//! Setting it later only changes the owner's field: when the moment in the heap comes, it is put
//! back for the later one. A keep-alive connection, whose timer is set twice for every request, so
//! costs the heap one entry per time-out and not two per request.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

/// What a timer is set to; kept by its owner.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer {
    deadline: Option<Instant>,
    /// The earliest moment at which the heap will look at it.
    queued: Option<Instant>,
}

/// What [`Timers::look`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Its time has come; it is not set any more.
    Fired,
    /// Not yet, or it is not set.
    Waiting,
}

/// The moments at which to look at timers; `K` names the owner of one.
#[derive(Debug)]
pub struct Timers<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Timers { heap: BinaryHeap::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// Sets an owner's timer, or stops it.
    pub fn set(&mut self, owner: K, timer: &mut Timer, deadline: Option<Instant>) {
        timer.deadline = deadline;
        let Some(deadline) = deadline else { return };
        if timer.queued.is_none_or(|queued| deadline < queued) {
            timer.queued = Some(deadline);
            self.heap.push(Reverse((deadline, owner)));
        }
    }

    /// Takes the next owner to look at, if its moment has come.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, K)> {
        let due = self.heap.peek().is_some_and(|Reverse((at, _))| *at <= now);
        due.then(|| self.heap.pop()).flatten().map(|Reverse(entry)| entry)
    }

    /// Looks at an owner whose entry of the moment `at` was popped.
    pub fn look(&mut self, owner: K, timer: &mut Timer, at: Instant, now: Instant) -> Look {
        if timer.queued != Some(at) {
            return Look::Waiting;
        }
        timer.queued = None;
        match timer.deadline {
            Some(deadline) if deadline <= now => {
                timer.deadline = None;
                Look::Fired
            }
            later => {
                self.set(owner, timer, later);
                Look::Waiting
            }
        }
    }

    /// How long until the next look; `None`: there is nothing to wait for.
    pub fn next(&self, now: Instant) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs all looks due at `now`; which owners fired.
    fn run(timers: &mut Timers<usize>, owners: &mut [Timer], now: Instant) -> Vec<usize> {
        let mut fired = Vec::new();
        while let Some((at, owner)) = timers.pop(now) {
            if timers.look(owner, &mut owners[owner], at, now) == Look::Fired {
                fired.push(owner);
            }
        }
        fired
    }

    #[test]
    fn fires_in_order_and_once() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut owners = [Timer::default(); 2];
        timers.set(0, &mut owners[0], Some(start + 2 * SECOND));
        timers.set(1, &mut owners[1], Some(start + SECOND));
        assert_eq!(timers.next(start), Some(SECOND));
        assert_eq!(run(&mut timers, &mut owners, start), [0usize; 0]);
        assert_eq!(run(&mut timers, &mut owners, start + 3 * SECOND), [1, 0]);
        assert_eq!(run(&mut timers, &mut owners, start + 9 * SECOND), [0usize; 0]);
        assert_eq!(timers.next(start), None);
    }

    #[test]
    fn setting_it_later_adds_nothing_to_the_heap() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut owners = [Timer::default()];
        for n in 1..1000 {
            timers.set(0, &mut owners[0], Some(start + n * SECOND));
        }
        assert_eq!(timers.heap.len(), 1);
        assert_eq!(run(&mut timers, &mut owners, start + 998 * SECOND), [0usize; 0]);
        assert_eq!(timers.heap.len(), 1);
        assert_eq!(run(&mut timers, &mut owners, start + 999 * SECOND), [0]);
    }

    #[test]
    fn setting_it_earlier_fires_earlier_and_once() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut owners = [Timer::default()];
        timers.set(0, &mut owners[0], Some(start + 9 * SECOND));
        timers.set(0, &mut owners[0], Some(start + SECOND));
        assert_eq!(run(&mut timers, &mut owners, start + SECOND), [0]);
        assert_eq!(run(&mut timers, &mut owners, start + 10 * SECOND), [0usize; 0]);
    }

    #[test]
    fn a_stopped_timer_does_not_fire_but_can_be_set_again() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut owners = [Timer::default()];
        timers.set(0, &mut owners[0], Some(start + SECOND));
        timers.set(0, &mut owners[0], None);
        assert_eq!(run(&mut timers, &mut owners, start + 2 * SECOND), [0usize; 0]);
        timers.set(0, &mut owners[0], Some(start + 3 * SECOND));
        assert_eq!(run(&mut timers, &mut owners, start + 3 * SECOND), [0]);
    }
}

//! When a program that computes may start.
//!
//! Programs that compute are not done sooner for being started all at once: an interpreter that is
//! set aside for fifteen others finds its caches cold. So those that took long when they last ran
//! start one after another, for each core: the next when the one before has said its first word,
//! has gone to sleep, or has had its time. Quick programs, and those that wait for something else
//! than the processor, start at once.

use super::{child::Program, slab::Key, slab::Slab};
use bstr::BString;
use rustc_hash::FxHashSet;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// A program that computes longer before its first word is slow.
const LONG: Duration = Duration::from_millis(4);

/// So long a program may make others wait.
const TURN: Duration = Duration::from_millis(30);

/// How often to ask whether a program that makes others wait has gone to sleep.
const LOOK: Duration = Duration::from_millis(2);

/// So many slow programs are remembered.
const REMEMBERED: usize = 1000;

/// What is remembered of a program from its start to its first word.
#[derive(Debug)]
pub struct Start {
    program: BString,
    at: Instant,
    /// Programs of this worker that had said nothing yet when it was started, itself included.
    beside: usize,
    look: Instant,
    slept: bool,
}

impl Start {
    /// Whether it may be computing, which the number of its process tells.
    pub fn is_busy(&mut self, process: i32, now: Instant) -> bool {
        if now >= self.look {
            self.look = now + LOOK;
            self.slept |= is_asleep(process);
        }
        !self.slept && now < self.at + TURN
    }
}

/// One worker's pace.
#[derive(Debug, Default)]
pub struct Pace {
    slow: FxHashSet<BString>,
    /// Slow programs that were started and may not have said anything yet.
    starting: Vec<Key>,
    /// Whether a program was made to wait for them.
    held: bool,
}

impl Pace {
    /// Whether a program has to wait for those that are starting; `most` may at a time.
    pub fn holds(
        &mut self,
        program: &BString,
        most: usize,
        programs: &mut Slab<Program>,
        now: Instant,
    ) -> bool {
        self.held = self.slow.contains(program) && {
            self.starting
                .retain(|key| programs.get_mut(*key).is_some_and(|program| program.is_starting(now)));
            self.starting.len() >= most
        };
        self.held
    }

    /// A program was started under this key.
    pub fn started(&mut self, program: BString, key: Key, beside: usize, now: Instant) -> Start {
        if self.slow.contains(&program) {
            self.starting.push(key);
        }
        Start { program, at: now, beside, look: now + LOOK, slept: false }
    }

    /// A program said its first word, or ended without one.
    pub fn spoke(&mut self, start: Start, now: Instant) {
        // Those that ran beside it had their share of the processor.
        let took = (now - start.at) / u32::try_from(start.beside.max(1)).unwrap_or(u32::MAX);
        if took < LONG || start.slept {
            self.slow.remove(&start.program);
        } else if self.slow.len() < REMEMBERED {
            self.slow.insert(start.program);
        }
    }

    /// When to see again whether the program that has to wait may start.
    pub fn timeout(&self) -> Option<Duration> {
        self.held.then_some(LOOK)
    }
}

/// How many slow programs each of so many workers starts at a time.
pub fn at_a_time(workers: usize) -> usize {
    thread::available_parallelism().map_or(1, usize::from).div_ceil(workers.max(1))
}

/// The state in proc_pid_stat(5). Where there is no such file, nobody is made to wait.
fn is_asleep(process: i32) -> bool {
    let Ok(text) = fs::read(format!("/proc/{process}/stat")) else { return true };
    // The name before it is in parentheses, and may hold some.
    let state = text.iter().rposition(|byte| *byte == b')').and_then(|at| text.get(at + 2));
    state != Some(&b'R')
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn start(beside: usize, at: Instant) -> Start {
        Start { program: "/p".into(), at, beside, look: at + LOOK, slept: false }
    }

    /// Whether a program is remembered as slow that said its first word after `took`.
    #[track_caller]
    fn check(took: Duration, beside: usize, slept: bool, expected: bool) {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for before in [false, true] {
            pace.slow.clear();
            pace.slow.extend(before.then(|| BString::from("/p")));
            pace.spoke(Start { slept, ..start(beside, now) }, now + took);
            assert_eq!(pace.slow.contains(&BString::from("/p")), expected, "{before}");
        }
    }

    #[test]
    fn what_is_slow() {
        check(3 * MS, 1, false, false);
        check(5 * MS, 1, false, true);
        check(5 * MS, 2, false, false);
        check(9 * MS, 2, false, true);
        check(1000 * MS, 1, true, false);
    }

    /// Runs a program until `reached` says so of its number; what `then` says of it.
    fn with<T>(program: &[&str], reached: fn(i32) -> bool, then: fn(i32) -> T) -> T {
        let mut child = std::process::Command::new(program[0]).args(&program[1..]).spawn().unwrap();
        let process = i32::try_from(child.id()).unwrap();
        let done = (0..500).any(|_| {
            thread::sleep(MS);
            reached(process)
        });
        let said = then(process);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(done);
        said
    }

    #[test]
    fn one_that_computes_has_its_turn_and_no_more() {
        let busy = with(
            &["sh", "-c", "while :; do :; done"],
            |process| !is_asleep(process),
            |process| {
                let now = Instant::now();
                let mut start = start(1, now);
                [29, 30].map(|after| start.is_busy(process, now + after * MS))
            },
        );
        assert_eq!(busy, [true, false]);
    }

    #[test]
    fn one_that_sleeps_makes_nobody_wait() {
        let busy = with(&["sleep", "9"], is_asleep, |process| {
            let now = Instant::now();
            let mut start = start(1, now);
            [1, 2, 3].map(|after| start.is_busy(process, now + after * MS))
        });
        assert_eq!(busy, [true, false, false]);
    }

    #[test]
    fn nobody_waits_for_a_program_that_is_gone() {
        let (mut pace, mut programs) = (Pace::default(), Slab::default());
        let now = Instant::now();
        pace.slow.insert("/p".into());
        pace.started("/p".into(), Key::fixed(7), 1, now);
        assert!(!pace.holds(&"/p".into(), 1, &mut programs, now));
        assert_eq!(pace.timeout(), None);
    }
}

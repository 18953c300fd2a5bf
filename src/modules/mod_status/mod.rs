//! mod_status: what the server is doing, as a page for people and as lines for programs.
//!
//! Manual: `mod/mod_status.html`. Apache counts processes and their threads; here there is one process,
//! and an event loop takes the place of a thread. A loop answers many requests at a time, so it has a
//! letter on the scoreboard for each, and for each connection that waits for a next request.

use super::strftime::{local, strftime};
use crate::{
    engine::{Answer, Content, Counts, Cx, Hook, Module, Order, Phase, Verdict, urls},
    http::{Method, MethodSet, escape},
    policy::SaidExt,
};
use bstr::{BString, ByteSlice};
use std::fmt::Write;

mod page;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_status",
    source: "mod_status.c",
    identifier: "status_module",
    hooks: &[Hook { phase: Phase::Handler, order: Order::MIDDLE, run: handler }],
    ..Module::NOTHING
};

/// Longest line of letters for one event loop.
const LETTERS: u64 = 512;

/// How the page is wanted.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    auto: bool,
    no_table: bool,
}

fn handler(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.handler.as_ref().is_none_or(|handler| handler != "server-status") {
        return Verdict::Declined;
    }
    cx.req.allowed = cx.req.allowed.union(MethodSet::of(&[Method::Get]));
    if !matches!(cx.req.method, Method::Get | Method::Head) {
        return Verdict::Declined;
    }
    let query = cx.req.args.clone().unwrap_or_default();
    let wish = Wish { auto: query.contains_str("auto"), no_table: query.contains_str("notable") };
    if let Some(at) = query.find("refresh") {
        let value = query[at + "refresh".len()..].strip_prefix(b"=").unwrap_or_default();
        let seconds = super::apr::leading_number(value);
        cx.req.headers_out.set("Refresh", if seconds > 0 { seconds } else { 10 }.to_string());
    }
    let kind = if wish.auto { "text/plain; charset=ISO-8859-1" } else { "text/html; charset=ISO-8859-1" };
    cx.req.content_type = Some(kind.into());
    cx.note(format_args!("the state of the server is told"));
    let state = State::of(cx);
    let text = if wish.auto { state.lines() } else { page::page(&state, cx, wish) };
    Verdict::Answer(Answer::Content(Content::Bytes(text.into())))
}

/// All that there is to tell.
#[derive(Debug)]
struct State {
    host: BString,
    version: String,
    now: BString,
    started: BString,
    up: u64,
    generation: u64,
    load: [f64; 3],
    /// Seconds: own user and system time, that of ended programs.
    cpu: [f64; 4],
    loops: Vec<Counts>,
    all: Counts,
    extended: bool,
}

impl State {
    fn of(cx: &Cx<'_>) -> State {
        const FORMAT: &[u8] = b"%A, %d-%b-%Y %H:%M:%S %Z";
        let board = &cx.worker.scoreboard;
        let now = cx.system().now();
        let loops = board.counts();
        let sum = |part: fn(&Counts) -> u64| loops.iter().map(part).sum();
        let read = |path: &str| cx.system().read(std::path::Path::new(path), 4096).unwrap_or_default();
        State {
            host: escape::html(&urls::server_name(cx.engine, cx.req)).into_owned().into(),
            version: urls::server_software(&cx.engine.policy),
            now: strftime(FORMAT, &local(now)).into(),
            started: strftime(FORMAT, &local(board.started())).into(),
            up: now.duration_since(board.started()).map_or(0, |since| since.as_secs()),
            generation: board.generation(),
            load: load(&read("/proc/loadavg")),
            cpu: cpu(&read("/proc/self/stat")),
            all: Counts {
                requests: sum(|counts| counts.requests),
                bytes: sum(|counts| counts.bytes),
                micros: sum(|counts| counts.micros),
                busy: sum(|counts| counts.busy),
                connections: sum(|counts| counts.connections),
            },
            loops,
            extended: cx.engine.policy.process.extended_status.value_or(true),
        }
    }

    /// Loops that have nothing to do.
    fn idle(&self) -> usize {
        self.loops.iter().filter(|counts| counts.busy == 0).count()
    }

    /// Connections that wait for a request.
    fn waiting(&self) -> u64 {
        self.all.connections.saturating_sub(self.all.busy)
    }

    /// A letter for each request and each waiting connection; `_` for a loop that has neither.
    fn letters(&self) -> String {
        let mut letters = String::new();
        for counts in &self.loops {
            let busy = counts.busy.min(LETTERS);
            let waiting = counts.connections.saturating_sub(counts.busy).min(LETTERS - busy);
            letters.extend((0..busy).map(|_| 'W'));
            letters.extend((0..waiting).map(|_| 'K'));
            if busy + waiting == 0 {
                letters.push('_');
            }
        }
        letters
    }

    /// `?auto`: a line for each figure.
    fn lines(&self) -> String {
        let mut out = String::new();
        self.write_lines(&mut out).expect("writing to memory does not fail");
        out
    }

    fn write_lines(&self, out: &mut String) -> std::fmt::Result {
        let State { host, version, now, started, up, generation, load, cpu, all, .. } = self;
        writeln!(out, "{host}\nServerVersion: {version}\nServerMPM: event")?;
        writeln!(out, "Server Built: {}\nCurrentTime: {now}\nRestartTime: {started}", urls::BUILT)?;
        writeln!(out, "ParentServerConfigGeneration: {}", generation + 1)?;
        writeln!(out, "ParentServerMPMGeneration: {generation}\nServerUptimeSeconds: {up}")?;
        writeln!(out, "ServerUptime:{}", in_words(*up))?;
        writeln!(out, "Load1: {:.2}\nLoad5: {:.2}\nLoad15: {:.2}", load[0], load[1], load[2])?;
        if self.extended {
            let millis = all.micros / 1000;
            writeln!(out, "Total Accesses: {}\nTotal kBytes: {}", all.requests, all.bytes >> 10)?;
            writeln!(
                out,
                "Total Duration: {millis}\nCPUUser: {}\nCPUSystem: {}",
                short(cpu[0]),
                short(cpu[1])
            )?;
            writeln!(out, "CPUChildrenUser: {}\nCPUChildrenSystem: {}", short(cpu[2]), short(cpu[3]))?;
            if let Some(percent) = self.cpu_load() {
                writeln!(out, "CPULoad: {}", short(percent))?;
            }
            writeln!(out, "Uptime: {up}")?;
            if *up > 0 {
                writeln!(out, "ReqPerSec: {}", short(ratio(all.requests, *up)))?;
                writeln!(out, "BytesPerSec: {}", short(ratio(all.bytes, *up)))?;
            }
            if all.requests > 0 {
                writeln!(out, "BytesPerReq: {}", short(ratio(all.bytes, all.requests)))?;
                writeln!(out, "DurationPerReq: {}", short(ratio(millis, all.requests)))?;
            }
        }
        writeln!(out, "BusyWorkers: {}\nGracefulWorkers: 0\nIdleWorkers: {}", all.busy, self.idle())?;
        writeln!(out, "Processes: 1\nStopping: 0\nConnsTotal: {}", all.connections)?;
        writeln!(out, "ConnsAsyncWaitIO: 0\nConnsAsyncWriting: {}", all.busy)?;
        writeln!(out, "ConnsAsyncKeepAlive: {}\nConnsAsyncClosing: 0", self.waiting())?;
        writeln!(out, "Scoreboard: {}", self.letters())
    }

    /// How much of one core the server took since it was started, in percent.
    fn cpu_load(&self) -> Option<f64> {
        let seconds: f64 = self.cpu.iter().sum();
        #[allow(clippy::cast_precision_loss, reason = "a figure of three digits")]
        (seconds > 0.0 && self.up > 0).then(|| seconds / self.up as f64 * 100.0)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a figure of six digits")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// The three figures of /proc/loadavg.
fn load(text: &[u8]) -> [f64; 3] {
    let mut words = text.to_str().unwrap_or_default().split_whitespace();
    std::array::from_fn(|_| words.next().and_then(|word| word.parse().ok()).unwrap_or(0.0))
}

/// Times of /proc/self/stat (proc(5), fields 14 to 17), in seconds. A tick is a hundredth.
fn cpu(text: &[u8]) -> [f64; 4] {
    let after_name = text.rfind_byte(b')').map_or(&b""[..], |at| &text[at + 1..]);
    let mut words = after_name.to_str().unwrap_or_default().split_whitespace().skip(11);
    std::array::from_fn(|_| words.next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0) / 100.0)
}

/// A time in words, each with a blank before it.
fn in_words(seconds: u64) -> String {
    let parts = [
        ("day", seconds / 86_400),
        ("hour", seconds / 3600 % 24),
        ("minute", seconds / 60 % 60),
        ("second", seconds % 60),
    ];
    let said = parts.into_iter().filter(|(_, count)| *count > 0);
    said.map(|(name, count)| format!(" {count} {name}{}", if count == 1 { "" } else { "s" })).collect()
}

/// A number in six digits without zeros at its end, and without one before its point (`%g` of APR).
fn short(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let before = number.abs().log10().floor();
    if !(-5.0..6.0).contains(&before) {
        return format!("{number:.5e}");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10")]
    let text = format!("{number:.*}", (5.0 - before) as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.strip_prefix('0').filter(|rest| !rest.is_empty()).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_apache_prints_them() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (1.0 / 6.0, ".166667"),
            (0.5, ".5"),
            (1316.0, "1316"),
            (12.345_678_9, "12.3457"),
            (123_456.7, "123457"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn times_in_words() {
        assert_eq!(in_words(0), "");
        assert_eq!(in_words(61), " 1 minute 1 second");
        assert_eq!(in_words(2 * 86_400 + 3600 + 5), " 2 days 1 hour 5 seconds");
    }

    #[test]
    fn files_of_proc() {
        assert_eq!(load(b"0.58 0.47 0.24 1/123 4567\n"), [0.58, 0.47, 0.24]);
        assert_eq!(cpu(b"1 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 100 25 20"), [2.5, 0.5, 1.0, 0.25]);
        assert_eq!((load(b""), cpu(b"")), ([0.0; 3], [0.0; 4]));
    }
}

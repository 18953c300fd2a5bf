//! Peers that misbehave, one in each test: clients, and programs. Whatever one of them does, the
//! others are answered, and afterwards the server is as it was before.
//!
//! With `ORACLE` set the same peers meet Apache too, so that what is expected here is what it does.

mod clients;
mod crowds;
mod floods;
mod nesting;
mod programs;
#[allow(dead_code)]
#[path = "../support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything may take that is not waiting for a time-out.
const PATIENCE: Duration = Duration::from_secs(8);

const CONF: &str = "\
ScriptAlias /cgi-bin/ $ROOT/cgi-bin/
<Directory />
    Require all granted
</Directory>
Timeout 1
KeepAliveTimeout 5
";

/// The servers to be tested.
fn kinds() -> &'static [Kind] {
    let oracle = std::env::var("ORACLE").is_ok_and(|value| !value.is_empty());
    if oracle {
        server::demand_apache();
    }
    if oracle { &[Kind::Rachis, Kind::Apache] } else { &[Kind::Rachis] }
}

/// A running server, and what it held before anyone misbehaved.
struct Peer {
    site: Site,
    kind: Kind,
    before: Vitals,
}

/// What a server holds.
#[derive(Clone, Copy, Debug)]
struct Vitals {
    descriptors: usize,
    children: usize,
    /// Resident memory in kB.
    memory: u64,
}

impl Vitals {
    fn of(pid: u32) -> Vitals {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Vitals { descriptors, children: children(pid), memory: memory(pid) }
    }
}

/// Runs `test` with a fresh server of each kind, and demands that ours holds afterwards what it
/// held before.
#[track_caller]
fn each(more: &str, files: &[(&str, &[u8])], test: impl Fn(&mut Peer)) {
    for &kind in kinds() {
        let mut peer = Peer::start(kind, more, files);
        test(&mut peer);
        peer.is_as_before();
    }
}

impl Peer {
    #[track_caller]
    fn start(kind: Kind, more: &str, files: &[(&str, &[u8])]) -> Peer {
        let mut site = Site::new(kind).expect("an empty site");
        site.write("htdocs/index.html", b"hello\n", 0o644).expect("a file");
        for (name, text) in files {
            let mode = if name.starts_with("cgi-bin/") { 0o755 } else { 0o644 };
            site.write(name, text, mode).expect("a file");
        }
        let conf = site.fill(&format!("{CONF}{more}"));
        site.configure(&conf, &[]).expect("a configuration");
        site.start().expect("the server starts");
        let mut peer = Peer { site, kind, before: Vitals { descriptors: 0, children: 0, memory: 0 } };
        peer.lives();
        let pid = peer.pid();
        // All workers have begun and nothing is left of the first request.
        let mut same = 0;
        while same < 5 {
            thread::sleep(Duration::from_millis(10));
            let now = Vitals::of(pid);
            let settled = now.descriptors == peer.before.descriptors && now.children == peer.before.children;
            same = if settled { same + 1 } else { 0 };
            peer.before = now;
        }
        peer
    }

    fn is_rachis(&self) -> bool {
        self.kind == Kind::Rachis
    }

    fn pid(&self) -> u32 {
        self.site.pid().expect("a running server")
    }

    /// A client's connection.
    #[track_caller]
    fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.site.port())).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("a socket");
        Client(stream)
    }

    /// The answer to these bytes, the client's side shut behind them or not.
    #[track_caller]
    fn ask(&self, bytes: &[u8]) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.rest()
    }

    /// The answer to GET on a connection of its own.
    #[track_caller]
    fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// Another client is answered, and soon.
    #[track_caller]
    fn lives(&self) {
        let begun = Instant::now();
        let answer = self.get("/");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello\n"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(4), "another client waited {:?}", begun.elapsed());
    }

    /// The error log, once it holds this.
    #[track_caller]
    fn logs(&self, expected: &str) {
        let read = || fs::read(self.site.root().join("logs/error_log")).unwrap_or_default();
        let begun = Instant::now();
        loop {
            let log = String::from_utf8_lossy(&read()).into_owned();
            if log.contains(expected) {
                return;
            }
            let name = self.kind.name();
            assert!(begun.elapsed() < PATIENCE, "{name}: no {expected:?} in the error log:\n{}", short(&log));
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The server is up, answers, and holds no more than before.
    #[track_caller]
    fn is_as_before(&self) {
        self.lives();
        if !self.is_rachis() {
            return;
        }
        let (pid, before) = (self.pid(), self.before);
        let begun = Instant::now();
        loop {
            let now = Vitals::of(pid);
            if now.descriptors <= before.descriptors && now.children <= before.children {
                let grown = now.memory.saturating_sub(before.memory);
                assert!(grown < MEMORY, "memory has grown by {grown} kB");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "before {before:?}, now {now:?}: {:?}", open(pid));
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resident memory in kB above what the server began with.
    fn grown(&self) -> u64 {
        memory(self.pid()).saturating_sub(self.before.memory)
    }
}

/// How much, in kB, a server may grow by one misbehaving peer: caches and buffers that are kept.
const MEMORY: u64 = 8 * 1024;

/// A client's connection.
struct Client(TcpStream);

impl Client {
    /// Sends; that the server no longer listens is no error, its answer tells.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Sends byte by byte, each in a segment of its own.
    fn dribble(&mut self, bytes: &[u8]) {
        bytes.chunks(1).for_each(|byte| self.send(byte));
    }

    fn shut(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Closes so that the server gets a reset.
    fn reset(self) {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = nix::sys::socket::setsockopt(&self.0, nix::sys::socket::sockopt::Linger, &linger);
    }

    /// Everything until the server closes; a reset counts as that.
    #[track_caller]
    fn rest(&mut self) -> String {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("the server does not close: {error}; it said {:?}", short(&lossy(&all))),
            }
        }
        lossy(&all)
    }

    /// Reads so many bytes, fewer if the server closes; how many.
    fn take(&mut self, most: usize) -> usize {
        let (mut read, mut buffer) = (0, vec![0; 64 * 1024]);
        while read < most {
            let room = buffer.len().min(most - read);
            match self.0.read(&mut buffer[..room]) {
                Ok(count) if count > 0 => read += count,
                _ => break,
            }
        }
        read
    }

    /// Reads until this was seen.
    #[track_caller]
    fn until(&mut self, end: &str) -> String {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        while !lossy(&all).contains(end) {
            match self.0.read(&mut buffer) {
                Ok(count) if count > 0 => all.extend_from_slice(&buffer[..count]),
                end => panic!("{end:?} after {:?}", short(&lossy(&all))),
            }
        }
        lossy(&all)
    }
}

/// The status lines in a stream of answers, without the version.
fn statuses(answers: &str) -> Vec<&str> {
    let line = |at: usize| answers[at + 9..].split("\r\n").next().unwrap_or_default();
    answers.match_indices("HTTP/1.1 ").map(|(at, _)| line(at)).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn short(text: &str) -> String {
    text.chars().take(2000).collect()
}

/// Processes whose parent is `pid`, zombies included.
fn children(pid: u32) -> usize {
    let is_child = |entry: &fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        parent == Some(pid.to_string().as_str())
    };
    fs::read_dir("/proc").expect("a /proc").flatten().filter(is_child).count()
}

/// What the process has open.
fn open(pid: u32) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("a running server");
    entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Waits until something holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

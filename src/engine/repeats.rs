//! Answers that are given again, to the byte, because nothing that led to them has changed.
//!
//! The key is the whole head of the request, with the client's address and the one it reached; the
//! policy belongs to the worker. What the decision saw of the file system is kept beside the answer and
//! asked again each time. Whatever else a decision may depend on (the time, a file's content, names of
//! hosts, a module's memory) ends the recording: [`super::Cx::once`], and [`super::Cx::system`] by itself.
//! An answer is kept once its head came twice.
//!
//! What was asked of the file system is the answer to every request that had begun to arrive by then: a
//! change that a client makes before it sends a request is older than the request's first byte, and so older
//! than a look that came after it. So the requests whose bytes were all there when a turn of the event loop
//! began share one look ([`super::Worker::arrived`]).

use super::{
    exchange::Piece,
    request::{Connection, Request},
};
use crate::{
    http::{Status, date},
    system::{self, Opened, Stat, System},
};
use bstr::{BString, ByteSlice};
use rustc_hash::{FxHashMap, FxHasher};
use std::{
    cell::Cell,
    hash::Hasher,
    io,
    net::{IpAddr, SocketAddr},
    time::{SystemTime, UNIX_EPOCH},
};

/// Longest head that is remembered.
pub const LONGEST_HEAD: usize = 4096;

/// Longest content that is remembered.
const LONGEST_BODY: u64 = 64 * 1024;

/// Longest content that is kept behind its head, so that both go out as one.
const SHORT: u64 = 8 * 1024;

/// Most answers kept by a worker; when there are more it begins anew.
const MOST: usize = 512;

/// Most things of the file system that one answer may depend on.
const MOST_SEEN: usize = 16;

/// No turn has this number.
const NEVER: u64 = u64::MAX;

/// How many heads are remembered as having come once.
const ONCE: usize = 1024;

/// What the file system said of a path.
#[derive(Clone, Debug)]
struct Seen {
    path: BString,
    /// Whether links were followed: stat(2), else lstat(2).
    follow: bool,
    /// `None`: nothing is there.
    stat: Option<Stat>,
}

impl Seen {
    fn holds(&self, system: &dyn System) -> bool {
        let name = system::path(&self.path);
        let now = if self.follow { system.stat(name) } else { system.lstat(name) };
        match (self.stat, now) {
            (Some(then), Ok(now)) => then == now,
            (None, Err(error)) => is_absent(&error),
            _ => false,
        }
    }
}

/// Whether nothing is there, in a directory or where a file stands in its place.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What a request has seen of the file system, as long as it asked for nothing else.
#[derive(Clone, Debug, Default)]
pub struct Record {
    begun: bool,
    ended: Cell<bool>,
    seen: Vec<Seen>,
}

impl Record {
    /// For a request whose answer may be kept.
    pub fn begun() -> Record {
        Record { begun: true, ..Record::default() }
    }

    /// Whether what is seen is to be told.
    pub fn is_on(&self) -> bool {
        self.begun && !self.ended.get()
    }

    /// The decision depends on something else.
    pub fn end(&self) {
        self.ended.set(true);
    }

    /// It depends on this.
    pub fn saw(&mut self, path: &[u8], follow: bool, found: &io::Result<Stat>) {
        if !self.is_on() {
            return;
        }
        let stat = match found {
            Ok(stat) => Some(*stat),
            Err(error) if is_absent(error) => None,
            Err(_) => return self.end(),
        };
        if self.seen.len() == MOST_SEEN {
            return self.end();
        }
        self.seen.push(Seen { path: path.into(), follow, stat });
    }
}

/// An answer.
#[derive(Debug)]
pub struct Repeat {
    key: Key,
    seen: Vec<Seen>,
    /// The turn in which all of that was seen to hold.
    turn: u64,
    /// The request that was answered, for the logs.
    pub request: Box<Request>,
    /// The answer's head, with a short body behind it.
    bytes: Vec<u8>,
    /// Where in it the date stands.
    date: usize,
    /// A longer body.
    rest: Option<Piece>,
    /// Length of the body.
    pub body: u64,
    /// Whether the connection goes on.
    pub persists: bool,
    /// MaxKeepAliveRequests; 0 is no limit.
    pub max_requests: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    head: Vec<u8>,
    client: IpAddr,
    local: SocketAddr,
}

/// The answers of one worker.
#[derive(Debug, Default)]
pub struct Repeats {
    answers: FxHashMap<u64, Box<Repeat>>,
    /// Heads that came once, by a part of their hash.
    once: Vec<u64>,
    given: u64,
    /// The date as text, of this second.
    second: u64,
    text: [u8; date::LEN],
}

impl Repeats {
    /// How many answers are kept, and how often one was given again.
    pub fn counts(&self) -> (usize, u64) {
        (self.answers.len(), self.given)
    }

    /// The answer to this head, out of the store for as long as it is being given, if nothing has changed.
    pub fn take(&mut self, asked: &Asked<'_>, system: &dyn System) -> Option<Box<Repeat>> {
        if self.answers.is_empty() {
            return None;
        }
        let Asked { head, conn, turn, waited } = *asked;
        let mut repeat = self.answers.remove(&hash(head, conn))?;
        let Key { head: known, client, local } = &repeat.key;
        if known != head || *client != conn.client.ip() || *local != conn.local {
            return None;
        }
        let known_to_hold = waited && repeat.turn == turn;
        if !known_to_hold && repeat.seen.iter().any(|seen| !seen.holds(system)) {
            return None;
        }
        repeat.turn = turn;
        Some(repeat)
    }

    /// Puts an answer back that [`Repeats::take`] gave.
    pub fn put_back(&mut self, repeat: Box<Repeat>, conn: &Connection) {
        let hash = hash(&repeat.key.head, conn);
        self.answers.insert(hash, repeat);
    }

    /// Whether an answer to this head is worth keeping: the second time it is.
    pub fn wants(&mut self, head: &[u8], conn: &Connection) -> bool {
        let hash = hash(head, conn);
        self.once.resize(ONCE, 0);
        let slot = &mut self.once[usize::try_from(hash >> 32).unwrap_or(0) % ONCE];
        std::mem::replace(slot, hash) == hash
    }

    /// Keeps an answer, if nothing but its date can differ the next time.
    pub fn keep(&mut self, given: Given<'_>) {
        let Given { head, mut request, answer, body, persists, max_requests, conn } = given;
        let date = answer.find(b"\r\nDate: ").map(|at| at + b"\r\nDate: ".len());
        let Some(date) = date.filter(|at| answer.len() >= at + date::LEN) else { return };
        if !lasts(&request) || answer.contains_str(b"\r\nKeep-Alive:") {
            return;
        }
        let [piece @ Piece::File { file: Opened::Bytes(content), at: 0, len, .. }] = body else { return };
        if *len > LONGEST_BODY || *len != content.len() as u64 {
            return;
        }
        let (bytes, rest) = match *len <= SHORT {
            true => ([answer, content].concat(), None),
            false => (answer.to_vec(), Some(piece.clone())),
        };
        let seen = std::mem::take(&mut request.record.seen);
        if self.answers.len() >= MOST {
            self.answers.clear();
        }
        let key = Key { head: head.to_vec(), client: conn.client.ip(), local: conn.local };
        let hash = hash(head, conn);
        let turn = NEVER;
        let repeat =
            Repeat { key, seen, turn, request, bytes, date, rest, body: *len, persists, max_requests };
        self.answers.insert(hash, Box::new(repeat));
    }

    /// The bytes of an answer with the date of now.
    pub fn pieces(&mut self, repeat: &Repeat, now: SystemTime) -> (Vec<u8>, Option<Piece>) {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            self.text = date::format(second.cast_signed());
        }
        self.given += 1;
        let mut bytes = repeat.bytes.clone();
        bytes[repeat.date..repeat.date + date::LEN].copy_from_slice(&self.text);
        (bytes, repeat.rest.clone())
    }
}

/// A request's head that has come.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The head.
    pub head: &'a [u8],
    /// The connection.
    pub conn: &'a Connection,
    /// Number of the event loop's turn.
    pub turn: u64,
    /// Whether its first bytes were there when the turn began.
    pub waited: bool,
}

/// An answer that was given.
#[derive(Debug)]
pub struct Given<'g> {
    /// The request's head.
    pub head: &'g [u8],
    /// The request, as the logs are to know it.
    pub request: Box<Request>,
    /// The answer's head.
    pub answer: &'g [u8],
    /// Its body.
    pub body: &'g [Piece],
    /// Whether the connection goes on.
    pub persists: bool,
    /// MaxKeepAliveRequests.
    pub max_requests: u32,
    /// The connection.
    pub conn: &'g Connection,
}

/// Whether the answer to this request stays the same for as long as what it saw does.
fn lasts(request: &Request) -> bool {
    let Some(stat) = request.stat else { return false };
    // Validators of a file are weak for a second after its change.
    let change = i128::max(stat.mtime_ns, stat.ctime_ns);
    let now = request.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let old = i128::try_from(now).is_ok_and(|now| now - change > 2_000_000_000);
    let fields =
        ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"];
    old && request.record.is_on()
        && request.status == Status::OK
        && request.prev.is_none()
        && request.user.is_none()
        && request.log.is_empty()
        && request.records.is_empty()
        && !fields.iter().any(|name| request.headers_in.contains(name))
}

fn hash(head: &[u8], conn: &Connection) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(head);
    match conn.client.ip() {
        IpAddr::V4(ip) => hasher.write_u32(ip.to_bits()),
        IpAddr::V6(ip) => hasher.write_u128(ip.to_bits()),
    }
    hasher.write_u16(conn.local.port());
    hasher.finish()
}

//! What goes between an exchange and the event loop: what happened, what is to be sent, what is
//! asked for.

use crate::{
    engine::{
        answer::{Cgi, Found, Pending},
        request::LogEntry,
    },
    system::Opened,
};
use std::{net::SocketAddr, time::Duration};

/// What happened outside, told by the event loop.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes came from the client. Only given while [`Exchange::wants_client`] holds.
    Client(&'a [u8]),
    /// The client closed its sending side; it may still be reading.
    ClientEof,
    /// The client is gone: reset, or a write failed. Nothing can be sent any more.
    ClientGone,
    /// Every piece handed out so far was written.
    Drained,
    /// Bytes of the program's standard output. Only given while [`Exchange::wants_child`] holds.
    Child(&'a [u8]),
    /// A piece of the program's standard error.
    ChildStderr(&'a [u8]),
    /// Standard output was closed by everyone who had it.
    ChildClosed,
    /// The program ended; raw wait status.
    ChildExit(i32),
    /// Everything given with [`Ask::FeedChild`] was written, or the program does not read any more.
    ChildFed,
    /// The program could not be started: which step failed, and how.
    SpawnFailed(&'static str, std::io::Error),
    /// The answer to [`Ask::Resolve`].
    Found(Found),
    /// The time asked for with [`Ask::Wake`] is over.
    Deadline,
    /// The server is being stopped gracefully: no further request on this connection.
    Stopping,
}

/// What goes to the client, in order.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A range of an open file: by sendfile(2) where `sendfile` allows it.
    File {
        /// The file.
        file: Opened,
        /// First byte.
        at: u64,
        /// How many.
        len: u64,
        /// Whether sendfile(2) may be used.
        sendfile: bool,
    },
}

impl Piece {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the event loop is asked to do besides, in order.
#[derive(Debug)]
pub enum Ask {
    /// Start a program, in a process group of its own, with pipes for its three streams.
    Spawn {
        /// The program.
        cgi: Box<Cgi>,
        /// Whether it may be given input; else its standard input is at its end from the start.
        input: bool,
    },
    /// Write to the program's standard input.
    FeedChild(Vec<u8>),
    /// Close the program's standard input once everything is written.
    CloseChildInput,
    /// Kill the program's process group, and reap it.
    KillChild,
    /// Forget the program: its answer is complete. It is reaped when it ends; if it still runs
    /// after a while it is killed.
    LeaveChild,
    /// Set the one timer of the connection, or stop it. The loop starts it again with the same time
    /// whenever bytes go to the client or come from it, so that it measures a standstill.
    Wake(Option<Duration>),
    /// Find something out on the helper pool.
    Resolve(Pending),
    /// Close the connection when every piece is written: shut down the sending side, read and
    /// throw away what the client still sends for a short while (Apache's lingering close).
    Close,
    /// The same, but without waiting for the client: it asked for the end, and has nothing more to send.
    Finish,
    /// Close the connection at once.
    Abort,
}

/// An entry of the error log, with what its line names.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Which server's log.
    pub server: usize,
    /// The client, if the entry is about a request.
    pub client: Option<SocketAddr>,
    /// The entry.
    pub entry: LogEntry,
}

/// What is to be done after an input. The event loop empties it.
#[derive(Debug, Default)]
pub struct Output {
    /// To the client, in order.
    pub pieces: Vec<Piece>,
    /// Everything else, in order.
    pub asks: Vec<Ask>,
    /// For the error log.
    pub errors: Vec<Logged>,
    /// For the other logs: number of the target in [`crate::policy::Policy::log_targets`], and the
    /// line with its end.
    pub lines: Vec<(usize, Vec<u8>)>,
}

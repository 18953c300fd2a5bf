//! The server: sockets, event loops, programs, signals, logs. It performs what the engine decides,
//! and is the only room that knows how.
//!
//! One thread per core runs an event loop ([`worker`]) over its own connections; they share the
//! listening sockets and nothing else. The thread that calls [`Bound::run`] only waits for orders:
//! signals, and what a [`Handle`] says.

mod accept;
mod admission;
mod child;
mod connection;
mod detach;
mod error_format;
pub mod host;
mod listen;
mod log;
mod outbox;
mod pace;
mod pidfd;
mod piped;
mod process;
mod resolve;
mod run;
mod sendfile;
mod signals;
mod slab;
mod spawn;
#[cfg(test)]
mod tests;
mod timer;
mod worker;

pub use detach::{Detached, detach};
pub use process::{Command, Told, already_running, pid_file, signal_running};
pub use run::{Bound, Handle, Ready, Reload, Server};
pub use signals::Order;

use crate::engine::LogEntry;
use std::{fmt, io};

/// Why the server did not start, in Apache's words: lines for standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartError {
    /// The lines, without their ends.
    pub lines: Vec<String>,
}

impl StartError {
    /// An error of one line.
    pub fn line(line: impl Into<String>) -> StartError {
        StartError { lines: vec![line.into()] }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for StartError {}

/// How the server is run, besides what the configuration says.
#[derive(Debug)]
pub struct Options {
    /// How many event loops; 0: one for each core.
    pub workers: usize,
    /// Error log of a server that names none; relative to ServerRoot.
    pub error_log: String,
    /// Where to write the process number if `PidFile` does not say; relative to ServerRoot.
    /// `None`: only if it says.
    pub pid_file: Option<String>,
    /// Whether the error log tells of starts and stops.
    pub notices: bool,
    /// Whether to obey signals; not where the server is a guest in another program.
    pub signals: bool,
    /// What the log calls the server: `Apache/2.4.71 (Unix)`.
    pub version: String,
    /// What the log says it was started with; empty: nothing.
    pub command_line: String,
    /// What there is to say of the configuration, for the error log.
    pub warnings: Vec<LogEntry>,
    /// The caller to tell when all is ready.
    pub detached: Option<Detached>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            workers: 0,
            error_log: "logs/error_log".to_owned(),
            pid_file: None,
            notices: true,
            signals: true,
            version: String::new(),
            command_line: String::new(),
            warnings: Vec::new(),
            detached: None,
        }
    }
}

/// An error of the system as Apache prints it: `(98)Address already in use`.
fn os_error(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code @ crate::engine::apr::TIMEUP) => format!("({code})The timeout specified has expired"),
        Some(code @ crate::engine::apr::INCOMPLETE) => {
            format!("({code})Partial results are valid but processing is incomplete")
        }
        Some(code) => {
            let text = error.to_string();
            let suffix = format!(" (os error {code})");
            format!("({code}){}", text.strip_suffix(&suffix).unwrap_or(&text))
        }
        None => error.to_string(),
    }
}

/// The name that Apache's messages give the program: that of its file.
fn program_name() -> &'static str {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| {
        let first = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&first).file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "httpd".to_owned())
    })
}

//! What to do, as a value. The event loop performs it; `explain` prints it.

use super::{cx::Cx, module::Verdict, password::Check, request::Request};
use crate::{
    http::{
        Status,
        cgi::{CgiError, CgiHead},
    },
    policy::core_conf::ResourceLimit,
    system::{Opened, Stat},
};
use bstr::BString;
use std::{net::IpAddr, time::Duration};

/// What becomes of a request. Status, headers and log entries are in [`Decision::request`].
#[derive(Debug)]
pub enum Answer {
    /// A head and this content; [`Status`] and headers are the request's.
    Content(Content),
    /// A CGI program.
    Spawn(Box<Cgi>),
    /// The connection is closed without a word.
    Close,
}

/// A body that is known before the answer begins.
#[derive(Debug)]
pub enum Content {
    /// None.
    Empty,
    /// In memory.
    Bytes(Vec<u8>),
    /// A file, or what comes after its beginning.
    File {
        /// The open file.
        file: Opened,
        /// How many bytes at its beginning are left out.
        skip: u64,
        /// What stat said when it was opened.
        stat: Stat,
        /// Whether sendfile(2) may be used (EnableSendfile).
        sendfile: bool,
    },
}

/// A CGI program to run, and who reads the head it prints.
#[derive(Debug)]
pub struct Cgi {
    /// The program, absolute.
    pub program: BString,
    /// Its arguments, the first of which is its own name (argv\[0\]).
    pub argv: Vec<BString>,
    /// Its whole environment.
    pub env: Vec<(BString, BString)>,
    /// Working directory.
    pub cwd: BString,
    /// How many bytes of the request's body are kept for [`CgiFault::input`].
    pub keep_input: usize,
    /// How many bytes of its output are kept for [`CgiFault::output`]; with none, the few that an
    /// explanation needs. With some, a program whose head is wrong is read to its end.
    pub keep_output: usize,
    /// Its output is sent as it is, head and all (`nph-…`).
    pub nph: bool,
    /// How long to wait for each piece of output.
    pub timeout: Duration,
    /// RLimitCPU, RLimitMEM, RLimitNPROC.
    pub limits: [Option<ResourceLimit>; 3],
    /// Reads the head: given what [`crate::http::cgi`] made of it, says how to go on. `Ok` relays
    /// the rest of the output as the body; the other verdicts mean what they mean in a hook.
    pub on_head: fn(&mut Cx<'_>, Result<Box<CgiHead>, CgiFault>) -> Verdict,
    /// Makes log entries of a line of standard error.
    pub on_stderr: fn(&mut Cx<'_>, &[u8]),
    /// Makes log entries of a failed start or of a time-out.
    pub on_failure: fn(&mut Cx<'_>, &CgiFailure) -> Verdict,
}

/// A program that printed no head, and what is known of its end.
#[derive(Clone, Debug)]
pub struct CgiFault {
    /// What is wrong with its output.
    pub error: CgiError,
    /// The first bytes of the request's body, as many as were to be kept.
    pub input: BString,
    /// The first bytes of its output, as many as were kept.
    pub output: BString,
    /// Its raw wait status, if it has ended already.
    pub exit: Option<i32>,
}

/// How a CGI program can fail without printing anything.
#[derive(Debug)]
pub enum CgiFailure {
    /// It could not be started: the error of execve(2), chdir(2) or the like.
    Exec {
        /// Which step: "exec", "chdir", "fork", "setrlimit".
        step: &'static str,
        /// The error.
        error: std::io::Error,
    },
    /// It printed nothing for as long as its time-out.
    Timeout {
        /// Whether its head had been sent already.
        body: bool,
    },
    /// The body of the request could not be read to its end.
    Input(BodyFault),
}

/// Why the body of a request is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is too long or cannot be read, which the log says already: the status to answer with.
    Refused(Status),
    /// The client was silent for too long.
    TimedOut,
    /// The client sends no more of it.
    CutOff,
}

impl BodyFault {
    /// The status that the request ends with.
    pub fn status(self) -> Status {
        match self {
            BodyFault::Refused(status) => status,
            BodyFault::TimedOut => Status(408),
            BodyFault::CutOff => Status(400),
        }
    }
}

/// A finished decision.
#[derive(Debug)]
pub struct Decision {
    /// The request that is answered: the last of a chain of internal redirects.
    pub request: Box<Request>,
    /// What to do.
    pub answer: Answer,
}

impl Decision {
    /// The status that the client will see; for a CGI program, before it said anything.
    pub fn status(&self) -> Status {
        self.request.status
    }
}

/// What is needed before a hook can answer, and takes too long to do in the event loop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pending {
    /// The name of an address.
    NameOf(IpAddr),
    /// The addresses of a name.
    AddressesOf(BString),
    /// Whether a password fits a hash.
    Password(Check),
}

/// The answer to a [`Pending`], which [`super::request::Lookups::learn`] takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The name of an address.
    Name(IpAddr, Option<BString>),
    /// The addresses of a name.
    Addresses(BString, Vec<IpAddr>),
    /// Whether the password fits.
    Password(Check, bool),
}

/// Where a decision stands.
#[derive(Debug)]
pub enum Progress {
    /// Made.
    Done(Decision),
    /// To be gone on with once the thing asked for is in the connection's [`super::request::Lookups`].
    Wait(Box<Request>, Pending),
}

/// What was sent for a finished request, for the access log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Bytes of the body, as `%B` counts them.
    pub body: u64,
    /// Bytes written to the connection, heads included (`%O`).
    pub total: u64,
    /// Bytes read for the request, head included (`%I`).
    pub received: u64,
    /// From the first byte of the request to the end of the answer.
    pub duration: Duration,
    /// Whether the client left before the end (`%X` is `X`).
    pub aborted: bool,
    /// Whether the connection is kept (`%X` is `+`).
    pub keep_alive: bool,
    /// Process or worker number (`%P`, `%{tid}P`).
    pub worker: u32,
}

//! Settings of the server as a process: what it listens on, as whom it runs, where its pid goes.

use super::{
    conf::{Said, Setting},
    regex::Defaults,
    suexec::Suexec,
};
use bstr::BString;
use std::{net::SocketAddr, time::Duration};

/// One `Listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; an IPv6 wildcard takes IPv4 as well where the system allows it.
    pub address: SocketAddr,
    /// The protocol, if one was named.
    pub protocol: Option<BString>,
    /// Address text as written, for messages; empty for a bare port.
    pub host: String,
}

impl Listen {
    /// The protocol: as named, or https for port 443 and http for all others.
    pub fn protocol(&self) -> &[u8] {
        match &self.protocol {
            Some(named) => named,
            None if self.address.port() == 443 => b"https",
            None => b"http",
        }
    }
}

/// What core, mod_unixd and the mpm say about the process as a whole.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// `ServerRoot`, absolute.
    pub server_root: BString,
    /// `Listen`, in order.
    pub listen: Vec<Setting<Listen>>,
    /// `ListenBackLog`.
    pub backlog: Said<u32>,
    /// `AcceptFilter`: protocols, and whether their connections are taken only when data has come.
    pub accept_filters: Vec<(BString, bool)>,
    /// `PidFile`.
    pub pid_file: Said<BString>,
    /// `User`: a name or `#` and a number.
    pub user: Said<BString>,
    /// `Group`: a name or `#` and a number.
    pub group: Said<BString>,
    /// `ChrootDir`.
    pub chroot: Said<BString>,
    /// `Suexec`, and whether the wrapper can be used.
    pub suexec: Suexec,
    /// `CoreDumpDirectory`.
    pub core_dump_directory: Said<BString>,
    /// `DefaultRuntimeDir`.
    pub runtime_dir: Said<BString>,
    /// `ServerTokens`, one of Major, Minor, Minimal, ProductOnly, OS, Full.
    pub tokens: Said<Tokens>,
    /// `MaxRequestWorkers`: most connections served at a time.
    pub max_request_workers: Said<u32>,
    /// `AsyncRequestWorkerFactor`: how many idle connections there may be for each of those.
    pub async_factor: Said<f64>,
    /// What the event MPM is told of its processes and threads; our workers are event loops.
    pub sizes: Sizes,
    /// `TeachingErrors`.
    pub teaching: Said<Teaching>,
    /// `DecisionHeader`: whether answers name the lines that decided.
    pub decision_header: Said<bool>,
    /// `CGIScriptLimit`: most programs that run at a time.
    pub script_limit: Said<u32>,
    /// `MaxConnectionsPerChild`.
    pub max_connections_per_child: Said<u32>,
    /// `GracefulShutdownTimeout`.
    pub graceful_shutdown_timeout: Said<Duration>,
    /// `SendBufferSize`, bytes.
    pub send_buffer_size: Said<u32>,
    /// `ReceiveBufferSize`, bytes.
    pub receive_buffer_size: Said<u32>,
    /// `LimitInternalRecursion`: internal redirects.
    pub internal_redirects: Said<u32>,
    /// `LimitInternalRecursion`: depth of sub-requests.
    pub sub_request_depth: Said<u32>,
    /// Methods that the configuration made known: `RegisterHttpMethod`, `<Limit>`.
    pub methods: Vec<BString>,
    /// What `RegexDefaultOptions` says of expressions from here on.
    pub regex: Defaults,
    /// `ExtendedStatus`.
    pub extended_status: Said<bool>,
    /// `SeeRequestTail`.
    pub see_request_tail: bool,
    /// `UseCanonicalPhysicalPort` and friends are per directory; this is `Mutex`, kept as said.
    pub mutexes: Vec<Setting<BString>>,
}

impl Process {
    /// Whether connections to this socket are taken only when data has come: unless AcceptFilter says
    /// `none`, those of http and https are.
    pub fn waits_for_data(&self, listen: &Listen) -> bool {
        let protocol = listen.protocol();
        let said = self.accept_filters.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(protocol));
        said.map_or(matches!(protocol, b"http" | b"https"), |(_, waits)| *waits)
    }
}

/// Where explanations of requests are given: `TeachingErrors`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Teaching {
    /// Nowhere.
    #[default]
    Off,
    /// In the error log.
    Log,
    /// There, and on error pages for clients of this machine.
    On,
    /// There, and on everybody's error pages.
    All,
}

/// Sizes of an Apache that is built of processes and threads, as they were written.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// `ServerLimit`.
    pub server_limit: Said<i64>,
    /// `ThreadLimit`.
    pub thread_limit: Said<i64>,
    /// `ThreadsPerChild`.
    pub threads_per_child: Said<i64>,
    /// `MaxRequestWorkers`.
    pub max_request_workers: Said<i64>,
    /// `StartServers`.
    pub start_servers: Said<i64>,
    /// `MinSpareThreads`.
    pub min_spare_threads: Said<i64>,
}

/// `ServerTokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// `Apache/2`
    Major,
    /// `Apache/2.4`
    Minor,
    /// `Apache/2.4.71`
    Minimal,
    /// `Apache`
    ProductOnly,
    /// `Apache/2.4.71 (Debian)`
    Os,
    /// The same, with modules.
    Full,
}

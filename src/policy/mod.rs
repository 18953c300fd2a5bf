//! The policy: a directive tree and the modules' tables, made into sections that can be found by
//! path, settings that know the line that made them, and virtual hosts.

pub mod compile;
pub mod conf;
pub mod core_conf;
pub mod directive;
pub mod expr;
pub mod fnmatch;
pub mod htaccess;
pub mod lacking;
pub mod place;
pub mod process;
pub mod reading;
pub mod regex;
pub mod section;
pub mod server;
pub mod strmatch;
pub mod suexec;
pub mod table;

pub use conf::{Conf, ConfId, Config, Group, Kind, Merged, Merges, Said, SaidExt, Setting};
pub use core_conf::{CoreDir, CoreServer, OptionBits};
pub use directive::{Applied, Args, Directive, Mistake, Scope, Shape};
pub use place::{Place, Within};

use crate::diag::Sources;
use std::sync::Arc;

/// A configuration, read and checked: immutable, shared by all workers.
#[derive(Debug)]
pub struct Policy {
    /// The texts that settings point into.
    pub sources: Sources,
    /// The tables it was read with.
    pub tables: Arc<table::Tables>,
    /// The main server, then the virtual hosts.
    pub servers: Vec<server::Server>,
    /// The choice among them.
    pub vhosts: server::Vhosts,
    /// What is said about the process.
    pub process: process::Process,
    /// Log files and pipes to open at start.
    pub log_targets: Vec<compile::LogTarget>,
    /// The directives that took effect, if an active module tells them.
    pub tree: Vec<crate::syntax::Node>,
    /// Definitions and macros, which `.htaccess` files may use.
    pub state: crate::syntax::State,
    /// First number that no section has.
    pub next_id: u64,
}

impl Policy {
    /// The main server.
    pub fn main(&self) -> &server::Server {
        &self.servers[0]
    }
}

//! The engine: what a module is, and the one loop from a request to a decision.
//!
//! A decision has no effect beyond reading the [`System`](crate::system::System): what is to be
//! done is part of its value and is done by `server`. `explain` makes the same call with the trace
//! on, so there is never a second implementation.

mod access;
mod answer;
pub mod apr;
mod authn;
mod authz;
mod body_limits;
mod cx;
mod decide;
mod errors;
pub mod exchange;
pub mod expression;
mod files;
pub mod filter;
pub mod incoming;
pub mod log;
mod module;
mod password;
mod repeats;
mod request;
mod response;
pub mod scoreboard;
#[cfg(test)]
mod tests;
mod trace;
pub mod urls;
mod walk;
mod worker;

pub use access::Satisfy;
pub use answer::{
    Answer, BodyFault, Cgi, CgiFailure, CgiFault, Content, Decision, Found, Pending, Progress, Sent,
};
pub use authn::{Authn, AuthnFunctions, RealmHash, functions};
pub use authz::{Authz, Requirement, parsed, requirement};
pub use body_limits::BodyLimits;
pub use cx::{Cx, LookedUp};
pub use decide::{Cursor, Engine, phase_order};
pub use files::FileCache;
pub use module::{Answering, Hook, LogLines, Made, Module, Order, Phase, StartCheck, Verdict};
pub use request::{Connection, LogEntry, Lookups, Request, Table, Version};
pub use scoreboard::{Counts, Scoreboard};
pub use trace::{Event, Note, Trace};
pub use walk::{directory_walk, file_walk, if_walk, location_walk};
pub use worker::Worker;

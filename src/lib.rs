//! **rachis** reads Apache's `httpd.conf` and `.htaccess` unchanged, decides per request whether a
//! path is served, executed as CGI, or denied, and says why.
//!
//! Configuration text becomes a lossless directive tree ([`syntax`]); the tree and the modules'
//! tables become a policy tree ([`policy`]); for each request one [`engine`] walks the policy tree
//! and the modules' hooks to **one decision, as a value**; the `server` performs the decision;
//! `explain` prints it.

pub mod cli;
pub mod diag;
pub mod engine;
pub mod explain;
pub mod http;
pub mod modules;
pub mod policy;
pub mod server;
pub mod syntax;
pub mod system;

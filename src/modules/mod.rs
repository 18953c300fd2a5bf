//! The modules, one file (or folder) each, named as Apache names them. [`ALL`] is the only list;
//! its order is the order in which equals are asked.

pub mod mod_cgi;
pub mod mod_cgid;
pub mod mod_log_config;

use crate::engine::Module;

/// Every module of this server.
pub static ALL: &[&Module] = &[&mod_cgi::MODULE, &mod_cgid::MODULE, &mod_log_config::MODULE];

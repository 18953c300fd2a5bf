//! The modules, one file (or folder) each, named as Apache names them. [`ALL`] is the only list;
//! its order is the order in which equals are asked.

use crate::engine::Module;

mod client;
pub mod mod_access_compat;
pub mod mod_authz_core;
pub mod mod_authz_host;

/// Every module of this server.
pub static ALL: &[&Module] = &[&mod_access_compat::MODULE, &mod_authz_core::MODULE, &mod_authz_host::MODULE];

//! The modules, one file (or folder) each, named as Apache names them. [`ALL`] is the only list;
//! its order is the order in which equals are asked.

mod client;
pub mod core;
pub mod http_core;
pub mod mod_access_compat;
pub mod mod_authz_core;
pub mod mod_authz_host;
pub mod mod_so;
pub mod mod_unixd;
pub mod mod_version;
pub mod mpm_event;

use crate::engine::Module;

/// Every module of this server.
pub static ALL: &[&Module] = &[
    &core::MODULE,
    &http_core::MODULE,
    &mod_access_compat::MODULE,
    &mod_authz_core::MODULE,
    &mod_authz_host::MODULE,
    &mod_so::MODULE,
    &mod_unixd::MODULE,
    &mod_version::MODULE,
    &mpm_event::MODULE,
];

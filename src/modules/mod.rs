//! The modules, one file (or folder) each, named as Apache names them. [`ALL`] is the only list;
//! its order is the order in which equals are asked.

use crate::engine::Module;

/// Every module of this server.
pub static ALL: &[&Module] = &[];

//! The modules, one file (or folder) each, named as Apache names them. [`ALL`] is the only list;
//! its order is the order in which equals are asked.

use crate::engine::Module;

mod apr;
pub mod mod_alias;
pub mod mod_dir;
pub mod mod_env;
pub mod mod_mime;
pub mod mod_setenvif;
#[cfg(test)]
mod testing;

/// Every module of this server.
pub static ALL: &[&Module] =
    &[&mod_alias::MODULE, &mod_dir::MODULE, &mod_env::MODULE, &mod_mime::MODULE, &mod_setenvif::MODULE];

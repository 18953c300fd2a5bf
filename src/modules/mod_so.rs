//! `LoadModule`, which chooses among the modules compiled in; it acts while reading.

use super::core::{nothing, rows};
use crate::engine::Module;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_so",
    source: "mod_so.c",
    identifier: "so_module",
    always: true,
    directives: rows! {
        "LoadModule" Two SERVER nothing,
            "a module name and the name of a shared object file to load it from",
            "makes a module active; the name decides, the file is not opened";
        "LoadFile" Each SERVER nothing, "shared object file or library to load into the server at runtime",
            "accepted without effect: nothing is loaded";
    },
    ..Module::NOTHING
};

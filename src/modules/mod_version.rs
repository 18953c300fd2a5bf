//! `<IfVersion>`, which acts while reading.

use super::core::{nothing, rows};
use crate::engine::Module;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_version",
    source: "mod_version.c",
    identifier: "version_module",
    always: true,
    directives: rows! {
        "<IfVersion" OneTwoThree ALL nothing, "a comparison operator, a version (and a delimiter)",
            "directives that count only for some versions; acts while reading";
    },
    ..Module::NOTHING
};

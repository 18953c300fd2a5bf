//! mod_macro: `<Macro>`, `Use`, `UndefMacro`. They act while reading, in `syntax`; here stand the rows
//! by which the reading knows that the module is there.

use super::core::{nothing, rows};
use crate::engine::Module;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_macro",
    source: "mod_macro.c",
    identifier: "macro_module",
    directives: rows! {
        "<Macro" Raw ALL nothing, "Beginning of a macro definition section.",
            "lines under a name, with parameters";
        "Use" Argv ALL nothing, "Use of a macro.",
            "puts a macro's lines here, its parameters replaced";
        "UndefMacro" One ALL nothing, "Remove a macro definition.",
            "forgets a macro";
        "MacroIgnoreEmptyArgs" Flag ALL nothing, "Globally ignore warnings about empty arguments.",
            "no warnings about empty arguments";
        "MacroIgnoreBadNesting" Flag ALL nothing, "Globally ignore warnings about bad nesting.",
            "no warnings about sections that a macro leaves open";
    },
    ..Module::NOTHING
};

//! x
pub static MODULE: crate::engine::Module = crate::engine::Module { ..crate::engine::Module::NOTHING };

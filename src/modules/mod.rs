//! One file per Apache module.

//! The policy tree.

pub mod expr;
pub mod fnmatch;
pub mod regex;
pub mod strmatch;

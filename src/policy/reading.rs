//! stub
use super::{Policy, place::Overrides};
use crate::{
    diag::{Diagnostic, FileId, Sources},
    syntax::Node,
    system::System,
};
pub struct Reading {
    pub nodes: Vec<Node>,
    pub diagnostics: Vec<Diagnostic>,
}
pub fn read_htaccess(
    _p: &Policy,
    _s: &mut Sources,
    _y: &dyn System,
    _f: FileId,
    _m: usize,
    _o: &Overrides,
) -> Reading {
    Reading { nodes: vec![], diagnostics: vec![] }
}

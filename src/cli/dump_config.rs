//! `-D DUMP_CONFIG`, which is mod_info's: the directives that took effect, as Apache prints them.
//!
//! Only the tree of the second stage is there: what acts while reading (LoadModule, Define, Include,
//! `<IfModule>`, Use …) is gone, and what it led to stands in its place.

use super::config::Loaded;
use crate::{
    policy::table::{Lookup, Tables},
    syntax::Node,
};
use bstr::{BString, ByteSlice};

/// The source file of the module that has this dump.
const MODULE: &[u8] = b"mod_info.c";

/// The dump, if mod_info is loaded: without it the name means nothing to Apache.
pub fn config(loaded: &Loaded) -> Option<BString> {
    loaded.policy.tables.is_active(MODULE).then(|| {
        let mut dump = Dump { loaded, file: None, text: BString::default() };
        dump.nodes(&loaded.nodes, 0);
        dump.text
    })
}

struct Dump<'l> {
    loaded: &'l Loaded,
    /// Name of the file that was told last.
    file: Option<&'l str>,
    text: BString,
}

impl<'l> Dump<'l> {
    fn nodes(&mut self, nodes: &[Node], depth: usize) {
        for node in nodes {
            self.file_of(node);
            self.line(depth, &[format!("#{:4}:", node.line).as_bytes()]);
            let name = canonical_name(&self.loaded.policy.tables, node);
            let args = node.args();
            match args.is_empty() {
                true => self.line(depth, &[&name]),
                false => self.line(depth, &[&name, b" ", args]),
            }
            // An empty section is not closed.
            if !node.children.is_empty() {
                self.nodes(&node.children, depth + 1);
                self.file_of(node);
                self.line(depth, &[b"</", name.trim_start_with(|c| c == '<'), b">"]);
            }
        }
    }

    /// Names the file of a directive, unless it is the one before's.
    fn file_of(&mut self, node: &Node) {
        let file = self.loaded.sources().name(node.span.file);
        if self.file != Some(file) {
            self.file = Some(file);
            self.line(0, &[b"# In file: ", file.as_bytes()]);
        }
    }

    fn line(&mut self, depth: usize, parts: &[&[u8]]) {
        self.text.extend(std::iter::repeat_n(*b"  ", depth).flatten());
        parts.iter().for_each(|part| self.text.extend_from_slice(part));
        self.text.push(b'\n');
    }
}

/// A directive's name as its module spells it; a section's with its `<`.
fn canonical_name(tables: &Tables, node: &Node) -> BString {
    match tables.lookup(&node.name) {
        Lookup::Found(_, row) | Lookup::Inactive(_, row) => row.name.into(),
        Lookup::Lacking(_, row) => row.directive.name.into(),
        Lookup::Unknown => node.name.clone(),
    }
}

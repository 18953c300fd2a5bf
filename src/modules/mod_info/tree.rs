//! The directives that took effect: as lines of text for `-D DUMP_CONFIG`, as HTML for the page.
//!
//! Only the tree of the second stage is there: what acts while reading (LoadModule, Define, Include,
//! `<IfModule>`, Use …) is gone, and what it led to stands in its place.

use crate::{
    http::escape,
    policy::{
        Policy,
        table::{Lookup, Tables},
    },
    syntax::Node,
};
use bstr::{BString, ByteSlice};

/// The tree as text.
pub fn text(policy: &Policy) -> BString {
    Walk::of(policy, Form::Text)
}

/// The tree as items of a definition list; of a module (its source file), what belongs to it and the
/// sections around that.
pub fn html(policy: &Policy, module: Option<&str>) -> BString {
    Walk::of(policy, Form::Html(module))
}

/// How the tree is told.
#[derive(Clone, Copy)]
enum Form<'m> {
    Text,
    Html(Option<&'m str>),
}

struct Walk<'p> {
    policy: &'p Policy,
    form: Form<'p>,
    /// Name of the file that was told last.
    file: Option<&'p str>,
    out: BString,
}

impl<'p> Walk<'p> {
    fn of(policy: &'p Policy, form: Form<'p>) -> BString {
        let mut walk = Walk { policy, form, file: None, out: BString::default() };
        walk.nodes(&policy.tree, 0);
        walk.out
    }

    fn nodes(&mut self, nodes: &[Node], depth: usize) {
        for node in nodes {
            if !self.tells(node) {
                continue;
            }
            self.file_of(node);
            let name = canonical_name(&self.policy.tables, node);
            // An empty section is not closed.
            if node.children.is_empty() {
                self.directive(node, &name, depth);
                continue;
            }
            self.open(node, &name, depth);
            self.nodes(&node.children, depth + 1);
            self.file_of(node);
            self.close(name.trim_start_with(|c| c == '<'), depth);
        }
    }

    /// Whether a directive or section belongs to what is told.
    fn tells(&self, node: &Node) -> bool {
        let Form::Html(Some(module)) = self.form else { return true };
        match node.children.as_slice() {
            [] => source(&self.policy.tables, node) == Some(module),
            children => children.iter().any(|child| self.tells(child)),
        }
    }

    /// Names the file of a directive, unless it is the one before's.
    fn file_of(&mut self, node: &Node) {
        let file = self.policy.sources.name(node.span.file);
        if self.file == Some(file) {
            return;
        }
        self.file = Some(file);
        match self.form {
            Form::Text => self.put(&[b"# In file: ", file.as_bytes(), b"\n"]),
            Form::Html(_) => {
                let name = escape::html(file.as_bytes());
                self.put(&[b"<dd><tt><strong>In file: ", &name, b"</strong></tt></dd>\n"]);
            }
        }
    }

    fn directive(&mut self, node: &Node, name: &[u8], depth: usize) {
        let args = node.args();
        match self.form {
            Form::Text => {
                let number = format!("#{:4}:\n", node.line);
                let indent = "  ".repeat(depth);
                let blank: &[u8] = if args.is_empty() { b"" } else { b" " };
                let indent = indent.as_bytes();
                self.put(&[indent, number.as_bytes(), indent, name, blank, args, b"\n"]);
            }
            Form::Html(_) => {
                self.number(&node.line.to_string(), depth);
                let (name, args) = (escape::html(name), escape::html(args));
                self.put(&[&name, b" <i>", &args, b"</i></tt></dd>\n"]);
            }
        }
    }

    fn open(&mut self, node: &Node, name: &[u8], depth: usize) {
        match self.form {
            Form::Text => self.directive(node, name, depth),
            Form::Html(_) => {
                self.number(&node.line.to_string(), depth);
                let (name, args) = (escape::html(name), escape::html(node.args()));
                self.put(&[&name, b" ", &args, b"</tt></dd>\n"]);
            }
        }
    }

    fn close(&mut self, name: &[u8], depth: usize) {
        match self.form {
            Form::Text => self.put(&["  ".repeat(depth).as_bytes(), b"</", name, b">\n"]),
            Form::Html(_) => {
                self.number("", depth);
                self.put(&[b"&lt;/", &escape::html(name), b"&gt;</tt></dd>"]);
            }
        }
    }

    /// The beginning of an item: the line's number to the right of a column of four, and the indent.
    fn number(&mut self, number: &str, depth: usize) {
        let before = "&nbsp;".repeat(4_usize.saturating_sub(number.len()));
        let indent = "&nbsp;".repeat(1 + 2 * depth);
        self.put(&[b"<dd><tt>", before.as_bytes(), number.as_bytes(), b":", indent.as_bytes()]);
    }

    fn put(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
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

/// Source file of the module that has the directive.
fn source<'t>(tables: &'t Tables, node: &Node) -> Option<&'t str> {
    match tables.lookup(&node.name) {
        Lookup::Found(table, _) | Lookup::Inactive(table, _) => Some(table.source),
        Lookup::Lacking(module, _) => Some(module.source),
        Lookup::Unknown => None,
    }
}

//! Lines to nodes: Apache's `ap_build_config_sub`.

use super::{Block, Reader};
use crate::{
    diag::{Diagnostic, Span},
    syntax::{Kind, Line, Node, Text, words::getword},
};

/// Sections nested deeper than this are not opened; Apache has no limit but its stack.
const MAX_DEPTH: usize = 64;

impl Reader<'_> {
    /// Reads one line.
    pub(super) fn line(&mut self, line: Line) {
        if line.kind == Kind::TooLong {
            return self.too_long(&line);
        }
        if self.closes_conditional(&line) {
            return self.close_block(Some(line.text.whole()));
        }
        if matches!(line.kind, Kind::Blank | Kind::Comment) {
            return;
        }
        let number = line.number;
        let text = self.expand(line.text);
        if let Some(node) = node(text, number) {
            self.node(node);
        } else {
            self.nameless(line.span);
        }
    }

    /// Sorts a node into the tree, or executes it.
    fn node(&mut self, node: Node) {
        if self.is_read_stage(&node) {
            self.execute(node);
        } else if !node.is_section() {
            self.block().push(node);
        } else if node.name.starts_with(b"</") {
            self.close_section(node);
        } else if self.depth() >= MAX_DEPTH {
            self.too_deep(&node);
        } else {
            self.block().stack.push(node);
        }
    }

    /// The block that takes the next node.
    pub(super) fn block(&mut self) -> &mut Block {
        let unit = self.units.last_mut().expect("a unit is on the stack while its lines are read");
        if unit.blocks.is_empty() {
            unit.blocks.push(Block::default());
        }
        unit.blocks.last_mut().expect("a block was pushed if there was none")
    }

    fn depth(&self) -> usize {
        let blocks = self.units.iter().flat_map(|unit| &unit.blocks);
        blocks.map(|block| block.stack.len()).sum()
    }

    fn too_long(&mut self, line: &Line) {
        let name = self.sources.name(line.span.file).to_owned();
        let text = format!("Error reading {name} at line {}: Line too long", line.number);
        let apache = self.apache(&text);
        let start = Span::new(line.span.file, line.span.start, line.span.start.saturating_add(1));
        let diagnostic = Diagnostic::error("RX0001", start, "the line is too long")
            .with_apache(apache)
            .with_note(if self.htaccess {
                "a line of an .htaccess may have 8191 bytes, joined lines counted together"
            } else {
                "a line may have 16 MiB, joined lines counted together"
            });
        self.out.diagnostics.push(diagnostic);
    }

    /// Told once: where one section is too deep, thousands are.
    fn too_deep(&mut self, node: &Node) {
        if !std::mem::replace(&mut self.told_depth, true) {
            let note =
                format!("at most {MAX_DEPTH} sections may be open at a time; deeper ones are not opened");
            let diagnostic = Diagnostic::error("RX0012", node.span, "sections are nested too deeply");
            self.out.diagnostics.push(diagnostic.with_note(note));
        }
    }

    fn nameless(&mut self, span: Span) {
        let diagnostic = Diagnostic::warning("RX0002", span, "the line is ignored: its first word is empty")
            .with_note("empty quotes stand where the name of a directive is expected; Apache skips the line");
        self.out.diagnostics.push(diagnostic);
    }
}

impl Block {
    /// Adds a finished node to the innermost open section.
    pub(super) fn push(&mut self, node: Node) {
        match self.stack.last_mut() {
            Some(section) => section.children.push(node),
            None => self.nodes.push(node),
        }
    }
}

/// A line as a node; nothing when its first word is empty.
pub(super) fn node(text: Text, line: u32) -> Option<Node> {
    let whole = text.whole();
    let (word, rest) = getword(text.bytes())?;
    let mut name = word.text();
    if name.is_empty() {
        return None;
    }
    let length = word.raw.len() + word.quote.map_or(0, |_| 1 + usize::from(word.closed));
    let name_span = text.span(0..length);
    let (end, start) = (text.len(), text.len() - rest.len());
    let plain = word.quote.is_none() && text.is_verbatim();
    let mut args = text.cut(start..end);
    if name.get(1) != Some(&b'/') {
        let closed = name.last() == Some(&b'>');
        if closed {
            name.pop();
        }
        // Apache moves the `>` of `<Name>` to the arguments, and gives `<Name` one as well.
        if name.first() == Some(&b'<') && args.is_empty() {
            args = Text::new(whole.file);
            let end = name_span.end;
            match closed && plain {
                true => args.push_copy(b">", end.saturating_sub(1)),
                false => args.push_replaced(b">", Span::new(whole.file, end, end)),
            }
        }
    }
    let args_span = args.whole();
    let verbatim = args.is_verbatim();
    Some(Node {
        name,
        span: whole,
        name_span,
        args_span,
        verbatim,
        line,
        children: Vec::new(),
        close: None,
        text: args,
    })
}

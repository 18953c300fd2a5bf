//! Sections that do not close as they should: Apache's texts, and how reading goes on.
//!
//! The tree is built strictly, as Apache would; only when a section turns out never to be closed is
//! it decided where its author most likely meant it to end.

use bstr::{BStr, BString, ByteSlice};

use super::{Block, Reader, Skipped};
use crate::{
    diag::{Diagnostic, Span},
    syntax::{Kind, Line, Node},
};

/// What gave an unclosed section its end.
#[derive(Clone, Copy)]
enum Ended {
    /// The end of the file.
    Eof,
    /// A closing tag of something around it.
    By(Span),
}

impl Reader<'_> {
    /// Whether the line closes the conditional section that is being read. Apache compares the whole
    /// line, so `</IfModule> x` does not.
    pub(super) fn closes_conditional(&mut self, line: &Line) -> bool {
        if line.kind != Kind::Close {
            return false;
        }
        let block = self.block();
        let Some(opened) = block.opened.as_ref().filter(|_| block.stack.is_empty()) else { return false };
        closing_name(line.text.bytes()).is_some_and(|name| is_closed_by(opened, name))
            && line.text.bytes().starts_with(b"</")
    }

    /// Ends the conditional section that is being read; its nodes move outwards.
    pub(super) fn close_block(&mut self, close: Option<Span>) {
        let Some(unit) = self.units.last_mut().filter(|unit| unit.blocks.len() > 1) else { return };
        let Some(block) = unit.blocks.pop() else { return };
        if let Some(mut opened) = block.opened {
            opened.close = close;
            self.out.executed.push(opened);
        }
        for node in block.nodes {
            self.block().push(node);
        }
    }

    /// `</Name>`.
    pub(super) fn close_section(&mut self, tag: Node) {
        let Some(open) = self.block().stack.last() else { return self.unmatched(tag) };
        let name = closing_name(&tag.name);
        if name.is_some_and(|name| is_closed_by(open, name)) {
            return self.close_top(tag.span);
        }
        let parent = open.section_name().unwrap_or_default().to_owned();
        let open_span = open.span;
        let Some(name) = name else { return self.bracketless(tag, parent.as_bstr()) };
        let text = format!("Expected </{parent}> but saw {}", log_text(&tag.name));
        let diagnostic = Diagnostic::error(
            "RX0011",
            tag.span,
            format!("</{}> closes nothing here: <{parent}> is open", name.as_bstr()),
        )
        .with_label(format!("expected </{parent}>"))
        .with_context(open_span, "this section is open")
        .with_note("sections nest: the one opened last is closed first");
        let name = BString::from(name);
        self.mismatched(&tag, &name, parent.as_bstr(), diagnostic, &text);
    }

    /// `</A>` while `<B>` is open: `<B>` was never closed, or `</A>` is one too many.
    fn mismatched(&mut self, tag: &Node, name: &[u8], parent: &BStr, found: Diagnostic, text: &str) {
        let misspelt = name.len().abs_diff(parent.len()) <= 2 && similar(name, parent);
        if self.opened_outside(name) {
            let edit = format!("{}</{parent}>\n", self.indentation(self.top_span().unwrap_or(tag.span)));
            let at = self.line_start(tag.span);
            self.error_at(tag, found.with_edit(format!("close <{parent}> before this line"), at, edit), text);
            self.close_through(name, tag.span);
        } else if misspelt {
            let fix = format!("</{parent}>");
            self.error_at(tag, found.with_edit(format!("write </{parent}>"), tag.span, fix), text);
            self.close_top(tag.span);
        } else {
            let at = self.whole_line(tag.span);
            self.error_at(tag, found.with_edit("remove the closing tag", at, ""), text);
        }
    }

    /// `</Directory` without its bracket, or `</Directory foo>`.
    fn bracketless(&mut self, tag: Node, parent: &BStr) {
        let text = format!("{}> directive missing closing '>'", log_text(&tag.name));
        let name = tag.name.strip_prefix(b"</").unwrap_or_default();
        let diagnostic = Diagnostic::error("RX0013", tag.span, "the closing tag lacks its `>`")
            .with_note("a closing tag is `</`, the name of the section and `>`, with nothing between them")
            .with_edit(format!("write </{parent}>"), tag.span, format!("</{parent}>"));
        self.error_at(&tag, diagnostic, &text);
        if name.eq_ignore_ascii_case(parent) {
            self.close_top(tag.span);
        }
    }

    /// A closing tag where nothing is open.
    fn unmatched(&mut self, tag: Node) {
        let name = tag.name.strip_prefix(b"</").unwrap_or_default();
        let text = format!("{} without matching <{} section", log_text(&tag.name), log_text(name));
        let name = BString::from(name.strip_suffix(b">").unwrap_or(name));
        let diagnostic =
            Diagnostic::error("RX0014", tag.span, format!("</{name}> closes nothing: no <{name}> is open"));
        let opened = self.block().opened.as_ref().map(|node| (node.name.clone(), node.span));
        match opened {
            Some((conditional, span))
                if conditional.get(1..).is_some_and(|n| n.eq_ignore_ascii_case(&name)) =>
            {
                let mut diagnostic = diagnostic
                    .with_context(span, "opened here")
                    .with_note("the line that closes this section must be the closing tag and nothing else")
                    .with_edit("leave only the tag", tag.span, format!("</{name}>"));
                diagnostic.headline = format!("</{name}> closes nothing: its line is not exactly this tag");
                self.error_at(&tag, diagnostic, &text);
                self.close_block(Some(tag.span));
            }
            Some((conditional, span)) if self.opened_outside(&name) => {
                let conditional = conditional.get(1..).unwrap_or_default().as_bstr();
                let at = self.line_start(tag.span);
                let diagnostic = diagnostic
                    .with_context(span, "this section must be closed first")
                    .with_note("a section opened outside a conditional section cannot be closed inside it")
                    .with_edit(
                        format!("close <{conditional}> before this line"),
                        at,
                        format!("</{conditional}>\n"),
                    );
                self.error_at(&tag, diagnostic, &text);
                self.close_through(&name, tag.span);
            }
            _ => {
                let at = self.whole_line(tag.span);
                self.error_at(&tag, diagnostic.with_edit("remove the closing tag", at, ""), &text);
            }
        }
    }

    /// Whether a section of this name is open further out in this file.
    fn opened_outside(&mut self, name: &[u8]) -> bool {
        let Some(unit) = self.units.last() else { return false };
        let bears = |node: &Node| node.section_name().is_some_and(|n| n.eq_ignore_ascii_case(name));
        unit.blocks.iter().any(|b| b.opened.as_ref().is_some_and(bears) || b.stack.iter().any(bears))
    }

    /// Closes the nearest open section of this name, and with it all that is open inside it.
    fn close_through(&mut self, name: &[u8], close: Span) {
        loop {
            let bears = |node: &Node| node.section_name().is_some_and(|n| n.eq_ignore_ascii_case(name));
            let block = self.block();
            if let Some(index) = block.stack.iter().rposition(bears) {
                let unclosed = block.stack.split_off(index + 1);
                self.settle(unclosed);
                return self.close_top(close);
            }
            let done = block.opened.as_ref().is_none_or(bears);
            let unclosed = std::mem::take(&mut block.stack);
            self.settle(unclosed);
            self.close_block(done.then_some(close));
            if done {
                return;
            }
        }
    }

    fn close_top(&mut self, close: Span) {
        let block = self.block();
        if let Some(mut node) = block.stack.pop() {
            node.close = Some(close);
            // Most sections are short, and a configuration may have very many.
            node.children.shrink_to_fit();
            block.push(node);
        }
    }

    fn top_span(&self) -> Option<Span> {
        self.units.last()?.blocks.last()?.stack.last().map(|node| node.span)
    }

    /// Takes leave of sections that were never closed, outermost first: each is ended where its
    /// author most likely meant it to end. Gives those places, innermost first.
    fn settle(&mut self, unclosed: Vec<Node>) -> Vec<(Node, Option<Span>)> {
        let mut ends = Vec::new();
        let mut inside: Vec<Node> = Vec::new();
        for mut node in unclosed.into_iter().rev() {
            node.children.append(&mut inside);
            let cut = self.likely_end(&node);
            let outside = cut.map(|at| node.children.split_off(at)).unwrap_or_default();
            let shell = Node { children: Vec::new(), ..node.clone() };
            ends.push((shell, outside.first().map(|first| first.span)));
            inside.push(node);
            inside.extend(outside);
        }
        for node in inside {
            self.block().push(node);
        }
        ends
    }

    /// Index of the first child that most likely stands outside an unclosed section: a section that
    /// may not stand in it, or a line indented no more than the section is, after deeper ones.
    fn likely_end(&self, section: &Node) -> Option<usize> {
        let own = self.indentation(section.span).len();
        let mut deeper = false;
        section.children.iter().position(|child| {
            if child.span.file != section.span.file {
                return false;
            }
            let indented = self.indentation(child.span).len() > own;
            let dedented = deeper && !indented;
            deeper |= indented;
            dedented || cannot_stand_in(child, section)
        })
    }

    /// The end of the unit: whatever is open is reported and closed. Gives the unit's nodes.
    pub(super) fn finish(&mut self) -> Vec<Node> {
        while self.units.last().is_some_and(|unit| unit.blocks.len() > 1) {
            self.unclosed_conditional();
        }
        let unclosed = std::mem::take(&mut self.block().stack);
        if !unclosed.is_empty() {
            self.unclosed_sections(unclosed);
        }
        std::mem::take(&mut self.block().nodes)
    }

    /// A true conditional section at the end of the file: Apache accepts it, with all that is open
    /// inside it.
    fn unclosed_conditional(&mut self) {
        let block = self.block();
        let unclosed = std::mem::take(&mut block.stack);
        let opened =
            block.opened.as_ref().map(|node| (node.span, node.section_name().map(ToOwned::to_owned)));
        let spans: Vec<(Span, BString)> = unclosed.iter().map(|n| (n.span, n.name.clone())).collect();
        if let Some((span, Some(name))) = opened {
            let mut diagnostic = Diagnostic::warning("RX0016", span, format!("<{name}> is not closed"))
                .with_label("opened here")
                .with_note("Apache reads on to the end of the file in silence");
            for (inner, name) in spans {
                diagnostic = diagnostic.with_context(inner, format!("nor is {name}>"));
            }
            let end = self.end_of(span);
            let diagnostic = diagnostic.with_edit(format!("add </{name}>"), end, self.appended(end, &name));
            self.out.diagnostics.push(diagnostic);
        }
        self.settle(unclosed);
        self.close_block(None);
    }

    fn unclosed_sections(&mut self, unclosed: Vec<Node>) {
        let lines: Vec<String> = unclosed.iter().rev().map(|node| self.not_closed(node)).collect();
        let mut text = lines.join("\\n");
        let outermost = unclosed.first().cloned();
        let ends = self.settle(unclosed);
        for (index, (node, end)) in ends.into_iter().rev().enumerate() {
            if index > 0 {
                text = self.not_closed(&node);
            }
            let blamed = outermost.as_ref().filter(|_| index == 0).unwrap_or(&node).clone();
            let diagnostic = self.not_closed_diagnostic(&node, end.map_or(Ended::Eof, Ended::By));
            self.error_at(&blamed, diagnostic, &text);
        }
    }

    fn not_closed(&self, node: &Node) -> String {
        let file = self.sources.name(node.span.file);
        format!("{file}:{}: {}> was not closed.", node.line, log_text(&node.name))
    }

    fn not_closed_diagnostic(&self, node: &Node, end: Ended) -> Diagnostic {
        let name = node.section_name().unwrap_or_default();
        let diagnostic = Diagnostic::error("RX0010", node.span, format!("<{name}> is not closed"))
            .with_label("opened here")
            .with_note("a section reaches to its closing tag, so it holds all lines that follow, the next sections too");
        match end {
            Ended::Eof => {
                let at = self.end_of(node.span);
                diagnostic.with_edit(format!("add </{name}>"), at, self.appended(at, name))
            }
            Ended::By(next) => {
                let at = self.line_start(next);
                let indent = self.indentation(node.span);
                diagnostic.with_context(next, format!("</{name}> is missing before this")).with_edit(
                    format!("add </{name}> before this line"),
                    at,
                    format!("{indent}</{name}>\n"),
                )
            }
        }
    }

    /// The end of the text that holds the span, empty.
    fn end_of(&self, span: Span) -> Span {
        let end = crate::syntax::text::offset(self.sources.text(span.file).len());
        Span::new(span.file, end, end)
    }

    /// What to write at the end of a text to close a section there.
    fn appended(&self, end: Span, name: &[u8]) -> String {
        let ended = self.sources.text(end.file).ends_with(b"\n");
        format!("{}</{}>\n", if ended { "" } else { "\n" }, name.as_bstr())
    }

    /// The start of the physical line of a span, empty.
    fn line_start(&self, span: Span) -> Span {
        let before = self.sources.text(span.file).get(..span.start as usize).unwrap_or_default();
        let start = before.rfind_byte(b'\n').map_or(0, |at| at + 1);
        let start = crate::syntax::text::offset(start);
        Span::new(span.file, start, start)
    }

    fn whole_line(&self, span: Span) -> Span {
        let text = self.sources.text(span.file);
        let after = text.get(span.end as usize..).unwrap_or_default();
        let length = after.find_byte(b'\n').map_or(after.len(), |at| at + 1);
        let end = span.end.saturating_add(crate::syntax::text::offset(length));
        Span::new(span.file, self.line_start(span).start, end)
    }

    fn indentation(&self, span: Span) -> String {
        let line = self.sources.source_line(span);
        let blank = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).map(|b| char::from(*b));
        blank.collect()
    }

    /// Skips the contents of a false conditional section as Apache's `ap_soak_end_container` does:
    /// by the tags alone, nothing expanded, nothing executed.
    pub(super) fn soak(&mut self, opened: Node) {
        let mut open: Vec<BString> = vec![opened.name.clone()];
        while let Some(line) = self.next_line() {
            if line.kind == Kind::TooLong {
                self.line(line);
                continue;
            }
            let Some((word, args)) = crate::syntax::words::getword(line.text.bytes()) else { continue };
            let mut name = word.text();
            if name.starts_with(b"</") {
                name.pop();
                let expected = open.last().map(|name| name.get(1..).unwrap_or_default().to_owned());
                let expected = BString::from(expected.unwrap_or_default());
                let saw = name.get(2..).unwrap_or_default().to_owned();
                if saw.eq_ignore_ascii_case(&expected) {
                    open.pop();
                } else {
                    let span = line.text.whole();
                    self.soak_mismatch(&opened, &mut open, (&expected, &name), span);
                }
                if open.is_empty() {
                    let end = line.text.whole();
                    return self.skipped(opened, Some(end));
                }
            } else if name.starts_with(b"<") {
                if args.is_empty() && name.ends_with(b">") {
                    name.pop();
                }
                open.push(name);
            }
        }
        self.soak_eof(&opened, &open);
        self.skipped(opened, None);
    }

    fn skipped(&mut self, mut opened: Node, close: Option<Span>) {
        let whole = close.filter(|end| end.file == opened.span.file).unwrap_or(opened.span).to(opened.span);
        self.out.skipped.push(Skipped { open: opened.span, whole });
        opened.close = close;
        self.out.executed.push(opened);
    }

    fn soak_mismatch(&mut self, opened: &Node, open: &mut Vec<BString>, names: (&[u8], &[u8]), at: Span) {
        let (expected, saw) = names;
        let text = format!("Expected </{}> but saw {}>", log_text(expected), log_text(saw));
        let expected = expected.as_bstr();
        let diagnostic = Diagnostic::error("RX0011", at, format!("expected </{expected}> here"))
            .with_context(opened.span, "in this section, which is skipped because its condition is false")
            .with_note("even where nothing is executed, sections must nest");
        self.error_at(opened, diagnostic, &text);
        let saw = saw.get(2..).unwrap_or_default();
        // With the brackets and words that Apache's comparison includes taken away.
        let saw = saw.split(|b| !b.is_ascii_alphanumeric() && *b != b'_').next().unwrap_or_default();
        let close = |name: &BString| {
            let name = name.get(1..).unwrap_or_default();
            let name = name.strip_suffix(b">").unwrap_or(name);
            name.eq_ignore_ascii_case(saw) || (saw.len() + 1 == name.len() && similar(saw, name))
        };
        if let Some(index) = open.iter().rposition(close) {
            open.truncate(index);
        }
    }

    fn soak_eof(&mut self, opened: &Node, open: &[BString]) {
        let name = open.last().and_then(|name| name.get(1..)).unwrap_or_default();
        let text = format!("Expected </{}> before end of configuration", log_text(name));
        let name = name.as_bstr();
        let end = self.end_of(opened.span);
        let fix = self.appended(end, opened.section_name().unwrap_or_default());
        let diagnostic = Diagnostic::error("RX0015", opened.span, format!("</{name}> is missing"))
            .with_label("its condition is false: all lines up to the closing tag are skipped")
            .with_note("the end of the file came first")
            .with_edit(format!("add </{name}>"), end, fix);
        self.error_at(opened, diagnostic, &text);
    }
}

impl Block {
    /// The block of a conditional section that holds.
    pub(super) fn conditional(opened: Node) -> Self {
        Block { opened: Some(opened), ..Block::default() }
    }
}

/// `</Name>` to `Name`; nothing without the bracket.
fn closing_name(tag: &[u8]) -> Option<&[u8]> {
    tag.strip_prefix(b"</")?.strip_suffix(b">")
}

fn is_closed_by(section: &Node, name: &[u8]) -> bool {
    section.section_name().is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// Whether Apache refuses one section inside another, so that the outer one must have ended.
fn cannot_stand_in(child: &Node, section: &Node) -> bool {
    let one_of = |node: &Node, names: &[&str]| names.iter().any(|name| node.is(name.as_bytes()));
    let paths = ["<Directory", "<DirectoryMatch", "<Location", "<LocationMatch"];
    let files = ["<Files", "<FilesMatch"];
    child.is(b"<VirtualHost")
        || (one_of(child, &paths) && (one_of(section, &paths) || one_of(section, &files)))
        || (one_of(child, &files) && one_of(section, &files))
}

/// Whether two names differ by no more than a slip of the finger: by case, or by few letters.
fn similar(a: &[u8], b: &[u8]) -> bool {
    let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
    let (a, b) = (lower(a), lower(b));
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    a.len().max(b.len()) - (same + tail).min(a.len().max(b.len())) <= 2 && same + tail > 2
}

/// Bytes as Apache's log prints them.
pub(super) fn log_text(bytes: &[u8]) -> String {
    crate::diag::render::log_escaped(bytes)
}

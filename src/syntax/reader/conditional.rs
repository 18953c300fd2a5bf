//! `<IfModule>`, `<IfDefine>`, `<IfFile>`, `<IfDirective>`, `<IfSection>` and `<IfVersion>`.

use bstr::{BString, ByteSlice};

use super::{Reader, execute::proper, version};
use crate::{
    diag::{Diagnostic, Span},
    syntax::{Node, Words},
    system::path,
};

impl Reader<'_> {
    /// Decides a conditional section. Where Apache refuses it, its contents are read as if it held,
    /// so that the mistakes inside are found as well.
    pub(super) fn conditional(&mut self, node: Node) {
        let holds = match node.name.eq_ignore_ascii_case(b"<IfVersion") {
            true => self.version_holds(&node),
            false => self.condition_holds(&node),
        };
        self.branch(node, holds.unwrap_or(true));
    }

    /// All but `<IfVersion>` take `[!]word` up to the last `>`; words after the first are ignored.
    fn condition_holds(&mut self, node: &Node) -> Option<bool> {
        let Some(mut text) = node.section_args() else {
            self.unclosed_tag(node);
            return None;
        };
        let negated = text.bytes().first() == Some(&b'!');
        if negated {
            text = text.slice(1..text.len());
        }
        let word = Words::of(&text).next().filter(|word| !word.text.is_empty());
        let Some(word) = word else {
            self.nothing_asked(node);
            return None;
        };
        Some(negated != self.test(node, &word.text))
    }

    fn test(&self, node: &Node, word: &[u8]) -> bool {
        match node.name.to_ascii_lowercase().as_bytes() {
            b"<ifmodule" => self.stage.module_active(word),
            b"<ifdefine" => self.state.defines.contains(word),
            b"<iffile" => self.file_exists(word),
            b"<ifsection" => self.exists(&[b"<", word].concat()),
            _ => self.exists(word),
        }
    }

    fn file_exists(&self, name: &[u8]) -> bool {
        let target = self.canonical(&self.state.server_root, name);
        target.is_some_and(|target| self.system.stat(path(&target)).is_ok())
    }

    fn unclosed_tag(&mut self, node: &Node) {
        let name = proper(node);
        let end = Span::new(node.span.file, node.span.end, node.span.end);
        let diagnostic = Diagnostic::error("RX0020", node.span, format!("{name} lacks its `>`"))
            .with_note("an opening tag ends with `>` on the same line")
            .with_edit("add the `>`", end, ">");
        self.error_at(node, diagnostic, &format!("{name}> directive missing closing '>'"));
    }

    fn nothing_asked(&mut self, node: &Node) {
        let name = proper(node);
        let diagnostic = Diagnostic::error("RX0021", node.span, format!("{name}> says nothing to test"))
            .with_advice(format!("name what {name}> shall ask for"));
        self.error_at(node, diagnostic, &format!("{name}> directive requires additional arguments"));
    }

    fn version_holds(&mut self, node: &Node) -> Option<bool> {
        let words: Vec<BString> = node.words().map(|word| word.text).collect();
        if words.is_empty() || words.len() > 3 {
            self.wrong_count(node, "one, two or three arguments");
            return None;
        }
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        match version::holds(&words) {
            Ok(holds) => Some(holds),
            Err(version::Error::MissingBracket) => {
                self.unclosed_tag(node);
                None
            }
            Err(error) => {
                let text = error.to_string();
                let diagnostic = Diagnostic::error("RX0022", node.args_span, "the version test is not understood")
                    .with_note("it is `[[!]operator] version` with =, ==, >, >=, <, <= or ~, a blank behind the operator")
                    .with_note("a version has up to three numbers; those left out count as 0");
                self.error_at(node, diagnostic, &text);
                None
            }
        }
    }
}

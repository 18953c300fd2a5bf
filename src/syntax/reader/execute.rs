//! The directives that act while reading, and how their arguments are cut.

use bstr::{BString, ByteSlice};

use super::{Block, Reader, structure::log_text};
use crate::{
    diag::{Apache, Diagnostic},
    syntax::{Node, Word},
    system::path,
};

/// What core itself executes while reading; letter case apart.
const CORE: [&str; 13] = [
    "<IfDefine",
    "<IfDirective",
    "<IfFile",
    "<IfModule",
    "<IfSection",
    "DefaultRuntimeDir",
    "Define",
    "Include",
    "IncludeOptional",
    "LoadFile",
    "LoadModule",
    "ServerRoot",
    "UnDefine",
];

/// What other modules execute while reading.
const MODULES: [&str; 6] =
    ["<IfVersion", "<Macro", "MacroIgnoreBadNesting", "MacroIgnoreEmptyArgs", "UndefMacro", "Use"];

/// What may never stand in an `.htaccess`.
const SERVER_ONLY: [&str; 8] = [
    "DefaultRuntimeDir",
    "Define",
    "Include",
    "IncludeOptional",
    "LoadFile",
    "LoadModule",
    "ServerRoot",
    "UnDefine",
];

/// How Apache ends its message about a wrong number of arguments.
const fn describe(name: &str) -> &'static str {
    match name.as_bytes() {
        b"Include" => {
            "Name(s) of the config file(s) to be included; fails if the wildcard does not match at least one file"
        }
        b"IncludeOptional" => {
            "Name or pattern of the config file(s) to be included; ignored if the file does not exist or the pattern does not match any files"
        }
        b"Define" => "Define a variable, optionally to a value.  Same as passing -D to the command line.",
        b"UnDefine" => "Undefine the existence of a variable. Undo a Define.",
        b"ServerRoot" => "Common directory of server-related files (logs, confs, etc.)",
        b"DefaultRuntimeDir" => "Common directory for run-time files (shared memory, locks, etc.)",
        b"LoadModule" => "a module name and the name of a shared object file to load it from",
        b"<IfVersion" => "a comparison operator, a version (and a delimiter)",
        b"UndefMacro" => "Remove a macro definition.",
        _ => "",
    }
}

impl Reader<'_> {
    /// Whether the directive is executed while reading.
    pub(super) fn is_read_stage(&self, node: &Node) -> bool {
        let named = |name: &&str| node.is(name.as_bytes());
        CORE.iter().any(named) || (MODULES.iter().any(named) && self.stage.directive_known(&node.name))
    }

    /// Whether a directive of this name exists, those of the reading stage included.
    pub(super) fn exists(&self, name: &[u8]) -> bool {
        CORE.iter().any(|core| core.as_bytes().eq_ignore_ascii_case(name)) || self.stage.directive_known(name)
    }

    /// Executes a directive of the reading stage.
    pub(super) fn execute(&mut self, node: Node) {
        self.blame(&node);
        let name = node.name.to_ascii_lowercase();
        if self.htaccess && !self.allowed_here(&node) {
            self.not_allowed(&node);
            if node.is_section() {
                self.soak(node);
            }
            return;
        }
        match name.as_bytes() {
            b"<macro" => return self.define_macro(node),
            [b'<', ..] => return self.conditional(node),
            b"use" => self.use_macro(&node),
            b"undefmacro" => self.undef_macro(&node),
            b"macroignoreemptyargs" | b"macroignorebadnesting" => self.macro_switch(&node),
            b"include" => self.include(&node, false),
            b"includeoptional" => self.include(&node, true),
            b"define" => self.define(&node),
            b"undefine" => self.undefine(&node),
            b"serverroot" => self.server_root(&node),
            b"defaultruntimedir" => self.runtime_dir(&node),
            b"loadmodule" => self.load_module(&node),
            _ => self.load_file(&node),
        }
        self.out.executed.push(node);
    }

    fn allowed_here(&self, node: &Node) -> bool {
        !SERVER_ONLY.iter().any(|name| node.is(name.as_bytes())) && self.stage.allowed_in_htaccess(&node.name)
    }

    fn not_allowed(&mut self, node: &Node) {
        let name = proper(node);
        let never = SERVER_ONLY.iter().any(|name| node.is(name.as_bytes()));
        let diagnostic = Diagnostic::error("RX0050", node.name_span, format!("{name} is not allowed here"))
            .with_note(if never {
                "this directive can only stand in the server's own configuration, never in an .htaccess"
            } else {
                "AllowOverride or AllowOverrideList of this directory does not admit it"
            });
        self.error_at(node, diagnostic, &format!("{name} not allowed here"));
    }

    /// Exactly `N` arguments, or Apache's complaint.
    pub(super) fn take<const N: usize>(&mut self, node: &Node, few: &str) -> Option<[Word; N]> {
        let words: Vec<Word> = node.words().collect();
        let empty = words.iter().any(|word| word.text.is_empty());
        match words.try_into() {
            Ok(words) if !empty => Some(words),
            _ => {
                self.wrong_count(node, few);
                None
            }
        }
    }

    pub(super) fn wrong_count(&mut self, node: &Node, few: &str) {
        let name = proper(node);
        let text = format!("{name} takes {few}, {}", describe(&name));
        let diagnostic = Diagnostic::error("RX0051", node.span, format!("{name} takes {few}"))
            .with_note(describe(&name))
            .with_note("words are parted by white space; quotes hold one together");
        self.error_at(node, diagnostic, &text);
    }

    fn define(&mut self, node: &Node) {
        let words: Vec<Word> = node.words().collect();
        let (name, value) = match words.as_slice() {
            [name] => (name, None),
            [name, value] => (name, Some(value)),
            _ => return self.wrong_count(node, "1-2 arguments"),
        };
        if name.text.is_empty() {
            return self.wrong_count(node, "1-2 arguments");
        }
        if self.colon(node, name) {
            return;
        }
        let value = value.map(|word| word.text.as_bytes());
        self.state.defines.define(&name.text, value, node.span);
    }

    fn undefine(&mut self, node: &Node) {
        let Some([name]) = self.take(node, "one argument") else { return };
        if self.colon(node, &name) {
            return;
        }
        self.state.defines.undefine(&name.text);
    }

    fn colon(&mut self, node: &Node, name: &Word) -> bool {
        let colon = name.text.contains(&b':');
        if colon {
            let diagnostic =
                Diagnostic::error("RX0031", name.span, "the name of a variable must not contain `:`")
                    .with_note("${name:key} is how RewriteMap lookups are written");
            self.error_at(node, diagnostic, "Variable name must not contain ':'");
        }
        colon
    }

    fn server_root(&mut self, node: &Node) {
        let Some([word]) = self.take(node, "one argument") else { return };
        let root = self.canonical(b"", &word.text).filter(|root| self.is_directory(root));
        match root {
            Some(root) => {
                self.state.server_root = root;
                self.state.server_root_at = Some(node.span);
            }
            None => {
                let diagnostic = Diagnostic::error("RX0053", word.span, "ServerRoot is not a directory")
                    .with_label(format!("there is no directory {}", word.text))
                    .with_note("relative paths of the configuration start at ServerRoot, so it must exist");
                self.error_at(node, diagnostic, "ServerRoot must be a valid directory");
            }
        }
    }

    fn runtime_dir(&mut self, node: &Node) {
        let Some([word]) = self.take(node, "one argument") else { return };
        let root = self.state.server_root.clone();
        let dir = self.canonical(&root, &word.text).filter(|dir| self.is_directory(dir));
        match dir {
            Some(dir) => self.state.runtime_dir = Some((dir, node.span)),
            None => {
                let diagnostic =
                    Diagnostic::error("RX0054", word.span, "DefaultRuntimeDir is not a directory");
                let text = "DefaultRuntimeDir must be a valid directory, absolute or relative to ServerRoot";
                self.error_at(node, diagnostic, text);
            }
        }
    }

    fn is_directory(&self, dir: &BString) -> bool {
        self.system.stat(path(dir)).is_ok_and(|stat| stat.is_dir())
    }

    fn load_module(&mut self, node: &Node) {
        let Some([name, file]) = self.take(node, "two arguments") else { return };
        match self.stage.load_module(&name.text, &file.text, node.span) {
            Ok(found) => self.out.diagnostics.extend(found),
            Err(text) => {
                let diagnostic =
                    Diagnostic::error("RX0055", node.span, format!("module {} cannot be loaded", name.text))
                        .with_note(text.clone());
                self.error_at(node, diagnostic, &text);
            }
        }
    }

    fn load_file(&mut self, node: &Node) {
        let diagnostic = Diagnostic::warning("RX0056", node.span, "LoadFile has no effect")
            .with_apache(Apache::Silent)
            .with_note("all modules are compiled in, no shared library is ever loaded");
        self.out.diagnostics.push(diagnostic);
    }

    /// Begins a conditional section: its contents are read, or skipped.
    pub(super) fn branch(&mut self, node: Node, holds: bool) {
        if !holds {
            return self.soak(node);
        }
        if let Some(unit) = self.units.last_mut() {
            unit.blocks.push(Block::conditional(node));
        }
    }
}

/// The name as Apache spells it, for its messages.
pub(super) fn proper(node: &Node) -> String {
    let known = CORE.iter().chain(&MODULES).find(|name| node.is(name.as_bytes()));
    known.map_or_else(|| log_text(&node.name), |name| (*name).to_owned())
}

//! mod_macro: `<Macro>`, `Use`, `UndefMacro`.
//!
//! A use puts the macro's lines, arguments replaced, in front of the lines still to be read; they
//! become a source of their own, named as Apache names it.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};

use super::{Frame, Include, Reader, structure::log_text};
use crate::{
    diag::{Apache, Diagnostic, Span},
    syntax::{Kind, Node, Word, line::Lines, words::getword},
};

/// Characters that the name of an argument should begin with.
const PREFIXES: &[u8] = b"$%@";
/// Bytes that all uses of macros may make together; uses of uses grow without bound otherwise.
const MAX_EXPANSION: usize = 256 * 1024 * 1024;

/// Macros by name, and the two switches of mod_macro.
#[derive(Clone, Debug, Default)]
pub struct Macros {
    /// By lowercase name.
    by_name: BTreeMap<BString, Macro>,
    any_defined: bool,
    ignore_empty: bool,
    ignore_nesting: bool,
    expanded: usize,
}

impl Macros {
    /// Names of the macros that are defined, lowercase, with the place of each definition.
    pub fn names(&self) -> impl Iterator<Item = (&[u8], Span)> {
        self.by_name.iter().map(|(name, found)| (name.as_bytes(), found.at))
    }
}

#[derive(Clone, Debug)]
struct Macro {
    name: BString,
    at: Span,
    /// `defined on line N of "F"`.
    location: String,
    arguments: Vec<BString>,
    ignore_empty: bool,
    lines: Vec<BString>,
}

impl Macro {
    /// `macro 'name' (defined on …)`.
    fn title(&self) -> String {
        format!("macro '{}' ({})", log_text(&self.name), self.location)
    }
}

/// The words of a `<Macro …>` behind its name.
struct Header {
    arguments: Vec<Word>,
    ignore_empty: bool,
    ignore_nesting: bool,
}

impl Reader<'_> {
    /// `<Macro name $arg …>` up to `</Macro>`.
    pub(super) fn define_macro(&mut self, mut node: Node) {
        let found = self.macro_opening(&node);
        let Some((mut found, header)) = found else {
            self.macro_lines(&node, true);
            return;
        };
        let sound = self.check_arguments(&node, &found, &header);
        let ignore = header.ignore_nesting || self.state.macros.ignore_nesting;
        match self.macro_lines(&node, ignore) {
            Some((lines, close)) => {
                node.close = Some(close);
                found.lines = lines;
            }
            None => self.macro_unclosed(&node, &found),
        }
        self.check_contents(&node, &found);
        if sound {
            self.state.macros.by_name.insert(found.name.clone(), found);
            self.state.macros.any_defined = true;
        }
        self.out.executed.push(node);
    }

    fn macro_opening(&mut self, node: &Node) -> Option<(Macro, Header)> {
        let Some(text) = node.section_args() else {
            let end = Span::new(node.span.file, node.span.end, node.span.end);
            let diagnostic = Diagnostic::error("RX0020", node.span, "<Macro lacks its `>`").with_edit(
                "add the `>`",
                end,
                ">",
            );
            self.error_at(node, diagnostic, "<Macro> directive missing closing '>'");
            return None;
        };
        let mut words = crate::syntax::Words::of(&text);
        let name = words.next();
        let Some(name) = name.filter(|name| !name.text.is_empty()) else {
            let what = if text.is_empty() { "empty name" } else { "name not found" };
            let diagnostic = Diagnostic::error("RX0060", node.span, "<Macro> has no name")
                .with_advice("give the macro a name: `<Macro Name $argument>`");
            self.error_at(node, diagnostic, &format!("<Macro macro definition: {what}"));
            return None;
        };
        let after = node.args().get(text.len() + 1..).unwrap_or_default().to_vec();
        let place = self.here();
        self.trailing(&after, node.span, &place, "AH02801: non blank chars found after <Macro closing '>'");
        let found = Macro {
            name: name.text.to_ascii_lowercase().into(),
            at: node.span,
            location: format!("defined on line {} of \"{}\"", place.1, place.0),
            arguments: Vec::new(),
            ignore_empty: false,
            lines: Vec::new(),
        };
        self.warn_about_name(&found, &name, &place);
        let header = self.header(&found, words.collect());
        let arguments = header.arguments.iter().map(|word| word.text.clone()).collect();
        Some((Macro { arguments, ignore_empty: header.ignore_empty, ..found }, header))
    }

    fn warn_about_name(&mut self, found: &Macro, name: &Word, place: &(String, u32)) {
        if let Some(old) = self.state.macros.by_name.get(&found.name) {
            let text = format!(
                "AH02802: macro '{}' multiply defined: {}, redefined on line {} of \"{}\"",
                old.name, old.location, place.1, place.0
            );
            let diagnostic =
                Diagnostic::warning("RX0061", name.span, format!("macro {} is defined twice", old.name))
                    .with_context(old.at, "first here")
                    .with_apache(Apache::Plain(text))
                    .logged_by("macro");
            self.out.diagnostics.push(diagnostic.with_note("uses from here on get the second definition"));
        }
        if found.name.first().is_some_and(|byte| PREFIXES.contains(byte)) {
            let text = format!("AH02803: {} better prefix a macro name with any of '$%@'", found.title());
            self.macro_warning("RX0062", name.span, "the macro's name looks like an argument", text);
        }
    }

    /// Parts flags from arguments.
    fn header(&mut self, found: &Macro, words: Vec<Word>) -> Header {
        let mut header = Header { arguments: Vec::new(), ignore_empty: false, ignore_nesting: false };
        for word in words {
            if word.text.first() != Some(&b'/') {
                header.arguments.push(word);
            } else if word.text.eq_ignore_ascii_case(b"/IgnoreEmptyArgs") {
                header.ignore_empty = true;
            } else if word.text.eq_ignore_ascii_case(b"/IgnoreBadNesting") {
                header.ignore_nesting = true;
            } else {
                let text = format!("AH02804: {}: unknown flag '{}'", found.title(), log_text(&word.text));
                self.macro_warning("RX0063", word.span, "unknown flag of a macro", text);
            }
        }
        header
    }

    /// Whether the arguments can be used; complains as Apache does.
    fn check_arguments(&mut self, node: &Node, found: &Macro, header: &Header) -> bool {
        let title = found.title();
        for (index, word) in header.arguments.iter().enumerate() {
            let (number, name) = (index + 1, log_text(&word.text));
            if word.text.is_empty() {
                let diagnostic = Diagnostic::error("RX0064", word.span, "a macro's argument has no name");
                self.error_at(node, diagnostic, &format!("{title}: empty argument #{number} name"));
                return false;
            }
            if !word.text.first().is_some_and(|byte| PREFIXES.contains(byte)) {
                let text = format!(
                    "AH02796: {title} argument name '{name}' (#{number}) without expected prefix, better prefix argument names with one of '$%@'."
                );
                self.macro_warning(
                    "RX0065",
                    word.span,
                    "the argument's name should begin with $, % or @",
                    text,
                );
            }
            if word.text.starts_with(b"${") {
                let text = format!(
                    "AH02805: {title} argument name '{name}' (#{number}) clashes with 'Define' syntax '${{...}}', better use '$(...)'."
                );
                self.macro_warning("RX0065", word.span, "the argument's name looks like a variable", text);
            }
            for (other, next) in header.arguments.iter().enumerate().skip(index + 1) {
                if !self.check_pair(node, &title, (number, word), (other + 1, next)) {
                    return false;
                }
            }
        }
        true
    }

    fn check_pair(&mut self, node: &Node, title: &str, one: (usize, &Word), two: (usize, &Word)) -> bool {
        let ((i, one), (j, two)) = (one, two);
        let (a, b) = (log_text(&one.text), log_text(&two.text));
        if one.text == two.text {
            let text = format!(
                "argument name conflict in {title}: argument '{a}': #{i} and #{j}, change argument names!"
            );
            let diagnostic = Diagnostic::error("RX0066", two.span, "two arguments bear the same name")
                .with_context(one.span, "the first");
            self.error_at(node, diagnostic, &text);
            return false;
        }
        if !two.text.is_empty() && (one.text.starts_with(&two.text) || two.text.starts_with(&one.text)) {
            let text = format!(
                "AH02797: {title}: argument name prefix conflict ({a} #{i} and {b} #{j}), be careful about your macro definition!"
            );
            self.macro_warning("RX0065", two.span, "one argument's name begins with another's", text);
        }
        true
    }

    /// The lines up to `</Macro>`, comments left out, and the place of that tag; nothing when the
    /// file ends first.
    fn macro_lines(&mut self, node: &Node, ignore_nesting: bool) -> Option<(Vec<BString>, Span)> {
        let title = self.title_of(node);
        let first = self.here().1;
        let (mut nesting, mut macros) = (1i64, 1u32);
        let mut lines = Vec::new();
        while let Some(line) = self.next_line() {
            if line.kind == Kind::TooLong {
                self.line(line);
                continue;
            }
            if line.kind == Kind::Comment {
                continue;
            }
            let span = line.text.whole();
            let name = getword(line.text.bytes()).map(|(word, _)| word.text()).unwrap_or_default();
            if name.starts_with(b"</") {
                nesting -= 1;
                if nesting < 0 && !ignore_nesting {
                    let number = self.here().1.saturating_sub(first);
                    let text = format!("AH02793: bad (negative) nesting on line {number} of {title}");
                    self.macro_warning(
                        "RX0067",
                        span,
                        "the macro closes a section that it does not open",
                        text,
                    );
                }
            } else if name.starts_with(b"<") {
                nesting += 1;
            }
            if name.eq_ignore_ascii_case(b"</Macro>") {
                macros -= 1;
                let after = line.text.bytes().rfind_byte(b'>').and_then(|at| line.text.bytes().get(at + 1..));
                let place = self.here();
                let what = "AH02794: non blank chars found after directive closing";
                self.trailing(after.unwrap_or_default(), span, &place, what);
                if macros == 0 {
                    if nesting != 0 && !ignore_nesting {
                        let text = format!("AH02795: bad cumulated nesting ({nesting:+}) in {title}");
                        self.macro_warning("RX0067", node.span, "the macro opens and closes unevenly", text);
                    }
                    return Some((lines, span));
                }
            } else if name.eq_ignore_ascii_case(b"<Macro") {
                macros += 1;
            }
            lines.push(line.text.bytes().to_owned());
        }
        None
    }

    fn title_of(&self, node: &Node) -> String {
        let name = node.words().next().map(|word| word.text).unwrap_or_default();
        let name = name.strip_suffix(b">").unwrap_or(&name).to_ascii_lowercase();
        let (file, line) = self.here();
        format!("macro '{}' (defined on line {line} of \"{file}\")", log_text(&name))
    }

    fn macro_unclosed(&mut self, node: &Node, found: &Macro) {
        let text = format!("{}\\n\\tcontents error: expected token not found: </Macro>", found.title());
        let diagnostic =
            Diagnostic::error("RX0068", node.span, format!("macro {} is not closed", found.name))
                .with_note("all lines to the end of the file belong to it")
                .with_advice("add </Macro> behind its last line");
        self.error_at(node, diagnostic, &text);
    }

    fn check_contents(&mut self, node: &Node, found: &Macro) {
        let title = found.title();
        if found.lines.is_empty() && node.close.is_some() {
            let text = format!("AH02799: {title}: empty contents!");
            return self.macro_warning("RX0069", node.span, "the macro is empty", text);
        }
        for (index, argument) in found.arguments.iter().enumerate() {
            let used = found.lines.iter().any(|line| line.contains_str(argument));
            if !used && !argument.is_empty() {
                let argument = log_text(argument);
                let text = format!("AH02800: {title}: argument '{argument}' (#{}) never used", index + 1);
                self.macro_warning("RX0070", node.span, &format!("argument {argument} is never used"), text);
            }
        }
    }

    /// `Use name argument …`.
    pub(super) fn use_macro(&mut self, node: &Node) {
        if !self.state.macros.any_defined {
            let diagnostic = Diagnostic::error("RX0071", node.span, "no macro is defined before this line");
            return self.error_at(node, diagnostic, "no macro defined before Use");
        }
        let mut words = node.words();
        let name = words.next().filter(|name| !name.text.is_empty());
        let Some(name) = name else {
            let diagnostic = Diagnostic::error("RX0072", node.span, "Use names no macro");
            return self.error_at(node, diagnostic, "no macro name specified with Use");
        };
        let Some(found) = self.state.macros.by_name.get(name.text.to_ascii_lowercase().as_slice()).cloned()
        else {
            let diagnostic =
                Diagnostic::error("RX0073", name.span, format!("macro {} is not defined", name.text));
            return self.error_at(node, diagnostic, &format!("macro '{}' undefined", log_text(&name.text)));
        };
        let (file, line) = self.here();
        if file.contains(&format!("macro '{}'", log_text(&found.name))) {
            let diagnostic = Diagnostic::error("RX0074", node.span, "a macro uses itself")
                .with_context(found.at, "the macro");
            let text = format!("recursive use of macro '{}' is invalid", log_text(&found.name));
            return self.error_at(node, diagnostic, &text);
        }
        let values: Vec<Word> = words.collect();
        if values.len() != found.arguments.len() {
            return self.wrong_arguments(node, &found, values.len());
        }
        let title = format!("{} used on line {line} of \"{file}\"", found.title());
        if !found.ignore_empty && !self.state.macros.ignore_empty {
            for (index, value) in values.iter().enumerate().filter(|(_, value)| value.text.is_empty()) {
                let text = format!("AH02798: {title}: empty argument #{}", index + 1);
                self.macro_warning("RX0075", value.span, "an argument is empty", text);
            }
        }
        self.expand_macro(node, &found, &values, title);
    }

    fn wrong_arguments(&mut self, node: &Node, found: &Macro, given: usize) {
        let expected = found.arguments.len();
        let text = format!("{} used with {given} arguments instead of {expected}", found.title());
        let headline = format!("macro {} takes {expected} arguments, not {given}", found.name);
        let diagnostic = Diagnostic::error("RX0076", node.span, headline)
            .with_context(found.at, "defined here")
            .with_note(
                "quotes hold an argument with blanks together; inside another macro it needs them again",
            );
        self.error_at(node, diagnostic, &text);
    }

    fn expand_macro(&mut self, node: &Node, found: &Macro, values: &[Word], title: String) {
        let mut text = Vec::new();
        for line in &found.lines {
            substitute(line, found, values, &mut text);
            text.push(b'\n');
        }
        let expanded = &mut self.state.macros.expanded;
        *expanded = expanded.saturating_add(text.len());
        if *expanded > MAX_EXPANSION {
            let diagnostic = Diagnostic::error("RX0077", node.span, "macros make too much text")
                .with_note(format!("all uses together may make {MAX_EXPANSION} bytes"));
            self.out.diagnostics.push(diagnostic);
            return;
        }
        let file = self.sources.add(title, text);
        let (line, depth) = (Some(node.line), self.include_depth);
        self.out.expansions.push(Include { file, at: node.span, line, depth });
        let lines = Lines::one_by_one(self.sources.shared(file), file);
        if let Some(unit) = self.units.last_mut() {
            unit.frames.push(Frame { file, lines, number: 0 });
        }
    }

    /// `UndefMacro name`.
    pub(super) fn undef_macro(&mut self, node: &Node) {
        let Some([name]) = self.take(node, "one argument") else { return };
        if !self.state.macros.any_defined {
            let diagnostic = Diagnostic::error("RX0071", node.span, "no macro is defined before this line");
            return self.error_at(node, diagnostic, "no macro defined before UndefMacro");
        }
        let key = BString::from(name.text.to_ascii_lowercase());
        if self.state.macros.by_name.remove(&key).is_none() {
            let diagnostic =
                Diagnostic::error("RX0073", name.span, format!("macro {} is not defined", name.text));
            let text = format!("cannot remove undefined macro '{}'", log_text(&name.text));
            self.error_at(node, diagnostic, &text);
        }
    }

    /// `MacroIgnoreEmptyArgs` and `MacroIgnoreBadNesting`.
    pub(super) fn macro_switch(&mut self, node: &Node) {
        let empty = node.is(b"MacroIgnoreEmptyArgs");
        let macros = &mut self.state.macros;
        if empty { macros.ignore_empty = true } else { macros.ignore_nesting = true }
    }

    fn macro_warning(&mut self, id: &'static str, at: Span, headline: &str, text: String) {
        let warning = Diagnostic::warning(id, at, headline).with_apache(Apache::Plain(text));
        self.out.diagnostics.push(warning.logged_by("macro"));
    }

    fn trailing(&mut self, after: &[u8], at: Span, place: &(String, u32), what: &str) {
        if after.iter().all(|byte| byte.is_ascii_whitespace()) {
            return;
        }
        let text = format!("AH02989: {what} on line {} of {}: {}", place.1, place.0, log_text(after));
        self.macro_warning("RX0078", at, "text behind the `>` is ignored", text);
    }

    /// Name and line of the text that is being read.
    fn here(&self) -> (String, u32) {
        let frame = self.units.last().and_then(|unit| unit.frames.last());
        frame.map_or_else(Default::default, |frame| (self.file_name(frame.file), frame.number))
    }
}

/// Appends a line with the macro's arguments replaced, the longest name first; what was put in is
/// not looked at again.
fn substitute(line: &[u8], found: &Macro, values: &[Word], text: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        let left = line.get(at..).unwrap_or_default();
        let here = found.arguments.iter().zip(values).filter(|(name, _)| left.starts_with(name));
        match here.max_by_key(|(name, _)| name.len()) {
            Some((name, value)) if !name.is_empty() => {
                insert(name, &value.text, text);
                at += name.len();
            }
            _ => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

/// A value in place of its parameter; one whose name begins with `@` is put in quotes.
fn insert(name: &[u8], value: &[u8], text: &mut Vec<u8>) {
    if !name.starts_with(b"@") {
        return text.extend_from_slice(value);
    }
    text.push(b'"');
    for &byte in value {
        if byte == b'"' {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.push(b'"');
}

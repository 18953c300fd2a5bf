//! The reading stage: Apache's `ap_build_config` with the directives it executes on the way.
//!
//! Reading happens strictly in order, because what is defined, loaded or included decides how the
//! lines after it are read. Apache stops at the first error; here reading goes on, and the first
//! error among the [`Reading::diagnostics`] carries the text with which Apache would have stopped.

mod build;
mod conditional;
mod define;
mod execute;
mod include;
mod macros;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod oracle_modules;
mod structure;
#[cfg(test)]
mod tests;
mod version;

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

pub use define::Defines;
pub use macros::Macros;

use super::{
    Line, Node,
    line::{HTACCESS_LIMIT, Lines, MAIN_LIMIT},
};
use crate::{
    diag::{Diagnostic, FileId, Sources, Span},
    system::System,
};

/// What the reading stage must ask of those who know the modules.
pub trait Stage {
    /// Whether the module is active; the name is as written in `<IfModule>`: the source file
    /// (`mod_alias.c`, `core.c`) or the identifier (`alias_module`), in exact letter case.
    fn module_active(&self, name: &[u8]) -> bool;

    /// `LoadModule name path`. Warnings are given back; an error is Apache's text.
    fn load_module(&mut self, name: &[u8], path: &[u8], at: Span) -> Result<Vec<Diagnostic>, String>;

    /// Whether an active module has this directive, letter case apart; sections with their `<`.
    fn directive_known(&self, name: &[u8]) -> bool;

    /// Whether AllowOverride and AllowOverrideList admit, in the `.htaccess` that is being read, a
    /// directive of the reading stage that may stand there at all (IfModule, Use, …).
    fn allowed_in_htaccess(&self, _name: &[u8]) -> bool {
        true
    }
}

/// What is read.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The main configuration file, by absolute path.
    File(&'a [u8]),
    /// The texts of `-C` or of `-c`, each one line.
    Directives(&'a [Vec<u8>]),
    /// The bytes of an `.htaccess` with its path, which is only a name here.
    Htaccess {
        /// Path, for messages.
        path: &'a [u8],
        /// Contents.
        text: &'a [u8],
    },
    /// A text that is read as a main configuration file of that name would be.
    Text {
        /// Path, for messages.
        path: &'a [u8],
        /// Contents.
        text: &'a [u8],
    },
}

/// What reading leaves to the reading of the next input: `-C` texts, main file, `-c` texts.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// `-D`, Define and UnDefine.
    pub defines: Defines,
    /// Macros by name.
    pub macros: Macros,
    /// Where relative paths start: `-d`, then ServerRoot.
    pub server_root: BString,
    /// The ServerRoot directive in force.
    pub server_root_at: Option<Span>,
    /// DefaultRuntimeDir as given, with its place.
    pub runtime_dir: Option<(BString, Span)>,
    /// Line of the Include that was executed last.
    pub include_line: Option<u32>,
}

/// A file that was read, or a text that a macro made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// The file.
    pub file: FileId,
    /// The directive that named it; [`Span::BUILTIN`] for the main file.
    pub at: Span,
    /// The line that Apache tells: that of the Include which was executed last, if there was one.
    pub line: Option<u32>,
    /// Within how many Includes.
    pub depth: u32,
}

/// A conditional section whose contents were not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The opening tag.
    pub open: Span,
    /// From the opening tag to the end of the closing one.
    pub whole: Span,
}

/// What reading one input gave.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What is left for the second stage.
    pub nodes: Vec<Node>,
    /// In the order in which Apache would meet them.
    pub diagnostics: Vec<Diagnostic>,
    /// Files in the order of reading, the main file among them.
    pub includes: Vec<Include>,
    /// Conditional sections that were false.
    pub skipped: Vec<Skipped>,
    /// The directives executed while reading, in order; they are not among the nodes.
    pub executed: Vec<Node>,
    /// The texts that macro uses made, with the place of the use.
    pub expansions: Vec<Include>,
}

/// Reads one input. See [`Reading`] for what comes of it.
pub fn read(
    input: Input<'_>,
    state: &mut State,
    stage: &mut dyn Stage,
    sources: &mut Sources,
    system: &dyn System,
) -> Reading {
    let mut reader = Reader {
        state,
        stage,
        sources,
        system,
        out: Reading::default(),
        units: Vec::new(),
        seen: HashMap::new(),
        htaccess: matches!(input, Input::Htaccess { .. }),
        include_depth: 0,
        aborted: false,
        told_depth: false,
    };
    reader.out.nodes = reader.input(input);
    reader.out
}

/// The reading of one input.
struct Reader<'a> {
    state: &'a mut State,
    stage: &'a mut dyn Stage,
    sources: &'a mut Sources,
    system: &'a dyn System,
    out: Reading,
    /// The file that is being read, below the files that include it.
    units: Vec<Unit>,
    /// Files read before, so that a second Include of one does not keep a second copy.
    seen: HashMap<Vec<u8>, FileId>,
    htaccess: bool,
    include_depth: u32,
    /// Set when files include one another without end; all reading stops then.
    aborted: bool,
    /// Whether it was told that sections are nested too deeply.
    told_depth: bool,
}

/// How Apache's texts for errors in a unit begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// A file: `Syntax error on line N of F: `.
    File,
    /// `-C` and `-c`.
    Directives,
    /// An `.htaccess` of this path.
    Htaccess(String),
}

/// One run of Apache's `ap_build_config`: a file with the macros used in it.
struct Unit {
    origin: Origin,
    /// The text being read, below it the texts that wait for the end of a macro.
    frames: Vec<Frame>,
    /// Open conditional sections; the first is the file itself.
    blocks: Vec<Block>,
    /// The directive that Apache would blame: name of its file, its line.
    blamed: Option<(String, u32)>,
}

struct Frame {
    file: FileId,
    lines: Lines,
    /// Number of the line read last.
    number: u32,
}

/// A stretch of lines whose sections must close within it.
#[derive(Default)]
struct Block {
    /// The conditional section that opened it; nothing for a file.
    opened: Option<Node>,
    nodes: Vec<Node>,
    /// Open sections, outermost first.
    stack: Vec<Node>,
}

impl Reader<'_> {
    fn input(&mut self, input: Input<'_>) -> Vec<Node> {
        match input {
            Input::File(path) => self.main_file(path),
            Input::Text { path, text } => {
                let file = self.sources.add(path.to_str_lossy(), text);
                self.main_text(file)
            }
            Input::Htaccess { path, text } => {
                let origin = Origin::Htaccess(path.to_str_lossy().into_owned());
                let file = self.sources.add(path.to_str_lossy(), text);
                let lines = Lines::of_file(self.sources.shared(file), file, HTACCESS_LIMIT);
                self.unit(origin, file, lines)
            }
            Input::Directives(texts) => {
                let one_line = |text: &Vec<u8>| [text.replace("\n", " "), b"\n".to_vec()].concat();
                let text: Vec<u8> = texts.iter().flat_map(one_line).collect();
                let file = self.sources.add("-c/-C directives", text);
                let lines = Lines::one_by_one(self.sources.shared(file), file);
                self.unit(Origin::Directives, file, lines)
            }
        }
    }

    fn main_text(&mut self, file: FileId) -> Vec<Node> {
        self.note_file(file, Span::BUILTIN);
        let lines = Lines::of_file(self.sources.shared(file), file, MAIN_LIMIT);
        self.unit(Origin::File, file, lines)
    }

    fn note_file(&mut self, file: FileId, at: Span) {
        let (line, depth) = (self.state.include_line, self.include_depth);
        self.out.includes.push(Include { file, at, line, depth });
    }

    /// Reads a text to its end and gives its nodes.
    fn unit(&mut self, origin: Origin, file: FileId, lines: Lines) -> Vec<Node> {
        let frames = vec![Frame { file, lines, number: 0 }];
        self.units.push(Unit { origin, frames, blocks: vec![Block::default()], blamed: None });
        while let Some(line) = self.next_line() {
            self.line(line);
            if self.aborted {
                break;
            }
        }
        let nodes = self.finish();
        self.units.pop();
        nodes
    }

    /// The next line of the file, or of the macro used in it.
    fn next_line(&mut self) -> Option<Line> {
        let unit = self.units.last_mut()?;
        loop {
            let frame = unit.frames.last_mut()?;
            if let Some(line) = frame.lines.next() {
                frame.number = line.number;
                return Some(line);
            }
            if unit.frames.len() == 1 {
                return None;
            }
            unit.frames.pop();
        }
    }

    fn file_name(&self, file: FileId) -> String {
        self.sources.name(file).to_owned()
    }

    /// Apache's text for an error: what `-t` prints behind the program's name.
    fn apache(&self, error: &str) -> crate::diag::Apache {
        use crate::diag::Apache;
        let mut text = error.to_owned();
        for unit in self.units.iter().rev() {
            match (&unit.origin, &unit.blamed) {
                (Origin::File, Some((file, line))) => {
                    text = format!("Syntax error on line {line} of {file}: {text}");
                }
                (Origin::File, None) => {}
                (Origin::Directives, _) => text = format!("Syntax error in -C/-c directive: {text}"),
                (Origin::Htaccess(path), _) => return Apache::Plain(format!("{path}: {text}")),
            }
        }
        Apache::Program(text)
    }

    /// Makes a directive the one that Apache's texts name from now on.
    fn blame(&mut self, node: &Node) {
        let name = self.file_name(node.span.file);
        if let Some(unit) = self.units.last_mut() {
            unit.blamed = Some((name, node.line));
        }
    }

    /// Reports an error whose Apache text is `text`, blaming `node` for it.
    fn error_at(&mut self, node: &Node, diagnostic: Diagnostic, text: &str) {
        self.blame(node);
        let apache = self.apache(text);
        self.out.diagnostics.push(diagnostic.with_apache(apache));
    }
}

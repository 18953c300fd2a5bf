//! From files to a policy: the reading stage over the modules' tables, then the walk of the tree.
//!
//! Nothing here stops at the first error. Of all diagnostics the first error is the one that Apache
//! would have stopped at: what is wrong while reading comes before what is wrong in the walk.

use super::{
    Policy,
    compile::{Compiled, Start, compile},
    directive::Scope,
    place::Overrides,
    table::{Load, Lookup, Table, Tables},
};
use crate::{
    diag::{Apache, Diagnostic, FileId, Severity, Sources, Span},
    syntax::{
        self, Defines, Input, Node, Stage, State,
        reader::{Include, Skipped},
    },
    system::System,
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// A check across directives, once the whole configuration is read.
pub type Check = fn(&Policy, &mut Vec<Diagnostic>);

/// A module as the reading knows it.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its tables.
    pub table: Table,
    /// Its check; only active modules are asked.
    pub check: Option<Check>,
}

/// The main configuration.
#[derive(Clone, Debug)]
pub enum ConfigFile {
    /// A file, by absolute path.
    Path(BString),
    /// A text that stands for a file of this name, such as one read from standard input.
    Text(BString, Vec<u8>),
}

/// What the command line says about the configuration.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// `-d`: where relative paths start until a ServerRoot is read; absolute.
    pub server_root: BString,
    /// `-f`.
    pub file: ConfigFile,
    /// `-C`, in order.
    pub pre: Vec<Vec<u8>>,
    /// `-c`, in order.
    pub post: Vec<Vec<u8>>,
    /// `-D`.
    pub defines: Vec<BString>,
}

/// A configuration that was read, and all that is to be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// What could be read; not to be served from when there are errors.
    pub policy: Policy,
    /// Findings in the order in which Apache would meet them; notes and warnings among them.
    pub diagnostics: Vec<Diagnostic>,
    /// The files, with the directives that named them.
    pub includes: Vec<Include>,
    /// Conditional sections that did not hold.
    pub skipped: Vec<Skipped>,
    /// Directives that acted while reading, in order.
    pub executed: Vec<Node>,
    /// The directive tree, `-C` and `-c` texts included.
    pub nodes: Vec<Node>,
}

impl Loaded {
    /// Whether the server must not start with this.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }

    /// The error that Apache would have stopped at.
    pub fn first_error(&self) -> Option<&Diagnostic> {
        self.diagnostics.iter().find(|d| d.severity == Severity::Error)
    }
}

/// Reads and compiles a configuration.
pub fn load(options: &LoadOptions, modules: &[Module], system: &dyn System) -> Loaded {
    let mut sources = Sources::new();
    let defines = Defines::from_names(&options.defines);
    let mut state = State { defines, server_root: options.server_root.clone(), ..State::default() };
    let mut loader = Loader::new(modules.iter().map(|module| module.table));
    let file = match &options.file {
        ConfigFile::Path(path) => Input::File(path),
        ConfigFile::Text(path, text) => Input::Text { path, text },
    };
    let inputs = [
        (!options.pre.is_empty()).then_some(Input::Directives(&options.pre)),
        Some(file),
        (!options.post.is_empty()).then_some(Input::Directives(&options.post)),
    ];
    let (mut nodes, mut diagnostics, mut includes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut skipped, mut executed) = (Vec::new(), Vec::new());
    for input in inputs.into_iter().flatten() {
        let reading = syntax::read(input, &mut state, &mut loader, &mut sources, system);
        match nodes.is_empty() {
            true => nodes = reading.nodes,
            false => nodes.extend(reading.nodes),
        }
        diagnostics.extend(reading.diagnostics);
        includes.extend(reading.includes);
        skipped.extend(reading.skipped);
        executed.extend(reading.executed);
    }
    let defined: FxHashSet<BString> = state.defines.names().map(BString::from).collect();
    let start = Start { server_root: state.server_root.clone(), defined, state };
    let Compiled { mut policy, diagnostics: found } =
        compile(&nodes, Arc::new(loader.tables), sources, system, start);
    let runtime_dir = policy.state.runtime_dir.clone();
    policy.process.runtime_dir = runtime_dir.map(|(path, at)| super::Setting::new(path, at));
    diagnostics.extend(found);
    if policy.tables.active().any(|table| table.keeps_tree) {
        policy.tree.clone_from(&nodes);
    }
    let active = |module: &&Module| policy.tables.is_active(module.table.source.as_bytes());
    let checks: Vec<Check> = modules.iter().filter(active).filter_map(|module| module.check).collect();
    checks.iter().for_each(|check| check(&policy, &mut diagnostics));
    Loaded { policy, diagnostics, includes, skipped, executed, nodes }
}

/// The modules while the main configuration is read.
struct Loader {
    tables: Tables,
    /// Identifiers that LoadModule named.
    named: FxHashSet<Vec<u8>>,
}

impl Loader {
    fn new(tables: impl IntoIterator<Item = Table>) -> Self {
        Loader { tables: Tables::new(tables), named: FxHashSet::default() }
    }
}

impl Stage for Loader {
    fn module_active(&self, name: &[u8]) -> bool {
        self.tables.is_active(name)
    }

    fn load_module(&mut self, name: &[u8], _path: &[u8], at: Span) -> Result<Vec<Diagnostic>, String> {
        let shown = name.as_bstr();
        if !self.named.insert(name.to_vec()) {
            let text = format!("AH01574: module {shown} is already loaded, skipping");
            let warning = Diagnostic::warning("RX0206", at, format!("module {shown} is loaded twice"))
                .with_apache(Apache::Plain(text))
                .logged_by("so")
                .with_edit("remove the line", at, "");
            return Ok(vec![warning]);
        }
        match self.tables.load(name) {
            Load::Done => return Ok(Vec::new()),
            Load::Lacking(module) => {
                let text = format!("rachis does not have {}", module.name);
                let note = Diagnostic::new("RX0281", Severity::Note, at, text).with_note(
                    "It counts as loaded: <IfModule> holds, its directives are checked and have no effect.",
                );
                return Ok(vec![note]);
            }
            Load::Unknown => {}
        }
        let warning = Diagnostic::warning("RX0207", at, format!("rachis has no module {shown}"))
            .with_note("The configuration is read as if the module were not there: its directives are errors, and <IfModule> does not hold for it.");
        Ok(vec![warning])
    }

    fn directive_known(&self, name: &[u8]) -> bool {
        matches!(self.tables.lookup(name), Lookup::Found(..) | Lookup::Lacking(..))
    }
}

/// What reading a `.htaccess` file gave.
#[derive(Debug)]
pub struct Reading {
    /// The tree.
    pub nodes: Vec<Node>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the `.htaccess` file that is `file` among the sources.
pub fn read_htaccess(
    policy: &Policy,
    sources: &Sources,
    system: &dyn System,
    file: FileId,
    overrides: &Overrides,
) -> Reading {
    // The reader numbers the text it is given; it must come to the number that the text has.
    let mut scratch = sources.before(file);
    let mut state = policy.state.clone();
    let mut stage = HtaccessStage { tables: &policy.tables, overrides };
    let (path, text) = (sources.name(file).as_bytes(), sources.text(file));
    let input = Input::Htaccess { path, text };
    let reading = syntax::read(input, &mut state, &mut stage, &mut scratch, system);
    Reading { nodes: reading.nodes, diagnostics: reading.diagnostics }
}

/// The modules while a `.htaccess` file is read: nothing can be loaded any more.
struct HtaccessStage<'a> {
    tables: &'a Tables,
    overrides: &'a Overrides,
}

impl Stage for HtaccessStage<'_> {
    fn module_active(&self, name: &[u8]) -> bool {
        self.tables.is_active(name)
    }

    fn load_module(&mut self, _name: &[u8], _path: &[u8], _at: Span) -> Result<Vec<Diagnostic>, String> {
        Err("LoadModule not allowed here".to_owned())
    }

    fn directive_known(&self, name: &[u8]) -> bool {
        matches!(self.tables.lookup(name), Lookup::Found(..) | Lookup::Lacking(..))
    }

    fn allowed_in_htaccess(&self, name: &[u8]) -> bool {
        let lower = name.to_ascii_lowercase();
        let listed = self.overrides.list.as_ref().is_some_and(|list| list.0.contains(lower.as_bstr()));
        listed || Scope(self.overrides.classes).meets(Scope::ALL)
    }
}

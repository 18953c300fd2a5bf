//! Which configuration it is, and how it becomes an engine.
//!
//! `-d` and `-f` name it. Where they are silent: `conf/httpd.conf` of the current directory if
//! there is one (a checkout, an httpd layout), else the first of the usual places that exists.

use super::options::{self, Options};
use crate::{
    diag::{Diagnostic, FileId, Severity, Sources, Span},
    engine::Engine,
    modules,
    policy::{
        Policy,
        compile::{Start, compile},
        table::Tables,
    },
    syntax::{self, Input, Node, Stage, State, reader::Include},
    system::{Disk, System},
};
use bstr::{BString, ByteSlice};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// `PidFile` where nothing is said.
pub const DEFAULT_PID_FILE: &str = "logs/httpd.pid";

/// `ErrorLog` where nothing is said.
pub const DEFAULT_ERROR_LOG: &str = "logs/error_log";

/// The usual places: ServerRoot, and the file below it.
const USUAL: [(&str, &str); 4] = [
    ("/usr/local/apache2", "conf/httpd.conf"),
    ("/etc/httpd", "conf/httpd.conf"),
    ("/etc/apache2", "apache2.conf"),
    ("/opt/homebrew/etc/httpd", "httpd.conf"),
];

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// ServerRoot at the beginning (HTTPD_ROOT), absolute.
    pub root: PathBuf,
    /// The main file, as given; relative to the root.
    pub file: PathBuf,
    /// Whether it was found in the current directory without `-d` and `-f`.
    pub checkout: bool,
}

impl Origin {
    /// What `-d` and `-f` say, or what is found without them.
    pub fn of(options: &Options) -> Origin {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let root = options.server_root.as_ref().map(|root| clean(&here.join(options::path(root))));
        let file = options.config_file.as_ref().map(|file| options::path(file));
        let checkout = root.is_none() && file.is_none() && here.join("conf/httpd.conf").is_file();
        let found = |root: &Path| {
            let names = ["conf/httpd.conf", "httpd.conf", "apache2.conf"];
            PathBuf::from(names.iter().find(|name| root.join(name).is_file()).unwrap_or(&names[0]))
        };
        match (root, file) {
            (Some(root), Some(file)) => Origin { root, file, checkout },
            (Some(root), None) => Origin { file: found(&root), root, checkout },
            (None, file) if file.is_some() || !checkout => {
                let (root, usual) = usual();
                Origin { root, file: file.unwrap_or(usual), checkout }
            }
            (None, _) => Origin { root: here, file: "conf/httpd.conf".into(), checkout },
        }
    }

    /// The main file's full name.
    pub fn path(&self) -> PathBuf {
        self.root.join(&self.file)
    }
}

fn usual() -> (PathBuf, PathBuf) {
    let there = USUAL.iter().find(|(root, file)| Path::new(root).join(file).is_file());
    let (root, file) = there.unwrap_or(&USUAL[0]);
    (PathBuf::from(root), PathBuf::from(file))
}

/// A path without `.`, `..` and doubled slashes, as APR merges paths.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

/// A configuration, read to its end whatever is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    /// What could be read.
    pub policy: Arc<Policy>,
    /// All findings; the first error is the one at which Apache stops.
    pub diagnostics: Vec<Diagnostic>,
    /// The directives of the second stage.
    pub nodes: Vec<Node>,
    /// The files that were included.
    pub includes: Vec<Include>,
    /// The main file, if it could be read.
    pub main: Option<FileId>,
    /// Names in force at the end: `-D` and Define.
    pub defines: Vec<(BString, Option<BString>)>,
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// ServerRoot at the beginning.
    pub root: BString,
    /// The main file's full name, and its text if it is not to be read from there.
    pub file: BString,
    /// The main file's text, where there is no file.
    pub text: Option<BString>,
    /// `-C`
    pub before: Vec<Vec<u8>>,
    /// `-c`
    pub after: Vec<Vec<u8>>,
    /// `-D`
    pub defines: Vec<BString>,
}

impl LoadOptions {
    /// What the options say about the configuration.
    pub fn new(options: &Options, origin: &Origin) -> LoadOptions {
        let bytes = |path: &Path| BString::from(path.as_os_str().as_bytes());
        LoadOptions {
            root: bytes(&origin.root),
            file: bytes(&origin.path()),
            text: None,
            before: options.before.clone(),
            after: options.after.clone(),
            defines: options.defines.iter().map(|name| name.as_slice().into()).collect(),
        }
    }
}

impl Loaded {
    /// The first error, at which Apache stops.
    pub fn error(&self) -> Option<&Diagnostic> {
        self.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The texts that findings point into.
    pub fn sources(&self) -> &Sources {
        &self.policy.sources
    }

    /// The engine for it, on the machine's own file system.
    pub fn engine(&self) -> Engine {
        Engine::new(self.policy.clone(), modules::ALL, Arc::new(Disk))
    }
}

/// Asks the tables what the reading stage wants to know.
struct Modules<'t>(&'t mut Tables);

impl Stage for Modules<'_> {
    fn module_active(&self, name: &[u8]) -> bool {
        self.0.is_active(name)
    }

    fn load_module(&mut self, name: &[u8], _path: &[u8], at: Span) -> Result<Vec<Diagnostic>, String> {
        if self.0.load(name) {
            return Ok(Vec::new());
        }
        let headline = format!("rachis has no module `{}`", name.as_bstr());
        let note = "its directives are unknown here; everything else works without it";
        Ok(vec![Diagnostic::warning("RX0701", at, headline).with_note(note)])
    }

    fn directive_known(&self, name: &[u8]) -> bool {
        matches!(self.0.lookup(name), crate::policy::table::Lookup::Found(..))
    }
}

/// Reads `-C`, the main file and `-c` in Apache's order, and makes the policy of them.
pub fn load(options: &LoadOptions) -> Loaded {
    let mut tables = Tables::new(modules::ALL.iter().map(|module| module.table()));
    let mut sources = Sources::new();
    let mut state = State {
        defines: syntax::Defines::from_names(&options.defines),
        server_root: options.root.clone(),
        ..State::default()
    };
    let mut inputs = Vec::new();
    if !options.before.is_empty() {
        inputs.push(Input::Directives(&options.before));
    }
    inputs.push(match &options.text {
        Some(text) => Input::Text { path: &options.file, text },
        None => Input::File(&options.file),
    });
    if !options.after.is_empty() {
        inputs.push(Input::Directives(&options.after));
    }
    let mut whole = syntax::Reading::default();
    let mut main = None;
    for input in inputs {
        let first = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        let read = syntax::read(input, &mut state, &mut Modules(&mut tables), &mut sources, &Disk);
        if !matches!(input, Input::Directives(_)) && (sources.len() as u64) > u64::from(first) {
            main = Some(FileId(first));
        }
        whole.nodes.extend(read.nodes);
        whole.diagnostics.extend(read.diagnostics);
        whole.includes.extend(read.includes);
    }
    let defined = state.defines.names().map(BString::from).collect();
    let start = Start { server_root: state.server_root.clone(), defined };
    let compiled = compile(&whole.nodes, Arc::new(tables), sources, &Disk as &dyn System, start);
    let policy = Arc::new(compiled.policy);
    let mut diagnostics = whole.diagnostics;
    diagnostics.extend(compiled.diagnostics);
    for module in modules::ALL.iter().filter(|module| policy.tables.is_active(module.source.as_bytes())) {
        if let Some(check) = module.check {
            check(&policy, &mut diagnostics);
        }
    }
    let value = |name: &[u8]| state.defines.value(name).map(BString::from);
    let defines = state.defines.names().map(|name| (BString::from(name), value(name))).collect();
    Loaded { policy, diagnostics, nodes: whole.nodes, includes: whole.includes, main, defines }
}

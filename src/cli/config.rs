//! Which configuration it is, and how it becomes an engine.
//!
//! `-d` and `-f` name it. Where they are silent: `conf/httpd.conf` of the current directory if
//! there is one (a checkout, an httpd layout), else the first of the usual places that exists.

use super::options::{self, Options};
use crate::{
    diag::{Diagnostic, Severity, Sources},
    engine::Engine,
    modules,
    policy::{
        Policy,
        reading::{self, ConfigFile, LoadOptions},
    },
    syntax::{Node, reader::Include},
    system::Disk,
};
use bstr::BString;
use std::{
    io::Read,
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
    /// The files in the order of reading.
    pub includes: Vec<Include>,
    /// Name of the main file.
    pub main: BString,
}

/// What the options say about the configuration.
pub fn load_options(options: &Options, origin: &Origin) -> LoadOptions {
    LoadOptions {
        server_root: bytes(&origin.root),
        file: if options.config_file.as_deref() == Some(b"-") {
            standard_input()
        } else {
            ConfigFile::Path(bytes(&origin.path()))
        },
        pre: options.before.clone(),
        post: options.after.clone(),
        defines: options.defines.iter().map(|name| name.as_slice().into()).collect(),
    }
}

/// `-f -`, which Apache does not have: for configurations that another program makes.
fn standard_input() -> ConfigFile {
    let mut text = Vec::new();
    // What cannot be read is an empty configuration, and says so for want of a Listen.
    let _ = std::io::stdin().lock().read_to_end(&mut text);
    ConfigFile::Text("(standard input)".into(), text)
}

/// A path as bytes.
pub fn bytes(path: &Path) -> BString {
    path.as_os_str().as_bytes().into()
}

/// Reads a configuration with all modules of this server.
pub fn load(options: &LoadOptions) -> Loaded {
    let module = |module: &&'static crate::engine::Module| reading::Module {
        table: module.table(),
        check: module.check,
    };
    let all: Vec<reading::Module> = modules::ALL.iter().map(module).collect();
    let begun = std::time::Instant::now();
    let loaded = reading::load(options, &all, &Disk);
    log::debug!("configuration read in {:?}: {} files", begun.elapsed(), loaded.policy.sources.len());
    let main = match &options.file {
        ConfigFile::Path(path) | ConfigFile::Text(path, _) => path.clone(),
    };
    Loaded {
        policy: Arc::new(loaded.policy),
        diagnostics: loaded.diagnostics,
        nodes: loaded.nodes,
        includes: loaded.includes,
        main,
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

//! What a configuration reaches: the `.htaccess` files below its document roots, and the programs
//! it would run. The engine itself is asked about each file, so there is no second idea here of
//! what AllowOverride, Alias or AddHandler do; mod_cgi's own inspection looks at the programs.

use crate::{
    cli::config::Loaded,
    diag::{Apache, Diagnostic, Edit, FileId, Fix, Sources, Span},
    engine::Engine,
    explain::{self, Kind, Question, below},
    modules::mod_cgi::explain::{Finding, examine},
    policy::{Policy, compile, place::Overrides, reading},
    syntax::{Node, Words},
    system::{Disk, System, path},
};
use bstr::{BString, ByteSlice};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Most files asked about: a check is to end while somebody waits for it.
const MOST: usize = 4096;

/// Deepest directory below a root.
const DEEPEST: usize = 24;

/// Endings of what is a program for certain.
const PROGRAMS: [&[u8]; 5] = [b".py", b".cgi", b".pl", b".sh", b".rb"];

/// Looks at all that is reached; new texts are added to the sources.
pub(super) fn check(loaded: &Loaded, sources: &mut Sources) -> Vec<Diagnostic> {
    let mut site = Site { sources, files: BTreeMap::new(), found: Vec::new() };
    let mut programs = permitted(&loaded.nodes);
    if loaded.error().is_none() {
        let engine = loaded.engine();
        for (host, prefix, directory) in roots(loaded) {
            site.below(&engine, host.as_deref(), &prefix, &directory, &mut programs);
        }
    }
    let user = loaded.policy.process.user.as_ref().map(|user| user.value.clone());
    for program in &programs {
        for finding in examine(&Disk, program, user.as_ref().map(|name| name.as_slice())) {
            site.program(program, finding);
        }
    }
    site.found
}

/// Where URLs lead: host, the URL's beginning, the directory.
fn roots(loaded: &Loaded) -> Vec<(Option<String>, BString, BString)> {
    let mut roots = Vec::new();
    for server in &loaded.policy.servers {
        if let Some(root) = &server.core().document_root {
            let name = server.core().name.as_ref().map(|name| name.value.to_string());
            roots.push((name, "/".into(), root.value.clone()));
        }
    }
    let root = &loaded.policy.process.server_root;
    for node in every(&loaded.nodes).into_iter().filter(|node| node.is(b"ScriptAlias") || node.is(b"Alias")) {
        let words: Vec<BString> = node.words().map(|word| word.text).collect();
        if let [url, directory] = words.as_slice() {
            let directory = crate::policy::place::server_root_relative(root, directory);
            roots.push((None, url.clone(), directory));
        }
    }
    roots
}

fn every(nodes: &[Node]) -> Vec<&Node> {
    nodes.iter().flat_map(|node| std::iter::once(node).chain(every(&node.children))).collect()
}

/// Programs in directories whose section permits programs, whether or not anything leads there yet.
fn permitted(nodes: &[Node]) -> BTreeSet<BString> {
    let mut programs = BTreeSet::new();
    for section in every(nodes).into_iter().filter(|node| node.is(b"<Directory")) {
        let permits = |node: &Node| {
            node.is(b"Options")
                && node.words().any(|word| {
                    let word = word.text.trim_start_with(|sign| sign == '+').to_ascii_lowercase();
                    word == b"execcgi" || word == b"all"
                })
        };
        let directory = section.section_args().and_then(|args| Words::of(&args).next());
        let Some(directory) = directory.filter(|_| section.children.iter().any(permits)) else { continue };
        let directory = directory.text.trim_end_with(|slash| slash == '/');
        for entry in Disk.read_dir(path(directory)).unwrap_or_default() {
            if !entry.is_dir && PROGRAMS.iter().any(|ending| entry.name.ends_with(ending)) {
                programs.insert([directory, b"/", &entry.name].concat().into());
            }
        }
    }
    programs
}

struct Site<'s> {
    sources: &'s mut Sources,
    files: BTreeMap<String, FileId>,
    found: Vec<Diagnostic>,
}

impl Site<'_> {
    /// Asks the engine about every file below a directory.
    fn below(
        &mut self,
        engine: &Engine,
        host: Option<&str>,
        prefix: &[u8],
        directory: &[u8],
        programs: &mut BTreeSet<BString>,
    ) {
        if Disk.stat(path(directory)).is_ok_and(|stat| stat.is_file()) {
            programs.extend(self.ask(engine, host, prefix));
            return;
        }
        let trimmed = |text: &[u8]| BString::from(text.trim_end_with(|slash| slash == '/'));
        let (prefix, directory) = (trimmed(prefix), trimmed(directory));
        // The whole file system is nobody's site, and would take minutes.
        if directory.is_empty() {
            return;
        }
        for name in below::files(&Disk, &directory, DEEPEST, MOST).unwrap_or_default() {
            let within =
                name.strip_suffix(b".htaccess").filter(|rest| rest.is_empty() || rest.ends_with(b"/"));
            if let Some(within) = within {
                self.ask(engine, host, &[&prefix[..], b"/", below::url_path(within).as_bytes()].concat());
            }
            let url = [&prefix[..], b"/", below::url_path(&name).as_bytes()].concat();
            programs.extend(self.ask(engine, host, &url));
        }
    }

    /// The program that a URL runs; what is wrong with the `.htaccess` files on the way is kept.
    fn ask(&mut self, engine: &Engine, host: Option<&str>, url: &[u8]) -> Option<BString> {
        let url = match host {
            Some(host) => [b"http://", host.as_bytes(), url].concat(),
            None => url.to_vec(),
        };
        let question = Question::new("GET", &url).ok()?;
        let told = explain::decide(engine, question, &|_, _| {}).ok()?;
        for (file, overrides) in &told.htaccess {
            let name = told.sources.name(*file);
            if !self.files.contains_key(name) {
                let file = self.file(name, told.sources.text(*file).to_vec());
                let found = wrong_with(&engine.policy, self.sources, file, overrides);
                self.found.extend(found);
            }
        }
        let program = told.outcome.kind == Kind::Executed
            && told.outcome.handler.as_ref().is_some_and(|handler| handler == "cgi-script");
        told.outcome.file.filter(|_| program)
    }

    fn file(&mut self, name: &str, text: Vec<u8>) -> FileId {
        match self.files.get(name) {
            Some(file) => *file,
            None => {
                let file = self.sources.add(name, text);
                self.files.insert(name.to_owned(), file);
                file
            }
        }
    }

    fn program(&mut self, program: &BString, finding: Finding) {
        let text = Disk.read(path(program), 1024 * 1024).unwrap_or_default();
        let file = self.file(&program.to_str_lossy(), text);
        let span = |range: &Range<usize>| {
            let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            Span::new(file, offset(range.start), offset(range.end))
        };
        let edits = finding.edits.iter().map(|(at, text)| Edit { span: span(at), text: text.clone() });
        let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default().as_bstr();
        let apache = match finding.id {
            "RX0512" => Apache::Plain(format!("(13)Permission denied: AH01241: exec of '{program}' failed")),
            "RX0513" => Apache::Plain(format!("(8)Exec format error: AH01241: exec of '{program}' failed")),
            "RX0514" | "RX0515" => {
                Apache::Plain(format!("(2)No such file or directory: AH01241: exec of '{program}' failed"))
            }
            _ => Apache::Silent,
        };
        let mut found = Diagnostic::error(finding.id, span(&finding.at), finding.text)
            .with_label(format!("{name} would fail"))
            .with_apache(apache);
        found.fix = Some(Fix { advice: finding.mend, edits: edits.collect() });
        self.found.push(found);
    }
}

/// All that is wrong with a `.htaccess` file that is among the sources.
pub(super) fn wrong_with(
    policy: &Policy,
    sources: &Sources,
    file: FileId,
    overrides: &Overrides,
) -> Vec<Diagnostic> {
    let reading = reading::read_htaccess(policy, sources, &Disk, file, overrides);
    let name = sources.name(file).as_bytes();
    let directory = &name[..name.rfind_byte(b'/').map_or(0, |slash| slash + 1)];
    let found = compile::check_htaccess(&reading.nodes, policy, sources, &Disk, directory, overrides);
    let odd = explain::lint::mapping::lint(&reading.nodes);
    reading.diagnostics.into_iter().chain(found).chain(odd).collect()
}

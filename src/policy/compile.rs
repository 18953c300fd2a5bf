//! From the directive tree to the policy: each directive is looked up in the tables, checked
//! against where it stands, cut into words by its shape, and applied. It never stops at the first
//! error: what can be read is read, and all that is wrong is told.

use super::{
    Policy,
    conf::{Conf, Kind},
    core_conf::{CoreDir, OptionBits},
    directive::{Applied, Args, Directive, Mistake, Scope, Shape},
    lacking::{self, Lacking, Row},
    place::{At, Overrides, Place},
    process::Process,
    section::Sections,
    server::{self, Named, Server, Vhosts},
    suexec::Suexec,
    table::{Lookup, Tables},
};
use crate::{
    diag::{Apache, Diagnostic, Fix, Severity, Sources, Span},
    syntax::{Node, State, Word},
    system::System,
};
use bstr::{BString, ByteSlice};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// A log file, pipe or other target that the server opens at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// As written: a path, `|program`, `syslog…`.
    pub spec: BString,
    /// The directive that named it first.
    pub at: Span,
    /// Whether the server does without it if it cannot be opened.
    pub optional: bool,
}

/// The state of reading one configuration or one `.htaccess` file.
#[derive(Debug)]
pub struct Compiler<'t> {
    pub(super) tables: &'t Tables,
    pub(super) system: &'t dyn System,
    pub(super) sources: &'t Sources,
    pub(super) servers: Vec<Server>,
    pub(super) process: Process,
    pub(super) defined: FxHashSet<BString>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What a section has before anything is said in it: settings of core, shared by all that
    /// leave it at that.
    pub(super) blank: Conf,
    /// Settings in which nothing is said, shared by all servers that leave it at that.
    nothing: Arc<Conf>,
    /// What every virtual host has to begin with.
    host: Arc<Conf>,
    /// About directives of modules that rachis lacks.
    pub(super) lacks: lacking::Findings,
    log_targets: Vec<LogTarget>,
    log_numbers: FxHashMap<BString, usize>,
    next_id: u64,
    /// The path that was asked about last, and whether it is a directory: virtual hosts often have one
    /// DocumentRoot.
    pub(super) asked: Option<(BString, bool)>,
    /// Whether there was an error.
    failed: bool,
    /// Whether a `.htaccess` file is read to its end for its mistakes, not for a request.
    thorough: bool,
}

/// What the reading stage hands over besides the tree.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// `ServerRoot`, absolute.
    pub server_root: BString,
    /// Names defined with `-D` or `Define`.
    pub defined: FxHashSet<BString>,
    /// Definitions and macros, which `.htaccess` files may use.
    pub state: State,
}

/// A policy and all that is to be said about it; with an error among it, the policy is not to be
/// used for serving.
#[derive(Debug)]
pub struct Compiled {
    /// What could be read.
    pub policy: Policy,
    /// Findings in the order of the walk; the first error is the one Apache would report.
    pub diagnostics: Vec<Diagnostic>,
}

/// Turns a directive tree into a policy.
pub fn compile(
    nodes: &[Node],
    tables: Arc<Tables>,
    sources: Sources,
    system: &dyn System,
    start: Start,
) -> Compiled {
    let state = start.state.clone();
    let mut compiler = Compiler::new(&tables, system, &sources, start, 0);
    let mut dir = Conf::base(tables.kinds());
    dir.slot::<CoreDir>().options.bits = OptionBits::FOLLOW_SYM_LINKS;
    let scope = Scope::RSRC_CONF.or(Scope::ALL).without(Scope::AUTHCFG).without(Scope::LIMIT);
    compiler.servers.reserve_exact(nodes.iter().filter(|node| node.is(b"<VirtualHost")).count());
    compiler.walk(nodes, &mut dir, At::top(scope));
    compiler.servers[0].dir = Arc::new(dir);
    compiler.settle_refusals();
    let Compiler { mut servers, process, mut diagnostics, log_targets, mut next_id, .. } = compiler;
    server::finish(&mut servers, system, &mut next_id, &mut diagnostics);
    let vhosts = Vhosts::new(&servers);
    let policy =
        Policy { sources, tables, servers, vhosts, process, log_targets, tree: Vec::new(), state, next_id };
    Compiled { policy, diagnostics }
}

impl At<'_> {
    /// Outside of all sections of the main server.
    fn top(scope: Scope) -> Self {
        At { server: 0, scope, limited: u64::MAX, path: None, regex: false, parents: None, overrides: None }
    }
}

/// Reads the tree of one `.htaccess` file: its settings, and the first error, if any. Numbers for
/// the sections inside it are taken from `next_id` on.
pub fn compile_htaccess(
    nodes: &[Node],
    policy: &Policy,
    sources: &Sources,
    system: &dyn System,
    directory: &[u8],
    overrides: &Overrides,
    next_id: &mut u64,
) -> (Conf, Vec<Diagnostic>) {
    let mut compiler = Compiler::below(policy, system, sources, *next_id);
    let conf = compiler.htaccess(nodes, directory, overrides);
    *next_id = compiler.next_id;
    (conf, compiler.diagnostics)
}

/// All that is wrong with a `.htaccess` file, to its end: a request stops at the first error.
pub fn check_htaccess(
    nodes: &[Node],
    policy: &Policy,
    sources: &Sources,
    system: &dyn System,
    directory: &[u8],
    overrides: &Overrides,
) -> Vec<Diagnostic> {
    let mut compiler = Compiler::below(policy, system, sources, 0);
    compiler.thorough = true;
    compiler.htaccess(nodes, directory, overrides);
    compiler.diagnostics
}

impl<'t> Compiler<'t> {
    fn new(
        tables: &'t Tables,
        system: &'t dyn System,
        sources: &'t Sources,
        start: Start,
        next_id: u64,
    ) -> Self {
        let process =
            Process { server_root: start.server_root, suexec: Suexec::of(system), ..Process::default() };
        let mut compiler = Compiler {
            tables,
            system,
            sources,
            servers: Vec::new(),
            process,
            defined: start.defined,
            diagnostics: Vec::new(),
            blank: Conf::base(&[Kind::of::<CoreDir>()]),
            nothing: Arc::default(),
            host: Arc::new(Conf::base(tables.active_kinds().filter(|kind| kind.is_of_every_host()))),
            lacks: lacking::Findings::default(),
            log_targets: Vec::new(),
            log_numbers: FxHashMap::default(),
            next_id,
            asked: None,
            failed: false,
            thorough: false,
        };
        compiler.add_server(Vec::new(), Span::BUILTIN);
        compiler.servers[0].conf = Arc::new(Conf::base(tables.kinds()));
        compiler
    }

    /// For what stands below a configuration that is read already.
    fn below(policy: &'t Policy, system: &'t dyn System, sources: &'t Sources, next_id: u64) -> Self {
        let start = Start { server_root: policy.process.server_root.clone(), ..Start::default() };
        let mut compiler = Compiler::new(&policy.tables, system, sources, start, next_id);
        compiler.process.methods.clone_from(&policy.process.methods);
        compiler.process.regex = policy.process.regex;
        // What the server's configuration defines by name (AuthzProviderAlias) is known here too.
        compiler.servers[0].conf = policy.main().conf.clone();
        compiler
    }

    fn htaccess(&mut self, nodes: &[Node], directory: &[u8], overrides: &Overrides) -> Conf {
        let mut conf = self.blank.clone();
        let at =
            At { path: Some(directory), overrides: Some(overrides), ..At::top(Scope(overrides.classes)) };
        self.walk(nodes, &mut conf, at);
        conf
    }

    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(super) fn add_server(&mut self, addresses: Vec<Named>, span: Span) -> usize {
        let (conf, dir, sections) = (Arc::clone(&self.host), Arc::clone(&self.nothing), Sections::default());
        self.servers.push(Server { conf, dir, dir_id: 0, sections, addresses, span });
        self.servers.len() - 1
    }

    pub(super) fn log_target(&mut self, spec: &[u8], at: Span, optional: bool) -> usize {
        let Compiler { log_targets, log_numbers, .. } = self;
        *log_numbers.entry(spec.into()).or_insert_with(|| {
            log_targets.push(LogTarget { spec: spec.into(), at, optional });
            log_targets.len() - 1
        })
    }

    /// Applies directives in order to the settings of one place.
    pub(super) fn walk(&mut self, nodes: &[Node], dir: &mut Conf, at: At<'_>) {
        for node in nodes {
            // A request waits for a `.htaccess` file, and one error in it is enough for a 500.
            if self.failed && at.overrides.is_some() && !self.thorough {
                return;
            }
            if let Err(mistake) = self.apply(node, dir, at) {
                let diagnostic = self.diagnostic(node, mistake, at);
                self.failed |= diagnostic.severity == Severity::Error;
                self.diagnostics.push(diagnostic);
            }
        }
    }

    fn apply(&mut self, node: &Node, dir: &mut Conf, at: At<'_>) -> Applied {
        let (row, lacking) = match self.tables.lookup(&node.name) {
            Lookup::Found(_, row) => (row, None),
            Lookup::Lacking(module, row) => (&row.directive, Some((module, row))),
            Lookup::Inactive(table, row) => return Err(self.inactive(node, table.identifier, row)),
            Lookup::Unknown if at.overrides.is_some() && !self.thorough => return Err(invalid_command(node)),
            Lookup::Unknown => return Err(self.unknown(node)),
        };
        if !allowed(row, at) {
            return Err(self.not_allowed(node, row, at));
        }
        let place = &mut Place { compiler: self, dir, at };
        call(place, row, node)?;
        lacking.map_or(Ok(()), |(module, row): (&'static Lacking, &'static Row)| {
            self.lacking(node, module, row, at)
        })
    }

    fn unknown(&self, node: &Node) -> Mistake {
        if let Some(module) = lacking::module_of(&node.name) {
            let (name, module) = (&node.name, module.name);
            let name = name.trim_start_with(|c| c == '<').as_bstr();
            return invalid_command(node)
                .id("RX0205")
                .at(node.name_span, format!("`{name}` belongs to {module}, which rachis does not have"));
        }
        let locks = [&b"LockFile"[..], b"AcceptMutex", b"RewriteLock", b"SSLMutex"];
        if locks.iter().any(|name| node.is(name)) {
            let advice = "Apache 2.4 has Mutex for all locks: write `Mutex default`".to_owned();
            let edits = vec![crate::diag::Edit { span: node.span, text: "Mutex default".to_owned() }];
            let mistake = invalid_command(node).at(node.name_span, "gone since Apache 2.4");
            return mistake.fix(Fix { advice, edits });
        }
        let mistake = invalid_command(node).at(node.name_span, "no module has a directive of this name");
        match self.tables.suggestions(&node.name).as_slice() {
            [] => mistake,
            [best, ..] => {
                let advice = format!("did you mean `{}`?", best.trim_start_matches('<'));
                let edits = vec![crate::diag::Edit { span: node.name_span, text: (*best).to_owned() }];
                mistake.fix(Fix { advice, edits })
            }
        }
    }

    fn inactive(&self, node: &Node, identifier: &str, row: &Directive) -> Mistake {
        let advice = format!(
            "add `LoadModule {identifier} modules/mod_{}.so`",
            identifier.trim_end_matches("_module")
        );
        invalid_command(node)
            .id("RX0202")
            .at(node.name_span, format!("`{}` belongs to {identifier}, which is not loaded", row.bare_name()))
            .fix(Fix { advice, edits: Vec::new() })
    }

    /// A directive's name as Apache spells it, or as written if no module has it.
    pub(super) fn canonical_name(&self, node: &Node) -> String {
        match self.tables.lookup(&node.name) {
            Lookup::Found(_, row) | Lookup::Inactive(_, row) => row.name.to_owned(),
            Lookup::Lacking(_, row) => row.directive.name.to_owned(),
            Lookup::Unknown => node.name.to_string(),
        }
    }

    fn not_allowed(&self, node: &Node, row: &Directive, at: At<'_>) -> Mistake {
        let place = match at.parents {
            Some(parents) => format!("in {}> context", self.canonical_name(parents.node)),
            None => "here".to_owned(),
        };
        let mistake = Mistake::new(format!("{} not allowed {place}", row.name)).id("RX0203");
        let mistake = mistake.at(node.name_span, "not allowed at this place");
        let class = class_names(row.scope);
        match (at.overrides, at.parents) {
            (Some(_), _) if !class.is_empty() => {
                mistake.note(format!("AllowOverride must name the class {class} for this directory."))
            }
            (Some(_), _) => mistake
                .note("This directive can never stand in .htaccess; put it into the server's configuration."),
            (None, Some(parents)) => mistake.note(format!(
                "It belongs outside of {}>; close that section before it.",
                self.canonical_name(parents.node)
            )),
            (None, None) => mistake.note("It belongs into a section such as <Directory>."),
        }
    }

    /// What Apache logs of a mistake that `AllowOverride Nonfatal=` forgives.
    fn forgiven(&self, node: &Node, mistake: &Mistake) -> String {
        if nonfatal_bit(mistake.id) == 1 {
            return format!("AH02295: {} in .htaccess forbidden by AllowOverride", self.canonical_name(node));
        }
        let name = node.name.to_ascii_lowercase();
        format!(
            "AH02296: Unknown directive {} perhaps misspelled or defined by a module not included in the server configuration",
            name.as_bstr()
        )
    }

    /// A mistake as a diagnostic, with Apache's two lines where it prints two.
    pub(super) fn diagnostic(&self, node: &Node, mistake: Mistake, at: At<'_>) -> Diagnostic {
        let place = self.sources.place(node.span);
        let forgiven = at.overrides.is_some_and(|o| o.nonfatal & nonfatal_bit(mistake.id) != 0);
        let apache = match at.overrides {
            Some(_) if forgiven => Apache::Plain(self.forgiven(node, &mistake)),
            Some(_) => Apache::Plain(format!("{}: {}", place.file, mistake.message)),
            None => Apache::Plain(format!(
                "AH00526: Syntax error on line {} of {}:\n{}",
                node.line, place.file, mistake.message
            )),
        };
        let span =
            mistake.span.unwrap_or(if node.args().is_empty() { node.name_span } else { node.args_span });
        let severity = if forgiven { Severity::Warning } else { Severity::Error };
        let headline = mistake.message.lines().next().unwrap_or_default().to_owned();
        let mut diagnostic = Diagnostic::new(mistake.id, severity, span, headline)
            .with_apache(apache)
            .with_label(mistake.label);
        diagnostic.notes = mistake.notes;
        diagnostic.fix = mistake.fix.map(|fix| *fix);
        diagnostic
    }
}

/// Ids of "not allowed here" and "unknown", which `AllowOverride Nonfatal=` forgives.
fn nonfatal_bit(id: &str) -> u8 {
    match id {
        "RX0203" => 1,
        "RX0201" | "RX0202" | "RX0205" => 2,
        _ => 0,
    }
}

fn invalid_command(node: &Node) -> Mistake {
    let message = format!(
        "Invalid command '{}', perhaps misspelled or defined by a module not included in the server configuration",
        escape_name(&node.name)
    );
    Mistake::new(message).id("RX0201")
}

/// Names are bytes; Apache prints those that are no printable ASCII as `\xhh`.
fn escape_name(name: &[u8]) -> String {
    name.iter().fold(String::new(), |mut text, &byte| {
        match byte {
            b'\\' => text.push_str(r"\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
        text
    })
}

fn allowed(row: &Directive, at: At<'_>) -> bool {
    let listed = at.overrides.and_then(|o| o.list.as_ref());
    let named =
        listed.is_some_and(|list| list.0.contains(row.name.to_ascii_lowercase().as_bytes().as_bstr()));
    row.scope.meets(at.scope) || (named && row.scope.meets(Scope::ALL))
}

/// The AllowOverride classes that let a directive into `.htaccess`.
pub fn class_names(scope: Scope) -> String {
    let all = [
        (Scope::AUTHCFG, "AuthConfig"),
        (Scope::FILEINFO, "FileInfo"),
        (Scope::INDEXES, "Indexes"),
        (Scope::LIMIT, "Limit"),
        (Scope::OPTIONS, "Options"),
    ];
    let names = all.iter().filter(|(bit, _)| scope.meets(*bit)).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(" or ")
}

/// Cuts the words as the row's shape says and calls its function.
fn call(place: &mut Place<'_, '_>, row: &Directive, node: &Node) -> Applied {
    let once = |place: &mut Place<'_, '_>, words: &[Word], on: bool| {
        (row.apply)(place, &Args { words, node, span: node.span, on })
    };
    if row.shape == Shape::Raw {
        return once(place, &[], false);
    }
    let words: Vec<Word> = node.words().collect();
    let empty = |n: usize| words.get(n).is_none_or(|word: &Word| word.text.is_empty());
    let count = words.len();
    let wrong = |text: &str| {
        let usage = if row.usage.is_empty() { String::new() } else { format!(", {}", row.usage) };
        Err(Mistake::new(format!("{} {text}{usage}", row.name)).id("RX0204"))
    };
    match row.shape {
        Shape::Raw => Ok(()),
        Shape::Argv => once(place, &words, false),
        Shape::NoArgs if count == 0 => once(place, &[], false),
        Shape::NoArgs => Err(Mistake::new(format!("{} takes no arguments", row.name)).id("RX0204")),
        Shape::One if count == 1 && !empty(0) => once(place, &words, false),
        Shape::One => wrong("takes one argument"),
        Shape::Two if count == 2 && !empty(0) && !empty(1) => once(place, &words, false),
        Shape::Two => wrong("takes two arguments"),
        Shape::OneTwo if (1..=2).contains(&count) && !empty(0) => once(place, &words, false),
        Shape::OneTwo => wrong("takes 1-2 arguments"),
        Shape::Three if count == 3 && !empty(0) && !empty(1) && !empty(2) => once(place, &words, false),
        Shape::Three => wrong("takes three arguments"),
        Shape::TwoThree if (2..=3).contains(&count) && !empty(0) && !empty(1) => once(place, &words, false),
        Shape::TwoThree => wrong("takes two or three arguments"),
        Shape::OneTwoThree if (1..=3).contains(&count) && !empty(0) => once(place, &words, false),
        Shape::OneTwoThree => wrong("takes one, two or three arguments"),
        Shape::OneThree if (count == 1 || count == 3) && !empty(0) => once(place, &words, false),
        Shape::OneThree => wrong("takes one or three arguments"),
        Shape::Each => {
            let words = &words[..words.iter().take_while(|word| !word.text.is_empty()).count()];
            if words.is_empty() {
                return wrong("requires at least one argument");
            }
            words.chunks(1).try_for_each(|word| once(place, word, false))
        }
        Shape::EachWithFirst if count >= 2 && !empty(0) && !empty(1) => {
            let rest = words[1..].iter().take_while(|word| !word.text.is_empty());
            rest.map(|word| [words[0].clone(), word.clone()]).try_for_each(|pair| once(place, &pair, false))
        }
        Shape::EachWithFirst => wrong("requires at least two arguments"),
        Shape::Flag => match words.first().map(|word| word.text.to_ascii_lowercase()) {
            Some(text) if text == b"on" => once(place, &words, true),
            Some(text) if text == b"off" => once(place, &words, false),
            _ => Err(Mistake::new(format!("{} must be On or Off", row.name)).id("RX0204")),
        },
    }
}

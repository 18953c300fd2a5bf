//! Who takes part in what: the hooks of the modules, by Apache's titles.

use crate::{
    engine::{Engine, Module, Phase, phase_order},
    policy::Policy,
};
use std::io::Write;

/// What stands behind a title.
#[derive(Clone, Copy)]
enum What {
    /// Hooks of this phase.
    Phase(Phase),
    /// A field of the module's table.
    Table(fn(&Module) -> bool),
    /// Nothing of the kind is asked here.
    Nothing,
}

type Titles = &'static [(&'static str, What)];

const STARTUP: Titles = &[
    ("Pre-Config", What::Nothing),
    ("Check Configuration", What::Table(|module| module.check.is_some())),
    ("Test Configuration", What::Nothing),
    ("Post Configuration", What::Table(|module| module.start.is_some())),
    ("Open Logs", What::Nothing),
    ("Pre-MPM", What::Nothing),
    ("MPM", What::Nothing),
    ("Drop Privileges", What::Nothing),
    ("Retrieve Optional Functions", What::Nothing),
    ("Child Init", What::Nothing),
];

const REQUEST: Titles = &[
    ("Pre-Connection", What::Nothing),
    ("Create Connection", What::Nothing),
    ("Process Connection", What::Nothing),
    ("Create Request", What::Nothing),
    ("Pre-Read Request", What::Nothing),
    ("Post-Read Request", What::Phase(Phase::PostRead)),
    ("Header Parse", What::Phase(Phase::HeaderParser)),
    ("HTTP Scheme", What::Nothing),
    ("Default Port", What::Nothing),
    ("Quick Handler", What::Nothing),
    ("Pre-Translate Name", What::Phase(Phase::Early)),
    ("Translate Name", What::Phase(Phase::Translate)),
    ("Map to Storage", What::Phase(Phase::Storage)),
    ("Check Access", What::Phase(Phase::AccessEx)),
    ("Check Access (legacy)", What::Phase(Phase::Access)),
    ("Verify User ID", What::Phase(Phase::Authn)),
    ("Note Authentication Failure", What::Table(|module| module.challenge.is_some())),
    ("Verify User Access", What::Phase(Phase::Authz)),
    ("Check Type", What::Phase(Phase::Type)),
    ("Fixups", What::Phase(Phase::Fixup)),
    ("Insert Filters", What::Phase(Phase::Filter)),
    ("Content Handlers", What::Phase(Phase::Handler)),
    ("Transaction Logging", What::Table(|module| module.log.is_some())),
    ("Insert Errors", What::Table(|module| module.answering.is_some())),
    ("Generate Log ID", What::Nothing),
];

const OTHER: Titles = &[
    ("Monitor", What::Nothing),
    ("Child Status", What::Nothing),
    ("End Generation", What::Nothing),
    ("Error Logging", What::Nothing),
    ("Query MPM Attributes", What::Nothing),
    ("Query MPM Name", What::Nothing),
    ("Register Timed Callback", What::Nothing),
    ("Extend Expression Parser", What::Nothing),
    ("Set Management Items", What::Nothing),
];

/// All hooks in the order in which they are asked; modules are linked to by `?` or `#`.
pub fn hooks(engine: &Engine, link: char, out: &mut Vec<u8>) {
    let groups = [
        ("startup_hooks", "Startup Hooks", STARTUP),
        ("request_hooks", "Request Hooks", REQUEST),
        ("other_hooks", "Other Hooks", OTHER),
    ];
    for (name, title, titles) in groups {
        put(out, format_args!("<h2><a name=\"{name}\">{title}</a></h2>\n<dl>"));
        for (title, what) in titles {
            put(out, format_args!("<dt><strong>{title}:</strong>\n <br /><tt>\n"));
            for (module, rank) in asked(engine, *what) {
                let source = module.source;
                put(
                    out,
                    format_args!("&nbsp;&nbsp; {rank:02} <a href=\"{link}{source}\">{source}</a> <br/>"),
                );
            }
            put(out, format_args!("\n  </tt>\n</dt>\n"));
        }
        put(out, format_args!("</dl>\n<hr />\n"));
    }
}

/// Who is asked, with the rank of the hook.
fn asked(engine: &Engine, what: What) -> Vec<(&'static Module, i8)> {
    match what {
        What::Phase(phase) => {
            let order = phase_order(phase, &engine.modules).into_iter();
            order.map(|(module, hook)| (module, hook.order.rank)).collect()
        }
        What::Table(has) => {
            engine.modules.iter().filter(|module| has(module)).map(|module| (*module, 10)).collect()
        }
        What::Nothing => Vec::new(),
    }
}

/// The titles of what a module does for requests.
pub fn of_requests(module: &Module) -> Vec<&'static str> {
    let takes_part = |what: &What| match what {
        What::Phase(phase) => module.hooks.iter().any(|hook| hook.phase == *phase),
        What::Table(has) => has(module),
        What::Nothing => false,
    };
    REQUEST.iter().filter(|(_, what)| takes_part(what)).map(|(title, _)| *title).collect()
}

/// The words behind AuthBasicProvider and `Require`.
pub fn providers(policy: &Policy, out: &mut Vec<u8>) {
    let tables = || policy.tables.active();
    let authn = tables().flat_map(|table| table.authn_providers.iter().map(|provider| provider.name));
    let authz = tables().flat_map(|table| table.authz_providers.iter().map(|provider| provider.name));
    put(out, format_args!("<h2><a name=\"providers\">Providers</a></h2>\n<dl>"));
    for (group, mut names) in [("authn", authn.collect::<Vec<_>>()), ("authz", authz.collect())] {
        if names.is_empty() {
            continue;
        }
        names.sort_unstable();
        put(out, format_args!("<dt><strong>{group}</strong> (version <tt>0</tt>):\n <br />\n"));
        for name in names {
            put(out, format_args!("<tt>&nbsp;&nbsp;{name}</tt><br/>"));
        }
        put(out, format_args!("\n</dt>\n"));
    }
    put(out, format_args!("</dl>\n<hr />\n"));
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = out.write_fmt(text);
}

//! A decision and its trace, told to a person or a program.
//!
//! [`decide`] makes the same call as the server does, with the trace on: there is no second
//! implementation of any rule here, only the order in which things are told.

pub mod below;
mod json;
pub mod lint;
mod outcome;
pub mod remedy;
mod text;
mod url;

pub use json::{fates_json, json};
pub use outcome::{Kind, Outcome};
pub use text::text;
pub use url::{BadUrl, Question};

use crate::{
    diag::{FileId, Sources, Span},
    engine::{
        Answer, Cgi, Connection, Decision, Engine, Event, LogEntry, Pending, Phase, Progress, Request, Trace,
        Worker, incoming,
    },
    http::{
        Status,
        request::{Parse, parse},
    },
    policy::{Conf, place::Overrides},
};
use std::{cell::Cell, net::SocketAddr, rc::Rc};

/// A reason that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The directive, if one was it.
    pub at: Option<Span>,
    /// In words.
    pub text: String,
    /// The phase in which it counted.
    pub phase: Phase,
}

/// All that is to be told.
#[derive(Debug)]
pub struct Explanation {
    /// What was asked.
    pub question: Question,
    /// What comes of it.
    pub outcome: Outcome,
    /// The program that is run, as it is started.
    pub program: Option<Box<Cgi>>,
    /// What would allow it, if it is denied and that was looked for.
    pub remedy: Option<remedy::Remedy>,
    /// The settings that made it so.
    pub decided_by: Vec<Reason>,
    /// Files that one would expect to count, and why they do not.
    pub ignored: Vec<Reason>,
    /// Every step of the decision.
    pub steps: Vec<Event>,
    /// The opening line of the virtual host, if it is not the main server.
    pub vhost: Option<Span>,
    /// The server that was asked: 0 is the main one.
    pub server: usize,
    /// The settings per directory that held for the request as it was asked.
    pub settings: Rc<Conf>,
    /// What the error log gets, oldest first.
    pub log: Vec<LogEntry>,
    /// The `.htaccess` files that were read, with what AllowOverride lets each do.
    pub htaccess: Vec<(FileId, Overrides)>,
    /// The texts of the configuration and of the `.htaccess` files that were read.
    pub sources: Sources,
}

/// How often a decision may wait for a name or an address before it is given up.
const PATIENCE: usize = 16;

/// Decides as the server would and keeps the reasons. `resolve` looks up names and addresses.
///
/// # Errors
/// The text says why no decision could be made.
pub fn decide(
    engine: &Engine,
    question: Question,
    resolve: &dyn Fn(&Pending, &Connection),
) -> Result<Explanation, String> {
    let mut worker = Worker::new(&engine.policy);
    let local = local_address(engine, &question);
    let conn = Rc::new(Connection {
        client: SocketAddr::new(question.client, 49152),
        local,
        id: 0,
        keepalives: Cell::new(0),
        lookups: Default::default(),
    });
    let core = engine.policy.servers[engine.policy.vhosts.choose(local, None)].core();
    let limits = incoming::limits(core, &engine.policy.process.methods);
    let head = question.head(local.port());
    let mut trace = Trace::on();
    let mut early = None;
    let progress = match parse(&head, &limits) {
        Parse::Done(head, _) => {
            let (request, refused) = incoming::request(engine, &worker, &conn, *head);
            match refused {
                Some(status) => {
                    early = Some(bad_path(status));
                    engine.die(&mut worker, request, status, &mut trace)
                }
                None => engine.decide(&mut worker, request, &mut trace),
            }
        }
        Parse::Bad(bad) => {
            early = Some(format!("the head of the request is refused: {}", bad.message));
            let request = incoming::bad_request(engine, &worker, &conn, &bad);
            engine.die(&mut worker, request, bad.status, &mut trace)
        }
        Parse::Partial => return Err("the request head is not complete".to_owned()),
    };
    let decision = finish(engine, &mut worker, progress, &mut trace, &conn, resolve)?;
    let mut explanation = explain(engine, worker, question, &decision, &trace);
    if let Answer::Spawn(cgi) = decision.answer {
        explanation.program = Some(cgi);
    }
    if let Some(text) = early {
        explanation.decided_by = vec![Reason { at: None, text, phase: Phase::PostRead }];
    }
    Ok(explanation)
}

/// Why a path is refused before anything is looked up.
fn bad_path(status: Status) -> String {
    match status.0 {
        404 => "the path has an encoded slash or zero byte, and AllowEncodedSlashes is not on".to_owned(),
        _ => "the path has a `%` without two hexadecimal digits, or leaves the root by `..`".to_owned(),
    }
}

fn finish(
    engine: &Engine,
    worker: &mut Worker,
    mut progress: Progress,
    trace: &mut Trace,
    conn: &Connection,
    resolve: &dyn Fn(&Pending, &Connection),
) -> Result<Decision, String> {
    for _ in 0..PATIENCE {
        match progress {
            Progress::Done(decision) => return Ok(decision),
            Progress::Wait(request, pending) => {
                resolve(&pending, conn);
                progress = engine.decide(worker, request, trace);
            }
        }
    }
    Err("the decision waits for names that cannot be looked up".to_owned())
}

/// The address that the client reaches: the listener of the URL's port, else the first one.
fn local_address(engine: &Engine, question: &Question) -> SocketAddr {
    let listeners: Vec<SocketAddr> =
        engine.policy.process.listen.iter().map(|listen| listen.value.address).collect();
    let port = question.port;
    let meant = listeners.iter().find(|address| Some(address.port()) == port).or(listeners.first());
    let mut address = meant.copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 80)));
    if address.ip().is_unspecified() {
        address.set_ip(question.client);
    }
    // The port that `Listen host:0` will find is not known yet; no Host field can name it.
    match (port, address.port()) {
        (Some(port), _) => address.set_port(port),
        (None, 0) => address.set_port(8080),
        (None, _) => {}
    }
    address
}

fn explain(
    engine: &Engine,
    worker: Worker,
    question: Question,
    decision: &Decision,
    trace: &Trace,
) -> Explanation {
    let request = &decision.request;
    let outcome = Outcome::of(decision);
    let steps = trace.events().to_vec();
    let decided_by = reasons(&outcome, engine, request, &steps);
    let requests = std::iter::successors(Some(&**request), |request| request.prev.as_deref());
    let mut chain: Vec<&Request> = requests.collect();
    chain.reverse();
    let log = chain.iter().flat_map(|request| request.log.iter().cloned()).collect();
    let asked: &Request = chain.first().copied().unwrap_or(request);
    let (server, settings) = (asked.server, Rc::clone(&asked.conf.conf));
    let vhost = (request.server != 0).then(|| engine.policy.servers[request.server].span);
    let ignored = ignored_files(&steps);
    let htaccess = worker.htaccess.files().map(|(file, overrides)| (file, overrides.clone())).collect();
    let sources = worker.sources;
    Explanation {
        question,
        outcome,
        program: None,
        remedy: None,
        decided_by,
        ignored,
        steps,
        vhost,
        server,
        settings,
        log,
        htaccess,
        sources,
    }
}

/// The reasons that made the outcome: those of the step that ended the request, and for a file or a
/// program those that found it and allowed it.
fn reasons(outcome: &Outcome, engine: &Engine, request: &Request, steps: &[Event]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if matches!(outcome.kind, Kind::Served | Kind::Executed) {
        deciding(outcome, steps).into_iter().for_each(|event| push_notes(event, &mut reasons));
        // Of what was found out about the file, only the handler counts for a program.
        if outcome.kind == Kind::Executed {
            reasons.retain(|reason| reason.phase != Phase::Type || handler_in(&reason.text, outcome));
        }
        reasons.retain(|reason| reason.at.is_some());
        settings(outcome, engine, request, &mut reasons);
    } else {
        let status = outcome.status.0.to_string();
        let ended = steps.iter().find(|event| event.depth == 0 && event.verdict.starts_with(&status));
        let told = || steps.iter().rev().find(|event| event.depth == 0 && !event.notes.is_empty());
        let event = ended.filter(|event| !event.notes.is_empty()).or_else(told);
        if outcome.kind == Kind::NotFound {
            let mapped = steps.iter().find(|event| event.depth == 0 && event.phase == Phase::Translate);
            mapped.into_iter().for_each(|event| push_notes(event, &mut reasons));
        }
        event.into_iter().for_each(|event| push_notes(event, &mut reasons));
    }
    if reasons.is_empty() {
        let text = "no directive says anything about it".to_owned();
        reasons.push(Reason { at: None, text, phase: Phase::Handler });
    }
    reasons
}

/// The last event of each phase that finds a file, allows it or names its handler.
fn deciding<'e>(outcome: &Outcome, steps: &'e [Event]) -> Vec<&'e Event> {
    let wanted = [Phase::Translate, Phase::AccessEx, Phase::Authz, Phase::Type, Phase::Handler];
    let counts = |event: &&Event| {
        let spoke = event.verdict != "declined" && wanted.contains(&event.phase);
        // A handler set by SetHandler, and an index page, are found on the way.
        spoke
            || event.verdict.starts_with("go on")
            || event.notes.iter().any(|note| handler_in(&note.text, outcome))
    };
    let mut last: Vec<&Event> = Vec::new();
    for event in steps.iter().filter(counts) {
        last.retain(|known| known.phase != event.phase);
        last.push(event);
    }
    last.sort_by_key(|event| event.phase);
    last
}

fn handler_in(text: &str, outcome: &Outcome) -> bool {
    let handler = outcome.handler.as_ref().map(ToString::to_string);
    handler.is_some_and(|handler| !handler.is_empty() && text.contains(&handler))
}

fn push_notes(event: &Event, reasons: &mut Vec<Reason>) {
    for note in &event.notes {
        // One directive is told of once, by the first who had a reason to.
        if note.at.is_none() || !reasons.iter().any(|reason| reason.at == note.at) {
            reasons.push(Reason { at: note.at, text: note.text.clone(), phase: event.phase });
        }
    }
}

/// What the outcome rests on even if no hook had to say it: Options, DocumentRoot.
fn settings(outcome: &Outcome, engine: &Engine, request: &Request, reasons: &mut Vec<Reason>) {
    use crate::policy::{CoreDir, OptionBits, SaidExt};
    let core: &CoreDir = request.conf.conf.get();
    if outcome.kind == Kind::Served && matches!(core.force_type.value(), Some(Some(_))) {
        reasons.retain(|reason| reason.phase != Phase::Type);
        add(reasons, core.force_type.at(), "ForceType names the media type, whatever the suffix says");
    }
    if outcome.kind == Kind::Executed && !reasons.iter().any(|reason| handler_in(&reason.text, outcome)) {
        add(reasons, core.handler.at(), "SetHandler makes every file here a program");
    }
    if outcome.kind == Kind::Executed && core.options.bits.has(OptionBits::EXEC_CGI) {
        add(reasons, core.options.decided_by(OptionBits::EXEC_CGI), "Options ExecCGI holds here");
    }
    let server = engine.policy.servers[request.server].core();
    if let Some(root) = server.document_root.value()
        && request.context_prefix.is_none()
        && request.filename.starts_with(root)
    {
        add(reasons, server.document_root.at(), "the URL is looked up below DocumentRoot");
    }
}

fn add(reasons: &mut Vec<Reason>, at: Span, text: &str) {
    if !at.is_builtin() && !reasons.iter().any(|reason| reason.at == Some(at)) {
        reasons.push(Reason { at: Some(at), text: text.to_owned(), phase: Phase::Storage });
    }
}

/// `.htaccess` files that are there and were not read.
fn ignored_files(steps: &[Event]) -> Vec<Reason> {
    let mut ignored: Vec<Reason> = Vec::new();
    for event in steps.iter().filter(|event| event.phase == Phase::Storage) {
        for note in event.notes.iter().filter(|note| note.text.contains(" is there, but is not read")) {
            let reason = Reason { at: note.at, text: note.text.clone(), phase: event.phase };
            if !ignored.contains(&reason) {
                ignored.push(reason);
            }
        }
    }
    ignored
}

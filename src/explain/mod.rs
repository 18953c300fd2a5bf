//! A decision and its trace, told to a person or a program.
//!
//! [`decide`] makes the same call as the server does, with the trace on: there is no second
//! implementation of any rule here, only the order in which things are told.

mod json;
pub mod lint;
mod outcome;
mod text;
mod url;

pub use json::json;
pub use outcome::{Kind, Outcome};
pub use text::text;
pub use url::{BadUrl, Question};

use crate::{
    diag::{Sources, Span},
    engine::{
        Connection, Decision, Engine, Event, LogEntry, Pending, Phase, Progress, Request, Trace,
        Worker, incoming,
    },
    http::request::{Parse, parse},
};
use std::{cell::Cell, net::SocketAddr, rc::Rc};

/// A reason that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The directive, if one was it.
    pub at: Option<Span>,
    /// In words.
    pub text: String,
}

/// All that is to be told.
#[derive(Debug)]
pub struct Explanation {
    /// What was asked.
    pub question: Question,
    /// What comes of it.
    pub outcome: Outcome,
    /// The settings that made it so.
    pub decided_by: Vec<Reason>,
    /// Every step of the decision.
    pub steps: Vec<Event>,
    /// The opening line of the virtual host, if it is not the main server.
    pub vhost: Option<Span>,
    /// What the error log gets, oldest first.
    pub log: Vec<LogEntry>,
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
    let limits = incoming::limits(engine.policy.servers[engine.policy.vhosts.choose(local, None)].core());
    let head = question.head(local.port());
    let mut trace = Trace::on();
    let progress = match parse(&head, &limits) {
        Parse::Done(head, _) => {
            let (request, refused) = incoming::request(engine, &worker, &conn, *head);
            match refused {
                Some(status) => engine.die(&mut worker, request, status, &mut trace),
                None => engine.decide(&mut worker, request, &mut trace),
            }
        }
        Parse::Bad(bad) => {
            let request = incoming::bad_request(engine, &worker, &conn, &bad);
            engine.die(&mut worker, request, bad.status, &mut trace)
        }
        Parse::Partial => return Err("the request head is not complete".to_owned()),
    };
    let decision = finish(engine, &mut worker, progress, &mut trace, &conn, resolve)?;
    Ok(explain(engine, worker, question, &decision, &trace))
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
    if let Some(port) = port {
        address.set_port(port);
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
    let vhost = (request.server != 0).then(|| engine.policy.servers[request.server].span);
    Explanation { question, outcome, decided_by, steps, vhost, log, sources: worker.sources }
}

/// The reasons that made the outcome: those of the step that ended the request, and for a file or a
/// program those that found it and allowed it.
fn reasons(outcome: &Outcome, engine: &Engine, request: &Request, steps: &[Event]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match outcome.kind {
        Kind::Served | Kind::Executed => {
            let wanted = [Phase::Translate, Phase::AccessEx, Phase::Authz, Phase::Type, Phase::Handler];
            let found = |event: &&Event| wanted.contains(&event.phase) && event.verdict != "declined";
            last_of_each(steps.iter().filter(found), &mut reasons);
            settings(outcome, engine, request, &mut reasons);
        }
        _ => {
            let ended = |event: &&Event| !matches!(event.verdict.as_str(), "declined" | "ok" | "wait");
            if let Some(event) = steps.iter().find(ended) {
                push_notes(event, &mut reasons);
            }
            if reasons.is_empty() {
                let told = steps.iter().rev().find(|event| !event.notes.is_empty());
                told.into_iter().for_each(|event| push_notes(event, &mut reasons));
            }
        }
    }
    if reasons.is_empty() {
        reasons.push(Reason { at: None, text: "no directive says anything about it".to_owned() });
    }
    reasons
}

/// The notes of the last event of each phase, in the order of the phases.
fn last_of_each<'e>(events: impl Iterator<Item = &'e Event>, reasons: &mut Vec<Reason>) {
    let mut last: Vec<&Event> = Vec::new();
    for event in events {
        last.retain(|known| known.phase != event.phase);
        last.push(event);
    }
    last.sort_by_key(|event| event.phase);
    last.into_iter().for_each(|event| push_notes(event, reasons));
}

fn push_notes(event: &Event, reasons: &mut Vec<Reason>) {
    for note in &event.notes {
        let reason = Reason { at: note.at, text: note.text.clone() };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
}

/// What the outcome rests on even if no hook had to say it: Options, DocumentRoot.
fn settings(outcome: &Outcome, engine: &Engine, request: &Request, reasons: &mut Vec<Reason>) {
    use crate::policy::{CoreDir, OptionBits, SaidExt};
    let core: &CoreDir = request.conf.conf.get();
    let mut add = |at: Span, text: &str| {
        if !reasons.iter().any(|reason| reason.at == Some(at)) {
            reasons.push(Reason { at: Some(at), text: text.to_owned() });
        }
    };
    if outcome.kind == Kind::Executed && core.options.bits.has(OptionBits::EXEC_CGI) {
        add(core.options.decided_by(OptionBits::EXEC_CGI), "Options ExecCGI holds here");
    }
    let server = engine.policy.servers[request.server].core();
    if let Some(root) = server.document_root.value()
        && request.context_prefix.is_none()
        && request.filename.starts_with(root)
    {
        add(server.document_root.at(), "the URL is looked up below DocumentRoot");
    }
}

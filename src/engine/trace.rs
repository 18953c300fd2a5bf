//! The record of one decision. Off, it costs a branch; on, it is what `explain` prints.

use super::{module::Phase, request::LogEntry};
use crate::diag::Span;
use std::fmt;

/// Most reasons of a step, and most entries of the log, that are kept: a program may complain for ever.
const MOST: usize = 200;

/// A reason, with the setting that gave it.
#[derive(Clone, Debug)]
pub struct Note {
    /// The directive that decided, or [`Span::BUILTIN`].
    pub at: Option<Span>,
    /// In words.
    pub text: String,
}

/// One step of the decision.
#[derive(Clone, Debug)]
pub struct Event {
    /// How many look-ups and redirects deep.
    pub depth: usize,
    /// Phase.
    pub phase: Phase,
    /// The module that was asked.
    pub module: &'static str,
    /// What it said.
    pub verdict: String,
    /// Why.
    pub notes: Vec<Note>,
}

/// The record.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    /// Depth of the request that is being decided.
    pub(super) depth: usize,
    /// Look-ups so far that were made within others: kept count of even if the record is off, since each may
    /// make more of them.
    pub(super) nested: usize,
    notes: Vec<Note>,
    events: Vec<Event>,
    entries: Vec<LogEntry>,
}

impl Trace {
    /// Keeps nothing.
    pub fn off() -> Self {
        Trace::default()
    }

    /// Keeps everything.
    pub fn on() -> Self {
        Trace { on: true, ..Trace::default() }
    }

    /// Whether anything is kept.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The steps so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What the error log got meanwhile, as far as it was handed out.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    pub(super) fn logged(&mut self, entry: &LogEntry) {
        if self.on && self.entries.len() < MOST {
            self.entries.push(entry.clone());
        }
    }

    pub(super) fn note(&mut self, at: Option<Span>, why: fmt::Arguments<'_>) {
        if self.on && self.notes.len() < MOST {
            self.notes.push(Note { at, text: why.to_string() });
        }
    }

    pub(super) fn step(&mut self, phase: Phase, module: &'static str, verdict: &super::Verdict) {
        if !self.on || (matches!(verdict, super::Verdict::Declined) && self.notes.is_empty()) {
            return;
        }
        let notes = std::mem::take(&mut self.notes);
        self.events.push(Event { depth: self.depth, phase, module, verdict: verdict.to_string(), notes });
    }
}

impl fmt::Display for super::Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::{Answer, Content, Verdict};
        match self {
            Verdict::Declined => f.write_str("declined"),
            Verdict::Ok => f.write_str("ok"),
            Verdict::Status(status) => write!(f, "{}", status.line()),
            Verdict::Answer(Answer::Content(Content::File { .. })) => f.write_str("serve the file"),
            Verdict::Answer(Answer::Content(_)) => f.write_str("answer"),
            Verdict::Answer(Answer::Spawn(cgi)) => write!(f, "execute {}", cgi.program),
            Verdict::Answer(Answer::Close) => f.write_str("close the connection"),
            Verdict::Adopt(request) => write!(f, "go on with {}", request.uri),
            Verdict::Become(request) => write!(f, "internal redirect to {}", request.uri),
            Verdict::Wait(_) => f.write_str("wait"),
        }
    }
}

//! Output filters: what a content passes through on its way to the client (Apache's
//! `insert_filter`, and the filters between the handler and the protocol).
//!
//! Hooks of the filter phase choose filters by name with [`Cx::add_output_filter`]. When the head of
//! the answer is made, each is asked in order whether it works on this answer; it may change header
//! fields then. Those that do are transformers without any I/O, which get the content piece by piece.

use super::{
    cx::Cx,
    decide::Engine,
    exchange::Piece,
    request::{Request, Table},
    trace::Trace,
    worker::Worker,
};
use crate::{diag::Span, system::System};
use bstr::{BString, ByteSlice};
use std::{fmt, io};

/// Where a filter stands in the chain: those of a lower kind come first (`ap_filter_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilterKind(pub u8);

impl FilterKind {
    /// It alters the content: `RESOURCE`.
    pub const RESOURCE: FilterKind = FilterKind(10);
    /// It alters how the content is encoded: `CONTENT_SET`.
    pub const CONTENT_SET: FilterKind = FilterKind(20);
    /// `PROTOCOL`.
    pub const PROTOCOL: FilterKind = FilterKind(30);
    /// `TRANSCODE`.
    pub const TRANSCODE: FilterKind = FilterKind(40);
    /// `CONNECTION`.
    pub const CONNECTION: FilterKind = FilterKind(50);
    /// `NETWORK`.
    pub const NETWORK: FilterKind = FilterKind(60);
}

/// A filter that a module has.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Its name; letter case does not count.
    pub name: &'static str,
    /// Its place in the chain.
    pub kind: FilterKind,
    /// Looks at the answer before its head is sent.
    pub start: Start,
}

/// Looks at an answer and its head, changes header fields, and gives what the content is to pass
/// through; `None` if the filter stands aside.
pub type Start = fn(&mut Cx<'_>, &Chosen, Coming) -> Option<Box<dyn Transform>>;

/// What is known of the content that a filter will get.
#[derive(Clone, Copy, Debug)]
pub struct Coming {
    /// Its length, if it is short or known; for a program's output that goes on, what came so far.
    pub length: u64,
}

/// A filter that a request's answer is to pass.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Under which name it was asked for.
    pub name: BString,
    /// Its place in the chain.
    pub kind: FilterKind,
    /// Looks at the answer.
    pub start: Start,
    /// The directive that asked for it.
    pub at: Span,
}

/// A content on its way through a filter.
pub trait Transform: fmt::Debug {
    /// Takes a piece; what is ready goes to `out`.
    ///
    /// # Errors
    /// The content is not what the filter can work on: the answer breaks off.
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()>;

    /// The content is complete: the rest goes to `out`. `notes` are the request's.
    ///
    /// # Errors
    /// As for [`Transform::take`].
    fn end(&mut self, notes: &mut Table, out: &mut Vec<u8>) -> io::Result<()>;

    /// From how many bytes of output on the head does not wait any longer for the content's end.
    fn holds(&self) -> usize {
        0
    }
}

/// The filters that work on an answer, in order.
#[derive(Debug)]
pub struct Chain(Vec<Box<dyn Transform>>);

impl Chain {
    /// Asks the chosen filters; `None` if none of them works on this answer.
    pub fn start(
        engine: &Engine,
        worker: &mut Worker,
        request: &mut Request,
        mut coming: Coming,
    ) -> Option<Chain> {
        let mut chosen = std::mem::take(&mut request.filters);
        chosen.sort_by_key(|filter| filter.kind);
        let mut chain = Vec::new();
        for filter in &chosen {
            let mut trace = Trace::off();
            let started = engine
                .with_cx(worker, request, "mod_filter", &mut trace, |cx| (filter.start)(cx, filter, coming));
            if let Some(transform) = started {
                chain.push(transform);
                // How long its output will be is not known.
                coming.length = u64::MAX;
            }
        }
        (!chain.is_empty()).then_some(Chain(chain))
    }

    /// A piece passes through.
    ///
    /// # Errors
    /// A filter cannot go on.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        pass(&mut self.0, bytes, out)
    }

    /// The content is complete.
    ///
    /// # Errors
    /// A filter cannot go on.
    pub fn end(&mut self, notes: &mut Table, out: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = self.0.as_mut_slice();
        while let Some((first, after)) = rest.split_first_mut() {
            let mut last = Vec::new();
            first.end(notes, &mut last)?;
            pass(after, &last, out)?;
            rest = after;
        }
        Ok(())
    }

    fn holds(&self) -> usize {
        self.0.last().map_or(0, |filter| filter.holds())
    }
}

fn pass(chain: &mut [Box<dyn Transform>], bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match chain {
        [] => out.extend_from_slice(bytes),
        [last] => last.take(bytes, out)?,
        [first, rest @ ..] => {
            let mut between = Vec::new();
            first.take(bytes, &mut between)?;
            if !between.is_empty() {
                pass(rest, &between, out)?;
            }
        }
    }
    Ok(())
}

/// A content and the filters it is still to pass.
#[derive(Debug)]
pub struct Filtered {
    chain: Chain,
    source: Piece,
    taken: u64,
    ended: bool,
    broken: bool,
}

/// How much of a program's output is waited for before the filters are asked, since some do not care
/// for very short answers.
pub const AWAITED: usize = 128;

/// How much of a file is read at once.
const PIECE: usize = 8 * 1024;

/// Most of a content that is worked on in one go, so that others have their turn.
const GO: u64 = 1 << 20;

/// How much output is made in one go.
const OUTPUT: usize = 64 * 1024;

impl Filtered {
    /// A content before a chain.
    pub fn new(chain: Chain, source: Piece) -> Filtered {
        Filtered { chain, source, taken: 0, ended: false, broken: false }
    }

    /// Whether everything has come out.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// What decides whether the answer's length is known: the whole output, or its beginning if
    /// the filters give some away before the content's end.
    ///
    /// # Errors
    /// The file cannot be read, or a filter cannot go on.
    pub fn first(&mut self, system: &dyn System, notes: &mut Table) -> io::Result<Vec<u8>> {
        let holds = self.chain.holds();
        self.pull(system, notes, |out, _| out.len() > holds)
    }

    /// The next piece of output.
    ///
    /// # Errors
    /// As for [`Filtered::first`].
    pub fn next(&mut self, system: &dyn System, notes: &mut Table) -> io::Result<Vec<u8>> {
        self.pull(system, notes, |out, taken| out.len() >= OUTPUT || (taken >= GO && !out.is_empty()))
    }

    /// From now on there is only failure.
    pub fn break_off(&mut self) {
        self.broken = true;
    }

    fn pull(
        &mut self,
        system: &dyn System,
        notes: &mut Table,
        enough: impl Fn(&[u8], u64) -> bool,
    ) -> io::Result<Vec<u8>> {
        let (mut out, begun) = (Vec::new(), self.taken);
        while !self.ended && !enough(&out, self.taken - begun) {
            self.step(system, notes, &mut out)?;
        }
        Ok(out)
    }

    fn step(&mut self, system: &dyn System, notes: &mut Table, out: &mut Vec<u8>) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let left = usize::try_from(self.source.len() - self.taken).unwrap_or(usize::MAX).min(PIECE);
        if left == 0 {
            self.ended = true;
            return self.chain.end(notes, out);
        }
        match &self.source {
            Piece::Bytes(bytes) => {
                let from = usize::try_from(self.taken).unwrap_or(usize::MAX).min(bytes.len());
                self.chain.take(&bytes[from..from + left], out)?;
            }
            Piece::File { file, at, .. } => {
                let mut bytes = vec![0; left];
                system.read_at(file, at + self.taken, &mut bytes)?;
                self.chain.take(&bytes, out)?;
            }
        }
        self.taken += left as u64;
        Ok(())
    }
}

impl Cx<'_> {
    /// Adds a filter by name, or says in the log that there is none (`ap_add_output_filter`).
    pub fn add_output_filter(&mut self, name: &[u8], at: Span) {
        match self.engine.filter(name) {
            Some(filter) => {
                self.because(at, format_args!("the answer passes the filter {}", filter.name));
                let (kind, start) = (filter.kind, filter.start);
                self.req.filters.push(Chosen { name: name.into(), kind, start, at });
            }
            None => self.unknown_filter(name, at),
        }
    }

    /// Apache's line for a filter that no module has.
    pub fn unknown_filter(&mut self, name: &[u8], at: Span) {
        let name = name.as_bstr();
        self.because(at, format_args!("no module has a filter {name}"));
        self.as_module("core", |cx| {
            cx.log(3, "AH00082", format_args!("an unknown filter was not added: {name}"));
        });
    }
}

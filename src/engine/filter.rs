//! Output filters: what a content passes through on its way to the client (Apache's
//! `insert_filter`, and the filters between the handler and the protocol).
//!
//! Hooks of the filter phase choose filters by name with [`Cx::add_output_filter`]. When the head of
//! the answer is made, each is asked in order whether it works on this answer; it may change header
//! fields then. Those that do get the content piece by piece: a [`Transform`] makes bytes of bytes, a
//! [`Compose`] may want the answers of other requests in between, which the exchange then runs.

use super::{
    answer::{Content, Progress},
    cx::Cx,
    decide::Engine,
    exchange::Piece,
    request::{Request, Table},
    trace::Trace,
    worker::Worker,
};
use crate::diag::Span;
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
    /// Told before the handler is asked that an answer may pass it.
    pub init: Option<fn(&mut Cx<'_>)>,
    /// Looks at the answer before its head is sent.
    pub start: Start,
}

/// Looks at an answer and its head, changes header fields, and gives what the content is to pass
/// through; `None` if the filter stands aside.
pub type Start = fn(&mut Cx<'_>, &Chosen, Coming) -> Option<Link>;

/// A part of the chain that a content passes.
#[derive(Debug)]
pub enum Link {
    /// It makes bytes of bytes, whatever the request.
    Transform(Box<dyn Transform>),
    /// It puts the content together with the answers of other requests.
    Compose(Box<dyn Compose>),
}

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

/// A content that is put together: where its filter finds that the answer of another request is to
/// stand, it says so and keeps what comes behind it until that answer is in place.
pub trait Compose: fmt::Debug {
    /// Takes a piece; what is ready goes to `out`. If a part is wanted the rest of the piece is kept.
    fn take(&mut self, cx: &mut Cx<'_>, bytes: &[u8], out: &mut Vec<u8>) -> Option<Progress>;

    /// The part that was wanted is in place, or failed: then `part` has [`Request::ended`] and the
    /// status. Goes on with what was kept.
    fn resume(&mut self, cx: &mut Cx<'_>, part: Box<Request>, out: &mut Vec<u8>) -> Option<Progress>;

    /// The content is complete: the rest goes to `out`.
    fn end(&mut self, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Option<Progress>;
}

/// The filters that work on an answer, in order. At most one of them composes: a second one would
/// find nothing that the first has left.
#[derive(Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
    /// How many of them were told that the content is complete.
    ended: usize,
    /// The content is complete.
    ending: bool,
    /// The link that wants a part, until it is in place.
    waiting: Option<usize>,
    /// The part, until it is asked for.
    wanted: Option<Progress>,
}

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
        let mut links = Vec::new();
        for filter in &chosen {
            let mut trace = Trace::off();
            let started = engine
                .with_cx(worker, request, "mod_filter", &mut trace, |cx| (filter.start)(cx, filter, coming));
            let composes = |link: &Link| matches!(link, Link::Compose(_));
            if let Some(link) = started
                && !(composes(&link) && links.iter().any(composes))
            {
                links.push(link);
                // How long its output will be is not known.
                coming.length = u64::MAX;
            }
        }
        (!links.is_empty()).then_some(Chain { links, ..Chain::default() })
    }

    /// A piece passes through. Only given while nothing is waited for.
    ///
    /// # Errors
    /// A filter cannot go on.
    pub fn take(&mut self, cx: &mut Cx<'_>, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.pass(cx, 0, bytes, out)
    }

    /// The content is complete.
    ///
    /// # Errors
    /// A filter cannot go on.
    pub fn end(&mut self, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        self.ending = true;
        while self.waiting.is_none()
            && let Some(link) = self.links.get_mut(self.ended)
        {
            let mut last = Vec::new();
            let wanted = match link {
                Link::Transform(filter) => filter.end(&mut cx.req.notes, &mut last).map(|()| None)?,
                Link::Compose(filter) => filter.end(cx, &mut last),
            };
            self.want(self.ended, wanted);
            self.ended += 1;
            self.pass(cx, self.ended, &last, out)?;
        }
        Ok(())
    }

    /// Whether everything has passed.
    pub fn is_ended(&self) -> bool {
        self.ending && self.ended == self.links.len() && self.waiting.is_none()
    }

    /// Whether a part is waited for.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The part that is waited for, once.
    pub fn wanted(&mut self) -> Option<Progress> {
        self.wanted.take()
    }

    /// A piece of the part that is waited for.
    ///
    /// # Errors
    /// A filter cannot go on.
    pub fn insert(&mut self, cx: &mut Cx<'_>, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let Some(at) = self.waiting else { return Ok(()) };
        self.pass(cx, at + 1, bytes, out)
    }

    /// The part is complete.
    ///
    /// # Errors
    /// A filter cannot go on.
    pub fn resume(&mut self, cx: &mut Cx<'_>, part: Box<Request>, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(at) = self.waiting.take() else { return Ok(()) };
        let mut made = Vec::new();
        if let Some(Link::Compose(filter)) = self.links.get_mut(at) {
            let wanted = filter.resume(cx, part, &mut made);
            self.want(at, wanted);
        }
        self.pass(cx, at + 1, &made, out)?;
        if self.ending { self.end(cx, out) } else { Ok(()) }
    }

    fn holds(&self) -> usize {
        match self.links.last() {
            Some(Link::Transform(filter)) => filter.holds(),
            Some(Link::Compose(_)) | None => 0,
        }
    }

    fn want(&mut self, at: usize, wanted: Option<Progress>) {
        if wanted.is_some() {
            self.waiting = Some(at);
            self.wanted = wanted;
        }
    }

    /// What one link makes of a piece passes the next.
    fn pass(&mut self, cx: &mut Cx<'_>, from: usize, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let Some(link) = self.links.get_mut(from) else {
            out.extend_from_slice(bytes);
            return Ok(());
        };
        if bytes.is_empty() {
            return Ok(());
        }
        let mut made = Vec::new();
        let wanted = match link {
            Link::Transform(filter) => filter.take(bytes, &mut made).map(|()| None)?,
            Link::Compose(filter) => filter.take(cx, bytes, &mut made),
        };
        self.want(from, wanted);
        self.pass(cx, from + 1, &made, out)
    }
}

/// A content and the filters it is still to pass.
#[derive(Debug)]
pub struct Filtered {
    chain: Chain,
    source: Piece,
    taken: u64,
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
    pub fn new(chain: Chain, content: Content) -> Filtered {
        let source = match content {
            Content::Empty => Piece::Bytes(Vec::new()),
            Content::Bytes(bytes) => Piece::Bytes(bytes),
            Content::File { file, stat, skip, sendfile } => {
                Piece::File { file, at: skip, len: stat.size.saturating_sub(skip), sendfile }
            }
        };
        Filtered { chain, source, taken: 0, broken: false }
    }

    /// The filters.
    pub fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// Whether everything has come out.
    pub fn is_ended(&self) -> bool {
        self.chain.is_ended()
    }

    /// Whether the filters wait for a part.
    pub fn is_waiting(&self) -> bool {
        self.chain.is_waiting()
    }

    /// What decides whether the answer's length is known: the whole output, or its beginning if
    /// the filters give some away before the content's end.
    ///
    /// # Errors
    /// The file cannot be read, or a filter cannot go on.
    pub fn first(&mut self, cx: &mut Cx<'_>) -> io::Result<Vec<u8>> {
        let holds = self.chain.holds();
        self.pull(cx, |out, _| out.len() > holds)
    }

    /// The next piece of output; perhaps none if a part is waited for.
    ///
    /// # Errors
    /// As for [`Filtered::first`].
    pub fn next(&mut self, cx: &mut Cx<'_>) -> io::Result<Vec<u8>> {
        self.pull(cx, |out, taken| out.len() >= OUTPUT || (taken >= GO && !out.is_empty()))
    }

    /// From now on there is only failure.
    pub fn break_off(&mut self) {
        self.broken = true;
    }

    fn pull(&mut self, cx: &mut Cx<'_>, enough: impl Fn(&[u8], u64) -> bool) -> io::Result<Vec<u8>> {
        let (mut out, begun) = (Vec::new(), self.taken);
        while !self.is_ended() && !self.is_waiting() && !enough(&out, self.taken - begun) {
            self.step(cx, &mut out)?;
        }
        Ok(out)
    }

    fn step(&mut self, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let left = usize::try_from(self.source.len() - self.taken).unwrap_or(usize::MAX).min(PIECE);
        if left == 0 {
            return self.chain.end(cx, out);
        }
        match &self.source {
            Piece::Bytes(bytes) => {
                let from = usize::try_from(self.taken).unwrap_or(usize::MAX).min(bytes.len());
                self.chain.take(cx, &bytes[from..from + left], out)?;
            }
            Piece::File { file, at, .. } => {
                let mut bytes = vec![0; left];
                cx.system().read_at(file, at + self.taken, &mut bytes)?;
                self.chain.take(cx, &bytes, out)?;
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
                if let Some(init) = filter.init {
                    init(self);
                }
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

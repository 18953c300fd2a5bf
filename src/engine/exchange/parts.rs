//! Contents that are put together: where a filter wants the answer of another request, that request
//! is run here, and what it answers goes through the filters behind that one.
//!
//! The content that waits moves to `Exchange::whole`, and its part becomes the state; a part may want
//! parts itself. What a part hands out passes from the innermost whole to the outermost, and from there
//! to the client, whose pace so holds for all of them.

use super::{
    Answer, Ask, Chain, Coming, Decision, Exchange, Filtered, Progress, Request, Sending, State, Step,
    TIMEOUT, program::UNSENT, response,
};
use crate::policy::SaidExt;

/// The content of a part, on its way into the whole.
#[derive(Debug)]
pub(super) struct Part {
    pub request: Box<Request>,
    filtered: Filtered,
    /// Bytes handed out since the last time that all was written.
    pub unsent: u64,
}

impl State {
    /// A content that passes filters: its request and those.
    fn filtered(&mut self) -> Option<(&mut Box<Request>, &mut Chain)> {
        match self {
            State::Sending(sending) => {
                let Sending { request, rest, .. } = &mut **sending;
                Some((request, rest.as_mut()?.filtered.chain()))
            }
            State::Program(program) => {
                let program = &mut **program;
                Some((&mut program.request, program.chain.as_mut()?))
            }
            State::Part(part) => {
                let part = &mut **part;
                Some((&mut part.request, part.filtered.chain()))
            }
            State::Head
            | State::Waiting(_)
            | State::Discarding(_)
            | State::Repeating(..)
            | State::Rest(_)
            | State::Closed => None,
        }
    }
}

impl Exchange {
    /// Goes on with a content that is put together, as far as it goes without waiting.
    pub(super) fn compose(&mut self, step: &mut Step<'_, '_>) {
        if self.whole.is_empty() && self.state.filtered().is_none() {
            return;
        }
        let mut resumed = false;
        loop {
            if let Some(wanted) = self.state.filtered().and_then(|(_, chain)| chain.wanted()) {
                let whole = std::mem::replace(&mut self.state, State::Closed);
                self.whole.push(whole);
                self.part(wanted, step);
                continue;
            }
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Part(part) if part.filtered.is_ended() => {
                    resumed = true;
                    self.part_done(part.request, step);
                }
                State::Part(part) if part.unsent < UNSENT => self.pull(part, step),
                State::Program(program) if program.has_passed() => {
                    resumed = true;
                    self.state = State::Program(program);
                    self.relayed(step);
                }
                // Nothing that was handed out tells when to go on.
                State::Sending(sending) if resumed && step.out.pieces.is_empty() => {
                    resumed = false;
                    self.more(sending, step);
                }
                waits => {
                    self.state = waits;
                    return;
                }
            }
        }
    }

    /// Makes the next piece of a part's content.
    fn pull(&mut self, mut part: Box<Part>, step: &mut Step<'_, '_>) {
        let made = step.with_cx(&mut part.request, |cx| part.filtered.next(cx));
        step.errors(&mut part.request);
        match made {
            Ok(piece) => {
                self.state = State::Part(part);
                self.emit(&piece, step);
            }
            // What came before stands in the page already, as when a file shrinks while it is sent.
            Err(_) => self.part_done(part.request, step),
        }
    }

    /// Performs the decision of a part.
    pub(super) fn part(&mut self, progress: Progress, step: &mut Step<'_, '_>) {
        let (mut request, answer) = match progress {
            Progress::Done(Decision { request, answer }) => (request, answer),
            Progress::Wait(request, pending) => {
                step.out.asks.push(Ask::Resolve(pending));
                self.state = State::Waiting(request);
                return;
            }
        };
        step.errors(&mut request);
        match answer {
            Answer::Content(content) if !request.ended => {
                let coming = Coming { length: response::length(&content) };
                let chain = Chain::start(step.engine, step.worker, &mut request, coming).unwrap_or_default();
                let filtered = Filtered::new(chain, content);
                self.state = State::Part(Box::new(Part { request, filtered, unsent: 0 }));
            }
            Answer::Spawn(cgi) => self.spawn(request, cgi, step),
            Answer::Content(_) | Answer::Close => self.part_done(request, step),
        }
    }

    /// A part is complete, or failed: the content that it belongs to goes on.
    pub(super) fn part_done(&mut self, mut request: Box<Request>, step: &mut Step<'_, '_>) {
        step.errors(&mut request);
        let Some(whole) = self.whole.pop() else { return self.close(step) };
        self.state = whole;
        let Some((whole, chain)) = self.state.filtered() else { return self.client_gone(step) };
        let core = step.engine.policy.servers[whole.server].core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        let mut made = Vec::new();
        let resumed = step.with_cx(whole, |cx| chain.resume(cx, request, &mut made));
        step.errors(whole);
        match resumed {
            Ok(()) => self.emit(&made, step),
            Err(_) => self.client_gone(step),
        }
    }

    /// Hands out what has passed the filters of the present content: into the whole that it is a part
    /// of, or to the client.
    pub(super) fn emit(&mut self, bytes: &[u8], step: &mut Step<'_, '_>) {
        let mut made: Option<Vec<u8>> = None;
        for whole in self.whole.iter_mut().rev() {
            let piece = made.as_deref().unwrap_or(bytes);
            let (mut passed, Some((request, chain))) = (Vec::new(), whole.filtered()) else { continue };
            if step.with_cx(request, |cx| chain.insert(cx, piece, &mut passed)).is_err() {
                return self.client_gone(step);
            }
            made = Some(passed);
        }
        let bytes = made.as_deref().unwrap_or(bytes);
        let handed = match self.whole.first_mut().unwrap_or(&mut self.state) {
            State::Sending(sending) => sending.hand_out(bytes, step),
            State::Program(program) => program.hand_out(bytes, step),
            _ => 0,
        };
        match &mut self.state {
            State::Part(part) => part.unsent += handed,
            State::Program(program) => program.unsent += handed,
            _ => {}
        }
    }

    /// The whole cannot be sent any more, and so its parts are not wanted.
    pub(super) fn give_up_parts(&mut self, step: &mut Step<'_, '_>) {
        while let Some(whole) = self.whole.pop() {
            if let State::Program(_) = std::mem::replace(&mut self.state, whole) {
                step.out.asks.push(Ask::KillChild);
            }
        }
    }
}

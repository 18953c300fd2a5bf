//! What the event loop asks of an exchange before it does something.

use super::{Exchange, State, program};

impl Exchange {
    /// Whether bytes from the client are wanted now.
    pub fn wants_client(&self) -> bool {
        match &self.state {
            State::Head | State::Rest(_) => true,
            State::Discarding(_) => !self.body.is_done(),
            State::Program(program) => !self.body.is_done() && !program.feeding,
            State::Waiting(_) | State::Part(_) | State::Sending(_) | State::Repeating(..) | State::Closed => {
                false
            }
        }
    }

    /// Whether output of the program is wanted now; while it is not, the program waits.
    pub fn wants_child(&self) -> bool {
        matches!(&self.state, State::Program(program) if program.unsent < program::UNSENT)
    }

    /// Whether the connection ends as soon as what was handed out is written.
    pub fn ends_when_written(&self) -> bool {
        match &self.state {
            State::Repeating(_, persists) => !persists,
            State::Sending(sending) => !sending.persists && sending.rest.is_none(),
            _ => false,
        }
    }

    /// Whether the connection waits for a first or next request, so that a graceful stop may close it.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Head) && self.buffer.is_empty()
    }
}

//! Ending a request with an error or redirect status: ErrorDocument, or the built-in page.

use super::{
    answer::{Answer, Content, Decision},
    decide::Engine,
    request::Request,
    trace::Trace,
    worker::Worker,
};
use crate::http::Status;

/// What follows.
pub enum After {
    /// This answer.
    Done(Decision),
    /// Another request takes over: a local ErrorDocument.
    Again(Box<Request>),
}

/// Apache's ap_die.
pub fn die(
    _engine: &Engine,
    _worker: &mut Worker,
    mut request: Box<Request>,
    status: Status,
    _trace: &mut Trace,
) -> After {
    request.status = status;
    After::Done(Decision { request, answer: Answer::Content(Content::Empty) })
}

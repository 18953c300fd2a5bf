//! An answer that passes filters: whole if its end comes out at once, else piece by piece, each one
//! made when the one before is written.

use super::{Ask, Content, Exchange, Piece, Rest, Sending, Sent, State, Step, response};
use crate::{
    engine::{
        filter::{Chain, Filtered},
        request::Request,
    },
    http::chunked::{LAST_CHUNK, framed},
};

/// What came out of the filters first.
pub(super) enum Filter {
    /// All of it.
    Whole(Content),
    /// Its beginning.
    Streams(Box<Filtered>, Vec<u8>),
}

impl Exchange {
    /// The beginning of a content passes the filters.
    pub(super) fn filter(
        &self,
        request: &mut Request,
        chain: Chain,
        content: Content,
        step: &mut Step<'_, '_>,
    ) -> Filter {
        let mut filtered = Box::new(Filtered::new(chain, content));
        let first = step.with_cx(request, |cx| filtered.first(cx));
        step.errors(request);
        match first {
            Ok(all) if filtered.is_ended() => Filter::Whole(Content::Bytes(all)),
            Ok(first) => Filter::Streams(filtered, first),
            Err(_) => {
                filtered.break_off();
                Filter::Streams(filtered, Vec::new())
            }
        }
    }

    /// Hands out the head of an answer whose length is not known, and its beginning.
    pub(super) fn stream(
        &mut self,
        mut request: Box<Request>,
        filtered: Filtered,
        first: Vec<u8>,
        step: &mut Step<'_, '_>,
    ) {
        step.engine.answering(step.worker, &mut request, &mut step.trace);
        let standing = self.standing(&request);
        match response::head(step.engine, &request, standing) {
            Ok((head, connection)) => {
                let persists = connection.persists;
                let sent = Sent { total: head.len() as u64, ..self.received() };
                if !head.is_empty() {
                    step.out.pieces.push(Piece::Bytes(head));
                }
                if request.header_only() || request.status.is_header_only() {
                    return self.send(request, persists, sent, true, step);
                }
                let rest = Box::new(Rest { filtered, chunked: connection.chunked });
                self.send(request, persists, sent, false, step);
                if let State::Sending(sending) = &mut self.state {
                    sending.rest = Some(rest);
                    sending.hand_out(&first, step);
                }
            }
            Err(bad) => {
                request.must_close = true;
                let refused = response::Refused::Header(bad);
                let status = step.refused(&mut request, &refused);
                let progress = step.engine.die(step.worker, request, status, &mut step.trace);
                self.progress(progress, step);
            }
        }
    }

    /// The piece before is written: the next one is made.
    pub(super) fn more(&mut self, mut sending: Box<Sending>, step: &mut Step<'_, '_>) {
        let Sending { request, rest, .. } = &mut *sending;
        let Some(rest) = rest else { return self.finish(*sending, step) };
        let made = step.with_cx(request, |cx| rest.filtered.next(cx));
        step.errors(request);
        let (ended, chunked) = (rest.filtered.is_ended(), rest.chunked);
        let Ok(piece) = made else {
            self.state = State::Sending(sending);
            return self.client_gone(step);
        };
        sending.hand_out(&piece, step);
        if ended {
            sending.rest = None;
            if chunked {
                sending.sent.total += LAST_CHUNK.len() as u64;
                step.out.pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
            }
            if step.out.pieces.is_empty() {
                return self.finish(*sending, step);
            }
        }
        let core = step.engine.policy.servers[sending.request.server].core();
        step.out.asks.push(Ask::Wake(Some(crate::policy::SaidExt::value_or(&core.timeout, super::TIMEOUT))));
        self.state = State::Sending(sending);
    }
}

impl Sending {
    /// Hands out a piece of a body that came out of the filters.
    pub(super) fn hand_out(&mut self, bytes: &[u8], step: &mut Step<'_, '_>) -> u64 {
        let chunked = self.rest.as_ref().is_some_and(|rest| rest.chunked);
        if bytes.is_empty() {
            return 0;
        }
        let piece = framed(bytes, chunked);
        let length = piece.len() as u64;
        self.sent.body += bytes.len() as u64;
        self.sent.total += length;
        step.out.pieces.push(Piece::Bytes(piece));
        length
    }
}

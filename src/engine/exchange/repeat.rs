//! An answer that was given before, and that nothing has changed, is given again.

use super::{Ask, Exchange, Head, Piece, Request, Sent, State, Step, TIMEOUT, response};
use crate::{
    engine::repeats::{Asked, Given, LONGEST_HEAD},
    http::{Method, request::Framing},
    policy::SaidExt,
};
use bstr::ByteSlice;

impl Exchange {
    /// Answers the head at the front of the buffer, if its answer is known to be the same as before.
    pub(super) fn repeat(&mut self, step: &mut Step<'_, '_>) -> bool {
        if self.stopping || self.client_eof || !self.whole.is_empty() {
            return false;
        }
        let within = &self.buffer[..self.buffer.len().min(LONGEST_HEAD)];
        let Some(end) = within.find(b"\r\n\r\n").map(|at| at + 4) else { return false };
        // What stands behind this head in the buffer may have come later.
        let waited = std::mem::take(&mut step.worker.waited);
        let asked = Asked { head: &self.buffer[..end], conn: &self.conn, turn: step.worker.turn, waited };
        let taken = step.worker.repeats.take(&asked, &*step.engine.system);
        let Some(mut repeat) = taken else { return false };
        let (served, most) = (self.conn.keepalives.get(), repeat.max_requests);
        let persists = repeat.persists;
        // The last answer of a connection says so.
        if persists && most > 0 && served + 1 >= most {
            step.worker.repeats.put_back(repeat, &self.conn);
            return false;
        }
        self.buffer.drain(..end);
        self.head_size = end as u64;
        self.busy.get_or_insert_with(|| step.worker.score.begin());
        let now = step.engine.system.now();
        let (bytes, rest) = step.worker.repeats.pieces(&repeat, now);
        let total = bytes.len() as u64 + rest.as_ref().map_or(0, Piece::len);
        let sent =
            Sent { body: repeat.body, total, keep_alive: persists, received: end as u64, ..Sent::default() };
        step.out.pieces.push(Piece::Bytes(bytes));
        step.out.pieces.extend(rest);
        let request = &mut repeat.request;
        request.conn = self.conn.clone();
        request.started = now;
        step.access(request, sent);
        let server = request.server;
        step.worker.repeats.put_back(repeat, &self.conn);
        let core = step.engine.policy.servers[server].core();
        step.out.asks.push(Ask::Wake(Some(core.timeout.value_or(TIMEOUT))));
        self.state = State::Repeating(server, persists);
        true
    }

    /// Whether the answer to this request may be worth keeping.
    pub(super) fn may_repeat(&self, head: &Head, used: usize, step: &mut Step<'_, '_>) -> bool {
        let plain = head.method == Method::Get
            && head.framing == Framing::None
            && !head.must_close
            && !head.expect_continue
            && used <= LONGEST_HEAD
            && self.buffer[..used].ends_with(b"\r\n\r\n");
        plain
            && !super::teaching::trace(&step.engine.policy).is_on()
            && step.worker.repeats.wants(&self.buffer[..used], &self.conn)
    }

    /// Keeps the answer to a request whose decision was recorded.
    pub(super) fn keep(&mut self, request: &Request, outgoing: &response::Outgoing, step: &mut Step<'_, '_>) {
        let Some(head) = self.wanted.take() else { return };
        if !request.record.is_on() {
            return;
        }
        let core = step.engine.policy.servers[request.server].core();
        let max_requests = core.keep_alive_max.value_or(100);
        // Nor one that ends the connection for another reason than the request's.
        let last = max_requests > 0 && self.conn.keepalives.get() + 1 >= max_requests;
        if self.stopping || self.client_eof || last {
            return;
        }
        step.worker.repeats.keep(Given {
            head: &head,
            request: Box::new(request.clone()),
            answer: &outgoing.head,
            body: &outgoing.body,
            persists: outgoing.connection.persists,
            max_requests,
            conn: &self.conn,
        });
    }
}

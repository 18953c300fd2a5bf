//! The chunked transfer coding (RFC 9112 section 7.1).

use super::fields::{self, Fields};
use super::headers::Headers;
use super::request::{BadRequest, Limits};
use super::status::Status;

/// Decodes a chunked body however it is cut into pieces.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    state: State,
    /// Bytes of the current size line.
    line: usize,
    trailer: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the digits of a size; whether there was one.
    Size(u64, bool),
    /// White space after the size.
    Space(u64),
    /// In an extension.
    Extension(u64),
    /// After the CR of a size line.
    SizeEnd(u64),
    /// In the data: so much is left.
    Data(u64),
    /// Before the CR and before the LF that follow the data.
    DataCr,
    DataLf,
    Trailer,
    Done,
}

/// What [`Decoder::next`] found.
#[derive(Debug, PartialEq)]
pub enum Piece<'a> {
    /// Bytes of the body, never empty.
    Data(&'a [u8]),
    /// The input is used up; give more.
    Partial,
    /// The body has ended, with these trailer fields. What is left of the input is not the body's.
    End(Headers),
}

impl Decoder {
    /// A decoder that bounds size lines and trailers as `limits` bounds header lines.
    pub fn new(limits: &Limits) -> Self {
        Decoder { limits: limits.clone(), state: State::Size(0, false), line: 0, trailer: Vec::new() }
    }

    /// Whether the whole body has been read.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes what it can from the front of `input`. Errors are 400, or 413 for a size too large.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, Box<BadRequest>> {
        loop {
            match self.state {
                State::Data(left) => {
                    let Some(data) = take(input, left) else { return Ok(Piece::Partial) };
                    let left = left.saturating_sub(data.len() as u64);
                    self.state = if left == 0 { State::DataCr } else { State::Data(left) };
                    return Ok(Piece::Data(data));
                }
                State::Trailer => return self.trailer(input),
                State::Done => return Ok(Piece::End(Headers::new())),
                state => {
                    let Some(byte) = take(input, 1).and_then(|b| b.first()) else {
                        return Ok(Piece::Partial);
                    };
                    self.state = self.step(state, *byte)?;
                }
            }
        }
    }

    fn step(&mut self, state: State, byte: u8) -> Result<State, Box<BadRequest>> {
        let lax = !self.limits.strict;
        if !matches!(state, State::DataCr | State::DataLf) {
            self.line += 1;
            if self.line > self.limits.line {
                return Err(overflow());
            }
        }
        let next = match (state, byte) {
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => self.next_size(),
            (State::DataCr, b'\n') if lax => self.next_size(),
            (State::Size(size, _), _) if byte.is_ascii_hexdigit() => State::Size(larger(size, byte)?, true),
            (State::Size(size, true) | State::Space(size) | State::Extension(size), b'\r') => {
                State::SizeEnd(size)
            }
            (State::Size(size, true) | State::Space(size) | State::Extension(size), b'\n') if lax => {
                self.data(size)
            }
            (State::Size(size, true) | State::Space(size), b';') => State::Extension(size),
            (State::Size(size, true) | State::Space(size), b' ' | b'\t') => State::Space(size),
            (State::Extension(size), b'\t' | b' '..=0x7e | 0x80..) => State::Extension(size),
            (State::SizeEnd(size), b'\n') => self.data(size),
            _ => return Err(broken()),
        };
        Ok(next)
    }

    fn next_size(&mut self) -> State {
        self.line = 0;
        State::Size(0, false)
    }

    fn data(&mut self, size: u64) -> State {
        self.line = 0;
        if size == 0 { State::Trailer } else { State::Data(size) }
    }

    /// Line by line until the trailer is complete, so that no byte of the next request is taken.
    fn trailer<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, Box<BadRequest>> {
        loop {
            let end = input.iter().position(|&c| c == b'\n').map_or(input.len(), |at| at + 1);
            let Some(line) = take(input, end as u64) else { return Ok(Piece::Partial) };
            self.trailer.extend_from_slice(line);
            self.line = if line.ends_with(b"\n") { 0 } else { self.line.saturating_add(line.len()) };
            if !line.ends_with(b"\n") && self.line <= self.limits.field_size {
                continue; // parsed anew for each line only, not for each byte
            }
            match fields::parse(&self.trailer, &self.limits) {
                Fields::Done(headers, _) => {
                    self.state = State::Done;
                    return Ok(Piece::End(headers));
                }
                Fields::Partial => {}
                Fields::Bad(bad) => return Err(bad),
            }
        }
    }
}

/// Up to `most` bytes off the front; `None` if there are none.
fn take<'a>(input: &mut &'a [u8], most: u64) -> Option<&'a [u8]> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    (!taken.is_empty()).then_some(taken)
}

fn larger(size: u64, digit: u8) -> Result<u64, Box<BadRequest>> {
    let digit = char::from(digit).to_digit(16).unwrap_or_default();
    let size = size.checked_mul(16).and_then(|s| s.checked_add(u64::from(digit)));
    size.filter(|s| *s <= i64::MAX as u64).ok_or_else(overflow)
}

fn broken() -> Box<BadRequest> {
    error(Status::BAD_REQUEST, b"Error reading/parsing chunk  ")
}

fn overflow() -> Box<BadRequest> {
    error(Status::REQUEST_ENTITY_TOO_LARGE, b"Error reading/parsing chunk (overflow) ")
}

/// Apache logs these as module `http`, level `info`.
fn error(status: Status, text: &[u8]) -> Box<BadRequest> {
    let mut bad = BadRequest::new(status, "AH01590", &[text]);
    bad.info = true;
    Box::new(bad)
}

/// A piece of a body as it goes on the wire: one chunk, or as it is.
pub fn framed(bytes: &[u8], chunked: bool) -> Vec<u8> {
    let mut piece = Vec::with_capacity(bytes.len() + 16);
    if chunked {
        chunk_head(&mut piece, bytes.len() as u64);
    }
    piece.extend_from_slice(bytes);
    if chunked {
        piece.extend_from_slice(CHUNK_END);
    }
    piece
}

/// The size line of a chunk to be sent; the data and [`CHUNK_END`] follow. `size` must not be 0.
pub fn chunk_head(out: &mut Vec<u8>, size: u64) {
    out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
}

/// Ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Ends a chunked body without trailer fields.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Body and whether it ended, or the status of the error; fed in pieces of `step` bytes.
    fn decode(bytes: &[u8], step: usize) -> Result<(Vec<u8>, bool), u16> {
        let mut decoder = Decoder::new(&Limits::default());
        let mut body = Vec::new();
        for mut piece in bytes.chunks(step) {
            loop {
                match decoder.next(&mut piece).map_err(|bad| bad.status.0)? {
                    Piece::Data(data) => body.extend_from_slice(data),
                    Piece::Partial => break,
                    Piece::End(_) => return Ok((body, true)),
                }
            }
        }
        Ok((body, false))
    }

    #[track_caller]
    fn hello(bytes: &str) {
        assert_eq!(decode(bytes.as_bytes(), 1000), Ok((b"hello".to_vec(), true)), "{bytes:?}");
    }

    #[track_caller]
    fn bad(bytes: &str, status: u16) {
        assert_eq!(decode(bytes.as_bytes(), 100_000), Err(status), "{bytes:?}");
    }

    #[test]
    fn good_bodies() {
        for size in ["5", "5;a=b", "5 ;a=b", "5 ", "5\t", "0005", "00000000000000000005"] {
            hello(&format!("{size}\r\nhello\r\n0\r\n\r\n"));
        }
        hello("5\r\nhello\r\n00\r\n\r\n");
        hello("5\r\nhello\r\n0;x\r\n\r\n");
        hello("5\r\nhello\r\n0\r\nA: b\r\n\r\n");
    }

    #[test]
    fn bad_bodies() {
        for size in [" 5", "x", "", "-1", "0x5", "5 5", "5;a=\"\x01\"", "5\r\r"] {
            bad(&format!("{size}\r\nhello\r\n0\r\n\r\n"), 400);
        }
        bad("5\nhello\n0\n\n", 400);
        bad("5\r\nhelloX\r\n0\r\n\r\n", 400);
        bad("5\r\nhello0\r\n\r\n", 400);
        bad("5\r\nhello\r\n0\r\nA b\r\n\r\n", 400);
        bad("5\r\nhello\r\n0\r\n A: b\r\n\r\n", 400);
        bad("ffffffffffffffff\r\n", 413);
        bad(&format!("5;{}\r\n", "a".repeat(9000)), 413);
        bad(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(101)), 400);
    }

    #[test]
    fn an_unfinished_body_is_partial() {
        assert_eq!(decode(b"5\r\nhello\r\n0\r\n", 100), Ok((b"hello".to_vec(), false)));
    }

    #[test]
    fn the_next_request_is_left_alone() {
        let mut decoder = Decoder::new(&Limits::default());
        let mut input: &[u8] = b"0\r\n\r\nGET /";
        assert_eq!(decoder.next(&mut input).map_err(|b| b.status), Ok(Piece::End(Headers::new())));
        assert_eq!(input, b"GET /");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(text in "([0-3](;x)?\r\n[a-c]{0,3}\r?\n?){0,5}(0\r\n(A: b\r\n)?\r\n)?", step in 1usize..9) {
            prop_assert_eq!(decode(text.as_bytes(), step), decode(text.as_bytes(), 1000));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, step in 1usize..9) {
            let _ = decode(&bytes, step);
        }

        #[test]
        fn what_we_send_we_read(chunks in proptest::collection::vec("[a-z]{1,20}", 0..5)) {
            let mut sent = Vec::new();
            for chunk in &chunks {
                chunk_head(&mut sent, chunk.len() as u64);
                sent.extend_from_slice(chunk.as_bytes());
                sent.extend_from_slice(CHUNK_END);
            }
            sent.extend_from_slice(LAST_CHUNK);
            prop_assert_eq!(decode(&sent, 7), Ok((chunks.concat().into_bytes(), true)));
        }
    }
}

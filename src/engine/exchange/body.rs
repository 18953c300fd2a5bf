//! The request's body as it comes: by length or in chunks, counted, limited.

use crate::http::{
    Status,
    chunked::{Decoder, Piece},
    request::{Framing, Limits},
};

/// A request body that is being read.
#[derive(Debug)]
pub struct Body {
    left: Left,
    /// Bytes of it so far.
    pub received: u64,
    /// LimitRequestBody; 0 is no limit.
    pub limit: u64,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Length(u64),
    Chunks(Box<Decoder>),
}

impl Body {
    /// The body of a request of which nothing was read yet.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let left = match framing {
            Framing::None | Framing::Length(0) => Left::Nothing,
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunks(Box::new(Decoder::new(limits))),
        };
        Body { left, received: 0, limit: 0 }
    }

    /// No body.
    pub fn none() -> Self {
        Body { left: Left::Nothing, received: 0, limit: 0 }
    }

    /// Whether all of it was read.
    pub fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// Whether its announced length alone is more than allowed.
    pub fn exceeds(&self) -> bool {
        matches!(self.left, Left::Length(length) if self.limit > 0 && length > self.limit)
    }

    /// Takes what belongs to it from the front of `input`, and hands the content to `sink`.
    ///
    /// # Errors
    /// The status to end the request with: 400 for a broken chunk, 413 for too much.
    pub fn take(&mut self, input: &mut &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), Status> {
        match &mut self.left {
            Left::Nothing => {}
            Left::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let (now, rest) = input.split_at(count);
                *input = rest;
                *left -= count as u64;
                self.received += count as u64;
                if *left == 0 {
                    self.left = Left::Nothing;
                }
                if !now.is_empty() {
                    sink(now);
                }
            }
            Left::Chunks(decoder) => loop {
                match decoder.next(input).map_err(|bad| bad.status)? {
                    Piece::Data(data) => {
                        self.received += data.len() as u64;
                        if self.limit > 0 && self.received > self.limit {
                            return Err(Status(413));
                        }
                        sink(data);
                    }
                    Piece::Partial => break,
                    Piece::End(_) => {
                        self.left = Left::Nothing;
                        break;
                    }
                }
            },
        }
        Ok(())
    }
}

//! The request's body as it comes: by length or in chunks, counted, limited, perhaps kept.

use crate::{
    engine::{
        body_limits::{self, BodyLimits},
        request::LogEntry,
    },
    http::{
        Status,
        chunked::{Decoder, Piece},
        request::{Framing, Limits},
    },
};
use std::rc::Rc;

/// A request body that is being read.
#[derive(Debug)]
pub struct Body {
    left: Left,
    /// Bytes of it so far.
    pub received: u64,
    /// How much of it may come.
    pub limits: BodyLimits,
    kept: Vec<u8>,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Length(u64),
    Chunks(Box<Decoder>),
}

/// Why a body is not read to its end.
#[derive(Debug)]
pub struct Refused {
    /// 400 for a broken chunk, 413 for too much.
    pub status: Status,
    /// What the error log says.
    pub entry: Box<LogEntry>,
}

impl Body {
    /// The body of a request of which nothing was read yet.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let left = match framing {
            Framing::None | Framing::Length(0) => Left::Nothing,
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunks(Box::new(Decoder::new(limits))),
        };
        Body { left, ..Body::none() }
    }

    /// No body.
    pub fn none() -> Self {
        Body { left: Left::Nothing, received: 0, limits: BodyLimits::default(), kept: Vec::new() }
    }

    /// Whether all of it was read.
    pub fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// The log's words if its announced length alone is more than allowed.
    pub fn refusal(&self) -> Option<LogEntry> {
        match self.left {
            Left::Length(length) => self.limits.refuse_length(length),
            Left::Nothing | Left::Chunks(_) => None,
        }
    }

    /// What was kept of it, if it was to be kept and is complete.
    pub fn take_kept(&mut self) -> Option<Rc<[u8]>> {
        (self.limits.keeps() && self.is_done()).then(|| std::mem::take(&mut self.kept).into())
    }

    /// Takes what belongs to it from the front of `input`, and hands the content to `sink`.
    ///
    /// # Errors
    /// Why the request ends with a status instead.
    pub fn take(&mut self, input: &mut &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), Refused> {
        let Body { left, received, limits, kept } = self;
        let mut pass = |data: &[u8]| {
            if limits.keeps() {
                kept.extend_from_slice(data);
            }
            sink(data);
        };
        match left {
            Left::Nothing => {}
            Left::Length(length) => {
                let count = usize::try_from(*length).unwrap_or(usize::MAX).min(input.len());
                let (now, rest) = input.split_at(count);
                *input = rest;
                *length -= count as u64;
                *received += count as u64;
                if *length == 0 {
                    *left = Left::Nothing;
                }
                if !now.is_empty() {
                    pass(now);
                }
            }
            Left::Chunks(decoder) => loop {
                let piece = decoder.next(input).map_err(|bad| Refused {
                    status: bad.status,
                    entry: Box::new(body_limits::bad_chunk()),
                })?;
                match piece {
                    Piece::Data(data) => {
                        let size = data.len() as u64;
                        *received += size;
                        if let Some(entry) = limits.refuse_piece(*received, size) {
                            return Err(Refused { status: Status(413), entry: Box::new(entry) });
                        }
                        pass(data);
                    }
                    Piece::Partial => break,
                    Piece::End(_) => {
                        *left = Left::Nothing;
                        break;
                    }
                }
            },
        }
        Ok(())
    }
}

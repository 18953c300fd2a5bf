//! How much of a request's body is taken, and what the error log says of more.

use super::request::{LogEntry, Request};
use crate::policy::{CoreDir, SaidExt};

/// LimitRequestBody where nothing is said: 1 GiB.
const UNSAID: u64 = 1 << 30;

/// What bounds the body of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyLimits {
    /// LimitRequestBody; 0 is no limit.
    whole: u64,
    /// KeptBodySize, if the body is kept.
    kept: Option<u64>,
}

impl BodyLimits {
    /// What holds for a request whose settings are known.
    pub fn of(request: &Request) -> BodyLimits {
        let core: &CoreDir = request.conf.conf.get();
        BodyLimits { whole: core.limit_body.value_or(UNSAID), kept: request.keep_body }
    }

    /// Whether the body is kept.
    pub fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    /// The log's words if a body of this announced length is too much.
    pub fn refuse_length(&self, length: u64) -> Option<LogEntry> {
        let text = |limit| {
            format!("Requested content-length of {length} is larger than the configured limit of {limit}")
        };
        if let Some(limit) = self.kept.filter(|limit| length > *limit) {
            return Some(entry(3, "request", None, "AH01412", text(limit)));
        }
        (self.whole > 0 && length > self.whole).then(|| entry(6, "http", None, "AH01588", text(self.whole)))
    }

    /// The same for a body of unknown length, of which `sum` bytes have come; the last `piece` of them just now.
    pub fn refuse_piece(&self, sum: u64, piece: u64) -> Option<LogEntry> {
        if self.whole > 0 && sum > self.whole {
            let limit = self.whole;
            let text = format!("Read content length of {sum} is larger than the configured limit of {limit}");
            return Some(entry(6, "http", None, "AH01591", text));
        }
        // Apache names the last piece, and what it takes for the rest of the room.
        let text = || format!("Requested content-length of {piece} is larger than the configured limit of 0");
        self.kept.filter(|limit| sum > *limit).map(|_| entry(3, "request", None, "AH01413", text()))
    }
}

/// The log's words for a chunk that cannot be read.
pub fn bad_chunk() -> LogEntry {
    entry(6, "http", Some(nix::libc::EINVAL), "AH01590", "Error reading/parsing chunk  ".to_owned())
}

fn entry(
    level: u8,
    module: &'static str,
    os_error: Option<i32>,
    number: &'static str,
    text: String,
) -> LogEntry {
    LogEntry { level, module, os_error, number, text: text.into(), explanation: None }
}

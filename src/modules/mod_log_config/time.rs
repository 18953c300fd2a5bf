//! Times as logs write them, made once a second.

use crate::modules::strftime::{local, strftime};
use bstr::BString;
use rustc_hash::FxHashMap;
use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

/// The common log format's time.
const COMMON: &[u8] = b"[%d/%b/%Y:%H:%M:%S %z]";

/// The texts of the last second by format; one in each worker.
#[derive(Debug, Default)]
pub struct Times {
    made: FxHashMap<BString, (u64, Vec<u8>)>,
}

impl Times {
    /// Writes a time. `format` is one of Apache's five words, or for strftime; empty is the common form.
    pub fn write(&mut self, when: SystemTime, format: &[u8], out: &mut Vec<u8>) {
        let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Writing to memory does not fail.
        let _ = match format {
            b"sec" => write!(out, "{}", since.as_secs()),
            b"msec" => write!(out, "{}", since.as_millis()),
            b"usec" => write!(out, "{}", since.as_micros()),
            b"msec_frac" => write!(out, "{:03}", since.subsec_millis()),
            b"usec_frac" => write!(out, "{:06}", since.subsec_micros()),
            b"" => return self.cached(when, since.as_secs(), COMMON, out),
            format => return self.cached(when, since.as_secs(), format, out),
        };
    }

    fn cached(&mut self, when: SystemTime, second: u64, format: &[u8], out: &mut Vec<u8>) {
        match self.made.get(bstr::BStr::new(format)) {
            Some((made, text)) if *made == second => out.extend_from_slice(text),
            _ => {
                let text = strftime(format, &local(when));
                out.extend_from_slice(&text);
                self.made.insert(format.into(), (second, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_word(format: &str, expected: &str) {
        let when = UNIX_EPOCH + std::time::Duration::from_micros(1_795_402_020_018_603);
        let mut out = Vec::new();
        Times::default().write(when, format.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn words_of_apache() {
        check_word("sec", "1795402020");
        check_word("msec", "1795402020018");
        check_word("usec", "1795402020018603");
        check_word("msec_frac", "018");
        check_word("usec_frac", "018603");
        check_word("secs", "secs");
    }
}

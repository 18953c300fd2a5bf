//! The file that TypesConfig names: a media type a line, and the suffixes that mean it.

use crate::{
    syntax::words::{getword, is_space},
    system::System,
};
use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{
    io,
    sync::{Arc, OnceLock},
};

/// Longest file that is read, bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Media types by suffix. The file is read when the server starts, and its lines are when the first
/// suffix is asked for: there is nothing in them that could be an error, and a server starts sooner.
#[derive(Clone, Debug, Default)]
pub struct Types {
    text: Vec<u8>,
    lines: OnceLock<Lines>,
}

/// Media types by suffix, the suffix in lower case.
type Lines = FxHashMap<BString, Arc<BString>>;

impl Types {
    /// Reads the file.
    ///
    /// # Errors
    /// The system's; a directory or a device is one too, but for `/dev/null`.
    pub fn read(system: &dyn System, path: &[u8]) -> io::Result<Types> {
        if path == b"/dev/null" {
            return Ok(Types::default());
        }
        let path = crate::system::path(path);
        if !system.stat(path)?.is_file() {
            return Err(io::Error::from_raw_os_error(BAD_DESCRIPTOR));
        }
        Ok(Types { text: system.read(path, LIMIT)?, lines: OnceLock::new() })
    }

    /// The type of a suffix in lower case, without dot; a later line outweighs an earlier one.
    pub fn get(&self, suffix: &[u8]) -> Option<&BStr> {
        let lines = self.lines.get_or_init(|| parse(&self.text));
        lines.get(BStr::new(suffix)).map(|kind| kind.as_bstr())
    }
}

fn parse(text: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let joined = text.replace(b"\\\n", b"");
    // Most lines of the file that everybody has name a type without a suffix.
    let tells = |line: &&[u8]| !line.starts_with(b"#") && line.iter().any(|byte| is_space(*byte));
    for line in joined.lines().map(|line| line.trim_ascii()).filter(tells) {
        let Some((kind, mut rest)) = getword(line) else { continue };
        let kind = Arc::new(kind.text());
        while let Some((suffix, more)) = getword(rest) {
            let mut suffix = suffix.text();
            suffix.make_ascii_lowercase();
            lines.insert(suffix, kind.clone());
            rest = more;
        }
    }
    lines
}

/// EBADF, which Apache reports for what is no regular file.
const BAD_DESCRIPTOR: i32 = 9;

#[cfg(test)]
mod tests {
    use super::Types;

    #[track_caller]
    fn check(suffix: &str, expected: Option<&str>) {
        let text = "text/html html\ntext/plain\ttxt  TXT2\n#x y\n  \ntext/lead lead\n  text/sp sp\ntext/dup txt\n\
                    image/x a#b\ntext/none\ntexthtml bad\ntext/x; charset=q  cs\n";
        let types = Types { text: text.into(), ..Types::default() };
        assert_eq!(types.get(suffix.as_bytes()).map(|kind| kind.to_string()), expected.map(str::to_owned));
    }

    #[test]
    fn lines() {
        check("html", Some("text/html"));
        check("txt2", Some("text/plain"));
        check("sp", Some("text/sp"));
        check("y", None);
        check("a#b", Some("image/x"));
        check("bad", Some("texthtml"));
        check("cs", Some("text/x;"));
    }

    #[test]
    fn the_last_line_wins() {
        check("txt", Some("text/dup"));
    }
}

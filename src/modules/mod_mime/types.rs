//! The file that TypesConfig names: a media type a line, and the suffixes that mean it.

use crate::{syntax::words::getword, system::System};
use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{io, sync::Arc};

/// Longest file that is read, bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Media types by suffix, the suffix in lower case.
#[derive(Clone, Debug, Default)]
pub struct Types {
    by_suffix: FxHashMap<BString, Arc<BString>>,
}

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
        Ok(Types::parse(&system.read(path, LIMIT)?))
    }

    /// Reads the text of such a file; a later line outweighs an earlier one.
    pub fn parse(text: &[u8]) -> Types {
        let mut types = Types::default();
        let joined = text.replace(b"\\\n", b"");
        for line in joined.lines().map(|line| line.trim_ascii()) {
            if !line.starts_with(b"#") {
                types.line(line);
            }
        }
        types
    }

    fn line(&mut self, line: &[u8]) {
        let Some((kind, mut rest)) = getword(line) else { return };
        let kind = Arc::new(kind.text());
        while let Some((suffix, more)) = getword(rest) {
            self.by_suffix.insert(suffix.text().to_ascii_lowercase().into(), kind.clone());
            rest = more;
        }
    }

    /// The type of a suffix in lower case, without dot.
    pub fn get(&self, suffix: &[u8]) -> Option<&BStr> {
        self.by_suffix.get(BStr::new(suffix)).map(|kind| kind.as_bstr())
    }
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
        let types = Types::parse(text.as_bytes());
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

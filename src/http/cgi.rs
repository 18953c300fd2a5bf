//! The head of a CGI program's output (RFC 3875 section 6), read as Apache reads it: CRs are dropped, a NUL
//! ends a line's meaning, and the first empty line ends the head.

use super::date;
use super::headers::Headers;
use super::status::Status;
use bstr::{BString, ByteSlice};

/// The longest line, without its end; a longer one is the end of the output to Apache.
pub const MAX_LINE: usize = 8189;

/// The longest head in bytes, and in lines. Apache has no such limit, and reads a head without end
/// until its memory is full.
const MAX_HEAD: (u64, u64) = (1 << 20, 10_000);

/// Reads the head however the output is cut into pieces.
#[derive(Debug, Default)]
pub struct Scanner {
    head: CgiHead,
    merged: Headers,
    cookies: Headers,
    line: Vec<u8>,
    /// Offset in the output of the line being read, and of the next byte.
    line_at: u64,
    at: u64,
    lines: u64,
}

/// A program's head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CgiHead {
    /// The code of `Status`, if there was one; 500 if it is no number.
    pub status: Option<Status>,
    /// The status line to send, if `Status` made one.
    pub status_line: Option<BString>,
    /// `Content-Type`, its type in lower case. `Some` and empty: no such field is sent.
    pub content_type: Option<BString>,
    /// `Content-Length`. Apache ignores it and frames the body itself, unless `ap_trust_cgilike_cl` is set.
    pub content_length: Option<BString>,
    /// `Last-Modified`, in seconds; sent as the time of the request if it lies after that.
    pub last_modified: Option<i64>,
    /// `Location` and `Content-Range` (`headers_out`).
    pub headers: Headers,
    /// All other fields, repeated ones joined, then the cookies (`err_headers_out`).
    pub err_headers: Headers,
    /// Things Apache complains of in the log and lives with.
    pub notes: Vec<Note>,
}

/// A fault that does not stop the request; each knows the offset of its line in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// `Status` is no number from 100 to 599: its first 30 bytes.
    Status(BString, u64),
    /// `Last-Modified` is no date: its value.
    LastModified(BString, u64),
}

/// Why there is no head; the answer is 500.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgiError {
    /// What is wrong.
    pub kind: CgiErrorKind,
    /// Offset in the output of the line it is about.
    pub offset: u64,
    /// The number of that line, from 1.
    pub line: u64,
    /// The bytes of that line that were read, without CRs.
    pub text: BString,
}

/// What is wrong with a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgiErrorKind {
    /// The output ended before the first line did.
    NoHead,
    /// It ended before the empty line.
    Premature,
    /// A line longer than [`MAX_LINE`]; Apache takes it for the end of the output.
    LongLine,
    /// More lines or bytes than any head has.
    TooMuch,
    /// A line without a colon.
    Malformed,
}

/// What [`Scanner::feed`] found.
#[derive(Debug, PartialEq)]
pub enum Scan {
    /// No empty line yet.
    Partial,
    /// The head, and how many bytes of this piece belong to it.
    Done(Box<CgiHead>, usize),
}

impl Scanner {
    /// A scanner at the start of the output.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of output. After `Done` or an error the scanner is used up.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Scan, CgiError> {
        for (index, &byte) in bytes.iter().enumerate() {
            self.at += 1;
            match byte {
                b'\r' => {}
                b'\n' => {
                    if self.end_line()? {
                        return Ok(Scan::Done(Box::new(self.complete()), index + 1));
                    }
                }
                _ if self.line.len() >= MAX_LINE => return Err(self.error(CgiErrorKind::LongLine)),
                _ => self.line.push(byte),
            }
        }
        Ok(Scan::Partial)
    }

    /// The error that the end of the output is at this point.
    pub fn finish(&self) -> CgiError {
        self.error(if self.lines == 0 { CgiErrorKind::NoHead } else { CgiErrorKind::Premature })
    }

    /// What the lines so far say by themselves; fields that are joined with others of their name are
    /// not among it.
    pub fn so_far(self) -> CgiHead {
        self.head
    }

    fn error(&self, kind: CgiErrorKind) -> CgiError {
        CgiError { kind, offset: self.line_at, line: self.lines + 1, text: self.line.clone().into() }
    }

    /// Whether the line ends the head.
    fn end_line(&mut self) -> Result<bool, CgiError> {
        let line = std::mem::take(&mut self.line);
        let text = line.split(|&c| c == 0).next().unwrap_or_default();
        if text.is_empty() {
            return Ok(true);
        }
        let Some(colon) = text.find_byte(b':') else {
            self.line = text.to_vec();
            return Err(self.error(CgiErrorKind::Malformed));
        };
        self.field(&text[..colon], trim_start(&text[colon + 1..]));
        if self.at > MAX_HEAD.0 || self.lines >= MAX_HEAD.1 {
            return Err(self.error(CgiErrorKind::TooMuch));
        }
        self.lines += 1;
        self.line_at = self.at;
        Ok(false)
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        let head = &mut self.head;
        match name.to_ascii_lowercase().as_slice() {
            b"content-type" => head.content_type = Some(lower_type(value)),
            b"status" => self.status(value),
            b"location" | b"content-range" => head.headers.set(name, value),
            b"content-length" => head.content_length = Some(value.into()),
            b"transfer-encoding" => {}
            b"last-modified" => match date::parse(value) {
                Some(time) => head.last_modified = Some(time),
                None => head.notes.push(Note::LastModified(value.into(), self.line_at)),
            },
            b"set-cookie" => self.cookies.append(name, value),
            _ => self.merged.append(name, value),
        }
    }

    fn status(&mut self, value: &[u8]) {
        let digits = value.iter().take_while(|c| c.is_ascii_digit()).count();
        let code = std::str::from_utf8(&value[..digits]).ok().and_then(|code| code.parse().ok());
        let code = Status(code.unwrap_or(0));
        let head = &mut self.head;
        if !code.is_valid() {
            let shown = &value[..value.len().min(30)];
            head.notes.push(Note::Status(shown.into(), self.line_at));
        }
        (head.status, head.status_line) = match value {
            _ if digits != 3 || code.0 < 100 => (Some(Status::INTERNAL_SERVER_ERROR), None),
            [_, _, _, b' ' | b'\t', ..] => (Some(code), Some(value.into())),
            _ if code.known_line().is_some() => (Some(code), None),
            _ => (Some(code), Some(format!("{code} ").into())),
        };
    }

    fn complete(&mut self) -> CgiHead {
        let mut head = std::mem::take(&mut self.head);
        head.err_headers = std::mem::take(&mut self.merged);
        head.err_headers.compress();
        head.err_headers.extend(&self.cookies);
        head
    }
}

impl CgiError {
    /// Apache's log message; it has no AH number. `script` is the file's name without its directory.
    pub fn message(&self, script: &[u8]) -> BString {
        let shown = &self.text[..self.text.len().min(30)];
        let parts: &[&[u8]] = match self.kind {
            CgiErrorKind::Malformed => {
                &[b"malformed header from script '", script, b"': Bad header: ", shown]
            }
            CgiErrorKind::NoHead => &[b"End of script output before headers: ", script],
            CgiErrorKind::LongLine if self.line == 1 => &[b"End of script output before headers: ", script],
            CgiErrorKind::Premature | CgiErrorKind::LongLine | CgiErrorKind::TooMuch => {
                &[b"Premature end of script headers: ", script]
            }
        };
        parts.concat().into()
    }
}

impl Note {
    /// Apache's log message.
    pub fn message(&self, script: &[u8]) -> BString {
        match self {
            Note::Status(value, _) => [b"Invalid status line from script '", script, b"': ", value].concat(),
            Note::LastModified(value, _) => {
                [&b"AH10247: Ignored invalid header value: Last-Modified: '"[..], value, b"'"].concat()
            }
        }
        .into()
    }
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|c| !c.is_ascii_whitespace() && *c != 0x0b).unwrap_or(text.len());
    &text[start..]
}

/// The type in lower case, its parameters as they are, no white space at the end.
fn lower_type(value: &[u8]) -> BString {
    let mut value = value.trim_end().to_vec();
    let end = value.iter().position(|&c| c == b';').unwrap_or(value.len());
    value[..end].make_ascii_lowercase();
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(output: &[u8], step: usize) -> Result<(CgiHead, usize), CgiError> {
        let mut scanner = Scanner::new();
        for (index, piece) in output.chunks(step).enumerate() {
            if let Scan::Done(head, len) = scanner.feed(piece)? {
                return Ok((*head, index * step + len));
            }
        }
        Err(scanner.finish())
    }

    #[track_caller]
    fn good(output: &str) -> CgiHead {
        let (head, len) = scan(output.as_bytes(), 100_000).unwrap();
        assert_eq!(&output[len..], "hi", "{output:?}");
        head
    }

    #[track_caller]
    fn bad(output: &str, message: &str, offset: u64) {
        let error = scan(output.as_bytes(), 100_000).unwrap_err();
        assert_eq!(error.message(b"x.py"), message);
        assert_eq!(error.offset, offset);
    }

    #[track_caller]
    fn status(value: &str, code: u16, line: Option<&str>, complaint: bool) {
        let head = good(&format!("Status: {value}\n\nhi"));
        assert_eq!(head.status, Some(Status(code)), "{value}");
        assert_eq!(head.status_line, line.map(BString::from), "{value}");
        let notes: Vec<_> = head.notes.iter().map(|note| note.message(b"x.py")).collect();
        let told = format!("Invalid status line from script 'x.py': {value}");
        assert_eq!(notes, if complaint { vec![BString::from(told)] } else { vec![] });
    }

    #[test]
    fn line_ends() {
        for output in ["A: b\n\nhi", "A: b\r\n\r\nhi", "A: b\r\r\n\r\nhi", "A: b\n\r\nhi", "A:b\n\nhi"] {
            assert_eq!(good(output).err_headers.get("a"), Some("b".into()), "{output:?}");
        }
        assert_eq!(good("\r\nhi"), CgiHead::default());
    }

    #[test]
    fn endings() {
        bad("", "End of script output before headers: x.py", 0);
        bad("x", "End of script output before headers: x.py", 0);
        bad("Content-Type: text/plain\n", "Premature end of script headers: x.py", 25);
        bad("Content-Type: text/plain\nX", "Premature end of script headers: x.py", 25);
    }

    #[test]
    fn lines_without_a_colon() {
        let bad_header = "malformed header from script 'x.py': Bad header: ";
        let html = "<html><head><title>hello this is more than thirty bytes\n\n";
        bad(html, &format!("{bad_header}<html><head><title>hello this "), 0);
        bad("X: a\n \nhi", &format!("{bad_header} "), 5);
        bad("X: a\r\nhttp/1.0 404 foo\n\nhi", &format!("{bad_header}http/1.0 404 foo"), 6);
        bad("X\0: a\n\nhi", &format!("{bad_header}X"), 0);
    }

    #[test]
    fn long_lines() {
        good(&format!("X: {}\r\n\nhi", "a".repeat(8186)));
        let long = format!("X: {}\n\nhi", "a".repeat(8187));
        bad(&long, "End of script output before headers: x.py", 0);
        bad(&format!("A: b\n{long}"), "Premature end of script headers: x.py", 5);
    }

    #[test]
    fn status_lines() {
        status("404 Nope", 404, Some("404 Nope"), false);
        status("404  Two  sp ", 404, Some("404  Two  sp "), false);
        status("404", 404, None, false);
        status("200OK", 200, None, false);
        status("209", 209, Some("209 "), false);
        status("600 A", 600, Some("600 A"), true);
        for value in ["foo", "99", "1000 x", ""] {
            status(value, 500, None, true);
        }
    }

    #[test]
    fn fields() {
        let head = good("Set-Cookie: a=1\nset-cookie: b=2\nX: 1\nx: 2\nLocation: /y\nZ: c\0d\n\nhi");
        let expected = [("X", "1, 2"), ("Z", "c"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")];
        assert_eq!(head.err_headers, expected.into_iter().collect());
        assert_eq!(head.headers.get("location"), Some("/y".into()));
        let head = good("Content-Type: Text/HTML;charset=UTF-8\nTransfer-Encoding: chunked\n\nhi");
        assert_eq!(head.content_type, Some("text/html;charset=UTF-8".into()));
        assert!(head.err_headers.is_empty());
    }

    #[test]
    fn last_modified() {
        assert_eq!(
            good("Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT\n\nhi").last_modified,
            Some(1_600_000_000)
        );
        let head = good("Last-Modified: junk\n\nhi");
        let told = "AH10247: Ignored invalid header value: Last-Modified: 'junk'";
        assert_eq!(head.notes[0].message(b"x.py"), told);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(output in "([A-Za-z\0]{0,3}[: ]{0,2}[0-9a-z]{0,3}\r?\n){0,4}\n?hi", step in 1usize..9) {
            prop_assert_eq!(scan(output.as_bytes(), step), scan(output.as_bytes(), 1000));
        }

        #[test]
        fn no_bytes_panic(output: Vec<u8>, step in 1usize..9) {
            let _ = scan(&output, step);
        }
    }
}

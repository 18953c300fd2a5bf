//! The client: sends a case's bytes over TCP and cuts what comes back into answers, by the book (RFC 9112, section 6).

use super::format::{joined, lines_of};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the case fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request ready to be sent.
pub struct Request {
    pub method: String,
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// An answer as it came over the wire, the framing checked and removed.
#[derive(Default)]
pub struct Answer {
    /// Without the version when it is `HTTP/1.1`. Empty for an HTTP/0.9 answer.
    pub status: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The server closed the connection without a byte.
    pub nothing: bool,
}

impl Answer {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// True if the answer says that the connection ends with it.
    pub fn closes(&self) -> bool {
        self.header("Connection").is_some_and(|v| v.eq_ignore_ascii_case("close"))
    }

    fn interim(&self) -> bool {
        self.status.starts_with('1')
    }

    /// The body in the notation of a case.
    pub fn body_lines(&self) -> Vec<String> {
        lines_of(&self.body)
    }
}

/// Makes the bytes of a request from the lines of a case; with `raw` they stand as they are.
///
/// # Errors
/// A bad escape, or no line at all.
pub fn request(lines: &[String], raw: bool) -> Result<Request, String> {
    let first = lines.first().ok_or("an empty request")?;
    let method = first.split(' ').next().unwrap_or_default().to_string();
    if raw {
        return Ok(Request {
            method,
            head: joined(lines, "\r\n")?,
            body: Vec::new(),
            expects_continue: false,
        });
    }
    let blank = lines.iter().position(String::is_empty).unwrap_or(lines.len());
    let body = joined(lines.get(blank + 1..).unwrap_or_default(), "\n")?;
    let mut head: Vec<String> = lines[..blank].to_vec();
    let has = |name: &str| {
        lines[1..blank].iter().any(|l| l.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    };
    let mut added = Vec::new();
    if !first.rsplit(' ').next().is_some_and(|w| w.starts_with("HTTP/")) {
        head[0].push_str(" HTTP/1.1");
        if !has("Host") {
            added.push("Host: localhost".to_string());
        }
    }
    if blank < lines.len() && !has("Content-Length") {
        added.push(format!("Content-Length: {}", body.len()));
    }
    head.splice(1..1, added);
    let expects = head.iter().any(|l| l.eq_ignore_ascii_case("Expect: 100-continue"));
    head.push(String::new());
    Ok(Request { method, head: joined(&head, "\r\n")?, body, expects_continue: expects })
}

/// A connection to the server under test.
pub struct Connection {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Connection {
    /// Connects to an address, 127.0.0.1 if none is given.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(to: Option<IpAddr>, port: u16) -> Result<Connection, String> {
        let to = to.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let stream = TcpStream::connect((to, port)).map_err(|e| format!("connect: {e}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
        Ok(Connection { stream, seen: Vec::new() })
    }

    /// Sends bytes; a server that has already answered and closed is no error, its answer tells.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a request and reads what answers it: interim answers, then the final one.
    ///
    /// # Errors
    /// Bytes that are not HTTP, or none in time.
    pub fn ask(&mut self, request: &Request) -> Result<Vec<Answer>, String> {
        self.send(&request.head);
        if !request.expects_continue {
            self.send(&request.body);
        }
        self.answers(request)
    }

    /// Reads what answers a request that was sent.
    ///
    /// # Errors
    /// Bytes that are not HTTP, or none in time.
    pub fn answers(&mut self, request: &Request) -> Result<Vec<Answer>, String> {
        let mut answers = Vec::new();
        loop {
            let answer = self.answer(&request.method)?;
            let interim = answer.interim();
            if interim && request.expects_continue {
                self.send(&request.body);
            }
            answers.push(answer);
            if !interim {
                return Ok(answers);
            }
        }
    }

    /// Fails if the server sends anything more; with `closed`, also if it keeps the connection open.
    ///
    /// # Errors
    /// What came, or that nothing ended.
    pub fn finish(&mut self, closed: bool) -> Result<(), String> {
        if closed {
            while self.more()? {}
        }
        if self.seen.is_empty() {
            return Ok(());
        }
        Err(format!("more bytes after the answer:\n{}", lines_of(&self.seen).join("\n")))
    }

    fn answer(&mut self, method: &str) -> Result<Answer, String> {
        while self.seen.len() < 5 && self.more()? {}
        if self.seen.is_empty() {
            return Ok(Answer { nothing: true, ..Answer::default() });
        }
        if !self.seen.starts_with(b"HTTP/") {
            while self.more()? {}
            return Ok(Answer { body: std::mem::take(&mut self.seen), ..Answer::default() });
        }
        let head = self.until(b"\r\n\r\n")?;
        let mut answer = parse_head(&head)?;
        answer.body = self.body(method, &answer)?;
        Ok(answer)
    }

    fn body(&mut self, method: &str, answer: &Answer) -> Result<Vec<u8>, String> {
        let bodiless = ["1", "204", "304"].iter().any(|s| answer.status.starts_with(s));
        if method == "HEAD" || bodiless {
            return Ok(Vec::new());
        }
        if answer.header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            return self.chunks();
        }
        if let Some(length) = answer.header("Content-Length") {
            let length = length.parse().map_err(|_| format!("Content-Length: {length}"))?;
            return self.exactly(length);
        }
        if !answer.closes() {
            return Err(
                "the answer has neither Content-Length nor chunks, and does not say that it closes".into()
            );
        }
        while self.more()? {}
        Ok(std::mem::take(&mut self.seen))
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let text = String::from_utf8_lossy(&line);
            let size =
                usize::from_str_radix(text.trim_end(), 16).map_err(|_| format!("chunk size {text:?}"))?;
            body.extend(self.exactly(size)?);
            if self.exactly(2)? != b"\r\n" {
                return Err("a chunk does not end in CRLF (or a trailer follows the last)".into());
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, String> {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|w| w == end) {
                return Ok(self.seen.drain(..at + end.len()).collect());
            }
            if !self.more()? {
                return Err(format!("the connection ended within:\n{}", lines_of(&self.seen).join("\n")));
            }
        }
    }

    fn exactly(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.seen.len() < count {
            if !self.more()? {
                return Err(format!("the connection ended after {} of {count} bytes", self.seen.len()));
            }
        }
        Ok(self.seen.drain(..count).collect())
    }

    /// Reads what there is; false at the end. A reset counts as an end: it is how a refused body looks.
    fn more(&mut self) -> Result<bool, String> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.seen.extend_from_slice(&buffer[..count]);
                Ok(count > 0)
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(e) => Err(format!("no answer: {e}; so far:\n{}", lines_of(&self.seen).join("\n"))),
        }
    }
}

fn parse_head(head: &[u8]) -> Result<Answer, String> {
    let text = lines_of(head).join("\n");
    let mut lines = text.split('\n').filter_map(|l| l.strip_suffix("\\r"));
    let status = lines.next().unwrap_or_default();
    let status = status.strip_prefix("HTTP/1.1 ").unwrap_or(status).to_string();
    let mut headers = Vec::new();
    for line in lines.take_while(|l| !l.is_empty()) {
        let (name, value) =
            line.split_once(':').ok_or_else(|| format!("a header without a colon: {line}"))?;
        headers.push((name.to_string(), value.trim().to_string()));
    }
    Ok(Answer { status, headers, ..Answer::default() })
}

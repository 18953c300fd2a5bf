//! Response heads: field order, persistence of the connection, framing, and what may not be sent.

use super::headers::Headers;
use super::request::Version;
use super::request_line::is_token;
use super::status::Status;
use bstr::{BStr, BString, ByteSlice};

/// A response head before it is written. Fields go out in this order: Date, Server, `err_headers`,
/// `headers`, Keep-Alive, Connection, Transfer-Encoding, Content-Type, Content-Encoding, Content-Language.
#[derive(Clone, Debug)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: Status,
    /// A status line of the handler's own (`404 Nope`); one with control characters is not sent.
    pub status_line: Option<&'a [u8]>,
    /// The `Date` field, see [`super::date::format`].
    pub date: &'a [u8],
    /// The `Server` field (`ServerTokens`); `None` leaves it out.
    pub server: Option<&'a [u8]>,
    /// Fields that are sent with errors too (`err_headers_out`).
    pub err_headers: &'a Headers,
    /// Fields of this answer (`headers_out`).
    pub headers: &'a Headers,
    /// The type, with its charset.
    pub content_type: Option<&'a [u8]>,
    /// The coding of the body.
    pub content_encoding: Option<&'a [u8]>,
    /// The languages of the body.
    pub content_languages: &'a [BString],
    /// What [`persist`] decided.
    pub connection: &'a Connection,
    /// The answer says that it is HTTP/1.0 (`force-response-1.0`).
    pub as_http10: bool,
    /// Vary is left out (`force-no-vary`).
    pub no_vary: bool,
}

/// A field that may not be sent; Apache answers with 500 instead (module `core`, level `error`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHeader {
    /// Apache's message number.
    pub ah: &'static str,
    /// The log message without its number, unescaped.
    pub message: BString,
    /// What is wrong with it, in our words.
    pub why: &'static str,
}

/// Writes the head, empty line included. Answers are HTTP/1.1, whatever version the request had, unless the
/// environment says otherwise; a
/// request of HTTP/0.9 is answered without a head, and this must not be called.
pub fn write(out: &mut Vec<u8>, head: &ResponseHead<'_>) -> Result<(), BadHeader> {
    let fields = collect(head);
    fields.iter().try_for_each(|(name, value)| check(name, value))?;
    let own = head.status_line.filter(|line| !line.iter().any(|c| c.is_ascii_control()));
    let line = own.unwrap_or(head.status.line().as_bytes());
    out.extend_from_slice(if head.as_http10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
    push(out, b"Date", head.date);
    if let Some(server) = head.server {
        push(out, b"Server", server);
    }
    fields.iter().for_each(|(name, value)| push(out, name, value));
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// `100 Continue`, complete.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Whether a field may be sent: a token for a name, no control characters in the value.
pub fn check(name: &[u8], value: &[u8]) -> Result<(), BadHeader> {
    let bad = |ah, text: &[&[u8]], why| Err(BadHeader { ah, message: text.concat().into(), why });
    let end: &[u8] = b"' contains invalid characters, aborting request";
    if name.is_empty() {
        return bad(
            "AH02428",
            &[b"Empty response header name, aborting request"],
            "There is a colon without a name before it.",
        );
    }
    if !name.iter().all(|&c| is_token(c)) {
        let why = match name.starts_with(b"\xef\xbb\xbf") {
            true => "The output begins with a byte order mark: save the program without one.",
            false => {
                "The name of a header field has letters, digits and `-`, and the colon follows it at once."
            }
        };
        return bad("AH02429", &[b"Response header name '", name, end], why);
    }
    if value.iter().any(|&c| (c < b' ' && c != b'\t') || c == 0x7f) {
        return bad(
            "AH02430",
            &[b"Response header '", name, b"' value of '", value, end],
            "There is a control character in it.",
        );
    }
    Ok(())
}

fn collect(head: &ResponseHead<'_>) -> Headers {
    let mut fields = Headers::with_capacity(16, 512);
    let both = head.err_headers.iter().chain(head.headers.iter());
    let ours = |name: &BStr| name.eq_ignore_ascii_case(b"Date") || name.eq_ignore_ascii_case(b"Server");
    both.filter(|(name, _)| !ours(name)).for_each(|(name, value)| fields.append(name, value));
    if head.no_vary {
        fields.remove("Vary");
    } else {
        unify_vary(&mut fields);
    }
    let connection = head.connection;
    if let Some(value) = &connection.keep_alive {
        fields.set("Keep-Alive", value);
    }
    if let Some(token) = connection.token {
        fields.merge("Connection", token);
    }
    if head.status.is_header_only() {
        ["Transfer-Encoding", "Content-Length"].iter().for_each(|name| _ = fields.remove(name));
        return fields;
    }
    if connection.chunked {
        fields.remove("Content-Length");
        fields.merge("Transfer-Encoding", "chunked");
    }
    if let Some(value) = head.content_type {
        fields.set("Content-Type", value);
    }
    if let Some(value) = head.content_encoding {
        fields.set("Content-Encoding", value);
    }
    if !head.content_languages.is_empty() {
        fields.set("Content-Language", head.content_languages.join(&b","[..]));
    }
    fields
}

/// Apache makes one `Vary` of several, each word once, commas without spaces.
fn unify_vary(fields: &mut Headers) {
    let mut words: Vec<&[u8]> = Vec::new();
    for value in fields.get_all("Vary") {
        for word in value.split(|&c| c == b',').map(ByteSlice::trim) {
            if !word.is_empty() && !words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                words.push(word);
            }
        }
    }
    if !words.is_empty() {
        let value = words.join(&b',');
        fields.set("Vary", value);
    }
}

fn push(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// What decides over the connection and the framing of an answer.
#[derive(Clone, Copy, Debug)]
pub struct PersistInput<'a> {
    /// The answer's status.
    pub status: Status,
    /// The request's version.
    pub version: Version,
    /// The request is a HEAD.
    pub head_request: bool,
    /// The request's fields.
    pub request: &'a Headers,
    /// The answer's fields, `err_headers` and `headers` together.
    pub response: &'a Headers,
    /// The connection is to be closed already: a bad request, a stopping server, or a request with both
    /// Transfer-Encoding and Content-Length.
    pub closing: bool,
    /// The client still waits for `100 Continue`.
    pub expecting_100: bool,
    /// `nokeepalive` is set in the request's environment.
    pub nokeepalive: bool,
    /// `KeepAlive`.
    pub keep_alive: bool,
    /// `KeepAliveTimeout`, in seconds.
    pub timeout: u64,
    /// `MaxKeepAliveRequests`; 0 is no limit.
    pub max_requests: u32,
    /// How many requests of this connection were answered and kept it open before this one.
    pub served: u32,
}

/// What becomes of the connection, and how the body is framed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// It stays open for another request.
    pub persists: bool,
    /// The body is sent in chunks.
    pub chunked: bool,
    /// The value of `Keep-Alive`.
    pub keep_alive: Option<String>,
    /// What is added to `Connection`.
    pub token: Option<&'static str>,
}

/// Decides both (`ap_set_keepalive`). With neither a length nor chunks the body ends with the connection.
pub fn persist(input: &PersistInput<'_>) -> Connection {
    let mut out = Connection::default();
    let wants = |word| input.request.get("Connection").is_some_and(|value| has_token(value, word));
    let asked = wants("keep-alive");
    let closed = input.response.get("Connection").is_some_and(|value| has_token(value, "close"));
    let left = input.max_requests.saturating_sub(input.served);
    out.persists = !input.closing
        && !input.expecting_100
        && (has_end(input) || chunk(input, &mut out.chunked))
        && input.keep_alive
        && input.timeout > 0
        && (input.max_requests == 0 || left > 0)
        && !input.status.drops_connection()
        && !closed
        && !wants("close")
        && (!input.nokeepalive || input.request.contains("Via"))
        && (asked || input.version >= Version::Http11);
    if !out.persists {
        out.token = (!closed).then_some("close");
    } else if asked {
        let max = if input.max_requests > 0 { format!(", max={left}") } else { String::new() };
        out.keep_alive = Some(format!("timeout={}{max}", input.timeout));
        out.token = Some("Keep-Alive");
    }
    out
}

fn has_end(input: &PersistInput<'_>) -> bool {
    input.status.is_header_only()
        || input.head_request
        || input.response.contains("Content-Length")
        || input.response.get("Transfer-Encoding").is_some_and(|value| has_token(value, "chunked"))
}

fn chunk(input: &PersistInput<'_>, chunked: &mut bool) -> bool {
    *chunked = input.version >= Version::Http11;
    *chunked
}

/// Whether a comma-separated list has `word`, without regard to case (`ap_find_token`).
pub fn has_token(list: &[u8], word: &str) -> bool {
    list.split(|&c| c == b',').any(|item| item.trim().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input<'a>(version: Version, request: &'a Headers, response: &'a Headers) -> PersistInput<'a> {
        PersistInput {
            status: Status::OK,
            version,
            head_request: false,
            request,
            response,
            closing: false,
            expecting_100: false,
            nokeepalive: false,
            keep_alive: true,
            timeout: 5,
            max_requests: 100,
            served: 0,
        }
    }

    fn length() -> Headers {
        [("Content-Length", "30")].into_iter().collect()
    }

    /// The fields after Server that Apache sends for a file, for this version and request `Connection`.
    #[track_caller]
    fn check(version: Version, connection: &str, headers: Headers, expected: &str) {
        let mut request = Headers::new();
        if !connection.is_empty() {
            request.append("Connection", connection);
        }
        let connection = persist(&input(version, &request, &headers));
        let head = ResponseHead {
            status: Status::OK,
            status_line: None,
            date: b"D",
            server: Some(b"S"),
            err_headers: &[("X-B", "2")].into_iter().collect(),
            headers: &headers,
            content_type: Some(b"text/plain"),
            content_encoding: None,
            content_languages: &[],
            connection: &connection,
            as_http10: false,
            no_vary: false,
        };
        let mut out = Vec::new();
        write(&mut out, &head).unwrap();
        let expected = expected.replace('|', "\r\n");
        let expected = format!("HTTP/1.1 200 OK\r\nDate: D\r\nServer: S\r\nX-B: 2\r\n{expected}\r\n\r\n");
        assert_eq!(out.as_bstr(), expected.as_bytes().as_bstr());
    }

    #[test]
    fn order_of_fields() {
        check(Version::Http11, "", length(), "Content-Length: 30|Content-Type: text/plain");
        let close = "Content-Length: 30|Connection: close|Content-Type: text/plain";
        check(Version::Http10, "", length(), close);
        check(Version::Http11, "close", length(), close);
        let kept = "Content-Length: 30|Keep-Alive: timeout=5, max=100|Connection: Keep-Alive|Content-Type: text/plain";
        check(Version::Http10, "keep-alive", length(), kept);
        check(Version::Http11, "Keep-Alive", length(), kept);
    }

    #[test]
    fn without_a_length() {
        check(Version::Http11, "", Headers::new(), "Transfer-Encoding: chunked|Content-Type: text/plain");
        let both = "Connection: close|Transfer-Encoding: chunked|Content-Type: text/plain";
        check(Version::Http11, "close", Headers::new(), both);
        check(Version::Http10, "keep-alive", Headers::new(), "Connection: close|Content-Type: text/plain");
    }

    #[test]
    fn vary_is_unified_in_place() {
        let headers = [("Vary", "a, b"), ("A", "1"), ("Vary", "b,c")].into_iter().collect();
        let expected = "Vary: a,b,c|A: 1|Transfer-Encoding: chunked|Content-Type: text/plain";
        check(Version::Http11, "", headers, expected);
    }

    #[test]
    fn some_statuses_drop_the_connection() {
        let (request, response) = (Headers::new(), length());
        for (status, persists) in [(404, true), (405, true), (417, true), (400, false), (501, false)] {
            let input =
                PersistInput { status: Status(status), ..input(Version::Http11, &request, &response) };
            assert_eq!(persist(&input).persists, persists, "{status}");
        }
    }

    #[track_caller]
    fn refused(name: &str, value: &str, ah: &str, message: &str) {
        let bad = check_(name, value).unwrap_err();
        assert_eq!((bad.ah, bad.message.as_slice()), (ah, message.as_bytes()));
    }

    fn check_(name: &str, value: &str) -> Result<(), BadHeader> {
        super::check(name.as_bytes(), value.as_bytes())
    }

    #[test]
    fn fields_that_may_not_be_sent() {
        let end = "contains invalid characters, aborting request";
        refused("", "a", "AH02428", "Empty response header name, aborting request");
        refused("X Y", "1", "AH02429", &format!("Response header name 'X Y' {end}"));
        refused("X", "a\x01b", "AH02430", &format!("Response header 'X' value of 'a\x01b' {end}"));
        assert_eq!(check_("X", "\u{e9}\t "), Ok(()));
    }
}

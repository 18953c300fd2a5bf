//! What is asked of `explain`: a method and a URL, made into the head of a request.

use crate::http::Headers;
use bstr::{BString, ByteSlice};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// A request as a person says it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The method.
    pub method: String,
    /// Path and query, as they go onto the request line.
    pub target: BString,
    /// Host of a whole URL.
    pub host: Option<String>,
    /// Port of a whole URL: the default one counts as said.
    pub port: Option<u16>,
    /// Further header fields.
    pub headers: Headers,
    /// The client's address.
    pub client: IpAddr,
}

/// Why something is no URL that could be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUrl(pub String);

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Question {
    /// A question for `/path?query` or `http://host:port/path?query`. A fragment is left out, since
    /// no client sends it; bytes beyond ASCII are escaped, as browsers do.
    ///
    /// # Errors
    /// What is neither, or has bytes that no URL can have.
    pub fn new(method: &str, url: &[u8]) -> Result<Question, BadUrl> {
        let shown = url.as_bstr();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if method.is_empty() || !method.bytes().all(token) {
            return Err(BadUrl(format!("`{method}` is no method")));
        }
        if let Some(byte) = url.iter().find(|byte| byte.is_ascii_control() || **byte == b' ') {
            return Err(BadUrl(format!("`{shown}` has a byte that no URL can have; write it as %{byte:02X}")));
        }
        let url = url.find_byte(b'#').map_or(url, |at| &url[..at]);
        let question = |host, port, target: &[u8]| Question {
            method: method.to_owned(),
            target: escape(target),
            host,
            port,
            headers: Headers::new(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        if url.starts_with(b"/") {
            return Ok(question(None, None, url));
        }
        let Some(rest) = url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case(b"http://")).map(|_| &url[7..])
        else {
            let advice = "a URL here is a path that begins with `/`, or begins with `http://`";
            return Err(BadUrl(format!("`{shown}`: {advice}")));
        };
        let end = rest.find_byteset(b"/?").unwrap_or(rest.len());
        let (host, port) = authority(&rest[..end]).ok_or_else(|| BadUrl(format!("`{shown}` names no host")))?;
        let path = [if rest[end..].starts_with(b"/") { &b""[..] } else { b"/" }, &rest[end..]].concat();
        Ok(question(Some(host), Some(port), &path))
    }

    /// The head of the request. Without a host in the URL it is for `localhost`.
    pub fn head(&self, port: u16) -> Vec<u8> {
        let mut head = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        if self.headers.get("Host").is_none() {
            let host = self.host.as_deref().unwrap_or("localhost");
            let port = if port == 80 { String::new() } else { format!(":{port}") };
            head.extend_from_slice(format!("Host: {host}{port}\r\n").as_bytes());
        }
        for (name, value) in self.headers.iter() {
            head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn authority(bytes: &[u8]) -> Option<(String, u16)> {
    let text = bytes.to_str().ok()?;
    let colon = text.rfind(':').filter(|colon| !text[*colon..].contains(']'));
    let (host, port) = match colon {
        Some(colon) => (&text[..colon], text[colon + 1..].parse().ok()?),
        None => (text, 80),
    };
    (!host.is_empty() && !host.contains('@')).then(|| (host.to_owned(), port))
}

fn escape(target: &[u8]) -> BString {
    let mut escaped = Vec::with_capacity(target.len());
    for &byte in target {
        match byte {
            0x80.. => escaped.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            byte => escaped.push(byte),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, target: &str, host: Option<&str>, port: Option<u16>) {
        let question = Question::new("GET", url.as_bytes()).unwrap();
        assert_eq!(question.target, target);
        assert_eq!((question.host.as_deref(), question.port), (host, port));
    }

    #[track_caller]
    fn refused(url: &str, words: &str) {
        let BadUrl(text) = Question::new("GET", url.as_bytes()).unwrap_err();
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn paths_and_whole_urls() {
        check("/a?b", "/a?b", None, None);
        check("http://h/a", "/a", Some("h"), Some(80));
        check("HTTP://h:8080", "/", Some("h"), Some(8080));
        check("http://h?q", "/?q", Some("h"), Some(80));
        check("http://[::1]:81/x", "/x", Some("[::1]"), Some(81));
        check("http://[::1]/x", "/x", Some("[::1]"), Some(80));
    }

    #[test]
    fn fragments_are_not_sent_and_bytes_are_escaped() {
        check("/a#b", "/a", None, None);
        check("/\u{e4}", "/%C3%A4", None, None);
    }

    #[test]
    fn what_is_no_url() {
        refused("index.html", "begins with `/`");
        refused("https://h/", "http://");
        refused("/a b", "%20");
        refused("http:///x", "names no host");
        refused("http://h:x/", "names no host");
    }

    #[test]
    fn the_head_names_the_host() {
        let question = Question::new("GET", b"/x").unwrap();
        assert_eq!(question.head(8080), b"GET /x HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    }
}

//! The case format: a page of prose with fenced blocks, cut into cases and steps.
//!
//! `tests/cases/README.md` describes the format for those who write cases. Nothing here touches a server.

use std::collections::HashSet;
use std::net::IpAddr;

/// A parsed page: what every case begins with, and the cases.
pub struct Page {
    pub cases: Vec<Case>,
}

/// One `##` heading and the steps below it, in the order of the page (the page's common steps first).
pub struct Case {
    pub heading: String,
    pub steps: Vec<Step>,
}

/// A fenced block.
#[derive(Clone)]
pub struct Step {
    /// Line number (from 1) of the line that opens the fence.
    pub line: usize,
    pub action: Action,
    /// `only=apache` or `only=rachis`: for the other server the step does not exist.
    pub only: Option<String>,
    /// `needs=/usr/bin/python3`: left out where that is absent, unless the oracle is asked too.
    pub needs: Option<String>,
    pub text: Vec<String>,
}

/// What a block asks for; its text is in [`Step::text`].
#[derive(Clone)]
pub enum Action {
    /// A new httpd.conf; the words are given to the server as `-D`.
    Config {
        defines: Vec<String>,
    },
    /// A file below the case's directory.
    File {
        path: String,
        language: String,
        options: HashSet<String>,
    },
    /// Shell commands, run in the case's directory.
    Shell,
    Http {
        mode: Mode,
        exchanges: Vec<Exchange>,
    },
    /// Lines that a log file has got since it was last looked at.
    Log {
        path: Option<String>,
    },
    /// A command line and what it prints.
    Console,
}

/// How the requests of a block travel.
#[derive(Clone, Copy, Default)]
pub struct Mode {
    /// All on one connection, each sent when the answer before it is complete.
    pub keep_alive: bool,
    /// All on one connection, all sent at once.
    pub pipelined: bool,
    /// The bytes are sent as written: no Host, no Content-Length is added.
    pub raw: bool,
    /// The address that is connected to, where it is not 127.0.0.1.
    pub to: Option<IpAddr>,
}

/// A request and the answers to it: one, or more when a `100 Continue` comes first.
#[derive(Clone)]
pub struct Exchange {
    /// Line number (from 1) of the first line of the request.
    pub line: usize,
    pub request: Vec<String>,
    pub answers: Vec<Vec<String>>,
    /// Line number (from 1) of the last line of the request, after which an answer may be written.
    pub end: usize,
}

/// Reads a page.
///
/// # Errors
/// `line: what is wrong`.
pub fn parse(text: &str) -> Result<Page, String> {
    let mut common: Vec<Step> = Vec::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            cases.push(Case { heading: heading.trim().to_string(), steps: common.clone() });
        } else if let Some(info) = line.strip_prefix("```") {
            let mut body = Vec::new();
            loop {
                match lines.next() {
                    Some((_, "```")) => break,
                    Some((_, text)) => body.push(text.to_string()),
                    None => return Err(format!("{}: the block is never closed", at + 1)),
                }
            }
            let step = step(at + 1, info, body)?;
            cases.last_mut().map_or(&mut common, |case| &mut case.steps).push(step);
        }
    }
    Ok(Page { cases })
}

fn step(line: usize, info: &str, text: Vec<String>) -> Result<Step, String> {
    let mut words: Vec<String> = info.split_whitespace().map(str::to_string).collect();
    let only = take(&mut words, |w| w.strip_prefix("only=").map(str::to_string));
    let needs = take(&mut words, |w| w.strip_prefix("needs=").map(str::to_string));
    if words.is_empty() {
        return Err(format!("{line}: a block needs a word that says what it is"));
    }
    let language = words.remove(0);
    let is_file = words.first().is_some_and(|w| w.contains('/'));
    let action = match language.as_str() {
        "http" => Action::Http { mode: mode(line, &words)?, exchanges: exchanges(line, &text)? },
        "log" => Action::Log { path: words.pop() },
        "console" => Action::Console,
        _ if is_file => {
            Action::File { path: words.remove(0), language, options: words.into_iter().collect() }
        }
        "apache" => Action::Config { defines: words },
        "sh" => Action::Shell,
        other => return Err(format!("{line}: `{other}` is no kind of block, and no path follows it")),
    };
    Ok(Step { line, action, only, needs, text })
}

fn take<T>(words: &mut Vec<String>, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
    let at = words.iter().position(|w| pick(w).is_some())?;
    pick(&words.remove(at))
}

fn mode(line: usize, words: &[String]) -> Result<Mode, String> {
    let mut mode = Mode::default();
    for word in words {
        match word.as_str() {
            "keep-alive" => mode.keep_alive = true,
            "pipelined" => mode.pipelined = true,
            "raw" => mode.raw = true,
            word if word.strip_prefix("to=").is_some_and(|to| to.parse::<IpAddr>().is_ok()) => {
                mode.to = word.strip_prefix("to=").and_then(|to| to.parse().ok());
            }
            other => return Err(format!("{line}: `{other}` is no way to send requests")),
        }
    }
    Ok(mode)
}

/// Cuts `>` lines and `<` lines into exchanges. An empty line ends an answer; a `>` line after one begins a request.
fn exchanges(fence: usize, text: &[String]) -> Result<Vec<Exchange>, String> {
    #[derive(PartialEq)]
    enum Last {
        Gap,
        Request,
        Answer,
    }
    let mut found: Vec<Exchange> = Vec::new();
    let mut last = Last::Gap;
    for (offset, line) in text.iter().enumerate() {
        let number = fence + 1 + offset;
        if line.is_empty() {
            last = Last::Gap;
        } else if let Some(words) = content(line, '>') {
            if last != Last::Request {
                found.push(Exchange { line: number, request: Vec::new(), answers: Vec::new(), end: number });
            }
            let exchange = found.last_mut().ok_or_else(|| format!("{number}: no request"))?;
            exchange.request.push(words);
            exchange.end = number;
            last = Last::Request;
        } else if let Some(words) = content(line, '<') {
            let exchange =
                found.last_mut().ok_or_else(|| format!("{number}: an answer before any request"))?;
            if last != Last::Answer {
                exchange.answers.push(Vec::new());
            }
            exchange.answers.last_mut().ok_or("an answer was just pushed")?.push(words);
            last = Last::Answer;
        } else {
            return Err(format!("{number}: neither `> ` nor `< `: {line}"));
        }
    }
    Ok(found)
}

fn content(line: &str, mark: char) -> Option<String> {
    let rest = line.strip_prefix(mark)?;
    if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix(' ').map(str::to_string) }
}

/// The bytes that a line with escapes stands for: `\r \n \t \\ \xNN`, and `\{TEXT*N}` for TEXT written N times.
///
/// # Errors
/// An escape that does not exist.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let used = match escape.as_bytes().first() {
            Some(b'r') => push(&mut bytes, b'\r'),
            Some(b'n') => push(&mut bytes, b'\n'),
            Some(b't') => push(&mut bytes, b'\t'),
            Some(b'\\') => push(&mut bytes, b'\\'),
            Some(b'x') => {
                let digits = escape.get(1..3).ok_or_else(|| format!("`\\x` needs two digits: {text}"))?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|e| format!("{e}: {text}"))?);
                3
            }
            Some(b'{') => {
                let (inside, _) =
                    escape[1..].split_once('}').ok_or_else(|| format!("`\\{{` is not closed: {text}"))?;
                let (what, times) =
                    inside.rsplit_once('*').ok_or_else(|| format!("`\\{{TEXT*N}}`: {text}"))?;
                let times = times.parse().map_err(|e| format!("{e}: {text}"))?;
                bytes.extend_from_slice(what.repeat(times).as_bytes());
                inside.len() + 2
            }
            _ => return Err(format!("no such escape: {text}")),
        };
        rest = &escape[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn push(bytes: &mut Vec<u8>, byte: u8) -> usize {
    bytes.push(byte);
    1
}

/// The lines as bytes, each ended by `end` unless it ends in a lone `\`.
///
/// # Errors
/// As [`unescape`].
pub fn joined(lines: &[String], end: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for line in lines {
        match open_ended(line) {
            Some(line) => bytes.extend(unescape(line)?),
            None => {
                bytes.extend(unescape(line)?);
                bytes.extend_from_slice(end.as_bytes());
            }
        }
    }
    Ok(bytes)
}

/// The line without its last backslash, if that one is not itself escaped.
fn open_ended(line: &str) -> Option<&str> {
    let slashes = line.bytes().rev().take_while(|&b| b == b'\\').count();
    if slashes % 2 == 1 { line.strip_suffix('\\') } else { None }
}

/// The reverse of [`joined`] for bytes that came from a server, as lines of a case.
pub fn lines_of(bytes: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = bytes.split(|&b| b == b'\n').map(escape).collect();
    match lines.last_mut() {
        Some(last) if last.is_empty() => drop(lines.pop()),
        Some(last) => last.push('\\'),
        None => {}
    }
    lines
}

fn escape(line: &[u8]) -> String {
    let mut text = String::new();
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_control() => text.push_str(&format!("\\x{:02x}", c as u32)),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    // A blank at the end of a line would not be seen.
    if text.ends_with(' ') {
        text.truncate(text.len() - 1);
        text.push_str("\\x20");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_bytes(text: &str, bytes: &[u8]) {
        assert_eq!(joined(&[text.to_string()], "\r\n").unwrap(), bytes);
    }

    #[test]
    fn escapes_and_line_ends() {
        check_bytes("plain", b"plain\r\n");
        check_bytes("\\x00\\r\\\\", b"\0\r\\\r\n");
        check_bytes("\\{ab*3}c", b"abababc\r\n");
        check_bytes("open\\", b"open");
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_bytes() {
        for bytes in [&b"a\nb\n"[..], b"no end", b"", b"blank \nback\\\n", b"\r\t\x00\xff\n"] {
            assert_eq!(joined(&lines_of(bytes), "\n").unwrap(), bytes);
        }
    }

    #[test]
    fn blocks_before_the_first_heading_belong_to_every_case() {
        let page = parse("```text a/b\nx\n```\n## one\n## two\n```log\n```\n").unwrap();
        let counts: Vec<usize> = page.cases.iter().map(|c| c.steps.len()).collect();
        assert_eq!(counts, [1, 2]);
    }

    #[test]
    fn an_interim_answer_and_the_final_one_belong_to_one_request() {
        let page = parse("## c\n```http\n> A\n< 100\n\n< 200\n\n> B\n< 200\n<\n< body\n```\n").unwrap();
        let Action::Http { exchanges, .. } = &page.cases[0].steps[0].action else { panic!("no http block") };
        let answers: Vec<usize> = exchanges.iter().map(|x| x.answers.len()).collect();
        assert_eq!(answers, [2, 1]);
        assert_eq!((exchanges[0].line, exchanges[0].end), (3, 3));
    }

    #[test]
    fn mistakes_in_a_page_are_named_by_line() {
        assert_eq!(parse("\n```http\n> A\n").err().unwrap(), "2: the block is never closed");
        assert_eq!(parse("```http fast\n```\n").err().unwrap(), "1: `fast` is no way to send requests");
    }
}

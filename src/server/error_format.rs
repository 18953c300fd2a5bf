//! `ErrorLogFormat`: lines of the error log.
//!
//! A format falls into fields at its spaces; a field of which an item has nothing to say is left
//! out as a whole (manual of core, ErrorLogFormat).

use crate::{engine::exchange::Logged, http::escape};
use chrono::{DateTime, Local};
use std::{io::Write, time::SystemTime};

/// What Apache writes with a threaded mpm where no format is set.
const DEFAULT: &str = r"[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i";

const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3",
    "trace4", "trace5", "trace6", "trace7", "trace8",
];

/// A format, read once.
#[derive(Clone, Debug)]
pub struct ErrorFormat {
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Text(Vec<u8>),
    /// A space that ends a field.
    Space,
    /// `% `: ends a field, and writes nothing.
    Border,
    Value {
        letter: u8,
        argument: Vec<u8>,
        minus: bool,
        severity: Option<u8>,
    },
}

impl Default for ErrorFormat {
    fn default() -> Self {
        ErrorFormat::parse(DEFAULT.as_bytes())
    }
}

impl ErrorFormat {
    /// Reads a format. What Apache does not know stands for itself.
    pub fn parse(mut format: &[u8]) -> ErrorFormat {
        let mut items = Vec::new();
        while let Some((&first, rest)) = format.split_first() {
            let (item, rest) = match (first, rest.first()) {
                (b'\\', Some(&escaped)) => (Item::Text(vec![escaped]), &rest[1..]),
                (b' ', _) => (Item::Space, rest),
                (b'%', Some(b'%')) => (Item::Text(vec![b'%']), &rest[1..]),
                (b'%', Some(b' ')) => (Item::Border, &rest[1..]),
                (b'%', Some(_)) => value(rest),
                _ => (Item::Text(vec![first]), rest),
            };
            match (items.last_mut(), item) {
                (Some(Item::Text(before)), Item::Text(more)) => before.extend(more),
                (_, item) => items.push(item),
            }
            format = rest;
        }
        ErrorFormat { items }
    }

    /// The same without its time, for syslog, which has its own.
    pub fn without_time(mut self) -> ErrorFormat {
        let is_time = |item: &Item| matches!(item, Item::Value { letter: b't', .. });
        if let [Item::Text(open), time, Item::Text(close), Item::Space, ..] = &self.items[..]
            && is_time(time)
            && open == b"["
            && close == b"]"
        {
            self.items.drain(..4);
        }
        self
    }

    /// Writes one line with its end.
    pub fn line(&self, logged: &Logged, server_name: &[u8], now: SystemTime, out: &mut Vec<u8>) {
        let start = out.len();
        let mut field = start;
        let (mut skipping, mut blank) = (false, false);
        for item in &self.items {
            match item {
                Item::Space | Item::Border => {
                    if !skipping {
                        blank = matches!(item, Item::Space);
                        out.extend(blank.then_some(b' '));
                    }
                    skipping = false;
                    field = out.len();
                }
                _ if skipping => {}
                Item::Text(text) => out.extend_from_slice(text),
                Item::Value { letter, argument, minus, severity } => {
                    let before = out.len();
                    if severity.is_none_or(|least| logged.entry.level >= least) {
                        put(*letter, argument, logged, server_name, now, out);
                    }
                    if out.len() == before && *minus {
                        out.push(b'-');
                    } else if out.len() == before {
                        out.truncate(field);
                        skipping = true;
                    }
                }
            }
        }
        if skipping && blank && field > start {
            out.pop();
        }
        out.push(b'\n');
    }
}

/// `%`, modifiers, `{argument}`, letter.
fn value(mut rest: &[u8]) -> (Item, &[u8]) {
    let (mut argument, mut minus, mut severity) = (Vec::new(), false, None);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'-' => minus = true,
            b'+' => {}
            b'0'..=b'9' => {
                severity = Some(severity.unwrap_or(0u8).saturating_mul(10).saturating_add(byte - b'0'))
            }
            b'{' => {
                let end = rest.iter().position(|&byte| byte == b'}').unwrap_or(rest.len());
                argument = rest[..end].to_vec();
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            letter => return (Item::Value { letter, argument, minus, severity }, rest),
        }
    }
    (Item::Text(b"%".to_vec()), rest)
}

/// Writes one value; nothing if there is none.
fn put(letter: u8, argument: &[u8], logged: &Logged, server: &[u8], now: SystemTime, out: &mut Vec<u8>) {
    let entry = &logged.entry;
    // Writing to a vector cannot fail.
    let _ = match letter {
        b't' => write!(out, "{}", time(argument, now)),
        b'm' => out.write_all(entry.module.as_bytes()),
        b'l' => out.write_all(LEVELS.get(usize::from(entry.level)).unwrap_or(&"trace8").as_bytes()),
        b'P' => write!(out, "{}", std::process::id()),
        b'T' => write!(out, "{}", thread_id()),
        b'E' => match entry.os_error {
            Some(code) => out.write_all(super::os_error(&std::io::Error::from_raw_os_error(code)).as_bytes()),
            None => Ok(()),
        },
        b'a' => match logged.client {
            Some(client) => write!(out, "{}:{}", client.ip(), client.port()),
            None => Ok(()),
        },
        b'v' | b'V' => out.write_all(server),
        b'M' => message(logged, out),
        _ => Ok(()),
    };
}

fn message(logged: &Logged, out: &mut Vec<u8>) -> std::io::Result<()> {
    let entry = &logged.entry;
    if !entry.number.is_empty() {
        write!(out, "{}: ", entry.number)?;
    }
    out.write_all(&escape::error_log(&entry.text))
}

fn time(argument: &[u8], now: SystemTime) -> String {
    let now: DateTime<Local> = now.into();
    let has = |flag: u8| argument.contains(&flag);
    if has(b'%') {
        return now.format(&String::from_utf8_lossy(argument)).to_string();
    }
    let format = match (has(b'c'), has(b'u'), has(b'm'), has(b'z')) {
        (true, true, _, true) => "%Y-%m-%d %H:%M:%S%.6f %z",
        (true, true, _, false) => "%Y-%m-%d %H:%M:%S%.6f",
        (true, false, _, _) => "%Y-%m-%d %H:%M:%S",
        (false, true, _, _) => "%a %b %d %H:%M:%S%.6f %Y",
        (false, false, true, _) => "%a %b %d %H:%M:%S%.3f %Y",
        (false, false, false, _) => "%a %b %d %H:%M:%S %Y",
    };
    now.format(format).to_string()
}

#[cfg(target_os = "linux")]
fn thread_id() -> i32 {
    nix::unistd::gettid().as_raw()
}

#[cfg(not(target_os = "linux"))]
fn thread_id() -> u32 {
    std::process::id()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::LogEntry;

    fn logged() -> Logged {
        let entry = LogEntry {
            level: 3,
            module: "core",
            os_error: Some(13),
            number: "AH00035",
            text: "access to /x denied".into(),
            explanation: None,
        };
        Logged { server: 0, client: Some("127.0.0.1:1234".parse().unwrap()), entry }
    }

    /// The line for a format, with pid and tid as `P` and `T`, and the time cut off if it is there.
    #[track_caller]
    fn check(format: &str, logged: Logged, expected: &str) {
        let mut out = Vec::new();
        ErrorFormat::parse(format.as_bytes()).line(&logged, b"www.example.org", SystemTime::now(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let text = text.replace(&format!("pid {}", std::process::id()), "pid P");
        let text = text.replace(&format!("tid {}", thread_id()), "tid T");
        assert_eq!(text.strip_suffix('\n').unwrap(), expected);
    }

    const TIMELESS: &str = r"[%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i";

    #[test]
    fn the_default_format_names_error_client_and_number() {
        check(
            TIMELESS,
            logged(),
            "[core:error] [pid P:tid T] (13)Permission denied: [client 127.0.0.1:1234] AH00035: access to /x denied",
        );
    }

    #[test]
    fn fields_with_nothing_to_say_are_left_out() {
        let mut logged = logged();
        logged.client = None;
        logged.entry.os_error = None;
        logged.entry.number = "";
        check(TIMELESS, logged, "[core:error] [pid P:tid T] access to /x denied");
    }

    #[test]
    fn the_time_has_microseconds() {
        let mut out = Vec::new();
        ErrorFormat::default().line(&logged(), b"", SystemTime::now(), &mut out);
        let shape: String = String::from_utf8(out).unwrap().chars().take(34).collect();
        let digits = shape.replace(|c: char| c.is_ascii_digit(), "9");
        let letters = digits.replace(|c: char| c.is_ascii_alphabetic(), "x");
        assert_eq!(letters, "[xxx xxx 99 99:99:99.999999 9999] ");
    }

    #[test]
    fn modifiers() {
        check("[%l] %{Referer}i %M", logged(), "[error] AH00035: access to /x denied");
        check("[%l] %M %{Referer}i", logged(), "[error] AH00035: access to /x denied");
        check("[%l] %-{Referer}i %v", logged(), "[error] - www.example.org");
        check("%4l x", logged(), "x");
        check("100%% %3l", logged(), "100% error");
    }

    #[test]
    fn syslog_lines_have_no_time() {
        let mut out = Vec::new();
        ErrorFormat::default().without_time().line(&logged(), b"", SystemTime::now(), &mut out);
        assert!(out.starts_with(b"[core:error] [pid "));
    }
}

//! Values of fields: text and `%` items.

use crate::engine::Cx;
use bstr::{BString, ByteSlice};
use std::time::UNIX_EPOCH;

/// A compiled value.
#[derive(Clone, Debug, Default)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(BString),
    /// `%t`: when the request came.
    Time,
    /// `%D`: how long it took so far.
    Duration,
    /// `%l`: load averages.
    Load,
    /// `%i`: what part of the server is idle.
    Idle,
    /// `%b`: what part of it is busy.
    Busy,
    /// `%{…}e`.
    Variable(BString),
    /// `%{…}s`: variables of encryption, which there is not.
    Encryption,
}

impl Template {
    /// Compiles a value. `\n`, `\r`, `\t` and `\\` are escapes.
    ///
    /// # Errors
    /// Apache's message.
    pub fn compile(text: &[u8]) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut plain = BString::default();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after.first()) {
                (b'%', Some(b'%')) => {
                    plain.push(b'%');
                    rest = &after[1..];
                }
                (b'%', None) => plain.push(b'%'),
                (b'%', Some(_)) => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    let (part, after) = item(after)?;
                    parts.push(part);
                    rest = after;
                }
                (b'\\', Some(&escape @ (b'\\' | b'r' | b'n' | b't'))) => {
                    plain.push(match escape {
                        b'r' => b'\r',
                        b'n' => b'\n',
                        b't' => b'\t',
                        other => other,
                    });
                    rest = &after[1..];
                }
                _ => plain.push(byte),
            }
        }
        parts.push(Part::Text(plain));
        Ok(Template(parts))
    }

    /// The value for a request.
    pub fn expand(&self, cx: &Cx<'_>) -> BString {
        let mut out = BString::default();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Time => {
                    let micros = cx.req.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
                    out.extend_from_slice(format!("t={micros}").as_bytes());
                }
                Part::Duration => {
                    let so_far = cx.system().now().duration_since(cx.req.started).unwrap_or_default();
                    out.extend_from_slice(format!("D={}", so_far.as_micros()).as_bytes());
                }
                Part::Load => out.extend_from_slice(&load(cx)),
                Part::Idle => out.extend_from_slice(b"i=100"),
                Part::Busy => out.extend_from_slice(b"b=0"),
                Part::Variable(name) => match cx.req.env.get(name) {
                    Some(value) => out.extend_from_slice(&one_line(value)),
                    None => out.extend_from_slice(b"(null)"),
                },
                Part::Encryption => out.extend_from_slice(b"(null)"),
            }
        }
        out
    }
}

/// Reads an item behind its `%`.
fn item(text: &[u8]) -> Result<(Part, &[u8]), String> {
    let (argument, rest) = match text.strip_prefix(b"{") {
        Some(after) => match after.find_byte(b'}') {
            Some(end) => (&after[..end], &after[end + 1..]),
            None => (after, &[][..]),
        },
        None => (&[][..], text),
    };
    let letter = rest.first().copied();
    let part = match letter {
        Some(b't') => Part::Time,
        Some(b'D') => Part::Duration,
        Some(b'l') => Part::Load,
        Some(b'i') => Part::Idle,
        Some(b'b') => Part::Busy,
        Some(b'e') => Part::Variable(argument.into()),
        Some(b's') => Part::Encryption,
        _ => {
            let letter = rest[..rest.len().min(1)].as_bstr();
            return Err(format!("Unrecognized header format %{letter}"));
        }
    };
    Ok((part, &rest[1..]))
}

fn load(cx: &Cx<'_>) -> Vec<u8> {
    let text = cx.system().read(std::path::Path::new("/proc/loadavg"), 256).unwrap_or_default();
    let averages: Vec<&[u8]> = text.split(|&byte| byte == b' ').take(3).collect();
    [b"l=", averages.join(&b'/').as_slice()].concat()
}

/// A variable may hold line ends; a field may not.
fn one_line(value: &[u8]) -> Vec<u8> {
    value.iter().map(|&byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }).collect()
}

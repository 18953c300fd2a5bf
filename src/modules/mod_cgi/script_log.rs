//! ScriptLog: for each program that failed, the request and what the program said. Manual:
//! `mod/mod_cgi.html#scriptlog`.

use super::CgiServer;
use crate::{
    engine::Cx,
    http::{
        Method,
        cgi::{CgiError, CgiErrorKind},
    },
    policy::SaidExt,
    system,
};
use bstr::ByteSlice;
use std::io;

/// `ScriptLogLength` where it is unsaid, bytes.
const LENGTH: u64 = 10_385_760;

/// `ScriptLogBuffer` where it is unsaid, bytes.
const BUFFER: u64 = 1024;

/// The most output of one program that is written down, bytes. Apache has no such limit.
const OUTPUT: usize = 1 << 20;

/// How much of it Apache reads at a time; a line ends behind each.
const PIECE: usize = 8000;

/// A failed program's words, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Said<'s> {
    /// The beginning of the request's body.
    pub input: &'s [u8],
    /// The line at fault.
    pub line: &'s [u8],
    /// What came behind it.
    pub rest: &'s [u8],
    /// Where that begins in the output.
    pub at: usize,
}

impl<'s> Said<'s> {
    /// What `output` says behind the fault in it.
    pub fn new(input: &'s [u8], error: &'s CgiError, output: &'s [u8]) -> Self {
        let line = error.text.as_slice();
        let start = usize::try_from(error.offset).unwrap_or(usize::MAX);
        let from = output.get(start..).unwrap_or_default();
        let rest = match error.kind {
            CgiErrorKind::Malformed => from.find_byte(b'\n').map_or(&b""[..], |end| &from[end + 1..]),
            _ => b"",
        };
        Said { input, line, rest, at: output.len() - rest.len() }
    }
}

/// How much of a request's body is to be kept; nothing where there is no log.
pub(super) fn input_kept(cx: &Cx<'_>) -> usize {
    let conf: &CgiServer = cx.server_conf();
    let wanted = conf.log.is_some() && matches!(cx.req.method, Method::Post | Method::Put);
    let buffer = if wanted { conf.log_buffer.value_or(BUFFER) } else { 0 };
    usize::try_from(buffer).unwrap_or(usize::MAX)
}

/// How much of the output of a program with a wrong head is to be kept; nothing where there is no log.
pub(super) fn output_kept(cx: &Cx<'_>) -> usize {
    let conf: &CgiServer = cx.server_conf();
    let most = if conf.log.is_some() { conf.log_length.value_or(LENGTH) } else { 0 };
    usize::try_from(most).unwrap_or(usize::MAX).min(OUTPUT)
}

/// Writes down a program that gave no head.
pub(super) fn failure(cx: &mut Cx<'_>, status: u16, said: &Said<'_>) {
    let mut record = b"%request\n".to_vec();
    for (name, value) in cx.req.headers_in.iter() {
        record.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    if !said.input.is_empty() {
        record.extend_from_slice(&[b"\n", said.input, b"\n"].concat());
    }
    record.extend_from_slice(b"%response\n");
    for (name, value) in cx.req.err_headers_out.iter() {
        record.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    if !said.line.is_empty() {
        record.extend_from_slice(&[said.line, b"\n"].concat());
    }
    if !said.rest.is_empty() {
        record.extend_from_slice(b"%stdout\n");
        let (first, others) = said.rest.split_at(said.rest.len().min(PIECE - said.at % PIECE));
        for piece in std::iter::once(first).chain(others.chunks(PIECE)) {
            record.extend_from_slice(&[piece, b"\n"].concat());
        }
    }
    write(cx, status, record);
}

/// Writes down a line of the log about a program.
pub(super) fn error(cx: &mut Cx<'_>, status: u16, line: &[u8]) {
    write(cx, status, [b"%error\n", line, b"\n"].concat());
}

/// Puts the two lines that name the request in front, unless the log is as long as it may be.
fn write(cx: &mut Cx<'_>, status: u16, record: Vec<u8>) {
    let conf: &CgiServer = cx.server_conf();
    let Some(log) = conf.log.value() else { return };
    let most = conf.log_length.value_or(LENGTH);
    match cx.system().stat(system::path(&log.path)) {
        Ok(stat) if stat.size > most => return,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return,
        _ => {}
    }
    let time = chrono::DateTime::<chrono::Local>::from(cx.system().now());
    let time = time.format("%a %b %d %H:%M:%S %Y");
    let req = &mut *cx.req;
    let mut uri = crate::http::escape::os_path(&req.uri);
    if let Some(args) = &req.args {
        uri.extend_from_slice(&[b"?", args.as_slice()].concat());
    }
    let head =
        format!("%% [{time}] {} {uri} {}\n%% {status} {}\n", req.method_name, req.protocol, req.filename);
    req.records.push((log.target, [head.as_bytes(), record.as_slice()].concat()));
}

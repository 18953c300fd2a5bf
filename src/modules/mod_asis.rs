//! mod_asis: files that bring along their own head, like the output of a program.
//!
//! Manual: `mod/mod_asis.html`. What the head says is taken as mod_cgi takes it (RFC 3875 section
//! 6.2); conditions of the request do not count, and a head that is none is only logged.

use super::script_head::{redirect, status_of, take_over};
use crate::{
    engine::{Answer, Content, Cx, Hook, Module, Order, Phase, Verdict},
    http::{
        Method, MethodSet, Status,
        cgi::{CgiHead, Note, Scan, Scanner},
    },
    policy::SaidExt,
    system::{self, Opened},
};
use bstr::{BString, ByteSlice};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_asis",
    source: "mod_asis.c",
    identifier: "asis_module",
    hooks: &[Hook { phase: Phase::Handler, order: Order::MIDDLE, run: handler }],
    ..Module::NOTHING
};

/// No more of a file is looked at for its head; [`Scanner`] takes no longer ones either.
const LONGEST_HEAD: u64 = 2 << 20;

fn handler(cx: &mut Cx<'_>) -> Verdict {
    if !is_ours(cx) {
        return Verdict::Declined;
    }
    cx.req.allowed = cx.req.allowed.union(MethodSet::of(&[Method::Get]));
    if !matches!(cx.req.method, Method::Get | Method::Head) {
        return Verdict::Declined;
    }
    let name = cx.req.filename.clone();
    let Some(stat) = cx.req.stat else {
        cx.log(6, "AH01233", format_args!("File does not exist: {name}"));
        cx.note(format_args!("there is no file {name}"));
        return Verdict::Status(Status(404));
    };
    if stat.is_dir() {
        // Apache reads nothing from it, and breaks off when it is to send the rest.
        log_head(cx, 3, "", b"End of script output before headers: ");
        cx.note(format_args!("a directory has no head to send"));
        return Verdict::Answer(Answer::Close);
    }
    if !stat.is_file() {
        cx.note(format_args!("{name} is neither a file nor a directory"));
        return Verdict::Status(Status::FORBIDDEN);
    }
    let read = cx.system().read(system::path(&name), LONGEST_HEAD);
    match read.and_then(|start| Ok((start, cx.system().open(system::path(&name))?))) {
        Ok((start, file)) => send(cx, &start, file, stat),
        Err(error) => {
            let os = error.raw_os_error();
            cx.log_os(3, os, "AH01234", format_args!("file permissions deny server access: {name}"));
            cx.note(format_args!("the system does not let {name} be opened: {error}"));
            Verdict::Status(Status::FORBIDDEN)
        }
    }
}

/// Apache takes the media type for a handler's name where no handler is set.
fn is_ours(cx: &Cx<'_>) -> bool {
    let by_type = || cx.req.content_type.as_ref()?.split(|&byte| byte == b';').next().map(<[u8]>::trim_end);
    let name = cx.req.handler.as_ref().map(|name| name.as_bytes()).or_else(by_type);
    matches!(name, Some(b"send-as-is" | b"httpd/send-as-is"))
}

/// Takes the head over; what comes after it is the body.
fn send(cx: &mut Cx<'_>, start: &[u8], file: Opened, stat: system::Stat) -> Verdict {
    let (head, body) = scan(cx, start, stat.size);
    complain(cx, &head);
    take_over(cx, &head);
    if let Some(status) = status_of(&head) {
        cx.req.status = status;
        cx.req.status_line.clone_from(&head.status_line);
    }
    let whole = cx.req.status == Status::OK || cx.req.status.is_redirect();
    if let Some(location) = head.headers.get("Location").filter(|to| whole && to.starts_with(b"/")) {
        cx.note(format_args!("the file's head redirects to {location}"));
        cx.req.status = Status::OK;
        cx.req.status_line = None;
        return redirect(cx, location);
    }
    cx.note(format_args!("the file brings its own head, of {body} bytes"));
    if cx.req.header_only() {
        // Only here the length that the file gives is not replaced by that of its body.
        if let Some(length) = &head.content_length {
            cx.req.headers_out.set("Content-Length", length);
        }
        return Verdict::Answer(Answer::Content(Content::Empty));
    }
    let sendfile = cx.core().sendfile.value_or(true);
    Verdict::Answer(Answer::Content(Content::File { file, skip: body, stat, sendfile }))
}

/// The head and its length. A file without a head has nothing else either, and what its first lines
/// say by themselves holds.
fn scan(cx: &mut Cx<'_>, start: &[u8], size: u64) -> (Box<CgiHead>, u64) {
    let mut scanner = Scanner::new();
    let error = match scanner.feed(start) {
        Ok(Scan::Done(head, length)) => return (head, length as u64),
        Ok(Scan::Partial) => scanner.finish(),
        Err(error) => error,
    };
    let message = error.message(b"");
    match message.find(b"'': ") {
        Some(at) => log_malformed(cx, &message[..at]),
        None => log_head(cx, 3, "", &message),
    }
    (Box::new(scanner.so_far()), size)
}

/// Of a line without a colon Apache shows what its buffer has after reading on to the end: nothing.
fn log_malformed(cx: &mut Cx<'_>, words: &[u8]) {
    let script = BString::from(cx.req.base_name());
    cx.log(3, "", format_args!("{}'{script}': Bad header: ", words.as_bstr()));
}

fn log_head(cx: &mut Cx<'_>, level: u8, number: &'static str, words: &[u8]) {
    let script = BString::from(cx.req.base_name());
    cx.log(level, number, format_args!("{}{script}", words.as_bstr()));
}

/// The log lines for faults that do not count.
fn complain(cx: &mut Cx<'_>, head: &CgiHead) {
    let script = BString::from(cx.req.base_name());
    for note in &head.notes {
        let text = note.message(&script);
        match note {
            Note::Status(..) => cx.log(3, "", format_args!("{text}")),
            Note::LastModified(..) => {
                let text = text.strip_prefix(b"AH10247: ").unwrap_or(&text).as_bstr();
                cx.log(6, "AH10247", format_args!("{text}"));
            }
        }
    }
}

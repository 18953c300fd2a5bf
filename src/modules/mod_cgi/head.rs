//! What becomes of a program's output: its head (ap_scan_script_header_err), its standard error,
//! its failures.

use super::{
    super::script_head::{redirect, seconds, status_of, take_over},
    explain, log,
    script_log::{self, Said},
    suexec::{self, WRAPPED},
};
use crate::{
    engine::{BodyFault, CgiFailure, CgiFault, Cx, Verdict, apr},
    http::{
        Method, Status,
        cgi::{CgiHead, Note},
        conditional::{self, Conditions},
        escape,
    },
    policy::suexec::WRAPPER,
};
use bstr::{BString, ByteSlice};

/// The longest line of standard error in one entry of the log.
const STDERR_LINE: usize = 8191;

/// Goes on after the head: a redirect, an answer of the server's own, or the program's body.
pub(super) fn on_head(cx: &mut Cx<'_>, head: Result<Box<CgiHead>, CgiFault>) -> Verdict {
    let script = BString::from(cx.req.base_name());
    let head = match head {
        Ok(head) => head,
        Err(fault) => {
            let wrapped = cx.req.notes.contains(WRAPPED).then_some(fault.exit).flatten();
            let why = wrapped
                .and_then(|status| suexec::refusal(status, &cx.req.filename))
                .unwrap_or_else(|| explain::no_head(cx.system(), &cx.req.filename, &fault));
            no_head(cx, fault.error.message(&script), Some(why));
            let said = Said::new(&fault.input, &fault.error, &fault.output);
            script_log::failure(cx, 500, &said);
            return Verdict::Status(Status::INTERNAL_SERVER_ERROR);
        }
    };
    complain(cx, &head, &script);
    take_over(cx, &head);
    let status = status_of(&head);
    if status.is_none()
        && matches!(cx.req.method, Method::Get | Method::Head)
        && let Some(status) = conditional(cx, &head)
    {
        cx.note(format_args!("the program's validators meet the request's conditions"));
        return Verdict::Status(status);
    }
    // An ErrorDocument's program answers with the status of the error unless it gives one.
    let effective = status.unwrap_or(cx.req.status);
    if effective == Status::OK
        && let Some(location) = head.headers.get("Location")
    {
        if location.starts_with(b"/") {
            return redirect(cx, location);
        }
        cx.note(format_args!("the program redirects to {location}"));
        return Verdict::Status(Status::FOUND);
    }
    cx.req.status = effective;
    cx.req.status_line.clone_from(&head.status_line);
    Verdict::Ok
}

/// Says why there is no head: in the log, and as `ERROR_NOTES` to the program that an ErrorDocument names.
fn no_head(cx: &mut Cx<'_>, text: BString, why: Option<String>) {
    cx.req.notes.set("error-notes", escape::html(&text));
    log(cx, 3, "", text, why);
}

/// The log lines for faults that do not stop the request.
fn complain(cx: &mut Cx<'_>, head: &CgiHead, script: &[u8]) {
    for note in &head.notes {
        let text = note.message(script);
        match note {
            Note::Status(value, _) => {
                let why = format!(
                    "`Status:` must begin with three digits, 100 to 599, such as `404 Not Found`; the program \
                     said `{}`, and the answer is a 500 with the program's body.",
                    value.escape_ascii()
                );
                log(cx, 3, "", text, Some(why));
            }
            Note::LastModified(..) => {
                let text = text.strip_prefix(b"AH10247: ").unwrap_or(&text);
                log(cx, 6, "AH10247", text, None);
            }
        }
    }
}

fn conditional(cx: &Cx<'_>, head: &CgiHead) -> Option<Status> {
    if cx.req.no_local_copy {
        return None;
    }
    conditional::meets(&Conditions {
        method: cx.req.method,
        request: &cx.req.headers_in,
        etag: head.err_headers.get("ETag").or(head.headers.get("ETag")).map(|tag| tag.as_bytes()),
        modified: head.last_modified.map(|time| time.min(seconds(cx))),
        now: seconds(cx),
    })
}

/// Each line of standard error becomes an entry of the log.
pub(super) fn on_stderr(cx: &mut Cx<'_>, line: &[u8]) {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    stderr_entry(cx, &line[..line.len().min(STDERR_LINE)], None);
    for piece in line.chunks(STDERR_LINE).skip(1) {
        stderr_entry(cx, piece, None);
    }
}

fn stderr_entry(cx: &mut Cx<'_>, line: &[u8], why: Option<String>) {
    let text = [b"stderr from ", cx.req.filename.as_slice(), b": ", line].concat();
    script_log::error(cx, cx.req.status.0, line);
    let why = why.or_else(|| explain::stderr_line(line));
    log(cx, 3, "AH01215", text, why);
}

/// A program that could not be started, or that says nothing any more.
pub(super) fn on_failure(cx: &mut Cx<'_>, failure: &CgiFailure) -> Verdict {
    let script = BString::from(cx.req.base_name());
    match failure {
        CgiFailure::Exec { step: "fork", error } => {
            let code = error.raw_os_error().unwrap_or(0);
            log(cx, 3, "AH01223", format!("couldn't create child process: {code}: {script}"), None);
        }
        CgiFailure::Exec { step, error } => {
            let wrapped = cx.req.notes.contains(WRAPPED);
            let program = if wrapped { WRAPPER.into() } else { cx.req.filename.clone() };
            let line = exec_line(step, error, &program);
            let user = cx.engine.policy.process.user.as_ref().map(|user| user.value.clone());
            let why = explain::not_started(
                cx.system(),
                &program,
                step,
                error,
                user.as_ref().map(|user| user.as_slice()),
            );
            stderr_entry(cx, &line, Some(why));
            let text = [b"End of script output before headers: ", script.as_slice()].concat();
            no_head(cx, text.into(), None);
            script_log::failure(cx, 500, &Said::default());
        }
        CgiFailure::Input(fault) => {
            let code = match fault {
                BodyFault::Refused(_) => apr::FILTER_ERROR,
                BodyFault::TimedOut => apr::TIMEUP,
                BodyFault::CutOff => apr::INCOMPLETE,
            };
            let text = "Error reading request entity data";
            cx.as_module("mod_cgi", |cx| cx.log_os(3, Some(code), "AH01225", format_args!("{text}")));
            return Verdict::Status(fault.status());
        }
        CgiFailure::Timeout { body } => {
            let text = [b"Timeout waiting for output from CGI script ", cx.req.filename.as_slice()].concat();
            log(cx, 4, "AH01220", text, None);
            if *body {
                return Verdict::Ok;
            }
            let text = [b"Script timed out before returning headers: ", script.as_slice()].concat();
            no_head(cx, text.into(), Some(explain::timed_out().to_owned()));
            script_log::failure(cx, 504, &Said::default());
            return Verdict::Status(Status::GATEWAY_TIME_OUT);
        }
    }
    Verdict::Status(Status::INTERNAL_SERVER_ERROR)
}

/// What a child process that cannot become the program writes to standard error in Apache.
fn exec_line(step: &str, error: &std::io::Error, program: &[u8]) -> Vec<u8> {
    let (code, text) = explain::system_error(error);
    let what = match step {
        "exec" => [b"exec of '", program, b"' failed"].concat(),
        "chdir" => b"change of working directory failed".to_vec(),
        "setrlimit" => b"setting of resource limits failed".to_vec(),
        step => format!("{step} failed").into_bytes(),
    };
    [format!("({code}){text}: ").as_bytes(), what.as_slice()].concat()
}

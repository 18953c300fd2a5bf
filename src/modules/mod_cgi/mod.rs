//! CGI programs (RFC 3875): who may run, with which arguments and environment, and what becomes of
//! what they print. Manual: `mod/mod_cgi.html`, `howto/cgi.html`.
//!
//! The handler only decides: it returns the program as a value ([`Cgi`]), and the server runs it.
//! Log texts are mod_cgi's, word for word, since people search for them; our explanation stands
//! behind them and comes from [`explain`].

pub(in crate::modules) mod environment;
pub mod explain;
mod head;
mod script_log;
mod suexec;
#[cfg(test)]
mod tests;

use crate::{
    diag::Span,
    engine::{Answer, Cgi, Cx, Hook, LogEntry, Module, Order, Phase, Verdict},
    http::{Status, escape},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, OptionBits, Place, Said, SaidExt, Scope, Setting,
        Shape,
    },
};
use bstr::{BString, ByteSlice};
use std::time::Duration;

/// `cgi_module`
pub static MODULE: Module = Module {
    name: "mod_cgi",
    source: "mod_cgi.c",
    identifier: "cgi_module",
    configs: &[Kind::of::<CgiServer>(), Kind::of::<CgiDir>()],
    directives: &[
        SCRIPT_LOG,
        SCRIPT_LOG_LENGTH,
        SCRIPT_LOG_BUFFER,
        Directive {
            name: "CGIScriptTimeout",
            shape: Shape::One,
            scope: Scope::RSRC_CONF.or(Scope::ACCESS_CONF),
            usage: "The amount of time to wait between successful reads from the CGI script, in seconds.",
            doc: "How long to wait for each piece of a program's output",
            apply: script_timeout,
        },
    ],
    hooks: &[Hook { phase: Phase::Handler, order: Order::MIDDLE, run: handler }],
    ..Module::NOTHING
};

pub(super) const SCRIPT_LOG: Directive = Directive {
    name: "ScriptLog",
    shape: Shape::One,
    scope: Scope::RSRC_CONF,
    usage: "the name of a log for script debugging info",
    doc: "File for requests whose program failed, with what it printed",
    apply: |place, args| {
        let path = place.server_path(args.text(0));
        let target = place.optional_log_target(&path, args.span);
        place.server::<CgiServer>().log = Some(Setting::new(ScriptLog { path, target }, args.span));
        Ok(())
    },
};

pub(super) const SCRIPT_LOG_LENGTH: Directive = Directive {
    name: "ScriptLogLength",
    shape: Shape::One,
    scope: Scope::RSRC_CONF,
    usage: "the maximum length (in bytes) of the script debug log",
    doc: "Size at which the ScriptLog is not added to any more",
    apply: |place, args| {
        place.server::<CgiServer>().log_length = Some(Setting::new(leading_number(args.text(0)), args.span));
        Ok(())
    },
};

pub(super) const SCRIPT_LOG_BUFFER: Directive = Directive {
    name: "ScriptLogBuffer",
    shape: Shape::One,
    scope: Scope::RSRC_CONF,
    usage: "the maximum size (in bytes) to record of a POST request",
    doc: "How much of a request's body goes into the ScriptLog",
    apply: |place, args| {
        place.server::<CgiServer>().log_buffer = Some(Setting::new(leading_number(args.text(0)), args.span));
        Ok(())
    },
};

/// Settings per server: the log of failed programs.
#[derive(Clone, Debug, Default)]
pub struct CgiServer {
    /// `ScriptLog`.
    pub log: Said<ScriptLog>,
    /// `ScriptLogLength`, bytes; 10385760 if unsaid.
    pub log_length: Said<u64>,
    /// `ScriptLogBuffer`, bytes; 1024 if unsaid.
    pub log_buffer: Said<u64>,
}

impl Config for CgiServer {
    /// A virtual host with a ScriptLog of its own has nothing of the main server's, else everything.
    fn merge(&self, outer: &Self) -> Self {
        if self.log.is_some() { self.clone() } else { outer.clone() }
    }
}

/// The file of failed programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptLog {
    /// Absolute.
    pub path: BString,
    /// Its number among the policy's log targets.
    pub target: usize,
}

/// Settings per directory.
#[derive(Clone, Debug, Default)]
pub struct CgiDir {
    /// `CGIScriptTimeout`, `CGIDScriptTimeout`.
    pub timeout: Said<Duration>,
}

impl Config for CgiDir {
    fn merge(&self, outer: &Self) -> Self {
        CgiDir { timeout: self.timeout.over(&outer.timeout) }
    }
}

pub(super) fn script_timeout(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let Some(timeout) = interval(args.text(0)) else {
        return Err(Mistake::new(format!("{} has wrong format", args.node.name))
            .id("RX0501")
            .at(args.at(0), "a number with `ms`, `s`, `mi` or `h` behind it, or with nothing for seconds"));
    };
    place.dir::<CgiDir>().timeout = Some(Setting::new(timeout, args.span));
    Ok(())
}

/// A time as ap_timeout_parameter_parse reads it: an integer and a unit, of which only the first
/// letters count; no unit means seconds.
fn interval(text: &[u8]) -> Option<Duration> {
    let unsigned = text.strip_prefix(b"+").unwrap_or(text);
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: u64 = match &unsigned[..digits] {
        b"" => 0,
        digits => digits.to_str().ok()?.parse().ok()?,
    };
    let unit = unsigned[digits..].to_ascii_lowercase();
    let milliseconds = match unit.as_slice() {
        [] if digits == 0 => return None,
        [] | [b's', ..] => 1000,
        [b'h', ..] => 3_600_000,
        [b'm', b's', ..] => 1,
        [b'm', b'i', ..] => 60_000,
        _ => return None,
    };
    let total = number.checked_mul(milliseconds)?;
    (total <= i64::MAX as u64 / 1000).then(|| Duration::from_millis(total))
}

/// What atoi(3) makes of a text, negative numbers as 0.
fn leading_number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text[..digits].to_str().ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The handler `cgi-script`, also under its old name as a media type.
pub(super) fn handler(cx: &mut Cx<'_>) -> Verdict {
    if !is_ours(cx) {
        return Verdict::Declined;
    }
    if let Some(refusal) = refuse(cx) {
        return refusal;
    }
    if let Err(verdict) = environment::add_variables(cx) {
        return verdict;
    }
    let req = &cx.req;
    let argv = arguments(&req.filename, req.args.as_deref().map(|args| args.as_bytes()));
    let cgi = Cgi { nph: is_nph(cx), ..process(cx, req.filename.clone(), argv) };
    Verdict::Answer(Answer::Spawn(Box::new(suexec::as_somebody(cx, cgi))))
}

/// A program with the request's environment, in the directory of its file.
fn process(cx: &Cx<'_>, program: BString, argv: Vec<BString>) -> Cgi {
    let core = cx.core();
    let server_timeout = cx.core_server().timeout.value_or(Duration::from_secs(60));
    let own = cx.conf::<CgiDir>().timeout.value_or(Duration::ZERO);
    let directory = cx.req.filename.rfind_byte(b'/').unwrap_or(0);
    Cgi {
        program,
        argv,
        env: environment::for_program(cx),
        cwd: if directory == 0 { "/".into() } else { cx.req.filename[..directory].into() },
        nph: false,
        timeout: if own.is_zero() { server_timeout } else { own },
        limits: [&core.rlimit_cpu, &core.rlimit_mem, &core.rlimit_nproc].map(|limit| limit.value().copied()),
        keep_input: script_log::input_kept(cx),
        keep_output: script_log::output_kept(cx),
        on_head: head::on_head,
        on_stderr: head::on_stderr,
        on_failure: head::on_failure,
    }
}

/// A command for the shell, whose output is taken as it is (mod_include's `exec cmd`).
pub(in crate::modules) fn command(cx: &mut Cx<'_>, command: &[u8]) -> Cgi {
    const SHELL: &str = "/bin/sh";
    let argv = vec![SHELL.into(), "-c".into(), command.into()];
    let cgi = Cgi { nph: true, keep_input: 0, keep_output: 0, ..process(cx, SHELL.into(), argv) };
    suexec::as_somebody(cx, cgi)
}

/// Apache takes the media type for a handler's name where no handler is set.
fn is_ours(cx: &Cx<'_>) -> bool {
    let by_type = || {
        let content_type = cx.req.content_type.as_ref()?;
        content_type.split(|&byte| byte == b';').next().map(|text| text.trim_end())
    };
    let name = cx.req.handler.as_ref().map(|name| name.as_bytes()).or_else(by_type);
    matches!(name, Some(b"cgi-script" | b"application/x-httpd-cgi"))
}

fn is_nph(cx: &Cx<'_>) -> bool {
    cx.req.base_name().starts_with(b"nph-")
}

/// The checks before a program is run, in Apache's order.
fn refuse(cx: &mut Cx<'_>) -> Option<Verdict> {
    let core = cx.core();
    let aliased =
        cx.req.notes.get("alias-forced-type").is_some_and(|t| t.eq_ignore_ascii_case(b"cgi-script"));
    if !core.options.bits.has(OptionBits::EXEC_CGI) && !aliased {
        let at = core.options.decided_by(OptionBits::EXEC_CGI);
        let because = "programs may not run here: `Options` does not include ExecCGI";
        return Some(refused(cx, 403, "AH02809", "Options ExecCGI is off in this directory", at, because));
    }
    if is_nph(cx) && cx.req.protocol == "INCLUDED" {
        let because = "a program that writes its own head cannot be part of a page";
        return Some(refused(
            cx,
            403,
            "AH02810",
            "attempt to include NPH CGI script",
            Span::BUILTIN,
            because,
        ));
    }
    match &cx.req.stat {
        None => {
            let text = "script not found or unable to stat";
            return Some(refused(cx, 404, "AH02811", text, Span::BUILTIN, "there is no such file"));
        }
        Some(stat) if stat.is_dir() => {
            let text = "attempt to invoke directory as script";
            return Some(refused(cx, 403, "AH02812", text, Span::BUILTIN, "a directory is no program"));
        }
        Some(_) => {}
    }
    if core.accept_path_info.value() == Some(&Some(false)) && !cx.req.path_info.is_empty() {
        let (at, text) = (core.accept_path_info.at(), "AcceptPathInfo off disallows user's path");
        return Some(refused(
            cx,
            404,
            "AH02813",
            text,
            at,
            "nothing may follow the program's name in the URL",
        ));
    }
    None
}

fn refused(
    cx: &mut Cx<'_>,
    status: u16,
    number: &'static str,
    text: &str,
    at: Span,
    because: &str,
) -> Verdict {
    let line = [b"stderr from ", cx.req.filename.as_slice(), b": ", text.as_bytes()].concat();
    script_log::error(cx, status, text.as_bytes());
    let explanation = explain::refused(number, cx.req);
    log(cx, 3, number, line, explanation);
    if at.is_builtin() {
        cx.note(format_args!("{because}"));
    } else {
        cx.because(at, format_args!("{because}"));
    }
    Verdict::Status(Status(status))
}

/// A line of mod_cgi's in the error log, under its name whichever of the two modules runs.
fn log(cx: &mut Cx<'_>, level: u8, number: &'static str, text: impl Into<BString>, why: Option<String>) {
    if cx.logs(level) {
        let (module, text) = ("cgi", text.into());
        cx.req.log.push(LogEntry { level, module, os_error: None, number, text, explanation: why });
    }
}

/// The program's own name, and the words of a query without `=` (RFC 3875 section 4.4): decoded,
/// and with a backslash before what a shell would act on, as Apache hands them over.
fn arguments(filename: &[u8], query: Option<&[u8]>) -> Vec<BString> {
    let mut argv: Vec<BString> = vec![filename.into()];
    if let Some(query) = query.filter(|query| !query.is_empty() && !query.contains(&b'=')) {
        argv.extend(query.split(|&byte| byte == b'+').map(argument));
    }
    argv
}

fn argument(word: &[u8]) -> BString {
    let decoded: Vec<u8> = percent_encoding::percent_decode(word).collect();
    let text = decoded.split(|&byte| byte == 0).next().unwrap_or_default();
    escape::shell_cmd(text).into()
}

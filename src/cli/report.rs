//! Findings on the terminal: Apache's line first, since people and scripts look for it, then ours.

use super::config::Loaded;
use crate::diag::{Apache, Diagnostic, Severity, Sources, render, reports};
use crate::engine::LogEntry;
use std::io::{self, IsTerminal, Write};

/// Name of the program as it was called, without its directory.
pub fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&called).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Name of the program as it was called.
pub fn called() -> String {
    std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes to standard error; a closed one is nobody's loss.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to standard output; whether somebody reads it.
pub fn print(text: &(impl AsRef<[u8]> + ?Sized)) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).is_ok()
}

/// What Apache prints for a finding, end of line included.
pub fn apache_line(diagnostic: &Diagnostic) -> Option<String> {
    match &diagnostic.apache {
        Apache::Program(text) => Some(format!("{}: {text}\n", program())),
        Apache::Plain(text) => Some(format!("{}\n", named(text))),
        Apache::Silent => None,
    }
}

/// Some messages of Apache name the program behind their number.
fn named(text: &str) -> String {
    match text.split_once(": httpd: ") {
        Some((number, rest)) if number.len() == 7 && number.starts_with("AH") => {
            format!("{number}: {}: {rest}", program())
        }
        _ => text.to_owned(),
    }
}

/// Whether standard error takes colours.
pub fn colors() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// What Apache warned of before, its words for the first error, then every error with its lines.
pub fn errors(loaded: &Loaded) {
    let is_error = |found: &Diagnostic| found.severity == Severity::Error;
    let first = loaded.diagnostics.iter().position(is_error).unwrap_or_default();
    warnings(&loaded.diagnostics[..first]);
    if let Some(first) = loaded.error() {
        say(&apache_line(first).unwrap_or_else(|| format!("{}: {}\n", program(), first.headline)));
    }
    let errors = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    errors.for_each(|error| say(&format!("\n{}", render::full(error, loaded.sources(), colors()))));
}

/// Warnings that Apache gives as well, as its log has them before the log is open.
pub fn warnings(diagnostics: &[Diagnostic]) {
    for found in diagnostics.iter().filter(|found| found.severity == Severity::Warning) {
        if let Apache::Plain(text) | Apache::Program(text) = &found.apache {
            let now = chrono::Local::now().format("%a %b %d %H:%M:%S%.6f %Y");
            let pid = std::process::id();
            let level = if found.logged_as.error { "error" } else { "warn" };
            let head = found
                .logged_as
                .module
                .map(|module| format!("[{now}] [{module}:{level}] [pid {pid}:tid {pid}] "));
            let text = named(text);
            say(&format!("{}{text}\n", head.unwrap_or_default()));
        }
    }
}

/// What the error log says at the start: Apache's warnings that name a module; and, of directives
/// and modules without effect, ours, which the terminal must not see, since scripts take any output
/// for a failure.
pub fn logged_warnings(loaded: &Loaded) -> Vec<LogEntry> {
    let warnings = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Warning);
    let entry = |found: &Diagnostic| {
        let (module, text) = match &found.apache {
            Apache::Plain(text) | Apache::Program(text) => (found.logged_as.module?, text.clone()),
            Apache::Silent if matches!(found.id, "RX0207" | "RX0208") => ("core", placed(found, loaded)),
            Apache::Silent => return None,
        };
        let level = if found.logged_as.error { 3 } else { 4 };
        Some(LogEntry { level, module, os_error: None, number: "", text: text.into(), explanation: None })
    };
    warnings.filter_map(entry).chain(suexec_enabled(loaded)).collect()
}

/// That mod_suexec is there and finds its wrapper, as it says itself.
fn suexec_enabled(loaded: &Loaded) -> Option<LogEntry> {
    let active = loaded.policy.tables.is_active(b"suexec_module");
    let text = format!("suEXEC mechanism enabled (wrapper: {})", crate::policy::suexec::WRAPPER).into();
    let entry =
        LogEntry { level: 5, module: "suexec", os_error: None, number: "AH01232", text, explanation: None };
    (active && loaded.policy.process.suexec.enabled()).then_some(entry)
}

fn placed(found: &Diagnostic, loaded: &Loaded) -> String {
    let place = found.span().map(|span| loaded.sources().place(span));
    let place = place.map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
    format!("{}{place}", found.headline)
}

/// `2 errors, 1 warning`, or that nothing was found.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity: Severity, word: &str| {
        let number = diagnostics.iter().filter(|found| found.severity == severity).count();
        let plural = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} {word}{plural}"))
    };
    let counts: Vec<String> = [count(Severity::Error, "error"), count(Severity::Warning, "warning")]
        .into_iter()
        .flatten()
        .collect();
    if counts.is_empty() { "nothing to complain about".to_owned() } else { counts.join(", ") }
}

/// All findings in one of the forms that `--format` knows.
pub fn findings(found: &[Diagnostic], sources: &Sources, format: super::Format, color: bool) {
    if format == super::Format::Sarif {
        print(&format!("{:#}\n", reports::sarif(found, sources)));
        return;
    }
    for one in found {
        if !print(&finding(one, sources, format, color)) {
            break;
        }
    }
}

fn finding(diagnostic: &Diagnostic, sources: &Sources, format: super::Format, color: bool) -> String {
    match format {
        super::Format::Sarif => String::new(),
        super::Format::Github => format!("{}\n", reports::github(diagnostic, sources)),
        super::Format::Full => format!("{}\n", render::full(diagnostic, sources, color)),
        super::Format::Concise => format!("{}\n", render::concise(diagnostic, sources)),
        super::Format::Json => format!("{}\n", render::json(diagnostic, sources)),
    }
}

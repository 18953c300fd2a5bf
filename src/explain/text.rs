//! An explanation for people: the outcome, what decided it, and every step with its reasons.

use super::Explanation;
use crate::{
    diag::{Sources, Span},
    engine::{Cgi, Event, Note},
};
use bstr::ByteSlice;
use std::fmt::Write;

/// Columns of a source line that are shown.
const WIDTH: usize = 100;

/// The whole text; ends with a line feed.
pub fn text(explanation: &Explanation) -> String {
    let sources = &explanation.sources;
    let question = &explanation.question;
    let mut out = String::new();
    let _ = writeln!(out, "{} {}", question.method, question.target);
    let _ = writeln!(out, "{}\n", explanation.outcome);
    for reason in &explanation.decided_by {
        let _ = writeln!(out, "because {}", reason.text);
        snippet(reason.at, sources, &mut out);
    }
    for reason in &explanation.ignored {
        let _ = writeln!(out, "note: {}", reason.text);
        snippet(reason.at, sources, &mut out);
    }
    if let Some(remedy) = &explanation.remedy {
        out += "\n";
        out += &remedy.text();
    }
    if let Some(vhost) = explanation.vhost {
        let _ = writeln!(out, "\nvirtual host");
        snippet(Some(vhost), sources, &mut out);
    }
    let _ = writeln!(out, "\nstep by step");
    let mut before = None;
    for event in &explanation.steps {
        if event.depth == 0 && before.replace(event.phase).is_some_and(|phase| phase > event.phase) {
            let _ = writeln!(out, "then, for another URL, from the top");
        }
        step(event, sources, &mut out);
    }
    if let Some(cgi) = &explanation.program {
        program(cgi, &mut out);
    }
    if !explanation.log.is_empty() {
        let _ = writeln!(out, "\nthe error log gets");
    }
    for entry in &explanation.log {
        let number = if entry.number.is_empty() { String::new() } else { format!("{}: ", entry.number) };
        let _ = writeln!(out, "  [{}] {number}{}", entry.module, entry.text);
        if let Some(words) = &entry.explanation {
            let _ = writeln!(out, "    {}", words.replace('\n', "\n    "));
        }
    }
    out
}

/// A program as it is started, with its whole environment.
fn program(cgi: &Cgi, out: &mut String) {
    let words = cgi.argv.iter().skip(1).map(|word| format!(" {word}"));
    let _ = writeln!(out, "\nthe program\n  {}{}", cgi.program, words.collect::<String>());
    let _ = writeln!(out, "  in {}, with this environment and no other", cgi.cwd);
    for (name, value) in &cgi.env {
        let value = value.to_str_lossy();
        let _ = writeln!(out, "    {name}={}", value.escape_debug());
    }
}

/// The directive under its place, as rustc shows source.
fn snippet(at: Option<Span>, sources: &Sources, out: &mut String) {
    let Some(span) = at else { return };
    if span.is_builtin() {
        let _ = writeln!(out, "  --> no directive says so: it is the default");
        return;
    }
    let place = sources.place(span);
    let number = place.line.to_string();
    let pad = " ".repeat(number.len());
    let _ = writeln!(out, "  --> {}:{}:{}", place.file, place.line, place.column);
    let _ = writeln!(out, "   {pad}|\n {number} | {}", line(sources, span));
}

fn line(sources: &Sources, span: Span) -> String {
    let text = crate::diag::render::log_escaped(sources.source_line(span));
    let text = text.replace("\\t", "    ").replace("\\\\", "\\");
    match text.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

fn step(event: &Event, sources: &Sources, out: &mut String) {
    let indent = "  ".repeat(event.depth + 1);
    let _ = writeln!(out, "{indent}{} [{}]: {}", event.phase.apache_name(), event.module, event.verdict);
    for note in &event.notes {
        let _ = writeln!(out, "{indent}  {}{}", note.text, place(note, sources));
    }
}

fn place(note: &Note, sources: &Sources) -> String {
    match note.at {
        None => String::new(),
        Some(span) if span.is_builtin() => " (default)".to_owned(),
        Some(span) => {
            let place = sources.place(span);
            format!(" ({}:{}: {})", place.file, place.line, line(sources, span).trim())
        }
    }
}

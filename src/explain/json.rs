//! An explanation for programs: one object with the same content as the text.

use super::{Explanation, Reason, below::Fate};
use crate::{
    diag::{Sources, Span},
    engine::{Cgi, Event, LogEntry},
};
use bstr::{BString, ByteSlice};
use serde_json::{Map, Value, json};

/// The object. Paths and URLs that are not UTF-8 have replacement characters.
pub fn json(explanation: &Explanation) -> Value {
    let sources = &explanation.sources;
    let outcome = &explanation.outcome;
    let text = |bytes: &Option<BString>| bytes.as_ref().map(|bytes| bytes.to_str_lossy().into_owned());
    let reasons = |reasons: &[Reason]| -> Vec<Value> {
        reasons.iter().map(|reason| reason_of(&reason.text, reason.at, sources)).collect()
    };
    json!({
        "method": explanation.question.method,
        "target": explanation.question.target.to_str_lossy(),
        "host": explanation.question.host,
        "outcome": {
            "kind": outcome.kind.word(),
            "status": outcome.status.0,
            "file": text(&outcome.file),
            "content_type": text(&outcome.content_type),
            "handler": text(&outcome.handler),
            "location": text(&outcome.location),
            "error_document": text(&outcome.error_document),
        },
        "program": explanation.program.as_deref().map(program),
        "remedy": explanation.remedy.as_ref().map(|remedy| json!({
            "lines": remedy.lines,
            "outcome": remedy.outcome.kind.word(),
            "opens": remedy.opens.iter().map(|url| url.to_str_lossy()).collect::<Vec<_>>(),
            "count": remedy.count,
        })),
        "decided_by": reasons(&explanation.decided_by),
        "ignored": reasons(&explanation.ignored),
        "vhost": explanation.vhost.map(|span| place(span, sources)),
        "steps": explanation.steps.iter().map(|event| step(event, sources)).collect::<Vec<_>>(),
        "log": explanation.log.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn program(cgi: &Cgi) -> Value {
    let text = |bytes: &BString| bytes.to_str_lossy().into_owned();
    json!({
        "path": text(&cgi.program),
        "argv": cgi.argv.iter().map(text).collect::<Vec<_>>(),
        "cwd": text(&cgi.cwd),
        "env": cgi.env.iter().map(|(name, value)| (text(name), Value::from(text(value)))).collect::<Map<_, _>>(),
    })
}

fn reason_of(text: &str, at: Option<Span>, sources: &Sources) -> Value {
    json!({ "text": text, "at": at.map(|span| place(span, sources)) })
}

/// A place; `null` for what no directive said.
fn place(span: Span, sources: &Sources) -> Value {
    if span.is_builtin() {
        return Value::Null;
    }
    let place = sources.place(span);
    let source = sources.source_line(span).trim();
    json!({ "file": place.file, "line": place.line, "column": place.column, "source": source.to_str_lossy() })
}

fn step(event: &Event, sources: &Sources) -> Value {
    let notes = event.notes.iter().map(|note| reason_of(&note.text, note.at, sources));
    json!({
        "depth": event.depth,
        "phase": event.phase.apache_name(),
        "module": event.module,
        "verdict": event.verdict,
        "notes": notes.collect::<Vec<_>>(),
    })
}

fn entry(entry: &LogEntry) -> Value {
    json!({
        "level": entry.level,
        "module": entry.module,
        "number": entry.number,
        "text": entry.text.to_str_lossy(),
        "explanation": entry.explanation,
    })
}

/// What becomes of each file below a directory.
pub fn fates_json(fates: &[Fate]) -> Value {
    let text = |bytes: &BString| bytes.to_str_lossy().into_owned();
    let fate = |fate: &Fate| {
        json!({
            "url": text(&fate.url),
            "kind": fate.outcome.kind.word(),
            "status": fate.outcome.status.0,
            "file": fate.outcome.file.as_ref().map(text),
            "because": fate.because,
        })
    };
    fates.iter().map(fate).collect()
}

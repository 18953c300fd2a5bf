//! Findings in the forms that other programs read: SARIF 2.1.0 (OASIS) for code scanning, and the
//! workflow commands that GitHub shows beside the lines of a change.

use super::{Apache, Diagnostic, Edit, Severity, Sources, Span};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All findings as one SARIF log (sarif-v2.1.0, section 3.13).
pub fn sarif(findings: &[Diagnostic], sources: &Sources) -> Value {
    let ids: BTreeSet<&str> = findings.iter().map(|found| found.id).collect();
    let rules: Vec<Value> = ids.iter().map(|id| rule(id)).collect();
    let results: Vec<Value> = findings.iter().map(|found| result(found, sources)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rachis", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            } },
            // Columns here count bytes; the nearest of the two units that SARIF knows.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(id: &str) -> Value {
    match super::ids::find(id) {
        Some(row) => json!({
            "id": id,
            "shortDescription": { "text": row.title },
            "fullDescription": { "text": row.why },
            "help": { "text": row.mend },
        }),
        None => json!({ "id": id }),
    }
}

fn result(found: &Diagnostic, sources: &Sources) -> Value {
    let mut text = vec![found.headline.clone()];
    text.extend(found.notes.iter().cloned());
    text.extend(found.fix.iter().map(|fix| format!("To mend it: {}", fix.advice)));
    let known = |span: Span| (!span.is_builtin()).then(|| location(span, sources));
    let related = found.labels.iter().skip(1).filter_map(|label| {
        let mut place = known(label.span)?;
        place["message"] = json!({ "text": label.text });
        Some(place)
    });
    let mut value = json!({
        "ruleId": found.id,
        "level": level(found.severity),
        "message": { "text": text.join("\n") },
        "locations": found.span().and_then(known).into_iter().collect::<Vec<_>>(),
        "relatedLocations": related.collect::<Vec<_>>(),
    });
    if let Apache::Plain(text) | Apache::Program(text) = &found.apache {
        value["properties"] = json!({ "apache": text });
    }
    if let Some(fix) = found.fix.as_ref().filter(|fix| !fix.edits.is_empty()) {
        let changes: Vec<Value> = fix.edits.iter().map(|edit| change(edit, sources)).collect();
        value["fixes"] = json!([{ "description": { "text": fix.advice }, "artifactChanges": changes }]);
    }
    value
}

fn change(edit: &Edit, sources: &Sources) -> Value {
    json!({
        "artifactLocation": { "uri": uri(sources.name(edit.span.file)) },
        "replacements": [{
            "deletedRegion": region(edit.span, sources),
            "insertedContent": { "text": edit.text },
        }],
    })
}

fn location(span: Span, sources: &Sources) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(sources.name(span.file)) },
        "region": region(span, sources),
    } })
}

fn region(span: Span, sources: &Sources) -> Value {
    let start = sources.place(span);
    let end = sources.place(Span { start: span.end, ..span });
    json!({
        "startLine": start.line, "startColumn": start.column,
        "endLine": end.line, "endColumn": end.column,
        "byteOffset": span.start, "byteLength": span.end.saturating_sub(span.start),
    })
}

/// A path as a URI reference: whole ones get the scheme, and what a URI cannot hold is escaped.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// One workflow command, `::error file=…,line=…,col=…,title=…::…`, without an end of line.
pub fn github(found: &Diagnostic, sources: &Sources) -> String {
    let command = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(span) = found.span().filter(|span| !span.is_builtin()) {
        let (start, end) = (sources.place(span), sources.place(Span { start: span.end, ..span }));
        properties.push(format!("file={}", property(start.file)));
        properties.push(format!("line={}", start.line));
        properties.push(format!("col={}", start.column));
        if end.line == start.line {
            properties.push(format!("endColumn={}", end.column));
        }
    }
    properties.push(format!("title={}", property(&format!("{}: {}", found.id, found.headline))));
    let mut lines = vec![found.headline.clone()];
    lines.extend(found.notes.iter().cloned());
    lines.extend(found.fix.iter().map(|fix| format!("To mend it: {}", fix.advice)));
    format!("::{command} {}::{}", properties.join(","), data(&lines.join("\n")))
}

/// The text of a command: `%` and line ends are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command, where `:` and `,` have a meaning too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Sources, Diagnostic) {
        let mut sources = Sources::new();
        let file = sources.add("/etc/a b.conf", &b"one\ntwo 100%\n"[..]);
        let found = Diagnostic::error("RX0010", Span::new(file, 4, 7), "wrong: a, b")
            .with_note("because of 100%")
            .with_edit("write it", Span::new(file, 4, 7), "too");
        (sources, found)
    }

    #[test]
    fn a_workflow_command_is_escaped() {
        let (sources, found) = sample();
        assert_eq!(
            github(&found, &sources),
            "::error file=/etc/a b.conf,line=2,col=1,endColumn=4,title=RX0010%3A wrong%3A a%2C b::\
             wrong: a, b%0Abecause of 100%25%0ATo mend it: write it"
        );
    }

    #[test]
    fn sarif_has_rule_place_and_fix() {
        let (sources, found) = sample();
        let log = sarif(&[found], &sources);
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "RX0010");
        let result = &run["results"][0];
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "file:///etc/a%20b.conf");
        assert_eq!((&place["region"]["startLine"], &place["region"]["endColumn"]), (&2.into(), &4.into()));
        let replacement = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(replacement["insertedContent"]["text"], "too");
    }
}

//! What a page of an error says more where `TeachingErrors` wants it: which settings decided, and what
//! the error log got for this very request.

use super::{Content, Decision, Request, Step};
use crate::{
    diag::{Sources, Span, render},
    engine::{
        request::LogEntry,
        trace::{Event, Note, Trace},
    },
    http::escape,
    policy::{Policy, SaidExt, process::Teaching},
};
use bstr::{BString, ByteSlice};
use std::{fmt::Write, net::IpAddr};

/// Longest page that is added to.
const LONGEST: u64 = 1 << 20;

/// Columns of a directive that are shown.
const WIDTH: usize = 120;

/// Where the pages that teach begin to.
const HEAD: &str = "<hr>\n<section lang=\"en\">\n<h2>Why this answer?</h2>\n";

/// The record of a request's decision, if somebody wants to know.
pub fn trace(policy: &Policy) -> Trace {
    let header = policy.process.decision_header.value_or(false);
    let log = policy.process.teaching.value_or(Teaching::Off) != Teaching::Off;
    if header || log { Trace::on() } else { Trace::off() }
}

/// Whether pages for this client teach.
fn on_pages(teaching: Teaching, client: IpAddr) -> bool {
    match teaching {
        Teaching::Off | Teaching::Log => false,
        Teaching::On => client.to_canonical().is_loopback(),
        Teaching::All => true,
    }
}

impl Step<'_, '_> {
    /// Adds to a decision what is to be told of it.
    pub fn teach(&mut self, decision: &mut Decision) {
        let policy = &self.engine.policy;
        if !self.trace.is_on() {
            return;
        }
        if policy.process.decision_header.value_or(false) {
            let value = header(self.trace.events(), &self.worker.sources);
            decision.request.err_headers_out.set("Rachis-Decision", value);
        }
        let Decision { request, answer } = decision;
        self.explain_log(request);
        let super::Answer::Content(content) = answer else { return };
        let html = request.content_type.as_ref().is_some_and(|kind| kind.starts_with(b"text/html"));
        let teaching = policy.process.teaching.value_or(Teaching::Off);
        if !request.status.is_error() || !html || !on_pages(teaching, request.conn.client.ip()) {
            return;
        }
        let page = match content {
            Content::Bytes(bytes) => std::mem::take(bytes),
            Content::File { file, skip: 0, stat, .. } if stat.size <= LONGEST => {
                let mut bytes = vec![0; usize::try_from(stat.size).unwrap_or(0)];
                if self.engine.system.read_at(file, 0, &mut bytes).is_err() {
                    return;
                }
                bytes
            }
            Content::Empty | Content::File { .. } => return,
        };
        for name in ["ETag", "Last-Modified", "Accept-Ranges"] {
            request.headers_out.remove(name);
        }
        let more = self.section(request);
        let end = page.rfind(b"</main>").or(page.rfind(b"</body>")).unwrap_or(page.len());
        let whole = [&page[..end], more.as_bytes(), &page[end..]].concat();
        *content = Content::Bytes(whole);
    }

    /// Below the last line that the error log gets of a failure: what decided, if the line does not say it.
    fn explain_log(&self, request: &mut Request) {
        let Some(event) = ended(self.trace.events()).filter(|_| request.status.is_error()) else { return };
        let mut failed = Some(request);
        while let Some(request) = failed {
            if let Some(last) = request.log.last_mut() {
                let own = last.explanation.take();
                let placed = |note: &&Note| own.is_none() || note.at.is_some_and(|at| !at.is_builtin());
                let reasons = event.notes.iter().filter(placed);
                let reasons: Vec<String> = reasons.map(|note| reason(note, &self.worker.sources)).collect();
                let said: Vec<String> = own.into_iter().chain(reasons).collect();
                last.explanation = Some(said.join("\n")).filter(|said| !said.is_empty());
                return;
            }
            failed = request.prev.as_deref_mut();
        }
    }

    /// The part of the page that explains; all of it ASCII, whatever the page's charset is.
    fn section(&self, request: &Request) -> String {
        let (trace, sources) = (&self.trace, &self.worker.sources);
        let mut out = String::from(HEAD);
        let failed = request.prev.as_deref().unwrap_or(request);
        let deciding = deciding(trace.events());
        if let Some(event) = ended(trace.events()) {
            let said =
                format!("{}, said by {} ({}).", event.verdict, event.module, event.phase.apache_name());
            let _ = writeln!(out, "<p>{}</p>", text(said.as_bytes()));
        } else if let Some(event) = trace.events().iter().rfind(|event| event.verdict.starts_with("execute "))
        {
            let said = format!("{} said {}, and that failed.", event.module, event.verdict);
            let _ = writeln!(out, "<p>{}</p>", text(said.as_bytes()));
        }
        let notes = deciding.iter().flat_map(|event| &event.notes);
        let items = notes.map(|note| match note.at.filter(|at| !at.is_builtin()) {
            None => format!("<li>{}</li>\n", text(note.text.as_bytes())),
            Some(at) => {
                let directive = text(directive(sources, at).as_bytes());
                let place = sources.place(at);
                let place = text(format!("{}:{}", place.file, place.line).as_bytes());
                format!(
                    "<li>{}<br><code>{directive}</code> <small>{place}</small></li>\n",
                    text(note.text.as_bytes())
                )
            }
        });
        let items: String = items.collect();
        if !items.is_empty() {
            let _ = write!(out, "<ul>\n{items}</ul>\n");
        }
        let log: String = trace.entries().iter().chain(log_of(request)).map(entry).collect();
        if !log.is_empty() {
            let _ = write!(out, "<p>The error log has:</p>\n<pre>{log}</pre>\n");
        }
        let url = [failed.method_name.as_slice(), b" ", failed.target.as_slice()].concat();
        let _ = write!(
            out,
            "<p>More: <code>rachis explain {}</code></p>\n<p><small>This stands here as the configuration has \
             <code>TeachingErrors</code>.</small></p>\n</section>\n",
            text(&url)
        );
        out
    }
}

/// The steps that led to the answer: of the last URL, those with a reason in the configuration, and the last.
fn deciding(events: &[Event]) -> Vec<&Event> {
    let own: Vec<&Event> =
        events.iter().filter(|event| event.depth == 0 && !event.notes.is_empty()).collect();
    let Some(last) = own.iter().rposition(|event| is_failure(event)) else { return own };
    let begun = own[..last].iter().rposition(|event| event.phase > own[last].phase).map_or(0, |at| at + 1);
    own[begun..=last].to_vec()
}

/// The step that ended the request with an error.
fn ended(events: &[Event]) -> Option<&Event> {
    events.iter().rfind(|event| event.depth == 0 && is_failure(event))
}

fn is_failure(event: &Event) -> bool {
    event.verdict.starts_with(['4', '5'])
}

/// A reason with the directive that gave it, for the log.
fn reason(note: &Note, sources: &Sources) -> String {
    let said = render::log_escaped(note.text.as_bytes());
    match note.at.filter(|at| !at.is_builtin()) {
        None => said,
        Some(at) => {
            let place = sources.place(at);
            format!("{said} ({}:{}: {})", place.file, place.line, directive(sources, at))
        }
    }
}

/// Modules and lines that decided, for a header field.
fn header(events: &[Event], sources: &Sources) -> String {
    let mut parts = Vec::new();
    for event in events.iter().filter(|event| event.depth == 0) {
        let places = event.notes.iter().filter_map(|note| note.at).filter(|at| !at.is_builtin());
        let places: Vec<String> = places
            .map(|at| {
                let place = sources.place(at);
                format!("{}:{}", place.file, place.line)
            })
            .collect();
        let said = event.verdict.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b',');
        let verdict = if said { event.verdict.as_str() } else { "ok" };
        match places.is_empty() {
            true if verdict == "ok" || verdict == "declined" => {}
            true => parts.push(format!("{} {verdict}", event.module)),
            false => parts.push(format!("{} {verdict} ({})", event.module, places.join(" "))),
        }
    }
    let mut value = parts.join(", ");
    value.retain(|c| c.is_ascii() && !c.is_ascii_control());
    value
}

/// The directive at a place, as it is written; the beginning of a long one.
fn directive(sources: &Sources, at: Span) -> String {
    let line = render::log_escaped(sources.source_line(at));
    let line = line.trim();
    match line.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line.to_owned(),
    }
}

/// The entries of a request and of those that it took the place of, the earliest first.
fn log_of(request: &Request) -> impl Iterator<Item = &LogEntry> {
    let mut chain: Vec<&Request> =
        std::iter::successors(Some(request), |request| request.prev.as_deref()).collect();
    chain.reverse();
    chain.into_iter().flat_map(|request| &request.log)
}

fn entry(entry: &LogEntry) -> String {
    let number = if entry.number.is_empty() { String::new() } else { format!("{}: ", entry.number) };
    let mut said = BString::from(format!("[{}] {number}", entry.module));
    said.extend_from_slice(&entry.text);
    said.push(b'\n');
    for line in entry.explanation.iter().flat_map(|text| text.lines()) {
        said.extend_from_slice(b"    ");
        said.extend_from_slice(line.as_bytes());
        said.push(b'\n');
    }
    text(&said)
}

/// HTML text of ASCII alone.
fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for c in escape::html(bytes).to_str_lossy().chars() {
        match c {
            '\n' | ' '..='~' => out.push(c),
            '\t' => out.push(' '),
            c if c.is_control() => out.push('?'),
            c => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_teach_on_this_machine_alone_unless_said_otherwise() {
        let teaches = |said, client: &str| on_pages(said, client.parse().unwrap());
        for local in ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"] {
            assert!(teaches(Teaching::On, local) && teaches(Teaching::All, local), "{local}");
            assert!(!teaches(Teaching::Log, local) && !teaches(Teaching::Off, local), "{local}");
        }
        for other in ["192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1", "0.0.0.0"] {
            assert!(!teaches(Teaching::On, other) && teaches(Teaching::All, other), "{other}");
        }
    }

    #[test]
    fn text_is_ascii_and_no_markup() {
        assert_eq!(text("a<b>&\"é\u{1}\t".as_bytes()), "a&lt;b&gt;&amp;&quot;&#233;? ");
    }
}

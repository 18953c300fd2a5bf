//! Diagnostics as text: [`full`] for people, [`concise`] for editors, [`json`] for programs.
//!
//! Sources are bytes of any kind and lines of any length; what cannot be shown is replaced, and
//! nothing here fails.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Patch, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Apache, Diagnostic, Edit, Fix, Label, Severity, Sources, Span};

/// Lines further apart than this are shown as separate pieces.
const NEAR: usize = 100;
/// Bytes shown of a line behind the last place that matters in it.
const TAIL: usize = 160;
/// Bytes of a line before the first place that matters, beyond which its head is cut off.
const HEAD: usize = 2000;

/// A diagnostic with its lines, as rustc shows errors. Ends with a line feed.
pub fn full(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let pieces = pieces(&diagnostic.labels, sources);
    let notes: Vec<String> = notes(diagnostic);
    let title = level(diagnostic.severity).primary_title(printable(&diagnostic.headline)).id(diagnostic.id);
    let snippets = pieces.iter().map(|piece| Element::from(piece.snippet()));
    let mut first = Group::with_title(title).elements(snippets);
    first = first.elements(notes.iter().map(|note| Level::NOTE.message(note.as_str())));
    let fixes = diagnostic.fix.as_ref().map(|fix| fix_pieces(fix, sources)).unwrap_or_default();
    let mut groups = Vec::new();
    match &diagnostic.fix {
        Some(fix) if !fixes.is_empty() => {
            groups.push(first);
            let help = Group::with_title(Level::HELP.secondary_title(printable(&fix.advice)));
            groups.push(help.elements(fixes.iter().map(|(excerpt, patches)| excerpt.patched(patches))));
        }
        Some(fix) => groups.push(first.element(Level::HELP.message(printable(&fix.advice)))),
        None => groups.push(first),
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&groups);
    text.push('\n');
    text
}

/// One line: `file:line:column: error[RX0001]: headline`, without an end of line.
pub fn concise(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = severity_name(diagnostic.severity);
    let what = format!("{severity}[{}]: {}", diagnostic.id, printable(&diagnostic.headline));
    match diagnostic.span().filter(|span| !span.is_builtin()) {
        Some(span) => {
            let place = sources.place(span);
            format!("{}:{}:{}: {what}", place.file, place.line, place.column)
        }
        None => what,
    }
}

/// An object with all that the diagnostic holds; places as file, line, column, and byte offsets.
pub fn json(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let (kind, text) = match &diagnostic.apache {
        Apache::Program(text) => ("program", Some(text)),
        Apache::Plain(text) => ("plain", Some(text)),
        Apache::Silent => ("silent", None),
    };
    let labels: Vec<Value> =
        diagnostic.labels.iter().map(|l| with_text(place(l.span, sources), &l.text)).collect();
    let fix = diagnostic.fix.as_ref().map(|fix| {
        let edits = fix.edits.iter().map(|edit| with_text(place(edit.span, sources), &edit.text));
        json!({ "advice": fix.advice, "edits": edits.collect::<Vec<_>>() })
    });
    json!({
        "id": diagnostic.id,
        "severity": severity_name(diagnostic.severity),
        "headline": diagnostic.headline,
        "apache": { "kind": kind, "text": text },
        "labels": labels,
        "notes": diagnostic.notes,
        "fix": fix,
    })
}

/// Bytes as Apache's log and terminal messages print them: control characters, backslashes and
/// bytes that are not ASCII are escaped, so that a BOM shows as `\xef\xbb\xbf`.
pub fn log_escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x08 => text.push_str("\\b"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x0b => text.push_str("\\v"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn notes(diagnostic: &Diagnostic) -> Vec<String> {
    let mut notes: Vec<String> = diagnostic.notes.iter().map(|note| printable(note)).collect();
    match &diagnostic.apache {
        Apache::Program(text) | Apache::Plain(text) => notes.push(format!("apache: {}", printable(text))),
        Apache::Silent => {}
    }
    notes
}

fn place(span: Span, sources: &Sources) -> Value {
    let start = sources.place(span);
    let end = sources.place(Span { start: span.end, ..span });
    json!({
        "file": start.file, "line": start.line, "column": start.column,
        "end_line": end.line, "end_column": end.column, "start": span.start, "end": span.end,
    })
}

fn with_text(mut place: Value, text: &str) -> Value {
    if let Some(object) = place.as_object_mut() {
        object.insert("text".to_owned(), text.into());
    }
    place
}

/// A stretch of a source as text that can be shown, and where its bytes have gone.
struct Excerpt<'a> {
    path: &'a str,
    first_line: usize,
    text: String,
    /// Byte of the source, byte of the text, ascending; one pair for each change of distance.
    map: Vec<(usize, usize)>,
}

impl<'a> Excerpt<'a> {
    /// Shows the lines of `range`, long ones around `points` only.
    fn new(span: Span, range: Range<usize>, points: &[Range<usize>], sources: &'a Sources) -> Self {
        let start = Span { start: to_u32(range.start), end: to_u32(range.start), ..span };
        let place = sources.place(start);
        let mut excerpt = Excerpt {
            path: place.file,
            first_line: place.line as usize,
            text: String::new(),
            map: Vec::new(),
        };
        let mut at = range.start;
        let bytes = sources.text(span.file).get(range).unwrap_or_default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let shown = window(at..at + line.len(), points);
            let ended = line.ends_with(b"\n");
            let content = line.strip_suffix(b"\n").unwrap_or(line);
            let from = (shown.start - at).min(content.len());
            let to = (shown.end - at).clamp(from, content.len());
            if from > 0 {
                excerpt.text.push('\u{2026}');
            }
            excerpt.push(&content[from..to], at + from);
            excerpt.map.push((at + content.len(), excerpt.text.len()));
            if to < content.len() {
                excerpt.text.push('\u{2026}');
            }
            if ended {
                excerpt.text.push('\n');
            }
            at += line.len();
        }
        excerpt.map.push((at, excerpt.text.len()));
        excerpt
    }

    fn push(&mut self, bytes: &[u8], mut at: usize) {
        for chunk in bytes.utf8_chunks() {
            for char in chunk.valid().chars() {
                self.map.push((at, self.text.len()));
                self.text.push(shown(char));
                at += char.len_utf8();
            }
            for _ in chunk.invalid() {
                self.map.push((at, self.text.len()));
                self.text.push('\u{fffd}');
                at += 1;
            }
        }
    }

    /// Where a byte of the source stands in the text.
    fn position(&self, at: usize) -> usize {
        let index = self.map.partition_point(|(source, _)| *source < at);
        self.map.get(index).map_or(self.text.len(), |(_, text)| *text)
    }

    fn range(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.position(span.start);
        start..self.position(span.end).max(start)
    }

    fn patched<'e>(&'e self, edits: &'e [(Range<usize>, String)]) -> Element<'e> {
        let patches = edits.iter().map(|(range, text)| Patch::new(self.range(range), text.as_str()));
        let snippet = Snippet::source(self.text.as_str()).line_start(self.first_line).path(self.path);
        snippet.patches(patches).into()
    }
}

/// Bytes of the source with what shall stand there.
type Replacements = Vec<(Range<usize>, String)>;

/// An excerpt with what is said about it.
struct Piece<'a> {
    excerpt: Excerpt<'a>,
    labels: Vec<(Range<usize>, String, bool)>,
}

impl Piece<'_> {
    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let annotations = self.labels.iter().map(|(range, text, primary)| {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(self.excerpt.range(range));
            if text.is_empty() { annotation } else { annotation.label(text.as_str()) }
        });
        let snippet = Snippet::source(self.excerpt.text.as_str()).line_start(self.excerpt.first_line);
        snippet.path(self.excerpt.path).annotations(annotations)
    }
}

/// Labels gathered by file and nearness; the piece with the first label comes first.
fn pieces<'a>(labels: &[Label], sources: &'a Sources) -> Vec<Piece<'a>> {
    let known = labels.iter().enumerate().filter(|(_, label)| known(label.span, sources));
    let mut sorted: Vec<(usize, &Label)> = known.collect();
    sorted.sort_by_key(|(_, label)| (label.span.file, label.span.start));
    let mut groups: Vec<Vec<(usize, &Label)>> = Vec::new();
    for (index, label) in sorted {
        let near = groups.last().and_then(|group| group.last()).is_some_and(|(_, last)| {
            let distance = sources.line(label.span).saturating_sub(sources.line(last.span));
            last.span.file == label.span.file && distance as usize <= NEAR
        });
        match groups.last_mut().filter(|_| near) {
            Some(group) => group.push((index, label)),
            None => groups.push(vec![(index, label)]),
        }
    }
    groups.sort_by_key(|group| group.iter().map(|(index, _)| *index).min());
    groups.into_iter().filter_map(|group| piece(&group, sources)).collect()
}

fn piece<'a>(group: &[(usize, &Label)], sources: &'a Sources) -> Option<Piece<'a>> {
    let span = group.first()?.1.span;
    let spans: Vec<Range<usize>> = group.iter().map(|(_, label)| clamped(label.span, sources)).collect();
    let excerpt = Excerpt::new(span, lines_of(span, &spans, sources), &spans, sources);
    let labels = group.iter().zip(spans);
    let labels = labels.map(|((index, label), span)| (span, printable(&label.text), *index == 0));
    Some(Piece { excerpt, labels: labels.collect() })
}

/// The fix as excerpts with their edits; none when the edits cannot be shown.
fn fix_pieces<'a>(fix: &Fix, sources: &'a Sources) -> Vec<(Excerpt<'a>, Replacements)> {
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.file, edit.span.start, edit.span.end));
    let clash =
        edits.windows(2).any(|w| w[0].span.file == w[1].span.file && w[1].span.start <= w[0].span.end);
    if clash || !edits.iter().all(|edit| known(edit.span, sources)) {
        return Vec::new();
    }
    let shown = |edit: &&Edit| {
        let range = clamped(edit.span, sources);
        let lines = lines_of(edit.span, std::slice::from_ref(&range), sources);
        let excerpt = Excerpt::new(edit.span, lines, std::slice::from_ref(&range), sources);
        (excerpt, vec![(range, printable_lines(&edit.text))])
    };
    edits.iter().map(shown).collect()
}

/// The whole lines that hold all of the spans, which lie in the file of `span`.
fn lines_of(span: Span, spans: &[Range<usize>], sources: &Sources) -> Range<usize> {
    let ranges = spans
        .iter()
        .map(|range| sources.line_range(Span { start: to_u32(range.start), end: to_u32(range.end), ..span }));
    ranges.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
}

fn known(span: Span, sources: &Sources) -> bool {
    (span.file.0 as usize) < sources.len()
}

fn clamped(span: Span, sources: &Sources) -> Range<usize> {
    let end = (span.end as usize).min(sources.text(span.file).len());
    (span.start as usize).min(end)..end
}

fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The part of a line that is shown: all of it unless it is long.
fn window(line: Range<usize>, points: &[Range<usize>]) -> Range<usize> {
    let inside = |at: usize| line.contains(&at) || at == line.end;
    let first = points.iter().flat_map(|p| [p.start, p.end]).filter(|at| inside(*at)).min();
    let last = points.iter().map(|p| p.end.min(line.end)).filter(|at| inside(*at)).max();
    let first = first.unwrap_or(line.start);
    let start = if first - line.start > HEAD { first - TAIL } else { line.start };
    let end = last.unwrap_or(line.start).min(first + HEAD).saturating_add(TAIL).min(line.end);
    start..end.max(start)
}

/// A character as it is shown: those that are invisible or move the cursor are replaced.
fn shown(char: char) -> char {
    match char {
        '\t' => char,
        '\u{7f}' => '\u{2421}',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + char as u32).unwrap_or('\u{fffd}'),
        '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => '\u{fffd}',
        '\u{2060}'..='\u{206f}' | '\u{feff}' => '\u{fffd}',
        _ => char,
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|char| if char == '\n' { ' ' } else { shown(char) }).collect()
}

fn printable_lines(text: &str) -> String {
    text.chars().map(|char| if char == '\n' { char } else { shown(char) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diag::FileId;

    fn sample(text: &[u8]) -> (Sources, FileId) {
        let mut sources = Sources::new();
        let file = sources.add("httpd.conf", text);
        (sources, file)
    }

    #[track_caller]
    fn check(text: &[u8], span: (u32, u32), expected: &[&str]) {
        let (sources, file) = sample(text);
        let span = Span::new(file, span.0, span.1);
        let found = full(&Diagnostic::error("RX0001", span, "wrong").with_label("here"), &sources, false);
        let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_line_and_the_label_are_shown() {
        let expected =
            ["error[RX0001]: wrong", " --> httpd.conf:2:1", "  |", "2 | Options All", "  | ^^^^^^^ here"];
        check(b"# x\nOptions All\n", (4, 11), &expected);
    }

    #[test]
    fn bytes_that_cannot_be_shown_are_replaced() {
        let expected =
            ["error[RX0001]: wrong", " --> httpd.conf:1:3", "  |", "1 | a\u{fffd}b\u{2401}c", "  |   ^ here"];
        check(b"a\xffb\x01c\n", (2, 3), &expected);
    }

    #[test]
    fn apache_s_words_and_the_edit_are_shown() {
        let (sources, file) = sample(b"<Directory />\nOptions All\n");
        let end = Span::new(file, 26, 26);
        let diagnostic = Diagnostic::error("RX0010", Span::new(file, 0, 13), "<Directory> is not closed")
            .with_note("so it is")
            .with_apache(Apache::Program("Syntax error on line 1".to_owned()))
            .with_edit("add </Directory>", end, "</Directory>\n");
        let text = full(&diagnostic, &sources, false);
        for part in ["= note: so it is", "= note: apache: Syntax error on line 1", "help: add </Directory>"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.contains("+ </Directory>"), "{text}");
    }

    #[test]
    fn concise_is_one_line() {
        let (sources, file) = sample(b"a\n  b\n");
        let diagnostic = Diagnostic::warning("RX0002", Span::new(file, 4, 5), "odd");
        assert_eq!(concise(&diagnostic, &sources), "httpd.conf:2:3: warning[RX0002]: odd");
        let builtin = Diagnostic::error("RX0040", Span::BUILTIN, "gone");
        assert_eq!(concise(&builtin, &sources), "error[RX0040]: gone");
    }

    #[test]
    fn json_has_places() {
        let (sources, file) = sample(b"a\n  b\n");
        let diagnostic = Diagnostic::warning("RX0002", Span::new(file, 4, 5), "odd");
        let value = json(&diagnostic, &sources);
        assert_eq!(value["labels"][0]["line"], 2);
        assert_eq!(value["labels"][0]["end_column"], 4);
        assert_eq!(value["apache"]["kind"], "silent");
    }

    #[test]
    fn long_lines_are_cut_around_the_label() {
        let text = [b"x".repeat(1_000_000), b"HERE".to_vec(), b"y".repeat(1_000_000)].concat();
        let (sources, file) = sample(&text);
        let span = Span::new(file, 1_000_000, 1_000_004);
        let found = full(&Diagnostic::error("RX0001", span, "wrong"), &sources, false);
        assert!(found.len() < 5000 && found.contains("HERE"));
    }

    #[test]
    fn escapes_are_apache_s() {
        assert_eq!(log_escaped(b"\xef\xbb\xbfT\\x\"\x7f\n"), "\\xef\\xbb\\xbfT\\\\x\"\\x7f\\n");
    }

    proptest! {
        #[test]
        fn nothing_panics(
            text in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..120),
                "[a\u{e9}\u{4e2d}\t\r\n \\\\<>]{0,80}".prop_map(String::into_bytes),
            ],
            spans in prop::collection::vec((0u32..140, 0u32..140, 0u32..3), 1..5),
            edits in prop::collection::vec((0u32..140, 0u32..140, "[ab\n\t]{0,6}"), 0..3),
            words in "\\PC{0,10}",
            color: bool,
        ) {
            let (mut sources, file) = sample(&text);
            sources.add("other", &b"one\ntwo"[..]);
            let mut diagnostic = Diagnostic::error("RX0001", Span::new(file, spans[0].0, spans[0].1), "wrong");
            for (start, end, file) in &spans[1..] {
                diagnostic = diagnostic.with_context(Span::new(FileId(*file), *start, *end), words.clone());
            }
            let edits = edits.into_iter().map(|(a, b, text)| Edit { span: Span::new(file, a, b), text });
            diagnostic.fix = Some(Fix { advice: words.clone(), edits: edits.collect() });
            full(&diagnostic, &sources, color);
            concise(&diagnostic, &sources);
            json(&diagnostic, &sources);
        }
    }
}

//! `check --fix`: the edits of the findings, as a unified diff or in the files themselves.

use super::Found;
use crate::{
    cli::report,
    diag::{Diagnostic, Edit, FileId},
};
use std::{collections::BTreeMap, fs, io, path::Path, process::ExitCode};

/// Findings whose edit is a guess at what is meant, or opens something up; those are for a person
/// to take.
const GUESSES: [&str; 5] = ["RX0201", "RX0711", "RX0712", "RX0714", "RX0716"];

/// Prints the diff, or writes the files.
pub(super) fn run(found: &Found, write: bool) -> ExitCode {
    let mut failed = false;
    for (file, edits) in safe(&found.findings) {
        let (name, old) = (found.sources.name(file), found.sources.text(file));
        let new = applied(old, &edits);
        match write {
            false => {
                report::print(&diff(name, old, &new));
            }
            true => match replace(Path::new(name), old, &new) {
                Ok(()) => {
                    let plural = if edits.len() == 1 { "" } else { "s" };
                    report::print(&format!("{name}: {} edit{plural}\n", edits.len()));
                }
                Err(error) => {
                    failed = true;
                    report::say(&format!("rachis check: {name}: {error}\n"));
                }
            },
        }
    }
    ExitCode::from(u8::from(failed))
}

/// The edits by file, in order; a finding whose edits touch those of another waits for the next run.
fn safe(findings: &[Diagnostic]) -> BTreeMap<FileId, Vec<&Edit>> {
    let mut all: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for found in findings {
        let replaced = found.fix.as_ref().is_some_and(|fix| fix.advice.contains("`Mutex default`"));
        let Some(fix) = found.fix.as_ref().filter(|_| replaced || !GUESSES.contains(&found.id)) else {
            continue;
        };
        let overlaps = |a: &Edit, b: &Edit| {
            let (a, b) = (a.span, b.span);
            a.file == b.file && (a == b || (a.start < b.end && b.start < a.end))
        };
        let clash = fix.edits.iter().any(|edit| {
            all.get(&edit.span.file).is_some_and(|known| known.iter().any(|other| overlaps(edit, other)))
        });
        if !clash {
            fix.edits.iter().for_each(|edit| all.entry(edit.span.file).or_default().push(edit));
        }
    }
    all.values_mut().for_each(|edits| edits.sort_by_key(|edit| (edit.span.start, edit.span.end)));
    all
}

fn applied(old: &[u8], edits: &[&Edit]) -> Vec<u8> {
    let mut new = Vec::with_capacity(old.len());
    let mut at = 0;
    for edit in edits {
        let mut start = (edit.span.start as usize).clamp(at, old.len());
        let mut end = (edit.span.end as usize).clamp(start, old.len());
        // A line of which nothing is left goes as a whole.
        let blanks = old[at..start].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line = start - blanks;
        let alone = line == 0 || old[line - 1] == b'\n';
        if edit.text.is_empty() && end > start && alone && old.get(end) == Some(&b'\n') {
            (start, end) = (line, end + 1);
        }
        new.extend_from_slice(&old[at..start]);
        new.extend_from_slice(edit.text.as_bytes());
        at = end;
    }
    new.extend_from_slice(&old[at..]);
    new
}

/// Writes beside the file and renames over it, its mode kept; not if it changed since it was read.
fn replace(path: &Path, old: &[u8], new: &[u8]) -> io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path)?;
    if fs::read(&path)? != old {
        return Err(io::Error::other("it changed while it was checked"));
    }
    let metadata = fs::metadata(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&beside, new)
        .and_then(|()| fs::set_permissions(&beside, metadata.permissions()))
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A unified diff (POSIX, diff -u) of one stretch from the first line that differs to the last.
fn diff(name: &str, old: &[u8], new: &[u8]) -> String {
    let lines = |text: &[u8]| -> Vec<String> {
        text.split_inclusive(|byte| *byte == b'\n')
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    };
    let (old, new) = (lines(old), lines(new));
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let start = same.saturating_sub(CONTEXT);
    let after = tail.min(CONTEXT);
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut text = format!(
        "--- {name}\n+++ {name}\n@@ -{},{} +{},{} @@\n",
        start + 1,
        old_end + after - start,
        start + 1,
        new_end + after - start
    );
    let mut push = |mark: char, lines: &[String]| {
        for line in lines {
            text.push(mark);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    };
    push(' ', &old[start..same]);
    push('-', &old[same..old_end]);
    push('+', &new[same..new_end]);
    push(' ', &old[old_end..old_end + after]);
    text
}

//! `Include` and `IncludeOptional`: files, directories, and wildcards in any component.

use std::{io, path::Path};

use bstr::{BString, ByteSlice};

use super::{Origin, Reader};
use crate::{
    diag::{Diagnostic, Span},
    syntax::{
        Node,
        line::{Lines, MAIN_LIMIT},
    },
    system::{Entry, Kind, path},
};

/// How deep files may include one another.
const MAX_INCLUDE_DEPTH: u32 = 128;
/// How deep an included directory is searched.
const MAX_DIRECTORY_DEPTH: u32 = 128;
/// Files of more bytes are not configurations.
const MAX_FILE: u64 = 1 << 31;

/// One Include directive at work.
#[derive(Clone, Copy)]
struct Job<'n> {
    node: &'n Node,
    /// The argument, for messages.
    at: Span,
    /// Whether it may fail to find something.
    optional: bool,
}

impl Reader<'_> {
    /// The main configuration file.
    pub(super) fn main_file(&mut self, name: &[u8]) -> Vec<crate::syntax::Node> {
        match self.file_text(name) {
            Ok(text) => {
                let file = self.sources.add(name.to_str_lossy(), text);
                self.main_text(file)
            }
            Err(error) => {
                let name = name.as_bstr();
                let text = format!("Could not open configuration file {name}: {}", strerror(&error));
                let apache = self.apache(&text);
                let headline = format!("the configuration file {name} cannot be read");
                let diagnostic = Diagnostic::error("RX0040", Span::BUILTIN, headline).with_apache(apache);
                self.out.diagnostics.push(diagnostic.with_note(strerror(&error)));
                Vec::new()
            }
        }
    }

    /// `Include` and `IncludeOptional`.
    pub(super) fn include(&mut self, node: &Node, optional: bool) {
        let Some([word]) = self.take(node, "one argument") else { return };
        let job = Job { node, at: word.span, optional };
        if self.include_depth >= MAX_INCLUDE_DEPTH {
            return self.include_recursion(job);
        }
        let root = self.state.server_root.clone();
        let Some(target) = self.canonical(&root, &word.text) else {
            let text = format!("Invalid Include path {}", word.text);
            return self.include_error(job, "RX0045", "the path cannot be resolved", &text);
        };
        self.state.include_line = Some(node.line);
        self.include_depth += 1;
        if has_wildcard(&target) {
            self.include_wildcard(job, b"/", target.trim_start_with(|c| c == '/'));
        } else {
            self.include_path(job, &target, 0);
        }
        self.include_depth -= 1;
    }

    fn include_recursion(&mut self, job: Job<'_>) {
        self.aborted = true;
        let text = format!(
            "Exceeded maximum include depth of {MAX_INCLUDE_DEPTH}, There appears to be a recursion."
        );
        self.blame(job.node);
        let apache = self.apache(&text);
        let mut diagnostic = Diagnostic::error("RX0041", job.at, "files include one another without end")
            .with_apache(apache)
            .with_note(format!("Apache stops at {MAX_INCLUDE_DEPTH} files inside one another"));
        let mut around: Vec<Span> =
            self.out.includes.iter().rev().map(|include| include.at).filter(|at| !at.is_builtin()).collect();
        around.dedup();
        for at in around.into_iter().filter(|at| *at != job.node.span).take(3) {
            diagnostic = diagnostic.with_context(at, "reached from here");
        }
        self.out.diagnostics.push(diagnostic);
    }

    /// A path without wildcards: a file, or a directory with all files below it.
    fn include_path(&mut self, job: Job<'_>, target: &[u8], depth: u32) {
        let is_dir = self.system.stat(path(target)).is_ok_and(|stat| stat.is_dir());
        self.include_known(job, target, is_dir, depth);
    }

    /// The same, of what is known to be a directory or not to be one.
    fn include_known(&mut self, job: Job<'_>, target: &[u8], is_dir: bool, depth: u32) {
        if !is_dir {
            return self.include_file(job, target);
        }
        if depth > MAX_DIRECTORY_DEPTH {
            let text = format!(
                "Include/IncludeOptional: Directory '{}' exceeds the maximum include directory nesting level of {MAX_DIRECTORY_DEPTH}. You have probably a recursion somewhere.",
                target.as_bstr()
            );
            return self.include_error(job, "RX0042", "the directory is nested too deeply", &text);
        }
        let entries = match self.system.read_dir(path(target)) {
            Ok(entries) => entries,
            Err(error) => return self.no_directory(job, target, &error),
        };
        for entry in entries {
            self.include_known(job, &joined(target, &entry.name), entry.is_dir, depth + 1);
            if self.aborted {
                break;
            }
        }
    }

    fn include_file(&mut self, job: Job<'_>, target: &[u8]) {
        let text = match self.file_text(target) {
            Ok(text) => text,
            Err(error) if job.optional && is_missing(&error) => return,
            Err(error) => {
                let name = target.as_bstr();
                let headline = format!("the included file {name} cannot be read");
                let text = format!("Could not open configuration file {name}: {}", strerror(&error));
                return self.include_error(job, "RX0043", &headline, &text);
            }
        };
        let known = self.seen.get(target).copied().filter(|file| self.sources.text(*file) == text.as_slice());
        let file = known.unwrap_or_else(|| self.sources.add(target.to_str_lossy(), text));
        self.seen.insert(target.to_vec(), file);
        self.note_file(file, job.node.span);
        let lines = Lines::of_file(self.sources.shared(file), file, MAIN_LIMIT);
        let nodes = self.unit(Origin::File, file, lines);
        for node in nodes {
            self.block().push(node);
        }
    }

    /// Components up to the first with a wildcard are taken as they are; each directory or file that
    /// matches the wildcard is followed.
    fn include_wildcard(&mut self, job: Job<'_>, dir: &[u8], pattern: &[u8]) {
        let (first, rest) = pattern.split_once_str("/").unwrap_or((pattern, b""));
        if !has_wildcard(pattern) {
            return self.include_path(job, &joined(dir, pattern), 0);
        }
        if !has_wildcard(first) {
            return self.include_wildcard(job, &joined(dir, first), rest);
        }
        let entries = match self.system.stat(path(dir)).and_then(|_| self.system.read_dir(path(dir))) {
            Ok(entries) => entries,
            Err(error) => return self.no_directory(job, dir, &error),
        };
        let whole = !pattern.contains(&b'/');
        let found = entries.into_iter().filter(|e| (whole || e.is_dir) && fnmatch(first, &e.name));
        let found: Vec<Entry> = found.collect();
        if found.is_empty() && !job.optional {
            let text = format!(
                "Include/IncludeOptional: No matches for the wildcard '{}' in '{}', failing",
                first.as_bstr(),
                dir.as_bstr()
            );
            return self.include_error(job, "RX0044", "the wildcard matches nothing", &text);
        }
        for entry in found {
            let target = joined(dir, &entry.name);
            match whole {
                true => self.include_known(job, &target, entry.is_dir, 0),
                false => self.include_wildcard(job, &target, rest),
            }
            if self.aborted {
                break;
            }
        }
    }

    fn no_directory(&mut self, job: Job<'_>, dir: &[u8], error: &io::Error) {
        if job.optional && is_missing(error) {
            return;
        }
        let dir = dir.as_bstr();
        let headline = format!("the directory {dir} cannot be read");
        let text = format!("Include/IncludeOptional: Could not open directory {dir}: {}", strerror(error));
        self.include_error(job, "RX0046", &headline, &text);
    }

    fn include_error(&mut self, job: Job<'_>, id: &'static str, headline: &str, text: &str) {
        let mut diagnostic = Diagnostic::error(id, job.at, headline);
        let root = &self.state.server_root;
        let relative = job.node.words().next().is_some_and(|word| !word.text.starts_with(b"/"));
        if relative {
            diagnostic = diagnostic.with_note(format!("relative paths start at ServerRoot, here {root}"));
        }
        if !job.optional {
            let advice = "write IncludeOptional if the file may be missing";
            diagnostic = diagnostic.with_edit(advice, job.node.name_span, "IncludeOptional");
        }
        self.error_at(job.node, diagnostic, text);
    }

    /// The bytes of a file; only regular files and /dev/null are configurations.
    fn file_text(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        let target = path(name);
        let stat = self.system.stat(target)?;
        match stat.kind {
            Kind::File => self.system.read(target, MAX_FILE),
            _ if target == Path::new("/dev/null") => Ok(Vec::new()),
            _ => Err(io::Error::from_raw_os_error(EBADF)),
        }
    }

    /// A path made absolute with `root`, its `.`, `..` and empty components resolved by name alone.
    /// Nothing when it climbs above the root directory.
    pub(super) fn canonical(&self, root: &[u8], name: &[u8]) -> Option<BString> {
        let whole = if name.starts_with(b"/") { name.to_vec() } else { joined(root, name) };
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in whole.split_str("/") {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop()?;
                }
                _ => parts.push(part),
            }
        }
        let slash: &[u8] =
            if whole.len() > 1 && whole.ends_with(b"/") && !parts.is_empty() { b"/" } else { b"" };
        let absolute: &[u8] = if whole.starts_with(b"/") { b"/" } else { b"" };
        Some([absolute, &parts.join(&b"/"[..]), slash].concat().into())
    }
}

/// What open(2) says of a thing that is not a regular file, in Apache's opinion.
const EBADF: i32 = 9;

fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    match dir {
        b"" => name.to_vec(),
        _ if dir.ends_with(b"/") => [dir, name].concat(),
        _ => [dir, b"/", name].concat(),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// An error in the words of strerror(3).
fn strerror(error: &io::Error) -> String {
    if let Some(code) = error.raw_os_error() {
        let text = error.to_string();
        return text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text).to_owned();
    }
    match error.kind() {
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "Not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether a path holds `*`, `?` or a bracket expression.
fn has_wildcard(pattern: &[u8]) -> bool {
    let mut nesting = false;
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' | b'?' => return true,
            b'\\' => {
                bytes.next();
            }
            b'[' => nesting = true,
            b']' if nesting => return true,
            _ => {}
        }
    }
    false
}

/// Whether a name matches a wildcard; a leading dot is matched by a dot only.
fn fnmatch(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(length) = matches_one(pattern.get(p..).unwrap_or_default(), name[n]) {
            p += length;
            n += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Length of the pattern's first element if it matches the byte.
fn matches_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => bracket(rest, byte).map(|length| length + 1),
        [first, ..] => (*first == byte).then_some(1),
        [] => None,
    }
}

/// Length of a bracket expression, behind its `[`, if it matches the byte.
fn bracket(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let mut found = false;
    let first = at;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return (found != negated).then_some(at + 1);
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                found |= (low..=*high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(fnmatch(pattern.as_bytes(), name.as_bytes()), expected);
    }

    #[test]
    fn wildcards_match_as_fnmatch_does() {
        check("*.conf", "a.conf", true);
        check("*.conf", ".conf", false);
        check("[xy]?", "x1", true);
        check("[xy]?", "x", false);
        check("[!xy]*", "x1", false);
        check("[a-c]*z", "bzz", true);
        check("a\\*", "a*", true);
        check("[a", "a", false);
    }
}

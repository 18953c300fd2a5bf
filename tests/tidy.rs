//! Laws of the house, tested: who may import whom, where the file system and `unsafe` may be
//! named, and how long a file may grow.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest file, in lines.
const LONGEST: usize = 600;

/// Each room with the rooms it may name. `cli` and the tests may name all.
const ROOMS: &[(&str, &[&str])] = &[
    ("system", &[]),
    ("diag", &[]),
    ("http", &[]),
    ("syntax", &["diag", "system"]),
    ("policy", &["syntax", "diag", "system"]),
    ("engine", &["policy", "http", "diag", "system"]),
    ("modules", &["engine", "policy", "http", "diag", "system", "syntax"]),
    ("server", &["engine", "policy", "http", "system", "diag"]),
    ("explain", &["engine", "policy", "syntax", "http", "diag", "system"]),
];

/// A source file with its text, tests cut off.
struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(below: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(below), &mut found);
    assert!(!found.is_empty(), "no sources below {below}");
    found
}

fn collect(path: &Path, found: &mut Vec<Source>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a readable folder");
        entries.for_each(|entry| collect(&entry.expect("a readable entry").path(), found));
    } else if path.extension().is_some_and(|end| end == "rs") {
        let text = fs::read_to_string(path).expect("a readable source");
        found.push(Source { path: path.to_owned(), text });
    }
}

/// The room of a file: the first component below `src`, without `.rs`.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).expect("a path below src");
    let first = below.components().next().expect("a component");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Lines that are code: no comments, and nothing behind `#[cfg(test)]`.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    lines.enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(n, line)| (n + 1, line))
}

fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    name == "tests"
        || name.ends_with("_tests")
        || name.starts_with("oracle")
        || path.components().any(|c| c.as_os_str() == "tests")
}

#[test]
fn rooms_name_only_the_rooms_they_may() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !is_test(&source.path)) {
        let own = room(&source.path);
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == own) else { continue };
        for (number, line) in code(&source.text) {
            for (other, _) in ROOMS.iter().filter(|(other, _)| *other != own && !allowed.contains(other)) {
                if line.contains(&format!("crate::{other}")) {
                    wrong.push(format!("{}:{number}: {own} names {other}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_server_names_the_system_crates() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let own = room(&source.path);
        if own == "server" {
            continue;
        }
        for (number, line) in code(&source.text) {
            for name in ["mio::", "socket2::", "nix::", "unsafe "] {
                let found = line.contains(name) && !line.contains("unix::") && !line.contains('"');
                if found {
                    wrong.push(format!("{}:{number}: {name}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn decisions_read_files_only_through_the_system() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if ["system", "server", "cli"].contains(&room(&source.path).as_str()) || is_test(&source.path) {
            continue;
        }
        for (number, line) in
            code(&source.text).filter(|(_, line)| line.contains("std::fs") || line.contains("fs::"))
        {
            wrong.push(format!("{}:{number}: {line}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    let all = ["src", "tests"].into_iter().flat_map(sources);
    let long = all.filter(|source| source.text.lines().count() > LONGEST);
    let names: Vec<String> = long.map(|source| source.path.display().to_string()).collect();
    assert!(names.is_empty(), "what two things does each of these do?\n{}", names.join("\n"));
}

#[test]
fn every_file_says_why_it_exists() {
    let all = ["src", "tests"].into_iter().flat_map(sources);
    let mute = all.filter(|source| !source.text.starts_with("//!"));
    let names: Vec<String> = mute.map(|source| source.path.display().to_string()).collect();
    assert!(names.is_empty(), "no //! at the head of\n{}", names.join("\n"));
}

#[test]
fn every_module_has_its_cases() {
    let modules = root().join("src/modules");
    let entries = fs::read_dir(modules).expect("a readable folder");
    let names = entries.map(|entry| {
        entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
    });
    let lacking: Vec<String> = names
        .filter(|name| name.starts_with("mod_"))
        .filter(|name| !root().join(format!("tests/cases/{name}.md")).exists())
        .collect();
    assert!(lacking.is_empty(), "no tests/cases for {}", lacking.join(", "));
}

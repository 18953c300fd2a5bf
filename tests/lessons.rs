//! Every lesson of docs/lessons, from broken to mended: the broken site is asked, the command of the lesson says
//! why it answers as it does, and with the mended files the site answers as it should.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

fn lessons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lessons")
}

/// The first block of a page that is fenced with these words.
fn block<'p>(page: &'p str, words: &str) -> &'p str {
    let fence = format!("```{words}\n");
    let from = page.find(&fence).unwrap_or_else(|| panic!("there is no {fence}")) + fence.len();
    page[from..].split("```").next().unwrap_or_default().trim_end()
}

/// Copies the files below a directory into the site, with their modes.
fn copy(site: &Site, from: &Path, within: &str) {
    for entry in fs::read_dir(from).expect("a directory of the lesson") {
        let entry = entry.expect("an entry");
        let name = format!("{within}{}", entry.file_name().to_string_lossy());
        let about = entry.metadata().expect("a file");
        if about.is_dir() {
            copy(site, &entry.path(), &format!("{name}/"));
            continue;
        }
        // The server of a test listens elsewhere, and its logs are read elsewhere.
        let text = fs::read(entry.path()).expect("a text");
        let text = match name.as_str() {
            "httpd.conf" => without_listen(&String::from_utf8_lossy(&text)).into_bytes(),
            _ => text,
        };
        let mode = about.permissions().mode() & 0o777;
        site.write(&name, &text, mode).expect("a copy");
    }
}

/// The configuration without what the tests' own preamble says.
fn without_listen(conf: &str) -> String {
    let said = ["ServerName", "Listen", "PidFile", "ErrorLog"];
    let kept =
        conf.lines().map(|line| if said.iter().any(|word| line.starts_with(word)) { "" } else { line });
    kept.map(|line| format!("{line}\n")).collect()
}

/// Asks as a block says (`GET /url`, the status, and perhaps a line of the body).
fn check_answer(site: &Site, expected: &str, lesson: &str) {
    let mut lines = expected.lines();
    let request = lines.next().expect("a request");
    let mut stream = TcpStream::connect(("127.0.0.1", site.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    write!(stream, "{request} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert_eq!(Some(status), lines.next(), "{lesson}: {request}");
    for line in lines {
        assert!(answer.contains(line), "{lesson}: {line:?} is not in {answer}");
    }
}

/// The command of the lesson, run where the lesson says: what it prints has these lines.
fn check_command(site: &Site, page: &str, lesson: &str) {
    let command = block(page, "sh");
    let program =
        Path::new(env!("CARGO_BIN_EXE_rachis")).parent().expect("a directory").display().to_string();
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(site.root())
        .env("PWD", site.root())
        .env("PATH", format!("{program}:/usr/bin:/bin"))
        .env("NO_COLOR", "1")
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    for line in block(page, "text").lines() {
        assert!(said.contains(line.trim()), "{lesson}: {line:?} is not in\n{said}");
    }
}

fn run(lesson: &Path, kind: Kind) {
    let name = lesson.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let page = fs::read_to_string(lesson.join("README.md")).expect("the lesson's page");
    let mut site = Site::new(kind).expect("an empty site");
    copy(&site, &lesson.join("broken"), "");
    site.set_variable("PWD", &site.root().display().to_string());
    site.start().expect("the server starts");
    check_answer(&site, block(&page, "http broken"), &name);
    if kind == Kind::Rachis {
        check_command(&site, &page, &name);
    }
    site.stop();
    copy(&site, &lesson.join("mended"), "");
    site.start().expect("the mended server starts");
    check_answer(&site, block(&page, "http mended"), &name);
}

#[test]
fn every_lesson_goes_from_broken_to_mended() {
    let mut found: Vec<PathBuf> = fs::read_dir(lessons())
        .expect("docs/lessons")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert_eq!(found.len(), 10);
    found.iter().for_each(|lesson| run(lesson, Kind::Rachis));
    // With ORACLE set, Apache has to answer the same, broken and mended.
    if std::env::var_os("ORACLE").is_some() {
        server::demand_apache();
        found.iter().for_each(|lesson| run(lesson, Kind::Apache));
    }
}

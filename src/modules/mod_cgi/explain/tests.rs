//! The mistakes of the tutorials, one by one.

use super::*;
use crate::{http::cgi::CgiError, system::Memory};

const PROGRAM: &str = "/srv/cgi-bin/x.py";

fn world(text: &[u8]) -> Memory {
    let mut world = Memory::new().with(PROGRAM, text).with("/usr/bin/python3", "").with("/usr/bin/env", "");
    for program in [PROGRAM, "/usr/bin/python3", "/usr/bin/env"] {
        world.modes.insert(program.into(), 0o755);
    }
    world
}

#[track_caller]
fn check(text: &[u8], expected: &[(&str, Option<u32>)]) {
    let found = examine(&world(text), PROGRAM.as_bytes(), None);
    let found: Vec<_> = found.iter().map(|finding| (finding.id, finding.line)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_good_program_has_no_findings() {
    check(b"#!/usr/bin/python3\nprint('Content-Type: text/plain\\n')\n", &[]);
    check(b"#!/usr/bin/env python3\nprint(1)\n", &[]);
    check(b"#!/usr/bin/env -S python3 -u\nprint(1)\n", &[]);
    check(b"\x7fELF\x02", &[]);
}

#[test]
fn no_interpreter_line() {
    check(b"#first CGI program\n", &[("RX0513", Some(1))]);
    check(b"\n#!/usr/bin/python3\n", &[("RX0513", Some(1))]);
    check(b"\xef\xbb\xbf#!/usr/bin/python3\n", &[("RX0513", Some(1))]);
    check(b"", &[("RX0513", Some(1))]);
}

#[test]
fn carriage_returns() {
    check(b"#!/usr/bin/python3\r\nprint(1)\r\n", &[("RX0515", Some(1))]);
}

#[test]
fn interpreters_that_are_not_there() {
    check(b"#!/usr/local/bin/python3\n", &[("RX0514", Some(1))]);
    check(b"#!C:\\Python311\\python.exe\n", &[("RX0514", Some(1))]);
    check(b"#!/usr/bin/env python\n", &[("RX0514", Some(1))]);
    check(b"#!/usr/bin/env python3 -u\n", &[("RX0514", Some(1))]);
}

#[test]
fn an_interpreter_elsewhere_is_named() {
    let found = examine(&world(b"#!/usr/local/bin/python3\n"), PROGRAM.as_bytes(), None);
    assert_eq!(found[0].mend, "there is /usr/bin/python3: write `#!/usr/bin/python3`");
}

#[test]
fn sources() {
    let text =
        b"#!/usr/bin/python3\nprint \"hi\"\nprint(\"Content-Type: text/html/r/n/r/n\")\nprint_it = 1\n";
    check(text, &[("RX0516", Some(2)), ("RX0517", Some(3))]);
    check(b"#!/usr/bin/env python2\nprint 'x'\n", &[("RX0514", Some(1))]);
}

#[test]
fn modes() {
    let mut world = world(b"#!/usr/bin/python3\n");
    world.modes.insert(PROGRAM.into(), 0o644);
    let found = examine(&world, PROGRAM.as_bytes(), Some(b"#33"));
    assert_eq!(
        found[0].text,
        "its mode is rw-r--r-- (0644) (owner 0, group 0), which does not let the server's user #33 execute it"
    );
    world.modes.insert(PROGRAM.into(), 0o755);
    world.modes.insert("/srv".into(), 0o700);
    let found = examine(&world, PROGRAM.as_bytes(), Some(b"#33"));
    assert_eq!(found[0].mend, "chmod a+x /srv");
}

#[track_caller]
fn check_fault(kind: CgiErrorKind, output: &str, exit: Option<i32>, expected: &[&str]) {
    let line = output.lines().next().unwrap_or_default();
    let error = CgiError { kind, offset: 0, line: 1, text: line.into() };
    let fault = CgiFault { error, input: Default::default(), output: output.into(), exit };
    let text = no_head(&Memory::new(), b"/x", &fault);
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn faults_say_how_the_program_ended_and_what_it_printed() {
    check_fault(CgiErrorKind::NoHead, "", Some(0x0300), &["exit status 3", "printed nothing"]);
    check_fault(CgiErrorKind::NoHead, "", Some(9), &["signal 9 (SIGKILL"]);
    check_fault(CgiErrorKind::Premature, "A: b\n", None, &["`A: b\\n`", "empty line"]);
    check_fault(CgiErrorKind::Malformed, "<html>\n", None, &["no `:`", "HTML"]);
    check_fault(CgiErrorKind::Malformed, "HTTP/1.1 200 OK\n", None, &["Status: 200 OK"]);
    check_fault(CgiErrorKind::Premature, "Content-Type: text/html/r/n/r/n\n", None, &["`/n`"]);
}

#[test]
fn bytes_are_made_visible() {
    assert_eq!(visible(b"a\r\n\xff\x01b", 5), "a\\r\\n\\xff\\u{1}…");
}

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

#[track_caller]
fn check_stderr(line: &str, expected: Option<&str>) {
    let text = stderr_line(line.as_bytes());
    assert_eq!(text.is_some(), expected.is_some(), "{text:?}");
    assert!(text.unwrap_or_default().contains(expected.unwrap_or_default()), "{line}");
}

#[test]
fn lines_of_standard_error_that_are_well_known() {
    let print = "SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?";
    check_stderr(print, Some("written for Python 2"));
    check_stderr("ModuleNotFoundError: No module named 'cgi'", Some("urllib.parse"));
    check_stderr("/usr/bin/env: 'python3 -u': No such file or directory", Some("`#!` line"));
    check_stderr("env: 'python': No such file or directory", Some("`#!` line"));
    check_stderr("/usr/bin/env: 'python3\\r': No such file or directory", Some("CR LF"));
    check_stderr("suexec policy violation: see suexec log for more details", Some("next line"));
    check_stderr("suexec failure: could not open log file", Some("AP_LOG_EXEC"));
    check_stderr("some complaint", None);
}

#[track_caller]
fn check_not_started(text: &[u8], mode: u32, errno: i32, expected: &str) {
    let mut world = world(text);
    world.modes.insert(PROGRAM.into(), mode);
    let error = io::Error::from_raw_os_error(errno);
    let why = not_started(&world, PROGRAM.as_bytes(), "exec", &error, None);
    assert!(why.contains(expected), "{expected:?} is not in {why:?}");
}

#[test]
fn programs_that_cannot_be_started() {
    let good = b"#!/usr/bin/python3\nprint()\n";
    check_not_started(good, 0o644, 13, "chmod 755 /srv/cgi-bin/x.py");
    check_not_started(good, 0o755, 13, "noexec");
    check_not_started(b"#first CGI program\n", 0o755, 8, "Line 1 is `#first CGI program`");
    check_not_started(b"", 0o755, 8, "the file is empty");
    check_not_started(b"<html>\n", 0o755, 8, "Line 1 is `<html>`");
    check_not_started(b"#!/usr/bin/python3\r\n", 0o755, 2, "CR LF");
    check_not_started(b"#!C:\\Python311\\python.exe\n", 0o755, 2, "path of Windows");
    check_not_started(b"#!/opt/perl\n", 0o755, 2, "the interpreter /opt/perl does not exist");
    check_not_started(b"\xef\xbb\xbf#!/usr/bin/python3\n", 0o755, 8, "EF BB BF");
}

#[test]
fn outputs_that_give_themselves_away() {
    check_fault(CgiErrorKind::Malformed, "\u{feff}Content-Type: x\n", None, &["byte order mark"]);
    check_fault(CgiErrorKind::Malformed, "Traceback (most recent call last)\n", None, &["Python's report"]);
    check_fault(CgiErrorKind::Malformed, "debug\nContent-Type: text/html\n\n", None, &["flush"]);
    check_fault(CgiErrorKind::LongLine, "x", None, &["longer than any header field"]);
    check_fault(CgiErrorKind::NoHead, "half", None, &["not even one whole line"]);
    check_fault(CgiErrorKind::NoHead, "", Some(127 << 8), &["127", "not found"]);
    check_fault(CgiErrorKind::NoHead, "", Some(126 << 8), &["126", "not executable"]);
    check_fault(CgiErrorKind::NoHead, "", Some(11), &["SIGSEGV"]);
    check_fault(CgiErrorKind::NoHead, "", Some(24), &["RLimitCPU"]);
}

//! Both forms of the spawner do the same.

use super::{Failure, Started, close_on_exec, linux, portable};
use crate::{
    engine::{Cgi, CgiFailure, CgiFault, Cx, Verdict},
    http::cgi::CgiHead,
    policy::core_conf::ResourceLimit,
};
use bstr::BString;
use std::{fs::File, io::Read, time::Duration};

fn cgi(program: &str, arguments: &[&str]) -> Cgi {
    fn head(_: &mut Cx<'_>, _: Result<Box<CgiHead>, CgiFault>) -> Verdict {
        Verdict::Declined
    }
    fn failure(_: &mut Cx<'_>, _: &CgiFailure) -> Verdict {
        Verdict::Declined
    }
    Cgi {
        program: program.into(),
        argv: [program].iter().chain(arguments).map(|word| BString::from(*word)).collect(),
        env: vec![("B".into(), "2".into()), ("A".into(), "1 x".into())],
        cwd: "/usr".into(),
        keep_input: 0,
        keep_output: 0,
        nph: false,
        timeout: Duration::from_secs(5),
        limits: [None; 3],
        on_head: head,
        on_stderr: |_, _| {},
        on_failure: failure,
    }
}

fn both(cgi: &Cgi, input: bool) -> [Result<Started, Failure>; 2] {
    let linux = linux::Spawner::new().unwrap().start(cgi, input);
    [linux, portable::Spawner::new().unwrap().start(cgi, input)]
}

fn read(fd: std::os::fd::OwnedFd) -> String {
    let mut text = String::new();
    File::from(fd).read_to_string(&mut text).unwrap();
    text
}

fn wait(started: &mut Started) -> i32 {
    loop {
        match started.child.try_wait().unwrap() {
            Some(status) => return status,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Output, errors and wait status are these.
#[track_caller]
fn check(script: &str, expected: (&str, &str, i32)) {
    for started in both(&cgi("/bin/sh", &["-c", script]), false) {
        let mut started = started.unwrap();
        assert!(started.stdin.is_none());
        let status = wait(&mut started);
        assert_eq!((read(started.stdout).as_str(), read(started.stderr).as_str(), status), expected);
    }
}

#[track_caller]
fn check_failure(cgi: &Cgi, step: &str, errno: i32) {
    for failed in both(cgi, true) {
        let (what, error) = failed.expect_err("it cannot be started");
        assert_eq!((what, error.raw_os_error()), (step, Some(errno)));
    }
}

#[test]
fn streams_and_status_are_told_apart() {
    check("echo out; echo err >&2; exit 3", ("out\n", "err\n", 3 << 8));
    check("kill -9 $$", ("", "", 9));
}

#[test]
fn it_gets_its_directory_and_environment_and_nothing_else() {
    check("pwd; echo $A$B; cat", ("/usr\n1 x2\n", "", 0));
}

#[test]
fn it_gets_no_descriptors_but_its_streams() {
    close_on_exec();
    // The fourth is the directory that is being listed.
    check("ls /proc/self/fd | tr '\\n' ' '", ("0 1 2 3 ", "", 0));
}

#[test]
fn no_signal_is_blocked_and_sigpipe_is_not_ignored() {
    check("grep SigBlk /proc/self/status", ("SigBlk:\t0000000000000000\n", "", 0));
    let ignored = "while read name mask; do test $name = SigIgn: && echo $((0x$mask & 0x1000)); done";
    check(&format!("{ignored} < /proc/self/status; true"), ("0\n", "", 0));
}

#[test]
fn it_leads_a_group_of_its_own() {
    check("test $(ps -o pgid= $$) = $$ && echo leader", ("leader\n", "", 0));
}

#[test]
fn the_environment_keeps_its_order() {
    for started in both(&cgi("/usr/bin/env", &[]), false) {
        let mut started = started.unwrap();
        wait(&mut started);
        let text = read(started.stdout);
        assert!(text == "B=2\nA=1 x\n", "{text}");
    }
}

#[test]
fn limits_hold() {
    let mut limited = cgi("/bin/sh", &["-c", "ulimit -St; ulimit -Ht"]);
    limited.limits[0] = Some(ResourceLimit { soft: Some(7), hard: Some(Some(9)) });
    for started in both(&limited, false) {
        assert_eq!(read(started.unwrap().stdout), "7\n9\n");
    }
}

#[test]
fn the_step_that_failed_is_named() {
    check_failure(&cgi("/no/such/program", &[]), "exec", nix::libc::ENOENT);
    check_failure(&cgi("/usr", &[]), "exec", nix::libc::EACCES);
    let mut elsewhere = cgi("/bin/sh", &[]);
    elsewhere.cwd = "/no/such/directory".into();
    check_failure(&elsewhere, "chdir", nix::libc::ENOENT);
}

#[test]
fn a_word_with_a_nul_byte_is_refused() {
    for failed in both(&cgi("/bin/sh", &["a\0b"]), false) {
        let (step, error) = failed.expect_err("no such argument can be given");
        assert_eq!((step, error.kind()), ("exec", std::io::ErrorKind::InvalidInput));
    }
}

#[test]
fn a_script_without_its_first_line_is_no_program() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "echo not a program\n").unwrap();
    let path = file.into_temp_path();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    check_failure(&cgi(path.to_str().unwrap(), &[]), "exec", nix::libc::ENOEXEC);
}

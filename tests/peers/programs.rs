//! CGI programs: silent, deaf, endless, broken, gone.

use super::{Kind, Peer, each, statuses, until};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

const HEAD: &str = "echo Content-Type: text/plain; echo";

pub fn script(text: &str) -> Vec<u8> {
    format!("#!/bin/sh\n{}\n", text.replace("HEAD", HEAD)).into_bytes()
}

/// The status of a program's answer, and what the error log then holds.
#[track_caller]
fn fails(program: &[u8], status: &str, log: &str) {
    each("", &[("cgi-bin/p", program)], |peer| {
        let answer = peer.get("/cgi-bin/p");
        assert_eq!(statuses(&answer), [status], "{}: {answer}", peer.kind.name());
        peer.logs(log);
    });
}

/// The end of a program's answer.
#[track_caller]
fn answers(program: &[u8], end: &str) {
    each("", &[("cgi-bin/p", program)], |peer| {
        let answer = peer.get("/cgi-bin/p");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{}: {answer}", peer.kind.name());
        assert!(answer.contains(end), "{}: {answer}", peer.kind.name());
    });
}

/// A test of ours alone, where Apache does otherwise; the test says how.
#[track_caller]
fn ours(more: &str, program: &[u8], test: impl Fn(&mut Peer)) {
    let mut peer = Peer::start(Kind::Rachis, more, &[("cgi-bin/p", program)]);
    test(&mut peer);
    peer.is_as_before();
}

#[test]
fn one_that_is_silent() {
    fails(&script("exec sleep 30"), "504 Gateway Timeout", "Script timed out before returning headers: p");
}

#[test]
fn one_that_falls_silent_in_its_answer() {
    each("", &[("cgi-bin/p", &script("HEAD; echo begun; exec sleep 30"))], |peer| {
        let answer = peer.get("/cgi-bin/p");
        assert!(answer.contains("begun\n"), "{answer}");
        peer.logs("AH01220: Timeout waiting for output from CGI script ");
    });
}

#[test]
fn one_that_is_slow_but_never_silent() {
    answers(&script("HEAD; for n in 1 2 3 4 5; do sleep 0.4; echo $n; done"), "5\n");
}

/// Others are answered while programs are silent.
#[test]
fn twenty_that_are_silent() {
    each("Timeout 3\n", &[("cgi-bin/p", &script("exec sleep 30"))], |peer| {
        let mut clients: Vec<_> = (0..20).map(|_| peer.connect()).collect();
        for client in &mut clients {
            client.send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        }
        if peer.is_rachis() {
            peer.lives();
        }
        for mut client in clients {
            assert_eq!(statuses(&client.rest()), ["504 Gateway Timeout"], "{}", peer.kind.name());
        }
    });
}

fn post(bytes: usize) -> Vec<u8> {
    let head = format!(
        "POST /cgi-bin/p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n"
    );
    [head.into_bytes(), vec![b'x'; bytes]].concat()
}

/// Apache's client often sees a reset in place of the answer.
#[test]
fn one_that_ignores_its_input() {
    ours("", &script("HEAD; echo ok"), |peer| {
        let answer = peer.ask(&post(5_000_000));
        assert_eq!(statuses(&answer), ["200 OK"]);
        assert!(answer.contains("ok\n"), "{answer}");
    });
}

/// In Apache the two wait for each other until Timeout; here output is taken while input is given.
#[test]
fn one_that_writes_before_it_reads() {
    let program = script("HEAD; head -c 1000000 /dev/zero | tr '\\0' y; wc -c");
    ours("Timeout 5\n", &program, |peer| {
        let answer = peer.ask(&post(5_000_000));
        assert!(answer.contains("5000000\n"), "{}", super::short(&answer));
        assert!(answer.len() > 1_000_000);
    });
}

#[test]
fn twenty_megabytes_for_a_slow_reader() {
    let program = script("HEAD; head -c 20000000 /dev/zero; echo end");
    each("", &[("cgi-bin/p", &program)], |peer| {
        let mut client = peer.connect();
        client.send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        for _ in 0..6 {
            client.take(1_000_000);
            thread::sleep(Duration::from_millis(350));
            if peer.is_rachis() {
                assert!(peer.grown() < super::MEMORY, "memory has grown by {} kB", peer.grown());
            }
        }
        assert!(client.rest().contains("end\n"), "{}", peer.kind.name());
    });
}

#[test]
fn five_megabytes_of_complaints() {
    let program = script("yes $(printf '%099d' 0) | head -c 5000000 >&2; echo the last >&2; HEAD; echo ok");
    each("", &[("cgi-bin/p", &program)], |peer| {
        let mut client = peer.connect();
        client.send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        peer.lives();
        assert!(client.rest().contains("ok\n"), "{}", peer.kind.name());
        peer.logs("the last");
    });
}

#[test]
fn one_complaint_without_end() {
    let program = script("head -c 3000000 /dev/zero | tr '\\0' e >&2; HEAD; echo ok");
    answers(&program, "ok\n");
}

/// Apache (mod_cgid) does not notice, since the program's input is the same socket.
#[test]
fn one_that_closes_its_output_and_lives_on() {
    let program = script("HEAD; echo ok; exec >&- 2>&-; exec sleep 30");
    ours("", &program, |peer| {
        let mut client = peer.connect();
        client.send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\n\r\n");
        client.until("0\r\n\r\n");
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(client.rest().ends_with("hello\n"));
    });
}

#[test]
fn one_that_leaves_a_daemon_with_its_output() {
    let program = script("HEAD; echo ok; sleep 30 & echo $! >$DOCUMENT_ROOT/../logs/daemon; exit 0");
    each("", &[("cgi-bin/p", &program)], |peer| {
        let begun = Instant::now();
        let answer = peer.get("/cgi-bin/p");
        assert!(answer.contains("ok\n"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{}: {:?}", peer.kind.name(), begun.elapsed());
        let pid = fs::read_to_string(peer.site.root().join("logs/daemon")).expect("a pid");
        let _ = peer.site.shell(&format!("kill -9 {pid} 2>/dev/null || :"));
    });
}

#[test]
fn one_that_is_killed() {
    fails(&script("kill -9 $$"), "500 Internal Server Error", "End of script output before headers: p");
}

#[test]
fn one_that_is_killed_in_its_head() {
    let program = script("echo Content-Type: text/plain; kill -9 $$");
    fails(&program, "500 Internal Server Error", "Premature end of script headers: p");
}

#[test]
fn one_that_is_killed_in_its_answer() {
    answers(&script("HEAD; echo ok; kill -9 $$"), "ok\n");
}

#[test]
fn nul_bytes_in_the_answer() {
    answers(&script("HEAD; printf 'a\\0b\\0\\n'"), "a\0b\0\n");
}

#[test]
fn nul_bytes_in_the_head() {
    let program = script("printf 'Content-Type: text/plain\\0x\\nX-Y: a\\0b\\n\\n'; echo ok");
    answers(&program, "ok\n");
}

#[test]
fn a_megabyte_in_one_header() {
    let program = script("printf 'X: '; head -c 1000000 /dev/zero | tr '\\0' y; echo; HEAD; echo ok");
    fails(&program, "500 Internal Server Error", "End of script output before headers: p");
}

/// Apache reads on until its memory is full.
#[test]
fn a_head_without_end() {
    let program = script("exec yes 'X-Y: a header'");
    ours("Timeout 5\n", &program, |peer| {
        let answer = peer.get("/cgi-bin/p");
        assert_eq!(statuses(&answer), ["500 Internal Server Error"], "{}", super::short(&answer));
    });
}

#[test]
fn garbage() {
    let garbage = (0..20_000u32).map(|n| (n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 13) as u8);
    let garbage: Vec<u8> = std::iter::once(b'x').chain(garbage.filter(|byte| *byte != b':')).collect();
    each("", &[("cgi-bin/p", &script("cat $DOCUMENT_ROOT/garbage")), ("htdocs/garbage", &garbage)], |peer| {
        let answer = peer.get("/cgi-bin/p");
        assert_eq!(statuses(&answer), ["500 Internal Server Error"], "{}", peer.kind.name());
    });
}

#[test]
fn one_whose_interpreter_is_missing() {
    fails(b"#!/nowhere/sh\necho\n", "500 Internal Server Error", "(2)No such file or directory: exec of '");
}

#[test]
fn one_with_the_line_ends_of_dos() {
    fails(b"#!/bin/sh\r\necho\r\n", "500 Internal Server Error", "(2)No such file or directory: exec of '");
}

#[test]
fn an_empty_file() {
    fails(b"", "500 Internal Server Error", "(8)Exec format error: exec of '");
}

#[test]
fn one_without_an_interpreter_line() {
    let program = b"echo Content-Type: text/plain\necho\necho ok\n";
    for limits in ["", "RLimitCPU 10\n"] {
        each(limits, &[("cgi-bin/p", program)], |peer| {
            let answer = peer.get("/cgi-bin/p");
            assert_eq!(statuses(&answer), ["500 Internal Server Error"], "{} {limits}", peer.kind.name());
            peer.logs("(8)Exec format error: exec of '");
        });
    }
}

#[test]
fn one_that_may_not_be_executed() {
    each("", &[], |peer| {
        peer.site.write("cgi-bin/p", &script("HEAD; echo ok"), 0o644).expect("a file");
        assert_eq!(statuses(&peer.get("/cgi-bin/p")), ["500 Internal Server Error"]);
        peer.logs("(13)Permission denied: exec of '");
    });
}

#[test]
fn a_directory() {
    each("", &[("cgi-bin/d/file", b"")], |peer| {
        assert_eq!(statuses(&peer.get("/cgi-bin/d/")), ["403 Forbidden"], "{}", peer.kind.name());
        peer.logs("attempt to invoke directory as script");
    });
}

/// Whoever comes at the wrong moment gets an error, and nothing else happens.
#[test]
fn one_that_comes_and_goes() {
    ours("", &script("HEAD; echo ok"), |peer| {
        let path = peer.site.root().join("cgi-bin/p");
        let away = peer.site.root().join("cgi-bin/away");
        thread::scope(|scope| {
            let peer = &*peer;
            let client = scope.spawn(move || {
                for _ in 0..100 {
                    let answer = peer.get("/cgi-bin/p");
                    let status = statuses(&answer).concat();
                    let known = ["200 OK", "404 Not Found", "500 Internal Server Error"];
                    assert!(known.contains(&status.as_str()), "{}: {answer}", peer.kind.name());
                }
            });
            while !client.is_finished() {
                fs::rename(&path, &away).expect("a move");
                thread::sleep(Duration::from_micros(500));
                fs::rename(&away, &path).expect("a move");
                thread::sleep(Duration::from_micros(500));
            }
        });
    });
}

#[test]
fn one_that_leads_to_itself() {
    fails(
        &script("echo Location: /cgi-bin/p; echo"),
        "500 Internal Server Error",
        "AH00124: Request exceeded the limit of 10 internal redirects",
    );
}

#[test]
fn one_that_sends_the_client_to_itself() {
    each("", &[("cgi-bin/p", &script("echo Location: http://localhost/cgi-bin/p; echo"))], |peer| {
        assert_eq!(statuses(&peer.get("/cgi-bin/p")), ["302 Found"]);
    });
}

#[test]
fn one_that_writes_after_the_client_left() {
    let program =
        script("echo $$ >$DOCUMENT_ROOT/../logs/pid; HEAD; while :; do echo more; sleep 0.05; done");
    each("Timeout 5\n", &[("cgi-bin/p", &program)], |peer| {
        let mut client = peer.connect();
        client.send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\n\r\n");
        client.until("more\n");
        client.reset();
        let pid = fs::read_to_string(peer.site.root().join("logs/pid")).expect("a pid");
        until("the program is gone", || !fs::exists(format!("/proc/{}", pid.trim())).unwrap_or(true));
    });
}

/// What a program says in place of a head, and then nothing, while the client sends more requests.
#[test]
fn one_that_fails_between_good_requests() {
    each("Timeout 5\n", &[("cgi-bin/p", &script("echo no header"))], |peer| {
        let one = "GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let last = "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answers = peer.ask([&one.repeat(3), last].concat().as_bytes());
        let expected = ["500 Internal Server Error"];
        assert_eq!(statuses(&answers)[..1], expected, "{}: {answers}", peer.kind.name());
        peer.logs("malformed header from script 'p': Bad header: no header");
    });
}

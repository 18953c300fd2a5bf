//! Clients: they stall, dribble, reset, half-close, never read, pipeline, and break every rule.

use super::{Peer, each, short, statuses};
use std::{
    thread,
    time::{Duration, Instant},
};

const POST: &str = "POST /cgi-bin/echo.sh HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
const ECHO: (&str, &[u8]) =
    ("cgi-bin/echo.sh", b"#!/bin/sh\nn=$(wc -c)\necho Content-Type: text/plain\necho\necho \"got $n\"\n");

/// What a client that sends this and then nothing is answered; it is closed after Timeout.
#[track_caller]
fn stalls(sent: &str, expected: &[&str]) {
    each("", &[ECHO], |peer| {
        let begun = Instant::now();
        let answer = peer.ask(sent.as_bytes());
        assert_eq!(statuses(&answer), expected, "{}: {sent:?}", peer.kind.name());
        assert!(begun.elapsed() >= Duration::from_millis(900), "closed after {:?}", begun.elapsed());
    });
}

/// Unless this is said, both servers leave such a client to the kernel (TCP_DEFER_ACCEPT).
#[test]
fn silence_is_closed() {
    each("AcceptFilter http none\n", &[], |peer| {
        assert_eq!(peer.ask(b""), "", "{}", peer.kind.name());
    });
}

#[test]
fn a_stall_in_the_request_line() {
    stalls("GET / HT", &[]);
}

#[test]
fn a_stall_in_the_headers() {
    stalls("GET / HTTP/1.1\r\nHost: local", &["408 Request Timeout"]);
}

#[test]
fn a_stall_in_a_body_that_nobody_reads() {
    stalls("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc", &["408 Request Timeout"]);
}

#[test]
fn a_stall_in_a_body_for_a_program() {
    stalls(&format!("{POST}Content-Length: 10\r\n\r\nabc"), &["408 Request Timeout"]);
}

#[test]
fn a_stall_in_a_chunk() {
    stalls(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n5\r\nab"), &["408 Request Timeout"]);
}

#[test]
fn a_slow_body_that_takes_longer_than_the_timeout_in_all() {
    each("", &[ECHO], |peer| {
        for path in ["/cgi-bin/echo.sh", "/index.html"] {
            let mut client = peer.connect();
            client.send(
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 6\r\n\r\n")
                    .as_bytes(),
            );
            for _ in 0..6 {
                client.send(b"x");
                thread::sleep(Duration::from_millis(350));
            }
            let answer = client.rest();
            assert_eq!(statuses(&answer), ["200 OK"], "{}: {path}", peer.kind.name());
        }
    });
}

#[test]
fn a_slow_reader_that_takes_longer_than_the_timeout_in_all() {
    let big = vec![b'x'; 30_000_000];
    each("", &[("htdocs/big", &big)], |peer| {
        let mut client = peer.connect();
        client.send(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut read = 0;
        for _ in 0..9 {
            read += client.take(1_500_000);
            thread::sleep(Duration::from_millis(350));
        }
        read += client.rest().len();
        assert!(read > big.len(), "{}: {read} bytes", peer.kind.name());
    });
}

#[test]
fn a_dribble() {
    each("", &[ECHO], |peer| {
        let mut client = peer.connect();
        client.dribble(format!("{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").as_bytes());
        let answer = client.rest();
        assert!(answer.contains("got 3"), "{answer}");
    });
}

#[test]
fn a_reset_in_the_middle_of_a_download() {
    let big = vec![b'x'; 20_000_000];
    each("", &[("htdocs/big", &big)], |peer| {
        for _ in 0..20 {
            let mut client = peer.connect();
            client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
            client.take(100_000);
            client.reset();
        }
    });
}

#[test]
fn a_reset_in_the_middle_of_a_programs_answer() {
    let endless = b"#!/bin/sh\necho Content-Type: text/plain\necho\nexec yes\n";
    each("", &[("cgi-bin/endless.sh", endless)], |peer| {
        for _ in 0..5 {
            let mut client = peer.connect();
            client.send(b"GET /cgi-bin/endless.sh HTTP/1.1\r\nHost: a\r\n\r\n");
            client.take(100_000);
            client.reset();
        }
    });
}

#[test]
fn an_answer_that_is_never_read() {
    let big = vec![b'x'; 50_000_000];
    each("EnableSendfile off\n", &[("htdocs/big", &big)], |peer| {
        let mut clients: Vec<_> = (0..4).map(|_| peer.connect()).collect();
        for client in &mut clients {
            client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        for _ in 0..3 {
            peer.lives();
        }
        if peer.is_rachis() {
            assert!(peer.grown() < super::MEMORY, "memory has grown by {} kB", peer.grown());
        }
        thread::sleep(Duration::from_millis(2500));
        for mut client in clients {
            let read = client.rest().len();
            assert!(read < big.len(), "{}: not closed after Timeout", peer.kind.name());
        }
    });
}

#[test]
fn a_client_that_shuts_its_side_gets_its_answer() {
    let slow = b"#!/bin/sh\nsleep 1\necho Content-Type: text/plain\necho\necho late\n";
    each("Timeout 10\n", &[("cgi-bin/slow.sh", slow), ECHO], |peer| {
        let check = |sent: &str, expected: &str| {
            let mut client = peer.connect();
            client.send(sent.as_bytes());
            client.shut();
            let answer = client.rest();
            assert!(
                answer.ends_with(expected) || answer.contains(expected),
                "{}: {answer}",
                peer.kind.name()
            );
        };
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nhello\n");
        check("GET /cgi-bin/slow.sh HTTP/1.0\r\n\r\n", "\r\n\r\nlate\n");
        check(&format!("{POST}Content-Length: 3\r\n\r\nabc"), "got 3\n");
    });
}

#[test]
fn ten_requests_in_one_segment() {
    let one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    pipelined(&[&one.repeat(9), last].concat(), 9);
}

#[test]
fn ten_requests_with_bodies_of_all_kinds() {
    let length = "POST /cgi-bin/echo.sh HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let chunks =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n";
    let last = "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    pipelined(&[&[length, chunks].concat().repeat(4), last].concat(), 8);
}

/// In one segment and in odd cuts: so many times 200, then a 404.
#[track_caller]
fn pipelined(requests: &str, good: usize) {
    each("Timeout 10\n", &[ECHO], |peer| {
        for cut in [requests.len(), 1, 7, 64] {
            let mut client = peer.connect();
            requests.as_bytes().chunks(cut).for_each(|part| client.send(part));
            let answers = client.rest();
            let mut expected = vec!["200 OK"; good];
            expected.push("404 Not Found");
            assert_eq!(statuses(&answers), expected, "{}, cut at {cut}: {answers}", peer.kind.name());
        }
    });
}

/// The statuses that answer these bytes, after which the client shuts its side.
#[track_caller]
fn answered(sent: &[u8], expected: &[&str]) {
    each("Timeout 2\n", &[ECHO], |peer| said(peer, sent, expected));
}

#[track_caller]
fn said(peer: &Peer, sent: &[u8], expected: &[&str]) {
    let mut client = peer.connect();
    client.send(sent);
    let answer = client.rest();
    let name = peer.kind.name();
    assert_eq!(
        statuses(&answer),
        expected,
        "{name}: {:?}: {}",
        super::lossy(sent).chars().take(200).collect::<String>(),
        short(&answer)
    );
}

#[test]
fn chunks_that_are_broken() {
    each("Timeout 1\n", &[ECHO], |peer| {
        for body in [
            "x\r\n",
            "-1\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            " 3\r\nabc\r\n0\r\n\r\n",
            "\r\n",
            "3 x\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
        ] {
            let head = POST.replace("Connection: close\r\n", "");
            said(
                peer,
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}").as_bytes(),
                &["400 Bad Request"],
            );
        }
        let huge = format!("{POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n");
        said(peer, huge.as_bytes(), &["413 Request Entity Too Large"]);
    });
}

#[test]
fn chunks_cut_anywhere() {
    each("Timeout 5\n", &[ECHO], |peer| {
        let head = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
        let body = "3\r\nabc\r\n2;e=\"x\"\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
        for cut in 0..body.len() {
            let mut client = peer.connect();
            client.send(head.as_bytes());
            client.send(&body.as_bytes()[..cut]);
            thread::sleep(Duration::from_millis(2));
            client.send(&body.as_bytes()[cut..]);
            let answer = client.rest();
            assert!(answer.contains("got 5"), "{}: cut at {cut}: {answer}", peer.kind.name());
        }
    });
}

#[test]
fn a_chunked_body_that_ends_too_early() {
    each("Timeout 2\n", &[ECHO], |peer| {
        let mut client = peer.connect();
        client.send(format!("{POST}Transfer-Encoding: chunked\r\n\r\n5\r\nab").as_bytes());
        client.shut();
        let answer = client.rest();
        assert!(!answer.contains("200 OK"), "{}: {answer}", peer.kind.name());
    });
}

#[test]
fn lengths_that_are_wrong() {
    each("Timeout 1\n", &[ECHO], |peer| {
        for length in ["-1", "x", "1x", "99999999999999999999", "0x10", "3, 3", "3\r\nContent-Length: 4", ""]
        {
            said(peer, format!("{POST}Content-Length: {length}\r\n\r\nabc").as_bytes(), &["400 Bad Request"]);
        }
    });
}

#[test]
fn a_length_that_is_too_short_leaves_the_rest_as_the_next_request() {
    let sent = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nabc\r\n\r\n";
    answered(sent.as_bytes(), &["200 OK", "400 Bad Request"]);
}

#[test]
fn heads_that_are_too_large() {
    each("Timeout 2\n", &[ECHO], |peer| {
        let long = "x".repeat(9000);
        said(
            peer,
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
            &["414 Request-URI Too Long"],
        );
        said(
            peer,
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").as_bytes(),
            &["400 Bad Request"],
        );
        let many = "X: y\r\n".repeat(200);
        said(peer, format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n").as_bytes(), &["400 Bad Request"]);
        let folded = " y\r\n".repeat(5000);
        said(
            peer,
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n{folded}\r\n").as_bytes(),
            &["400 Bad Request"],
        );
    });
}

#[test]
fn a_megabyte_without_a_line_end() {
    each("Timeout 2\n", &[ECHO], |peer| {
        said(peer, &vec![b'A'; 1 << 20], &["414 Request-URI Too Long"]);
    });
}

#[test]
fn nul_bytes() {
    each("Timeout 1\n", &[ECHO], |peer| {
        for sent in [
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\0Y: z\r\n\r\n",
            "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            said(peer, sent.as_bytes(), &["400 Bad Request"]);
        }
        let path = "GET /%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        said(peer, path.as_bytes(), &["404 Not Found"]);
    });
}

#[test]
fn a_client_that_expects_100_continue() {
    each("Timeout 2\n", &[ECHO], |peer| {
        let expect = format!("{POST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        let mut client = peer.connect();
        client.send(expect.as_bytes());
        client.until("HTTP/1.1 100 Continue\r\n\r\n");
        client.send(b"abc");
        assert!(client.rest().contains("got 3"));
        // One that does not wait is not invited, or is, but is answered.
        let answer = peer.ask(format!("{expect}abc").as_bytes());
        assert!(answer.contains("got 3"), "{}: {answer}", peer.kind.name());
        // One that never sends what it was invited to.
        said(peer, expect.as_bytes(), &["100 Continue", "408 Request Timeout"]);
        // A refused request is not invited.
        let refused = expect.replace("echo.sh", "none");
        said(peer, refused.as_bytes(), &["404 Not Found"]);
        let other = expect.replace("100-continue", "miracle");
        said(peer, format!("{other}abc").as_bytes(), &["417 Expectation Failed"]);
        // An HTTP/1.0 client is never invited.
        let old = expect.replace("HTTP/1.1", "HTTP/1.0");
        let answer = peer.ask(format!("{old}abc").as_bytes());
        assert!(answer.contains("got 3") && !answer.contains("100 Continue"), "{answer}");
    });
}

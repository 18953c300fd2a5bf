//! Very many programs, programs that become very many, and very long bodies.

use super::{Client, each, memory, programs::script};
use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

/// Bytes of a very long body.
const GIBIBYTE: usize = 1 << 30;

/// More than any buffers take, and a fraction of the body, in kB.
const FLAT: u64 = 16 * 1024;

/// Each program counts those that run beside it, itself included, and says how many they were.
const COUNTS: &str = "cd \"$DOCUMENT_ROOT/../logs\"; >running.$$; sleep 0.05; set -- running.*; rm running.$$
HEAD; echo ran beside $#.";

#[test]
fn more_programs_than_may_run() {
    let limit = "<IfModule mod_rachis.c>\nCGIScriptLimit 4\n</IfModule>\n";
    each(limit, &[("cgi-bin/p", &script(COUNTS))], |peer| {
        let answers: Vec<String> = thread::scope(|scope| {
            let clients: Vec<_> = (0..24).map(|_| scope.spawn(|| peer.get("/cgi-bin/p"))).collect();
            clients.into_iter().map(|client| client.join().expect("an answer")).collect()
        });
        let beside = |answer: &String| -> usize {
            let after = answer.split("ran beside ").nth(1).unwrap_or_else(|| panic!("{answer}"));
            after.split('.').next().and_then(|number| number.parse().ok()).expect("a number")
        };
        let most = answers.iter().map(beside).max();
        assert!(!peer.is_rachis() || most <= Some(4), "{most:?} at a time");
    });
}

#[test]
fn a_program_that_waits_is_given_its_body_and_is_not_late() {
    let limit = "<IfModule mod_rachis.c>\nCGIScriptLimit 1\n</IfModule>\nTimeout 1\n";
    each(limit, &[("cgi-bin/p", &script("sleep 0.4; HEAD; cat"))], |peer| {
        let peer = &*peer;
        thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|n| {
                    let body = format!("body {n} {}", "x".repeat(n * 1000));
                    scope.spawn(move || {
                        let length = body.len();
                        let head = "POST /cgi-bin/p HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
                        let answer =
                            peer.ask(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes());
                        assert!(
                            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&body),
                            "{answer}"
                        );
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().expect("an answer"));
        });
    });
}

#[test]
fn one_that_waits_and_whose_client_leaves() {
    let limit = "<IfModule mod_rachis.c>\nCGIScriptLimit 1\n</IfModule>\n";
    each(limit, &[("cgi-bin/p", &script("sleep 0.3; HEAD; echo done"))], |peer| {
        let ask = |path: &str| {
            let mut client = peer.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
            client
        };
        let leaving: Vec<Client> = (0..10).map(|_| ask("/cgi-bin/p")).collect();
        thread::sleep(Duration::from_millis(50));
        drop(leaving);
        let begun = Instant::now();
        assert!(peer.get("/cgi-bin/p").contains("done"));
        // Ten of them one after the other would have taken three seconds.
        assert!(!peer.is_rachis() || begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_fork_bomb_under_a_limit() {
    let bomb = script("HEAD; bomb() { bomb | bomb & }; bomb 2>/dev/null; wait; sleep 20");
    each("RLimitNPROC 60 60\n", &[("cgi-bin/p", &bomb), ("cgi-bin/q", &script("HEAD; echo fine"))], |peer| {
        let mut client = peer.connect();
        client.send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: localhost\r\n\r\n");
        thread::sleep(Duration::from_millis(300));
        // A program that needs no other is started all the same: the limit holds for forks.
        for _ in 0..5 {
            peer.lives();
        }
        drop(client);
    });
}

#[test]
fn a_gibibyte_for_a_program() {
    each("", &[("cgi-bin/p", &script("HEAD; wc -c"))], |peer| {
        let mut client = peer.connect();
        let head = format!("POST /cgi-bin/p HTTP/1.1\r\nHost: localhost\r\nContent-Length: {GIBIBYTE}\r\n");
        client.send(format!("{head}Connection: close\r\n\r\n").as_bytes());
        let piece = vec![b'x'; 1 << 20];
        for n in 0..GIBIBYTE / piece.len() {
            client.0.write_all(&piece).expect("the server takes it");
            if n % 64 == 0 && peer.is_rachis() {
                assert!(peer.grown() < FLAT, "{} kB at {n} MiB", peer.grown());
            }
        }
        let answer = client.rest();
        assert!(answer.contains(&GIBIBYTE.to_string()), "{answer}");
    });
}

#[test]
fn a_gibibyte_from_a_program() {
    each("", &[("cgi-bin/p", &script(&format!("HEAD; head -c {GIBIBYTE} /dev/zero")))], |peer| {
        let mut client = peer.connect();
        client.send(b"GET /cgi-bin/p HTTP/1.0\r\n\r\n");
        let (mut all, mut buffer) = (0, vec![0; 1 << 20]);
        loop {
            let count = client.0.read(&mut buffer).expect("the server sends it");
            if count == 0 {
                break;
            }
            all += count;
            assert!(!peer.is_rachis() || all % 64 != 0 || memory(peer.pid()) < peer.before.memory + FLAT);
        }
        // The head is small.
        assert!((GIBIBYTE..GIBIBYTE + 1000).contains(&all), "{all}");
    });
}

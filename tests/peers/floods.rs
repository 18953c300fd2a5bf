//! Many clients at once, and two thousand that send anything but a request.

use super::{Client, Kind, Peer, each, until};
use std::{fs, thread, time::Duration};

/// Marsaglia's xorshift64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }
}

const SEEDS: [&str; 5] = [
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "GET http://a:80/%2e%2e/x?y HTTP/1.0\r\nRange: bytes=0-1,2-\r\nIf-Modified-Since: x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nX: y\r\n z\r\n\r\n",
];

/// Some bytes changed, added, taken away, repeated.
fn mutated(numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = SEEDS[numbers.below(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes[at] = numbers.next() as u8,
            1 => bytes.insert(at, b"\r\n\0 :/%;,\t\xff"[numbers.below(11)]),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at + 1),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

/// Each is answered with a head, or closed; nobody else notices.
#[test]
fn two_thousand_that_are_no_requests() {
    each("Timeout 2\n", &[], |peer| {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for turn in 0..2000 {
            let sent = if turn % 4 == 0 { numbers.bytes(300) } else { mutated(&mut numbers) };
            let mut client = peer.connect();
            client.send(&sent);
            client.shut();
            let answer = client.rest();
            let good = answer.is_empty() || answer.starts_with("HTTP/1.1 ") || answer.starts_with("hello\n");
            let error_page = answer.starts_with("<!DOCTYPE");
            assert!(good || error_page, "{}: {:?}: {answer}", peer.kind.name(), super::lossy(&sent));
            if turn % 500 == 0 {
                peer.lives();
            }
        }
    });
}

/// Sets how many files the server may have open.
fn limit_descriptors(peer: &Peer, most: usize) {
    let command = format!("prlimit --pid {} --nofile={most}:", peer.pid());
    peer.site.shell(&command).expect("prlimit of util-linux");
}

/// CPU time so far, in ticks of a hundredth of a second.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[test]
fn more_connections_than_descriptors() {
    let program = b"#!/bin/sh\necho Content-Type: text/plain\necho\necho ok\n";
    let peer = Peer::start(Kind::Rachis, "AcceptFilter http none\nTimeout 20\n", &[("cgi-bin/p", program)]);
    limit_descriptors(&peer, peer.before.descriptors + 20);
    let mut clients: Vec<Client> = (0..60).map(|_| peer.connect()).collect();
    peer.logs("AH00467: apr_socket_accept: no descriptors left");
    let before = ticks(peer.pid());
    thread::sleep(Duration::from_millis(500));
    assert!(ticks(peer.pid()) - before < 20, "the server spins while it has no descriptors left");
    // A program cannot be started; that is this request's misfortune alone.
    clients[0].send(b"GET /cgi-bin/p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = clients[0].rest();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    drop(clients);
    until("programs run again", || peer.get("/cgi-bin/p").contains("ok\n"));
    peer.is_as_before();
}

/// More clients than MaxRequestWorkers and ThreadsPerChild allow wait, and are served in turn.
#[test]
fn three_hundred_at_once() {
    each("Timeout 20\n", &[], |peer| {
        let mut clients: Vec<Client> = (0..300).map(|_| peer.connect()).collect();
        for client in &mut clients {
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        }
        for mut client in clients {
            assert!(client.rest().ends_with("\r\n\r\nhello\n"), "{}", peer.kind.name());
        }
    });
}

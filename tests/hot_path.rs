//! What a request for a small file costs on a connection that is kept: system calls, counted by strace, and
//! instructions, counted by callgrind. Counts hold on a machine that is busy with other things, where times do not.
//!
//! Where a tool is not installed, or may not trace, its count is left out, which is said; `.ci/run` installs both.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    thread,
    time::Duration,
};

const CONF: &str = "\
MaxKeepAliveRequests 0
<Directory />
    AllowOverride None
    Require all granted
</Directory>
";

/// A server with one small file that was not changed a moment ago, run by another program.
fn site(under: &[&str]) -> Option<Site> {
    if !Path::new(under[0]).exists() {
        println!("left out: there is no {}", under[0]);
        return None;
    }
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    site.write("htdocs/a.txt", &[b'x'; 1024], 0o644).expect("a file");
    site.configure(CONF, &[]).expect("a configuration");
    // Answers about a file that was changed a moment ago are not given again.
    thread::sleep(Duration::from_millis(2100));
    site.run_under(under);
    match site.start() {
        Ok(()) => Some(site),
        Err(message) if message.contains("ptrace") => {
            println!("left out: {message}");
            None
        }
        Err(message) => panic!("{message}"),
    }
}

/// Asks for the file so often, one request after the other on one connection.
fn ask(stream: &mut TcpStream, times: usize) {
    let mut answer = [0; 4096];
    for _ in 0..times {
        stream.write_all(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
        let count = stream.read(&mut answer).expect("an answer");
        assert!(answer[..count].ends_with(&[b'x'; 1024]), "{}", String::from_utf8_lossy(&answer[..count]));
    }
}

fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", site.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    stream
}

/// Ends the server itself, and with it the program that runs it.
fn stop(mut site: Site) -> Site {
    let pid = fs::read_to_string(site.root().join("logs/httpd.pid")).expect("a pid file");
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().expect("a number"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
    // valgrind is the process itself by now; strace ends behind it.
    for _ in 0..1000 {
        if site.pid() == u32::try_from(pid.as_raw()).ok() || nix::sys::signal::kill(pid, None).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    site.stop();
    site
}

/// How often each system call stands in strace's lines (`PID CALL(…`), of which one may be in two halves.
fn calls(trace: &str) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in trace.lines() {
        let call = line.split_whitespace().nth(1).and_then(|rest| rest.split_once('(')).map(|(call, _)| call);
        *counts.entry(call.unwrap_or("")).or_default() += 1;
    }
    counts.remove("");
    counts
}

/// The system calls of a whole life with so many requests.
fn trace(requests: usize) -> Option<String> {
    let site = site(&["/usr/bin/strace", "-f", "-qq", "-o", "$ROOT/logs/trace"])?;
    let mut stream = connect(&site);
    ask(&mut stream, requests);
    drop(stream);
    let site = stop(site);
    Some(fs::read_to_string(site.root().join("logs/trace")).expect("a trace"))
}

/// The wait for the request, the request, one look at the file, the answer.
#[test]
fn a_request_costs_four_system_calls() {
    let (Some(few), Some(many)) = (trace(100), trace(400)) else { return };
    let (few, mut many) = (calls(&few), calls(&many));
    for (call, count) in &mut many {
        *count = count.abs_diff(few.get(call).copied().unwrap_or(0));
    }
    // What does not depend on the requests may differ by a few: a thread waits once more, a lock is waited for.
    const MANY: usize = 300;
    const OTHERS: usize = 12;
    for call in ["epoll_wait", "recvfrom", "statx", "sendto"] {
        let count = many.remove(call).unwrap_or(0);
        assert!(count.abs_diff(MANY) <= OTHERS, "{call}: {count}, {many:?}");
    }
    assert!(many.values().sum::<usize>() <= OTHERS, "{many:?}");
}

/// Instructions of a whole life with so many requests.
fn instructions(requests: usize) -> Option<i64> {
    let site = site(&["/usr/bin/valgrind", "--tool=callgrind", "--callgrind-out-file=$ROOT/logs/callgrind"])?;
    let mut stream = connect(&site);
    ask(&mut stream, requests);
    drop(stream);
    let site = stop(site);
    let file = fs::read_to_string(site.root().join("logs/callgrind")).expect("callgrind's file");
    let total = file.lines().find_map(|line| line.strip_prefix("totals: ")).expect("a total");
    Some(total.parse().expect("a number"))
}

/// Counted on an unoptimized build, as tests are: MOST is a fifth above what was counted. The optimized one
/// needs 6,500 (docs/performance.md).
#[test]
fn a_request_costs_few_instructions() {
    const MOST: i64 = 46_000;
    let (Some(few), Some(many)) = (instructions(100), instructions(1100)) else { return };
    let each = (many - few) / 1000;
    println!("{each} instructions a request");
    assert!((1000..=MOST).contains(&each), "{each} instructions a request");
}

//! What a server must not leave behind, and what it must live through: programs, clients that
//! leave, reloads, stops. Each test starts its own server and counts.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const CONF: &str = "\
ScriptAlias /cgi-bin/ $ROOT/cgi-bin/
<Directory />
    Require all granted
</Directory>
KeepAliveTimeout 20
";

/// A started server with these programs under `/cgi-bin/`.
fn site(programs: &[(&str, &str)]) -> Site {
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    for (name, text) in programs {
        let path = format!("cgi-bin/{name}");
        match name.strip_suffix(".c") {
            Some(bare) => {
                site.compile(&format!("cgi-bin/{bare}"), text.as_bytes(), 0o755).expect("a C compiler")
            }
            None => site.write(&path, text.as_bytes(), 0o755).expect("a script"),
        }
    }
    site.write("htdocs/index.html", b"hello\n", 0o644).expect("a file");
    site.configure(&site.fill(CONF), &[]).expect("a configuration");
    site.start().expect("the server starts");
    site
}

fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", site.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    stream
}

/// The whole answer to one request on a connection of its own.
fn get(site: &Site, path: &str) -> String {
    let mut stream = connect(site);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one chunked answer from a connection that stays open.
fn chunked(stream: &mut TcpStream) -> Vec<u8> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"0\r\n\r\n") {
        let count = stream.read(&mut buffer).expect("an answer");
        assert_ne!(count, 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
    }
    answer
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("a running server").count()
}

/// How many descriptors an idle server has: the connection by which its start was noticed is closed only after a moment.
fn descriptors_at_rest(pid: u32) -> usize {
    let least = (0..30).map(|_| {
        thread::sleep(Duration::from_millis(10));
        descriptors(pid)
    });
    least.min().expect("thirty counts")
}

/// Processes whose parent is `pid`, zombies included.
fn children(pid: u32) -> Vec<u32> {
    let parent = |entry: fs::DirEntry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent: u32 = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
        (parent == pid).then_some(child)
    };
    fs::read_dir("/proc").expect("a /proc").flatten().filter_map(parent).collect()
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Waits until something holds, ten seconds at most.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn number_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

const HELLO_C: &str = r#"
#include <stdio.h>
int main(void) { printf("Content-Type: text/plain\n\nhello\n"); return 0; }
"#;

#[test]
fn ten_thousand_programs_leave_neither_zombies_nor_descriptors() {
    const CLIENTS: usize = 4;
    const EACH: usize = 2500;
    let site = site(&[("hello.c", HELLO_C)]);
    let pid = site.pid().expect("a running server");
    assert!(get(&site, "/cgi-bin/hello").contains("hello"));
    until("no program is left after the first", || children(pid).is_empty());
    let before = descriptors_at_rest(pid);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut stream = connect(&site);
                for n in 0..EACH {
                    if n % 100 == 0 {
                        stream = connect(&site);
                    }
                    let request = b"GET /cgi-bin/hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
                    stream.write_all(request).expect("a request");
                    let answer = chunked(&mut stream);
                    assert!(
                        answer.starts_with(b"HTTP/1.1 200 OK\r\n"),
                        "{}",
                        String::from_utf8_lossy(&answer)
                    );
                }
            });
        }
    });
    until("no program is left", || children(pid).is_empty());
    until("no descriptor is left", || descriptors(pid) <= before);
}

const SLEEPER: &str = "#!/bin/sh\necho $$ >$DOCUMENT_ROOT/../logs/pid\nsleep 60 &\necho $! >$DOCUMENT_ROOT/../logs/pid2\nwait\n";

#[test]
fn a_client_that_leaves_takes_its_program_and_what_that_started_along() {
    let site = site(&[("sleep.sh", SLEEPER)]);
    let (own, other) = (site.root().join("logs/pid"), site.root().join("logs/pid2"));
    let mut stream = connect(&site);
    write!(stream, "GET /cgi-bin/sleep.sh HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    until("the program runs", || number_in(&own).is_some() && number_in(&other).is_some());
    drop(stream);
    let pids = [number_in(&own), number_in(&other)].map(|pid| pid.expect("a pid"));
    until("the program and its child are gone", || !pids.iter().any(|&pid| exists(pid)));
}

#[test]
fn a_stop_leaves_no_program_running() {
    let mut site = site(&[("sleep.sh", SLEEPER)]);
    let (own, other) = (site.root().join("logs/pid"), site.root().join("logs/pid2"));
    let mut stream = connect(&site);
    write!(stream, "GET /cgi-bin/sleep.sh HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    until("the program runs", || number_in(&own).is_some() && number_in(&other).is_some());
    let pids = [number_in(&own), number_in(&other)].map(|pid| pid.expect("a pid"));
    site.stop();
    until("the program and its child are gone", || !pids.iter().any(|&pid| exists(pid)));
    assert!(!site.root().join("logs/httpd.pid").exists(), "the pid file is left");
}

#[test]
fn a_configuration_that_fails_to_load_leaves_the_old_one_in_force() {
    let mut site = site(&[]);
    assert!(get(&site, "/").contains("hello"));
    let old = site.fill(CONF);
    site.write("httpd.conf", b"Nonsense on\n", 0o644).expect("a configuration");
    let (_, _) = site.run(&["-k", "graceful"]).expect("httpd -k graceful ends");
    assert!(get(&site, "/").contains("hello"));
    let new = format!("{old}Redirect 410 /gone\n");
    site.write("httpd.conf", new.as_bytes(), 0o644).expect("a configuration");
    assert_eq!(site.run(&["-k", "graceful"]).expect("httpd -k graceful ends").1, 0);
    until("the new configuration holds", || get(&site, "/gone").starts_with("HTTP/1.1 410 Gone"));
    assert!(site.pid().is_some_and(exists));
}

#[test]
fn an_answer_that_has_begun_is_finished_before_a_graceful_stop() {
    let slow = "#!/bin/sh\necho Content-Type: text/plain\necho\necho begun\nsleep 1\necho ended\n";
    let mut site = site(&[("slow.sh", slow)]);
    let pid = site.pid().expect("a running server");
    let mut stream = connect(&site);
    write!(stream, "GET /cgi-bin/slow.sh HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut first = [0; 64];
    assert_ne!(stream.read(&mut first).expect("a beginning"), 0);
    assert_eq!(site.run(&["-k", "graceful-stop"]).expect("httpd -k graceful-stop ends").1, 0);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the rest");
    assert!(String::from_utf8_lossy(&rest).contains("ended"), "{}", String::from_utf8_lossy(&rest));
    until("the server has ended", || site_ended(pid));
    site.stop();
}

/// Gone, or a zombie that the test has not waited for yet.
fn site_ended(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

/// Two directories change places under load; whoever made the change sees it in the next answer, on a
/// connection that is kept, although requests share looks at the file system.
#[test]
fn a_change_is_seen_by_whoever_made_it_whatever_others_ask() {
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    site.write("htdocs/d/a", b"0", 0o644).expect("a file");
    site.write("htdocs/e/a", b"1", 0o644).expect("a file");
    let conf = "MaxKeepAliveRequests 0\n<Directory />\nRequire all granted\n</Directory>\n";
    site.configure(&site.fill(conf), &[]).expect("a configuration");
    site.start().expect("the server starts");
    // Answers about files that were changed a moment ago are not given again at all.
    thread::sleep(Duration::from_millis(2200));
    let [d, e, aside] = ["htdocs/d", "htdocs/e", "htdocs/aside"].map(|name| site.root().join(name));
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /d/a HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    };
    let hear = |stream: &mut TcpStream| {
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        // A moment without `d` is a 404.
        let ends: [&[u8]; 3] = [b"\r\n\r\n0", b"\r\n\r\n1", b"</html>\n"];
        while !ends.iter().any(|end| answer.ends_with(end)) {
            let count = stream.read(&mut buffer).expect("an answer");
            assert_ne!(count, 0, "the connection was closed");
            answer.extend_from_slice(&buffer[..count]);
        }
        answer.last().copied()
    };
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut streams: Vec<TcpStream> = (0..8).map(|_| connect(&site)).collect();
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    streams.iter_mut().for_each(ask);
                    streams.iter_mut().for_each(|stream| assert!(hear(stream).is_some()));
                }
            });
        }
        let mut own = connect(&site);
        let seen: Vec<Option<u8>> = (0..400)
            .map(|_| {
                fs::rename(&d, &aside).expect("renamed");
                fs::rename(&e, &d).expect("renamed");
                fs::rename(&aside, &e).expect("renamed");
                ask(&mut own);
                hear(&mut own)
            })
            .collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        let expected: Vec<Option<u8>> =
            (0..400).map(|n| Some(if n % 2 == 0 { b'1' } else { b'0' })).collect();
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_hundred_idle_connections_do_not_keep_others_waiting() {
    let site = site(&[]);
    let idle: Vec<TcpStream> = (0..100).map(|_| connect(&site)).collect();
    assert!(get(&site, "/").starts_with("HTTP/1.1 200 OK"));
    drop(idle);
}

/// Only root can become somebody else; for others there is nothing to see.
#[test]
fn started_as_root_it_serves_as_user_and_group() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    let owner = fs::metadata(site.root()).expect("a directory");
    let (uid, gid) = (owner.uid(), owner.gid());
    let page = site.root().join("htdocs/secret.txt");
    site.write("htdocs/secret.txt", b"root's own\n", 0o600).expect("a file");
    std::os::unix::fs::chown(page, Some(0), Some(0)).expect("we are root");
    let script = "#!/bin/sh\necho Content-Type: text/plain; echo; echo \"I am $(id -u) $(id -g)\"\n";
    site.write("cgi-bin/id", script.as_bytes(), 0o755).expect("a script");
    let conf = site.fill(&format!("{CONF}User #{uid}\nGroup #{gid}\n"));
    site.configure(&conf, &[]).expect("a configuration");
    site.start_as_root().expect("the server starts");
    // Connections are taken before the user is changed, answers are given after.
    let said = get(&site, "/cgi-bin/id");
    assert!(said.contains(&format!("I am {uid} {gid}\n")), "{said}");
    let pid = site.pid().expect("a running server");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running server");
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("a Uid line");
    assert!(uids.split_whitespace().all(|own| own == uid.to_string()), "{uids}");
    assert!(get(&site, "/secret.txt").starts_with("HTTP/1.1 403 Forbidden"));
}

/// A site whose `.cgi` programs and `.shtml` files are pages with elements; one program may run at a time.
fn pages(files: &[(&str, &[u8])]) -> Site {
    const PAGES: &str = "
LoadModule include_module /usr/lib/apache2/modules/mod_include.so
CGIScriptLimit 1
AddHandler cgi-script .cgi
AddOutputFilter INCLUDES .cgi .shtml
<Directory $ROOT/htdocs>
    Options Includes ExecCGI
</Directory>
";
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    for (name, text) in files {
        let mode = if text.starts_with(b"#!") { 0o755 } else { 0o644 };
        site.write(&format!("htdocs/{name}"), text, mode).expect("a file");
    }
    site.configure(&site.fill(&format!("{CONF}{PAGES}")), &[]).expect("a configuration");
    site.start().expect("the server starts");
    site
}

#[test]
fn a_program_in_a_page_that_a_program_makes_waits_for_nobody() {
    let outer = b"#!/bin/sh\necho 'Content-Type: text/html'\necho\necho 'a<!--#include virtual=\"inner.cgi\" -->b'\nsleep 0.1\necho 'c<!--#exec cmd=\"echo d\" -->e'\n";
    let inner =
        b"#!/bin/sh\necho 'Content-Type: text/html'\necho\necho '[<!--#exec cgi=\"inmost.cgi\" -->]'\necho complaint >&2\n";
    let inmost = b"#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho $DOCUMENT_NAME\n";
    let site = pages(&[("outer.cgi", outer), ("inner.cgi", inner), ("inmost.cgi", inmost)]);
    let pid = site.pid().expect("a running server");
    let before = descriptors_at_rest(pid);
    for _ in 0..3 {
        let mut stream = connect(&site);
        write!(stream, "GET /outer.cgi HTTP/1.0\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let text: String = answer.lines().skip_while(|line| !line.is_empty()).collect();
        assert_eq!(text, "a[outer.cgi]bcde");
    }
    until("no program is left", || children(pid).is_empty());
    until("no descriptor is left", || descriptors(pid) <= before);
}

#[test]
fn a_client_that_leaves_takes_all_programs_of_its_page_along() {
    let outer = b"#!/bin/sh\necho $$ >outer.pid\necho 'Content-Type: text/html'\necho\necho '<!--#include virtual=\"inner.cgi\" -->'\necho ................................................................................................................................\nsleep 60\n";
    let inner =
        b"#!/bin/sh\necho $$ >inner.pid\necho 'Content-Type: text/plain'\necho\necho ................................................................................................................................\necho started\nsleep 60\n";
    let site = pages(&[("outer.cgi", outer), ("inner.cgi", inner)]);
    let pid = site.pid().expect("a running server");
    fs::set_permissions(site.root().join("htdocs"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("a directory that the programs may write to");
    let mut stream = connect(&site);
    write!(stream, "GET /outer.cgi HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut seen = Vec::new();
    while !seen.ends_with(b"started\n\r\n") {
        let mut buffer = [0; 512];
        let count = stream.read(&mut buffer).expect("the beginning of the page");
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    let outer = number_in(&site.root().join("htdocs/outer.pid")).expect("the outer program runs");
    let inner = number_in(&site.root().join("htdocs/inner.pid")).expect("the inner program runs");
    assert!(exists(outer) && exists(inner));
    // A reset, since a client that only shuts its side may still be reading.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
    drop(stream);
    until("both are gone", || !exists(outer) && !exists(inner));
    until("neither is a zombie", || children(pid).is_empty());
}

/// 64 MiB go through a page while the client reads slowly at first.
#[test]
fn what_a_page_includes_streams_through_it() {
    const SIZE: usize = 64 << 20;
    let page = b"<!--#include virtual=\"big.txt\" --><!--#exec cmd=\"head -c 67108864 /dev/zero\" -->.";
    let big = vec![b'x'; SIZE];
    let site = pages(&[("page.shtml", page), ("big.txt", &big)]);
    let pid = site.pid().expect("a running server");
    let mut stream = connect(&site);
    write!(stream, "GET /page.shtml HTTP/1.0\r\n\r\n").expect("a request");
    thread::sleep(Duration::from_millis(300));
    let (mut total, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let count = stream.read(&mut buffer).expect("the page");
        if count == 0 {
            break;
        }
        total += count;
    }
    assert!(total > 2 * SIZE && total < 2 * SIZE + 1024, "{total} bytes");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running server");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let peak: usize = peak.expect("a peak");
    assert!(peak < 40 << 10, "{peak} KiB at the most");
}

/// What all event loops did together, as mod_status tells it.
#[test]
fn the_scoreboard_counts_each_request_once() {
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    site.write("htdocs/ten.txt", b"0123456789", 0o644).expect("a file");
    let status = "LoadModule status_module /usr/lib/apache2/modules/mod_status.so
<Location /server-status>
    SetHandler server-status
</Location>
";
    site.configure(&site.fill(&format!("{CONF}{status}")), &[]).expect("a configuration");
    site.start().expect("the server starts");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert!(get(&site, "/ten.txt").ends_with("0123456789"))));
        }
    });
    let told = get(&site, "/server-status?auto");
    assert!(told.contains("\nTotal Accesses: 400\nTotal kBytes: 3\n"), "{told}");
    assert!(told.contains("\nBytesPerReq: 10\n") && told.contains("\nBusyWorkers: 1\n"), "{told}");
}

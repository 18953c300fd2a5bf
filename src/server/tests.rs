//! The server as a whole, over TCP, with a module of three lines: `/static/…` is a file, `/run/…`
//! a shell script, everything else 404.

use super::{Bound, Handle, Options, Order, Ready, Reload, Server};
use crate::{
    diag::{Sources, Span},
    engine::{Answer, Cgi, Content, Cx, Engine, Hook, Module, Order as HookOrder, Phase, Verdict},
    http::Status,
    policy::{
        CoreDir, CoreServer, Kind, Setting,
        compile::{Start, compile},
        process::Listen,
        table::Tables,
    },
    system::{Disk, System, path},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

static TOY: Module = Module {
    name: "toy",
    source: "toy.c",
    identifier: "toy_module",
    configs: &[Kind::of::<CoreDir>(), Kind::of::<CoreServer>()],
    hooks: &[
        Hook { phase: Phase::Translate, order: HookOrder::LAST, run: translate },
        Hook { phase: Phase::AccessEx, order: HookOrder::LAST, run: |_| Verdict::Ok },
        Hook { phase: Phase::Handler, order: HookOrder::LAST, run: handler },
    ],
    ..Module::NOTHING
};

fn translate(cx: &mut Cx<'_>) -> Verdict {
    let root = cx.engine.policy.process.server_root.clone();
    cx.req.filename = [&root[..], &cx.req.uri[..]].concat().into();
    Verdict::Ok
}

fn handler(cx: &mut Cx<'_>) -> Verdict {
    let name = cx.req.filename.clone();
    if cx.req.uri.starts_with(b"/run/") {
        return Verdict::Answer(Answer::Spawn(Box::new(program(name))));
    }
    match (cx.system().open(path(&name)), cx.system().stat(path(&name))) {
        (Ok(file), Ok(stat)) => {
            Verdict::Answer(Answer::Content(Content::File { file, skip: 0, stat, sendfile: true }))
        }
        _ => Verdict::Status(Status(404)),
    }
}

fn program(name: bstr::BString) -> Cgi {
    Cgi {
        program: name.clone(),
        argv: vec![name],
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("GREETING".into(), "hello".into())],
        cwd: "/".into(),
        keep_input: 0,
        keep_output: 0,
        nph: false,
        timeout: Duration::from_secs(20),
        limits: [None; 3],
        on_head: |cx, head| match head {
            Ok(head) => {
                cx.req.content_type = head.content_type;
                Verdict::Ok
            }
            Err(_) => Verdict::Status(Status(500)),
        },
        on_stderr: |cx, line| cx.log(3, "AH01215", format_args!("{}", bstr::BStr::new(line))),
        on_failure: |_, _| Verdict::Status(Status(500)),
    }
}

/// A running server in a directory of its own.
struct Site {
    directory: tempfile::TempDir,
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

fn engine(root: &Path, listen: SocketAddr) -> Arc<Engine> {
    let world: Arc<dyn System> = Arc::new(Disk);
    let tables = Arc::new(Tables::new([TOY.table()]));
    let start = Start { server_root: root.to_str().unwrap().into(), ..Start::default() };
    let mut policy = compile(&[], tables, Sources::new(), &*world, start).policy;
    let listen = Listen { address: listen, protocol: None, host: "127.0.0.1".to_owned() };
    policy.process.listen.push(Setting::new(listen, Span::BUILTIN));
    Arc::new(Engine::new(Arc::new(policy), &[&TOY], world))
}

impl Site {
    fn start() -> Site {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("run")).unwrap();
        let root = directory.path().to_owned();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let engine = engine(&root, any);
        let options = Options {
            workers: 2,
            signals: false,
            error_log: "error_log".to_owned(),
            pid_file: Some("httpd.pid".to_owned()),
            ..Options::default()
        };
        let bound: Bound = Server::bind(&engine.policy, options).unwrap();
        let handle = bound.handle();
        let reload: Reload = Box::new(move || {
            if root.join("broken").exists() {
                return Err(super::StartError::line("AH00526: Syntax error on line 1 of httpd.conf:"));
            }
            Ok(self::engine(&root, any))
        });
        let (tell, ready) = mpsc::channel::<Ready>();
        let run = move || bound.run(engine, Some(reload), |ready| tell.send(ready.clone()).unwrap()).unwrap();
        let thread = Some(std::thread::spawn(run));
        let address = ready.recv_timeout(Duration::from_secs(10)).unwrap().addresses[0];
        Site { directory, address, handle, thread }
    }

    fn file(&self, name: &str, content: &[u8]) {
        fs::write(self.directory.path().join(name), content).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        let file = self.directory.path().join("run").join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn error_log(&self) -> String {
        fs::read_to_string(self.directory.path().join("error_log")).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream
    }

    /// Sends a request and reads all the server says until it closes.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    fn stop(&mut self, order: Order) {
        self.handle.order(order);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop(Order::Stop("SIGTERM"));
        }
    }
}

/// Waits until it is so, ten seconds at most.
#[track_caller]
fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn alive(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).exists()
}

/// The body of an answer that is not chunked.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// Reads one answer with a Content-Length.
fn read_answer(reader: &mut impl BufRead) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    (head, body)
}

#[test]
fn files_small_and_large_come_whole() {
    let site = Site::start();
    let large: Vec<u8> = (0..3_000_000u32).map(|n| b'a' + (n % 23) as u8).collect();
    site.file("small", b"small\n");
    site.file("large", &large);
    assert_eq!(body(&site.get("/small")), "small\n");
    assert!(body(&site.get("/large")).as_bytes() == large);
    assert!(site.get("/none").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_connection_serves_many_requests_in_order() {
    let site = Site::start();
    (0..3).for_each(|n| site.file(&format!("f{n}"), format!("file {n}").as_bytes()));
    let mut stream = site.connect();
    let requests: Vec<String> =
        (0..300).map(|n| format!("GET /f{} HTTP/1.1\r\nHost: x\r\n\r\n", n % 3)).take(90).collect();
    stream.write_all(requests.concat().as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    for n in 0..90 {
        assert_eq!(read_answer(&mut reader).1, format!("file {}", n % 3).into_bytes());
    }
}

#[test]
fn a_request_in_single_bytes() {
    let site = Site::start();
    site.file("f", b"file");
    let mut stream = site.connect();
    for byte in b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(read_answer(&mut BufReader::new(stream)).1, b"file");
}

#[test]
fn a_client_that_shuts_its_side_is_still_answered() {
    let site = Site::start();
    site.file("f", b"file");
    let mut stream = site.connect();
    stream.write_all(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(body(&answer), "file");
}

#[test]
fn programs_get_their_environment_and_input_and_their_output_is_relayed() {
    let site = Site::start();
    site.script("env", "echo Content-Type: text/plain; echo; echo $GREETING; pwd");
    site.script("cat", "echo Content-Type: text/plain; echo; cat");
    assert_eq!(body(&site.ask("GET /run/env HTTP/1.0\r\n\r\n")), "hello\n/\n");
    let input = "0123456789".repeat(30_000);
    let request = format!("POST /run/cat HTTP/1.0\r\nContent-Length: {}\r\n\r\n{input}", input.len());
    assert!(body(&site.ask(&request)) == input);
}

#[test]
fn a_program_that_does_not_read_its_input_answers_all_the_same() {
    let site = Site::start();
    site.script("deaf", "exec 0<&-; echo Content-Type: text/plain; echo; echo deaf");
    let input = "x".repeat(1_000_000);
    let request = format!("POST /run/deaf HTTP/1.0\r\nContent-Length: {}\r\n\r\n{input}", input.len());
    assert_eq!(body(&site.ask(&request)), "deaf\n");
}

#[test]
fn error_output_is_in_the_log_before_the_answer_is_complete() {
    let site = Site::start();
    site.script("noise", "echo Content-Type: text/plain; echo; echo oops >&2; echo done");
    site.get("/run/noise");
    let log = site.error_log();
    let line = log.lines().find(|line| line.contains("oops")).unwrap();
    assert!(line.contains("[client 127.0.0.1:") && line.ends_with("AH01215: oops"), "{line}");
}

#[test]
fn a_program_that_cannot_be_started() {
    let site = Site::start();
    assert!(site.get("/run/none").starts_with("HTTP/1.1 500 "));
    site.file("run/plain", b"no program");
    assert!(site.get("/run/plain").starts_with("HTTP/1.1 500 "));
}

#[test]
fn a_client_that_leaves_takes_its_program_and_all_it_started_along() {
    let site = Site::start();
    let pid = site.directory.path().join("pid");
    let text = format!(
        "echo Content-Type: text/plain; echo; sleep 60 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait",
        pid.display()
    );
    site.script("slow", &text);
    let mut stream = site.connect();
    stream.write_all(b"GET /run/slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    wait_for("the script runs", || pid.exists());
    let sleeper = fs::read_to_string(&pid).unwrap();
    assert!(alive(&sleeper));
    // A reset, so that there is no doubt that the client does not read any more.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    wait_for("the sleeper ends", || !alive(&sleeper));
}

#[test]
fn a_client_that_never_reads_holds_up_nobody() {
    let site = Site::start();
    site.script("flood", "echo Content-Type: text/plain; echo; head -c 50000000 /dev/zero");
    site.file("f", b"file");
    let streams: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = site.connect();
            stream.write_all(b"GET /run/flood HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(body(&site.get("/f")), "file");
    drop(streams);
}

#[test]
fn no_descriptor_and_no_zombie_is_left_behind() {
    let site = Site::start();
    site.script("hello", "echo Content-Type: text/plain; echo; echo hello");
    for _ in 0..200 {
        assert!(site.get("/run/hello").contains("hello"));
    }
    let own = std::process::id();
    let zombies = || {
        let processes = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
        let zombie = |stat: &String| {
            let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
            fields.next() == Some("Z")
                && fields.next() == Some(own.to_string().as_str())
                && stat.contains("(hello)")
        };
        processes.filter(zombie).count()
    };
    wait_for("programs are reaped", || zombies() == 0);
}

/// Apache keeps such a connection too: it reads what is left of the body (ap_discard_request_body), and then the
/// next request.
#[test]
fn a_body_that_a_program_did_not_wait_for_does_not_end_the_connection() {
    let site = Site::start();
    site.script("deaf", "echo Content-Type: text/plain; echo; echo deaf");
    let mut stream = site.connect();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        write!(stream, "POST /run/deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").unwrap();
        stream.write_all(&[b'1'; 40000]).unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n0\r\n\r\n") {
            assert_ne!(reader.read_line(&mut answer).unwrap(), 0, "closed after {answer:?}");
        }
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("Connection: close"), "{answer}");
        stream.write_all(&[b'2'; 60000]).unwrap();
    }
    write!(stream, "GET /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut last = String::new();
    reader.read_to_string(&mut last).unwrap();
    assert!(last.starts_with("HTTP/1.1 404"), "{last}");
}

/// Such programs start one after another; see `pace`.
#[test]
fn programs_that_compute_are_all_answered() {
    let site = Site::start();
    site.script(
        "count",
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo Content-Type: text/plain; echo; echo $i",
    );
    site.script("quick", "echo Content-Type: text/plain; echo; echo quick");
    // The first run shows what kind of program it is.
    assert!(site.get("/run/count").contains("20000\n"));
    let mut streams: Vec<TcpStream> = (0..24).map(|_| site.connect()).collect();
    for (n, stream) in streams.iter_mut().enumerate() {
        let name = if n % 6 == 5 { "quick" } else { "count" };
        write!(stream, "GET /run/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    }
    // One that leaves while it waits holds up nobody.
    drop(streams.remove(20));
    for (n, mut stream) in streams.into_iter().enumerate() {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let n = if n >= 20 { n + 1 } else { n };
        assert!(answer.contains(if n % 6 == 5 { "quick\n" } else { "20000\n" }), "{answer}");
    }
}

#[test]
fn a_stop_ends_programs_and_removes_the_pid_file() {
    let mut site = Site::start();
    let pid_file = site.directory.path().join("httpd.pid");
    assert_eq!(fs::read_to_string(&pid_file).unwrap().trim(), std::process::id().to_string());
    let pid = site.directory.path().join("pid");
    let text = format!("echo $$ > {0}.tmp; mv {0}.tmp {0}; sleep 60", pid.display());
    site.script("slow", &text);
    let mut stream = site.connect();
    stream.write_all(b"GET /run/slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    wait_for("the script runs", || pid.exists());
    site.stop(Order::Stop("SIGTERM"));
    assert!(!alive(&fs::read_to_string(&pid).unwrap()));
    assert!(!pid_file.exists());
    assert!(site.error_log().contains("AH00491: caught SIGTERM, shutting down"));
    assert!(TcpStream::connect(site.address).is_err());
}

#[test]
fn a_graceful_stop_lets_answers_be_finished_and_closes_idle_connections() {
    let mut site = Site::start();
    site.script("slow", "echo Content-Type: text/plain; echo; echo one; sleep 1; echo two");
    site.file("f", b"file");
    let idle = site.connect();
    (&idle).write_all(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut idle = BufReader::new(idle);
    read_answer(&mut idle);
    let mut busy = site.connect();
    busy.write_all(b"GET /run/slow HTTP/1.0\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let reader = std::thread::spawn(move || {
        let mut answer = String::new();
        busy.read_to_string(&mut answer).unwrap();
        answer
    });
    site.stop(Order::GracefulStop);
    assert_eq!(body(&reader.join().unwrap()), "one\ntwo\n");
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_reload_changes_the_configuration_and_keeps_the_socket() {
    let site = Site::start();
    site.file("f", b"file");
    site.handle.order(Order::GracefulRestart);
    wait_for("the reload is told", || site.error_log().matches("resuming normal operations").count() == 2);
    assert_eq!(body(&site.get("/f")), "file");
    site.file("broken", b"");
    site.handle.order(Order::GracefulRestart);
    wait_for("the failure is told", || site.error_log().contains("AH00526"));
    assert_eq!(body(&site.get("/f")), "file");
}

#[test]
fn a_request_that_was_sent_before_a_graceful_restart_is_answered() {
    let site = Site::start();
    site.file("f", b"file");
    for _ in 0..50 {
        let stream = site.connect();
        std::thread::sleep(Duration::from_millis(1));
        (&stream).write_all(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        site.handle.order(Order::GracefulRestart);
        assert_eq!(read_answer(&mut BufReader::new(stream)).1, b"file");
    }
}

#[test]
fn a_reload_opens_log_files_anew() {
    let site = Site::start();
    let old = site.directory.path().join("error_log");
    fs::rename(&old, site.directory.path().join("error_log.1")).unwrap();
    site.handle.order(Order::GracefulRestart);
    wait_for("there is a new log", || {
        fs::read_to_string(&old).is_ok_and(|text| text.contains("resuming normal operations"))
    });
}

#[test]
fn a_hard_restart_drops_connections_and_goes_on() {
    let site = Site::start();
    site.file("f", b"file");
    let stream = site.connect();
    (&stream).write_all(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    read_answer(&mut reader);
    site.handle.order(Order::Restart);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    assert_eq!(body(&site.get("/f")), "file");
}

#[test]
fn a_client_that_shut_its_side_gets_the_output_of_a_program() {
    let site = Site::start();
    site.script("slow", "echo Content-Type: text/plain; echo; sleep 1; echo done");
    let mut stream = site.connect();
    stream.write_all(b"GET /run/slow HTTP/1.0\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(body(&answer), "done\n");
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_when_its_client_leaves() {
    let site = Site::start();
    let pid = site.directory.path().join("pid");
    let loop_forever = "while :; do sleep 1; done";
    site.script(
        "deaf",
        &format!("trap '' TERM; echo $$ > {0}.tmp; mv {0}.tmp {0}; {loop_forever}", pid.display()),
    );
    let mut stream = site.connect();
    stream.write_all(b"GET /run/deaf HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    wait_for("the script runs", || pid.exists());
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    let script = fs::read_to_string(&pid).unwrap();
    wait_for("the script is killed", || !alive(&script));
}

#[test]
fn a_lingering_close_delivers_an_answer_to_a_client_that_still_sends() {
    let site = Site::start();
    let mut stream = site.connect();
    let head = "POST /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let _ = writer.write_all(&vec![b'x'; 3_000_000]);
    });
    stream.read_to_string(&mut answer).unwrap();
    sender.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn errors_of_the_system_look_like_apaches() {
    let of = |code| super::os_error(&std::io::Error::from_raw_os_error(code));
    assert_eq!(of(13), "(13)Permission denied");
    assert_eq!(of(98), "(98)Address already in use");
}

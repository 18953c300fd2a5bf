//! Programs on the engine over a world in memory. What is expected was asked of Apache 2.4.71 with
//! prefork and mod_cgi.

use super::*;
use crate::{
    diag::Sources,
    engine::{
        Connection, Content, Engine, Lookups, Worker,
        exchange::{Ask, Exchange, Input, Output, Piece},
    },
    policy::{
        CoreDir, CoreServer, Policy,
        compile::{Start, compile},
        conf::Conf,
        core_conf::{CanonicalName, Signature},
        table::Tables,
    },
    system::{Memory, System},
};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

/// Maps `/cgi-bin/` to programs and everything else to files of no content.
static TOY: Module = Module {
    name: "toy",
    source: "toy.c",
    identifier: "toy_module",
    configs: &[Kind::of::<CoreDir>(), Kind::of::<CoreServer>()],
    hooks: &[
        Hook { phase: Phase::Translate, order: Order::LAST, run: translate },
        Hook { phase: Phase::AccessEx, order: Order::LAST, run: |_| Verdict::Ok },
        Hook { phase: Phase::Handler, order: Order::LAST, run: answer },
    ],
    ..Module::NOTHING
};

fn translate(cx: &mut Cx<'_>) -> Verdict {
    let system = cx.system();
    let req = &mut *cx.req;
    req.env.set("MYVAR", "one");
    let Some(rest) = req.uri.strip_prefix(b"/cgi-bin/").map(BString::from) else {
        req.filename = [b"/srv/htdocs", req.uri.as_slice()].concat().into();
        return Verdict::Ok;
    };
    let end = rest.find_byte(b'/').unwrap_or(rest.len());
    req.filename = [b"/srv/cgi-bin/", &rest[..end]].concat().into();
    req.path_info = rest[end..].into();
    req.context_prefix = Some("/cgi-bin/".into());
    req.context_document_root = Some("/srv/cgi-bin/".into());
    req.handler = Some("cgi-script".into());
    if !rest.starts_with(b"off") {
        req.notes.set("alias-forced-type", "cgi-script");
    }
    let filename = req.filename.clone();
    req.stat = system.stat(crate::system::path(&filename)).ok();
    Verdict::Ok
}

fn answer(cx: &mut Cx<'_>) -> Verdict {
    let text = format!("{} {}", cx.req.method_name, cx.req.uri);
    Verdict::Answer(Answer::Content(Content::Bytes(text.into())))
}

struct Harness {
    engine: Engine,
    worker: Worker,
    exchange: Option<Exchange>,
    out: Output,
}

impl Harness {
    fn new(change: impl FnOnce(&mut Conf, &mut Conf)) -> Harness {
        let mut world = Memory::new();
        for program in ["env", "x", "nph-x", "off", "dir/y"] {
            world = world.with(format!("/srv/cgi-bin/{program}"), "#!/bin/sh\n");
        }
        world.env.insert(b"PATH".to_vec(), b"/bin".to_vec());
        world.env.insert(b"TZ".to_vec(), b"UTC".to_vec());
        let world: Arc<dyn System> = Arc::new(world);
        let tables = Arc::new(Tables::new([TOY.table(), MODULE.table()]));
        let mut policy: Policy = compile(&[], tables, Sources::new(), &*world, Start::default()).policy;
        let server = &mut policy.servers[0];
        let (mut conf, mut dir) = ((*server.conf).clone(), (*server.dir).clone());
        let core = conf.slot::<CoreServer>();
        core.name = Some(Setting::new("localhost".into(), Span::BUILTIN));
        core.admin = Some(Setting::new("you@example.com".into(), Span::BUILTIN));
        core.document_root = Some(Setting::new("/srv/htdocs".into(), Span::BUILTIN));
        change(&mut conf, &mut dir);
        (server.conf, server.dir) = (Arc::new(conf), Arc::new(dir));
        let engine = Engine::new(Arc::new(policy), &[&TOY, &MODULE], world);
        let worker = Worker::new(&engine.policy);
        let (client, local) = ("127.0.0.1:5000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
        let lookups = RefCell::new(Lookups::default());
        let conn = Connection { client, local, id: 1, keepalives: Cell::new(0), lookups };
        let mut out = Output::default();
        let exchange = Some(Exchange::new(conn, &engine, &mut out));
        Harness { engine, worker, exchange, out }
    }

    fn on(&mut self, input: Input<'_>) {
        let exchange = self.exchange.take().expect("given back after each input");
        self.exchange = Some(exchange.on(input, &self.engine, &mut self.worker, &mut self.out));
    }

    fn program(&mut self, request: &str) -> Box<Cgi> {
        self.on(Input::Client(request.as_bytes()));
        let asks = std::mem::take(&mut self.out.asks);
        let spawned = asks.into_iter().find_map(|ask| match ask {
            Ask::Spawn { cgi, .. } => Some(cgi),
            _ => None,
        });
        spawned.expect("a program is to be run")
    }

    /// The answer, without the Date and Server lines and without a page of the server's own.
    fn answer(&self) -> String {
        let bytes = self.out.pieces.iter().flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::File { .. } => Vec::new(),
        });
        let all = String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned();
        let all = all.split("<!DOCTYPE").next().unwrap_or_default();
        let own = |line: &&str| !line.starts_with("Date: ") && !line.starts_with("Server: ");
        all.split_inclusive("\r\n").filter(own).collect::<String>().replace("\r\n", "\n")
    }

    fn log(&self) -> Vec<String> {
        let entries = self.out.errors.iter().map(|logged| &logged.entry);
        entries
            .map(|entry| format!("[{}:{}] {} {}", entry.module, entry.level, entry.number, entry.text))
            .collect()
    }
}

#[track_caller]
fn check_env(request: &str, expected: &[&str]) {
    check_env_with(|_, _| {}, request, expected);
}

#[track_caller]
fn check_env_with(change: impl FnOnce(&mut Conf, &mut Conf), request: &str, expected: &[&str]) {
    let cgi = Harness::new(change).program(request);
    let own = |name: &BString| !matches!(name.as_slice(), b"SERVER_SOFTWARE");
    let env: Vec<String> =
        cgi.env.iter().filter(|(name, _)| own(name)).map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, expected);
}

#[test]
fn the_environment_in_apaches_order() {
    check_env(
        "GET /cgi-bin/env/extra/path?a=1&b=%20 HTTP/1.1\r\nHost: h:8080\r\nProxy: x\r\nAuthorization: Basic eDp5\r\n\
         X_Under: 1\r\nX.Dot: 2\r\nX-M: a\r\nX-M: b\r\n\r\n",
        &[
            "TZ=UTC",
            "MYVAR=one",
            "HTTP_HOST=h:8080",
            "HTTP_X_M=a, b",
            "PATH=/bin",
            "SERVER_SIGNATURE=",
            "SERVER_NAME=h",
            "SERVER_ADDR=127.0.0.1",
            "SERVER_PORT=8080",
            "REMOTE_ADDR=127.0.0.1",
            "DOCUMENT_ROOT=/srv/htdocs",
            "REQUEST_SCHEME=http",
            "CONTEXT_PREFIX=/cgi-bin/",
            "CONTEXT_DOCUMENT_ROOT=/srv/cgi-bin/",
            "SERVER_ADMIN=you@example.com",
            "SCRIPT_FILENAME=/srv/cgi-bin/env",
            "REMOTE_PORT=5000",
            "GATEWAY_INTERFACE=CGI/1.1",
            "SERVER_PROTOCOL=HTTP/1.1",
            "REQUEST_METHOD=GET",
            "QUERY_STRING=a=1&b=%20",
            "REQUEST_URI=/cgi-bin/env/extra/path?a=1&b=%20",
            "SCRIPT_NAME=/cgi-bin/env",
            "PATH_INFO=/extra/path",
            "PATH_TRANSLATED=/srv/htdocs/extra/path",
        ],
    );
}

#[track_caller]
fn check_variable(
    change: impl FnOnce(&mut Conf, &mut Conf),
    request: &str,
    name: &str,
    expected: Option<&str>,
) {
    let cgi = Harness::new(change).program(request);
    let value = cgi.env.iter().find(|(own, _)| own == name).map(|(_, value)| value.to_string());
    assert_eq!(value.as_deref(), expected, "{name}");
}

#[test]
fn a_body_has_length_and_type() {
    let post = "POST /cgi-bin/env HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Type: a/b\r\n\r\n";
    check_variable(|_, _| {}, post, "CONTENT_LENGTH", Some("7"));
    check_variable(|_, _| {}, post, "CONTENT_TYPE", Some("a/b"));
    check_variable(|_, _| {}, post, "HTTP_CONTENT_TYPE", None);
    check_variable(|_, _| {}, post, "QUERY_STRING", Some(""));
    check_variable(|_, _| {}, post, "PATH_INFO", None);
}

#[test]
fn settings_of_the_place() {
    let get = "GET /cgi-bin/env/x?q HTTP/1.1\r\nHost: Some.Host:99\r\nAuthorization: Basic eDp5\r\n\r\n";
    let on = |value| Some(Setting::new(value, Span::BUILTIN));
    let pass = |_: &mut Conf, dir: &mut Conf| dir.slot::<CoreDir>().cgi_pass_auth = on(true);
    check_variable(pass, get, "HTTP_AUTHORIZATION", Some("Basic eDp5"));
    let current = |_: &mut Conf, dir: &mut Conf| dir.slot::<CoreDir>().cgi_original_uri = on(false);
    check_variable(current, get, "REQUEST_URI", Some("/cgi-bin/env/x"));
    let canonical = |_: &mut Conf, dir: &mut Conf| {
        let core = dir.slot::<CoreDir>();
        core.canonical_name = Some(Setting::new(CanonicalName::On, Span::BUILTIN));
        core.signature = Some(Setting::new(Signature::On, Span::BUILTIN));
    };
    check_variable(canonical, get, "SERVER_NAME", Some("localhost"));
    check_variable(canonical, get, "SERVER_PORT", Some("80"));
}

#[test]
fn the_program_and_where_it_runs() {
    let cgi = Harness::new(|_, _| {}).program("GET /cgi-bin/nph-x?one+two HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        (cgi.program.as_slice(), cgi.cwd.as_slice()),
        (&b"/srv/cgi-bin/nph-x"[..], &b"/srv/cgi-bin"[..])
    );
    assert_eq!(cgi.argv, ["/srv/cgi-bin/nph-x", "one", "two"]);
    assert!(cgi.nph);
    assert_eq!(cgi.timeout, Duration::from_secs(60));
}

#[track_caller]
fn check_refusal(path: &str, status: &str, log: &str) {
    let mut harness = Harness::new(|_, _| {});
    harness.on(Input::Client(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()));
    let answer = harness.answer();
    assert_eq!(answer.lines().next(), Some(format!("HTTP/1.1 {status}").as_str()));
    assert_eq!(harness.log(), [log]);
}

#[test]
fn refusals() {
    check_refusal(
        "/cgi-bin/off",
        "403 Forbidden",
        "[cgi:3] AH02809 stderr from /srv/cgi-bin/off: Options ExecCGI is off in this directory",
    );
    check_refusal(
        "/cgi-bin/absent",
        "404 Not Found",
        "[cgi:3] AH02811 stderr from /srv/cgi-bin/absent: script not found or unable to stat",
    );
    check_refusal(
        "/cgi-bin/dir",
        "403 Forbidden",
        "[cgi:3] AH02812 stderr from /srv/cgi-bin/dir: attempt to invoke directory as script",
    );
}

#[track_caller]
fn check_head(output: &str, expected: &str, log: &[&str]) {
    check_head_for(
        "POST /cgi-bin/x?q HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        output,
        expected,
        log,
    );
}

#[track_caller]
fn check_head_for(request: &str, output: &str, expected: &str, log: &[&str]) {
    let mut harness = Harness::new(|_, _| {});
    harness.program(request);
    harness.on(Input::Child(output.as_bytes()));
    harness.on(Input::ChildExit(0));
    harness.on(Input::ChildClosed);
    assert_eq!(harness.answer(), expected, "{output}");
    assert_eq!(harness.log(), log);
}

const LENGTH_OF_302: &str = "Content-Length: 233\nContent-Type: text/html; charset=iso-8859-1\n\n";

#[test]
fn redirects_for_the_client() {
    let page = format!("HTTP/1.1 302 Found\nLocation: http://x/\n{LENGTH_OF_302}");
    check_head("Status: 200 OK\nLocation: http://x/\n\nbody", &page, &[]);
    let page = format!("HTTP/1.1 302 Found\nX-A: b\nSet-Cookie: a=b\nLocation: http://x/\n{LENGTH_OF_302}");
    check_head("Location: http://x/\nX-A: b\nSet-Cookie: a=b\nContent-Type: text/plain\n\nbody", &page, &[]);
}

#[test]
fn a_status_of_its_own_keeps_the_body() {
    let chunked = "Transfer-Encoding: chunked\n";
    check_head(
        "Location: /nope\nStatus: 404\nX-A: b\n\nbody",
        &format!("HTTP/1.1 404 Not Found\nX-A: b\nLocation: /nope\n{chunked}\n4\nbody\n0\n\n"),
        &[],
    );
    check_head(
        "Status: 401 Mine\nContent-Type: text/plain\n\nb",
        &format!("HTTP/1.1 401 Mine\n{chunked}Content-Type: text/plain\n\n1\nb\n0\n\n"),
        &[],
    );
}

#[test]
fn a_status_that_is_none() {
    let answer = "HTTP/1.1 500 Internal Server Error\nX-A: b\nTransfer-Encoding: chunked\nContent-Type: text/plain\n\n\
                  4\nbody\n0\n\n";
    let log = "[cgi:3]  Invalid status line from script 'x': fine";
    check_head("Status: fine\nX-A: b\nContent-Type: text/plain\n\nbody", answer, &[log]);
}

#[test]
fn a_path_is_answered_by_the_server_itself() {
    let answer = "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 10\nContent-Type: foo/bar\n\nGET /plain";
    check_head(
        "Location: /plain?a\nX-A: 1\nContent-Type: foo/bar\nETag: \"x\"\nStatus: 200\n\n",
        answer,
        &[],
    );
}

#[test]
fn validators_of_the_program() {
    let get =
        "GET /cgi-bin/x HTTP/1.1\r\nHost: h\r\nIf-Modified-Since: Sun, 01 Jan 2023 00:00:00 GMT\r\n\r\n";
    let output = "Content-Type: text/plain\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\n\nb";
    let now = "Content-Type: text/plain\nLast-Modified: Sun, 01 Jan 2023 00:00:00 GMT\n\nb";
    check_head_for(
        get,
        now,
        "HTTP/1.1 304 Not Modified\nLast-Modified: Sun, 01 Jan 2023 00:00:00 GMT\n\n",
        &[],
    );
    let post = "POST /cgi-bin/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\
                If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\nTransfer-Encoding: chunked\n\
                  Content-Type: text/plain\n\n1\nb\n0\n\n";
    check_head_for(post, output, answer, &[]);
}

#[track_caller]
fn check_failure(output: &str, log: &str) {
    let mut harness = Harness::new(|_, _| {});
    harness.program("GET /cgi-bin/x HTTP/1.1\r\nHost: h\r\n\r\n");
    harness.on(Input::Child(output.as_bytes()));
    harness.on(Input::ChildExit(0));
    harness.on(Input::ChildClosed);
    assert!(harness.answer().starts_with("HTTP/1.1 500 Internal Server Error\n"), "{}", harness.answer());
    assert!(harness.answer().contains("\nConnection: close\n"), "{}", harness.answer());
    assert_eq!(harness.log(), [log]);
    assert!(harness.out.errors[0].entry.explanation.is_some());
}

#[test]
fn heads_that_are_none() {
    check_failure("", "[cgi:3]  End of script output before headers: x");
    check_failure("A: b\n", "[cgi:3]  Premature end of script headers: x");
    check_failure("X-A b\n\n", "[cgi:3]  malformed header from script 'x': Bad header: X-A b");
}

#[test]
fn a_program_that_cannot_be_started() {
    let mut harness = Harness::new(|_, _| {});
    harness.program("GET /cgi-bin/x HTTP/1.1\r\nHost: h\r\n\r\n");
    harness.on(Input::SpawnFailed("exec", std::io::Error::from_raw_os_error(13)));
    let expected = [
        "[cgi:3] AH01215 stderr from /srv/cgi-bin/x: (13)Permission denied: exec of '/srv/cgi-bin/x' failed",
        "[cgi:3]  End of script output before headers: x",
    ];
    assert_eq!(harness.log(), expected);
    assert!(harness.answer().starts_with("HTTP/1.1 500 "));
}

#[test]
fn a_program_that_says_nothing() {
    let mut harness = Harness::new(|_, _| {});
    harness.program("GET /cgi-bin/x HTTP/1.1\r\nHost: h\r\n\r\n");
    harness.on(Input::ChildStderr(b"partial\r\n"));
    harness.on(Input::Deadline);
    let expected = [
        "[cgi:3] AH01215 stderr from /srv/cgi-bin/x: partial",
        "[cgi:4] AH01220 Timeout waiting for output from CGI script /srv/cgi-bin/x",
        "[cgi:3]  Script timed out before returning headers: x",
    ];
    assert_eq!(harness.log(), expected);
    assert!(harness.answer().starts_with("HTTP/1.1 504 Gateway Timeout\n"));
}

#[track_caller]
fn check_interval(text: &str, milliseconds: Option<u64>) {
    assert_eq!(interval(text.as_bytes()), milliseconds.map(Duration::from_millis), "{text}");
}

#[test]
fn intervals_that_apache_takes() {
    check_interval("5", Some(5000));
    check_interval("100ms", Some(100));
    check_interval("2min", Some(120_000));
    check_interval("2h", Some(7_200_000));
    check_interval("0", Some(0));
    check_interval("+5", Some(5000));
    check_interval("mi", Some(0));
}

#[test]
fn intervals_that_apache_refuses() {
    for text in ["x", "5x", "-1", "5 s", "1.5", "99999999999999999999"] {
        check_interval(text, None);
    }
}

#[track_caller]
fn check_arguments(query: &[u8], expected: &[&[u8]]) {
    let argv = arguments(b"/p", Some(query));
    let words: Vec<&[u8]> = argv.iter().skip(1).map(|word| word.as_slice()).collect();
    assert_eq!(words, expected);
}

#[test]
fn a_query_without_equals_sign_is_cut_into_words() {
    check_arguments(b"one+two%21+%2fx", &[b"one", b"two!", b"/x"]);
    check_arguments(b"+a++b+", &[b"", b"a", b"", b"b", b""]);
    check_arguments(b"a%3Db", &[b"a=b"]);
}

#[test]
fn a_query_with_one_is_not() {
    check_arguments(b"a=1+two", &[]);
    check_arguments(b"=", &[]);
    check_arguments(b"", &[]);
}

#[test]
fn broken_escapes_stay() {
    check_arguments(b"%zz+a%0+b", &[b"%zz", b"a%0", b"b"]);
}

#[test]
fn what_a_shell_acts_on_is_escaped_and_a_nul_ends_the_word() {
    let query = b"a%00b+%26%3b%60%27%22%7c%2a%3f%7e%3c%3e%5e%28%29%5b%5d%7b%7d%24%5c%0a%0d!%23%25%ff";
    let escaped = b"\\&\\;\\`\\'\\\"\\|\\*\\?\\~\\<\\>\\^\\(\\)\\[\\]\\{\\}\\$\\\\\\\n\r!#%\xff";
    check_arguments(query, &[b"a", escaped]);
}

//! The engine and the exchange with modules of three lines, over a world in memory: no socket, no
//! clock, no process.

use super::{
    Answer, Connection, Content, Cx, Engine, Hook, Lookups, Module, Order, Phase, Verdict, Worker,
    exchange::{Ask, Exchange, Input, Output, Piece},
};
use crate::{
    diag::Sources,
    engine::answer::{Cgi, CgiFailure, CgiFault},
    http::{Status, cgi::CgiHead},
    policy::compile::{Start, compile},
    policy::table::Tables,
    system::{Memory, Opened, System},
};
use std::{cell::Cell, sync::Arc, time::Duration};

/// Serves files from the root, denies `/denied`, runs `/run`, goes from `/old` to `/new`.
static TOY: Module = Module {
    name: "toy",
    source: "toy.c",
    identifier: "toy_module",
    configs: &[
        crate::policy::Kind::of::<crate::policy::CoreDir>(),
        crate::policy::Kind::of::<crate::policy::CoreServer>(),
    ],
    hooks: &[
        Hook { phase: Phase::Translate, order: Order::LAST, run: translate },
        Hook { phase: Phase::AccessEx, order: Order::LAST, run: access },
        Hook { phase: Phase::Handler, order: Order::LAST, run: handler },
    ],
    ..Module::NOTHING
};

fn translate(cx: &mut Cx<'_>) -> Verdict {
    cx.req.filename = cx.req.uri.clone();
    Verdict::Ok
}

fn access(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.uri == "/denied" { Verdict::Status(Status(403)) } else { Verdict::Ok }
}

fn handler(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.uri == "/old" {
        let base = cx.worker.base(cx.req.server);
        return Verdict::Become(cx.req.redirect_to(b"/new", &base));
    }
    if cx.req.uri == "/run" {
        return Verdict::Answer(Answer::Spawn(Box::new(program())));
    }
    let path = crate::system::path(&cx.req.filename);
    match (cx.system().open(path), cx.system().stat(path)) {
        (Ok(file), Ok(stat)) => {
            Verdict::Answer(Answer::Content(Content::File { file, skip: 0, stat, sendfile: false }))
        }
        _ => Verdict::Status(Status(404)),
    }
}

fn program() -> Cgi {
    Cgi {
        program: "/run".into(),
        argv: vec!["/run".into()],
        env: Vec::new(),
        cwd: "/".into(),
        keep_input: 0,
        keep_output: 0,
        nph: false,
        timeout: Duration::from_secs(60),
        limits: [None; 3],
        on_head: |cx: &mut Cx<'_>, head: Result<Box<CgiHead>, CgiFault>| match head {
            Ok(head) => {
                cx.req.content_type = head.content_type;
                Verdict::Ok
            }
            Err(_) => Verdict::Status(Status(500)),
        },
        on_stderr: |cx, line| cx.log(3, "", format_args!("{}", bstr::BStr::new(line))),
        on_failure: |_, failure| {
            Verdict::Status(Status(if matches!(failure, CgiFailure::Timeout { .. }) { 504 } else { 500 }))
        },
    }
}

struct Harness {
    engine: Engine,
    worker: Worker,
    exchange: Option<Exchange>,
}

impl Harness {
    fn new() -> Harness {
        let world: Arc<dyn System> = Arc::new(Memory::new().with("/hello", "hello\n").with("/new", "new\n"));
        let tables = Arc::new(Tables::new([TOY.table()]));
        let compiled = compile(&[], tables, Sources::new(), &*world, Start::default());
        assert!(compiled.diagnostics.is_empty());
        let engine = Engine::new(Arc::new(compiled.policy), &[&TOY], world);
        let worker = Worker::new(&engine.policy);
        let address = "127.0.0.1:8080".parse().expect("an address");
        let lookups = std::cell::RefCell::new(Lookups::default());
        let conn = Connection { client: address, local: address, id: 1, keepalives: Cell::new(0), lookups };
        let exchange = Some(Exchange::new(conn, &engine, &mut Output::default()));
        Harness { engine, worker, exchange }
    }

    fn on(&mut self, input: Input<'_>) -> Output {
        let mut out = Output::default();
        let exchange = self.exchange.take().expect("given back after each input");
        self.exchange = Some(exchange.on(input, &self.engine, &mut self.worker, &mut out));
        out
    }

    fn wants_client(&self) -> bool {
        self.exchange.as_ref().is_some_and(Exchange::wants_client)
    }
}

/// Everything handed out, without the Date and Server lines.
fn text(out: &Output) -> String {
    let bytes = out.pieces.iter().flat_map(|piece| match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        Piece::File { file: Opened::Bytes(bytes), at, len, .. } => {
            bytes[*at as usize..(*at + *len) as usize].to_vec()
        }
        Piece::File { .. } => Vec::new(),
    });
    let all = String::from_utf8(bytes.collect()).expect("text");
    let own = |line: &&str| !line.starts_with("Date: ") && !line.starts_with("Server: ");
    all.split_inclusive("\r\n").filter(own).collect()
}

#[track_caller]
fn check(request: &str, expected: &str) {
    let mut harness = Harness::new();
    assert_eq!(text(&harness.on(Input::Client(request.as_bytes()))), expected);
}

#[test]
fn a_file_is_served() {
    check("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
}

#[test]
fn the_head_alone_is_sent_for_head() {
    check("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
}

#[test]
fn a_range_is_cut_out() {
    check(
        "GET /hello HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 1-2/6\r\n\r\nel",
    );
}

#[test]
fn an_internal_redirect_is_decided_from_the_top() {
    check("GET /old HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnew\n");
}

#[test]
fn a_denial_has_the_built_in_page() {
    let mut harness = Harness::new();
    let out = text(&harness.on(Input::Client(b"GET /denied HTTP/1.1\r\nHost: a\r\n\r\n")));
    assert!(out.starts_with("HTTP/1.1 403 Forbidden\r\nContent-Length: 239\r\n"), "{out}");
    assert!(out.contains("<p>You don't have permission to access this resource.</p>"), "{out}");
}

#[test]
fn the_next_request_is_read_once_the_answer_is_written() {
    let mut harness = Harness::new();
    let two =
        b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /new HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(text(&harness.on(Input::Client(two))).ends_with("hello\n"));
    assert!(!harness.wants_client());
    let out = harness.on(Input::Drained);
    assert!(text(&out).contains("Connection: close"));
    let out = harness.on(Input::Drained);
    assert!(matches!(out.asks.as_slice(), [.., Ask::Finish]));
}

#[test]
fn a_request_in_pieces_is_one_request() {
    let mut harness = Harness::new();
    assert!(harness.on(Input::Client(b"GET /hello HT")).pieces.is_empty());
    assert!(harness.on(Input::Client(b"TP/1.1\r\nHost: a\r\n")).pieces.is_empty());
    assert!(text(&harness.on(Input::Client(b"\r\n"))).ends_with("hello\n"));
}

#[test]
fn a_program_is_fed_and_its_output_goes_in_chunks() {
    let mut harness = Harness::new();
    let out = harness.on(Input::Client(b"POST /run HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"));
    let asks = &out.asks[..];
    assert!(asks.iter().any(|ask| matches!(ask, Ask::Spawn { .. })), "{asks:?}");
    assert!(asks.iter().any(|ask| matches!(ask, Ask::FeedChild(bytes) if bytes == b"ab")), "{asks:?}");
    assert!(!harness.wants_client());
    harness.on(Input::ChildFed);
    assert!(harness.wants_client());
    let out = harness.on(Input::Client(b"c"));
    assert!(matches!(out.asks.as_slice(), [Ask::FeedChild(bytes), Ask::CloseChildInput] if bytes == b"c"));
    let out = harness.on(Input::Child(b"Content-Type: text/plain\n\nhi"));
    assert_eq!(
        text(&out),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n2\r\nhi\r\n"
    );
    assert_eq!(text(&harness.on(Input::ChildClosed)), "0\r\n\r\n");
}

#[test]
fn a_program_without_a_head_is_a_500_that_knows_its_end() {
    let mut harness = Harness::new();
    harness.on(Input::Client(b"GET /run HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(harness.on(Input::ChildClosed).pieces.is_empty());
    assert!(text(&harness.on(Input::ChildExit(256))).starts_with("HTTP/1.1 500 "));
}

#[test]
fn a_client_that_leaves_takes_its_program_with_it() {
    let mut harness = Harness::new();
    harness.on(Input::Client(b"GET /run HTTP/1.1\r\nHost: a\r\n\r\n"));
    let out = harness.on(Input::ClientGone);
    assert!(matches!(out.asks.as_slice(), [Ask::KillChild, Ask::Abort]), "{:?}", out.asks);
}

#[test]
fn a_silent_program_is_a_504() {
    let mut harness = Harness::new();
    harness.on(Input::Client(b"GET /run HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(text(&harness.on(Input::Deadline)).starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
}

#[test]
fn a_body_that_nobody_reads_is_read_before_the_next_request() {
    let mut harness = Harness::new();
    let out = harness.on(Input::Client(b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"));
    assert!(out.pieces.is_empty());
    let out = harness.on(Input::Client(b"cdGET /new HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(text(&out).ends_with("hello\n"));
    assert!(text(&harness.on(Input::Drained)).ends_with("new\n"));
}

#[test]
fn a_malformed_request_is_refused_and_the_connection_closed() {
    let mut harness = Harness::new();
    let out = text(&harness.on(Input::Client(b"GET\r\n\r\n")));
    assert!(out.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{out}");
    assert!(out.contains("Connection: close\r\n"), "{out}");
}

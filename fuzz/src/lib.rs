//! What must hold for any bytes at all, wherever bytes come in from outside. The fuzz targets call
//! these, and so does `tests/fuzz_smoke.rs`, which needs no nightly compiler.

use bstr::{BString, ByteSlice};
use rachis::{
    diag::{Sources, render},
    engine::{
        Connection, Engine, Lookups, Worker,
        exchange::{Ask, Exchange, Input, Output},
    },
    http::{
        cgi::{CgiError, CgiHead, Scan, Scanner},
        request::{Limits, Parse, parse},
    },
    modules,
    policy::{
        expr::{self, Captures, Context, LogLevel, Mode, SubRequest, SubRequestKind, Variable},
        reading::{self, ConfigFile, LoadOptions, Loaded},
    },
    system::{Memory, System},
};
use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, OnceLock},
};

/// A configuration is read to its end, every finding can be shown, and what has no error can
/// answer a request.
pub fn syntax(data: &[u8]) {
    let world = world(b"");
    let loaded = load(data, &world);
    show(&loaded);
    if !loaded.has_errors() {
        let engine = Engine::new(Arc::new(loaded.policy), modules::ALL, Arc::new(world));
        converse(&engine, b"GET /d/page.html?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
}

/// An expression is read, in both modes, and what can be read can be evaluated.
pub fn expr(data: &[u8]) {
    for mode in [Mode::Condition, Mode::String] {
        for options in [
            expr::Options::default(),
            expr::Options {
                ssl: true,
                no_file_functions: true,
                include: true,
                dont_vary: true,
                ..Default::default()
            },
        ] {
            let Ok(read) = expr::parse(data, mode, options) else { continue };
            let mut nothing = Nothing(world(b""));
            let _ = expr::eval(&read, &mut nothing, &mut Captures::new());
            let _ = expr::eval_string(&read, &mut nothing, &mut Captures::new());
        }
    }
}

/// A request's head is read; it takes no more than there is; where a whole head was found, its
/// beginnings are none; and a server that is sent these bytes, in one piece or in two, lives.
pub fn request_head(data: &[u8]) {
    for strict in [true, false] {
        let limits = Limits { strict, line: 100, field_size: 100, fields: 10, ..Limits::default() };
        if let Parse::Done(_, used) = parse(data, &limits) {
            assert!(used <= data.len(), "{used} bytes used of {}", data.len());
            let shorter = parse(&data[..used - 1], &limits);
            assert!(matches!(shorter, Parse::Partial), "a head within a head: {shorter:?}");
        }
    }
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let world = world(b"");
        let loaded = load(SITE, &world);
        assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
        Engine::new(Arc::new(loaded.policy), modules::ALL, Arc::new(world))
    });
    converse(engine, data);
}

/// A program's head is read, and comes out the same however it is cut.
pub fn cgi_head(data: &[u8]) {
    let whole = scan(&[data]);
    let middle = data.len() / 2;
    let cut = scan(&[&data[..middle], &data[middle..]]);
    assert_eq!(whole, cut);
    if let Err(error) = whole {
        let _ = error.message(b"script");
    }
}

/// A `.htaccess` file makes an answer, whatever is in it.
pub fn htaccess(data: &[u8]) {
    static POLICY: OnceLock<Arc<rachis::policy::Policy>> = OnceLock::new();
    let policy = POLICY.get_or_init(|| Arc::new(load(SITE, &world(b"")).policy));
    let engine = Engine::new(policy.clone(), modules::ALL, Arc::new(world(data)));
    converse(
        &engine,
        b"GET /d/page.html?a=b HTTP/1.1\r\nHost: localhost\r\n\r\nGET /d/ HTTP/1.1\r\nHost: a\r\n\r\n",
    );
}

const SITE: &[u8] = b"ServerName localhost\nDocumentRoot /www\nScriptAlias /cgi-bin/ /cgi/\n\
<Directory />\nAllowOverride All\nOptions All\nRequire all granted\n</Directory>\n";

fn world(htaccess: &[u8]) -> Memory {
    Memory::new()
        .with("/www/d/page.html", "hello\n")
        .with("/www/d/.htaccess", htaccess)
        .with("/cgi/p", "#!/bin/sh\n")
        .with("/etc/more.conf", "Define MORE more\n")
}

fn load(text: &[u8], world: &Memory) -> Loaded {
    let tables: Vec<reading::Module> = modules::ALL
        .iter()
        .map(|module| reading::Module { table: module.table(), check: module.check })
        .collect();
    let options = LoadOptions {
        server_root: "/etc".into(),
        file: ConfigFile::Text("/etc/httpd.conf".into(), text.to_vec()),
        pre: Vec::new(),
        post: Vec::new(),
        defines: Vec::new(),
    };
    reading::load(&options, &tables, world)
}

fn show(loaded: &Loaded) {
    let sources: &Sources = &loaded.policy.sources;
    for diagnostic in &loaded.diagnostics {
        let _ = render::full(diagnostic, sources, false);
        let _ = render::concise(diagnostic, sources);
        let _ = render::json(diagnostic, sources);
    }
}

/// A client sends these bytes in two pieces, takes all answers, and closes. Programs print nothing.
fn converse(engine: &Engine, bytes: &[u8]) {
    let mut worker = Worker::new(&engine.policy);
    let mut out = Output::default();
    let address = (Ipv4Addr::LOCALHOST, 80).into();
    let lookups = RefCell::new(Lookups::default());
    let conn = Connection { client: address, local: address, id: 1, keepalives: Cell::new(0), lookups };
    let mut exchange = Exchange::new(conn, engine, &mut out);
    let (first, second) = bytes.split_at(bytes.len() / 3);
    for piece in [first, second] {
        for _ in 0..64 {
            let next = next_input(&exchange, &mut out);
            let Some(input) = next else { break };
            exchange = exchange.on(input, engine, &mut worker, &mut out);
        }
        if !exchange.wants_client() {
            break;
        }
        exchange = exchange.on(Input::Client(piece), engine, &mut worker, &mut out);
    }
    for input in [Input::Drained, Input::ClientEof, Input::Drained, Input::Deadline, Input::ClientGone] {
        exchange = exchange.on(input, engine, &mut worker, &mut out);
    }
}

/// What the loop would tell next, if not that bytes came from the client.
fn next_input(exchange: &Exchange, out: &mut Output) -> Option<Input<'static>> {
    let asks = std::mem::take(&mut out.asks);
    out.pieces.clear();
    for ask in asks {
        match ask {
            Ask::Close | Ask::Finish | Ask::Abort => return None,
            Ask::Spawn { .. } => return Some(Input::ChildClosed),
            Ask::FeedChild(_) => return Some(Input::ChildFed),
            _ => {}
        }
    }
    if exchange.wants_child() {
        return Some(Input::ChildExit(0));
    }
    (!exchange.wants_client()).then_some(Input::Drained)
}

fn scan(pieces: &[&[u8]]) -> Result<Option<(Box<CgiHead>, usize)>, CgiError> {
    let mut scanner = Scanner::new();
    let mut before = 0;
    for piece in pieces {
        match scanner.feed(piece)? {
            Scan::Partial => before += piece.len(),
            Scan::Done(head, used) => return Ok(Some((head, before + used))),
        }
    }
    Err(scanner.finish())
}

/// A request of which nothing is known.
struct Nothing(Memory);

impl Context for Nothing {
    fn system(&self) -> &dyn System {
        &self.0
    }

    fn variable(&mut self, _: &Variable) -> Option<BString> {
        Some("value".into())
    }

    fn request_header(&self, name: &[u8]) -> Option<BString> {
        Some(name.as_bstr().to_owned())
    }

    fn response_header(&self, _: &[u8]) -> Option<BString> {
        None
    }

    fn env(&mut self, name: &[u8]) -> Option<BString> {
        Some(name.as_bstr().to_owned())
    }

    fn note(&self, _: &[u8]) -> Option<BString> {
        None
    }

    fn vary(&mut self, _: &[u8]) {}

    fn remote_ip(&self) -> Option<IpAddr> {
        Some(Ipv4Addr::LOCALHOST.into())
    }

    fn sub_request(&mut self, _: SubRequestKind, _: &[u8]) -> SubRequest {
        SubRequest { status: 200, is_file: true }
    }

    fn log(&mut self, _: LogLevel, _: String) {}
}

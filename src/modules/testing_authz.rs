//! Small configurations over a world in memory, for the tests of modules: what is said of them at
//! the start, and what a request gets. The client is 127.0.0.1, which is `localhost`, as it is for
//! the Apache whose answers are expected.

use crate::{
    diag::{Apache, Diagnostic},
    engine::{
        Connection, Engine, Lookups, Worker,
        exchange::{Ask, Exchange, Input, Output, Piece},
    },
    modules::ALL,
    policy::reading::{ConfigFile, LoadOptions, Loaded, Module, load},
    system::{Memory, System},
};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

pub fn read(config: &str, world: &dyn System) -> Loaded {
    let options = LoadOptions {
        server_root: "/".into(),
        file: ConfigFile::Text("/httpd.conf".into(), config.into()),
        pre: Vec::new(),
        post: Vec::new(),
        defines: Vec::new(),
    };
    let modules: Vec<Module> =
        ALL.iter().map(|module| Module { table: module.table(), check: module.check }).collect();
    load(&options, &modules, world)
}

fn world() -> Memory {
    Memory::new()
        .with("/site/x.txt", "x")
        .with("/site/sub/x.txt", "x")
        .with("/site/sub/deep/x.txt", "x")
        .with("/site/ht/.htaccess", "<RequireAll>\nRequire not method POST\n</RequireAll>\n")
        .with("/site/ht/x.txt", "x")
        .with("/site/alias/.htaccess", "Require nobody\n")
        .with("/site/alias/x.txt", "x")
        .with("/site/bad/.htaccess", "Require foo\n")
        .with("/site/bad/x.txt", "x")
}

/// A server for one request.
pub struct Server {
    engine: Engine,
    worker: Worker,
}

impl Server {
    #[track_caller]
    pub fn new(config: &str) -> Server {
        let world: Arc<dyn System> = Arc::new(world());
        let config = format!(
            "LogLevel authz_core:debug authz_host:debug access_compat:debug\nDocumentRoot /site\n{config}\n"
        );
        let loaded = read(&config, &*world);
        assert!(!loaded.has_errors(), "{:?}", loaded.first_error());
        let engine = Engine::new(Arc::new(loaded.policy), ALL, world);
        let worker = Worker::new(&engine.policy);
        Server { engine, worker }
    }

    /// Status and log of a request.
    pub fn ask(&mut self, method: &str, url: &str) -> (u16, Vec<String>) {
        self.ask_from("127.0.0.1", method, url)
    }

    /// The same for a client at another address, whose name server says that it is localhost too.
    pub fn ask_from(&mut self, client: &str, method: &str, url: &str) -> (u16, Vec<String>) {
        let (engine, worker) = (&self.engine, &mut self.worker);
        let conn = Connection {
            client: format!("{client}:4000").parse().expect("an address"),
            local: "127.0.0.1:80".parse().expect("an address"),
            id: 1,
            keepalives: Cell::new(0),
            lookups: RefCell::new(Lookups::default()),
        };
        let mut out = Output::default();
        let mut exchange = Exchange::new(conn, engine, &mut out);
        let head = format!("{method} {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        exchange = exchange.on(Input::Client(head.as_bytes()), engine, worker, &mut out);
        while let Some(pending) = out.asks.iter().find_map(|ask| match ask {
            Ask::Resolve(pending) => Some(pending.clone()),
            _ => None,
        }) {
            out.asks.clear();
            exchange = exchange.on(resolved(pending), engine, worker, &mut out);
        }
        let line = |logged: &crate::engine::exchange::Logged| {
            let entry = &logged.entry;
            format!("{} {}: {}", entry.module, entry.number, entry.text)
        };
        (status(&out), out.errors.iter().map(line).collect())
    }
}

fn resolved(pending: crate::engine::Pending) -> Input<'static> {
    use crate::engine::{
        Found,
        Pending::{AddressesOf, NameOf, Password},
    };
    match pending {
        NameOf(address) => Input::Found(Found::Name(address, Some("Localhost".into()))),
        AddressesOf(name) => {
            let known = name == "localhost";
            let addresses = if known { vec!["127.0.0.1".parse().expect("an address")] } else { Vec::new() };
            Input::Found(Found::Addresses(name, addresses))
        }
        Password(check) => {
            let holds = check.holds();
            Input::Found(Found::Password(check, holds))
        }
    }
}

fn status(out: &Output) -> u16 {
    let Some(Piece::Bytes(head)) = out.pieces.first() else { return 0 };
    let text = String::from_utf8_lossy(head);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// `/x.txt` asked for with GET under these lines in its `<Directory>`.
#[track_caller]
pub fn answers(lines: &str, expected: u16) {
    assert_eq!(Server::new(&directory(lines)).ask("GET", "/x.txt").0, expected, "{lines}");
}

#[track_caller]
pub fn log(lines: &str, method: &str, expected: &[&str]) {
    assert_eq!(Server::new(&directory(lines)).ask(method, "/x.txt").1, expected);
}

pub fn directory(lines: &str) -> String {
    format!("<Directory /site>\n{lines}\n</Directory>")
}

/// Apache's error at the start, below its `AH00526: Syntax error on line N of F:`.
#[track_caller]
pub fn refused(lines: &str, line: u32, expected: &str) {
    refused_text(
        &directory(lines),
        &format!("AH00526: Syntax error on line {line} of /httpd.conf:\n{expected}"),
    );
}

#[track_caller]
pub fn refused_text(config: &str, expected: &str) {
    let loaded = read(config, &world());
    let text = loaded.first_error().map(|Diagnostic { apache, .. }| match apache {
        Apache::Plain(text) | Apache::Program(text) => text.clone(),
        Apache::Silent => String::new(),
    });
    assert_eq!(text.as_deref(), Some(expected));
}

#[track_caller]
pub fn accepted(config: &str) {
    let loaded = read(config, &world());
    assert!(!loaded.has_errors(), "{config}: {:?}", loaded.first_error());
}

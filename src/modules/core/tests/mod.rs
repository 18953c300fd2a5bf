//! What core does to small configurations over a world in memory. The expected texts and answers
//! are Apache's, asked one by one.

mod configuration;
mod handler;
mod lookups;
mod walks;

use crate::{
    engine::{
        Connection, Cx, Engine, Hook, Lookups, Module, Order, Phase, Verdict, Worker,
        exchange::{Exchange, Input, Output, Piece},
    },
    policy::{
        Applied, Args, Config, Directive, Kind, Place, Shape,
        reading::{self, ConfigFile, LoadOptions, Loaded, load},
    },
    system::{Memory, Opened, System},
};
use std::{cell::Cell, sync::Arc};

/// `Mark word` adds a word; the words that hold for a request, in merge order, come back as `X`.
static MARK: Module = Module {
    name: "mod_mark",
    source: "mod_mark.c",
    identifier: "mark_module",
    configs: &[Kind::of::<Marks>()],
    directives: &[Directive {
        name: "Mark",
        shape: Shape::One,
        scope: super::ALL,
        usage: "a word",
        doc: "a word",
        apply: mark,
    }],
    hooks: &[Hook { phase: Phase::Fixup, order: Order::MIDDLE, run: show }],
    ..Module::NOTHING
};

#[derive(Clone, Debug, Default)]
struct Marks(Vec<String>);

impl Config for Marks {
    fn merge(&self, outer: &Self) -> Self {
        Marks(outer.0.iter().chain(&self.0).cloned().collect())
    }
}

fn mark(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<Marks>().0.push(String::from_utf8_lossy(args.text(0)).into_owned());
    Ok(())
}

fn show(cx: &mut Cx<'_>) -> Verdict {
    let marks = cx.conf::<Marks>().0.join(" ");
    cx.req.err_headers_out.set("X", marks);
    Verdict::Ok
}

/// Lets everybody in, as mod_authz_core does where nothing is required.
static OPEN: Module = Module {
    name: "mod_open",
    source: "mod_open.c",
    identifier: "open_module",
    hooks: &[Hook { phase: Phase::AccessEx, order: Order::LAST, run: |_| Verdict::Ok }],
    ..Module::NOTHING
};

fn modules() -> Vec<&'static Module> {
    crate::modules::ALL.iter().copied().filter(|m| m.always).chain([&MARK, &OPEN]).collect()
}

fn world() -> Memory {
    let dirs = vec!["/srv/empty".into(), "/etc/httpd".into()];
    let world =
        Memory::new().with("/srv/a.html", "a").with("/srv/sub/b.txt", "b").with("/srv/sub/deep/c.txt", "c");
    Memory { dirs, ..world }
}

fn read(text: &str, world: &dyn System) -> Loaded {
    let options = LoadOptions {
        server_root: "/etc/httpd".into(),
        file: ConfigFile::Text("F".into(), text.as_bytes().to_vec()),
        pre: Vec::new(),
        post: Vec::new(),
        defines: Vec::new(),
    };
    let entry = |m: &&'static Module| reading::Module { table: m.table(), check: m.check };
    let entries: Vec<reading::Module> = modules().iter().map(entry).collect();
    load(&options, &entries, world)
}

/// A server over the world in memory, one connection at a time.
struct Site {
    engine: Engine,
    worker: Worker,
}

impl Site {
    #[track_caller]
    fn new(text: &str) -> Site {
        Site::over(text, world())
    }

    #[track_caller]
    fn over(text: &str, world: Memory) -> Site {
        Site::of(&format!("DocumentRoot /srv\n{text}"), world)
    }

    #[track_caller]
    fn without_root(world: Memory) -> Site {
        Site::of("", world)
    }

    #[track_caller]
    fn of(text: &str, world: Memory) -> Site {
        let loaded = read(text, &world);
        let errors: Vec<_> = loaded.first_error().into_iter().map(|e| &e.headline).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let engine = Engine::new(Arc::new(loaded.policy), &modules(), Arc::new(world));
        let worker = Worker::new(&engine.policy);
        Site { engine, worker }
    }

    /// What comes back for `METHOD target` and further header lines.
    fn ask(&mut self, request: &str) -> String {
        let (line, fields) = request.split_once('\n').unwrap_or((request, ""));
        let host = if fields.contains("Host:") { "" } else { "Host: localhost\n" };
        let text =
            format!("{line} HTTP/1.1\n{host}{fields}\n\n").replace("\n\n\n", "\n\n").replace('\n', "\r\n");
        let address = "127.0.0.1:80".parse().expect("an address");
        let lookups = std::cell::RefCell::new(Lookups::default());
        let conn = Connection { client: address, local: address, id: 1, keepalives: Cell::new(0), lookups };
        let mut out = Output::default();
        let exchange = Exchange::new(conn, &self.engine, &mut out);
        exchange.on(Input::Client(text.as_bytes()), &self.engine, &mut self.worker, &mut out);
        out.pieces.iter().map(piece).collect()
    }

    /// The status, and the words of `Mark` that held.
    fn marks(&mut self, request: &str) -> String {
        let answer = self.ask(request);
        let status = answer.get(9..12).unwrap_or("???").to_owned();
        let marks = answer.lines().find_map(|line| line.strip_prefix("X: ")).unwrap_or_default();
        format!("{status} {marks}").trim_end().to_owned()
    }
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Piece::File { file: Opened::Bytes(bytes), at, len, .. } => {
            let (from, to) = (usize::try_from(*at).unwrap_or(0), usize::try_from(at + len).unwrap_or(0));
            String::from_utf8_lossy(bytes.get(from..to).unwrap_or_default()).into_owned()
        }
        Piece::File { .. } => String::new(),
    }
}

//! A small site in memory for the tests of modules: their directives and sections are read by the
//! real reader and asked by the real engine, with the least of a core around them.

use super::{mod_alias, mod_dir, mod_env, mod_mime, mod_setenvif};
use crate::{
    diag::{Apache, Diagnostic, Sources, Span},
    engine::{
        Answer, Connection, Content, Cx, Engine, Hook, Lookups, Module, Order, Phase, Verdict, Worker,
        directory_walk,
        exchange::{Exchange, Input, Output, Piece},
        location_walk,
    },
    http::Status,
    policy::{
        Args, CoreDir, CoreServer, Directive, Kind, Place, Scope, Shape,
        compile::{Start, compile},
        section::{Pattern, SectionKind},
        table::Tables,
    },
    syntax::{self, Stage, State},
    system::{Memory, Opened, System},
};
use bstr::{BString, ByteSlice};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

static MODULES: [&Module; 6] =
    [&CORE, &mod_alias::MODULE, &mod_dir::MODULE, &mod_env::MODULE, &mod_mime::MODULE, &mod_setenvif::MODULE];

/// Documents are in `/www`. A program, which is what has the handler `cgi-script`, is answered
/// with the names it would see.
static CORE: Module = Module {
    name: "core",
    source: "core.c",
    identifier: "core_module",
    configs: &[Kind::of::<CoreDir>(), Kind::of::<CoreServer>()],
    directives: &SECTIONS,
    hooks: &[
        Hook { phase: Phase::Early, order: Order::FIRST, run: locations },
        Hook { phase: Phase::Translate, order: Order::REALLY_LAST, run: translate },
        Hook { phase: Phase::Storage, order: Order::LAST, run: directory_walk },
        Hook { phase: Phase::Late, order: Order::FIRST, run: locations },
        Hook { phase: Phase::AccessEx, order: Order::LAST, run: access },
        Hook { phase: Phase::Handler, order: Order::LAST, run: handler },
    ],
    ..Module::NOTHING
};

static SECTIONS: [Directive; 2] =
    [section("<Directory", SectionKind::Directory), section("<Location", SectionKind::Location)];

const fn section(name: &'static str, kind: SectionKind) -> Directive {
    let apply = match kind {
        SectionKind::Directory => directory_section,
        _ => location_section,
    };
    Directive { name, shape: Shape::Raw, scope: Scope::RSRC_CONF, usage: "", doc: "", apply }
}

fn directory_section(place: &mut Place<'_, '_>, args: &Args<'_>) -> crate::policy::Applied {
    let path = section_path(args);
    let conf = place.section(args.node, Some(&path), false);
    let section = place.make_section(SectionKind::Directory, Pattern::Literal(path), conf, args.span);
    place.add_directory(section);
    Ok(())
}

fn location_section(place: &mut Place<'_, '_>, args: &Args<'_>) -> crate::policy::Applied {
    let path = section_path(args);
    let conf = place.section(args.node, Some(&path), false);
    let section = place.make_section(SectionKind::Location, Pattern::Literal(path), conf, args.span);
    place.add_location(section);
    Ok(())
}

fn section_path(args: &Args<'_>) -> BString {
    args.node.args().trim_end_with(|c| c == '>').into()
}

fn locations(cx: &mut Cx<'_>) -> Verdict {
    location_walk(cx);
    Verdict::Ok
}

fn translate(cx: &mut Cx<'_>) -> Verdict {
    cx.req.filename = [b"/www", cx.req.uri.as_slice()].concat().into();
    Verdict::Ok
}

/// A file called `denied` is what its name says.
fn access(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.base_name() == b"denied" { Verdict::Status(Status(403)) } else { Verdict::Ok }
}

fn handler(cx: &mut Cx<'_>) -> Verdict {
    let Some(stat) = cx.req.stat.filter(crate::system::Stat::is_file) else {
        return Verdict::Status(Status(404));
    };
    if cx.req.handler.as_ref().is_some_and(|handler| handler == "cgi-script") {
        cx.req.content_type = None;
        return Verdict::Answer(Answer::Content(Content::Bytes(names(cx))));
    }
    if !cx.req.path_info.is_empty() && cx.req.uri != "/pathinfo.html/x.txt" {
        return Verdict::Status(Status(404));
    }
    match cx.system().open(crate::system::path(&cx.req.filename)) {
        Ok(file) => Verdict::Answer(Answer::Content(Content::File { file, skip: 0, stat, sendfile: false })),
        Err(_) => Verdict::Status(Status(404)),
    }
}

/// File, path info and query, the context, and the variables that begin with `V_`.
fn names(cx: &Cx<'_>) -> Vec<u8> {
    let req = &*cx.req;
    let text = |said: &Option<BString>| said.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "{}|{}|{}|{}|{}",
        req.filename,
        req.path_info,
        text(&req.args),
        text(&req.context_prefix),
        text(&req.context_document_root)
    )];
    let mut vars: Vec<String> = req
        .env
        .iter()
        .filter(|(name, _)| name.starts_with(b"V_"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    vars.sort();
    lines.extend(vars);
    lines.join(" ").into_bytes()
}

/// A site: its engine and what was said while its configuration was read.
pub struct Site {
    engine: Engine,
    worker: Worker,
    diagnostics: Vec<Diagnostic>,
}

struct AllActive;

impl Stage for AllActive {
    fn module_active(&self, _name: &[u8]) -> bool {
        true
    }

    fn load_module(&mut self, _: &[u8], _: &[u8], _: Span) -> Result<Vec<Diagnostic>, String> {
        Ok(Vec::new())
    }

    fn directive_known(&self, _name: &[u8]) -> bool {
        true
    }
}

impl Site {
    /// A site with this configuration over this world.
    pub fn new(config: &str, world: Memory) -> Site {
        let world: Arc<dyn System> = Arc::new(world);
        let tables = Arc::new(Tables::new(MODULES.iter().map(|module| module.table())));
        let (mut sources, mut state) = (Sources::new(), State::default());
        let input = syntax::Input::Text { path: b"t.conf", text: config.as_bytes() };
        let read = syntax::read(input, &mut state, &mut AllActive, &mut sources, &*world);
        let start = Start { server_root: "/root".into(), ..Start::default() };
        let compiled = compile(&read.nodes, tables, sources, &*world, start);
        let diagnostics = [read.diagnostics, compiled.diagnostics].concat();
        let engine = Engine::new(Arc::new(compiled.policy), &MODULES, world);
        let worker = Worker::new(&engine.policy);
        Site { engine, worker, diagnostics }
    }

    /// What was read.
    pub fn policy(&self) -> &crate::policy::Policy {
        &self.engine.policy
    }

    /// What Apache prints of this configuration, without the line that names the file.
    pub fn messages(&self) -> String {
        let text = self.diagnostics.iter().map(|found| match &found.apache {
            Apache::Plain(text) | Apache::Program(text) => {
                text.split_once(":\n").map_or(text.as_str(), |(_, message)| message).to_owned()
            }
            Apache::Silent => String::new(),
        });
        text.collect::<Vec<_>>().join("\n")
    }

    /// Status, the fields of the head that describe the content or lead elsewhere, and the body of
    /// an answer that is no error page: `302 Location: …`. `request` is a path, or a method and a
    /// path, then fields after `|`.
    pub fn get(&mut self, request: &str) -> String {
        assert_eq!(self.messages(), "");
        let mut parts = request.split('|');
        let first = parts.next().unwrap_or_default();
        let line = if first.contains(' ') { first.to_owned() } else { format!("GET {first}") };
        let fields: String = parts.map(|field| format!("{field}\r\n")).collect();
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        summary(&self.exchange(head.as_bytes()))
    }

    fn exchange(&mut self, head: &[u8]) -> String {
        let address = "127.0.0.1:80".parse().expect("an address");
        let lookups = RefCell::new(Lookups::default());
        let conn = Connection { client: address, local: address, id: 1, keepalives: Cell::new(0), lookups };
        let mut out = Output::default();
        let exchange = Exchange::new(conn, &self.engine, &mut out);
        exchange.on(Input::Client(head), &self.engine, &mut self.worker, &mut out);
        let bytes = out.pieces.iter().flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::File { file: Opened::Bytes(bytes), .. } => bytes.to_vec(),
            Piece::File { .. } => Vec::new(),
        });
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }
}

fn summary(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let page = body.starts_with("<!DOCTYPE");
    let kept = |line: &&str| {
        line.starts_with("Location: ") || line.starts_with("Content-") && !line.contains("-Length") && !page
    };
    let mut words: Vec<&str> = vec![status];
    words.extend(lines.filter(kept));
    words.extend((!page && !body.is_empty()).then_some(body));
    words.join(" ")
}

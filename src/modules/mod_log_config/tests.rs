//! Lines of logs as Apache writes them, through the exchange over a world in memory. Expected lines
//! were asked of Apache 2.4.71 with the same formats and requests.

use super::*;
use crate::{
    diag::{Apache, Sources},
    engine::{
        Answer, Connection, Content, Engine, Hook, Lookups, Order, Phase, Verdict, Worker,
        exchange::{Exchange, Input, Output},
    },
    http::Status,
    policy::{
        CoreDir, CoreServer, compile,
        table::{Table, Tables},
    },
    syntax::{self, Stage, State},
    system::{Memory, System},
};
use std::cell::Cell;

/// Serves everything but what begins with `/missing`; `/gone` is answered by another URL.
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
    cx.req.filename = [b"/www", cx.req.uri.as_slice()].concat().into();
    cx.req.env.set("EV", "e\"v");
    Verdict::Ok
}

fn answer(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.uri.starts_with(b"/missing") {
        return Verdict::Status(Status(404));
    }
    if cx.req.uri == "/gone" {
        cx.req.env.set("WAS", "1");
        cx.req.handler = Some("h".into());
        let base = cx.worker.base(cx.req.server);
        return Verdict::Become(cx.req.redirect_to(b"/new?x", &base));
    }
    cx.req.content_type = Some("text/html;charset=utf-8".into());
    cx.req.headers_out.set("X-O", "\"o\"");
    Verdict::Answer(Answer::Content(Content::Bytes(b"hello\n".to_vec())))
}

struct Anything;

impl Stage for Anything {
    fn module_active(&self, _: &[u8]) -> bool {
        true
    }

    fn load_module(&mut self, _: &[u8], _: &[u8], _: Span) -> Result<Vec<Diagnostic>, String> {
        Ok(Vec::new())
    }

    fn directive_known(&self, _: &[u8]) -> bool {
        true
    }
}

fn compiled(config: &str) -> compile::Compiled {
    let (mut state, mut sources, world) = (State::default(), Sources::new(), Memory::new());
    let input = syntax::Input::Text { path: b"/etc/x.conf", text: config.as_bytes() };
    let reading = syntax::read(input, &mut state, &mut Anything, &mut sources, &world);
    let tables: [Table; 2] = [TOY.table(), MODULE.table()];
    let start = compile::Start::default();
    compile::compile(&reading.nodes, Arc::new(Tables::new(tables)), sources, &world, start)
}

#[track_caller]
fn check(config: &str, request: &str, expected: &[&str]) {
    let world: Arc<dyn System> = Arc::new(Memory::new());
    let compiled = compiled(config);
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    let engine = Engine::new(Arc::new(compiled.policy), &[&TOY, &MODULE], world);
    let mut worker = Worker::new(&engine.policy);
    let (client, local) = ("127.0.0.1:5000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
    let lookups = std::cell::RefCell::new(Lookups::default());
    let conn = Connection { client, local, id: 1, keepalives: Cell::new(0), lookups };
    let mut out = Output::default();
    let exchange = Exchange::new(conn, &engine, &mut out);
    let exchange = exchange.on(Input::Client(request.as_bytes()), &engine, &mut worker, &mut out);
    exchange.on(Input::Drained, &engine, &mut worker, &mut out);
    let lines: Vec<String> = out
        .lines
        .iter()
        .map(|(_, line)| String::from_utf8_lossy(line).trim_end_matches('\n').to_owned())
        .collect();
    assert_eq!(lines, expected);
}

const PLAIN: &str = "GET /plain?a=b HTTP/1.1\r\nHost: a\r\nX-H: \"q\"\\\r\nX-h: z\r\nCookie: k1=v1; k 2=v2; K1=v3; x\r\n\
                     Cookie: k1=v4; e=; v=a=b; q=\"a b\"; z= sp ;\r\n\r\n";

#[track_caller]
fn check_plain(format: &str, expected: &str) {
    check(&format!("CustomLog x \"{format}\"\n"), PLAIN, &[expected]);
}

#[test]
fn addresses_and_request() {
    check_plain(
        "%a %{c}a %A %B %b %h %{c}h %l %u",
        "127.0.0.1 127.0.0.1 127.0.0.1 6 6 127.0.0.1 127.0.0.1 - -",
    );
    check_plain(
        "%H %m %q %r %s %>s %U %f %X %k",
        "HTTP/1.1 GET ?a=b GET /plain?a=b HTTP/1.1 200 200 /plain /www/plain + 0",
    );
    check_plain("%p %{canonical}p %{local}p %{remote}p %{foo}p %{foo}P %{x}T", "80 80 8080 5000 foo foo x");
}

#[test]
fn header_fields_are_escaped_and_joined() {
    check_plain("%{x-h}i|%i|%{}i|%{none}i", "\\\"q\\\"\\\\, z|-|-|-");
    check_plain("%{X-O}o|%{content-type}o|%{none}o", "\\\"o\\\"|text/html|-");
    check_plain("%{EV}e|%{NO}e|%e|%n", "e\\\"v|-|-|-");
}

#[test]
fn cookies() {
    check_plain("%{k1}C|%{k 2}C|%{K1}C|%{}C|%C", "v1|v2|v1|-|-");
    check_plain("%{e}C|%{v}C|%{n}C|%{q}C|%{z}C", "-|a=b|-|\\\"a b\\\"|sp");
}

#[test]
fn conditions_on_the_status() {
    check_plain(
        "%!200{x-h}i|%200,404{x-h}i|%!404s|%404,U|%<{x-h}i|%{x-h}<i|%200>s|%!!200s",
        "-|\\\"q\\\"\\\\, z|200|-|\\\"q\\\"\\\\, z|\\\"q\\\"\\\\, z|200|200",
    );
}

#[test]
fn escapes_of_formats() {
    check_plain("%%|\\t|\\\"|\\\\\\\\|\\x|\\e", "%|\t|\"|\\|\\x|\\e");
}

#[test]
fn before_and_after_an_internal_redirect() {
    let config = "CustomLog x \"%s %U %>U %<U %q %<q %R %>R\" env=WAS\nCustomLog x no env=!WAS\nCustomLog x yes env=WAS\nCustomLog x last env=REDIRECT_WAS\n";
    let config = config.replace(" no ", " %%no ").replace(" yes ", " %%yes ").replace(" last ", " %%last ");
    check(&config, "GET /gone?y HTTP/1.1\r\nHost: a\r\n\r\n", &["200 /gone /new /gone ?x ?y h -", "%yes"]);
}

#[test]
fn expressions_are_asked_of_the_request_as_it_came() {
    let config =
        "CustomLog x %U \"expr=%{REQUEST_URI} =~ /gone/\"\nCustomLog x %U \"expr=%{REQUEST_URI} =~ /new/\"\n";
    check(config, "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n", &["/gone"]);
}

#[test]
fn names_of_formats_are_looked_up_at_the_end() {
    check("CustomLog x later\nLogFormat \"late %U\" later\n", PLAIN, &["late /plain"]);
    check("LogFormat later\nTransferLog x\nLogFormat \"late %U\" later\n", PLAIN, &["late /plain"]);
    check("LogFormat \"mine %U\"\nTransferLog x\n", PLAIN, &["mine /plain"]);
}

#[test]
fn the_common_format_is_the_default_and_has_a_name() {
    let line = |config: &str| {
        let logs = compiled(config).policy.main().conf.get::<Logs>().clone();
        let common = Common::default().0;
        logs.format_of(&logs.logs[0], &common).clone()
    };
    for config in ["TransferLog x\n", "CustomLog x CLF\n"] {
        assert_eq!(format!("{:?}", line(config)), format!("{:?}", Common::default().0));
    }
}

#[track_caller]
fn check_mistake(config: &str, expected: &str) {
    let diagnostics = compiled(config).diagnostics;
    let Some(Apache::Plain(text)) = diagnostics.first().map(|diagnostic| &diagnostic.apache) else {
        panic!("{config}: {diagnostics:?}");
    };
    assert_eq!(text.lines().nth(1), Some(expected), "{config}");
}

#[test]
fn formats_that_end_too_early() {
    for format in ["%", "%{x", "%{x}", "%!", "%!2", "%200", "%200,", "%<", "%>"] {
        let message = "Ran off end of LogFormat parsing args to some directive";
        check_mistake(&format!("LogFormat \"{format}\"\n"), message);
    }
}

#[test]
fn items_that_do_not_exist() {
    for (format, shown) in [
        ("%z", "%z"),
        ("%200,x", "%x"),
        ("%^x", "%^"),
        ("%^", "%^"),
        ("%\u{e9}", "%\\xc3"),
        ("%{a}^Q", "%^"),
        ("%^ FB", "%^"),
        ("%200%", "%%"),
    ] {
        let message = format!("Unrecognized LogFormat directive {shown}");
        check_mistake(&format!("LogFormat \"{format}\"\n"), &message);
    }
}

#[test]
fn formats_that_apache_takes() {
    for format in ["%^FB", "%^FBi", "%{a}^ti", "%^ti", "%{x}^to", "%I%O%S", "%<>s", "%{x}{y}i", "%200{x}300s"]
    {
        assert!(compiled(&format!("LogFormat \"{format}\"\n")).diagnostics.is_empty(), "{format}");
    }
}

#[test]
fn conditions_of_logs() {
    check_mistake("CustomLog x CLF foo\n", "error in condition clause");
    check_mistake("CustomLog x CLF env\n", "error in condition clause");
    check_mistake("CustomLog x CLF env=\n", "missing environment variable name");
    check_mistake("CustomLog x CLF expr=\n", "missing condition");
    check_mistake("CustomLog x CLF \"expr=foo bar\"\n", "syntax error, unexpected T_ID, expecting '('");
    check_mistake("BufferedLogs x\n", "BufferedLogs must be On or Off");
    check_mistake("CustomLog a\n", &format!("CustomLog takes two or three arguments, {CUSTOM_LOG}"));
}

#[test]
fn a_virtual_host_has_its_own_logs_and_the_global_ones() {
    let outer =
        compiled("LogFormat out n\nCustomLog a n\nGlobalLog g n\n").policy.main().conf.get::<Logs>().clone();
    let targets = |inner: &str| {
        let inner = compiled(inner).policy.main().conf.get::<Logs>().clone();
        inner.merge(&outer).logs.iter().map(|log| log.global).collect::<Vec<_>>()
    };
    assert_eq!(targets(""), [false, true]);
    assert_eq!(targets("CustomLog own %U\n"), [false, true]);
    assert_eq!(targets("CustomLog own %U\nCustomLog two %U\n"), [false, false, true]);
}

//! Every row of `oracle.tsv` holds what apache2 2.4.71 made of an expression; we must make the same.
//!
//! Columns: where it stood (`if` and `hdr`: a condition in `<If>` and in `Header … expr=` of a
//! `.htaccess`; `str`: a string there; `conf`: `<If>` in the main configuration), the expression,
//! what came of it (`bool`, `str`, `error` while reading, `eval` error, `jammed` when Apache's
//! process ended), its value, and the `Vary` header. Backslash escapes as in Rust's byte strings.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::{BString, ByteSlice, ByteVec};
use proptest::prelude::*;

use super::*;
use crate::system::{Entry, Kind, Memory, Opened, Stat, System, User};

const ORACLE: &str = include_str!("oracle.tsv");
const BIG: u64 = 11 << 20;

/// The files the server was asked over.
#[derive(Debug)]
struct World(Memory);

impl World {
    fn new() -> World {
        let mut memory = Memory::new()
            .with("/tmp/oracle/file.txt", "hello\n")
            .with("/tmp/oracle/empty", "")
            .with("/tmp/oracle/nul.bin", "ab\0cd")
            .with("/tmp/oracle/run.sh", "#!/bin/sh\n")
            .with("/tmp/oracle/big", "")
            .with("/tmp/oracle/htdocs/t/index.txt", "hello\n");
        memory.dirs.push("/tmp/oracle/dir".into());
        memory.modes.insert("/tmp/oracle/run.sh".into(), 0o755);
        memory.env.insert(b"OSENVVAR".to_vec(), b"osvalue".to_vec());
        World(memory)
    }

    fn follow(path: &Path) -> PathBuf {
        if path == Path::new("/tmp/oracle/link") { "/tmp/oracle/file.txt".into() } else { path.into() }
    }
}

impl System for World {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        if path == Path::new("/dev/null") {
            let root = self.0.stat(Path::new("/"))?;
            return Ok(Stat { kind: Kind::Other, size: 0, mode: 0o666, ..root });
        }
        let stat = self.0.stat(&World::follow(path))?;
        Ok(if path.ends_with("big") { Stat { size: BIG, ..stat } } else { stat })
    }
    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        let link = ["/tmp/oracle/link", "/tmp/oracle/broken"].iter().any(|l| path == Path::new(l));
        if link {
            Ok(Stat { kind: Kind::Link, mode: 0o777, ..self.0.stat(Path::new("/"))? })
        } else {
            self.stat(path)
        }
    }
    fn open(&self, path: &Path) -> io::Result<Opened> {
        self.0.open(&World::follow(path))
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        if self.stat(path)?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.0.read(&World::follow(path), limit)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.0.read_dir(path)
    }
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.0.env(name)
    }
    fn user(&self, name: &str) -> Option<User> {
        self.0.user(name)
    }
    fn group(&self, name: &str) -> Option<u32> {
        self.0.group(name)
    }

    fn secret(&self) -> [u8; 20] {
        self.0.secret()
    }

    fn user_name(&self, uid: u32) -> Option<String> {
        self.0.user_name(uid)
    }

    fn group_name(&self, gid: u32) -> Option<String> {
        self.0.group_name(gid)
    }
}

/// The request the server was asked with.
struct Request {
    world: World,
    headers: BTreeMap<&'static str, &'static str>,
    site: String,
    vary: Vec<Vec<u8>>,
    tests: Vec<(Place, bool)>,
}

impl Request {
    fn new(site: &str) -> Request {
        let headers = BTreeMap::from([
            ("host", "oracle.test"),
            ("user-agent", "probe/1.0"),
            ("x-foo", "bar"),
            ("x-list", "a,b"),
            ("x-net", "10.1.2.3"),
            ("cookie", "k=v"),
            ("x-raw", "a\"b'c`d\\e{f}g%h"),
        ]);
        Request { world: World::new(), headers, site: site.to_owned(), vary: Vec::new(), tests: Vec::new() }
    }
}

impl Context for Request {
    fn system(&self) -> &dyn System {
        &self.world
    }
    fn variable(&mut self, variable: &Variable) -> Option<BString> {
        Some(BString::from(match variable {
            Variable::RequestMethod => "GET",
            Variable::RequestScheme => "http",
            Variable::RequestUri => "/t/index.txt",
            Variable::RequestFilename => "/tmp/oracle/htdocs/t/index.txt",
            Variable::RemoteAddr | Variable::ConnRemoteAddr | Variable::RemoteHost => "127.0.0.1",
            Variable::ServerAdmin => "admin@oracle.test",
            Variable::ServerName => "oracle.test",
            Variable::ServerPort => "80",
            Variable::ServerProtocol => "HTTP/1.1",
            Variable::ServerSoftware => "Apache/2.4.71 (Debian)",
            Variable::ScriptUser | Variable::ScriptGroup => "root",
            Variable::DocumentRoot | Variable::ContextDocumentRoot => "/tmp/oracle/htdocs",
            Variable::TheRequest => "GET /t/index.txt?q=1&r=a%20b HTTP/1.1",
            Variable::QueryString => "q=1&r=a%20b",
            Variable::IsSubreq => "false",
            Variable::Https | Variable::Ipv6 | Variable::Http2 => "off",
            Variable::RequestStatus => "200",
            Variable::LastModified => "20261123024025",
            Variable::ApiVersion => "20120211",
            _ => return None,
        }))
    }
    fn request_header(&self, name: &[u8]) -> Option<BString> {
        let name = name.to_ascii_lowercase();
        self.headers.get(name.to_str().ok()?).map(|value| BString::from(*value))
    }
    fn response_header(&self, name: &[u8]) -> Option<BString> {
        let late = self.site == "hdr" || self.site == "str";
        (late && name.eq_ignore_ascii_case(b"etag")).then(|| "\"set\"".into())
    }
    fn env(&mut self, name: &[u8]) -> Option<BString> {
        let rows: [(&[u8], &str); 4] =
            [(b"ENVONE", "one"), (b"ENVFALSE", "Off"), (b"ENVSP", "a b"), (b"OSENVVAR", "osvalue")];
        let row = rows.iter().find(|(known, _)| name.eq_ignore_ascii_case(known))?;
        Some(row.1.into())
    }
    fn note(&self, _name: &[u8]) -> Option<BString> {
        None
    }
    fn vary(&mut self, header: &[u8]) {
        self.vary.push(header.to_vec());
    }
    fn remote_ip(&self) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, 1]))
    }
    fn sub_request(&mut self, kind: SubRequestKind, target: &[u8]) -> SubRequest {
        match kind {
            SubRequestKind::Url => {
                let status = if target.starts_with(b"/denied") { 403 } else { 200 };
                SubRequest { status, is_file: true }
            }
            SubRequestKind::File => {
                let stat = self.world.stat(crate::system::path(target));
                SubRequest { status: 200, is_file: stat.is_ok_and(|s| s.is_file()) }
            }
        }
    }
    fn decided(&mut self, cond: &Cond, truth: bool) {
        self.tests.push((cond.place.clone(), truth));
    }
    fn log(&mut self, _level: LogLevel, _text: String) {}
}

/// Undoes the escapes of the table.
fn unescape(text: &str) -> Vec<u8> {
    Vec::<u8>::unescape_bytes(text)
}

/// Our answer in the words of the table: what came of it, its value, and `Vary`.
fn answer(site: &str, text: &[u8]) -> (&'static str, BString, String) {
    let mode = if site == "str" { Mode::String } else { Mode::Condition };
    let options =
        Options { no_file_functions: site != "conf", dont_vary: site == "str", ..Options::default() };
    let expr = match parse(text, mode, options) {
        Ok(expr) => expr,
        Err(e) if e.message == "flex scanner jammed" => return ("jammed", "".into(), String::new()),
        Err(e) => return ("error", e.message, String::new()),
    };
    let mut request = Request::new(site);
    let result = match mode {
        Mode::String => eval_string(&expr, &mut request, &mut Captures::new()).map(|s| ("str", s)),
        Mode::Condition => {
            eval(&expr, &mut request, &mut Captures::new()).map(|truth| ("bool", truth.to_string().into()))
        }
    };
    let mut vary: Vec<BString> = Vec::new();
    for name in request.vary.into_iter().map(BString::from) {
        if !vary.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            vary.push(name);
        }
    }
    match result {
        Ok((kind, value)) => (kind, value, bstr::join(", ", &vary).to_str_lossy().into_owned()),
        Err(e) => ("eval", e.message, String::new()),
    }
}

#[test]
fn every_row_of_the_table_is_as_apache_says() {
    let mut wrong = Vec::new();
    for row in ORACLE.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let &[site, text, kind, value, vary] = columns.as_slice() else { panic!("five columns: {row}") };
        let ours = answer(site, &unescape(text));
        let theirs = (kind, BString::from(unescape(value)), vary.to_owned());
        if ours != theirs {
            wrong.push(format!("{site}: {text}\n    Apache {theirs:?}\n    ours   {ours:?}"));
        }
    }
    assert!(ORACLE.lines().count() > 400 && wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn places_point_into_the_text() {
    let text = b"-n 'a' && %{REQUEST_URI} =~ m#^/x# || foo";
    let error = parse(b"true && nope('a') == 'b'", Mode::Condition, Options::default()).expect_err("unknown");
    assert_eq!(error.place, 8..12);
    let expr = parse(&text[..34], Mode::Condition, Options::default()).expect("parses");
    let Root::Condition(Cond { place, kind: CondKind::And(parts) }) = expr.root else { panic!("a chain") };
    assert_eq!((place, parts[0].place.clone(), parts[1].place.clone()), (0..34, 0..6, 10..34));
    let CondKind::Test(Test::Match { word, regex_place, .. }) = &parts[1].kind else { panic!("a match") };
    assert_eq!(
        (&text[word.place.clone()], &text[regex_place.clone()]),
        (&b"%{REQUEST_URI}"[..], &b"m#^/x#"[..])
    );
}

/// Answers of mod_include's `<!--#if expr="…" -->`.
#[test]
fn mod_include_reads_no_files() {
    let include = |text: &str| {
        let options = Options { include: true, ..Options::default() };
        parse(text.as_bytes(), Mode::Condition, options).map(drop).map_err(|e| e.to_string())
    };
    for op in ["-d", "-x", "-s", "-L", "-h", "-e", "-f"] {
        assert_eq!(include(&format!("{op} '/x'")), Err(format!("{op} not available in restricted context")));
    }
    let unterminated = "Unterminated string or variable";
    assert_eq!(include("'a\nb' == 'a'"), Err(unterminated.to_owned()));
    assert_eq!(include("%{tolower:A\nB} == 'a'"), Err(unterminated.to_owned()));
    assert_eq!(include("true\n&& true"), Ok(()));
    let refused = "syntax error, unexpected $end: filesize not available in restricted context";
    assert_eq!(include("filesize('/x')"), Err(refused.to_owned()));
    for text in ["-U '/x'", "-A '/x'", "-F '/x'", "-R '127'", "v('REQUEST_URI') == '/'", "-n osenv('PATH')"] {
        assert_eq!(include(text), Ok(()), "{text}");
    }
}

/// The trace learns each test that was made, and none that was skipped.
#[test]
fn tests_are_reported_as_they_are_made() {
    let text = b"!false && ('a' == 'b' || -n 'x') || -z 'y'";
    let expr = parse(text, Mode::Condition, Options::default()).expect("parses");
    let mut request = Request::new("if");
    assert_eq!(eval(&expr, &mut request, &mut Captures::new()), Ok(true));
    let seen: Vec<_> = request.tests.iter().map(|(p, truth)| (text[p.clone()].as_bstr(), *truth)).collect();
    assert_eq!(
        seen,
        [(b"false".as_bstr(), false), (b"'a' == 'b'".as_bstr(), false), (b"-n 'x'".as_bstr(), true)]
    );
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["(".repeat(100_000), "tolower(".repeat(100_000), "!(".repeat(100_000)] {
        parse(text.as_bytes(), Mode::Condition, Options::default()).expect_err("too deep");
    }
    let text = "%{tolower:".repeat(100_000);
    parse(text.as_bytes(), Mode::String, Options::default()).expect_err("too deep");
}

proptest! {
    #[test]
    fn any_bytes_end_without_panic(text: Vec<u8>) {
        answer("if", &text);
        answer("str", &text);
    }

    #[test]
    fn any_row_of_tokens_ends_without_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "true", "!", "&&", "||", "(", ")", "'a'", "==", "-eq", "=~", "/(a)/i", "m#(", "$1", "%{REQUEST_URI}",
        "%{req:X}", "tolower", "in", "{", "}", ",", ".", "-f", "-R", "-ipmatch", "5", "'", "\"", "\\", "%{", ":",
    ]), 0..12)) {
        answer("conf", parts.join(" ").as_bytes());
        answer("str", parts.concat().as_bytes());
    }
}

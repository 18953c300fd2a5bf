//! From a request head to a [`Request`]: the server it is for, its path decoded.

use super::{
    decide::{Cursor, Engine},
    request::{Connection, LogEntry, Request, Table},
    urls,
    worker::Worker,
};
use crate::{
    http::{
        Headers, Method, MethodSet, Status,
        path::{Slashes, decode},
        request::{BadRequest, Framing, Head, Limits, Version},
    },
    policy::{CoreServer, SaidExt},
};
use bstr::{BStr, BString};
use std::rc::Rc;

/// What the server that a connection reaches first says of request heads.
pub fn limits(core: &CoreServer, registered: &[BString]) -> Limits {
    let number = |said: &crate::policy::Said<u32>, default: usize| {
        said.value().map_or(default, |&n| usize::try_from(n).unwrap_or(usize::MAX))
    };
    let standard = Limits::default();
    Limits {
        line: number(&core.limit_line, standard.line),
        fields: number(&core.limit_fields, standard.fields),
        field_size: number(&core.limit_field_size, standard.field_size),
        strict: core.strict.value_or(true),
        allow_09: !core.require_1_0.value_or(false),
        registered_methods: core.registered_methods.value_or(false).then(|| registered.to_vec()),
        ..standard
    }
}

/// The request for a head, and the status it is to end with if its path cannot be used.
pub fn request(
    engine: &Engine,
    worker: &Worker,
    conn: &Rc<Connection>,
    head: Head,
) -> (Box<Request>, Option<Status>) {
    let server = choose_server(engine, conn, &head);
    let mut request = blank(engine, worker, conn, server);
    let slashes = slashes(&request);
    let merge = engine.policy.servers[server].core().merge_slashes.value_or(true);
    let decoded = match head.parts.path.as_slice() {
        b"*" | b"" => Ok(head.parts.path.clone()),
        path => decode(path, slashes, merge),
    };
    let refused = match &decoded {
        _ if is_stranger(engine, &mut request, head.hostname.as_ref().map(|host| host.as_slice())) => {
            Some(Status(400))
        }
        Ok(_) => None,
        Err(bad) => {
            request.log.extend(super::log::bad_path(*bad, bstr::BStr::new(&head.target)));
            Some(if bad.is_bad_request() { Status(400) } else { Status(404) })
        }
    };
    request.request_line = head.request_line;
    request.method = Method::find(&head.method_name, &engine.policy.process.methods);
    request.method_name = head.method_name;
    request.target = head.target;
    request.version = head.version;
    request.protocol = head.protocol;
    request.headers_in = head.headers;
    request.framing = head.framing;
    request.expect_continue = head.expect_continue;
    request.must_close = head.must_close;
    request.hostname = head.hostname;
    request.host_port = head.port;
    request.uri = decoded.unwrap_or_else(|_| head.parts.path.clone());
    request.path = head.parts.path;
    request.args = head.parts.query;
    (request, refused)
}

/// The server that the Host names; for a client that names none, the one whose ServerPath the URL
/// is below (ap_update_vhost_from_headers).
fn choose_server(engine: &Engine, conn: &Connection, head: &Head) -> usize {
    let (policy, path) = (&engine.policy, head.parts.path.as_slice());
    let host = head.hostname.as_deref().map(|host| host.as_slice());
    let below = |server: &&usize| {
        let said = policy.servers[**server].core().path.value();
        said.is_some_and(|prefix| urls::below(prefix, path).is_some())
    };
    let by_path = || policy.vhosts.servers(conn.local).iter().find(below).copied();
    let found = if host.is_none() { by_path() } else { None };
    found.unwrap_or_else(|| policy.vhosts.choose(conn.local, host))
}

/// Whether StrictHostCheck refuses the name that is asked for.
fn is_stranger(engine: &Engine, request: &mut Request, host: Option<&[u8]>) -> bool {
    let (policy, Some(host)) = (&engine.policy, host) else { return false };
    let server = &policy.servers[request.server];
    if !server.core().strict_host_check.value_or(false) {
        return false;
    }
    let (number, place) = match policy.vhosts.knows(request.conn.local, host) {
        Some(true) => return false,
        Some(false) => {
            let place = policy.sources.place(server.span);
            let place = format!(
                "the matching virtual host (default vhost for current connection is {}:{})",
                place.file, place.line
            );
            ("AH10157", place)
        }
        None if server.core().name.value().is_some_and(|name| name.eq_ignore_ascii_case(host)) => {
            return false;
        }
        None => ("AH10156", "the global server configuration ".to_owned()),
    };
    let text = format!(
        "Requested hostname '{host}' did not match any ServerName/ServerAlias in {place}",
        host = BStr::new(host)
    );
    if super::log::level_for(request.conf.conf.get(), server.core(), "core") < 4 {
        return true;
    }
    request.log.push(LogEntry {
        level: 4,
        module: "core",
        os_error: None,
        number,
        text: text.into(),
        explanation: None,
    });
    true
}

/// The request for a head that could not be read: only its error page and log line are made of it.
pub fn bad_request(
    engine: &Engine,
    worker: &Worker,
    conn: &Rc<Connection>,
    bad: &BadRequest,
) -> Box<Request> {
    let mut request = blank(engine, worker, conn, engine.policy.vhosts.choose(conn.local, None));
    request.request_line = bad.request_line.clone();
    request.method = Method::find(&bad.method_name, &engine.policy.process.methods);
    request.method_name = bad.method_name.clone();
    request.target = bad.target.clone();
    request.uri = bad.target.clone();
    if !bad.notes.is_empty() {
        request.notes.set("error-notes", &bad.notes);
    }
    if let Some(expect) = &bad.expect {
        request.headers_in.set("Expect", expect);
    }
    request.must_close = !bad.keep_alive;
    request
}

/// What a client that stopped in the middle of a head is told: 408.
pub fn timed_out(buffer: &[u8]) -> BadRequest {
    let line = buffer.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|&byte| byte == b' ');
    let mut word = || BString::from(words.next().unwrap_or_default());
    let (method_name, target) = (word(), word());
    BadRequest {
        status: Status(408),
        ah: "",
        message: BString::default(),
        info: true,
        notes: BString::default(),
        request_line: line.into(),
        method_name,
        target,
        expect: None,
        keep_alive: false,
        in_headers: false,
    }
}

fn slashes(request: &Request) -> Slashes {
    use crate::policy::{CoreDir, core_conf::EncodedSlashes};
    match request.conf.conf.get::<CoreDir>().encoded_slashes.value() {
        None | Some(EncodedSlashes::Off) => Slashes::Refuse,
        Some(EncodedSlashes::On) => Slashes::Decode,
        Some(EncodedSlashes::NoDecode) => Slashes::Keep,
    }
}

fn blank(engine: &Engine, worker: &Worker, conn: &Rc<Connection>, server: usize) -> Box<Request> {
    let empty = BString::default;
    Box::new(Request {
        conn: conn.clone(),
        server,
        started: engine.system.now(),
        request_line: empty(),
        method: Method::Get,
        method_name: empty(),
        target: empty(),
        version: Version::Http11,
        protocol: "HTTP/1.1".into(),
        headers_in: Headers::new(),
        framing: Framing::None,
        expect_continue: false,
        must_close: false,
        hostname: None,
        host_port: None,
        path: empty(),
        uri: empty(),
        args: None,
        filename: empty(),
        path_info: empty(),
        stat: None,
        context_prefix: None,
        context_document_root: None,
        handler: None,
        content_type: None,
        content_encoding: None,
        content_languages: Vec::new(),
        user: None,
        auth_type: None,
        parent_user: (None, None),
        env: Table::new(),
        notes: Table::new(),
        headers_out: Headers::new(),
        err_headers_out: Headers::new(),
        allowed: MethodSet::EMPTY,
        status: Status(200),
        document_failed: None,
        status_line: None,
        no_local_copy: false,
        no_cache: false,
        vlist_validator: None,
        filters: Vec::new(),
        ended: false,
        conf: worker.base(server),
        prev: None,
        is_sub: false,
        main: None,
        keep_body: None,
        kept_body: None,
        record: super::repeats::Record::default(),
        parent_conf: None,
        log: Vec::new(),
        records: Vec::new(),
        cursor: Cursor::START,
    })
}

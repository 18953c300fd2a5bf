//! A request while it is decided: what the client sent, and what the phases made of it.

use super::{answer::Found, decide::Cursor, password::Check};
use crate::{
    http::{Headers, Method, MethodSet, Status, path::Slashes},
    policy::Merged,
    system::Stat,
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::SystemTime,
};

/// Names and values in order; names are compared without case (apr_table_t).
pub type Table = Headers;

pub use crate::http::request::{Framing, Version};

/// What is known of a connection; shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// The client's address.
    pub client: SocketAddr,
    /// The address that the client reached.
    pub local: SocketAddr,
    /// Number of the connection within this server, for logs.
    pub id: u64,
    /// Requests answered before this one.
    pub keepalives: Cell<u32>,
    /// Names and addresses found for it.
    pub lookups: RefCell<Lookups>,
}

/// Answers to [`super::answer::Pending`] questions.
#[derive(Debug, Default)]
pub struct Lookups {
    /// The name of an address; `None` inside: it has none.
    pub names: FxHashMap<IpAddr, Option<BString>>,
    /// The addresses of a name.
    pub addresses: FxHashMap<BString, Vec<IpAddr>>,
    /// Passwords that were held against hashes, the latest last. A connection that is kept sends the
    /// same one with each request; whether it fits depends on nothing else.
    passwords: Vec<(Check, bool)>,
}

impl Lookups {
    /// Most passwords that are remembered.
    const PASSWORDS: usize = 8;

    /// Takes in what was asked for.
    pub fn learn(&mut self, found: Found) {
        match found {
            Found::Name(address, name) => {
                // Names of hosts are in lower case everywhere, in REMOTE_HOST too.
                let name = name.map(|name| BString::from(name.to_ascii_lowercase()));
                self.names.insert(address, name);
            }
            Found::Addresses(name, addresses) => drop(self.addresses.insert(name, addresses)),
            Found::Password(check, holds) => {
                if self.passwords.len() >= Self::PASSWORDS {
                    self.passwords.remove(0);
                }
                self.passwords.push((check, holds));
            }
        }
    }

    /// Whether a password fits a hash; `None` if that has to be asked first.
    pub fn password(&self, check: &Check) -> Option<bool> {
        self.passwords.iter().rev().find(|(known, _)| known == check).map(|(_, holds)| *holds)
    }
}

/// A line for the error log, written by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// 0 (emerg) to 15 (trace8); 3 is error, 6 info.
    pub level: u8,
    /// Module as the log names it: `core`, `authz_core`, `cgi`.
    pub module: &'static str,
    /// The system's error, printed as `(13)Permission denied: `.
    pub os_error: Option<i32>,
    /// `AH01630` and the like; empty if Apache has none.
    pub number: &'static str,
    /// The text.
    pub text: BString,
    /// Our explanation, which only the teaching log prints.
    pub explanation: Option<String>,
}

/// What a part of its content knows of a request.
#[derive(Debug)]
pub struct Main {
    /// Its file.
    pub filename: BString,
    /// Its environment when the part was asked for.
    pub env: Table,
    /// When its file was modified, nanoseconds since the epoch.
    pub mtime_ns: Option<i128>,
    /// Whether a page that is the part is one with this (mod_include's include).
    pub nests: bool,
    /// The request of whose content it is a part itself.
    pub main: Option<Rc<Main>>,
}

/// A request while it is decided.
#[derive(Clone, Debug)]
pub struct Request {
    /// The connection.
    pub conn: Rc<Connection>,
    /// Number of the server in the policy.
    pub server: usize,
    /// When its first byte was read.
    pub started: SystemTime,

    /// The request line as sent (`%r`, THE_REQUEST).
    pub request_line: BString,
    /// Method.
    pub method: Method,
    /// Method as sent.
    pub method_name: BString,
    /// Target as sent (REQUEST_URI).
    pub target: BString,
    /// Protocol.
    pub version: Version,
    /// Protocol as sent (SERVER_PROTOCOL).
    pub protocol: BString,
    /// Header fields of the client.
    pub headers_in: Headers,
    /// How its body ends.
    pub framing: Framing,
    /// The client waits for `100 Continue`, and has not got it yet.
    pub expect_continue: bool,
    /// The connection cannot be used after this request.
    pub must_close: bool,

    /// Host asked for, without port, lower case; from the target or the Host field.
    pub hostname: Option<BString>,
    /// Port asked for.
    pub host_port: Option<u16>,
    /// Path of the URL, still escaped (parsed_uri.path).
    pub path: BString,
    /// Path of the URL, decoded.
    pub uri: BString,
    /// Query string, undecoded.
    pub args: Option<BString>,

    /// File name the URL is mapped to; empty before that.
    pub filename: BString,
    /// What is behind the file's name.
    pub path_info: BString,
    /// What the file system says of `filename`; `None`: nothing there.
    pub stat: Option<Stat>,
    /// URL prefix of the Alias or ScriptAlias that mapped it (CONTEXT_PREFIX).
    pub context_prefix: Option<BString>,
    /// What that prefix stands for (CONTEXT_DOCUMENT_ROOT).
    pub context_document_root: Option<BString>,

    /// Handler, if one is set.
    pub handler: Option<BString>,
    /// Media type, parameters included.
    pub content_type: Option<BString>,
    /// Content-Encoding.
    pub content_encoding: Option<BString>,
    /// Content-Language.
    pub content_languages: Vec<BString>,
    /// Authenticated user.
    pub user: Option<BString>,
    /// How it was authenticated.
    pub auth_type: Option<BString>,

    /// Environment for programs, logs and conditions (subprocess_env).
    pub env: Table,
    /// Notes of modules to each other.
    pub notes: Table,
    /// Header fields of a successful answer.
    pub headers_out: Headers,
    /// Header fields of any answer, error pages and redirects included.
    pub err_headers_out: Headers,
    /// Methods to name in Allow.
    pub allowed: MethodSet,
    /// Status.
    pub status: Status,
    /// Status with which its ErrorDocument failed (`%>s`).
    pub document_failed: Option<Status>,
    /// Status line with a reason of its own, from a script.
    pub status_line: Option<BString>,
    /// No conditional answer: the content is not what its name says.
    pub no_local_copy: bool,
    /// The content must not be cached (no Last-Modified and ETag are made).
    pub no_cache: bool,

    /// The validator of the list of variants that it was chosen from, for its entity tag.
    pub vlist_validator: Option<BString>,

    /// The filters that its answer is to pass.
    pub filters: Vec<super::filter::Chosen>,
    /// A status ended it: the answer is the server's own, not a handler's.
    pub ended: bool,

    /// Settings that hold for it now.
    pub conf: Merged,
    /// The request that this one was redirected from internally.
    pub prev: Option<Box<Request>>,
    /// Whether it is only looked up (a sub-request).
    pub is_sub: bool,
    /// For a sub-request that is a part of another one's content: that one.
    pub main: Option<Rc<Main>>,
    /// For a sub-request: number of the settings its parent was allowed under.
    pub parent_conf: Option<crate::policy::ConfId>,
    /// For a sub-request: user and kind of authentication of its parent.
    pub parent_user: (Option<BString>, Option<BString>),
    /// How much of its body is kept for the parts of its content, if any is (KeptBodySize).
    pub keep_body: Option<u64>,
    /// The body that was kept.
    pub kept_body: Option<Rc<[u8]>>,
    /// Lines for the error log so far.
    pub log: Vec<LogEntry>,
    /// Records for other logs so far: number of the target in the policy, and the text.
    pub records: Vec<(usize, Vec<u8>)>,
    /// What its decision depends on besides its head.
    pub(super) record: super::repeats::Record,
    /// Where its decision stands.
    pub(super) cursor: Cursor,
}

impl Request {
    /// How many internal redirects came before it.
    pub fn redirects(&self) -> usize {
        std::iter::successors(self.prev.as_deref(), |request| request.prev.as_deref()).count()
    }

    /// The request as the client sent it, before all internal redirects.
    pub fn first(&self) -> &Request {
        let mut request = self;
        while let Some(prev) = &request.prev {
            request = prev;
        }
        request
    }

    /// The requests of whose contents it is a part, the innermost first.
    pub fn mains(&self) -> impl Iterator<Item = &Main> {
        std::iter::successors(self.main.as_deref(), |main| main.main.as_deref())
    }

    /// Whether the client asked for the head only.
    pub fn header_only(&self) -> bool {
        self.method == Method::Head
    }

    /// The last component of the file name.
    pub fn base_name(&self) -> &[u8] {
        let at = self.filename.rfind_byte(b'/').map_or(0, |slash| slash + 1);
        &self.filename[at..]
    }

    /// A request for another URL of this server, for internal redirects and look-ups: the client's
    /// words are kept, all that the phases found is not.
    ///
    /// `url` is a path, still encoded, with an optional query.
    pub fn for_url(&self, url: &[u8], base: &Merged) -> Request {
        let (path, args) = match url.find_byte(b'?') {
            Some(at) => (&url[..at], Some(BString::from(&url[at + 1..]))),
            None => (url, None),
        };
        let uri = crate::http::path::decode(path, Slashes::Decode, true).unwrap_or_else(|_| path.into());
        Request {
            path: path.into(),
            uri,
            args,
            filename: BString::default(),
            path_info: BString::default(),
            stat: None,
            context_prefix: None,
            context_document_root: None,
            handler: None,
            content_type: None,
            content_encoding: None,
            content_languages: Vec::new(),
            user: None,
            auth_type: None,
            env: Table::new(),
            notes: Table::new(),
            headers_out: Headers::new(),
            err_headers_out: self.err_headers_out.clone(),
            allowed: MethodSet::EMPTY,
            status: Status(200),
            document_failed: None,
            status_line: None,
            no_local_copy: false,
            no_cache: false,
            vlist_validator: None,
            filters: Vec::new(),
            ended: false,
            conf: base.clone(),
            prev: None,
            keep_body: None,
            kept_body: None,
            record: super::repeats::Record::default(),
            log: Vec::new(),
            records: Vec::new(),
            cursor: Cursor::START,
            ..self.clone_wire()
        }
    }

    /// The parts that belong to the client's words and the connection.
    fn clone_wire(&self) -> Request {
        Request { prev: None, log: Vec::new(), records: Vec::new(), ..self.clone() }
    }
}

impl Request {
    /// Takes over what a look-up found (ap_internal_fast_redirect): the file and all that the
    /// phases made of it; the client's words stay.
    pub(super) fn adopt(&mut self, found: Request) {
        self.path = found.path;
        self.uri = found.uri;
        self.args = found.args;
        self.filename = found.filename;
        self.path_info = found.path_info;
        self.stat = found.stat;
        self.handler = found.handler;
        self.content_type = found.content_type;
        self.content_encoding = found.content_encoding;
        self.content_languages = found.content_languages;
        self.conf = found.conf;
        self.no_local_copy |= found.no_local_copy;
        self.no_cache |= found.no_cache;
        self.vlist_validator = self.vlist_validator.take().or(found.vlist_validator);
        overlay(&mut self.env, &found.env);
        overlay(&mut self.notes, &found.notes);
        overlay(&mut self.headers_out, &found.headers_out);
        overlay(&mut self.err_headers_out, &found.err_headers_out);
    }

    /// The request that takes this one's place at another URL of this server
    /// (ap_internal_redirect): the environment goes along with `REDIRECT_` before each name.
    pub fn redirect_to(&self, url: &[u8], base: &Merged) -> Box<Request> {
        let mut next = self.for_url(url, base);
        for (name, value) in self.env.iter() {
            next.env.set([b"REDIRECT_", name.as_bytes()].concat(), value);
        }
        next.env.set("REDIRECT_STATUS", self.status.0.to_string());
        next.status = self.status;
        next.allowed = self.allowed;
        next.no_cache = self.no_cache;
        next.no_local_copy = self.no_local_copy;
        next.vlist_validator.clone_from(&self.vlist_validator);
        if self.status.is_redirect()
            && let Some(location) = self.headers_out.get("Location")
        {
            next.headers_out.set("Location", location);
        }
        Box::new(next)
    }
}

fn overlay(table: &mut Table, over: &Table) {
    for (name, _) in over.iter() {
        table.remove(name);
    }
    table.extend(over);
}

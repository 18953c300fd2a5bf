//! What a hook sees: the request, the settings that hold for it, the world, the record.

use super::{
    answer::Progress,
    decide::Engine,
    module::{Phase, Verdict},
    request::{LogEntry, Main, Request},
    trace::Trace,
    worker::Worker,
};
use crate::{
    diag::Span,
    http::{Status, path, request::Framing},
    policy::{Conf, Config, CoreDir, CoreServer, OptionBits, server::Server},
    system::{Stat, System},
};
use bstr::{BString, ByteSlice};
use std::{fmt, rc::Rc};

/// Most look-ups that a request makes within others. A list of many directories makes one for each and each name
/// of DirectoryIndex; a directory that is its own index makes ever more of them.
const NESTED_LOOK_UPS: usize = 20_000;

/// Most entries for the error log that a request has of its look-ups.
const LOOKED_UP_LOG: usize = 4_000;

/// The fields that a look-up does not inherit from a request with a body.
const BODY_FIELDS: [&str; 10] = [
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Expires",
    "Last-Modified",
    "Transfer-Encoding",
];

/// What a hook sees.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The request; hooks write what they find into it.
    pub req: &'a mut Request,
    /// The engine, with the policy.
    pub engine: &'a Engine,
    /// The worker's memory.
    pub worker: &'a mut Worker,
    pub(super) conf: &'a Conf,
    pub(super) trace: &'a mut Trace,
    pub(super) module: &'static str,
}

/// What became of a looked-up request.
#[derive(Debug)]
pub enum LookedUp {
    /// It got through all phases before the handler; `stat` says what it is.
    Found(Box<Request>),
    /// It was answered on the way: not found, denied, redirected.
    Answered(Box<Request>),
    /// A look-up is needed first; the hook returns it as its own verdict.
    Wait(super::Pending),
}

impl<'a> Cx<'a> {
    /// A module's settings for this place.
    pub fn conf<C: Config>(&self) -> &'a C {
        self.conf.get()
    }

    /// A module's settings for this server.
    pub fn server_conf<C: Config>(&self) -> &'a C {
        self.server().conf.get()
    }

    /// Core's settings for this place.
    pub fn core(&self) -> &'a CoreDir {
        self.conf.get()
    }

    /// Core's settings for this server.
    pub fn core_server(&self) -> &'a CoreServer {
        self.server_conf()
    }

    /// The server that the request goes to.
    pub fn server(&self) -> &'a Server {
        &self.engine.policy.servers[self.req.server]
    }

    /// The world outside. What is asked of it here is asked once: the answer is not given again.
    pub fn system(&self) -> &'a dyn System {
        self.once();
        &*self.engine.system
    }

    /// Says that the decision depends on something that no key covers, such as the time or what a module
    /// remembers: the answer is not given again without being decided again.
    pub fn once(&self) {
        self.req.record.end();
    }

    /// What the file system says of a path: as stat(2) if links are to be followed, else as lstat(2).
    ///
    /// # Errors
    /// Those of the call.
    pub fn look(&mut self, path: &[u8], follow: bool) -> std::io::Result<Stat> {
        let (system, name) = (&self.engine.system, crate::system::path(path));
        let found = if follow { system.stat(name) } else { system.lstat(name) };
        self.req.record.saw(path, follow, &found);
        found
    }

    /// A reason, kept only when somebody is listening.
    pub fn because(&mut self, at: Span, why: fmt::Arguments<'_>) {
        self.trace.note(Some(at), why);
    }

    /// A reason that no directive gave.
    pub fn note(&mut self, why: fmt::Arguments<'_>) {
        self.trace.note(None, why);
    }

    /// Whether reasons are kept, for those that cost something to find.
    pub fn tracing(&self) -> bool {
        self.trace.is_on()
    }

    /// Takes an entry for the error log, unless its level is not logged.
    pub fn record(&mut self, entry: LogEntry) {
        if entry.level <= super::log::level_for(self.core(), self.core_server(), entry.module) {
            self.req.log.push(entry);
        }
    }

    /// Whether the error log takes entries of this level from the module that is asked.
    pub fn logs(&self, level: u8) -> bool {
        let module = self.module.strip_prefix("mod_").unwrap_or(self.module);
        level <= super::log::level_for(self.core(), self.core_server(), module)
    }

    /// A line for the error log, if the level is logged. `number` is Apache's `AH…`, or empty.
    pub fn log(&mut self, level: u8, number: &'static str, text: fmt::Arguments<'_>) {
        self.log_os(level, None, number, text);
    }

    /// The same with the system's error in front.
    pub fn log_os(
        &mut self,
        level: u8,
        os_error: Option<i32>,
        number: &'static str,
        text: fmt::Arguments<'_>,
    ) {
        if !self.logs(level) {
            return;
        }
        let module = self.module.strip_prefix("mod_").unwrap_or(self.module);
        let text = text.to_string().into();
        self.req.log.push(LogEntry { level, module, os_error, number, text, explanation: None });
    }

    /// Runs `f` as a hook of another module would be: its log lines bear that module's name.
    pub fn as_module<R>(&mut self, module: &'static str, f: impl FnOnce(&mut Self) -> R) -> R {
        let own = std::mem::replace(&mut self.module, module);
        let result = f(self);
        self.module = own;
        result
    }

    /// A request that stands where another module left one, run through `f` under other settings.
    /// Needed where a walk has just changed them.
    pub fn refresh<R>(&mut self, f: impl FnOnce(&mut Cx<'_>) -> R) -> R {
        let merged = self.req.conf.clone();
        f(&mut Cx {
            req: self.req,
            engine: self.engine,
            worker: self.worker,
            conf: &merged.conf,
            trace: self.trace,
            module: self.module,
        })
    }

    /// What a URL of this server would come to: all phases up to the handler
    /// (ap_sub_req_lookup_uri). A relative URL is taken from the request's own.
    pub fn look_up_url(&mut self, url: &[u8]) -> LookedUp {
        let url = self.absolute_url(url);
        let mut sub = self.sub_request(&url);
        let path = url.split(|&byte| byte == b'?').next().unwrap_or_default();
        match path::decode(path, path::Slashes::Decode, true) {
            Ok(_) => self.look_up(sub),
            Err(bad) => {
                self.req.log.extend(super::log::bad_path(bad, url.as_bstr()));
                sub.status = if bad.is_bad_request() { Status(400) } else { Status(404) };
                LookedUp::Answered(sub)
            }
        }
    }

    /// What a file would come to: the phases from the directory walk on (ap_sub_req_lookup_file). A
    /// file beside that of the request has its URL beside that of the request, another one has none.
    pub fn look_up_file(&mut self, filename: &[u8]) -> LookedUp {
        let end = self.req.filename.rfind_byte(b'/').map_or(0, |slash| slash + 1);
        let beside = filename
            .strip_prefix(&self.req.filename[..end])
            .filter(|name| !name.is_empty() && !name.contains(&b'/'));
        let url = beside.map(|name| self.absolute_url(&crate::http::escape::uri(name)));
        let mut sub = self.sub_request(&url.unwrap_or_default());
        sub.filename = filename.into();
        sub.cursor = super::decide::Cursor::at(Phase::Storage);
        self.look_up(sub)
    }

    /// What another entry of the directory of this request's file would come to, by its name
    /// (ap_sub_req_lookup_dirent): its URL and file name are those of the request with this last
    /// component.
    pub fn look_up_entry(&mut self, name: &[u8]) -> LookedUp {
        let own = self.req.uri.strip_suffix(self.req.path_info.as_slice()).unwrap_or(&self.req.uri);
        let beside = own.rfind_byte(b'/').map_or(0, |slash| slash + 1);
        let url = crate::http::escape::uri(&[&own[..beside], name].concat());
        let end = self.req.filename.rfind_byte(b'/').map_or(0, |slash| slash + 1);
        let mut filename: BString = [&self.req.filename[..end], name].concat().into();
        let mut sub = self.sub_request(&url);
        let system = self.system();
        let real = system.stat(crate::system::path(&filename));
        let link = system.lstat(crate::system::path(&filename));
        let link = link.ok().filter(|stat| stat.kind == crate::system::Kind::Link);
        let is_dir = real.as_ref().is_ok_and(crate::system::Stat::is_dir);
        let options = self.core().options.bits;
        let status = match (real, link) {
            // A link to nothing is nothing, unless it may be followed.
            (Err(_), Some(_)) if !options.has(OptionBits::FOLLOW_SYM_LINKS) => Some(Status(404)),
            (Ok(real), Some(link)) => {
                let owner = options.has(OptionBits::SYM_LINKS_IF_OWNER_MATCH) && real.uid == link.uid;
                let follow = options.has(OptionBits::FOLLOW_SYM_LINKS) || owner;
                if !follow {
                    let text = "Symbolic link not allowed or link target not accessible:";
                    self.as_module("core", |cx| cx.log(3, "AH00032", format_args!("{text} {filename}")));
                }
                (!follow).then_some(Status(403))
            }
            _ => None,
        };
        if let Some(status) = status {
            sub.status = status;
            sub.filename = filename;
            return LookedUp::Answered(sub);
        }
        if is_dir {
            filename.push(b'/');
        }
        sub.filename = filename;
        sub.cursor = super::decide::Cursor::at(Phase::Storage);
        self.look_up(sub)
    }

    /// Runs a request that was found, as a part of this one's content (ap_run_sub_req): what comes of
    /// it is for the exchange to perform. One that fails has [`Request::ended`] and its status. `nests`
    /// is for [`Main::nests`].
    pub fn run_part(&mut self, mut part: Box<Request>, nests: bool) -> Progress {
        part.cursor = super::decide::Cursor::at(Phase::Filter);
        // What its look-up logged is this request's already.
        part.log.clear();
        part.main = Some(self.as_main(nests));
        self.engine.decide(self.worker, part, self.trace)
    }

    /// What a part of its content knows of this request.
    pub fn as_main(&self, nests: bool) -> Rc<Main> {
        let req = &*self.req;
        Rc::new(Main {
            filename: req.filename.clone(),
            env: req.env.clone(),
            mtime_ns: req.stat.map(|stat| stat.mtime_ns),
            nests,
            main: req.main.clone(),
        })
    }

    fn absolute_url(&self, url: &[u8]) -> Vec<u8> {
        if url.starts_with(b"/") {
            return url.to_vec();
        }
        let end = self.req.uri.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let mut whole = crate::http::escape::os_path(&self.req.uri[..end]).to_vec();
        whole.extend_from_slice(url);
        whole
    }

    fn sub_request(&mut self, url: &[u8]) -> Box<Request> {
        let base = self.worker.base(self.req.server);
        // What the request has of its own need not be copied to be thrown away.
        let own =
            (self.req.prev.take(), std::mem::take(&mut self.req.log), std::mem::take(&mut self.req.records));
        let mut sub = self.req.for_url(url, &base);
        (self.req.prev, self.req.log, self.req.records) = own;
        sub.env = self.req.env.clone();
        sub.is_sub = true;
        sub.protocol = "INCLUDED".into();
        match &self.req.kept_body {
            Some(kept) => {
                sub.headers_in.remove("Transfer-Encoding");
                sub.headers_in.set("Content-Length", kept.len().to_string());
                sub.kept_body = Some(Rc::clone(kept));
            }
            None => {
                sub.method = crate::http::Method::Get;
                sub.method_name = "GET".into();
                if self.req.framing != Framing::None {
                    for name in BODY_FIELDS {
                        sub.headers_in.remove(name);
                    }
                }
            }
        }
        sub.parent_conf = Some(self.req.conf.id);
        sub.parent_user = (self.req.user.clone(), self.req.auth_type.clone());
        Box::new(sub)
    }

    fn look_up(&mut self, mut sub: Box<Request>) -> LookedUp {
        self.once();
        let over = self.trace.nested > NESTED_LOOK_UPS;
        if over || self.trace.depth > 0 {
            self.trace.nested += 1;
        }
        if self.trace.nested > NESTED_LOOK_UPS {
            if !over {
                self.req.log.push(super::log::too_many_nested(NESTED_LOOK_UPS));
            }
            sub.status = crate::http::Status::INTERNAL_SERVER_ERROR;
            return LookedUp::Answered(sub);
        }
        let limit = super::log::sub_request_limit(&self.engine.policy);
        if self.trace.depth + self.req.mains().count() >= limit {
            self.req.log.push(super::log::too_many_look_ups(limit));
            sub.status = crate::http::Status::INTERNAL_SERVER_ERROR;
            return LookedUp::Answered(sub);
        }
        self.trace.depth += 1;
        let found = self.engine.look_up(self.worker, sub, self.trace);
        self.trace.depth -= 1;
        if let LookedUp::Found(request) | LookedUp::Answered(request) = &found {
            let room = LOOKED_UP_LOG.saturating_sub(self.req.log.len());
            self.req.log.extend(request.log.iter().take(room).cloned());
        }
        found
    }

    /// Ends the request with a status, with a reason for the record.
    pub fn fail(&mut self, status: u16, at: Span, why: fmt::Arguments<'_>) -> Verdict {
        self.because(at, why);
        Verdict::Status(crate::http::Status(status))
    }
}

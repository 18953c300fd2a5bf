//! Expressions evaluated for a request: what the variables of ap_expr mean here.

use super::{
    cx::{Cx, LookedUp},
    module::Verdict,
    response::unix,
    urls,
};
use crate::{
    diag::Span,
    http::Status,
    policy::{
        SaidExt,
        expr::{
            Captures, Context, EvalError, Expr, LogLevel, SubRequest, SubRequestKind, Variable, eval,
            eval_string,
        },
    },
    system::System,
};
use bstr::{BString, ByteSlice};
use std::net::IpAddr;

impl Cx<'_> {
    /// Whether a condition holds.
    ///
    /// # Errors
    /// It could not be evaluated; the verdict to end the request with.
    pub fn condition(&mut self, expr: &Expr, at: Span) -> Result<bool, Verdict> {
        let holds = eval(expr, self, &mut Captures::new()).map_err(|error| self.failed(&error, at))?;
        let word = if holds { "holds" } else { "does not hold" };
        self.because(at, format_args!("`{}` {word}", expr.text));
        Ok(holds)
    }

    /// The text that a string expression makes.
    ///
    /// # Errors
    /// It could not be evaluated; the verdict to end the request with.
    pub fn expand(&mut self, expr: &Expr, at: Span) -> Result<BString, Verdict> {
        self.expand_with(expr, at, &mut Captures::new())
    }

    /// The same with the groups of an earlier match as `$0` to `$9`.
    ///
    /// # Errors
    /// As for [`Cx::expand`].
    pub fn expand_with(
        &mut self,
        expr: &Expr,
        at: Span,
        captures: &mut Captures,
    ) -> Result<BString, Verdict> {
        eval_string(expr, self, captures).map_err(|error| self.failed(&error, at))
    }

    fn failed(&mut self, error: &EvalError, at: Span) -> Verdict {
        let place = self.worker.sources.place(at);
        let (file, line) = (place.file.to_owned(), place.line);
        self.log(3, "", format_args!("Evaluation of expression from {file}:{line} failed: {error}"));
        self.because(at, format_args!("the expression could not be evaluated: {error}"));
        Verdict::Status(Status(500))
    }
}

impl Context for Cx<'_> {
    fn system(&self) -> &dyn System {
        Cx::system(self)
    }

    fn variable(&mut self, variable: &Variable) -> Option<BString> {
        self.once();
        self.request_variable(variable).or_else(|| self.server_variable(variable))
    }

    fn request_header(&self, name: &[u8]) -> Option<BString> {
        let values: Vec<&[u8]> = self.req.headers_in.get_all(name).map(|value| value.as_bytes()).collect();
        (!values.is_empty()).then(|| values.join(&b", "[..]).into())
    }

    fn response_header(&self, name: &[u8]) -> Option<BString> {
        let own = self.req.headers_out.get(name).or(self.req.err_headers_out.get(name));
        own.map(BString::from)
    }

    fn env(&mut self, name: &[u8]) -> Option<BString> {
        self.req.env.get(name).map(BString::from)
    }

    fn note(&self, name: &[u8]) -> Option<BString> {
        self.req.notes.get(name).map(BString::from)
    }

    fn vary(&mut self, header: &[u8]) {
        self.req.headers_out.merge("Vary", header);
    }

    fn remote_ip(&self) -> Option<IpAddr> {
        Some(self.req.conn.client.ip().to_canonical())
    }

    fn sub_request(&mut self, kind: SubRequestKind, target: &[u8]) -> SubRequest {
        let found = loop {
            let found = match kind {
                SubRequestKind::File => self.look_up_file(target),
                SubRequestKind::Url => self.look_up_url(target),
            };
            match found {
                LookedUp::Wait(pending) if self.find_out_now(pending.clone()) => {}
                found => break found,
            }
        };
        match found {
            LookedUp::Found(request) => SubRequest {
                status: request.status.0,
                is_file: request.stat.is_some_and(|stat| stat.is_file()),
            },
            LookedUp::Answered(request) => SubRequest { status: request.status.0, is_file: false },
            LookedUp::Wait(_) => SubRequest { status: 500, is_file: false },
        }
    }

    fn log(&mut self, level: LogLevel, text: String) {
        let level = match level {
            LogLevel::Warn => 4,
            LogLevel::Trace => 12,
        };
        self.log(level, "", format_args!("{text}"));
    }
}

impl Cx<'_> {
    fn request_variable(&self, variable: &Variable) -> Option<BString> {
        let req = &*self.req;
        let on = |yes: bool| Some(BString::from(if yes { "on" } else { "off" }));
        match variable {
            Variable::RequestMethod => Some(req.method_name.clone()),
            Variable::RequestScheme => Some(super::urls::scheme(self.engine, req).into()),
            Variable::RequestUri => Some(req.uri.clone()),
            Variable::RequestFilename => Some(req.filename.clone()),
            Variable::RemoteUser => req.user.clone(),
            Variable::ServerProtocol => Some(req.protocol.clone()),
            Variable::AuthType => req.auth_type.clone(),
            Variable::TheRequest => Some(req.request_line.clone()),
            Variable::ContentType => req.content_type.clone(),
            Variable::Handler => req.handler.clone(),
            Variable::PathInfo => Some(req.path_info.clone()),
            Variable::QueryString => req.args.clone(),
            Variable::IsSubreq => Some(if req.is_sub { "true" } else { "false" }.into()),
            Variable::LastModified => {
                let modified = req.stat?.modified();
                Some(modified_text(unix(modified)).into())
            }
            Variable::ContextPrefix => req.context_prefix.clone(),
            Variable::RequestStatus => (req.status.0 != 0).then(|| req.status.0.to_string().into()),
            Variable::RemoteAddr | Variable::ConnRemoteAddr => {
                Some(req.conn.client.ip().to_canonical().to_string().into())
            }
            Variable::RemotePort => Some(req.conn.client.port().to_string().into()),
            Variable::RemoteHost => self.remote_host(),
            Variable::Ipv6 => on(req.conn.client.ip().to_canonical().is_ipv6()),
            Variable::Https | Variable::Http2 => on(false),
            _ => None,
        }
    }

    fn server_variable(&self, variable: &Variable) -> Option<BString> {
        match variable {
            Variable::ServerAdmin => self.core_server().admin.value().cloned(),
            Variable::ServerName => Some(urls::server_name(self.engine, self.req)),
            Variable::ServerPort => Some(urls::server_port(self.engine, self.req).to_string().into()),
            Variable::DocumentRoot => Some(urls::document_root(self.engine, self.req)),
            Variable::ContextDocumentRoot => {
                let own = self.req.context_document_root.clone();
                Some(own.unwrap_or_else(|| urls::document_root(self.engine, self.req)))
            }
            Variable::ServerSoftware => Some(urls::server_software(&self.engine.policy).into()),
            Variable::ApiVersion => Some(urls::MODULE_MAGIC_NUMBER.to_string().into()),
            _ => None,
        }
    }

    /// The client's name if it was looked up, else its address.
    fn remote_host(&self) -> Option<BString> {
        let ip = self.req.conn.client.ip();
        let lookups = self.req.conn.lookups.borrow();
        let name = lookups.names.get(&ip).cloned().flatten();
        Some(name.unwrap_or_else(|| ip.to_canonical().to_string().into()))
    }
}

/// `LAST_MODIFIED` is written as the time variables are: `20101231235959` in UTC.
fn modified_text(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .map_or_else(String::new, |t| t.format("%Y%m%d%H%M%S").to_string())
}

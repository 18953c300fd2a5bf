//! What comes of a request, in one line.

use crate::{
    engine::{Answer, Decision, Request},
    http::Status,
};
use bstr::{BString, ByteSlice};
use std::fmt;

/// What kind of answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, sent as it is.
    Served,
    /// A program, whose output is the answer.
    Executed,
    /// 401 and 403.
    Denied,
    /// A redirect.
    Redirected,
    /// 404 and 410.
    NotFound,
    /// The server's own doing: OPTIONS, TRACE, a listing.
    Answered,
    /// Any other error.
    Failed,
    /// The connection is closed without a word.
    Closed,
}

impl Kind {
    /// The word for it, as JSON has it; in capitals as the first line has it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Served => "served",
            Kind::Executed => "executed",
            Kind::Denied => "denied",
            Kind::Redirected => "redirect",
            Kind::NotFound => "not found",
            Kind::Answered => "answered",
            Kind::Failed => "failed",
            Kind::Closed => "closed",
        }
    }
}

/// What comes of a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The kind.
    pub kind: Kind,
    /// The status; for a program, before it said anything.
    pub status: Status,
    /// The file or program; for an error, the file that was asked for.
    pub file: Option<BString>,
    /// Media type of a file.
    pub content_type: Option<BString>,
    /// The handler that runs a program.
    pub handler: Option<BString>,
    /// Where a redirect goes.
    pub location: Option<BString>,
    /// The URL whose answer stands in for the error page (ErrorDocument).
    pub error_document: Option<BString>,
}

impl Outcome {
    /// The outcome of a decision.
    pub fn of(decision: &Decision) -> Outcome {
        let last = &*decision.request;
        let failed = last.status.0 >= 400 && last.prev.is_some();
        let asked = if failed { before_the_error(last) } else { last };
        let location = last.err_headers_out.get("Location").or_else(|| last.headers_out.get("Location"));
        let kind = kind(decision);
        Outcome {
            kind,
            status: decision.status(),
            file: Some(asked.filename.clone()).filter(|name| !name.is_empty()),
            content_type: last.content_type.clone().filter(|_| kind == Kind::Served),
            handler: asked.handler.clone().filter(|_| kind == Kind::Executed),
            location: location.map(|url| url.as_bstr().to_owned()).filter(|_| kind == Kind::Redirected),
            error_document: failed.then(|| last.uri.clone()),
        }
    }
}

fn kind(decision: &Decision) -> Kind {
    match (&decision.answer, decision.status().0) {
        (Answer::Close, _) => Kind::Closed,
        (_, 401 | 403) => Kind::Denied,
        (_, 404 | 410) => Kind::NotFound,
        (_, 400..) => Kind::Failed,
        (_, 300..=399) if decision.status().0 != 304 => Kind::Redirected,
        (Answer::Spawn(_), _) => Kind::Executed,
        (Answer::Content(content), _) => match content {
            crate::engine::Content::File { .. } => Kind::Served,
            _ if decision.request.stat.as_ref().is_some_and(|stat| stat.is_file()) => Kind::Served,
            _ => Kind::Answered,
        },
    }
}

/// The request that failed, before ErrorDocument took over.
fn before_the_error(last: &Request) -> &Request {
    last.prev.as_deref().unwrap_or(last)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map_or(BString::from("the answer"), Clone::clone);
        match self.kind {
            Kind::Served => {
                write!(f, "SERVED {file}")?;
                match &self.content_type {
                    Some(content_type) => write!(f, " as {content_type}"),
                    None => f.write_str(" without a media type"),
                }
            }
            Kind::Executed => match &self.handler {
                Some(handler) => write!(f, "EXECUTED {file} by {handler}"),
                None => write!(f, "EXECUTED {file}"),
            },
            Kind::Redirected => {
                write!(f, "REDIRECT {}", self.status.0)?;
                self.location.as_ref().map_or(Ok(()), |url| write!(f, " to {url}"))
            }
            Kind::Denied | Kind::NotFound | Kind::Failed => {
                write!(f, "{} {}", self.kind.word().to_uppercase(), self.status.0)?;
                self.file.as_ref().map_or(Ok(()), |file| write!(f, " {file}"))?;
                self.error_document.as_ref().map_or(Ok(()), |url| write!(f, " (answered with {url})"))
            }
            Kind::Answered => write!(f, "ANSWERED {} by the server itself", self.status.0),
            Kind::Closed => f.write_str("CLOSED the connection without an answer"),
        }
    }
}

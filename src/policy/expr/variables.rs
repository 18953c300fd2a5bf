//! The variables of the manual's tables: `%{REQUEST_URI}` and so on. Names are case-free.

use bstr::BString;
use chrono::{DateTime, Datelike, Local, Timelike};

/// A variable, resolved while the configuration is read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Apache's; see the tables of expr.html")]
pub enum Variable {
    /// `HTTP_ACCEPT` and its like: the request header of this name, which joins `Vary`.
    Header(&'static str),
    /// `TIME`, `TIME_YEAR`, …: the clock, in local time.
    Time(TimePart),
    RequestMethod,
    RequestScheme,
    RequestUri,
    RequestFilename,
    RemoteHost,
    RemoteIdent,
    RemoteUser,
    ServerAdmin,
    ServerName,
    ServerPort,
    ServerProtocol,
    ScriptUser,
    ScriptGroup,
    DocumentRoot,
    AuthType,
    TheRequest,
    ContentType,
    Handler,
    RequestLogId,
    PathInfo,
    QueryString,
    IsSubreq,
    LastModified,
    ContextPrefix,
    ContextDocumentRoot,
    RequestStatus,
    RemoteAddr,
    RemotePort,
    Https,
    Ipv6,
    ConnLogId,
    ConnRemoteAddr,
    Http2,
    ServerSoftware,
    ApiVersion,
    /// mod_ssl's `SSL_…`, name as written.
    Ssl(BString),
}

/// A part of the local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TimePart {
    Year,
    Mon,
    Day,
    Hour,
    Min,
    Sec,
    Wday,
    All,
}

const TABLE: &[(&str, Variable)] = &[
    ("HTTP_ACCEPT", Variable::Header("Accept")),
    ("HTTP_COOKIE", Variable::Header("Cookie")),
    ("HTTP_FORWARDED", Variable::Header("Forwarded")),
    ("HTTP_HOST", Variable::Header("Host")),
    ("HTTP_PROXY_CONNECTION", Variable::Header("Proxy-Connection")),
    ("HTTP_REFERER", Variable::Header("Referer")),
    ("HTTP_USER_AGENT", Variable::Header("User-Agent")),
    ("REQUEST_METHOD", Variable::RequestMethod),
    ("REQUEST_SCHEME", Variable::RequestScheme),
    ("REQUEST_URI", Variable::RequestUri),
    ("DOCUMENT_URI", Variable::RequestUri),
    ("REQUEST_FILENAME", Variable::RequestFilename),
    ("SCRIPT_FILENAME", Variable::RequestFilename),
    ("LAST_MODIFIED", Variable::LastModified),
    ("SCRIPT_USER", Variable::ScriptUser),
    ("SCRIPT_GROUP", Variable::ScriptGroup),
    ("PATH_INFO", Variable::PathInfo),
    ("QUERY_STRING", Variable::QueryString),
    ("IS_SUBREQ", Variable::IsSubreq),
    ("THE_REQUEST", Variable::TheRequest),
    ("REMOTE_ADDR", Variable::RemoteAddr),
    ("REMOTE_PORT", Variable::RemotePort),
    ("REMOTE_HOST", Variable::RemoteHost),
    ("REMOTE_USER", Variable::RemoteUser),
    ("REMOTE_IDENT", Variable::RemoteIdent),
    ("SERVER_NAME", Variable::ServerName),
    ("SERVER_PORT", Variable::ServerPort),
    ("SERVER_ADMIN", Variable::ServerAdmin),
    ("SERVER_PROTOCOL", Variable::ServerProtocol),
    ("DOCUMENT_ROOT", Variable::DocumentRoot),
    ("AUTH_TYPE", Variable::AuthType),
    ("CONTENT_TYPE", Variable::ContentType),
    ("HANDLER", Variable::Handler),
    ("HTTP2", Variable::Http2),
    ("HTTPS", Variable::Https),
    ("IPV6", Variable::Ipv6),
    ("REQUEST_STATUS", Variable::RequestStatus),
    ("REQUEST_LOG_ID", Variable::RequestLogId),
    ("CONN_LOG_ID", Variable::ConnLogId),
    ("CONN_REMOTE_ADDR", Variable::ConnRemoteAddr),
    ("CONTEXT_PREFIX", Variable::ContextPrefix),
    ("CONTEXT_DOCUMENT_ROOT", Variable::ContextDocumentRoot),
    ("TIME_YEAR", Variable::Time(TimePart::Year)),
    ("TIME_MON", Variable::Time(TimePart::Mon)),
    ("TIME_DAY", Variable::Time(TimePart::Day)),
    ("TIME_HOUR", Variable::Time(TimePart::Hour)),
    ("TIME_MIN", Variable::Time(TimePart::Min)),
    ("TIME_SEC", Variable::Time(TimePart::Sec)),
    ("TIME_WDAY", Variable::Time(TimePart::Wday)),
    ("TIME", Variable::Time(TimePart::All)),
    ("SERVER_SOFTWARE", Variable::ServerSoftware),
    ("API_VERSION", Variable::ApiVersion),
];

impl Variable {
    /// The variable of this name; mod_ssl's only when that module is there.
    pub fn named(name: &[u8], ssl: bool) -> Option<Variable> {
        if ssl && name.len() >= 4 && name.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SSL_")) {
            return Some(Variable::Ssl(name.into()));
        }
        let row = TABLE.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(row.1.clone())
    }

    /// All names of the core, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(name, _)| *name)
    }
}

impl TimePart {
    /// The part of a moment, with leading zeros; `All` is `20101231235959`.
    pub fn of(self, now: std::time::SystemTime) -> String {
        let t: DateTime<Local> = now.into();
        match self {
            TimePart::Year => format!("{:02}", t.year()),
            TimePart::Mon => format!("{:02}", t.month()),
            TimePart::Day => format!("{:02}", t.day()),
            TimePart::Hour => format!("{:02}", t.hour()),
            TimePart::Min => format!("{:02}", t.minute()),
            TimePart::Sec => format!("{:02}", t.second()),
            TimePart::Wday => t.weekday().num_days_from_sunday().to_string(),
            TimePart::All => t.format("%Y%m%d%H%M%S").to_string(),
        }
    }
}

//! Which lines the error log takes.

use super::request::LogEntry;
use crate::{
    http::path::BadPath,
    policy::{CoreDir, CoreServer, Policy, SaidExt, core_conf::LogLevels},
};
use bstr::BStr;

/// The level up to which a module's lines are taken: what the place says, else what the server does.
pub fn level_for(dir: &CoreDir, server: &CoreServer, module: &str) -> u8 {
    let said = |levels: &LogLevels| levels.general.is_some() || !levels.modules.is_empty();
    let levels = if said(&dir.log_levels) { &dir.log_levels } else { &server.log_levels };
    levels.of(module.as_bytes())
}

/// `LimitInternalRecursion`'s first number: 10 unless said otherwise.
pub fn internal_redirect_limit(policy: &Policy) -> usize {
    policy.process.internal_redirects.value_or(10) as usize
}

/// `LimitInternalRecursion`'s second number: 10 unless said otherwise.
pub fn sub_request_limit(policy: &Policy) -> usize {
    policy.process.sub_request_depth.value_or(10) as usize
}

/// The line for look-ups that lead to look-ups without end.
pub fn too_many_look_ups(limit: usize) -> LogEntry {
    let text = format!(
        "Request exceeded the limit of {limit} subrequest nesting levels due to probable configuration error. Use \
         'LimitInternalRecursion' to increase the limit if necessary. Use 'LogLevel debug' to get a backtrace."
    );
    LogEntry {
        level: 3,
        module: "core",
        os_error: None,
        number: "AH00125",
        text: text.into(),
        explanation: None,
    }
}

/// The line for a request that goes round in circles.
pub fn too_many_redirects(limit: usize) -> LogEntry {
    let text = format!(
        "Request exceeded the limit of {limit} internal redirects due to probable configuration error. Use \
         'LimitInternalRecursion' to increase the limit if necessary. Use 'LogLevel debug' to get a backtrace."
    );
    LogEntry {
        level: 3,
        module: "core",
        os_error: None,
        number: "AH00124",
        text: text.into(),
        explanation: None,
    }
}

/// The line for a user that nobody named though one is needed.
pub fn no_authentication(uri: &bstr::BStr) -> LogEntry {
    let text = format!(
        "No authentication done but request not allowed without authentication for {uri}. Authentication not \
         configured?"
    );
    LogEntry {
        level: 3,
        module: "core",
        os_error: None,
        number: "AH00027",
        text: text.into(),
        explanation: None,
    }
}

/// The line for a phase that needs an answer and got none.
pub fn undecided(what: &str, uri: &bstr::BStr) -> LogEntry {
    let text = format!("configuration error:  couldn't {what}: {uri}");
    LogEntry {
        level: 2,
        module: "core",
        os_error: None,
        number: "AH00025",
        text: text.into(),
        explanation: None,
    }
}

/// The line for a path that cannot be used. `uri` is what the client or a page asked for.
pub fn bad_path(bad: BadPath, uri: &BStr) -> Option<LogEntry> {
    let (level, number, text) = match bad {
        BadPath::Invalid | BadPath::Escape => (3, "AH10244", format!("invalid URI path ({uri})")),
        // At the level info, which look-ups and requests without settings do not ask for.
        BadPath::Slash | BadPath::Nul => return None,
    };
    Some(LogEntry { level, module: "core", os_error: None, number, text: text.into(), explanation: None })
}

/// The line for look-ups that lead to ever more of them.
pub fn too_many_nested(limit: usize) -> LogEntry {
    let text = format!("Request exceeded the limit of {limit} look-ups that other look-ups made");
    let why = "A name of DirectoryIndex leads to a directory that has an index of that name again, or a condition to \
               a URL with such a condition.";
    LogEntry {
        level: 3,
        module: "core",
        os_error: None,
        number: "",
        text: text.into(),
        explanation: Some(why.to_owned()),
    }
}

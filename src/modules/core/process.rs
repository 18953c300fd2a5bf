//! The process: pid file, run-time files, mutexes, process-wide habits.

use super::{is, leading_number, nothing};
use crate::{
    diag::Span,
    policy::{Applied, Args, Directive, Mistake, Place, Setting, Within, regex::Defaults},
};
use bstr::ByteSlice;

pub(super) const ROWS: &[Directive] = rows! {
    "PidFile" One SERVER pid_file, "A file for logging the server process ID",
        "where the server writes its process number";
    "ScoreBoardFile" One SERVER global,
        "A file for Apache to maintain runtime process management information",
        "accepted without effect: there is no scoreboard";
    "ExtendedStatus" Flag SERVER extended_status,
        "\"On\" to track extended status information, \"Off\" to disable",
        "whether single requests are counted for mod_status";
    "SeeRequestTail" Flag SERVER see_request_tail,
        "For extended status, \"On\" to see the last 63 chars of the request line, \"Off\" (default) to see the first 63",
        "whether mod_status shows the end of a long request line and not its beginning";
    "MaxRequestsPerChild" One SERVER max_connections_per_child,
        "Maximum number of connections a particular child serves before dying. (DEPRECATED, use MaxConnectionsPerChild)",
        "old name of MaxConnectionsPerChild";
    "MaxConnectionsPerChild" One SERVER max_connections_per_child,
        "Maximum number of connections a particular child serves before dying.",
        "accepted without effect: workers do not die of age";
    "CoreDumpDirectory" One SERVER core_dump_directory,
        "The location of the directory Apache changes to before dumping core",
        "where the process leaves its memory when it crashes";
    "MaxMemFree" One SERVER |place, args| not_negative(place, args, "MaxMemFree"),
        "Maximum number of 1k blocks a particular child's allocator may hold.",
        "accepted without effect: the system's allocator decides";
    "ThreadStackSize" One SERVER |place, args| not_negative(place, args, "ThreadStackSize"),
        "Size in bytes of stack used by threads handling client connections",
        "accepted without effect: connections have no thread of their own";
    "Mutex" Raw SERVER mutex, "mutex (or \"default\") and mechanism",
        "accepted without effect: nothing is locked between processes";
    "RegexDefaultOptions" Raw SERVER regex_default_options,
        "default options for regexes (prefixed by '+' to add, '-' to del)",
        "what holds for all regular expressions that follow";
};

fn global(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    nothing(place, args)
}

fn pid_file(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    place.process().pid_file = Some(Setting::new(args.text(0).into(), args.span));
    Ok(())
}

fn see_request_tail(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    place.process().see_request_tail = args.on;
    Ok(())
}

fn extended_status(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    place.process().extended_status = Some(Setting::new(args.on, args.span));
    Ok(())
}

fn max_connections_per_child(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let most = u32::try_from(leading_number(args.text(0))).unwrap_or(0);
    place.process().max_connections_per_child = Some(Setting::new(most, args.span));
    Ok(())
}

fn core_dump_directory(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let path = place.server_path(args.text(0));
    if !place.is_directory(&path) {
        let message = format!("CoreDumpDirectory {path} does not exist");
        return Err(Mistake::new(message).id("RX0270").at(args.at(0), "no such directory"));
    }
    place.process().core_dump_directory = Some(Setting::new(path, args.span));
    Ok(())
}

fn not_negative(place: &mut Place<'_, '_>, args: &Args<'_>, name: &str) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let number = leading_number(args.text(0));
    if number < 0 {
        let mistake = Mistake::new(format!("Invalid {name} value: {number}")).id("RX0271");
        return Err(mistake.at(args.at(0), "less than nothing"));
    }
    Ok(())
}

const MECHANISMS: &str = "Mutex mechanisms are: 'none', 'default', 'flock:/path/to/file', 'fcntl:/path/to/file', \
     'file:/path/to/file', 'pthread', 'sysvsem', 'posixsem', 'sem'";

fn mutex(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let words: Vec<_> = args.node.words().collect();
    let Some(first) = words.first() else {
        let message = format!("Mutex requires at least a mechanism argument ({MECHANISMS})");
        return Err(Mistake::new(message).id("RX0272"));
    };
    let (name, path) = match first.text.find_byte(b':') {
        Some(at) => (&first.text[..at], Some(&first.text[at + 1..])),
        None => (first.text.as_slice(), None),
    };
    let in_file = ["flock", "fcntl", "file"].iter().any(|known| is(name, known));
    let plain = ["none", "no", "default", "yes", "pthread", "sysvsem", "posixsem", "sem"];
    if !in_file && !plain.iter().any(|known| is(name, known)) {
        let message = format!("Invalid Mutex argument {} ({MECHANISMS})", first.text);
        return Err(Mistake::new(message).id("RX0273").at(first.span, "no such mechanism"));
    }
    if let Some(path) = path.filter(|path| in_file && !path.is_empty()) {
        let directory = place.server_path(path);
        if !place.is_directory(&directory) {
            let message = format!("Invalid Mutex directory in argument {}", first.text);
            return Err(Mistake::new(message).id("RX0274").at(first.span, "no such directory"));
        }
    }
    for word in &words[1..] {
        check_mutex(word, matches!(name.to_ascii_lowercase().as_slice(), b"none" | b"no"))?;
    }
    if words.len() == 1 && matches!(name.to_ascii_lowercase().as_slice(), b"none" | b"no") {
        return Err(Mistake::new("None is not allowed for mutex type default")
            .id("RX0278")
            .at(first.span, "not here"));
    }
    place.process().mutexes.push(Setting::new(args.raw().into(), args.span));
    Ok(())
}

/// What Apache's modules lock; those that rachis knows of.
const MUTEX_TYPES: [&str; 13] = [
    "default",
    "mpm-accept",
    "watchdog-callback",
    "cgi-socket",
    "rewrite-map",
    "ssl-cache",
    "ssl-stapling",
    "ssl-stapling-refresh",
    "ldap-cache",
    "authn-socache",
    "authdigest-client",
    "authdigest-opaque",
    "proxy-balancer-shm",
];

fn check_mutex(word: &crate::syntax::Word, none: bool) -> Applied {
    let known = |name: &str| is(&word.text, name);
    if !is(&word.text, "OmitPID") && !MUTEX_TYPES.iter().any(|name| known(name)) {
        let message = format!("Mutex type {} is not valid", word.text);
        return Err(Mistake::new(message).id("RX0279").at(word.span, "no module has such a lock"));
    }
    if none && is(&word.text, "default") {
        return Err(Mistake::new("None is not allowed for mutex type default")
            .id("RX0278")
            .at(word.span, "not this"));
    }
    Ok(())
}

fn regex_default_options(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    for (n, word) in args.node.words().enumerate() {
        let (sign, name) = match word.text.as_slice() {
            [sign @ (b'+' | b'-'), name @ ..] => (Some(*sign), name),
            name => (None, name),
        };
        let regex = &mut place.process().regex;
        let mut said = if sign.is_some() { *regex } else { Defaults::NONE };
        let option = match () {
            () if is(name, "ICASE") => Some(&mut said.icase),
            () if is(name, "DOTALL") => Some(&mut said.dotall),
            () if is(name, "DOLLAR_ENDONLY") => Some(&mut said.dollar_endonly),
            () => None,
        };
        match option {
            Some(option) => *option = sign != Some(b'-'),
            None if n == 0 && sign.is_none() && is(name, "none") => {}
            None => return Err(unknown_regex_option(name, word.span)),
        }
        *regex = said;
    }
    Ok(())
}

fn unknown_regex_option(name: &[u8], span: Span) -> Mistake {
    let message = format!("RegexDefaultOptions: option '{}' unknown", name.as_bstr());
    Mistake::new(message).id("RX0275").at(span, "no such option")
}

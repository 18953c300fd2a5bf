//! The event MPM's directives: listeners and the sizes of a server that is built of processes and
//! threads. Here workers are event loops, so most of them are accepted without effect.

use super::core::{addresses, leading_number, nothing, number_and_rest, rows};
use crate::{
    diag::{Apache, Diagnostic, Span},
    engine::Module,
    policy::{
        Applied, Args, Mistake, Place, Policy, Said, Setting, Within,
        process::{Listen, Sizes},
    },
};
use std::time::Duration;

/// The module.
pub static MODULE: Module = Module {
    name: "mpm_event",
    source: "event.c",
    identifier: "mpm_event_module",
    always: true,
    directives: rows! {
        "ListenBacklog" One SERVER listen_backlog,
            "Maximum length of the queue of pending connections, as used by listen(2)",
            "how many connections may wait to be accepted";
        "ListenCoresBucketsRatio" One SERVER |place, args| positive(place, args, "ListenCoresBucketsRatio").map(drop),
            "Ratio between the number of CPU cores (online) and the number of listeners buckets",
            "accepted without effect: every worker accepts connections itself";
        "Listen" Argv SERVER listen,
            "A port number or a numeric IP address and a port number, and an optional protocol",
            "an address and port to take connections at; port 0 asks the system for a free one";
        "SendBufferSize" One SERVER send_buffer_size, "Send buffer size in bytes",
            "how much the system keeps that is not sent yet";
        "ReceiveBufferSize" One SERVER receive_buffer_size, "Receive buffer size in bytes",
            "how much the system keeps that is not read yet";
        "ListenTCPDeferAccept" One SERVER |place, args| positive(place, args, "ListenTCPDeferAccept").map(drop),
            "Value set for the socket option TCP_DEFER_ACCEPT if it is set",
            "accepted without effect: connections are taken as they come";
        "StartServers" One SERVER |place, args| size(place, args, |sizes| &mut sizes.start_servers), "Number of child processes launched at server startup",
            "accepted without effect: there is one worker for each processor";
        "ServerLimit" One SERVER |place, args| size(place, args, |sizes| &mut sizes.server_limit), "Maximum number of child processes for this run of Apache",
            "accepted without effect: there is one worker for each processor";
        "MinSpareThreads" One SERVER |place, args| size(place, args, |sizes| &mut sizes.min_spare_threads), "Minimum number of idle threads, to handle request spikes",
            "accepted without effect: connections need no threads";
        "MaxSpareThreads" One SERVER global, "Maximum number of idle threads",
            "accepted without effect: connections need no threads";
        "MaxClients" One SERVER max_request_workers, "Deprecated name of MaxRequestWorkers",
            "old name of MaxRequestWorkers";
        "MaxRequestWorkers" One SERVER max_request_workers,
            "Maximum number of threads alive at the same time",
            "most connections served at a time";
        "ThreadsPerChild" One SERVER |place, args| size(place, args, |sizes| &mut sizes.threads_per_child), "Number of threads each child creates",
            "accepted without effect: connections need no threads";
        "ThreadLimit" One SERVER |place, args| size(place, args, |sizes| &mut sizes.thread_limit),
            "Maximum number of worker threads per child process for this run of Apache - Upper limit for ThreadsPerChild",
            "accepted without effect: connections need no threads";
        "AsyncRequestWorkerFactor" One SERVER async_factor,
            "How many additional connects will be accepted per idle worker thread",
            "how many connections may be idle, for each that MaxRequestWorkers lets be served; unsaid, 2";
        "GracefulShutdownTimeout" One SERVER graceful_shutdown_timeout,
            "Maximum time in seconds to wait for child processes to complete transactions during shutdown",
            "how long a graceful stop waits, seconds; 0 is for ever";
    },
    check: Some(check),
    ..Module::NOTHING
};

fn global(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    nothing(place, args)
}

fn positive(place: &mut Place<'_, '_>, args: &Args<'_>, name: &str) -> Result<u32, Mistake> {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let number = u32::try_from(leading_number(args.text(0))).ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        Mistake::new(format!("{name} must be > 0"))
            .id("RX0600")
            .at(args.at(0), "a number above zero belongs here")
    })
}

fn listen_backlog(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let number = positive(place, args, "ListenBacklog")?;
    place.process().backlog = Some(Setting::new(number, args.span));
    Ok(())
}

fn listen(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    if !(1..=2).contains(&args.words.len()) {
        return Err(Mistake::new("Listen requires 1 or 2 arguments.").id("RX0601"));
    }
    let option =
        args.get(1).filter(|word| word.get(..8).is_some_and(|w| w.eq_ignore_ascii_case(b"options=")));
    let protocol = args.get(1).filter(|_| option.is_none()).map(|word| word.to_ascii_lowercase().into());
    let (addresses, host) = addresses::listen(args.text(0)).map_err(|bad| {
        let (message, label) = match bad {
            addresses::BadListen::NoPort => ("Port must be specified", "no port"),
            addresses::BadListen::Invalid => ("Invalid address or port", "no address and port"),
            addresses::BadListen::Unknown => ("Listen setup failed", "this name has no address"),
        };
        Mistake::new(message).id("RX0602").at(args.at(0), label)
    })?;
    for address in addresses {
        let taken = |known: &Setting<Listen>| known.value.address == address && address.port() != 0;
        if let Some(known) = place.process().listen.iter().find(|known| taken(known)) {
            let at = known.at;
            let (file, line) = place.describe(at);
            let mistake = Mistake::new("Cannot define multiple Listeners on the same IP:port").id("RX0603");
            return Err(mistake
                .at(args.at(0), "taken already")
                .note(format!("{file}:{line} listens there.")));
        }
        let value = Listen { address, protocol: protocol.clone(), host: host.clone() };
        place.process().listen.push(Setting::new(value, args.span));
    }
    Ok(())
}

fn buffer_size(place: &mut Place<'_, '_>, args: &Args<'_>, name: &str) -> Result<Setting<u32>, Mistake> {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    match u32::try_from(leading_number(args.text(0))) {
        Ok(bytes) if bytes == 0 || bytes >= 512 => Ok(Setting::new(bytes, args.span)),
        _ => {
            let message = format!("{name} must be >= 512 bytes, or 0 for system default.");
            Err(Mistake::new(message).id("RX0604").at(args.at(0), "too small"))
        }
    }
}

fn send_buffer_size(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.process().send_buffer_size = Some(buffer_size(place, args, "SendBufferSize")?);
    Ok(())
}

fn receive_buffer_size(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.process().receive_buffer_size = Some(buffer_size(place, args, "ReceiveBufferSize")?);
    Ok(())
}

fn max_request_workers(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    size(place, args, |sizes| &mut sizes.max_request_workers)?;
    let most = u32::try_from(leading_number(args.text(0))).unwrap_or(0).max(1);
    place.process().max_request_workers = Some(Setting::new(most, args.span));
    Ok(())
}

fn size(place: &mut Place<'_, '_>, args: &Args<'_>, slot: fn(&mut Sizes) -> &mut Said<i64>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    *slot(&mut place.process().sizes) = Some(Setting::new(leading_number(args.text(0)), args.span));
    Ok(())
}

fn async_factor(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let text = args.text(0);
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match number {
        Some(number) if number > 0.0 => {
            place.process().async_factor = Some(Setting::new(number, args.span));
            Ok(())
        }
        None if number_and_rest(text).is_none() => {
            Err(Mistake::new("error parsing value").id("RX0605").at(args.at(0), "no number"))
        }
        _ => {
            let mistake = Mistake::new("AsyncRequestWorkerFactor argument must be a positive number");
            Err(mistake.id("RX0606").at(args.at(0), "a number above zero belongs here"))
        }
    }
}

fn graceful_shutdown_timeout(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let seconds = u64::try_from(leading_number(args.text(0))).unwrap_or(0);
    place.process().graceful_shutdown_timeout = Some(Setting::new(Duration::from_secs(seconds), args.span));
    Ok(())
}

/// Most processes and threads that Apache is compiled for.
const MOST_SERVERS: i64 = 20_000;
const MOST_THREADS: i64 = 100_000;

/// Warns of numbers that Apache would not start with as they are, in its order (event_check_config).
/// They mean nothing here but `MaxRequestWorkers`.
fn check(policy: &Policy, diagnostics: &mut Vec<Diagnostic>) {
    let sizes = &policy.process.sizes;
    let mut warnings = Warnings(diagnostics);
    let servers = sizes.server_limit;
    let servers = warnings.at_most(servers, "ServerLimit", 16, "AH00497", (MOST_SERVERS, "servers"));
    let servers = warnings.at_least_one(servers, "ServerLimit", "AH00499");
    let threads = sizes.thread_limit;
    let threads = warnings.at_most(threads, "ThreadLimit", 64, "AH00502", (MOST_THREADS, "threads"));
    let threads = warnings.at_least_one(threads, "ThreadLimit", "AH00504");
    let per_child = warnings.threads_per_child(sizes.threads_per_child, threads.value);
    warnings.workers(sizes.max_request_workers, servers.value, per_child.value);
    let start = sizes.start_servers.unwrap_or(Setting::new(3, Span::BUILTIN));
    warnings.at_least_one(start, "StartServers", "AH00517");
    if let Some(Setting { value: value @ ..1, at }) = sizes.min_spare_threads {
        let end = "increasing to 1 to avoid almost certain server failure. Please read the documentation.";
        warnings.warn(at, "AH00519", &format!("MinSpareThreads of {value} not allowed"), end);
    }
}

struct Warnings<'d>(&'d mut Vec<Diagnostic>);

impl Warnings<'_> {
    fn warn(&mut self, at: Span, number: &str, head: &str, end: &str) {
        let text = format!("{number}: WARNING: {head}, {end}");
        self.0.push(Diagnostic::warning("RX0612", at, head).with_apache(Apache::Plain(text)).logged_bare());
    }

    fn at_most(
        &mut self,
        said: Said<i64>,
        name: &str,
        default: i64,
        number: &str,
        (most, unit): (i64, &str),
    ) -> Setting<i64> {
        let Setting { value, at } = said.unwrap_or(Setting::new(default, Span::BUILTIN));
        if value > most {
            let head = format!("{name} of {value} exceeds compile-time limit of {most} {unit}");
            self.warn(at, number, &head, &format!("decreasing to {most}."));
        }
        Setting::new(value.min(most), at)
    }

    fn at_least_one(&mut self, said: Setting<i64>, name: &str, number: &str) -> Setting<i64> {
        let Setting { value, at } = said;
        if value < 1 {
            self.warn(at, number, &format!("{name} of {value} not allowed"), "increasing to 1.");
        }
        Setting::new(value.max(1), at)
    }

    fn threads_per_child(&mut self, said: Said<i64>, limit: i64) -> Setting<i64> {
        let Setting { value, at } = said.unwrap_or(Setting::new(25, Span::BUILTIN));
        if value > limit {
            let head = format!("ThreadsPerChild of {value} exceeds ThreadLimit of {limit} threads");
            let end = format!("decreasing to {limit}. To increase, please see the ThreadLimit directive.");
            self.warn(at, "AH00507", &head, &end);
        }
        self.at_least_one(Setting::new(value.min(limit), at), "ThreadsPerChild", "AH00509")
    }

    fn workers(&mut self, said: Said<i64>, servers: i64, per_child: i64) {
        let Setting { value, at } = said.unwrap_or(Setting::new(16 * 25, Span::BUILTIN));
        if value < per_child {
            let head = format!("MaxRequestWorkers of {value} is less than ThreadsPerChild of {per_child}");
            let end = format!(
                "increasing to {per_child}. MaxRequestWorkers must be at least as large as the number of threads \
                 in a single server."
            );
            return self.warn(at, "AH00511", &head, &end);
        }
        let (needed, whole) = (value / per_child, value - value % per_child);
        if whole < value {
            let head = format!(
                "MaxRequestWorkers of {value} is not an integer multiple of ThreadsPerChild of {per_child}"
            );
            let end = format!("decreasing to nearest multiple {whole}, for a maximum of {needed} servers.");
            self.warn(at, "AH00513", &head, &end);
        }
        if needed > servers {
            let head = format!(
                "MaxRequestWorkers of {whole} would require {needed} servers and would exceed ServerLimit of {servers}"
            );
            let most = servers.saturating_mul(per_child);
            let end = format!("decreasing to {most}. To increase, please see the ServerLimit directive.");
            self.warn(at, "AH00515", &head, &end);
        }
    }
}

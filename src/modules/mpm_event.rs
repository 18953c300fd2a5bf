//! The event MPM's directives: listeners and the sizes of a server that is built of processes and
//! threads. Here workers are event loops, so most of them are accepted without effect.

use super::core::{addresses, leading_number, nothing, number_and_rest, rows};
use crate::{
    engine::Module,
    policy::{Applied, Args, Mistake, Place, Setting, Within, process::Listen},
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
        "StartServers" One SERVER global, "Number of child processes launched at server startup",
            "accepted without effect: there is one worker for each processor";
        "ServerLimit" One SERVER global, "Maximum number of child processes for this run of Apache",
            "accepted without effect: there is one worker for each processor";
        "MinSpareThreads" One SERVER global, "Minimum number of idle threads, to handle request spikes",
            "accepted without effect: connections need no threads";
        "MaxSpareThreads" One SERVER global, "Maximum number of idle threads",
            "accepted without effect: connections need no threads";
        "MaxClients" One SERVER max_request_workers, "Deprecated name of MaxRequestWorkers",
            "old name of MaxRequestWorkers";
        "MaxRequestWorkers" One SERVER max_request_workers,
            "Maximum number of threads alive at the same time",
            "most connections served at a time";
        "ThreadsPerChild" One SERVER threads_per_child, "Number of threads each child creates",
            "accepted without effect: connections need no threads";
        "ThreadLimit" One SERVER global,
            "Maximum number of worker threads per child process for this run of Apache - Upper limit for ThreadsPerChild",
            "accepted without effect: connections need no threads";
        "AsyncRequestWorkerFactor" One SERVER async_factor,
            "How many additional connects will be accepted per idle worker thread",
            "accepted without effect: connections need no threads";
        "GracefulShutdownTimeout" One SERVER graceful_shutdown_timeout,
            "Maximum time in seconds to wait for child processes to complete transactions during shutdown",
            "how long a graceful stop waits, seconds; 0 is for ever";
    },
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
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let most = u32::try_from(leading_number(args.text(0))).unwrap_or(0).max(1);
    place.process().max_request_workers = Some(Setting::new(most, args.span));
    Ok(())
}

fn threads_per_child(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let number = u32::try_from(leading_number(args.text(0))).unwrap_or(0).max(1);
    place.process().threads_per_child = Some(Setting::new(number, args.span));
    Ok(())
}

fn async_factor(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let text = args.text(0);
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match number {
        Some(number) if number > 0.0 => Ok(()),
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

//! The page, in Apache's structure, which programs read too.

use super::{State, Wish, in_words, ratio, short};
use crate::{
    engine::{Cx, urls},
    http::escape,
};
use bstr::{BString, ByteSlice};
use std::fmt::Write;

/// Letters of the scoreboard in a line.
const LINE: usize = 64;

/// Most bytes of a request line.
const REQUEST: usize = 63;

const KEY: &str = r#"<p>Scoreboard Key:<br />
"<b><code>_</code></b>" Waiting for Connection, 
"<b><code>S</code></b>" Starting up, 
"<b><code>R</code></b>" Reading Request,<br />
"<b><code>W</code></b>" Sending Reply, 
"<b><code>K</code></b>" Keepalive (read), 
"<b><code>D</code></b>" DNS Lookup,<br />
"<b><code>C</code></b>" Closing connection, 
"<b><code>L</code></b>" Logging, 
"<b><code>G</code></b>" Gracefully finishing,<br /> 
"<b><code>I</code></b>" Idle cleanup of worker, 
"<b><code>.</code></b>" Open slot with no current process<br />
</p>
"#;

const COLUMNS: &str = r#"

<table border="0"><tr><th>Srv</th><th>PID</th><th>Acc</th><th>M</th><th>CPU
</th><th>SS</th><th>Req</th><th>Dur</th><th>Conn</th><th>Child</th><th>Slot</th><th>Client</th><th>Protocol</th><th>VHost</th><th>Request</th></tr>

"#;

const LEGEND: &str = r#"</table>
 <hr /> <table>
 <tr><th>Srv</th><td>Child Server number - generation</td></tr>
 <tr><th>PID</th><td>OS process ID</td></tr>
 <tr><th>Acc</th><td>Number of accesses this connection / this child / this slot</td></tr>
 <tr><th>M</th><td>Mode of operation</td></tr>
<tr><th>CPU</th><td>CPU usage, number of seconds</td></tr>
<tr><th>SS</th><td>Seconds since beginning of most recent request</td></tr>
 <tr><th>Req</th><td>Milliseconds required to process most recent request</td></tr>
 <tr><th>Dur</th><td>Sum of milliseconds required to process all requests</td></tr>
 <tr><th>Conn</th><td>Kilobytes transferred this connection</td></tr>
 <tr><th>Child</th><td>Megabytes transferred this child</td></tr>
 <tr><th>Slot</th><td>Total megabytes transferred this slot</td></tr>
 </table>
"#;

const MORE: &str = "<hr />To obtain a full report with current status information you need to use the \
                    <code>ExtendedStatus On</code> directive.\n";

/// The whole page.
pub fn page(state: &State, cx: &Cx<'_>, wish: Wish) -> String {
    let mut out = String::new();
    write_page(state, cx, wish, &mut out).expect("writing to memory does not fail");
    out
}

fn write_page(state: &State, cx: &Cx<'_>, wish: Wish, out: &mut String) -> std::fmt::Result {
    let State { host, version, now, started, up, generation, load, all, .. } = state;
    let local = cx.req.conn.local.ip().to_canonical();
    out.push_str(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n",
    );
    out.push_str("<html><head>\n<title>Apache Status</title>\n</head><body>\n");
    writeln!(out, "<h1>Apache Server Status for {host} (via {local})</h1>\n")?;
    writeln!(out, "<dl><dt>Server Version: {version}</dt>\n<dt>Server MPM: event</dt>")?;
    writeln!(out, "<dt>Server Built: {}\n</dt></dl><hr /><dl>\n<dt>Current Time: {now}</dt>", urls::BUILT)?;
    writeln!(
        out,
        "<dt>Restart Time: {started}</dt>\n<dt>Parent Server Config. Generation: {}</dt>",
        generation + 1
    )?;
    writeln!(out, "<dt>Parent Server MPM Generation: {generation}</dt>")?;
    writeln!(out, "<dt>Server uptime: {}</dt>", in_words(*up))?;
    writeln!(out, "<dt>Server load: {:.2} {:.2} {:.2}</dt>", load[0], load[1], load[2])?;
    if state.extended {
        totals(state, out)?;
    }
    writeln!(
        out,
        "<dt>{} requests currently being processed, 0 workers gracefully restarting, {} idle workers</dt>\n</dl>\n",
        all.busy,
        state.idle()
    )?;
    connections(state, out)?;
    let letters = state.letters();
    let lines: Vec<&str> = letters.as_bytes().chunks(LINE).filter_map(|line| line.to_str().ok()).collect();
    writeln!(out, "<pre>{}</pre>\n{}", lines.join("\n"), KEY.trim_end())?;
    match (state.extended, wish.no_table) {
        (false, _) => {
            states(&letters, out)?;
            out.push_str(MORE);
        }
        (true, false) => table(state, cx, out)?,
        (true, true) => details(state, cx, out)?,
    }
    out.push_str("</body></html>\n");
    Ok(())
}

/// The process and state of each letter, three in a line.
fn states(letters: &str, out: &mut String) -> std::fmt::Result {
    out.push_str("PID Key: <br />\n<pre>\n");
    let process = std::process::id();
    let all: Vec<String> =
        letters.chars().map(|letter| format!("   {process} in state: {letter} ")).collect();
    for line in all.chunks(3) {
        writeln!(out, "{}", line.join(","))?;
    }
    out.push_str("</pre>\n");
    Ok(())
}

fn totals(state: &State, out: &mut String) -> std::fmt::Result {
    let State { all, cpu, up, .. } = state;
    let millis = all.micros / 1000;
    let traffic = kilobytes(all.bytes >> 10);
    writeln!(
        out,
        "<dt>Total accesses: {} - Total Traffic: {traffic} - Total Duration: {millis}</dt>",
        all.requests
    )?;
    let [user, system, children_user, children_system] = cpu.map(short);
    write!(out, "<dt>CPU Usage: u{user} s{system} cu{children_user} cs{children_system}")?;
    if let Some(percent) = state.cpu_load() {
        write!(out, " - {}% CPU load", short((percent * 1000.0).round() / 1000.0))?;
    }
    out.push_str("</dt>\n<dt>");
    if *up > 0 {
        write!(
            out,
            "{} requests/sec - {}/second - ",
            short(ratio(all.requests, *up)),
            bytes(all.bytes / up)
        )?;
    }
    if let Some(each) = all.bytes.checked_div(all.requests) {
        write!(out, "{}/request - {} ms/request", bytes(each), short(ratio(millis, all.requests)))?;
    }
    out.push_str("</dt>\n");
    Ok(())
}

/// One process, whose threads are the event loops.
fn connections(state: &State, out: &mut String) -> std::fmt::Result {
    out.push_str(
        "<table rules=\"all\" cellpadding=\"1%\">\n<tr><th rowspan=\"2\">Slot</th><th rowspan=\"2\">PID</th><th rowspan=\"2\">Stopping</th><th colspan=\"2\">Connections</th>\n<th colspan=\"3\">Threads</th><th colspan=\"4\">Async connections</th></tr>\n<tr><th>total</th><th>accepting</th><th>busy</th><th>graceful</th><th>idle</th><th>wait-io</th><th>writing</th><th>keep-alive</th><th>closing</th></tr>\n",
    );
    let (total, busy, idle, waiting) = (state.all.connections, state.all.busy, state.idle(), state.waiting());
    let figures = format!(
        "<td>{busy}</td><td>0</td><td>{idle}</td><td>0</td><td>{busy}</td><td>{waiting}</td><td>0</td></tr>"
    );
    let process = std::process::id();
    writeln!(out, "<tr><td>0</td><td>{process}</td><td>no</td><td>{total}</td><td>yes</td>{figures}")?;
    writeln!(out, "<tr><td>Sum</td><td>1</td><td>0</td><td>{total}</td><td>&nbsp;</td>{figures}\n</table>")
}

/// What is known of the request that asks: client, protocol, server and request line.
struct Asking {
    client: String,
    protocol: BString,
    host: BString,
    line: BString,
}

impl Asking {
    fn of(cx: &Cx<'_>) -> Asking {
        let line = &cx.req.request_line;
        let cut = if cx.engine.policy.process.see_request_tail {
            &line[line.len().saturating_sub(REQUEST)..]
        } else {
            &line[..line.len().min(REQUEST)]
        };
        let port = cx.req.conn.local.port();
        let name = cx
            .core_server()
            .name
            .as_ref()
            .map_or_else(|| urls::server_name(cx.engine, cx.req), |said| said.value.clone());
        Asking {
            client: cx.req.conn.client.ip().to_canonical().to_string(),
            protocol: cx.req.first().protocol.to_ascii_lowercase().into(),
            host: format!("{}:{port}", escape::html(&name).as_bstr()).into(),
            line: escape::html(cut).into_owned().into(),
        }
    }
}

/// A row for each event loop. The request is known of the loop that makes this page alone: nothing may
/// be locked for the sake of a page.
fn table(state: &State, cx: &Cx<'_>, out: &mut String) -> std::fmt::Result {
    out.push_str(COLUMNS);
    let Asking { client, protocol, host, line } = Asking::of(cx);
    let (process, generation, own) = (std::process::id(), state.generation, cx.worker.number);
    for (number, counts) in state.loops.iter().enumerate() {
        let mode = match (counts.busy, counts.connections) {
            (0, 0) => "_",
            (0, _) => "K",
            _ => "<b>W</b>",
        };
        let (requests, millis) = (counts.requests, counts.micros / 1000);
        #[allow(clippy::cast_precision_loss, reason = "a figure of a few digits")]
        let megabytes = counts.bytes as f64 / f64::from(1 << 20);
        write!(
            out,
            "<tr><td><b>{number}-{generation}</b></td><td>{process}</td><td>{}/{requests}/{requests}</td><td>{mode}\n</td><td>0.00</td><td>0</td><td>0</td><td>{millis}</td><td>0.0</td><td>{megabytes:.2}</td><td>{megabytes:.2}\n</td>",
            counts.busy
        )?;
        if number == own {
            writeln!(
                out,
                "<td>{client}</td><td>{protocol}</td><td nowrap>{host}</td><td nowrap>{line}</td></tr>\n"
            )?;
        } else {
            writeln!(out, "<td></td><td></td><td nowrap></td><td nowrap></td></tr>\n")?;
        }
    }
    out.push_str(LEGEND);
    Ok(())
}

/// The same without a table.
fn details(state: &State, cx: &Cx<'_>, out: &mut String) -> std::fmt::Result {
    out.push_str("<hr /><h2>Server Details</h2>\n\n");
    let Asking { client, protocol, host, line } = Asking::of(cx);
    let (process, generation, own) = (std::process::id(), state.generation, cx.worker.number);
    for (number, counts) in state.loops.iter().enumerate() {
        let mode = match (counts.busy, counts.connections) {
            (0, 0) => "Ready",
            (0, _) => "Keepalive",
            _ => "<b>Write</b>",
        };
        let (requests, millis, sent) = (counts.requests, counts.micros / 1000, bytes(counts.bytes));
        writeln!(
            out,
            "<b>Server {number}-{generation}</b> ({process}): {}|{requests}|{requests} [{mode}] u0 s0 cu0 cs0\n 0 0 {millis}(0 B|{sent}|{sent})",
            counts.busy
        )?;
        if number == own {
            writeln!(out, " <i>{client} {{{line}}}</i> <i>({protocol})</i> <b>[{host}]</b><br />\n")?;
        } else {
            writeln!(out, " <i> {{}}</i> <i>()</i> <b>[]</b><br />\n")?;
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a figure of a few digits")]
fn bytes(count: u64) -> String {
    const KILO: u64 = 1 << 10;
    let by = |unit: u64| count as f64 / unit as f64;
    match count {
        _ if count < 5 * KILO => format!("{count} B"),
        _ if count < KILO * KILO / 2 => format!("{:.1} kB", by(KILO)),
        _ if count < KILO * KILO * KILO / 2 => format!("{:.1} MB", by(KILO * KILO)),
        _ => format!("{:.1} GB", by(KILO * KILO * KILO)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a figure of a few digits")]
fn kilobytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} kB"),
        1024..1_048_576 => format!("{:.1} MB", count as f64 / 1024.0),
        _ => format!("{:.1} GB", count as f64 / 1_048_576.0),
    }
}

//! Access logs: `LogFormat`, `CustomLog`, `TransferLog`, `GlobalLog`. Manual: `mod/mod_log_config.html`.
//!
//! Formats are compiled once, while the configuration is read. A finished request yields one line
//! for each log of its server; the server writes them.

mod fields;
mod format;
mod time;

use crate::{
    diag::{Diagnostic, Span},
    engine::{Cx, Module, Sent, Trace},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Policy, SaidExt, Scope, Setting, Shape,
        Within,
        expr::{self, Expr},
    },
};
use bstr::BString;
use format::{Format, FormatError};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// `log_config_module`
pub static MODULE: Module = Module {
    name: "mod_log_config",
    source: "mod_log_config.c",
    identifier: "log_config_module",
    always: true,
    configs: &[Kind::of::<Logs>()],
    directives: &[
        row(
            "CustomLog",
            Shape::TwoThree,
            CUSTOM_LOG,
            "An access log: file or program, format, condition",
            custom_log,
        ),
        row(
            "GlobalLog",
            Shape::TwoThree,
            GLOBAL_LOG,
            "An access log of all virtual hosts as well",
            global_log,
        ),
        row(
            "TransferLog",
            Shape::One,
            TRANSFER_LOG,
            "An access log in the last format without a name",
            transfer_log,
        ),
        row(
            "LogFormat",
            Shape::OneTwo,
            LOG_FORMAT,
            "Names a log format, or sets that of TransferLog",
            log_format,
        ),
        row(
            "BufferedLogs",
            Shape::Flag,
            BUFFERED_LOGS,
            "Whether log lines are collected before they are written",
            buffered,
        ),
    ],
    check: Some(check),
    log: Some(lines),
    ..Module::NOTHING
};

const CUSTOM_LOG: &str = "a file name, a custom log format string or format name, and an optional \"env=\" or \"expr=\" clause (see docs)";
const GLOBAL_LOG: &str = "Same as CustomLog, but forces virtualhosts to inherit the log";
const TRANSFER_LOG: &str = "the filename of the access log";
const LOG_FORMAT: &str = "a log format string (see docs) and an optional format name";
// Apache's error for this directive ends without its usage.
const BUFFERED_LOGS: &str = "";

/// `CLF`, the one name that is known from the start, and what holds where no format was said.
const COMMON: &str = "%h %l %u %t \"%r\" %>s %b";

const fn row(
    name: &'static str,
    shape: Shape,
    usage: &'static str,
    doc: &'static str,
    apply: fn(&mut Place<'_, '_>, &Args<'_>) -> Applied,
) -> Directive {
    Directive { name, shape, scope: Scope::RSRC_CONF, usage, doc, apply }
}

/// The logs of a server.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// In the order of the configuration.
    logs: Vec<Log>,
    /// `LogFormat` with a name.
    formats: FxHashMap<BString, Arc<Format>>,
    /// The last `LogFormat` without one.
    default: Option<Said>,
    /// `BufferedLogs`.
    buffered: Option<Setting<bool>>,
}

/// A format as a directive says it: the name of another, or the thing itself.
#[derive(Clone, Debug)]
struct Said {
    text: BString,
    format: Arc<Format>,
}

/// One log.
#[derive(Clone, Debug)]
struct Log {
    /// Number of the file or program in [`Policy::log_targets`].
    target: usize,
    /// `None`: the server's default, as TransferLog has it.
    format: Option<Said>,
    /// The name was looked up already, among the names of the main server.
    settled: bool,
    /// GlobalLog.
    global: bool,
    condition: Option<Condition>,
    at: Span,
}

#[derive(Clone, Debug)]
enum Condition {
    /// `env=name`
    Env(BString),
    /// `env=!name`
    NotEnv(BString),
    /// `expr=…`
    Expr(Arc<Expr>),
}

impl Config for Logs {
    /// A virtual host with logs of its own has those and the global ones, else the main server's.
    fn merge(&self, outer: &Self) -> Self {
        let mut formats = outer.formats.clone();
        formats.extend(self.formats.iter().map(|(name, format)| (name.clone(), format.clone())));
        let alone = self.logs.is_empty();
        let inherited = outer.logs.iter().filter(|log| alone || log.global).map(|log| outer.settle(log));
        Logs {
            logs: self.logs.iter().cloned().chain(inherited).collect(),
            formats,
            default: self.default.clone().or_else(|| outer.default.clone()),
            buffered: self.buffered.over(&outer.buffered),
        }
    }
}

impl Logs {
    /// What a name stands for, or the format that stands there itself.
    fn resolve<'l>(&'l self, said: &'l Said) -> &'l Arc<Format> {
        self.formats.get(&said.text).unwrap_or(&said.format)
    }

    /// The log with its format looked up, for another server's list.
    fn settle(&self, log: &Log) -> Log {
        let resolve = |said: &Said| Said { text: said.text.clone(), format: self.resolve(said).clone() };
        let format = log.format.as_ref().map(|said| if log.settled { said.clone() } else { resolve(said) });
        Log { format, settled: true, ..log.clone() }
    }

    fn format_of<'l>(&'l self, log: &'l Log, common: &'l Arc<Format>) -> &'l Arc<Format> {
        match &log.format {
            Some(said) if log.settled => &said.format,
            Some(said) => self.named_common(said, common).unwrap_or_else(|| self.resolve(said)),
            None => self
                .default
                .as_ref()
                .map_or(common, |said| self.named_common(said, common).unwrap_or_else(|| self.resolve(said))),
        }
    }

    fn named_common<'l>(&self, said: &Said, common: &'l Arc<Format>) -> Option<&'l Arc<Format>> {
        (said.text == "CLF" && !self.formats.contains_key(&said.text)).then_some(common)
    }
}

fn log_format(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let format = compile(place, args, 0)?;
    let logs = place.server::<Logs>();
    match args.get(1) {
        Some(name) => drop(logs.formats.insert(name.into(), format)),
        None => logs.default = Some(Said { text: args.text(0).into(), format }),
    }
    Ok(())
}

fn custom_log(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    add_log(place, args, false)
}

fn global_log(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    add_log(place, args, true)
}

fn transfer_log(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    add_log(place, args, false)
}

fn buffered(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.server::<Logs>().buffered = Some(Setting::new(args.on, args.span));
    Ok(())
}

fn add_log(place: &mut Place<'_, '_>, args: &Args<'_>, global: bool) -> Applied {
    let condition = args.get(2).map(|clause| condition(place, args, clause)).transpose()?;
    let format = match args.get(1) {
        Some(text) => Some(Said { text: text.into(), format: compile(place, args, 1)? }),
        None => None,
    };
    let target = place.log_target(args.text(0), args.at(0));
    let log = Log { target, format, settled: false, global, condition, at: args.at(1) };
    place.server::<Logs>().logs.push(log);
    Ok(())
}

fn compile(place: &Place<'_, '_>, args: &Args<'_>, word: usize) -> Result<Arc<Format>, Mistake> {
    let mistake = |error: FormatError| {
        let mistake = Mistake::new(error.message()).id("RX0503");
        match error {
            FormatError::Unknown(_) => mistake.at(args.at(word), "there is no such `%` item"),
            FormatError::RanOff => {
                mistake.at(args.at(word), "a `%` item is not finished; a percent sign is `%%`")
            }
        }
    };
    Format::compile(args.text(word), place.module_active(b"mod_ssl.c")).map(Arc::new).map_err(mistake)
}

fn condition(place: &Place<'_, '_>, args: &Args<'_>, clause: &[u8]) -> Result<Condition, Mistake> {
    let mistake = |text: &str, label: &str| Err(Mistake::new(text).id("RX0504").at(args.at(2), label));
    let lower = clause.to_ascii_lowercase();
    if lower.starts_with(b"env=") {
        return match &clause[4..] {
            b"" | b"!" => mistake("missing environment variable name", "`env=NAME` or `env=!NAME`"),
            [b'!', name @ ..] => Ok(Condition::NotEnv(name.into())),
            name => Ok(Condition::Env(name.into())),
        };
    }
    if !lower.starts_with(b"expr=") {
        return mistake("error in condition clause", "a condition begins with `env=` or `expr=`");
    }
    let text = &clause[5..];
    if text.is_empty() {
        return mistake("missing condition", "an expression must follow");
    }
    let options = expr::Options { dont_vary: true, ..place.expression_options() };
    match expr::parse(text, expr::Mode::Condition, options) {
        Ok(expr) => Ok(Condition::Expr(Arc::new(expr))),
        Err(error) => mistake(&error.message.to_string(), "this is no expression"),
    }
}

/// Names that no LogFormat defines: Apache then writes the name itself, line after line.
fn check(policy: &Policy, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = Vec::new();
    for server in &policy.servers {
        let logs = server.conf.get::<Logs>();
        for log in logs.logs.iter().filter(|log| !log.settled) {
            let Some(said) = &log.format else { continue };
            let known = logs.formats.contains_key(&said.text) || said.text == "CLF";
            if known || said.text.contains(&b'%') || seen.contains(&log.at) {
                continue;
            }
            seen.push(log.at);
            let headline = format!("no LogFormat is named `{}`", said.text);
            diagnostics.push(
                Diagnostic::warning("RX0502", log.at, headline)
                    .with_label("every line of this log will be just this text")
                    .with_advice(format!("add `LogFormat \"…\" {}`, or write the format here", said.text)),
            );
        }
    }
}

/// The lines of a finished request. Conditions are asked of the request as it came; the items of a
/// format choose for themselves.
fn lines(cx: &mut Cx<'_>, sent: &Sent, out: &mut Vec<(usize, Vec<u8>)>) {
    let logs: &Logs = cx.server_conf();
    if logs.logs.is_empty() {
        return;
    }
    let common = cx.worker.slot::<Common>().0.clone();
    let ended = cx.system().now();
    for log in &logs.logs {
        if !holds(cx, log) {
            continue;
        }
        let format = logs.format_of(log, &common);
        let mut line = Vec::with_capacity(160);
        let (engine, last) = (cx.engine, &*cx.req);
        let times = cx.worker.slot::<time::Times>();
        format.write(&mut fields::Finished { engine, last, sent, ended, times }, &mut line);
        line.push(b'\n');
        out.push((log.target, line));
    }
}

/// The common format, compiled once in each worker.
#[derive(Debug)]
struct Common(Arc<Format>);

impl Default for Common {
    fn default() -> Self {
        Common(Arc::new(Format::compile(COMMON.as_bytes(), false).unwrap_or_default()))
    }
}

fn holds(cx: &mut Cx<'_>, log: &Log) -> bool {
    match &log.condition {
        None => true,
        Some(Condition::Env(name)) => cx.req.first().env.contains(name),
        Some(Condition::NotEnv(name)) => !cx.req.first().env.contains(name),
        Some(Condition::Expr(expr)) => {
            let at = log.at;
            let mut first = &mut *cx.req;
            while first.prev.is_some() {
                first = first.prev.as_mut().expect("the loop's condition");
            }
            let mut trace = Trace::off();
            let truth = cx
                .engine
                .with_cx(cx.worker, first, "mod_log_config", &mut trace, |cx| cx.condition(expr, at));
            truth.unwrap_or(false)
        }
    }
}

#[cfg(test)]
mod tests;

//! The command line: rachis' own subcommands, and in front of everything else the options of httpd,
//! which other programs drive.

mod check;
mod config;
mod dump;
mod dump_json;
mod dump_settings;
mod explain;
mod explain_id;
mod httpd;
mod local_host;
mod log_directories;
mod options;
mod report;
mod run;
mod serve;
mod version;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf, process::ExitCode};

/// The subcommands; any other first argument belongs to httpd's options.
const COMMANDS: [&str; 8] = ["explain", "explain-id", "check", "run", "dump", "help", "--help", "--version"];

/// A web server that reads Apache's httpd.conf and .htaccess unchanged, and explains every decision.
///
/// Without a subcommand it takes httpd's options (`rachis -h`); without any argument, in a directory
/// with conf/httpd.conf, it serves that site in the foreground.
#[derive(Debug, Parser)]
#[command(name = "rachis", version, disable_help_subcommand = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what becomes of a request, and which directives decide it.
    #[command(override_usage = "rachis explain [OPTIONS] [METHOD] URL")]
    Explain(explain::Explain),
    /// Tell what a finding's id means: what is wrong, why, and how it is mended.
    ExplainId(explain_id::ExplainId),
    /// Report everything that is wrong with a configuration, in one run.
    Check(check::Check),
    /// Print a configuration and the servers that come of it as JSON.
    Dump(dump_json::Dump),
    /// Serve a directory without any configuration.
    Run(run::Run),
}

/// Which configuration: httpd's own options.
#[derive(Args, Clone, Debug, Default)]
struct ConfigArgs {
    /// ServerRoot to begin with.
    #[arg(short = 'd', value_name = "DIRECTORY")]
    server_root: Option<OsString>,
    /// The main configuration file, relative to the ServerRoot.
    #[arg(short = 'f', value_name = "FILE")]
    config_file: Option<OsString>,
    /// A directive to read before the file.
    #[arg(short = 'C', value_name = "DIRECTIVE")]
    before: Vec<OsString>,
    /// A directive to read after the file.
    #[arg(short = 'c', value_name = "DIRECTIVE")]
    after: Vec<OsString>,
    /// A name for <IfDefine>.
    #[arg(short = 'D', value_name = "NAME")]
    defines: Vec<OsString>,
}

impl ConfigArgs {
    fn options(&self) -> options::Options {
        let bytes = |text: &OsString| text.clone().into_vec();
        options::Options {
            server_root: self.server_root.as_ref().map(bytes),
            config_file: self.config_file.as_ref().map(bytes),
            before: self.before.iter().map(bytes).collect(),
            after: self.after.iter().map(bytes).collect(),
            defines: self.defines.iter().map(bytes).collect(),
            ..options::Options::default()
        }
    }
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the lines they are about.
    #[default]
    Full,
    /// One line each.
    Concise,
    /// One JSON object each, a line each.
    Json,
    /// One SARIF 2.1.0 log, for code scanning.
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines of a change.
    Github,
}

/// Runs the program; the exit code is Apache's.
pub fn main() -> ExitCode {
    trace_to_stderr();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let ours = arguments.first().is_some_and(|first| COMMANDS.iter().any(|command| first == command));
    if !ours {
        return httpd::main(&arguments);
    }
    match Cli::parse().command {
        Command::Explain(explain) => explain.run(),
        Command::ExplainId(explain) => explain.run(),
        Command::Check(check) => check.run(),
        Command::Dump(dump) => dump.run(),
        Command::Run(run) => run.run(),
    }
}

/// With `RACHIS_LOG` set (to `debug`, or `rachis::server=trace` and the like, as env_logger reads
/// it) the program tells on standard error what it does. This is for those who work on rachis; what
/// users are told is in Apache's logs.
fn trace_to_stderr() {
    const VARIABLE: &str = "RACHIS_LOG";
    if std::env::var_os(VARIABLE).is_some() {
        env_logger::Builder::from_env(VARIABLE).init();
    }
}

/// An absolute path for one that is relative to the current directory.
fn absolute(path: &std::path::Path) -> PathBuf {
    std::env::current_dir().map_or_else(|_| path.to_owned(), |here| config::clean(&here.join(path)))
}

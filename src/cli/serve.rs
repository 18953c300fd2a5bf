//! Starting the server, and telling a running one what to do.

use super::{
    config::{self, DEFAULT_ERROR_LOG, DEFAULT_PID_FILE, Loaded, Origin},
    options::{Options, Signal},
    report,
};
use crate::{
    engine::urls::APACHE_VERSION,
    policy::reading::LoadOptions,
    server::{self, Command, Ready, Reload, Server, StartError, Told},
};
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

/// `-k`, `-X`, or a plain start. Without any argument in a checkout the site is served in the
/// foreground; else it goes to the background, as in httpd.
pub(super) fn start(options: &Options, origin: &Origin, loaded: &Loaded, bare: bool) -> ExitCode {
    let pid_file = server::pid_file(&loaded.policy.process, DEFAULT_PID_FILE);
    let done = match options.signal {
        None | Some(Signal::Start) => None,
        Some(Signal::Stop) => Some(signal(&pid_file, Command::Stop)),
        Some(Signal::GracefulStop) => Some(signal(&pid_file, Command::GracefulStop)),
        Some(Signal::Restart) => signal_or_start(&pid_file, Command::Restart),
        Some(Signal::Graceful) => signal_or_start(&pid_file, Command::Graceful),
    };
    if let Some(code) = done {
        return code;
    }
    match server::already_running(&pid_file) {
        Err(error) => return failed(&error),
        Ok(Some(line)) => {
            report::print(&format!("{line}\n"));
            return ExitCode::SUCCESS;
        }
        Ok(None) => {}
    }
    let debug = options.defined("DEBUG");
    let site = bare && origin.checkout;
    let foreground = site || debug || options.defined("FOREGROUND") || options.defined("NO_DETACH");
    let how = How {
        load: config::load_options(options, origin),
        foreground,
        workers: usize::from(debug),
        pid_file: Some(DEFAULT_PID_FILE.to_owned()),
        serving: site.then(|| origin.root.display().to_string()),
    };
    run(loaded, how)
}

/// How a server is run, besides what its configuration says.
pub(super) struct How {
    /// Where its configuration comes from, for when it is to be read again.
    pub load: LoadOptions,
    /// Whether to keep the terminal.
    pub foreground: bool,
    /// Number of workers; 0: one for each core.
    pub workers: usize,
    /// `PidFile` where nothing is said; `None`: no file then.
    pub pid_file: Option<String>,
    /// What to name in the one line that says where; `None`: no such line.
    pub serving: Option<String>,
}

/// Serves until told to stop. In the background, the caller's process ends when all is ready.
pub(super) fn run(loaded: &Loaded, how: How) -> ExitCode {
    match try_run(loaded, how) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn try_run(loaded: &Loaded, how: How) -> Result<(), StartError> {
    let detached = if how.foreground { None } else { Some(server::detach()?) };
    let arguments: Vec<String> = std::env::args().collect();
    let options = server::Options {
        workers: how.workers,
        error_log: DEFAULT_ERROR_LOG.to_owned(),
        pid_file: how.pid_file,
        notices: how.serving.is_none(),
        signals: true,
        version: format!("Apache/{APACHE_VERSION} (Unix) rachis/{}", env!("CARGO_PKG_VERSION")),
        command_line: arguments.join(" "),
        warnings: report::logged_warnings(loaded),
        detached,
    };
    let bound = Server::bind(&loaded.policy, options)?;
    let load = how.load;
    let reload: Reload = Box::new(move || read_again(&load));
    bound.run(Arc::new(loaded.engine()), Some(reload), |ready| {
        if let Some(what) = how.serving {
            report::print(&format!("Serving {what} on {} (Ctrl-C stops)\n", urls(ready)));
        }
    })
}

/// The configuration as it is now; with an error in it, Apache's words and then ours.
fn read_again(load: &LoadOptions) -> Result<Arc<crate::engine::Engine>, StartError> {
    let loaded = config::load(load);
    match loaded.error() {
        None => Ok(Arc::new(loaded.engine())),
        Some(error) => {
            let apache = report::apache_line(error).unwrap_or_else(|| error.headline.clone());
            let ours = crate::diag::render::concise(error, loaded.sources());
            let lines = apache.lines().map(str::to_owned).chain([ours]);
            Err(StartError { lines: lines.collect() })
        }
    }
}

/// Where a browser on this machine reaches the server.
fn urls(ready: &Ready) -> String {
    let urls = ready.addresses.iter().map(url);
    urls.collect::<Vec<_>>().join(" and ")
}

fn url(address: &SocketAddr) -> String {
    let loopback = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        _ => IpAddr::from([127, 0, 0, 1]),
    };
    match address.port() {
        80 if loopback.is_ipv4() => format!("http://{loopback}"),
        port => format!("http://{}", SocketAddr::new(loopback, port)),
    }
}

fn failed(error: &StartError) -> ExitCode {
    error.lines.iter().for_each(|line| report::say(&format!("{line}\n")));
    ExitCode::FAILURE
}

fn signal(pid_file: &Path, command: Command) -> ExitCode {
    match server::signal_running(pid_file, command) {
        Told::Sent(_) => ExitCode::SUCCESS,
        Told::NotRunning(line) => {
            report::print(&format!("{line}\n"));
            ExitCode::SUCCESS
        }
        Told::Failed(error) => failed(&error),
    }
}

/// A restart of a server that does not run is a start.
fn signal_or_start(pid_file: &Path, command: Command) -> Option<ExitCode> {
    match server::signal_running(pid_file, command) {
        Told::Sent(_) => Some(ExitCode::SUCCESS),
        Told::Failed(error) => Some(failed(&error)),
        Told::NotRunning(_) => {
            report::print("httpd not running, trying to start\n");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: &str) {
        assert_eq!(url(&address.parse().unwrap()), expected);
    }

    #[test]
    fn urls_can_be_opened() {
        check("127.0.0.1:8080", "http://127.0.0.1:8080");
        check("0.0.0.0:81", "http://127.0.0.1:81");
        check("[::1]:81", "http://[::1]:81");
        check("10.0.0.1:80", "http://10.0.0.1");
    }
}

//! Where log lines go: files, programs, syslog, the terminal.
//!
//! Everything is opened at start, while the server may still be root. Lines of the error log are
//! written at once, before the answer they are about; lines of the other logs are gathered by the
//! worker and written once per turn of its loop.

use super::{StartError, error_format::ErrorFormat, os_error, piped::Piped};
use crate::{
    engine::exchange::Logged,
    policy::{Policy, SaidExt, process::Teaching},
    system::path,
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsFd, unix::fs::OpenOptionsExt, unix::net::UnixDatagram},
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

/// The logs of one configuration.
#[derive(Debug)]
pub struct Logs {
    sinks: FxHashMap<BString, Arc<Sink>>,
    /// By number of the target in the policy.
    targets: Vec<Arc<Sink>>,
    /// By number of the server in the policy.
    errors: Vec<ErrorLog>,
    explain: bool,
}

#[derive(Debug)]
struct ErrorLog {
    sink: Arc<Sink>,
    format: ErrorFormat,
    server_name: BString,
}

/// One place that lines go to.
#[derive(Debug)]
enum Sink {
    File(File),
    Stdout,
    Stderr,
    Piped(Piped),
    Syslog(Syslog),
    /// A file that could not be opened, and is done without.
    Nowhere,
}

#[derive(Debug)]
struct Syslog {
    socket: UnixDatagram,
    facility: u8,
    tag: String,
}

impl Logs {
    /// Opens all logs of a policy. `default` is the error log of a server that names none, `old`
    /// the logs so far: a file that may not be opened any more is used on as it is, since the
    /// server is not root any more when it reloads.
    pub fn open(policy: &Policy, default: &str, old: Option<&Logs>) -> Result<Logs, StartError> {
        let explain = policy.process.teaching.value_or(Teaching::Off) != Teaching::Off;
        let mut logs = Logs { sinks: FxHashMap::default(), targets: Vec::new(), errors: Vec::new(), explain };
        let root = &policy.process.server_root;
        for server in &policy.servers {
            let core = server.core();
            let spec = core.error_log.value().cloned().unwrap_or_else(|| default.into());
            let sink = logs.sink(&spec, root, old).map_err(|error| error_log_failure(&spec, root, &error))?;
            let format = core.error_log_format.value();
            let format = format.map_or_else(ErrorFormat::default, |format| ErrorFormat::parse(format));
            let format = match *sink {
                Sink::Syslog(_) => format.without_time(),
                _ => format,
            };
            let server_name = core.name.value().cloned().unwrap_or_default();
            logs.errors.push(ErrorLog { sink, format, server_name });
        }
        for target in &policy.log_targets {
            let sink = logs.sink(&target.spec, root, old);
            let sink = if target.optional { sink.or(Ok(Arc::new(Sink::Nowhere))) } else { sink };
            let sink = sink.map_err(|error: io::Error| transfer_log_failure(&target.spec, root, &error))?;
            logs.targets.push(sink);
        }
        Ok(logs)
    }

    /// How many targets there are.
    pub fn targets(&self) -> usize {
        self.targets.len()
    }

    /// Writes to the error log of a server.
    pub fn error(&self, logged: &Logged, line: &mut Vec<u8>) {
        let Some(log) = self.errors.get(logged.server).or(self.errors.first()) else { return };
        line.clear();
        log.format.line(logged, &log.server_name, SystemTime::now(), line);
        if let Some(explanation) = logged.entry.explanation.as_ref().filter(|_| self.explain) {
            explanation.lines().for_each(|text| {
                line.extend_from_slice(b"    ");
                line.extend_from_slice(text.as_bytes());
                line.push(b'\n');
            });
        }
        log.sink.write(line, logged.entry.level);
    }

    /// Writes a line without a head to the main server's error log.
    pub fn plain(&self, text: &[u8]) {
        if let Some(log) = self.errors.first() {
            log.sink.write(&[text, b"\n"].concat(), CRITICAL);
        }
    }

    /// Writes lines to a target.
    pub fn write(&self, target: usize, lines: &[u8]) {
        if let Some(sink) = self.targets.get(target) {
            sink.write(lines, INFO);
        }
    }

    /// Starts log programs again that ended.
    pub fn revive(&self) {
        for sink in self.sinks.values() {
            if let Sink::Piped(piped) = &**sink {
                piped.revive();
            }
        }
    }

    /// Whether any log is a program.
    pub fn has_programs(&self) -> bool {
        self.sinks.values().any(|sink| matches!(**sink, Sink::Piped(_)))
    }

    /// Makes the main server's error log the standard error stream of this process.
    pub fn take_stderr(&self) {
        let main = self.errors.first().map(|log| &*log.sink);
        let _ = match main {
            Some(Sink::File(file)) => nix::unistd::dup2_stderr(file),
            Some(Sink::Piped(piped)) => piped.input().map_or(Ok(()), nix::unistd::dup2_stderr),
            _ => Ok(()),
        };
    }

    /// Gives the log files to the user as whom the server goes on, so that it may open them again.
    pub fn give_to(&self, uid: u32, gid: u32) {
        for sink in self.sinks.values() {
            if let Sink::File(file) = &**sink {
                let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
                let _ = regular.then(|| std::os::unix::fs::fchown(file, Some(uid), Some(gid)));
            }
        }
    }

    fn sink(&mut self, spec: &BString, root: &[u8], old: Option<&Logs>) -> io::Result<Arc<Sink>> {
        if let Some(known) = self.sinks.get(spec) {
            return Ok(known.clone());
        }
        let sink = match open(spec, root) {
            Ok(sink) => Arc::new(sink),
            Err(error) => match old.and_then(|old| old.sinks.get(spec)) {
                Some(known) if error.kind() == io::ErrorKind::PermissionDenied => known.clone(),
                _ => return Err(error),
            },
        };
        self.sinks.insert(spec.clone(), sink.clone());
        Ok(sink)
    }
}

/// The severity of lines of other logs in syslog.
const INFO: u8 = 6;

/// The severity of what keeps the server from starting.
const CRITICAL: u8 = 2;

fn open(spec: &[u8], root: &[u8]) -> io::Result<Sink> {
    if let Some(command) = spec.strip_prefix(b"|") {
        return Piped::start(command).map(Sink::Piped);
    }
    if spec == b"syslog" || spec.starts_with(b"syslog:") {
        return Syslog::open(spec).map(Sink::Syslog);
    }
    // Opening these again fails where they are sockets or belong to someone else.
    match spec {
        b"/dev/stdout" | b"/dev/fd/1" | b"/proc/self/fd/1" => return Ok(Sink::Stdout),
        b"/dev/stderr" | b"/dev/fd/2" | b"/proc/self/fd/2" => return Ok(Sink::Stderr),
        _ => {}
    }
    let file = absolute(spec, root);
    OpenOptions::new().append(true).create(true).mode(0o644).open(file).map(Sink::File)
}

fn absolute(spec: &[u8], root: &[u8]) -> PathBuf {
    path(root).join(path(spec))
}

fn error_log_failure(spec: &[u8], root: &[u8], error: &io::Error) -> StartError {
    let os = os_error(error);
    if let Some(command) = spec.strip_prefix(b"|") {
        let line = format!("{os}: AH00089: Couldn't start ErrorLog process '{}'.", command.as_bstr());
        return StartError { lines: vec![line, "AH00015: Unable to open logs".to_owned()] };
    }
    let file = absolute(spec, root);
    match file.parent().filter(|directory| !directory.is_dir()) {
        Some(directory) => {
            let directory = directory.display();
            let line = format!("{os}: AH02291: Cannot access directory '{directory}/' for main error log");
            StartError { lines: vec![line, "AH00014: Configuration check failed".to_owned()] }
        }
        None => {
            let (name, file) = (super::program_name(), file.display());
            let line = format!("{os}: AH00091: {name}: could not open error log file {file}.");
            StartError { lines: vec![line, "AH00015: Unable to open logs".to_owned()] }
        }
    }
}

fn transfer_log_failure(spec: &[u8], root: &[u8], error: &io::Error) -> StartError {
    let os = os_error(error);
    let line = match spec.strip_prefix(b"|") {
        Some(command) => format!("{os}: AH00106: unable to start piped log program '{}'", command.as_bstr()),
        None => {
            format!("{os}: AH00649: could not open transfer log file {}.", absolute(spec, root).display())
        }
    };
    StartError { lines: vec![line, "AH00015: Unable to open logs".to_owned()] }
}

impl Sink {
    /// Writes whole lines. A log that cannot be written has nowhere to complain to.
    fn write(&self, lines: &[u8], level: u8) {
        let _ = match self {
            Sink::File(file) => write_fd(file.as_fd(), lines),
            Sink::Stdout => write_fd(io::stdout().as_fd(), lines),
            Sink::Stderr => write_fd(io::stderr().as_fd(), lines),
            Sink::Piped(piped) => atomic_chunks(lines).try_for_each(|chunk| piped.write(chunk)),
            Sink::Syslog(syslog) => lines.lines().try_for_each(|line| syslog.send(line, level)),
            Sink::Nowhere => Ok(()),
        };
    }
}

/// Past Rust's own buffers and locks.
fn write_fd(fd: std::os::fd::BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(fd, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Cuts lines into pieces that a pipe takes in one go, so that two workers do not mix theirs.
fn atomic_chunks(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    const PIPE_BUF: usize = 4096;
    std::iter::from_fn(move || {
        if lines.is_empty() {
            return None;
        }
        let most = lines.len().min(PIPE_BUF);
        let end = match lines[..most].rfind_byte(b'\n') {
            Some(end) => end + 1,
            None => lines.find_byte(b'\n').map_or(lines.len(), |end| end + 1),
        };
        let (chunk, rest) = lines.split_at(end);
        lines = rest;
        Some(chunk)
    })
}

impl Syslog {
    /// `syslog`, `syslog:facility`, `syslog:facility:tag`, `syslog::tag`.
    fn open(spec: &[u8]) -> io::Result<Syslog> {
        let text = spec.to_str_lossy();
        let mut words = text.split(':').skip(1);
        let facility = words.next().filter(|word| !word.is_empty()).unwrap_or("local7");
        let tag = words.next().filter(|word| !word.is_empty()).unwrap_or(super::program_name());
        let socket = UnixDatagram::unbound()?;
        socket.connect(if cfg!(target_os = "macos") { "/var/run/syslog" } else { "/dev/log" })?;
        Ok(Syslog { socket, facility: facility_number(facility), tag: tag.to_owned() })
    }

    fn send(&self, line: &[u8], level: u8) -> io::Result<()> {
        let priority = self.facility * 8 + level.min(7);
        let mut message = format!("<{priority}>{}[{}]: ", self.tag, std::process::id()).into_bytes();
        message.extend_from_slice(line);
        self.socket.send(&message).map(drop)
    }
}

fn facility_number(name: &str) -> u8 {
    let name = name.to_ascii_lowercase();
    let names = [
        ("kern", 0),
        ("user", 1),
        ("mail", 2),
        ("daemon", 3),
        ("auth", 4),
        ("syslog", 5),
        ("lpr", 6),
        ("news", 7),
        ("uucp", 8),
        ("cron", 9),
        ("authpriv", 10),
        ("ftp", 11),
    ];
    let local = name.strip_prefix("local").and_then(|number| number.parse::<u8>().ok()).filter(|n| *n < 8);
    let named = names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    named.or(local.map(|number| 16 + number)).unwrap_or(23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_for_a_pipe_end_with_lines() {
        let mut lines = Vec::new();
        (0..500).for_each(|n| lines.extend_from_slice(format!("line number {n}\n").as_bytes()));
        let chunks: Vec<&[u8]> = atomic_chunks(&lines).collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= 4096 && chunk.ends_with(b"\n")));
        assert_eq!(chunks.concat(), lines);
    }

    #[test]
    fn a_line_longer_than_the_pipe_takes_is_one_chunk() {
        let long = [vec![b'x'; 9000], b"\nshort\n".to_vec()].concat();
        let chunks: Vec<&[u8]> = atomic_chunks(&long).collect();
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[1], b"short\n");
    }

    #[test]
    fn facilities() {
        assert_eq!(facility_number("daemon"), 3);
        assert_eq!(facility_number("LOCAL0"), 16);
        assert_eq!(facility_number("local7"), 23);
    }

    #[test]
    fn error_logs_in_missing_directories_are_apaches_error() {
        let error = error_log_failure(b"x/y", b"/nonexistent", &io::Error::from_raw_os_error(2));
        let line = "(2)No such file or directory: AH02291: Cannot access directory '/nonexistent/x/' for main error log";
        assert_eq!(error.lines, [line, "AH00014: Configuration check failed"]);
    }
}

//! Starts a server on a case's directory, watches its logs, stops it by its pid.
//!
//! As root the server runs as an unprivileged user who owns the directory: a permission says nothing to root.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// How long a server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// When every file of a case was last modified: 1 January 2024, 00:00:00 UTC.
const MODIFIED: Duration = Duration::from_secs(1_704_067_200);

/// The servers a case can be run against.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Rachis,
    Apache,
}

impl Kind {
    /// The word that `only=` uses.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rachis => "rachis",
            Kind::Apache => "apache",
        }
    }

    fn program(self) -> &'static Path {
        static RACHIS: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Kind::Rachis => RACHIS.get_or_init(reachable_rachis),
            Kind::Apache => Path::new("/usr/sbin/apache2"),
        }
    }
}

/// Fails the test run in clear words when there is no Apache to ask.
pub fn demand_apache() {
    let program = Kind::Apache.program();
    assert!(program.exists(), "ORACLE is set, but {} is absent: apt-get install apache2", program.display());
}

/// As root, a copy if the unprivileged user cannot reach what cargo built (below /root, say).
fn reachable_rachis() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_rachis"));
    let open = |path: &Path| fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
    if user().is_none() || built.ancestors().all(open) {
        return built;
    }
    let copy = std::env::temp_dir().join(format!("rachis-cases-{}", std::process::id()));
    fs::copy(&built, &copy).expect("the temporary directory takes a copy of rachis");
    copy
}

/// Are these lines of a log all that is waited for?
pub type Enough<'a> = &'a dyn Fn(&[String]) -> bool;

/// Removes the copy that [`reachable_rachis`] made.
pub fn remove_copy() {
    if user().is_some() {
        let _ = fs::remove_file(std::env::temp_dir().join(format!("rachis-cases-{}", std::process::id())));
    }
}

/// Uid and gid for the servers, when we are root.
fn user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let find = |name: &str| {
            let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        };
        Some(find("rachis-test").or_else(|| find("nobody")).expect("there is an unprivileged user"))
    })
}

/// The directory of a case, and the server that runs on it, if one does.
pub struct Site {
    kind: Kind,
    directory: tempfile::TempDir,
    defines: Vec<String>,
    /// Variables that the server is started with, besides the usual ones.
    environment: Vec<(String, String)>,
    port: u16,
    child: Option<Child>,
    /// Whether the server is to start as root.
    as_root: bool,
    /// A program that runs the server's, with its arguments.
    under: Vec<String>,
    /// How much of each log was looked at.
    read: Vec<(PathBuf, usize)>,
}

impl Site {
    /// An empty site: htdocs, cgi-bin, logs, and the files that all cases share.
    pub fn new(kind: Kind) -> Result<Site, String> {
        let directory =
            tempfile::Builder::new().prefix("rachis-case-").tempdir().map_err(|e| e.to_string())?;
        let site = Site {
            kind,
            directory,
            defines: Vec::new(),
            environment: Vec::new(),
            port: 0,
            child: None,
            as_root: false,
            under: Vec::new(),
            read: Vec::new(),
        };
        own(site.root())?;
        for name in ["htdocs", "cgi-bin", "logs", "conf"] {
            site.make_directory(&site.root().join(name))?;
        }
        site.write("conf/preamble.conf", include_bytes!("preamble.conf"), 0o644)?;
        site.write("conf/mime.types", include_bytes!("mime.types"), 0o644)?;
        site.write("httpd.conf", b"", 0o644)?;
        Ok(site)
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A variable for the server's environment.
    #[allow(dead_code, reason = "not every test that uses this file asks")]
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The process of the running server.
    #[allow(dead_code, reason = "not every test that uses this file asks")]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Replaces `$ROOT` and `$PORT`.
    pub fn fill(&self, text: &str) -> String {
        text.replace("$ROOT", &self.root().to_string_lossy()).replace("$PORT", &self.port.to_string())
    }

    /// The reverse of [`Site::fill`]; names the server `httpd`, as the cases do.
    pub fn unfill(&self, text: &str) -> String {
        text.replace(&*self.root().to_string_lossy(), "$ROOT").replace(&format!(":{}", self.port), ":$PORT")
    }

    /// Writes a file (and the directories above it), owned by the server's user, modified on 1 January 2024.
    pub fn write(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), String> {
        let path = self.root().join(path);
        let said = |e: std::io::Error| format!("{}: {e}", path.display());
        if let Some(parent) = path.parent() {
            self.make_directory(parent)?;
        }
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).map_err(said)?;
        self.settle(&path, mode)
    }

    /// Compiles a C program with cc.
    pub fn compile(&self, path: &str, source: &[u8], mode: u32) -> Result<(), String> {
        let target = self.root().join(path);
        let text = self.root().join("conf/program.c");
        fs::write(&text, source).map_err(|e| e.to_string())?;
        if let Some(parent) = target.parent() {
            self.make_directory(parent)?;
        }
        let output =
            Command::new("cc").arg("-o").arg(&target).arg(&text).output().map_err(|e| format!("cc: {e}"))?;
        if !output.status.success() {
            return Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr)));
        }
        self.settle(&target, mode)
    }

    fn settle(&self, path: &Path, mode: u32) -> Result<(), String> {
        let said = |e: std::io::Error| format!("{}: {e}", path.display());
        let modified = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + MODIFIED);
        File::open(path).and_then(|f| f.set_times(modified)).map_err(said)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(said)?;
        own(path)
    }

    fn make_directory(&self, path: &Path) -> Result<(), String> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_directory(parent)?;
        }
        fs::create_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
        own(path)
    }

    /// Runs shell commands in the site's directory, as the server's user.
    pub fn shell(&self, commands: &str) -> Result<(), String> {
        let mut shell = self.command(Path::new("/bin/sh"));
        let output = shell.args(["-e", "-c", commands]).output().map_err(|e| format!("sh: {e}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Takes a new configuration; the server starts with the next request.
    pub fn configure(&mut self, text: &str, defines: &[String]) -> Result<(), String> {
        self.stop();
        self.defines = defines.to_vec();
        self.write("httpd.conf", text.as_bytes(), 0o644)
    }

    /// Runs the server's program with more arguments until it ends: standard output, then standard error, exit code.
    pub fn run(&mut self, arguments: &[&str]) -> Result<(String, i32), String> {
        if self.port == 0 {
            self.port = free_port()?;
        }
        let said = |e: std::io::Error| e.to_string();
        let output = File::create(self.root().join("logs/stdout")).map_err(said)?;
        let errors = File::create(self.root().join("logs/stderr")).map_err(said)?;
        let mut command = self.server_command();
        command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = command.spawn().map_err(said)?;
        let code = wait(&mut child, PATIENCE)?;
        if code.is_none() {
            end(&mut child);
        }
        let text = |name: &str| {
            let bytes = fs::read(self.root().join("logs").join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok((text("stdout") + &text("stderr"), code.ok_or("still running after 5 seconds")?))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C").env("TZ", "UTC");
        command.env("ROOT", self.root()).env("PORT", self.port.to_string()).env("FROM_OUTSIDE", "outside");
        if let Some((uid, gid)) = user().filter(|_| !self.as_root) {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Has another program run the server's: valgrind, strace. `$ROOT` stands for the site's directory.
    #[allow(dead_code, reason = "not every test that uses this file asks")]
    pub fn run_under(&mut self, words: &[&str]) {
        self.under = words.iter().map(|word| self.fill(word)).collect();
    }

    fn server_command(&self) -> Command {
        let mut command = match self.under.split_first() {
            Some((program, arguments)) => {
                let mut command = self.command(Path::new(program));
                command.args(arguments).arg(self.kind.program());
                command
            }
            None => self.command(self.kind.program()),
        };
        command.arg("-d").arg(self.root()).arg("-f").arg(self.root().join("httpd.conf"));
        command.arg("-C").arg(format!("Include {}/conf/preamble.conf", self.root().display()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.kind == Kind::Apache {
            command.arg("-DORACLE");
        }
        command.args(self.defines.iter().map(|d| format!("-D{d}")));
        // Apache ends its children by a signal to its whole process group.
        command.process_group(0);
        command
    }

    /// Starts the server as root, if we are, so that it has something to drop.
    #[allow(dead_code, reason = "not every test that uses this file asks")]
    pub fn start_as_root(&mut self) -> Result<(), String> {
        self.as_root = true;
        self.start()
    }

    /// Starts the server unless it runs; ready when it accepts a connection.
    pub fn start(&mut self) -> Result<(), String> {
        if self.child.is_some() {
            return Ok(());
        }
        for _ in 0..5 {
            self.port = free_port()?;
            let log = File::create(self.root().join("logs/stderr")).map_err(|e| e.to_string())?;
            let mut command = self.server_command();
            command.arg("-DFOREGROUND").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let mut child = command.spawn().map_err(|e| format!("{}: {e}", self.kind.program().display()))?;
            if self.ready(&mut child)? {
                self.child = Some(child);
                return Ok(());
            }
            if !self.said().contains("Address already in use") {
                break;
            }
        }
        Err(format!("{} did not start:\n{}", self.kind.name(), self.said()))
    }

    fn said(&self) -> String {
        let text = |name: &str| fs::read(self.root().join("logs").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[text("stderr"), text("error_log")].concat()).into_owned()
    }

    fn ready(&self, child: &mut Child) -> Result<bool, String> {
        let begun = Instant::now();
        let patience = if self.under.is_empty() { PATIENCE } else { 6 * PATIENCE };
        while begun.elapsed() < patience {
            if child.try_wait().map_err(|e| e.to_string())?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(4));
        }
        end(child);
        Ok(false)
    }

    /// Stops the server if it runs.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }

    /// The whole lines a log got since this was last called, once they are `enough` or two seconds are over. If none
    /// are expected, what came within a moment.
    pub fn log_lines(
        &mut self,
        path: &str,
        pick: fn(&str) -> Option<String>,
        enough: Option<Enough>,
    ) -> Vec<String> {
        let path = self.root().join(path);
        let from = self.read.iter().find(|(p, _)| *p == path).map_or(0, |(_, n)| *n);
        let patience = Duration::from_millis(if enough.is_some() { 2000 } else { 150 });
        let begun = Instant::now();
        loop {
            let bytes = fs::read(&path).unwrap_or_default();
            let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
            let text = String::from_utf8_lossy(&bytes[from.min(whole)..whole]).into_owned();
            let lines: Vec<String> = text.lines().filter_map(pick).collect();
            if enough.is_some_and(|enough| enough(&lines)) || begun.elapsed() > patience {
                self.read.retain(|(p, _)| *p != path);
                self.read.push((path, whole));
                return lines;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that is free now, and that no other site of this run was given: two that start at the same time must not
/// take each other's server for their own. Another process may still take it; then [`Site::start`] tries the next.
fn free_port() -> Result<u16, String> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    for _ in 0..100 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        if GIVEN.lock().map_err(|e| e.to_string())?.insert(port) {
            return Ok(port);
        }
    }
    Err("the system has no port that was not used before".to_string())
}

fn own(path: &Path) -> Result<(), String> {
    match user() {
        Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(|e| format!("{}: {e}", path.display())),
        None => Ok(()),
    }
}

fn wait(child: &mut Child, patience: Duration) -> Result<Option<i32>, String> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(None)
}

/// Asks the process to end; after five seconds its whole group is made to.
fn end(child: &mut Child) {
    let Ok(pid) = i32::try_from(child.id()).map(Pid::from_raw) else { return };
    let _ = kill(pid, Signal::SIGTERM);
    if !matches!(wait(child, PATIENCE), Ok(Some(_))) {
        let _ = killpg(pid, Signal::SIGKILL);
        let _ = child.wait();
    }
}

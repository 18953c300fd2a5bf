//! The servers: how each is started, and that each is stopped.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid};

use crate::site::{Site, find_program, say};
use crate::{Result, machine, procs};

/// The name of the limit.
pub const BARE: &str = "bare loop";
/// The peer whose configuration we read.
pub const APACHE: &str = "apache2";
/// Ourselves.
pub const RACHIS: &str = "rachis";

/// Ourselves with a gibibyte of memory in use.
pub const HEAVY: &str = "rachis, 1 GiB";

/// Bytes of configuration that make the server that heavy: their text is kept for diagnostics.
const BALLAST: usize = 1 << 30;

const START_LIMIT: Duration = Duration::from_secs(30);
/// More than `bare meter` gives a server.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// How one server is found and started.
pub struct Starter {
    /// As in the tables.
    pub name: &'static str,
    program: Option<PathBuf>,
    version: &'static [&'static str],
    command: fn(&Place) -> Result<Command>,
}

/// What a server is told: its program, directory and port.
struct Place<'s> {
    site: &'s Site,
    program: &'s Path,
    run: PathBuf,
    port: u16,
}

/// A running server; dropping it stops it.
pub struct Contender<'s> {
    /// As in the tables.
    pub name: &'static str,
    /// What the program says of itself.
    pub version: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// From spawn to the first connection that is accepted.
    pub start: Duration,
    /// Proportional set size before the first request, in bytes.
    pub idle_memory: Option<u64>,
    process: Process,
    site: &'s Site,
}

/// A server that does not outlive this value, under the eyes of `bare meter`.
struct Process {
    meter: Child,
    /// Taken when the server is to end: that is how the meter is told.
    ask: Option<ChildStdin>,
    tell: fs::File,
    pid: u32,
    /// Whether the kernel lets the meter count.
    counts: bool,
}

impl Starter {
    /// All servers, in the order in which they take turns.
    pub fn all(site: &Site) -> Vec<Starter> {
        let rachis = site.copy_program(Path::new(env!("CARGO_BIN_EXE_rachis")), RACHIS).ok();
        let known = |name, program, version, command| Starter { name, program, version, command };
        vec![
            known(RACHIS, rachis.clone(), &["-v"], httpd as fn(&Place) -> Result<Command>),
            known(HEAVY, rachis, &["-v"], heavy),
            known(APACHE, find_program(APACHE), &["-v"], httpd),
            known("nginx", find_program("nginx"), &["-v"], nginx),
            known("lighttpd", find_program("lighttpd"), &["-v"], lighttpd),
            known(BARE, Some(site.file("bare")), &[], bare),
        ]
    }

    /// Starts it on a port that the kernel picks and waits until it accepts.
    pub fn start<'s>(&self, site: &'s Site) -> Result<Contender<'s>> {
        let absent = || format!("absent and left out: apt-get install {}", self.name);
        let program = self.program.as_deref().ok_or_else(absent)?;
        let run = site.private_directory(&format!("run-{}", self.name.replace([' ', ','], "-")))?;
        let place = Place { site, program, run, port: free_port()? };
        let mut command = (self.command)(&place)?;
        let output = fs::File::create(place.run.join("output")).map_err(say("output"))?;
        command.current_dir(&place.run).stderr(output);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
        let mut process = Process::spawn(command)?;
        let begin = Instant::now();
        process.wait_until_it_accepts(address).map_err(|message| message + &last_words(&place.run))?;
        let start = begin.elapsed();
        std::thread::sleep(Duration::from_millis(300));
        Ok(Contender {
            name: self.name,
            version: machine::first_line(program, self.version),
            address,
            start,
            idle_memory: procs::memory(process.pid),
            process,
            site,
        })
    }
}

impl Contender<'_> {
    /// Processor time since the start, of the server, its descendants, and those that have ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        match self.process.counts {
            true => self.process.counted(),
            false => Ok(procs::cpu_time(self.process.pid)),
        }
    }

    /// Whether CGI programs are counted that the server does not wait for.
    pub fn counts_all(&self) -> bool {
        self.process.counts
    }

    /// Proportional set size of the process tree now, in bytes.
    pub fn memory(&self) -> Option<u64> {
        procs::memory(self.process.pid)
    }

    /// Waits until the server has finished what a load left behind, but no longer than `limit`.
    pub fn settle(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let mut before = self.cpu_time()?;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.cpu_time()?;
            if now.saturating_sub(before) < Duration::from_millis(5) {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Whether this is the limit, not a server.
    pub fn is_bare(&self) -> bool {
        self.name == BARE
    }

    /// A command that runs a program of the site, as the user that servers run as.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.site.file(program));
        if let Some(user) = &self.site.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Process {
    fn spawn(mut command: Command) -> Result<Process> {
        // A group of its own: Ctrl-C is for us, and the meter then sees our end.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut meter = command.spawn().map_err(say("bare meter"))?;
        let (Some(ask), Some(tell)) = (meter.stdin.take(), meter.stdout.take()) else {
            return Err("bare meter: no pipes".into());
        };
        let mut process =
            Process { meter, ask: Some(ask), tell: OwnedFd::from(tell).into(), pid: 0, counts: false };
        let line = process.read_line()?;
        let (pid, counts) = line.split_once(' ').ok_or("bare meter: no process id")?;
        process.pid = pid.parse().map_err(|_| "bare meter: no process id")?;
        process.counts = counts == "1";
        Ok(process)
    }

    fn read_line(&self) -> Result<String> {
        let bytes = Read::bytes(&self.tell).map_while(|byte| byte.ok().filter(|&byte| byte != b'\n'));
        match String::from_utf8(bytes.collect()) {
            Ok(line) if !line.is_empty() => Ok(line),
            _ => Err("the server has ended".into()),
        }
    }

    fn counted(&self) -> Result<Duration> {
        if let Some(mut ask) = self.ask.as_ref() {
            ask.write_all(b"?").map_err(|_| "the server has ended")?;
        }
        let nanoseconds = self.read_line()?.parse().map_err(|_| "bare meter: no number")?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn wait_until_it_accepts(&mut self, address: SocketAddr) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while Instant::now() < end {
            if TcpStream::connect_timeout(&address, START_LIMIT).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.meter.try_wait() {
                return Err(format!("did not start ({status}) and is left out"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Err("did not accept connections in time and is left out".into())
    }

    fn has_ended_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if !matches!(self.meter.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Process {
    /// Asks, waits, and ends by pid what has not listened.
    fn drop(&mut self) {
        let family = procs::pids(self.meter.id());
        drop(self.ask.take());
        if self.has_ended_within(STOP_LIMIT) {
            return;
        }
        for pid in family {
            signal(pid, Signal::SIGKILL);
        }
        self.has_ended_within(STOP_LIMIT);
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // Gone already is as good as ended.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(say("bind"))?;
    Ok(listener.local_addr().map_err(say("bind"))?.port())
}

/// The end of what a server wrote before it gave up.
fn last_words(run: &Path) -> String {
    let text: String =
        ["output", "error.log"].iter().filter_map(|name| fs::read_to_string(run.join(name)).ok()).collect();
    match text.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {line}"),
        None => String::new(),
    }
}

/// apache2 and rachis: the same arguments, the same file.
fn httpd(place: &Place) -> Result<Command> {
    let mut command = metered(place);
    command
        .arg("-d")
        .arg(&place.run)
        .arg("-f")
        .arg(place.site.file("httpd.conf"))
        .arg("-DFOREGROUND")
        .env("BENCH_FILES", place.site.path())
        .env("BENCH_RUN", &place.run)
        .env("BENCH_PORT", place.port.to_string());
    Ok(command)
}

fn heavy(place: &Place) -> Result<Command> {
    let line = [b"#".repeat((1 << 20) - 1), b"\n".to_vec()].concat();
    let file = place.run.join("ballast.conf");
    let mut ballast = fs::File::create(&file).map_err(say("ballast.conf"))?;
    for _ in 0..BALLAST / line.len() {
        ballast.write_all(&line).map_err(say("ballast.conf"))?;
    }
    let mut command = httpd(place)?;
    command.arg("-c").arg(format!("Include {}", file.display()));
    Ok(command)
}

fn nginx(place: &Place) -> Result<Command> {
    let conf = filled_in(place, "nginx.conf", include_str!("site/nginx.conf"))?;
    let mut command = metered(place);
    command.arg("-p").arg(&place.run).arg("-e").arg(place.run.join("error.log")).arg("-c").arg(conf);
    Ok(command)
}

fn lighttpd(place: &Place) -> Result<Command> {
    let conf = filled_in(place, "lighttpd.conf", include_str!("site/lighttpd.conf"))?;
    let mut command = metered(place);
    command.arg("-D").arg("-f").arg(conf);
    Ok(command)
}

fn bare(place: &Place) -> Result<Command> {
    let mut command = metered(place);
    command.arg("serve").arg(place.port.to_string()).arg(place.site.file("htdocs/10m.txt"));
    Ok(command)
}

/// `bare meter UID GID PROGRAM`, to which the server's arguments are added.
fn metered(place: &Place) -> Command {
    let (uid, gid) = match &place.site.user {
        Some(user) => (user.uid, user.gid),
        None => (Uid::effective(), Gid::effective()),
    };
    let mut command = Command::new(place.site.file("bare"));
    command.arg("meter").arg(uid.to_string()).arg(gid.to_string()).arg(place.program);
    command
}

fn filled_in(place: &Place, name: &str, template: &str) -> Result<PathBuf> {
    let text = template
        .replace("@PORT@", &place.port.to_string())
        .replace("@RUN@", &place.run.to_string_lossy())
        .replace("@FILES@", &place.site.path().to_string_lossy());
    place.site.write(name, text)?;
    Ok(place.site.file(name))
}

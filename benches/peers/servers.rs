//! The servers: how each is started, and that each is stopped.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::site::{Site, find_program, say};
use crate::{Result, machine, procs};

/// The name of the limit.
pub const BARE: &str = "bare loop";
/// The peer whose configuration we read.
pub const APACHE: &str = "apache2";
/// Ourselves.
pub const RACHIS: &str = "rachis";

const START_LIMIT: Duration = Duration::from_secs(5);
const STOP_LIMIT: Duration = Duration::from_secs(5);

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

/// A child that does not outlive this value.
struct Process(Child);

impl Starter {
    /// All servers, in the order in which they take turns.
    pub fn all(site: &Site) -> Vec<Starter> {
        let rachis = site.copy_program(Path::new(env!("CARGO_BIN_EXE_rachis")), RACHIS).ok();
        let known = |name, program, version, command| Starter { name, program, version, command };
        vec![
            known(RACHIS, rachis, &["-v"], httpd as fn(&Place) -> Result<Command>),
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
        let run = site.private_directory(&format!("run-{}", self.name.replace(' ', "-")))?;
        let place = Place { site, program, run, port: free_port()? };
        let mut command = (self.command)(&place)?;
        let log = place.run.join("output");
        let output = fs::File::create(&log).map_err(say("output"))?;
        command
            .current_dir(&place.run)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(say("output"))?)
            .stderr(output)
            .process_group(0);
        if let Some(user) = &site.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
        let begin = Instant::now();
        let mut process = Process(command.spawn().map_err(say(self.name))?);
        process.wait_until_it_accepts(address).map_err(|message| message + &last_words(&place.run))?;
        let start = begin.elapsed();
        std::thread::sleep(Duration::from_millis(300));
        Ok(Contender {
            name: self.name,
            version: machine::first_line(program, self.version),
            address,
            start,
            idle_memory: procs::memory(process.pid()),
            process,
            site,
        })
    }
}

impl Contender<'_> {
    /// The process whose descendants are the server.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether this is the limit, not a server.
    pub fn is_bare(&self) -> bool {
        self.name == BARE
    }

    /// A command for the bare program, as the user that servers run as.
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(self.site.file("bare"));
        if let Some(user) = &self.site.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Process {
    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn wait_until_it_accepts(&mut self, address: SocketAddr) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while Instant::now() < end {
            if TcpStream::connect_timeout(&address, START_LIMIT).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("did not start ({status}) and is left out"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Err("did not accept connections in time and is left out".into())
    }

    fn has_ended_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if !matches!(self.0.try_wait(), Ok(None)) {
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
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        let family = procs::pids(self.pid());
        signal(self.pid(), Signal::SIGTERM);
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
    let mut command = launch(place);
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

fn nginx(place: &Place) -> Result<Command> {
    let conf = filled_in(place, "nginx.conf", include_str!("site/nginx.conf"))?;
    let mut command = launch(place);
    command.arg("-p").arg(&place.run).arg("-e").arg(place.run.join("error.log")).arg("-c").arg(conf);
    Ok(command)
}

fn lighttpd(place: &Place) -> Result<Command> {
    let conf = filled_in(place, "lighttpd.conf", include_str!("site/lighttpd.conf"))?;
    let mut command = launch(place);
    command.arg("-D").arg("-f").arg(conf);
    Ok(command)
}

fn bare(place: &Place) -> Result<Command> {
    let mut command = launch(place);
    command.arg("serve").arg(place.port.to_string()).arg(place.site.file("htdocs/10m.txt"));
    Ok(command)
}

/// Starts the server by way of `bare launch`, so that it ends even if this program is killed.
fn launch(place: &Place) -> Command {
    let mut command = Command::new(place.site.file("bare"));
    command.arg("launch").arg(place.program);
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

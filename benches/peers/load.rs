//! The workloads, and what one measurement of one server is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::servers::{APACHE, Contender, HEAVY, RACHIS};
use crate::site::{LARGE, NESTED, SMALL, Site, say};

/// How long a single request may take, and how much later than planned wrk may end.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One row of work, given to every server alike.
pub struct Workload {
    /// Title of its table.
    pub name: &'static str,
    path: &'static str,
    connections: u32,
    keep_alive: bool,
    /// Length of the body that the right answer has.
    body: usize,
    /// The program under the site's directory, for CGI.
    program: Option<&'static str>,
    /// Whether it is about `.htaccess` files.
    htaccess: bool,
}

/// What is measured, in the order of the tables.
pub static WORKLOADS: [Workload; 7] = [
    fixed("1 KiB file, keep-alive, 64 connections", "/1k.txt", 64, true, SMALL),
    fixed("1 KiB file, a new connection each, 64 at once", "/1k.txt", 64, false, SMALL),
    fixed("10 MiB file, keep-alive, 8 connections", "/10m.txt", 8, true, LARGE),
    nested(".htaccess in 7 nested directories, keep-alive, 64 connections", NESTED, 64),
    cgi("CGI program in C, 16 connections", "/cgi-bin/hello-c", "cgi-bin/hello-c"),
    cgi("CGI script in sh, 16 connections", "/cgi-bin/hello-sh", "cgi-bin/hello-sh"),
    cgi("CGI script in Python, 16 connections", "/cgi-bin/hello-py", "cgi-bin/hello-py"),
];

/// Not 64: requests still unanswered at the end cost time but do not count, which for slow
/// scripts would show.
const CGI_CONNECTIONS: u32 = 16;

const fn fixed(
    name: &'static str,
    path: &'static str,
    connections: u32,
    keep_alive: bool,
    body: usize,
) -> Workload {
    Workload { name, path, connections, keep_alive, body, program: None, htaccess: false }
}

const fn nested(name: &'static str, path: &'static str, connections: u32) -> Workload {
    Workload { htaccess: true, ..fixed(name, path, connections, true, SMALL) }
}

const fn cgi(name: &'static str, path: &'static str, program: &'static str) -> Workload {
    let body = "hello\n".len();
    Workload {
        name,
        path,
        connections: CGI_CONNECTIONS,
        keep_alive: true,
        body,
        program: Some(program),
        htaccess: false,
    }
}

impl Workload {
    /// nginx does not run CGI programs, and `.htaccess` is Apache's.
    pub fn suits(&self, contender: &Contender) -> bool {
        match self.htaccess {
            true => matches!(contender.name, RACHIS | HEAVY | APACHE),
            false => self.program.is_none() || contender.name != "nginx",
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests per second.
    pub rate: f64,
    /// Processor time per request of the whole process tree, in microseconds.
    pub cpu: f64,
    /// 99th percentile of the time to an answer, in milliseconds.
    pub p99: f64,
    /// Proportional set size after the load, in bytes.
    pub memory: Option<u64>,
}

/// Makes the load.
pub struct Driver<'s> {
    /// The load generator.
    pub wrk: PathBuf,
    /// What is served.
    pub site: &'s Site,
    /// Length of one measurement.
    pub seconds: u32,
}

impl Driver<'_> {
    /// Asks once and compares: a server that is fast at wrong answers is not measured.
    pub fn check(&self, workload: &Workload, contender: &Contender) -> Result<()> {
        if contender.is_bare() && workload.program.is_some() {
            return Ok(());
        }
        let answer = fetch(contender, workload.path).map_err(say("left out"))?;
        let line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        if line.split(' ').nth(1) != Some("200") {
            return Err(format!("left out, answers {line:?}"));
        }
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        match answer.len() - head {
            length if length == workload.body => Ok(()),
            length => Err(format!("left out, answers {length} bytes instead of {}", workload.body)),
        }
    }

    /// One turn of one server.
    pub fn measure(&self, workload: &Workload, contender: &Contender) -> Result<Sample> {
        match workload.program {
            Some(program) if contender.is_bare() => self.measure_spawning(contender, program),
            _ => self.measure_serving(workload, contender),
        }
    }

    fn measure_serving(&self, workload: &Workload, contender: &Contender) -> Result<Sample> {
        let before = contender.cpu_time()?;
        let [requests, micros, failures, p99] = self.drive(workload, contender)?;
        let cpu = contender.cpu_time()?.saturating_sub(before);
        contender.settle(Duration::from_secs(10))?;
        if failures > 0.0 {
            return Err(format!("{failures} of {requests} requests failed; this measurement does not count"));
        }
        Ok(Sample { memory: contender.memory(), ..sample(requests, micros, as_micros(cpu), p99)? })
    }

    /// Loads a server once: requests, microseconds, failures, and the 99th percentile in microseconds.
    pub fn drive(&self, workload: &Workload, contender: &Contender) -> Result<[f64; 4]> {
        let seconds = self.seconds;
        let mut command = Command::new(&self.wrk);
        command.args(["-t1", "--latency", "--timeout", "30s"]);
        command.arg(format!("-c{}", workload.connections)).arg(format!("-d{seconds}s"));
        command.arg("-s").arg(self.site.file("report.lua"));
        if !workload.keep_alive {
            command.args(["-H", "Connection: close"]);
        }
        command.arg(format!("http://{}{}", contender.address, workload.path));
        let output = self.run(command)?;
        let line = output.lines().find_map(|line| line.strip_prefix("measured "));
        numbers(line.ok_or_else(|| format!("wrk said no number: {output}"))?)
    }

    fn measure_spawning(&self, contender: &Contender, program: &str) -> Result<Sample> {
        let mut command = contender.command("bare");
        command.args(["spawn", &self.seconds.to_string(), &loops()]).arg(self.site.file(program));
        let [requests, micros, cpu, p99] = numbers(&self.run(command)?)?;
        sample(requests, micros, cpu, p99)
    }

    fn run(&self, command: Command) -> Result<String> {
        run(command, Duration::from_secs(self.seconds.into()) + PATIENCE)
    }
}

/// One spawning loop for each core.
fn loops() -> String {
    std::thread::available_parallelism().map_or(1, usize::from).to_string()
}

fn sample(requests: f64, micros: f64, cpu: f64, p99: f64) -> Result<Sample> {
    if requests < 1.0 || micros < 1.0 {
        return Err("not one request was answered".into());
    }
    Ok(Sample { rate: requests / micros * 1e6, cpu: cpu / requests, p99: p99 / 1e3, memory: None })
}

fn as_micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn numbers(line: &str) -> Result<[f64; 4]> {
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().map_err(|_| format!("four numbers expected: {line}"))
}

/// Runs a program to its end, which it must reach within `limit`.
fn run(mut command: Command, limit: Duration) -> Result<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(say("spawn"))?;
    let end = Instant::now() + limit;
    let status = loop {
        match child.try_wait().map_err(say("wait"))? {
            Some(status) => break status,
            None if Instant::now() > end => {
                child.kill().and_then(|()| child.wait()).map_err(say("kill"))?;
                return Err("the load generator did not end in time".into());
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut text = String::new();
    child.stdout.take().map(|mut out| out.read_to_string(&mut text)).transpose().map_err(say("output"))?;
    match status.success() {
        true => Ok(text),
        false => Err(format!("the load generator failed ({status}): {}", text.trim())),
    }
}

/// The whole answer to a request that no answer is chunked for.
fn fetch(contender: &Contender, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&contender.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LARGE as u64 * 2).read_to_end(&mut answer)?;
    Ok(answer)
}

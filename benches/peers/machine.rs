//! On what machine, with what versions, and when: numbers mean nothing without.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The processor, memory, kernel and system in one line.
pub fn describe() -> String {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| gibibytes(&text)).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    format!("{cores} cores of {cpu}, {memory}, Linux {kernel}, {}", system.trim_matches('"'))
}

/// How many processes wanted to run in the last minute: with more than one, others were at work too.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Today, as `2026-01-31`.
pub fn date() -> String {
    chrono::Utc::now().format("%Y-%m-%d").to_string()
}

/// The first line of what a program prints, to either stream, with these arguments; empty without.
pub fn first_line(program: &Path, arguments: &[&str]) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    let Ok(output) = Command::new(program).args(arguments).stdin(Stdio::null()).output() else {
        return "version unknown".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or("version unknown").trim();
    // "Server version: Apache/2.4.1 (Unix)", "nginx version: nginx/1.2", "lighttpd/1.4 (ssl) - a light …",
    // "wrk 4.1 [epoll] Copyright …".
    let line = line.split_once("version: ").map_or(line, |(_, version)| version);
    let line = line.split(" [").next().unwrap_or(line);
    line.split(" - ").next().unwrap_or(line).to_owned()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gibibytes(kibibytes: &str) -> Option<String> {
    let number: f64 = kibibytes.strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{:.0} GiB", number / f64::from(1 << 20)))
}

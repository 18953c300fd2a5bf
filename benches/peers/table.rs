//! Results as values, and as tables that read well on a terminal and as Markdown.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::idle::Idle;
use crate::load::{Sample, Workload};
use crate::servers::{APACHE, BARE, Contender, HEAVY, RACHIS};
use crate::site::say;
use crate::{Result, idle, machine, plot};

/// What stands between these in the Markdown file is replaced; the rest of it is left alone.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

const PREAMBLE: &str = "\
# Performance

How fast rachis is beside its peers, measured by `cargo bench --bench peers -- --markdown`, which writes the part
below. Trust the ratios: they come from one run on one machine; absolute numbers drift.
";

const LEGEND: &str = "\
Each number is the median of its rounds; the servers take turns. CPU is user and system time per request of the
server's whole process tree, CGI programs included. p99 is the time within which 99 % of the requests were answered.
Memory is the proportional set size of the process tree after the load. The best peer is the fastest of apache2, nginx
and lighttpd for the rate, and the most thrifty for CPU. rachis reads the very configuration file that apache2 reads
(`benches/peers/site/httpd.conf`). The bare loop is the limit: for files one epoll loop that answers from memory or with
sendfile and parses nothing; for CGI one loop for each core that spawns the program, reads its output and waits, with no
HTTP and no load generator beside it. wrk, with one thread, shares the cores with the server; each server has a session
of its own, as a service manager gives it, by which the kernel shares the cores out. On a machine that has other work
too, CPU holds where rates do not.
";

/// Everything one run found.
pub struct Report {
    seconds: u32,
    rounds: u16,
    wrk: String,
    load: String,
    /// What was absent, wrong or failed.
    pub notes: Vec<String>,
    /// The servers before any load.
    pub at_rest: Vec<AtRest>,
    /// One table for each workload.
    pub sections: Vec<Section>,
    /// Servers with many idle connections.
    pub idle: Vec<Idle>,
}

/// A server before its first request.
pub struct AtRest {
    name: &'static str,
    version: String,
    start: Duration,
    memory: Option<u64>,
}

/// The results for one workload.
pub struct Section {
    /// What was asked.
    pub workload: &'static Workload,
    /// One row for each server.
    pub rows: Vec<Row>,
}

/// The medians of one server.
pub struct Row {
    name: &'static str,
    median: Sample,
}

impl AtRest {
    /// What a server said and used when it had just started.
    pub fn of(contender: &Contender) -> AtRest {
        let Contender { name, version, start, idle_memory, .. } = contender;
        AtRest { name, version: version.clone(), start: *start, memory: *idle_memory }
    }
}

impl Row {
    /// Each number's own median; `None` when nothing was measured.
    pub fn median(contender: &Contender, samples: &[Sample]) -> Option<Row> {
        let of = |number: fn(&Sample) -> f64| middle(samples.iter().map(number).collect());
        let memory: Option<Vec<f64>> = samples.iter().map(|s| Some(s.memory? as f64)).collect();
        let median = Sample {
            rate: of(|s| s.rate)?,
            cpu: of(|s| s.cpu)?,
            p99: of(|s| s.p99)?,
            memory: memory.and_then(middle).map(|bytes| bytes as u64),
        };
        Some(Row { name: contender.name, median })
    }

    fn is_peer(&self) -> bool {
        !matches!(self.name, RACHIS | HEAVY | BARE)
    }
}

impl Section {
    /// A heading and a table.
    pub fn render(&self) -> String {
        let apache = self.rows.iter().find(|row| row.name == APACHE).map(|row| row.median.rate);
        let bare = self.rows.iter().find(|row| row.name == BARE).map(|row| row.median.rate);
        let peers = || self.rows.iter().filter(|row| row.is_peer()).map(|row| row.median);
        let best_rate = peers().map(|sample| sample.rate).reduce(f64::max);
        let best_cpu = peers().map(|sample| sample.cpu).reduce(f64::min);
        let mut table = Table::new(&[
            "server",
            "requests/s",
            "CPU µs/request",
            "p99 ms",
            "PSS MiB",
            "rate ÷ apache2",
            "rate ÷ best peer",
            "rate ÷ bare loop",
            "CPU ÷ best peer",
        ]);
        for Row { name, median } in &self.rows {
            table.row(vec![
                (*name).to_owned(),
                significant(median.rate),
                significant(median.cpu),
                format!("{:.2}", median.p99),
                mebibytes(median.memory),
                ratio(median.rate, apache),
                ratio(median.rate, best_rate),
                ratio(median.rate, bare),
                ratio(median.cpu, best_cpu),
            ]);
        }
        format!("### {}\n\n{}", self.workload.name, table.render())
    }
}

impl Report {
    /// An empty report of a run with these settings.
    pub fn new(seconds: u32, rounds: u16, wrk: &Path) -> Report {
        // The option does not exist in this wrk: it prints version and usage, as wanted.
        let wrk = machine::first_line(wrk, &["-v"]);
        let load = machine::load();
        Report {
            seconds,
            rounds,
            wrk,
            load,
            notes: Vec::new(),
            at_rest: Vec::new(),
            sections: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Date, machine, versions, the servers at rest, and the notes.
    pub fn render_setting(&self) -> String {
        let mut text = format!(
            "{}, {}. {}; {} rounds of {} s. Load average before: {}.\n\n### At rest\n\n",
            machine::date(),
            machine::describe(),
            self.wrk,
            self.rounds,
            self.seconds,
            self.load
        );
        let mut table = Table::new(&["server", "version", "start to first accept, ms", "PSS MiB"]);
        for AtRest { name, version, start, memory } in &self.at_rest {
            let start = format!("{:.1}", start.as_secs_f64() * 1e3);
            table.row(vec![(*name).to_owned(), version.clone(), start, mebibytes(*memory)]);
        }
        text += &table.render();
        if !self.notes.is_empty() {
            text += "\nNotes:\n";
        }
        for note in &self.notes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    /// What many idle connections cost, and whether others notice them.
    pub fn render_idle(&self) -> String {
        let mut table = Table::new(&[
            "server",
            "KiB a connection",
            "1 KiB requests/s without them",
            "beside them",
            "ratio",
            "p99 ms beside them",
        ]);
        for Idle { name, each, rates: [without, beside], p99 } in &self.idle {
            table.row(vec![
                (*name).to_owned(),
                format!("{:.2}", each / 1024.0),
                significant(*without),
                significant(*beside),
                ratio(*beside, Some(*without)),
                format!("{p99:.2}"),
            ]);
        }
        format!("### {}\n\n{}", idle::TITLE, table.render())
    }

    /// The requests per second as a picture.
    fn draw(&self) -> String {
        let group = |section: &Section| plot::Group {
            title: section.workload.name.to_owned(),
            bars: section.rows.iter().map(|row| (row.name, row.median.rate)).collect(),
        };
        plot::draw(&self.sections.iter().map(group).collect::<Vec<_>>(), RACHIS, BARE)
    }

    /// Writes the results into a Markdown file, in the place of those of an earlier run, and draws a
    /// picture of them beside it.
    pub fn write_markdown(&self, file: &Path) -> Result<()> {
        let name = file.display().to_string();
        let old = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => PREAMBLE.to_owned(),
            Err(error) => return Err(say(&name)(error)),
        };
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).map_err(say(&name))?;
        }
        let picture = file.with_extension("svg");
        fs::write(&picture, self.draw()).map_err(say(&picture.display().to_string()))?;
        let picture = picture.file_name().unwrap_or_default().to_string_lossy();
        fs::write(file, replaced(&old, &self.render_markdown(&picture))).map_err(say(&name))?;
        println!("written to {name}");
        Ok(())
    }

    fn render_markdown(&self, picture: &str) -> String {
        let mut text = format!(
            "## Results\n\n{}\n![Requests per second of each server]({picture})\n\n{LEGEND}",
            self.render_setting()
        );
        for section in &self.sections {
            text += "\n";
            text += &section.render();
        }
        if !self.idle.is_empty() {
            text += &format!("\n{}", self.render_idle());
        }
        text
    }
}

/// Notes something once, on the terminal at once and in the report.
pub fn note(notes: &mut Vec<String>, text: String) {
    if !notes.contains(&text) {
        eprintln!("note: {text}");
        notes.push(text);
    }
}

/// `old` with what stands between the marks replaced, or appended when there are no marks.
fn replaced(old: &str, measured: &str) -> String {
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or((old, "\n"));
    let gap = if parts.is_some() { "" } else { "\n" };
    format!("{before}{gap}{BEGIN}\n{measured}{END}{after}")
}

/// Columns as wide as their widest cell; the first is aligned to the left, the rest to the right.
struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    fn new(header: &[&str]) -> Table {
        Table { lines: vec![header.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.lines.push(cells);
    }

    fn render(&self) -> String {
        let columns = self.lines.first().map_or(0, Vec::len);
        let width = |i: usize| self.lines.iter().filter_map(|line| Some(line.get(i)?.chars().count())).max();
        let widths: Vec<usize> = (0..columns).map(|i| width(i).unwrap_or(0).max(3)).collect();
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            let cells = line.iter().zip(&widths).enumerate();
            let cells: Vec<String> = cells.map(|(i, (cell, width))| aligned(i, cell, *width)).collect();
            text += &format!("| {} |\n", cells.join(" | "));
            if number == 0 {
                let rules = widths.iter().enumerate().map(|(i, width)| match i {
                    0 => "-".repeat(*width),
                    _ => "-".repeat(width - 1) + ":",
                });
                text += &format!("| {} |\n", rules.collect::<Vec<_>>().join(" | "));
            }
        }
        text
    }
}

fn aligned(column: usize, cell: &str, width: usize) -> String {
    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
}

fn middle(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let after = numbers.get(numbers.len() / 2).copied()?;
    match numbers.len() % 2 {
        0 => Some((numbers.get(numbers.len() / 2 - 1)? + after) / 2.0),
        _ => Some(after),
    }
}

/// Three digits at least, and none that are noise.
fn significant(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

fn ratio(number: f64, to: Option<f64>) -> String {
    to.map_or("–".to_owned(), |to| format!("{:.2}", number / to))
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)))
}

//! Measures rachis beside its peers: `cargo bench --bench peers -- --help`.
//!
//! Every server serves the same files on the same machine in the same minutes, one after the other
//! and round after round, because absolute numbers drift on a shared machine while ratios within one
//! run hold. What bounds them all, a bare loop of system calls, runs beside them.

mod idle;
mod load;
mod machine;
mod plot;
mod procs;
mod servers;
mod site;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use load::{Driver, Sample, WORKLOADS, Workload};
use servers::{Contender, HEAVY, Starter};
use site::Site;
use table::{AtRest, Report, Row, Section};

/// What went wrong, for people; nothing here decides by kind of error.
pub type Result<T> = std::result::Result<T, String>;

/// rachis beside apache2, nginx, lighttpd and a bare loop.
#[derive(Parser)]
#[command(name = "peers")]
struct Options {
    /// How long each measurement lasts.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How often each measurement is taken; the table shows medians.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Only workloads whose name contains one of these words.
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    only: Vec<String>,
    /// Only these servers.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    servers: Vec<String>,
    /// Rachis with a gibibyte of memory in use as well: starting programs must not cost more.
    #[arg(long)]
    heavy: bool,
    /// Writes the results as Markdown too, replacing those of the run before.
    #[arg(long, num_args = 0..=1, default_missing_value = "docs/performance.md", value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// What `cargo bench` says and `cargo test` does not.
    #[arg(long, hide = true)]
    bench: bool,
}

const UNCOUNTED: &str = "perf events are not allowed here (sysctl kernel.perf_event_paranoid=2 allows them, and root may), so the \
    CPU time of CGI programs that mod_cgid starts is missing";

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        println!("peers: nothing to test; `cargo bench --bench peers` measures");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peers: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let wrk = site::find_program("wrk").ok_or("wrk is absent, and it makes the load: apt-get install wrk")?;
    let site = Site::build()?;
    let mut report = Report::new(options.seconds, options.rounds, &wrk);
    let contenders = start_all(options, &site, &mut report);
    if !contenders.iter().all(Contender::counts_all) {
        table::note(&mut report.notes, UNCOUNTED.to_owned());
    }
    report.at_rest = contenders.iter().map(AtRest::of).collect();

    let driver = Driver { wrk, site: &site, seconds: options.seconds };
    for workload in WORKLOADS.iter().filter(|w| named(&options.only, w.name)) {
        let section = play(&driver, workload, &contenders, options.rounds, &mut report.notes);
        println!("{}", section.render());
        report.sections.push(section);
    }
    if named(&options.only, idle::TITLE) {
        report.idle =
            contenders.iter().filter_map(|one| wait_idle(&driver, one, &mut report.notes)).collect();
        println!("{}", report.render_idle());
    }
    drop(contenders);
    println!("{}", report.render_setting());
    match &options.markdown {
        Some(file) => report.write_markdown(&in_package(file)),
        None => Ok(()),
    }
}

/// Starts every server that is wanted and installed; what is absent becomes a note, not a failure.
fn start_all<'s>(options: &Options, site: &'s Site, report: &mut Report) -> Vec<Contender<'s>> {
    let mut contenders = Vec::new();
    for starter in Starter::all(site) {
        if starter.name == HEAVY && !options.heavy {
            continue;
        }
        if !options.servers.is_empty() && !options.servers.iter().any(|s| s == starter.name) {
            continue;
        }
        match starter.start(site) {
            Ok(contender) => contenders.push(contender),
            Err(message) => table::note(&mut report.notes, format!("{}: {message}", starter.name)),
        }
    }
    contenders
}

/// One workload: A B C D A B C D …, and of each the median.
fn play(
    driver: &Driver,
    workload: &'static Workload,
    contenders: &[Contender],
    rounds: u16,
    notes: &mut Vec<String>,
) -> Section {
    let mut players: Vec<(&Contender, Vec<Sample>)> = Vec::new();
    for contender in contenders.iter().filter(|c| workload.suits(c)) {
        match driver.check(workload, contender) {
            Ok(()) => players.push((contender, Vec::new())),
            Err(message) => table::note(notes, format!("{}, {}: {message}", workload.name, contender.name)),
        }
    }
    for round in 1..=rounds {
        for (contender, samples) in &mut players {
            eprintln!("{}: {} ({round}/{rounds})", workload.name, contender.name);
            match driver.measure(workload, contender) {
                Ok(sample) => samples.push(sample),
                Err(message) => {
                    table::note(notes, format!("{}, {}: {message}", workload.name, contender.name))
                }
            }
        }
    }
    let rows = players.iter().filter_map(|(contender, samples)| Row::median(contender, samples)).collect();
    Section { workload, rows }
}

/// The idle connections of one server; one that does not hold them becomes a note.
fn wait_idle(driver: &Driver, contender: &Contender, notes: &mut Vec<String>) -> Option<idle::Idle> {
    if contender.is_bare() {
        return None;
    }
    eprintln!("{}: {}", idle::TITLE, contender.name);
    let measured = idle::measure(driver, &WORKLOADS[0], contender);
    measured
        .map_err(|message| table::note(notes, format!("{}, {}: {message}", idle::TITLE, contender.name)))
        .ok()
}

fn named(words: &[String], name: &str) -> bool {
    words.is_empty() || words.iter().any(|word| name.to_lowercase().contains(&word.to_lowercase()))
}

/// `cargo bench` runs in the package's directory, a binary run by hand may not.
fn in_package(file: &std::path::Path) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

//! Runs the cases of `tests/cases/*.md`; `tests/cases/README.md` says how they are written and run.

mod compare;
mod format;
mod server;
mod wire;

use compare::{compare, compare_lines, written};
use format::{Action, Case, Exchange, Mode, Step};
use server::{Enough, Kind, Site};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::{Answer, Connection, Request};

/// What the environment variable ORACLE asks for.
#[derive(Clone, Copy, PartialEq)]
enum Oracle {
    /// Unset: rachis only.
    No,
    /// `1`: rachis, and Apache too.
    Too,
    /// `only`: Apache alone.
    Only,
    /// `write`: Apache alone; where a case does not yet say what is expected, Apache's answer is written into the page.
    Write,
    /// `write-pages`: the same, with the text of built-in error pages.
    WritePages,
}

fn oracle() -> Oracle {
    match std::env::var("ORACLE").as_deref() {
        Err(_) | Ok("" | "0") => Oracle::No,
        Ok("only") => Oracle::Only,
        Ok("write") => Oracle::Write,
        Ok("write-pages") => Oracle::WritePages,
        Ok(_) => Oracle::Too,
    }
}

/// The directory of the pages.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// Counts over all pages, for the last line of the run.
static PAGES: AtomicUsize = AtomicUsize::new(0);
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// Runs one page and panics with a diff of all that failed. The last of `pages` pages to end prints the sum.
pub fn run_page(name: &str, pages: usize) {
    let path = directory().join(format!("{name}.md"));
    let text = fs::read_to_string(&path).expect("the page can be read");
    let page = format::parse(&text).unwrap_or_else(|e| panic!("tests/cases/{name}.md:{e}"));
    let oracle = oracle();
    if oracle != Oracle::No {
        server::demand_apache();
    }
    let wanted = std::env::var("CASE").unwrap_or_default();
    let cases: Vec<&Case> =
        page.cases.iter().filter(|c| format!("{name}.md: {}", c.heading).contains(&wanted)).collect();
    let mut report = Report { page: name.to_string(), ..Report::default() };
    for kind in [Kind::Rachis, Kind::Apache] {
        let runs = match kind {
            Kind::Rachis => matches!(oracle, Oracle::No | Oracle::Too),
            Kind::Apache => oracle != Oracle::No,
        };
        for case in cases.iter().filter(|_| runs) {
            Run { kind, oracle, heading: &case.heading, report: &mut report }.case(case);
        }
    }
    if !report.insert.is_empty() {
        write_page(&path, &text, &report.insert);
    }
    let requests = REQUESTS.fetch_add(report.requests, Ordering::SeqCst) + report.requests;
    // Not `println!`, which the test harness keeps to itself when all is well.
    let _ = writeln!(std::io::stderr(), "{name}.md: {} cases, {} requests", cases.len(), report.requests);
    if PAGES.fetch_add(1, Ordering::SeqCst) + 1 == pages {
        let _ = writeln!(std::io::stderr(), "all cases: {requests} requests");
        server::remove_copy();
    }
    assert!(
        report.failures.is_empty(),
        "{} failures\n\n{}",
        report.failures.len(),
        report.failures.join("\n\n")
    );
}

fn write_page(path: &Path, text: &str, insert: &BTreeMap<usize, Vec<String>>) {
    let mut page = String::new();
    for (at, line) in text.lines().enumerate() {
        page.push_str(line);
        page.push('\n');
        insert.get(&(at + 1)).into_iter().flatten().for_each(|l| {
            let _ = writeln!(page, "{l}");
        });
    }
    fs::write(path, page).expect("the page can be written");
}

/// What came of a page.
#[derive(Default)]
struct Report {
    page: String,
    requests: usize,
    failures: Vec<String>,
    /// Lines to be written into the page, by the number of the line they follow.
    insert: BTreeMap<usize, Vec<String>>,
}

/// One case on one server.
struct Run<'a> {
    kind: Kind,
    oracle: Oracle,
    heading: &'a str,
    report: &'a mut Report,
}

impl Run<'_> {
    fn writes(&self) -> bool {
        matches!(self.oracle, Oracle::Write | Oracle::WritePages)
    }

    fn case(&mut self, case: &Case) {
        let mut site = match Site::new(self.kind) {
            Ok(site) => site,
            Err(e) => return self.fail(0, &e),
        };
        for step in &case.steps {
            if step.only.as_deref().is_some_and(|only| only != self.kind.name()) {
                continue;
            }
            let absent = |program: &str| !Path::new(program).exists();
            if step.needs.as_deref().is_some_and(absent) && oracle() == Oracle::No {
                println!(
                    "left out, line {}: it needs {}",
                    step.line,
                    step.needs.as_deref().unwrap_or_default()
                );
                continue;
            }
            if let Err(e) = self.step(&mut site, step) {
                // What follows a step that could not be made would fail for no reason of its own.
                return self.fail(step.line, &e);
            }
        }
    }

    fn fail(&mut self, line: usize, what: &str) {
        let Report { page, failures, .. } = &mut *self.report;
        failures.push(format!(
            "tests/cases/{page}.md:{line}: {} ({})\n{what}",
            self.heading,
            self.kind.name()
        ));
    }

    fn step(&mut self, site: &mut Site, step: &Step) -> Result<(), String> {
        let text = || step.text.iter().map(|l| site.fill(l) + "\n").collect::<String>();
        match &step.action {
            Action::Config { defines } => {
                let text = text();
                site.configure(&text, defines)
            }
            Action::File { path, language, options } => file(site, path, language, options, &step.text),
            Action::Shell => site.shell(&text()),
            Action::Http { mode, exchanges } => self.http(site, *mode, exchanges),
            Action::Log { path } => {
                self.log(site, step, path.as_deref());
                Ok(())
            }
            Action::Console => self.console(site, step),
        }
    }

    fn http(&mut self, site: &mut Site, mode: Mode, exchanges: &[Exchange]) -> Result<(), String> {
        site.start()?;
        self.report.requests += exchanges.len();
        let requests: Vec<Request> = exchanges
            .iter()
            .map(|x| {
                let lines: Vec<String> = x.request.iter().map(|l| site.fill(l)).collect();
                wire::request(&lines, mode.raw).map_err(|e| format!("line {}: {e}", x.line))
            })
            .collect::<Result<_, _>>()?;
        let one = mode.keep_alive || mode.pipelined;
        let mut connection = Connection::open(mode.to, site.port())?;
        if mode.pipelined {
            let all: Vec<u8> = requests.iter().flat_map(|r| [r.head.as_slice(), &r.body].concat()).collect();
            connection.send(&all);
        }
        for (at, (exchange, request)) in exchanges.iter().zip(&requests).enumerate() {
            if at > 0 && !one {
                connection = Connection::open(mode.to, site.port())?;
            }
            let answers = if mode.pipelined { connection.answers(request) } else { connection.ask(request) };
            let answers = match answers {
                Ok(answers) => answers,
                Err(e) => {
                    self.fail(exchange.line, &e);
                    if one {
                        return Ok(());
                    }
                    continue;
                }
            };
            self.judge(site, exchange, &answers);
            let closes = answers.last().is_some_and(|a| a.closes() || a.nothing);
            if !mode.pipelined || closes {
                connection.finish(closes).unwrap_or_else(|e| self.fail(exchange.line, &e));
            }
            if one && closes {
                let left = exchanges.len() - at - 1;
                if left > 0 {
                    self.fail(exchange.line, &format!("the connection is closed, {left} requests to go"));
                }
                break;
            }
        }
        Ok(())
    }

    fn judge(&mut self, site: &Site, exchange: &Exchange, answers: &[Answer]) {
        if exchange.answers.is_empty() {
            let lines: Vec<Vec<String>> =
                answers.iter().map(|a| paragraph(site, a, self.oracle == Oracle::WritePages)).collect();
            let lines = lines.join(&String::new());
            if self.writes() {
                self.report.insert.insert(exchange.end, lines);
            } else {
                self.fail(exchange.line, &format!("no answer is expected; this came:\n{}", lines.join("\n")));
            }
            return;
        }
        let first = exchange.request.first().map(String::as_str).unwrap_or_default();
        if exchange.answers.len() != answers.len() {
            let came: Vec<String> = answers
                .iter()
                .map(|a| paragraph(site, a, self.oracle == Oracle::WritePages).join("\n"))
                .collect();
            let what = format!("> {first}\n{} answers instead of {}:", answers.len(), exchange.answers.len());
            return self.fail(exchange.line, &format!("{what}\n{}", came.join("\n\n")));
        }
        for (expected, answer) in exchange.answers.iter().zip(answers) {
            let expected: Vec<String> = expected.iter().map(|l| site.fill(l)).collect();
            if let Err(diff) = compare(&expected, answer) {
                self.fail(exchange.line, &format!("  > {first}\n{}", site.unfill(&diff)));
            }
        }
    }

    fn log(&mut self, site: &mut Site, step: &Step, path: Option<&str>) {
        let ours = |line: &&String| self.kind == Kind::Rachis || !line.starts_with("    ");
        let expected: Vec<String> = step.text.iter().filter(ours).map(|l| site.fill(l)).collect();
        let as_expected = |lines: &[String]| compare_lines(&expected, lines).is_ok();
        let enough: Option<Enough> = if expected.is_empty() { None } else { Some(&as_expected) };
        let actual = match path {
            Some(path) => site.log_lines(path, |l| Some(l.to_string()), enough),
            None => site.log_lines("logs/error_log", error_log_line, enough),
        };
        if self.writes() && expected.is_empty() {
            self.report.insert.insert(step.line, actual.iter().map(|l| site.unfill(l)).collect());
        } else if let Err(diff) = compare_lines(&expected, &actual) {
            self.fail(step.line, &site.unfill(&diff));
        }
    }

    fn console(&mut self, site: &mut Site, step: &Step) -> Result<(), String> {
        let command =
            step.text.first().and_then(|l| l.strip_prefix("$ httpd")).ok_or("it must begin `$ httpd `")?;
        let (output, code) = site.run(&command.split_whitespace().collect::<Vec<_>>())?;
        let mut actual: Vec<String> = output.lines().map(|l| program_line(&site.unfill(l))).collect();
        let expected = &step.text[1..];
        if self.writes() && expected.is_empty() {
            actual.push(format!("[{code}]"));
            self.report.insert.insert(step.line + 1, actual);
            return Ok(());
        }
        let lines = expected.len().saturating_sub(1);
        if self.kind == Kind::Rachis && !expected.iter().any(|l| l == "…") {
            // After Apache's words rachis adds its own.
            actual.truncate(lines);
        }
        actual.push(format!("[{code}]"));
        if let Err(diff) = compare_lines(expected, &actual) {
            self.fail(step.line, &diff);
        }
        Ok(())
    }
}

fn paragraph(site: &Site, answer: &Answer, pages: bool) -> Vec<String> {
    let line = |l: &String| if l.is_empty() { "<".to_string() } else { site.unfill(&format!("< {l}")) };
    written(answer, pages).iter().map(line).collect()
}

fn file(
    site: &Site,
    path: &str,
    language: &str,
    options: &HashSet<String>,
    text: &[String],
) -> Result<(), String> {
    let program = language == "c" || text.first().is_some_and(|l| l.starts_with("#!"));
    let mode = options.iter().find_map(|o| o.strip_prefix("mode=")).map(|m| u32::from_str_radix(m, 8));
    let mode = mode.unwrap_or(Ok(if program { 0o755 } else { 0o644 })).map_err(|e| format!("mode: {e}"))?;
    let end = if options.contains("crlf") { "\r\n" } else { "\n" };
    let lines: Vec<String> = text.iter().map(|l| site.fill(l)).collect();
    let bytes = if options.contains("escaped") {
        format::joined(&lines, end)?
    } else {
        lines.iter().map(|l| format!("{l}{end}")).collect::<String>().into_bytes()
    };
    if language == "c" { site.compile(path, &bytes, mode) } else { site.write(path, &bytes, mode) }
}

/// A line of the error log without time, process and client; none for what any start or stop says.
fn error_log_line(line: &str) -> Option<String> {
    let mut rest = line;
    let mut kept = String::new();
    for group in 0.. {
        let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once("] ")) else { break };
        let dropped =
            group == 0 && inside.contains(" 20") || ["pid ", "client "].iter().any(|p| inside.starts_with(p));
        if !dropped && !inside.contains(':') {
            break;
        }
        if !dropped {
            let _ = write!(kept, "[{inside}] ");
        }
        rest = after;
    }
    let noise = ["[mpm_prefork:notice]", "[mpm_event:notice]", "[core:notice] AH00094"];
    let text = without_client(&(kept + rest));
    (!noise.iter().any(|n| text.starts_with(n))).then_some(text)
}

/// Apache puts the client behind the system's error, where there is one.
fn without_client(text: &str) -> String {
    let Some((before, rest)) = text.split_once("[client ") else { return text.to_string() };
    rest.split_once("] ").map_or(text.to_string(), |(_, after)| format!("{before}{after}"))
}

/// A line of the terminal without time and process, and with `httpd` for whatever the program is called.
fn program_line(line: &str) -> String {
    let text = error_log_line(line).unwrap_or_default();
    let (code, rest) = match text.split_once(": ") {
        Some((code, rest)) if code.starts_with("AH") => (format!("{code}: "), rest),
        _ => (String::new(), text.as_str()),
    };
    let named = ["apache2: ", "rachis: "].iter().find_map(|p| rest.strip_prefix(p));
    named.map_or(text.clone(), |rest| format!("{code}httpd: {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, kept: Option<&str>) {
        assert_eq!(error_log_line(line).as_deref(), kept);
    }

    #[test]
    fn a_log_line_keeps_what_does_not_change() {
        let stamp = "[Mon Nov 23 02:28:17.565395 2026]";
        let line = format!(
            "{stamp} [core:error] [pid 1:tid 2] (13)Permission denied: [client 127.0.0.1:9] AH00132: x"
        );
        check(&line, Some("[core:error] (13)Permission denied: AH00132: x"));
        check(
            &format!("{stamp} [cgi:error] [pid 1] [client 127.0.0.1:9] AH01215: [x] y"),
            Some("[cgi:error] AH01215: [x] y"),
        );
        check(&format!("{stamp} [mpm_prefork:notice] [pid 1:tid 1] AH00163: ready"), None);
        check("[not a group] text", Some("[not a group] text"));
    }

    #[test]
    fn the_program_is_called_httpd() {
        assert_eq!(program_line("apache2: Syntax error"), "httpd: Syntax error");
        assert_eq!(program_line("AH00543: rachis: bad user name x"), "AH00543: httpd: bad user name x");
        assert_eq!(program_line("Syntax OK"), "Syntax OK");
    }
}

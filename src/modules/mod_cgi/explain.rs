//! Why a CGI program failed, and what to mend: pure functions that look at the file through
//! [`System`] and at what the program printed. The log puts their words behind Apache's own line;
//! a check of the site can ask [`examine`] about a program that has not failed yet.

use crate::{
    engine::{CgiFault, Request},
    http::cgi::CgiErrorKind,
    system::{self, Stat, System},
};
use bstr::{BString, ByteSlice};
use std::io;

/// How much of a program's text is looked at.
const LOOKED_AT: u64 = 64 * 1024;

/// Something wrong with a program's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable id of the diagnostic.
    pub id: &'static str,
    /// Line of the file it is about, from 1; `None`: the file as a whole.
    pub line: Option<u32>,
    /// What is wrong, a sentence without its final stop.
    pub text: String,
    /// What to do, in the imperative.
    pub mend: String,
}

impl Finding {
    fn new(id: &'static str, line: Option<u32>, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { id, line, text: text.into(), mend: mend.into() }
    }
}

/// All that can be seen to be wrong with a program before it is run, worst first. `user` is the
/// name or `#number` that the server runs as, if the configuration says one.
pub fn examine(system: &dyn System, program: &[u8], user: Option<&[u8]>) -> Vec<Finding> {
    let stat = match system.stat(system::path(program)) {
        Ok(stat) if stat.is_dir() => {
            let text = "it is a directory, not a program";
            return vec![Finding::new("RX0510", None, text, "name the program in the URL")];
        }
        Ok(stat) => stat,
        Err(error) => {
            let text = format!("it cannot be found: {}", system_error(&error).1);
            return vec![Finding::new("RX0511", None, text, "check the path and the Alias that leads to it")];
        }
    };
    let mut findings = permissions(system, program, &stat, user);
    let Ok(text) = system.read(system::path(program), LOOKED_AT) else { return findings };
    findings.extend(first_line(system, &text));
    findings.extend(source(&text));
    findings
}

/// Mode bits of the program, and of the directories above it.
fn permissions(system: &dyn System, program: &[u8], stat: &Stat, user: Option<&[u8]>) -> Vec<Finding> {
    let who = Who::of(system, user);
    let mut findings = Vec::new();
    if !who.may_execute(stat) {
        let text = format!(
            "its mode is {} (owner {}, group {}), which does not let {} execute it",
            mode_text(stat.mode),
            stat.uid,
            stat.gid,
            who.name
        );
        findings.push(Finding::new("RX0512", None, text, format!("chmod 755 {}", program.as_bstr())));
    }
    let slashes = program.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'/');
    for directory in slashes.map(|(at, _)| &program[..at]) {
        let Ok(stat) = system.stat(system::path(directory)) else { continue };
        if !who.may_execute(&stat) {
            let directory = directory.as_bstr();
            let text = format!(
                "the directory {directory} has mode {}, so {} cannot pass",
                mode_text(stat.mode),
                who.name
            );
            findings.push(Finding::new("RX0512", None, text, format!("chmod a+x {directory}")));
        }
    }
    findings
}

/// As whom a program is executed.
struct Who {
    name: String,
    ids: Option<(u32, u32)>,
}

impl Who {
    fn of(system: &dyn System, user: Option<&[u8]>) -> Who {
        let Some(user) = user else { return Who { name: "the server's user".to_owned(), ids: None } };
        let name = user.to_str_lossy().into_owned();
        let ids = match name.strip_prefix('#').and_then(|number| number.parse().ok()) {
            Some(uid) => Some((uid, u32::MAX)),
            None => system.user(&name).map(|user| (user.uid, user.gid)),
        };
        Who { name: format!("the server's user {name}"), ids }
    }

    /// By mode bits; the superuser needs one of them. Without a user, any of them will do.
    fn may_execute(&self, stat: &Stat) -> bool {
        let bits = match self.ids {
            None | Some((0, _)) => 0o111,
            Some((uid, _)) if uid == stat.uid => 0o100,
            Some((_, gid)) if gid == stat.gid => 0o010,
            Some(_) => 0o001,
        };
        stat.mode & bits != 0
    }
}

fn mode_text(mode: u32) -> String {
    let bit = |at: u32, letter| if mode >> at & 1 == 1 { letter } else { '-' };
    let letters: String = (0..9).rev().map(|at| bit(at, ['x', 'w', 'r'][at as usize % 3])).collect();
    format!("{letters} ({mode:04o})")
}

/// The `#!` line: whether the system can start the program at all.
fn first_line(system: &dyn System, text: &[u8]) -> Vec<Finding> {
    let one = |text: String, mend: &str| vec![Finding::new("RX0513", Some(1), text, mend)];
    let python = "make `#!/usr/bin/env python3`, or what the program is written in, its very first line";
    if text.is_empty() {
        return one("the file is empty".to_owned(), "write the program");
    }
    if text.starts_with(b"\x7fELF") {
        return Vec::new();
    }
    if let Some(rest) = text.strip_prefix(b"\xef\xbb\xbf") {
        let shown = visible(rest, 30);
        let text =
            format!("it begins with a byte order mark (EF BB BF) before `{shown}`, so `#!` is not first");
        return one(text, "save it as UTF-8 without BOM: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE");
    }
    let Some(line) = text.strip_prefix(b"#!") else {
        let blank = text.trim_start();
        if blank.starts_with(b"#!") {
            return one("there is blank space before `#!`".to_owned(), "let the file begin with `#!`");
        }
        let line = text.lines().next().unwrap_or_default();
        let what =
            format!("line 1 is `{}`; without `#!` the system cannot know what runs it", visible(line, 60));
        return one(what, python);
    };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    interpreter(system, line)
}

fn interpreter(system: &dyn System, line: &[u8]) -> Vec<Finding> {
    let one = |id, text: String, mend: String| vec![Finding::new(id, Some(1), text, mend)];
    let words: Vec<&[u8]> = line.fields().collect();
    let Some(&name) = words.first() else {
        let text = "`#!` names no interpreter".to_owned();
        return one("RX0514", text, "write its path behind `#!`".to_owned());
    };
    let shown = name.as_bstr();
    if line.ends_with(b"\r") {
        let text = format!(
            "its lines end in CR LF, so the system looks for an interpreter named `{shown}\\r`, which there is not"
        );
        return one("RX0515", text, "convert it: sed -i 's/\\r$//' FILE".to_owned());
    }
    if !name.starts_with(b"/") {
        let windows = name.get(1) == Some(&b':');
        let why = if windows { "is a path of Windows" } else { "is not absolute" };
        let text = format!("the interpreter `{shown}` {why}");
        return one(
            "RX0514",
            text,
            "write `#!/usr/bin/env python3` or the interpreter's full path".to_owned(),
        );
    }
    match system.stat(system::path(name)) {
        Err(_) => {
            let base = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            let mend = match on_path(system, base) {
                Some(found) => format!("there is {found}: write `#!{found}`"),
                None => format!("install {}, or write the path it has", base.as_bstr()),
            };
            one("RX0514", format!("the interpreter {shown} does not exist"), mend)
        }
        Ok(stat) if stat.is_dir() || stat.mode & 0o111 == 0 => {
            let text = format!("the interpreter {shown} is not executable (mode {})", mode_text(stat.mode));
            one("RX0514", text, "name the interpreter itself".to_owned())
        }
        Ok(_) if name.ends_with(b"/env") => env_words(system, &words[1..]),
        Ok(_) => Vec::new(),
    }
}

/// What stands behind `#!/usr/bin/env`: the system hands it over as a single word.
fn env_words(system: &dyn System, words: &[&[u8]]) -> Vec<Finding> {
    let one = |text: String, mend: String| vec![Finding::new("RX0514", Some(1), text, mend)];
    match words {
        [] => one("`env` is not told what to run".to_owned(), "write `#!/usr/bin/env python3`".to_owned()),
        [first, ..] if first.starts_with(b"-") || first.contains(&b'=') => Vec::new(),
        [_, _, ..] => {
            let all = words.join(&b' ').to_str_lossy().into_owned();
            let text = format!("`env` gets `{all}` as one word and looks for a program of that name");
            one(text, format!("write `#!/usr/bin/env -S {all}`"))
        }
        [name] if on_path(system, name).is_none() => {
            let shown = name.as_bstr();
            let mend = match *name {
                b"python" => "write `#!/usr/bin/env python3`".to_owned(),
                _ => format!("install {shown}, or write the full path behind `#!`"),
            };
            one(format!("`env` finds no `{shown}` in PATH"), mend)
        }
        [_] => Vec::new(),
    }
}

/// Where a program of this name is found by PATH.
fn on_path(system: &dyn System, name: &[u8]) -> Option<BString> {
    let path = system.env(b"PATH").unwrap_or_else(|| b"/usr/local/bin:/usr/bin:/bin".to_vec());
    let mut candidates = path.split(|&byte| byte == b':').map(|dir| [dir, name].join(&b'/'));
    let fits = |file: &Vec<u8>| {
        system.stat(system::path(file)).is_ok_and(|stat| stat.is_file() && stat.mode & 0o111 != 0)
    };
    candidates.find(fits).map(BString::from)
}

/// Mistakes in the source that everybody makes once.
fn source(text: &[u8]) -> Vec<Finding> {
    let python3 = text.lines().next().is_some_and(|line| {
        line.starts_with(b"#!") && line.contains_str(b"python") && !line.contains_str(b"python2")
    });
    let mut findings = Vec::new();
    for (number, line) in (1u32..).zip(text.lines()) {
        let code = line.trim();
        if python3 && is_print_statement(code) {
            let what = format!("`{}` is Python 2; in Python 3 print is a function", visible(code, 60));
            findings.push(Finding::new("RX0516", Some(number), what, "write print(…)"));
        }
        let lower = code.to_ascii_lowercase();
        let mentions = lower.contains_str(b"content-type:") && !code.starts_with(b"#");
        if mentions && let Some(literal) = [&b"/r/n"[..], b"/n"].into_iter().find(|l| ends_quoted(&lower, l))
        {
            let meant = literal.as_bstr().to_string().replace('/', "\\");
            let what = format!("`{}` is text, not the end of a line", literal.as_bstr());
            findings.push(Finding::new("RX0517", Some(number), what, format!("write `{meant}`")));
        }
    }
    findings
}

/// `print "…"`, `print '…'`, `print x`: print, blanks, and no parenthesis or assignment.
fn is_print_statement(code: &[u8]) -> bool {
    let Some(rest) = code.strip_prefix(b"print") else { return false };
    let value = rest.trim_start();
    rest.len() != value.len()
        && matches!(value.first(), Some(b'"' | b'\'' | b'%' | b'a'..=b'z' | b'A'..=b'Z'))
}

/// Whether `literal` stands before a closing quote.
fn ends_quoted(line: &[u8], literal: &[u8]) -> bool {
    line.find_iter(literal).any(|at| matches!(line.get(at + literal.len()), Some(b'"' | b'\'' | b'/')))
}

/// Number and text of a system's error, as strerror(3) has it.
pub fn system_error(error: &io::Error) -> (i32, String) {
    let code = error.raw_os_error().unwrap_or(0);
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    (code, text[..end].to_owned())
}

/// Why the program could not be started.
pub(super) fn not_started(
    system: &dyn System,
    program: &[u8],
    step: &str,
    error: &io::Error,
    user: Option<&[u8]>,
) -> String {
    let whys = sentences(&examine(system, program, user));
    match (whys.is_empty(), step) {
        (false, _) => whys,
        (true, "chdir") => "The directory of the program cannot be entered by the server's user.".to_owned(),
        (true, _) if error.kind() == io::ErrorKind::PermissionDenied => {
            "The file and its interpreter look executable: is the file system mounted noexec, or does a security \
             module forbid it?"
                .to_owned()
        }
        (true, step) => format!("The step that failed was {step}."),
    }
}

fn sentences(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let line = finding.line.map(|line| format!("Line {line}: ")).unwrap_or_default();
        format!("{line}{}. To mend it: {}.", finding.text, finding.mend)
    };
    findings.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Why there is no head: how the program ended, and what it printed instead.
pub(super) fn no_head(system: &dyn System, program: &[u8], fault: &CgiFault) -> String {
    let mut parts: Vec<String> = fault.exit.map(exit_text).into_iter().collect();
    let shown = visible(if fault.output.is_empty() { &fault.error.text } else { &fault.output }, 120);
    let line = fault.error.line;
    parts.push(match fault.error.kind {
        CgiErrorKind::NoHead if shown.is_empty() => {
            "It printed nothing; a program must at least print `Content-Type: text/plain` and an empty line."
                .to_owned()
        }
        CgiErrorKind::NoHead => {
            format!("All it printed is `{shown}`, not even one whole line of a head.")
        }
        CgiErrorKind::Premature => format!(
            "Its output ended before the empty line that ends the head. It printed `{shown}`; what is missing is \
             a second `\\n` behind the last header field."
        ),
        CgiErrorKind::LongLine => format!("Line {line} of its output is longer than any header field may be."),
        CgiErrorKind::TooMuch => format!("It printed {line} header fields and still no empty line."),
        CgiErrorKind::Malformed => format!("Line {line} of its output has no `:`. It printed `{shown}`."),
    });
    parts.extend(hint(&fault.output, &fault.error.text).map(str::to_owned));
    let findings = source_findings(system, program);
    if !findings.is_empty() {
        parts.push(sentences(&findings));
    }
    parts.join(" ")
}

fn source_findings(system: &dyn System, program: &[u8]) -> Vec<Finding> {
    system.read(system::path(program), LOOKED_AT).map(|text| source(&text)).unwrap_or_default()
}

/// What the bytes themselves give away.
fn hint(output: &[u8], line: &[u8]) -> Option<&'static str> {
    let lower = line.trim().to_ascii_lowercase();
    if output.starts_with(b"\xef\xbb\xbf") || line.starts_with(b"\xef\xbb\xbf") {
        return Some("The output begins with a byte order mark: save the program without one.");
    }
    if lower.starts_with(b"http/") {
        let advice =
            "A status line is not for CGI programs: print `Status: 200 OK`, or call the program nph-….";
        return Some(advice);
    }
    if lower.starts_with(b"traceback (most recent call last)") {
        return Some("That is Python's report of an error: the program failed before it printed its head.");
    }
    if lower.starts_with(b"<") {
        return Some("That is HTML: the head and an empty line must be printed before it.");
    }
    if output.contains_str(b"/r/n") || output.contains_str(b"/n/n") {
        return Some("There is `/n` in it where `\\n` is meant.");
    }
    if output.to_ascii_lowercase().contains_str(b"content-type:") {
        let advice = "Something was printed before the head, or overtook it: flush standard output before another \
                      program writes to it.";
        return Some(advice);
    }
    None
}

/// How it ended, from the raw wait status.
fn exit_text(status: i32) -> String {
    let (signal, code) = (status & 0x7f, status >> 8 & 0xff);
    match (signal, code) {
        (0, 0) => "The program ended without an error (exit status 0).".to_owned(),
        (0, 126) => {
            "The program ended with exit status 126: something it called is not executable.".to_owned()
        }
        (0, 127) => "The program ended with exit status 127: something it called was not found.".to_owned(),
        (0, code) => format!("The program ended with exit status {code}."),
        (signal, _) => format!("The program was killed by signal {signal}{}.", signal_name(signal)),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL, an invalid instruction)",
        6 => " (SIGABRT, it gave up)",
        8 => " (SIGFPE, an arithmetic error)",
        9 => " (SIGKILL; the system does that when memory runs out, or a limit is passed)",
        11 => " (SIGSEGV, an invalid memory access)",
        13 => " (SIGPIPE, nobody read its output)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU, RLimitCPU is used up)",
        _ => "",
    }
}

/// What a well-known line of standard error means.
pub(super) fn stderr_line(line: &[u8]) -> Option<String> {
    let text = if line.contains_str(b"Missing parentheses in call to 'print'") {
        "The program is written for Python 2: in Python 3 print is a function, print(\"…\")."
    } else if line.contains_str(b"ModuleNotFoundError: No module named 'cgi'") {
        "Python 3.13 and later have no module `cgi`: read QUERY_STRING with urllib.parse.parse_qs."
    } else if line.starts_with(b"/usr/bin/env: ") || line.starts_with(b"env: ") {
        "`env` did not find what the `#!` line names: check its spelling, CR LF line ends, and PATH."
    } else if line.starts_with(b"suexec policy violation") {
        "suEXEC refused to run the program; the next line says which of its rules is broken."
    } else if line.starts_with(b"suexec failure: could not open log file") {
        "suEXEC runs nothing when it cannot write its log (AP_LOG_EXEC of `suexec -V`)."
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// Why a program may not run, behind Apache's line.
pub(super) fn refused(number: &str, req: &Request) -> Option<String> {
    let text = match number {
        "AH02809" => {
            "The file has a handler that runs programs, but `Options` does not allow that at this place: add \
                      `Options +ExecCGI` to its <Directory>."
                .to_owned()
        }
        "AH02811" => format!("There is no file {}.", req.filename),
        "AH02812" => format!("{} is a directory; programs are named one by one.", req.filename),
        "AH02813" => format!("`AcceptPathInfo Off` forbids `{}` behind the program's name.", req.path_info),
        _ => return None,
    };
    Some(text)
}

pub(super) fn timed_out() -> &'static str {
    "The program said nothing for as long as CGIScriptTimeout (or else Timeout) allows. Does it wait for more input \
     than CONTENT_LENGTH announces, or for something slow?"
}

/// Bytes made visible, at most `limit` of them.
fn visible(bytes: &[u8], limit: usize) -> String {
    let cut = &bytes[..bytes.len().min(limit)];
    let more = if cut.len() < bytes.len() { "…" } else { "" };
    let mut text = String::new();
    for chunk in cut.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                letter if letter.is_control() => text.extend(letter.escape_default()),
                letter => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text + more
}

#[cfg(test)]
mod tests;

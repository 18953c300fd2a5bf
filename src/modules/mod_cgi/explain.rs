//! Why a CGI program failed, and what to mend: pure functions that look at the file through
//! [`System`] and at what the program printed. The log puts their words behind Apache's own line;
//! a check of the site can ask [`examine`] about a program that has not failed yet.

use crate::{
    engine::{CgiFault, Request},
    http::cgi::CgiErrorKind,
    system::{self, Stat, System},
};
use bstr::{BString, ByteSlice};
use std::{io, ops::Range};

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
    /// The bytes of the file it is about; empty at its start for the file as a whole.
    pub at: Range<usize>,
    /// What a machine may write in the place of which bytes; empty where only a person can decide.
    pub edits: Vec<(Range<usize>, String)>,
}

impl Finding {
    fn new(id: &'static str, line: Option<u32>, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { id, line, text: text.into(), mend: mend.into(), at: 0..0, edits: Vec::new() }
    }

    fn at(mut self, at: Range<usize>) -> Self {
        self.at = at;
        self
    }

    fn edit(mut self, span: Range<usize>, text: &str) -> Self {
        self.edits.push((span, text.to_owned()));
        self
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
    let who = Who::of(system, user);
    let mut findings = permissions(system, program, &stat, &who);
    let Ok(text) = system.read(system::path(program), LOOKED_AT) else { return findings };
    let first_line_end = text.find_byteset(b"\r\n").unwrap_or(text.len());
    findings.extend(
        first_line(system, &who, program, &text).into_iter().map(|finding| finding.at(0..first_line_end)),
    );
    findings.extend(source(program, &text));
    findings
}

/// Mode bits of the program, and of the directories above it.
fn permissions(system: &dyn System, program: &[u8], stat: &Stat, who: &Who) -> Vec<Finding> {
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
    for directory in above(program) {
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

/// The directories above a path, the highest first, without `/`.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

/// The first directory above a path that somebody may not pass.
fn closed_above<'p>(system: &dyn System, who: &Who, path: &'p [u8]) -> Option<&'p [u8]> {
    let closed =
        |directory: &&[u8]| system.stat(system::path(directory)).is_ok_and(|stat| !who.may_execute(&stat));
    above(path).find(closed)
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
fn first_line(system: &dyn System, who: &Who, program: &[u8], text: &[u8]) -> Vec<Finding> {
    let found = |text: String, mend: &str| Finding::new("RX0513", Some(1), text, mend);
    let one = |text: String, mend: &str| vec![found(text, mend)];
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
        let mend = "save it as UTF-8 without BOM: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE";
        return vec![found(text, mend).edit(0..3, "")];
    }
    let Some(line) = text.strip_prefix(b"#!") else {
        let blank = text.trim_start();
        if blank.starts_with(b"#!") {
            let finding =
                found("there is blank space before `#!`".to_owned(), "let the file begin with `#!`");
            return vec![finding.edit(0..text.len() - blank.len(), "")];
        }
        let line = text.lines().next().unwrap_or_default();
        let what =
            format!("line 1 is `{}`; without `#!` the system cannot know what runs it", visible(line, 60));
        let finding = found(what, python);
        let is_python = program.ends_with(b".py");
        return vec![if is_python { finding.edit(0..0, "#!/usr/bin/env python3\n") } else { finding }];
    };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut findings = interpreter(system, who, line);
    for finding in findings.iter_mut().filter(|finding| finding.id == "RX0515") {
        let ends = text.find_iter(b"\r\n").map(|at| (at..at + 1, String::new()));
        // Of a longer program not all has been seen.
        finding.edits = if text.len() < LOOKED_AT as usize { ends.collect() } else { Vec::new() };
    }
    findings
}

fn interpreter(system: &dyn System, who: &Who, line: &[u8]) -> Vec<Finding> {
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
        Ok(stat) if stat.is_dir() || !who.may_execute(&stat) => {
            let mode = mode_text(stat.mode);
            let text = format!("the interpreter {shown} is not executable by {} (mode {mode})", who.name);
            one("RX0514", text, "name the interpreter itself".to_owned())
        }
        Ok(_) if closed_above(system, who, name).is_some() => {
            let directory = closed_above(system, who, name).unwrap_or_default();
            let directory = directory.as_bstr();
            let text = format!("{} cannot pass {directory} to the interpreter {shown}", who.name);
            one("RX0514", text, "name an interpreter that everybody may run".to_owned())
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

/// Modules that Python 3.13 no longer has, and what takes their place (PEP 594).
const REMOVED: [(&str, &str); 3] = [
    ("cgi", "read QUERY_STRING with `urllib.parse.parse_qs`, and a form with `email` or a framework"),
    ("cgitb", "let the error log tell: Python's report of an error goes there by itself"),
    ("imp", "use `importlib`"),
];

/// Mistakes in the source that everybody makes once.
fn source(program: &[u8], text: &[u8]) -> Vec<Finding> {
    let first = text.lines().next().unwrap_or_default();
    let python3 = match first.starts_with(b"#!") {
        true => first.contains_str(b"python") && !first.contains_str(b"python2"),
        false => program.ends_with(b".py"),
    };
    let mut findings = Vec::new();
    let mut start = 0;
    for (number, line) in (1u32..).zip(text.lines_with_terminator()) {
        let code = line.trim();
        let at = start + line.len() - line.trim_start().len();
        let at = at..at + code.len();
        start += line.len();
        if python3 && is_print_statement(code) {
            findings.push(print_statement(number, code, at.clone()));
        }
        if python3 && let Some((module, instead)) = removed_module(code) {
            let what = format!("Python 3.13 and later have no module `{module}`");
            findings.push(Finding::new("RX0518", Some(number), what, instead).at(at.clone()));
        }
        findings.extend(slash_n(number, code, at.start));
    }
    findings
}

fn print_statement(number: u32, code: &[u8], at: Range<usize>) -> Finding {
    let what = format!("`{}` is Python 2; in Python 3 print is a function", visible(code, 60));
    let finding = Finding::new("RX0516", Some(number), what, "write print(…)").at(at.clone());
    let blank = b"print".len()..code.len() - code[b"print".len()..].trim_start().len();
    // What goes on in the next line, or ends in a comma or a comment, is for a person.
    let whole =
        !code.ends_with(b",") && !code.ends_with(b"\\") && !code.contains(&b'#') && !code.contains_str(b">>");
    match whole {
        true => finding.edit(at.start + blank.start..at.start + blank.end, "(").edit(at.end..at.end, ")"),
        false => finding,
    }
}

fn removed_module(code: &[u8]) -> Option<(&'static str, &'static str)> {
    let names = code.strip_prefix(b"import ").or_else(|| code.strip_prefix(b"from "))?;
    let first = |part: &[u8]| part.fields().next().map(<[u8]>::to_vec);
    let named: Vec<Vec<u8>> = names.split(|&byte| byte == b',').filter_map(first).collect();
    REMOVED.into_iter().find(|(module, _)| named.iter().any(|name| name == module.as_bytes()))
}

/// `/n` or `/r/n` at the end of a header field where a line's end is meant.
fn slash_n(number: u32, code: &[u8], start: usize) -> Option<Finding> {
    let lower = code.to_ascii_lowercase();
    let mentions = lower.contains_str(b"content-type:") && !code.starts_with(b"#");
    let literal = [&b"/r/n"[..], b"/n"].into_iter().find(|literal| ends_quoted(&lower, literal));
    let literal = literal.filter(|_| mentions)?;
    let quote = lower
        .iter()
        .enumerate()
        .rev()
        .find(|(at, byte)| matches!(byte, b'"' | b'\'') && lower[..*at].ends_with(literal));
    let end = quote.map(|(at, _)| at)?;
    let mut from = end;
    while let Some(rest) = lower[..from].strip_suffix(literal) {
        from = rest.len();
    }
    // print ends the line itself, so that one line's end makes the empty line.
    let meant = match code.starts_with(b"print") {
        true => "\\n".to_owned(),
        false => lower[from..end].to_str_lossy().replace('/', "\\"),
    };
    let what = format!("`{}` is text, not the end of a line", literal.as_bstr());
    let at = start + from..start + end;
    Some(
        Finding::new("RX0517", Some(number), what, format!("write `{meant}`"))
            .at(at.clone())
            .edit(at, &meant),
    )
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
        let line = finding.line.filter(|_| !finding.text.starts_with("line "));
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        capital(&format!("{line}{}. To mend it: {}.", finding.text, finding.mend))
    };
    findings.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
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
    let malformed = matches!(fault.error.kind, CgiErrorKind::Malformed);
    let first = fault.output.lines().next().unwrap_or_default();
    let odd = if malformed { &fault.error.text } else { first };
    parts.extend(hint(&fault.output, odd, malformed).map(str::to_owned));
    // Where the `#!` line leads to `env`, the system finds it, and `env` what is wrong.
    let not_found = fault.exit.is_some_and(|status| matches!(status >> 8 & 0xff, 126 | 127));
    let findings = if not_found { examine(system, program, None) } else { source_findings(system, program) };
    if !findings.is_empty() {
        parts.push(sentences(&findings));
    }
    parts.join(" ")
}

fn source_findings(system: &dyn System, program: &[u8]) -> Vec<Finding> {
    system.read(system::path(program), LOOKED_AT).map(|text| source(program, &text)).unwrap_or_default()
}

/// What the bytes themselves give away; of a line that is no header field, at least what it may be.
fn hint(output: &[u8], line: &[u8], malformed: bool) -> Option<&'static str> {
    let lower = line.trim().to_ascii_lowercase();
    let text = if output.starts_with(b"\xef\xbb\xbf") || line.starts_with(b"\xef\xbb\xbf") {
        "The output begins with a byte order mark: save the program without one."
    } else if lower.starts_with(b"http/") {
        "A status line is not for CGI programs: print `Status: 200 OK`, or call the program nph-…."
    } else if lower.starts_with(b"traceback (most recent call last)") {
        "That is Python's report of an error: the program failed before it printed its head."
    } else if lower.starts_with(b"<") {
        "That is HTML: the head and an empty line must be printed before it."
    } else if output.contains_str(b"/r/n") || output.contains_str(b"/n/n") {
        "There is `/n` in it where `\\n` is meant."
    } else if output.contains_str(b"\\n") {
        "There is a backslash and an `n` in it, which end no line: most languages take them for the end of a line in \
         double quotes only."
    } else if malformed {
        "If the program printed its head before that line, it was in a buffer still: flush standard output before \
         another program writes to it."
    } else {
        return None;
    };
    Some(text)
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
    } else if (line.starts_with(b"/usr/bin/env: ") || line.starts_with(b"env: "))
        && line.ends_with(b": No such file or directory")
    {
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
                '\\' => text.push_str("\\\\"),
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

//! The smallest change that would allow a request that is denied, and what else it would open.
//!
//! Nothing here is guessed: each change is read behind the configuration, and the same request is decided
//! again under it.

use super::{Explanation, Kind, Outcome, Question, below, decide};
use crate::engine::{Connection, Engine, Pending};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashSet;

/// Most URLs that are named.
const NAMED: usize = 10;

/// A change of the configuration.
#[derive(Clone, Debug)]
pub struct Remedy {
    /// The lines that are to be added at its end.
    pub lines: Vec<String>,
    /// What would become of the request.
    pub outcome: Outcome,
    /// URLs in the same directory that would be open then and are not now, the first of them.
    pub opens: Vec<BString>,
    /// How many there are.
    pub count: usize,
}

/// Tries changes, those that open least first. `reload` reads the configuration with these lines behind
/// it; it gives nothing if they are wrong there.
pub fn find(
    denied: &Explanation,
    engine: &Engine,
    reload: &dyn Fn(&[String]) -> Option<Engine>,
    resolve: &dyn Fn(&Pending, &Connection),
) -> Option<Remedy> {
    if denied.outcome.kind != Kind::Denied || denied.outcome.status.0 != 403 {
        return None;
    }
    let asked = &denied.question;
    for lines in candidates(asked, denied.outcome.file.as_ref()?) {
        let Some(changed) = reload(&lines) else { continue };
        let Ok(after) = decide(&changed, asked.clone(), resolve) else { continue };
        if matches!(after.outcome.kind, Kind::Denied | Kind::Failed | Kind::NotFound | Kind::Closed) {
            continue;
        }
        let opens = opened(engine, &changed, asked, resolve);
        let (outcome, count) = (after.outcome, opens.len());
        return Some(Remedy { lines, outcome, count, opens: opens.into_iter().take(NAMED).collect() });
    }
    None
}

/// What could help, from what opens least to what opens most.
fn candidates(asked: &Question, file: &BString) -> Vec<Vec<String>> {
    let path = asked.target.split_once_str("?").map_or(&asked.target[..], |(path, _)| path);
    let slash = file.rfind_byte(b'/').unwrap_or(0);
    let (directory, name) = match file.ends_with(b"/") {
        true => (&file[..file.len() - 1], &b""[..]),
        false => (&file[..slash], &file[slash + 1..]),
    };
    let (Some(directory), Some(name), Some(path)) = (quoted(directory), quoted(name), quoted(path)) else {
        return Vec::new();
    };
    let within = |lines: &[&str]| section("Directory", &directory, lines);
    let file = |lines: &[&str]| {
        let inner = section("Files", &name, lines);
        within(&inner.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let granted = "Require all granted";
    let mut all = Vec::new();
    if name != "\"\"" {
        all.push(file(&[granted]));
        all.push(file(&["Options +ExecCGI"]));
        all.push(file(&["Options +ExecCGI", granted]));
    }
    all.push(within(&["Options +FollowSymLinks"]));
    all.push(within(&["Options +ExecCGI"]));
    all.push(within(&["Options +Indexes"]));
    all.push(within(&[granted]));
    all.push(section("Location", &path, &[granted]));
    all.push(within(&["Options +Indexes", granted]));
    all
}

fn section(name: &str, of: &str, lines: &[&str]) -> Vec<String> {
    let inner = lines.iter().map(|line| format!("    {line}"));
    std::iter::once(format!("<{name} {of}>")).chain(inner).chain([format!("</{name}>")]).collect()
}

/// A path as an argument; none for what no argument can be.
fn quoted(path: &[u8]) -> Option<String> {
    let text = path.to_str().ok().filter(|text| !text.contains(['"', '\\', '\n', '\r', '\0', '$', '%']))?;
    Some(format!("\"{text}\""))
}

/// The URLs in the directory of the request that are open after the change and were not before it, but for
/// the request's own.
fn opened(
    before: &Engine,
    after: &Engine,
    asked: &Question,
    resolve: &dyn Fn(&Pending, &Connection),
) -> Vec<BString> {
    let open = |engine| {
        let fates = below::all_under(engine, asked, resolve).unwrap_or_default();
        fates
            .into_iter()
            .filter(|fate| !matches!(fate.outcome.kind, Kind::Denied | Kind::Failed | Kind::NotFound))
            .map(|fate| fate.url)
            .collect::<Vec<_>>()
    };
    let known: FxHashSet<BString> = open(before).into_iter().collect();
    open(after).into_iter().filter(|url| !known.contains(url) && *url != asked.target).collect()
}

impl Remedy {
    /// In words; ends with a line feed.
    pub fn text(&self) -> String {
        let lines: String = self.lines.iter().map(|line| format!("    {line}\n")).collect();
        let mut text = format!("to allow it, add at the end of the configuration\n{lines}");
        text += &format!("with that it is {}", self.outcome);
        match self.count {
            0 => text += ", and nothing else in its directory is opened\n",
            count => {
                let files = if count == 1 { "URL" } else { "URLs" };
                text += &format!(", and {count} more {files} in its directory would be open:\n");
                self.opens.iter().for_each(|url| text += &format!("    {url}\n"));
                if count > self.opens.len() {
                    text += "    …\n";
                }
            }
        }
        text
    }
}

//! What becomes of each file below a directory, asked one by one.

use super::{Explanation, Kind, Outcome, Question, decide};
use crate::{
    engine::{Connection, Engine, Pending, Phase},
    system::{self, System},
};
use bstr::{BString, ByteSlice};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use std::{io, path::Path};

/// Most files that are asked about.
pub const MOST: usize = 10_000;

/// How deep directories are searched.
const DEEPEST: usize = 64;

/// A name that no file has; what it maps to tells where a directory lies.
const NOBODY: &str = "rachis-explain-looks-for-the-directory";

/// What becomes of one file.
#[derive(Clone, Debug)]
pub struct Fate {
    /// Path of its URL.
    pub url: BString,
    /// What comes of a request for it.
    pub outcome: Outcome,
    /// The line that decided, `file:line: directive`, if one did.
    pub because: Option<String>,
}

/// The fates of all files below a directory, by name. `within` is asked for `/path/`; its header fields
/// and client count for all of them.
///
/// # Errors
/// The URL leads to no directory.
pub fn all_under(
    engine: &Engine,
    within: &Question,
    resolve: &dyn Fn(&Pending, &Connection),
) -> Result<Vec<Fate>, String> {
    let base = within.target.split_once_str("?").map_or(&within.target[..], |(path, _)| path);
    let base = base[..base.rfind_byte(b'/').map_or(0, |at| at + 1)].to_vec();
    let ask = |name: &[u8]| {
        let target = BString::from([&base[..], name].concat());
        decide(engine, Question { target, ..within.clone() }, resolve)
    };
    let probe = ask(NOBODY.as_bytes())?;
    let file = probe.outcome.file.filter(|file| file.ends_with(NOBODY.as_bytes()));
    let directory = file.map(|file| BString::from(&file[..file.len() - NOBODY.len()]));
    let missing = || format!("{} leads to no directory", base.as_bstr());
    let directory = directory.ok_or_else(missing)?;
    let names = files(&*engine.system, &directory, DEEPEST, MOST).map_err(|_| missing())?;
    let fate = |name: &BString| {
        let url = url_path(name);
        let told = ask(url.as_bytes())?;
        let because = because(&told);
        Ok(Fate { url: [&base[..], url.as_bytes()].concat().into(), outcome: told.outcome, because })
    };
    names.iter().map(fate).collect()
}

/// The files below a directory by their names relative to it, `most` of them and so many directories deep:
/// those of a directory before those of the directories in it. Links to directories are not followed.
///
/// # Errors
/// The directory itself cannot be read. One in it that cannot is left out: it is denied to clients too.
pub fn files(system: &dyn System, directory: &[u8], deepest: usize, most: usize) -> io::Result<Vec<BString>> {
    let directory = directory.trim_end_with(|slash| slash == '/');
    let mut names: Vec<BString> = Vec::new();
    let mut waiting = vec![(BString::default(), 0)];
    while let Some((within, depth)) = waiting.pop() {
        let entries = match system.read_dir(system::path(&[directory, b"/", &within].concat())) {
            Err(error) if depth == 0 => return Err(error),
            entries => entries.unwrap_or_default(),
        };
        let mut inner = Vec::new();
        for entry in entries {
            let name = BString::from([&within[..], &entry.name].concat());
            let path = [directory, b"/", &name].concat();
            if !entry.is_dir {
                names.push(name);
            } else if depth < deepest && system.lstat(system::path(&path)).is_ok_and(|stat| stat.is_dir()) {
                inner.push((BString::from([&name[..], b"/"].concat()), depth + 1));
            }
        }
        if names.len() >= most {
            names.truncate(most);
            break;
        }
        waiting.extend(inner.into_iter().rev());
    }
    Ok(names)
}

/// A path as a URL has it.
pub fn url_path(path: &[u8]) -> String {
    percent_encode(path, PLAIN).to_string()
}

/// The first reason with a place; of a program, what made the file one.
fn because(told: &Explanation) -> Option<String> {
    let placed = || told.decided_by.iter().filter(|reason| reason.at.is_some_and(|at| !at.is_builtin()));
    let handler = placed().find(|reason| told.program.is_some() && reason.phase == Phase::Type);
    let at = handler.or_else(|| placed().next())?.at?;
    let place = told.sources.place(at);
    let name = Path::new(place.file).file_name().map_or(place.file.into(), |name| name.to_string_lossy());
    let line = told.sources.source_line(at).trim().to_str_lossy();
    Some(format!("{name}:{}: {line}", place.line))
}

/// What stands for itself in the path of a URL (RFC 3986, section 2.3), and the slash.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A line for each file: what becomes of it, its URL, the line that decided.
pub fn table(fates: &[Fate]) -> String {
    let word = |fate: &Fate| match fate.outcome.kind {
        Kind::Served | Kind::Executed => fate.outcome.kind.word().to_owned(),
        kind => format!("{} {}", kind.word(), fate.outcome.status.0),
    };
    let urls = fates.iter().map(|fate| fate.url.to_str_lossy().chars().count()).max().unwrap_or(0);
    let rows = fates.iter().map(|fate| {
        let row = format!(
            "{:<13} {:<urls$}  {}",
            word(fate),
            fate.url.to_str_lossy(),
            fate.because.as_deref().unwrap_or("")
        );
        format!("{}\n", row.trim_end())
    });
    rows.collect()
}

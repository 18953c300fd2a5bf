//! `.htaccess` files, read when a request needs them and kept for as long as they do not change.
//!
//! Each look-up asks the file system whether the file is still the one that was read: never stale
//! by more than the request that changed it, and one system call where nothing changed.

use super::{
    Policy,
    conf::{Merged, Merges},
    place::Overrides,
};
use crate::{
    diag::{Apache, Severity, Sources, Span},
    system::{self, Stat, System},
};
use bstr::BString;
use rustc_hash::FxHashMap;
use std::{io, rc::Rc, time::UNIX_EPOCH};

/// What a look-up of one `.htaccess` file finds.
#[derive(Clone, Debug)]
pub enum Found {
    /// No such file.
    Absent,
    /// Its settings, the whole file's span, and what is to be logged about it.
    Settings(Merged, Span, Rc<[String]>),
    /// An error in it: where, and Apache's message.
    Broken(Span, Rc<str>),
    /// It is there and cannot be read: its path, and the system's error number.
    Unreadable(BString, i32),
}

/// What identifies a state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
}

impl Signature {
    fn of(stat: &Stat) -> Self {
        let Stat { device, inode, size, mtime_ns, ctime_ns, .. } = *stat;
        Signature { device, inode, size, mtime_ns, ctime_ns }
    }
}

#[derive(Debug)]
struct Entry {
    signature: Signature,
    overrides: Overrides,
    found: Found,
    file: crate::diag::FileId,
}

/// The files read so far, by path. Bounded: when full it is emptied and fills again.
#[derive(Debug, Default)]
pub struct HtaccessCache {
    entries: FxHashMap<BString, Entry>,
}

/// Most files remembered at a time.
const LIMIT: usize = 8 * 1024;

/// Most bytes read of one file.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A file changed this short a time ago may change again without its times showing it: file
/// systems stamp with the tick of the kernel's clock, some milliseconds.
const RACY_NS: i128 = 20_000_000;

impl HtaccessCache {
    /// What the file `name` in `directory` (with its final slash) says under these overrides.
    #[expect(clippy::too_many_arguments, reason = "the parts of a worker, borrowed one by one")]
    pub fn look(
        &mut self,
        policy: &Policy,
        sources: &mut Sources,
        system: &dyn System,
        merges: &mut Merges,
        directory: &[u8],
        name: &[u8],
        overrides: &Overrides,
    ) -> Found {
        let path: BString = [directory, name].concat().into();
        let stat = match system.stat(system::path(&path)) {
            Ok(stat) => stat,
            Err(error) => return self.no_stat(path, &error),
        };
        let signature = Signature::of(&stat);
        let known = self.entries.get(&path);
        if let Some(entry) = known.filter(|e| e.signature == signature && e.overrides == *overrides) {
            return entry.found.clone();
        }
        let text = match system.read(system::path(&path), MAX_FILE) {
            Ok(text) => text,
            Err(error) => return self.no_stat(path, &error),
        };
        let file = match known {
            Some(entry) => {
                sources.replace(entry.file, path.to_string(), text);
                entry.file
            }
            None => sources.add(path.to_string(), text),
        };
        let found = read(policy, sources, system, merges, directory, file, overrides);
        let now = system.now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let settled = i128::try_from(now).unwrap_or(i128::MAX) - stat.ctime_ns.max(stat.mtime_ns) > RACY_NS;
        if self.entries.len() >= LIMIT {
            self.entries.clear();
        }
        // A file too young to be trusted is kept only for its number among the sources.
        let signature = if settled { signature } else { Signature { inode: u64::MAX, ..signature } };
        self.entries
            .insert(path, Entry { signature, overrides: overrides.clone(), found: found.clone(), file });
        found
    }

    fn no_stat(&self, path: BString, error: &io::Error) -> Found {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Found::Absent,
            _ => Found::Unreadable(path, error.raw_os_error().unwrap_or(0)),
        }
    }
}

fn read(
    policy: &Policy,
    sources: &mut Sources,
    system: &dyn System,
    merges: &mut Merges,
    directory: &[u8],
    file: crate::diag::FileId,
    overrides: &Overrides,
) -> Found {
    let length = u32::try_from(sources.text(file).len()).unwrap_or(u32::MAX);
    let whole = Span::new(file, 0, length);
    let reading = super::reading::read_htaccess(policy, sources, system, file, overrides);
    let (conf, mut diagnostics) = super::compile::compile_htaccess(
        &reading.nodes,
        policy,
        sources,
        system,
        directory,
        overrides,
        merges.next_id(),
    );
    let mut all = reading.diagnostics;
    all.append(&mut diagnostics);
    let message = |d: &crate::diag::Diagnostic| match &d.apache {
        Apache::Plain(text) | Apache::Program(text) => text.clone(),
        Apache::Silent => d.headline.clone(),
    };
    if let Some(error) = all.iter().find(|d| d.severity == Severity::Error) {
        return Found::Broken(error.span().unwrap_or(whole), message(error).into());
    }
    let warnings = all.iter().filter(|d| d.severity == Severity::Warning && d.apache != Apache::Silent);
    Found::Settings(merges.intern(conf), whole, warnings.map(message).collect())
}

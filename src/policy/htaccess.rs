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
    system::{self, Signature, Stat, System},
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{io, rc::Rc};

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

#[derive(Debug)]
struct Entry {
    /// `None`: too young to be trusted; kept only for its number among the sources.
    signature: Option<Signature>,
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

impl HtaccessCache {
    /// What the file `name` in `directory` (with its final slash) says under these overrides; and what the file
    /// system said of it, if that is all that its settings depend on.
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
    ) -> (Found, Option<Stat>) {
        let path: BString = [directory, name].concat().into();
        let stat = match system.stat(system::path(&path)) {
            Ok(stat) => stat,
            Err(error) => return (self.no_stat(path, &error), None),
        };
        let signature = Some(stat.signature());
        let known = self.entries.get(&path);
        if let Some(entry) = known.filter(|e| e.signature == signature && e.overrides == *overrides) {
            return (entry.found.clone(), Some(stat));
        }
        let text = match system.read(system::path(&path), MAX_FILE) {
            Ok(text) => text,
            Err(error) => return (self.no_stat(path, &error), None),
        };
        // Such a section asks for another file.
        let asks = text.to_ascii_lowercase().contains_str(b"<iffile");
        let file = match known {
            Some(entry) => {
                sources.replace(entry.file, path.to_string(), text);
                entry.file
            }
            None => sources.add(path.to_string(), text),
        };
        let found = read(policy, sources, system, merges, directory, file, overrides);
        if self.entries.len() >= LIMIT {
            self.entries.clear();
            sources.truncate(policy.sources.len());
        }
        let signature = signature.filter(|_| !stat.is_racy(system.now()) && !asks);
        let lasting = signature.map(|_| stat);
        self.entries
            .insert(path, Entry { signature, overrides: overrides.clone(), found: found.clone(), file });
        (found, lasting)
    }

    /// The files that were read, with what AllowOverride lets each do.
    pub fn files(&self) -> impl Iterator<Item = (crate::diag::FileId, &Overrides)> {
        self.entries.values().map(|entry| (entry.file, &entry.overrides))
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

//! Contents of small files, kept by each worker for as long as the files do not change.
//!
//! The walk over the directories has asked the file system about the file already; where its
//! signature is that of the content at hand, there is no need to open it again.

use crate::system::{self, Opened, Signature, Stat, System};
use bstr::{BStr, BString};
use rustc_hash::FxHashMap;
use std::{io, sync::Arc};

/// The cache. Bounded: when full it is emptied and fills again.
#[derive(Debug, Default)]
pub struct FileCache {
    entries: FxHashMap<BString, (Signature, Arc<[u8]>)>,
    bytes: u64,
}

impl FileCache {
    /// Longest file that is kept, in bytes.
    pub const LONGEST: u64 = 64 * 1024;
    /// Most bytes kept.
    pub const MOST: u64 = 16 * 1024 * 1024;

    /// The file at `path`, open; `stat` is what the file system just said of it.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(&mut self, system: &dyn System, path: &[u8], stat: &Stat) -> io::Result<Opened> {
        let signature = stat.signature();
        match self.entries.get(BStr::new(path)) {
            Some((known, content)) if *known == signature => return Ok(Opened::Bytes(content.clone())),
            _ => {}
        }
        if stat.size > Self::LONGEST || !stat.is_file() || stat.is_racy(system.now()) {
            return system.open(system::path(path));
        }
        let content: Arc<[u8]> = system.read(system::path(path), Self::LONGEST + 1)?.into();
        if content.len() as u64 != stat.size {
            return system.open(system::path(path));
        }
        self.keep(path, signature, content.clone());
        Ok(Opened::Bytes(content))
    }

    fn keep(&mut self, path: &[u8], signature: Signature, content: Arc<[u8]>) {
        let size = content.len() as u64 + path.len() as u64;
        if self.bytes + size > Self::MOST {
            self.entries.clear();
            self.bytes = 0;
        }
        self.bytes += size;
        if let Some((_, old)) = self.entries.insert(path.into(), (signature, content)) {
            self.bytes = self.bytes.saturating_sub(old.len() as u64 + path.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Memory;
    use std::time::Duration;

    fn world(content: &str) -> Memory {
        let mut memory = Memory::new().with("/f", content);
        memory.now += Duration::from_secs(1);
        memory
    }

    /// What the cache gives, for a file last changed `age` before now.
    fn content(cache: &mut FileCache, world: &Memory, age: Duration) -> Vec<u8> {
        let mut stat = world.stat(system::path(b"/f")).unwrap();
        let age = i128::try_from(age.as_nanos()).unwrap();
        stat.mtime_ns -= age;
        stat.ctime_ns -= age;
        match cache.open(world, b"/f", &stat).unwrap() {
            Opened::Bytes(bytes) => bytes.to_vec(),
            Opened::File(_) => Vec::new(),
        }
    }

    #[test]
    fn an_unchanged_file_is_not_read_again() {
        let mut cache = FileCache::default();
        assert_eq!(content(&mut cache, &world("one"), Duration::from_secs(9)), b"one");
        assert_eq!(content(&mut cache, &world("two"), Duration::from_secs(9)), b"one");
    }

    #[test]
    fn another_time_or_length_is_another_file() {
        let mut cache = FileCache::default();
        assert_eq!(content(&mut cache, &world("one"), Duration::from_secs(9)), b"one");
        assert_eq!(content(&mut cache, &world("two"), Duration::from_secs(8)), b"two");
        assert_eq!(content(&mut cache, &world("three"), Duration::from_secs(8)), b"three");
    }

    #[test]
    fn a_file_just_changed_is_read_each_time() {
        let mut cache = FileCache::default();
        assert_eq!(content(&mut cache, &world("one"), Duration::ZERO), b"one");
        assert_eq!(content(&mut cache, &world("two"), Duration::ZERO), b"two");
    }
}

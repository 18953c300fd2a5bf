//! The world outside as far as a decision may look at it: files, clock, users, environment.
//!
//! A decision reads the world only through [`System`], so that it can be made over [`Memory`] in a
//! test and asked again by `explain`. Nothing here writes.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    hash::{BuildHasher, RandomState},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What kind of thing a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link (only from [`System::lstat`]).
    Link,
    /// A device, pipe or socket.
    Other,
}

/// What the file system says about a path (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Kind of thing.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Last modification, nanoseconds since the epoch.
    pub mtime_ns: i128,
    /// Last change of the inode, nanoseconds since the epoch.
    pub ctime_ns: i128,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
    /// Permission bits, the lower twelve.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Stat {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    /// Last modification as a time; times before the epoch become the epoch.
    pub fn modified(&self) -> SystemTime {
        u64::try_from(self.mtime_ns).map_or(UNIX_EPOCH, |ns| UNIX_EPOCH + Duration::from_nanos(ns))
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
}

impl Stat {
    /// The file's signature. A change of content, length, permissions or place changes it, unless
    /// the file [`Stat::is_racy`].
    pub fn signature(&self) -> Signature {
        let Stat { device, inode, size, mtime_ns, ctime_ns, .. } = *self;
        Signature { device, inode, size, mtime_ns, ctime_ns }
    }

    /// Whether the file changed so short a time ago that it may change again without its times
    /// showing it: file systems stamp with the tick of the kernel's clock, some milliseconds.
    pub fn is_racy(&self, now: SystemTime) -> bool {
        const TICK_NS: i128 = 20_000_000;
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let now = i128::try_from(now).unwrap_or(i128::MAX);
        now - self.ctime_ns.max(self.mtime_ns) <= TICK_NS
    }
}

/// An open file: from the disk, or from a test's memory.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A descriptor, which the server can hand to sendfile(2).
    File(Arc<fs::File>),
    /// Bytes.
    Bytes(Arc<[u8]>),
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The last component only.
    pub name: Vec<u8>,
    /// Whether it is a directory, links followed.
    pub is_dir: bool,
}

/// A row of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Primary group number.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// Reads of the outside world.
pub trait System: Send + Sync + std::fmt::Debug {
    /// stat(2): links are followed.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// lstat(2): the link itself.
    fn lstat(&self, path: &Path) -> io::Result<Stat>;
    /// Opens for reading.
    fn open(&self, path: &Path) -> io::Result<Opened>;
    /// The whole file, at most `limit` bytes of it.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// Fills `bytes` from an open file, from `at` on.
    fn read_at(&self, file: &Opened, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match file {
            Opened::File(file) => std::os::unix::fs::FileExt::read_exact_at(&**file, bytes, at),
            Opened::Bytes(content) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX);
                let part = content.get(from..).and_then(|rest| rest.get(..bytes.len()));
                bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
    /// The names in a directory, sorted by byte value.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// The time of day.
    fn now(&self) -> SystemTime;
    /// An environment variable of the server's own process.
    fn env(&self, name: &[u8]) -> Option<Vec<u8>>;
    /// The user of this name.
    fn user(&self, name: &str) -> Option<User>;
    /// The number of the group of this name.
    fn group(&self, name: &str) -> Option<u32>;
    /// Random bytes, the same for the whole life of the process, which nobody else knows.
    fn secret(&self) -> [u8; 20];
    /// The name of the user of this number.
    fn user_name(&self, uid: u32) -> Option<String>;
    /// The name of the group of this number.
    fn group_name(&self, gid: u32) -> Option<String>;
    /// Whether this process may read and execute a file (access(2)).
    fn may_execute(&self, path: &Path) -> bool {
        self.stat(path).is_ok_and(|stat| stat.mode & 0o111 != 0)
    }
}

/// Bytes as a path.
pub fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// open(2) must not wait for the writer of a FIFO. Linux's number; a FIFO is opened nowhere else.
const O_NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0 };

/// The machine's own file system, clock and users.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl System for Disk {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        fs::metadata(path).map(|m| stat_of(&m))
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        fs::symlink_metadata(path).map(|m| stat_of(&m))
    }

    fn open(&self, path: &Path) -> io::Result<Opened> {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).custom_flags(O_NONBLOCK).open(path)?;
        Ok(Opened::File(Arc::new(file)))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = fs::File::open(path)?;
        // With room for all of it and one byte more, one call reads the file and another finds its end.
        let size = file.metadata()?.len().min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
        io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes)?;
        Ok(bytes)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let is_dir = match entry.file_type()? {
                kind if kind.is_symlink() => fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()),
                kind => kind.is_dir(),
            };
            entries.push(Entry { name: entry.file_name().as_bytes().to_vec(), is_dir });
        }
        entries.sort();
        Ok(entries)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        std::env::var_os(OsStr::from_bytes(name)).map(|value| value.as_bytes().to_vec())
    }

    fn user(&self, name: &str) -> Option<User> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&name)).then_some(())?;
            Some(User {
                name: name.to_owned(),
                uid: fields.get(2)?.parse().ok()?,
                gid: fields.get(3)?.parse().ok()?,
                home: PathBuf::from(fields.get(5)?),
            })
        })
    }

    fn group(&self, name: &str) -> Option<u32> {
        let groups = fs::read_to_string("/etc/group").ok()?;
        groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then_some(())?;
            fields.nth(1)?.parse().ok()
        })
    }

    fn secret(&self) -> [u8; 20] {
        static SECRET: OnceLock<[u8; 20]> = OnceLock::new();
        // What a keyed hash makes of nothing, under keys that the standard library has from the kernel.
        let random = || RandomState::new().hash_one(()).to_ne_bytes();
        *SECRET.get_or_init(|| {
            let bytes = [random(), random(), random()].concat();
            std::array::from_fn(|at| bytes[at])
        })
    }

    fn user_name(&self, uid: u32) -> Option<String> {
        name_of("/etc/passwd", uid)
    }

    fn group_name(&self, gid: u32) -> Option<String> {
        name_of("/etc/group", gid)
    }

    /// By mode bits; groups beside the process's own are not asked.
    fn may_execute(&self, path: &Path) -> bool {
        let Ok(stat) = self.stat(path) else { return false };
        // The owner of this is who the process is, where there is such a thing.
        let bits = match fs::metadata("/proc/self").map(|own| (own.uid(), own.gid())) {
            Err(_) | Ok((0, _)) => 0o111,
            Ok((uid, _)) if uid == stat.uid => 0o100,
            Ok((_, gid)) if gid == stat.gid => 0o010,
            Ok(_) => 0o001,
        };
        stat.mode & bits != 0 && fs::File::open(path).is_ok()
    }
}

/// The name in the first line whose third field is this number.
fn name_of(file: &str, number: u32) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}

fn stat_of(m: &fs::Metadata) -> Stat {
    let kind = match m.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Dir,
        t if t.is_symlink() => Kind::Link,
        _ => Kind::Other,
    };
    let ns = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stat {
        kind,
        size: m.size(),
        mtime_ns: ns(m.mtime(), m.mtime_nsec()),
        ctime_ns: ns(m.ctime(), m.ctime_nsec()),
        inode: m.ino(),
        device: m.dev(),
        mode: m.mode() & 0o7777,
        uid: m.uid(),
        gid: m.gid(),
    }
}

/// A small world made of values, for tests: absolute paths to contents.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Files by absolute path; every parent is a directory.
    pub files: BTreeMap<PathBuf, Arc<[u8]>>,
    /// Empty directories by absolute path.
    pub dirs: Vec<PathBuf>,
    /// Permission bits that differ from 0644.
    pub modes: BTreeMap<PathBuf, u32>,
    /// Environment.
    pub env: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The clock, and every file's modification time.
    pub now: SystemTime,
}

impl Default for Memory {
    fn default() -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let (files, modes, env) = Default::default();
        Memory { files, dirs: Vec::new(), modes, env, now }
    }
}

impl Memory {
    /// An empty world.
    pub fn new() -> Self {
        Memory::default()
    }

    /// Adds a file.
    pub fn with(mut self, path: impl Into<PathBuf>, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), Arc::from(content.as_ref()));
        self
    }

    fn known_dir(&self, path: &Path) -> bool {
        path == Path::new("/")
            || self.dirs.iter().any(|d| d.starts_with(path))
            || self.files.keys().any(|f| f != path && f.starts_with(path))
    }

    fn file(&self, path: &Path) -> io::Result<&Arc<[u8]>> {
        self.files.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl System for Memory {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let trimmed: PathBuf = path.components().collect();
        let (kind, size) = match self.files.get(&trimmed) {
            Some(content) => (Kind::File, content.len() as u64),
            None if self.known_dir(&trimmed) => (Kind::Dir, 4096),
            None if trimmed.ancestors().skip(1).any(|p| self.files.contains_key(p)) => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let since = self.now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let mtime_ns = i128::try_from(since).unwrap_or(0);
        let fallback = if kind == Kind::Dir { 0o755 } else { 0o644 };
        let mode = self.modes.get(&trimmed).copied().unwrap_or(fallback);
        Ok(Stat { kind, size, mtime_ns, ctime_ns: mtime_ns, inode: 1, device: 1, mode, uid: 0, gid: 0 })
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.stat(path)
    }

    fn open(&self, path: &Path) -> io::Result<Opened> {
        self.file(path).map(|content| Opened::Bytes(content.clone()))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = self.file(path)?;
        let end = usize::try_from(limit).unwrap_or(usize::MAX).min(content.len());
        Ok(content[..end].to_vec())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let below = self.files.keys().chain(&self.dirs).filter_map(|f| f.strip_prefix(path).ok());
        let mut names: Vec<Vec<u8>> = below
            .filter_map(|rest| rest.components().next())
            .map(|first| first.as_os_str().as_bytes().to_vec())
            .collect();
        names.sort();
        names.dedup();
        let entry = |name: Vec<u8>| {
            let is_dir = self.known_dir(&path.join(OsStr::from_bytes(&name)));
            Entry { name, is_dir }
        };
        Ok(names.into_iter().map(entry).collect())
    }

    fn now(&self) -> SystemTime {
        self.now
    }

    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.env.get(name).cloned()
    }

    fn user(&self, _name: &str) -> Option<User> {
        None
    }

    fn group(&self, _name: &str) -> Option<u32> {
        None
    }

    fn secret(&self) -> [u8; 20] {
        *b"twenty secret bytes."
    }

    fn user_name(&self, _uid: u32) -> Option<String> {
        None
    }

    fn group_name(&self, _gid: u32) -> Option<String> {
        None
    }
}

//! An answer is given again only while nothing that led to it has changed: each of these things is changed
//! here, and the change is seen in the very next answer. And what an answer that is given again costs, in
//! calls of the system, which counts on machines where times do not.

#![allow(unsafe_code, reason = "an allocator that counts")]

use bstr::ByteSlice;
use rachis::{
    engine::{
        Connection, Engine, Lookups, Worker,
        exchange::{Exchange, Input, Output, Piece},
    },
    modules,
    policy::reading::{self, ConfigFile, LoadOptions},
    system::{Disk, Entry, Opened, Stat, System, User},
};
use std::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, RefCell},
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// The system's allocator, which counts for each thread.
struct Allocator;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { std::alloc::System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { std::alloc::System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The disk, with a clock that can be put forward, and a count of what it is asked.
#[derive(Debug)]
struct Counting {
    disk: Disk,
    calls: AtomicUsize,
    ahead: AtomicU64,
}

impl Counting {
    fn asked<T>(&self, answer: T) -> T {
        self.calls.fetch_add(1, Relaxed);
        answer
    }
}

impl System for Counting {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.asked(self.disk.stat(path))
    }
    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.asked(self.disk.lstat(path))
    }
    fn open(&self, path: &Path) -> io::Result<Opened> {
        self.asked(self.disk.open(path))
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.asked(self.disk.read(path, limit))
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.asked(self.disk.read_dir(path))
    }
    fn now(&self) -> SystemTime {
        self.disk.now() + Duration::from_secs(self.ahead.load(Relaxed))
    }
    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.asked(self.disk.env(name))
    }
    fn user(&self, name: &str) -> Option<User> {
        self.asked(self.disk.user(name))
    }
    fn group(&self, name: &str) -> Option<u32> {
        self.asked(self.disk.group(name))
    }
    fn secret(&self) -> [u8; 20] {
        self.disk.secret()
    }
    fn user_name(&self, uid: u32) -> Option<String> {
        self.asked(self.disk.user_name(uid))
    }
    fn group_name(&self, gid: u32) -> Option<String> {
        self.asked(self.disk.group_name(gid))
    }
}

struct Site {
    root: tempfile::TempDir,
    system: Arc<Counting>,
    engine: Engine,
    worker: Worker,
}

const HEAD: &str = "GET /d/a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Modules that Debian has enabled, and some more.
const MODULES: &[&str] = &[
    "access_compat",
    "actions",
    "alias",
    "auth_basic",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_host",
    "authz_user",
    "autoindex",
    "cgid",
    "deflate",
    "dir",
    "env",
    "expires",
    "filter",
    "headers",
    "include",
    "info",
    "mime",
    "mpm_event",
    "negotiation",
    "rewrite",
    "setenvif",
    "status",
    "userdir",
];

/// What all cases have: a file, in a directory in DocumentRoot.
const COMMON: &str = "
ServerName localhost
Listen 8080
TypesConfig /dev/null
AddType text/plain .txt
DocumentRoot $ROOT/htdocs
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory $ROOT/htdocs>
    Require all granted
</Directory>
";

impl Site {
    fn new(config: &str) -> Site {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(root.path().join("htdocs/d")).expect("a directory");
        fs::write(root.path().join("htdocs/d/a.txt"), "old\n").expect("a file");
        // What has just changed is looked at anew each time.
        let system = Arc::new(Counting { disk: Disk, calls: AtomicUsize::new(0), ahead: AtomicU64::new(10) });
        let name = root.path().to_str().expect("UTF-8");
        let loads: String =
            MODULES.iter().map(|name| format!("LoadModule {name}_module {name}.so\n")).collect();
        let text = format!("{loads}{COMMON}{config}").replace("$ROOT", name);
        let options = LoadOptions {
            server_root: name.into(),
            file: ConfigFile::Text("t.conf".into(), text.into_bytes()),
            pre: Vec::new(),
            post: Vec::new(),
            defines: Vec::new(),
        };
        let known: Vec<_> = modules::ALL
            .iter()
            .map(|module| reading::Module { table: module.table(), check: module.check })
            .collect();
        let loaded = reading::load(&options, &known, &*system);
        assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
        let engine = Engine::new(Arc::new(loaded.policy), modules::ALL, system.clone());
        let worker = Worker::new(&engine.policy);
        Site { root, system, engine, worker }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join("htdocs").join(name)
    }

    /// The answer on a connection of its own, and how often the system was asked for it.
    fn ask_from(&mut self, head: &str, client: &str) -> (String, usize) {
        let before = self.system.calls.load(Relaxed);
        let answer = self.ask_bytes(head, client);
        (String::from_utf8(answer).expect("text"), self.system.calls.load(Relaxed) - before)
    }

    fn ask_bytes(&mut self, head: &str, client: &str) -> Vec<u8> {
        let (client, local) =
            (client.parse().expect("a client"), "127.0.0.1:8080".parse().expect("an address"));
        let lookups = RefCell::new(Lookups::default());
        let conn = Connection { client, local, id: 1, keepalives: Cell::new(0), lookups };
        let mut out = Output::default();
        let exchange = Exchange::new(conn, &self.engine, &mut out);
        exchange.on(Input::Client(head.as_bytes()), &self.engine, &mut self.worker, &mut out);
        out.pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.clone(),
                Piece::File { file, at, len, .. } => {
                    let mut bytes = vec![0; usize::try_from(*len).expect("a short file")];
                    self.system.disk.read_at(file, *at, &mut bytes).expect("the file");
                    bytes
                }
            })
            .collect()
    }

    fn ask(&mut self, head: &str) -> (String, usize) {
        self.ask_from(head, "127.0.0.1:50000")
    }

    /// Asks until the answer is one that is given again.
    fn settle(&mut self, head: &str) -> String {
        let (first, _) = self.ask(head);
        let _ = self.ask(head);
        let (third, _) = self.ask(head);
        assert_eq!(undated(&third), undated(&first));
        assert_eq!(self.worker.repeats(), (1, 1), "this is not given again:\n{first}");
        third
    }
}

fn undated(answer: &str) -> String {
    answer.lines().filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_answer_that_is_given_again_costs_one_look_at_the_file() {
    // Where links are not followed, the directory below is looked at too: it may be one.
    for (config, looks) in [("", 1), ("<Directory $ROOT/htdocs>\nOptions None\n</Directory>\n", 2)] {
        let mut site = Site::new(config);
        let answer = site.settle(HEAD);
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\nDate: ") && answer.ends_with("\r\n\r\nold\n"),
            "{answer}"
        );
        for _ in 0..5 {
            let (again, calls) = site.ask(HEAD);
            assert_eq!((undated(&again), calls), (undated(&answer), looks));
        }
    }
}

/// How often the system is asked for the first and for a second head that came in one piece, in the
/// event loop's turn of this number.
fn looks(site: &mut Site, turn: u64, waited: bool) -> [usize; 2] {
    let (client, local) = ("127.0.0.1:50000".parse().expect("one"), "127.0.0.1:8080".parse().expect("one"));
    let lookups = RefCell::new(Lookups::default());
    let conn = Connection { client, local, id: 1, keepalives: Cell::new(0), lookups };
    let mut out = Output::default();
    let mut exchange = Some(Exchange::new(conn, &site.engine, &mut out));
    let two = HEAD.repeat(2);
    site.worker.arrived(turn, waited);
    [Input::Client(two.as_bytes()), Input::Drained].map(|input| {
        let before = site.system.calls.load(Relaxed);
        let taken = exchange.take().expect("it goes on");
        exchange = Some(taken.on(input, &site.engine, &mut site.worker, &mut out));
        site.worker.arrived(turn, false);
        site.system.calls.load(Relaxed) - before
    })
}

/// A request whose first bytes were there when the turn began is older than any look in it; of what stands
/// behind it in the buffer, nobody knows.
#[test]
fn the_requests_of_one_turn_share_one_look() {
    let mut site = Site::new("");
    site.settle(HEAD);
    assert_eq!(looks(&mut site, 1, true), [1, 1]);
    assert_eq!(looks(&mut site, 1, true), [0, 1]);
    assert_eq!(looks(&mut site, 1, false), [1, 1]);
    assert_eq!(looks(&mut site, 2, true), [1, 1]);
    assert_eq!(looks(&mut site, 2, true), [0, 1]);
}

/// The bytes of the answer, the queue that they stand in, and the two of what the event loop is asked.
#[test]
fn an_answer_that_is_given_again_allocates_next_to_nothing() {
    let mut site = Site::new("");
    site.settle(HEAD);
    let (client, local) = ("127.0.0.1:50000".parse().expect("one"), "127.0.0.1:8080".parse().expect("one"));
    let lookups = RefCell::new(Lookups::default());
    let conn = Connection { client, local, id: 1, keepalives: Cell::new(0), lookups };
    let mut out = Output::default();
    let mut exchange = Exchange::new(conn, &site.engine, &mut out);
    let mut counts = Vec::new();
    for _ in 0..4 {
        let mut out = Output::default();
        let before = ALLOCATIONS.get();
        exchange = exchange.on(Input::Client(HEAD.as_bytes()), &site.engine, &mut site.worker, &mut out);
        exchange = exchange.on(Input::Drained, &site.engine, &mut site.worker, &mut out);
        counts.push(ALLOCATIONS.get() - before);
    }
    assert_eq!(site.worker.repeats().1, 5);
    assert!(counts[1..].iter().all(|count| *count <= 6), "{counts:?}");
}

/// After `change`, the very next answer contains `expected`.
#[track_caller]
fn check(config: &str, change: impl FnOnce(&mut Site), expected: &str) {
    let mut site = Site::new(config);
    let before = site.settle(HEAD);
    assert!(!before.contains(expected), "{before}");
    change(&mut site);
    let (after, _) = site.ask(HEAD);
    assert!(after.contains(expected), "{expected:?} is not in\n{after}");
}

#[test]
fn a_change_of_the_file_is_seen() {
    check("", |site| fs::write(site.path("d/a.txt"), "new\n").expect("written"), "\r\n\r\nnew\n");
    // The same length and time, another file.
    let swap = |site: &mut Site| {
        fs::write(site.path("d/b.txt"), "new\n").expect("written");
        fs::rename(site.path("d/b.txt"), site.path("d/a.txt")).expect("renamed");
    };
    check("", swap, "\r\n\r\nnew\n");
    check("", |site| fs::remove_file(site.path("d/a.txt")).expect("removed"), "404 Not Found");
    check("", |site| fs::rename(site.path("d"), site.path("e")).expect("renamed"), "404 Not Found");
    let by_directory = |site: &mut Site| {
        fs::rename(site.path("d"), site.path("e")).expect("renamed");
        fs::create_dir(site.path("d")).expect("made");
        fs::write(site.path("d/a.txt"), "new\n").expect("written");
    };
    check("", by_directory, "\r\n\r\nnew\n");
    let becomes_directory = |site: &mut Site| {
        fs::remove_file(site.path("d/a.txt")).expect("removed");
        fs::create_dir(site.path("d/a.txt")).expect("made");
    };
    check("", becomes_directory, "301 Moved Permanently");
}

#[test]
fn a_link_in_place_of_the_file_or_its_directory_is_seen() {
    let no_links = "<Directory $ROOT/htdocs>\nOptions None\n</Directory>\n";
    let file = |site: &mut Site| {
        fs::rename(site.path("d/a.txt"), site.path("d/b.txt")).expect("renamed");
        symlink(site.path("d/b.txt"), site.path("d/a.txt")).expect("linked");
    };
    check(no_links, file, "403 Forbidden");
}

#[test]
fn permissions_of_the_file_are_seen() {
    if nix::unistd::geteuid().is_root() {
        println!("skipped: permissions say nothing to root");
        return;
    }
    let closed = |path: std::path::PathBuf| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("ours")
    };
    check("", |site| closed(site.path("d/a.txt")), "403 Forbidden");
}

#[test]
fn a_htaccess_file_that_comes_is_seen() {
    let config = "<Directory $ROOT/htdocs>\nAllowOverride All\n</Directory>\n";
    for directory in ["", "d/"] {
        let mut site = Site::new(config);
        site.settle(HEAD);
        // The file, a `.htaccess` file in each of two directories, and one below the file, were it a directory.
        assert_eq!(site.ask(HEAD).1, 4);
        fs::write(site.path(&format!("{directory}.htaccess")), "Require all denied\n").expect("written");
        assert!(site.ask(HEAD).0.starts_with("HTTP/1.1 403 "));
        fs::remove_file(site.path(&format!("{directory}.htaccess"))).expect("removed");
        assert!(site.ask(HEAD).0.starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_change_of_a_htaccess_file_is_seen() {
    let config = "<Directory $ROOT/htdocs>\nAllowOverride All\n</Directory>\n";
    for directory in ["", "d/"] {
        let mut site = Site::new(config);
        let file = site.path(&format!("{directory}.htaccess"));
        fs::write(&file, "AddType text/x-old .txt\n").expect("written");
        assert!(site.settle(HEAD).contains("Content-Type: text/x-old\r\n"));
        fs::write(&file, "AddType text/x-new .txt\n").expect("written");
        assert!(site.ask(HEAD).0.contains("Content-Type: text/x-new\r\n"));
        fs::remove_file(&file).expect("removed");
        assert!(site.ask(HEAD).0.contains("Content-Type: text/plain\r\n"));
    }
}

#[test]
fn a_file_that_a_htaccess_file_asks_for_is_seen() {
    let mut site = Site::new("<Directory $ROOT/htdocs>\nAllowOverride All\n</Directory>\n");
    let switch = site.path("switch");
    let text = format!("<IfFile {}>\nAddType text/x-new .txt\n</IfFile>\n", switch.display());
    fs::write(site.path(".htaccess"), text).expect("written");
    for _ in 0..4 {
        assert!(site.ask(HEAD).0.contains("Content-Type: text/plain\r\n"));
    }
    fs::write(&switch, "").expect("written");
    assert!(site.ask(HEAD).0.contains("Content-Type: text/x-new\r\n"));
}

#[test]
fn every_byte_of_the_head_and_the_client_are_told_apart() {
    let config = "
<Location /d>
    Require ip 127.0.0.1
</Location>
SetEnvIf User-Agent bad denied
<VirtualHost *>
    ServerName localhost
    DocumentRoot $ROOT/htdocs
</VirtualHost>
<VirtualHost *>
    ServerName other
    DocumentRoot $ROOT/none
</VirtualHost>
";
    let mut site = Site::new(config);
    site.settle(HEAD);
    assert!(site.ask_from(HEAD, "127.0.0.2:50000").0.starts_with("HTTP/1.1 403 "));
    assert!(site.ask_from(HEAD, "127.0.0.1:50001").0.starts_with("HTTP/1.1 200 "));
    assert!(site.ask(&HEAD.replace("localhost", "other")).0.starts_with("HTTP/1.1 404 "));
    assert!(site.ask(&HEAD.replace("a.txt", "b.txt")).0.starts_with("HTTP/1.1 404 "));
    let (head, _) = site.ask(&HEAD.replace("GET", "HEAD"));
    assert!(head.ends_with("\r\n\r\n") && head.contains("Content-Length: 4\r\n"), "{head}");
    let (part, _) = site.ask(&HEAD.replace("\r\n\r\n", "\r\nRange: bytes=1-1\r\n\r\n"));
    assert!(part.starts_with("HTTP/1.1 206 ") && part.ends_with("\r\n\r\nl"), "{part}");
}

#[test]
fn the_end_of_a_connection_is_given_again_where_the_client_wants_it() {
    let mut site = Site::new("");
    let head = HEAD.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert!(site.settle(&head).contains("\r\nConnection: close\r\n"));
    assert!(!site.ask(HEAD).0.contains("Connection:"));
}

#[test]
fn the_date_goes_on() {
    let mut site = Site::new("");
    let date = |answer: &str| answer.lines().find(|line| line.starts_with("Date: ")).map(str::to_owned);
    let before = site.settle(HEAD);
    site.system.ahead.fetch_add(60, Relaxed);
    let (after, calls) = site.ask(HEAD);
    assert_eq!((undated(&after), calls), (undated(&before), 1));
    assert_ne!(date(&after), date(&before));
}

/// What depends on anything else is decided each time.
#[test]
fn what_no_key_covers_is_not_given_again() {
    for config in [
        "ExpiresActive On\nExpiresDefault \"access plus 1 minute\"\n",
        "Header set X-Time %t\n",
        "<If \"%{TIME_SEC} -ge 0\">\nSetEnv A b\n</If>\n",
        "RewriteEngine On\nRewriteCond %{TIME_SEC} >=0\nRewriteRule ^/d/a - [E=x:y]\n",
        "<Location /d>\nRequire expr \"%{TIME_SEC} -ge 0\"\n</Location>\n",
        "SetEnvIfExpr \"%{TIME_SEC} -ge 0\" a\n",
        "TeachingErrors On\n",
        "DecisionHeader On\n",
        "MaxKeepAliveRequests 1\n",
    ] {
        let mut site = Site::new(config);
        let head = HEAD.replace("localhost\r\n", "localhost\r\nAccept-Encoding: gzip\r\n");
        for _ in 0..4 {
            let (answer, _) = site.ask(&head);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{config}: {answer}");
        }
        assert_eq!(site.worker.repeats().1, 0, "{config}");
    }
}

#[test]
fn a_filtered_content_is_not_given_again() {
    let mut site = Site::new("AddOutputFilterByType DEFLATE text/plain\n");
    fs::write(site.path("d/a.txt"), "old\n".repeat(1000)).expect("written");
    let head = HEAD.replace("localhost\r\n", "localhost\r\nAccept-Encoding: gzip\r\n");
    for _ in 0..4 {
        assert!(site.ask_bytes(&head, "127.0.0.1:50000").contains_str("\r\nContent-Encoding: gzip\r\n"));
    }
    assert_eq!(site.worker.repeats(), (0, 0));
}

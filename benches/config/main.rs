//! Measures how configurations scale: `cargo bench --bench config`.
//!
//! Four questions: how many MB of configuration become a tree in a second; how long Debian's stock
//! configuration takes to start; how long ten thousand virtual hosts take to read; and what ten, a
//! thousand and ten thousand sections cost a request. apache2 answers the last three as well, on the same machine in the same minute, if it is installed;
//! requests are made by wrk.

use rachis::diag::{Diagnostic, Sources, Span};
use rachis::syntax::State;
use rachis::syntax::reader::{Input, Stage, read};
use rachis::system::Memory;
use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What went wrong, for people.
type Result<T> = std::result::Result<T, String>;

const COUNTS: [usize; 3] = [10, 1_000, 10_000];
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    if !std::env::args().any(|word| word == "--bench") {
        println!("config: nothing to test; `cargo bench --bench config` measures");
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("config: {message}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    println!("text to tree: {:.0} MB/s", parse_speed());
    let site = tempfile::tempdir().map_err(|e| e.to_string())?;
    fs::create_dir_all(site.path().join("htdocs")).map_err(|e| e.to_string())?;
    fs::write(site.path().join("htdocs/x.txt"), "x\n").map_err(|e| e.to_string())?;
    let servers: Vec<PathBuf> =
        [PathBuf::from(env!("CARGO_BIN_EXE_rachis")), PathBuf::from("/usr/sbin/apache2")]
            .into_iter()
            .filter(|server| server.exists())
            .collect();
    for server in &servers {
        match stock_start(server, site.path()) {
            Ok(time) => println!("{}: stock configuration, start to first accept in {time:?}", name(server)),
            Err(why) => println!("{}: stock configuration left out: {why}", name(server)),
        }
    }
    for server in &servers {
        let config = write_config(site.path(), Kind::VirtualHost, 10_000, 1)?;
        println!("{}: 10000 virtual hosts read in {:?}", name(server), read_time(server, &config)?);
    }
    for kind in [Kind::Directory, Kind::Location, Kind::VirtualHost] {
        for server in &servers {
            let speeds: Vec<f64> = COUNTS
                .iter()
                .map(|&count| requests_per_second(server, site.path(), kind, count))
                .collect::<Result<_>>()?;
            let shares: Vec<String> = COUNTS
                .iter()
                .zip(&speeds)
                .map(|(count, speed)| format!("{count}: {speed:.0}/s ({:.0} %)", 100.0 * speed / speeds[0]))
                .collect();
            println!("{} with {kind:?} sections: {}", name(server), shares.join(", "));
        }
    }
    Ok(())
}

fn name(server: &Path) -> String {
    server.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// A stage for which every module is there.
struct All;

impl Stage for All {
    fn module_active(&self, _name: &[u8]) -> bool {
        true
    }

    fn load_module(&mut self, _: &[u8], _: &[u8], _: Span) -> std::result::Result<Vec<Diagnostic>, String> {
        Ok(Vec::new())
    }

    fn directive_known(&self, _name: &[u8]) -> bool {
        true
    }
}

/// MB of configuration made a tree in a second; the best of some rounds.
fn parse_speed() -> f64 {
    let mut text = String::new();
    while text.len() < 10_000_000 {
        text.push_str(SITE);
    }
    let best = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        let input = Input::Text { path: b"/httpd.conf", text: text.as_bytes() };
        let reading = read(input, &mut State::default(), &mut All, &mut Sources::new(), &Memory::default());
        let took = begun.elapsed();
        assert!(reading.diagnostics.is_empty(), "{:?}", reading.diagnostics.first());
        took
    });
    text.len() as f64 / 1e6 / best.min().unwrap_or_default().as_secs_f64()
}

/// As sites are written: sections, comments, quoted and bare words.
const SITE: &str = "# A site of many\n<VirtualHost *:80>\n    ServerName www.example.org\n    \
    DocumentRoot \"/srv/www/example\"\n    <Directory \"/srv/www/example\">\n        \
    Options Indexes FollowSymLinks\n        AllowOverride None\n        Require all granted\n    \
    </Directory>\n\n    # Logs\n    ErrorLog /var/log/example/error.log\n    \
    CustomLog \"/var/log/example/access.log\" \"%h %l %u %t \\\"%r\\\" %>s %b\"\n</VirtualHost>\n";

/// What a configuration has many of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Directory,
    Location,
    VirtualHost,
}

fn write_config(root: &Path, kind: Kind, count: usize, port: u16) -> Result<PathBuf> {
    let place = root.display();
    let mut text = format!(
        "ServerRoot {place}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {place}/pid\n\
         ErrorLog {place}/error_log\nDocumentRoot {place}/htdocs\n"
    );
    let modules = "/usr/lib/apache2/modules";
    for module in ["mpm_event", "authz_core", "alias", "mime", "dir"] {
        let _ = writeln!(text, "LoadModule {module}_module {modules}/mod_{module}.so");
    }
    text.push_str("Mutex sem\nTypesConfig /dev/null\nAddType text/plain .txt\nMaxKeepAliveRequests 0\n");
    for n in 0..count {
        let _ = match kind {
            Kind::Directory => writeln!(
                text,
                "<Directory {place}/htdocs/d{n}>\n    Options -Indexes\n    Require all denied\n</Directory>"
            ),
            Kind::Location => {
                writeln!(text, "<Location /l{n}>\n    Options -Indexes\n    Require all denied\n</Location>")
            }
            Kind::VirtualHost => writeln!(
                text,
                "<VirtualHost *:{port}>\n    ServerName h{n}.example\n    \
                 ServerAlias www.h{n}.example *.a{n}.example\n    DocumentRoot {place}/htdocs\n    \
                 <Directory {place}/htdocs>\n        Require all granted\n    </Directory>\n</VirtualHost>"
            ),
        };
    }
    let path = root.join("httpd.conf");
    fs::write(&path, text).map_err(|e| e.to_string())?;
    Ok(path)
}

/// The median time from the start to the first connection, with a copy of Debian's `/etc/apache2`
/// whose port and directories are others.
fn stock_start(server: &Path, root: &Path) -> Result<Duration> {
    let etc = root.join("etc");
    if !etc.exists() {
        let copied = Command::new("cp").arg("-a").arg("/etc/apache2").arg(&etc).status();
        if !copied.is_ok_and(|status| status.success()) {
            return Err("there is no /etc/apache2 to copy".to_owned());
        }
        fs::create_dir_all(root.join("socks")).map_err(|e| e.to_string())?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
        // What other packages enabled is not stock.
        let _ = fs::remove_dir_all(etc.join("conf-enabled"));
    }
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.map_err(|e| e.to_string())?.port();
    fs::write(etc.join("ports.conf"), format!("Listen 127.0.0.1:{port}\n")).map_err(|e| e.to_string())?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let place = etc.display();
        let run = root.display().to_string();
        let variables = [
            ("APACHE_RUN_USER", "www-data"),
            ("APACHE_RUN_GROUP", "www-data"),
            ("APACHE_PID_FILE", &format!("{run}/{}.pid", name(server))),
            ("APACHE_RUN_DIR", &run),
            ("APACHE_LOCK_DIR", &run),
            ("APACHE_LOG_DIR", &run),
        ];
        let mut command = command(server, &etc.join("apache2.conf"));
        command
            .args(["-d", &place.to_string(), "-DFOREGROUND", "-C", "ServerName localhost"])
            .envs(variables);
        let begun = Instant::now();
        let mut running = Running(command.spawn().map_err(|e| e.to_string())?);
        running.accepts(port, Duration::from_micros(100))?;
        times.push(begun.elapsed());
    }
    times.sort();
    Ok(times[ROUNDS / 2])
}

/// The median time of `-t`.
fn read_time(server: &Path, config: &Path) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let status = command(server, config).arg("-t").status().map_err(|e| e.to_string())?;
        times.push(begun.elapsed());
        if !status.success() {
            return Err(format!("{} does not take the configuration", name(server)));
        }
    }
    times.sort();
    Ok(times[ROUNDS / 2])
}

fn command(server: &Path, config: &Path) -> Command {
    let mut command = Command::new(server);
    command.arg("-f").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Requests for one small file, kept alive; the last virtual host is the one asked for.
fn requests_per_second(server: &Path, root: &Path, kind: Kind, count: usize) -> Result<f64> {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.map_err(|e| e.to_string())?.port();
    let config = write_config(root, kind, count, port)?;
    let child = command(server, &config).arg("-DFOREGROUND").spawn().map_err(|e| e.to_string())?;
    let mut running = Running(child);
    running.ready(port)?;
    let host = format!("Host: h{}.example", count - 1);
    let url = format!("http://127.0.0.1:{port}/x.txt");
    let output = Command::new("wrk").args(["-t1", "-c8", "-d2s", "-H", &host, &url]).output();
    let output = output.map_err(|e| format!("wrk: {e}; apt-get install wrk"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("Non-2xx") {
        return Err(format!("{} answers with errors:\n{text}", name(server)));
    }
    let speed = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    speed.ok_or_else(|| format!("wrk said no number: {text}"))
}

/// A server that is ended with the value.
struct Running(Child);

impl Running {
    fn ready(&mut self, port: u16) -> Result<()> {
        self.accepts(port, Duration::from_millis(5))
    }

    /// Tries to connect again and again, with pauses.
    fn accepts(&mut self, port: u16, pause: Duration) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(20) || self.0.try_wait().is_ok_and(|end| end.is_some()) {
                return Err("the server did not start".to_owned());
            }
            std::thread::sleep(pause);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

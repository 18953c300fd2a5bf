//! The command line, driven as other programs drive it: streams, exit codes, what is left running.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The longest that any step may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn rachis() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rachis"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Runs to the end, which must come in time.
fn run(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rachis starts");
    let pid = child.id();
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("its output"),
        Err(_) => {
            signal(pid, nix::sys::signal::Signal::SIGKILL);
            panic!("rachis does not end");
        }
    }
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
    let _ = nix::sys::signal::kill(pid, signal);
}

/// Exit code, standard output, standard error.
#[track_caller]
fn rachis_with(arguments: &[&str]) -> (i32, String, String) {
    told(&run(rachis().args(arguments)))
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// A ServerRoot with a page and a configuration; `$ROOT` in it is the directory.
fn site(conf: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("htdocs")).expect("htdocs");
    fs::create_dir(dir.path().join("logs")).expect("a place for the error log");
    fs::write(dir.path().join("htdocs/index.html"), "front\n").expect("a page");
    let conf = conf.replace("$ROOT", &dir.path().display().to_string());
    fs::write(dir.path().join("httpd.conf"), conf).expect("a configuration");
    dir
}

const CONF: &str = "\
ServerName localhost
Listen 127.0.0.1:0
PidFile $ROOT/httpd.pid
ErrorLog $ROOT/error.log
DocumentRoot $ROOT/htdocs
";

#[track_caller]
fn in_site(dir: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    told(&run(rachis().arg("-d").arg(dir.path()).args(["-f", "httpd.conf"]).args(arguments)))
}

#[test]
fn v_begins_as_git_reads_it() {
    let (code, out, err) = rachis_with(&["-v"]);
    assert!(out.starts_with("Server version: Apache/2.4."), "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn big_v_has_the_lines_that_programs_look_for() {
    let (code, out, err) = rachis_with(&["-V"]);
    let starts = ["Server's Module Magic Number: 20120211:", "Server MPM:     event", " -D HTTPD_ROOT=\""];
    for start in starts.iter().chain(&[" -D SERVER_CONFIG_FILE=\"conf/httpd.conf\""]) {
        assert!(out.lines().any(|line| line.starts_with(start)), "{start} is missing in {out}");
    }
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn l_lists_core_first() {
    let (code, out, err) = rachis_with(&["-l"]);
    assert!(out.starts_with("Compiled in modules:\n  core.c\n  mod_so.c\n"), "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn big_l_describes_directives_as_apache_does() {
    let (code, out, _) = in_site(&site(CONF), &["-L"]);
    let limit = "<Limit (core.c)\n\tContainer for authentication directives when accessed using specified HTTP methods\n\
                 \tAllowed in *.conf only inside <Directory>, <Files>, <Location>, or <If> and in .htaccess\n\
                 \twhen AllowOverride includes AuthConfig or Limit\n";
    assert!(out.contains(limit), "{out}");
    assert_eq!(code, 0);
}

#[test]
fn t_says_syntax_ok_on_standard_error() {
    assert_eq!(in_site(&site(CONF), &["-t"]), (0, String::new(), "Syntax OK\n".to_owned()));
}

#[test]
fn t_tells_an_error_in_apaches_words_first_and_then_in_ours() {
    let dir = site("ServerName localhost\nNonsense\n");
    let (code, out, err) = in_site(&dir, &["-t"]);
    let root = dir.path().display();
    let apache = format!(
        "AH00526: Syntax error on line 2 of {root}/httpd.conf:\nInvalid command 'Nonsense', perhaps misspelled or \
         defined by a module not included in the server configuration\n"
    );
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with(&apache), "{err}");
    assert!(err[apache.len()..].contains("httpd.conf:2:1") && err.contains("2 | Nonsense"), "{err}");
}

#[test]
fn a_missing_name_is_complained_about() {
    let (code, out, err) = in_site(&site("Listen 127.0.0.1:0\n"), &["-t"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.ends_with("Syntax OK\n"), "{err}");
    // A machine that knows its full name makes Apache silent, too.
    if err != "Syntax OK\n" {
        assert!(
            err.contains("AH00558: rachis: Could not reliably determine the server's fully qualified"),
            "{err}"
        );
    }
}

#[test]
fn an_unknown_option_is_answered_with_the_usage() {
    let (code, out, err) = rachis_with(&["-Z"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("rachis: illegal option -- Z\nUsage: "), "{err}");
}

#[test]
fn s_lists_the_virtual_hosts() {
    let dir = site("ServerName m\nListen 127.0.0.1:0\n<VirtualHost *:81>\nServerName a\n</VirtualHost>\n");
    let (code, out, err) = in_site(&dir, &["-S"]);
    let root = dir.path().display();
    let first = format!(
        "VirtualHost configuration:\n*:81                   a ({root}/httpd.conf:3)\nServerRoot: \"{root}\"\n"
    );
    assert!(out.starts_with(&first), "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn m_lists_what_loadmodule_chose() {
    let dir = site("LoadModule alias_module x.so\nServerName localhost\n");
    let (code, out, err) = in_site(&dir, &["-M"]);
    assert!(out.starts_with("Loaded Modules:\n core_module (static)\n so_module (static)\n"), "{out}");
    assert!(out.contains("\n alias_module (shared)\n") && !out.contains("mime_module"), "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
}

/// The configuration of the tutorial, with all that is wrong with it.
const TUTORIAL: &str = "\
<Directory \"/usr/var/www/cgi-bin\">
AllowOverride None
Options ExecCGI +MultiViews
Require all granted
<Directory \"/var/www/cgi-bin\">
Options All
";

#[test]
fn check_finds_everything_in_the_tutorial_at_once() {
    let dir = site(TUTORIAL);
    let file = dir.path().join("httpd.conf");
    let (code, out, _) = told(&run(rachis().args(["check", "--format", "concise"]).arg(&file)));
    assert_eq!(code, 1);
    let wanted = [
        ":1:1: error[RX0010]: <Directory> is not closed",
        ":5:1: error[RX0010]: <Directory> is not closed",
        ":3:9: error[RX0223]: Either all Options must start with + or -, or no Option may.",
        ":5:1: error[RX0715]: <Directory> cannot stand inside <Directory>",
        ":1:12: warning[RX0711]: the directory `/usr/var/www/cgi-bin` does not exist",
        ":3:9: warning[RX0714]: programs are permitted, but nothing makes a file a program",
        ":5:1: warning[RX0712]: this section does not say who may have what is in it",
        ":6:9: warning[RX0713]: `Options All` turns on more than programs",
    ];
    for line in wanted {
        let line = format!("{}{line}", file.display());
        assert!(out.lines().any(|found| found == line), "{line}\nis missing in\n{out}");
    }
}

#[test]
fn check_shows_lines_and_speaks_json() {
    let dir = site(TUTORIAL);
    let file = dir.path().join("httpd.conf");
    let (_, full, _) = told(&run(rachis().arg("check").arg(&file)));
    assert!(full.contains("3 | Options ExecCGI +MultiViews"), "{full}");
    assert!(full.contains("4 errors, "), "{full}");
    let (_, json, _) = told(&run(rachis().args(["check", "--format", "json"]).arg(&file)));
    for line in json.lines() {
        let found: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
        assert!(found["id"].as_str().is_some_and(|id| id.starts_with("RX")), "{line}");
    }
}

#[test]
fn check_has_nothing_against_the_default_site() {
    let (code, out, err) = rachis_with(&["check"]);
    assert!(out.ends_with("nothing to complain about\n"), "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
}

/// Explains a URL of the default site: the outcome begins so, and these lines of source are shown.
#[track_caller]
fn explained(url: &str, outcome: &str, reasons: &[&str]) {
    let (code, out, err) = rachis_with(&["explain", url]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (because, _) = out.split_once("step by step").expect("a list of steps");
    let line = because.lines().nth(1).expect("an outcome");
    assert!(line.starts_with(outcome), "{line}");
    for reason in reasons {
        let shown =
            because.lines().any(|line| line.split_once("| ").is_some_and(|(_, text)| text.trim() == *reason));
        assert!(shown, "{reason} is missing in\n{because}");
    }
}

fn here(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

#[test]
fn explain_a_file_that_is_served() {
    explained(
        "/cgi.html",
        &format!("SERVED {} as text/html", here("htdocs/cgi.html")),
        &["DocumentRoot htdocs", "Require all granted"],
    );
}

#[test]
fn explain_a_program_by_scriptalias() {
    let outcome = format!("EXECUTED {} by cgi-script", here("cgi-bin/hello.py"));
    explained(
        "/cgi-bin/hello.py",
        &outcome,
        &["ScriptAlias \"/cgi-bin/\" \"cgi-bin/\"", "Require all granted"],
    );
}

#[test]
fn explain_a_program_by_addhandler() {
    let outcome = format!("EXECUTED {} by cgi-script", here("htdocs/lessons/on/hello.py"));
    explained("/lessons/on/hello.py", &outcome, &["AddHandler cgi-script .py .cgi", "Options +ExecCGI"]);
}

#[test]
fn explain_what_is_denied() {
    explained("/lessons/denied/secret.txt", "DENIED 403", &["Require all denied"]);
    explained("/lessons/off/hello.py", "DENIED 403", &["Options -ExecCGI"]);
}

#[test]
fn explain_what_is_not_there_and_what_is_elsewhere() {
    explained("/no/such/page", "NOT FOUND 404", &["DocumentRoot htdocs"]);
    explained("/lessons", "REDIRECT 301 to http://localhost:8080/lessons/", &[]);
}

#[test]
fn explain_says_which_htaccess_is_ignored() {
    let conf = format!("{CONF}<Directory />\nAllowOverride None\nRequire all granted\n</Directory>\n");
    let dir = site(&conf);
    fs::write(dir.path().join("htdocs/.htaccess"), "Deny from all\n").expect("a file");
    let arguments = ["explain", "/index.html", "-f", "httpd.conf", "-d"];
    let (code, out, _) = told(&run(rachis().args(arguments).arg(dir.path())));
    assert_eq!(code, 0);
    let (because, _) = out.split_once("step by step").expect("a list of steps");
    assert!(because.contains(".htaccess is there, but is not read"), "{because}");
    assert!(because.contains("| AllowOverride None"), "{because}");
}

#[test]
fn explain_as_json_names_file_and_line() {
    let (code, out, _) = rachis_with(&["explain", "--json", "GET", "/cgi-bin/hello.py"]);
    let told: serde_json::Value = serde_json::from_str(&out).expect("a JSON object");
    assert_eq!((code, &told["outcome"]["kind"]), (0, &"executed".into()));
    let first = &told["decided_by"][0]["at"];
    assert_eq!(first["source"], "ScriptAlias \"/cgi-bin/\" \"cgi-bin/\"");
    assert!(first["line"].as_u64().is_some_and(|line| line > 1), "{first}");
}

#[test]
fn explain_refuses_what_is_no_url() {
    let (code, out, err) = rachis_with(&["explain", "index.html"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("a path that begins with `/`"), "{err}");
}

/// A server in the foreground; killed if a test forgets it.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    /// Waits for the line that says where.
    fn start(command: &mut Command) -> Serving {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rachis starts");
        let mut out = child.stdout.take().expect("a pipe");
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            let mut byte = [0];
            while matches!(out.read(&mut byte), Ok(1)) {
                match byte[0] {
                    b'\n' => {
                        drop(send.send(String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned()))
                    }
                    byte => line.push(byte),
                }
            }
        });
        let line = lines.recv_timeout(PATIENCE).expect("a line that says where");
        let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).expect("a URL");
        Serving { address: url.to_owned(), child }
    }

    /// Asks it to stop; its exit code.
    fn stop(mut self, with: nix::sys::signal::Signal) -> Option<i32> {
        signal(self.child.id(), with);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not stop");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn program(path: PathBuf, text: &str) {
    fs::write(&path, text).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

#[test]
fn run_serves_a_directory_without_any_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.txt"), "text\n").expect("a file");
    fs::create_dir(dir.path().join("cgi-bin")).expect("cgi-bin");
    program(dir.path().join("cgi-bin/p"), "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran\\n'\n");
    let serving = Serving::start(rachis().arg("run").arg(dir.path()).args(["--port", "0"]));
    assert!(serving.address.starts_with("127.0.0.1:"), "{}", serving.address);
    let file = get(&serving.address, "/a.txt");
    assert!(file.starts_with("HTTP/1.1 200 OK\r\n") && file.ends_with("\r\n\r\ntext\n"), "{file}");
    let ran = get(&serving.address, "/cgi-bin/p");
    assert!(
        ran.starts_with("HTTP/1.1 200 OK\r\n") && ran.contains("\r\n\r\n") && ran.contains("ran"),
        "{ran}"
    );
    assert!(get(&serving.address, "/.htpasswd").starts_with("HTTP/1.1 403 "));
    assert_eq!(serving.stop(nix::sys::signal::Signal::SIGINT), Some(0));
}

#[test]
fn the_configuration_of_run_is_an_ordinary_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, text, _) = told(&run(rachis().args(["run", "--print-config", "--port", "0"]).arg(dir.path())));
    assert_eq!(code, 0);
    fs::write(dir.path().join("printed.conf"), text).expect("a configuration");
    let checked = told(&run(rachis().arg("-d").arg(dir.path()).args(["-f", "printed.conf", "-t"])));
    assert_eq!(checked, (0, String::new(), "Syntax OK\n".to_owned()));
}

#[test]
fn run_refuses_what_is_no_directory() {
    let (code, out, err) = rachis_with(&["run", "no-such-directory"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("is not a directory"), "{err}");
}

/// Stops the server of a pid file, whatever became of the test.
struct Background<'d>(&'d TempDir);

impl Drop for Background<'_> {
    fn drop(&mut self) {
        let text = fs::read_to_string(self.0.path().join("httpd.pid")).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            signal(pid, nix::sys::signal::Signal::SIGTERM);
        }
    }
}

#[test]
fn k_start_returns_when_all_is_ready_and_k_stop_may_be_said_twice() {
    let dir = site(CONF);
    let background = Background(&dir);
    let silence = (0, String::new(), String::new());
    assert_eq!(in_site(&dir, &["-k", "stop"]).1, "httpd (no pid file) not running\n");
    assert_eq!(in_site(&dir, &["-k", "start"]), silence);
    let pid = fs::read_to_string(dir.path().join("httpd.pid")).expect("a pid file");
    let again = format!("httpd (pid {}) already running\n", pid.trim());
    assert_eq!(in_site(&dir, &["-k", "start"]), (0, again, String::new()));
    assert_eq!(in_site(&dir, &["-k", "graceful"]), silence);
    assert_eq!(in_site(&dir, &["-k", "stop"]), silence);
    let end = Instant::now() + PATIENCE;
    while dir.path().join("httpd.pid").exists() {
        assert!(Instant::now() < end, "the pid file stays");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(in_site(&dir, &["-k", "stop"]).0, 0);
    drop(background);
}

#[test]
fn k_start_fails_where_nothing_can_be_bound() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let dir = site(&CONF.replace("127.0.0.1:0", &address.to_string()));
    let background = Background(&dir);
    let (code, out, err) = in_site(&dir, &["-k", "start"]);
    let first =
        format!("(98)Address already in use: AH00072: make_sock: could not bind to address {address}\n");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with(&first), "{err}");
    drop(background);
}

#[test]
fn dump_gives_the_tree_and_the_servers() {
    let dir =
        site("<VirtualHost *:80>\n    ServerName \"a.example\"\n</VirtualHost>\nServerTokens Nonsense\n");
    let path = dir.path().join("httpd.conf").display().to_string();
    let (code, out, _) = rachis_with(&["dump", "--json", "-f", &path]);
    let dump: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, dump["status"].as_str()), (1, Some("failed")));
    let parsed = dump["config"][0]["parsed"].as_array().expect("a list");
    let host = parsed.iter().find(|node| node["directive"] == "VirtualHost").expect("the virtual host");
    assert_eq!((&host["args"][0], &host["block"][0]["args"][0]), (&"*:80".into(), &"a.example".into()));
    assert_eq!(dump["servers"][1]["name"], "a.example");
    assert_eq!(dump["errors"][0]["id"], "RX0253");
}

/// What holds follows from the manual's order of merging: Directory, .htaccess, Files, Location.
#[test]
fn dump_tells_which_settings_hold_for_a_url() {
    let dir = site("");
    let root = dir.path().display().to_string();
    std::fs::create_dir_all(dir.path().join("docs/sub")).expect("a directory");
    std::fs::write(dir.path().join("docs/sub/index.html"), "x").expect("a file");
    let htaccess = "ErrorDocument 404 /three\n<Files *.html>\n    ForceType text/x-y\n</Files>\n";
    std::fs::write(dir.path().join("docs/sub/.htaccess"), htaccess).expect("a file");
    let conf = format!(
        "Listen 127.0.0.1:80\nServerName main\nErrorDocument 404 /one\nErrorDocument 403 /other\n\
         <Directory {root}/docs>\n    AllowOverride None\n    AllowOverride All\n    ErrorDocument 404 /two\n\
         </Directory>\n<Location /none>\n    ErrorDocument 404 /none\n</Location>\n\
         <VirtualHost *:80>\n    ServerName v.example\n    ServerAlias w.example\n    DocumentRoot {root}/docs\n\
         <Location /sub>\n<Limit GET>\n    Require all granted\n</Limit>\n</Location>\n</VirtualHost>\n"
    );
    let path = dir.path().join("own.conf");
    std::fs::write(&path, conf).expect("a file");
    let path = path.display().to_string();
    let (code, out, err) = rachis_with(&["dump", "--json", "-f", &path, "--for", "http://w.example/sub/"]);
    assert_eq!(code, 0, "{err}");
    let dump: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let asked = &dump["for"];
    assert_eq!((&asked["status"], &asked["server"]["line"]), (&200.into(), &13.into()));
    let sections: Vec<&str> =
        asked["sections"].as_array().expect("a list").iter().filter_map(|s| s["section"].as_str()).collect();
    assert_eq!(sections, ["Directory", ".htaccess", "Files", "Location"]);
    let settings = asked["settings"].as_array().expect("a list");
    let of = |name: &str, arg: &str| {
        let found = settings.iter().find(|s| {
            s["directive"] == name && s["args"].as_array().is_some_and(|args| args.iter().any(|a| a == arg))
        });
        found.unwrap_or_else(|| panic!("{name} {arg}"))
    };
    for (name, arg, holds) in [
        ("ServerName", "main", false),
        ("ServerName", "v.example", true),
        ("ErrorDocument", "/one", false),
        ("ErrorDocument", "/other", true),
        ("AllowOverride", "None", false),
        ("AllowOverride", "All", true),
        ("ErrorDocument", "/two", false),
        ("ErrorDocument", "/three", true),
        ("ForceType", "text/x-y", true),
        ("Require", "granted", true),
    ] {
        assert_eq!(of(name, arg)["in_force"], holds, "{name} {arg}");
    }
    let over = &of("ErrorDocument", "/one")["overridden_by"];
    assert_eq!((over.as_array().map(Vec::len), &over[0]["line"]), (Some(1), &1.into()));
    assert_eq!(of("Require", "granted")["within"][0]["section"], "Limit");
    assert!(!settings.iter().any(|s| s["args"][1] == "/none"));
    let host = &dump["servers"][1];
    assert_eq!((&host["line"], &host["aliases"][0]), (&13.into(), &"w.example".into()));
    assert_eq!(host["sections"][0]["settings"][0]["directive"], "Require");
}

#[test]
fn a_configuration_may_come_on_standard_input() {
    let mut command = rachis();
    command.args(["-t", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("rachis");
    child.stdin.take().expect("a pipe").write_all(b"ServerName x\nNonsense\n").expect("read");
    let (code, _, errors) = told(&child.wait_with_output().expect("it ends"));
    assert_eq!(code, 1);
    assert!(errors.starts_with("AH00526: Syntax error on line 2 of (standard input):\n"), "{errors}");
}

//! Programs that run as another user, through Apache's setuid wrapper. Only root can start a server
//! whose user the wrapper takes, and only a program below /var/www is run; elsewhere there is nothing
//! to see, and the test says so.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    time::{Duration, Instant},
};

const WRAPPER: &str = "/usr/lib/apache2/suexec";

/// What the wrapper of this machine must be built with for the test.
const NEEDED: &[&str] = &["AP_DOC_ROOT=\"/var/www\"", "AP_HTTPD_USER=\"www-data\""];

const PROGRAM: &str = "\
#!/bin/sh
echo 'Content-Type: text/plain'
echo
echo \"$(id -u) $(id -g) $PWD $0 $*\"
echo \"foo=$FOO script=$SCRIPT_NAME path=$PATH\"
echo complaint >&2
";

/// Why there is nothing to test.
fn unfit() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("only root can start a server as www-data".to_owned());
    }
    let said = match std::process::Command::new(WRAPPER).arg("-V").output() {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Err(error) => return Some(format!("{WRAPPER}: {error}")),
    };
    let lacking = NEEDED.iter().find(|needed| !said.contains(**needed))?;
    Some(format!("{WRAPPER} is not built with {lacking}"))
}

/// Uid and gid of a user of this machine.
fn ids(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found =
        fields.into_iter().find(|fields| fields[0] == name).unwrap_or_else(|| panic!("no user {name}"));
    (found[2].parse().expect("a uid"), found[3].parse().expect("a gid"))
}

fn program(directory: &Path, name: &str, mode: u32, (uid, gid): (u32, u32)) {
    let path = directory.join(name);
    fs::write(&path, PROGRAM).expect("a program");
    chown(&path, Some(uid), Some(gid)).expect("we are root");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("we are root");
}

fn get(site: &Site, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn wait_for_log(site: &Site, wanted: &str) {
    let begun = Instant::now();
    loop {
        let log = fs::read_to_string(site.root().join("logs/error_log")).unwrap_or_default();
        if log.contains(wanted) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{wanted:?} is not in\n{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn check(kind: Kind) {
    let (uid, gid) = ids("rachis-test");
    let directory =
        tempfile::Builder::new().prefix("rachis-suexec-").tempdir_in("/var/www").expect("/var/www");
    let tree = directory.path();
    chown(tree, Some(uid), Some(gid)).expect("we are root");
    fs::set_permissions(tree, fs::Permissions::from_mode(0o755)).expect("we are root");
    program(tree, "own", 0o755, (uid, gid));
    program(tree, "foreign", 0o755, (0, 0));
    program(tree, "writable", 0o775, (uid, gid));
    let mut site = Site::new(kind).expect("an empty site");
    let conf = format!(
        "LoadModule suexec_module /usr/lib/apache2/modules/mod_suexec.so\n\
         User www-data\nGroup www-data\nSetEnv FOO bar\nScriptAlias /cgi/ {0}/\n\
         SuexecUserGroup rachis-test #{gid}\n\
         <VirtualHost *:${{PORT}}>\nServerName inherits\n</VirtualHost>\n\
         <VirtualHost *:${{PORT}}>\nServerName other\nSuexecUserGroup #65534 #65534\n</VirtualHost>\n",
        tree.display()
    );
    site.configure(&conf, &[]).expect("a configuration");
    site.start_as_root().expect("the server starts");
    wait_for_log(&site, &format!("AH01232: suEXEC mechanism enabled (wrapper: {WRAPPER})"));

    let said = get(&site, "inherits", "/cgi/own?a+b");
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    assert!(said.contains(&format!("\n{uid} {gid} {} own a b\n", tree.display())), "{said}");
    // The wrapper passes only what it knows, and a PATH of its own.
    assert!(said.contains("\nfoo= script=/cgi/own path=/usr/local/bin:/usr/bin:/bin\n"), "{said}");
    wait_for_log(&site, &format!("AH01215: stderr from {}/own: complaint", tree.display()));

    for (host, name) in [("inherits", "foreign"), ("inherits", "writable"), ("other", "own")] {
        let said = get(&site, host, &format!("/cgi/{name}"));
        assert!(said.starts_with("HTTP/1.1 500 Internal Server Error"), "{said}");
        let line = "suexec policy violation: see suexec log for more details";
        wait_for_log(&site, &format!("AH01215: stderr from {}/{name}: {line}", tree.display()));
        wait_for_log(&site, &format!("End of script output before headers: {name}"));
    }
}

/// The directory of a user's own pages, made where there is none; what was made goes with this value.
struct PublicHtml {
    made: Option<std::path::PathBuf>,
    path: std::path::PathBuf,
}

impl PublicHtml {
    fn of(name: &str) -> PublicHtml {
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("the user");
        let home = Path::new(line.split(':').nth(5).expect("a home directory"));
        let path = home.join("public_html");
        let made = [home, &path].into_iter().find(|path| !path.exists()).map(Path::to_owned);
        fs::create_dir_all(&path).expect("we are root");
        for directory in [home, &path] {
            let (uid, gid) = ids(name);
            chown(directory, Some(uid), Some(gid)).expect("we are root");
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("we are root");
        }
        PublicHtml { made, path }
    }
}

impl Drop for PublicHtml {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            let _ = fs::remove_dir_all(made);
        }
    }
}

fn check_user_directory(kind: Kind) {
    let (uid, gid) = ids("rachis-test");
    let public = PublicHtml::of("rachis-test");
    program(&public.path, "own.cgi", 0o755, (uid, gid));
    program(&public.path, "foreign.cgi", 0o755, (0, 0));
    let mut site = Site::new(kind).expect("an empty site");
    let conf = format!(
        "LoadModule suexec_module /usr/lib/apache2/modules/mod_suexec.so\n\
         LoadModule userdir_module /usr/lib/apache2/modules/mod_userdir.so\n\
         User www-data\nGroup www-data\nUserDir public_html\nSuexecUserGroup #65534 #65534\n\
         <Directory {}>\nOptions ExecCGI\nSetHandler cgi-script\n</Directory>\n",
        public.path.display()
    );
    site.configure(&conf, &[]).expect("a configuration");
    site.start_as_root().expect("the server starts");
    let said = get(&site, "localhost", "/~rachis-test/own.cgi");
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    assert!(said.contains(&format!("\n{uid} {gid} {} own.cgi \n", public.path.display())), "{said}");
    let said = get(&site, "localhost", "/~rachis-test/foreign.cgi");
    assert!(said.starts_with("HTTP/1.1 500 Internal Server Error"), "{said}");
    let line = "suexec policy violation: see suexec log for more details";
    wait_for_log(&site, &format!("AH01215: stderr from {}/foreign.cgi: {line}", public.path.display()));
}

#[test]
fn programs_of_a_user_s_directory_run_as_that_user() {
    if let Some(why) = unfit() {
        println!("skipped: {why}");
        return;
    }
    check_user_directory(Kind::Rachis);
    if std::env::var_os("ORACLE").is_some() {
        check_user_directory(Kind::Apache);
    }
}

#[test]
fn programs_run_as_the_user_of_suexec_user_group() {
    if let Some(why) = unfit() {
        println!("skipped: {why}");
        return;
    }
    check(Kind::Rachis);
    if std::env::var_os("ORACLE").is_some() {
        check(Kind::Apache);
    }
}

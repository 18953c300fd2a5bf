//! Real programs with the configuration that their Debian packages ship, unchanged: gitweb, cgit,
//! php-cgi, man2html, dwww and smokeping on a copy of Debian's own `/etc/apache2`, in which their
//! snippets are enabled as `a2enconf` does it. With `ORACLE=1` Apache is asked the same by curl, and
//! status, headers and body must be equal. What is not installed is left out, and named.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{fs, path::Path, process::Command};

/// Headers that tell the time, the server or how the body was framed, not what was answered.
const OF_THE_MOMENT: [&str; 6] =
    ["date:", "server:", "content-length:", "transfer-encoding:", "connection:", "keep-alive:"];

/// A copy of Debian's tree: only the port, the pages and the logs are elsewhere.
const COPY: &str = "\
cp -rL /etc/apache2 etc
chmod -R u+w etc
sed -i 's/^Listen 80$/Listen 127.0.0.1:${PORT}/' etc/ports.conf
sed -i \"s/:80>/:*>/; s#/var/www/html#$ROOT/htdocs#\" etc/sites-enabled/*.conf
sed -i \"s#/var/www/#$ROOT/htdocs/#\" etc/apache2.conf
for conf in gitweb cgit man2html dwww smokeping javascript-common php8.2-cgi; do
    [ ! -e etc/conf-available/$conf.conf ] || ln -sf ../conf-available/$conf.conf etc/conf-enabled/$conf.conf
done
for module in actions.conf actions.load cgid.conf cgid.load; do
    ln -sf ../mods-available/$module etc/mods-enabled/$module
done
cp local.conf etc/conf-enabled/zz-local.conf
";

/// What an administrator adds: where the repositories are, and the `Action` that Debian's snippet leaves to them.
const LOCAL: &str = "\
ServerName localhost
UseCanonicalName Off
ScriptSock $ROOT/logs/cgisock
Mutex file:$ROOT/logs default
SetEnv GITWEB_CONFIG $ROOT/gitweb.conf
SetEnv CGIT_CONFIG $ROOT/cgitrc
Action application/x-httpd-php /cgi-bin/php
<Directory $ROOT/htdocs>
    AllowOverride All
</Directory>
";

/// A repository with two commits of fixed dates, so that both servers show the same names and ages.
const REPOSITORY: &str = "\
export HOME=$PWD GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=a@localhost
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
mkdir repos
git init -q -b main first
cd first
mkdir lib
echo 'int main(void) { return 0; }' >lib/main.c
printf '\\000\\001\\377' >blob.bin
git add .
git commit -q -m 'first <commit>'
echo more >>lib/main.c
git commit -q -a -m 'second & last'
git tag v1
cd ..
git clone -q --bare first repos/one.git
echo 'A repository' >repos/one.git/description
";

const PHP: [(&str, &str); 5] = [
    (
        "htdocs/form.php",
        "<?php header('X-Made-By: php'); ksort($_GET); ksort($_POST); echo json_encode([$_GET, $_POST]), \"\\n\";\n\
         echo $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['PATH_INFO'] ?? '-', ' ', $_SERVER['PHP_SELF'], ' ', $_SERVER['SCRIPT_FILENAME'], ' ', $_SERVER['REQUEST_URI'], \"\\n\";\n",
    ),
    (
        "htdocs/upload.php",
        "<?php $f = $_FILES['f']; echo $f['name'], ' ', $f['size'], ' ', md5_file($f['tmp_name']), ' ', $_POST['a'];\n",
    ),
    ("htdocs/away.php", "<?php header('Location: /form.php?from=here', true, 303); echo 'gone';\n"),
    (
        "htdocs/gone.php",
        "<?php header('Status: 410 Gone'); setcookie('a', 'b c'); setcookie('d', 'e', 0, '/x'); echo 'no more';\n",
    ),
    (
        "htdocs/session.php",
        "<?php ini_set('session.save_path', dirname(__DIR__) . '/logs'); session_id('fixed'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SESSION['n'];\n",
    ),
];

/// What curl is given (the path last), the status, and what the answer holds.
type Request = (&'static [&'static str], u16, &'static str);

fn answers(kind: Kind, requests: &[Request]) -> Vec<String> {
    let mut site = furnished(kind);
    let asked = requests.iter().map(|request| ask(&site, kind, request)).collect();
    site.stop();
    asked
}

fn furnished(kind: Kind) -> Site {
    let mut site = Site::new(kind).expect("an empty site");
    site.write("conf/preamble.conf", b"", 0o644).expect("nothing before the configuration");
    for (path, text) in PHP {
        site.write(path, text.as_bytes(), 0o644).expect("a page");
    }
    site.write("htdocs/.htaccess", b"", 0o644).expect("a file");
    site.write("htdocs/sub/x.page", PHP[0].1.as_bytes(), 0o644).expect("a page");
    let by_htaccess = b"AddHandler application/x-httpd-php .page\nDirectoryIndex x.page\n";
    site.write("htdocs/sub/.htaccess", by_htaccess, 0o644).expect("a file");
    let gitweb = site.fill("$projectroot = '$ROOT/repos';\n$feature{'snapshot'}{'default'} = ['tgz'];\n1;\n");
    let cgit = site.fill("css=/cgit-css/cgit.css\nlogo=/cgit-css/cgit.png\nsnapshots=tar.gz\nvirtual-root=/cgit/\nscan-path=$ROOT/repos\n");
    site.write("gitweb.conf", gitweb.as_bytes(), 0o644).expect("gitweb's file");
    site.write("cgitrc", cgit.as_bytes(), 0o644).expect("cgit's file");
    site.write("local.conf", site.fill(LOCAL).as_bytes(), 0o644).expect("the administrator's file");
    site.shell(&format!("{COPY}{REPOSITORY}")).expect("a copy of Debian's configuration, and a repository");
    for name in ["RUN_DIR", "LOCK_DIR", "LOG_DIR"] {
        let path = site.fill("$ROOT/logs");
        site.set_variable(&format!("APACHE_{name}"), &path);
    }
    let pid = site.fill("$ROOT/logs/apache2.pid");
    site.set_variable("APACHE_PID_FILE", &pid);
    site.set_variable("APACHE_RUN_USER", "www-data");
    site.set_variable("APACHE_RUN_GROUP", "www-data");
    let main = fs::read_to_string(site.root().join("etc/apache2.conf")).expect("Debian's main file");
    let whole = format!("ServerRoot \"{}/etc\"\n{main}", site.root().display());
    site.configure(&whole, &[]).expect("a configuration");
    if let Err(said) = site.start() {
        panic!("{said}");
    }
    site
}

#[track_caller]
fn ask(site: &Site, kind: Kind, (arguments, status, part): &Request) -> String {
    let (path, options) = arguments.split_last().expect("a path");
    let mut curl = Command::new("curl");
    curl.args(["-si", "--max-time", "20", "-H", "Expect:"]).args(options.iter().map(|word| site.fill(word)));
    let output = curl.arg(format!("http://127.0.0.1:{}{path}", site.port())).output().expect("curl");
    let text = output.stdout.iter().map(|&byte| char::from(byte)).collect::<String>();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let right = head.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains(&site.fill(part));
    if !right {
        let log = fs::read_to_string(site.root().join("logs/error.log")).unwrap_or_default();
        panic!("{}: {arguments:?} is not {status} with {part:?}:\n{text}\n{log}", kind.name());
    }
    let mut head: Vec<&str> =
        head.lines().filter(|line| !of_the_moment(line) && !is_of_today(line)).collect();
    head[1..].sort_unstable();
    let lasting = |line: &&str| !line.starts_with("Time: ") && !is_of_today(line);
    let body = body.lines().filter(lasting).collect::<Vec<_>>().join("\n");
    let said = site.unfill(&format!("{}\n\n{body}", head.join("\n")));
    said.replace("(Debian)", "(Unix)").replace(&format!(" Port {}<", site.port()), " Port $PORT<")
}

fn of_the_moment(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    OF_THE_MOMENT.iter().any(|name| line.starts_with(name))
}

/// Whether a program put the time of the answer into the line: it differs by the second.
fn is_of_today(line: &str) -> bool {
    let now = chrono::Utc::now();
    let days = [now - chrono::TimeDelta::days(1), now, now + chrono::TimeDelta::days(1)];
    days.iter().any(|day| {
        ["%d %b %Y", "%d-%b-%Y", "%Y-%m-%d", "%b %e"]
            .iter()
            .any(|form| line.contains(&day.format(form).to_string()))
    })
}

/// Asks rachis, and with `ORACLE` Apache too; then each answer must be the same.
#[track_caller]
fn check(needs: &[&str], requests: &[Request]) {
    let oracle = std::env::var_os("ORACLE").is_some();
    let always = ["/etc/apache2/apache2.conf", "/usr/bin/git", "/usr/bin/curl"];
    for needed in always.iter().chain(needs) {
        if !Path::new(needed).exists() {
            assert!(!oracle, "ORACLE is set, but {needed} is absent: see .ci/run");
            println!("left out: {needed} is not installed");
            return;
        }
    }
    let ours = answers(Kind::Rachis, requests);
    if oracle {
        server::demand_apache();
        let theirs = answers(Kind::Apache, requests);
        let pairs = ours.iter().zip(&theirs).zip(requests).filter(|((ours, theirs), _)| ours != theirs);
        let said = pairs
            .map(|((ours, theirs), (request, ..))| {
                format!("{request:?}\nrachis:\n{ours}\n\napache:\n{theirs}\n\n")
            })
            .collect::<String>();
        assert!(said.is_empty(), "{said}");
    }
}

#[test]
fn gitweb() {
    check(
        &["/usr/share/gitweb/gitweb.cgi"],
        &[
            (&["/gitweb"], 301, "Location: http://127.0.0.1:$PORT/gitweb/"),
            (&["/gitweb/"], 200, "A repository"),
            (&["/gitweb/?p=one.git;a=summary"], 200, "second &amp; last"),
            (&["/gitweb/?p=one.git;a=log"], 200, "first &lt;commit&gt;"),
            (&["/gitweb/?p=one.git;a=commit;h=HEAD"], 200, "lib/main.c"),
            (&["/gitweb/?p=one.git;a=tree;hb=HEAD"], 200, "blob.bin"),
            (&["/gitweb/?p=one.git;a=blob;f=lib/main.c;hb=HEAD"], 200, "return"),
            (&["/gitweb/?p=one.git;a=blob_plain;f=blob.bin;hb=HEAD"], 200, "Content-disposition: inline"),
            (&["/gitweb/?p=one.git;a=snapshot;h=HEAD;sf=tgz"], 200, "Content-Type: application/x-gzip"),
            (&["/gitweb/gitweb.cgi/one.git/shortlog"], 200, "second &amp; last"),
            (&["/gitweb/gitweb.cgi/one.git/blob_plain/HEAD:/lib/main.c"], 200, "int main"),
            (&["-d", "p=one.git&a=search&s=second", "/gitweb/gitweb.cgi"], 200, "last"),
            (&["/gitweb/?p=one.git;a=search;s=second"], 200, "last"),
            (&["-I", "/gitweb/?p=one.git;a=summary"], 200, "Content-Type: text/html"),
            (&["/gitweb/?p=none.git"], 404, "No such project"),
            (&["/gitweb/static/gitweb.css"], 200, "Content-Type: text/css"),
            (&["/gitweb/static/gitweb.js"], 200, "javascript"),
        ],
    );
}

#[test]
fn javascript_common() {
    check(
        &["/usr/share/javascript/jquery/jquery.min.js"],
        &[
            (&["/javascript/jquery/jquery.min.js"], 200, "jQuery"),
            (&["-I", "/javascript/jquery/jquery"], 200, "Content-Location: jquery.js"),
            (&["/javascript/jquery"], 301, "Location: http://127.0.0.1:$PORT/javascript/jquery/"),
            (&["/javascript/"], 403, "403 Forbidden"),
            (&["/javascript/none.js"], 404, "404 Not Found"),
        ],
    );
}

#[test]
fn cgit() {
    check(
        &["/usr/lib/cgit/cgit.cgi"],
        &[
            (&["/cgit"], 302, "Location: http://127.0.0.1:$PORT/cgit/"),
            (&["/cgit/"], 200, "A repository"),
            (&["/cgit/one.git/"], 200, "second &amp; last"),
            (&["/cgit/one.git/log/"], 200, "first &lt;commit&gt;"),
            (&["/cgit/one.git/commit/"], 200, "lib/main.c"),
            (&["/cgit/one.git/tree/lib/main.c"], 200, "return"),
            (&["/cgit/one.git/plain/blob.bin"], 200, "Content-Disposition: inline"),
            (&["/cgit/one.git/log/?qt=grep&q=second"], 200, "last"),
            (&["/cgit/one.git/snapshot/one-v1.tar.gz"], 200, "Content-Type: application/x-gzip"),
            (&["/cgit/one.git/info/refs"], 200, "refs/heads/main"),
            (&["-I", "/cgit/one.git/"], 200, "Content-Type: text/html"),
            (&["/cgit/none.git/"], 404, "No repositories found"),
            (&["/cgit-css/cgit.css"], 200, "Content-Type: text/css"),
        ],
    );
}

#[test]
fn php() {
    check(
        &["/usr/lib/cgi-bin/php"],
        &[
            (&["/form.php?b=1&a=2"], 200, "[{\"a\":\"2\",\"b\":\"1\"},[]]"),
            (&["-d", "x=y&z=%20w", "/form.php?q"], 200, "{\"x\":\"y\",\"z\":\" w\"}"),
            (&["/form.php/more/path?q=1"], 200, "/more/path"),
            (&["-F", "f=@$ROOT/first/lib/main.c", "-F", "a=b", "/upload.php"], 200, "main.c 34 "),
            (&["-H", "Transfer-Encoding: chunked", "-d", "x=y", "/form.php"], 200, "POST"),
            (&["-I", "/form.php"], 200, "X-Made-By: php"),
            (&["/away.php"], 303, "Location: /form.php?from=here"),
            (&["/gone.php"], 410, "no more"),
            (&["/session.php"], 200, "Set-Cookie: PHPSESSID=fixed"),
            (&["-b", "PHPSESSID=fixed", "/session.php"], 200, "2"),
            (&["/none.php"], 404, "Not Found"),
            (&["/sub/"], 200, "/sub/x.page"),
            (&["/form.phps"], 403, "Forbidden"),
            (&["/.php"], 403, "Forbidden"),
        ],
    );
}

#[test]
fn man2html() {
    check(
        &["/usr/lib/cgi-bin/man/man2html"],
        &[
            (&["/cgi-bin/man/man2html"], 200, "Content-Type: text/html"),
            (&["/cgi-bin/man/man2html?man2html"], 200, "text/html"),
            (&["/cgi-bin/man/man2html?1+ls"], 200, "text/html"),
            (&["/cgi-bin/man/nothing"], 404, "Not Found"),
        ],
    );
}

#[test]
fn dwww() {
    check(
        &["/usr/lib/cgi-bin/dwww"],
        &[
            (&["/dwww/"], 200, "dwww"),
            (&["/cgi-bin/dwww"], 302, "Location: http://127.0.0.1:$PORT/dwww/"),
            (&["/cgi-bin/dwww/usr/share/doc/dwww/copyright?type=file"], 200, "Content-Type: text/"),
        ],
    );
}

#[test]
fn smokeping() {
    check(
        &["/usr/lib/cgi-bin/smokeping.cgi", "/run/smokeping"],
        &[
            (&["/smokeping/css/smokeping-print.css"], 200, "Content-Type: text/css"),
            (&["/smokeping/smokeping.cgi"], 200, "SmokePing"),
            (&["/smokeping/"], 200, "SmokePing"),
            (&["/smokeping/none"], 404, "Not Found"),
        ],
    );
}

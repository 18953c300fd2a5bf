//! Stock configurations boot unchanged and answer alike: what distributions and test suites ship, in
//! their shape. With `ORACLE=1` Apache is asked the same.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use base64::{Engine, engine::general_purpose::STANDARD};
use server::{Kind, Site};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

/// A program that tells what it was given.
const PROGRAM: &[u8] = b"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho \"ran ${SCRIPT_NAME} ${PATH_INFO-} ${EXPORTED-unset} ${EMPTY-unset}\"\n";

const PAGES: [(&str, &str); 18] = [
    ("htdocs/index.html", "front page\n"),
    ("htdocs/.htaccess", ""),
    ("htdocs/a.txt", "plain\n"),
    ("htdocs/b.tgz", "packed\n"),
    ("htdocs/list/notes.txt", "notes\n"),
    ("htdocs/list/README.txt", "read me\n"),
    ("icons/text.gif", "GIF89a"),
    ("icons/pick.html.en", "in English\n"),
    ("icons/pick.html.de", "auf Deutsch\n"),
    ("icons/pick.txt", "in no language\n"),
    ("htdocs/closed/a.txt", "plain\n"),
    (
        "htdocs/closed/.htaccess",
        "AuthType Basic\nAuthName here\nAuthUserFile conf/passwd\n<Limit GET POST>\nrequire valid-user\n</Limit>\n",
    ),
    // The password of each is `secret`.
    ("conf/passwd", "user1:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nuser2:$apr1$JjTOURxJ$dVt/0u6oz1xRMG2ZABZ240\n"),
    ("conf/groups", "both: user1 user2\nnone:\n"),
    (
        "conf/htdigest",
        "user1:realm1:201ece450685b0f12c23b2bd60f951e7\nuser2:realm2:a42880cc7de3651ec8b077cb9a6274a3\nuser1:realm2:764d85a93b5772e52ac9b8167d9bc296\n",
    ),
    ("phpmyadmin/index.html", "for the few\n"),
    ("share/cgit/cgit.css", "css\n"),
    ("share/javascript/x.js", "js\n"),
];

const PROGRAMS: [&str; 5] = [
    "cgi-bin/env.cgi",
    "cgi-bin/test",
    "share/gitweb/gitweb.cgi",
    "share/cgit/cgit.cgi",
    "share/man/man2html",
];

/// Modules that Debian's Apache has built in, and that its LoadModule therefore refuses.
const BUILT_IN: [&str; 5] = ["log_config", "logio", "unixd", "version", "watchdog"];

/// A path, perhaps with ` user:password` or ` languages=…` behind it, the status, and what the answer
/// holds.
type Request = (&'static str, u16, &'static str);

#[track_caller]
fn check(conf: &str, requests: &[Request]) {
    answers(Kind::Rachis, conf, requests);
    if std::env::var_os("ORACLE").is_some() {
        server::demand_apache();
        answers(Kind::Apache, conf, requests);
    }
}

#[track_caller]
fn answers(kind: Kind, conf: &str, requests: &[Request]) {
    let mut site = furnished(kind);
    boot(&mut site, kind, conf);
    ask(&site, kind, requests);
    site.stop();
}

fn furnished(kind: Kind) -> Site {
    let site = Site::new(kind).expect("an empty site");
    site.write("conf/preamble.conf", b"", 0o644).expect("nothing before the configuration");
    site.write("conf/magic", b"", 0o644).expect("an empty magic file");
    for (path, text) in PAGES {
        site.write(path, text.as_bytes(), 0o644).expect("a page");
    }
    PROGRAMS.iter().for_each(|path| site.write(path, PROGRAM, 0o755).expect("a program"));
    std::os::unix::fs::symlink("/usr/lib/apache2/modules", site.root().join("modules")).expect("a link");
    site
}

/// Starts the server; a port is known only then, so it gets its configuration by a variable.
#[track_caller]
fn boot(site: &mut Site, kind: Kind, conf: &str) {
    let loads =
        |line: &str| BUILT_IN.iter().any(|name| line.starts_with(&format!("LoadModule {name}_module ")));
    let lines = conf.lines().filter(|line| kind == Kind::Rachis || !loads(line));
    let conf = lines.map(|line| format!("{line}\n")).collect::<String>().replace("$PORT", "${PORT}");
    let conf = site.fill(&conf);
    site.configure(&conf, &[]).expect("a configuration");
    if let Err(said) = site.start() {
        panic!("{said}");
    }
}

#[track_caller]
fn ask(site: &Site, kind: Kind, requests: &[Request]) {
    for (path, status, part) in requests {
        let answer = get(site.port(), path).unwrap_or_else(|error| {
            let log = fs::read_to_string(site.root().join("logs/error_log")).unwrap_or_default();
            panic!("{}: {path}: {error}\n{log}", kind.name())
        });
        let right = answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(&site.fill(part));
        assert!(right, "{}: {path} is not {status} with {part:?}:\n{answer}", kind.name());
    }
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (path, user) = path.split_once(' ').unwrap_or((path, ""));
    let field = match user {
        "" => String::new(),
        languages if languages.starts_with("languages=") => {
            format!("Accept-Language: {}\r\n", &languages["languages=".len()..])
        }
        user => format!("Authorization: Basic {}\r\n", STANDARD.encode(user)),
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn upstream() {
    check(
        include_str!("stock/upstream.conf"),
        &[
            ("/", 200, "front page"),
            ("/", 200, "Content-Type: text/html"),
            ("/a.txt", 200, "plain"),
            ("/b.tgz", 200, "Content-Type: application/x-gzip"),
            ("/nothing", 404, "<title>404 Not Found</title>"),
            ("/.htaccess", 403, "403 Forbidden"),
            ("/cgi-bin/test", 200, "ran /cgi-bin/test"),
            ("/server-status", 403, "403 Forbidden"),
            (
                "/list/",
                200,
                "<img src=\"/icons/text.gif\" alt=\"[TXT]\"></td><td><a href=\"notes.txt\">notes.txt</a>",
            ),
            ("/list/", 200, "<a href=\"?C=N;O=D\">Name</a>"),
            ("/icons/", 200, "<title>Index of /icons</title>"),
            ("/icons/pick languages=de", 200, "auf Deutsch"),
            ("/icons/pick languages=fr", 200, "Content-Location: pick.html.en\r\n"),
            ("/icons/pick languages=de", 200, "Vary: negotiate,accept,accept-language\r\n"),
        ],
    );
}

/// The files that upstream's httpd.conf offers to include, as Debian's apache2-doc has them.
#[test]
fn extra_files_of_upstream() {
    let extra = Path::new("/usr/share/doc/apache2/examples/apache2/extra");
    let Ok(files) = fs::read_dir(extra) else { return println!("left out: there is no {}", extra.display()) };
    let modules = "access_compat alias auth_basic auth_digest authn_core authn_file authz_core authz_host authz_user \
        autoindex cgid dav dav_fs dav_lock dir env headers include info log_config mime mpm_event negotiation \
        proxy proxy_html reqtimeout setenvif socache_shmcb ssl status userdir";
    let site = tempfile::tempdir().expect("a directory");
    let root = site.path().display();
    fs::create_dir(site.path().join("logs")).expect("a directory");
    // Encryption is refused here, and Apache misses the certificates.
    let plain = |file: &std::path::PathBuf| !file.ends_with("httpd-ssl.conf");
    for file in files.flatten().map(|file| file.path()).filter(plain) {
        let servers: &[(&str, &str)] =
            &[(env!("CARGO_BIN_EXE_rachis"), ""), ("/usr/sbin/apache2", "log_config")];
        let asked = if std::env::var_os("ORACLE").is_some() { 2 } else { 1 };
        for (server, built_in) in &servers[..asked] {
            let loads: String = modules
                .split_whitespace()
                .filter(|name| name != built_in)
                .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
                .collect();
            let head = format!("ServerRoot {root}\nServerName localhost\nMutex file:{root}/logs default\n");
            let conf = site.path().join("httpd.conf");
            let pid = if file.ends_with("httpd-mpm.conf") { "" } else { "PidFile pid\n" };
            let text = format!("{head}{pid}{loads}Include {}\n", file.display());
            fs::write(&conf, text).expect("a configuration");
            let said = std::process::Command::new(server).arg("-t").arg("-f").arg(&conf).output();
            let said = said.expect("the server answers");
            let text = String::from_utf8_lossy(&said.stderr).into_owned();
            assert!(
                said.status.success() && text.ends_with("Syntax OK\n"),
                "{server}: {}: {text}",
                file.display()
            );
        }
    }
}

#[test]
fn red_hat() {
    check(
        include_str!("stock/redhat.conf"),
        &[
            ("/", 200, "front page"),
            ("/", 200, "Content-Type: text/html; charset=UTF-8"),
            ("/a.txt", 200, "Content-Type: text/plain; charset=UTF-8"),
            ("/.htaccess", 403, "403 Forbidden"),
            ("/cgi-bin/test/more", 200, "ran /cgi-bin/test /more"),
            ("/nothing", 404, "404 Not Found"),
            ("/list/", 200, "<a href=\"README.txt\">README.txt</a>"),
            ("/list/", 200, "Content-Type: text/html;charset=ISO-8859-1\r\n"),
            ("/icons/?F=0", 200, "<li><a href=\"text.gif\"> text.gif</a></li>"),
            ("/icons/pick", 200, "TCN: choice\r\n"),
            ("/nothing languages=de", 404, "404 Not Found"),
        ],
    );
}

#[test]
fn xampp() {
    check(
        include_str!("stock/xampp.conf"),
        &[
            ("/", 200, "front page"),
            ("/phpmyadmin/", 403, "not from here"),
            ("/XAMPP/x", 403, "only from the local network"),
            ("/cgi-bin/env.cgi", 200, "ran /cgi-bin/env.cgi"),
            ("/b.tgz", 200, "Content-Type: application/x-gzip"),
            ("/list/", 200, "<li><a href=\"notes.txt\"> notes.txt</a></li>"),
        ],
    );
}

#[test]
fn test_suites() {
    check(
        include_str!("stock/tests.conf"),
        &[
            ("/dumb/a.txt", 200, "plain"),
            ("/smart/test.cgi", 200, "ran /smart/test.cgi / yes "),
            ("/smart_renamed/x", 200, "ran /smart_renamed /x renamed unset"),
            ("/one_time/y", 200, "ran /one_time /y unset unset"),
            ("/away", 302, "Location: http://127.0.0.1:"),
            ("/dumb-redir/a.txt", 301, "Location: http://localhost/dumb/a.txt\r\n"),
            ("/smart-redir-temp/x?y", 302, "Location: http://localhost/smart_renamed/x?y\r\n"),
            (
                "/smart-redir-limited/r/info/refs",
                301,
                "Location: http://localhost/smart_renamed/r/info/refs\r\n",
            ),
            ("/ftp-redir/x", 302, "Location: ftp://localhost:1000/x\r\n"),
            ("/loop-redir/dumb/a.txt", 302, "Location: http://localhost/loop-redir/x-dumb/a.txt\r\n"),
            ("/loop-redir/x-x-x-x-x-dumb/a.txt", 302, "Location: http://localhost/dumb/a.txt\r\n"),
            ("/intern/x", 200, "ran /smart_renamed /x renamed unset"),
            ("/picky/x?refused", 403, ""),
            ("/picky/x", 404, ""),
            ("/magic/x", 403, ""),
            ("/gone/x", 410, ""),
            ("/auth/dumb/a.txt", 401, GIT_AUTH),
            ("/auth/dumb/a.txt user1:secret", 200, "plain"),
            ("/auth/dumb/a.txt user1:wrong", 401, GIT_AUTH),
            ("/auth/dumb/a.txt nobody:secret", 401, GIT_AUTH),
            ("/auth/smart/x", 401, "<title>401 Unauthorized</title>"),
            ("/auth/smart/x user2:secret", 200, "ran /auth/smart /x"),
            ("/auth-push/smart/repo/info/refs", 200, "ran /auth-push/smart /repo/info/refs"),
            ("/auth-push/smart/repo/git-receive-pack", 401, GIT_AUTH),
            ("/auth-push/smart/repo/git-receive-pack user1:secret", 200, "ran /auth-push/smart"),
            ("/auth-push/smart/repo/git-upload-pack", 200, "ran /auth-push/smart"),
            ("/auth-fetch/smart/repo/git-upload-pack", 401, GIT_AUTH),
            ("/auth-fetch/smart/repo/git-upload-pack user2:secret", 200, "ran /auth-fetch/smart"),
            ("/Basic/realm1/a.txt", 401, "WWW-Authenticate: Basic realm=\"realm1\""),
            ("/Basic/realm1/a.txt user1:secret", 200, "plain"),
            ("/Basic/realm1/a.txt user2:secret", 401, "WWW-Authenticate: Basic realm=\"realm1\""),
            ("/Basic/realm2/a.txt user1:secret", 401, "WWW-Authenticate: Basic realm=\"realm2\""),
            ("/Basic/realm12/a.txt user2:secret", 200, "plain"),
            ("/Digest/realm1/a.txt", 401, "WWW-Authenticate: Digest realm=\"realm1\", nonce=\""),
            ("/Digest/realm1/a.txt", 401, "domain=\"/Digest/realm1 /Digest/realm1/more\", qop=\"auth\""),
            ("/Digest/realm2/a.txt user1:secret", 401, "WWW-Authenticate: Digest realm=\"realm2\""),
            ("/dumb/closed/a.txt", 401, "WWW-Authenticate: Basic realm=\"here\""),
            ("/dumb/closed/a.txt user1:secret", 200, "plain"),
        ],
    );
}

const GIT_AUTH: &str = "WWW-Authenticate: Basic realm=\"git-auth\"";

#[test]
fn snippets_of_packages() {
    check(
        include_str!("stock/snippets.conf"),
        &[
            ("/gitweb/", 200, "ran /gitweb/gitweb.cgi"),
            ("/cgit", 302, "Location: http://localhost"),
            ("/cgit/repo/log", 200, "ran /cgit /repo/log"),
            ("/cgit-css/cgit.css", 200, "css"),
            ("/man/man2html", 200, "ran /man/man2html"),
            ("/smokeping/smokeping.cgi", 200, "ran /smokeping/smokeping.cgi"),
            ("/javascript/x.js", 200, "js"),
            ("/a.txt", 403, ""),
        ],
    );
}

/// Debian's own files, where they are installed: only the port and the pages are elsewhere.
#[test]
fn debian() {
    if !Path::new("/etc/apache2/apache2.conf").exists() {
        println!("left out: Debian's configuration is not here");
        return;
    }
    debian_with(Kind::Rachis);
    if std::env::var_os("ORACLE").is_some() {
        debian_with(Kind::Apache);
    }
}

fn debian_with(kind: Kind) {
    let mut site = furnished(kind);
    let root = site.root().join("etc");
    let copy = format!(
        "cp -rL /etc/apache2 {0} && sed -i 's/^Listen 80$/Listen 127.0.0.1:${{PORT}}/' {0}/ports.conf &&
         sed -i 's/:80>/:*>/; s#/var/www/html#{1}/htdocs#' {0}/sites-enabled/*.conf && sed -i 's#/var/www/#{1}/#' {0}/apache2.conf",
        root.display(),
        site.root().display(),
    );
    site.shell(&copy).expect("a copy of Debian's configuration");
    for (name, path) in [
        ("APACHE_RUN_DIR", "logs"),
        ("APACHE_LOCK_DIR", "logs"),
        ("APACHE_LOG_DIR", "logs"),
        ("APACHE_PID_FILE", "logs/apache2.pid"),
    ] {
        let path = site.root().join(path).display().to_string();
        site.set_variable(name, &path);
    }
    site.set_variable("APACHE_RUN_USER", "www-data");
    site.set_variable("APACHE_RUN_GROUP", "www-data");
    let main = fs::read_to_string(root.join("apache2.conf")).expect("Debian's main file");
    let whole = format!("ServerRoot \"{}\"\n{main}", root.display());
    boot(&mut site, kind, &whole);
    let requests = [
        ("/", 200, "front page"),
        ("/a.txt", 200, "Content-Type: text/plain"),
        ("/.htaccess", 403, "403 Forbidden"),
        ("/nothing", 404, "404 Not Found"),
        ("/b.tgz", 200, "Content-Type: application/x-gzip"),
        (
            "/list/",
            200,
            "<img src=\"/icons/text.gif\" alt=\"[TXT]\"></td><td><a href=\"notes.txt\">notes.txt</a>",
        ),
        ("/list/?C=S;O=D", 200, "<a href=\"?C=S;O=A\">Size</a>"),
        ("/icons/", 403, "403 Forbidden"),
        ("/server-status", 200, "<title>Apache Status</title>"),
        ("/server-status?auto", 200, "\nTotal Accesses: "),
    ];
    ask(&site, kind, &requests);
    site.stop();
}

/// What rachis alone says of a configuration: the first line that is no warning, or nothing if it is taken.
#[track_caller]
fn refused(lines: &str, expected: Option<&str>) {
    let mut site = furnished(Kind::Rachis);
    let modules = ["auth_form", "auth_basic", "authn_dbm", "authz_dbm", "ssl", "proxy", "remoteip", "php"];
    let loads = modules.map(|name| format!("LoadModule {name}_module x.so\n")).concat();
    let conf = format!(
        "ServerName x\nListen 8080\nDocumentRoot htdocs\n{loads}LoadModule authz_core_module x.so\n{lines}"
    );
    site.configure(&conf, &[]).expect("a configuration");
    let (said, code) = site.run(&["-t"]).expect("it ends");
    let line = said.lines().nth(1).unwrap_or_default();
    match expected {
        Some(what) => {
            let message = "which rachis does not have; ignored, it could open what it is to close";
            assert_eq!((line, code), (format!("{what}, {message}").as_str(), 1), "{said}");
        }
        None => assert_eq!((said.as_str(), code), ("Syntax OK\n", 0)),
    }
}

#[test]
fn authentication_is_not_ignored() {
    let place = |inner: &str| format!("<Location /x>\n{inner}\n</Location>\n");
    refused(&place("AuthFormProvider file"), Some("AuthFormProvider needs mod_auth_form"));
    refused(&place("AuthBasicProvider dbm"), Some("AuthBasicProvider dbm needs mod_authn_dbm"));
    refused(&place("Require dbm-group a"), Some("Require dbm-group needs mod_authz_dbm"));
    refused(
        &place("<Limit POST>\nRequire dbm-group a b\n</Limit>"),
        Some("Require dbm-group needs mod_authz_dbm"),
    );
}

#[test]
fn access_control_is_not_ignored() {
    refused("RemoteIPHeader X-Client-IP\n", Some("RemoteIPHeader needs mod_remoteip"));
}

#[test]
fn encryption_is_not_ignored_where_somebody_listens() {
    refused("SSLEngine on\n", Some("SSLEngine needs mod_ssl"));
    refused("SSLEngine off\n", None);
    refused("<VirtualHost *:8080>\nSSLEngine on\n</VirtualHost>\n", Some("SSLEngine needs mod_ssl"));
    refused("<VirtualHost *:443>\nSSLEngine on\n</VirtualHost>\n", None);
    refused("<VirtualHost *:443 *:8080>\nSSLEngine on\n</VirtualHost>\n", Some("SSLEngine needs mod_ssl"));
    refused("<Directory />\nSSLRequireSSL\n</Directory>\n", Some("SSLRequireSSL needs mod_ssl"));
}

#[test]
fn what_hides_files_is_not_ignored() {
    refused("ProxyPass / http://localhost:8081/\n", Some("ProxyPass needs mod_proxy"));
    refused("<Proxy *>\nRequire dbm-group a\n</Proxy>\n", None);
}

#[test]
fn what_can_be_ignored_is() {
    refused("ProxyVia on\n<IfModule mod_proxy.c>\nProxyMaxForwards 3\n</IfModule>\n", None);
}

#[test]
fn place_and_arguments_are_still_checked() {
    let mut site = furnished(Kind::Rachis);
    let conf = "ServerName x\nListen 8080\nLoadModule proxy_module x.so\nProxyRequests maybe\n";
    site.configure(conf, &[]).expect("a configuration");
    let (said, code) = site.run(&["-t"]).expect("it ends");
    assert!(code == 1 && said.contains("\nProxyRequests must be On or Off\n"), "{said}");
    let conf = conf.replace("ProxyRequests maybe", "<Location /x>\nProxyRequests on\n</Location>");
    site.configure(&conf, &[]).expect("a configuration");
    let (said, code) = site.run(&["-t"]).expect("it ends");
    assert!(code == 1 && said.contains("\nProxyRequests not allowed in <Location> context\n"), "{said}");
}

#[test]
fn programs_of_lacking_handlers_are_not_shown() {
    let conf = "Listen 127.0.0.1:$PORT\nServerName x\nPidFile logs/pid\nErrorLog logs/error_log\nDocumentRoot htdocs\n\
                LoadModule php_module x.so\nLoadModule authz_core_module x.so\nLoadModule mime_module x.so\n\
                TypesConfig conf/mime.types\n<FilesMatch \\.txt$>\nSetHandler application/x-httpd-php\n</FilesMatch>\n\
                AddType application/x-httpd-php .html\nphp_admin_value a b\n";
    let mut site = furnished(Kind::Rachis);
    boot(&mut site, Kind::Rachis, conf);
    ask(&site, Kind::Rachis, &[("/a.txt", 500, ""), ("/index.html", 500, ""), ("/b.tgz", 200, "packed")]);
    site.stop();
    let log = fs::read_to_string(site.root().join("logs/error_log")).expect("an error log");
    assert_eq!(
        log.matches("php_admin_value has no effect: rachis does not have mod_php (").count(),
        1,
        "{log}"
    );
}

/// What `.htaccess` closes with a lacking module stays closed: its directory answers 500.
#[test]
fn a_htaccess_file_that_closes_is_not_ignored() {
    let conf = "Listen 127.0.0.1:$PORT\nServerName x\nPidFile logs/pid\nErrorLog logs/error_log\nDocumentRoot htdocs\n\
                LoadModule ssl_module x.so\nLoadModule authz_core_module x.so\n\
                <Directory $ROOT/htdocs>\nAllowOverride All\n</Directory>\n";
    let mut site = furnished(Kind::Rachis);
    let closing = b"SSLRequireSSL\n";
    site.write("htdocs/closed/.htaccess", closing, 0o644).expect("a file");
    site.write("htdocs/closed/c.txt", b"secret", 0o644).expect("a file");
    site.write("htdocs/open/.htaccess", b"SSLOptions +StdEnvVars\n", 0o644).expect("a file");
    site.write("htdocs/open/o.txt", b"public", 0o644).expect("a file");
    boot(&mut site, Kind::Rachis, conf);
    ask(&site, Kind::Rachis, &[("/closed/c.txt", 500, ""), ("/open/o.txt", 200, "public")]);
    site.stop();
}

//! `rachis explain` and the server are held together: what is explained is asked for, and every change that it
//! offers is made.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use serde_json::Value;
use server::{Kind, Site};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    process::Command,
    time::Duration,
};

const CONF: &str = "\
<Directory />
    Options None
    AllowOverride None
    Require all denied
</Directory>
<Directory $ROOT/htdocs>
    AllowOverride All
    Require all granted
</Directory>
<Directory $ROOT/cgi-bin>
    Require all granted
</Directory>
ScriptAlias /cgi-bin/ $ROOT/cgi-bin/
AddHandler cgi-script .cgi
<Files *.secret>
    Require all denied
</Files>
<Location /by/url>
    Require ip 10.0.0.0/8
</Location>
<Directory $ROOT/htdocs/two>
    Require all denied
</Directory>
";

const PROGRAM: &[u8] = b"#!/bin/sh\necho Content-Type: text/plain\necho\necho ran\n";

fn site() -> Site {
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    let file = |name: &str, bytes: &[u8], mode| site.write(name, bytes, mode).expect("a file");
    for name in [
        "htdocs/open.txt",
        "htdocs/sp ace%.txt",
        "htdocs/a.secret",
        "htdocs/denied/a.txt",
        "htdocs/denied/b.txt",
        "htdocs/by/url/a.txt",
    ] {
        file(name, b"text\n", 0o644);
    }
    file("htdocs/denied/.htaccess", b"Require all denied\n", 0o644);
    for name in ["cgi-bin/p", "htdocs/on/p.cgi", "htdocs/off/p.cgi", "htdocs/off/q.cgi", "htdocs/two/p.cgi"] {
        file(name, PROGRAM, 0o755);
    }
    file("htdocs/on/.htaccess", b"Options +ExecCGI\n", 0o644);
    symlink("/etc/hostname", site.root().join("htdocs/link")).expect("a link");
    site.configure(&site.fill(CONF), &[]).expect("a configuration");
    site.start().expect("the server starts");
    site
}

/// What `rachis explain --json` says of the site.
fn explain(site: &Site, arguments: &[&str]) -> Value {
    let root = site.root();
    let output = Command::new(env!("CARGO_BIN_EXE_rachis"))
        .args(["explain", "--json", "-d"])
        .arg(root)
        .args(["-f", "httpd.conf", "-C"])
        .arg(format!("Include {}/conf/preamble.conf", root.display()))
        .args(arguments)
        .env("ROOT", root)
        .env("PORT", site.port().to_string())
        .output()
        .expect("rachis runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// URL, kind and status of each file below `/` and `/cgi-bin/`.
fn fates(site: &Site) -> Vec<(String, String, u64)> {
    let fate = |fate: &Value| {
        let text = |name: &str| fate[name].as_str().expect("a text").to_owned();
        (text("url"), text("kind"), fate["status"].as_u64().expect("a status"))
    };
    let under = |url| explain(site, &["--all-under", url]).as_array().expect("a list").clone();
    under("/").iter().chain(&under("/cgi-bin/")).map(fate).collect()
}

/// The status and body that the server answers with.
fn get(site: &Site, url: &str) -> (u64, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    write!(stream, "GET {url} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a head").1.to_owned())
}

#[test]
fn each_file_is_answered_as_explained() {
    let site = site();
    let fates = fates(&site);
    for (url, kind, status) in &fates {
        let (answered, body) = get(&site, url);
        assert_eq!(answered, *status, "{url}");
        assert_eq!(body == "ran\n", kind == "executed", "{url}: {body}");
    }
    let of = |wanted: &str| fates.iter().filter(|(_, kind, _)| kind == wanted).count();
    // The .htaccess files are denied by no directive: without `<Files .ht*>` Apache serves them.
    assert_eq!((of("served"), of("executed"), of("denied")), (3, 2, 9), "{fates:?}");
}

#[test]
fn what_is_offered_opens_what_it_says_and_nothing_else() {
    let mut site = site();
    let before = fates(&site);
    let open = |fates: &[(String, String, u64)]| -> Vec<String> {
        fates.iter().filter(|(.., status)| *status == 200).map(|(url, ..)| url.clone()).collect()
    };
    for (url, ..) in before.iter().filter(|(_, kind, _)| kind == "denied") {
        let told = explain(&site, &[url]);
        let texts = |list: &Value| -> Vec<String> {
            list.as_array()
                .expect("a list")
                .iter()
                .filter_map(|line| Some(line.as_str()?.to_owned()))
                .collect()
        };
        let (lines, opens) = (texts(&told["remedy"]["lines"]), texts(&told["remedy"]["opens"]));
        site.configure(&format!("{}{}\n", site.fill(CONF), lines.join("\n")), &[]).expect("a configuration");
        site.start().expect("the server starts");
        let mut expected: Vec<String> = open(&before).into_iter().chain(opens).chain([url.clone()]).collect();
        let mut found: Vec<String> =
            before.iter().filter(|(url, ..)| get(&site, url).0 == 200).map(|(url, ..)| url.clone()).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{url}: {lines:?}");
        site.configure(&site.fill(CONF), &[]).expect("a configuration");
        site.start().expect("the server starts");
    }
}

#[test]
fn a_program_is_told_with_its_environment() {
    let site = site();
    let told =
        explain(&site, &["POST", "/cgi-bin/p/more?a+b", "--body", "abc", "--user", "u:p", "-H", "X-Y: z"]);
    let program = &told["program"];
    let root = site.root().display().to_string();
    assert_eq!(program["path"], format!("{root}/cgi-bin/p"));
    assert_eq!(program["cwd"], format!("{root}/cgi-bin"));
    let env = |name: &str| program["env"][name].as_str().map(str::to_owned);
    let expected = [
        ("REQUEST_METHOD", "POST"),
        ("CONTENT_LENGTH", "3"),
        ("PATH_INFO", "/more"),
        ("QUERY_STRING", "a+b"),
        ("HTTP_X_Y", "z"),
    ];
    for (name, value) in expected {
        assert_eq!(env(name).as_deref(), Some(value), "{name}");
    }
    // RFC 3875 and CGIPassAuth: programs do not get it.
    assert_eq!(env("HTTP_AUTHORIZATION"), None);
}

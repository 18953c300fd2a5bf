//! The table of ids, its pages and its examples; `check` in all its forms, driven as a person does.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rachis::diag::ids;
use tempfile::TempDir;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rachis(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rachis"));
    let output = command.current_dir(root()).args(arguments).stdin(Stdio::null()).output().expect("it runs");
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8_lossy(&output.stdout).into_owned())
}

fn collect(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            collect(&entry.expect("an entry").path(), found);
        }
    } else if path.extension().is_some_and(|end| end == "rs") {
        let text = fs::read_to_string(path).expect("a source");
        for (at, _) in text.match_indices("\"RX") {
            let id: String = text[at + 1..].chars().take(6).collect();
            if id[2..].bytes().all(|byte| byte.is_ascii_digit()) && text[at + 7..].starts_with('"') {
                found.insert(id);
            }
        }
    }
}

#[test]
fn every_id_has_its_row_and_every_row_its_use() {
    let mut used = BTreeSet::new();
    collect(&root().join("src"), &mut used);
    let rows: Vec<String> = ids::all().map(|row| row.id.to_owned()).collect();
    let table: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), table.len(), "an id stands twice in the table");
    let lacking: Vec<_> = used.difference(&table).collect();
    let unused: Vec<_> = table.difference(&used).collect();
    assert!(lacking.is_empty() && unused.is_empty(), "without a row: {lacking:?}; unused: {unused:?}");
}

#[test]
fn the_pages_are_those_of_the_table() {
    let file = root().join("docs/diagnostics.md");
    let head = "# Diagnostics\n\nGenerated from `src/diag/ids.tsv`: \
                `RACHIS_WRITE_DOCS=1 cargo test --test diagnostics`. `rachis explain-id ID` prints one page.\n";
    let pages: Vec<String> = ids::all().map(|row| row.page()).collect();
    let text = format!("{head}\n{}", pages.join("\n"));
    if std::env::var_os("RACHIS_WRITE_DOCS").is_some() {
        fs::write(&file, &text).expect("written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(there == text, "docs/diagnostics.md is old");
}

/// The ids that a text yields, as a configuration or, if it begins with `#` and no blank, a program.
fn ids_of(text: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let conf = dir.path().join("httpd.conf");
    let program = text.starts_with("#!") || text.starts_with("#first");
    if program {
        fs::create_dir(dir.path().join("cgi")).expect("a directory");
        let file = dir.path().join("cgi/x.py");
        fs::write(&file, text).expect("a program");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its mode");
        let text = format!("<Directory \"{}/cgi\">\nOptions ExecCGI\n</Directory>\n", dir.path().display());
        fs::write(&conf, text).expect("a configuration");
    } else {
        fs::write(&conf, text).expect("a configuration");
    }
    rachis(&["check", "--format", "concise", &conf.display().to_string()]).1
}

#[test]
fn examples_yield_their_id_and_mended_ones_do_not() {
    let mut wrong = Vec::new();
    let mut examples = 0;
    for row in ids::all() {
        let id = format!("[{}]", row.id);
        if let Some(text) = row.wrong() {
            examples += 1;
            let found = ids_of(&text);
            if !found.contains(&id) {
                wrong.push(format!("{} is not in\n{found}for\n{text}", row.id));
            }
        }
        if let Some(text) = row.mended() {
            let found = ids_of(&text);
            if found.contains(&id) {
                wrong.push(format!("{} is still in\n{found}for\n{text}", row.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples > 100, "{examples} examples");
}

#[test]
fn explain_id_prints_the_page() {
    let (code, out) = rachis(&["explain-id", "rx0010"]);
    assert_eq!(code, 0);
    assert!(out.contains("RX0010: A section is not closed") && out.contains("Apache says:"), "{out}");
    assert_eq!(rachis(&["explain-id", "RX9999"]).0, 1);
}

const SCRIPT: &str = "#first CGI program\nprint \"content-type: text/html/r/n/r/n\" \nprint '<html>'\n";

/// The tutorial's site in a directory of its own: configuration and script.
fn tutorial() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let cgi = dir.path().join("cgi-bin");
    fs::create_dir(&cgi).expect("cgi-bin");
    let script = cgi.join("a.py");
    fs::write(&script, SCRIPT).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("its mode");
    let cgi = cgi.display();
    let text = format!(
        "<Directory \"/usr{cgi}\">\nAllowOverride None\nOptions ExecCGI +MultiViews\nRequire all granted\n\
         <Directory \"{cgi}\">\nOptions All\n"
    );
    let conf = dir.path().join("httpd.conf");
    fs::write(&conf, text).expect("a configuration");
    (dir, conf, script)
}

#[test]
fn one_check_of_the_tutorial_names_all_ten() {
    let (_dir, conf, script) = tutorial();
    let conf = conf.display().to_string();
    let (code, out) = rachis(&["check", "--format", "json", &conf]);
    assert_eq!(code, 1);
    let found: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let script = script.display().to_string();
    let wanted = [
        ("RX0010", &conf, 1, 1),
        ("RX0223", &conf, 3, 9),
        ("RX0715", &conf, 5, 1),
        ("RX0711", &conf, 1, 12),
        ("RX0714", &conf, 3, 9),
        ("RX0712", &conf, 5, 1),
        ("RX0512", &script, 1, 1),
        ("RX0513", &script, 1, 1),
        ("RX0516", &script, 2, 1),
        ("RX0517", &script, 2, 31),
    ];
    for (id, file, line, column) in wanted {
        let one = found.iter().find(|one| {
            let at = &one["labels"][0];
            one["id"] == id && at["file"] == *file && at["line"] == line && at["column"] == column
        });
        let one = one.unwrap_or_else(|| panic!("{id} {file}:{line}:{column} is missing in\n{out}"));
        let fix = &one["fix"];
        let by_machine = fix["edits"].as_array().is_some_and(|edits| !edits.is_empty());
        let command = fix["advice"].as_str().is_some_and(|advice| advice.starts_with("chmod "));
        assert!(by_machine || command || id == "RX0715", "{id} has no fix that a machine can apply: {fix}");
    }
}

#[test]
fn fixes_leave_nothing_of_what_they_mend() {
    let (dir, path, script) = tutorial();
    let conf = path.display().to_string();
    let (_, diff) = rachis(&["check", "--fix", &conf]);
    assert!(diff.contains("+Options +ExecCGI +MultiViews") && diff.contains("@@ "), "{diff}");
    assert_eq!(rachis(&["check", "--fix", "--write", &conf]).0, 0);
    let (_, left) = rachis(&["check", "--format", "concise", &conf]);
    for id in ["RX0010", "RX0223", "RX0715", "RX0513", "RX0516", "RX0517"] {
        assert!(!left.contains(id), "{left}");
    }
    apache_accepts(&dir, &path);
    let text = fs::read_to_string(&script).expect("the script");
    let mended = "#!/usr/bin/env python3\n#first CGI program\nprint(\"content-type: text/html\\n\")";
    assert!(text.starts_with(mended), "{text}");
    assert_eq!(fs::metadata(&script).expect("its mode").permissions().mode() & 0o777, 0o644);
}

#[test]
fn configurations_of_2_2_are_mended() {
    let dir = tempfile::tempdir().expect("a directory");
    let conf = dir.path().join("httpd.conf");
    let text = "ServerName a\nListen 127.0.0.1:8099\nNameVirtualHost *:80\nLockFile logs/accept.lock\n<Directory />\n    \
                Order deny,allow\n    Deny from all\n    Allow from 10.1 a.example\n</Directory>\n<Location /x>\n    \
                Order allow,deny\n    Allow from all\n</Location>\n";
    fs::write(&conf, text).expect("a configuration");
    let name = conf.display().to_string();
    assert_eq!(rachis(&["check", "--fix", "--write", &name]).0, 0);
    let mended = fs::read_to_string(&conf).expect("a configuration");
    let wanted = "ServerName a\nListen 127.0.0.1:8099\nMutex default\n<Directory />\n    \
                  Require ip 10.1\nRequire host a.example\n</Directory>\n<Location /x>\n    Require all granted\n</Location>\n";
    assert_eq!(mended, wanted);
    assert_eq!(rachis(&["check", &name]).0, 0);
    apache_accepts(&dir, &conf);
}

/// With `ORACLE` set: that Apache starts with it.
fn apache_accepts(dir: &TempDir, conf: &Path) {
    if std::env::var_os("ORACLE").is_none() {
        return;
    }
    fs::create_dir_all(dir.path().join("logs")).expect("a place for the log");
    let modules = "/usr/lib/apache2/modules";
    let mut apache = Command::new("/usr/sbin/apache2");
    apache.args(["-t", "-d"]).arg(dir.path()).arg("-f").arg(conf);
    for name in ["mpm_event", "authz_core", "authz_host"] {
        apache.arg("-C").arg(format!("LoadModule {name}_module {modules}/mod_{name}.so"));
    }
    let output = apache.output().expect("apache2");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn programs_of_a_site_are_looked_at() {
    let dir = tempfile::tempdir().expect("a directory");
    let cgi = dir.path().join("cgi");
    fs::create_dir(&cgi).expect("a directory");
    let program = |name: &str, text: &str, mode: u32| {
        fs::write(cgi.join(name), text).expect("a program");
        fs::set_permissions(cgi.join(name), fs::Permissions::from_mode(mode)).expect("its mode");
    };
    program("crlf", "#!/bin/sh\r\necho\r\n", 0o755);
    program("env", "#!/usr/bin/env sh -e\n", 0o755);
    program("good", "#!/bin/sh\necho\n", 0o755);
    program("mode", "#!/bin/sh\necho\n", 0o644);
    let text = format!(
        "ServerName a\nListen 127.0.0.1:8099\nScriptAlias /x/ {0}/\n<Directory {0}>\nRequire all granted\n</Directory>\n",
        cgi.display()
    );
    let conf = dir.path().join("httpd.conf");
    fs::write(&conf, text).expect("a configuration");
    let conf = conf.display().to_string();
    let (code, out) = rachis(&["check", "--format", "concise", &conf]);
    assert_eq!(code, 1);
    for line in ["crlf:1:1: error[RX0515]", "env:1:1: error[RX0514]", "mode:1:1: error[RX0512]"] {
        assert!(out.contains(line), "{line} is missing in\n{out}");
    }
    assert!(!out.contains("cgi/good"), "{out}");
    assert_eq!(rachis(&["check", "--fix", "--write", &conf]).0, 0);
    assert_eq!(fs::read(cgi.join("crlf")).expect("it"), b"#!/bin/sh\necho\n");
}

#[test]
fn sarif_and_workflow_commands() {
    let (_dir, conf, _) = tutorial();
    let name = conf.display().to_string();
    let (_, out) = rachis(&["check", "--format", "sarif", &name]);
    let log: serde_json::Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!(log["version"], "2.1.0");
    assert!(log["runs"][0]["results"].as_array().is_some_and(|results| results.len() >= 10));
    let (_, out) = rachis(&["check", "--format", "github", &name]);
    let line = format!("::error file={name},line=3,col=9,");
    assert!(out.lines().any(|found| found.starts_with(&line)), "{out}");
    assert!(out.lines().all(|line| line.starts_with("::")), "{out}");
}

#[test]
fn htaccess_files_are_read_with_what_holds_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let docs = dir.path().join("htdocs/sub");
    fs::create_dir_all(&docs).expect("a directory");
    fs::write(docs.join(".htaccess"), "Options +Indexes\nNonsense\n").expect("a file");
    let text = |allow: &str| {
        format!(
            "ServerName a\nListen 127.0.0.1:8099\nDocumentRoot {0}/htdocs\n<Directory {0}/htdocs>\n{allow}\n\
             Require all granted\n</Directory>\n",
            dir.path().display()
        )
    };
    let conf = dir.path().join("httpd.conf");
    let check = |allow: &str| {
        fs::write(&conf, text(allow)).expect("a configuration");
        rachis(&["check", "--format", "concise", &conf.display().to_string()]).1
    };
    let none = check("AllowOverride None");
    assert!(!none.contains(".htaccess"), "{none}");
    let file = check("AllowOverride FileInfo");
    assert!(
        file.contains(".htaccess:1:1: error[RX0203]") && file.contains(".htaccess:2:1: error[RX0201]"),
        "{file}"
    );
    let all = check("AllowOverride All");
    assert!(!all.contains("RX0203") && all.contains(".htaccess:2:1: error[RX0201]"), "{all}");
}

#[track_caller]
fn fragment(context: &str, text: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rachis"));
    command.args(["check", "--format", "concise", "--fragment", "--context", context, "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("read");
    String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stdout).into_owned()
}

#[test]
fn fragments_are_checked_where_they_would_stand() {
    let text = "Require all granted\nServerName a\n";
    assert!(fragment("directory", text).starts_with("(standard input):2:1: error[RX0203]"));
    assert!(fragment("htaccess", text).starts_with("(standard input):2:1: error[RX0203]"));
    assert!(
        fragment("vhost", "ServerName a\nOptions Cgi\n").starts_with("(standard input):2:9: error[RX0222]")
    );
    assert!(
        fragment("directory", "Options +Indexes\nRequire all granted")
            .ends_with("nothing to complain about\n")
    );
}

#[test]
fn debian_s_stock_configuration_has_no_findings() {
    if !Path::new("/etc/apache2/apache2.conf").exists() {
        return;
    }
    let variables = [
        ("APACHE_RUN_USER", "www-data"),
        ("APACHE_RUN_GROUP", "www-data"),
        ("APACHE_LOG_DIR", "/tmp"),
        ("APACHE_RUN_DIR", "/tmp"),
        ("APACHE_LOCK_DIR", "/tmp"),
        ("APACHE_PID_FILE", "/tmp/no-such.pid"),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_rachis"));
    command.args(["check", "--format", "concise", "-d", "/etc/apache2"]).envs(variables);
    let out = command.stdin(Stdio::null()).output().expect("it runs").stdout;
    let out = String::from_utf8_lossy(&out);
    // That rachis lacks a module is no mistake of the configuration.
    let above_note = |line: &&str| line.contains(": warning[") || line.contains(": error[");
    let found: Vec<&str> = out.lines().filter(above_note).filter(|line| !line.contains("[RX0208]")).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

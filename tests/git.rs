//! git over HTTP: a clone and a push through git's own `git-http-backend`, run as a CGI program by
//! the configuration that git's manual gives. With `ORACLE=1` the same against Apache.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::path::PathBuf;

const CONF: &str = "\
SetEnv GIT_PROJECT_ROOT $ROOT/repos
SetEnv GIT_HTTP_EXPORT_ALL
ScriptAlias /git/ $BACKEND/
<Directory \"/\">
    Require all granted
</Directory>
";

/// Makes a bare repository with one commit that takes pushes.
const SETUP: &str = "\
set -e
export HOME=$ROOT GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost
mkdir repos
git init -q --bare -b main repos/one.git
git -C repos/one.git config http.receivepack true
git init -q -b main first
cd first
echo one >file
git add file
git commit -q -m first
git push -q ../repos/one.git main
";

/// Clones, commits, pushes, clones again, and compares; then a shallow clone.
const WORK: &str = "\
set -e
export HOME=$ROOT GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost
export GIT_TERMINAL_PROMPT=0
git clone -q http://127.0.0.1:$PORT/git/one.git work
cd work
test \"$(cat file)\" = one
echo two >file
head -c 3000000 /dev/urandom >large
git add .
git commit -q -m second
git push -q origin main
cd ..
git clone -q http://127.0.0.1:$PORT/git/one.git again
test \"$(cat again/file)\" = two
cmp work/large again/large
git clone -q --depth 1 http://127.0.0.1:$PORT/git/one.git shallow
test \"$(git -C shallow rev-list --count HEAD)\" = 1
";

fn backend() -> PathBuf {
    let output = std::process::Command::new("git").arg("--exec-path").output().expect("git is installed");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend")
}

fn clone_and_push(kind: Kind) {
    let mut site = Site::new(kind).expect("an empty site");
    site.shell(&site.fill(SETUP)).expect("a repository");
    let conf = site.fill(CONF).replace("$BACKEND", &backend().to_string_lossy());
    site.configure(&conf, &[]).expect("a configuration");
    site.start().expect("the server starts");
    site.shell(&site.fill(WORK)).expect("clone and push");
    site.stop();
}

/// A new machine may have no git; where the oracle is asked too, everything must be there.
fn git_is_absent() -> bool {
    let found = std::process::Command::new("git").arg("--version").output().is_ok();
    if !found {
        println!("left out: there is no git");
    }
    !found && std::env::var_os("ORACLE").is_none()
}

#[test]
fn git_clones_and_pushes() {
    if !git_is_absent() {
        clone_and_push(Kind::Rachis);
    }
}

#[test]
fn git_clones_and_pushes_with_apache_too() {
    if std::env::var_os("ORACLE").is_some() {
        server::demand_apache();
        clone_and_push(Kind::Apache);
    }
}

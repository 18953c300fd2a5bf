//! git over HTTP, smart and dumb, through git's own `git-http-backend`, run as a CGI program by
//! the configurations that git's manual (git-http-backend(1)) gives. With `ORACLE=1` the same against Apache.

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

/// The manual's second example: the backend in the place of files, the newer protocol, dumb HTTP beside it.
const STATIC_TOO: &str = "\
SetEnv GIT_PROJECT_ROOT $ROOT/repos
SetEnv GIT_HTTP_EXPORT_ALL
SetEnvIf Git-Protocol \".*\" GIT_PROTOCOL=$0
AliasMatch ^/git/(.*/objects/[0-9a-f]{2}/[0-9a-f]{38})$          $ROOT/repos/$1
AliasMatch ^/git/(.*/objects/pack/pack-[0-9a-f]{40}.(pack|idx))$ $ROOT/repos/$1
ScriptAliasMatch \"(?x)^/git/(.*/(HEAD | info/refs | objects/info/[^/]+ | git-(upload|receive)-pack))$\" $BACKEND/$1
Alias /dumb/ $ROOT/repos/
ScriptAlias /git/ $BACKEND/
<Directory \"/\">
    Require all granted
</Directory>
";

/// Protocols 0 to 2, a fetch, a push in chunks, many references in a gzip'ed request, 60 MB, and dumb HTTP.
const MORE_WORK: &str = "\
set -e
export HOME=$ROOT GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost
export GIT_TERMINAL_PROMPT=0
git config --global core.compression 0
url=http://127.0.0.1:$PORT/git/one.git
for version in 0 1 2; do
    git -c protocol.version=$version clone -q $url by$version
    test \"$(cat by$version/file)\" = one
done
GIT_TRACE_PACKET=$ROOT/packets git -c protocol.version=2 ls-remote $url >/dev/null
grep -q 'version 2' packets
mkdir by2/big
for n in 1 2 3 4 5 6; do head -c 10000000 /dev/urandom >by2/big/$n; done
git -C by2 add big
git -C by2 commit -q -m big
git -C by2 tag large
GIT_CURL_VERBOSE=1 git -C by2 -c http.postBuffer=65536 push origin main large 2>pushed
grep -qi 'transfer-encoding: chunked' pushed
git -C by0 fetch -q
test \"$(git -C by0 rev-parse origin/main)\" = \"$(git -C by2 rev-parse main)\"
git clone -q $url large
diff -r by2/big large/big
git clone -q --depth 1 --branch large $url tagged 2>/dev/null
test \"$(git -C tagged rev-list --count HEAD)\" = 1
for n in $(seq 60); do git -C by0 commit -q --allow-empty -m $n; done
for n in $(seq 60); do git -C by2 commit -q --allow-empty -m other$n; done
git -C by2 push -q origin main
GIT_CURL_VERBOSE=1 git -C by0 -c protocol.version=0 fetch origin 2>fetched
grep -qi 'content-encoding: gzip' fetched
git -C repos/one.git update-server-info
git clone -q http://127.0.0.1:$PORT/dumb/one.git dumb
diff -r by2/big dumb/big
if git clone -q http://127.0.0.1:$PORT/git/none.git none 2>refused; then exit 1; fi
grep -q 'not found' refused
";

fn backend() -> PathBuf {
    let output = std::process::Command::new("git").arg("--exec-path").output().expect("git is installed");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend")
}

fn clone_and_push(kind: Kind) {
    works(kind, CONF, WORK);
    works(kind, STATIC_TOO, MORE_WORK);
}

#[track_caller]
fn works(kind: Kind, conf: &str, work: &str) {
    let mut site = Site::new(kind).expect("an empty site");
    site.shell(&site.fill(SETUP)).expect("a repository");
    let conf = site.fill(conf).replace("$BACKEND", &backend().to_string_lossy());
    site.configure(&conf, &[]).expect("a configuration");
    site.start().expect("the server starts");
    if let Err(said) = site.shell(&site.fill(work)) {
        let log = std::fs::read_to_string(site.root().join("logs/error_log")).unwrap_or_default();
        panic!("{}: {said}\n{log}", kind.name());
    }
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

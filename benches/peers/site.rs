//! The temporary directory that all servers serve: files, CGI programs, configuration, tools.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User};
use tempfile::TempDir;

use crate::Result;

/// Bytes of the small file.
pub const SMALL: usize = 1024;
/// Bytes of the large file.
pub const LARGE: usize = 10 << 20;

/// A small file below seven directories, each with a `.htaccess` file.
pub const NESTED: &str = "/nested/2/3/4/5/6/7/1k.txt";

/// The configuration that apache2 and rachis share.
const HTTPD_CONF: &str = include_str!("site/httpd.conf");
const REPORT_LUA: &str = include_str!("site/report.lua");

/// The directory on disk; removed when this is dropped.
pub struct Site {
    root: TempDir,
    /// As whom servers run: set when we are root.
    pub user: Option<User>,
}

impl Site {
    /// Makes all files and compiles the C programs with `cc`.
    pub fn build() -> Result<Site> {
        let root =
            tempfile::Builder::new().prefix("rachis-bench.").tempdir().map_err(say("temporary directory"))?;
        let user = match Uid::effective().is_root() {
            true => Some(unprivileged_user()?),
            false => None,
        };
        let site = Site { root, user };
        open_to_all(site.path())?;
        for directory in ["htdocs", "cgi-bin"] {
            fs::create_dir(site.file(directory)).map_err(say(directory))?;
            open_to_all(&site.file(directory))?;
        }
        site.write("httpd.conf", HTTPD_CONF)?;
        site.write("mime.types", "text/plain txt\n")?;
        site.write("report.lua", REPORT_LUA)?;
        site.write("htdocs/1k.txt", "x".repeat(SMALL))?;
        site.write("htdocs/10m.txt", "x".repeat(LARGE))?;
        site.nest()?;
        site.program("bare", include_str!("bare.c"))?;
        site.program("cgi-bin/hello-c", include_str!("site/hello.c"))?;
        site.script("cgi-bin/hello-sh", include_str!("site/hello.sh"))?;
        site.script("cgi-bin/hello-py", include_str!("site/hello.py"))?;
        Ok(site)
    }

    fn nest(&self) -> Result<()> {
        let file = format!("htdocs{NESTED}");
        let mut directory = PathBuf::from("htdocs");
        for part in Path::new(&file).parent().into_iter().flat_map(Path::components).skip(1) {
            directory.push(part);
            let name = directory.display().to_string();
            fs::create_dir(self.file(&name)).map_err(say(&name))?;
            open_to_all(&self.file(&name))?;
            self.write(&format!("{name}/.htaccess"), "AddDefaultCharset utf-8\nDirectoryIndex start.html\n")?;
        }
        self.write(&file, "x".repeat(SMALL))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file that everyone may read.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<()> {
        fs::write(self.file(name), text).map_err(say(name))?;
        fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o644)).map_err(say(name))
    }

    /// A directory for one server's own files, which belongs to the user it runs as.
    pub fn private_directory(&self, name: &str) -> Result<PathBuf> {
        let directory = self.file(name);
        fs::create_dir(&directory).map_err(say(name))?;
        if let Some(user) = &self.user {
            chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(say(name))?;
        }
        Ok(directory)
    }

    /// A copy of a program where an unprivileged user can run it.
    pub fn copy_program(&self, from: &Path, name: &str) -> Result<PathBuf> {
        let to = self.file(name);
        fs::copy(from, &to).map_err(say(name))?;
        open_to_all(&to)?;
        Ok(to)
    }

    fn script(&self, name: &str, text: &str) -> Result<()> {
        self.write(name, text)?;
        open_to_all(&self.file(name))
    }

    fn program(&self, name: &str, source: &str) -> Result<()> {
        let source_name = format!("{}.c", name.replace('/', "-"));
        self.write(&source_name, source)?;
        let output = Command::new("cc")
            .args(["-O2", "-o"])
            .args([self.file(name), self.file(&source_name)])
            .output()
            .map_err(say("cc"))?;
        match output.status.success() {
            true => open_to_all(&self.file(name)),
            false => Err(format!("cc: {source_name}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// Finds a program in PATH and where Debian keeps servers.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Puts what an operation was about before its error.
pub fn say(what: &str) -> impl Fn(std::io::Error) -> String {
    let what = what.to_owned();
    move |error| format!("{what}: {error}")
}

fn unprivileged_user() -> Result<User> {
    match User::from_name("nobody") {
        Ok(Some(user)) => Ok(user),
        _ => Err("run as root, but there is no user \"nobody\" to run the servers as".into()),
    }
}

fn open_to_all(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(say(&path.display().to_string()))
}

//! The server as a process: whose it is, where its number stands, and what `-k` says to it.

use super::{StartError, os_error, program_name};
use crate::{
    policy::{SaidExt, process::Process},
    system::path,
};
use bstr::{BString, ByteSlice};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Gid, Group, Pid, Uid, User},
};
use std::{
    ffi::CString,
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The user and group to go on as.
#[derive(Clone, Debug)]
pub struct Identity {
    /// User number.
    pub uid: Uid,
    /// Group number.
    pub gid: Gid,
    name: Option<CString>,
}

/// Whom `User` and `Group` name; nobody if the server is not root, which then cannot change.
pub fn identity(process: &Process) -> Result<Option<Identity>, StartError> {
    let user = process.user.value().map(find_user).transpose()?;
    let gid = process.group.value().map(find_group).transpose()?;
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let Some((uid, user)) = user else { return Ok(None) };
    let gid = gid.or(user.as_ref().map(|user| user.gid)).unwrap_or(Gid::from_raw(uid.as_raw()));
    let name = user.and_then(|user| CString::new(user.name).ok());
    Ok(Some(Identity { uid, gid, name }))
}

fn find_user(name: &BString) -> Result<(Uid, Option<User>), StartError> {
    let bad = || StartError::line(format!("AH00543: {}: bad user name {name}", program_name()));
    if let Some(number) = number_of(name) {
        let uid = Uid::from_raw(number);
        return Ok((uid, User::from_uid(uid).ok().flatten()));
    }
    let user = name.to_str().ok().and_then(|name| User::from_name(name).ok().flatten()).ok_or_else(bad)?;
    Ok((user.uid, Some(user)))
}

fn find_group(name: &BString) -> Result<Gid, StartError> {
    let bad = || StartError::line(format!("AH00544: {}: bad group name {name}", program_name()));
    if let Some(number) = number_of(name) {
        return Ok(Gid::from_raw(number));
    }
    let group = name.to_str().ok().and_then(|name| Group::from_name(name).ok().flatten());
    group.map(|group| group.gid).ok_or_else(bad)
}

/// `#1000`.
fn number_of(name: &[u8]) -> Option<u32> {
    name.strip_prefix(b"#")?.to_str().ok()?.parse().ok()
}

/// Gives up being root for good.
pub fn become_user(identity: &Identity, chroot: Option<&BString>) -> Result<(), StartError> {
    let (uid, gid) = (identity.uid, identity.gid);
    let fail = |text: String| {
        move |error: nix::Error| StartError::line(format!("{}: {text}", os_error(&error.into())))
    };
    if let Some(directory) = chroot {
        let name = directory.as_bstr();
        nix::unistd::chroot(path(directory))
            .map_err(fail(format!("AH02157: unable to chroot to '{name}'")))?;
        nix::unistd::chdir("/").map_err(fail("AH02158: unable to chdir to /".to_owned()))?;
    }
    if let Some(name) = &identity.name {
        nix::unistd::initgroups(name, gid).map_err(fail(format!(
            "AH02160: initgroups: unable to set groups for User {} and Group {gid}",
            name.to_string_lossy()
        )))?;
    } else {
        no_groups(gid).map_err(fail("setgroups".to_owned()))?;
    }
    nix::unistd::setgid(gid)
        .map_err(fail(format!("AH02156: setgid: unable to set group id to Group {gid}")))?;
    nix::unistd::setuid(uid).map_err(fail(format!("AH02162: setuid: unable to change to uid: {uid}")))
}

#[cfg(not(target_os = "macos"))]
fn no_groups(gid: Gid) -> nix::Result<()> {
    nix::unistd::setgroups(&[gid])
}

#[cfg(target_os = "macos")]
fn no_groups(_gid: Gid) -> nix::Result<()> {
    Ok(())
}

/// The file with the number of this process; removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: fs::File,
}

impl PidFile {
    /// Writes it under another name and moves it into place, so that nobody reads half of it.
    /// The second value is Apache's warning if there was a file of another process.
    pub fn write(file: &Path) -> Result<(PidFile, Option<String>), StartError> {
        let old = fs::read(file).ok().and_then(|text| text.trim().to_str().ok()?.parse::<u32>().ok());
        let pid = std::process::id();
        let warning = old.filter(|old| *old != pid).map(|_| {
            format!("pid file {} overwritten -- Unclean shutdown of previous Apache run?", file.display())
        });
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{pid}"));
        let temporary = PathBuf::from(name);
        let write = || {
            let mut open = fs::File::create(&temporary)?;
            writeln!(open, "{pid}")?;
            open.set_permissions(fs::Permissions::from_mode(0o644))?;
            fs::rename(&temporary, file)?;
            Ok(open)
        };
        match write() {
            Ok(open) => Ok((PidFile { path: file.to_owned(), file: open }, warning)),
            Err(error) => {
                let _ = fs::remove_file(&temporary);
                let first =
                    format!("{}: AH00099: could not create {}", os_error(&error), temporary.display());
                let second =
                    format!("AH00100: {}: could not log pid to file {}", program_name(), file.display());
                Err(StartError { lines: vec![first, second] })
            }
        }
    }
}

impl PidFile {
    /// Gives it to the user as whom the server goes on.
    pub fn give_to(&self, uid: u32, gid: u32) {
        let _ = std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid));
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A server that took over in the meantime keeps its file.
        let own = Pid::this();
        if read_pid(&self.path) != Ok(Some(own)) {
            return;
        }
        // Who is not root any more may not remove it from root's directory, but may empty it.
        if fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

/// Where `PidFile` points: the default is Apache's `logs/httpd.pid` under ServerRoot.
pub fn pid_file(process: &Process, default: &str) -> PathBuf {
    let said = process.pid_file.value().map_or(default.as_bytes(), |file| file.as_slice());
    path(&process.server_root).join(path(said))
}

/// What `-k` can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `-k stop`
    Stop,
    /// `-k graceful-stop`
    GracefulStop,
    /// `-k restart`
    Restart,
    /// `-k graceful`
    Graceful,
}

/// What became of it; texts are Apache's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The signal is sent.
    Sent(i32),
    /// Nobody is there: to be printed on standard output; `-k stop` exits with 0 all the same,
    /// `-k restart` and `-k graceful` start the server.
    NotRunning(String),
    /// To be printed on standard error; the exit code is 1.
    Failed(StartError),
}

/// The number in a pid file: `None` if there is no file, or an empty one.
fn read_pid(file: &Path) -> Result<Option<Pid>, ()> {
    match fs::read(file) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => {
            let number = text.trim().to_str().ok().and_then(|text| text.parse::<i32>().ok());
            number.filter(|pid| *pid > 0).map(|pid| Some(Pid::from_raw(pid))).ok_or(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(()),
    }
}

fn unreadable(file: &Path) -> StartError {
    let first = format!(
        "(20014)Internal error (specific information not available): AH00058: Error retrieving pid file {}",
        file.display()
    );
    StartError { lines: vec![first, "AH00059: Remove it before continuing if it is corrupted.".to_owned()] }
}

/// Whether a server with this pid file runs already: Apache's line for `-k start`.
pub fn already_running(file: &Path) -> Result<Option<String>, StartError> {
    let pid = read_pid(file).map_err(|()| unreadable(file))?;
    let alive = pid.filter(|pid| pid.as_raw() != std::process::id() as i32 && is_alive(*pid));
    Ok(alive.map(|pid| format!("httpd (pid {pid}) already running")))
}

fn is_alive(pid: Pid) -> bool {
    !matches!(kill(pid, None), Err(nix::errno::Errno::ESRCH))
}

/// Sends the running server what `-k` says.
pub fn signal_running(file: &Path, command: Command) -> Told {
    let pid = match read_pid(file) {
        Err(()) => return Told::Failed(unreadable(file)),
        Ok(None) => return Told::NotRunning("httpd (no pid file) not running".to_owned()),
        Ok(Some(pid)) => pid,
    };
    let signal = match command {
        Command::Stop => Signal::SIGTERM,
        Command::GracefulStop => Signal::SIGWINCH,
        Command::Restart => Signal::SIGHUP,
        Command::Graceful => Signal::SIGUSR1,
    };
    match kill(pid, signal) {
        Ok(()) => Told::Sent(pid.as_raw()),
        Err(nix::errno::Errno::ESRCH) => Told::NotRunning(format!("httpd (pid {pid}?) not running")),
        Err(error) => {
            let os = os_error(&error.into());
            Told::Failed(StartError::line(format!("{os}: AH00061: sending signal to server")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_directory(test: impl FnOnce(&Path)) {
        let dir = tempfile::tempdir().unwrap();
        test(&dir.path().join("httpd.pid"));
    }

    #[test]
    fn the_pid_file_comes_and_goes() {
        in_directory(|file| {
            let (written, warning) = PidFile::write(file).unwrap();
            assert_eq!(warning, None);
            assert_eq!(fs::read_to_string(file).unwrap(), format!("{}\n", std::process::id()));
            drop(written);
            assert!(!file.exists());
            assert_eq!(file.parent().unwrap().read_dir().unwrap().count(), 0);
        });
    }

    #[test]
    fn a_pid_file_left_behind_is_told_of() {
        in_directory(|file| {
            fs::write(file, "999999\n").unwrap();
            let (_written, warning) = PidFile::write(file).unwrap();
            let text = format!(
                "pid file {} overwritten -- Unclean shutdown of previous Apache run?",
                file.display()
            );
            assert_eq!(warning, Some(text));
        });
    }

    #[test]
    fn the_file_of_another_server_is_left_alone() {
        in_directory(|file| {
            let (written, _) = PidFile::write(file).unwrap();
            fs::write(file, "1\n").unwrap();
            drop(written);
            assert_eq!(fs::read_to_string(file).unwrap(), "1\n");
        });
    }

    #[test]
    fn stopping_what_does_not_run() {
        in_directory(|file| {
            let none = Told::NotRunning("httpd (no pid file) not running".to_owned());
            assert_eq!(signal_running(file, Command::Stop), none);
            fs::write(file, "999999\n").unwrap();
            let stale = Told::NotRunning("httpd (pid 999999?) not running".to_owned());
            assert_eq!(signal_running(file, Command::GracefulStop), stale);
            fs::write(file, "junk\n").unwrap();
            assert!(matches!(signal_running(file, Command::Stop), Told::Failed(_)));
        });
    }

    #[test]
    fn bad_names() {
        let said = |name: &str| Some(crate::policy::Setting::new(name.into(), crate::diag::Span::BUILTIN));
        let process = Process { user: said("no-such-user"), ..Process::default() };
        let line = format!("AH00543: {}: bad user name no-such-user", program_name());
        assert_eq!(identity(&process).unwrap_err().lines, [line]);
        let process = Process { group: said("no-such-group"), ..Process::default() };
        let line = format!("AH00544: {}: bad group name no-such-group", program_name());
        assert_eq!(identity(&process).unwrap_err().lines, [line]);
    }
}

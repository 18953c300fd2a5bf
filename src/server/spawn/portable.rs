//! Starting a program on any Unix, by the standard library.

use super::{super::pidfd::ExitWatch, Child, Failure, Limits, Started, Words, limits};
use crate::engine::Cgi;
use bstr::BString;
use nix::{
    libc,
    sys::resource::setrlimit,
    unistd::{AccessFlags, Pid, access},
};
use std::{
    ffi::OsStr,
    io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    process::{Command, Stdio},
};

/// What a worker starts programs with.
#[derive(Debug)]
pub struct Spawner;

impl Spawner {
    /// For one worker.
    ///
    /// # Errors
    /// None; the other form has some.
    pub fn new() -> io::Result<Spawner> {
        Ok(Spawner)
    }

    /// Starts a program in a process group of its own. Without `input`, its standard input is at
    /// its end already.
    ///
    /// # Errors
    /// See [`Failure`]. The standard library tells the error but not the step, which is a guess.
    pub fn start(&mut self, cgi: &Cgi, input: bool) -> Result<Started, Failure> {
        let mut child = command(cgi)
            .and_then(|mut command| command.spawn())
            .map_err(|error| (step(cgi, &error), error))?;
        let number = i32::try_from(child.id()).map_err(|_| ("fork", io::ErrorKind::InvalidData.into()))?;
        let missing = || ("fork", io::Error::from(io::ErrorKind::BrokenPipe));
        Ok(Started {
            watch: ExitWatch::new(child.id()).ok(),
            stdin: child.stdin.take().filter(|_| input).map(OwnedFd::from),
            stdout: child.stdout.take().ok_or_else(missing)?.into(),
            stderr: child.stderr.take().ok_or_else(missing)?.into(),
            child: Child(Pid::from_raw(number)),
        })
    }
}

fn os(bytes: &BString) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn command(cgi: &Cgi) -> io::Result<Command> {
    let mut command = Command::new(os(&cgi.program));
    if let Some((name, arguments)) = cgi.argv.split_first() {
        command.arg0(os(name)).args(arguments.iter().map(os));
    }
    command
        .env_clear()
        .envs(cgi.env.iter().map(|(name, value)| (os(name), os(value))))
        .current_dir(os(&cgi.cwd))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    run(&mut command, limits(cgi)?, Words::new(cgi)?);
    Ok(command)
}

/// Sets the limits in the child and makes it the program. execvp(3), which the standard library
/// would call, gives a script without `#!` to the shell; Apache does not.
#[allow(unsafe_code)]
fn run(command: &mut Command, limits: Limits, words: Words) {
    let set = move || {
        for (resource, limit) in limits.iter().flatten() {
            setrlimit(*resource, limit.rlim_cur, limit.rlim_max)?;
        }
        // SAFETY: both arrays end with a null pointer, and what they point to lives in `words`.
        unsafe { libc::execve(words.program(), words.argv(), words.envp()) };
        Err(io::Error::last_os_error())
    };
    // SAFETY: the closure only calls setrlimit and execve, which are async-signal-safe, and
    // allocates nothing.
    unsafe { command.pre_exec(set) };
}

fn step(cgi: &Cgi, error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => "fork",
        _ if access(os(&cgi.cwd), AccessFlags::X_OK).is_err() => "chdir",
        Some(libc::EPERM) if cgi.limits.iter().any(Option::is_some) => "setrlimit",
        _ => "exec",
    }
}

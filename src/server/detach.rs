//! `-k start`: into the background. The caller's process stays until the server listens and its
//! pid file is written, or until it failed, and ends with the exit code that tells which.

use super::StartError;
use nix::{
    sys::wait::waitpid,
    unistd::{ForkResult, dup2_stdin, dup2_stdout, fork, setsid},
};
use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
};

/// The server's end: dropped without [`Detached::ready`], it lets the caller end with 1.
#[derive(Debug)]
pub struct Detached {
    caller: io::PipeWriter,
}

/// Goes on in a process of its own session, without terminal. Only that process returns from
/// here. To be called before any thread is started.
pub fn detach() -> Result<Detached, StartError> {
    let failed = |error: io::Error| {
        StartError::line(format!("{}: unable to fork new process", super::os_error(&error)))
    };
    let (mut outcome, caller) = io::pipe().map_err(failed)?;
    if let Some(child) = split().map_err(failed)? {
        drop(caller);
        let _ = waitpid(child, None);
        let mut code = [1];
        let told = outcome.read(&mut code);
        std::process::exit(if matches!(told, Ok(1)) { i32::from(code[0]) } else { 1 });
    }
    setsid().map_err(|error| failed(error.into()))?;
    // Not being the leader of its session, it can never get a terminal again.
    if split().map_err(failed)?.is_some() {
        std::process::exit(0);
    }
    Ok(Detached { caller })
}

impl Detached {
    /// Lets the caller end with 0, and lets go of the streams it was started with.
    pub fn ready(mut self) -> io::Result<()> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        self.caller.write_all(&[0])
    }
}

/// fork(2): the child's number in the parent, nothing in the child.
#[allow(unsafe_code)]
fn split() -> io::Result<Option<nix::unistd::Pid>> {
    // SAFETY: there is only this one thread, so the child finds every lock free and may do
    // whatever the parent might.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

//! How programs are started. [`Spawner`] has two forms: one for Linux, and one for any Unix.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), test))]
mod portable;
#[cfg(test)]
mod tests;

use super::pidfd::ExitWatch;
use crate::engine::Cgi;
use nix::{
    libc::{self, c_char},
    sys::{
        resource::{Resource, getrlimit},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{io, os::fd::OwnedFd, ptr};

#[cfg(target_os = "linux")]
pub use linux::Spawner;
#[cfg(not(target_os = "linux"))]
pub use portable::Spawner;

/// Why a program could not be started: the step that failed, `fork`, `setrlimit`, `chdir` or
/// `exec`, and how.
pub type Failure = (&'static str, io::Error);

/// A program that was started, and our ends of its pipes.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub child: Child,
    /// Tells its end, where that can be had.
    pub watch: Option<ExitWatch>,
    /// To its standard input, unless it was given none.
    pub stdin: Option<OwnedFd>,
    /// From its standard output.
    pub stdout: OwnedFd,
    /// From its standard error.
    pub stderr: OwnedFd,
}

/// Makes sure that programs inherit none of the descriptors that we inherited. To be called once,
/// before any program is started; what is opened later is closed on exec from its beginning.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn close_on_exec() {
    let (first, last): (libc::c_long, libc::c_long) = (3, libc::c_long::from(u32::MAX));
    let flags = libc::c_long::from(libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: close_range takes three integers; with this flag it closes nothing now. Where the
    // kernel does not know it, programs get what we got, as under Apache.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
}

/// Programs get what we got, as under Apache.
#[cfg(not(target_os = "linux"))]
pub fn close_on_exec() {}

/// A child process that nobody else reaps.
#[derive(Debug)]
pub struct Child(Pid);

impl Child {
    /// Its process number, which is that of its group too.
    pub fn id(&self) -> Pid {
        self.0
    }

    /// Its wait status, if it has ended; it is reaped then.
    ///
    /// # Errors
    /// It is no child of ours, or was reaped already.
    pub fn try_wait(&mut self) -> io::Result<Option<i32>> {
        match waitpid(self.0, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, code) => Ok(Some(code << 8)),
            WaitStatus::Signaled(_, signal, core) => Ok(Some(signal as i32 | if core { 0x80 } else { 0 })),
            _ => Ok(None),
        }
    }
}

/// The words that execve(2) wants, each ended by a NUL byte.
struct Words {
    /// Program, directory, arguments, null, environment, null.
    pointers: Vec<*const c_char>,
    /// Where the environment begins among the pointers.
    environment: usize,
    /// What the pointers point into.
    _bytes: Vec<u8>,
}

// SAFETY: the pointers lead to the bytes that stand beside them, which nobody changes.
#[allow(unsafe_code)]
unsafe impl Send for Words {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Words {}

impl Words {
    fn new(cgi: &Cgi) -> io::Result<Words> {
        let mut bytes = Vec::with_capacity(4096);
        let mut starts = Vec::with_capacity(cgi.argv.len() + cgi.env.len() + 4);
        let mut word = |parts: &[&[u8]]| {
            starts.push(Some(bytes.len()));
            for part in parts {
                if part.contains(&0) {
                    return Err(io::Error::from(io::ErrorKind::InvalidInput));
                }
                bytes.extend_from_slice(part);
            }
            bytes.push(0);
            Ok(())
        };
        word(&[&cgi.program])?;
        word(&[&cgi.cwd])?;
        cgi.argv.iter().try_for_each(|argument| word(&[argument]))?;
        cgi.env.iter().try_for_each(|(name, value)| word(&[name, b"=", value]))?;
        let environment = 2 + cgi.argv.len() + 1;
        starts.insert(environment - 1, None);
        starts.push(None);
        let pointer =
            |start: Option<usize>| start.map_or(ptr::null(), |start| bytes[start..].as_ptr().cast());
        let pointers = starts.into_iter().map(pointer).collect();
        Ok(Words { pointers, environment, _bytes: bytes })
    }

    fn program(&self) -> *const c_char {
        self.pointers[0]
    }

    #[cfg(target_os = "linux")]
    fn cwd(&self) -> *const c_char {
        self.pointers[1]
    }

    fn argv(&self) -> *const *const c_char {
        self.pointers[2..].as_ptr()
    }

    fn envp(&self) -> *const *const c_char {
        self.pointers[self.environment..].as_ptr()
    }
}

/// Resources and what they are limited to.
type Limits = [Option<(Resource, libc::rlimit)>; 3];

/// RLimitCPU, RLimitMEM and RLimitNPROC, none higher than what the server itself may have.
fn limits(cgi: &Cgi) -> io::Result<Limits> {
    let resources = [Resource::RLIMIT_CPU, Resource::RLIMIT_AS, Resource::RLIMIT_NPROC];
    let mut limits = [None; 3];
    for ((limit, resource), said) in limits.iter_mut().zip(resources).zip(&cgi.limits) {
        if let Some(said) = said {
            let (_, most) = getrlimit(resource)?;
            let hard = said.hard.map_or(most, |hard| hard.unwrap_or(most)).min(most);
            let soft = said.soft.unwrap_or(hard).min(hard);
            *limit = Some((resource, libc::rlimit { rlim_cur: soft, rlim_max: hard }));
        }
    }
    Ok(limits)
}

//! The end of a child process as an event in the loop (Linux). Where there is no pidfd_open(2)
//! the worker asks waitpid(2) again every few milliseconds until the child has ended.

use mio::{Interest, Registry, Token, unix::SourceFd};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

/// Becomes readable when the process ends.
#[derive(Debug)]
pub struct ExitWatch {
    fd: OwnedFd,
}

impl From<OwnedFd> for ExitWatch {
    /// Of a pidfd that clone(2) gave.
    fn from(fd: OwnedFd) -> ExitWatch {
        ExitWatch { fd }
    }
}

impl ExitWatch {
    /// For a child of this process that was not reaped yet.
    #[cfg(all(target_os = "linux", test))]
    #[allow(unsafe_code)]
    pub fn new(pid: u32) -> io::Result<ExitWatch> {
        use nix::libc;
        use std::os::fd::FromRawFd;
        // SAFETY: pidfd_open takes two integers and touches no memory of ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid), 0 as libc::c_long) };
        match i32::try_from(fd) {
            // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
            Ok(fd) if fd >= 0 => Ok(ExitWatch { fd: unsafe { OwnedFd::from_raw_fd(fd) } }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// There is no such thing here.
    #[cfg(not(target_os = "linux"))]
    pub fn new(_pid: u32) -> io::Result<ExitWatch> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Puts it into a poll.
    pub fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut SourceFd(&self.fd.as_raw_fd()), token, Interest::READABLE)
    }
}

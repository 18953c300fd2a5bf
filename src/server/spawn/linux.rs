//! Starting a program without a copy of our page tables, and knowing which step failed (Linux).
//!
//! clone(2) with CLONE_VM and CLONE_VFORK, as posix_spawn(3) does it, so that it costs the same
//! however much memory the server has. Beyond posix_spawn this sets resource limits, keeps one
//! stack for all programs of a worker, gets the pidfd with the process, and has the child itself
//! say what failed.

use super::{super::pidfd::ExitWatch, Child, Failure, Limits, Started, Words, limits};
use crate::engine::Cgi;
use nix::{
    fcntl::OFlag,
    libc::{self, c_char, c_int, c_void},
    sys::wait::waitpid,
    unistd::{Pid, pipe2},
};
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// Bytes of the stack that children use until they are other programs; they need a few hundred.
const STACK: usize = 32 * 1024;

/// What a worker starts programs with.
#[derive(Debug)]
pub struct Spawner {
    /// Where children run until they are other programs. One at a time, since the parent waits.
    stack: Vec<u8>,
    /// A pipe that nobody writes to: what programs without a body read.
    empty: OwnedFd,
}

impl Spawner {
    /// For one worker.
    ///
    /// # Errors
    /// No pipe can be had.
    pub fn new() -> io::Result<Spawner> {
        let (empty, _) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Spawner { stack: vec![0; STACK], empty })
    }

    /// Starts a program in a process group of its own. Without `input`, its standard input is at
    /// its end already.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn start(&mut self, cgi: &Cgi, input: bool) -> Result<Started, Failure> {
        let fork = |error: nix::Error| ("fork", io::Error::from(error));
        let pair = || pipe2(OFlag::O_CLOEXEC).map_err(fork);
        let words = Words::new(cgi).map_err(|error| ("exec", error))?;
        let (stdin_of_child, stdin) = match input {
            true => pair().map(|(reads, writes)| (Some(reads), Some(writes)))?,
            false => (None, None),
        };
        let (stdout, stdout_of_child) = pair()?;
        let (stderr, stderr_of_child) = pair()?;
        let mut plan = Plan {
            program: words.program(),
            argv: words.argv(),
            envp: words.envp(),
            cwd: words.cwd(),
            streams: [
                stdin_of_child.as_ref().unwrap_or(&self.empty).as_raw_fd(),
                stdout_of_child.as_raw_fd(),
                stderr_of_child.as_raw_fd(),
            ],
            limits: limits(cgi).map_err(|error| ("setrlimit", error))?,
            failure: None,
        };
        let (pid, watch) = clone(&mut self.stack, &mut plan).map_err(|error| ("fork", error))?;
        let Some((step, errno)) = plan.failure else {
            log::debug!("program {pid} is {}", cgi.program);
            return Ok(Started { child: Child(pid), watch, stdin, stdout, stderr });
        };
        // It ends this very moment, and there is nobody else to reap it.
        let _ = waitpid(pid, None);
        Err((step, io::Error::from_raw_os_error(errno)))
    }
}

/// What the child does, and how far it came.
struct Plan {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    streams: [RawFd; 3],
    limits: Limits,
    failure: Option<(&'static str, c_int)>,
}

/// Runs the plan in a child that borrows our memory, and waits until it is another program or has
/// failed; then the plan says how.
#[allow(unsafe_code)]
fn clone(stack: &mut [u8], plan: &mut Plan) -> io::Result<(Pid, Option<ExitWatch>)> {
    let top = stack.as_mut_ptr_range().end;
    // The calling conventions want 16 bytes.
    let top = top.wrapping_sub(top as usize % 16);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: c_int = -1;
    let argument: *mut c_void = ptr::from_mut(plan).cast();
    // SAFETY: the stack is ours and larger than what `child` needs; it and the plan outlive the
    // child's use of them, since CLONE_VFORK holds this thread until the child has left both.
    let pid = unsafe { libc::clone(child, top.cast(), flags, argument, &raw mut pidfd) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel made this descriptor for us, and nobody else has it.
    let watch = (pidfd >= 0).then(|| ExitWatch::from(unsafe { OwnedFd::from_raw_fd(pidfd) }));
    Ok((Pid::from_raw(pid), watch))
}

/// The child. It shares our memory, so it neither allocates nor locks nor panics; it makes system
/// calls and leaves by execve(2) or `_exit`.
#[allow(unsafe_code)]
extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `clone` hands in a plan, and its own thread stands still meanwhile.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    let step = attempt(plan);
    // SAFETY: reads this thread's own errno.
    plan.failure = Some((step, unsafe { *libc::__errno_location() }));
    // SAFETY: ends the child without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

/// Becomes the program; returns only if a step fails, with its name.
#[allow(unsafe_code)]
fn attempt(plan: &Plan) -> &'static str {
    // SAFETY: each call gets integers, or pointers into the plan, whose strings and arrays end as
    // execve(2) wants them. None of them touches memory of the parent but errno.
    unsafe {
        libc::setpgid(0, 0);
        for (resource, limit) in plan.limits.iter().flatten() {
            if libc::setrlimit(*resource as _, limit) != 0 {
                return "setrlimit";
            }
        }
        for (target, stream) in (0..).zip(plan.streams) {
            if libc::dup2(stream, target) < 0 {
                return "fork";
            }
        }
        if libc::chdir(plan.cwd) != 0 {
            return "chdir";
        }
        // The server ignores SIGPIPE and blocks what it waits for; its handlers do nothing, and
        // execve(2) takes them away.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        libc::execve(plan.program, plan.argv, plan.envp);
    }
    "exec"
}

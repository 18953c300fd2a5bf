//! Signals as values: SIGTERM and SIGINT stop, SIGWINCH stops gracefully, SIGHUP restarts, SIGUSR1
//! restarts gracefully.
//!
//! They are blocked in every thread and taken by one that does nothing else, so no code runs in a
//! signal handler. Programs that the server starts get an empty mask from the standard library.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::{io, thread};

/// What the server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End at once; the name of the signal.
    Stop(&'static str),
    /// End when all answers are given.
    GracefulStop,
    /// Read the configuration again and drop all connections.
    Restart,
    /// Read the configuration again and let all answers be finished.
    GracefulRestart,
}

const TAKEN: [Signal; 5] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGWINCH];

/// Blocks the signals in this thread and all that it starts afterwards. To be called before any
/// other thread is there.
pub fn block() -> io::Result<()> {
    set().thread_block().map_err(io::Error::from)?;
    TAKEN.into_iter().try_for_each(unignore).map_err(io::Error::from)
}

/// Starts the thread that takes them.
pub fn listen(mut tell: impl FnMut(Order) -> bool + Send + 'static) -> io::Result<()> {
    let wait = move || {
        while let Some(signal) = wait() {
            let order = match signal {
                Signal::SIGTERM => Order::Stop("SIGTERM"),
                Signal::SIGINT => Order::Stop("SIGINT"),
                Signal::SIGHUP => Order::Restart,
                Signal::SIGUSR1 => Order::GracefulRestart,
                Signal::SIGWINCH => Order::GracefulStop,
                _ => continue,
            };
            if !tell(order) {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

fn set() -> SigSet {
    TAKEN.into_iter().collect()
}

/// A signal that is ignored never arrives, blocked or not; shells start background jobs with
/// SIGINT ignored, and SIGWINCH is ignored by default.
#[allow(unsafe_code)]
fn unignore(signal: Signal) -> nix::Result<()> {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// The next signal that someone sent. SIGWINCH from the kernel is a terminal that changed its
/// size, and nobody's wish to stop the server.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn wait() -> Option<Signal> {
    use nix::libc;
    let set = set();
    loop {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: both pointers are valid for the call, which writes one siginfo_t at most.
        let number = unsafe { libc::sigwaitinfo(set.as_ref(), info.as_mut_ptr()) };
        if number < 0 {
            match nix::errno::Errno::last() {
                nix::errno::Errno::EINTR => continue,
                _ => return None,
            }
        }
        // SAFETY: it was zeroed, which is a valid siginfo_t, and then filled by the call.
        let from_kernel = unsafe { info.assume_init() }.si_code > 0;
        match Signal::try_from(number) {
            Ok(Signal::SIGWINCH) if from_kernel => {}
            Ok(signal) => return Some(signal),
            Err(_) => return None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn wait() -> Option<Signal> {
    set().wait().ok()
}

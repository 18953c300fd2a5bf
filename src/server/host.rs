//! What only system calls tell of the machine and of this process, for the command line.

use std::{fs::File, io};

/// The machine's own name, if it has one that is text.
pub fn name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// Whether this process may change its user.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Makes standard error go into a file from here on (`-E`).
pub fn redirect_stderr(file: File) -> io::Result<()> {
    nix::unistd::dup2_stderr(file).map_err(io::Error::from)
}

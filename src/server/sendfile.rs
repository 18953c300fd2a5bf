//! A range of a file to a socket without a copy through user space: sendfile(2) on Linux, reading
//! and writing elsewhere.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Most bytes for one call, so that one fast client does not hold up the others.
pub const MOST: u64 = 1 << 20;

/// Sends up to `len` bytes from `at`; how many were sent. 0: the file is shorter than that.
#[cfg(target_os = "linux")]
pub fn sendfile(socket: &mio::net::TcpStream, file: &File, at: u64, len: u64) -> io::Result<usize> {
    let mut offset = i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
    let count = usize::try_from(len.min(MOST)).unwrap_or(usize::MAX);
    loop {
        match nix::sys::sendfile::sendfile64(socket, file, Some(&mut offset), count) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Sends up to `len` bytes from `at`; how many were sent. 0: the file is shorter than that.
#[cfg(not(target_os = "linux"))]
pub fn sendfile(socket: &mio::net::TcpStream, file: &File, at: u64, len: u64) -> io::Result<usize> {
    copy(socket, file, at, len)
}

/// The same by reading and writing, for files that sendfile(2) cannot or must not send.
pub fn copy(mut socket: &mio::net::TcpStream, file: &File, at: u64, len: u64) -> io::Result<usize> {
    let mut buffer = [0; 32 * 1024];
    let count = usize::try_from(len).unwrap_or(usize::MAX).min(buffer.len());
    let read = file.read_at(&mut buffer[..count], at)?;
    if read == 0 {
        return Ok(0);
    }
    io::Write::write(&mut socket, &buffer[..read])
}

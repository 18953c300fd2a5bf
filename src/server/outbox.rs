//! What is still to be written to a client: pieces in order, written with as few calls as may be.

use super::sendfile;
use crate::{engine::exchange::Piece, system::Opened};
use mio::net::TcpStream;
use socket2::SockRef;
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IoSlice},
    os::unix::fs::FileExt,
};

/// Files up to this length are read and go out in one call with the head before them; for them
/// that costs less than sendfile(2).
const SMALL: u64 = 16 * 1024;

/// Most slices for one call.
const SLICES: usize = 64;

/// Most bytes in one go, so that one fast client does not hold up the others.
const GO: usize = 4 << 20;

/// Pieces in order.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is written.
    sent: usize,
    /// Something was written since this was last asked.
    moved: bool,
}

/// How far [`Outbox::flush`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is written.
    All,
    /// The socket takes no more now.
    Blocked,
    /// There is more, and the socket may take it, but others are to have their turn.
    More,
}

impl Outbox {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: Piece) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.pieces = VecDeque::new();
        self.sent = 0;
    }

    /// Whether something was written since this was last asked.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Writes as much as the socket takes. A file that ends before its range does is an error of
    /// the kind `UnexpectedEof`: the client has to see a broken connection. If nothing but the end of the
    /// connection follows (`last`), it may share a packet with what is written here.
    pub fn flush(&mut self, socket: &TcpStream, last: bool) -> io::Result<Flushed> {
        let mut gone = 0;
        while !self.pieces.is_empty() {
            self.inline_small_files()?;
            match self.write_some(socket, last) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(written) => {
                    self.advance(written);
                    self.moved = true;
                    gone += written;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Blocked),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if gone >= GO && !self.pieces.is_empty() {
                return Ok(Flushed::More);
            }
        }
        Ok(Flushed::All)
    }

    fn write_some(&mut self, socket: &TcpStream, last: bool) -> io::Result<usize> {
        match self.pieces.front() {
            Some(Piece::File { file: Opened::File(file), at, len, sendfile }) => {
                let sent = self.sent as u64;
                let (at, len) = (at.saturating_add(sent), len.saturating_sub(sent));
                send_file(socket, file, at, len, *sendfile)
            }
            _ => self.write_slices(socket, last),
        }
    }

    /// Writes all that is in memory before the next file.
    fn write_slices(&self, socket: &TcpStream, last: bool) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        let mut skip = self.sent;
        let mut more = if last { MSG_MORE } else { 0 };
        for piece in &self.pieces {
            let Some(bytes) = in_memory(piece) else {
                more = MSG_MORE;
                break;
            };
            let Some(slot) = slices.get_mut(count) else { break };
            *slot = IoSlice::new(bytes.get(skip..).unwrap_or_default());
            skip = 0;
            count += 1;
        }
        let socket = SockRef::from(socket);
        if let [bytes] = &slices[..count] {
            return socket.send_with_flags(bytes, more | nix::libc::MSG_NOSIGNAL);
        }
        socket.send_vectored_with_flags(&slices[..count], more | nix::libc::MSG_NOSIGNAL)
    }

    fn advance(&mut self, written: usize) {
        self.sent += written;
        while let Some(first) = self.pieces.front() {
            let len = usize::try_from(first.len()).unwrap_or(usize::MAX);
            if self.sent < len {
                return;
            }
            self.sent -= len;
            self.pieces.pop_front();
        }
    }

    fn inline_small_files(&mut self) -> io::Result<()> {
        for piece in self.pieces.iter_mut().take(SLICES) {
            if let Piece::File { file: Opened::File(file), at, len, .. } = piece {
                if *len > SMALL {
                    return Ok(());
                }
                let mut bytes = vec![0; usize::try_from(*len).unwrap_or(0)];
                file.read_exact_at(&mut bytes, *at)?;
                *piece = Piece::Bytes(bytes);
            }
        }
        Ok(())
    }
}

/// Tells the kernel that a file follows, or the end, so that both share packets.
#[cfg(target_os = "linux")]
const MSG_MORE: i32 = nix::libc::MSG_MORE;
#[cfg(not(target_os = "linux"))]
const MSG_MORE: i32 = 0;

fn in_memory(piece: &Piece) -> Option<&[u8]> {
    match piece {
        Piece::Bytes(bytes) => Some(bytes),
        Piece::File { file: Opened::Bytes(bytes), at, len, .. } => {
            let from = usize::try_from(*at).ok()?;
            let to = from.checked_add(usize::try_from(*len).ok()?)?;
            Some(bytes.get(from..to).unwrap_or_default())
        }
        Piece::File { .. } => None,
    }
}

fn send_file(socket: &TcpStream, file: &File, at: u64, len: u64, fast: bool) -> io::Result<usize> {
    if fast {
        match sendfile::sendfile(socket, file, at, len) {
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::EINVAL | nix::libc::ENOSYS)) => {}
            result => return result,
        }
    }
    sendfile::copy(socket, file, at, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::Shutdown,
        sync::Arc,
    };

    /// Flushes the pieces to a client that reads everything; what it read, and the last result.
    fn through(pieces: Vec<Piece>) -> (Vec<u8>, io::Result<()>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            client.read_to_end(&mut all).unwrap();
            all
        });
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = TcpStream::from_std(socket);
        let mut outbox = Outbox::default();
        pieces.into_iter().for_each(|piece| outbox.push(piece));
        let result = loop {
            match outbox.flush(&socket, false) {
                Ok(Flushed::All) => break Ok(()),
                Ok(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
                Err(error) => break Err(error),
            }
        };
        socket.shutdown(Shutdown::Write).unwrap();
        (reader.join().unwrap(), result)
    }

    fn file(content: &[u8]) -> Opened {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Opened::File(Arc::new(file))
    }

    fn range(file: Opened, at: u64, len: u64, sendfile: bool) -> Piece {
        Piece::File { file, at, len, sendfile }
    }

    #[test]
    fn pieces_arrive_in_order_and_whole() {
        let big: Vec<u8> = (0..9_000_000u32).map(|n| (n % 251) as u8).collect();
        for sendfile in [true, false] {
            let pieces = vec![
                Piece::Bytes(b"head".to_vec()),
                range(file(&big), 5, 8_000_000, sendfile),
                Piece::Bytes(Vec::new()),
                range(file(b"0123456789"), 2, 3, sendfile),
                range(Opened::Bytes(Arc::from(&b"abcdef"[..])), 1, 2, sendfile),
                Piece::Bytes(b"tail".to_vec()),
            ];
            let (read, result) = through(pieces);
            result.unwrap();
            assert!(read == [b"head", &big[5..8_000_005], b"234bctail"].concat(), "sendfile {sendfile}");
        }
    }

    #[test]
    fn more_pieces_than_fit_in_one_call() {
        let pieces = (0..200).map(|n| Piece::Bytes(format!("{n} ").into_bytes())).collect();
        let (read, result) = through(pieces);
        result.unwrap();
        assert_eq!(read, (0..200).map(|n| format!("{n} ")).collect::<String>().into_bytes());
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        for len in [20, 100_000] {
            let (_, result) = through(vec![range(file(b"short"), 0, len, true)]);
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}

//! What takes too long for an event loop, done by a few threads of their own: names and addresses,
//! since the resolver of the C library blocks, and passwords, whose hashes are slow on purpose.

use super::{slab::Key, worker::Post};
use crate::engine::{Found, Pending};
use bstr::{BString, ByteSlice};
use std::{
    collections::VecDeque,
    net::{IpAddr, ToSocketAddrs},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Most threads that are at work at a time.
const THREADS: usize = 4;

#[derive(Debug)]
struct Question {
    asked: Pending,
    connection: Key,
    reply: Post,
}

#[derive(Debug, Default)]
struct Queue {
    questions: VecDeque<Question>,
    threads: usize,
    idle: usize,
    over: bool,
}

/// The pool. No thread is started before the first question.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Resolver {
    /// Asks; the answer is posted to the worker for this connection.
    pub fn ask(&self, asked: Pending, connection: Key, reply: Post) {
        let mut queue = self.lock();
        queue.questions.push_back(Question { asked, connection, reply });
        if queue.idle < queue.questions.len() && queue.threads < THREADS {
            let resolver = self.clone();
            let started = thread::Builder::new().name("resolver".to_owned()).spawn(move || resolver.work());
            queue.threads += usize::from(started.is_ok());
        }
        self.shared.1.notify_one();
    }

    /// Lets the threads end after what they are doing now. Nobody waits for them: a name server
    /// that does not answer must not hold up a stop.
    pub fn stop(&self) {
        let mut queue = self.lock();
        queue.over = true;
        queue.questions.clear();
        self.shared.1.notify_all();
    }

    fn work(&self) {
        let mut queue = self.lock();
        while !queue.over {
            match queue.questions.pop_front() {
                Some(question) => {
                    drop(queue);
                    let found = find_out(question.asked);
                    question.reply.found(question.connection, found);
                    queue = self.lock();
                }
                None => {
                    queue.idle += 1;
                    queue = self.shared.1.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find_out(asked: Pending) -> Found {
    match asked {
        Pending::NameOf(address) => Found::Name(address, name_of(address)),
        Pending::AddressesOf(name) => {
            let addresses = addresses_of(&name);
            Found::Addresses(name, addresses)
        }
        Pending::Password(check) => {
            let holds = check.holds();
            Found::Password(check, holds)
        }
    }
}

/// getaddrinfo(3), without repetitions.
fn addresses_of(name: &[u8]) -> Vec<IpAddr> {
    let Ok(name) = name.to_str() else { return Vec::new() };
    let found = (name, 0).to_socket_addrs().into_iter().flatten();
    let mut addresses: Vec<IpAddr> = Vec::new();
    found.map(|address| address.ip()).for_each(|ip| {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    });
    addresses
}

/// getnameinfo(3) with NI_NAMEREQD: no digits instead of a name.
#[allow(unsafe_code)]
fn name_of(address: IpAddr) -> Option<BString> {
    use nix::libc;
    let address = socket2::SockAddr::from(std::net::SocketAddr::new(address, 0));
    let mut name = [0u8; 1025];
    // SAFETY: the address is valid for the length given with it, and the buffer is writable for
    // the length given with it; both outlive the call, which keeps neither.
    let failed = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            name.as_mut_ptr().cast(),
            name.len() as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    let end = name.find_byte(0)?;
    (failed == 0).then(|| name[..end].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_name() {
        // RFC 6761, section 6.3: localhost names are special.
        assert!(addresses_of(b"localhost").iter().all(IpAddr::is_loopback));
        assert!(!addresses_of(b"localhost").is_empty());
        assert_eq!(name_of("127.0.0.1".parse().unwrap()), Some("localhost".into()));
    }

    #[test]
    fn what_has_no_name_has_none() {
        // RFC 6761, section 6.4: invalid names never resolve.
        assert_eq!(addresses_of(b"no.such.name.invalid"), Vec::<IpAddr>::new());
        assert_eq!(addresses_of(b"\xff"), Vec::<IpAddr>::new());
    }
}

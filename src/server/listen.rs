//! From `Listen` to sockets.

use super::StartError;
use crate::policy::{
    SaidExt,
    process::{Listen, Process},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// `ListenBackLog` where nothing is said.
const BACKLOG: u32 = 511;

/// A listening socket; every worker registers a duplicate of its own.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What was asked for.
    pub asked: SocketAddr,
    /// What it is bound to: the port is never 0.
    pub bound: SocketAddr,
    /// Whether a connection that is accepted has sent something already, as a rule.
    pub waits_for_data: bool,
    socket: Arc<Socket>,
}

impl Listener {
    /// A duplicate for one worker's poll.
    pub fn duplicate(&self) -> io::Result<mio::net::TcpListener> {
        Ok(mio::net::TcpListener::from_std(self.socket.try_clone()?.into()))
    }
}

impl Listener {
    /// Has the system keep connections to itself until they have sent something, as Apache has it do.
    fn filtered(self, waits_for_data: bool) -> Listener {
        let set = defer_accept(&self.socket, if waits_for_data { DEFERRED } else { 0 });
        Listener { waits_for_data: waits_for_data && set.is_ok(), ..self }
    }
}

/// Seconds after which the system gives up to wait and hands the connection out: Apache's number.
const DEFERRED: i32 = 30;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn defer_accept(socket: &Socket, seconds: i32) -> io::Result<()> {
    use nix::libc;
    use std::os::fd::AsRawFd;
    let length = libc::socklen_t::try_from(size_of_val(&seconds)).unwrap_or(0);
    let value = (&raw const seconds).cast();
    // SAFETY: the descriptor is open as long as the socket lives, and the value is an int of that length.
    match unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, value, length)
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// There is no such thing here.
#[cfg(not(target_os = "linux"))]
fn defer_accept(_socket: &Socket, _seconds: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens all sockets that `Listen` asks for. Those of `kept` that are asked for again are taken
/// over as they are, so that a reload loses no connection that waits in their queue.
///
/// As in Apache the first socket that cannot be opened is fatal.
pub fn open(process: &Process, kept: &[Listener]) -> Result<Vec<Listener>, StartError> {
    let mut error = StartError::default();
    let mut listeners = Vec::with_capacity(process.listen.len());
    for asked in process.listen.iter().map(|setting| &setting.value) {
        // Two that ask for any free port are two.
        let known = |known: &&Listener| !listeners.iter().any(|taken: &Listener| taken.bound == known.bound);
        let kept: Vec<&Listener> = kept.iter().filter(known).collect();
        match open_one(asked, process, &kept) {
            Ok(listener) => listeners.push(listener),
            Err(failures) => {
                error.lines.extend(failures.iter().map(|(address, os)| make_sock_line(*address, os)));
                listeners.clear();
                break;
            }
        }
    }
    if listeners.is_empty() {
        error.lines.push("no listening sockets available, shutting down".to_owned());
        error.lines.push("AH00015: Unable to open logs".to_owned());
        return Err(error);
    }
    Ok(listeners)
}

/// One socket; for a bare port, IPv4 alone if the system has no IPv6.
fn open_one(
    asked: &Listen,
    process: &Process,
    kept: &[&Listener],
) -> Result<Listener, Vec<(SocketAddr, io::Error)>> {
    let mut failures = Vec::new();
    for address in candidates(asked) {
        if let Some(known) = kept.iter().find(|known| known.asked == address) {
            return Ok(Listener::clone(known).filtered(process.waits_for_data(asked)));
        }
        match bind(address, process) {
            Ok(listener) => return Ok(listener.filtered(process.waits_for_data(asked))),
            Err(error) => failures.push((address, error)),
        }
    }
    Err(failures)
}

fn candidates(asked: &Listen) -> Vec<SocketAddr> {
    let port = asked.address.port();
    let any4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let any6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    if asked.host.is_empty() && asked.address.ip().is_unspecified() {
        return vec![any6, any4];
    }
    vec![asked.address]
}

fn bind(address: SocketAddr, process: &Process) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        let also4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
        let separate = process
            .listen
            .iter()
            .any(|other| other.value.address == also4 && !other.value.host.is_empty() && address.port() != 0);
        socket.set_only_v6(separate)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(&size) = process.send_buffer_size.value().filter(|size| **size > 0) {
        socket.set_send_buffer_size(size as usize)?;
    }
    if let Some(&size) = process.receive_buffer_size.value().filter(|size| **size > 0) {
        socket.set_recv_buffer_size(size as usize)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let backlog = process.backlog.value_or(BACKLOG).clamp(1, i32::MAX as u32);
    socket.listen(backlog as i32)?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Listener { asked: address, bound, waits_for_data: false, socket: Arc::new(socket) })
}

fn make_sock_line(address: SocketAddr, error: &io::Error) -> String {
    format!("{}: AH00072: make_sock: could not bind to address {address}", super::os_error(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diag::Span, policy::Setting};

    fn process(listens: &[(&str, &str)]) -> Process {
        let listen = |&(address, host): &(&str, &str)| {
            let address = address.parse().unwrap();
            Setting::new(Listen { address, protocol: None, host: host.to_owned() }, Span::BUILTIN)
        };
        Process { listen: listens.iter().map(listen).collect(), ..Process::default() }
    }

    #[test]
    fn no_listen_is_apaches_error() {
        let error = open(&process(&[]), &[]).unwrap_err();
        assert_eq!(
            error.lines,
            ["no listening sockets available, shutting down", "AH00015: Unable to open logs"]
        );
    }

    /// Whether a client that says nothing is handed out, and one that has said something is.
    #[track_caller]
    fn check_filter(filters: &[(&str, bool)], expected: [bool; 2]) {
        let filters = filters.iter().map(|&(protocol, waits)| (protocol.into(), waits)).collect();
        let process = Process { accept_filters: filters, ..process(&[("127.0.0.1:0", "127.0.0.1")]) };
        let listener = open(&process, &[]).unwrap().remove(0);
        let accepting = listener.duplicate().unwrap();
        let mut client = std::net::TcpStream::connect(listener.bound).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let silent = accepting.accept().is_ok();
        io::Write::write_all(&mut client, b"GET").unwrap();
        let accepted = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            accepting.accept().is_ok()
        });
        assert_eq!([silent, silent || accepted], expected);
    }

    // The manual, AcceptFilter.
    #[test]
    #[cfg(target_os = "linux")]
    fn connections_without_data_are_left_to_the_system() {
        check_filter(&[], [false, true]);
        check_filter(&[("http", false)], [true, true]);
        check_filter(&[("HTTP", false), ("http", true)], [false, true]);
        check_filter(&[("https", false)], [false, true]);
    }

    #[test]
    fn an_address_in_use_is_apaches_error() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error =
            open(&process(&[("127.0.0.1:0", "127.0.0.1"), (&address, "127.0.0.1")]), &[]).unwrap_err();
        let first =
            format!("(98)Address already in use: AH00072: make_sock: could not bind to address {address}");
        assert_eq!(error.lines[0], first);
        assert_eq!(error.lines.len(), 3);
    }

    #[test]
    fn port_0_is_an_extension_and_the_port_is_told() {
        let listeners = open(&process(&[("127.0.0.1:0", "127.0.0.1")]), &[]).unwrap();
        assert_ne!(listeners[0].bound.port(), 0);
        std::net::TcpStream::connect(listeners[0].bound).unwrap();
    }

    #[test]
    fn a_socket_that_stays_is_the_same_socket() {
        let process = process(&[("127.0.0.1:0", "127.0.0.1")]);
        let before = open(&process, &[]).unwrap();
        let after = open(&process, &before).unwrap();
        assert!(Arc::ptr_eq(&before[0].socket, &after[0].socket));
    }

    #[test]
    fn a_socket_that_is_not_asked_for_any_more_is_closed() {
        let before = open(&process(&[("127.0.0.1:0", "127.0.0.1")]), &[]).unwrap();
        let gone = before[0].bound;
        let after = open(&process(&[("127.0.0.2:0", "127.0.0.2")]), &before).unwrap();
        drop(before);
        std::net::TcpStream::connect(after[0].bound).unwrap();
        assert!(std::net::TcpStream::connect(gone).is_err());
    }

    #[test]
    fn two_free_ports_stay_two() {
        let process = process(&[("127.0.0.1:0", "127.0.0.1"), ("127.0.0.1:0", "127.0.0.1")]);
        let ports = |listeners: &[Listener]| listeners.iter().map(|one| one.bound.port()).collect::<Vec<_>>();
        let before = open(&process, &[]).unwrap();
        assert_ne!(ports(&before)[0], ports(&before)[1]);
        assert_eq!(ports(&open(&process, &before).unwrap()), ports(&before));
    }

    #[test]
    fn a_bare_port_takes_ipv4_too() {
        let listeners = open(&process(&[("[::]:0", "")]), &[]).unwrap();
        let port = listeners[0].bound.port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}

//! Addresses as `<VirtualHost>` and `Listen` write them.

use crate::policy::server::{Named, VhostAddress};
use bstr::{BString, ByteSlice};
use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs},
};

/// Why an address is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It cannot be one, or its port is out of range.
    Invalid,
    /// A name without an address; why, as APR prints it.
    Unknown(&'static str),
}

/// `host:port` cut in two, as APR's `apr_parse_addr_port` does: no port at all, a port, or only
/// digits, which are a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// Name or address without brackets; `None` for a bare port.
    pub host: Option<&'a [u8]>,
    /// The digits behind the colon, which may be out of range.
    pub port: Option<u64>,
}

/// Cuts `host:port`.
///
/// # Errors
/// A `[` without its `]`, or an empty host before the colon.
pub fn cut(text: &[u8]) -> Result<HostPort<'_>, Bad> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, tail) = text.split_at(text.len() - digits);
    let number =
        || tail.iter().fold(0u64, |sum, b| sum.saturating_mul(10).saturating_add(u64::from(b - b'0')));
    let (host, port) = match head {
        [] if digits > 0 => return Ok(HostPort { host: None, port: Some(number()) }),
        [before @ .., b':'] if digits > 0 => (before, Some(number())),
        _ => (text, None),
    };
    match host {
        [] => Err(Bad::Invalid),
        [b'[', inner @ .., b']'] => Ok(HostPort { host: Some(inner), port }),
        [b'[', ..] => Err(Bad::Invalid),
        _ => Ok(HostPort { host: Some(host), port }),
    }
}

/// The addresses of a host name or a numeric address.
///
/// # Errors
/// The name has none.
pub fn resolve(host: &[u8]) -> Result<Vec<IpAddr>, Bad> {
    let host = host.to_str().map_err(|_| Bad::Unknown(NO_NAME))?;
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let found = (host, 0u16).to_socket_addrs().map_err(|error| Bad::Unknown(reason(&error)))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// EAI_NONAME.
const NO_NAME: &str = "(EAI 2)Name or service not known";

/// The number of getaddrinfo(3), which the error has only in words.
fn reason(error: &io::Error) -> &'static str {
    let text = error.to_string();
    let known = [
        NO_NAME,
        "(EAI 3)Temporary failure in name resolution",
        "(EAI 5)No address associated with hostname",
    ];
    let has = |known: &&&str| text.ends_with(known.trim_start_matches(|c| c != ')').trim_start_matches(')'));
    known.iter().find(has).unwrap_or(&NO_NAME)
}

/// The addresses of one word of `<VirtualHost>`.
///
/// # Errors
/// See [`Bad`]; an unknown name makes Apache leave the word out.
pub fn virtual_host(text: &[u8]) -> Result<Vec<Named>, Bad> {
    let (text, any_port) = match text {
        [host @ .., b':', b'*'] => (host, true),
        _ => (text, false),
    };
    let HostPort { host, port } =
        if any_port { HostPort { host: Some(text), port: None } } else { cut(text)? };
    let port = match port {
        None => None,
        Some(port) => Some(u16::try_from(port).ok().filter(|port| *port > 0).ok_or(Bad::Invalid)?),
    };
    let host = host.unwrap_or(b"*");
    let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    let name = BString::from(host.to_ascii_lowercase());
    let named = |ip: Option<IpAddr>| Named { address: VhostAddress { ip, port }, host: name.clone() };
    if host == b"*" || host.eq_ignore_ascii_case(b"_default_") {
        return Ok(vec![named(None)]);
    }
    let known = |ip: IpAddr| if ip.is_unspecified() { None } else { Some(ip.to_canonical()) };
    Ok(resolve(host)?.into_iter().map(|ip| named(known(ip))).collect())
}

/// Why a `Listen` cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadListen {
    /// No port.
    NoPort,
    /// No address, or a port out of range.
    Invalid,
    /// A name without an address.
    Unknown,
}

/// The addresses of one `Listen`, with the host as written. Port 0, which Apache refuses, asks the
/// system for a free port; it needs an address in front.
///
/// # Errors
/// See [`BadListen`].
pub fn listen(text: &[u8]) -> Result<(Vec<SocketAddr>, String), BadListen> {
    let HostPort { host, port } = cut(text).map_err(|_| BadListen::Invalid)?;
    let port = port.ok_or(BadListen::NoPort)?;
    let least = u64::from(host.is_none());
    let port = u16::try_from(port).ok().filter(|&p| u64::from(p) >= least).ok_or(BadListen::Invalid)?;
    let wildcard = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match host {
        None | Some(b"*") => Ok((vec![SocketAddr::new(wildcard, port)], String::new())),
        Some(host) => {
            let found = resolve(host).map_err(|_| BadListen::Unknown)?;
            let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
            Ok((addresses, host.to_str_lossy().into_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn listens(text: &str, expected: Result<&str, BadListen>) {
        let found = listen(text.as_bytes()).map(|(addresses, _)| addresses[0].to_string());
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn a_bare_port_is_every_address() {
        listens("80", Ok("[::]:80"));
        listens("*:80", Ok("[::]:80"));
    }

    #[test]
    fn addresses_of_both_families() {
        listens("127.0.0.1:8080", Ok("127.0.0.1:8080"));
        listens("[::1]:80", Ok("[::1]:80"));
        listens("::1:80", Ok("[::1]:80"));
    }

    #[test]
    fn what_apache_refuses() {
        listens("0", Err(BadListen::Invalid));
        listens("65536", Err(BadListen::Invalid));
        listens("127.0.0.1", Err(BadListen::NoPort));
        listens("abc", Err(BadListen::NoPort));
        listens("80x", Err(BadListen::NoPort));
        listens("-5", Err(BadListen::NoPort));
        listens(":80", Err(BadListen::Invalid));
        listens("[::1", Err(BadListen::Invalid));
    }

    #[test]
    fn port_zero_asks_for_a_free_one() {
        listens("127.0.0.1:0", Ok("127.0.0.1:0"));
    }

    #[track_caller]
    fn hosts(text: &str, expected: Result<(Option<&str>, Option<u16>), Bad>) {
        let found = virtual_host(text.as_bytes()).map(|found| (found[0].address.ip, found[0].address.port));
        let expected = expected.map(|(ip, port)| (ip.map(|ip| ip.parse().expect("an address")), port));
        assert_eq!(found, expected);
    }

    #[test]
    fn virtual_host_addresses() {
        hosts("*", Ok((None, None)));
        hosts("*:80", Ok((None, Some(80))));
        hosts("_default_:90", Ok((None, Some(90))));
        hosts("*:*", Ok((None, None)));
        hosts("0.0.0.0:80", Ok((None, Some(80))));
        hosts("[::]:80", Ok((None, Some(80))));
        hosts("1.2.3.4:*", Ok((Some("1.2.3.4"), None)));
        hosts("[::1]:5", Ok((Some("::1"), Some(5))));
        hosts("*:99999", Err(Bad::Invalid));
        hosts("127.0.0.1:0", Err(Bad::Invalid));
        hosts("[::1", Err(Bad::Invalid));
    }
}

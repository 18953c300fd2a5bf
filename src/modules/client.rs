//! What mod_authz_host and mod_access_compat both ask about a client: networks and host names as
//! configurations write them, and the name that the client's address has.

use crate::{
    engine::{Cx, Pending},
    policy::expr::subnet::Subnet,
};
use bstr::{BString, ByteSlice};
use std::net::IpAddr;

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSubnet {
    /// It does not look like an address at all; it may be a host name.
    NotAnAddress,
    /// It looks like an address and is none.
    Address,
    /// The part behind the slash is no mask for it.
    Mask,
}

impl NoSubnet {
    /// The words of the C library's apr_strerror, which Apache prints.
    pub fn message(self) -> &'static str {
        match self {
            NoSubnet::NotAnAddress => "An IP address was expected",
            NoSubnet::Address => "The specified IP address is invalid.",
            NoSubnet::Mask => "The specified network mask is invalid.",
        }
    }
}

/// Reads `10.1.2.3`, `10.1`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fe80::/10` (apr_ipsubnet_create).
///
/// # Errors
/// It is none, and Apache has different words for the reasons.
pub fn subnet(text: &[u8]) -> Result<Subnet, NoSubnet> {
    if let Some(subnet) = Subnet::parse(text) {
        return Ok(subnet);
    }
    let (address, mask) = match text.split_once_str("/") {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    if !looks_like_ip(address) {
        return Err(NoSubnet::NotAnAddress);
    }
    let known = address.to_str().is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    Err(if known && mask.is_some() { NoSubnet::Mask } else { NoSubnet::Address })
}

fn looks_like_ip(text: &[u8]) -> bool {
    let v4 = text.iter().all(|&byte| byte == b'.' || byte.is_ascii_digit());
    !text.is_empty() && (v4 || text.contains(&b':'))
}

/// The client's address; an IPv4 one in IPv6 clothes is IPv4.
pub fn address(cx: &Cx<'_>) -> IpAddr {
    cx.req.conn.client.ip().to_canonical()
}

/// The name of the client's address, if that name has the address in turn (HostnameLookups Double).
///
/// # Errors
/// The look-up that is needed first.
pub fn host_name(cx: &Cx<'_>) -> Result<Option<BString>, Pending> {
    cx.once();
    let client = address(cx);
    let name = match cx.req.conn.lookups.borrow().names.get(&client) {
        None => return Err(Pending::NameOf(client)),
        Some(None) => return Ok(None),
        Some(Some(name)) => name.clone(),
    };
    let known = addresses(cx, &name)?;
    Ok(known.iter().any(|found| found.to_canonical() == client).then_some(name))
}

/// The addresses of a name.
///
/// # Errors
/// The look-up that is needed first.
pub fn addresses(cx: &Cx<'_>, name: &[u8]) -> Result<Vec<IpAddr>, Pending> {
    cx.once();
    let name = BString::from(name);
    let lookups = cx.req.conn.lookups.borrow();
    lookups.addresses.get(&name).cloned().ok_or(Pending::AddressesOf(name))
}

/// Whether a host is `domain` or lies in it, by whole parts of the name and without regard to case.
pub fn in_domain(domain: &[u8], host: &[u8]) -> bool {
    let Some(before) = host.len().checked_sub(domain.len()) else { return false };
    let (front, end) = host.split_at(before);
    let whole = front.is_empty() || domain.starts_with(b".") || front.ends_with(b".");
    whole && end.eq_ignore_ascii_case(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: NoSubnet) {
        assert_eq!(subnet(text.as_bytes()), Err(expected));
    }

    #[test]
    fn what_does_not_look_like_an_address() {
        for text in ["", "foo", "foo/8", "/8", "10-11", "a/b/c", "10 11", "#x", "%{REMOTE_ADDR}"] {
            refused(text, NoSubnet::NotAnAddress);
        }
    }

    #[test]
    fn what_looks_like_an_address() {
        for text in ["256.1.1.1", "1.2.3.4.5", "10/8", "10.1/16", "fe80::%lo", "1.2.3.4:80", "[::1]", ":80"] {
            refused(text, NoSubnet::Address);
        }
        refused("::ffff:127.0.0.1", NoSubnet::Address);
    }

    #[test]
    fn masks() {
        for text in ["10.0.0.0/33", "10.0.0.0/0", "::1/129", "::/0", "10.0.0.0/255.0.0", "1.2.3.4/"] {
            refused(text, NoSubnet::Mask);
        }
        assert!(subnet(b"10.0.0.0/08").is_ok());
    }

    #[track_caller]
    fn domain(domain: &str, host: &str, expected: bool) {
        assert_eq!(in_domain(domain.as_bytes(), host.as_bytes()), expected);
    }

    // Examples of the manual, `Require host`.
    #[test]
    fn domains_are_taken_by_whole_parts() {
        domain("example.org", "www.example.org", true);
        domain("example.org", "example.org", true);
        domain("example.org", "fooexample.org", false);
        domain(".net", "a.net", true);
        domain("www.example.org", "example.org", false);
    }
}

//! An address with its mask, as `Require ip`, `-ipmatch` and `RemoteIPInternalProxy` write it
//! (apr_ipsubnet_create).

use std::net::{IpAddr, Ipv4Addr};

/// A network: IPv4 in the low 32 bits with `v4` set, or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    v4: bool,
    net: u128,
    mask: u128,
}

impl Subnet {
    /// Reads `10.1.2.3`, `10.1` (a prefix of whole octets), `10.0.0.0/8`, `10.0.0.0/255.0.0.0`,
    /// `::1`, `fe80::/10`. A mask of no bits (`/0`) is refused, as Apache does. `None` when it is
    /// none of these.
    pub fn parse(text: &[u8]) -> Option<Subnet> {
        let text = std::str::from_utf8(text).ok()?;
        let Some((address, mask)) = text.split_once('/') else {
            return Subnet::prefix(text).or_else(|| Subnet::host(text.parse().ok()?));
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let mask = if !mask.is_empty() && mask.bytes().all(|b| b.is_ascii_digit()) {
            let ones: u32 = mask.parse().ok().filter(|n| (1..=bits).contains(n))?;
            (u128::MAX << (bits - ones)) & (u128::MAX >> (128 - bits))
        } else {
            (bits == 32).then_some(())?;
            u128::from(u32::from(mask.parse::<Ipv4Addr>().ok()?))
        };
        let (v4, net) = number(plain(address)?);
        Some(Subnet { v4, net: net & mask, mask })
    }

    /// Whether the address lies in it; an IPv4 address in IPv6 clothes (`::ffff:a.b.c.d`) is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (v4, n) = number(address.to_canonical());
        v4 == self.v4 && n & self.mask == self.net
    }

    fn host(address: IpAddr) -> Option<Subnet> {
        let (v4, net) = number(plain(address)?);
        Some(Subnet { v4, net, mask: if v4 { u128::from(u32::MAX) } else { u128::MAX } })
    }

    /// One to four octets, the last of which may be followed by a dot.
    fn prefix(text: &str) -> Option<Subnet> {
        let octets = text.strip_suffix('.').unwrap_or(text).split('.');
        let octets: Option<Vec<u8>> =
            octets.map(|o| o.bytes().all(|b| b.is_ascii_digit()).then(|| o.parse().ok()).flatten()).collect();
        let octets = octets.filter(|o| o.len() <= 4)?;
        let (mut net, mut mask) = (0u128, 0u128);
        for n in 0..4 {
            let octet = octets.get(n);
            net = net << 8 | u128::from(octet.copied().unwrap_or(0));
            mask = mask << 8 | if octet.is_some() { 0xff } else { 0 };
        }
        Some(Subnet { v4: true, net, mask })
    }
}

/// Apache refuses `::ffff:a.b.c.d` in a network.
fn plain(address: IpAddr) -> Option<IpAddr> {
    (address.to_canonical() == address).then_some(address)
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(a) => (true, u128::from(u32::from(a))),
        IpAddr::V6(a) => (false, u128::from(a)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(subnet: &str, address: &str, expected: bool) {
        let subnet = Subnet::parse(subnet.as_bytes()).expect("a subnet");
        assert_eq!(subnet.contains(address.parse().expect("an address")), expected);
    }

    // Verdicts of apache2 2.4.71 for `'address' -ipmatch 'subnet'`.
    #[test]
    fn networks_and_hosts() {
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.0.0.0/255.0.0.0", "10.1.2.3", true);
        check("10.0.0.1/8", "10.1.2.3", true);
        check("10", "10.1.2.3", true);
        check("10.1.2", "10.1.2.3", true);
        check("127.", "127.0.0.1", true);
        check("10.0.0.0/8", "127.0.0.1", false);
        check("::/64", "::1", true);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("::1", "127.0.0.1", false);
    }

    #[test]
    fn what_is_none() {
        for text in
            ["", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8/9", "10.0.0.0/8a", "::/0", "foo", "x.y"]
        {
            assert_eq!(Subnet::parse(text.as_bytes()), None, "{text}");
        }
    }
}

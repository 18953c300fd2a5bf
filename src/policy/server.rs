//! Servers (the main one and the virtual hosts), and the choice among them.

use super::{
    conf::{Conf, Said, SaidExt, Setting},
    core_conf::CoreServer,
    section::Sections,
    strmatch::strcasecmp_match,
};
use crate::{
    diag::{Apache, Diagnostic, Span},
    system::System,
};
use bstr::{BStr, BString};
use rustc_hash::FxHashMap;
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

/// One address of a `<VirtualHost>`: `None` is any (`*`, `_default_`, `0.0.0.0` and `[::]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VhostAddress {
    /// The address.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
}

/// An address and the host that stood for it, which is a name of the server as well, the last one
/// to be asked for (Apache's `virthost`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The address.
    pub address: VhostAddress,
    /// The host as written, in lower case, without brackets.
    pub host: BString,
}

/// A server: its settings laid over those of the main server, and its own sections.
#[derive(Clone, Debug)]
pub struct Server {
    /// Settings per server.
    pub conf: Arc<Conf>,
    /// Settings per directory outside of all sections (Apache's lookup_defaults).
    pub dir: Arc<Conf>,
    /// Number of `dir` in every worker's memo.
    pub dir_id: u64,
    /// Its own sections; the main server's come before them in every walk.
    pub sections: Sections,
    /// Addresses; empty for the main server.
    pub addresses: Vec<Named>,
    /// The opening line.
    pub span: Span,
}

impl Server {
    /// Core's settings of this server.
    pub fn core(&self) -> &CoreServer {
        self.conf.get()
    }

    /// Its settings, to be changed.
    pub(super) fn conf_mut(&mut self) -> &mut Conf {
        Arc::make_mut(&mut self.conf)
    }
}

/// Lays each virtual host over the main server, the first. One that says nothing of a kind shares
/// the main server's settings, so that ten thousand of them are not ten thousand copies.
pub(super) fn finish(
    servers: &mut [Server],
    system: &dyn System,
    next_id: &mut u64,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut fresh = || {
        *next_id += 1;
        *next_id - 1
    };
    let Some((main, hosts)) = servers.split_first_mut() else { return };
    main.dir_id = fresh();
    for host in hosts {
        name_it(host, main, system, diagnostics);
        (host.dir, host.dir_id) = match host.dir.is_empty() {
            true => (main.dir.clone(), main.dir_id),
            false => (Arc::new(host.dir.merge(&main.dir)), fresh()),
        };
        host.conf = Arc::new(host.conf.over(&main.conf));
    }
}

/// A virtual host without ServerName: it has the main server's if it is for any address, else
/// that of its first address; and its port is that of the address (ap_fini_vhost_config).
fn name_it(host: &mut Server, main: &Server, system: &dyn System, diagnostics: &mut Vec<Diagnostic>) {
    let Some(first) = host.addresses.first().map(|named| named.address) else { return };
    let (span, alone) = (host.span, host.addresses.iter().all(|named| named.address.ip.is_some()));
    let core = host.conf_mut().slot::<CoreServer>();
    if core.name.is_some() {
        return;
    }
    core.port = first.port.map(|port| Setting::new(port, span)).or(main.core().port);
    let name: Said<BString> = match first.ip.filter(|_| alone) {
        None => main.core().name.clone(),
        Some(ip) => {
            let found = name_of(system, ip);
            if found.is_none() {
                diagnostics.push(without_name(ip, span));
            }
            let name = found.unwrap_or_else(|| "bogus_host_without_reverse_dns".to_owned());
            Some(Setting::new(name.into(), span))
        }
    };
    core.name = name;
}

fn without_name(ip: IpAddr, span: Span) -> Diagnostic {
    let text = format!(
        "AH00549: Failed to resolve server name for {ip} (check DNS) -- or specify an explicit ServerName"
    );
    Diagnostic::warning("RX0277", span, format!("{ip} has no name, and this server has no ServerName"))
        .with_apache(Apache::Plain(text))
        .logged_as_error()
        .with_advice("give it a ServerName")
}

/// Most bytes of /etc/hosts that are looked at.
const HOSTS_LIMIT: u64 = 1 << 20;

/// The name of an address as /etc/hosts has it. The DNS is not asked: a start must not wait for it.
pub fn name_of(system: &dyn System, address: IpAddr) -> Option<String> {
    let text = system.read(Path::new("/etc/hosts"), HOSTS_LIMIT).ok()?;
    String::from_utf8_lossy(&text).lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let own: IpAddr = words.next()?.parse().ok()?;
        (own == address).then(|| words.next().map(str::to_owned)).flatten()
    })
}

/// The virtual hosts by address and name.
#[derive(Clone, Debug, Default)]
pub struct Vhosts {
    by_address: FxHashMap<VhostAddress, ByName>,
}

/// The servers at one address. Every map leads to the first server of the configuration that has
/// the key, so that a look-up costs the same for ten names and for ten thousand.
#[derive(Clone, Debug, Default)]
struct ByName {
    /// In the order of the configuration; the first is the default.
    servers: Vec<usize>,
    names: FxHashMap<BString, usize>,
    /// `*.example.org`, as `.example.org`.
    suffixes: FxHashMap<BString, usize>,
    /// `www.*`, as `www.`.
    prefixes: FxHashMap<BString, usize>,
    /// All other patterns, in the order of the configuration.
    patterns: Vec<(BString, usize)>,
    /// Hosts in the opening line.
    hosts: FxHashMap<BString, usize>,
}

impl Vhosts {
    /// The table for these servers, of which the first is the main one.
    pub fn new(servers: &[Server]) -> Self {
        let mut vhosts = Vhosts::default();
        for (index, server) in servers.iter().enumerate().skip(1) {
            for named in &server.addresses {
                vhosts.by_address.entry(named.address).or_default().add(index, server.core(), &named.host);
            }
        }
        vhosts
    }

    /// The server for a connection to `local` that asks for `host` (no port, lower case); 0 is
    /// the main one.
    pub fn choose(&self, local: SocketAddr, host: Option<&[u8]>) -> usize {
        self.at(local).map_or(0, |names| names.choose(host))
    }

    /// Whether a server at this address goes by this name, rather than being the default.
    pub fn knows(&self, local: SocketAddr, host: &[u8]) -> Option<bool> {
        self.at(local).map(|names| names.find(host).is_some())
    }

    /// The servers at the address of a connection, the default first.
    pub fn servers(&self, local: SocketAddr) -> &[usize] {
        self.at(local).map_or(&[], |names| &names.servers)
    }

    fn at(&self, local: SocketAddr) -> Option<&ByName> {
        if self.by_address.is_empty() {
            return None;
        }
        let (ip, port) = (Some(local.ip().to_canonical()), Some(local.port()));
        let order = [(ip, port), (ip, None), (None, port), (None, None)];
        order.iter().find_map(|&(ip, port)| self.by_address.get(&VhostAddress { ip, port }))
    }
}

impl ByName {
    fn add(&mut self, index: usize, core: &CoreServer, host: &BString) {
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.clone(), index);
        }
        if self.servers.last() == Some(&index) {
            return;
        }
        self.servers.push(index);
        if let Some(name) = core.name.value() {
            self.names.entry(name.to_ascii_lowercase().into()).or_insert(index);
        }
        for alias in &core.aliases {
            self.add_alias(index, alias.value.to_ascii_lowercase());
        }
    }

    fn add_alias(&mut self, index: usize, name: Vec<u8>) {
        let plain = |text: &[u8]| !text.iter().any(|byte| matches!(byte, b'*' | b'?'));
        let (map, key) = match name.as_slice() {
            whole if plain(whole) => (&mut self.names, whole),
            [b'*', rest @ ..] if rest.first() == Some(&b'.') && plain(rest) => (&mut self.suffixes, rest),
            [rest @ .., b'*'] if rest.last() == Some(&b'.') && plain(rest) => (&mut self.prefixes, rest),
            _ => return self.patterns.push((name.into(), index)),
        };
        map.entry(key.into()).or_insert(index);
    }

    fn choose(&self, host: Option<&[u8]>) -> usize {
        let default = self.servers.first().copied().unwrap_or(0);
        host.and_then(|host| self.find(host)).unwrap_or(default)
    }

    fn find(&self, host: &[u8]) -> Option<usize> {
        let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
        let get = |map: &FxHashMap<BString, usize>, key: &[u8]| map.get(BStr::new(key)).copied();
        let mut first = get(&self.names, host);
        let mut meet = |found: Option<usize>| first = first.into_iter().chain(found).min();
        if !(self.suffixes.is_empty() && self.prefixes.is_empty()) {
            for dot in host.iter().enumerate().filter_map(|(at, byte)| (*byte == b'.').then_some(at)) {
                meet(get(&self.suffixes, &host[dot..]));
                meet(get(&self.prefixes, &host[..=dot]));
            }
        }
        let fits = |(pattern, index): &(BString, usize)| strcasecmp_match(host, pattern).then_some(*index);
        meet(self.patterns.iter().find_map(fits));
        first.or_else(|| get(&self.hosts, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers 1, 2, … with these aliases each; which of them answers to `host`.
    #[track_caller]
    fn check(aliases: &[&str], host: &str, expected: usize) {
        let mut names = ByName::default();
        for (at, alias) in aliases.iter().enumerate() {
            names.servers.push(at + 1);
            names.add_alias(at + 1, alias.as_bytes().to_vec());
        }
        assert_eq!(names.choose(Some(host.as_bytes())), expected);
    }

    /// `tests/cases/virtual_hosts.md` holds what Apache says to the like.
    #[test]
    fn the_first_that_fits_answers() {
        let aliases = ["a.example", "*.example", "www.*", "?.example", "*x*", "b.example"];
        check(&aliases, "a.example", 1);
        check(&aliases, "b.example", 2);
        check(&aliases, "www.example", 2);
        check(&aliases, "www.b.example", 2);
        check(&aliases, "www.", 3);
        check(&aliases, "wwx.org", 5);
        check(&aliases, "none", 1);
    }

    #[test]
    fn a_star_stands_for_nothing_too() {
        check(&["x", "*.example"], ".example", 2);
        check(&["x", "www.*"], "www.", 2);
        check(&["x", "*.example"], "example", 1);
    }
}

//! Servers (the main one and the virtual hosts), and the choice among them.

use super::{
    conf::{Conf, SaidExt},
    core_conf::CoreServer,
    section::Sections,
    strmatch::strcasecmp_match,
};
use crate::diag::Span;
use bstr::{BStr, BString};
use rustc_hash::FxHashMap;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// One address of a `<VirtualHost>`: `None` is `*` or `_default_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VhostAddress {
    /// The address.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
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
    pub addresses: Vec<VhostAddress>,
    /// The opening line.
    pub span: Span,
}

impl Server {
    /// Core's settings of this server.
    pub fn core(&self) -> &CoreServer {
        self.conf.get()
    }
}

/// The virtual hosts by address and name.
#[derive(Clone, Debug, Default)]
pub struct Vhosts {
    by_address: FxHashMap<VhostAddress, ByName>,
}

#[derive(Clone, Debug, Default)]
struct ByName {
    /// In the order of the configuration; the first is the default.
    servers: Vec<usize>,
    names: FxHashMap<BString, usize>,
    patterns: Vec<(BString, usize)>,
}

impl Vhosts {
    /// The table for these servers, of which the first is the main one.
    pub fn new(servers: &[Server]) -> Self {
        let mut vhosts = Vhosts::default();
        for (index, server) in servers.iter().enumerate().skip(1) {
            for address in &server.addresses {
                vhosts.by_address.entry(*address).or_default().add(index, server.core());
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
    fn add(&mut self, index: usize, core: &CoreServer) {
        self.servers.push(index);
        if let Some(name) = core.name.value() {
            self.names.entry(name.to_ascii_lowercase().into()).or_insert(index);
        }
        for alias in &core.aliases {
            let name = alias.value.to_ascii_lowercase();
            if name.iter().any(|byte| matches!(byte, b'*' | b'?')) {
                self.patterns.push((name.into(), index));
            } else {
                self.names.entry(name.into()).or_insert(index);
            }
        }
    }

    fn choose(&self, host: Option<&[u8]>) -> usize {
        let default = self.servers.first().copied().unwrap_or(0);
        host.and_then(|host| self.find(host)).unwrap_or(default)
    }

    fn find(&self, host: &[u8]) -> Option<usize> {
        let exact = self.names.get(BStr::new(host)).copied();
        let fits = |(pattern, index): &(BString, usize)| strcasecmp_match(host, pattern).then_some(*index);
        let pattern = self.patterns.iter().find_map(fits);
        exact.into_iter().chain(pattern).min()
    }
}

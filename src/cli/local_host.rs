//! The machine's own name, for a server that was given none, and the line AH00558 that Apache
//! prints about it.

use crate::{policy::server, server::host, system::Disk};
use std::net::{IpAddr, ToSocketAddrs};

/// The machine's name, and Apache's number for the warning if it is no full name (ap_get_local_host).
pub fn name() -> (String, Option<&'static str>) {
    let loopback = || "127.0.0.1".to_owned();
    let Some(own) = host::name() else {
        return (loopback(), Some("AH00556"));
    };
    let address = (own.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next());
    let Some(address) = address.map(|address| address.ip()) else {
        return (loopback(), Some("AH00557"));
    };
    match name_of(address) {
        Some(full) if full.contains('.') => (full, None),
        _ if own.contains('.') => (own, Some("AH00558")),
        _ => (address.to_string(), Some("AH00558")),
    }
}

/// The lines that Apache prints when the main server has no ServerName.
pub fn warning(program: &str) -> Option<String> {
    let (name, number) = name();
    let line = |number: &str, text: &str| format!("{number}: {program}: {text}\n");
    let first = match number? {
        "AH00556" => line("AH00556", "apr_gethostname() failed to determine ServerName"),
        "AH00557" => {
            let own = host::name().unwrap_or_default();
            line("AH00557", &format!("apr_sockaddr_info_get() failed for {own}"))
        }
        _ => String::new(),
    };
    let text = format!(
        "Could not reliably determine the server's fully qualified domain name, using {name}. Set the 'ServerName' \
         directive globally to suppress this message"
    );
    Some(first + &line("AH00558", &text))
}

/// The name of an address as /etc/hosts has it.
pub fn name_of(address: IpAddr) -> Option<String> {
    server::name_of(&Disk, address)
}

//! `-S` and its parts: what virtual hosts, settings and files a configuration comes to.

use super::{
    config::{self, Loaded},
    local_host,
};
use crate::{
    policy::{Policy, SaidExt, process::Process, server::VhostAddress},
    system::{Disk, System},
};
use bstr::{BString, ByteSlice};
use std::{fmt::Write, net::IpAddr};

/// One address with the virtual hosts on it.
struct Chain {
    address: VhostAddress,
    servers: Vec<usize>,
}

/// `-t -D DUMP_VHOSTS`.
pub fn vhosts(policy: &Policy) -> String {
    let mut text = "VirtualHost configuration:\n".to_owned();
    for chain in chains(policy) {
        write_chain(policy, &chain, &mut text);
    }
    text
}

/// The addresses in Apache's order: it goes through the servers backwards and puts each address in
/// front of its bucket; those of any address come last.
fn chains(policy: &Policy) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for (number, server) in policy.servers.iter().enumerate().skip(1).rev() {
        for address in server.addresses.iter().map(|named| &named.address) {
            match chains.iter_mut().find(|chain| chain.address == *address) {
                Some(chain) if chain.servers.contains(&number) => {}
                Some(chain) => chain.servers.insert(0, number),
                None => chains.insert(0, Chain { address: *address, servers: vec![number] }),
            }
        }
    }
    chains.sort_by_key(|chain| chain.address.ip.map_or(u32::MAX, bucket));
    chains
}

/// Apache's bucket of an address: its last four bytes, as a little-endian number, folded.
fn bucket(ip: IpAddr) -> u32 {
    let last = match ip {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(ip) => {
            let [.., a, b, c, d] = ip.octets();
            [a, b, c, d]
        }
    };
    let mut key = u32::from_le_bytes(last);
    key ^= key >> 16;
    ((key >> 8) ^ key) % 256
}

fn write_chain(policy: &Policy, chain: &Chain, text: &mut String) {
    let address = show_address(&chain.address);
    let line = |number: usize| {
        let place = policy.sources.place(policy.servers[number].span);
        format!("{} ({}:{})", name(policy, number), place.file, place.line)
    };
    let first = chain.servers[0];
    if chain.servers.len() == 1 {
        let _ = writeln!(text, "{address:<22} {}", line(first));
        return;
    }
    let _ = writeln!(text, "{address:<22} is a NameVirtualHost");
    let _ = writeln!(text, "         default server {}", line(first));
    let port = chain.address.port.map_or("*".to_owned(), |port| port.to_string());
    for &number in &chain.servers {
        let _ = writeln!(text, "         port {port} namevhost {}", line(number));
        let wild = |alias: &&BString| alias.iter().any(|byte| matches!(byte, b'*' | b'?'));
        let aliases: Vec<&BString> =
            policy.servers[number].core().aliases.iter().map(|alias| &alias.value).collect();
        for alias in aliases.iter().filter(|alias| !wild(alias)) {
            let _ = writeln!(text, "                 alias {alias}");
        }
        for alias in aliases.iter().filter(|alias| wild(alias)) {
            let _ = writeln!(text, "                 wild alias {alias}");
        }
    }
}

fn show_address(address: &VhostAddress) -> String {
    let port = address.port.map_or("*".to_owned(), |port| port.to_string());
    match address.ip {
        None => format!("*:{port}"),
        Some(IpAddr::V4(ip)) => format!("{ip}:{port}"),
        Some(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
    }
}

/// The name of a virtual host, which has the machine's if nobody gave it one.
fn name(policy: &Policy, number: usize) -> BString {
    let own = policy.servers[number].core().name.value();
    own.cloned().unwrap_or_else(|| local_host::name().0.into())
}

/// `-t -D DUMP_RUN_CFG`.
pub fn run_settings(loaded: &Loaded, command_line: &[Vec<u8>]) -> String {
    let policy = &loaded.policy;
    let (main, process) = (policy.main().core(), &policy.process);
    let root = &process.server_root;
    let within = |path: &[u8]| crate::policy::place::server_root_relative(root, path);
    let document_root = main.document_root.value().cloned().unwrap_or_else(|| within(b"htdocs"));
    let log = main.error_log.value().cloned().unwrap_or_else(|| config::DEFAULT_ERROR_LOG.into());
    let log = if log.starts_with(b"|") || log.starts_with(b"syslog") { log } else { within(&log) };
    let runtime = process.runtime_dir.value().map_or_else(|| within(b"logs"), |dir| within(dir));
    let pid = process.pid_file.value().cloned().unwrap_or_else(|| config::DEFAULT_PID_FILE.into());
    let mut text = format!("ServerRoot: \"{}\"\n", root.trim_end_with(|c| c == '/').as_bstr());
    let _ = writeln!(text, "Main DocumentRoot: \"{document_root}\"\nMain ErrorLog: \"{log}\"");
    mutexes(process, &runtime, root, &mut text);
    let _ = writeln!(text, "PidFile: \"{}\"", within(&pid));
    for (name, value) in defines(loaded, command_line) {
        let value =
            value.filter(|value| !value.is_empty()).map_or(String::new(), |value| format!("={value}"));
        let _ = writeln!(text, "Define: {name}{value}");
    }
    let unused = if crate::server::host::is_root() { "" } else { " not_used" };
    let _ = writeln!(text, "User: {}{unused}", identity(process.user.value(), user_number));
    let _ = writeln!(text, "Group: {}{unused}", identity(process.group.value(), group_number));
    text
}

/// The default mutex, and those that a line of their own was written for.
fn mutexes(process: &Process, runtime: &BString, root: &[u8], text: &mut String) {
    let runtime = format!("{}/", runtime.trim_end_with(|c| c == '/').as_bstr());
    let mut said: Vec<(String, String)> = vec![("default".to_owned(), mechanism("default", &runtime, root))];
    for line in &process.mutexes {
        let line = line.value.to_str_lossy();
        let mut words = line.split_ascii_whitespace();
        let word = words.next().unwrap_or_default();
        let (omit, kinds): (Vec<&str>, Vec<&str>) =
            words.partition(|word| word.eq_ignore_ascii_case("OmitPID"));
        let omit = if omit.is_empty() { "" } else { "[OmitPid]" };
        let kinds = if kinds.is_empty() { vec!["default"] } else { kinds };
        for kind in kinds {
            let directory = if kind.eq_ignore_ascii_case("default") { &runtime } else { "" };
            let how = format!("{}{omit}", mechanism(word, directory, root));
            match said.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(kind)) {
                Some(known) => known.1 = how,
                None => said.push((kind.to_owned(), how)),
            }
        }
    }
    said.iter().for_each(|(kind, how)| {
        let _ = writeln!(text, "Mutex {kind}: {how}");
    });
}

/// `fcntl:/tmp` as `-S` prints it, with `kept` where no directory is named.
fn mechanism(word: &str, kept: &str, root: &[u8]) -> String {
    let (name, directory) =
        word.split_once(':').map_or((word, None), |(name, directory)| (name, Some(directory)));
    let name = name.to_ascii_lowercase();
    let name = match name.as_str() {
        "sem" => "posixsem",
        "file" => "fcntl",
        "yes" => "default",
        "no" => "none",
        name => name,
    };
    let directory = directory.filter(|directory| !directory.is_empty());
    let within = |path: &str| crate::policy::place::server_root_relative(root, path.as_bytes()).to_string();
    format!("dir=\"{}\" mechanism={name} ", directory.map_or_else(|| kept.to_owned(), within))
}

/// Those of the command line first, as given.
fn defines(loaded: &Loaded, command_line: &[Vec<u8>]) -> Vec<(BString, Option<BString>)> {
    let given = |name: &BString| command_line.iter().position(|given| given.as_slice() == name.as_slice());
    let state = &loaded.policy.state.defines;
    let value = |name: &[u8]| state.value(name).map(BString::from);
    let mut defines: Vec<_> = state.names().map(|name| (BString::from(name), value(name))).collect();
    defines.sort_by_key(|(name, _)| given(name).unwrap_or(usize::MAX));
    defines
}

fn identity(said: Option<&BString>, number: fn(&str) -> Option<u32>) -> String {
    let Some(name) = said else { return format!("name=\"#-1\" id={}", u32::MAX) };
    let plain = name.to_str_lossy();
    let id = plain.strip_prefix('#').map_or_else(|| number(&plain), |digits| digits.parse().ok());
    format!("name=\"{name}\" id={}", id.unwrap_or(u32::MAX))
}

fn user_number(name: &str) -> Option<u32> {
    Disk.user(name).map(|user| user.uid)
}

fn group_number(name: &str) -> Option<u32> {
    Disk.group(name)
}

/// `-t -D DUMP_INCLUDES`: each file with the line that Apache tells for it.
pub fn includes(loaded: &Loaded) -> String {
    let mut text = "Included configuration files:\n".to_owned();
    for include in &loaded.includes {
        let line = include.line.map_or("*".to_owned(), |line| line.to_string());
        let indent = "  ".repeat(include.depth as usize + 1);
        let _ = writeln!(text, "{indent}({line}) {}", loaded.sources().name(include.file));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ip: &str, expected: u32) {
        assert_eq!(bucket(ip.parse().unwrap()), expected);
    }

    /// Apache 2.4.71 lists 127.0.0.3, 127.0.0.2, 127.0.0.1; and ::1, 10.9.8.7, 127.0.0.1.
    #[test]
    fn addresses_stand_in_apaches_order() {
        let order = |addresses: &[&str]| {
            let keys: Vec<u32> = addresses.iter().map(|ip| bucket(ip.parse().unwrap())).collect();
            keys.is_sorted()
        };
        assert!(order(&["127.0.0.3", "127.0.0.2", "127.0.0.1"]));
        assert!(order(&["::1", "10.9.8.7", "127.0.0.1"]));
        check("127.0.0.1", 0x7e);
    }
}

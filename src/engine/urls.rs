//! The server's name for itself: in self-referential URLs, the Server field, and page signatures.

use super::{decide::Engine, request::Request};
use crate::{
    http::canned,
    policy::{
        CoreDir, Policy, SaidExt,
        core_conf::{CanonicalName, Signature, Trace},
        process::Tokens,
    },
};
use bstr::{BString, ByteSlice};

/// The version of Apache that rachis behaves as; programs that read it go by the number.
pub const APACHE_VERSION: &str = "2.4.71";

/// What httpd's `Server built` says. There is no clock reading in a build, so that builds are the same.
pub const BUILT: &str = concat!("rachis ", env!("CARGO_PKG_VERSION"));

/// What `-V` says that the server was compiled with, apart from what depends on the configuration.
pub const BUILT_WITH: [&str; 3] = [
    " -D APR_HAS_SENDFILE",
    " -D APR_HAVE_IPV6 (IPv4-mapped addresses enabled)",
    " -D AP_HAVE_RELIABLE_PIPED_LOGS",
];

/// The text of the Server field, as ServerTokens says.
pub fn server_software(policy: &Policy) -> String {
    match policy.process.tokens.value_or(Tokens::Full) {
        Tokens::Major => "Apache/2".to_owned(),
        Tokens::Minor => "Apache/2.4".to_owned(),
        Tokens::Minimal => format!("Apache/{APACHE_VERSION}"),
        Tokens::ProductOnly => "Apache".to_owned(),
        Tokens::Os => format!("Apache/{APACHE_VERSION} (Unix)"),
        Tokens::Full => format!("Apache/{APACHE_VERSION} (Unix) rachis/{}", env!("CARGO_PKG_VERSION")),
    }
}

/// The host that a self-referential URL names (ap_get_server_name).
pub fn server_name(engine: &Engine, request: &Request) -> BString {
    let core: &CoreDir = request.conf.conf.get();
    let server = engine.policy.servers[request.server].core();
    let main = engine.policy.main().core();
    let own = || server.name.value().or(main.name.value()).cloned().unwrap_or_else(|| fallback(request));
    match core.canonical_name.value_or(CanonicalName::Off) {
        CanonicalName::Off => request.hostname.clone().unwrap_or_else(own),
        CanonicalName::On => own(),
        CanonicalName::Dns => {
            let local = request.conn.local.ip();
            let found = request.conn.lookups.borrow().names.get(&local).cloned().flatten();
            found.unwrap_or_else(|| local.to_canonical().to_string().into())
        }
    }
}

/// `http`, or `https` if ServerName says so: then something in front of the server speaks TLS (ap_http_scheme).
pub fn scheme(engine: &Engine, request: &Request) -> &'static str {
    let said = engine.policy.servers[request.server].core().scheme.value();
    if said.is_some_and(|scheme| scheme == "https") { "https" } else { "http" }
}

/// The port that goes without saying (ap_default_port).
fn default_port(engine: &Engine, request: &Request) -> u16 {
    if scheme(engine, request) == "https" { 443 } else { 80 }
}

fn fallback(request: &Request) -> BString {
    request.conn.local.ip().to_canonical().to_string().into()
}

/// The port that a self-referential URL names (ap_get_server_port).
pub fn server_port(engine: &Engine, request: &Request) -> u16 {
    let core: &CoreDir = request.conf.conf.get();
    let physical = core.canonical_port.value_or(false).then(|| request.conn.local.port());
    let own = configured_port(engine, request.server);
    match core.canonical_name.value_or(CanonicalName::Off) {
        CanonicalName::Off | CanonicalName::Dns => request.host_port.or(physical).or(own),
        CanonicalName::On => own.or(physical),
    }
    .unwrap_or_else(|| default_port(engine, request))
}

/// The port that the configuration gives a server: that of its ServerName, which without a port
/// means the default one; without a ServerName that of the virtual host's address, or the main
/// server's.
fn configured_port(engine: &Engine, server: usize) -> Option<u16> {
    let (server, main) = (&engine.policy.servers[server], engine.policy.main().core());
    let core = server.core();
    if core.name.value().is_some() {
        return core.port.value().copied();
    }
    let address = server.addresses.first().and_then(|named| named.address.port);
    address.or(main.port.value().copied())
}

/// Whether a host and a port are those of the request's server (ap_matches_request_vhost): its names
/// belong to its own port alone, the hosts of its addresses to theirs.
pub fn is_own(engine: &Engine, request: &Request, host: &[u8], port: u16) -> bool {
    let server = &engine.policy.servers[request.server];
    let core = server.core();
    let listed = server.addresses.iter().any(|named| {
        named.address.port.is_none_or(|own| own == port) && named.host.eq_ignore_ascii_case(host)
    });
    if listed || configured_port(engine, request.server) != Some(port) {
        return listed;
    }
    let main = engine.policy.main().core();
    let name = core.name.value().or(main.name.value()).cloned().unwrap_or_else(|| fallback(request));
    name.eq_ignore_ascii_case(host)
        || core.aliases.iter().any(|alias| crate::policy::strmatch::strcasecmp_match(host, &alias.value))
}

/// An absolute URL for a path of this server (ap_construct_url).
pub fn construct_url(engine: &Engine, request: &Request, path: &[u8]) -> BString {
    let (name, port) = (server_name(engine, request), server_port(engine, request));
    let mut url = BString::from(format!("{}://", scheme(engine, request)));
    if name.contains(&b':') && !name.starts_with(b"[") {
        url.extend_from_slice(&[b"[", name.as_slice(), b"]"].concat());
    } else {
        url.extend_from_slice(&name);
    }
    if port != default_port(engine, request) {
        url.extend_from_slice(format!(":{port}").as_bytes());
    }
    url.extend_from_slice(path);
    url
}

/// What is behind ServerPath, if the URL is below it.
pub fn below<'u>(prefix: &[u8], uri: &'u [u8]) -> Option<&'u [u8]> {
    let rest = uri.strip_prefix(prefix)?;
    (prefix.ends_with(b"/") || matches!(rest.first(), None | Some(b'/'))).then_some(rest)
}

/// Whether a text begins with a scheme and a colon, as a URL of another server does (ap_is_url).
pub fn has_scheme(text: &[u8]) -> bool {
    let scheme =
        text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    scheme > 0 && text.get(scheme) == Some(&b':')
}

/// The line under a built-in page, empty if ServerSignature is Off (ap_psignature).
pub fn signature(engine: &Engine, request: &Request, core: &CoreDir) -> Vec<u8> {
    let kind = match core.signature.value_or(Signature::Off) {
        Signature::Off => canned::Signature::Off,
        Signature::On => canned::Signature::On,
        Signature::EMail => canned::Signature::EMail,
    };
    let server = engine.policy.servers[request.server].core();
    let admin = server.admin.value().map_or(&b"[no address given]"[..], |admin| admin.as_bytes());
    let (name, port) = (server_name(engine, request), server_port(engine, request));
    canned::signature(kind, server_software(&engine.policy).as_bytes(), admin, &name, port)
}

/// Whether TRACE is among the methods that this server has.
pub fn trace_enabled(engine: &Engine, request: &Request) -> bool {
    engine.policy.servers[request.server].core().trace.value_or(Trace::On) != Trace::Off
}

/// The module interface that rachis stands for: MODULE_MAGIC_NUMBER_MAJOR.
pub const MODULE_MAGIC_NUMBER: u32 = 20_120_211;

/// The same with its MODULE_MAGIC_NUMBER_MINOR, as mod_rewrite and `-V` write it.
pub const MODULE_MAGIC: &str = "20120211:142";

/// DocumentRoot of the request's server (ap_document_root).
pub fn document_root(engine: &Engine, request: &Request) -> BString {
    let core = engine.policy.servers[request.server].core();
    core.document_root.value().cloned().unwrap_or_else(|| DEFAULT_DOCUMENT_ROOT.into())
}

/// What DocumentRoot is when nothing says it: upstream Apache's own place.
pub const DEFAULT_DOCUMENT_ROOT: &str = "/usr/local/apache2/htdocs";

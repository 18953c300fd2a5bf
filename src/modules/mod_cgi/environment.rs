//! What a program is told: the variables of RFC 3875 section 4.1 and Apache's own, in the order in
//! which Apache adds them to those of `SetEnv` and its kin.

use crate::{
    engine::{Cx, LookedUp, Pending, Request, Table, Verdict, urls},
    http::escape,
    policy::{SaidExt, core_conf::Lookups},
};
use bstr::{BString, ByteSlice};

/// The environment of the program itself, from the request's: names are made fit for a shell, and
/// `TZ` comes along from the server's own environment.
pub(in crate::modules) fn for_program(cx: &Cx<'_>) -> Vec<(BString, BString)> {
    let mut env = Vec::with_capacity(cx.req.env.len() + 1);
    if let Some(zone) = cx.system().env(b"TZ").filter(|_| !cx.req.env.contains("TZ")) {
        env.push(("TZ".into(), zone.into()));
    }
    env.extend(cx.req.env.iter().map(|(name, value)| (fit_name(name), value.into())));
    env
}

/// Only letters, digits and `_`, and no digit in front; everything else becomes `_`.
fn fit_name(name: &[u8]) -> BString {
    let fit = |(at, &byte): (usize, &u8)| match byte {
        b'0'..=b'9' if at == 0 => b'_',
        _ if byte.is_ascii_alphanumeric() => byte,
        _ => b'_',
    };
    name.iter().enumerate().map(fit).collect::<Vec<u8>>().into()
}

/// Adds all variables to the request's environment (ap_add_common_vars and ap_add_cgi_vars). What
/// is there already, from `SetEnv` for instance, keeps its place and is overruled.
pub(in crate::modules) fn add_variables(cx: &mut Cx<'_>) -> Result<(), Verdict> {
    let host = remote_host(cx)?;
    let translated = path_translated(cx)?;
    let mut env = std::mem::take(&mut cx.req.env);
    add_headers(cx, &mut env);
    add_process(cx, &mut env);
    add_server(cx, &mut env, host);
    add_request(cx, &mut env);
    add_cgi(cx, &mut env, translated);
    cx.req.env = env;
    Ok(())
}

/// Header fields. What a program could misuse is kept from it: `Proxy` always, credentials unless
/// CGIPassAuth says otherwise, and names whose characters a variable cannot have.
fn add_headers(cx: &Cx<'_>, env: &mut Table) {
    let pass_auth = cx.core().cgi_pass_auth.value_or(false);
    let fields = &cx.req.headers_in;
    for (name, _) in fields.iter() {
        let variable = match name.to_ascii_lowercase().as_slice() {
            b"content-type" => Some(b"CONTENT_TYPE".to_vec()),
            b"content-length" => Some(b"CONTENT_LENGTH".to_vec()),
            b"proxy" => None,
            b"authorization" | b"proxy-authorization" if !pass_auth => None,
            _ => http_variable(name),
        };
        if let Some(variable) = variable {
            let values: Vec<&[u8]> = fields.get_all(name).map(|value| value.as_bytes()).collect();
            env.set(variable, values.join(&b", "[..]));
        }
    }
}

fn http_variable(name: &[u8]) -> Option<Vec<u8>> {
    let letter = |&byte: &u8| match byte {
        b'-' => Some(b'_'),
        _ if byte.is_ascii_alphanumeric() => Some(byte.to_ascii_uppercase()),
        _ => None,
    };
    let upper: Option<Vec<u8>> = name.iter().map(letter).collect();
    Some([b"HTTP_", upper?.as_slice()].concat())
}

/// What comes from the server's own environment.
fn add_process(cx: &Cx<'_>, env: &mut Table) {
    const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin:/usr/ucb:/usr/bsd:/usr/local/bin";
    if !env.contains("PATH") {
        env.set("PATH", cx.system().env(b"PATH").unwrap_or_else(|| DEFAULT_PATH.to_vec()));
    }
    if let Some(path) = cx.system().env(b"LD_LIBRARY_PATH") {
        env.set("LD_LIBRARY_PATH", path);
    }
}

fn add_server(cx: &Cx<'_>, env: &mut Table, remote_host: Option<BString>) {
    let (engine, req, server) = (cx.engine, &*cx.req, cx.core_server());
    env.set("SERVER_SIGNATURE", urls::signature(engine, req, cx.core()));
    env.set("SERVER_SOFTWARE", urls::server_software(&engine.policy));
    env.set("SERVER_NAME", escape::html(&urls::server_name(engine, req)));
    env.set("SERVER_ADDR", req.conn.local.ip().to_canonical().to_string());
    env.set("SERVER_PORT", urls::server_port(engine, req).to_string());
    if let Some(host) = remote_host {
        env.set("REMOTE_HOST", host);
    }
    env.set("REMOTE_ADDR", req.conn.client.ip().to_canonical().to_string());
    let root = server.document_root.value().map_or(&b""[..], |root| root.as_slice());
    env.set("DOCUMENT_ROOT", root);
    env.set("REQUEST_SCHEME", urls::scheme(engine, req));
    env.set("CONTEXT_PREFIX", req.context_prefix.as_ref().map_or(&b""[..], |prefix| prefix.as_slice()));
    env.set("CONTEXT_DOCUMENT_ROOT", req.context_document_root.as_ref().map_or(root, |own| own.as_slice()));
    env.set(
        "SERVER_ADMIN",
        server.admin.value().map_or(&b"[no address given]"[..], |admin| admin.as_slice()),
    );
}

fn add_request(cx: &Cx<'_>, env: &mut Table) {
    let req = &*cx.req;
    env.set("SCRIPT_FILENAME", &req.filename);
    env.set("REMOTE_PORT", req.conn.client.port().to_string());
    if let Some(user) = &req.user {
        env.set("REMOTE_USER", user);
    } else if let Some(user) = earlier(req).find_map(|prev| prev.user.as_ref()) {
        env.set("REDIRECT_REMOTE_USER", user);
    }
    if let Some(auth_type) = &req.auth_type {
        env.set("AUTH_TYPE", auth_type);
    }
    if let Some(prev) = &req.prev {
        let url = match cx.core().qualify_redirect.value_or(false) {
            true => qualified_url(cx, prev),
            false => prev.uri.clone(),
        };
        env.set("REDIRECT_URL", url);
        if let Some(args) = &prev.args {
            env.set("REDIRECT_QUERY_STRING", args);
        }
    }
}

/// The URL of an earlier request in full: decoded, with the port that the client named.
fn qualified_url(cx: &Cx<'_>, prev: &Request) -> BString {
    let port = prev.host_port.unwrap_or_else(|| urls::server_port(cx.engine, prev));
    let name = urls::server_name(cx.engine, prev);
    let bare = name.contains(&b':') && !name.starts_with(b"[");
    let host = if bare { [b"[", name.as_slice(), b"]"].concat() } else { name.to_vec() };
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    let query = prev.args.as_ref().map(|args| [b"?", args.as_slice()].concat()).unwrap_or_default();
    [b"http://", host.as_slice(), port.as_bytes(), &prev.uri, &query].concat().into()
}

fn earlier(req: &Request) -> impl Iterator<Item = &Request> {
    std::iter::successors(req.prev.as_deref(), |prev| prev.prev.as_deref())
}

fn add_cgi(cx: &Cx<'_>, env: &mut Table, translated: Option<BString>) {
    let req = &*cx.req;
    env.set("GATEWAY_INTERFACE", "CGI/1.1");
    env.set("SERVER_PROTOCOL", &req.protocol);
    env.set("REQUEST_METHOD", &req.method_name);
    env.set("QUERY_STRING", req.args.as_ref().map_or(&b""[..], |args| args.as_slice()));
    let original = cx.core().cgi_original_uri.value_or(true);
    env.set("REQUEST_URI", if original { &req.target } else { &req.uri });
    let included = req.protocol == "INCLUDED";
    env.set("SCRIPT_NAME", if included { &req.uri } else { script_name(&req.uri, &req.path_info) });
    if !req.path_info.is_empty() {
        env.set("PATH_INFO", &req.path_info);
        if let Some(path) = translated {
            env.set("PATH_TRANSLATED", path);
        }
    }
}

/// The URL's path without what is behind the program (ap_find_path_info): the two are compared from
/// their ends, for they may differ in doubled slashes.
fn script_name<'u>(uri: &'u [u8], path_info: &[u8]) -> &'u [u8] {
    let same = uri.iter().rev().zip(path_info.iter().rev()).take_while(|(a, b)| a == b).count();
    let mut end = uri.len() - same;
    while !path_info.is_empty() && end < uri.len() && uri[end] != b'/' {
        end += 1;
    }
    &uri[..end]
}

/// Where PATH_INFO would lead as a URL of this server.
fn path_translated(cx: &mut Cx<'_>) -> Result<Option<BString>, Verdict> {
    if cx.req.path_info.is_empty() {
        return Ok(None);
    }
    let url = escape::os_path(&cx.req.path_info);
    let found = match cx.look_up_url(&url) {
        LookedUp::Found(found) | LookedUp::Answered(found) => found,
        LookedUp::Wait(pending) => return Err(Verdict::Wait(pending)),
    };
    let path = [found.filename.as_slice(), found.path_info.as_slice()].concat();
    Ok((!found.filename.is_empty()).then(|| path.into()))
}

/// The client's name, if HostnameLookups asks for it or it is known already.
pub(in crate::modules) fn remote_host(cx: &Cx<'_>) -> Result<Option<BString>, Verdict> {
    let ip = cx.req.conn.client.ip();
    if let Some(known) = cx.req.conn.lookups.borrow().names.get(&ip) {
        return Ok(known.clone());
    }
    match cx.core().lookups.value_or(Lookups::Off) {
        Lookups::Off => Ok(None),
        Lookups::On | Lookups::Double => Err(Verdict::Wait(Pending::NameOf(ip))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_for_a_shell() {
        assert_eq!(fit_name(b"1a-b.c"), "_a_b_c");
        assert_eq!(fit_name(b"REDIRECT_1a-b"), "REDIRECT_1a_b");
    }

    #[track_caller]
    fn check_header(name: &str, expected: Option<&str>) {
        assert_eq!(http_variable(name.as_bytes()).as_deref(), expected.map(str::as_bytes));
    }

    #[test]
    fn header_names_that_a_variable_cannot_have_are_dropped() {
        check_header("X-Mixed-Case", Some("HTTP_X_MIXED_CASE"));
        check_header("X_Under", None);
        check_header("X.Dot", None);
    }

    #[track_caller]
    fn check_script(uri: &str, path_info: &str, expected: &str) {
        assert_eq!(script_name(uri.as_bytes(), path_info.as_bytes()).as_bstr(), expected);
    }

    #[test]
    fn script_name_is_the_url_without_path_info() {
        check_script("/cgi-bin/env/extra/path", "/extra/path", "/cgi-bin/env");
        check_script("/cgi-bin/env", "", "/cgi-bin/env");
        check_script("/cgi-bin/env/a/b", "/a/b", "/cgi-bin/env");
        check_script("/sub/e.cgi/p a/th", "/p a/th", "/sub/e.cgi");
    }
}

//! Asking for a proof, and checking it.

use super::{
    DigestDir,
    header::{self, Response, Unfit, Uri},
    nonce::{self, Clients, Used},
};
use crate::{
    engine::{Cx, RealmHash, Verdict, urls},
    http::Status,
    modules::mod_authn_core::{auth_name, auth_type, providers},
    policy::{SaidExt, Setting},
};
use bstr::BString;
use md5::{Digest, Md5};

/// Seconds before the end of a nonce's life in which the next one is handed out.
const NEXT: i64 = 30;

/// Asks for a proof \[note_digest_auth_failure\].
fn challenge(cx: &mut Cx<'_>, realm: &[u8], said: Option<&Response>, stale: bool) -> Verdict {
    let conf: &DigestDir = cx.conf();
    let mut stale = stale;
    let known = said.and_then(|said| said.opaque.clone());
    let opaque = match known {
        Some(opaque) if clients(cx, |clients| clients.find(&opaque).is_some()) => Some(opaque),
        Some(_) => {
            stale = true;
            Some(new_client(cx))
        }
        None => conf.tracks_clients().then(|| new_client(cx)),
    };
    let nonce = new_nonce(cx, conf, realm, opaque.as_ref().map(|opaque| opaque.as_slice()));
    let mut value = [b"Digest realm=\"", realm, b"\", nonce=\"", &nonce, b"\", algorithm=MD5"].concat();
    let mut add = |name: &str, text: &[u8]| {
        value.extend_from_slice(name.as_bytes());
        value.extend_from_slice(text);
        value.push(b'"');
    };
    if let Some(opaque) = &opaque {
        add(", opaque=\"", opaque);
    }
    if !conf.domain.is_empty() {
        add(", domain=\"", &bstr::join(" ", &conf.domain));
    }
    value.extend_from_slice(if stale { b", stale=true" } else { b"" });
    value.extend_from_slice(b", qop=\"auth\"");
    cx.req.err_headers_out.set("WWW-Authenticate", value);
    Verdict::Status(Status(401))
}

/// The same where others refuse \[note_auth_failure\].
pub fn note_auth_failure(cx: &mut Cx<'_>, kind: &[u8]) -> bool {
    let ours = kind.eq_ignore_ascii_case(b"Digest");
    if let (true, Some(realm)) = (ours, auth_name(cx)) {
        let said = cx.req.headers_in.get("Authorization").and_then(|value| header::read(value).ok());
        challenge(cx, &realm, said.as_ref(), false);
    }
    ours
}

fn clients<R>(cx: &Cx<'_>, f: impl FnOnce(&mut Clients) -> R) -> R {
    cx.engine.shared(f)
}

fn new_client(cx: &Cx<'_>) -> BString {
    clients(cx, Clients::add)
}

/// A nonce, which its client is told to have.
fn new_nonce(cx: &mut Cx<'_>, conf: &DigestDir, realm: &[u8], opaque: Option<&[u8]>) -> BString {
    let secret = cx.system().secret();
    let time = match conf.lifetime() {
        0 => clients(cx, Clients::number),
        _ => nonce::micros(cx.req.started),
    };
    let made = nonce::make(&secret, realm, opaque, time);
    if let Some(opaque) = opaque {
        clients(cx, |clients| clients.find(opaque).map(|client| client.give(&made)));
    }
    made
}

/// \[check_user_id\]
pub fn authenticate(cx: &mut Cx<'_>) -> Verdict {
    let Some(kind) = auth_type(cx).filter(|kind| kind.value.eq_ignore_ascii_case(b"Digest")) else {
        return Verdict::Declined;
    };
    let uri = cx.req.uri.clone();
    let Some(realm) = auth_name(cx) else {
        cx.log(3, "AH01780", format_args!("need AuthName: {uri}"));
        return cx.fail(500, kind.at, format_args!("this needs an AuthName beside it"));
    };
    cx.req.auth_type = Some(kind.value.clone());
    let Some(field) = cx.req.headers_in.get("Authorization").map(BString::from) else {
        cx.because(kind.at, format_args!("the request says no user"));
        return challenge(cx, &realm, None, false);
    };
    match header::read(&field) {
        Ok(said) => {
            cx.req.user = Some(said.username.clone());
            prove(cx, &kind, &realm, &said)
        }
        Err(Unfit::Scheme(scheme)) => {
            let text = format_args!("client used wrong authentication scheme `{scheme}': {uri}");
            cx.log(3, "AH01781", text);
            challenge(cx, &realm, None, false)
        }
        Err(Unfit::Incomplete) => {
            let text = format_args!(
                "missing user, realm, nonce, uri, digest, cnonce, or nonce_count in authorization header: {uri}"
            );
            cx.log(3, "AH01782", text);
            challenge(cx, &realm, None, false)
        }
    }
}

/// Checks what the client says in the order in which Apache does.
fn prove(cx: &mut Cx<'_>, kind: &Setting<BString>, realm: &BString, said: &Response) -> Verdict {
    if let Some(verdict) = other_uri(cx, &said.uri) {
        return verdict;
    }
    if let Some(verdict) = unfit(cx, realm, said) {
        return verdict;
    }
    let ha1 = match user_hash(cx, realm, said) {
        Ok(hash) => hash,
        Err(verdict) => return verdict,
    };
    let (user, uri) = (&said.username, cx.req.uri.clone());
    if said.qop.as_ref().is_none_or(|qop| !qop.eq_ignore_ascii_case(b"auth")) {
        let qop = said.qop.clone().unwrap_or_else(|| "(null)".into());
        let text =
            format_args!("invalid or missing qop value '{qop}', RFC 2069 is no longer supported: {uri}");
        cx.log(3, "AH10560", text);
        return challenge(cx, realm, Some(said), false);
    }
    let method = cx.req.first().method_name.clone();
    if proof(&ha1, said, &method) != said.response.as_slice() {
        cx.log(3, "AH01794", format_args!("user {user}: password mismatch: {uri}"));
        cx.because(kind.at, format_args!("the password of {user} is another"));
        return challenge(cx, realm, Some(said), false);
    }
    if let Some(verdict) = replayed(cx, realm, said).or_else(|| worn_out(cx, realm, said)) {
        return verdict;
    }
    cx.because(kind.at, format_args!("this is user {user}"));
    answer(cx, realm, said, &ha1);
    Verdict::Ok
}

/// The URI that was signed must be that of the request, as the client sent it.
fn other_uri(cx: &mut Cx<'_>, signed: &BString) -> Option<Verdict> {
    let target = cx.req.target.clone();
    let Some(theirs) = Uri::read(signed) else {
        cx.log(3, "AH01783", format_args!("invalid uri <{signed}> in Authorization header"));
        return Some(Verdict::Status(Status(400)));
    };
    let own = Uri::read(&target)?;
    let host = own.host.or_else(|| cx.req.hostname.clone());
    let port = own.port.unwrap_or_else(|| urls::server_port(cx.engine, cx.req));
    let elsewhere = theirs.host.is_some_and(|theirs| host.is_some_and(|host| host != theirs))
        || theirs.port.is_some_and(|theirs| theirs != port);
    if !elsewhere && theirs.path == own.path && theirs.query == own.query {
        return None;
    }
    let text = format_args!("uri mismatch - <{signed}> does not match request-uri <{target}>");
    cx.log(3, "AH01786", text);
    Some(Verdict::Status(Status(400)))
}

/// Opaque, realm and algorithm must be those that the server said.
fn unfit(cx: &mut Cx<'_>, realm: &BString, said: &Response) -> Option<Verdict> {
    if let Some(opaque) = said.opaque.as_ref().filter(|opaque| nonce::count(opaque).is_none()) {
        cx.log(3, "AH01787", format_args!("received invalid opaque - got `{opaque}'"));
    } else if said.realm != *realm {
        let text = format_args!("realm mismatch - got `{}' but expected `{realm}'", said.realm);
        cx.log(3, "AH01788", text);
    } else if let Some(name) = said.algorithm.as_ref().filter(|name| !name.eq_ignore_ascii_case(b"MD5")) {
        let uri = cx.req.uri.clone();
        cx.log(3, "AH01789", format_args!("unknown algorithm `{name}' received: {uri}"));
    } else {
        return None;
    }
    Some(challenge(cx, realm, Some(said), false))
}

/// The hash of user, realm and password, from the first provider that knows the user.
fn user_hash(cx: &mut Cx<'_>, realm: &BString, said: &Response) -> Result<BString, Verdict> {
    let conf: &DigestDir = cx.conf();
    let list = providers::list(cx, &conf.providers);
    if list.is_empty() {
        cx.log(3, "AH01770", format_args!("No Authn provider configured"));
        return Err(Verdict::Status(Status(500)));
    }
    for provider in list {
        match provider.value.realm(cx, &said.username, realm, provider.at) {
            Some(RealmHash::Found(hash)) => return Ok(hash),
            Some(RealmHash::NotFound) => {}
            Some(RealmHash::Error) | None => return Err(Verdict::Status(Status(500))),
        }
    }
    let (user, uri) = (&said.username, cx.req.uri.clone());
    cx.log(3, "AH01790", format_args!("user `{user}' in realm `{realm}' not found: {uri}"));
    Err(challenge(cx, realm, Some(said), false))
}

fn md5(parts: &[&[u8]]) -> String {
    nonce::hex(&Md5::digest(parts.join(&b':')))
}

/// RFC 7616, section 3.4.1; with an empty method it is the server's own proof (3.5).
fn proof(ha1: &[u8], said: &Response, method: &[u8]) -> Vec<u8> {
    let ha2 = md5(&[method, &said.uri]);
    let qop = said.qop.as_ref().map_or(&b"auth"[..], |qop| qop.as_slice());
    md5(&[ha1, &said.nonce, &said.nc, &said.cnonce, qop, ha2.as_bytes()]).into_bytes()
}

/// The request, as a client's use of a nonce counts it.
fn by(cx: &Cx<'_>) -> (u64, u32) {
    (cx.req.conn.id, cx.req.conn.keepalives.get())
}

/// AuthDigestNcCheck: each count may be used once.
fn replayed(cx: &mut Cx<'_>, realm: &BString, said: &Response) -> Option<Verdict> {
    if !cx.conf::<DigestDir>().nc_check.value_or(false) {
        return None;
    }
    let Some(count) = nonce::count(&said.nc) else {
        cx.log(3, "AH01773", format_args!("invalid nc {} received - not a number", said.nc));
        return Some(challenge(cx, realm, Some(said), false));
    };
    let by = by(cx);
    let opaque = said.opaque.clone().unwrap_or_default();
    let used = clients(cx, |clients| Some(clients.find(&opaque)?.check(&said.nonce, count, by)));
    if let Some(Used::Replayed(last)) = used {
        let text = format_args!(
            "Warning, possible replay attack: nonce-count check failed: {count} is not above {last} for nonce {}",
            said.nonce
        );
        cx.log(3, "AH01774", text);
        return Some(challenge(cx, realm, Some(said), false));
    }
    None
}

/// The nonce must be ours, and may not be too old. A client that gets `stale=true` tries again by
/// itself, so this comes last.
fn worn_out(cx: &mut Cx<'_>, realm: &BString, said: &Response) -> Option<Verdict> {
    let conf: &DigestDir = cx.conf();
    let (time, theirs) = said.nonce.split_at(nonce::TIME);
    let hash =
        nonce::hash(&cx.system().secret(), realm, said.opaque.as_ref().map(|opaque| opaque.as_slice()), time);
    let (user, given) = (&said.username, &said.nonce);
    let age = age(cx, given);
    if hash.as_bytes() != theirs {
        cx.log(3, "AH01776", format_args!("invalid nonce {given} received - hash is not {hash}"));
    } else if conf.lifetime() > 0 && age < 0.0 {
        cx.log(3, "AH01777", format_args!("invalid nonce {given} received - user attempted time travel"));
    } else if conf.lifetime() > 0 && age > seconds(conf.lifetime()) {
        // The fraction does not reach Apache's log.
        let (age, most) = (age.trunc(), seconds(conf.lifetime()));
        let text = format_args!(
            "user {user}: nonce expired ({age:.2} seconds old - max lifetime {most:.2}) - sending new nonce"
        );
        cx.log(6, "AH01778", text);
        cx.because(conf.lifetime.at(), format_args!("what the client was given is too old"));
    } else if conf.tracks_clients() {
        return forgotten(cx, realm, said);
    } else {
        return None;
    }
    Some(challenge(cx, realm, Some(said), true))
}

/// What a client that is kept track of may not do: come after it was forgotten, or use a nonce
/// again that holds once.
fn forgotten(cx: &mut Cx<'_>, realm: &BString, said: &Response) -> Option<Verdict> {
    let once = cx.conf::<DigestDir>().lifetime() == 0;
    let count = if once { 1 } else { nonce::count(&said.nc).unwrap_or(0) };
    let by = by(cx);
    let opaque = said.opaque.clone().unwrap_or_default();
    let used = clients(cx, |clients| {
        let used = clients.find(&opaque).map_or(Used::Unknown, |client| client.take(&said.nonce, count, by));
        let known = clients.find(&opaque).is_some();
        if once && known && used == Used::Unknown { Used::Replayed(0) } else { used }
    });
    match used {
        Used::Anew => return None,
        Used::Replayed(_) => {
            let (user, given) = (&said.username, &said.nonce);
            let text = format_args!("user {user}: one-time-nonce {given} already used - sending new nonce");
            cx.log(6, "AH01779", text);
        }
        Used::Unknown => {
            cx.log(6, "AH10618", format_args!("client {opaque} is no longer known - sending new nonce"));
        }
    }
    Some(challenge(cx, realm, Some(said), true))
}

/// Seconds since the nonce was made.
fn age(cx: &Cx<'_>, nonce: &[u8]) -> f64 {
    let made = nonce::time(nonce).unwrap_or(0);
    seconds(nonce::micros(cx.req.started).saturating_sub(made)) / 1e6
}

#[allow(clippy::cast_precision_loss, reason = "for a text with two decimals")]
fn seconds(number: i64) -> f64 {
    number as f64
}

/// The server's own proof, and the next nonce if this one ends soon (RFC 7616, section 3.5).
fn answer(cx: &mut Cx<'_>, realm: &BString, said: &Response, ha1: &[u8]) {
    let conf: &DigestDir = cx.conf();
    let lifetime = conf.lifetime();
    let proof = proof(ha1, said, b"");
    let mut value = [b"rspauth=\"", proof.as_slice(), b"\""].concat();
    if lifetime == 0 || (lifetime > 0 && age(cx, &said.nonce) > seconds(lifetime - NEXT)) {
        let next = new_nonce(cx, conf, realm, said.opaque.as_ref().map(|opaque| opaque.as_slice()));
        value.extend_from_slice(&[b", nextnonce=\"", next.as_slice(), b"\""].concat());
    }
    value.extend_from_slice(&[b", cnonce=\"", said.cnonce.as_slice(), b"\", nc="].concat());
    value.extend_from_slice(&said.nc);
    value.extend_from_slice(b", qop=auth");
    cx.req.headers_out.set("Authentication-Info", value);
}

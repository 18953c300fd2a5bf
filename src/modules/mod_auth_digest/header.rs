//! The client's words: the fields of `Authorization: Digest …`, and the URI among them.

use bstr::{BString, ByteSlice};

/// Length of a nonce that this server made.
pub const NONCE: usize = super::nonce::TIME + 40;

/// Length of a proof: MD5 in hexadecimal digits.
const PROOF: usize = 32;

/// What the field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Who it is.
    pub username: BString,
    /// The realm that the client saw.
    pub realm: BString,
    /// What the server gave out.
    pub nonce: BString,
    /// The URI that the client signed.
    pub uri: BString,
    /// The proof.
    pub response: BString,
    /// The hash it names.
    pub algorithm: Option<BString>,
    /// What the client gave out.
    pub cnonce: BString,
    /// What the server gave out besides.
    pub opaque: Option<BString>,
    /// The quality of protection it names.
    pub qop: Option<BString>,
    /// How often the nonce was used.
    pub nc: BString,
}

/// Why a field is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is of this scheme.
    Scheme(BString),
    /// Something is missing in it, or the nonce cannot be ours.
    Incomplete,
}

/// Reads the field's value.
///
/// # Errors
/// It is of no use.
pub fn read(value: &[u8]) -> Result<Response, Unfit> {
    let end = value.find_byteset(b" ").unwrap_or(value.len());
    let (scheme, mut rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"Digest") {
        return Err(Unfit::Scheme(scheme.into()));
    }
    let mut said = Response::default();
    let (mut cnonce, mut nc) = (None, None);
    while let Some((key, value, after)) = pair(rest) {
        rest = after;
        match key.to_ascii_lowercase().as_slice() {
            b"username" => said.username = value,
            b"realm" => said.realm = value,
            b"nonce" => said.nonce = value,
            b"uri" => said.uri = value,
            b"response" => said.response = value,
            b"algorithm" => said.algorithm = Some(value),
            b"cnonce" => cnonce = Some(value),
            b"opaque" => said.opaque = Some(value),
            b"qop" => said.qop = Some(value),
            b"nc" => nc = Some(value),
            _ => {}
        }
    }
    let needed = [&said.username, &said.realm, &said.nonce, &said.uri, &said.response];
    let counted = said.qop.is_none() || (cnonce.is_some() && nc.is_some());
    if needed.iter().any(|field| field.is_empty())
        || !counted
        || said.nonce.len() != NONCE
        || said.response.len() != PROOF
    {
        return Err(Unfit::Incomplete);
    }
    (said.cnonce, said.nc) = (cnonce.unwrap_or_default(), nc.unwrap_or_default());
    Ok(said)
}

/// The next `key=value` or `key="value"`, and what is behind it.
fn pair(text: &[u8]) -> Option<(&[u8], BString, &[u8])> {
    let text = text.trim_start_with(|c| matches!(c, ' ' | '\t' | ','));
    if text.is_empty() {
        return None;
    }
    let end = text.find_byteset(b"=,").unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix(b"=") else { return Some((key.trim(), BString::default(), rest)) };
    let rest = rest.trim_start();
    match rest.strip_prefix(b"\"") {
        Some(inner) => {
            let (value, after) = unquoted(inner);
            Some((key.trim(), value, after))
        }
        None => {
            let end = rest.find_byteset(b", \t").unwrap_or(rest.len());
            Some((key.trim(), rest[..end].into(), &rest[end..]))
        }
    }
}

fn unquoted(text: &[u8]) -> (BString, &[u8]) {
    let mut value = BString::default();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return (value, &text[at + 1..]),
            b'\\' => {
                at += 1;
                value.extend(text.get(at));
            }
            _ => value.push(byte),
        }
        at += 1;
    }
    (value, &[])
}

/// The parts of a URI that have to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// Host, in lower case.
    pub host: Option<BString>,
    /// Port.
    pub port: Option<u16>,
    /// Path, decoded.
    pub path: BString,
    /// Query, decoded.
    pub query: Option<BString>,
}

impl Uri {
    /// Reads a path with a query, or a whole URI; `None` if it is neither.
    pub fn read(text: &[u8]) -> Option<Uri> {
        let (authority, rest) = match text.find("://").filter(|at| !text[..*at].contains(&b'/')) {
            Some(at) => {
                let rest = &text[at + 3..];
                let end = rest.find_byteset(b"/?").unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, text),
        };
        let (host, port) = match authority {
            Some(authority) => {
                let (host, port) = host_and_port(authority)?;
                (Some(host), port)
            }
            None => (None, None),
        };
        let (path, query) = match rest.split_once_str("?") {
            Some((path, query)) => (path, Some(decoded(query))),
            None => (rest, None),
        };
        Some(Uri { host, port, path: decoded(path), query })
    }
}

fn host_and_port(authority: &[u8]) -> Option<(BString, Option<u16>)> {
    let end = match authority.strip_prefix(b"[") {
        Some(inner) => inner.find_byte(b']')? + 2,
        None => authority.find_byte(b':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    let port = match rest.strip_prefix(b":") {
        Some(digits) if !digits.is_empty() => Some(digits.to_str().ok()?.parse().ok()?),
        Some(_) => None,
        None if rest.is_empty() => None,
        None => return None,
    };
    Some((host.to_ascii_lowercase().into(), port))
}

fn decoded(text: &[u8]) -> BString {
    percent_encoding::percent_decode(text).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce() -> String {
        "n".repeat(NONCE)
    }

    // RFC 7616, section 3.4, and what Apache takes of it.
    #[test]
    fn fields_in_any_order_quoted_or_not() {
        let nonce = nonce();
        let text = format!(
            "digest response={PROOF:0>PROOF$},uri=\"/a,b\" , NONCE=\"{nonce}\", nc=1,cnonce=\"c\\\"d\", qop=auth, username=\"a b\", \
             realm=x, foo"
        );
        let said = read(text.as_bytes()).expect("a response");
        assert_eq!((said.uri.as_slice(), said.cnonce.as_slice()), (&b"/a,b"[..], &b"c\"d"[..]));
        assert_eq!((said.username, said.qop), ("a b".into(), Some("auth".into())));
        assert_eq!(said.opaque, None);
    }

    #[test]
    fn what_is_of_no_use() {
        assert_eq!(read(b"Basic eA=="), Err(Unfit::Scheme("Basic".into())));
        for text in ["Digest", "Digest x", "Digest \"", "Digest a=\"\\", "Digest =,==,"] {
            assert_eq!(read(text.as_bytes()), Err(Unfit::Incomplete), "{text}");
        }
        let nonce = nonce();
        let text =
            format!("Digest username=u,realm=r,nonce={nonce},uri=/,response={PROOF:0>PROOF$},qop=auth");
        assert_eq!(read(text.as_bytes()), Err(Unfit::Incomplete));
    }

    #[test]
    fn uris() {
        let uri = |text: &str| Uri::read(text.as_bytes());
        assert_eq!(
            uri("/a%20b?x=%79").map(|uri| (uri.path, uri.query)),
            Some(("/a b".into(), Some("x=y".into())))
        );
        let whole = uri("http://Host:80/x").expect("a URI");
        assert_eq!((whole.host, whole.port, whole.path), (Some("host".into()), Some(80), "/x".into()));
        assert_eq!(uri("http://["), None);
        assert_eq!(uri("http://x:y/"), None);
        assert_eq!(uri("/x?u=http://y").and_then(|uri| uri.host), None);
    }
}

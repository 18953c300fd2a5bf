//! Which URLs an entry takes, and what it makes of them.

use crate::{
    http::escape,
    policy::regex::{self, Regex},
};
use bstr::{BString, ByteSlice};

/// What an entry matches.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// A path, by whole components.
    Prefix(BString),
    /// A regular expression.
    Regex(Regex),
}

/// How many bytes of `uri` the path `fake` takes, `None` if it does not fit. One slash or more in
/// it matches any number of them; what follows the match must be a component of its own.
pub fn prefix_length(uri: &[u8], fake: &[u8]) -> Option<usize> {
    let (mut url, mut path) = (uri, fake);
    while let [c, tail @ ..] = path {
        if *c == b'/' {
            if url.first() != Some(&b'/') {
                return None;
            }
            path = past_slashes(path);
            url = past_slashes(url);
        } else {
            url = url.strip_prefix(&[*c])?;
            path = tail;
        }
    }
    let whole = fake.ends_with(b"/") || url.first().is_none_or(|&c| c == b'/');
    let length = uri.len() - url.len();
    (whole && length > 0).then_some(length)
}

fn past_slashes(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|&&c| c == b'/').count();
    &text[count..]
}

impl Pattern {
    /// The file name that an alias with this pattern and target makes of a URL's path.
    pub fn file(&self, uri: &[u8], real: &[u8]) -> Option<BString> {
        match self {
            Pattern::Prefix(fake) => {
                let length = prefix_length(uri, fake)?;
                Some([real, &uri[length..]].concat().into())
            }
            Pattern::Regex(regex) => filled(regex, uri, real),
        }
    }

    /// The URL that a redirect with this pattern and target makes of a URL's path; empty without a
    /// target. What comes from the request is escaped; of a filled template, all but the query and
    /// the fragment.
    pub fn url(&self, uri: &[u8], real: Option<&[u8]>) -> Option<BString> {
        match self {
            Pattern::Prefix(fake) => {
                let length = prefix_length(uri, fake)?;
                let escaped = |real| [real, escape::uri(&uri[length..]).as_slice()].concat().into();
                Some(real.map(escaped).unwrap_or_default())
            }
            Pattern::Regex(regex) => match real {
                Some(real) => filled(regex, uri, real).map(|url| escape_target(&url)),
                None => regex.is_match(uri).then(BString::default),
            },
        }
    }
}

fn filled(regex: &Regex, uri: &[u8], template: &[u8]) -> Option<BString> {
    let groups = regex.captures(uri)?;
    Some(regex::substitute(template, |n| regex::group(uri, &groups, n)))
}

/// A URL with its query and fragment as they are and the rest escaped, as Apache writes it after
/// taking it apart: the scheme's own port and a wrong one are left out, a password is hidden.
pub fn escape_target(url: &[u8]) -> BString {
    let (front, fragment) = cut(url, b'#');
    let (path, query) = cut(front, b'?');
    let mut out = escape::uri(&plain_authority(path));
    for part in [query, fragment] {
        out.extend_from_slice(part);
    }
    out
}

/// The text before the first `mark`, and the rest with it.
fn cut(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    text.split_at(text.find_byte(mark).unwrap_or(text.len()))
}

/// `scheme://user:password@host:port/path` with the port normal and the password hidden.
fn plain_authority(url: &[u8]) -> Vec<u8> {
    let Some((scheme, rest)) = split_scheme(url) else { return url.to_vec() };
    let (authority, path) = cut(rest, b'/');
    let (login, host) = match authority.rfind_byte(b'@') {
        Some(at) => (hidden(&authority[..=at]), &authority[at + 1..]),
        None => (Vec::new(), authority),
    };
    let after_bracket = host.rfind_byte(b']').unwrap_or(0);
    let colon = host[after_bracket..].find_byte(b':').map_or(host.len(), |at| after_bracket + at);
    let (name, port) = host.split_at(colon);
    let number = port.get(1..).and_then(|digits| digits.to_str().ok()?.parse::<u16>().ok());
    match number {
        None if port.len() > 1 => [scheme, b"://", &login, name].concat(),
        Some(number) if Some(number) != default_port(scheme) => {
            [scheme, b"://", &login, name, port, path].concat()
        }
        _ => [scheme, b"://", &login, name, path].concat(),
    }
}

fn split_scheme(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let (scheme, rest) = cut(url, b':');
    let rest = rest.strip_prefix(b"://")?;
    scheme.iter().all(u8::is_ascii_alphanumeric).then_some((scheme, rest))
}

fn hidden(login: &[u8]) -> Vec<u8> {
    match login.find_byte(b':') {
        Some(colon) => [&login[..colon], b":XXXXXXXX@"].concat(),
        None => login.to_vec(),
    }
}

fn default_port(scheme: &[u8]) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_slice() {
        b"http" => Some(80),
        b"https" => Some(443),
        b"ftp" => Some(21),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn prefix(fake: &str, uri: &str, expected: Option<&str>) {
        let pattern = Pattern::Prefix(fake.into());
        assert_eq!(pattern.file(uri.as_bytes(), b"/r"), expected.map(BString::from), "{fake} {uri}");
    }

    #[test]
    fn whole_components() {
        prefix("/icons", "/icons", Some("/r"));
        prefix("/icons", "/icons/a", Some("/r/a"));
        prefix("/icons", "/iconsx", None);
        prefix("/icons/", "/icons/a", Some("/ra"));
        prefix("/icons/", "/icons", None);
        prefix("/", "/a", Some("/ra"));
        prefix("x", "/x", None);
    }

    #[test]
    fn any_number_of_slashes() {
        prefix("/a", "/a//f", Some("/r//f"));
        prefix("/a/b", "//a///b/c", Some("/r/c"));
    }

    #[track_caller]
    fn redirect(pattern: Pattern, uri: &[u8], real: &str, expected: &[u8]) {
        let url = pattern.url(uri, Some(real.as_bytes()));
        assert_eq!(url, Some(BString::from(expected)));
    }

    fn regex(text: &str) -> Pattern {
        Pattern::Regex(Regex::new(text.as_bytes(), false).expect("the tests' patterns compile"))
    }

    #[test]
    fn only_the_rest_of_a_prefix_is_escaped() {
        let pattern = Pattern::Prefix("/r3".into());
        redirect(pattern.clone(), b"/r3/ %?;x", "http://h/t é<", "http://h/t é</%20%25%3f;x".as_bytes());
        redirect(pattern, b"/r3/x", "http://h/t?own=1", b"http://h/t?own=1/x");
    }

    #[test]
    fn a_filled_template_is_escaped_but_for_query_and_fragment() {
        let uri = b"/rm1/a b";
        let real = "http://h/$1 é?$1#a b";
        redirect(regex("^/rm1/(.*)"), uri, real, b"http://h/a%20b%20%c3%a9?a b#a b");
        let real = r"http://h/&-$1-\$1-\&-\x-$9-$0";
        redirect(regex("^/rm2/(.*)"), b"/rm2/x&y", real, b"http://h/&-x&y-$1-&-x--/rm2/x&y");
    }

    #[track_caller]
    fn target(url: &str, expected: &str) {
        assert_eq!(escape_target(url.as_bytes()), expected);
    }

    #[test]
    fn targets_are_written_anew() {
        target("http://h:80/y", "http://h/y");
        target("https://h:443/y", "https://h/y");
        target("HTTP://H:80", "HTTP://H");
        target("http://[::1]:81/y", "http://%5b::1%5d:81/y");
        target("http://u:p@h/y", "http://u:XXXXXXXX@h/y");
        target("http://h?x", "http://h?x");
        target("http://h:bad/x", "http://h");
        target("//h/x", "//h/x");
        target("mailto:a@b c", "mailto:a@b%20c");
        target("/a:b?c#d e", "/a:b?c#d e");
        target("http://h/x#f?y", "http://h/x#f?y");
        target("http://h/GETa%20b", "http://h/GETa%2520b");
    }
}

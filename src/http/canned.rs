//! Apache's built-in error pages, byte for byte.

use super::escape::html;
use super::status::Status;

/// What a page depends on. Texts are unescaped unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Page<'a> {
    /// The status; one without a phrase gets the page of a 500.
    pub status: u16,
    /// A status line that replaces Apache's own (`404 Nope`), if a handler gave one.
    pub status_line: Option<&'a [u8]>,
    /// The request's method.
    pub method: &'a [u8],
    /// The `Location` field, for redirects.
    pub location: &'a [u8],
    /// The `Expect` field of the request, for 417.
    pub expect: Option<&'a [u8]>,
    /// `error-notes`: HTML that says more.
    pub notes: &'a [u8],
    /// `verbose-error-to` is `*`: a 500 shows nothing but the notes.
    pub only_notes: bool,
    /// `variant-list`, HTML, for 300, 406 and 506.
    pub variants: &'a [u8],
    /// `ServerAdmin`.
    pub admin: &'a [u8],
    /// The status of the request that `ErrorDocument` led to, if that failed too.
    pub also: Option<u16>,
    /// The line of `ServerSignature`, see [`signature`]; HTML, empty for none.
    pub signature: &'a [u8],
}

/// `ServerSignature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    /// No line.
    #[default]
    Off,
    /// Server, host and port.
    On,
    /// The host links to `ServerAdmin`.
    EMail,
}

/// The line under a page, without the rule above it that [`page`] draws. `server` is the text of the Server
/// field, `host` and `port` those of the self-referential URL (`UseCanonicalName`).
pub fn signature(kind: Signature, server: &[u8], admin: &[u8], host: &[u8], port: u16) -> Vec<u8> {
    let host = html(host);
    let host = match kind {
        Signature::Off => return Vec::new(),
        Signature::On => host.into_owned(),
        Signature::EMail => [b"<a href=\"mailto:", &*html(admin), b"\">", &*host, b"</a>"].concat(),
    };
    let port = port.to_string();
    [b"<address>", server, b" Server at ", &*host, b" Port ", port.as_bytes(), b"</address>\n"].concat()
}

/// The page, of type `text/html; charset=iso-8859-1`. A 204 or 304 has none.
pub fn page(page: &Page<'_>) -> Vec<u8> {
    let status = Status(page.status);
    if status.is_header_only() {
        return Vec::new();
    }
    let line = page.status_line.unwrap_or(status.line().as_bytes());
    let heading = line.get(4..).unwrap_or_default();
    let mut out = Vec::with_capacity(512);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    put(&[DOCTYPE, b"<html><head>\n<title>", line, b"</title>\n</head><body>\n<h1>", heading, b"</h1>\n"]);
    put(&[&body(page)]);
    if let Some(also) = page.also {
        let line = Status(also).line().as_bytes();
        put(&[b"<p>Additionally, a ", line, b"\nerror was encountered while trying to use an "]);
        put(&[b"ErrorDocument to handle the request.</p>\n"]);
    }
    if !page.signature.is_empty() {
        put(&[b"<hr>\n", page.signature]);
    }
    put(&[b"</body></html>\n"]);
    out
}

const DOCTYPE: &[u8] =
    b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n";

fn body(page: &Page<'_>) -> Vec<u8> {
    let method = html(page.method);
    let location = html(page.location);
    let notes = page.notes;
    match page.status {
        300 => page.variants.to_vec(),
        406 => [fixed(406).unwrap_or_default().as_bytes(), page.variants].concat(),
        301 | 302 | 307 | 308 => {
            [b"<p>The document has moved <a href=\"", &*location, b"\">here</a>.</p>\n"].concat()
        }
        303 => [b"<p>The answer to your request is located <a href=\"", &*location, b"\">here</a>.</p>\n"]
            .concat(),
        400 => with_notes(BAD_REQUEST, notes),
        403 => with_notes("<p>You don't have permission to access this resource.", notes),
        405 => [b"<p>The requested method ", &*method, b" is not allowed for this URL.</p>\n"].concat(),
        411 => {
            let end = b" requires a valid Content-length.<br />\n";
            [b"<p>A request of the requested method ", &*method, end, notes, b"</p>\n"].concat()
        }
        413 => [b"The requested resource does not allow request data with ", &*method, TOO_LARGE].concat(),
        414 => with_notes(LONG_URI, notes),
        417 => expectation(page.expect),
        451 => with_notes("<p>Access to this URL has been denied for legal reasons.<br />\n", notes),
        501 => [b"<p>", &*method, b" not supported for current URL.<br />\n", notes, b"</p>\n"].concat(),
        502 => with_notes(BAD_GATEWAY, notes),
        506 => [VARIES, page.variants, VARIES_END].concat(),
        status => match fixed(status) {
            Some(text) => text.as_bytes().to_vec(),
            None => server_error(page),
        },
    }
}

fn with_notes(text: &str, notes: &[u8]) -> Vec<u8> {
    [text.as_bytes(), notes, b"</p>\n"].concat()
}

fn expectation(expect: Option<&[u8]>) -> Vec<u8> {
    let end: &[u8] = b"</p><p>Only the 100-continue expectation is supported.</p>\n";
    match expect {
        None => [EXPECTED_NOTHING.as_bytes(), end].concat(),
        Some(value) => [EXPECTED.as_bytes(), &*html(value), b"\n</pre>\n", end].concat(),
    }
}

fn server_error(page: &Page<'_>) -> Vec<u8> {
    if page.only_notes && !page.notes.is_empty() {
        return [page.notes, b"<p />\n"].concat();
    }
    [SERVER_ERROR.as_bytes(), &*html(page.admin), SERVER_ERROR_END.as_bytes()].concat()
}

const BAD_REQUEST: &str = "<p>Your browser sent a request that this server could not understand.<br />\n";
const LONG_URI: &str = "<p>The requested URL's length exceeds the capacity\nlimit for this server.<br />\n";
const BAD_GATEWAY: &str =
    "<p>The proxy server received an invalid\r\nresponse from an upstream server.<br />\r\n";
const TOO_LARGE: &[u8] =
    b" requests, or the amount of data provided in\nthe request exceeds the capacity limit.\n";
const VARIES: &[u8] = b"<p>A variant for the requested resource\n<pre>\n";
const VARIES_END: &[u8] =
    b"\n</pre>\nis itself a negotiable resource. This indicates a configuration error.</p>\n";
const EXPECTED_NOTHING: &str = "<p>No expectation was seen, the Expect request-header \n\
    field was not presented by the client.\n";
const EXPECTED: &str = "<p>The expectation given in the Expect request-header\n\
    field could not be met by this server.\nThe client sent<pre>\n    Expect: ";
const SERVER_ERROR: &str = "<p>The server encountered an internal error or\n\
    misconfiguration and was unable to complete\nyour request.</p>\n\
    <p>Please contact the server administrator at \n ";
const SERVER_ERROR_END: &str = " to inform them of the time this error occurred,\n \
    and the actions you performed just before this error.</p>\n\
    <p>More information about this error may be available\nin the server error log.</p>\n";

/// Texts that depend on nothing.
fn fixed(status: u16) -> Option<&'static str> {
    Some(match status {
        305 => {
            "<p>This resource is only accessible through the proxy\n\
            <br />\n\
            You will need to configure your client to use that proxy.</p>\n"
        }
        401 | 407 => {
            "<p>This server could not verify that you\n\
            are authorized to access the document\n\
            requested.  Either you supplied the wrong\n\
            credentials (e.g., bad password), or your\n\
            browser doesn't understand how to supply\n\
            the credentials required.</p>\n"
        }
        404 => "<p>The requested URL was not found on this server.</p>\n",
        406 => {
            "<p>An appropriate representation of the requested resource could not be found on this server.</p>\n"
        }
        408 => "<p>Server timeout waiting for the HTTP request from the client.</p>\n",
        410 => {
            "<p>The requested resource is no longer available on this server and there is no forwarding address.\n\
            Please remove all references to this resource.</p>\n"
        }
        412 => "<p>The precondition on the request for this URL evaluated to false.</p>\n",
        415 => {
            "<p>The supplied request data is not in a format\n\
            acceptable for processing by this resource.</p>\n"
        }
        416 => {
            "<p>None of the range-specifier values in the Range\n\
            request-header field overlap the current extent\n\
            of the selected resource.</p>\n"
        }
        421 => {
            "<p>The client needs a new connection for this\n\
            request as the requested host name does not match\n\
            the Server Name Indication (SNI) in use for this\n\
            connection.</p>\n"
        }
        422 => {
            "<p>The server understands the media type of the\n\
            request entity, but was unable to process the\n\
            contained instructions.</p>\n"
        }
        423 => {
            "<p>The requested resource is currently locked.\n\
            The lock must be released or proper identification\n\
            given before the method can be applied.</p>\n"
        }
        424 => {
            "<p>The method could not be performed on the resource\n\
            because the requested action depended on another\n\
            action and that other action failed.</p>\n"
        }
        426 => {
            "<p>The requested resource can only be retrieved\n\
            using SSL.  The server is willing to upgrade the current\n\
            connection to SSL, but your client doesn't support it.\n\
            Either upgrade your client, or try requesting the page\n\
            using https://\n"
        }
        428 => "<p>The request is required to be conditional.</p>\n",
        429 => {
            "<p>The user has sent too many requests\n\
            in a given amount of time.</p>\n"
        }
        431 => {
            "<p>The server refused this request because\n\
            the request header fields are too large.</p>\n"
        }
        503 => {
            "<p>The server is temporarily unable to service your\n\
            request due to maintenance downtime or capacity\n\
            problems. Please try again later.</p>\n"
        }
        504 => {
            "<p>The gateway did not receive a timely response\n\
            from the upstream server or application.</p>\n"
        }
        507 => {
            "<p>The method could not be performed on the resource\n\
            because the server is unable to store the\n\
            representation needed to successfully complete the\n\
            request.  There is insufficient free space left in\n\
            your storage allocation.</p>\n"
        }
        508 => {
            "<p>The server terminated an operation because\n\
            it encountered an infinite loop.</p>\n"
        }
        510 => {
            "<p>A mandatory extension policy in the request is not\n\
            accepted by the server for this resource.</p>\n"
        }
        511 => {
            "<p>The client needs to authenticate to gain\n\
            network access.</p>\n"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is what stands between the heading and the end of the page.
    #[track_caller]
    fn check(input: Page<'_>, expected: &str) {
        let line = Status(input.status).line();
        let head = format!("<html><head>\n<title>{line}</title>\n</head><body>\n<h1>{}</h1>\n", &line[4..]);
        let doctype = String::from_utf8_lossy(DOCTYPE);
        let expected = format!("{doctype}{head}{expected}</body></html>\n");
        assert_eq!(String::from_utf8(page(&input)).unwrap(), expected);
    }

    fn of(status: u16) -> Page<'static> {
        Page { status, method: b"GET", admin: b"you@example.com", ..Page::default() }
    }

    #[test]
    fn redirects() {
        let input = Page { location: b"http://x/a?b=1&c=\"<>", ..of(301) };
        let link = "http://x/a?b=1&amp;c=&quot;&lt;&gt;";
        check(input, &format!("<p>The document has moved <a href=\"{link}\">here</a>.</p>\n"));
        check(of(300), "");
        assert_eq!(page(&of(304)), b"");
    }

    #[test]
    fn notes_come_after_the_text() {
        let notes = b"Size of a request header field exceeds server limit.";
        let told = "Size of a request header field exceeds server limit.</p>\n";
        let text = "<p>Your browser sent a request that this server could not understand.<br />\n";
        check(Page { notes, ..of(400) }, &format!("{text}{told}"));
        check(of(400), &format!("{text}</p>\n"));
    }

    #[test]
    fn methods_are_escaped() {
        let input = Page { method: b"FO&O", ..of(501) };
        check(input, "<p>FO&amp;O not supported for current URL.<br />\n</p>\n");
    }

    #[test]
    fn expectations() {
        let text = "<p>The expectation given in the Expect request-header\nfield could not be met by this \
            server.\nThe client sent<pre>\n    Expect: a&lt;b\n</pre>\n</p><p>Only the 100-continue \
            expectation is supported.</p>\n";
        check(Page { expect: Some(b"a<b"), ..of(417) }, text);
    }

    #[test]
    fn a_failing_error_document() {
        let text = "<p>The requested URL was not found on this server.</p>\n<p>Additionally, a 404 Not Found\n\
            error was encountered while trying to use an ErrorDocument to handle the request.</p>\n";
        check(Page { also: Some(404), ..of(404) }, text);
    }

    #[test]
    fn signatures() {
        let line = signature(Signature::EMail, b"Apache/2.4.71 (Debian)", b"a@b", b"hx", 80);
        let expected =
            "<address>Apache/2.4.71 (Debian) Server at <a href=\"mailto:a@b\">hx</a> Port 80</address>\n";
        assert_eq!(String::from_utf8_lossy(&line), expected);
        let text = "<p>You don't have permission to access this resource.</p>\n<hr>\n";
        check(Page { signature: &line, ..of(403) }, &format!("{text}{expected}"));
        let line = signature(Signature::On, b"Apache", b"", b"h", 80);
        assert_eq!(line, b"<address>Apache Server at h Port 80</address>\n");
    }

    /// Lengths of the whole page that Apache sends for `Redirect STATUS /x`, asked with GET.
    #[test]
    fn lengths_of_all_pages() {
        for &(status, length) in LENGTHS {
            let input = Page { location: b"http://t/?a&%22x%22", ..of(status) };
            assert_eq!(page(&input).len(), length, "{status}");
        }
    }

    const LENGTHS: &[(u16, usize)] = &[
        (300, 195),
        (301, 271),
        (302, 247),
        (303, 270),
        (304, 0),
        (305, 304),
        (307, 273),
        (308, 273),
        (400, 266),
        (401, 421),
        (402, 558),
        (403, 239),
        (404, 236),
        (405, 260),
        (406, 289),
        (407, 455),
        (408, 261),
        (409, 542),
        (410, 322),
        (411, 278),
        (412, 273),
        (413, 355),
        (414, 288),
        (415, 303),
        (416, 354),
        (417, 352),
        (421, 362),
        (422, 325),
        (423, 317),
        (424, 340),
        (426, 425),
        (428, 255),
        (429, 267),
        (431, 313),
        (451, 289),
        (500, 568),
        (501, 242),
        (502, 272),
        (503, 339),
        (504, 287),
        (505, 578),
        (506, 338),
        (507, 429),
        (508, 272),
        (510, 287),
        (511, 289),
    ];
}

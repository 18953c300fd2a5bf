//! What comes before and after the list: files that HeaderName and ReadmeName name.

use super::{entries::is_html, options::Words, page::Page};
use crate::{
    engine::{Cx, LookedUp, Pending, Request},
    http::Status,
    system,
};
use bstr::{BString, ByteSlice};

/// Most bytes of such a file.
const LONGEST: u64 = 64 << 20;

/// A file that was found.
enum Found {
    /// A page, to be put in as it is.
    Page(Vec<u8>),
    /// A page that cannot be sent.
    Failed,
    /// Another text.
    Text(Vec<u8>),
    /// None.
    Nothing,
}

/// Everything above the list. A page for a header brings the heading, and with SuppressHTMLPreamble
/// all that is above it.
///
/// # Errors
/// A look-up is needed first.
pub fn head(
    cx: &mut Cx<'_>,
    page: &mut Page<'_>,
    name: Option<&BString>,
    title: &[u8],
) -> Result<(), Pending> {
    let suppressed = page.words.has(Words::SUPPRESS_PREAMBLE);
    match find(cx, name)? {
        Found::Page(text) => {
            if !suppressed {
                page.preamble(title);
            }
            page.out.extend_from_slice(&text);
        }
        Found::Failed => {
            page.preamble(title);
            page.heading(title);
        }
        Found::Text(text) => {
            page.preamble(title);
            page.plain(&text);
        }
        Found::Nothing => {
            page.preamble(title);
            page.heading(title);
        }
    }
    Ok(())
}

/// Everything below the list. A file takes the place of the signature, and a page with
/// SuppressHTMLPreamble that of the end too.
///
/// # Errors
/// A look-up is needed first.
pub fn tail(
    cx: &mut Cx<'_>,
    page: &mut Page<'_>,
    name: Option<&BString>,
    signature: &[u8],
) -> Result<(), Pending> {
    let mut ended = false;
    match find(cx, name)? {
        Found::Page(text) => {
            page.out.extend_from_slice(&text);
            ended = page.words.has(Words::SUPPRESS_PREAMBLE);
        }
        Found::Text(text) => page.plain(&text),
        Found::Failed | Found::Nothing => page.out.extend_from_slice(signature),
    }
    if !ended {
        page.out.extend_from_slice(b"</body></html>\n");
    }
    Ok(())
}

/// Looks the file up as a client would that takes texts only.
fn find(cx: &mut Cx<'_>, name: Option<&BString>) -> Result<Found, Pending> {
    let Some(name) = name else { return Ok(Found::Nothing) };
    let before = cx.req.headers_in.clone();
    cx.req.headers_in.set("Accept", "text/html, text/plain");
    cx.req.headers_in.remove("Accept-Encoding");
    let found = cx.look_up_url(name);
    cx.req.headers_in = before;
    match found {
        LookedUp::Wait(pending) => Err(pending),
        LookedUp::Answered(_) => Ok(Found::Nothing),
        LookedUp::Found(found) => Ok(read(cx, &found)),
    }
}

fn read(cx: &mut Cx<'_>, found: &Request) -> Found {
    let is_file = found.status == Status::OK && found.stat.is_some_and(|stat| stat.is_file());
    let Some(kind) = found.content_type.as_ref().filter(|_| is_file) else { return Found::Nothing };
    let name = found.filename.clone();
    let text = |cx: &Cx<'_>| cx.system().read(system::path(&name), LONGEST);
    if is_html(kind) {
        if let Some(handler) = found.handler.as_ref().filter(|name| *name != "default-handler") {
            cx.note(format_args!("{name} is left out: its handler {handler} cannot be part of a page"));
            return Found::Failed;
        }
        return text(cx).map_or(Found::Failed, Found::Page);
    }
    if kind.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"text/")) {
        return text(cx).map_or(Found::Nothing, Found::Text);
    }
    cx.note(format_args!("{name} is left out: {} is no text", kind.as_bstr()));
    Found::Nothing
}

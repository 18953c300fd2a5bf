//! The rules of a server, applied to a URL before it is mapped to a file: Apache's `hook_uri2file`.

use super::{
    config::{Options, RewriteDir, RewriteServer},
    ended,
    expand::Scene,
    note,
    rules::{self, Outcome, absolute_length},
};
use crate::{
    diag::Span,
    engine::{Cx, Verdict, urls},
    http::{Status, escape},
    policy::{SaidExt, place::server_root_relative},
    system,
};
use bstr::{BString, ByteSlice};

pub fn translate(cx: &mut Cx<'_>) -> Verdict {
    let server: &RewriteServer = cx.server_conf();
    if !cx.conf::<RewriteDir>().engine.value_or(false) || ended(cx) {
        return Verdict::Declined;
    }
    let options = server.options.value_or(Options::default());
    if !options.has(Options::ANY_URI) && !cx.req.uri.starts_with(b"/") {
        return Verdict::Declined;
    }
    name_script(cx);
    let mut scene = Scene::new(cx.req.uri.clone(), None);
    let query = cx.req.args.clone();
    match rules::apply(cx, &mut scene, &server.rules.list) {
        Outcome::Unchanged => Verdict::Declined,
        Outcome::Ends(status) => ends(cx, status),
        Outcome::Proxy(at) => proxy(cx, &scene, "AH00669", at),
        Outcome::Changed { escaped, at, .. } if odd_query(cx, &scene, escaped, query.as_ref()) => {
            cx.log(
                3,
                "AH10410",
                format_args!("Rewritten query string contains control characters or spaces"),
            );
            cx.because(at, format_args!("the query has blanks or control characters"));
            ends(cx, Status(403))
        }
        Outcome::Changed { pass_through: true, .. } => {
            if absolute_length(&scene.path).is_some() {
                cx.req.status = Status(200);
            }
            cx.req.uri = scene.path;
            Verdict::Declined
        }
        Outcome::Changed { escaped, at, .. } => match absolute_length(&scene.path) {
            Some(scheme) => redirect(cx, &scene, scheme, escaped, query.as_ref(), at),
            None => file(cx, scene, options, at),
        },
    }
}

/// The request ends with a status; that of a redirect before is forgotten.
pub fn ends(cx: &mut Cx<'_>, status: Status) -> Verdict {
    cx.req.status = Status(200);
    Verdict::Status(status)
}

/// Whether the rules made a query of what may not stand in one; that of a redirect is escaped.
pub fn odd_query(cx: &Cx<'_>, scene: &Scene, escaped: bool, before: Option<&BString>) -> bool {
    if !escaped && absolute_length(&scene.path).is_some() {
        return false;
    }
    let odd = |args: &BString| args.iter().any(|byte| byte.is_ascii_control() || *byte == b' ');
    cx.req.args.as_ref().is_some_and(|args| Some(args) != before && odd(args))
}

/// `SCRIPT_URL` and `SCRIPT_URI`: the URL as it came.
fn name_script(cx: &mut Cx<'_>) {
    let before = cx.req.env.get("REDIRECT_SCRIPT_URL").map(BString::from);
    let url = before.unwrap_or_else(|| cx.req.uri.clone());
    let whole = urls::construct_url(cx.engine, cx.req, &url);
    cx.req.env.set("SCRIPT_URL", &url);
    cx.req.env.set("SCRIPT_URI", whole);
}

/// `[P]`: what Apache does without mod_proxy.
pub fn proxy(cx: &mut Cx<'_>, scene: &Scene, number: &'static str, at: Span) -> Verdict {
    let url = &scene.path;
    cx.log(
        3,
        number,
        format_args!("attempt to make remote request from mod_rewrite without proxy enabled: proxy:{url}"),
    );
    cx.because(at, format_args!("[P] needs mod_proxy"));
    ends(cx, Status(403))
}

/// The client is sent to another URL.
pub fn redirect(
    cx: &mut Cx<'_>,
    scene: &Scene,
    scheme: usize,
    escaped: bool,
    query: Option<&BString>,
    at: Span,
) -> Verdict {
    let mut url = if escaped { scene.path.clone() } else { escape_absolute(&scene.path, scheme) };
    if let Some(args) = &cx.req.args {
        url.push(b'?');
        match escaped || query == Some(args) {
            true => url.extend_from_slice(args),
            false => url.extend_from_slice(&escape::uri(args)),
        }
    }
    cx.because(at, format_args!("this rule sends the client to {url}"));
    cx.req.headers_out.set("Location", url);
    ends(cx, if scene.status.is_redirect() { scene.status } else { Status(302) })
}

/// The path of a URL escaped; scheme and host stay. A URL of ldap has up to four parts behind
/// question marks.
fn escape_absolute(url: &[u8], scheme: usize) -> BString {
    let (head, rest) = url.split_at(scheme);
    if !head.ends_with(b"/") {
        return [head, &escape::uri(rest)].concat().into();
    }
    let end = rest.find_byte(b'/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if !head.eq_ignore_ascii_case(b"ldap://") {
        return [head, host, &escape::uri(path)].concat().into();
    }
    let parts: Vec<BString> = path.splitn(5, |&byte| byte == b'?').map(escape::uri).collect();
    [head, host, &bstr::join("?", parts)].concat().into()
}

/// The path is a file's name, or a URL below DocumentRoot.
fn file(cx: &mut Cx<'_>, scene: Scene, options: Options, at: Span) -> Verdict {
    let path = scene.path;
    let extra = path.iter().take_while(|&&byte| byte == b'/').count().saturating_sub(1);
    let path = BString::from(&path[extra..]);
    if !path.starts_with(b"/") {
        cx.because(at, format_args!("{path} is neither a URL nor a path"));
        return Verdict::Status(Status(400));
    }
    let reduced = !options.has(Options::LEGACY_PREFIX) && cx.req.notes.contains(note::REDUCED);
    let root = urls::document_root(cx.engine, cx.req);
    let trusted = scene.trust.allows(&path) || urls::below(&root, &path).is_some();
    let whole: BString = match trusted && !reduced && first_exists(cx, &path) {
        true => path,
        false => [root.as_slice(), &path].concat().into(),
    };
    // Sections for directories go by the name: `..` must not hide which directory it is in.
    let dots = whole.split(|&byte| byte == b'/').any(|part| matches!(part, b"." | b".."));
    cx.req.filename = if dots { server_root_relative(b"", &whole) } else { whole };
    cx.because(at, format_args!("this leads to {}", cx.req.filename.clone()));
    Verdict::Ok
}

/// Whether the first component of a path exists (prefix_stat).
fn first_exists(cx: &Cx<'_>, path: &[u8]) -> bool {
    let end = path[1..].find_byte(b'/').map_or(path.len(), |at| at + 1);
    cx.system().stat(system::path(&path[..end])).is_ok()
}

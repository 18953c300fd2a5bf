//! The rules of a directory, applied to a file's name after it is known: Apache's `hook_fixup`.

use super::{
    REDIRECT, REDIRECT_HANDLER,
    config::{Options, RewriteDir},
    ended,
    expand::Scene,
    log,
    rules::{self, Outcome, absolute_length},
    server,
};
use crate::{
    diag::Span,
    engine::{Cx, Verdict, urls},
    http::Status,
    policy::{OptionBits, SaidExt},
};
use bstr::{BString, ByteSlice};

pub fn fixup(cx: &mut Cx<'_>) -> Verdict {
    let dir: &RewriteDir = cx.conf();
    let Some(directory) = &dir.directory else { return Verdict::Declined };
    if !dir.engine.value_or(false) || ended(cx) {
        return Verdict::Declined;
    }
    let options = dir.options.value_or(Options::default());
    let bare = &directory[..directory.len() - 1];
    if !options.has(Options::NO_SLASH) && cx.req.filename == bare {
        return Verdict::Declined;
    }
    let links = OptionBits::FOLLOW_SYM_LINKS.or(OptionBits::SYM_LINKS_IF_OWNER_MATCH);
    if cx.core().options.bits.0 & links.0 == 0 {
        let name = cx.req.filename.clone();
        cx.log(3, "AH00670", format_args!("Options FollowSymLinks and SymLinksIfOwnerMatch are both off, so the RewriteRule directive is also forbidden due to its similar ability to circumvent directory restrictions : {name}"));
        return Verdict::Status(Status(403));
    }
    let (before, query) = (cx.req.filename.clone(), cx.req.args.clone());
    let mut scene = Scene::new(before.clone(), Some(directory.clone()));
    match rules::apply(cx, &mut scene, &dir.rules.list) {
        Outcome::Unchanged => Verdict::Declined,
        Outcome::Ends(status) => server::ends(cx, status),
        Outcome::Proxy(at) => server::proxy(cx, &scene, "AH10160", at),
        Outcome::Changed { escaped, at, .. } if server::odd_query(cx, &scene, escaped, query.as_ref()) => {
            cx.log(
                3,
                "AH10411",
                format_args!("Rewritten query string contains control characters or spaces"),
            );
            cx.because(at, format_args!("the query has blanks or control characters"));
            server::ends(cx, Status(403))
        }
        Outcome::Changed { escaped, at, .. } => match absolute_length(&scene.path) {
            Some(scheme) => {
                below_base(cx, dir, directory, &mut scene, scheme);
                server::redirect(cx, &scene, scheme, escaped, query.as_ref(), at)
            }
            None => local(cx, dir, directory, scene, (&before, query.as_ref()), at),
        },
    }
}

/// In a URL of another server, the directory becomes RewriteBase.
fn below_base(cx: &mut Cx<'_>, dir: &RewriteDir, directory: &[u8], scene: &mut Scene, scheme: usize) {
    let Some(base) = &dir.base else { return };
    let Some(slash) = scene.path[scheme..].find_byte(b'/').map(|at| scheme + at + 1) else { return };
    let path = &scene.path[slash..];
    let bare = directory.strip_prefix(b"/").unwrap_or(directory);
    if let Some(changed) = replaced(path, bare, base.value.strip_prefix(b"/").unwrap_or(&base.value)) {
        cx.because(base.at, format_args!("RewriteBase leads to this directory"));
        scene.path = [&scene.path[..slash], &changed].concat().into();
    }
}

fn replaced(path: &[u8], prefix: &[u8], by: &[u8]) -> Option<BString> {
    let rest = path.strip_prefix(prefix)?;
    let (by, rest) = (by, rest.strip_prefix(b"/").filter(|_| by.ends_with(b"/")).unwrap_or(rest));
    Some([by, rest].concat().into())
}

/// The request goes on as one for another URL of this server.
fn local(
    cx: &mut Cx<'_>,
    dir: &RewriteDir,
    directory: &[u8],
    scene: Scene,
    before: (&BString, Option<&BString>),
    at: Span,
) -> Verdict {
    let mut path = scene.path;
    if !path.starts_with(b"/") {
        cx.because(at, format_args!("{path} is neither a URL nor a path"));
        return Verdict::Status(Status(400));
    }
    if path == *before.0 {
        log(
            cx,
            1,
            Some(directory),
            format_args!("initial URL equal rewritten URL: {path} [IGNORING REWRITE]"),
        );
        return Verdict::Ok;
    }
    let found = path.clone();
    if let Some(base) = &dir.base {
        if let Some(changed) = replaced(&path, directory, &base.value) {
            cx.because(base.at, format_args!("RewriteBase leads to this directory"));
            path = changed;
        }
    } else if !dir.options.value_or(Options::default()).has(Options::IGNORE_CONTEXT)
        && let (Some(root), Some(prefix)) = (&cx.req.context_document_root, &cx.req.context_prefix)
        && let Some(changed) = replaced(&path, root, prefix)
    {
        path = changed;
    }
    if path == found {
        let root = urls::document_root(cx.engine, cx.req);
        let root = root.strip_suffix(b"/").unwrap_or(&root);
        if let Some(rest) = path.strip_prefix(root).filter(|rest| rest.starts_with(b"/")) {
            path = rest.into();
        }
    }
    log(cx, 1, Some(directory), format_args!("internal redirect with {path} [INTERNAL REDIRECT]"));
    cx.because(at, format_args!("the request goes on as one for {path}"));
    cx.req.filename = [REDIRECT, &path].concat().into();
    cx.req.handler = Some(REDIRECT_HANDLER.into());
    Verdict::Ok
}

//! mod_alias: URLs that lead to other places of the file system, or elsewhere altogether.
//!
//! Manual: `mod/mod_alias.html`. Redirects outside of sections are tried before aliases, whatever
//! their order; redirects of sections are tried once more when the directory is known.

mod config;
mod matching;
#[cfg(test)]
mod tests;

use crate::{
    diag::Span,
    engine::{Cx, Hook, Module, Order, Phase, Verdict, urls},
    http::Status,
    policy::{Directive, Kind, SaidExt, Scope, Shape, place::server_root_relative},
};
use bstr::{BStr, BString, ByteSlice};
pub use config::{AliasDir, AliasServer, Entry};
use config::{
    alias, alias_match, alias_preserve_path, redirect, redirect_match, redirect_permanent, redirect_relative,
    redirect_temp,
};
use matching::{Pattern, escape_target, prefix_length};
use std::sync::Arc;

/// The note by which mod_cgi knows that a ScriptAlias chose the program, so that Options ExecCGI
/// is not asked for.
pub const FORCED_TYPE: &str = "alias-forced-type";

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_alias",
    source: "mod_alias.c",
    identifier: "alias_module",
    configs: &[Kind::of::<AliasServer>(), Kind::of::<AliasDir>()],
    directives: &DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::Translate, order: Order::MIDDLE, run: translate },
        Hook { phase: Phase::Fixup, order: Order::MIDDLE, run: fixup },
    ],
    ..Module::NOTHING
};

const BOTH: Scope = Scope::RSRC_CONF.or(Scope::ACCESS_CONF);

static DIRECTIVES: [Directive; 10] = [
    Directive {
        name: "Alias",
        shape: Shape::OneTwo,
        scope: BOTH,
        usage: "a fakename and a realname, or a realname in a Location",
        doc: "Maps URLs that begin with a path to a file or directory.",
        apply: alias,
    },
    Directive {
        name: "ScriptAlias",
        shape: Shape::OneTwo,
        scope: BOTH,
        usage: "a fakename and a realname, or a realname in a Location",
        doc: "As Alias, and what is there is run as a CGI program.",
        apply: alias,
    },
    Directive {
        name: "Redirect",
        shape: Shape::OneTwoThree,
        scope: Scope::FILEINFO,
        usage: "an optional status, then document to be redirected and destination URL",
        doc: "Sends the client to another URL, or answers with a status.",
        apply: redirect,
    },
    Directive {
        name: "AliasMatch",
        shape: Shape::Two,
        scope: Scope::RSRC_CONF,
        usage: "a regular expression and a filename",
        doc: "Maps URLs that match a regular expression to a file or directory.",
        apply: alias_match,
    },
    Directive {
        name: "ScriptAliasMatch",
        shape: Shape::Two,
        scope: Scope::RSRC_CONF,
        usage: "a regular expression and a filename",
        doc: "As AliasMatch, and what is there is run as a CGI program.",
        apply: alias_match,
    },
    Directive {
        name: "RedirectMatch",
        shape: Shape::TwoThree,
        scope: Scope::FILEINFO,
        usage: "an optional status, then a regular expression and destination URL",
        doc: "Redirects URLs that match a regular expression.",
        apply: redirect_match,
    },
    Directive {
        name: "RedirectTemp",
        shape: Shape::Two,
        scope: Scope::FILEINFO,
        usage: "a document to be redirected, then the destination URL",
        doc: "Redirects with 302.",
        apply: redirect_temp,
    },
    Directive {
        name: "RedirectPermanent",
        shape: Shape::Two,
        scope: Scope::FILEINFO,
        usage: "a document to be redirected, then the destination URL",
        doc: "Redirects with 301.",
        apply: redirect_permanent,
    },
    Directive {
        name: "RedirectRelative",
        shape: Shape::Flag,
        scope: Scope::FILEINFO,
        usage: "Set to ON to allow relative redirect targets to be issued as-is",
        doc: "Whether a redirect to a path is sent as it is, without scheme and host.",
        apply: redirect_relative,
    },
    Directive {
        name: "AliasPreservePath",
        shape: Shape::Flag,
        scope: Scope::FILEINFO,
        usage: "Set to ON to map the full path after the fakename to the realname.",
        doc: "Whether an Alias of a Location keeps what follows the Location's path.",
        apply: alias_preserve_path,
    },
];

/// A redirect that holds: its status, and its target with query; empty for a status of an error.
struct Target {
    status: Status,
    url: BString,
    at: Span,
}

fn translate(cx: &mut Cx<'_>) -> Verdict {
    if !cx.req.uri.is_empty() && !cx.req.uri.starts_with(b"/") {
        return Verdict::Declined;
    }
    let server: &AliasServer = cx.server_conf();
    match find_redirect(cx, &server.redirects) {
        Ok(Some(target)) => return send(cx, target),
        Ok(None) => {}
        Err(verdict) => return verdict,
    }
    match section_alias(cx) {
        Ok(true) => return Verdict::Ok,
        Ok(false) => {}
        Err(verdict) => return verdict,
    }
    let found = server.aliases.iter().find_map(|entry| {
        let real = entry.real.as_ref().map_or(&[][..], |real| real.as_slice());
        entry.pattern.file(&cx.req.uri, real).map(|file| (entry, file))
    });
    match found {
        Some((entry, file)) => {
            map(cx, entry, &file);
            Verdict::Ok
        }
        None => Verdict::Declined,
    }
}

fn fixup(cx: &mut Cx<'_>) -> Verdict {
    let dir: &AliasDir = cx.conf();
    match find_redirect(cx, &dir.redirects) {
        Ok(Some(target)) => send(cx, target),
        Ok(None) => Verdict::Declined,
        Err(verdict) => verdict,
    }
}

/// The redirect of the section, else the first of `entries` that fits.
fn find_redirect(cx: &mut Cx<'_>, entries: &[Arc<Entry>]) -> Result<Option<Target>, Verdict> {
    let dir: &AliasDir = cx.conf();
    if let Some(said) = &dir.redirect {
        let url = match &said.value.url {
            Some(expr) => escape_target(&cx.expand(expr, said.at)?),
            None => BString::default(),
        };
        return Ok(Some(Target { status: said.value.status, url, at: said.at }));
    }
    Ok(entries.iter().find_map(|entry| {
        let url = entry.pattern.url(&cx.req.uri, entry.real.as_ref().map(|real| real.as_slice()))?;
        Some(Target { status: entry.status, url, at: entry.at })
    }))
}

/// Answers with the redirect; a path becomes a URL of this server, the query goes along unless the
/// target has its own.
fn send(cx: &mut Cx<'_>, target: Target) -> Verdict {
    let Target { status, mut url, at } = target;
    if !status.is_redirect() {
        cx.because(at, format_args!("{} is answered with {}", cx.req.uri.clone(), status.0));
        return Verdict::Status(status);
    }
    let relative = cx.conf::<AliasDir>().relative.value_or(false);
    if url.starts_with(b"/") && !relative {
        let whole = urls::construct_url(cx.engine, cx.req, &url);
        let uri = cx.req.uri.clone();
        let text =
            format_args!("incomplete redirection target of '{url}' for URI '{uri}' modified to '{whole}'");
        cx.log(7, "AH00673", text);
        url = whole;
    }
    let valid = urls::has_scheme(&url) || relative && url.starts_with(b"/");
    if !valid {
        let uri = cx.req.uri.clone();
        let text =
            format_args!("cannot redirect '{uri}' to '{url}'; target is not a valid absoluteURI or abs_path");
        cx.log(3, "AH00674", text);
        return cx.fail(500, at, format_args!("'{url}' is neither a URL nor a path"));
    }
    if let Some(args) = cx.req.args.as_ref().filter(|_| !url.contains(&b'?')) {
        url = [url.as_slice(), b"?", args].concat().into();
    }
    cx.because(at, format_args!("this redirects {} to {url}", cx.req.uri.clone()));
    cx.req.headers_out.set("Location", &url);
    Verdict::Status(status)
}

fn section_alias(cx: &mut Cx<'_>) -> Result<bool, Verdict> {
    let dir: &AliasDir = cx.conf();
    let Some(said) = &dir.alias else { return Ok(false) };
    let mut file = cx.expand(&said.value.path, said.at)?;
    if dir.preserve_path.value_or(false)
        && let Some(length) = prefix_length(&cx.req.uri, &said.value.section)
    {
        set_context(cx, said.value.section.as_bstr(), &file);
        let rest = cx.req.uri.get(length..).unwrap_or_default();
        file.extend_from_slice(rest);
    }
    lead_to(cx, &file, said.value.script, said.at);
    Ok(true)
}

fn map(cx: &mut Cx<'_>, entry: &Entry, file: &[u8]) {
    if let (Pattern::Prefix(fake), Some(real)) = (&entry.pattern, &entry.real) {
        set_context(cx, fake.as_bstr(), real);
    }
    lead_to(cx, file, entry.script, entry.at);
}

fn set_context(cx: &mut Cx<'_>, prefix: &BStr, root: &[u8]) {
    cx.req.context_prefix = Some(prefix.to_owned());
    cx.req.context_document_root = Some(root.into());
}

fn lead_to(cx: &mut Cx<'_>, file: &[u8], script: bool, at: Span) {
    let file = server_root_relative(&cx.engine.policy.process.server_root, file);
    let what = if script { "a program to run" } else { "a file or directory" };
    cx.because(at, format_args!("this maps {} to {file}, {what}", cx.req.uri.clone()));
    if script {
        cx.req.handler = Some("cgi-script".into());
        cx.req.notes.set(FORCED_TYPE, "cgi-script");
    }
    cx.req.filename = file;
}

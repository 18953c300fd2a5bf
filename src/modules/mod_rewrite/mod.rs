//! mod_rewrite: rules that make another URL of a URL.
//!
//! Manual: `mod/mod_rewrite.html` and `rewrite/`. Rules of a server are applied before a URL is mapped
//! to a file, those of a directory after, to what is left of the file's name below that directory.

mod conditions;
mod config;
mod expand;
mod flags;
mod maps;
mod parse;
mod rules;
mod server;
mod target;

use crate::{
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    policy::{Directive, Kind, Scope, Shape},
};
use bstr::BString;
use config::{RewriteDir, RewriteServer};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_rewrite",
    source: "mod_rewrite.c",
    identifier: "rewrite_module",
    configs: &[Kind::of_every_host::<RewriteServer>(), Kind::of::<RewriteDir>()],
    directives: &DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::Translate, order: Order::FIRST, run: server::translate },
        Hook { phase: Phase::Fixup, order: Order::FIRST, run: target::fixup },
        Hook { phase: Phase::Fixup, order: Order::LAST, run: forced_type },
        Hook { phase: Phase::Handler, order: Order::FIRST, run: redirect },
    ],
    ..Module::NOTHING
};

static DIRECTIVES: [Directive; 6] = [
    Directive {
        name: "RewriteEngine",
        shape: Shape::Flag,
        scope: Scope::FILEINFO,
        usage: "On or Off to enable or disable (default) the whole rewriting engine",
        doc: "Whether rules are applied here.",
        apply: config::engine,
    },
    Directive {
        name: "RewriteOptions",
        shape: Shape::Each,
        scope: Scope::FILEINFO,
        usage: "List of option strings to set",
        doc: "Which rules are inherited, and other ways of the engine.",
        apply: config::options,
    },
    Directive {
        name: "RewriteBase",
        shape: Shape::One,
        scope: Scope::FILEINFO,
        usage: "the base URL of the per-directory context",
        doc: "The URL that leads to this directory.",
        apply: config::base,
    },
    Directive {
        name: "RewriteCond",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "an input string and a to be applied regexp-pattern",
        doc: "A condition of the next RewriteRule.",
        apply: parse::condition,
    },
    Directive {
        name: "RewriteRule",
        shape: Shape::Raw,
        scope: Scope::FILEINFO,
        usage: "an URL-applied regexp-pattern and a substitution URL",
        doc: "Makes another URL of one that matches a regular expression.",
        apply: parse::rule,
    },
    Directive {
        name: "RewriteMap",
        shape: Shape::TwoThree,
        scope: Scope::RSRC_CONF,
        usage: "a mapname and a filename and options",
        doc: "A table that substitutions can ask.",
        apply: maps::directive,
    },
];

/// Notes of a request to itself.
mod note {
    /// The media type that `T=` forces.
    pub const TYPE: &str = "mod_rewrite_forced_mimetype";
    /// The handler that `H=` forces.
    pub const HANDLER: &str = "mod_rewrite_forced_handler";
    /// `[END]` was reached: no rules any more, not after a redirect either.
    pub const END: &str = "mod_rewrite_end";
    /// Scheme and host were taken off, so what is left is a URL and no file.
    pub const REDUCED: &str = "mod_rewrite_uri_reduced";
}

/// The handler of a request that a directory's rules gave another URL.
const REDIRECT_HANDLER: &str = "redirect-handler";

/// What stands before that URL in the file's name.
const REDIRECT: &[u8] = b"redirect:";

fn redirect(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.handler.as_ref().is_none_or(|handler| handler != REDIRECT_HANDLER) {
        return Verdict::Declined;
    }
    let Some(url) = cx.req.filename.strip_prefix(REDIRECT).map(BString::from) else {
        return Verdict::Declined;
    };
    if crate::http::path::decode(&url, crate::http::path::Slashes::Decode, true).is_err() {
        return Verdict::Status(crate::http::Status(400));
    }
    let url = match &cx.req.args {
        Some(args) => [url.as_slice(), b"?", args].concat(),
        None => url.into(),
    };
    Verdict::Become(cx.req.redirect_to(&url, &cx.worker.base(cx.req.server)))
}

fn forced_type(cx: &mut Cx<'_>) -> Verdict {
    if let Some(kind) = cx.req.notes.get(note::TYPE) {
        cx.req.content_type = Some(kind.into());
    }
    if let Some(handler) = cx.req.notes.get(note::HANDLER) {
        cx.req.handler = Some(handler.into());
    }
    Verdict::Declined
}

/// A line of the rewrite log: `level` 1 to 8 are Apache's trace levels.
fn log(cx: &mut Cx<'_>, level: u8, directory: Option<&[u8]>, text: std::fmt::Arguments<'_>) {
    if !cx.logs(7 + level) {
        return;
    }
    let client = cx.req.conn.client.ip().to_canonical();
    let user = cx.req.user.clone().unwrap_or_else(|| "-".into());
    let server = crate::engine::urls::server_name(cx.engine, cx.req);
    let (id, sid) = (cx.req.conn.id, cx.req.server);
    let request = match (cx.req.is_sub, cx.req.redirects()) {
        (true, _) => "subreq".to_owned(),
        (false, 0) => "initial".to_owned(),
        (false, count) => format!("initial/redir#{count}"),
    };
    let place = directory.map(|directory| format!("[perdir {}] ", bstr::BStr::new(directory)));
    let place = place.unwrap_or_default();
    cx.log(
        7 + level,
        "",
        format_args!("{client} - {user} [{server}/sid#{sid}][rid#{id}/{request}] {place}{text}"),
    );
}

/// Whether `[END]` was reached, before an internal redirect perhaps.
fn ended(cx: &Cx<'_>) -> bool {
    let chain = std::iter::successors(Some(&*cx.req), |request| request.prev.as_deref());
    chain.into_iter().any(|request| request.notes.contains(note::END))
}

//! mod_dir: what a URL that means a directory is answered with.
//!
//! Manual: `mod/mod_dir.html`. A missing slash at the end is a redirect; an index page is looked up
//! and takes the request's place; what does not exist may have a FallbackResource.

#[cfg(test)]
mod tests;

use super::apr::leading_number;
use crate::{
    diag::Span,
    engine::{Cx, Hook, LookedUp, Module, Order, Phase, Request, Verdict, urls},
    http::{Method, Status, escape},
    policy::{Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape},
};
use bstr::BString;
use std::sync::Arc;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_dir",
    source: "mod_dir.c",
    identifier: "dir_module",
    configs: &[Kind::of::<Dir>()],
    directives: &DIRECTIVES,
    hooks: &[Hook { phase: Phase::Fixup, order: Order::LAST, run: fixup }],
    ..Module::NOTHING
};

/// The handler of directories that nobody else handles (DIR_MAGIC_TYPE).
pub const DIRECTORY_HANDLER: &str = "httpd/unix-directory";

static DIRECTIVES: [Directive; 5] = [
    Directive {
        name: "FallbackResource",
        shape: Shape::One,
        scope: Scope::INDEXES,
        usage: "Set a default handler",
        doc: "The URL that answers for all that does not exist.",
        apply: fallback_resource,
    },
    Directive {
        name: "DirectoryIndex",
        shape: Shape::Raw,
        scope: Scope::INDEXES,
        usage: "a list of file names",
        doc: "The pages that stand for a directory, the first that exists; or `disabled`.",
        apply: directory_index,
    },
    Directive {
        name: "DirectorySlash",
        shape: Shape::Flag,
        scope: Scope::INDEXES,
        usage: "On or Off",
        doc: "Whether a directory asked for without a slash is a redirect to itself with one.",
        apply: |place, args| {
            place.dir::<Dir>().slash = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
    Directive {
        name: "DirectoryCheckHandler",
        shape: Shape::Flag,
        scope: Scope::INDEXES,
        usage: "On or Off",
        doc: "Whether a directory with a handler of its own is left to that.",
        apply: |place, args| {
            place.dir::<Dir>().check_handler = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
    Directive {
        name: "DirectoryIndexRedirect",
        shape: Shape::One,
        scope: Scope::INDEXES,
        usage: "On, Off, or a 3xx status code.",
        doc: "Whether the index page is redirected to instead of being sent.",
        apply: directory_index_redirect,
    },
];

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Dir {
    /// `DirectoryIndex`; an empty list is `disabled`.
    pub index: Said<Arc<Vec<BString>>>,
    /// `DirectorySlash`.
    pub slash: Said<bool>,
    /// `DirectoryCheckHandler`.
    pub check_handler: Said<bool>,
    /// `DirectoryIndexRedirect`: the status; `None` inside is Off.
    pub redirect: Said<Option<Status>>,
    /// `FallbackResource`; `None` inside is `disabled`.
    pub fallback: Said<Option<BString>>,
}

impl Config for Dir {
    fn merge(&self, outer: &Self) -> Self {
        Dir {
            index: self.index.over(&outer.index),
            slash: self.slash.over(&outer.slash),
            check_handler: self.check_handler.over(&outer.check_handler),
            redirect: self.redirect.over(&outer.redirect),
            fallback: self.fallback.over(&outer.fallback),
        }
    }
}

/// Adds to what the same section said before; `disabled`, if it is the only word, empties the list.
fn directory_index(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let words = args.node.words().map(|word| word.text).take_while(|text| !text.is_empty());
    let words: Vec<BString> = words.collect();
    let index = place.dir::<Dir>().index.get_or_insert_with(|| Setting::new(Arc::default(), args.span));
    index.at = args.span;
    let names = Arc::make_mut(&mut index.value);
    match words.as_slice() {
        [only] if only.eq_ignore_ascii_case(b"disabled") => names.clear(),
        _ => names.extend(words),
    }
    Ok(())
}

fn directory_index_redirect(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let word = args.text(0);
    let status = match word.to_ascii_lowercase().as_slice() {
        b"on" | b"temp" => Some(Status(302)),
        b"off" => None,
        b"permanent" => Some(Status(301)),
        b"seeother" => Some(Status(303)),
        _ if word.first().is_some_and(u8::is_ascii_digit) => {
            let status = Status(leading_number(word));
            if !status.is_redirect() {
                let message = "DirectoryIndexRedirect only accepts values between 300 and 399";
                return Err(Mistake::new(message).id("RX0311").at(args.at(0), "no status of a redirect"));
            }
            Some(status)
        }
        _ => {
            let message = "DirectoryIndexRedirect ON|OFF|permanent|temp|seeother|3xx";
            return Err(Mistake::new(message).id("RX0312").at(args.at(0), "none of these"));
        }
    };
    place.dir::<Dir>().redirect = Some(Setting::new(status, args.span));
    Ok(())
}

fn fallback_resource(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let url = args.text(0);
    let url = (!url.eq_ignore_ascii_case(b"disabled")).then(|| url.into());
    place.dir::<Dir>().fallback = Some(Setting::new(url, args.span));
    Ok(())
}

fn fixup(cx: &mut Cx<'_>) -> Verdict {
    match cx.req.stat {
        Some(stat) if stat.is_dir() => directory(cx),
        None if cx.req.handler.is_none() => fallback(cx),
        _ => Verdict::Declined,
    }
}

fn directory(cx: &mut Cx<'_>) -> Verdict {
    cx.req.handler.get_or_insert_with(|| DIRECTORY_HANDLER.into());
    if !cx.req.path_info.is_empty() {
        return Verdict::Declined;
    }
    let dir: &Dir = cx.conf();
    if !cx.req.uri.ends_with(b"/") {
        return add_slash(cx, dir);
    }
    let handler = cx.req.handler.clone().unwrap_or_default();
    // The rules of mod_rewrite gave the request another URL already.
    let rewritten = handler == "redirect-handler";
    if rewritten || handler != DIRECTORY_HANDLER && dir.check_handler.value_or(false) {
        // The type of directories must not be sent with what the handler makes.
        if cx.req.content_type.as_ref().is_some_and(|kind| kind == DIRECTORY_HANDLER) {
            cx.req.content_type = None;
        }
        if !rewritten {
            cx.because(dir.check_handler.at(), format_args!("the directory is left to its own handler"));
        }
        return Verdict::Declined;
    }
    index(cx, dir)
}

fn add_slash(cx: &mut Cx<'_>, dir: &Dir) -> Verdict {
    if !dir.slash.value_or(true) {
        cx.because(dir.slash.at(), format_args!("a directory without its slash is not redirected"));
        return Verdict::Declined;
    }
    if cx.req.method != Method::Get && cx.req.env.contains("redirect-carefully") {
        return Verdict::Declined;
    }
    let mut path = escape::uri(&cx.req.uri);
    path.push(b'/');
    if let Some(args) = &cx.req.args {
        path.extend_from_slice(&[b"?", args.as_slice()].concat());
    }
    let url = urls::construct_url(cx.engine, cx.req, &path);
    cx.req.headers_out.set("Location", url);
    cx.because(
        dir.slash.at(),
        format_args!("{} is a directory, and its URL has no slash at the end", cx.req.filename.clone()),
    );
    Verdict::Status(Status(301))
}

/// Looks the index pages up, one after the other.
fn index(cx: &mut Cx<'_>, dir: &Dir) -> Verdict {
    let default = [BString::from("index.html")];
    let names = dir.index.value().map_or(&default[..], |names| names.as_slice());
    let at = dir.index.at();
    // What mod_autoindex says was looked for.
    cx.req.notes.set("dir-index-names", bstr::join(",", names));
    let mut error = None;
    for (n, name) in names.iter().enumerate() {
        match cx.look_up_url(&with_args(cx.req, name)) {
            LookedUp::Wait(pending) => return Verdict::Wait(pending),
            LookedUp::Found(found) if is_page(&found) => return serve_index(cx, dir, found),
            LookedUp::Found(_) => cx.because(at, format_args!("there is no {name}")),
            LookedUp::Answered(answered) => {
                let status = answered.status;
                let last = n + 1 == names.len() && matches!(status.0, 401 | 406);
                cx.because(at, format_args!("{name} is answered with {}", status.0));
                if status.is_redirect() || last {
                    return propagate(cx, *answered);
                }
                if !matches!(status.0, 200 | 404) {
                    error = Some(status);
                }
            }
        }
    }
    error.map_or(Verdict::Declined, Verdict::Status)
}

fn serve_index(cx: &mut Cx<'_>, dir: &Dir, found: Box<Request>) -> Verdict {
    if let Some(Setting { value: Some(status), at }) = dir.redirect {
        let url = urls::construct_url(cx.engine, cx.req, &found.uri);
        cx.because(at, format_args!("the index page is redirected to: {url}"));
        cx.req.headers_out.set("Location", url);
        return Verdict::Status(status);
    }
    cx.because(dir.index.at(), format_args!("{} stands for the directory", found.uri));
    Verdict::Adopt(found)
}

/// What does not exist and has no handler is answered by the FallbackResource.
fn fallback(cx: &mut Cx<'_>) -> Verdict {
    let dir: &Dir = cx.conf();
    let Some(Setting { value: Some(url), at }) = &dir.fallback else { return Verdict::Declined };
    match cx.look_up_url(&with_args(cx.req, url)) {
        LookedUp::Wait(pending) => Verdict::Wait(pending),
        LookedUp::Found(found) if is_page(&found) => {
            cx.because(*at, format_args!("nothing is there, so {url} answers"));
            Verdict::Adopt(found)
        }
        LookedUp::Found(_) => missing_fallback(cx, url, *at),
        LookedUp::Answered(answered) => match answered.status {
            status if status.is_redirect() => propagate(cx, *answered),
            Status(200 | 404) => missing_fallback(cx, url, *at),
            status => cx.fail(status.0, *at, format_args!("{url} is answered with {}", status.0)),
        },
    }
}

fn missing_fallback(cx: &mut Cx<'_>, url: &BString, at: Span) -> Verdict {
    cx.because(at, format_args!("nothing is there, and {url} is no file either"));
    Verdict::Declined
}

fn with_args(request: &Request, url: &[u8]) -> Vec<u8> {
    match &request.args {
        Some(args) => [url, b"?", args].concat(),
        None => url.to_vec(),
    }
}

/// Only a file will do: a look-up of what does not exist succeeds as well.
fn is_page(found: &Request) -> bool {
    found.stat.is_some_and(|stat| stat.is_file())
        || found.handler.as_ref().is_some_and(|handler| handler == "proxy-server")
}

/// Answers as the looked-up request was answered.
fn propagate(cx: &mut Cx<'_>, answered: Request) -> Verdict {
    for (table, from) in [
        (&mut cx.req.notes, &answered.notes),
        (&mut cx.req.headers_out, &answered.headers_out),
        (&mut cx.req.err_headers_out, &answered.err_headers_out),
    ] {
        from.iter().for_each(|(name, value)| table.set(name, value));
    }
    Verdict::Status(answered.status)
}

//! A list of rules applied to a URL: Apache's `apply_rewrite_list` and `apply_rewrite_rule`.

use super::{
    conditions, expand,
    expand::{Capture, Scene},
    flags::Flags,
    log, note,
    parse::Condition,
};
use crate::{
    diag::Span,
    engine::{Cx, urls},
    http::Status,
    policy::regex::Regex,
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

/// A `RewriteRule` with its conditions.
#[derive(Clone, Debug)]
pub struct Rule {
    pub regex: Regex,
    /// `!`: holds for what does not match.
    pub negated: bool,
    /// The substitution; `-` is none.
    pub output: BString,
    pub flags: Flags,
    pub conditions: Vec<Condition>,
    pub at: Span,
}

impl Rule {
    /// Whether the URL stays as it is.
    fn substitutes(&self) -> bool {
        self.output != "-" && !self.flags.ends
    }
}

/// What a list of rules made of a request.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing.
    Unchanged,
    /// Another URL or file name, in the scene's `path`.
    Changed {
        /// `[NE]`: it is escaped already.
        escaped: bool,
        /// `[PT]`: it is a URL that other modules map.
        pass_through: bool,
        /// The rule that changed it last.
        at: Span,
    },
    /// The request ends with this status.
    Ends(Status),
    /// `[P]`, which needs mod_proxy.
    Proxy(Span),
}

/// What one rule did.
enum Step {
    NoMatch,
    /// It matched and changed nothing.
    Matched,
    Changed,
    Ends(Status),
    Proxy,
}

/// Applies rules to `scene.path`; the request's query, environment, cookies and notes change with it.
pub fn apply(cx: &mut Cx<'_>, scene: &mut Scene, rules: &[Arc<Rule>]) -> Outcome {
    let mut outcome = Outcome::Unchanged;
    let (mut at, mut rounds) = (0, 0);
    while let Some(rule) = rules.get(at) {
        let flags = &rule.flags;
        if cx.req.is_sub && (flags.no_subrequest || flags.redirect) {
            at += 1;
            continue;
        }
        let step = one(cx, scene, rule);
        match step {
            Step::NoMatch => {
                while rules.get(at).is_some_and(|rule| rule.flags.chain) {
                    at += 1;
                }
                at += 1;
                continue;
            }
            Step::Ends(status) => return Outcome::Ends(status),
            Step::Proxy => return Outcome::Proxy(rule.at),
            Step::Changed => {
                outcome = Outcome::Changed { escaped: flags.noescape, pass_through: false, at: rule.at };
            }
            Step::Matched => {}
        }
        if !scene.vary.is_empty() {
            let vary = std::mem::take(&mut scene.vary);
            cx.req.headers_out.merge("Vary", vary);
        }
        if flags.pass_through {
            log(
                cx,
                2,
                scene.directory.clone().as_deref(),
                format_args!(
                    "forcing '{}' to get passed through to next API URI-to-filename handler",
                    scene.path
                ),
            );
            return Outcome::Changed { escaped: false, pass_through: true, at: rule.at };
        }
        if flags.end {
            cx.req.notes.set(note::END, "1");
            break;
        }
        if flags.last {
            break;
        }
        if let Some(most) = flags.next {
            rounds += 1;
            if rounds >= most {
                let (pattern, uri) = (rule.regex.pattern().as_bstr().to_owned(), cx.req.uri.clone());
                cx.log(3, "AH02596", format_args!("RewriteRule '{pattern}' and URI '{uri}' exceeded maximum number of rounds ({most}) via the [N] flag"));
                return Outcome::Ends(Status(500));
            }
            at = 0;
            continue;
        }
        at += 1 + flags.skip as usize;
    }
    outcome
}

fn one(cx: &mut Cx<'_>, scene: &mut Scene, rule: &Rule) -> Step {
    let directory = scene.directory.clone();
    let place = directory.as_deref();
    let mut subject = scene.path.clone();
    if let Some(directory) = &directory {
        if !cx.req.path_info.is_empty() && !scene.path_info_gone {
            log(
                cx,
                3,
                place,
                format_args!("add path info postfix: {subject} -> {subject}{}", cx.req.path_info.clone()),
            );
            subject.extend_from_slice(&cx.req.path_info.clone());
        }
        if let Some(rest) = subject.strip_prefix(&**directory) {
            log(cx, 3, place, format_args!("strip per-dir prefix: {subject} -> {}", rest.as_bstr()));
            subject = rest.into();
        }
    }
    let pattern = rule.regex.pattern().as_bstr().to_owned();
    log(cx, 3, place, format_args!("applying pattern '{pattern}' to uri '{subject}'"));
    let groups = rule.regex.captures(&subject);
    if groups.is_some() == rule.negated {
        return Step::NoMatch;
    }
    scene.rule = groups.filter(|_| !rule.negated).map(|groups| Capture { subject: subject.clone(), groups });
    scene.condition = None;
    scene.subject = subject.clone();
    match conditions::all(cx, scene, &rule.conditions) {
        Ok(true) => {}
        Ok(false) => return Step::NoMatch,
        Err(status) => return Step::Ends(status),
    }
    let mut changed = None;
    if rule.substitutes() {
        let mut question = false;
        let made = expand::rule(cx, scene, &rule.output, rule.flags.escape.as_ref(), &mut question);
        log(cx, 2, place, format_args!("rewrite '{subject}' -> '{made}'"));
        if question && !rule.flags.unsafe_allow_3f && asks_for_3f(cx) {
            cx.log(3, "AH10508", format_args!("Unsafe URL with %3f URL rewritten without UnsafeAllow3F"));
            cx.because(
                rule.at,
                format_args!("the URL has an encoded question mark, which this rule would let out"),
            );
            return Step::Ends(Status(403));
        }
        changed = Some(made);
    }
    set_env(cx, scene, &rule.flags.env);
    set_cookies(cx, scene, &rule.flags.cookies);
    let Some(made) = changed else {
        force(cx, scene, &rule.flags);
        if rule.flags.ends {
            let (status, uri) = (rule.flags.status, scene.path.clone());
            log(cx, 2, place, format_args!("forcing responsecode {} for {uri}", status.0));
            cx.because(rule.at, format_args!("this rule answers {} with {}", cx.req.uri.clone(), status.0));
            return Step::Ends(status);
        }
        cx.because(rule.at, format_args!("this rule matches {subject} and leaves it as it is"));
        return Step::Matched;
    };
    cx.because(rule.at, format_args!("this rule makes {made} of {subject}"));
    substitute(cx, scene, rule, made)
}

/// Whether the client encoded a question mark.
fn asks_for_3f(cx: &Cx<'_>) -> bool {
    cx.req.path.to_ascii_lowercase().contains_str("%3f")
}

/// Puts a substitution in the place of the path.
fn substitute(cx: &mut Cx<'_>, scene: &mut Scene, rule: &Rule, made: BString) -> Step {
    let directory = scene.directory.clone();
    let place = directory.as_deref();
    scene.path = made;
    let trust = if rule.flags.unsafe_prefix_stat { Trust::Any } else { Trust::of(&rule.output) };
    scene.trust = trust;
    if directory.is_some() && rule.flags.discard_path_info {
        scene.path_info_gone = true;
        cx.req.path_info = BString::default();
    }
    split_query(cx, scene, &rule.flags);
    let absolute = absolute_length(&scene.path);
    if !scene.path.starts_with(b"/") && absolute.is_none() {
        let prefix = directory.as_deref().unwrap_or(b"/");
        let whole = BString::from([prefix, scene.path.as_slice()].concat());
        log(cx, 3, place, format_args!("add per-dir prefix: {} -> {whole}", scene.path));
        scene.path = whole;
    }
    if rule.flags.proxy {
        if absolute.is_none() {
            scene.path = urls::construct_url(cx.engine, cx.req, &scene.path);
        }
        return Step::Proxy;
    }
    if rule.flags.redirect {
        if absolute_length(&scene.path).is_none() {
            let slash: &[u8] = if scene.path.starts_with(b"/") { b"" } else { b"/" };
            let path = [slash, scene.path.as_slice()].concat();
            scene.path = urls::construct_url(cx.engine, cx.req, &path);
        }
        log(cx, 2, place, format_args!("explicitly forcing redirect with {}", scene.path));
        stays(cx, scene, rule);
        return Step::Changed;
    }
    reduce(cx, scene);
    if absolute_length(&scene.path).is_some() {
        stays(cx, scene, rule);
        log(
            cx,
            2,
            place,
            format_args!("implicitly forcing redirect (rc={}) with {}", scene.status.0, scene.path),
        );
        return Step::Changed;
    }
    force(cx, scene, &rule.flags);
    Step::Changed
}

/// The status of a redirect stays, even if a later rule makes a path of this server of the URL.
fn stays(cx: &mut Cx<'_>, scene: &mut Scene, rule: &Rule) {
    scene.status = rule.flags.status;
    cx.req.status = rule.flags.status;
}

/// Which paths may be names of files outside of DocumentRoot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All: `[UnsafePrefixStat]`, or no rule made the path.
    Any,
    /// Those whose first component is this, as the rule has it in so many letters. A request must
    /// not choose the directory.
    First(BString),
}

impl Trust {
    fn of(output: &[u8]) -> Trust {
        let written = output.strip_prefix(b"/").unwrap_or_default();
        let end = written.find_byteset(b"/$%\\?").unwrap_or(written.len());
        Trust::First(written[..end].into())
    }

    /// Whether a path, of one leading slash, may be one.
    pub fn allows(&self, path: &[u8]) -> bool {
        let Trust::First(first) = self else { return true };
        let rest = path.strip_prefix(b"/").unwrap_or(path);
        let end = rest.find_byte(b'/').unwrap_or(rest.len());
        !first.is_empty() && rest[..end] == **first
    }
}

/// Schemes that make a substitution a URL of another server, and whether they have queries.
const SCHEMES: [(&str, bool); 16] = [
    ("ajp://", true),
    ("balancer://", true),
    ("fcgi://", true),
    ("ftp://", false),
    ("gopher://", false),
    ("http://", true),
    ("https://", true),
    ("h2c://", true),
    ("h2://", true),
    ("ldap://", false),
    ("mailto:", true),
    ("news:", false),
    ("nntp://", false),
    ("scgi://", true),
    ("uwsgi://", true),
    ("ws://", true),
];

/// The length of the scheme with what belongs to it, if the text is a URL of another server.
pub fn absolute_length(text: &[u8]) -> Option<usize> {
    known_scheme(text).map(|(scheme, _)| scheme.len())
}

fn known_scheme(text: &[u8]) -> Option<(&'static str, bool)> {
    if text.get(..6).is_some_and(|head| head.eq_ignore_ascii_case(b"wss://")) {
        return Some(("wss://", true));
    }
    if text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"unix:")) {
        return Some(("unix:", true));
    }
    let fits = |scheme: &str| {
        text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    SCHEMES.into_iter().find(|(scheme, _)| fits(scheme))
}

/// Moves the query from the path into the request (Apache's splitout_queryargs).
fn split_query(cx: &mut Cx<'_>, scene: &mut Scene, flags: &Flags) {
    if known_scheme(&scene.path).is_some_and(|(_, queries)| !queries) {
        cx.req.args = None;
        return;
    }
    if flags.qs_discard {
        cx.req.args = None;
    }
    let at = if flags.qs_last { scene.path.rfind_byte(b'?') } else { scene.path.find_byte(b'?') };
    let Some(at) = at else { return };
    let mut args = BString::from(&scene.path[at + 1..]);
    if flags.qs_append {
        let own = cx.req.args.take();
        if args.is_empty() {
            args = own.unwrap_or_default();
        } else {
            args.push(b'&');
            args.extend_from_slice(&own.unwrap_or_default());
        }
    }
    if args.ends_with(b"&") {
        args.pop();
    }
    scene.path.truncate(at);
    cx.req.args = Some(args).filter(|args| !args.is_empty());
}

/// A URL of this very server loses scheme and host.
fn reduce(cx: &mut Cx<'_>, scene: &mut Scene) {
    let own = format!("{}://", urls::scheme(cx.engine, cx.req));
    let Some(rest) = scene.path.get(own.len()..).filter(|_| {
        scene.path.get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(own.as_bytes()))
    }) else {
        return;
    };
    let end = rest.find_byte(b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rfind_byte(b':') {
        Some(at) => (&authority[..at], authority[at + 1..].to_str().ok().and_then(|port| port.parse().ok())),
        None => (authority, Some(if own == "https://" { 443 } else { 80 })),
    };
    if !port.is_some_and(|port| urls::is_own(cx.engine, cx.req, host, port)) {
        return;
    }
    let path = if path.is_empty() { BString::from("/") } else { path.into() };
    cx.req.notes.set(note::REDUCED, path.clone());
    scene.path = path;
}

/// `E=name:value`, `E=!name`.
fn set_env(cx: &mut Cx<'_>, scene: &mut Scene, all: &[BString]) {
    for text in all {
        let text = expand::text(cx, scene, text);
        if let Some(name) = text.strip_prefix(b"!") {
            cx.req.env.remove(name);
            continue;
        }
        let (name, value) = match text.find_byte(b':') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text.as_slice(), &b""[..]),
        };
        cx.req.env.set(name, value);
    }
}

/// `CO=name:value:domain[:minutes[:path[:secure[:httponly[:samesite]]]]]`; `;` may part them.
fn set_cookies(cx: &mut Cx<'_>, scene: &mut Scene, all: &[BString]) {
    for text in all {
        let text = expand::text(cx, scene, text);
        let (separator, text) = match text.strip_prefix(b";") {
            Some(rest) => (b';', rest),
            None => (b':', text.as_slice()),
        };
        let mut fields = text.split(|&byte| byte == separator).filter(|field| !field.is_empty());
        let (Some(name), Some(value), Some(domain)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let mark = format!("{}_rewrite", name.as_bstr());
        if cx.req.notes.contains(&mark) {
            continue;
        }
        let [minutes, path, secure, http_only, same_site] = std::array::from_fn(|_| fields.next());
        let mut cookie = [name, b"=", value, b"; path=", path.unwrap_or(b"/")].concat();
        cookie.extend_from_slice(&[b"; domain=", domain].concat());
        let minutes = minutes.map_or(0, crate::modules::core::leading_number);
        if minutes != 0 {
            cx.once();
            let end = cookie_time(cx.req.started, minutes);
            cookie.extend_from_slice(format!("; expires={end}").as_bytes());
        }
        let said = |field: Option<&[u8]>, word: &str| {
            field.is_some_and(|field| {
                ["true", "1", word].iter().any(|yes| field.eq_ignore_ascii_case(yes.as_bytes()))
            })
        };
        if said(secure, "secure") {
            cookie.extend_from_slice(b"; secure");
        }
        if said(http_only, "HttpOnly") {
            cookie.extend_from_slice(b"; HttpOnly");
        }
        if let Some(site) = same_site.filter(|site| *site != b"0" && !site.eq_ignore_ascii_case(b"false")) {
            cookie.extend_from_slice(&[b"; SameSite=", site].concat());
        }
        cx.req.err_headers_out.append("Set-Cookie", cookie);
        cx.req.notes.set(&mark, "1");
    }
}

/// The end of a cookie, so many minutes from now.
fn cookie_time(now: std::time::SystemTime, minutes: i64) -> String {
    let now: chrono::DateTime<chrono::Utc> = now.into();
    let end = chrono::TimeDelta::try_minutes(minutes).and_then(|after| now.checked_add_signed(after));
    end.unwrap_or(now).format("%a, %d-%b-%Y %H:%M:%S GMT").to_string()
}

/// `T=` and `H=`.
fn force(cx: &mut Cx<'_>, scene: &mut Scene, flags: &Flags) {
    for (said, note) in [(&flags.kind, note::TYPE), (&flags.handler, note::HANDLER)] {
        if let Some(text) = said {
            let value = expand::text(cx, scene, text).to_ascii_lowercase();
            if !value.is_empty() {
                cx.req.notes.set(note, value);
            }
        }
    }
}

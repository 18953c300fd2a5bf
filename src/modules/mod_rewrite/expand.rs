//! Texts with `$1`, `%1`, `%{VARIABLE}` and `${map:key|default}` in them: Apache's `do_expand`.

use super::{flags::Escape, maps, rules::Trust};
use crate::{
    engine::{Cx, LookedUp, Request, urls},
    http::Status,
    policy::{
        expr::{Context, Variable},
        regex::{self, Groups},
    },
};
use bstr::{BString, ByteSlice};
use std::rc::Rc;

/// How deep maps may stand in the keys of maps.
const DEEPEST: usize = 32;

/// A match, with what it matched.
#[derive(Clone, Debug)]
pub struct Capture {
    pub subject: BString,
    pub groups: Groups,
}

/// A request while rules are applied to it.
#[derive(Debug)]
pub struct Scene {
    /// What is being rewritten: a URL's path, or a file's name.
    pub path: BString,
    /// The directory whose rules these are, with its final slash.
    pub directory: Option<Rc<[u8]>>,
    /// What the current rule is matched against.
    pub subject: BString,
    /// `$0` to `$9`.
    pub rule: Option<Capture>,
    /// `%0` to `%9`.
    pub condition: Option<Capture>,
    /// Header fields that conditions looked at.
    pub vary: BString,
    /// Status of a redirect.
    pub status: Status,
    /// Whether the path may be a file's name if its first directory exists.
    pub trust: Trust,
    /// `[DPI]`: what stood behind the file's name is gone.
    pub path_info_gone: bool,
}

impl Scene {
    /// Before the first rule.
    pub fn new(path: BString, directory: Option<BString>) -> Scene {
        Scene {
            path,
            directory: directory.map(|directory| Rc::from(directory.as_slice())),
            subject: BString::default(),
            rule: None,
            condition: None,
            vary: BString::default(),
            status: Status(302),
            trust: Trust::Any,
            path_info_gone: false,
        }
    }
}

/// Expands a text.
pub fn text(cx: &mut Cx<'_>, scene: &mut Scene, text: &[u8]) -> BString {
    Expansion { cx, scene, escape: None, asked: true, question: false }.run(text, 0)
}

/// Expands a rule's substitution: back references are escaped as the rule says; `question` tells
/// whether one brought in a question mark.
pub fn rule(
    cx: &mut Cx<'_>,
    scene: &mut Scene,
    text: &[u8],
    escape: Option<&Escape>,
    question: &mut bool,
) -> BString {
    let mut expansion = Expansion { cx, scene, escape, asked: false, question: false };
    let made = expansion.run(text, 0);
    *question = expansion.question;
    made
}

struct Expansion<'e, 'c, 'x> {
    cx: &'e mut Cx<'x>,
    scene: &'e mut Scene,
    escape: Option<&'c Escape>,
    /// The query has begun.
    asked: bool,
    /// A back reference brought in a question mark before that.
    question: bool,
}

impl Expansion<'_, '_, '_> {
    fn run(&mut self, text: &[u8], depth: usize) -> BString {
        let mut out = BString::default();
        let mut rest = text;
        while let Some(at) = rest.find_byteset(b"\\$%") {
            self.asked |= rest[..at].contains(&b'?');
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            rest = match rest {
                [b'\\', byte, tail @ ..] => {
                    out.push(*byte);
                    tail
                }
                [kind @ (b'$' | b'%'), b'{', inner @ ..] => {
                    match self.braces(*kind, inner, depth, &mut out) {
                        Some(tail) => tail,
                        None => {
                            out.extend_from_slice(&rest[..2]);
                            inner
                        }
                    }
                }
                [kind @ (b'$' | b'%'), digit @ b'0'..=b'9', tail @ ..] => {
                    self.reference(*kind, usize::from(digit - b'0'), &mut out);
                    tail
                }
                _ => {
                    out.push(rest[0]);
                    &rest[1..]
                }
            };
        }
        out.extend_from_slice(rest);
        out
    }

    /// `%{…}` and `${…}`; what follows them, if they are whole.
    fn braces<'t>(&mut self, kind: u8, inner: &'t [u8], depth: usize, out: &mut BString) -> Option<&'t [u8]> {
        let end = closing(inner)?;
        let (inside, tail) = (&inner[..end], &inner[end + 1..]);
        if kind == b'%' {
            out.extend_from_slice(&variable(self.cx, self.scene, inside));
            return Some(tail);
        }
        let colon = inside.find_byte(b':').filter(|_| depth < DEEPEST)?;
        let (map, key) = (&inside[..colon], &inside[colon + 1..]);
        let bar = outside_braces(key, b'|');
        let (key, default) = bar.map_or((key, None), |at| (&key[..at], Some(&key[at + 1..])));
        let key = self.run(key, depth + 1);
        match maps::look_up(self.cx, map, &key) {
            Some(value) => out.extend_from_slice(&value),
            None => out.extend_from_slice(&self.run(default.unwrap_or_default(), depth + 1)),
        }
        Some(tail)
    }

    fn reference(&mut self, kind: u8, n: usize, out: &mut BString) {
        let capture = if kind == b'$' { &self.scene.rule } else { &self.scene.condition };
        let Some(capture) = capture else { return };
        let value = regex::group(&capture.subject, &capture.groups, n);
        match self.escape {
            Some(escape) => escape.write(value, out),
            None => {
                self.question |= !self.asked && value.contains(&b'?');
                out.extend_from_slice(value);
            }
        }
    }
}

impl Escape {
    fn write(&self, value: &[u8], out: &mut BString) {
        for &byte in value {
            let blank = byte == b' ';
            let wanted = match &self.only {
                Some(only) => only.contains(&byte) || self.controls && (blank || byte.is_ascii_control()),
                None if self.controls => blank || byte.is_ascii_control(),
                None => !(byte.is_ascii_alphanumeric() || byte == b'_'),
            };
            if !wanted || self.except.contains(&byte) {
                out.push(byte);
            } else if blank && !self.no_plus {
                out.push(b'+');
            } else {
                out.extend_from_slice(format!("%{byte:02x}").as_bytes());
            }
        }
    }
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &[u8]) -> Option<usize> {
    outside_braces(text, b'}')
}

/// The first `wanted` that stands in no inner braces; backslashes hide what follows them.
fn outside_braces(text: &[u8], wanted: u8) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' if text.get(at + 1).is_some() => at += 1,
            _ if byte == wanted && depth == 0 => return Some(at),
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The value of a variable; empty for one that is not known.
pub fn variable(cx: &mut Cx<'_>, scene: &mut Scene, name: &[u8]) -> BString {
    let value = match name {
        [b'E', b'N', b'V', b':', name @ ..] => {
            let note = cx.req.notes.get(name).map(BString::from);
            note.or_else(|| cx.env(name)).or_else(|| cx.system().env(name).map(BString::from))
        }
        [b'H', b'T', b'T', b'P', b':', name @ ..] => header(cx, scene, name),
        [b'S', b'S', b'L', b':', ..] => None,
        [b'L', b'A', b'-', kind @ (b'U' | b'F'), b':', name @ ..] => look_ahead(cx, scene, *kind, name),
        b"API_VERSION" => Some(urls::MODULE_MAGIC.into()),
        b"SERVER_ADDR" => Some(cx.req.conn.local.ip().to_canonical().to_string().into()),
        b"REQUEST_FILENAME" | b"SCRIPT_FILENAME" => Some(scene.path.clone()),
        b"PATH_INFO" => Some(cx.req.path_info.clone()),
        b"DOCUMENT_ROOT" => Some(urls::document_root(cx.engine, cx.req)),
        // Names that ap_expr has and mod_rewrite has not.
        b"DOCUMENT_URI" | b"LAST_MODIFIED" | b"CONTENT_TYPE" | b"HANDLER" | b"REQUEST_STATUS"
        | b"REQUEST_LOG_ID" | b"CONN_LOG_ID" => None,
        _ => match Variable::named(name, false).filter(|_| !name.iter().any(u8::is_ascii_lowercase)) {
            Some(Variable::Header(name)) => header(cx, scene, name.as_bytes()),
            Some(Variable::Time(part)) => Some(part.of(cx.system().now()).into()),
            Some(variable) => cx.variable(&variable),
            None => None,
        },
    };
    value.unwrap_or_default()
}

fn header(cx: &Cx<'_>, scene: &mut Scene, name: &[u8]) -> Option<BString> {
    if !scene.vary.is_empty() {
        scene.vary.extend_from_slice(b", ");
    }
    scene.vary.extend_from_slice(name);
    cx.request_header(name)
}

/// What a variable will be once the URL is decided.
fn look_ahead(cx: &mut Cx<'_>, scene: &Scene, kind: u8, name: &[u8]) -> Option<BString> {
    if cx.req.is_sub {
        return None;
    }
    let found = match (kind, &scene.directory) {
        (b'F', _) => cx.look_up_file(&scene.path.clone()),
        (_, Some(_)) => cx.look_up_url(&cx.req.path.clone()),
        (_, None) => cx.look_up_url(&crate::http::escape::uri(&scene.path)),
    };
    let (LookedUp::Found(request) | LookedUp::Answered(request)) = found else { return None };
    Some(of_request(&request, name)).filter(|value| !value.is_empty())
}

fn of_request(request: &Request, name: &[u8]) -> BString {
    let env = |name: &[u8]| request.env.get(name).map(BString::from).unwrap_or_default();
    match name {
        [b'E', b'N', b'V', b':', name @ ..] => env(name),
        b"REMOTE_USER" => request.user.clone().unwrap_or_default(),
        b"AUTH_TYPE" => request.auth_type.clone().unwrap_or_default(),
        b"REQUEST_FILENAME" | b"SCRIPT_FILENAME" => request.filename.clone(),
        b"PATH_INFO" => request.path_info.clone(),
        b"REQUEST_URI" => request.uri.clone(),
        b"QUERY_STRING" => request.args.clone().unwrap_or_default(),
        b"REQUEST_METHOD" => request.method_name.clone(),
        b"IS_SUBREQ" => "true".into(),
        _ => BString::default(),
    }
}

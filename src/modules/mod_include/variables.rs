//! The variables of a page: those of its environment, of which four are dates and names made when they
//! are asked for, and the groups of the last match of a regular expression.

use super::page::Page;
use crate::{
    engine::{Cx, Verdict},
    http::escape,
    modules::{
        mod_cgi::environment,
        strftime::{gmt, local, strftime},
    },
    policy::expr::functions,
};
use bstr::{BString, ByteSlice};
use std::time::UNIX_EPOCH;

/// Variables whose value depends on when they are asked for. In the environment they are empty.
const LAZY: [&str; 4] = ["DATE_LOCAL", "DATE_GMT", "LAST_MODIFIED", "USER_NAME"];

/// What becomes of `$NAME` when there is no such variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// It stays as it is.
    Stays,
    /// It goes.
    Goes,
}

/// Sets the variables of a page: those of a program, and mod_include's own.
pub fn establish(cx: &mut Cx<'_>) {
    while let Err(Verdict::Wait(pending)) = environment::add_variables(cx) {
        if !cx.find_out_now(pending) {
            break;
        }
    }
    for name in ["DATE_LOCAL", "DATE_GMT", "LAST_MODIFIED"] {
        cx.req.env.set(name, "");
    }
    let req = &mut *cx.req;
    req.env.set("DOCUMENT_URI", &req.uri);
    req.env.set("DOCUMENT_ARGS", req.args.as_deref().map_or(&b""[..], |args| args));
    if !req.path_info.is_empty() {
        req.env.set("DOCUMENT_PATH_INFO", &req.path_info);
    }
    req.env.set("USER_NAME", "");
    let name = BString::from(req.base_name());
    req.env.set("DOCUMENT_NAME", name);
    add_query(cx);
}

/// QUERY_STRING, and unescaped for a shell.
pub fn add_query(cx: &mut Cx<'_>) {
    let req = &mut *cx.req;
    let Some(args) = &req.args else { return };
    req.env.set("QUERY_STRING", args);
    let plain: Vec<u8> = percent_encoding::percent_decode(args).collect();
    let plain = functions::cut_at_nul(plain);
    req.env.set("QUERY_STRING_UNESCAPED", escape::shell_cmd(&plain));
}

impl Page {
    /// A variable's value.
    pub fn variable(&self, cx: &mut Cx<'_>, name: &[u8]) -> Option<BString> {
        if let [digit @ b'0'..=b'9'] = name {
            return self.group(cx, usize::from(digit - b'0'));
        }
        let value = BString::from(cx.req.env.get(name)?);
        let lazy = value.is_empty() && LAZY.iter().any(|lazy| lazy.as_bytes().eq_ignore_ascii_case(name));
        if lazy { self.made_now(cx, name) } else { Some(value) }
    }

    fn made_now(&self, cx: &Cx<'_>, name: &[u8]) -> Option<BString> {
        let format = &self.time_format;
        Some(match name.to_ascii_uppercase().as_slice() {
            b"DATE_LOCAL" => strftime(format, &local(cx.req.started)).into(),
            b"DATE_GMT" => strftime(format, &gmt(cx.req.started)).into(),
            b"LAST_MODIFIED" => {
                let modified = cx.req.stat.map_or(UNIX_EPOCH, |stat| stat.modified());
                strftime(format, &local(modified)).into()
            }
            _ => {
                let name = cx.req.stat.and_then(|stat| cx.system().user_name(stat.uid));
                name.map_or_else(|| "<unknown>".into(), BString::from)
            }
        })
    }

    fn group(&self, cx: &mut Cx<'_>, number: usize) -> Option<BString> {
        let file = cx.req.filename.clone();
        let Some(matched) = &self.matched else {
            cx.log(4, "AH01329", format_args!("regex capture ${number} refers to no regex in {file}"));
            return None;
        };
        if number > matched.count {
            let pattern = matched.pattern.as_bstr();
            cx.log(
                4,
                "AH01330",
                format_args!(
                    "regex capture ${number} is out of range (last regex was: '{pattern}') in {file}"
                ),
            );
            return None;
        }
        matched.captures.as_ref()?.group(number).map(BString::from)
    }

    /// Puts variables in place of `$NAME` and `${NAME}` (ap_ssi_parse_string).
    pub fn expand(&self, cx: &mut Cx<'_>, text: &[u8], undefined: Undefined) -> BString {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find_byteset(b"\\$") {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix(b"\\") {
                if !after.starts_with(b"$") {
                    out.push(b'\\');
                    rest = after;
                } else {
                    out.push(b'$');
                    rest = &after[1..];
                }
                continue;
            }
            let Some((name, length)) = name(cx, &rest[1..]) else { return out.into() };
            let whole = &rest[..1 + length];
            rest = &rest[1 + length..];
            let value = if name.is_empty() { None } else { self.variable(cx, name) };
            match value {
                Some(value) => out.extend_from_slice(&value),
                None if name.is_empty() || undefined == Undefined::Stays => out.extend_from_slice(whole),
                None => {}
            }
        }
        out.extend_from_slice(rest);
        out.into()
    }
}

/// The name behind a `$`, and how long it is as written; `None` if its brace is not closed.
fn name<'t>(cx: &mut Cx<'_>, after: &'t [u8]) -> Option<(&'t [u8], usize)> {
    if let Some(braced) = after.strip_prefix(b"{") {
        let Some(end) = braced.find_byte(b'}') else {
            let (rest, file) = (braced.as_bstr(), cx.req.filename.clone());
            cx.log(3, "AH01331", format_args!("Missing '}}' on variable \"{rest}\" in {file}"));
            return None;
        };
        return Some((&braced[..end], end + 2));
    }
    let end = after.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
    let end = end.unwrap_or(after.len());
    Some((&after[..end], end))
}

/// All variables, as printenv prints them.
pub fn print_all(page: &Page, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    let names: Vec<BString> = cx.req.env.iter().map(|(name, _)| name.into()).collect();
    for name in names {
        let value = page.variable(cx, &name).unwrap_or_default();
        for piece in [&escape::html(&name)[..], b"=", &escape::html(&value), b"\n"] {
            out.extend_from_slice(piece);
        }
    }
}

//! The elements that print or set something by themselves: config, echo, set, printenv, fsize,
//! flastmod, and the conditions.

use super::{
    coding::{self, Coding, entities},
    conditions,
    page::Page,
    tags::{Attribute, Tag},
    variables::{self, Undefined},
};
use crate::{
    engine::{Cx, LookedUp},
    http::Status,
    modules::strftime::{local, strftime},
    policy::place::server_root_relative,
    system::Stat,
};
use bstr::{BString, ByteSlice};

/// An attribute with a value, in the order and as far as an element looks at them.
pub fn values(tag: &Tag) -> impl Iterator<Item = (&BString, &BString)> {
    tag.attributes.iter().map_while(|Attribute { name, value }| Some((name, value.as_ref()?)))
}

/// Whether an element can be carried out at all.
///
/// # Errors
/// Number and text of the line for the error log, to be followed by the page's file.
pub fn check(cx: &Cx<'_>, tag: &Tag) -> Result<(), (&'static str, BString)> {
    if tag.name.is_empty() {
        return Err(("AH01368", "missing directive name in parsed document".into()));
    }
    let known: &[&[u8]] = &[
        b"if",
        b"elif",
        b"else",
        b"endif",
        b"include",
        b"echo",
        b"config",
        b"fsize",
        b"flastmod",
        b"printenv",
        b"set",
        b"comment",
    ];
    let exec = tag.name == "exec" && super::runs_programs(cx);
    if !exec && !known.contains(&tag.name.as_slice()) {
        return Err(("AH01371", format!("unknown directive \"{}\" in parsed doc", tag.name).into()));
    }
    if tag.attributes.iter().any(|attribute| attribute.name.is_empty()) {
        let text = format!("missing argument name for value to tag {} in", tag.name);
        return Err(("AH01370", text.into()));
    }
    Ok(())
}

/// Carries out an element.
pub fn run(page: &mut Page, cx: &mut Cx<'_>, tag: &Tag, out: &mut Vec<u8>) {
    match tag.name.as_slice() {
        b"if" | b"elif" | b"else" | b"endif" => conditions::run(page, cx, tag, out),
        b"printenv" => print_env(page, cx, tag, out),
        b"comment" => {}
        _ => with_arguments(page, cx, tag, out),
    }
}

fn print_env(page: &Page, cx: &mut Cx<'_>, tag: &Tag, out: &mut Vec<u8>) {
    if !tag.attributes.is_empty() {
        let file = cx.req.filename.clone();
        cx.log(page.level(), "AH01367", format_args!("printenv directive does not take tags in {file}"));
        if page.printing {
            page.fail(out);
        }
    } else if page.printing {
        variables::print_all(page, cx, out);
    }
}

/// Elements that are nothing without attributes.
fn with_arguments(page: &mut Page, cx: &mut Cx<'_>, tag: &Tag, out: &mut Vec<u8>) {
    let (number, name) = match tag.name.as_slice() {
        b"config" => ("AH01347", "config"),
        b"echo" => ("AH01343", "echo"),
        b"set" => ("AH01362", "set"),
        b"fsize" => ("AH01350", "fsize"),
        _ => ("AH01351", "flastmod"),
    };
    let file = cx.req.filename.clone();
    let enough = tag.attributes.len() >= if name == "set" { 2 } else { 1 };
    if !enough {
        cx.log(page.level(), number, format_args!("missing argument for {name} element in {file}"));
    }
    if !page.printing {
        return;
    }
    let done = enough
        && match name {
            "config" => config(page, cx, tag),
            "echo" => echo(page, cx, tag, out),
            "set" => set(page, cx, tag),
            _ => about_file(page, cx, tag, out),
        };
    if !done {
        page.fail(out);
    }
}

fn config(page: &mut Page, cx: &mut Cx<'_>, tag: &Tag) -> bool {
    let file = cx.req.filename.clone();
    for (name, value) in values(tag) {
        match name.as_slice() {
            b"errmsg" => page.error_message = page.expand(cx, value, Undefined::Goes),
            b"echomsg" => page.undefined_echo = page.expand(cx, value, Undefined::Goes),
            b"timefmt" => page.time_format = page.expand(cx, value, Undefined::Goes),
            b"sizefmt" => match page.expand(cx, value, Undefined::Goes).as_slice() {
                b"bytes" => page.size_in_bytes = true,
                b"abbrev" => page.size_in_bytes = false,
                other => {
                    let other = other.as_bstr();
                    cx.log(
                        3,
                        "AH01348",
                        format_args!(
                            "unknown value \"{other}\" to parameter \"sizefmt\" of tag config in {file}"
                        ),
                    );
                    return false;
                }
            },
            _ => {
                cx.log(3, "AH01349", format_args!("unknown parameter \"{name}\" to tag config in {file}"));
                return false;
            }
        }
    }
    true
}

/// Reads the codings that an attribute names.
fn codings(
    page: &Page,
    cx: &mut Cx<'_>,
    attribute: (&[u8], &[u8]),
    tag: (&str, &'static str),
) -> Option<Vec<Coding>> {
    let (name, value) = attribute;
    let value = page.expand(cx, value, Undefined::Goes);
    match coding::list(&value) {
        Ok(list) => Some(list.into_iter().flatten().collect()),
        Err(unknown) => {
            let ((tag, number), name, file) = (tag, name.as_bstr(), cx.req.filename.clone());
            cx.log(
                3,
                number,
                format_args!("unknown value \"{unknown}\" to parameter \"{name}\" of tag {tag} in {file}"),
            );
            None
        }
    }
}

fn coded(value: BString, decoding: &[Coding], encoding: &[Coding]) -> BString {
    let value = decoding.iter().fold(value, |value, coding| coding.decode(&value));
    encoding.iter().fold(value, |value, coding| coding.encode(&value))
}

fn echo(page: &Page, cx: &mut Cx<'_>, tag: &Tag, out: &mut Vec<u8>) -> bool {
    let (mut decoding, mut encoding) = (Vec::new(), vec![Coding::Entity]);
    for (name, value) in values(tag) {
        match name.as_slice() {
            b"var" => {
                let variable = page.expand(cx, &entities(value), Undefined::Goes);
                match page.variable(cx, &variable) {
                    Some(value) => out.extend_from_slice(&coded(value, &decoding, &encoding)),
                    None => out.extend_from_slice(&page.undefined_echo),
                }
            }
            b"decoding" => match codings(page, cx, (name, value), ("echo", "AH01344")) {
                Some(list) => decoding = list,
                None => return false,
            },
            b"encoding" => match codings(page, cx, (name, value), ("echo", "AH01345")) {
                Some(list) => encoding = list,
                None => return false,
            },
            _ => {
                let file = cx.req.filename.clone();
                cx.log(3, "AH01346", format_args!("unknown parameter \"{name}\" in tag echo of {file}"));
                return false;
            }
        }
    }
    true
}

fn set(page: &Page, cx: &mut Cx<'_>, tag: &Tag) -> bool {
    let file = cx.req.filename.clone();
    let (mut decoding, mut encoding, mut variable) = (Vec::new(), Vec::new(), None);
    for (name, value) in values(tag) {
        match name.as_slice() {
            b"var" => variable = Some(page.expand(cx, &entities(value), Undefined::Goes)),
            b"decoding" => match codings(page, cx, (name, value), ("set", "AH01364")) {
                Some(list) => decoding = list,
                None => return false,
            },
            b"encoding" => match codings(page, cx, (name, value), ("set", "AH01365")) {
                Some(list) => encoding = list,
                None => return false,
            },
            b"value" => {
                let Some(variable) = &variable else {
                    let text = "variable must precede value in set directive in";
                    cx.log(3, "AH01363", format_args!("{text} {file}"));
                    return false;
                };
                let value = page.expand(cx, value, Undefined::Goes);
                cx.req.env.set(variable, coded(value, &decoding, &encoding));
            }
            _ => {
                cx.log(3, "AH01366", format_args!("Invalid tag for set directive in {file}"));
                return false;
            }
        }
    }
    true
}

/// fsize and flastmod.
fn about_file(page: &Page, cx: &mut Cx<'_>, tag: &Tag, out: &mut Vec<u8>) -> bool {
    for (name, value) in values(tag) {
        let value = page.expand(cx, &entities(value), Undefined::Goes);
        let Some(stat) = find(cx, &tag.name, name, &value) else { return false };
        if tag.name == "flastmod" {
            out.extend(strftime(&page.time_format, &local(stat.modified())));
        } else if page.size_in_bytes {
            out.extend(with_commas(stat.size).bytes());
        } else {
            out.extend(crate::modules::apr::strfsize(stat.size).bytes());
        }
    }
    true
}

/// What APR says of a path that leads out of the directory in which it is to stay (APR_EABOVEROOT).
pub const ABOVE_ROOT: &str = "(20023)The given path was above the root path";

/// The file that an attribute names.
fn find(cx: &mut Cx<'_>, tag: &[u8], name: &[u8], value: &[u8]) -> Option<Stat> {
    let (page, shown) = (cx.req.filename.clone(), value.as_bstr());
    let (number, found) = match name {
        b"file" => {
            let Some(path) = sibling(&page, value) else {
                cx.log(
                    3,
                    "",
                    format_args!(
                        "{ABOVE_ROOT}: AH02668: unable to access file \"{shown}\" in parsed file {page}"
                    ),
                );
                return None;
            };
            ("AH02670", cx.look_up_file(&path))
        }
        b"virtual" => ("AH01339", cx.look_up_url(value)),
        _ => {
            let (name, tag) = (name.as_bstr(), tag.as_bstr());
            cx.log(3, "AH01340", format_args!("unknown parameter \"{name}\" to tag {tag} in {page}"));
            return None;
        }
    };
    if let LookedUp::Found(request) = found
        && request.status == Status::OK
        && let Some(stat) = request.stat.filter(|stat| name == b"virtual" || stat.is_file())
    {
        return Some(stat);
    }
    let what = if name == b"file" { "lookup" } else { "get" };
    cx.log(3, number, format_args!("unable to {what} information about \"{shown}\" in parsed file {page}"));
    None
}

/// The file of a relative path below the directory of a page; `None` if it leads out of that.
pub fn sibling(page: &[u8], path: &[u8]) -> Option<BString> {
    if path.starts_with(b"/") {
        return None;
    }
    let directory = &page[..page.rfind_byte(b'/').map_or(0, |slash| slash + 1)];
    let whole = server_root_relative(directory, path);
    whole.starts_with(directory).then_some(whole)
}

/// A number with commas between its thousands.
fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

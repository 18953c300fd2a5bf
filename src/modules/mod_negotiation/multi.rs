//! MultiViews: for a document that does not exist, the files whose names go on behind its name.

use super::{Outcome, Resource, accept, accept::Accept, negotiate, prefers_programs, variants};
use crate::{
    engine::{Cx, LookedUp, Request, Verdict},
    http::Status,
    modules::mod_mime::EXCEPTIONS,
    policy::core_conf::OptionBits,
    system,
};
use bstr::{BString, ByteSlice};
use std::time::UNIX_EPOCH;

/// Whose names go on behind that of a document that does not exist, and which of them is best.
pub fn type_checker(cx: &mut Cx<'_>) -> Verdict {
    let options = &cx.core().options;
    if cx.req.stat.is_some() || !options.bits.has(OptionBits::MULTI_VIEWS) {
        return Verdict::Declined;
    }
    let Some(slash) = cx.req.filename.rfind_byte(b'/') else { return Verdict::Declined };
    let (directory, name) = cx.req.filename.split_at(slash + 1);
    let (directory, name) = (BString::from(directory), BString::from(name));
    let entries = match cx.system().read_dir(system::path(&directory)) {
        Ok(entries) => entries,
        Err(error) => {
            let os = error.raw_os_error();
            cx.log_os(3, os, "AH00686", format_args!("cannot read directory for multi: {directory}"));
            cx.note(format_args!("{directory} cannot be read: {error}"));
            return Verdict::Status(Status(403));
        }
    };
    let goes_on = |entry: &system::Entry| {
        !entry.is_dir && entry.name.strip_prefix(name.as_slice()).is_some_and(|rest| rest.starts_with(b"."))
    };
    let names: Vec<Vec<u8>> = entries.into_iter().filter(goes_on).map(|entry| entry.name).collect();
    if names.is_empty() {
        return Verdict::Declined;
    }
    cx.because(
        options.decided_by(OptionBits::MULTI_VIEWS),
        format_args!("there is no {name}, but MultiViews takes what goes on behind that name"),
    );
    let mut found = Vec::new();
    for entry in names {
        match variant(cx, &name, &entry) {
            Ok(Some(variant)) => found.push(variant),
            Ok(None) => cx.note(format_args!("{} is no variant", entry.as_bstr())),
            Err(verdict) => return verdict,
        }
    }
    choose(cx, found)
}

/// The best of these; a type map among them decides instead.
fn choose(cx: &mut Cx<'_>, mut found: Vec<variants::Variant>) -> Verdict {
    if found.is_empty() {
        let name = cx.req.filename.clone();
        let text = "Negotiation: discovered file(s) matching request:";
        cx.log(3, "AH00687", format_args!("{text} {name} (None could be negotiated)."));
        return Verdict::Status(Status(404));
    }
    if let Some(map) =
        found.iter().position(|variant| variant.found.as_ref().is_some_and(|found| is_map(found)))
    {
        let mut map = found.swap_remove(map);
        return map.found.take().map_or(Verdict::Declined, Verdict::Adopt);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let for_programs = prefers_programs(cx);
    let accept = Accept::of(&cx.req.headers_in);
    let mut resource = Resource { variants: found, accept, transparent: false };
    cx.req.vlist_validator = directory_validator(cx);
    match negotiate(cx, &mut resource, for_programs) {
        Outcome::List(status) => Verdict::Status(status),
        Outcome::Choice(best) => {
            let Some(mut chosen) = resource.variants.swap_remove(best).found else {
                return Verdict::Declined;
            };
            chosen.args = chosen.args.or_else(|| cx.req.args.clone());
            if chosen.path_info.is_empty() {
                chosen.path_info.clone_from(&cx.req.path_info);
            }
            Verdict::Adopt(chosen)
        }
    }
}

/// There is no file that lists the variants: the directory's last change stands for it, as a weak validator
/// within a second of that.
fn directory_validator(cx: &Cx<'_>) -> Option<BString> {
    let end = cx.req.filename.rfind_byte(b'/')?;
    let stat = cx.system().stat(system::path(&cx.req.filename[..=end])).ok()?;
    let changed = stat.mtime_ns / 1000;
    let now = cx.req.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let weak = if i128::try_from(now).is_ok_and(|now| now - changed > 1_000_000) { "" } else { "W/" };
    Some(format!("{weak}\"{changed:x}\"").into())
}

fn is_map(found: &Request) -> bool {
    let is = |name: &Option<BString>, text: &str| name.as_ref().is_some_and(|name| name == text);
    is(&found.handler, "type-map") || is(&found.content_type, "application/x-type-map")
}

/// Looks at a file; `None` if it is no variant.
fn variant(cx: &mut Cx<'_>, name: &[u8], entry: &[u8]) -> Result<Option<variants::Variant>, Verdict> {
    let mut found = match cx.look_up_entry(entry) {
        LookedUp::Wait(pending) => return Err(Verdict::Wait(pending)),
        LookedUp::Found(found) if found.stat.is_some_and(|stat| stat.is_file()) => found,
        LookedUp::Found(_) | LookedUp::Answered(_) => return Ok(None),
    };
    if found.content_type.is_none() && found.handler.is_some() {
        found.content_type = Some(variants::PROGRAM.into());
    }
    let known = found.notes.get(EXCEPTIONS).is_some_and(|unknown| fits(name, unknown));
    let Some(kind) = found.content_type.clone().filter(|_| known && found.status == Status::OK) else {
        return Ok(None);
    };
    let mut variant = variants::Variant {
        name: entry.into(),
        encoding: found.content_encoding.clone().unwrap_or_default(),
        languages: found
            .content_languages
            .iter()
            .map(|language| language.to_ascii_lowercase().into())
            .collect(),
        length: found.stat.map(|stat| stat.size),
        ..variants::Variant::default()
    };
    variant.set_type(accept::item(&kind).0);
    variant.found = Some(found);
    Ok(Some(variant))
}

/// Whether the parts of a file's name that mean nothing are parts of the document's name, in that order.
fn fits(name: &[u8], unknown: &[u8]) -> bool {
    let mut unknown = unknown.split(|&byte| byte == b'.').peekable();
    for part in name.split(|&byte| byte == b'.') {
        if unknown.peek() == Some(&part) {
            unknown.next();
        }
    }
    unknown.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn parts_that_mean_nothing_are_those_of_the_name() {
        assert!(fits(b"a", b"a") && fits(b"a.b", b"a.b") && fits(b"a.html", b"a") && fits(b"a.x.b", b"a.b"));
        assert!(
            !fits(b"a", b"a.foo") && !fits(b"a.html", b"a.foo") && !fits(b"a.b", b"b.a") && !fits(b"b", b"a")
        );
    }
}

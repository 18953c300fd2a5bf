//! mod_mime: what the suffixes of a file's name say about it.
//!
//! Manual: `mod/mod_mime.html`. The part of the name before the first dot is no suffix; of the
//! others each may give a type, an encoding, a language, a charset, a handler, in any order.

mod config;
mod media_type;
#[cfg(test)]
mod tests;
mod types;

use crate::{
    engine::{Cx, Hook, LogEntry, Module, Order, Phase, Verdict},
    policy::{Directive, Kind, OptionBits, Policy, SaidExt, Scope, Setting, Shape},
    system::System,
};
use bstr::{BStr, BString, ByteSlice};
pub use config::{Field, MimeDir, MimeServer, MultiviewsMatch, TypesFile};
use std::sync::Arc;
pub use types::Types;

/// The note of the parts of a file's name that mean nothing, its stem among them, joined by dots; there is
/// none if no part means anything.
pub const EXCEPTIONS: &str = "ap-mime-exceptions-list";

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_mime",
    source: "mod_mime.c",
    identifier: "mime_module",
    configs: &[Kind::of::<MimeServer>(), Kind::of::<MimeDir>()],
    directives: &DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::Type, order: Order::MIDDLE, run: find_type },
        Hook { phase: Phase::Filter, order: Order::MIDDLE, run: filters },
    ],
    start: Some(start),
    ..Module::NOTHING
};

macro_rules! adds {
    ($name:literal, $field:ident, $usage:literal, $doc:literal) => {
        Directive {
            name: $name,
            shape: Shape::EachWithFirst,
            scope: Scope::FILEINFO,
            usage: $usage,
            doc: $doc,
            apply: |place, args| config::add(place, args, Field::$field),
        }
    };
}

macro_rules! removes {
    ($name:literal, $field:ident, $doc:literal) => {
        Directive {
            name: $name,
            shape: Shape::Each,
            scope: Scope::FILEINFO,
            usage: "one or more file extensions",
            doc: $doc,
            apply: |place, args| config::remove(place, args, Field::$field),
        }
    };
}

static DIRECTIVES: [Directive; 18] = [
    adds!(
        "AddCharset",
        Charset,
        "a charset (e.g., iso-2022-jp), followed by one or more file extensions",
        "Suffixes that mean a charset."
    ),
    adds!(
        "AddEncoding",
        Encoding,
        "an encoding (e.g., gzip), followed by one or more file extensions",
        "Suffixes that mean a content encoding."
    ),
    adds!(
        "AddHandler",
        Handler,
        "a handler name followed by one or more file extensions",
        "Suffixes of files that a handler answers for."
    ),
    adds!(
        "AddInputFilter",
        InputFilters,
        "input filter name (or ; delimited names) followed by one or more file extensions",
        "Suffixes of files whose requests go through filters."
    ),
    adds!(
        "AddLanguage",
        Language,
        "a language (e.g., fr), followed by one or more file extensions",
        "Suffixes that mean a language."
    ),
    adds!(
        "AddOutputFilter",
        OutputFilters,
        "output filter name (or ; delimited names) followed by one or more file extensions",
        "Suffixes of files whose content goes through filters."
    ),
    adds!(
        "AddType",
        Type,
        "a mime type followed by one or more file extensions",
        "Suffixes that mean a media type; outweighs TypesConfig."
    ),
    Directive {
        name: "DefaultLanguage",
        shape: Shape::One,
        scope: Scope::FILEINFO,
        usage: "language to use for documents with no other language file extension",
        doc: "The language of files whose suffixes name none.",
        apply: |place, args| {
            place.dir::<MimeDir>().default_language = Some(Setting::new(args.text(0).into(), args.span));
            Ok(())
        },
    },
    Directive {
        name: "MultiviewsMatch",
        shape: Shape::Each,
        scope: Scope::FILEINFO,
        usage: "NegotiatedOnly (default), Handlers and/or Filters, or Any",
        doc: "Which files MultiViews may choose from.",
        apply: config::multiviews_match,
    },
    removes!("RemoveCharset", Charset, "Takes AddCharset back."),
    removes!("RemoveEncoding", Encoding, "Takes AddEncoding back."),
    removes!("RemoveHandler", Handler, "Takes AddHandler back."),
    removes!("RemoveInputFilter", InputFilters, "Takes AddInputFilter back."),
    removes!("RemoveLanguage", Language, "Takes AddLanguage back."),
    removes!("RemoveOutputFilter", OutputFilters, "Takes AddOutputFilter back."),
    removes!("RemoveType", Type, "Takes AddType and TypesConfig back."),
    Directive {
        name: "TypesConfig",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "the MIME types config file",
        doc: "The file that says which suffixes mean which media types.",
        apply: config::types_config,
    },
    Directive {
        name: "ModMimeUsePathInfo",
        shape: Shape::Flag,
        scope: Scope::ACCESS_CONF,
        usage: "Set to 'yes' to allow mod_mime to use path info for type checking",
        doc: "Whether the path behind the file's name is looked at for suffixes too.",
        apply: |place, args| {
            place.dir::<MimeDir>().use_path_info = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
];

/// The file that is read when no TypesConfig names another, under ServerRoot.
const DEFAULT_TYPES: &[u8] = b"mime.types";

/// Apache does not start if the file of media types cannot be read.
fn start(policy: &Policy, system: &dyn System) -> Result<(), Box<LogEntry>> {
    let said = policy.main().conf.get::<MimeServer>().types.value();
    let (path, os_error) = match said {
        Some(TypesFile { types: Ok(_), .. }) => return Ok(()),
        Some(TypesFile { path, types: Err((_, number)) }) => (path.clone(), *number),
        None if !policy.tables.chosen() => return Ok(()),
        None => {
            let path = default_path(policy);
            match Types::read(system, &path) {
                Ok(_) => return Ok(()),
                Err(error) => (path, error.raw_os_error()),
            }
        }
    };
    let text = format!("could not open mime types config file {path}.").into();
    Err(Box::new(LogEntry { level: 3, module: "mime", os_error, number: "AH01597", text, explanation: None }))
}

fn default_path(policy: &Policy) -> BString {
    crate::policy::place::server_root_relative(&policy.process.server_root, DEFAULT_TYPES)
}

/// The default file's types as this worker found them.
#[derive(Default)]
struct DefaultTypes(Option<Arc<Types>>);

fn types(cx: &mut Cx<'_>) -> Arc<Types> {
    if let Some(said) = cx.engine.policy.main().conf.get::<MimeServer>().types.value() {
        return said.types.as_ref().map(Arc::clone).unwrap_or_default();
    }
    if let DefaultTypes(Some(types)) = cx.worker.slot::<DefaultTypes>() {
        return types.clone();
    }
    let path = default_path(&cx.engine.policy);
    let types = Arc::new(Types::read(cx.system(), &path).unwrap_or_default());
    cx.worker.slot::<DefaultTypes>().0 = Some(types.clone());
    types
}

/// The part of a name before its suffixes, leading dots included, and the suffixes.
fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name[stem(name).len()..].split(|&c| c == b'.').filter(|suffix| !suffix.is_empty())
}

/// A name up to its first suffix.
fn stem(name: &[u8]) -> &[u8] {
    let dots = name.iter().take_while(|&&c| c == b'.').count();
    let first = name[dots..].find_byte(b'.').map_or(name.len(), |at| dots + at);
    &name[..first]
}

/// The file's name in which suffixes are looked for, with the path behind it if that counts too.
fn resource(cx: &Cx<'_>) -> Vec<u8> {
    let mut resource = cx.req.filename.to_vec();
    if cx.conf::<MimeDir>().use_path_info.value_or(false) {
        resource.extend_from_slice(&cx.req.path_info);
    }
    let name = resource.rfind_byte(b'/').map_or(0, |slash| slash + 1);
    resource.split_off(name)
}

/// AddInputFilter and AddOutputFilter.
fn filters(cx: &mut Cx<'_>) -> Verdict {
    let conf: &MimeDir = cx.conf();
    let name = resource(cx);
    for suffix in suffixes(&name) {
        let said = conf.suffix(&suffix.to_ascii_lowercase());
        let get = |field| said.and_then(|said| said.get(field));
        if let Some(filters) = get(Field::InputFilters) {
            super::core::input_filters(cx, filters);
        }
        if let Some(filters) = get(Field::OutputFilters) {
            super::core::output_filters(cx, filters);
        }
    }
    Verdict::Declined
}

fn find_type(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.stat.is_some_and(|stat| stat.is_dir()) {
        cx.req.content_type = Some(super::mod_dir::DIRECTORY_HANDLER.into());
        return Verdict::Ok;
    }
    let conf: &MimeDir = cx.conf();
    let types = types(cx);
    let name = resource(cx);
    let mut charset = None;
    let mut unknown = vec![stem(&name)];
    let mut any_known = false;
    for suffix in suffixes(&name) {
        if one_suffix(cx, conf, &types, suffix, &mut charset) {
            any_known = true;
        } else {
            unknown.push(suffix);
        }
    }
    if any_known && cx.core().options.bits.has(OptionBits::MULTI_VIEWS) {
        cx.req.notes.set(EXCEPTIONS, bstr::join(".", unknown));
    }
    put_charset(cx, charset);
    if let Some(said) = conf.default_language.as_ref().filter(|_| cx.req.content_languages.is_empty()) {
        cx.because(said.at, format_args!("no suffix names a language, so it is {}", said.value));
        cx.req.content_languages.push(said.value.clone());
    }
    if cx.req.content_type.is_some() { Verdict::Ok } else { Verdict::Declined }
}

/// Takes in what a suffix means; whether it counts for MultiViews.
fn one_suffix<'c>(
    cx: &mut Cx<'_>,
    conf: &'c MimeDir,
    types: &Types,
    suffix: &[u8],
    charset: &mut Option<&'c Setting<BString>>,
) -> bool {
    let lower = suffix.to_ascii_lowercase();
    let said = conf.suffix(&lower);
    let get = |field| said.and_then(|said| said.get(field));
    let shown = suffix.as_bstr();
    let kinds = [Field::Type, Field::Charset, Field::Language, Field::Encoding];
    let negotiable = kinds.into_iter().any(|field| get(field).is_some());
    match get(Field::Type) {
        Some(kind) if kind.value.is_empty() => {
            cx.because(kind.at, format_args!("suffix .{shown} has no type any more"));
        }
        Some(kind) => {
            cx.because(kind.at, format_args!("suffix .{shown} means type {}", kind.value));
            cx.req.content_type = Some(kind.value.clone());
        }
        None => type_from_file(cx, types.get(&lower), shown),
    }
    *charset = get(Field::Charset).or(*charset);
    if let Some(language) = get(Field::Language) {
        cx.because(language.at, format_args!("suffix .{shown} means language {}", language.value));
        cx.req.content_languages.push(language.value.clone());
    }
    if let Some(encoding) = get(Field::Encoding) {
        cx.because(encoding.at, format_args!("suffix .{shown} means encoding {}", encoding.value));
        cx.req.content_encoding = Some(match cx.req.content_encoding.take() {
            Some(before) => [before.as_slice(), &encoding.value].join(&b", "[..]).into(),
            None => encoding.value.clone(),
        });
    }
    if let Some(handler) = get(Field::Handler) {
        cx.because(handler.at, format_args!("suffix .{shown} means handler {}", handler.value));
        cx.req.handler = Some(handler.value.clone());
    }
    let matched = conf.multiviews.value().copied().unwrap_or_default();
    let filters = [Field::InputFilters, Field::OutputFilters].into_iter().any(|field| get(field).is_some());
    negotiable
        || types.get(&lower).is_some()
        || matched.any
        || (matched.handlers && get(Field::Handler).is_some())
        || (matched.filters && filters)
}

fn type_from_file(cx: &mut Cx<'_>, kind: Option<&BStr>, suffix: &BStr) {
    let Some(kind) = kind else { return };
    if cx.tracing() {
        let at = cx.engine.policy.main().conf.get::<MimeServer>().types.at();
        cx.because(at, format_args!("suffix .{suffix} means type {kind}"));
    }
    cx.req.content_type = Some(kind.to_owned());
}

/// Writes the type anew with the charset in it. What is no media type stays as it is, with a
/// warning.
fn put_charset(cx: &mut Cx<'_>, charset: Option<&Setting<BString>>) {
    let Some(kind) = cx.req.content_type.take() else { return };
    let value = charset.map(|said| said.value.as_slice());
    let made = match media_type::with_charset(&kind, value) {
        Ok(made) => {
            if let Some(said) = charset {
                cx.because(said.at, format_args!("a suffix means charset {}", said.value));
            }
            made
        }
        Err(fault) if fault.names_text => {
            cx.log(4, fault.number, format_args!("{} '{kind}'", fault.words));
            kind
        }
        Err(fault) => {
            cx.log(4, fault.number, format_args!("{}", fault.words));
            kind
        }
    };
    cx.req.content_type = Some(made);
}

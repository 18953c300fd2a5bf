//! mod_autoindex: lists of the files of a directory.
//!
//! Manual: `mod/mod_autoindex.html`. It answers for directories for which mod_dir found no index page,
//! where `Options Indexes` holds; each name is looked up as a request for it would be, so that nothing is
//! shown that could not be had.

mod amble;
mod config;
mod entries;
mod options;
mod page;
mod query;
mod sort;
#[cfg(test)]
mod tests;

use crate::{
    engine::{Answer, Content, Cx, Hook, Module, Order, Pending, Phase, Verdict, urls},
    http::{Method, MethodSet, Status, escape},
    policy::{Applied, Args, Directive, Kind, Place, SaidExt, Scope, Setting, Shape, core_conf::OptionBits},
    system,
};
use bstr::{BString, ByteSlice};
pub use config::AutoIndex;
use config::By;
use options::Words;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_autoindex",
    source: "mod_autoindex.c",
    identifier: "autoindex_module",
    configs: &[Kind::of::<AutoIndex>()],
    directives: &DIRECTIVES,
    hooks: &[Hook { phase: Phase::Handler, order: Order::MIDDLE, run: handler }],
    ..Module::NOTHING
};

type Apply = fn(&mut Place<'_, '_>, &Args<'_>) -> Applied;

const fn row(
    name: &'static str,
    shape: Shape,
    usage: &'static str,
    doc: &'static str,
    apply: Apply,
) -> Directive {
    Directive { name, shape, scope: Scope::INDEXES, usage, doc, apply }
}

/// A row for a setting of one word.
macro_rules! word {
    ($name:literal, $field:ident, $usage:literal, $doc:literal) => {
        row($name, Shape::One, $usage, $doc, |place, args| {
            place.dir::<AutoIndex>().$field = Some(Setting::new(args.text(0).into(), args.span));
            Ok(())
        })
    };
}

static DIRECTIVES: [Directive; 17] = [
    row(
        "AddIcon",
        Shape::EachWithFirst,
        "an icon URL followed by one or more filenames",
        "The icon of files by their names.",
        |place, args| config::add_icon(place, args, By::Path),
    ),
    row(
        "AddIconByType",
        Shape::EachWithFirst,
        "an icon URL followed by one or more MIME types",
        "The icon of files by their media type.",
        |place, args| config::add_icon(place, args, By::Type),
    ),
    row(
        "AddIconByEncoding",
        Shape::EachWithFirst,
        "an icon URL followed by one or more content encodings",
        "The icon of files by their encoding.",
        |place, args| config::add_icon(place, args, By::Encoding),
    ),
    row(
        "AddAlt",
        Shape::EachWithFirst,
        "alternate descriptive text followed by one or more filenames",
        "The text in place of the icon of files, by their names.",
        |place, args| config::add_alt(place, args, By::Path),
    ),
    row(
        "AddAltByType",
        Shape::EachWithFirst,
        "alternate descriptive text followed by one or more MIME types",
        "The text in place of the icon of files, by their media type.",
        |place, args| config::add_alt(place, args, By::Type),
    ),
    row(
        "AddAltByEncoding",
        Shape::EachWithFirst,
        "alternate descriptive text followed by one or more content encodings",
        "The text in place of the icon of files, by their encoding.",
        |place, args| config::add_alt(place, args, By::Encoding),
    ),
    row(
        "IndexOptions",
        Shape::Argv,
        "one or more index options [+|-][]",
        "How lists of files look and are sorted.",
        options::index_options,
    ),
    row(
        "IndexOrderDefault",
        Shape::Two,
        "{Ascending,Descending} {Name,Size,Description,Date}",
        "How a list is sorted if the client does not say.",
        config::index_order_default,
    ),
    row(
        "IndexIgnore",
        Shape::Each,
        "one or more file extensions",
        "Patterns of names that are not listed.",
        config::index_ignore,
    ),
    row(
        "IndexIgnoreReset",
        Shape::Flag,
        "Reset the inherited list of IndexIgnore filenames",
        "Whether what IndexIgnore said around does not count here.",
        config::index_ignore_reset,
    ),
    row(
        "AddDescription",
        Shape::EachWithFirst,
        "Descriptive text followed by one or more filenames",
        "The description of files by a part of their names.",
        config::add_description,
    ),
    word!("HeaderName", header, "a filename", "The file above the list."),
    word!("ReadmeName", readme, "a filename", "The file below the list."),
    Directive {
        name: "FancyIndexing",
        shape: Shape::Raw,
        scope: Scope::ALL,
        usage: "The FancyIndexing directive is no longer supported. Use IndexOptions FancyIndexing.",
        doc: "No longer there: IndexOptions FancyIndexing.",
        apply: |_, args| Err(fancy_indexing(args)),
    },
    word!("DefaultIcon", default_icon, "an icon URL", "The icon of files that no other is for."),
    word!("IndexStyleSheet", style_sheet, "URL to style sheet", "The style sheet of lists."),
    word!(
        "IndexHeadInsert",
        head_insert,
        "String to insert in HTML HEAD section",
        "A text in the head of lists."
    ),
];

fn fancy_indexing(args: &Args<'_>) -> crate::policy::Mistake {
    let message = "The FancyIndexing directive is no longer supported. Use IndexOptions FancyIndexing.";
    crate::policy::Mistake::new(message).id("RX0753").at(args.span, "write `IndexOptions FancyIndexing`")
}

fn handler(cx: &mut Cx<'_>) -> Verdict {
    let name = cx.req.handler.as_ref().or(cx.req.content_type.as_ref());
    if name.is_none_or(|name| name != super::mod_dir::DIRECTORY_HANDLER) {
        return Verdict::Declined;
    }
    cx.req.allowed = cx.req.allowed.union(MethodSet::of(&[Method::Get]));
    if !matches!(cx.req.method, Method::Get | Method::Head) {
        return Verdict::Declined;
    }
    let core = cx.core();
    let at = core.options.decided_by(OptionBits::INDEXES);
    let name = cx.req.filename.clone();
    if !core.options.bits.has(OptionBits::INDEXES) {
        let tried = cx.req.notes.get("dir-index-names").map_or_else(|| "none".into(), BString::from);
        cx.log(
            3,
            "AH01276",
            format_args!(
                "Cannot serve directory {name}: No matching DirectoryIndex ({tried}) found, and \
                 server-generated directory index forbidden by Options directive"
            ),
        );
        cx.because(
            at,
            format_args!("{name} has no index page, and Options does not let its files be listed"),
        );
        return Verdict::Status(Status::FORBIDDEN);
    }
    if !name.ends_with(b"/") {
        cx.req.filename.push(b'/');
    }
    cx.because(at, format_args!("{name} has no index page, and Options lets its files be listed"));
    match list(cx) {
        Ok(verdict) => verdict,
        Err(pending) => Verdict::Wait(pending),
    }
}

/// The listing.
fn list(cx: &mut Cx<'_>) -> Result<Verdict, Pending> {
    let conf: &AutoIndex = cx.conf();
    let directory = cx.req.filename.clone();
    let names = match cx.system().read_dir(system::path(&directory)) {
        Ok(names) => names,
        Err(error) => {
            let os = error.raw_os_error();
            cx.log_os(3, os, "AH01275", format_args!("Can't open directory for index: {directory}"));
            cx.note(format_args!("the system does not let {directory} be read: {error}"));
            return Ok(Verdict::Status(Status::FORBIDDEN));
        }
    };
    if let Some(at) = conf.options.at {
        cx.because(at, format_args!("the list looks as IndexOptions says"));
    }
    let kind = conf.options.kind.value().map_or(&b"text/html"[..], |kind| kind);
    let charset = conf.options.charset.value().map_or(&b"ISO-8859-1"[..], |charset| charset);
    cx.req.content_type = Some([kind, b";charset=", charset].concat().into());
    if conf.options.words.has(Words::TRACK_MODIFIED)
        && let Some(stat) = cx.req.stat
    {
        super::core::set_validators(cx, &stat);
    }
    if cx.req.header_only() {
        return Ok(Verdict::Answer(Answer::Content(Content::Empty)));
    }
    let mut words = conf.options.words;
    let mut wish = query::Wish::default();
    if let Some((order, key)) = conf.order.value() {
        (wish.order, wish.key) = (*order, *key);
    }
    if let Some(args) = cx.req.args.as_ref().filter(|_| !words.has(Words::IGNORE_CLIENT)) {
        query::read(args, &mut words, &mut wish);
    }
    let mut entries =
        entries::gather(cx, conf, names, words, wish.pattern.as_ref().map(|text| text.as_bytes()))?;
    sort::sort(&mut entries, words, &wish);
    let uri = cx.req.uri.clone();
    let title = title(&uri);
    let signature = urls::signature(cx.engine, cx.req, cx.core());
    let mut page = page::Page::new(conf, words, &wish);
    amble::head(cx, &mut page, conf.header.value(), &title)?;
    page.list(&entries, &uri);
    amble::tail(cx, &mut page, conf.readme.value(), &signature)?;
    Ok(Verdict::Answer(Answer::Content(Content::Bytes(page.out))))
}

/// The URL's path, without the slash at its end.
fn title(uri: &[u8]) -> Vec<u8> {
    let trimmed = uri.trim_end_with(|c| c == '/');
    escape::html(if trimmed.is_empty() { b"/" } else { trimmed }).into_owned()
}

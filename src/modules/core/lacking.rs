//! Requests that a module would answer which is loaded in Apache and lacking here: the file must not
//! be sent as it lies in its place, since that would show the source of a program.

use crate::{
    engine::{Cx, Verdict},
    http::Status,
    policy::core_conf::OptionBits,
};

/// The answer, if another module than the default handler would have given it.
pub(super) fn instead(cx: &mut Cx<'_>) -> Option<Verdict> {
    if cx.engine.policy.tables.lacking().is_empty() {
        return None;
    }
    if cx.req.stat.is_some_and(|stat| stat.is_dir()) {
        return directory(cx);
    }
    let handler = cx.req.handler.clone().or_else(|| cx.req.content_type.clone())?;
    let module = cx.engine.policy.tables.lacking_handler(&handler)?.name;
    let filename = cx.req.filename.clone();
    cx.log(
        3,
        "",
        format_args!("{filename}: the handler {handler} belongs to {module}, which rachis does not have"),
    );
    cx.note(format_args!("the handler {handler} belongs to {module}, which rachis does not have; the file is not sent as it lies"));
    Some(Verdict::Status(Status(500)))
}

/// A directory that mod_autoindex would list, or say that it may not.
fn directory(cx: &mut Cx<'_>) -> Option<Verdict> {
    if !cx.req.uri.ends_with(b"/") || !cx.engine.policy.tables.is_active(b"autoindex_module") {
        return None;
    }
    let name = cx.req.filename.clone();
    if cx.core().options.bits.has(OptionBits::INDEXES) {
        cx.log(
            3,
            "",
            format_args!("{name}: lists of files are made by mod_autoindex, which rachis does not have"),
        );
        cx.note(format_args!("{name} has no index file, and mod_autoindex, which would list it, is lacking"));
    } else {
        cx.log(3, "", format_args!("{name}: no index file, and a list of its files is forbidden by Options"));
        cx.note(format_args!("{name} has no index file, and Options does not let its files be listed"));
    }
    Some(Verdict::Status(Status::FORBIDDEN))
}

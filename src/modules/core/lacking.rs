//! Requests that a module would answer which is loaded in Apache and lacking here: the file must not
//! be sent as it lies in its place, since that would show the source of a program.

use crate::{
    engine::{Cx, Verdict},
    http::Status,
};

/// The answer, if another module than the default handler would have given it.
pub(super) fn instead(cx: &mut Cx<'_>) -> Option<Verdict> {
    if cx.engine.policy.tables.lacking().is_empty() {
        return None;
    }
    if cx.req.stat.is_some_and(|stat| stat.is_dir()) {
        return None;
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

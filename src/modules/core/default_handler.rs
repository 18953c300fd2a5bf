//! The handler of last resort: sends files as they lie (Apache's default_handler).

use super::lacking;
use crate::{
    engine::{Answer, BodyLimits, Content, Cx, Verdict},
    http::{
        Method, MethodSet, Status,
        conditional::{Conditions, ETagParts, etag, meets},
        date,
        method::allow_header,
        request::Framing,
    },
    policy::{
        CoreDir, SaidExt,
        core_conf::{ETagFlags, Trace},
    },
    system::{self, Opened, Stat},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bstr::{BString, ByteSlice};
use md5::{Digest, Md5};
use sha1::Sha1;
use std::time::{SystemTime, UNIX_EPOCH};

/// Answers every request that no other handler took.
pub(super) fn run(cx: &mut Cx<'_>) -> Verdict {
    let standard = MethodSet::of(&[Method::Get, Method::Options, Method::Post]);
    cx.req.allowed = cx.req.allowed.union(standard);
    if let Some(verdict) = lacking::instead(cx) {
        return verdict;
    }
    // The body is read before anything is looked at (ap_discard_request_body).
    if let Framing::Length(length) = cx.req.framing
        && !cx.req.is_sub
        && let Some(entry) = BodyLimits::of(cx.req).refuse_length(length)
    {
        cx.record(entry);
        cx.note(format_args!("a body of {length} bytes is too long"));
        return Verdict::Status(Status(413));
    }
    match cx.req.method {
        Method::Get | Method::Head | Method::Post => file(cx),
        Method::Options => options(cx),
        Method::Other => {
            let line = cx.req.request_line.clone();
            cx.log(3, "AH00135", format_args!("Invalid method in request {line}"));
            cx.note(format_args!("no module knows the method {}", cx.req.method_name.clone()));
            Verdict::Status(Status(501))
        }
        method => {
            cx.note(format_args!("files cannot be served by the method {}", method.name()));
            Verdict::Status(Status(405))
        }
    }
}

/// OPTIONS: no body, the methods in Allow (ap_send_http_options).
fn options(cx: &mut Cx<'_>) -> Verdict {
    let trace = cx.core_server().trace.value_or(Trace::On) != Trace::Off;
    let allow = allow_header(cx.req.allowed, trace);
    cx.req.headers_out.set("Allow", allow);
    Verdict::Answer(Answer::Content(Content::Empty))
}

/// The file, or why it cannot be sent.
fn file(cx: &mut Cx<'_>) -> Verdict {
    let whole: BString = [cx.req.filename.as_slice(), cx.req.path_info.as_slice()].concat().into();
    let Some(stat) = cx.req.stat else {
        cx.log(6, "AH00128", format_args!("File does not exist: {whole}"));
        cx.note(format_args!("there is no file {whole}"));
        return Verdict::Status(Status(404));
    };
    if stat.is_dir() {
        let name = cx.req.filename.clone();
        cx.log(6, "AH00129", format_args!("Attempt to serve directory: {name}"));
        cx.note(format_args!("{name} is a directory, and no module serves directories here"));
        return Verdict::Status(Status(404));
    }
    let accept = cx.core().accept_path_info;
    if !cx.req.path_info.is_empty() && accept.value_or(None) != Some(true) {
        let info = cx.req.path_info.clone();
        cx.log(6, "AH00130", format_args!("File does not exist: {whole}"));
        cx.because(accept.at(), format_args!("{info} goes on behind a file, which is no directory"));
        return Verdict::Status(Status(404));
    }
    let filename = cx.req.filename.clone();
    if !stat.is_file() {
        cx.note(format_args!("{filename} is neither a file nor a directory"));
        return Verdict::Status(Status::FORBIDDEN);
    }
    // The content that the cache has is that of this very `stat`.
    match cx.worker.files.open(&*cx.engine.system, &filename, &stat) {
        Ok(opened) => send(cx, opened, stat),
        Err(error) => {
            let os = error.raw_os_error();
            cx.log_os(3, os, "AH00132", format_args!("file permissions deny server access: {filename}"));
            cx.note(format_args!("the system does not let {filename} be opened: {error}"));
            Verdict::Status(Status(403))
        }
    }
}

/// The file with its validators, unless the client has it already.
fn send(cx: &mut Cx<'_>, file: Opened, stat: Stat) -> Verdict {
    let core = cx.core();
    let modified = set_validators(cx, &stat);
    cx.req.headers_out.set("Accept-Ranges", "bytes");
    if core.content_md5.value_or(false) {
        content_md5(cx);
    }
    if !cx.req.no_local_copy {
        let tag = cx.req.headers_out.get("ETag").map(BString::from);
        let conditions = Conditions {
            method: cx.req.method,
            request: &cx.req.headers_in,
            etag: tag.as_ref().map(|tag| tag.as_slice()),
            modified,
            now: micros(cx.req.started) / 1_000_000,
        };
        if let Some(status) = meets(&conditions) {
            cx.note(format_args!("the conditions of the request give {}", status.line()));
            cx.req.status = status;
            return Verdict::Answer(Answer::Content(Content::Empty));
        }
    }
    let sendfile = core.sendfile.value_or(true);
    if cx.tracing() {
        let name = cx.req.filename.clone();
        cx.note(format_args!("{name} is sent as it lies"));
    }
    Verdict::Answer(Answer::Content(Content::File { file, skip: 0, stat, sendfile }))
}

/// Last-Modified and ETag, as FileETag has them; gives back the time that was sent, in seconds.
pub(in crate::modules) fn set_validators(cx: &mut Cx<'_>, stat: &Stat) -> Option<i64> {
    let core = cx.core();
    if cx.req.no_cache {
        return None;
    }
    let now = micros(cx.req.started);
    let mtime = i64::try_from(stat.mtime_ns / 1_000).unwrap_or(0);
    // A time in the future would never grow old, so the client gets the present.
    let modified = mtime.min(now) / 1_000_000;
    cx.req.headers_out.set("Last-Modified", date::format(modified));
    if let Some(tag) = file_tag(cx, core, stat, mtime, now) {
        let tag = match &cx.req.vlist_validator {
            Some(list) => of_variant(tag.as_bytes(), list),
            None => tag.into(),
        };
        cx.req.headers_out.set("ETag", tag);
    }
    Some(modified)
}

/// The tag of a variant and the validator of the list that it was chosen from, as one (RFC 2295 section
/// 9.2). Apache leaves the closing quote out.
fn of_variant(tag: &[u8], list: &[u8]) -> BString {
    let (weak, list) = match list.strip_prefix(b"W/") {
        Some(list) => (true, list),
        None => (false, list),
    };
    let front: &[u8] = if weak && !tag.starts_with(b"W/") { b"W/" } else { b"" };
    let list = list.trim_with(|c| c == '"');
    [front, tag.strip_suffix(b"\"").unwrap_or(tag), b";", list].concat().into()
}

/// The validator of the request's file, as its entity tag would be (ap_make_etag).
pub(in crate::modules) fn file_validator(cx: &Cx<'_>) -> Option<BString> {
    let stat = cx.req.stat?;
    let mtime = i64::try_from(stat.mtime_ns / 1_000).unwrap_or(0);
    file_tag(cx, cx.core(), &stat, mtime, micros(cx.req.started)).map(BString::from)
}

/// The entity tag that FileETag makes; `None` for FileETag None.
fn file_tag(cx: &Cx<'_>, core: &CoreDir, stat: &Stat, mtime: i64, now: i64) -> Option<String> {
    const NONE: u8 = 1;
    const DIGEST: u8 = 32;
    let bits = core.etag.map_or(ETagFlags::default(), |said| said.value).effective();
    if bits & NONE != 0 || cx.req.notes.contains("no-etag") {
        return None;
    }
    if bits & DIGEST != 0 {
        let content = cx.system().read(system::path(&cx.req.filename), DIGEST_LIMIT).ok()?;
        return Some(format!("\"{}\"", STANDARD.encode(Sha1::digest(&content))));
    }
    let parts = ETagParts { inode: bits & 4 != 0, mtime: bits & 2 != 0, size: bits & 8 != 0 };
    etag(parts, stat.inode, stat.size, mtime, now)
}

/// Files beyond this size are digested only up to it.
const DIGEST_LIMIT: u64 = 1 << 30;

/// `ContentDigest On`. RFC 1864.
fn content_md5(cx: &mut Cx<'_>) {
    let name = cx.req.filename.clone();
    if let Ok(content) = cx.system().read(system::path(&name), DIGEST_LIMIT) {
        let digest = STANDARD.encode(Md5::digest(&content));
        cx.req.headers_out.set("Content-MD5", digest);
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    i64::try_from(since).unwrap_or(i64::MAX)
}

//! Entity tags and conditional requests (RFC 9110 section 13), by Apache's precedence.

use super::date;
use super::headers::Headers;
use super::method::Method;
use super::status::Status;
use bstr::ByteSlice;

/// `FileETag`: what a file's tag is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETagParts {
    /// `INode`
    pub inode: bool,
    /// `MTime`
    pub mtime: bool,
    /// `Size`
    pub size: bool,
}

impl Default for ETagParts {
    /// `MTime Size`
    fn default() -> Self {
        ETagParts { inode: false, mtime: true, size: true }
    }
}

/// The tag of a file, quotes included; `None` if it is made of nothing. `mtime` and `now`, the time of the
/// request, are in microseconds since the epoch: within a second of the change the tag is weak.
pub fn etag(parts: ETagParts, inode: u64, size: u64, mtime: i64, now: i64) -> Option<String> {
    let mut words = Vec::new();
    if parts.inode {
        words.push(format!("{inode:x}"));
    }
    if parts.size {
        words.push(format!("{size:x}"));
    }
    if parts.mtime {
        words.push(format!("{mtime:x}"));
    }
    if words.is_empty() {
        return None;
    }
    let weak = if now.saturating_sub(mtime) > 1_000_000 { "" } else { "W/" };
    Some(format!("{weak}\"{}\"", words.join("-")))
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    /// The request's method.
    pub method: Method,
    /// The request's fields.
    pub request: &'a Headers,
    /// The entity's `ETag`.
    pub etag: Option<&'a [u8]>,
    /// The entity's `Last-Modified`, in seconds; without it, Apache takes the time of the request.
    pub modified: Option<i64>,
    /// The time of the request, in seconds.
    pub now: i64,
}

/// Whether the request's conditions hold (`ap_meets_conditions`): `None`, 304 or 412.
pub fn meets(input: &Conditions<'_>) -> Option<Status> {
    let get = matches!(input.method, Method::Get | Method::Head);
    if input.if_match() == Some(false) {
        return Some(Status::PRECONDITION_FAILED);
    }
    let unmodified = input.if_unmodified_since();
    if unmodified == Some(true) {
        return Some(Status::PRECONDITION_FAILED);
    }
    let matched = input.if_none_match();
    if matched == Some(true) && !get {
        return Some(Status::PRECONDITION_FAILED);
    }
    let since = if get { input.if_modified_since() } else { None };
    let all = [unmodified, matched, since];
    let same = all.contains(&Some(true)) && !all.contains(&Some(false));
    same.then_some(Status::NOT_MODIFIED)
}

/// Whether a `Range` may be served: there is no `If-Range`, or it names this very entity.
pub fn range_allowed(input: &Conditions<'_>) -> bool {
    let Some(value) = input.request.get("If-Range") else { return true };
    if value.starts_with(b"\"") {
        return input.etag.is_some_and(|tag| *value == tag);
    }
    let modified = input.modified();
    date::parse(value) == Some(modified) && !input.is_fresh(modified)
}

impl Conditions<'_> {
    fn modified(&self) -> i64 {
        self.modified.unwrap_or(self.now)
    }

    /// Too young for its time to tell versions apart.
    fn is_fresh(&self, modified: i64) -> bool {
        self.now < modified.saturating_add(60)
    }

    fn has_range(&self) -> bool {
        self.request.contains("Range")
    }

    fn if_match(&self) -> Option<bool> {
        let value = self.request.get("If-Match")?;
        Some(value.starts_with(b"*") || self.etag.is_some_and(|tag| lists(value, tag, true)))
    }

    fn if_none_match(&self) -> Option<bool> {
        let value = self.request.get("If-None-Match")?;
        let strong = self.has_range() || !matches!(self.method, Method::Get | Method::Head);
        Some(value.starts_with(b"*") || self.etag.is_some_and(|tag| lists(value, tag, strong)))
    }

    /// True if it was modified.
    fn if_unmodified_since(&self) -> Option<bool> {
        let value = self.request.get("If-Unmodified-Since")?;
        let modified = self.modified();
        let later = date::parse(value).is_some_and(|since| modified > since);
        Some(later && !(self.is_fresh(modified) && self.has_range()))
    }

    /// True if it was not modified.
    fn if_modified_since(&self) -> Option<bool> {
        let value = self.request.get("If-Modified-Since")?;
        let modified = self.modified();
        let same = date::parse(value).is_some_and(|since| since >= modified && since <= self.now);
        Some(same && !(self.is_fresh(modified) && self.has_range()))
    }
}

/// Whether a list of entity tags has `tag`; weak tags are equal to nothing in a `strong` comparison.
fn lists(value: &[u8], tag: &[u8], strong: bool) -> bool {
    let opaque = |tag: &[u8]| match tag.strip_prefix(b"W/") {
        Some(_) if strong => None,
        Some(tag) => Some(tag.to_vec()),
        None => Some(tag.to_vec()),
    };
    let Some(wanted) = opaque(tag) else { return false };
    let mut quoted = false;
    let outside = |c: &u8| {
        quoted ^= *c == b'"';
        *c == b',' && !quoted
    };
    value.split(outside).any(|item| opaque(item.trim()).is_some_and(|item| item == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"1e-5af3107a40000\"";
    const TIME: &str = "Sun, 13 Sep 2020 12:26:40 GMT";
    const BEFORE: &str = "Sun, 13 Sep 2020 12:26:39 GMT";
    const AFTER: &str = "Sun, 13 Sep 2020 12:26:41 GMT";

    fn input<'a>(method: Method, request: &'a Headers) -> Conditions<'a> {
        let now = 1_790_000_000;
        Conditions { method, request, etag: Some(TAG.as_bytes()), modified: Some(1_600_000_000), now }
    }

    /// `fields` as `Name: value|Name: value`, `=` standing for the entity's tag.
    #[track_caller]
    fn check(fields: &str, get: u16, post: u16) {
        let fields = fields.replace('=', TAG);
        let headers: Headers = fields.split('|').map(|f| f.split_once(": ").unwrap()).collect();
        let answer = |method| meets(&input(method, &headers)).map_or(200, |s| s.0);
        assert_eq!((answer(Method::Get), answer(Method::Post)), (get, post), "{fields}");
    }

    #[test]
    fn tags_of_files() {
        let (mtime, now) = (1_600_000_000_000_000, 1_700_000_000_000_000);
        let tag = |inode, mtime_, size, now| {
            etag(ETagParts { inode, mtime: mtime_, size }, 0x98c15b, 4, mtime, now).unwrap_or_default()
        };
        assert_eq!(tag(true, true, true, now), "\"98c15b-4-5af3107a40000\"");
        assert_eq!(tag(true, false, false, now), "\"98c15b\"");
        assert_eq!(tag(false, true, false, now), "\"5af3107a40000\"");
        assert_eq!(tag(false, true, true, mtime), "W/\"4-5af3107a40000\"");
        assert_eq!(tag(false, false, false, now), "");
    }

    #[test]
    fn dates() {
        check(&format!("If-Modified-Since: {TIME}"), 304, 200);
        check(&format!("If-Modified-Since: {BEFORE}"), 200, 200);
        check(&format!("If-Modified-Since: {AFTER}"), 304, 200);
        check("If-Modified-Since: junk", 200, 200);
        check("If-Modified-Since: Sun, 13 Sep 2090 12:26:40 GMT", 200, 200);
        check(&format!("If-Modified-Since: {TIME}; length3"), 304, 200);
        check(&format!("If-Unmodified-Since: {TIME}"), 200, 200);
        check(&format!("If-Unmodified-Since: {BEFORE}"), 412, 412);
        check("If-Unmodified-Since: junk", 200, 200);
    }

    #[test]
    fn tags() {
        check("If-None-Match: =", 304, 412);
        check("If-None-Match: W/=", 304, 200);
        check("If-None-Match: *", 304, 412);
        check("If-None-Match: * , \"x\"", 304, 412);
        check("If-None-Match: \"x\", =", 304, 412);
        for value in ["\"x\"", "x", "=x", "\"1e-5af3107a40000", "1e-5af3107a40000", "= \"y\""] {
            check(&format!("If-None-Match: {value}"), 200, 200);
        }
        check("If-Match: =", 200, 200);
        check("If-Match: *", 200, 200);
        check("If-Match: \"x\", =", 200, 200);
        check("If-Match: W/=", 412, 412);
        check("If-Match: \"x\"", 412, 412);
    }

    #[test]
    fn several() {
        check(&format!("If-None-Match: \"x\"|If-Modified-Since: {TIME}"), 200, 200);
        check(&format!("If-None-Match: =|If-Modified-Since: {BEFORE}"), 200, 412);
        check(&format!("If-Match: =|If-Unmodified-Since: {BEFORE}"), 412, 412);
        check("If-Match: \"x\"|If-None-Match: =", 412, 412);
        check(&format!("If-Modified-Since: {TIME}|If-Unmodified-Since: {TIME}"), 200, 200);
        check("If-None-Match: =|Range: bytes=0-0", 304, 412);
        check("If-None-Match: W/=|Range: bytes=0-0", 200, 200);
        check(&format!("If-Modified-Since: {TIME}|Range: bytes=0-0"), 304, 200);
    }

    #[track_caller]
    fn check_range(value: &str, expected: bool) {
        let headers = [("If-Range", value)].into_iter().collect();
        assert_eq!(range_allowed(&input(Method::Get, &headers)), expected, "{value}");
    }

    #[test]
    fn if_range() {
        check_range(TAG, true);
        check_range(TIME, true);
        for value in ["W/\"1e-5af3107a40000\"", "\"x\"", BEFORE, AFTER, "junk"] {
            check_range(value, false);
        }
    }
}

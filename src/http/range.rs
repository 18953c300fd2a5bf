//! Byte ranges (RFC 9110 section 14) as Apache serves them: neighbours and overlaps are joined, and a request
//! that asks for too much joining gets the whole.

use bstr::ByteSlice;

/// `MaxRanges`, `MaxRangeOverlaps`, `MaxRangeReversals`; `None` is `unlimited`, 0 is `none`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many ranges one request may name.
    pub ranges: Option<usize>,
    /// How many of them may touch or overlap the one before.
    pub overlaps: Option<usize>,
    /// How many of those may do so from below.
    pub reversals: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { ranges: Some(200), overlaps: Some(20), reversals: Some(20) }
    }
}

/// First and last byte, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, not before `first`.
    pub last: u64,
}

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Everything, as if no range had been asked for.
    Whole,
    /// 206 with `Content-Range`.
    One(ByteRange),
    /// 206 with `multipart/byteranges`.
    Many(Vec<ByteRange>),
    /// 416.
    Unsatisfiable,
}

/// The answer to the `Range` field `value` for a body of `length` bytes. The caller has made sure that the
/// status is 200, that the method is GET or HEAD, and that `If-Range` holds.
pub fn plan(value: &[u8], length: u64, limits: &Limits) -> Plan {
    let Some(set) = value.get(..6).filter(|p| p.eq_ignore_ascii_case(b"bytes=")).map(|_| &value[6..]) else {
        return Plan::Whole;
    };
    if limits.ranges.is_some_and(|most| set.iter().filter(|&&c| c == b',').count() >= most) {
        return Plan::Whole;
    }
    let Some(ranges) = parse(set, length) else { return Plan::Whole };
    let mut joined = Joined::default();
    ranges.iter().for_each(|range| joined.add(*range));
    let over = |count: usize, limit: Option<usize>| limit.is_some_and(|limit| count > limit);
    if over(joined.overlaps, limits.overlaps) || over(joined.reversals, limits.reversals) {
        return Plan::Whole;
    }
    match joined.ranges.as_slice() {
        [] => Plan::Unsatisfiable,
        [only] => Plan::One(*only),
        _ => Plan::Many(joined.ranges),
    }
}

impl ByteRange {
    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Never: a range has at least one byte.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The value of `Content-Range` in a body of `length` bytes.
    pub fn content_range(&self, length: u64) -> String {
        format!("bytes {}-{}/{length}", self.first, self.last)
    }
}

/// The `Content-Type` of a `multipart/byteranges` body.
pub fn multipart_type(boundary: &str) -> String {
    format!("multipart/byteranges; boundary={boundary}")
}

/// What stands before a part of such a body.
pub fn part_head(boundary: &str, content_type: Option<&[u8]>, range: &ByteRange, length: u64) -> Vec<u8> {
    let mut out = format!("\r\n--{boundary}\r\n").into_bytes();
    if let Some(content_type) = content_type {
        out.extend([b"Content-type: ", content_type, b"\r\n"].concat());
    }
    out.extend(format!("Content-range: {}\r\n\r\n", range.content_range(length)).bytes());
    out
}

/// What stands after the last part.
pub fn multipart_end(boundary: &str) -> String {
    format!("\r\n--{boundary}--\r\n")
}

/// The ranges that lie within `length`, cut to it; `None` if the field is to be ignored.
fn parse(set: &[u8], length: u64) -> Option<Vec<ByteRange>> {
    let mut out = Vec::new();
    for (index, spec) in set.split(|&c| c == b',').enumerate() {
        if spec.is_empty() && index > 0 {
            continue;
        }
        let dash = spec.find_byte(b'-')?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        if first.is_empty() {
            let count = number(last).filter(|n| *n > 0)?;
            if let Some(end) = length.checked_sub(1) {
                out.push(ByteRange { first: length.saturating_sub(count), last: end });
            }
            continue;
        }
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        if first > last {
            return None;
        }
        if first < length {
            out.push(ByteRange { first, last: last.min(length - 1) });
        }
    }
    Some(out)
}

/// Digits only, and no more than fits a signed 64-bit number.
fn number(digits: &[u8]) -> Option<u64> {
    super::request::content_length(digits)
}

#[derive(Default)]
struct Joined {
    ranges: Vec<ByteRange>,
    overlaps: usize,
    reversals: usize,
}

impl Joined {
    /// Joins `range` to the one before if the two touch.
    fn add(&mut self, range: ByteRange) {
        let Some(before) = self.ranges.last_mut() else { return self.ranges.push(range) };
        let mut touches = range.first >= before.first && range.last <= before.last;
        if range.first < before.first && range.last.saturating_add(1) >= before.first {
            before.first = range.first;
            self.reversals += 1;
            touches = true;
        }
        if range.last > before.last && range.first <= before.last.saturating_add(1) {
            before.last = range.last;
            touches = true;
        }
        match touches {
            true => self.overlaps += 1,
            false => self.ranges.push(range),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(plan: Plan) -> String {
        let show = |r: &ByteRange| format!("{}-{}", r.first, r.last);
        match plan {
            Plan::Whole => "200".into(),
            Plan::Unsatisfiable => "416".into(),
            Plan::One(range) => show(&range),
            Plan::Many(ranges) => ranges.iter().map(show).collect::<Vec<_>>().join(","),
        }
    }

    /// A file of 30 bytes.
    #[track_caller]
    fn check(set: &str, expected: &str) {
        assert_eq!(show(plan(format!("bytes={set}").as_bytes(), 30, &Limits::default())), expected, "{set}");
    }

    #[test]
    fn single() {
        check("0-0", "0-0");
        check("0-", "0-29");
        check("-5", "25-29");
        check("-100", "0-29");
        check("5-100", "5-29");
        check("30-", "416");
        check("100-,200-", "416");
        check("0-0,100-", "0-0");
        check("0-29", "0-29");
    }

    #[test]
    fn ignored() {
        for set in
            ["-0", "5-2", "a-b", "", "-", "0-0,a", "a,0-0", " 0-1", "0 - 1", "0--1", "+1-2", "1-2-3", ",0-1"]
        {
            check(set, "200");
        }
        check("99999999999999999999-", "200");
        check("0-99999999999999999999", "200");
        assert_eq!(show(plan(b"lines=0-1", 30, &Limits::default())), "200");
        assert_eq!(show(plan(b"Bytes=0-1", 30, &Limits::default())), "0-1");
    }

    #[test]
    fn several() {
        check("0-0,2-2", "0-0,2-2");
        check("0-0,,2-2", "0-0,2-2");
        check("0-1,", "0-1");
        check("8-9,0-1", "8-9,0-1");
        check("0-5,3-8", "0-8");
        check("0-0,1-1", "0-1");
        check("-1,-2", "28-29");
        check("0-5,10-11,3-4", "0-5,10-11,3-4");
        check("0-5,10-11,9-9", "0-5,9-11");
        check("5-6,0-9", "0-9");
    }

    #[track_caller]
    fn check_many(spec: impl Fn(usize) -> String, count: usize, expected: &str) {
        check(&(0..count).map(spec).collect::<Vec<_>>().join(","), expected);
    }

    #[test]
    fn too_many() {
        check_many(|_| "0-0".into(), 21, "0-0");
        check_many(|_| "0-0".into(), 22, "200");
        check_many(|i| format!("{0}-{0}", 29 - i), 21, "9-29");
        check_many(|i| format!("{0}-{0}", 29 - i), 22, "200");
        check_many(|_| "0-0".into(), 201, "200");
    }

    #[test]
    fn parts() {
        let range = ByteRange { first: 0, last: 2 };
        let head = part_head("B", Some(b"text/plain"), &range, 30);
        assert_eq!(head, b"\r\n--B\r\nContent-type: text/plain\r\nContent-range: bytes 0-2/30\r\n\r\n");
        assert_eq!(multipart_end("B"), "\r\n--B--\r\n");
    }

    proptest! {
        #[test]
        fn ranges_stay_inside(set in "[0-9,-]{0,30}", length in 0u64..40) {
            let inside = |r: &ByteRange| r.first <= r.last && r.last < length;
            match plan(format!("bytes={set}").as_bytes(), length, &Limits::default()) {
                Plan::One(range) => prop_assert!(inside(&range)),
                Plan::Many(ranges) => prop_assert!(ranges.iter().all(inside) && ranges.len() > 1),
                Plan::Whole | Plan::Unsatisfiable => {}
            }
        }

        #[test]
        fn no_bytes_panic(value: Vec<u8>, length: u64) {
            plan(&value, length, &Limits::default());
        }
    }
}

//! Header fields in the order they came, names compared without regard to case.
//!
//! Works as Apache's tables do (`set`, `append`, `merge`, `remove`), because the order and the
//! spelling in which fields leave the server follow from exactly these operations.
//! All bytes live in one buffer: a request head costs two allocations however many fields it has.

use bstr::{BStr, ByteSlice};
use std::fmt;

/// An ordered multimap of header fields; names are case-free, values are bytes.
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    len: usize,
}

impl Headers {
    /// No fields, no allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for `fields` fields whose names and values take `bytes` bytes together.
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        Headers { bytes: Vec::with_capacity(bytes), fields: Vec::with_capacity(fields) }
    }

    /// How many fields there are, repeated names counted each time.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&BStr> {
        self.get_all(name).next()
    }

    /// The values of all fields of this name, in order.
    pub fn get_all<N: AsRef<[u8]>>(&self, name: N) -> impl Iterator<Item = &BStr> + use<'_, N> {
        self.fields
            .iter()
            .filter(move |f| self.slice(f.name).eq_ignore_ascii_case(name.as_ref()))
            .map(|f| self.slice(f.value).as_bstr())
    }

    /// Whether a field of this name exists.
    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        self.position(name.as_ref()).is_some()
    }

    /// All fields as (name, value), in order.
    pub fn iter(&self) -> impl Iterator<Item = (&BStr, &BStr)> + '_ {
        self.fields.iter().map(|f| (self.slice(f.name).as_bstr(), self.slice(f.value).as_bstr()))
    }

    /// Makes `value` the only one of this name. An existing field keeps its place and its spelling;
    /// further fields of the name go (`apr_table_set`).
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        let Some(at) = self.position(name) else { return self.append(name, value) };
        self.fields[at].value = self.store(&[value]);
        let mut index = 0;
        let (bytes, fields) = (&self.bytes, &mut self.fields);
        fields.retain(|f| {
            index += 1;
            index <= at + 1 || !slice(bytes, f.name).eq_ignore_ascii_case(name)
        });
    }

    /// Adds a field at the end, whatever is there already (`apr_table_add`).
    pub fn append(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = self.store(&[name.as_ref()]);
        let value = self.store(&[value.as_ref()]);
        self.fields.push(Field { name, value });
    }

    /// Adds to the first field of this name as `old, new`, or appends (`apr_table_merge`).
    pub fn merge(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        let Some(at) = self.position(name) else { return self.append(name, value) };
        let joined = [self.slice(self.fields[at].value), value].join(&b", "[..]);
        self.fields[at].value = self.store(&[&joined]);
    }

    /// Removes all fields of this name; tells whether there were any (`apr_table_unset`).
    pub fn remove(&mut self, name: impl AsRef<[u8]>) -> bool {
        let before = self.fields.len();
        let (bytes, fields) = (&self.bytes, &mut self.fields);
        fields.retain(|f| !slice(bytes, f.name).eq_ignore_ascii_case(name.as_ref()));
        fields.len() != before
    }

    /// Removes everything, keeps the allocations.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
    }

    /// Appends all fields of `other`, as `apr_table_overlay` puts `headers_out` after `err_headers_out`.
    pub fn extend(&mut self, other: &Headers) {
        other.iter().for_each(|(name, value)| self.append(name, value));
    }

    /// Joins fields of the same name into the first, values separated by `, ` (`apr_table_compress`).
    pub fn compress(&mut self) {
        if self.fields.len() < 2 || !self.has_repeats() {
            return;
        }
        // Each name's values at once: joining them one by one would copy what was joined before
        // again for each, which a sender of many equal names could make very dear.
        let mut joined = Headers::with_capacity(self.fields.len(), self.bytes.len() + 2 * self.fields.len());
        for (name, value) in self.iter() {
            if joined.contains(name) {
                continue;
            }
            joined.append(name, value);
            for more in self.get_all(name).skip(1) {
                joined.extend_last(more);
            }
        }
        *self = joined;
    }

    /// Adds to the field that was appended last, whose value is the last in the buffer.
    fn extend_last(&mut self, value: &[u8]) {
        let added = self.store(&[b", ", value]);
        if let Some(field) = self.fields.last_mut() {
            field.value.len += added.len;
        }
    }

    fn has_repeats(&self) -> bool {
        self.fields.iter().enumerate().any(|(i, a)| {
            let name = self.slice(a.name);
            self.fields[i + 1..].iter().any(|b| self.slice(b.name).eq_ignore_ascii_case(name))
        })
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.fields.iter().position(|f| self.slice(f.name).eq_ignore_ascii_case(name))
    }

    fn store(&mut self, parts: &[&[u8]]) -> Span {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        Span { start, len: self.bytes.len() - start }
    }

    fn slice(&self, span: Span) -> &[u8] {
        slice(&self.bytes, span)
    }
}

fn slice(bytes: &[u8], span: Span) -> &[u8] {
    &bytes[span.start..span.start + span.len]
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Headers::new();
        fields.into_iter().for_each(|(name, value)| headers.append(name, value));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Headers {
        [("Host", "h"), ("X", "1"), ("A", "b"), ("x", "2")].into_iter().collect()
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Headers), expected: &[(&str, &str)]) {
        let mut headers = sample();
        change(&mut headers);
        assert_eq!(headers, expected.iter().copied().collect());
    }

    #[test]
    fn names_are_case_free() {
        assert_eq!(sample().get("HOST"), Some("h".into()));
        assert_eq!(sample().get_all("X").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(sample().get("nope"), None);
    }

    #[test]
    fn set_replaces_in_place_and_drops_repeats() {
        check(|h| h.set("X", "9"), &[("Host", "h"), ("X", "9"), ("A", "b")]);
    }

    #[test]
    fn merge_joins_with_the_first() {
        check(|h| h.merge("x", "9"), &[("Host", "h"), ("X", "1, 9"), ("A", "b"), ("x", "2")]);
    }

    #[test]
    fn compress_joins_all() {
        check(|h| h.compress(), &[("Host", "h"), ("X", "1, 2"), ("A", "b")]);
    }

    #[test]
    fn remove_takes_all_of_the_name() {
        check(|h| assert!(h.remove("X") && !h.remove("X")), &[("Host", "h"), ("A", "b")]);
    }
}

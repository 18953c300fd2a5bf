//! The order of a list.

use super::{
    entries::Entry,
    options::Words,
    query::{Key, Order, Wish},
};
use std::cmp::Ordering;

/// Sorts entries as it is wished: the parent first, then perhaps directories; what is alike goes by
/// its name, in the same direction.
pub fn sort(entries: &mut [Entry], words: Words, wish: &Wish) {
    entries.sort_by(|a, b| {
        let folders = if words.has(Words::FOLDERS_FIRST) { b.is_dir.cmp(&a.is_dir) } else { Ordering::Equal };
        b.is_parent.cmp(&a.is_parent).then(folders).then_with(|| {
            let order = by_key(a, b, wish.key).then_with(|| by_name(&a.name, &b.name, words));
            if wish.order == Order::Ascending { order } else { order.reverse() }
        })
    });
}

fn by_key(a: &Entry, b: &Entry, key: Key) -> Ordering {
    match key {
        Key::Name => Ordering::Equal,
        Key::Modified => a.modified.cmp(&b.modified),
        Key::Size => a.size.cmp(&b.size),
        Key::Description => {
            let text = |entry: &'_ Entry| entry.description.clone().unwrap_or_default();
            text(a).cmp(&text(b))
        }
    }
}

/// Names that are alike but for case stand in the order of their bytes.
fn by_name(a: &[u8], b: &[u8], words: Words) -> Ordering {
    let compare: fn(&[u8], &[u8]) -> Ordering =
        if words.has(Words::VERSION_SORT) { natural } else { <[u8]>::cmp };
    if !words.has(Words::IGNORE_CASE) {
        return compare(a, b);
    }
    compare(&a.to_ascii_lowercase(), &b.to_ascii_lowercase()).then_with(|| compare(a, b))
}

/// By their parts, numbers as numbers (apr_strnatcmp): blanks do not count; numbers that begin with 0
/// are compared digit by digit, as behind a decimal point.
pub fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        (a, b) = (a.trim_ascii_start(), b.trim_ascii_start());
        if let (Some(x), Some(y)) = (a.first(), b.first())
            && x.is_ascii_digit()
            && y.is_ascii_digit()
        {
            let order = if *x == b'0' || *y == b'0' { as_fractions(a, b) } else { as_numbers(a, b) };
            if order != Ordering::Equal {
                return order;
            }
        }
        match (a.split_first(), b.split_first()) {
            (None, None) => return Ordering::Equal,
            (Some((x, after_a)), Some((y, after_b))) if x == y => (a, b) = (after_a, after_b),
            (x, y) => return x.map(|(x, _)| x).cmp(&y.map(|(y, _)| y)),
        }
    }
}

/// The longer number is the greater one; of equally long ones the first difference decides.
fn as_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (digits(a), digits(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn as_fractions(a: &[u8], b: &[u8]) -> Ordering {
    digits(a).cmp(digits(b))
}

fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

//! Shell patterns as in `<Directory /home/*/www>`, `<Files *.cgi>`, `IndexIgnore` (apr_fnmatch).
//!
//! Bytes, the C locale, and no recursion: only the last `*` is ever tried again.

use std::ops::BitOr;

/// How to match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Everything matches everything: `*` takes slashes and leading periods too.
    pub const NONE: Flags = Flags(0);
    /// A backslash is an ordinary byte.
    pub const NOESCAPE: Flags = Flags(1);
    /// `/` is matched only by `/`.
    pub const PATHNAME: Flags = Flags(2);
    /// A leading period (with PATHNAME also behind a slash) is matched only by a period.
    pub const PERIOD: Flags = Flags(4);
    /// ASCII letters match without regard to case.
    pub const CASE_BLIND: Flags = Flags(8);

    fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Whether the whole of `text` matches `pattern`.
pub fn fnmatch(pattern: &[u8], text: &[u8], flags: Flags) -> bool {
    if !flags.has(Flags::PATHNAME) {
        return segment(pattern, text, flags, true);
    }
    let (mut patterns, mut texts) = (split_pattern(pattern, flags).into_iter(), text.split(|&b| b == b'/'));
    loop {
        match (patterns.next(), texts.next()) {
            (Some(p), Some(t)) if segment(p, t, flags, true) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// Whether the text holds a wildcard: `*`, `?`, or a `[` that is closed (apr_fnmatch_test).
pub fn is_fnmatch(text: &[u8]) -> bool {
    let mut nested = false;
    let mut bytes = text.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'?' | b'*' => return true,
            b'\\' => drop(bytes.next()),
            b'[' => nested = true,
            b']' if nested => return true,
            _ => {}
        }
    }
    false
}

/// The pattern between its slashes. A slash inside brackets ends the segment too, so that such a
/// bracket is never closed.
fn split_pattern(pattern: &[u8], flags: Flags) -> Vec<&[u8]> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(&b) = pattern.get(at) {
        match b {
            // `\/` is a slash as well; the backslash itself matches nothing.
            b'\\' if !flags.has(Flags::NOESCAPE) && pattern.get(at + 1) == Some(&b'/') => {
                parts.push(pattern.get(from..at).unwrap_or_default());
                at += 1;
                from = at + 1;
            }
            b'\\' if !flags.has(Flags::NOESCAPE) => at += 1,
            b'/' => {
                parts.push(pattern.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(pattern.get(from..).unwrap_or_default());
    parts
}

fn segment(pattern: &[u8], text: &[u8], flags: Flags, leading: bool) -> bool {
    if leading && flags.has(Flags::PERIOD) && text.first() == Some(&b'.') {
        let plain = match pattern {
            [b'.', ..] => true,
            [b'\\', b'.', ..] => !flags.has(Flags::NOESCAPE),
            _ => false,
        };
        if !plain {
            return false;
        }
    }
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        match (rest.is_empty(), text.get(t)) {
            (true, None) => return true,
            (false, Some(&c)) => {
                if let Some(used) = one(rest, c, flags) {
                    (t, p) = (t + 1, p + used);
                    continue;
                }
            }
            (false, None) => return false,
            (true, Some(_)) => {}
        }
        let Some((at, from)) = star else { return false };
        star = Some((at, from + 1));
        (t, p) = (from + 1, at + 1);
    }
}

/// Whether the first element of the pattern matches the byte; its length if so.
fn one(pattern: &[u8], c: u8, flags: Flags) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match bracket(rest, c, flags) {
            Some((matched, used)) => matched.then_some(used + 1),
            None => (c == b'[').then_some(1),
        },
        [b'\\', q, ..] if !flags.has(Flags::NOESCAPE) => same(*q, c, flags).then_some(2),
        [q, ..] => same(*q, c, flags).then_some(1),
        [] => None,
    }
}

fn same(a: u8, b: u8, flags: Flags) -> bool {
    a == b || flags.has(Flags::CASE_BLIND) && a.eq_ignore_ascii_case(&b)
}

/// A bracket expression without its `[`: whether it matches, and its length; `None` when it is
/// never closed (`[` is then an ordinary byte).
fn bracket(pattern: &[u8], c: u8, flags: Flags) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let (mut at, mut matched) = (start, false);
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > start {
            return Some((matched != negated, at + 1));
        }
        if low == b'\\' && !flags.has(Flags::NOESCAPE) {
            at += 1;
            low = *pattern.get(at)?;
        }
        let mut high = low;
        if pattern.get(at + 1) == Some(&b'-') && pattern.get(at + 2).is_some_and(|&b| b != b']') {
            at += 2;
            high = *pattern.get(at)?;
            if high == b'\\' && !flags.has(Flags::NOESCAPE) {
                at += 1;
                high = *pattern.get(at)?;
            }
        }
        at += 1;
        let within = |c: u8| (low..=high).contains(&c);
        let blind = flags.has(Flags::CASE_BLIND);
        matched |= within(c) || blind && (within(c.to_ascii_lowercase()) || within(c.to_ascii_uppercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, flags: Flags, expected: bool) {
        assert_eq!(fnmatch(pattern.as_bytes(), text.as_bytes(), flags), expected);
    }

    // fnmatch(3) and POSIX 2.13, where apr_fnmatch agrees with them.
    #[test]
    fn posix_patterns() {
        let path = Flags::PATHNAME;
        check("*.cgi", "a.cgi", Flags::NONE, true);
        check("*", "a/b", Flags::NONE, true);
        check("*", "a/b", path, false);
        check("/home/*/www", "/home/joe/www", path, true);
        check("/home/*/www", "/home/joe/x/www", path, false);
        check("a?b", "a/b", path, false);
        check("a[/]b", "a/b", path, false);
        check("[a-c]x", "bx", Flags::NONE, true);
        check("[!a-c]x", "bx", Flags::NONE, false);
        check("[^a-c]x", "dx", Flags::NONE, true);
        check("[]]", "]", Flags::NONE, true);
        check("[a", "[a", Flags::NONE, true);
        check("\\*", "*", Flags::NONE, true);
        check("\\*", "x", Flags::NONE, false);
        check("\\*", "\\x", Flags::NOESCAPE, true);
        check("A*", "abc", Flags::CASE_BLIND, true);
        check("[A-C]", "b", Flags::CASE_BLIND, true);
        check("*", ".x", Flags::PERIOD, false);
        check("/*", "/.x", path | Flags::PERIOD, false);
        check("/.*", "/.x", path | Flags::PERIOD, true);
    }

    #[test]
    fn wildcards_are_recognised() {
        assert!(is_fnmatch(b"a*") && is_fnmatch(b"a[b]") && is_fnmatch(b"?"));
        assert!(!is_fnmatch(b"a[b") && !is_fnmatch(b"a\\*") && !is_fnmatch(b"a]"));
    }

    #[test]
    fn many_stars_end_soon() {
        check(&format!("{}b", "*a".repeat(500)), &"a".repeat(4000), Flags::NONE, false);
    }

    proptest::proptest! {
        #[test]
        fn a_star_takes_anything(text: Vec<u8>) {
            proptest::prop_assert!(fnmatch(b"*", &text, Flags::NONE));
        }

        #[test]
        fn any_pattern_ends(pattern in "[a*?\\\\\\[\\]!/.-]{0,12}", text in "[ab*/.\\]\\[-]{0,12}", flags in 0u8..16) {
            fnmatch(pattern.as_bytes(), text.as_bytes(), Flags(flags));
        }
    }
}

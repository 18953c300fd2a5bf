//! `*` and `?` matching, as Apache does for `ServerAlias` and other lists of names.

/// Whether `text` matches `pattern`: `*` is any run of bytes, `?` any one byte (ap_strcmp_match).
pub fn strcmp_match(text: &[u8], pattern: &[u8]) -> bool {
    wild(text, pattern, |a, b| a == b)
}

/// The same without regard to ASCII case (ap_strcasecmp_match).
pub fn strcasecmp_match(text: &[u8], pattern: &[u8]) -> bool {
    wild(text, pattern, |a, b| a.eq_ignore_ascii_case(&b))
}

/// Whether `text` contains a wildcard (ap_is_matchexp).
pub fn is_matchexp(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'*' | b'?'))
}

/// Remembers only the last `*`: a later one can always stand in for an earlier one, so the time is
/// at most the product of both lengths.
fn wild(text: &[u8], pattern: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&q) if q == b'?' || same(q, c) => (t, p) = (t + 1, p + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (t, p) = (from + 1, at + 1);
            }
        }
    }
    pattern.iter().skip(p).all(|&b| b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, pattern: &str, expected: bool) {
        assert_eq!(strcmp_match(text.as_bytes(), pattern.as_bytes()), expected);
    }

    #[test]
    fn stars_and_marks() {
        check("www.example.com", "*.example.com", true);
        check("example.com", "*.example.com", false);
        check("abc", "a?c", true);
        check("ac", "a?c", false);
        check("abcabd", "*ab?", true);
        check("", "*", true);
        check("", "?", false);
        check("abc", "ABC", false);
        assert!(strcasecmp_match(b"WWW.x", b"www.*"));
        assert!(is_matchexp(b"a?") && !is_matchexp(b"a"));
    }

    #[test]
    fn many_stars_end_soon() {
        check(&"a".repeat(4000), &format!("{}b", "*a".repeat(1000)), false);
    }
}

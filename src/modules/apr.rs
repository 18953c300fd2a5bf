//! What several modules take from Apache's utilities: templates with `$1`, numbers as C reads them.

use bstr::BString;

/// What `AliasMatch`, `RedirectMatch` and `SetEnvIf` make of a match (ap_pregsub).
///
/// Fills `$0` to `$9` of `template` with what `group` gives for the number. A backslash takes the
/// character behind it literally; at the very end it stands for itself.
pub fn substitute<'g>(template: &[u8], group: impl Fn(usize) -> &'g [u8]) -> BString {
    let mut out = Vec::with_capacity(template.len());
    let mut rest = template;
    while let [c, tail @ ..] = rest {
        rest = match (c, tail) {
            (b'$', [n @ b'0'..=b'9', tail @ ..]) => {
                out.extend_from_slice(group(usize::from(n - b'0')));
                tail
            }
            (b'\\', [literal, tail @ ..]) => {
                out.push(*literal);
                tail
            }
            _ => {
                out.push(*c);
                tail
            }
        };
    }
    out.into()
}

/// The number at the beginning of a word, as C's atoi reads it; 65535 if it is greater.
pub fn leading_number(word: &[u8]) -> u16 {
    let digits = word.iter().take_while(|c| c.is_ascii_digit());
    digits.fold(0u16, |number, c| number.saturating_mul(10).saturating_add(u16::from(c - b'0')))
}

#[cfg(test)]
mod tests {
    use super::substitute;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let groups: [&[u8]; 3] = [b"abc", b"a", b"b"];
        let filled = substitute(template.as_bytes(), |n| groups.get(n).copied().unwrap_or_default());
        assert_eq!(filled, expected);
    }

    #[test]
    fn groups_and_escapes() {
        check(r"&-\&-\$1-$2-\x-$9", "&-&-$1-b-x-");
        check("$0 $a $", "abc $a $");
    }
}

//! Regular expressions as Apache uses them: PCRE2 over bytes, `$` only at the very end.
//!
//! Every directive with a pattern (`<LocationMatch>`, `AliasMatch`, `RewriteRule`, …) compiles it
//! here, so that all of them share what `RegexDefaultOptions` says, or Apache's defaults (`DOTALL
//! DOLLAR_ENDONLY`).

use std::{fmt, sync::Arc};

use bstr::{BString, ByteSlice};

/// Why a pattern does not compile. Apache says only that it does not; each directive has its own
/// words for that, so PCRE2's reason is extra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexError {
    /// PCRE2's reason.
    pub message: String,
    /// Where in the pattern, in bytes, when PCRE2 names a place.
    pub offset: Option<usize>,
}

impl fmt::Display for RegexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RegexError {}

/// What holds for all patterns (`RegexDefaultOptions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// `ICASE`: case does not count.
    pub icase: bool,
    /// `DOTALL`: a dot takes line ends too.
    pub dotall: bool,
    /// `DOLLAR_ENDONLY`: `$` is the very end, not the place before a last line end.
    pub dollar_endonly: bool,
}

impl Defaults {
    /// `RegexDefaultOptions none`.
    pub const NONE: Defaults = Defaults { icase: false, dotall: false, dollar_endonly: false };
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults { icase: false, dotall: true, dollar_endonly: true }
    }
}

/// A compiled pattern; cloning is cheap.
#[derive(Clone)]
pub struct Regex {
    inner: Arc<Inner>,
}

struct Inner {
    pattern: Vec<u8>,
    caseless: bool,
    defaults: Defaults,
    program: pcre2::bytes::Regex,
}

/// Byte ranges of the subject: the whole match first, then the groups; `None` for a group that
/// took no part.
pub type Groups = Vec<Option<(usize, usize)>>;

impl Regex {
    /// Compiles `pattern` with Apache's default options, and without regard to case if asked.
    ///
    /// # Errors
    /// The pattern is not a regular expression.
    pub fn new(pattern: &[u8], caseless: bool) -> Result<Regex, RegexError> {
        Regex::with(pattern, caseless, Defaults::default())
    }

    /// Compiles `pattern` where other defaults hold.
    ///
    /// # Errors
    /// The pattern is not a regular expression.
    pub fn with(pattern: &[u8], caseless: bool, defaults: Defaults) -> Result<Regex, RegexError> {
        let caseless = caseless || defaults.icase;
        let program = pcre2::bytes::RegexBuilder::new()
            .caseless(caseless)
            .dotall(defaults.dotall)
            .jit_if_available(true)
            .build(&portable(pattern, defaults.dollar_endonly))
            .map_err(|e| RegexError { message: reason(&e), offset: e.offset() })?;
        Ok(Regex { inner: Arc::new(Inner { pattern: pattern.to_vec(), caseless, defaults, program }) })
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &[u8] {
        &self.inner.pattern
    }

    /// Whether the pattern is found in `subject`. Exceeding PCRE2's match limit is no match.
    pub fn is_match(&self, subject: &[u8]) -> bool {
        self.inner.program.is_match(subject).unwrap_or(false)
    }

    /// The first match in `subject` with its groups.
    pub fn captures(&self, subject: &[u8]) -> Option<Groups> {
        self.captures_at(subject, 0)
    }

    /// The first match that begins at `start` or later; `^` still means the start of `subject`.
    pub fn captures_at(&self, subject: &[u8], start: usize) -> Option<Groups> {
        if start > subject.len() {
            return None;
        }
        let mut locations = self.inner.program.capture_locations();
        self.inner.program.captures_read_at(&mut locations, subject, start).ok().flatten()?;
        Some((0..locations.len()).map(|n| locations.get(n)).collect())
    }

    /// How many groups the pattern has, the whole match not counted.
    pub fn group_count(&self) -> usize {
        self.inner.program.captures_len().saturating_sub(1)
    }

    /// Number and name of each named group, in order of number.
    pub fn named_groups(&self) -> Vec<(usize, &str)> {
        let names = self.inner.program.capture_names().iter().enumerate();
        names.filter_map(|(n, name)| Some((n, name.as_deref()?))).collect()
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.inner.pattern == other.inner.pattern
            && self.inner.caseless == other.inner.caseless
            && self.inner.defaults == other.inner.defaults
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.inner.pattern.escape_ascii(), if self.inner.caseless { "i" } else { "" })
    }
}

/// Fills `$0` to `$9` of `template` with what `group` gives for the number (ap_pregsub;
/// `AliasMatch`, `RedirectMatch`, `SetEnvIf` use it). A backslash takes the next byte as it is; at
/// the very end it stands for itself.
pub fn substitute<'g>(template: &[u8], group: impl Fn(usize) -> &'g [u8]) -> BString {
    let mut out = Vec::with_capacity(template.len());
    let mut rest = template;
    loop {
        rest = match rest {
            [] => return out.into(),
            [b'$', n @ b'0'..=b'9', tail @ ..] => {
                out.extend_from_slice(group(usize::from(n - b'0')));
                tail
            }
            [b'\\', c, tail @ ..] | [c, tail @ ..] => {
                out.push(*c);
                tail
            }
        };
    }
}

/// The bytes of one group; empty when it took no part.
pub fn group<'s>(subject: &'s [u8], groups: &[Option<(usize, usize)>], n: usize) -> &'s [u8] {
    groups.get(n).copied().flatten().and_then(|(from, to)| subject.get(from..to)).unwrap_or_default()
}

/// PCRE2's words without the binding's introduction (`PCRE2: error compiling pattern at offset N: `).
fn reason(error: &pcre2::Error) -> String {
    let text = error.to_string();
    text.splitn(3, ": ").last().unwrap_or_default().to_owned()
}

/// The pattern in a form that the PCRE2 binding takes. It wants UTF-8, and does not offer
/// DOLLAR_ENDONLY: bytes become `\xHH`, and `$` becomes `\z` unless the pattern asks for
/// multi-line matching, where the option has no effect.
fn portable(pattern: &[u8], dollar_endonly: bool) -> String {
    let is_text = std::str::from_utf8(pattern).is_ok();
    let dollar_is_end = dollar_endonly && !asks_multiline(pattern);
    let mut out = Vec::with_capacity(pattern.len());
    let (mut rest, mut in_class) = (pattern, false);
    while let Some(&first) = rest.first() {
        let length = match (first, rest.get(1)) {
            (b'\\', Some(b'Q')) => rest.find(b"\\E").map_or(rest.len(), |at| at + 2),
            (b'\\', Some(_)) => 2,
            (b'[', Some(b':')) if in_class => rest.find(b":]").map_or(1, |at| at + 2),
            (b'[', _) if !in_class => class_head(rest),
            _ => 1,
        };
        in_class = match first {
            b'[' => true,
            b']' => false,
            _ => in_class,
        };
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        match piece {
            b"$" if !in_class && dollar_is_end => out.extend(b"\\z"),
            _ if is_text || piece.is_ascii() => out.extend(piece),
            [b'\\', b'Q', quoted @ ..] => {
                push_hex(&mut out, quoted.strip_suffix(b"\\E").unwrap_or(quoted));
            }
            [b'\\', byte] => push_hex(&mut out, &[*byte]),
            _ => push_hex(&mut out, piece),
        }
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|b| format!("\\x{b:02x}").into_bytes()));
}

/// The bytes of `[`, of a `^` behind it, and of a `]` that stands first and so is a member.
fn class_head(class: &[u8]) -> usize {
    let head = if class.get(1) == Some(&b'^') { 2 } else { 1 };
    head + usize::from(class.get(head) == Some(&b']'))
}

/// Whether an inline option group such as `(?im)` switches multi-line matching on.
fn asks_multiline(pattern: &[u8]) -> bool {
    pattern.windows(2).enumerate().filter(|(_, two)| two == b"(?").any(|(at, _)| {
        let flags = pattern.get(at + 2..).unwrap_or_default();
        flags.iter().take_while(|b| b.is_ascii_alphabetic()).any(|&b| b == b'm')
            && flags.iter().find(|b| !b.is_ascii_alphabetic()).is_some_and(|b| b"):-^".contains(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &[u8], subject: &[u8], expected: bool) {
        assert_eq!(Regex::new(pattern, false).expect("compiles").is_match(subject), expected);
    }

    #[test]
    fn dollar_is_the_very_end() {
        check(b"a$", b"a\n", false);
        check(b"(a$|b)", b"xa", true);
        check(b"a[$]b", b"a$b", true);
        check(b"a[]$]b", b"a$b", true);
        check(b"a\\$b", b"a$b", true);
        check(b"(?m)a$", b"a\nb", true);
        check(b"\\Qa$b\\E", b"a$b", true);
        check(b"^[[:alpha:]$]+$", b"a$", true);
    }

    #[test]
    fn without_defaults() {
        let plain = |pattern: &[u8]| Regex::with(pattern, false, Defaults::NONE).expect("compiles");
        assert!(plain(b"^/q$").is_match(b"/q\n"));
        assert!(!plain(b"a.b").is_match(b"a\nb"));
        let icase = Defaults { icase: true, ..Defaults::default() };
        assert!(Regex::with(b"TEN", false, icase).expect("compiles").is_match(b"ten"));
    }

    #[test]
    fn the_dot_takes_line_ends() {
        check(b"a.b", b"a\nb", true);
    }

    #[test]
    fn patterns_are_bytes() {
        check(b"^\xff.$", b"\xff\xfe", true);
        check(b"[\xf0-\xff]", b"\xf8", true);
        check(b"^\\\xff\\Q.\xff\\E$", b"\xff.\xff", true);
        check("^ä$".as_bytes(), "ä".as_bytes(), true);
        check(b"^..$", "ä".as_bytes(), true);
    }

    #[test]
    fn groups_and_their_names() {
        let regex = Regex::new(b"^(?<user>a)(b)?(?<rest>.*)", true).expect("compiles");
        assert_eq!(regex.named_groups(), [(1, "user"), (3, "rest")]);
        assert_eq!(regex.captures(b"AXY"), Some(vec![Some((0, 3)), Some((0, 1)), None, Some((1, 3))]));
    }

    #[test]
    fn substitution() {
        let groups = [Some((0, 3)), Some((1, 2)), None];
        let fill = |template: &[u8]| substitute(template, |n| group(b"abc", &groups, n));
        assert_eq!(fill(b"/x/$1-$2-$9.$0"), b"/x/b--.abc");
        // Answers of apache2 2.4.71 to `RedirectMatch "^/t/(.)(.)(z)?" "/x/…"`.
        assert_eq!(fill(b"\\$1 \\q & \\& $ $a $10"), b"$1 q & & $ $a b0");
        assert_eq!(fill(b"\\\\$1\\"), b"\\b\\");
    }

    #[test]
    fn errors_name_a_place() {
        let error = Regex::new(b"a(b", false).expect_err("unbalanced");
        assert_eq!(error.offset, Some(3));
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_taken_without_panic(pattern: Vec<u8>, subject: Vec<u8>) {
            if let Ok(regex) = Regex::new(&pattern, false) {
                regex.captures(&subject);
            }
        }
    }
}

//! What ignoring a directive may do.

use bstr::ByteSlice;

/// Whether a directive that has no effect leaves something open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Nothing is opened by ignoring it.
    None,
    /// There is nothing here to tune; not even worth a warning.
    Tuning,
    /// It closes: access, authentication, encryption, or it hides files that would be served.
    Closed,
    /// The same, unless its first word is this one.
    ClosedUnless(&'static str),
    /// A rule of mod_rewrite: see [`Rules::hides`].
    Rewrite,
}

impl Danger {
    /// From the table's word.
    pub(super) fn read(text: &'static str) -> Option<Danger> {
        Some(match text.split_once(" unless ") {
            Some(("closed", word)) => Danger::ClosedUnless(word),
            _ if text == "-" => Danger::None,
            _ if text == "tuning" => Danger::Tuning,
            _ if text == "closed" => Danger::Closed,
            _ if text == "rewrite" => Danger::Rewrite,
            _ => return None,
        })
    }
}

/// The conditions that stand before a rule of mod_rewrite.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    spares_files: bool,
    alternatives: bool,
}

impl Rules {
    /// `RewriteCond`.
    pub(super) fn condition(&mut self, words: &[&[u8]]) {
        let [text, pattern, flags @ ..] = words else { return };
        let of_file = text.contains_str("REQUEST_FILENAME") || text.contains_str("SCRIPT_FILENAME");
        self.spares_files |= of_file && matches!(*pattern, b"!-f" | b"!-F");
        let or = |flag: &(Vec<u8>, Vec<u8>)| matches!(flag.0.as_slice(), b"or" | b"ornext");
        self.alternatives |= flags.first().is_some_and(|text| read_flags(text).iter().any(or));
    }

    /// `RewriteRule`: whether files that it keeps from being seen would be served without it. It
    /// refuses them, hands them to another server or handler, or puts another file in the place of
    /// one that exists. Redirects hide nothing, nor do rules for names without a file.
    pub(super) fn hides(&mut self, words: &[&[u8]]) -> bool {
        let conditions = std::mem::take(self);
        let [_, target, flags @ ..] = words else { return false };
        let flags = flags.first().map(|text| read_flags(text)).unwrap_or_default();
        let refusing = |(name, value): &(Vec<u8>, Vec<u8>)| match name.as_slice() {
            b"f" | b"forbidden" | b"g" | b"gone" | b"p" | b"proxy" | b"h" | b"handler" => true,
            b"r" | b"redirect" => matches!(value.first(), Some(b'4' | b'5')),
            _ => false,
        };
        let redirect = |flag: &(Vec<u8>, Vec<u8>)| matches!(flag.0.as_slice(), b"r" | b"redirect");
        if flags.iter().any(refusing) {
            return true;
        }
        let elsewhere = *target == b"-" || target.contains_str("://") || flags.iter().any(redirect);
        !elsewhere && (!conditions.spares_files || conditions.alternatives)
    }
}

/// `[R=301,L]` as names in lower case and values.
fn read_flags(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let inner = text.trim_with(|c| matches!(c, '[' | ']'));
    let flag = |flag: &[u8]| {
        let (name, value) = flag.trim().split_once_str("=").unwrap_or((flag.trim(), b""));
        (name.to_ascii_lowercase(), value.to_vec())
    };
    inner.split_str(",").map(flag).collect()
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[track_caller]
    fn check(conditions: &[[&str; 3]], rule: [&str; 3], hides: bool) {
        let mut rules = Rules::default();
        for condition in conditions {
            let [text, pattern, flags] = condition.map(str::as_bytes);
            rules.condition(&[text, pattern, flags]);
        }
        assert_eq!(rules.hides(&rule.map(str::as_bytes)), hides);
    }

    #[test]
    fn refusals_hide() {
        check(&[], [r"\.git", "-", "[F]"], true);
        check(&[], [r"^old", "-", "[L,gone]"], true);
        check(&[], [r"^x", "-", "[R=404,L]"], true);
    }

    #[test]
    fn handing_over_hides() {
        check(&[], ["^/app(.*)", "http://127.0.0.1:8080$1", "[P,L]"], true);
        check(&[], [r"\.php$", "-", "[H=application/x-httpd-php]"], true);
    }

    #[test]
    fn redirects_do_not() {
        check(&[], ["^(.*)$", "https://example.org/$1", "[L]"], false);
        check(&[], ["^a$", "/b", "[R=301,L]"], false);
        check(&[], ["^a$", "-", "[E=A:1]"], false);
    }

    #[test]
    fn another_file_in_its_place_hides() {
        check(&[], ["^(.*)$", "public/$1", "[L]"], true);
    }

    #[test]
    fn a_front_controller_for_missing_files_does_not() {
        check(&[["%{REQUEST_FILENAME}", "!-f", ""]], [".", "/index.php", "[L]"], false);
        check(&[["%{REQUEST_FILENAME}", "!-d", ""]], [".", "/index.php", "[L]"], true);
    }

    #[test]
    fn an_alternative_to_that_condition_does() {
        let conditions = [["%{REQUEST_FILENAME}", "!-f", "[OR]"], ["%{HTTP_HOST}", "x", ""]];
        check(&conditions, [".", "/index.php", "[L]"], true);
    }
}

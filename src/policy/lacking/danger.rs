//! What ignoring a directive may do.

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
}

impl Danger {
    /// From the table's word.
    pub(super) fn read(text: &'static str) -> Option<Danger> {
        Some(match text.split_once(" unless ") {
            Some(("closed", word)) => Danger::ClosedUnless(word),
            _ if text == "-" => Danger::None,
            _ if text == "tuning" => Danger::Tuning,
            _ if text == "closed" => Danger::Closed,
            _ => return None,
        })
    }
}

//! How the access phases go together: Apache's `Satisfy`.

/// `Satisfy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Satisfy {
    /// Address and user must both be allowed.
    All,
    /// One of the two suffices.
    Any,
    /// Nothing was said, which means All.
    Unsaid,
}

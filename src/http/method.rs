//! Apache's method table, and sets of methods for `Limit`, `AllowMethods` and the `Allow` field.

use std::fmt;

/// How many methods a configuration can make known besides the built-in ones.
pub const MOST_REGISTERED: u8 = 36;

macro_rules! methods {
    ($($variant:ident $name:literal $number:literal)*) => {
        /// A request method as Apache's registry knows it. The spelling of one that it does not
        /// know stays in the request's `method_name`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// Made known by the configuration: how many were before it.
            Registered(u8),
            /// Not registered (`M_INVALID`).
            Other,
        }

        impl Method {
            /// The method of this exact name; methods are case-sensitive (RFC 9110 section 9.1).
            pub fn from_name(name: &[u8]) -> Method {
                $(if name == $name.as_bytes() { return Method::$variant })*
                Method::Other
            }

            /// The same, where the configuration made more methods known.
            pub fn find<N: AsRef<[u8]>>(name: &[u8], registered: &[N]) -> Method {
                let position = || registered.iter().position(|known| known.as_ref() == name);
                match Method::from_name(name) {
                    Method::Other => {
                        let number = position().and_then(|n| u8::try_from(n).ok());
                        number.filter(|n| *n < MOST_REGISTERED).map_or(Method::Other, Method::Registered)
                    }
                    known => known,
                }
            }

            /// The built-in name, empty for the others.
            pub fn name(self) -> &'static str {
                match self { $(Method::$variant => $name,)* Method::Registered(_) | Method::Other => "" }
            }

            /// Apache's `M_…` number. HEAD has GET's.
            pub fn number(self) -> u8 {
                match self {
                    $(Method::$variant => $number,)*
                    Method::Other => 26,
                    Method::Registered(n) => 27 + n % MOST_REGISTERED,
                }
            }

            /// All built-in methods.
            pub const ALL: &'static [Method] = &[$(Method::$variant),*];
        }
    };
}

methods! {
    Get "GET" 0
    Post "POST" 2
    Options "OPTIONS" 5
    Head "HEAD" 0
    Put "PUT" 1
    Delete "DELETE" 3
    Connect "CONNECT" 4
    Trace "TRACE" 6
    Patch "PATCH" 7
    Propfind "PROPFIND" 8
    Proppatch "PROPPATCH" 9
    Mkcol "MKCOL" 10
    Copy "COPY" 11
    Move "MOVE" 12
    Lock "LOCK" 13
    Unlock "UNLOCK" 14
    VersionControl "VERSION-CONTROL" 15
    Checkout "CHECKOUT" 16
    Uncheckout "UNCHECKOUT" 17
    Checkin "CHECKIN" 18
    Update "UPDATE" 19
    Label "LABEL" 20
    Report "REPORT" 21
    Mkworkspace "MKWORKSPACE" 22
    Mkactivity "MKACTIVITY" 23
    BaselineControl "BASELINE-CONTROL" 24
    Merge "MERGE" 25
}

/// A set of methods, one bit for each Apache method number; GET and HEAD share one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MethodSet(pub u64);

impl MethodSet {
    /// No method.
    pub const EMPTY: MethodSet = MethodSet(0);
    /// Every method, registered or not.
    pub const ALL: MethodSet = MethodSet(u64::MAX);

    /// The set of these methods.
    pub fn of(methods: &[Method]) -> MethodSet {
        methods.iter().fold(MethodSet::EMPTY, |set, m| set.with(*m))
    }

    /// This set and `method`.
    pub fn with(self, method: Method) -> MethodSet {
        MethodSet(self.0 | 1 << method.number())
    }

    /// This set without `method`.
    pub fn without(self, method: Method) -> MethodSet {
        MethodSet(self.0 & !(1 << method.number()))
    }

    /// Whether `method` is in it.
    pub fn contains(self, method: Method) -> bool {
        self.0 & 1 << method.number() != 0
    }

    /// In either set.
    pub fn union(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 | other.0)
    }

    /// Whether it has no method.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The value of the `Allow` field for `allowed`; `trace` says whether `TraceEnable` lets TRACE in, whatever
/// the set says.
///
/// Apache's order is that of a hash table seeded anew in each process; this is the order most often seen.
pub fn allow_header(allowed: MethodSet, trace: bool) -> String {
    let names = Method::ALL.iter().filter(|m| **m != Method::Trace && allowed.contains(**m));
    let mut names: Vec<_> = names.map(|m| m.name()).collect();
    if trace {
        names.push("TRACE");
    }
    names.join(",")
}

impl fmt::Debug for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Method::ALL.iter().filter(|m| self.contains(**m))).finish()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive() {
        assert_eq!(Method::from_name(b"GET"), Method::Get);
        assert_eq!(Method::from_name(b"get"), Method::Other);
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.name().as_bytes()), *method);
        }
    }

    #[test]
    fn registered_methods_have_numbers_of_their_own() {
        let registered = ["BREW", "STEEP"];
        let brew = Method::find(b"BREW", &registered);
        assert_eq!(brew.number(), 27);
        assert!(!MethodSet::of(&[brew]).contains(Method::find(b"STEEP", &registered)));
        assert_eq!(Method::find(b"POUR", &registered), Method::Other);
        assert_eq!(Method::find(b"PUT", &registered), Method::Put);
    }

    #[test]
    fn head_counts_as_get() {
        assert!(MethodSet::of(&[Method::Get]).contains(Method::Head));
        assert!(!MethodSet::of(&[Method::Post]).contains(Method::Head));
    }

    #[test]
    fn allow_as_apache_writes_it() {
        let allowed = MethodSet::of(&[Method::Get, Method::Post, Method::Options]);
        assert_eq!(allow_header(allowed, true), "GET,POST,OPTIONS,HEAD,TRACE");
        assert_eq!(allow_header(MethodSet::EMPTY, true), "TRACE");
    }
}

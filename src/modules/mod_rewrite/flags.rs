//! The flags of rules and conditions: `[L,R=301,E=name:value]`.

use crate::http::Status;
use bstr::{BString, ByteSlice};

/// What a substitution may do besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    pub escape: Option<Escape>,
    pub chain: bool,
    pub cookies: Vec<BString>,
    pub discard_path_info: bool,
    pub env: Vec<BString>,
    pub end: bool,
    pub handler: Option<BString>,
    pub last: bool,
    /// Most rounds of `[N]`.
    pub next: Option<u32>,
    pub nocase: bool,
    pub noescape: bool,
    pub no_subrequest: bool,
    pub proxy: bool,
    pub pass_through: bool,
    pub qs_append: bool,
    pub qs_discard: bool,
    pub qs_last: bool,
    /// `[R]`, whose status is a redirect.
    pub redirect: bool,
    /// `[F]`, `[G]`, `[R=…]` with a status that is no redirect: nothing is substituted.
    pub ends: bool,
    pub status: Status,
    pub skip: u32,
    pub kind: Option<BString>,
    pub unsafe_allow_3f: bool,
    pub unsafe_prefix_stat: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Flags {
            escape: None,
            chain: false,
            cookies: Vec::new(),
            discard_path_info: false,
            env: Vec::new(),
            end: false,
            handler: None,
            last: false,
            next: None,
            nocase: false,
            noescape: false,
            no_subrequest: false,
            proxy: false,
            pass_through: false,
            qs_append: false,
            qs_discard: false,
            qs_last: false,
            redirect: false,
            ends: false,
            status: Status(302),
            skip: 0,
            kind: None,
            unsafe_allow_3f: false,
            unsafe_prefix_stat: false,
        }
    }
}

/// How back references are escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Escape {
    /// `B=…`: these bytes alone.
    pub only: Option<BString>,
    /// `BNE=…`: not these.
    pub except: BString,
    /// `BCTLS`: blanks and control characters alone.
    pub controls: bool,
    /// `BNP`: a blank becomes `%20`, not `+`.
    pub no_plus: bool,
}

/// The flags of a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CondFlags {
    pub nocase: bool,
    pub or_next: bool,
    pub no_vary: bool,
}

type NameAndValue<'t> = (&'t [u8], &'t [u8]);

/// Cuts `[a,b=c]` into names and values.
///
/// # Errors
/// The brackets are not where they belong.
fn cut(text: &[u8]) -> Result<Vec<NameAndValue<'_>>, String> {
    let inner = text.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]"));
    let inner = inner.ok_or("bad flag delimiters")?;
    let flags = inner.split(|&byte| byte == b',').map(|flag| {
        let flag = flag.trim();
        match flag.find_byte(b'=') {
            Some(at) => (&flag[..at], &flag[at + 1..]),
            None => (flag, &b""[..]),
        }
    });
    Ok(flags.collect())
}

/// Reads the flags of a rule.
///
/// # Errors
/// Apache's complaint, without the directive's name.
pub fn of_rule(text: &[u8]) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for (name, value) in cut(text)? {
        flags.set(name, value)?;
    }
    Ok(flags)
}

/// Reads the flags of a condition.
///
/// # Errors
/// Apache's complaint, without the directive's name.
pub fn of_condition(text: &[u8]) -> Result<CondFlags, String> {
    let mut flags = CondFlags::default();
    for (name, _) in cut(text)? {
        match name.to_ascii_lowercase().as_slice() {
            b"nocase" | b"nc" => flags.nocase = true,
            b"ornext" | b"or" => flags.or_next = true,
            b"novary" | b"nv" => flags.no_vary = true,
            _ => return Err(format!("unknown flag '{}'", name.as_bstr())),
        }
    }
    Ok(flags)
}

impl Flags {
    fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        match name.to_ascii_lowercase().as_slice() {
            b"b" | b"backrefescaping" => {
                let escape = self.escape.get_or_insert_default();
                if !value.is_empty() {
                    escape.only = Some(value.into());
                }
            }
            b"bctls" => self.escape.get_or_insert_default().controls = true,
            b"bne" if value.is_empty() => {
                return Err("flag 'BNE' wants a list of characters (i.e. [BNE=...])".to_owned());
            }
            b"bne" => self.escape.get_or_insert_default().except = value.into(),
            b"bnp" => self.escape.get_or_insert_default().no_plus = true,
            b"chain" | b"c" => self.chain = true,
            b"cookie" | b"co" => self.cookies.push(value.into()),
            b"dpi" | b"discardpath" | b"discardpathinfo" => self.discard_path_info = true,
            b"env" | b"e" => self.env.push(value.into()),
            b"end" => self.end = true,
            b"forbidden" | b"f" => self.end_with(Status(403)),
            b"gone" | b"g" => self.end_with(Status(410)),
            b"handler" | b"h" => self.handler = Some(value.into()),
            b"last" | b"l" => self.last = true,
            b"next" | b"n" => self.next = Some(number(value).filter(|_| !value.is_empty()).unwrap_or(10_000)),
            b"nocase" | b"nc" => self.nocase = true,
            b"noescape" | b"ne" => self.noescape = true,
            b"nosubreq" | b"ns" => self.no_subrequest = true,
            b"proxy" | b"p" => self.proxy = true,
            b"passthrough" | b"pt" => self.pass_through = true,
            b"qsappend" | b"qsa" => self.qs_append = true,
            b"qsdiscard" | b"qsd" => self.qs_discard = true,
            b"qslast" | b"qsl" => self.qs_last = true,
            b"redirect" | b"r" => self.redirect_with(value)?,
            b"skip" | b"s" => self.skip = number(value).unwrap_or(0),
            b"type" | b"t" => self.kind = Some(value.into()),
            b"unsafeallow3f" => self.unsafe_allow_3f = true,
            b"unsafeprefixstat" => self.unsafe_prefix_stat = true,
            // Only Windows has the paths that it is about.
            b"unc" => {}
            _ => return Err(format!("unknown flag '{}'", name.as_bstr())),
        }
        Ok(())
    }

    fn end_with(&mut self, status: Status) {
        self.ends = true;
        self.status = status;
    }

    fn redirect_with(&mut self, value: &[u8]) -> Result<(), String> {
        self.redirect = true;
        self.status = match value.to_ascii_lowercase().as_slice() {
            b"" => Status(302),
            b"permanent" => Status(301),
            b"temp" => Status(302),
            b"seeother" => Status(303),
            digits if digits.first().is_some_and(u8::is_ascii_digit) => {
                let known = number(digits).and_then(|n| u16::try_from(n).ok()).map(Status);
                let known = known.filter(|status| status.known_line().is_some());
                let wrong = || format!("invalid HTTP response code '{}' for flag 'R'", value.as_bstr());
                known.ok_or_else(wrong)?
            }
            _ => Status(302),
        };
        if !self.status.is_redirect() {
            self.redirect = false;
            self.end_with(self.status);
        }
        Ok(())
    }
}

/// The number at the head of a text, as C's atoi reads it.
fn number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text[..digits].to_str().ok()?.parse().ok()
}

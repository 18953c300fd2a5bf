//! Whether a password is the one that a hash was made of (apr_password_validate, and crypt(3) as
//! Debian has it): a pure function, and for most hashes one that takes long on purpose.

mod des;
mod md5_crypt;
mod sha2_crypt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bstr::{BString, ByteSlice};
use sha1::{Digest, Sha1};
use std::fmt;

/// Bytes that no log, trace or panic may print.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(BString);

impl Secret {
    /// Wraps them.
    pub fn new(bytes: impl Into<BString>) -> Secret {
        Secret(bytes.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A password and the hash that it is held against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    password: Secret,
    hash: Secret,
}

impl Check {
    /// The two as they were given. A C string ends at its first zero byte.
    pub fn new(password: &[u8], hash: &[u8]) -> Check {
        let end = |text: &[u8]| text.find_byte(0).unwrap_or(text.len());
        let cut = |text: &[u8]| Secret::new(&text[..end(text)]);
        Check { password: cut(password), hash: cut(hash) }
    }

    /// Whether it takes longer than a handful of microseconds. One round of SHA-1 does not; every
    /// other scheme makes hundreds of rounds or more, a millisecond to a second, for which all other
    /// connections of the worker would stand still.
    pub fn is_slow(&self) -> bool {
        !self.hash.0.starts_with(b"{SHA}")
    }

    /// Whether the password is the right one.
    pub fn holds(&self) -> bool {
        let (password, hash) = (self.password.0.as_slice(), self.hash.0.as_slice());
        match hash_of(password, hash) {
            Some(made) => same(&made, hash),
            None => false,
        }
    }
}

/// The hash that the password has under the scheme, salt and cost of `like`; `None` if there is no
/// such scheme, which is what Apache calls a mismatch too. A password that is kept as it is never fits.
fn hash_of(password: &[u8], like: &[u8]) -> Option<Vec<u8>> {
    if like.starts_with(b"{SHA}") {
        return Some([b"{SHA}", STANDARD.encode(Sha1::digest(password)).as_bytes()].concat());
    }
    for magic in [&b"$apr1$"[..], b"$1$"] {
        if let Some(rest) = like.strip_prefix(magic) {
            return Some(md5_crypt::hash(password, magic, rest));
        }
    }
    match like {
        [b'$', b'2', b'a' | b'b' | b'y', b'$', ..] => bcrypt_hash(password, like),
        [b'$', b'5' | b'6', b'$', ..] => sha2_crypt::hash(password, like),
        [b'_', ..] => des::extended(password, like),
        [b'$', ..] => None,
        _ => des::traditional(password, like),
    }
}

/// `$2y$05$`, 22 characters of salt, 31 of hash. What is behind does not count.
fn bcrypt_hash(password: &[u8], like: &[u8]) -> Option<Vec<u8>> {
    let text = like.get(..60)?.to_str().ok()?;
    let fits = bcrypt::verify(password, text).unwrap_or(false);
    fits.then(|| like.to_vec())
}

/// Compares in a time that does not depend on where the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The alphabet of crypt(3).
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends the lowest `count` groups of six bits, the lowest first.
fn encode(out: &mut Vec<u8>, mut bits: u32, count: usize) {
    for _ in 0..count {
        out.push(ALPHABET[(bits & 63) as usize]);
        bits >>= 6;
    }
}

/// Three bytes of a digest as one number, and their encoding.
fn encode_three(out: &mut Vec<u8>, digest: &[u8], [high, middle, low]: [usize; 3]) {
    let byte = |at: usize| u32::from(digest[at]);
    encode(out, byte(high) << 16 | byte(middle) << 8 | byte(low), 4);
}

#[cfg(test)]
mod tests {
    use super::Check;

    #[track_caller]
    fn check(password: &str, hash: &str, expected: bool) {
        assert_eq!(Check::new(password.as_bytes(), hash.as_bytes()).holds(), expected, "{hash}");
    }

    // Made by htpasswd 2.4 (-m, -s, -B, -d).
    #[test]
    fn what_htpasswd_writes() {
        for hash in [
            "$apr1$JjTOURxJ$dVt/0u6oz1xRMG2ZABZ240",
            "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            "$2y$05$heyaRWEzQwATPpSCPQoIcOQUi0LSFm5dX1un/T6wGr/LFOh.BSEJ6",
            "MY22kQMumRGTw",
        ] {
            check("secret", hash, true);
            check("Secret", hash, false);
            check("", hash, false);
        }
    }

    // Made by crypt(3) of libxcrypt 4.4.
    #[test]
    fn what_crypt_makes() {
        for hash in [
            "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
            "$5$rounds=1234$saltstring$ZOULjQTUHEKr0TZy95SRZhJXrYe.bGKvS3zomKKsX./",
            "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.",
            "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
            "_J9..rasmz0.F/jqjWck",
            "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        ] {
            check("secret", hash, true);
            check("secret2", hash, false);
        }
    }

    // Made by crypt(3) of libxcrypt 4.4 and by htpasswd.
    #[test]
    fn long_passwords_long_salts_and_bytes_beyond_ascii() {
        check(
            "This is just a test",
            "$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5",
            true,
        );
        let long = "longer than sixteen bytes password, indeed longer than sixty-four bytes all in all";
        for hash in [
            "$1$ab$jG8WcR5KU7l5x.zEajoab1",
            "$5$xyz$Xk8VmJQYmetrYkIbka963qVD3QQC5fIkeagfrGCM.O3",
            "$6$xyz$xAFLWyFqUa7L/Q.5oJXlNBZaWbINPcaV3KPn6wEgi1aYHf2Lk/IPcmVLAW8jCzLdTSJoxlGo1jPjckEtLkhwf/",
            "_J9..rasmP9LKkAU0ZJw",
            "xyQDFD2cbNpI2",
            "$apr1$MfQw/gVv$/9CnTzP0cLCHuXDq1z0DO.",
            "$2y$04$txpalrbn2fYnGmSmBULJl.sG2fjlyXto71V1iyzKy8VX1ELY9ZMFu",
        ] {
            check(long, hash, true);
        }
        for hash in [
            "xyOtpHUk27kWg",
            "$1$xy$IXcxKOD59Br4ksYGtx2Su/",
            "$2y$04$G.P6m9WWJrpmbPg3knLomeXRkHZwrYIn1mg62th7X5Uy4EzBjFPE.",
        ] {
            check("p\u{e4}ss", hash, true);
        }
        check("longer t", "xyQDFD2cbNpI2", true);
        let empty =
            "$6$xyz$jdHJneX6eYV7DP95OgtnE1J5bHq1yUumSdLXo09t/VEMjhG5QzsLETLqiWjslhYH9CihD0nXyST9wmd80QDa9/";
        check("", empty, true);
        check("x", empty, false);
    }

    #[test]
    fn what_is_no_hash_never_fits() {
        for hash in [
            "",
            "x",
            "secret",
            "$",
            "$9$x",
            "$5$",
            "$2y$",
            "$2y$05$short",
            "_",
            "$1$",
            "$apr1$",
            "{SHA}",
            "*0",
        ] {
            check("secret", hash, false);
            check("", hash, false);
        }
    }

    #[test]
    fn nothing_prints_a_password() {
        let text = format!("{:?}", Check::new(b"open sesame", b"$1$x$y"));
        assert!(!text.contains("sesame") && !text.contains("$1$"), "{text}");
    }
}

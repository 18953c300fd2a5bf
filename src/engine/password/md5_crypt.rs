//! The thousand rounds of MD5 that `$1$` (FreeBSD's crypt) and `$apr1$` (Apache's) name.

use super::{encode, encode_three};
use md5::{Digest, Md5};

/// The hash of a password; `rest` is what is behind the magic: the salt, perhaps a `$` and a hash.
pub fn hash(password: &[u8], magic: &[u8], rest: &[u8]) -> Vec<u8> {
    let end = rest.iter().position(|&byte| byte == b'$').unwrap_or(rest.len()).min(8);
    let salt = &rest[..end];
    let mut digest = first(password, magic, salt);
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round & 1 == 1 { password } else { digest.as_slice() });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { digest.as_slice() } else { password });
        digest = next.finalize().into();
    }
    let mut out = [magic, salt, b"$"].concat();
    for three in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        encode_three(&mut out, &digest, three);
    }
    encode(&mut out, u32::from(digest[11]), 2);
    out
}

fn first(password: &[u8], magic: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] =
        Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize().into();
    let mut outer = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for piece in password.chunks(inner.len()) {
        outer.update(&inner[..piece.len()]);
    }
    let mut length = password.len();
    while length > 0 {
        let byte = if length & 1 == 1 { &[0][..] } else { &password[..1] };
        outer.update(byte);
        length >>= 1;
    }
    outer.finalize().into()
}

//! `$5$` and `$6$` of crypt(3): many rounds of SHA-256 or SHA-512
//! (<https://www.akkadia.org/drepper/SHA-crypt.txt>).

use super::{encode, encode_three};
use bstr::ByteSlice;
use sha_crypt::{Params, sha256_crypt, sha512_crypt};

/// The hash of a password under the rounds and salt of `like`: `$5$rounds=5000$salt$…`.
pub fn hash(password: &[u8], like: &[u8]) -> Option<Vec<u8>> {
    let (magic, rest) = like.split_at(3);
    let (rounds, salted) = match rest.strip_prefix(b"rounds=") {
        Some(said) => {
            let (number, salted) = said.split_once_str("$")?;
            let number = number.to_str().ok().filter(|number| !number.starts_with('0'))?;
            (number.parse().ok()?, salted)
        }
        None => (Params::RECOMMENDED_ROUNDS, rest),
    };
    let params = Params::new(rounds).ok()?;
    let end = salted.find_byte(b'$').unwrap_or(salted.len()).min(16);
    let salt = &salted[..end];
    let mut out = [magic, &rest[..rest.len() - salted.len()], salt, b"$"].concat();
    match magic {
        b"$5$" => encode_256(&mut out, &sha256_crypt(password, salt, params)),
        _ => encode_512(&mut out, &sha512_crypt(password, salt, params)),
    }
    Some(out)
}

/// The bytes go by threes, each three ten places further on than the one before, turned by one.
fn encode_256(out: &mut Vec<u8>, digest: &[u8; 32]) {
    let mut three = [0, 10, 20];
    for _ in 0..10 {
        encode_three(out, digest, three);
        three = [three[2] + 1, three[0] + 1, three[1] + 1];
    }
    encode(out, u32::from(digest[31]) << 8 | u32::from(digest[30]), 3);
}

/// The same with steps of 21, turned the other way.
fn encode_512(out: &mut Vec<u8>, digest: &[u8; 64]) {
    let mut three = [0, 21, 42];
    for _ in 0..21 {
        encode_three(out, digest, three);
        three = [three[1] + 1, three[2] + 1, three[0] + 1];
    }
    encode(out, u32::from(digest[63]), 2);
}

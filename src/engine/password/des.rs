//! crypt(3) as Unix has had it since 1979: DES over zeros, 25 times, with a salt that exchanges bits
//! of its expansion; and BSDi's extension, `_` with a count of rounds and a longer salt.
//!
//! Tables: FIPS 46-3. Bits are kept one to an element, which is slow and plain; the scheme is
//! obsolete, and its checks run beside the event loop.

use super::ALPHABET;

/// Sixty-four bits, the most significant first.
type Block = [u8; 64];

/// Two characters of salt, eleven of hash. Only the first eight characters of the password count.
pub fn traditional(password: &[u8], like: &[u8]) -> Option<Vec<u8>> {
    let salt = value(*like.first()?)? | value(*like.get(1)?)? << 6;
    let block = crypt(&key(password), salt, 25);
    Some([&like[..2], &encode(&block)].concat())
}

/// `_`, four characters of rounds, four of salt, eleven of hash. The whole password counts.
pub fn extended(password: &[u8], like: &[u8]) -> Option<Vec<u8>> {
    let setting = like.get(..9)?;
    let number = |text: &[u8]| text.iter().rev().try_fold(0, |all, &c| Some(all << 6 | value(c)?));
    let (rounds, salt) = (number(&setting[1..5])?, number(&setting[5..])?);
    if rounds == 0 {
        return None;
    }
    let mut groups = password.chunks(8);
    let mut whole = key(groups.next().unwrap_or_default());
    for group in groups {
        let folded = encrypt(&whole, &schedule(&whole), 0);
        let next = key(group);
        whole = std::array::from_fn(|at| folded[at] ^ next[at]);
    }
    Some([setting, &encode(&crypt(&whole, salt, rounds))].concat())
}

fn value(c: u8) -> Option<u32> {
    ALPHABET.iter().position(|&known| known == c).and_then(|at| u32::try_from(at).ok())
}

/// Seven bits of each character, and a parity bit that is not used.
fn key(password: &[u8]) -> Block {
    let byte = |at: usize| password.get(at / 8).map_or(0, |c| c << 1);
    std::array::from_fn(|at| byte(at) >> (7 - at % 8) & 1)
}

fn crypt(key: &Block, salt: u32, rounds: u32) -> Block {
    let keys = schedule(key);
    (0..rounds).fold([0; 64], |block, _| encrypt(&block, &keys, salt))
}

/// Eleven characters of six bits each; two zeros fill up the last.
fn encode(block: &Block) -> Vec<u8> {
    let six = |bits: &[u8]| (0..6).fold(0, |all, at| all << 1 | usize::from(*bits.get(at).unwrap_or(&0)));
    block.chunks(6).map(|bits| ALPHABET[six(bits)]).collect()
}

fn schedule(key: &Block) -> [[u8; 48]; 16] {
    let mut halves: [u8; 56] = PC1.map(|at| key[usize::from(at) - 1]);
    SHIFTS.map(|shift| {
        halves[..28].rotate_left(shift);
        halves[28..].rotate_left(shift);
        PC2.map(|at| halves[usize::from(at) - 1])
    })
}

fn encrypt(block: &Block, keys: &[[u8; 48]; 16], salt: u32) -> Block {
    let mixed = IP.map(|at| block[usize::from(at) - 1]);
    let (mut left, mut right) = ([0; 32], [0; 32]);
    left.copy_from_slice(&mixed[..32]);
    right.copy_from_slice(&mixed[32..]);
    for key in keys {
        let turned = round(&right, key, salt);
        let next = std::array::from_fn(|at| left[at] ^ turned[at]);
        (left, right) = (right, next);
    }
    let mut whole = [0; 64];
    whole[..32].copy_from_slice(&right);
    whole[32..].copy_from_slice(&left);
    // The final permutation is the inverse of the initial one.
    let mut out = [0; 64];
    IP.iter().zip(whole).for_each(|(&at, bit)| out[usize::from(at) - 1] = bit);
    out
}

fn round(right: &[u8; 32], key: &[u8; 48], salt: u32) -> [u8; 32] {
    // Four bits of the half with one neighbour on each side, eight times over.
    let mut wide: [u8; 48] = std::array::from_fn(|at| right[(at / 6 * 4 + at % 6 + 31) % 32]);
    (0..24).filter(|at| salt >> at & 1 == 1).for_each(|at| wide.swap(at, at + 24));
    wide.iter_mut().zip(key).for_each(|(bit, key)| *bit ^= key);
    let mut out = [0; 32];
    for (at, bits) in wide.chunks(6).enumerate() {
        let row = usize::from(bits[0] << 1 | bits[5]);
        let column = usize::from(bits[1] << 3 | bits[2] << 2 | bits[3] << 1 | bits[4]);
        let found = S[at][row * 16 + column];
        (0..4).for_each(|bit| out[at * 4 + bit] = found >> (3 - bit) & 1);
    }
    P.map(|at| out[usize::from(at) - 1])
}

#[rustfmt::skip]
const IP: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4,
    62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3,
    61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

#[rustfmt::skip]
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

#[rustfmt::skip]
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
];

#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

const SHIFTS: [usize; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

#[rustfmt::skip]
const S: [[u8; 64]; 8] = [
    [14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
     4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13],
    [15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
     0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9],
    [10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
     13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12],
    [7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
     10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14],
    [2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
     4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3],
    [12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
     9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13],
    [4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
     1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12],
    [13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
     7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11],
];

//! What several modules take from Apache's utilities: numbers as C reads them.

/// The number at the beginning of a word, as C's atoi reads it; 65535 if it is greater.
pub fn leading_number(word: &[u8]) -> u16 {
    let digits = word.iter().take_while(|c| c.is_ascii_digit());
    digits.fold(0u16, |number, c| number.saturating_mul(10).saturating_add(u16::from(c - b'0')))
}

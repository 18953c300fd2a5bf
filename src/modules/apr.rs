//! What several modules take from Apache's utilities: numbers as C reads them, sizes as it writes them.

/// The number at the beginning of a word, as C's atoi reads it; 65535 if it is greater.
pub fn leading_number(word: &[u8]) -> u16 {
    let digits = word.iter().take_while(|c| c.is_ascii_digit());
    digits.fold(0u16, |number, c| number.saturating_mul(10).saturating_add(u16::from(c - b'0')))
}

/// A size in four characters: bytes below 973, else so many K, M and so on (apr_strfsize).
pub fn strfsize(mut bytes: u64) -> String {
    if bytes < 973 {
        return format!("{bytes:3} ");
    }
    for unit in ["K", "M", "G", "T", "P", "E"] {
        let rest = bytes & 1023;
        bytes >>= 10;
        if bytes >= 973 {
            continue;
        }
        if bytes < 9 || bytes == 9 && rest < 973 {
            let tenths = (rest * 5 + 256) / 512;
            let (whole, tenths) = if tenths >= 10 { (bytes + 1, 0) } else { (bytes, tenths) };
            return format!("{whole}.{tenths}{unit}");
        }
        return format!("{:3}{unit}", bytes + u64::from(rest >= 512));
    }
    "****".to_owned()
}

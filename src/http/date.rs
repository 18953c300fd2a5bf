//! Dates as header fields write them (RFC 9110 section 5.6.7).
//!
//! Times are whole seconds since the epoch; the caller keeps the text of the current second.

/// The length of every formatted date.
pub const LEN: usize = 29;

/// `Sun, 13 Sep 2020 12:26:40 GMT`. Times outside the years 1970 to 9999 are clamped to them.
pub fn format(seconds: i64) -> [u8; LEN] {
    const LAST: i64 = 253_402_300_799;
    let seconds = seconds.clamp(0, LAST);
    let days = seconds / 86_400;
    let time = seconds % 86_400;
    let (year, month, day) = civil(days);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    out[0..3].copy_from_slice(DAYS[(days % 7) as usize]);
    two(&mut out, 5, day);
    out[8..11].copy_from_slice(MONTHS[(month - 1) as usize]);
    two(&mut out, 12, year / 100);
    two(&mut out, 14, year % 100);
    two(&mut out, 17, time / 3600);
    two(&mut out, 20, time / 60 % 60);
    two(&mut out, 23, time % 60);
    out
}

/// The time a date field gives, in any of the three forms of HTTP, or `None` if it is none of them.
///
/// Reads as `apr_date_parse_http` does: the day of the week is whatever stands before the first space, what
/// follows the time is ignored, and a day of one digit is fine.
pub fn parse(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let start = text.iter().position(|&c| c == b' ')?;
    let rest = &text[start + 1..];
    let (day, month, year, time) = match rest {
        [d0, d1, b' ', m0, m1, m2, b' ', y @ ..] if y.get(4) == Some(&b' ') => {
            (digits(&[*d0, *d1])?, [*m0, *m1, *m2], digits(&y[..4])?, &y[5..])
        }
        [d, b' ', m0, m1, m2, b' ', y @ ..] if y.get(4) == Some(&b' ') => {
            (digits(&[*d])?, [*m0, *m1, *m2], digits(&y[..4])?, &y[5..])
        }
        [d0, d1, b'-', m0, m1, m2, b'-', y0, y1, b' ', time @ ..] => {
            let year = digits(&[*y0, *y1])?;
            let century = if year < 70 { 2000 } else { 1900 };
            (digits(&[*d0, *d1])?, [*m0, *m1, *m2], century + year, time)
        }
        [m0, m1, m2, b' ', d0, d1, b' ', time @ ..] => {
            let day = if *d0 == b' ' { digits(&[*d1])? } else { digits(&[*d0, *d1])? };
            (day, [*m0, *m1, *m2], digits(time.get(9..13)?)?, time)
        }
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| **name == month)? as i64 + 1;
    let [h0, h1, b':', m0, m1, b':', s0, s1, b' ', ..] = time else { return None };
    let (hour, minute, second) = (digits(&[*h0, *h1])?, digits(&[*m0, *m1])?, digits(&[*s0, *s1])?);
    let days = days(year, month, day);
    let exists = civil_is(days, year, month, day) && hour <= 23 && minute <= 59 && second <= 61;
    (exists && year >= 1970).then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn digits(text: &[u8]) -> Option<i64> {
    let all = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    all.then(|| text.iter().fold(0, |n, c| n * 10 + i64::from(c - b'0')))
}

/// The day number of a date from 1900 on, by the days-from-civil method.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

fn civil_is(days: i64, year: i64, month: i64, day: i64) -> bool {
    days >= 0 && civil(days) == (year, month, day)
}

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

fn two(out: &mut [u8; LEN], at: usize, value: i64) {
    out[at] = b'0' + (value / 10 % 10) as u8;
    out[at + 1] = b'0' + (value % 10) as u8;
}

/// Year, month and day of a day number, by the days-from-civil method run backwards.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[track_caller]
    fn check(seconds: i64, text: &str) {
        assert_eq!(std::str::from_utf8(&format(seconds)).unwrap(), text);
        assert_eq!(parse(text.as_bytes()), Some(seconds));
    }

    #[test]
    fn known_dates() {
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(1_600_000_000, "Sun, 13 Sep 2020 12:26:40 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
    }

    #[test]
    fn the_three_forms() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse(text.as_bytes()), Some(784_111_777), "{text}");
        }
        for text in ["junk", "Sun, 06 Nov 1994 08:49:3x GMT", "Sun, 31 Feb 1994 08:49:37 GMT", ""] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_apache_takes_besides() {
        for text in ["un, 13 Sep 2020 12:26:40 GMT", "Su/n, 13 Sep 2020 12:26:40 \u{b}GMT"] {
            assert_eq!(parse(text.as_bytes()), Some(1_600_000_000), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_httpdate(seconds in 0i64..253_402_300_799) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds as u64);
            prop_assert_eq!(format(seconds).to_vec(), httpdate::fmt_http_date(time).into_bytes());
        }

        #[test]
        fn never_panics(text: Vec<u8>, seconds: i64) {
            let _ = (parse(&text), format(seconds));
        }
    }
}

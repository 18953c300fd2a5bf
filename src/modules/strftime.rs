//! strftime(3) in the C locale, for logs and pages.

use chrono::{DateTime, Datelike, FixedOffset, Local, Timelike, Utc};
use std::time::SystemTime;

/// A time in a zone.
#[derive(Clone, Debug)]
pub struct Zoned {
    time: DateTime<FixedOffset>,
    /// What `%Z` says.
    zone: String,
}

/// A time in the server's zone. Its name is not to be had without the C library: where it is not UTC
/// its offset stands for it.
pub fn local(when: SystemTime) -> Zoned {
    let time = DateTime::<Local>::from(when).fixed_offset();
    let zone = if time.offset().local_minus_utc() == 0 { "UTC".to_owned() } else { offset(&time) };
    Zoned { time, zone }
}

/// A time in Greenwich (`ap_ht_time` with `gmt`).
pub fn gmt(when: SystemTime) -> Zoned {
    Zoned { time: DateTime::<Utc>::from(when).fixed_offset(), zone: "GMT".to_owned() }
}

fn offset(time: &DateTime<FixedOffset>) -> String {
    let minutes = time.offset().local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// strftime(3) of the C locale, with the flags and widths of the GNU library. What it does not know
/// stays as it is.
pub fn strftime(format: &[u8], time: &Zoned) -> Vec<u8> {
    let mut out = Vec::with_capacity(format.len() * 2);
    let mut rest = format;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (spec, letter) = Spec::read(after);
        let known = letter.and_then(|(letter, length)| Some((spec.convert(letter, time)?, length)));
        match known {
            Some((text, length)) => {
                out.extend_from_slice(text.as_bytes());
                rest = &after[length..];
            }
            None => out.push(b'%'),
        }
    }
    out
}

/// What stands between `%` and the letter.
#[derive(Clone, Copy, Debug, Default)]
struct Spec {
    /// `-` no padding, `_` blanks, `0` zeros.
    pad: Option<u8>,
    upper: bool,
    swap: bool,
    width: usize,
}

impl Spec {
    /// Reads flags, width and modifier; the letter, and how long all of it is.
    fn read(text: &[u8]) -> (Spec, Option<(u8, usize)>) {
        let mut spec = Spec::default();
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                b'-' | b'_' => spec.pad = Some(byte),
                b'0' if spec.width == 0 => spec.pad = Some(byte),
                b'^' => spec.upper = true,
                b'#' => spec.swap = true,
                b'0'..=b'9' => {
                    spec.width = (spec.width * 10 + usize::from(byte - b'0')).min(1000);
                }
                b'E' | b'O' => {}
                letter => return (spec, Some((letter, at + 1))),
            }
        }
        (spec, None)
    }

    fn convert(self, letter: u8, time: &Zoned) -> Option<String> {
        Some(match letter {
            b'a' | b'A' | b'b' | b'B' | b'h' | b'Z' | b'p' | b'P' => self.word(&name(letter, time)),
            b'c' | b'D' | b'F' | b'r' | b'R' | b'T' | b'x' | b'X' => self.word(&compound(letter, time)),
            b'z' => offset(&time.time),
            b'n' => "\n".to_owned(),
            b't' => "\t".to_owned(),
            b'%' => "%".to_owned(),
            letter => {
                let (value, width, pad) = number(letter, time)?;
                self.number(value, width, pad)
            }
        })
    }

    fn number(self, value: i64, width: usize, pad: u8) -> String {
        let width = width.max(self.width);
        match self.pad.unwrap_or(pad) {
            b'-' => value.to_string(),
            b'_' => format!("{value:width$}"),
            _ => format!("{value:0width$}"),
        }
    }

    fn word(self, text: &str) -> String {
        let width = self.width;
        let text = match (self.upper, self.swap) {
            (true, _) => text.to_ascii_uppercase(),
            (false, true) if text.bytes().all(|byte| !byte.is_ascii_lowercase()) => text.to_ascii_lowercase(),
            (false, true) => text.to_ascii_uppercase(),
            _ => text.to_owned(),
        };
        match self.pad {
            Some(b'0') => format!("{text:0>width$}"),
            _ => format!("{text:>width$}"),
        }
    }
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn name(letter: u8, zoned: &Zoned) -> String {
    let time = &zoned.time;
    let day = DAYS[time.weekday().num_days_from_sunday() as usize % 7];
    let month = MONTHS[time.month0() as usize % 12];
    let noon = time.hour() >= 12;
    match letter {
        b'a' => day[..3].to_owned(),
        b'A' => day.to_owned(),
        b'b' | b'h' => month[..3].to_owned(),
        b'B' => month.to_owned(),
        b'p' => if noon { "PM" } else { "AM" }.to_owned(),
        b'P' => if noon { "pm" } else { "am" }.to_owned(),
        _ => zoned.zone.clone(),
    }
}

fn compound(letter: u8, time: &Zoned) -> String {
    let format: &[u8] = match letter {
        b'c' => b"%a %b %e %H:%M:%S %Y",
        b'D' | b'x' => b"%m/%d/%y",
        b'F' => b"%Y-%m-%d",
        b'r' => b"%I:%M:%S %p",
        b'R' => b"%H:%M",
        _ => b"%H:%M:%S",
    };
    String::from_utf8_lossy(&strftime(format, time)).into_owned()
}

/// Value, width and padding of a numeric conversion.
fn number(letter: u8, zoned: &Zoned) -> Option<(i64, usize, u8)> {
    let time = &zoned.time;
    let year = i64::from(time.year());
    let (weekday, of_year) = (time.weekday().num_days_from_sunday(), time.ordinal0());
    let hour12 = (time.hour() + 11) % 12 + 1;
    let two = |value: u32| (i64::from(value), 2, b'0');
    Some(match letter {
        b'C' => (year.div_euclid(100), 2, b'0'),
        b'd' => two(time.day()),
        b'e' => (i64::from(time.day()), 2, b'_'),
        b'g' => (i64::from(time.iso_week().year()).rem_euclid(100), 2, b'0'),
        b'G' => (i64::from(time.iso_week().year()), 1, b'0'),
        b'H' => two(time.hour()),
        b'I' => two(hour12),
        b'j' => (i64::from(of_year) + 1, 3, b'0'),
        b'k' => (i64::from(time.hour()), 2, b'_'),
        b'l' => (i64::from(hour12), 2, b'_'),
        b'm' => two(time.month()),
        b'M' => two(time.minute()),
        b's' => (time.timestamp(), 1, b'0'),
        b'S' => two(time.second()),
        b'u' => (i64::from(time.weekday().number_from_monday()), 1, b'0'),
        b'U' => two((of_year + 7 - weekday) / 7),
        b'V' => two(time.iso_week().week()),
        b'w' => (i64::from(weekday), 1, b'0'),
        b'W' => two((of_year + 7 - (weekday + 6) % 7) / 7),
        b'y' => (year.rem_euclid(100), 2, b'0'),
        b'Y' => (year, 1, b'0'),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[track_caller]
    fn check(format: &str, expected: &str) {
        let time = Utc.with_ymd_and_hms(2026, 11, 23, 2, 49, 16).single().expect("there is such a time");
        let text = strftime(format.as_bytes(), &gmt(time.into()));
        assert_eq!(String::from_utf8_lossy(&text), expected, "{format}");
    }

    #[test]
    fn conversions_as_the_c_library_makes_them() {
        check(
            "%c %x %X %p %e %k %l %n %j %U %V %G %h",
            "Mon Nov 23 02:49:16 2026 11/23/26 02:49:16 AM 23  2  2 \n 327 47 48 2026 Nov",
        );
        check("%Z %z", "GMT +0000");
        check("%D %R %r %P", "11/23/26 02:49 02:49:16 AM am");
        check(
            "%y %C %g %u %w %W %S %M %I %m %A %B %a %b %F %T %t|",
            "26 20 26 1 1 47 16 49 02 11 Monday November Mon Nov 2026-11-23 02:49:16 \t|",
        );
    }

    #[test]
    fn flags_and_widths() {
        check("%-d %_d %^a %05d %Ey %Od %#p", "23 23 MON 00023 26 23 am");
    }

    #[test]
    fn what_is_unknown_stays() {
        check("%f %+ %N %v %i %J %! %:z %q % %E", "%f %+ %N %v %i %J %! %:z %q % %E");
        check("foo%Qbar", "foo%Qbar");
        check("%", "%");
    }
}

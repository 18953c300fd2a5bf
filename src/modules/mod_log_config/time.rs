//! Times as logs write them: strftime(3) in the C locale, made once a second.

use bstr::BString;
use chrono::{DateTime, Datelike, Local, Offset, Timelike};
use rustc_hash::FxHashMap;
use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

/// The common log format's time.
const COMMON: &[u8] = b"[%d/%b/%Y:%H:%M:%S %z]";

/// The texts of the last second by format; one in each worker.
#[derive(Debug, Default)]
pub struct Times {
    made: FxHashMap<BString, (u64, Vec<u8>)>,
}

impl Times {
    /// Writes a time. `format` is one of Apache's five words, or for strftime; empty is the common form.
    pub fn write(&mut self, when: SystemTime, format: &[u8], out: &mut Vec<u8>) {
        let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Writing to memory does not fail.
        let _ = match format {
            b"sec" => write!(out, "{}", since.as_secs()),
            b"msec" => write!(out, "{}", since.as_millis()),
            b"usec" => write!(out, "{}", since.as_micros()),
            b"msec_frac" => write!(out, "{:03}", since.subsec_millis()),
            b"usec_frac" => write!(out, "{:06}", since.subsec_micros()),
            b"" => return self.cached(when, since.as_secs(), COMMON, out),
            format => return self.cached(when, since.as_secs(), format, out),
        };
    }

    fn cached(&mut self, when: SystemTime, second: u64, format: &[u8], out: &mut Vec<u8>) {
        match self.made.get(bstr::BStr::new(format)) {
            Some((made, text)) if *made == second => out.extend_from_slice(text),
            _ => {
                let text = strftime(format, &DateTime::<Local>::from(when));
                out.extend_from_slice(&text);
                self.made.insert(format.into(), (second, text));
            }
        }
    }
}

/// strftime(3) of the C locale, with the flags and widths of the GNU library. What it does not know
/// stays as it is.
pub fn strftime(format: &[u8], time: &DateTime<Local>) -> Vec<u8> {
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

    fn convert(self, letter: u8, time: &DateTime<Local>) -> Option<String> {
        Some(match letter {
            b'a' | b'A' | b'b' | b'B' | b'h' | b'Z' | b'p' | b'P' => self.word(&name(letter, time)),
            b'c' | b'D' | b'F' | b'r' | b'R' | b'T' | b'x' | b'X' => self.word(&compound(letter, time)),
            b'z' => {
                let minutes = time.offset().fix().local_minus_utc() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
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

fn name(letter: u8, time: &DateTime<Local>) -> String {
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
        // The zone's name is not to be had without the C library; its offset says the same.
        _ if time.offset().fix().local_minus_utc() == 0 => "UTC".to_owned(),
        _ => time.format("%z").to_string(),
    }
}

fn compound(letter: u8, time: &DateTime<Local>) -> String {
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
fn number(letter: u8, time: &DateTime<Local>) -> Option<(i64, usize, u8)> {
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
        let time =
            Local.with_ymd_and_hms(2026, 11, 23, 2, 49, 16).single().expect("no change of clocks then");
        let text = strftime(format.as_bytes(), &time);
        assert_eq!(String::from_utf8_lossy(&text), expected, "{format}");
    }

    #[test]
    fn conversions_as_the_c_library_makes_them() {
        check(
            "%c %x %X %p %e %k %l %n %j %U %V %G %h",
            "Mon Nov 23 02:49:16 2026 11/23/26 02:49:16 AM 23  2  2 \n 327 47 48 2026 Nov",
        );
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

    #[track_caller]
    fn check_word(format: &str, expected: &str) {
        let when = UNIX_EPOCH + std::time::Duration::from_micros(1_795_402_020_018_603);
        let mut out = Vec::new();
        Times::default().write(when, format.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn words_of_apache() {
        check_word("sec", "1795402020");
        check_word("msec", "1795402020018");
        check_word("usec", "1795402020018603");
        check_word("msec_frac", "018");
        check_word("usec_frac", "018603");
        check_word("secs", "secs");
    }
}

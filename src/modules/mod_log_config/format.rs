//! A log format: text and `%` items, compiled once.

use super::fields::{self, Field, Finished};
use bstr::{BString, ByteSlice};

/// A compiled format.
#[derive(Clone, Debug, Default)]
pub struct Format {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(BString),
    Item(Item),
}

/// One `%…x`.
#[derive(Clone, Debug)]
struct Item {
    field: Field,
    argument: Option<BString>,
    /// Asked of the request as it came (`<`), or of the one that was answered in the end (`>`).
    original: bool,
    /// Statuses for which it is written; with `except`, those for which it is not.
    statuses: Vec<u16>,
    except: bool,
}

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// No item has this letter.
    Unknown(u8),
    /// The text ends within an item.
    RanOff,
}

impl FormatError {
    /// Apache's message.
    pub fn message(&self) -> String {
        match self {
            FormatError::Unknown(byte @ b' '..=b'~') => {
                format!("Unrecognized LogFormat directive %{}", char::from(*byte))
            }
            FormatError::Unknown(byte) => format!("Unrecognized LogFormat directive %\\x{byte:02x}"),
            FormatError::RanOff => "Ran off end of LogFormat parsing args to some directive".to_owned(),
        }
    }
}

impl Format {
    /// Compiles a format: `\n`, `\r`, `\t` and `\\` are escapes, other backslashes stay. With `ssl`,
    /// there are the items of mod_ssl as well.
    pub fn compile(text: &[u8], ssl: bool) -> Result<Format, FormatError> {
        let mut format = Format::default();
        let mut plain = BString::default();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after.first()) {
                (b'%', Some(b'%')) => {
                    plain.push(b'%');
                    rest = &after[1..];
                }
                (b'%', _) => {
                    let (item, after) = item(after, ssl)?;
                    if !plain.is_empty() {
                        format.parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    format.parts.push(Part::Item(item));
                    rest = after;
                }
                (b'\\', Some(&escape @ (b'\\' | b'r' | b'n' | b't'))) => {
                    plain.push(match escape {
                        b'r' => b'\r',
                        b'n' => b'\n',
                        b't' => b'\t',
                        other => other,
                    });
                    rest = &after[1..];
                }
                _ => plain.push(byte),
            }
        }
        if !plain.is_empty() {
            format.parts.push(Part::Text(plain));
        }
        Ok(format)
    }

    /// Writes the line of a finished request, without its end.
    pub fn write(&self, finished: &mut Finished<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Item(item) => item.write(finished, out),
            }
        }
    }
}

impl Item {
    fn write(&self, finished: &mut Finished<'_>, out: &mut Vec<u8>) {
        let status = finished.last.status.0;
        if !self.statuses.is_empty() && self.statuses.contains(&status) == self.except {
            return out.push(b'-');
        }
        let req = if self.original { finished.last.first() } else { finished.last };
        // The request of an ErrorDocument that failed itself is gone; its status is not.
        if let (false, "s", Some(status)) = (self.original, self.field.name, finished.last.document_failed) {
            return out.extend_from_slice(status.0.to_string().as_bytes());
        }
        let argument = self.argument.as_ref().map(|argument| argument.as_slice());
        (self.field.write)(finished, req, argument, out);
    }
}

/// Reads an item behind its `%`: modifiers in any order and number, then its letter.
fn item(text: &[u8], ssl: bool) -> Result<(Item, &[u8]), FormatError> {
    let (mut statuses, mut except, mut original, mut argument) = (Vec::new(), false, None, None);
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'!' => except = !except,
            b'<' => original = Some(true),
            b'>' => original = Some(false),
            b',' => {}
            b'{' => {
                let end = after.find_byte(b'}');
                argument = Some(BString::from(&after[..end.unwrap_or(after.len())]));
                rest = end.map_or(&[][..], |end| &after[end + 1..]);
            }
            b'0'..=b'9' => {
                let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = after[..digits].iter().fold(u32::from(byte - b'0'), |number, digit| {
                    number.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
                });
                statuses.push(u16::try_from(number).unwrap_or(u16::MAX));
                rest = &after[digits..];
            }
            _ => {
                let (field, rest) = field(byte, after, ssl)?;
                let original = original.unwrap_or(field.original);
                return Ok((Item { field, argument, original, statuses, except }, rest));
            }
        }
    }
    Err(FormatError::RanOff)
}

/// The item of a letter, or of `^` and two letters.
fn field(byte: u8, after: &[u8], ssl: bool) -> Result<(Field, &[u8]), FormatError> {
    let more = if ssl { fields::SSL } else { &[] };
    let all = || fields::ALL.iter().chain(more);
    let by_name = |name: &[u8]| all().find(|field| field.name.as_bytes() == name).copied();
    if byte == b'^'
        && let Some(two) = after.get(..2)
        && let Some(field) = by_name(&[b"^", two].concat())
    {
        return Ok((field, &after[2..]));
    }
    by_name(&[byte]).map(|field| (field, after)).ok_or(FormatError::Unknown(byte))
}

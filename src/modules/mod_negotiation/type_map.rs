//! Type maps: files that list the variants of a document.

use super::{accept, variants::Variant};
use bstr::{BString, ByteSlice};

/// What is wrong with a map: Apache's number and words, and whether it cannot be used at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// `AH…`.
    pub number: &'static str,
    /// The text.
    pub text: String,
    /// No variant can be chosen: 500.
    pub fatal: bool,
}

/// Reads a map. `file` is its own name, in full for messages.
///
/// # Errors
/// It cannot be used; what was read before a lesser fault counts.
pub fn read(text: &[u8], file: &[u8], faults: &mut Vec<Fault>) -> Option<Vec<Variant>> {
    let own = &file[file.rfind_byte(b'/').map_or(0, |slash| slash + 1)..];
    let fresh = || Variant { name: own.into(), source: 1.0, ..Variant::default() };
    let mut variants = Vec::new();
    let mut variant = fresh();
    // Whether the record has anything that can be chosen.
    let mut begun = false;
    let mut at = 0;
    let file = file.as_bstr();
    loop {
        let (field, after) = field(text, at);
        at = after;
        let Some(field) = field else {
            if begun {
                variants.push(std::mem::replace(&mut variant, fresh()));
            }
            begun = false;
            if at >= text.len() {
                return Some(variants);
            }
            continue;
        };
        let Some(colon) = field.find_byte(b':') else {
            faults.push(Fault {
                number: "AH00681",
                text: format!("Syntax error in type map, no ':' in {file} for header {}", shown(&field)),
                fatal: true,
            });
            return None;
        };
        let (name, value) = (field[..colon].trim().to_ascii_lowercase(), field[colon + 1..].trim_start());
        if value.is_empty() {
            faults.push(Fault {
                number: "AH00682",
                text: format!("Syntax error in type map --- no header body: {file} for {}", shown(&field)),
                fatal: true,
            });
            return None;
        }
        let value = value.trim_end();
        match name.as_slice() {
            b"uri" => variant.name = first_word(value).into(),
            b"content-type" => {
                let (item, _) = accept::item(value);
                variant.set_type(item);
                begun = true;
            }
            b"content-length" => match first_word(value).to_str().ok().and_then(|word| word.parse().ok()) {
                Some(length) => {
                    variant.length = Some(length);
                    begun = true;
                }
                None => {
                    let word = first_word(value).as_bstr();
                    faults.push(Fault {
                        number: "AH00684",
                        text: format!(
                            "Parse error in type map, Content-Length: '{word}' in {file} is invalid."
                        ),
                        fatal: false,
                    });
                    return Some(variants);
                }
            },
            b"content-language" => {
                let words = value.split(|byte| *byte == b',').map(|word| word.trim().to_ascii_lowercase());
                variant.languages = words.filter(|word| !word.is_empty()).map(BString::from).collect();
                begun = true;
            }
            b"content-encoding" => {
                variant.encoding = first_word(value).to_ascii_lowercase().into();
                begun = true;
            }
            b"description" => {
                variant.description = value.replace("\n", " ").into();
            }
            b"body" => {
                let tag = first_line(value);
                let Some(length) = text[at..].find(tag).filter(|_| !tag.is_empty()) else {
                    let tag = tag.as_bstr();
                    faults.push(Fault {
                        number: "AH00685",
                        text: format!(
                            "Syntax error in type map, no end tag '{tag}' found in {file} for Body: content."
                        ),
                        fatal: false,
                    });
                    return Some(variants);
                };
                variant.body = Some((at as u64, length as u64));
                variant.length = Some(length as u64);
                variants.push(std::mem::replace(&mut variant, fresh()));
                begun = false;
                at += length;
                at += text[at..].find_byte(b'\n').map_or(text.len() - at, |end| end + 1);
            }
            _ => {}
        }
    }
}

/// A field as a log line has it: its name in lower case, and the end of its line.
fn shown(field: &[u8]) -> BString {
    let colon = field.find_byte(b':').unwrap_or(field.len());
    [&field[..colon].to_ascii_lowercase()[..], &field[colon..]].concat().into()
}

fn first_word(value: &[u8]) -> &[u8] {
    value.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}

fn first_line(value: &[u8]) -> &[u8] {
    value.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_end()
}

/// The next field with its continuation lines, comments left out; `None` for a line that ends a
/// record, or the end.
fn field(text: &[u8], from: usize) -> (Option<BString>, usize) {
    let mut at = from;
    let mut whole: Vec<u8> = Vec::new();
    while at < text.len() {
        let end = text[at..].find_byte(b'\n').map_or(text.len(), |end| at + end + 1);
        let line = &text[at..end];
        if line.starts_with(b"#") && whole.is_empty() {
            at = end;
            continue;
        }
        if line.trim().is_empty() {
            return if whole.is_empty() { (None, end) } else { (Some(whole.into()), at) };
        }
        if !whole.is_empty() && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            return (Some(whole.into()), at);
        }
        whole.extend_from_slice(line);
        at = end;
        // What follows is the content itself.
        if line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"body:")) {
            break;
        }
    }
    ((!whole.is_empty()).then(|| whole.into()), at)
}

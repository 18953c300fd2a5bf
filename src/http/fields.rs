//! Header lines of a request: line ends, folding, limits, and the two parsers of `HttpProtocolOptions`.

use super::headers::Headers;
use super::request::{BadRequest, Limits};
use super::request_line::is_token;
use super::status::Status;
use std::borrow::Cow;

/// One line out of `bytes`.
pub(super) enum Cut<'a> {
    /// The line without its end, and how many bytes it takes with it.
    Line(&'a [u8], usize),
    /// No line end yet.
    Partial,
    /// Longer than `limit`.
    TooLong,
    /// A bare LF where only CRLF ends a line, or a NUL.
    Malformed,
}

/// Cuts the first line off `bytes`; `limit` is the directive's number, one more byte is let through as in Apache.
pub(super) fn cut(bytes: &[u8], limit: usize, strict: bool) -> Cut<'_> {
    let most = limit.saturating_add(1);
    let Some(end) = bytes.iter().take(most.saturating_add(2)).position(|&c| c == b'\n') else {
        return if bytes.len() >= most.saturating_add(2) { Cut::TooLong } else { Cut::Partial };
    };
    let line = match &bytes[..end] {
        [line @ .., b'\r'] => line,
        _ if strict => return Cut::Malformed,
        line => line,
    };
    match line {
        _ if line.len() > most => Cut::TooLong,
        _ if line.contains(&0) => Cut::Malformed,
        _ => Cut::Line(line, end + 1),
    }
}

/// What became of the header lines.
pub(super) enum Fields {
    /// All of them, and how many bytes they took, the empty line included.
    Done(Headers, usize),
    Partial,
    Bad(Box<BadRequest>),
}

/// Reads header lines up to the empty one.
pub(super) fn parse<'a>(bytes: &'a [u8], limits: &'a Limits) -> Fields {
    let mut reader = Reader { limits, headers: Headers::with_capacity(16, 512), field: None, count: 0 };
    let mut at = 0;
    loop {
        let (line, len) = match cut(&bytes[at..], limits.field_size, limits.strict) {
            Cut::Line(line, len) => (line, len),
            Cut::Partial => return Fields::Partial,
            Cut::TooLong => return Fields::Bad(too_long(limits, &bytes[at..])),
            Cut::Malformed => return Fields::Bad(BadRequest::unreadable_headers()),
        };
        at += len;
        if !line.is_empty() && trim_end(line).is_empty() {
            let text: &[&[u8]] = &[b"Empty folded line encountered"];
            return Fields::Bad(BadRequest::header("AH03443", text));
        }
        if let Err(bad) = reader.take(trim_end(line)) {
            return Fields::Bad(bad);
        }
        if line.is_empty() {
            break;
        }
    }
    let mut headers = reader.headers;
    headers.compress();
    if let Some((name, _)) = headers.iter().find(|(_, value)| value.len() > limits.field_size) {
        return Fields::Bad(oversize("AH00560", b" after merging", name));
    }
    Fields::Done(headers, at)
}

struct Reader<'a> {
    limits: &'a Limits,
    headers: Headers,
    field: Option<Cow<'a, [u8]>>,
    count: usize,
}

impl<'a> Reader<'a> {
    /// Takes one line; a field is complete only when the line after it is known not to go on with it.
    fn take(&mut self, line: &'a [u8]) -> Result<(), Box<BadRequest>> {
        if let [b' ' | b'\t', ..] = line {
            return self.fold(line);
        }
        self.flush()?;
        if !line.is_empty() {
            self.field = Some(line.into());
        }
        Ok(())
    }

    /// Joins with one space, whatever white space stood around the line end.
    fn fold(&mut self, line: &[u8]) -> Result<(), Box<BadRequest>> {
        let Some(field) = &mut self.field else {
            let text: &[&[u8]] = &[b"Line folding encountered before first header line"];
            return Err(BadRequest::header("AH03442", text));
        };
        if field.len() + line.len() + 1 >= self.limits.field_size {
            return Err(oversize("AH00562", b" after folding", name_of(field)));
        }
        let field = field.to_mut();
        field.push(b' ');
        field.extend_from_slice(trim_start(line));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Box<BadRequest>> {
        let Some(field) = self.field.take() else { return Ok(()) };
        self.count += 1;
        if self.limits.fields > 0 && self.count > self.limits.fields {
            let mut bad =
                BadRequest::header("AH00563", &[b"Number of request headers exceeds LimitRequestFields"]);
            bad.notes = "The number of request header fields exceeds this server's limit.".into();
            bad.info = true;
            return Err(bad);
        }
        let (name, value) = if self.limits.strict { split_strict(&field) } else { split_unsafe(&field) }?;
        self.headers.append(name, value);
        Ok(())
    }
}

fn split_strict(field: &[u8]) -> Result<(&[u8], &[u8]), Box<BadRequest>> {
    let end = field.iter().position(|&c| !is_token(c)).unwrap_or(field.len());
    if end == 0 || field.get(end) != Some(&b':') {
        let text: &[&[u8]] = &[b"Request header field name is malformed: ", field];
        return Err(BadRequest::header("AH02426", text));
    }
    let value = trim_start(&field[end + 1..]);
    if value.iter().any(|&c| c != b'\t' && (c < b' ' || c == 0x7f)) {
        return Err(BadRequest::header("AH02427", &[b"Request header value is malformed: ", value]));
    }
    Ok((&field[..end], value))
}

fn split_unsafe(field: &[u8]) -> Result<(&[u8], &[u8]), Box<BadRequest>> {
    let Some(colon) = field.iter().position(|&c| c == b':') else {
        let text: &[&[u8]] = &[b"Request header field is missing ':' separator: ", field];
        return Err(BadRequest::header("AH00564", text));
    };
    let (name, value) = (&field[..colon], trim_start(&field[colon + 1..]));
    if name.is_empty() {
        return Err(BadRequest::header("AH03453", &[b"Request header field name was empty"]));
    }
    if name.iter().any(|c| b"\t\n\x0b\x0c\r ".contains(c)) {
        let text: &[&[u8]] = &[b"Request header field name presented invalid whitespace"];
        return Err(BadRequest::header("AH03452", text));
    }
    if value.iter().any(|c| b"\n\x0b\x0c\r".contains(c)) {
        let text: &[&[u8]] = &[b"Request header field value presented bad whitespace"];
        return Err(BadRequest::header("AH03451", text));
    }
    Ok((name, value))
}

fn too_long(limits: &Limits, line: &[u8]) -> Box<BadRequest> {
    let line = &line[..line.len().min(limits.field_size)];
    oversize("AH00561", b"", name_of(line))
}

fn oversize(ah: &'static str, when: &[u8], name: &[u8]) -> Box<BadRequest> {
    let text: &[&[u8]] = &[b"Request header exceeds LimitRequestFieldSize", when, b": ", name];
    let mut bad = BadRequest::header(ah, text);
    bad.status = Status::BAD_REQUEST;
    bad.notes = "Size of a request header field exceeds server limit.".into();
    bad.info = true;
    bad
}

/// What Apache shows of an oversized field: its name, at most 80 bytes.
fn name_of(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&c| c == b':').unwrap_or(field.len());
    &field[..end.min(80)]
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|c| !b" \t".contains(c)).unwrap_or(text.len());
    &text[start..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|c| !b" \t".contains(c)).map_or(0, |at| at + 1);
    &text[..end]
}

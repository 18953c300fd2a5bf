//! `Define`, `UnDefine`, `-D`, and the expansion of `${VAR}`.

use bstr::{BString, ByteSlice};

use super::Reader;
use crate::{
    diag::{Apache, Diagnostic, Span},
    syntax::Text,
};

/// Names that are defined, and values of those that have one.
///
/// As in Apache the two are apart: `<IfDefine>` compares names exactly, while `${VAR}` finds values
/// in any letter case; `Define X ""` defines a name without value, `Define X` after `Define X 1`
/// leaves the value alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defines {
    names: Vec<BString>,
    values: Vec<(BString, BString, Span)>,
}

impl Defines {
    /// Nothing defined.
    pub fn new() -> Self {
        Defines::default()
    }

    /// Names given with `-D`.
    pub fn from_names<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| BString::from(name.as_ref())).collect();
        Defines { names, values: Vec::new() }
    }

    /// Whether the name is defined, as `<IfDefine>` asks.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names.iter().any(|defined| *defined == name)
    }

    /// The value of `${name}`.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.values.iter().find(|(key, ..)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value, _)| value.as_bytes())
    }

    /// All names, in the order of definition.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|name| name.as_bytes())
    }

    /// All values with the place that gave them.
    pub fn values(&self) -> impl Iterator<Item = (&[u8], &[u8], Span)> {
        self.values.iter().map(|(name, value, at)| (name.as_bytes(), value.as_bytes(), *at))
    }

    /// `Define name value`.
    pub fn define(&mut self, name: &[u8], value: Option<&[u8]>, at: Span) {
        if !self.contains(name) {
            self.names.push(name.into());
        }
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        self.values.retain(|(key, ..)| !key.eq_ignore_ascii_case(name));
        self.values.push((name.into(), value.into(), at));
    }

    /// `UnDefine name`.
    pub fn undefine(&mut self, name: &[u8]) {
        self.names.retain(|defined| *defined != name);
        self.values.retain(|(key, ..)| !key.eq_ignore_ascii_case(name));
    }
}

impl Reader<'_> {
    /// A line with its `${VAR}` replaced: by Define, then by the environment. What is not defined
    /// stays, with Apache's warning unless the name has a colon (`${map:key}` of mod_rewrite).
    pub(super) fn expand(&mut self, line: Text) -> Text {
        if next_variable(line.bytes(), 0).is_none() {
            return line;
        }
        let mut text = Text::new(line.span(0..0).file);
        let mut at = 0;
        while let Some((start, end)) = next_variable(line.bytes(), at) {
            append(&mut text, &line, at..start);
            let name = line.bytes().get(start + 2..end - 1).unwrap_or_default();
            let span = line.span(start..end);
            match self.variable(name) {
                Some(value) => text.push_replaced(&value, span),
                None => {
                    self.undefined(name, span);
                    append(&mut text, &line, start..end);
                }
            }
            at = end;
        }
        append(&mut text, &line, at..line.len());
        text
    }

    fn variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let defined = self.state.defines.value(name).map(<[u8]>::to_vec);
        defined.or_else(|| self.system.env(name))
    }

    fn undefined(&mut self, name: &[u8], span: Span) {
        if name.contains(&b':') {
            return;
        }
        let name = name.as_bstr();
        let text = format!("AH00111: Config variable ${{{name}}} is not defined");
        let diagnostic = Diagnostic::warning("RX0030", span, format!("variable ${{{name}}} is not defined"))
            .with_apache(Apache::Plain(text))
            .with_label("stays as it is written")
            .with_note("neither a Define before this line nor the environment gives it a value")
            .with_advice(format!("put `Define {name} VALUE` before this line, or export it to the server"));
        self.out.diagnostics.push(diagnostic);
    }
}

fn next_variable(line: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut start = from;
    loop {
        start += line.get(start..)?.find_byte(b'$')?;
        if line.get(start + 1) == Some(&b'{') {
            break;
        }
        start += 1;
    }
    let end = start + line.get(start..)?.find_byte(b'}')? + 1;
    Some((start, end))
}

/// Appends a range of one text to another, keeping its places.
fn append(text: &mut Text, from: &Text, range: std::ops::Range<usize>) {
    if !range.is_empty() {
        text.append(&from.slice(range));
    }
}

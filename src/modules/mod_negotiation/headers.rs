//! What a client is told of the variants: Vary, TCN, Alternates, Content-Location, and the list on the
//! page of a 300 or 406.

use super::{Resource, variants::Variant};
use crate::{engine::Cx, http::escape};
use bstr::{BString, ByteSlice};

/// A part of what a variant is.
type Part = fn(&Variant) -> BString;

/// Writes the fields. `asked` says whether the client asked for the alternates.
pub fn set(cx: &mut Cx<'_>, resource: &Resource, best: Option<usize>, asked: bool) {
    let Resource { variants, transparent, .. } = resource;
    let mut vary: Vec<&str> = Vec::new();
    if *transparent {
        vary.push("negotiate");
    }
    let differ =
        |part: fn(&Variant) -> BString| variants.windows(2).any(|two| part(&two[0]) != part(&two[1]));
    let dimensions: [(&str, Part); 4] = [
        ("accept", |variant| variant.kind.clone()),
        ("accept-language", Variant::all_languages),
        ("accept-charset", |variant| variant.charset.clone()),
        ("accept-encoding", |variant| variant.encoding.clone()),
    ];
    vary.extend(dimensions.into_iter().filter(|(_, part)| differ(*part)).map(|(name, _)| name));
    let headers = &mut cx.req.err_headers_out;
    if let Some(best) = best.filter(|_| *transparent) {
        headers.set("Content-Location", escape::path_segment(&variants[best].name));
    }
    if (asked || best.is_none()) && !variants.is_empty() {
        headers.set("Alternates", bstr::join(", ", variants.iter().map(alternate)));
    }
    if !vary.is_empty() {
        headers.merge("Vary", vary.join(", "));
    }
    if *transparent {
        headers.set("TCN", if best.is_some() { "choice" } else { "list" });
    }
    if best.is_none() {
        cx.req.notes.set("variant-list", list(variants));
    }
}

/// An item of Alternates (RFC 2295 section 5).
fn alternate(variant: &Variant) -> BString {
    let mut text =
        format!("{{\"{}\" {}", escape::path_segment(&variant.name), quality(variant.source)).into_bytes();
    let mut add = |name: &str, value: &[u8]| {
        if !value.is_empty() {
            text.extend_from_slice(&[b" {", name.as_bytes(), b" ", value, b"}"].concat());
        }
    };
    add("type", &variant.kind);
    add("charset", &variant.charset);
    add("language", &variant.all_languages());
    add("encoding", &variant.encoding);
    let length = variant.length.filter(|length| *length > 0).map(|length| length.to_string());
    add("length", length.unwrap_or_default().as_bytes());
    text.push(b'}');
    text.into()
}

/// A quality with three digits at the most.
fn quality(quality: f32) -> String {
    let text = format!("{quality:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The list on the page.
fn list(variants: &[Variant]) -> BString {
    let mut out = b"Available variants:\n<ul>\n".to_vec();
    for variant in variants {
        let name = escape::path_segment(&variant.name);
        let shown = escape::html(&variant.name);
        let description = variant.description.as_bstr();
        out.extend_from_slice(
            &[b"<li><a href=\"", &name[..], b"\">", &shown, b"</a> ", description].concat(),
        );
        for (word, value) in [
            ("type", variant.kind.clone()),
            ("language", variant.all_languages()),
            ("charset", variant.charset.clone()),
            ("encoding", variant.encoding.clone()),
        ] {
            if !value.is_empty() {
                out.extend_from_slice(&[b", ", word.as_bytes(), b" ", &value[..]].concat());
            }
        }
        out.extend_from_slice(b"</li>\n");
    }
    out.extend_from_slice(b"</ul>\n");
    out.into()
}

//! The directives of mod_deflate: how hard a server compresses, and what it notes of it.

use crate::policy::{Applied, Args, Config, Directive, Mistake, Place, Said, SaidExt, Scope, Setting, Shape};
use bstr::BString;

/// `DeflateAlterETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterEtag {
    /// `-gzip` before the closing quote.
    AddSuffix,
    /// Left as it is.
    NoChange,
    /// Taken away.
    Remove,
}

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct Deflate {
    /// `DeflateCompressionLevel`.
    pub level: Said<u32>,
    /// `DeflateWindowSize`.
    pub window: Said<u8>,
    /// `DeflateBufferSize`: how much output the head of an answer waits for.
    pub buffer: Said<usize>,
    /// `DeflateAlterETag`.
    pub etag: Said<AlterEtag>,
    /// `DeflateFilterNote Input`.
    pub note_input: Said<BString>,
    /// `DeflateFilterNote Output`.
    pub note_output: Said<BString>,
    /// `DeflateFilterNote Ratio`.
    pub note_ratio: Said<BString>,
}

impl Config for Deflate {
    fn merge(&self, outer: &Self) -> Self {
        Deflate {
            level: self.level.over(&outer.level),
            window: self.window.over(&outer.window),
            buffer: self.buffer.over(&outer.buffer),
            etag: self.etag.over(&outer.etag),
            note_input: self.note_input.over(&outer.note_input),
            note_output: self.note_output.over(&outer.note_output),
            note_ratio: self.note_ratio.over(&outer.note_ratio),
        }
    }
}

pub(super) static DIRECTIVES: [Directive; 9] = [
    Directive {
        name: "DeflateAlterEtag",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "Set how mod_deflate should modify ETAG response headers: 'AddSuffix' (default), 'NoChange' (2.2.x behavior), 'Remove'",
        doc: "What becomes of the entity tag of an answer that is compressed.",
        apply: alter_etag,
    },
    Directive {
        name: "DeflateBufferSize",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "Set the Deflate Buffer Size",
        doc: "How much output is made before it is sent.",
        apply: buffer_size,
    },
    Directive {
        name: "DeflateCompressionLevel",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "Set the Deflate Compression Level (1-9)",
        doc: "How hard to compress, from 1 (fast) to 9 (small).",
        apply: level,
    },
    Directive {
        name: "DeflateFilterNote",
        shape: Shape::OneTwo,
        scope: Scope::RSRC_CONF,
        usage: "Set a note to report on compression ratio",
        doc: "Notes for log formats: bytes in, bytes out, per cent.",
        apply: note,
    },
    Directive {
        name: "DeflateInflateLimitRequestBody",
        shape: Shape::One,
        scope: Scope::ALL,
        usage: "Set a limit on size of inflated input",
        doc: "Without effect: request bodies are not inflated.",
        apply: |_, args| {
            let valid = number(args.text(0)).is_some_and(|limit| limit >= 0);
            check(valid, "DeflateInflateLimitRequestBody requires a non-negative integer.", args)
        },
    },
    Directive {
        name: "DeflateInflateRatioBurst",
        shape: Shape::One,
        scope: Scope::ALL,
        usage: "Set the maximum number of following inflate ratios above limit (default: 3)",
        doc: "Without effect: request bodies are not inflated.",
        apply: |_, args| check(atoi(args.text(0)) > 0, "DeflateInflateRatioBurst must be positive", args),
    },
    Directive {
        name: "DeflateInflateRatioLimit",
        shape: Shape::One,
        scope: Scope::ALL,
        usage: "Set the inflate ratio limit above which inflation is aborted (default: 200)",
        doc: "Without effect: request bodies are not inflated.",
        apply: |_, args| check(atoi(args.text(0)) > 0, "DeflateInflateRatioLimit must be positive", args),
    },
    Directive {
        name: "DeflateMemLevel",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "Set the Deflate Memory Level (1-9)",
        doc: "Without effect: zlib's own memory level is used.",
        apply: |_, args| {
            let valid = (1..=9).contains(&atoi(args.text(0)));
            check(valid, "DeflateMemLevel must be between 1 and 9", args)
        },
    },
    Directive {
        name: "DeflateWindowSize",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "Set the Deflate window size (1-15)",
        doc: "How far back repetitions are looked for, as a power of two.",
        apply: window,
    },
];

/// The number at the beginning of a text, 0 without one (C's atoi).
fn atoi(text: &[u8]) -> i64 {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    number(&text[..digits]).unwrap_or(0)
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn check(valid: bool, message: &str, args: &Args<'_>) -> Applied {
    if valid { Ok(()) } else { Err(Mistake::new(message).id("RX0380").at(args.at(0), "not in the range")) }
}

fn alter_etag(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let words = [
        ("AddSuffix", AlterEtag::AddSuffix),
        ("NoChange", AlterEtag::NoChange),
        ("Remove", AlterEtag::Remove),
    ];
    let found = words.iter().find(|(word, _)| args.text(0).eq_ignore_ascii_case(word.as_bytes()));
    let Some((_, value)) = found else {
        let message = "DeflateAlterETAG accepts only 'NoChange', 'AddSuffix', and 'Remove'";
        return Err(Mistake::new(message).id("RX0381").at(args.at(0), "none of the three"));
    };
    place.server::<Deflate>().etag = Some(Setting::new(*value, args.span));
    Ok(())
}

fn buffer_size(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let size = atoi(args.text(0));
    check(size > 0, "DeflateBufferSize should be positive", args)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(LARGEST_BUFFER);
    place.server::<Deflate>().buffer = Some(Setting::new(size, args.span));
    Ok(())
}

/// More than this is never kept back for one answer.
const LARGEST_BUFFER: usize = 1 << 20;

fn level(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let level = atoi(args.text(0));
    check((1..=9).contains(&level), "Compression Level must be between 1 and 9", args)?;
    let level = u32::try_from(level).unwrap_or(6);
    place.server::<Deflate>().level = Some(Setting::new(level, args.span));
    Ok(())
}

fn window(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let size = atoi(args.text(0));
    check((1..=15).contains(&size), "DeflateWindowSize must be between 1 and 15", args)?;
    place.server::<Deflate>().window = Some(Setting::new(u8::try_from(size).unwrap_or(15), args.span));
    Ok(())
}

fn note(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let conf = place.server::<Deflate>();
    let (field, name) = match args.get(1) {
        None => (&mut conf.note_ratio, args.text(0)),
        Some(name) => match args.text(0).to_ascii_lowercase().as_slice() {
            b"ratio" => (&mut conf.note_ratio, name),
            b"input" => (&mut conf.note_input, name),
            b"output" => (&mut conf.note_output, name),
            _ => {
                let kind = BString::from(args.text(0));
                let message = format!("Unknown note type {kind}");
                return Err(Mistake::new(message).id("RX0382").at(args.at(0), "Input, Output or Ratio"));
            }
        },
    };
    *field = Some(Setting::new(name.into(), args.span));
    Ok(())
}

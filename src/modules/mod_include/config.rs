//! The directives of mod_include.

use crate::policy::{Applied, Args, Config, Directive, Mistake, Place, Said, SaidExt, Scope, Setting, Shape};
use bstr::BString;

/// `XBitHack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XBitHack {
    /// The mode of a file says nothing.
    Off,
    /// A page that its owner may execute is parsed.
    On,
    /// And has the date of its file if its group may execute it.
    Full,
}

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Includes {
    /// `SSIErrorMsg`.
    pub error_message: Said<BString>,
    /// `SSITimeFormat`.
    pub time_format: Said<BString>,
    /// `SSIUndefinedEcho`.
    pub undefined_echo: Said<BString>,
    /// `XBitHack`.
    pub x_bit_hack: Said<XBitHack>,
    /// `SSILastModified`.
    pub last_modified: Said<bool>,
    /// `SSIETag`.
    pub etag: Said<bool>,
    /// `SSILegacyExprParser`.
    pub legacy: Said<bool>,
}

impl Config for Includes {
    fn merge(&self, outer: &Self) -> Self {
        Includes {
            error_message: self.error_message.over(&outer.error_message),
            time_format: self.time_format.over(&outer.time_format),
            undefined_echo: self.undefined_echo.over(&outer.undefined_echo),
            x_bit_hack: self.x_bit_hack.over(&outer.x_bit_hack),
            last_modified: self.last_modified.over(&outer.last_modified),
            etag: self.etag.over(&outer.etag),
            legacy: self.legacy.over(&outer.legacy),
        }
    }
}

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    /// `SSIStartTag`.
    pub start: Said<BString>,
    /// `SSIEndTag`.
    pub end: Said<BString>,
}

impl Config for Tags {
    fn merge(&self, outer: &Self) -> Self {
        Tags { start: self.start.over(&outer.start), end: self.end.over(&outer.end) }
    }
}

impl Tags {
    /// With what an element starts.
    pub fn start(&self) -> &[u8] {
        self.start.value().map_or(b"<!--#", |tag| tag)
    }

    /// With what an element ends.
    pub fn end(&self) -> &[u8] {
        self.end.value().map_or(b"-->", |tag| tag)
    }
}

pub(super) static DIRECTIVES: [Directive; 9] = [
    Directive {
        name: "XBitHack",
        shape: Shape::One,
        scope: Scope::OPTIONS,
        usage: "Off, On, or Full",
        doc: "Whether HTML files whose mode has an execute bit are parsed.",
        apply: x_bit_hack,
    },
    Directive {
        name: "SSIErrorMsg",
        shape: Shape::One,
        scope: Scope::ALL,
        usage: "a string",
        doc: "What stands in a page in place of an element that failed.",
        apply: |place, args| {
            place.dir::<Includes>().error_message = said(args);
            Ok(())
        },
    },
    Directive {
        name: "SSITimeFormat",
        shape: Shape::One,
        scope: Scope::ALL,
        usage: "a strftime(3) formatted string",
        doc: "How a page's dates are written.",
        apply: |place, args| {
            place.dir::<Includes>().time_format = said(args);
            Ok(())
        },
    },
    Directive {
        name: "SSIStartTag",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "SSI Start String Tag",
        doc: "With what an element starts.",
        apply: |place, args| tag(place, args, true),
    },
    Directive {
        name: "SSIEndTag",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "SSI End String Tag",
        doc: "With what an element ends.",
        apply: |place, args| tag(place, args, false),
    },
    Directive {
        name: "SSIUndefinedEcho",
        shape: Shape::One,
        scope: Scope::ALL,
        usage: "String to be displayed if an echoed variable is undefined",
        doc: "What echo prints for a variable that is not set.",
        apply: |place, args| {
            place.dir::<Includes>().undefined_echo = said(args);
            Ok(())
        },
    },
    Directive {
        name: "SSILegacyExprParser",
        shape: Shape::Flag,
        scope: Scope::LIMIT,
        usage: "Whether to use the legacy expression parser compatible with <= 2.2.x. Limited to 'on' or 'off'",
        doc: "Whether conditions of pages are written as Apache 2.2 understood them.",
        apply: |place, args| {
            place.dir::<Includes>().legacy = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
    Directive {
        name: "SSILastModified",
        shape: Shape::Flag,
        scope: Scope::LIMIT,
        usage: "Whether to set the last modified header or respect an existing header. Limited to 'on' or 'off'",
        doc: "Whether a parsed page has the date of its file.",
        apply: |place, args| {
            place.dir::<Includes>().last_modified = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
    Directive {
        name: "SSIEtag",
        shape: Shape::Flag,
        scope: Scope::LIMIT,
        usage: "Whether to allow the generation of ETags within the server. Existing ETags will be preserved. Limited to 'on' or 'off'",
        doc: "Whether a parsed page has the entity tag of its file.",
        apply: |place, args| {
            place.dir::<Includes>().etag = Some(Setting::new(args.on, args.span));
            Ok(())
        },
    },
];

fn said(args: &Args<'_>) -> Said<BString> {
    Some(Setting::new(args.text(0).into(), args.span))
}

fn tag(place: &mut Place<'_, '_>, args: &Args<'_>, start: bool) -> Applied {
    let name = if start { "SSIStartTag" } else { "SSIEndTag" };
    let text = args.text(0);
    if text.iter().any(super::tags::is_space) {
        let error = Mistake::new(format!("{name} may not contain any whitespaces"));
        return Err(error.id("RX0770").at(args.at(0), "there is a blank in it"));
    }
    let tags = place.server::<Tags>();
    *(if start { &mut tags.start } else { &mut tags.end }) = said(args);
    Ok(())
}

fn x_bit_hack(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let value = match args.text(0).to_ascii_lowercase().as_slice() {
        b"off" => XBitHack::Off,
        b"on" => XBitHack::On,
        b"full" => XBitHack::Full,
        _ => {
            let error = Mistake::new("XBitHack must be set to Off, On, or Full");
            return Err(error.id("RX0771").at(args.at(0), "none of these"));
        }
    };
    place.dir::<Includes>().x_bit_hack = Some(Setting::new(value, args.span));
    Ok(())
}

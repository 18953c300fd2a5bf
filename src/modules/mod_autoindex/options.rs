//! IndexOptions: words that add up, with `+` and `-`, and a few with a value.

use super::config::AutoIndex;
use crate::{
    diag::Span,
    policy::{Applied, Args, Mistake, Place, Said, SaidExt, Setting},
};
use bstr::{BString, ByteSlice};

/// Which of the words without a value hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words(u32);

#[allow(missing_docs, reason = "the names are those of the words")]
impl Words {
    pub const ICONS_ARE_LINKS: Words = Words(1);
    pub const SCAN_TITLES: Words = Words(1 << 1);
    pub const SUPPRESS_ICON: Words = Words(1 << 2);
    pub const SUPPRESS_MODIFIED: Words = Words(1 << 3);
    pub const SUPPRESS_SIZE: Words = Words(1 << 4);
    pub const SUPPRESS_DESCRIPTION: Words = Words(1 << 5);
    pub const SUPPRESS_PREAMBLE: Words = Words(1 << 6);
    pub const SUPPRESS_SORTING: Words = Words(1 << 7);
    pub const SUPPRESS_RULES: Words = Words(1 << 8);
    pub const FOLDERS_FIRST: Words = Words(1 << 9);
    pub const VERSION_SORT: Words = Words(1 << 10);
    pub const TRACK_MODIFIED: Words = Words(1 << 11);
    pub const FANCY: Words = Words(1 << 12);
    pub const TABLE: Words = Words(1 << 13);
    pub const IGNORE_CLIENT: Words = Words(1 << 14);
    pub const IGNORE_CASE: Words = Words(1 << 15);
    pub const XHTML: Words = Words(1 << 16);
    pub const SHOW_FORBIDDEN: Words = Words(1 << 17);
    pub const OLD_DATES: Words = Words(1 << 18);
    pub const ALT_CLASS: Words = Words(1 << 19);
    /// `None`.
    pub const NONE: Words = Words(1 << 20);

    /// Whether all of these hold.
    pub const fn has(self, words: Words) -> bool {
        self.0 & words.0 == words.0
    }

    /// These as well.
    pub const fn with(self, words: Words) -> Words {
        Words(self.0 | words.0)
    }

    /// Without these.
    pub const fn without(self, words: Words) -> Words {
        Words(self.0 & !words.0)
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn named(word: &[u8]) -> Option<Words> {
        Some(match word {
            b"iconsarelinks" => Words::ICONS_ARE_LINKS,
            b"scanhtmltitles" => Words::SCAN_TITLES,
            b"suppressicon" => Words::SUPPRESS_ICON,
            b"suppresslastmodified" => Words::SUPPRESS_MODIFIED,
            b"suppresssize" => Words::SUPPRESS_SIZE,
            b"suppressdescription" => Words::SUPPRESS_DESCRIPTION,
            b"suppresshtmlpreamble" => Words::SUPPRESS_PREAMBLE,
            b"suppresscolumnsorting" => Words::SUPPRESS_SORTING,
            b"suppressrules" => Words::SUPPRESS_RULES,
            b"foldersfirst" => Words::FOLDERS_FIRST,
            b"versionsort" => Words::VERSION_SORT,
            b"trackmodified" => Words::TRACK_MODIFIED,
            b"fancyindexing" => Words::FANCY,
            b"htmltable" => Words::TABLE,
            b"ignoreclient" => Words::IGNORE_CLIENT,
            b"ignorecase" => Words::IGNORE_CASE,
            b"xhtml" => Words::XHTML,
            b"showforbidden" => Words::SHOW_FORBIDDEN,
            b"useolddateformat" => Words::OLD_DATES,
            b"addaltclass" => Words::ALT_CLASS,
            _ => return None,
        })
    }
}

/// Width of a column unless said otherwise.
pub const STANDARD_WIDTH: usize = 23;

/// Height of an icon where `IconHeight` gives no number.
const ICON_HEIGHT: usize = 22;

/// Width of an icon where `IconWidth` gives no number.
const ICON_WIDTH: usize = 20;

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many characters.
    Fixed(usize),
    /// `*`: as the longest entry.
    Longest,
}

/// What IndexOptions says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The latest directive.
    pub at: Option<Span>,
    /// The words that hold.
    pub words: Words,
    added: Words,
    removed: Words,
    /// `Type=`
    pub kind: Said<BString>,
    /// `Charset=`
    pub charset: Said<BString>,
    /// `NameWidth=`
    pub name_width: Said<Width>,
    /// `DescriptionWidth=`
    pub description_width: Said<Width>,
    /// `IconWidth`, pixels; 0 is none.
    pub icon_width: usize,
    /// `IconHeight`, pixels; 0 is none.
    pub icon_height: usize,
}

impl Options {
    /// What an inner section says over what is around it: words without a sign take the place of all
    /// that is around, those with one change it.
    pub fn over(&self, outer: &Options) -> Options {
        let (words, added, removed) = if self.words.has(Words::NONE) {
            (Words::NONE, Words::default(), Words::default())
        } else {
            let (base, added, removed) = if self.words.is_empty() {
                let added = outer.added.with(self.added).without(self.removed);
                (outer.words.without(Words::NONE), added, outer.removed.with(self.removed))
            } else {
                (self.words, Words::default(), Words::default())
            };
            (base.with(added).without(removed), added, removed)
        };
        let size = |own: usize, around: usize| if own == 0 { around } else { own };
        Options {
            at: self.at.or(outer.at),
            words,
            added,
            removed,
            kind: self.kind.over(&outer.kind),
            charset: self.charset.over(&outer.charset),
            name_width: self.name_width.over(&outer.name_width),
            description_width: self.description_width.over(&outer.description_width),
            icon_width: size(self.icon_width, outer.icon_width),
            icon_height: size(self.icon_height, outer.icon_height),
        }
    }

    /// Takes in one word.
    fn add(&mut self, word: &[u8], at: Span) -> Result<(), String> {
        let (sign, word) = match word {
            [sign @ (b'+' | b'-'), word @ ..] => (Some(*sign), word),
            word => (None, word),
        };
        let lower = word.to_ascii_lowercase();
        if let Some(known) = Words::named(&lower) {
            match sign {
                None => {
                    self.words = self.words.with(known);
                    (self.added, self.removed) = Default::default();
                }
                Some(b'+') => {
                    self.added = self.added.with(known);
                    self.removed = self.removed.without(known);
                }
                Some(_) => {
                    self.removed = self.removed.with(known);
                    self.added = self.added.without(known);
                }
            }
            return Ok(());
        }
        if lower == b"none" {
            if sign.is_some() {
                return Err("Cannot combine '+' or '-' with 'None' keyword".to_owned());
            }
            self.words = Words::NONE;
            (self.added, self.removed) = Default::default();
            return Ok(());
        }
        let (name, value) = match word.split_once_str("=") {
            Some((name, value)) => (name.to_ascii_lowercase(), Some(value)),
            None => (lower, None),
        };
        self.set(&name, value, sign == Some(b'-'), at)
    }

    /// Takes in a word that may have a value.
    fn set(&mut self, name: &[u8], value: Option<&[u8]>, minus: bool, at: Span) -> Result<(), String> {
        let no_minus = |word: &str| Err(format!("Cannot combine '-' with {word}=n"));
        match (name, value) {
            (b"iconwidth", None) => self.icon_width = if minus { 0 } else { ICON_WIDTH },
            (b"iconheight", None) => self.icon_height = if minus { 0 } else { ICON_HEIGHT },
            (b"iconwidth", Some(_)) if minus => return no_minus("IconWidth"),
            (b"iconheight", Some(_)) if minus => return no_minus("IconHeight"),
            (b"iconwidth", Some(value)) => self.icon_width = number(value),
            (b"iconheight", Some(value)) => self.icon_height = number(value),
            (b"namewidth", None) if minus => {
                self.name_width = Some(Setting::new(Width::Fixed(STANDARD_WIDTH), at));
            }
            (b"descriptionwidth", None) if minus => {
                self.description_width = Some(Setting::new(Width::Fixed(STANDARD_WIDTH), at));
            }
            (b"namewidth", None) => {
                return Err("NameWidth with no value may only appear as '-NameWidth'".to_owned());
            }
            (b"descriptionwidth", None) => {
                let text = "DescriptionWidth with no value may only appear as '-DescriptionWidth'";
                return Err(text.to_owned());
            }
            (b"namewidth", Some(_)) if minus => return no_minus("NameWidth"),
            (b"descriptionwidth", Some(_)) if minus => return no_minus("DescriptionWidth"),
            (b"namewidth", Some(value)) => {
                let width = width(value, 5).ok_or("NameWidth value must be greater than 5")?;
                self.name_width = Some(Setting::new(width, at));
            }
            (b"descriptionwidth", Some(value)) => {
                let width = width(value, 12).ok_or("DescriptionWidth value must be greater than 12")?;
                self.description_width = Some(Setting::new(width, at));
            }
            (b"type", Some(value)) => self.kind = Some(Setting::new(value.into(), at)),
            (b"charset", Some(value)) => self.charset = Some(Setting::new(value.into(), at)),
            _ => return Err("Invalid directory indexing option".to_owned()),
        }
        Ok(())
    }
}

fn width(value: &[u8], least: usize) -> Option<Width> {
    match value {
        [b'*', ..] => Some(Width::Longest),
        value => Some(number(value)).filter(|width| *width == 0 || *width >= least).map(Width::Fixed),
    }
}

/// As C's atoi reads it; nothing below 0, and nothing that a line could not hold.
fn number(value: &[u8]) -> usize {
    usize::from(crate::modules::apr::leading_number(value.trim_start()))
}

pub(super) fn index_options(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let options = &mut place.dir::<AutoIndex>().options;
    for (n, word) in args.words.iter().enumerate() {
        options
            .add(&word.text, args.span)
            .map_err(|text| Mistake::new(text).id("RX0750").at(args.at(n), "this word"))?;
    }
    if options.words.has(Words::NONE) && options.words != Words::NONE {
        let error = Mistake::new("Cannot combine other IndexOptions keywords with 'None'");
        return Err(error.id("RX0750").at(args.span, "`None` and other words"));
    }
    options.at = Some(args.span);
    Ok(())
}

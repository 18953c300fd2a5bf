//! The settings of lists: icons, texts and descriptions of files, what is not listed, and the order.

use super::{
    options::Options,
    query::{Key, Order},
};
use crate::policy::{
    Applied, Args, Config, Mistake, Place, Said, SaidExt, Setting,
    fnmatch::{Flags, fnmatch},
    strmatch::{is_matchexp, strcasecmp_match, strcmp_match},
};
use bstr::{BString, ByteSlice};

/// By what files are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By their path.
    Path,
    /// By their media type.
    Type,
    /// By their encoding.
    Encoding,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct File<'f> {
    /// Path, or a name such as `^^DIRECTORY^^`.
    pub path: &'f [u8],
    /// Media type without parameters.
    pub kind: Option<&'f [u8]>,
    /// Encoding.
    pub encoding: Option<&'f [u8]>,
    /// Whether type and encoding do not count.
    pub path_only: bool,
}

impl<'f> File<'f> {
    /// One of the names that stand for no file.
    pub fn special(name: &'f str) -> File<'f> {
        File { path: name.as_bytes(), kind: None, encoding: None, path_only: true }
    }
}

/// A text for files that are chosen.
#[derive(Clone, Debug)]
struct Item {
    by: By,
    /// Pattern of what files are chosen by; empty fits all.
    to: BString,
    /// Pattern of the paths for which it was said.
    below: BString,
    text: BString,
}

impl Item {
    fn new(place: &Place<'_, '_>, by: By, to: &[u8], text: &[u8]) -> Item {
        let to = if by == By::Path && !is_matchexp(to) { [b"*", to].concat() } else { to.to_vec() };
        Item { by, to: to.into(), below: below(place), text: text.into() }
    }

    /// ap_strcmp_match of everything that `find_item` looks at.
    fn fits(&self, file: &File<'_>) -> bool {
        let special = file.path.starts_with(b"^");
        if !special && !strcmp_match(file.path, &self.below) {
            return false;
        }
        if self.to.is_empty() {
            return true;
        }
        if special || self.by == By::Path {
            return strcmp_match(file.path, &self.to);
        }
        let chosen = match file.encoding {
            Some(encoding) if self.by == By::Encoding => Some(encoding),
            None if self.by == By::Type => file.kind,
            _ => None,
        };
        !file.path_only && chosen.is_some_and(|chosen| strcasecmp_match(chosen, &self.to))
    }
}

fn below(place: &Place<'_, '_>) -> BString {
    [place.at.path.unwrap_or_default(), b"*"].concat().into()
}

/// A description.
#[derive(Clone, Debug)]
struct Description {
    pattern: BString,
    /// Whether it is held against the whole path.
    whole: bool,
    /// Whether it is a pattern, and not a part of the name.
    wild: bool,
    text: BString,
}

/// Names that are not listed.
#[derive(Clone, Debug)]
struct Ignored {
    name: BString,
    below: BString,
}

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct AutoIndex {
    /// `IndexOptions`.
    pub options: Options,
    /// `IndexOrderDefault`.
    pub order: Said<(Order, Key)>,
    /// `HeaderName`.
    pub header: Said<BString>,
    /// `ReadmeName`.
    pub readme: Said<BString>,
    /// `DefaultIcon`.
    pub default_icon: Said<BString>,
    /// `IndexStyleSheet`.
    pub style_sheet: Said<BString>,
    /// `IndexHeadInsert`.
    pub head_insert: Said<BString>,
    icons: Vec<Item>,
    alts: Vec<Item>,
    descriptions: Vec<Description>,
    ignored: Vec<Ignored>,
    ignore_reset: bool,
}

impl Config for AutoIndex {
    fn merge(&self, outer: &Self) -> Self {
        fn both<T: Clone>(own: &[T], around: &[T]) -> Vec<T> {
            own.iter().chain(around).cloned().collect()
        }
        AutoIndex {
            options: self.options.over(&outer.options),
            order: self.order.over(&outer.order),
            header: self.header.over(&outer.header),
            readme: self.readme.over(&outer.readme),
            default_icon: self.default_icon.over(&outer.default_icon),
            style_sheet: self.style_sheet.over(&outer.style_sheet),
            head_insert: self.head_insert.over(&outer.head_insert),
            icons: both(&self.icons, &outer.icons),
            alts: both(&self.alts, &outer.alts),
            descriptions: both(&self.descriptions, &outer.descriptions),
            ignored: if self.ignore_reset {
                self.ignored.clone()
            } else {
                both(&self.ignored, &outer.ignored)
            },
            ignore_reset: self.ignore_reset,
        }
    }
}

impl AutoIndex {
    /// The icon of a file.
    pub fn icon(&self, file: &File<'_>) -> Option<&BString> {
        self.icons.iter().find(|item| item.fits(file)).map(|item| &item.text)
    }

    /// The text in place of the icon.
    pub fn alt(&self, file: &File<'_>) -> Option<&BString> {
        self.alts.iter().find(|item| item.fits(file)).map(|item| &item.text)
    }

    /// The description of a path.
    pub fn description(&self, path: &[u8]) -> Option<&BString> {
        let name = &path[path.rfind_byte(b'/').map_or(0, |slash| slash + 1)..];
        let fits = |said: &&Description| {
            let text = if said.whole { path } else { name };
            if said.wild {
                fnmatch(&said.pattern, text, Flags::NONE)
            } else {
                text.contains_str(&said.pattern)
            }
        };
        self.descriptions.iter().find(fits).map(|said| &said.text)
    }

    /// Whether a path is not to be listed.
    pub fn ignores(&self, path: &[u8]) -> bool {
        let last = |path: &[u8]| path.rfind_byte(b'/').map_or(0, |slash| slash + 1);
        let name = &path[last(path)..];
        self.ignored
            .iter()
            .any(|said| strcmp_match(path, &said.below) && strcmp_match(name, &said.name[last(&said.name)..]))
    }
}

/// What stands for a directory.
fn directory_name(by: By, to: &[u8]) -> &[u8] {
    if by == By::Path && to == b"**DIRECTORY**" { b"^^DIRECTORY^^" } else { to }
}

pub(super) fn add_icon(place: &mut Place<'_, '_>, args: &Args<'_>, by: By) -> Applied {
    let (icon, to) = (args.text(0), args.text(1));
    let mut icon = icon;
    if let Some(rest) = icon.strip_prefix(b"(") {
        let Some(end) = rest.find_byte(b')') else {
            return Err(Mistake::new("missing closing paren").id("RX0751").at(args.at(0), "no `)`"));
        };
        let inside = &rest[..end];
        let comma = inside.find_byte(b',').unwrap_or(inside.len());
        alt(place, &inside[..comma], to, by);
        icon = inside.get(comma + 1..).unwrap_or_default();
    }
    let to = directory_name(by, to);
    let to = if by == By::Path { to.to_vec() } else { to.to_ascii_lowercase() };
    let item = Item::new(place, by, &to, icon);
    place.dir::<AutoIndex>().icons.push(item);
    Ok(())
}

pub(super) fn add_alt(place: &mut Place<'_, '_>, args: &Args<'_>, by: By) -> Applied {
    alt(place, args.text(0), args.text(1), by);
    Ok(())
}

fn alt(place: &mut Place<'_, '_>, text: &[u8], to: &[u8], by: By) {
    let to = directory_name(by, to);
    let to = if by == By::Encoding { to.to_ascii_lowercase() } else { to.to_vec() };
    let item = Item::new(place, by, &to, text);
    place.dir::<AutoIndex>().alts.push(item);
}

pub(super) fn add_description(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let (text, to) = (args.text(0), args.text(1));
    let whole = to.contains(&b'/');
    let wild = whole || to.find_byteset(b"*?[").is_some();
    let prefix: &[u8] = if whole { b"*/" } else { b"*" };
    let pattern = if wild { [prefix, to, b"*"].concat() } else { to.to_vec() };
    let said = Description { pattern: pattern.into(), whole, wild, text: text.into() };
    place.dir::<AutoIndex>().descriptions.push(said);
    Ok(())
}

pub(super) fn index_ignore(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let name = args.text(0);
    let name = if is_matchexp(name) { name.to_vec() } else { [b"*", name].concat() };
    let said = Ignored { name: name.into(), below: below(place) };
    place.dir::<AutoIndex>().ignored.push(said);
    Ok(())
}

pub(super) fn index_ignore_reset(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<AutoIndex>().ignore_reset = args.on;
    Ok(())
}

pub(super) fn index_order_default(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let order = match args.text(0).to_ascii_lowercase().as_slice() {
        b"ascending" => Order::Ascending,
        b"descending" => Order::Descending,
        _ => {
            let error = Mistake::new("First keyword must be 'Ascending' or 'Descending'");
            return Err(error.id("RX0752").at(args.at(0), "neither of them"));
        }
    };
    let key = match args.text(1).to_ascii_lowercase().as_slice() {
        b"name" => Key::Name,
        b"date" => Key::Modified,
        b"size" => Key::Size,
        b"description" => Key::Description,
        _ => {
            let error = Mistake::new("Second keyword must be 'Name', 'Date', 'Size', or 'Description'");
            return Err(error.id("RX0752").at(args.at(1), "none of them"));
        }
    };
    place.dir::<AutoIndex>().order = Some(Setting::new((order, key), args.span));
    Ok(())
}

//! What stands in a listing: each name of the directory is looked up as a request for it would be.

use super::{
    config::{AutoIndex, File},
    options::Words,
};
use crate::{
    engine::{Cx, LookedUp, Pending, Request},
    http::Status,
    policy::fnmatch::{Flags, fnmatch},
    system,
};
use bstr::{BString, ByteSlice};

/// A line of a listing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name, with a slash behind that of a directory.
    pub name: BString,
    /// Icon.
    pub icon: Option<BString>,
    /// Text for the icon.
    pub alt: Option<BString>,
    /// Description, as it goes into the page.
    pub description: Option<BString>,
    /// Length; none of a directory.
    pub size: Option<u64>,
    /// Last modification, in seconds; none of the parent.
    pub modified: Option<i64>,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether it is the directory around.
    pub is_parent: bool,
}

/// No more of a page is looked at for its title.
const TITLE_WITHIN: u64 = 8191;

/// The entries, unsorted.
///
/// # Errors
/// A look-up is needed first.
pub fn gather(
    cx: &mut Cx<'_>,
    conf: &AutoIndex,
    names: Vec<system::Entry>,
    words: Words,
    pattern: Option<&[u8]>,
) -> Result<Vec<Entry>, Pending> {
    let directory = cx.req.filename.clone();
    let fits =
        |name: &[u8]| pattern.is_none_or(|pattern| fnmatch(pattern, name, Flags::NOESCAPE | Flags::PERIOD));
    let mut entries = Vec::with_capacity(names.len() + 1);
    let up = [directory.as_slice(), b".."].concat();
    if cx.req.uri != "/" && fits(b"..") && !conf.ignores(&up) {
        entries.push(parent(conf, &up));
    }
    for system::Entry { name, .. } in names {
        let path = [directory.as_slice(), &name].concat();
        if !fits(&name) || conf.ignores(&path) {
            continue;
        }
        match cx.look_up_entry(&name) {
            LookedUp::Wait(pending) => return Err(pending),
            LookedUp::Found(found) | LookedUp::Answered(found) if shown(&found, words) => {
                entries.push(entry(cx, conf, words, &name, &path, &found));
            }
            _ => cx.note(format_args!("{} is not shown: it would not be sent", name.as_bstr())),
        }
    }
    Ok(entries)
}

/// Whether the client could have it, or is told of it all the same.
fn shown(found: &Request, words: Words) -> bool {
    let exists = found.stat.is_some_and(|stat| stat.is_dir() || stat.is_file());
    let forbidden = matches!(found.status, Status(401 | 403)) && words.has(Words::SHOW_FORBIDDEN);
    exists && (matches!(found.status.0, 200..=399) || forbidden)
}

/// Icon and text of a directory.
fn of_directory(conf: &AutoIndex, path: &[u8], standard: &str) -> (Option<BString>, Option<BString>) {
    let own = File { path, kind: None, encoding: None, path_only: true };
    let special = File::special("^^DIRECTORY^^");
    let icon = conf.icon(&own).or_else(|| conf.icon(&special)).cloned();
    let alt = conf.alt(&own).or_else(|| conf.alt(&special)).cloned();
    (icon, alt.or_else(|| Some(standard.into())))
}

/// The directory around.
fn parent(conf: &AutoIndex, path: &[u8]) -> Entry {
    let (icon, alt) = of_directory(conf, path, "PARENTDIR");
    let description = conf.description(path).cloned();
    Entry {
        name: "../".into(),
        icon,
        alt,
        description,
        size: None,
        modified: None,
        is_dir: true,
        is_parent: true,
    }
}

fn entry(cx: &Cx<'_>, conf: &AutoIndex, words: Words, name: &[u8], path: &[u8], found: &Request) -> Entry {
    let is_dir = found.stat.is_some_and(|stat| stat.is_dir());
    let (own, (icon, alt)) = if is_dir {
        (path, of_directory(conf, path, "DIR"))
    } else {
        let kind = found.content_type.as_ref().map(|kind| bare(kind));
        let encoding = found.content_encoding.as_ref().map(|name| name.as_slice());
        let file = File { path: &found.filename, kind, encoding, path_only: false };
        (found.filename.as_slice(), (conf.icon(&file).cloned(), conf.alt(&file).cloned()))
    };
    let description = match conf.description(own).cloned() {
        None if words.has(Words::SCAN_TITLES) => title(cx, found),
        said => said,
    };
    Entry {
        name: if is_dir { [name, b"/"].concat().into() } else { name.into() },
        icon,
        alt,
        description,
        size: found.stat.filter(|_| !is_dir).map(|stat| stat.size),
        modified: found.stat.map(|stat| seconds(stat.mtime_ns)),
        is_dir,
        is_parent: false,
    }
}

/// The type without its parameters.
pub fn bare(kind: &[u8]) -> &[u8] {
    let end = kind.find_byte(b';').unwrap_or(kind.len());
    kind[..end].trim_end()
}

/// Whether a type is that of pages.
pub fn is_html(kind: &[u8]) -> bool {
    matches!(bare(kind), b"text/html" | b"application/xhtml+xml")
}

fn seconds(nanoseconds: i128) -> i64 {
    i64::try_from(nanoseconds.div_euclid(1_000_000_000)).unwrap_or(0)
}

/// The title of a page, if it stands near its beginning: what is between its tag and the next one,
/// on one line.
fn title(cx: &Cx<'_>, found: &Request) -> Option<BString> {
    let kind = found.content_type.as_ref()?;
    let is_page = is_html(kind) || bare(kind) == b"text/x-server-parsed-html";
    if found.status != Status::OK || !is_page || found.content_encoding.is_some() {
        return None;
    }
    let start = cx.system().read(system::path(&found.filename), TITLE_WITHIN).ok()?;
    let text = start.split(|&byte| byte == 0).next().unwrap_or_default();
    let at = text.to_ascii_lowercase().find(b"<title>")? + b"<title>".len();
    let length = text[at..].to_ascii_lowercase().find(b"</title>").unwrap_or(text.len() - at);
    let line =
        text[at..at + length].iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
    Some(line.collect::<Vec<u8>>().into())
}

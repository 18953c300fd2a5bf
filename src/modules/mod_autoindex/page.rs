//! The page of a listing, byte for byte as Apache writes it.

use super::{
    config::{AutoIndex, File},
    entries::Entry,
    options::{STANDARD_WIDTH, Width, Words},
    query::{Key, Order, Wish},
};
use crate::{
    http::escape,
    modules::{
        apr::strfsize,
        strftime::{local, strftime},
    },
    policy::{Said, SaidExt},
};
use bstr::{BString, ByteSlice};
use std::time::{Duration, UNIX_EPOCH};

/// A listing that is being written.
#[derive(Debug)]
pub struct Page<'c> {
    /// What the configuration says of it.
    pub conf: &'c AutoIndex,
    /// Which of IndexOptions' words hold, the client's wishes among them.
    pub words: Words,
    /// How the client wants it.
    pub wish: &'c Wish,
    /// The page so far.
    pub out: Vec<u8>,
    name_width: usize,
    description_width: usize,
}

/// Bytes that an absent date takes.
const NO_DATE: usize = 19;

impl<'c> Page<'c> {
    /// An empty page.
    pub fn new(conf: &'c AutoIndex, words: Words, wish: &'c Wish) -> Self {
        let (name_width, description_width) = (STANDARD_WIDTH, STANDARD_WIDTH);
        Page { conf, words, wish, out: Vec::new(), name_width, description_width }
    }

    fn has(&self, word: Words) -> bool {
        self.words.has(word)
    }

    fn put(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
    }

    fn pad(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(b' ', count));
    }

    /// What ends an element without content.
    fn close(&self) -> &'static [u8] {
        if self.has(Words::XHTML) { b" />" } else { b">" }
    }

    /// Everything before the body's content.
    pub fn preamble(&mut self, title: &[u8]) {
        if self.has(Words::XHTML) {
            self.put(&[
                b"<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n",
                b"\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n",
                b"<html xmlns=\"http://www.w3.org/1999/xhtml\">\n",
            ]);
        } else {
            self.put(&[
                b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" ",
                b"\"http://www.w3.org/TR/html4/strict.dtd\">\n<html>\n",
            ]);
        }
        self.put(&[b" <head>\n  <title>Index of ", title, b"</title>\n"]);
        if let Some(url) = self.conf.style_sheet.value() {
            let end = [b" type=\"text/css\"", self.close()].concat();
            self.put(&[b"  <link rel=\"stylesheet\" href=\"", url, b"\"", &end, b"\n"]);
        }
        if let Some(text) = self.conf.head_insert.value() {
            self.put(&[text]);
        }
        self.put(&[b" </head>\n <body>\n"]);
    }

    /// The heading, where no header file has one.
    pub fn heading(&mut self, title: &[u8]) {
        let start: &[u8] = match self.conf.style_sheet {
            Some(_) => b"  <h1 id=\"indextitle\">Index of ",
            None => b"<h1>Index of ",
        };
        self.put(&[start, title, b"</h1>\n"]);
    }

    /// A text file in place of the heading, or at the end.
    pub fn plain(&mut self, text: &[u8]) {
        self.put(&[b"<pre>\n", &escape::html(text), b"</pre>\n"]);
    }

    /// The list itself.
    pub fn list(&mut self, entries: &[Entry], uri: &[u8]) {
        self.name_width = width(&self.conf.options.name_width, entries.iter().map(|entry| entry.name.len()));
        let described = entries.iter().map(|entry| entry.description.as_ref().map_or(0, |text| text.len()));
        self.description_width = width(&self.conf.options.description_width, described);
        if !self.has(Words::FANCY) {
            self.put(&[b"<ul>"]);
            for entry in entries {
                let link = link(entry, uri);
                self.put(&[b"<li><a href=\"", &link, b"\"> ", &shown_name(entry), b"</a></li>\n"]);
            }
            self.put(&[b"</ul>\n"]);
        } else if self.has(Words::TABLE) {
            self.table(entries, uri);
        } else {
            self.preformatted(entries, uri);
        }
    }

    fn table(&mut self, entries: &[Entry], uri: &[u8]) {
        let styled = self.conf.style_sheet.is_some();
        self.put(&[if styled { b"  <table id=\"indexlist\">\n" } else { b"  <table>\n" }]);
        self.put(&[if styled { b"   <tr class=\"indexhead\">" } else { b"   <tr>" }]);
        let shown = self.columns();
        let icon = !self.has(Words::SUPPRESS_ICON);
        if icon {
            self.put(&[if styled { b"<th class=\"indexcolicon\">" } else { b"<th valign=\"top\">" }]);
            match self.conf.icon(&File::special("^^BLANKICON^^")) {
                Some(url) => self.image(url, b"[ICO]"),
                None => self.put(&[b"&nbsp;"]),
            }
            self.put(&[b"</th>"]);
        }
        for (key, text, class) in &shown {
            self.put(&[&cell(b"<th", styled, class, b"")]);
            self.column_link(*key, text);
            self.put(&[b"</th>"]);
        }
        self.put(&[b"</tr>\n"]);
        let columns = shown.len() + usize::from(icon);
        self.rule(columns, styled);
        for (n, entry) in entries.iter().enumerate() {
            self.row(n, entry, uri, styled);
        }
        self.rule(columns, styled);
        self.put(&[b"</table>\n"]);
    }

    /// The columns behind the icons: key, heading, class.
    fn columns(&self) -> Vec<(Key, &'static [u8], &'static [u8])> {
        let mut shown: Vec<(Key, &'static [u8], &'static [u8])> = vec![(Key::Name, b"Name", b"indexcolname")];
        if !self.has(Words::SUPPRESS_MODIFIED) {
            shown.push((Key::Modified, b"Last modified", b"indexcollastmod"));
        }
        if !self.has(Words::SUPPRESS_SIZE) {
            shown.push((Key::Size, b"Size", b"indexcolsize"));
        }
        if !self.has(Words::SUPPRESS_DESCRIPTION) {
            shown.push((Key::Description, b"Description", b"indexcoldesc"));
        }
        shown
    }

    fn rule(&mut self, columns: usize, styled: bool) {
        if self.has(Words::SUPPRESS_RULES) {
            return;
        }
        let class: &[u8] = if styled { b" class=\"indexbreakrow\"" } else { b"" };
        let columns = columns.to_string();
        let close = self.close();
        let cell: [&[u8]; 7] =
            [b"   <tr", class, b"><th colspan=\"", columns.as_bytes(), b"\"><hr", close, b"</th></tr>\n"];
        self.put(&cell);
    }

    fn row(&mut self, n: usize, entry: &Entry, uri: &[u8], styled: bool) {
        if styled {
            self.put(&[b"   <tr class=\"", if n.is_multiple_of(2) { b"even" } else { b"odd" }]);
            if let Some(alt) = entry.alt.as_ref().filter(|_| self.has(Words::ALT_CLASS)) {
                self.put(&[b"-", &alt.to_ascii_lowercase()]);
            }
            self.put(&[b"\">"]);
        } else {
            self.put(&[b"<tr>"]);
        }
        let link = link(entry, uri);
        if !self.has(Words::SUPPRESS_ICON) {
            self.put(&[&cell(b"<td", styled, b"indexcolicon", b" valign=\"top\"")]);
            self.icon(entry, &link, b"&nbsp;");
            self.put(&[b"</td>"]);
        }
        self.put(&[&cell(b"<td", styled, b"indexcolname", b"")]);
        let padding = self.name(entry, &link);
        self.pad(padding);
        self.put(&[b"</td>"]);
        if !self.has(Words::SUPPRESS_MODIFIED) {
            let date = entry.modified.map(|seconds| self.date(seconds));
            let align: &[u8] = if date.is_some() { b" align=\"right\"" } else { b"" };
            let text = date.unwrap_or_else(|| b"&nbsp;".to_vec());
            self.put(&[&cell(b"<td", styled, b"indexcollastmod", align), &text, b"</td>"]);
        }
        if !self.has(Words::SUPPRESS_SIZE) {
            let start = cell(b"<td", styled, b"indexcolsize", b" align=\"right\"");
            self.put(&[&start, size(entry.size).as_bytes(), b"</td>"]);
        }
        if !self.has(Words::SUPPRESS_DESCRIPTION) {
            let text = entry.description.as_ref().map_or(b"&nbsp;".to_vec(), |text| self.cut(text));
            self.put(&[&cell(b"<td", styled, b"indexcoldesc", b""), &text, b"</td>"]);
        }
        self.put(&[b"</tr>\n"]);
    }

    fn preformatted(&mut self, entries: &[Entry], uri: &[u8]) {
        self.put(&[b"<pre>"]);
        if !self.has(Words::SUPPRESS_ICON) {
            match self.conf.icon(&File::special("^^BLANKICON^^")) {
                Some(url) => {
                    self.image(url, b"Icon ");
                    self.pad(1);
                }
                None => self.pad(6),
            }
        }
        for (key, text, _) in self.columns() {
            self.column_link(key, text);
            match key {
                Key::Name => self.pad(self.name_width.saturating_sub(4) + 1),
                Key::Modified => self.pad(6),
                Key::Size => self.pad(2),
                Key::Description => {}
            }
        }
        let close = self.close();
        if self.has(Words::SUPPRESS_RULES) {
            self.put(&[b"\n"])
        } else {
            self.put(&[b"<hr", close])
        }
        for entry in entries {
            self.line(entry, uri);
        }
        if !self.has(Words::SUPPRESS_RULES) {
            self.put(&[b"<hr", close]);
        }
        self.put(&[b"</pre>\n"]);
    }

    fn line(&mut self, entry: &Entry, uri: &[u8]) {
        let link = link(entry, uri);
        if !self.has(Words::SUPPRESS_ICON) {
            self.icon(entry, &link, b"     ");
            self.pad(1);
        }
        let padding = self.name(entry, &link);
        self.pad(padding + 1);
        if !self.has(Words::SUPPRESS_MODIFIED) {
            match entry.modified {
                Some(seconds) => self.put(&[&self.date(seconds)]),
                None => self.pad(NO_DATE),
            }
        }
        if !self.has(Words::SUPPRESS_SIZE) {
            self.put(&[size(entry.size).as_bytes(), b"  "]);
        }
        if let Some(text) = entry.description.as_ref().filter(|_| !self.has(Words::SUPPRESS_DESCRIPTION)) {
            self.put(&[&self.cut(text)]);
        }
        self.put(&[b"\n"]);
    }

    /// An icon, in a link if that is wished.
    fn icon(&mut self, entry: &Entry, link: &[u8], none: &[u8]) {
        let linked = self.has(Words::ICONS_ARE_LINKS);
        if linked {
            self.put(&[b"<a href=\"", link, b"\">"]);
        }
        match entry.icon.as_ref().or(self.conf.default_icon.value()) {
            Some(url) => {
                let alt = entry.alt.as_ref().map_or(&b"   "[..], |alt| alt);
                self.image(url, &[b"[", alt, b"]"].concat());
            }
            None => self.put(&[none]),
        }
        if linked {
            self.put(&[b"</a>"]);
        }
    }

    fn image(&mut self, url: &[u8], alt: &[u8]) {
        self.put(&[b"<img src=\"", &escape::html(url), b"\" alt=\"", alt, b"\""]);
        let (width, height) = (self.conf.options.icon_width, self.conf.options.icon_height);
        if width != 0 && height != 0 {
            self.put(&[format!(" width=\"{width}\" height=\"{height}\"").as_bytes()]);
        }
        self.put(&[self.close()]);
    }

    /// The name as a link; gives back how many bytes it is shorter than its column.
    fn name(&mut self, entry: &Entry, link: &[u8]) -> usize {
        let name: &[u8] = if entry.is_parent { b"Parent Directory" } else { &entry.name };
        let text = if name.len() > self.name_width {
            [&name[..self.name_width.saturating_sub(3)], b"..>"].concat()
        } else {
            name.to_vec()
        };
        self.put(&[b"<a href=\"", link, b"\">", &escape::html(&text), b"</a>"]);
        self.name_width.saturating_sub(text.len())
    }

    /// The heading of a column: a link that sorts by it, the other way round if it is sorted so.
    fn column_link(&mut self, key: Key, text: &[u8]) {
        if self.has(Words::SUPPRESS_SORTING) || self.has(Words::IGNORE_CLIENT) {
            return self.put(&[text]);
        }
        let sorted = self.wish.key == key && self.wish.order == Order::Ascending;
        let query = format!("?C={};O={}", key.letter(), if sorted { 'D' } else { 'A' });
        let kept = &self.wish.kept;
        self.out.extend_from_slice(&[b"<a href=\"", query.as_bytes(), kept, b"\">", text, b"</a>"].concat());
    }

    fn date(&self, seconds: i64) -> Vec<u8> {
        let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let format: &[u8] =
            if self.has(Words::OLD_DATES) { b"%d-%b-%Y %H:%M  " } else { b"%Y-%m-%d %H:%M  " };
        strftime(format, &local(UNIX_EPOCH + since))
    }

    /// A description, ended by `>` where its column ends. A column without a width of its own has the
    /// room of those that are not shown too. Tags take no room, entities that of one character.
    fn cut(&self, text: &[u8]) -> Vec<u8> {
        let mut room = self.description_width;
        if self.conf.options.description_width.is_none() {
            let spare =
                [(Words::SUPPRESS_ICON, 6), (Words::SUPPRESS_MODIFIED, 19), (Words::SUPPRESS_SIZE, 7)];
            room += spare.iter().filter(|(word, _)| self.has(*word)).map(|(_, bytes)| bytes).sum::<usize>();
        }
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let end = match byte {
                b'<' => b'>',
                _ if room == 0 => break,
                b'&' => b';',
                byte => byte,
            };
            room -= usize::from(byte != b'<');
            match text[at..].find_byte(end) {
                Some(length) => at += length + 1,
                None => return text.to_vec(),
            }
        }
        if at == text.len() || at == 0 { text.to_vec() } else { [&text[..at - 1], b">"].concat() }
    }
}

/// The start of a cell: with its class where there is a style sheet, else with what serves in its place.
fn cell(tag: &[u8], styled: bool, class: &[u8], plain: &[u8]) -> Vec<u8> {
    if styled { [tag, b" class=\"", class, b"\">"].concat() } else { [tag, plain, b">"].concat() }
}

fn width(said: &Said<Width>, lengths: impl Iterator<Item = usize>) -> usize {
    match said.value() {
        None => STANDARD_WIDTH,
        Some(Width::Fixed(width)) => *width,
        Some(Width::Longest) => lengths.fold(STANDARD_WIDTH, usize::max),
    }
}

/// Where an entry's link goes.
fn link(entry: &Entry, uri: &[u8]) -> Vec<u8> {
    let target: BString = if entry.is_parent { parent(uri).into() } else { entry.name.clone() };
    escape::html(&escape::os_path(&target)).into_owned()
}

/// The directory around a URL's path.
pub fn parent(uri: &[u8]) -> &[u8] {
    let inner = uri.strip_suffix(b"/").unwrap_or(uri);
    inner.rfind_byte(b'/').map_or(b"/", |slash| &inner[..=slash])
}

/// The name as a plain list has it.
fn shown_name(entry: &Entry) -> Vec<u8> {
    let name: &[u8] = if entry.is_parent { b"Parent Directory" } else { &entry.name };
    escape::html(name).into_owned()
}

/// A length in four characters.
pub fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "  - ".to_owned(), strfsize)
}

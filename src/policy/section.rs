//! A section of the configuration, and the policy tree that finds the sections of a path.
//!
//! Finding does not scan: plain directories and locations hang in a tree keyed by path component,
//! and only regular expressions and wildcards are tried one by one.

use super::{
    conf::Conf,
    core_conf::CoreDir,
    expr::Expr,
    fnmatch::{Flags, fnmatch},
    regex::Regex,
};
use crate::diag::Span;
use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{borrow::Cow, fmt, sync::Arc};

/// How a section chooses its requests.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// One path or name.
    Literal(BString),
    /// Shell wildcards.
    Wildcard(BString),
    /// A regular expression (`~` and the `…Match` sections).
    Regex(Regex),
    /// `<If>`: a condition.
    If(Arc<Expr>),
    /// `<ElseIf>`: a condition, tried if none of its chain before held.
    ElseIf(Arc<Expr>),
    /// `<Else>`: holds if none of its chain before did.
    Else,
}

/// Which kind of section it is; they are merged in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKind {
    /// `<Directory>`, `<DirectoryMatch>`.
    Directory,
    /// `<Files>`, `<FilesMatch>`.
    Files,
    /// `<Location>`, `<LocationMatch>`.
    Location,
    /// `<If>` and its kin.
    If,
}

/// One section with its settings.
#[derive(Clone)]
pub struct Section {
    /// Its kind.
    pub kind: SectionKind,
    /// What it matches.
    pub pattern: Pattern,
    /// Its settings, and their number in every worker's memo.
    pub conf: Arc<Conf>,
    /// Number of the settings, counted over the whole policy (or over the cached `.htaccess` files).
    pub id: u64,
    /// The opening line.
    pub span: Span,
}

/// Without its settings, which do not hold where the section is only kept.
impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Section");
        shown.field("kind", &self.kind).field("pattern", &self.pattern).field("span", &self.span);
        shown.finish_non_exhaustive()
    }
}

impl Section {
    /// The path or name, if it is neither a pattern nor a condition.
    pub fn literal(&self) -> Option<&BStr> {
        match &self.pattern {
            Pattern::Literal(text) => Some(text.as_bstr()),
            _ => None,
        }
    }

    /// Whether a name, path or URL fits. Conditions never do: the engine evaluates them.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.pattern {
            Pattern::Literal(own) => own == text,
            Pattern::Wildcard(own) => fnmatch(own, text, Flags::PATHNAME),
            Pattern::Regex(regex) => regex.is_match(text),
            Pattern::If(_) | Pattern::ElseIf(_) | Pattern::Else => false,
        }
    }

    /// Core's settings in this section, if it says anything of core's.
    pub fn core(&self) -> Option<&CoreDir> {
        self.conf.find()
    }
}

/// How many components a directory's path has: `/` has one, `/a/` has two. Apache counts slashes.
pub fn components(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count().max(1)
}

/// The sections of one server, found by path.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    directories: Directories,
    locations: Locations,
}

impl Sections {
    /// Adds a `<Directory>` or `<DirectoryMatch>`. Literal paths end in `/`.
    pub fn add_directory(&mut self, section: Arc<Section>) {
        self.directories.add(section);
    }

    /// Adds a `<Location>` or `<LocationMatch>`.
    pub fn add_location(&mut self, section: Arc<Section>) {
        self.locations.add(section);
    }

    /// `<Directory>` sections.
    pub fn directories(&self) -> &Directories {
        &self.directories
    }

    /// `<Location>` sections.
    pub fn locations(&self) -> &Locations {
        &self.locations
    }
}

/// `<Directory>` sections: a tree over path components, wildcards by depth, regular expressions.
#[derive(Clone, Debug, Default)]
pub struct Directories {
    all: Vec<Arc<Section>>,
    root: DirNode,
    /// Wildcard sections by number of components.
    wildcards: FxHashMap<usize, Vec<usize>>,
    regexes: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct DirNode {
    children: Children,
    sections: Vec<usize>,
}

/// What is below a node. On the way to a section most nodes have one child, which needs no table.
#[derive(Clone, Debug)]
enum Children {
    /// At most [`FEW`], tried one by one.
    Few(Vec<(BString, DirNode)>),
    Many(FxHashMap<BString, DirNode>),
}

const FEW: usize = 4;

impl Default for Children {
    fn default() -> Self {
        Children::Few(Vec::new())
    }
}

impl DirNode {
    fn child(&self, name: &[u8]) -> Option<&DirNode> {
        match &self.children {
            Children::Few(few) => few.iter().find(|(own, _)| own == name).map(|(_, node)| node),
            Children::Many(children) => children.get(BStr::new(name)),
        }
    }

    /// The child of this name; made if there is none yet.
    fn grow(&mut self, name: &[u8]) -> &mut DirNode {
        if let Children::Few(few) = &mut self.children
            && few.len() == FEW
            && few.iter().all(|(own, _)| own != name)
        {
            self.children = Children::Many(std::mem::take(few).into_iter().collect());
        }
        match &mut self.children {
            Children::Many(children) => children.entry(name.into()).or_default(),
            Children::Few(few) => {
                let at = few.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
                    few.reserve_exact(1);
                    few.push((name.into(), DirNode::default()));
                    few.len() - 1
                });
                &mut few[at].1
            }
        }
    }
}

/// A place in the tree of [`Directories`] while a path is walked down.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'t> {
    tree: &'t Directories,
    node: Option<&'t DirNode>,
    depth: usize,
}

impl Directories {
    fn add(&mut self, section: Arc<Section>) {
        let index = self.all.len();
        match &section.pattern {
            // A relative path never matches, and Apache says nothing about it.
            Pattern::Literal(path) if !path.starts_with(b"/") => {}
            Pattern::Literal(path) => {
                let mut node = &mut self.root;
                for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
                    node = node.grow(name);
                }
                node.sections.push(index);
            }
            Pattern::Wildcard(path) => self.wildcards.entry(components(path)).or_default().push(index),
            _ => self.regexes.push(index),
        }
        self.all.push(section);
    }

    /// At `/`.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { tree: self, node: Some(&self.root), depth: 1 }
    }

    /// The regular expressions, in the order of the configuration; they come after all others.
    pub fn regexes(&self) -> impl Iterator<Item = &Arc<Section>> {
        self.regexes.iter().map(|&n| &self.all[n])
    }

    /// All sections in the order of the configuration.
    pub fn all(&self) -> &[Arc<Section>] {
        &self.all
    }
}

impl<'t> Cursor<'t> {
    /// One component down.
    pub fn down(self, name: &[u8]) -> Cursor<'t> {
        let node = self.node.and_then(|node| node.child(name));
        Cursor { node, depth: self.depth + 1, ..self }
    }

    /// The sections for just this directory, in merge order. `path` is the directory with its
    /// final slash; wildcards are matched against it.
    pub fn here<'p>(self, path: &'p [u8]) -> InOrder<'t, 'p> {
        let plain = self.node.map_or(&[][..], |node| &node.sections);
        let patterns = self.tree.wildcards.get(&self.depth).map_or(&[][..], Vec::as_slice);
        InOrder::new(&self.tree.all, plain, patterns, path)
    }
}

/// Sections from two ascending lists of numbers, in the order of the configuration: all of the
/// first, and of the second those that match a text.
#[derive(Debug)]
pub struct InOrder<'t, 'p> {
    all: &'t [Arc<Section>],
    plain: &'t [usize],
    patterns: &'t [usize],
    /// The next of the patterns, known to match.
    fitting: Option<usize>,
    text: &'p [u8],
}

impl<'t, 'p> InOrder<'t, 'p> {
    pub(super) fn new(
        all: &'t [Arc<Section>],
        plain: &'t [usize],
        patterns: &'t [usize],
        text: &'p [u8],
    ) -> InOrder<'t, 'p> {
        InOrder { all, plain, patterns, fitting: None, text }
    }

    fn find_fitting(&mut self) {
        while self.fitting.is_none()
            && let Some((&first, rest)) = self.patterns.split_first()
        {
            self.patterns = rest;
            self.fitting = Some(first).filter(|&n| self.all[n].matches(self.text));
        }
    }
}

impl<'t> Iterator for InOrder<'t, '_> {
    type Item = &'t Arc<Section>;

    fn next(&mut self) -> Option<Self::Item> {
        self.find_fitting();
        let next = match (self.plain.split_first(), self.fitting) {
            (Some((&first, rest)), fitting) if fitting.is_none_or(|n| first < n) => {
                self.plain = rest;
                first
            }
            _ => self.fitting.take()?,
        };
        Some(&self.all[next])
    }
}

/// `<Location>` sections: plain ones in a tree over URL components, the rest one by one.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    all: Vec<Arc<Section>>,
    /// Plain sections by their path without final slashes.
    root: DirNode,
    patterns: Vec<usize>,
}

impl Locations {
    fn add(&mut self, section: Arc<Section>) {
        let index = self.all.len();
        match &section.pattern {
            Pattern::Literal(path) => {
                let mut node = &mut self.root;
                for name in parts(path) {
                    node = node.grow(name);
                }
                node.sections.push(index);
            }
            _ => self.patterns.push(index),
        }
        self.all.push(section);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All sections in the order of the configuration.
    pub fn all(&self) -> &[Arc<Section>] {
        &self.all
    }

    /// The section of this number.
    pub fn get(&self, n: usize) -> &Arc<Section> {
        &self.all[n]
    }

    /// Puts the numbers of the sections that hold for a decoded URL path into `found`, in the
    /// order of the configuration.
    ///
    /// A plain section holds for its own path and all below it; one that ends in a slash only
    /// for what begins with it, slash included. Doubled slashes count as one, except to regular
    /// expressions, which see the path as it is.
    pub fn matching(&self, raw: &[u8], found: &mut Vec<usize>) {
        found.clear();
        if self.all.is_empty() {
            return;
        }
        let merged = one_slash(raw);
        let url = &*merged;
        found.extend(&self.root.sections);
        let mut node = &self.root;
        for name in parts(url) {
            match node.child(name) {
                Some(child) => node = child,
                None => break,
            }
            found.extend(&node.sections);
        }
        found.retain(|&n| self.all[n].literal().is_some_and(|own| location_holds(own, url)));
        found.extend(self.patterns.iter().copied().filter(|&n| self.pattern_holds(n, url, raw)));
        found.sort_unstable();
    }

    fn pattern_holds(&self, n: usize, url: &[u8], raw: &[u8]) -> bool {
        let section = &self.all[n];
        section.matches(if matches!(section.pattern, Pattern::Regex(_)) { raw } else { url })
    }
}

/// ap_no2slash: runs of slashes become one.
fn one_slash(url: &[u8]) -> Cow<'_, [u8]> {
    if !url.starts_with(b"/") || !url.windows(2).any(|pair| pair == b"//") {
        return Cow::Borrowed(url);
    }
    let mut merged = url.to_vec();
    merged.dedup_by(|next, before| *next == b'/' && *before == b'/');
    Cow::Owned(merged)
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

/// Apache's test in ap_location_walk: a prefix that ends at a component's border.
fn location_holds(own: &[u8], url: &[u8]) -> bool {
    match url.strip_prefix(own) {
        Some(rest) => matches!(own.last(), None | Some(b'/')) || matches!(rest.first(), None | Some(b'/')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(kind: SectionKind, pattern: Pattern) -> Arc<Section> {
        let conf = Arc::default();
        Arc::new(Section { kind, pattern, conf, id: 0, span: Span::BUILTIN })
    }

    fn names<'s>(found: impl IntoIterator<Item = &'s Arc<Section>>) -> Vec<String> {
        let name = |s: &Arc<Section>| match &s.pattern {
            Pattern::Literal(text) | Pattern::Wildcard(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        found.into_iter().map(name).collect()
    }

    #[track_caller]
    fn locations(paths: &[&str], url: &str, expected: &[&str]) {
        let mut sections = Sections::default();
        for path in paths {
            sections.add_location(section(SectionKind::Location, Pattern::Literal((*path).into())));
        }
        let mut found = Vec::new();
        sections.locations().matching(url.as_bytes(), &mut found);
        assert_eq!(names(found.iter().map(|&n| sections.locations().get(n))), expected);
    }

    #[test]
    fn a_location_holds_for_its_path_and_below() {
        locations(&["/a"], "/a", &["/a"]);
        locations(&["/a"], "/a/b", &["/a"]);
        locations(&["/a"], "/ab", &[]);
    }

    #[test]
    fn a_location_with_a_slash_does_not_hold_for_the_bare_path() {
        locations(&["/a/"], "/a", &[]);
        locations(&["/a/"], "/a/b", &["/a/"]);
    }

    #[test]
    fn doubled_slashes_of_a_url_count_as_one() {
        locations(&["/a/b"], "/a//b", &["/a/b"]);
        locations(&["/a//b"], "/a//b", &[]);
    }

    #[test]
    fn an_empty_location_holds_for_everything() {
        locations(&[""], "/a", &[""]);
        locations(&[""], "*", &[""]);
    }

    #[test]
    fn a_relative_location_holds_for_nothing() {
        locations(&["a"], "/a", &[]);
    }

    #[test]
    fn locations_come_in_the_order_of_the_configuration() {
        locations(&["/a/b", "/", "/a"], "/a/b/c", &["/a/b", "/", "/a"]);
    }

    #[test]
    fn directories_are_found_component_by_component() {
        let mut sections = Sections::default();
        for path in ["/srv/www/", "/", "/srv/"] {
            sections.add_directory(section(SectionKind::Directory, Pattern::Literal(path.into())));
        }
        sections.add_directory(section(SectionKind::Directory, Pattern::Wildcard("/*/www/".into())));
        let at_root = sections.directories().cursor();
        assert_eq!(names(at_root.here(b"/")), ["/"]);
        let srv = at_root.down(b"srv");
        assert_eq!(names(srv.here(b"/srv/")), ["/srv/"]);
        assert_eq!(names(srv.down(b"www").here(b"/srv/www/")), ["/srv/www/", "/*/www/"]);
        assert_eq!(names(srv.down(b"old").here(b"/srv/old/")), Vec::<String>::new());
    }
}

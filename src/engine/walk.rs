//! Walks over the policy tree: which sections hold for this request, merged group by group.
//!
//! `core` calls these from its hooks. Each group is folded by itself and then laid over what holds
//! around it; `docs/architecture.md` shows why a plain left fold would serve what Apache denies.

use super::{cx::Cx, module::Verdict};
use crate::{
    diag::Span,
    http::Status,
    policy::{
        CoreDir, Merged, OptionBits, SaidExt, Scope,
        conf::Group,
        core_conf::{Nonfatal, Options},
        htaccess::Found,
        place::{Listed, Overrides},
        regex::{self, Regex},
        section::{Cursor, Directories, Pattern, Section},
    },
    system::{self, Kind, Stat},
};
use bstr::ByteSlice;
use std::{io, sync::Arc};

/// What the sections so far say about reading on: Options and AllowOverride. Apache keeps these by
/// a plain left fold while the settings themselves are folded by group.
#[derive(Clone, Debug)]
struct Running {
    options: Options,
    overrides: Overrides,
}

impl Running {
    fn new(core: &CoreDir) -> Self {
        let mut running = Running { options: core.options.clone(), overrides: Overrides::default() };
        running.override_with(core);
        running
    }

    fn push(&mut self, core: &CoreDir) {
        self.options = Options::merge(&core.options, &self.options);
        self.override_with(core);
    }

    fn override_with(&mut self, core: &CoreDir) {
        let overrides = &mut self.overrides;
        if let Some(said) = &core.allow_override {
            overrides.classes = said.value.without(Scope::UNSET).0;
            overrides.options = core.override_options.value_or(OptionBits(u8::MAX)).0;
            overrides.nonfatal = match core.override_nonfatal.value() {
                None => 0,
                Some(Nonfatal::Override) => 1,
                Some(Nonfatal::Unknown) => 2,
                Some(Nonfatal::All) => 3,
            };
            overrides.at = Some(said.at);
        }
        if let Some(said) = &core.override_list {
            overrides.list = Some(Listed(said.value.clone()));
        }
    }

    /// Unless AllowOverride says None; where it says nothing the files are read, and nothing in them
    /// is allowed.
    fn reads_htaccess(&self) -> bool {
        self.overrides.at.is_none()
            || self.overrides.classes != 0
            || self.overrides.nonfatal != 0
            || self.overrides.list.as_ref().is_some_and(|list| !list.0.is_empty())
    }
}

/// The state of a walk down the directories of a file name.
struct Walk<'c> {
    /// The main server's sections, then the virtual host's.
    cursors: Vec<Cursor<'c>>,
    running: Running,
    group: Group,
    server: Merged,
    /// What stands at the file name, a link itself if it is one.
    itself: Option<Stat>,
}

/// Maps the file name to the file system: finds what is there, splits off the path info, and
/// merges the `<Directory>` sections and `.htaccess` files on the way (ap_directory_walk).
pub fn directory_walk(cx: &mut Cx<'_>) -> Verdict {
    if !cx.req.filename.starts_with(b"/") {
        return Verdict::Ok;
    }
    // Errors count only where the walk comes to them, below sections and files read before.
    let filename = cx.req.filename.clone();
    let itself = cx.look(&filename, false).ok();
    let found = match itself {
        Some(stat) if stat.kind == Kind::Link => cx.look(&filename, true).ok(),
        found => found,
    };
    let target = found.filter(|stat| !(stat.is_file() && filename.ends_with(b"/")));
    let server = cx.worker.base(cx.req.server);
    let mut walk = Walk {
        cursors: trees(cx).map(Directories::cursor).collect(),
        running: Running::new(server.conf.get()),
        group: Group::default(),
        server,
        itself,
    };
    let verdict = match walk.down(cx, target) {
        Ok(()) => walk.regexes(cx),
        Err(verdict) => return verdict,
    };
    cx.req.conf = walk.group.over(&mut cx.worker.merges, &walk.server);
    verdict
}

/// The `<Directory>` trees that hold: the main server's, and the virtual host's.
fn trees<'a>(cx: &Cx<'a>) -> impl Iterator<Item = &'a Directories> + use<'a> {
    let servers = &cx.engine.policy.servers;
    let own = (cx.req.server != 0).then(|| servers[cx.req.server].sections.directories());
    std::iter::once(servers[0].sections.directories()).chain(own)
}

fn unreadable(cx: &mut Cx<'_>, path: &[u8], error: &io::Error) -> Verdict {
    let (uri, file) = (cx.req.uri.clone(), path.as_bstr());
    let os = error.raw_os_error();
    if error.kind() == io::ErrorKind::PermissionDenied {
        let text = format_args!(
            "access to {uri} denied (filesystem path '{file}') because search permissions are missing on a component of the path"
        );
        cx.log_os(3, os, "AH00035", text);
    } else {
        cx.log_os(3, os, "AH00036", format_args!("access to {uri} failed (filesystem path '{file}')"));
    }
    cx.note(format_args!("the system says of {file}: {error}"));
    Verdict::Status(Status(403))
}

impl Walk<'_> {
    /// From `/` down to the last directory, component by component.
    fn down(&mut self, cx: &mut Cx<'_>, target: Option<Stat>) -> Result<(), Verdict> {
        let whole = cx.req.filename.clone();
        let mut path: Vec<u8> = vec![b'/'];
        self.directory(cx, &path)?;
        let mut at = 1;
        while at < whole.len() {
            let end = whole[at..].find_byte(b'/').map_or(whole.len(), |slash| at + slash);
            let name = &whole[at..end];
            if name.is_empty() {
                at = end + 1;
                continue;
            }
            path.extend_from_slice(name);
            let stat = self.component(cx, &path, target)?;
            match stat {
                Some(stat) if stat.is_dir() => {
                    path.push(b'/');
                    self.cursors.iter_mut().for_each(|cursor| *cursor = cursor.down(name));
                    self.directory(cx, &path)?;
                }
                other => {
                    cx.req.filename = path.into();
                    cx.req.path_info = whole[end..].into();
                    cx.req.stat = other;
                    return Ok(());
                }
            }
            at = end + 1;
        }
        cx.req.stat = target;
        Ok(())
    }

    /// What one component is, after the rules on symbolic links.
    ///
    /// Where links are followed freely and the target is known to be there, nothing is asked of the
    /// system: every component counts as a directory, even a file at the end. That is how Apache
    /// comes to apply `<Directory /srv/a.html>` to the file of that name.
    fn component(&self, cx: &mut Cx<'_>, path: &[u8], target: Option<Stat>) -> Result<Option<Stat>, Verdict> {
        let bits = self.running.options.bits;
        let owner = bits.has(OptionBits::SYM_LINKS_IF_OWNER_MATCH);
        let follow = bits.has(OptionBits::FOLLOW_SYM_LINKS);
        if let Some(stat) = target.filter(|_| follow && !owner) {
            return Ok(Some(Stat { kind: Kind::Dir, ..stat }));
        }
        let known = self.itself.filter(|_| path == cx.req.filename.as_slice());
        let stat = match known.map_or_else(|| cx.look(path, false), Ok) {
            Ok(stat) if stat.kind == Kind::Link => {
                let real = cx.look(path, true).ok();
                let same_owner = |real: &Stat| real.uid == stat.uid;
                match real.filter(|real| if owner { same_owner(real) } else { follow }) {
                    Some(real) => real,
                    None => return Err(self.link_refused(cx, path)),
                }
            }
            Ok(stat) => stat,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(cx, path, &error)),
        };
        if stat.kind == Kind::Other {
            let shown = path.as_bstr();
            cx.log(3, "AH00038", format_args!("Forbidden: {shown} doesn't point to a file or directory"));
            cx.note(format_args!("{shown} is neither a file nor a directory"));
            return Err(Verdict::Status(Status(403)));
        }
        Ok(Some(stat))
    }

    fn link_refused(&self, cx: &mut Cx<'_>, path: &[u8]) -> Verdict {
        let options = &self.running.options;
        let shown = path.as_bstr();
        let text = format_args!("Symbolic link not allowed or link target not accessible: {shown}");
        cx.log(3, "AH00037", text);
        let owner = options.bits.has(OptionBits::SYM_LINKS_IF_OWNER_MATCH);
        let bit = if owner { OptionBits::SYM_LINKS_IF_OWNER_MATCH } else { OptionBits::FOLLOW_SYM_LINKS };
        let at = options.decided_by(bit);
        let why = match (owner, options.bits.has(OptionBits::FOLLOW_SYM_LINKS)) {
            (true, _) => "leads to nothing, or to what another user owns",
            (false, true) => "leads to nothing",
            (false, false) => "may not be followed: Options lacks FollowSymLinks",
        };
        cx.fail(403, at, format_args!("{shown} is a symbolic link that {why}"))
    }

    /// The sections and `.htaccess` files of one directory.
    fn directory(&mut self, cx: &mut Cx<'_>, path: &[u8]) -> Result<(), Verdict> {
        for n in 0..self.cursors.len() {
            for section in self.cursors[n].here(path) {
                cx.because(section.span, format_args!("{} holds here", Title(section)));
                self.section(cx, section);
            }
        }
        if self.running.reads_htaccess() { self.htaccess(cx, path) } else { self.ignored_htaccess(cx, path) }
    }

    fn section(&mut self, cx: &mut Cx<'_>, section: &Section) {
        if let Some(core) = section.core() {
            self.running.push(core);
        }
        let merged = cx.worker.section(section);
        self.group.push(&mut cx.worker.merges, &merged);
    }

    fn htaccess(&mut self, cx: &mut Cx<'_>, directory: &[u8]) -> Result<(), Verdict> {
        for name in access_names(cx).iter() {
            let worker = &mut *cx.worker;
            let (found, stat) = worker.htaccess.look(
                &cx.engine.policy,
                &mut worker.sources,
                &*cx.engine.system,
                &mut worker.merges,
                directory,
                name,
                &self.running.overrides,
            );
            match found {
                Found::Absent => {
                    // Asked again, so that one that comes later is seen.
                    if cx.req.record.is_on() && cx.look(&[directory, name.as_slice()].concat(), true).is_ok()
                    {
                        cx.once();
                    }
                    continue;
                }
                Found::Settings(merged, span, warnings) => {
                    match stat {
                        Some(stat) => {
                            cx.req.record.saw(&[directory, name.as_slice()].concat(), true, &Ok(stat));
                        }
                        None => cx.once(),
                    }
                    warnings.iter().for_each(|text| cx.log(4, "", format_args!("{text}")));
                    cx.because(span, format_args!("this file holds for the directory and all below"));
                    if let Some(core) = merged.conf.find::<CoreDir>() {
                        self.running.push(core);
                    }
                    self.group.push(&mut cx.worker.merges, &merged);
                }
                Found::Broken(span, message) => {
                    cx.log(1, "", format_args!("{message}"));
                    return Err(cx.fail(500, span, format_args!("{message}")));
                }
                Found::Unreadable(path, os) => {
                    cx.log_os(2, Some(os), "AH00529", format_args!(
                        "{path} pcfg_openfile: unable to check htaccess file, ensure it is readable and that '{}' is executable",
                        directory.as_bstr()
                    ));
                    cx.note(format_args!("{path} is there and cannot be read"));
                    return Err(Verdict::Status(Status(403)));
                }
            }
            break;
        }
        Ok(())
    }

    /// For the record only: a `.htaccess` that is there, and that AllowOverride does not let be read.
    fn ignored_htaccess(&self, cx: &mut Cx<'_>, directory: &[u8]) -> Result<(), Verdict> {
        if cx.tracing() {
            for name in access_names(cx).iter() {
                let path = [directory, name.as_slice()].concat();
                if cx.system().stat(system::path(&path)).is_ok_and(|stat| stat.is_file()) {
                    let at = self.running.overrides.at.unwrap_or(Span::BUILTIN);
                    let path = path.as_bstr();
                    cx.because(at, format_args!("{path} is there, but is not read: AllowOverride None"));
                }
            }
        }
        Ok(())
    }

    /// `<DirectoryMatch>` and `<Directory ~>`, after all others.
    fn regexes(&mut self, cx: &mut Cx<'_>) -> Verdict {
        for tree in trees(cx) {
            for section in tree.regexes() {
                let Pattern::Regex(regex) = &section.pattern else { continue };
                let filename = cx.req.filename.clone();
                if let Some(groups) = regex.captures(&filename) {
                    set_matches(cx, regex, &filename, &groups);
                    cx.because(section.span, format_args!("{} holds here", Title(section)));
                    self.section(cx, section);
                }
            }
        }
        Verdict::Ok
    }
}

fn access_names(cx: &Cx<'_>) -> Arc<Vec<bstr::BString>> {
    let said = cx.core_server().access_names.value();
    said.cloned().unwrap_or_else(|| Arc::new(vec![".htaccess".into()]))
}

/// Named groups become `MATCH_NAME` in the environment.
fn set_matches(cx: &mut Cx<'_>, regex: &Regex, subject: &[u8], groups: &[Option<(usize, usize)>]) {
    for (n, name) in regex.named_groups() {
        let name = format!("MATCH_{}", name.to_ascii_uppercase());
        cx.req.env.set(name, regex::group(subject, groups, n));
    }
}

/// `<Files>` sections for the last component of the file name (ap_file_walk).
pub fn file_walk(cx: &mut Cx<'_>) {
    let around = cx.req.conf.clone();
    let core: &CoreDir = around.conf.get();
    let name = cx.req.base_name().to_vec();
    let mut group = Group::default();
    for section in core.files.matching(&name) {
        if let Pattern::Regex(regex) = &section.pattern
            && let Some(groups) = regex.captures(&name)
        {
            set_matches(cx, regex, &name, &groups);
        }
        cx.because(section.span, format_args!("{} holds here", Title(section)));
        let merged = cx.worker.section(section);
        group.push(&mut cx.worker.merges, &merged);
    }
    cx.req.conf = group.over(&mut cx.worker.merges, &around);
}

/// `<Location>` sections for the URL (ap_location_walk). Plain ones see the path with doubled
/// slashes made one, regular expressions see it as it is.
pub fn location_walk(cx: &mut Cx<'_>) {
    let servers = &cx.engine.policy.servers;
    let own = (cx.req.server != 0).then(|| servers[cx.req.server].sections.locations());
    let uri = cx.req.uri.clone();
    let around = cx.req.conf.clone();
    let mut group = Group::default();
    let mut found = std::mem::take(&mut cx.worker.found);
    for locations in std::iter::once(servers[0].sections.locations()).chain(own) {
        locations.matching(&uri, &mut found);
        for section in found.iter().map(|&n| locations.get(n)) {
            if let Pattern::Regex(regex) = &section.pattern
                && let Some(groups) = regex.captures(&uri)
            {
                set_matches(cx, regex, &uri, &groups);
            }
            cx.because(section.span, format_args!("{} holds here", Title(section)));
            let merged = cx.worker.section(section);
            group.push(&mut cx.worker.merges, &merged);
        }
    }
    cx.worker.found = found;
    cx.req.conf = group.over(&mut cx.worker.merges, &around);
}

/// `<If>`, `<ElseIf>` and `<Else>` sections (ap_if_walk), level by level: sections inside one that
/// holds come after all that stand beside it.
pub fn if_walk(cx: &mut Cx<'_>) -> Verdict {
    let around = cx.req.conf.clone();
    let core: &CoreDir = around.conf.get();
    if core.ifs.is_empty() {
        return Verdict::Ok;
    }
    let mut level: Vec<Arc<Section>> = core.ifs.clone();
    for _ in 0..IF_DEPTH {
        if level.is_empty() {
            break;
        }
        level = match if_level(cx, &level) {
            Ok(nested) => nested,
            Err(verdict) => return verdict,
        };
    }
    Verdict::Ok
}

/// Deepest nesting of `<If>` that is walked.
const IF_DEPTH: usize = 32;

/// One level of conditions: those that hold are merged, and the sections inside them are given
/// back, to be walked when the whole level is done.
fn if_level(cx: &mut Cx<'_>, sections: &[Arc<Section>]) -> Result<Vec<Arc<Section>>, Verdict> {
    let (mut held, mut group, mut nested) = (false, Group::default(), Vec::new());
    for section in sections {
        let holds = match &section.pattern {
            Pattern::If(condition) => cx.condition(condition, section.span)?,
            Pattern::ElseIf(condition) => !held && cx.condition(condition, section.span)?,
            Pattern::Else => !held,
            _ => false,
        };
        held = holds || held && !matches!(section.pattern, Pattern::If(_));
        if holds {
            cx.because(section.span, format_args!("{} holds here", Title(section)));
            let merged = cx.worker.section(section);
            group.push(&mut cx.worker.merges, &merged);
            nested.extend(section.core().iter().flat_map(|core| core.ifs.iter().cloned()));
        }
    }
    let around = cx.req.conf.clone();
    cx.req.conf = group.over(&mut cx.worker.merges, &around);
    Ok(nested)
}

/// A section as people call it: `<Directory /srv>`.
struct Title<'s>(&'s Section);

impl std::fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::policy::section::SectionKind::{Directory, Files, If, Location};
        let kind = match self.0.kind {
            Directory => "Directory",
            Files => "Files",
            Location => "Location",
            If => "If",
        };
        match &self.0.pattern {
            Pattern::Literal(text) | Pattern::Wildcard(text) => write!(f, "<{kind} {text}>"),
            Pattern::Regex(regex) => write!(f, "<{kind}Match {}>", regex.pattern().as_bstr()),
            Pattern::If(_) => f.write_str("<If>"),
            Pattern::ElseIf(_) => f.write_str("<ElseIf>"),
            Pattern::Else => f.write_str("<Else>"),
        }
    }
}

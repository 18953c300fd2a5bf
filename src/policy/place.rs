//! Where a directive stands, and what it may change from there.

use super::{
    compile::Compiler,
    conf::{Conf, Config},
    core_conf::OptionBits,
    directive::{Applied, Args, Mistake, Scope},
    expr,
    process::Process,
    regex::{Regex, RegexError},
    section::{Pattern, Section, SectionKind},
    server::Named,
    table::{AuthnProvider, Lookup, Provider},
};
use crate::{
    diag::{Diagnostic, Span},
    syntax::Node,
    system::{self, System},
};
use bstr::BString;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Kinds of surroundings that a directive may refuse (Apache's NOT_IN_… flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within(pub u8);

impl Within {
    /// `<VirtualHost>`.
    pub const VIRTUAL_HOST: Within = Within(1);
    /// `<Limit>`, `<LimitExcept>`.
    pub const LIMIT: Within = Within(2);
    /// `<Directory>`, `<DirectoryMatch>`.
    pub const DIRECTORY: Within = Within(4);
    /// `<Location>`, `<LocationMatch>`.
    pub const LOCATION: Within = Within(8);
    /// `<Files>`, `<FilesMatch>`, `<If>` and its kin.
    pub const FILES: Within = Within(16);
    /// `.htaccess`.
    pub const HTACCESS: Within = Within(64);
    /// Directory, Location and Files.
    pub const DIR_CONTEXT: Within = Within(4 | 8 | 16 | 2);
    /// Everything but the top level.
    pub const GLOBAL_ONLY: Within = Within(1 | 2 | 4 | 8 | 16 | 64);

    /// Both together.
    pub const fn or(self, other: Within) -> Within {
        Within(self.0 | other.0)
    }

    const fn meets(self, other: Within) -> bool {
        self.0 & other.0 != 0
    }
}

/// The open sections around a directive, innermost first.
#[derive(Clone, Copy, Debug)]
pub struct Parents<'p> {
    /// The section.
    pub node: &'p Node,
    /// What is around it.
    pub up: Option<&'p Parents<'p>>,
}

/// What AllowOverride lets a `.htaccess` file do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// Classes.
    pub classes: u16,
    /// Words of `Options`.
    pub options: u8,
    /// Single directives, by lower-case name.
    pub list: Option<Listed>,
    /// What is only logged: 1 overrides, 2 unknown directives.
    pub nonfatal: u8,
    /// The directive that decided, for messages; not part of the identity of a cached file.
    pub at: Option<Span>,
}

/// Names of an `AllowOverrideList`; equal when it is the same list.
#[derive(Clone, Debug)]
pub struct Listed(pub Arc<FxHashSet<BString>>);

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Listed {}

impl std::hash::Hash for Listed {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
    }
}

/// The surroundings of a directive.
#[derive(Clone, Copy, Debug)]
pub struct At<'p> {
    /// Which server: 0 is the main one.
    pub server: usize,
    /// What may stand here.
    pub scope: Scope,
    /// Methods of the `<Limit>` around, one bit for each method number; all bits outside of one.
    pub limited: u64,
    /// Path of the section around (`cmd->path`): a directory, location or file name.
    pub path: Option<&'p [u8]>,
    /// Whether that path is a regular expression.
    pub regex: bool,
    /// Sections around.
    pub parents: Option<&'p Parents<'p>>,
    /// Set in `.htaccess`.
    pub overrides: Option<&'p Overrides>,
}

/// A directive's view of the configuration being built.
#[derive(Debug)]
pub struct Place<'p, 't> {
    pub(super) compiler: &'p mut Compiler<'t>,
    pub(super) dir: &'p mut Conf,
    /// Where the directive stands.
    pub at: At<'p>,
}

impl<'p, 't> Place<'p, 't> {
    /// Settings of the section (or `.htaccess`, or the server's default section) it stands in.
    pub fn dir<C: Config>(&mut self) -> &mut C {
        self.dir.slot()
    }

    /// Settings of the server (virtual host) it stands in.
    pub fn server<C: Config>(&mut self) -> &mut C {
        self.compiler.servers[self.at.server].conf_mut().slot()
    }

    /// Settings of the process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.compiler.process
    }

    /// The world outside.
    pub fn system(&self) -> &'t dyn System {
        self.compiler.system
    }

    /// Whether it stands in a `<VirtualHost>`.
    pub fn is_virtual_host(&self) -> bool {
        self.at.server != 0
    }

    /// Whether it stands in a `.htaccess` file.
    pub fn in_htaccess(&self) -> bool {
        self.at.overrides.is_some()
    }

    /// Whether a name was defined with `-D` or `Define`.
    pub fn is_defined(&self, name: &[u8]) -> bool {
        self.compiler.defined.contains(bstr::BStr::new(name))
    }

    /// Whether a module is active (`mod_ssl.c` or `ssl_module`).
    pub fn module_active(&self, name: &[u8]) -> bool {
        self.compiler.tables.is_active(name)
    }

    /// The provider of an active module for a word behind `Require`.
    pub fn provider(&self, name: &[u8]) -> Option<&'static Provider> {
        self.compiler.tables.provider(name)
    }

    /// For a word behind `Require` that belongs to a loaded module which rachis lacks: the server
    /// does not start with it, or the `.htaccess` file fails; `None` if it is no such word.
    pub fn refuse_provider(&mut self, word: &[u8], node: &Node) -> Option<Applied> {
        let module = self.compiler.tables.lacking_provider(word)?;
        let what = format!("Require {}", bstr::BStr::new(word));
        Some(self.compiler.refuse(&what, module.name, node, self.at))
    }

    /// The provider of an active module for a word behind AuthBasicProvider or AuthDigestProvider.
    pub fn authn_provider(&self, name: &[u8]) -> Option<&'static AuthnProvider> {
        self.compiler.tables.authn_provider(name)
    }

    /// The same as [`Place::refuse_provider`] for such a word.
    pub fn refuse_authn_provider(&mut self, word: &[u8], node: &Node) -> Option<Applied> {
        let module = self.compiler.tables.lacking_authn_provider(word)?;
        let what = format!("{} {}", node.name, bstr::BStr::new(word));
        Some(self.compiler.refuse(&what, module.name, node, self.at))
    }

    /// The names of all providers of active modules.
    pub fn provider_names(&self) -> impl Iterator<Item = &'static str> + use<'t> {
        self.compiler.tables.providers().map(|provider| provider.name)
    }

    /// A path made absolute under ServerRoot and normalised (ap_server_root_relative).
    pub fn server_path(&self, path: &[u8]) -> BString {
        server_root_relative(&self.compiler.process.server_root, path)
    }

    /// A regular expression, under the RegexDefaultOptions that hold here.
    ///
    /// # Errors
    /// It is none.
    pub fn regex(&self, pattern: &[u8], caseless: bool) -> Result<Regex, RegexError> {
        Regex::with(pattern, caseless, self.compiler.process.regex)
    }

    /// How expressions are read here.
    pub fn expression_options(&self) -> expr::Options {
        expr::Options {
            ssl: self.module_active(b"mod_ssl.c"),
            no_file_functions: self.in_htaccess(),
            regex: self.compiler.process.regex,
            ..expr::Options::default()
        }
    }

    /// Whether a directory stands at this path.
    pub fn is_directory(&mut self, path: &[u8]) -> bool {
        if let Some((_, is)) = self.compiler.asked.as_ref().filter(|(asked, _)| asked == path) {
            return *is;
        }
        let is = self.compiler.system.stat(system::path(path)).is_ok_and(|stat| stat.is_dir());
        self.compiler.asked = Some((path.into(), is));
        is
    }

    /// Adds a warning or note of ours or Apache's; the configuration is taken all the same.
    pub fn warn(&mut self, diagnostic: Diagnostic) {
        self.compiler.diagnostics.push(diagnostic);
    }

    /// `file:line` of a span, for messages that name another directive.
    pub fn describe(&self, span: Span) -> (String, u32) {
        let place = self.compiler.sources.place(span);
        (place.file.to_owned(), place.line)
    }

    /// Registers a log file or pipe that the server opens at start.
    pub fn log_target(&mut self, target: &[u8], at: Span) -> usize {
        self.compiler.log_target(target, at, false)
    }

    /// The same for a file that is done without if it cannot be opened.
    pub fn optional_log_target(&mut self, target: &[u8], at: Span) -> usize {
        self.compiler.log_target(target, at, true)
    }

    /// What became of a directive's name.
    pub fn look_up(&self, name: &[u8]) -> Lookup<'t> {
        self.compiler.tables.lookup(name)
    }

    /// The identifier of an active module that LogLevel names: `alias`, `alias_module`, `mod_alias.c`.
    pub fn module_identifier(&self, name: &[u8]) -> Option<&'static str> {
        let suffixed = [name, b"_module"].concat();
        let fits = |id: &str| id.as_bytes() == name || id.as_bytes() == suffixed;
        let tables = self.compiler.tables;
        let active = tables.active().map(|table| (table.source, table.identifier));
        let lacking = tables.lacking().iter().map(|module| (module.source, module.identifier));
        let mut all = active.chain(lacking);
        all.find(|(source, identifier)| source.as_bytes() == name || fits(identifier))
            .map(|(_, identifier)| identifier)
    }

    /// Apache's ap_check_cmd_context: an error if the directive stands inside one of `forbidden`.
    pub fn check_context(&self, args: &Args<'_>, forbidden: Within) -> Applied {
        let refused = |by: &str| {
            let name = self.compiler.canonical_name(args.node);
            let close = if name.starts_with('<') { ">" } else { "" };
            let mistake = Mistake::new(format!("{name}{close} cannot occur within {by}")).id("RX0204");
            Err(mistake.at(args.node.name_span, "not at this place"))
        };
        let everywhere = forbidden.0 & Within::DIR_CONTEXT.0 == Within::DIR_CONTEXT.0;
        if forbidden.meets(Within::VIRTUAL_HOST) && self.is_virtual_host() {
            return refused("<VirtualHost> section");
        }
        if forbidden.meets(Within::DIR_CONTEXT) && self.at.limited != u64::MAX {
            return refused("<Limit> or <LimitExcept> section");
        }
        if forbidden.meets(Within::HTACCESS) && self.in_htaccess() {
            return refused("htaccess files");
        }
        if everywhere && self.at.path.is_some() {
            return refused("<Directory/Location/Files> section");
        }
        match self.around().find(|node| forbidden.meets(kind_of(node))) {
            Some(node) => refused(&format!("{}> section", self.compiler.canonical_name(node))),
            None => Ok(()),
        }
    }

    /// The open sections around, innermost first.
    pub fn around(&self) -> impl Iterator<Item = &'p Node> + use<'p> {
        std::iter::successors(self.at.parents, |parents| parents.up).map(|parents| parents.node)
    }

    /// Reads a section's children into settings of their own.
    ///
    /// `path` is what `cmd->path` is inside. The scope is what directory sections allow, except in
    /// `.htaccess`, where what AllowOverride let in goes on counting.
    pub fn section(&mut self, node: &Node, path: Option<&[u8]>, regex: bool) -> Conf {
        let scope = match self.at.overrides {
            Some(_) => self.at.scope,
            None => Scope::ALL.or(Scope::ACCESS_CONF),
        };
        let mut conf = self.compiler.blank.clone();
        let parents = Parents { node, up: self.at.parents };
        let at = At { scope, path, regex, parents: Some(&parents), ..self.at };
        self.compiler.walk(&node.children, &mut conf, at);
        conf
    }

    /// Reads a section's children into the settings that the section itself stands in, as `<Limit>`
    /// and `<RequireAll>` do; `limited` is the set of methods they hold for.
    pub fn children(&mut self, node: &Node, limited: u64) {
        let parents = Parents { node, up: self.at.parents };
        let at = At { limited, parents: Some(&parents), ..self.at };
        self.compiler.walk(&node.children, self.dir, at);
    }

    /// Makes a section and gives it its number.
    pub fn make_section(
        &mut self,
        kind: SectionKind,
        pattern: Pattern,
        conf: Conf,
        span: Span,
    ) -> Arc<Section> {
        let id = self.compiler.fresh_id();
        Arc::new(Section { kind, pattern, conf: Arc::new(conf), id, span })
    }

    /// Adds a `<Directory>` section to this server.
    pub fn add_directory(&mut self, section: Arc<Section>) {
        self.compiler.servers[self.at.server].sections.add_directory(section);
    }

    /// Adds a `<Location>` section to this server.
    pub fn add_location(&mut self, section: Arc<Section>) {
        self.compiler.servers[self.at.server].sections.add_location(section);
    }

    /// Opens a `<VirtualHost>` and reads its children.
    pub fn virtual_host(&mut self, node: &Node, addresses: Vec<Named>, span: Span) {
        let server = self.compiler.add_server(addresses, span);
        let mut dir = Conf::default();
        let parents = Parents { node, up: self.at.parents };
        let scope = self.at.scope;
        let at = At { server, scope, parents: Some(&parents), ..self.at };
        self.compiler.walk(&node.children, &mut dir, at);
        if !dir.is_empty() {
            self.compiler.servers[server].dir = Arc::new(dir);
        }
    }

    /// In `.htaccess`: whether AllowOverride lets these words of `Options` through.
    pub fn options_allowed(&self, bits: OptionBits) -> bool {
        self.at.overrides.is_none_or(|o| bits.without(OptionBits(o.options)).0 == 0)
    }
}

fn kind_of(node: &Node) -> Within {
    let kinds: [(Within, &[&str]); 5] = [
        (Within::VIRTUAL_HOST, &["<VirtualHost"]),
        (Within::LIMIT, &["<Limit", "<LimitExcept"]),
        (Within::DIRECTORY, &["<Directory", "<DirectoryMatch"]),
        (Within::LOCATION, &["<Location", "<LocationMatch"]),
        (Within::FILES, &["<Files", "<FilesMatch", "<If", "<ElseIf", "<Else"]),
    ];
    let named = |names: &[&str]| names.iter().any(|name| node.is(name.as_bytes()));
    kinds.iter().find(|(_, names)| named(names)).map_or(Within(0), |(kind, _)| *kind)
}

/// `path` under `root`, `.` and `..` and doubled slashes resolved by text (apr_filepath_merge with
/// APR_FILEPATH_TRUENAME left out).
pub fn server_root_relative(root: &[u8], path: &[u8]) -> BString {
    let root = if path.starts_with(b"/") { &b""[..] } else { root };
    let mut clean: Vec<u8> = Vec::with_capacity(root.len() + path.len() + 2);
    for part in root.split(|&byte| byte == b'/').chain(path.split(|&byte| byte == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => clean.truncate(clean.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
            name => {
                clean.push(b'/');
                clean.extend_from_slice(name);
            }
        }
    }
    if clean.is_empty() || path.is_empty() || path.ends_with(b"/") {
        clean.push(b'/');
    }
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::server_root_relative;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(server_root_relative(b"/etc/apache2", path.as_bytes()), expected);
    }

    #[test]
    fn relative_paths_start_at_server_root() {
        check("conf/mime.types", "/etc/apache2/conf/mime.types");
        check("./a/../b", "/etc/apache2/b");
    }

    #[test]
    fn absolute_paths_stay() {
        check("/srv//www/", "/srv/www/");
        check("/", "/");
        check("/../../x", "/x");
        check("/..", "/");
        check("", "/etc/apache2/");
    }
}

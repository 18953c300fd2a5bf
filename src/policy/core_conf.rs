//! The settings of Apache's core that the policy itself reads while it walks: options, overrides,
//! nested sections; and with them everything else that core keeps per directory and per server.
//!
//! The directives that fill them are the rows of `modules/core`; they live here because the walk
//! over directories and `.htaccess` files needs them, and `policy` imports no module.

use super::{
    conf::{Config, Said, SaidExt, Setting},
    directive::Scope,
    expr::Expr,
    section::{InOrder, Section},
};
use crate::diag::Span;
use bstr::BString;
use rustc_hash::{FxHashMap, FxHashSet};
use std::{fmt, sync::Arc, time::Duration};

/// The words of `Options`, as a bit set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OptionBits(pub u8);

impl OptionBits {
    /// None of them.
    pub const NONE: OptionBits = OptionBits(0);
    /// A listing where no index file is.
    pub const INDEXES: OptionBits = OptionBits(1);
    /// Server-side includes.
    pub const INCLUDES: OptionBits = OptionBits(2);
    /// Symbolic links are followed.
    pub const FOLLOW_SYM_LINKS: OptionBits = OptionBits(4);
    /// CGI programs may run.
    pub const EXEC_CGI: OptionBits = OptionBits(8);
    /// Server-side includes may run programs.
    pub const INCLUDES_EXEC: OptionBits = OptionBits(32);
    /// Links are followed if link and target have one owner.
    pub const SYM_LINKS_IF_OWNER_MATCH: OptionBits = OptionBits(64);
    /// Content negotiation by file name.
    pub const MULTI_VIEWS: OptionBits = OptionBits(128);
    /// `Options All`: everything but MultiViews and SymLinksIfOwnerMatch.
    pub const ALL: OptionBits = OptionBits(1 | 2 | 4 | 8 | 32);

    /// Whether all bits of `other` are in this.
    pub const fn has(self, other: OptionBits) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub const fn or(self, other: OptionBits) -> OptionBits {
        OptionBits(self.0 | other.0)
    }

    /// This without the other.
    pub const fn without(self, other: OptionBits) -> OptionBits {
        OptionBits(self.0 & !other.0)
    }

    /// The words as Apache spells them.
    pub fn words(self) -> Vec<&'static str> {
        let includes = if self.has(Self::INCLUDES_EXEC) { "Includes" } else { "IncludesNOEXEC" };
        [
            (Self::INDEXES, "Indexes"),
            (Self::INCLUDES, includes),
            (Self::FOLLOW_SYM_LINKS, "FollowSymLinks"),
            (Self::SYM_LINKS_IF_OWNER_MATCH, "SymLinksIfOwnerMatch"),
            (Self::EXEC_CGI, "ExecCGI"),
            (Self::MULTI_VIEWS, "MultiViews"),
        ]
        .into_iter()
        .filter_map(|(bit, word)| self.has(bit).then_some(word))
        .collect()
    }
}

impl fmt::Debug for OptionBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        f.write_str(&if words.is_empty() { "None".to_owned() } else { words.join(" ") })
    }
}

/// `Options` as said in one section or merged over several: absolute, or changes to what is around.
///
/// Invariant: no bit is in both `added` and `removed`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The effective set.
    pub bits: OptionBits,
    /// Bits with `+`.
    pub added: OptionBits,
    /// Bits with `-`.
    pub removed: OptionBits,
    /// Whether only words with signs were said, so that what is around still counts.
    pub relative: bool,
    /// Which directive last decided each bit.
    decided: [Span; 8],
}

impl Default for Options {
    fn default() -> Self {
        let (added, removed) = (OptionBits::NONE, OptionBits::NONE);
        Options { bits: OptionBits::NONE, added, removed, relative: true, decided: [Span::BUILTIN; 8] }
    }
}

impl Options {
    /// `Options word …` without signs: forgets everything said before in this section.
    pub fn replace(&mut self, bits: OptionBits, at: Span) {
        *self = Options { bits, relative: false, decided: [at; 8], ..Options::default() };
    }

    /// `Options +word`.
    pub fn add(&mut self, bits: OptionBits, at: Span) {
        self.added = self.added.or(bits);
        self.removed = self.removed.without(bits);
        self.bits = self.bits.or(bits);
        self.decide(bits, at);
    }

    /// `Options -word`.
    pub fn remove(&mut self, bits: OptionBits, at: Span) {
        self.removed = self.removed.or(bits);
        self.added = self.added.without(bits);
        self.bits = self.bits.without(bits);
        self.decide(bits, at);
    }

    /// The directive that last switched this one bit on or off.
    pub fn decided_by(&self, bit: OptionBits) -> Span {
        self.decided[bit.0.trailing_zeros() as usize & 7]
    }

    fn decide(&mut self, bits: OptionBits, at: Span) {
        for (n, slot) in self.decided.iter_mut().enumerate() {
            if bits.0 >> n & 1 == 1 {
                *slot = at;
            }
        }
    }

    /// What `inner` makes of `outer`.
    pub fn merge(inner: &Options, outer: &Options) -> Options {
        if !inner.relative {
            return inner.clone();
        }
        let both = OptionBits::INCLUDES.or(OptionBits::INCLUDES_EXEC);
        let added = outer.added.without(inner.removed).or(inner.added);
        let removed = outer.removed.without(inner.added).or(inner.removed);
        let mut bits = outer.bits.without(removed).or(added);
        if outer.bits.has(both) && inner.bits.0 & both.0 == OptionBits::INCLUDES.0 {
            bits = bits.without(OptionBits::INCLUDES_EXEC);
        }
        let mut decided = outer.decided;
        for (slot, said) in decided.iter_mut().zip(inner.decided) {
            if !said.is_builtin() {
                *slot = said;
            }
        }
        Options { bits, added, removed, relative: outer.relative, decided }
    }
}

/// What an `ErrorDocument` names.
#[derive(Clone, Debug)]
pub enum ErrorDocument {
    /// A text, sent as it is.
    Text(BString),
    /// A path of this server, asked for by an internal redirect.
    Local(BString),
    /// A URL, to which the client is redirected.
    External(BString),
    /// An expression that makes one of the others.
    Expr(Arc<Expr>),
    /// `default`: the built-in page again.
    Default,
}

/// What `SetHandler` names.
#[derive(Clone, Debug)]
pub enum HandlerName {
    /// A handler.
    Name(BString),
    /// An expression that makes the name.
    Expr(Arc<Expr>),
    /// `None`: no handler is forced.
    None,
}

/// `FileETag`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ETagFlags {
    /// Words without a sign; 0 if there were none. 1 None, 2 MTime, 4 INode, 8 Size, 32 Digest, as
    /// Apache numbers them.
    pub bits: u8,
    /// Words with `+`.
    pub added: u8,
    /// Words with `-`.
    pub removed: u8,
}

impl ETagFlags {
    /// What `inner` makes of `outer`. Words with signs work on words with signs only: the others
    /// that hold around them are forgotten, which is Apache's way and not that of `Options`.
    fn merge(inner: ETagFlags, outer: ETagFlags) -> ETagFlags {
        if inner.bits != 0 {
            return inner;
        }
        let added = outer.added & !inner.removed | inner.added;
        let removed = outer.removed & !inner.added | inner.removed;
        ETagFlags { bits: 0, added, removed }
    }

    /// The parts that hold; MTime and Size if none is left.
    pub fn effective(self) -> u8 {
        match self.bits & !self.removed | self.added {
            0 => 2 | 8,
            bits => bits,
        }
    }
}

/// `UseCanonicalName`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanonicalName {
    /// The client's Host header.
    Off,
    /// ServerName and Port.
    On,
    /// Reverse lookup of the address the client reached.
    Dns,
}

/// `HostnameLookups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookups {
    /// Never.
    Off,
    /// The name of the client's address.
    On,
    /// The same, and back, both must agree.
    Double,
}

/// `ServerSignature`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// No line under error pages.
    Off,
    /// Name and port.
    On,
    /// The same, with the administrator's address.
    EMail,
}

/// `AllowEncodedSlashes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedSlashes {
    /// `%2F` in a path is 404.
    Off,
    /// Allowed and decoded.
    On,
    /// Allowed and left as they are.
    NoDecode,
}

/// `LogLevel` for one place: the general level and those of single modules.
#[derive(Clone, Debug, Default)]
pub struct LogLevels {
    /// The general level, 0 (emerg) to 15 (trace8).
    pub general: Said<u8>,
    /// Levels of modules, by `alias` or `alias_module` cut down to `alias`.
    pub modules: FxHashMap<BString, u8>,
}

impl LogLevels {
    /// `warn`, Apache's default.
    pub const WARN: u8 = 4;

    /// What is logged for a module (`alias`, not `mod_alias`).
    pub fn of(&self, module: &[u8]) -> u8 {
        match self.modules.get(bstr::BStr::new(module)) {
            Some(&level) if !self.modules.is_empty() => level,
            _ => self.general.value_or(Self::WARN),
        }
    }

    /// What `self` says over what `outer` said.
    pub fn over(&self, outer: &LogLevels) -> LogLevels {
        let mut modules = if self.general.is_some() { FxHashMap::default() } else { outer.modules.clone() };
        modules.extend(self.modules.iter().map(|(name, level)| (name.clone(), *level)));
        LogLevels { general: self.general.over(&outer.general), modules }
    }
}

/// `<Files>` and `<FilesMatch>` sections, keyed by name where they name one.
#[derive(Clone, Debug, Default)]
pub struct FilesSections {
    /// In the order in which they are merged.
    pub list: Vec<Arc<Section>>,
    names: FxHashMap<BString, Vec<usize>>,
    patterns: Vec<usize>,
}

impl FilesSections {
    /// Adds one at the end.
    pub fn push(&mut self, section: Arc<Section>) {
        let index = self.list.len();
        match section.literal() {
            Some(name) => self.names.entry(name.into()).or_default().push(index),
            None => self.patterns.push(index),
        }
        self.list.push(section);
    }

    /// All of them, in the order in which they are merged.
    pub fn all(&self) -> &[Arc<Section>] {
        &self.list
    }

    /// The sections whose name or pattern fits, in the order in which they are merged.
    pub fn matching<'s, 'n>(&'s self, name: &'n [u8]) -> InOrder<'s, 'n> {
        let plain = self.names.get(bstr::BStr::new(name)).map_or(&[][..], Vec::as_slice);
        InOrder::new(&self.list, plain, &self.patterns, name)
    }

    fn after(&self, outer: &FilesSections) -> FilesSections {
        if self.list.is_empty() {
            return outer.clone();
        }
        let mut all = outer.clone();
        self.list.iter().for_each(|section| all.push(section.clone()));
        all
    }
}

/// Core's settings per directory.
#[derive(Clone, Debug, Default)]
pub struct CoreDir {
    /// `Options`.
    pub options: Options,
    /// `AllowOverride` classes; unsaid, `.htaccess` is read and nothing in it allowed.
    pub allow_override: Said<Scope>,
    /// Which `Options` words AllowOverride lets through.
    pub override_options: Said<OptionBits>,
    /// `AllowOverrideList`, names in lower case.
    pub override_list: Said<Arc<FxHashSet<BString>>>,
    /// `AllowOverride Nonfatal=`: which kinds of error in `.htaccess` are only logged.
    pub override_nonfatal: Said<Nonfatal>,
    /// `<Files>` sections that stand at this place.
    pub files: FilesSections,
    /// `<If>`, `<ElseIf>`, `<Else>` sections that stand at this place.
    pub ifs: Vec<Arc<Section>>,
    /// `SetHandler`.
    pub handler: Said<HandlerName>,
    /// `ForceType`; `None` inside means "none".
    pub force_type: Said<Option<BString>>,
    /// `DefaultType`, of which only `none` has effect.
    pub default_type: Said<BString>,
    /// `AddDefaultCharset`; `None` inside means Off.
    pub default_charset: Said<Option<BString>>,
    /// `ErrorDocument` by status.
    pub error_documents: FxHashMap<u16, Setting<ErrorDocument>>,
    /// `AcceptPathInfo`: `None` inside means Default.
    pub accept_path_info: Said<Option<bool>>,
    /// `AllowEncodedSlashes`.
    pub encoded_slashes: Said<EncodedSlashes>,
    /// `FileETag`.
    pub etag: Said<ETagFlags>,
    /// `EnableSendfile`.
    pub sendfile: Said<bool>,
    /// `ContentDigest`.
    pub content_md5: Said<bool>,
    /// `UseCanonicalName`.
    pub canonical_name: Said<CanonicalName>,
    /// `UseCanonicalPhysicalPort`.
    pub canonical_port: Said<bool>,
    /// `HostnameLookups`.
    pub lookups: Said<Lookups>,
    /// `ServerSignature`.
    pub signature: Said<Signature>,
    /// `LimitRequestBody`, bytes; 0 is no limit.
    pub limit_body: Said<u64>,
    /// `LimitXMLRequestBody`, bytes.
    pub limit_xml_body: Said<u64>,
    /// `CGIPassAuth`.
    pub cgi_pass_auth: Said<bool>,
    /// `CGIVar REQUEST_URI`: whether it is the original one.
    pub cgi_original_uri: Said<bool>,
    /// `QualifyRedirectURL`.
    pub qualify_redirect: Said<bool>,
    /// `SetOutputFilter`: names with `;` between them.
    pub output_filters: Said<BString>,
    /// `SetInputFilter`: names with `;` between them.
    pub input_filters: Said<BString>,
    /// `LogLevel`.
    pub log_levels: LogLevels,
    /// `MaxRanges`, `MaxRangeOverlaps`, `MaxRangeReversals`: `None` inside is unlimited.
    pub max_ranges: Said<Option<u32>>,
    /// `MaxRangeOverlaps`.
    pub max_range_overlaps: Said<Option<u32>>,
    /// `MaxRangeReversals`.
    pub max_range_reversals: Said<Option<u32>>,
    /// `RLimitCPU` soft and hard, seconds.
    pub rlimit_cpu: Said<ResourceLimit>,
    /// `RLimitMEM` soft and hard, bytes.
    pub rlimit_mem: Said<ResourceLimit>,
    /// `RLimitNPROC` soft and hard.
    pub rlimit_nproc: Said<ResourceLimit>,
}

/// A resource limit of setrlimit(2); `None` is "max", the most the server itself may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Soft limit.
    pub soft: Option<u64>,
    /// Hard limit; unsaid leaves it.
    pub hard: Option<Option<u64>>,
}

/// What `AllowOverride Nonfatal=` forgives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonfatal {
    /// Directives that are not allowed there.
    Override,
    /// Directives that no module knows.
    Unknown,
    /// Both.
    All,
}

impl Config for CoreDir {
    fn merge(&self, outer: &Self) -> Self {
        let mut error_documents = outer.error_documents.clone();
        error_documents.extend(self.error_documents.iter().map(|(status, said)| (*status, said.clone())));
        let mut ifs = outer.ifs.clone();
        ifs.extend(self.ifs.iter().cloned());
        CoreDir {
            options: Options::merge(&self.options, &outer.options),
            allow_override: self.allow_override.over(&outer.allow_override),
            override_options: self.override_options.over(&outer.override_options),
            override_list: self.override_list.over(&outer.override_list),
            override_nonfatal: self.override_nonfatal.over(&outer.override_nonfatal),
            files: self.files.after(&outer.files),
            ifs,
            handler: self.handler.over(&outer.handler),
            force_type: self.force_type.over(&outer.force_type),
            default_type: self.default_type.over(&outer.default_type),
            default_charset: self.default_charset.over(&outer.default_charset),
            error_documents,
            accept_path_info: self.accept_path_info.over(&outer.accept_path_info),
            encoded_slashes: self.encoded_slashes.over(&outer.encoded_slashes),
            etag: match (self.etag, outer.etag) {
                (Some(inner), Some(outer)) => {
                    Some(Setting::new(ETagFlags::merge(inner.value, outer.value), inner.at))
                }
                (inner, outer) => inner.or(outer),
            },
            sendfile: self.sendfile.over(&outer.sendfile),
            content_md5: self.content_md5.over(&outer.content_md5),
            canonical_name: self.canonical_name.over(&outer.canonical_name),
            canonical_port: self.canonical_port.over(&outer.canonical_port),
            lookups: self.lookups.over(&outer.lookups),
            signature: self.signature.over(&outer.signature),
            limit_body: self.limit_body.over(&outer.limit_body),
            limit_xml_body: self.limit_xml_body.over(&outer.limit_xml_body),
            cgi_pass_auth: self.cgi_pass_auth.over(&outer.cgi_pass_auth),
            cgi_original_uri: self.cgi_original_uri.over(&outer.cgi_original_uri),
            qualify_redirect: self.qualify_redirect.over(&outer.qualify_redirect),
            output_filters: self.output_filters.over(&outer.output_filters),
            input_filters: self.input_filters.over(&outer.input_filters),
            log_levels: self.log_levels.over(&outer.log_levels),
            max_ranges: self.max_ranges.over(&outer.max_ranges),
            max_range_overlaps: self.max_range_overlaps.over(&outer.max_range_overlaps),
            max_range_reversals: self.max_range_reversals.over(&outer.max_range_reversals),
            rlimit_cpu: self.rlimit_cpu.over(&outer.rlimit_cpu),
            rlimit_mem: self.rlimit_mem.over(&outer.rlimit_mem),
            rlimit_nproc: self.rlimit_nproc.over(&outer.rlimit_nproc),
        }
    }
}

/// Core's settings per virtual host.
#[derive(Clone, Debug, Default)]
pub struct CoreServer {
    /// `DocumentRoot`, absolute.
    pub document_root: Said<BString>,
    /// `ServerName` as written, without scheme and port.
    pub name: Said<BString>,
    /// Port of `ServerName`.
    pub port: Said<u16>,
    /// Scheme of `ServerName`.
    pub scheme: Said<BString>,
    /// `ServerAlias`, exact names in lower case, and patterns with `*` or `?`.
    pub aliases: Vec<Setting<BString>>,
    /// `ServerPath`.
    pub path: Said<BString>,
    /// `ServerAdmin`.
    pub admin: Said<BString>,
    /// `Timeout`.
    pub timeout: Said<Duration>,
    /// `KeepAlive`.
    pub keep_alive: Said<bool>,
    /// `KeepAliveTimeout`.
    pub keep_alive_timeout: Said<Duration>,
    /// `MaxKeepAliveRequests`; 0 is no limit.
    pub keep_alive_max: Said<u32>,
    /// `LimitRequestLine`, bytes.
    pub limit_line: Said<u32>,
    /// `LimitRequestFields`; 0 is no limit.
    pub limit_fields: Said<u32>,
    /// `LimitRequestFieldSize`, bytes.
    pub limit_field_size: Said<u32>,
    /// `AccessFileName`.
    pub access_names: Said<Arc<Vec<BString>>>,
    /// `ErrorLog`.
    pub error_log: Said<BString>,
    /// `ErrorLogFormat`, raw.
    pub error_log_format: Said<BString>,
    /// `LogLevel`.
    pub log_levels: LogLevels,
    /// `HttpProtocolOptions` Strict (true) or Unsafe.
    pub strict: Said<bool>,
    /// `HttpProtocolOptions` RegisteredMethods.
    pub registered_methods: Said<bool>,
    /// `HttpProtocolOptions` Require1.0.
    pub require_1_0: Said<bool>,
    /// `MergeSlashes`.
    pub merge_slashes: Said<bool>,
    /// `MergeTrailers`.
    pub merge_trailers: Said<bool>,
    /// `TraceEnable`: On, Off or extended.
    pub trace: Said<Trace>,
    /// `StrictHostCheck`.
    pub strict_host_check: Said<bool>,
    /// `Protocols`.
    pub protocols: Said<Arc<Vec<BString>>>,
}

/// `TraceEnable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// 405.
    Off,
    /// Without a body.
    On,
    /// With a body.
    Extended,
}

impl Config for CoreServer {
    fn merge(&self, outer: &Self) -> Self {
        CoreServer {
            document_root: self.document_root.over(&outer.document_root),
            name: self.name.clone(),
            port: self.port,
            scheme: self.scheme.clone(),
            aliases: self.aliases.clone(),
            path: self.path.clone(),
            admin: self.admin.over(&outer.admin),
            timeout: self.timeout.over(&outer.timeout),
            keep_alive: self.keep_alive.over(&outer.keep_alive),
            keep_alive_timeout: self.keep_alive_timeout.over(&outer.keep_alive_timeout),
            keep_alive_max: self.keep_alive_max.over(&outer.keep_alive_max),
            limit_line: self.limit_line.over(&outer.limit_line),
            limit_fields: self.limit_fields.over(&outer.limit_fields),
            limit_field_size: self.limit_field_size.over(&outer.limit_field_size),
            access_names: self.access_names.over(&outer.access_names),
            error_log: self.error_log.over(&outer.error_log),
            error_log_format: self.error_log_format.over(&outer.error_log_format),
            log_levels: self.log_levels.over(&outer.log_levels),
            strict: self.strict.over(&outer.strict),
            registered_methods: self.registered_methods.over(&outer.registered_methods),
            require_1_0: self.require_1_0.over(&outer.require_1_0),
            merge_slashes: self.merge_slashes.over(&outer.merge_slashes),
            merge_trailers: self.merge_trailers.over(&outer.merge_trailers),
            trace: self.trace.over(&outer.trace),
            strict_host_check: self.strict_host_check.over(&outer.strict_host_check),
            protocols: self.protocols.over(&outer.protocols),
        }
    }
}

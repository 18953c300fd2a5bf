//! What a module is: a constant table of what it understands and when it is asked.

use super::{
    access::Satisfy,
    answer::{Answer, Pending},
    cx::Cx,
    request::{LogEntry, Request},
};
use crate::{
    diag::Diagnostic,
    http::{Method, Status},
    policy::{
        Conf, Directive, Kind, Policy, Setting,
        table::{AuthnProvider, Provider, Table},
    },
    system::System,
};

/// An Apache module: a constant table and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Name as people say it: `mod_alias`, `core`.
    pub name: &'static str,
    /// Source file, as `<IfModule mod_alias.c>` and `-l` name it.
    pub source: &'static str,
    /// Identifier, as LoadModule names it: `alias_module`.
    pub identifier: &'static str,
    /// Whether it is active even when LoadModule chooses others.
    pub always: bool,
    /// Types of its settings.
    pub configs: &'static [Kind],
    /// Its directives.
    pub directives: &'static [Directive],
    /// Words that it adds to `Require`; each parses into a [`super::Requirement`].
    pub authz_providers: &'static [Provider],
    /// Words that it adds to AuthBasicProvider and AuthDigestProvider; each has
    /// [`super::AuthnFunctions`] in it.
    pub authn_providers: &'static [AuthnProvider],
    /// Asks the client for a user in the way that AuthType names, if that is this module's
    /// \[note_auth_failure\]; says whether it is.
    pub challenge: Option<fn(&mut Cx<'_>, &[u8]) -> bool>,
    /// Its output filters.
    pub filters: &'static [super::filter::Filter],
    /// The questions it answers.
    pub hooks: &'static [Hook],
    /// `Satisfy`, which decides how the access phases go together (mod_access_compat has it).
    pub satisfy: Option<fn(&Conf, Method) -> Setting<Satisfy>>,
    /// Whether it tells the directives as they stand, so that [`Policy::tree`] is to be kept (mod_info has it).
    pub keeps_tree: bool,
    /// Checks across directives, once the whole configuration is read.
    pub check: Option<fn(&Policy, &mut Vec<Diagnostic>)>,
    /// What must hold of the world before the server starts; the entry says why it does not.
    pub start: Option<StartCheck>,
    /// Changes the fields of an answer just before its head is written.
    pub answering: Option<Answering>,
    /// Lines for the log targets of the policy, once a request is over (mod_log_config has it).
    pub log: Option<LogLines>,
}

/// Looks at the world before the server starts (Apache's post_config).
pub type StartCheck = fn(&Policy, &dyn System) -> Result<(), Box<LogEntry>>;

/// What a module does to an answer's fields, where Apache has an output filter of the content.
#[derive(Clone, Copy, Debug)]
pub struct Answering {
    /// Its place among the modules: Apache's AP_FTYPE of the filter, the lowest first.
    pub rank: i8,
    /// The function.
    pub run: fn(&mut Cx<'_>, Made),
}

/// Who made an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// A handler, that of an ErrorDocument included (filters of insert_filter).
    ByHandler,
    /// The server itself, for a status that ended the request (filters of insert_error_filter).
    ByStatus,
}

/// Makes log lines of a finished request: which target of [`Policy::log_targets`], and the line.
pub type LogLines = fn(&mut Cx<'_>, &super::answer::Sent, &mut Vec<(usize, Vec<u8>)>);

impl Module {
    /// What a module has where its table says nothing: `..Module::NOTHING`.
    pub const NOTHING: Module = Module {
        name: "",
        source: "",
        identifier: "",
        always: false,
        configs: &[],
        directives: &[],
        authz_providers: &[],
        authn_providers: &[],
        challenge: None,
        filters: &[],
        hooks: &[],
        satisfy: None,
        keeps_tree: false,
        check: None,
        start: None,
        answering: None,
        log: None,
    };

    /// What the policy needs of it.
    pub const fn table(&self) -> Table {
        Table {
            source: self.source,
            identifier: self.identifier,
            configs: self.configs,
            directives: self.directives,
            authz_providers: self.authz_providers,
            authn_providers: self.authn_providers,
            always: self.always,
            keeps_tree: self.keeps_tree,
        }
    }

    /// The name by which logs and `LogLevel` know it: `alias` for `alias_module`.
    pub fn short_name(&self) -> &'static str {
        self.identifier.trim_end_matches("_module")
    }
}

/// A question the module answers.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// The phase it belongs to.
    pub phase: Phase,
    /// Its place in the phase.
    pub order: Order,
    /// The function.
    pub run: fn(&mut Cx<'_>) -> Verdict,
}

/// The phases of a decision, in order. Apache's hook names are in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The head is read, the server chosen \[post_read_request\]: all are asked.
    PostRead,
    /// Sections that hold by URL, before it is mapped: core's alone.
    Early,
    /// From URL to file name \[translate_name\]: the first answer wins.
    Translate,
    /// Directory and file sections \[map_to_storage\]: the first answer wins.
    Storage,
    /// Sections that hold by URL, for good: core's alone.
    Late,
    /// The settings are known \[header_parser\]: all are asked.
    HeaderParser,
    /// By address, host and environment \[access_checker\]: all are asked.
    Access,
    /// Whether a user is needed at all \[access_checker_ex\]: the first answer wins.
    AccessEx,
    /// Who it is \[check_user_id\]: the first answer wins.
    Authn,
    /// Whether that user may \[auth_checker\]: the first answer wins.
    Authz,
    /// Media type, handler, language \[type_checker\]: the first answer wins.
    Type,
    /// Last changes \[fixups\]: all are asked.
    Fixup,
    /// Filters \[insert_filter\]: all are asked.
    Filter,
    /// The answer \[handler\]: the first answer wins.
    Handler,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Phase; 14] = [
        Phase::PostRead,
        Phase::Early,
        Phase::Translate,
        Phase::Storage,
        Phase::Late,
        Phase::HeaderParser,
        Phase::Access,
        Phase::AccessEx,
        Phase::Authn,
        Phase::Authz,
        Phase::Type,
        Phase::Fixup,
        Phase::Filter,
        Phase::Handler,
    ];

    /// Whether `Ok` ends the phase; in the others everyone is asked.
    pub const fn first_wins(self) -> bool {
        !matches!(
            self,
            Phase::PostRead
                | Phase::Early
                | Phase::Late
                | Phase::HeaderParser
                | Phase::Access
                | Phase::Fixup
                | Phase::Filter
        )
    }

    /// The name of Apache's hook.
    pub const fn apache_name(self) -> &'static str {
        match self {
            Phase::PostRead => "post_read_request",
            Phase::Early => "location_walk (early)",
            Phase::Translate => "translate_name",
            Phase::Storage => "map_to_storage",
            Phase::Late => "location_walk",
            Phase::HeaderParser => "header_parser",
            Phase::Access => "access_checker",
            Phase::AccessEx => "access_checker_ex",
            Phase::Authn => "check_user_id",
            Phase::Authz => "auth_checker",
            Phase::Type => "type_checker",
            Phase::Fixup => "fixups",
            Phase::Filter => "insert_filter",
            Phase::Handler => "handler",
        }
    }
}

/// Place within a phase: by rank, and after the modules named. Equals stand in the order of the
/// module list.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Apache's: REALLY_FIRST -10, FIRST 0, MIDDLE 10, LAST 20, REALLY_LAST 30.
    pub rank: i8,
    /// Modules whose hooks of this phase must have been asked before.
    pub after: &'static [&'static str],
}

impl Order {
    /// APR_HOOK_REALLY_FIRST.
    pub const REALLY_FIRST: Order = Order { rank: -10, after: &[] };
    /// APR_HOOK_FIRST.
    pub const FIRST: Order = Order { rank: 0, after: &[] };
    /// APR_HOOK_MIDDLE.
    pub const MIDDLE: Order = Order { rank: 10, after: &[] };
    /// APR_HOOK_LAST.
    pub const LAST: Order = Order { rank: 20, after: &[] };
    /// APR_HOOK_REALLY_LAST.
    pub const REALLY_LAST: Order = Order { rank: 30, after: &[] };
}

/// A hook's answer.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing to say: the next hook is asked.
    Declined,
    /// Settled: ends a first-wins phase, goes on in the others.
    Ok,
    /// Ends the request with this status: an ErrorDocument or the built-in page follows.
    Status(Status),
    /// Ends the decision.
    Answer(Answer),
    /// A looked-up request, decided up to here already, takes this one's place (mod_dir's index).
    Adopt(Box<Request>),
    /// Internal redirect: decided from the top, with the old request as its `prev`.
    Become(Box<Request>),
    /// Ask me again, at this very step, once that is known.
    Wait(Pending),
}

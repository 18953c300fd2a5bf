//! Modules that Apache has and rachis does not, as data: their names, directives and handlers.
//!
//! `LoadModule` makes such a module count as loaded, so that configurations read as they do in
//! Apache: `<IfModule>` holds, and its directives are checked for place and arguments. They have no
//! effect, which a warning says once for each name; and where ignoring one could open what it
//! closes, the server refuses to start.

mod danger;
mod refusal;

use super::{
    directive::{Applied, Args, Directive, Scope, Shape},
    place::Place,
};
pub use danger::Danger;
pub(super) use refusal::Findings;
use std::sync::{LazyLock, OnceLock};

/// Identifier, source file, name, handlers, words behind `Require`.
const MODULES: &str = include_str!("modules.tsv");

/// Module, name, shape, scope, danger, usage; sorted by module.
const DIRECTIVES: &str = include_str!("directives.tsv");

static TABLE: LazyLock<Vec<Lacking>> = LazyLock::new(|| lines(MODULES).filter_map(module).collect());

/// A module that rachis does not have.
#[derive(Debug)]
pub struct Lacking {
    /// Name as the manual has it: `mod_rewrite`, `prefork`.
    pub name: &'static str,
    /// As `LoadModule` names it.
    pub identifier: &'static str,
    /// Source file, as `<IfModule>` names it.
    pub source: &'static str,
    /// Its directives, read when the first of them is asked for: a server starts sooner.
    rows: OnceLock<Vec<Row>>,
    /// Names of its handlers; a `*` stands for any characters.
    handlers: Vec<&'static str>,
    /// Words that it adds to `Require`.
    pub providers: Vec<&'static str>,
}

/// A directive of such a module.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its row.
    pub directive: Directive,
    /// What ignoring it may do.
    pub danger: Danger,
}

impl Lacking {
    /// Its directives.
    pub fn rows(&self) -> &[Row] {
        self.rows.get_or_init(|| rows_of(self.name))
    }

    /// The row of a name; sections begin with `<`, letter case does not count.
    pub fn row(&self, name: &[u8]) -> Option<&Row> {
        self.rows().iter().find(|row| row.directive.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether it would answer the requests that have this handler.
    pub fn handles(&self, handler: &[u8]) -> bool {
        let pattern = |pattern: &&str| {
            super::fnmatch::fnmatch(pattern.as_bytes(), handler, super::fnmatch::Flags::NONE)
        };
        self.handlers.iter().any(pattern)
    }
}

/// All of them.
pub fn modules() -> &'static [Lacking] {
    &TABLE
}

/// The module of this identifier.
pub fn module_named(identifier: &[u8]) -> Option<&'static Lacking> {
    modules().iter().find(|module| module.identifier.as_bytes() == identifier)
}

/// The module that has a directive of this name.
pub fn module_of(name: &[u8]) -> Option<&'static Lacking> {
    modules().iter().find(|module| module.row(name).is_some())
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn module(line: &'static str) -> Option<Lacking> {
    let [identifier, source, name, handlers, providers] = fields(line)?;
    let words = |text: &'static str| text.split(' ').filter(|word| *word != "-").collect();
    let (handlers, providers) = (words(handlers), words(providers));
    Some(Lacking { name, identifier, source, rows: OnceLock::new(), handlers, providers })
}

/// The rows of a module, which stand together.
fn rows_of(module: &str) -> Vec<Row> {
    let its = |line: &&str| line.strip_prefix(module).is_some_and(|rest| rest.starts_with('\t'));
    lines(DIRECTIVES).skip_while(|line| !its(line)).take_while(its).filter_map(row).collect()
}

fn row(line: &'static str) -> Option<Row> {
    let [_module, name, shape_word, scope_words, danger, usage] = fields(line)?;
    let apply = if name.starts_with('<') { section } else { nothing };
    let (shape, scope) = (shape(shape_word)?, scope(scope_words)?);
    let directive = Directive { name, shape, scope, usage, doc: "", apply };
    Some(Row { directive, danger: Danger::read(danger)? })
}

fn fields<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    line.split('\t').collect::<Vec<_>>().try_into().ok()
}

fn shape(word: &str) -> Option<Shape> {
    Some(match word {
        "Raw" => Shape::Raw,
        "NoArgs" => Shape::NoArgs,
        "Flag" => Shape::Flag,
        "One" => Shape::One,
        "Two" => Shape::Two,
        "Three" => Shape::Three,
        "OneTwo" => Shape::OneTwo,
        "OneThree" => Shape::OneThree,
        "TwoThree" => Shape::TwoThree,
        "OneTwoThree" => Shape::OneTwoThree,
        "Each" => Shape::Each,
        "EachWithFirst" => Shape::EachWithFirst,
        "Argv" => Shape::Argv,
        _ => return None,
    })
}

fn scope(words: &str) -> Option<Scope> {
    let bit = |word| {
        Some(match word {
            "server" => Scope::RSRC_CONF,
            "directory" => Scope::ACCESS_CONF,
            "All" => Scope::ALL,
            "Limit" => Scope::LIMIT,
            "Options" => Scope::OPTIONS,
            "FileInfo" => Scope::FILEINFO,
            "AuthConfig" => Scope::AUTHCFG,
            "Indexes" => Scope::INDEXES,
            _ => return None,
        })
    };
    words.split(' ').try_fold(Scope::NONE, |scope, word| Some(scope.or(bit(word)?)))
}

fn nothing(_: &mut Place<'_, '_>, _: &Args<'_>) -> Applied {
    Ok(())
}

/// What is inside is checked like the contents of a directory section, and holds nowhere.
fn section(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.section(args.node, Some(b"proxy:"), false);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DIRECTIVES, MODULES, lines, module_named, module_of, modules};

    #[test]
    fn whose_a_directive_is() {
        assert_eq!(module_of(b"proxypass").map(|module| module.name), Some("mod_proxy"));
        assert_eq!(module_of(b"<Proxy").map(|module| module.name), Some("mod_proxy"));
        assert!(module_of(b"Proxy").is_none());
    }

    #[test]
    fn every_line_is_understood() {
        assert_eq!(modules().len(), lines(MODULES).count());
        let php = module_named(b"php_module").map_or(0, |module| module.rows().len());
        let rows: usize = modules().iter().map(|module| module.rows().len()).sum();
        assert_eq!(rows - 2 * php, lines(DIRECTIVES).count());
    }

    #[test]
    fn whose_a_handler_is() {
        let handles = |id: &[u8], name: &[u8]| module_named(id).is_some_and(|module| module.handles(name));
        assert!(handles(b"php_module", b"application/x-httpd-php8"));
        assert!(handles(b"proxy_module", b"proxy:unix:/run/php.sock|fcgi://localhost"));
        assert!(!handles(b"status_module", b"server-info"));
    }
}

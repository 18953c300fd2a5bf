//! Every directive of the manual has a row, and the page that lists them is made from the rows.

use rachis::{
    modules,
    policy::{
        Directive, Scope,
        lacking::{self, Danger},
    },
};
use std::{collections::BTreeMap, fmt::Write};

/// The facts: see its head.
const FACTS: &str = include_str!("directives.tsv");

/// The page; `RACHIS_WRITE_DOCS=1 cargo test --test directives` writes it anew.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/directives.md");

struct Fact {
    name: &'static str,
    module: &'static str,
    shape: &'static str,
    scope: &'static str,
}

fn facts() -> impl Iterator<Item = Fact> {
    let lines = FACTS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
        [name, module, _, _, shape, scope] => Fact { name: name.trim_end_matches('>'), module, shape, scope },
        _ => panic!("six columns: {line}"),
    })
}

/// A directive's row, whose it is, and what becomes of it.
struct Row {
    module: &'static str,
    directive: Directive,
    state: State,
}

enum State {
    Implemented,
    WithoutEffect(String),
    NotYet(Danger),
}

fn rows() -> Vec<Row> {
    let own = modules::ALL.iter().flat_map(|module| {
        module.directives.iter().map(|row| Row {
            module: module.name,
            directive: *row,
            state: own_state(row),
        })
    });
    let one_of_each =
        |module: &&lacking::Lacking| !matches!(module.identifier, "php5_module" | "php7_module");
    let lacking = lacking::modules().iter().filter(one_of_each).flat_map(|module| {
        module.rows().iter().map(|row| Row {
            module: module.name,
            directive: row.directive,
            state: State::NotYet(row.danger),
        })
    });
    own.chain(lacking).collect()
}

fn own_state(row: &Directive) -> State {
    match row.doc.strip_prefix("accepted without effect") {
        Some(reason) => State::WithoutEffect(reason.trim_start_matches([':', ',', ' ']).to_owned()),
        None => State::Implemented,
    }
}

/// The manual tells core and the MPMs apart in another way than the sources do.
fn same_module(ours: &str, manual: &str) -> bool {
    let common = |name| {
        matches!(name, "core" | "http_core" | "mpm_event" | "mpm_common" | "event" | "mod_unixd" | "mod_so")
    };
    ours == manual || (common(ours) && common(manual)) || (manual == "mod_cgi" && ours == "mod_cgid")
}

fn scope(words: &str) -> Scope {
    let bit = |word| match word {
        "server" => Scope::RSRC_CONF,
        "directory" => Scope::ACCESS_CONF,
        "All" => Scope::ALL,
        "Limit" => Scope::LIMIT,
        "Options" => Scope::OPTIONS,
        "FileInfo" => Scope::FILEINFO,
        "AuthConfig" => Scope::AUTHCFG,
        "Indexes" => Scope::INDEXES,
        _ => panic!("no scope: {word}"),
    };
    words.split(' ').fold(Scope::NONE, |scope, word| scope.or(bit(word)))
}

/// What can be seen of a scope: those of `.htaccess` may stand in directory sections too.
fn admits(scope: Scope) -> Scope {
    let inside = if scope.meets(Scope::ALL) { Scope::ACCESS_CONF } else { Scope::NONE };
    scope.without(Scope::EXEC_ON_READ).or(inside)
}

/// What is wrong with the row of a fact.
fn complaint(fact: &Fact, rows: &[Row]) -> Option<String> {
    let named = |row: &&Row| row.directive.name.eq_ignore_ascii_case(fact.name);
    let found = rows.iter().filter(named).find(|row| same_module(row.module, fact.module));
    let (name, module) = (fact.name, fact.module);
    let row = match (found, fact.scope) {
        (None, "-") => return None,
        (Some(_), "-") => return Some(format!("{name}: Apache for Linux does not have it")),
        (None, _) => return Some(format!("{name} of {module} has no row")),
        (Some(row), _) => &row.directive,
    };
    if row.name != fact.name {
        return Some(format!("{name} is spelt {}", row.name));
    }
    if admits(row.scope) != admits(scope(fact.scope)) {
        return Some(format!("{name}: {:?} is not {}", row.scope, fact.scope));
    }
    let shape = format!("{:?}", row.shape);
    (fact.shape != "-" && shape != fact.shape).then(|| format!("{name}: {shape} is not {}", fact.shape))
}

#[test]
fn every_directive_has_a_row_as_apache_has_it() {
    let rows = rows();
    let complaints: Vec<String> = facts().filter_map(|fact| complaint(&fact, &rows)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_rachis_has_is_not_listed_as_lacking() {
    for module in modules::ALL {
        assert!(lacking::module_named(module.identifier.as_bytes()).is_none(), "{}", module.identifier);
    }
}

#[test]
fn the_page_is_made_from_the_rows() {
    let page = page();
    if std::env::var_os("RACHIS_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).expect("docs can be written");
    }
    let there = std::fs::read_to_string(PAGE).expect("docs/directives.md is there");
    assert!(
        there == page,
        "docs/directives.md is out of date: RACHIS_WRITE_DOCS=1 cargo test --test directives"
    );
}

/// `docs/directives.md`.
fn page() -> String {
    let rows = rows();
    let mut text = String::from(INTRODUCTION);
    let count = |wanted: fn(&State) -> bool| rows.iter().filter(|row| wanted(&row.state)).count();
    let refused = |state: &State| matches!(state, State::NotYet(danger) if closes(*danger));
    let _ = writeln!(
        text,
        "\n{} implemented, {} accepted without effect, {} not yet, of which {} stop the start.",
        count(|state| matches!(state, State::Implemented)),
        count(|state| matches!(state, State::WithoutEffect(_))),
        count(|state| matches!(state, State::NotYet(_))),
        count(refused),
    );
    let mut modules: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| modules.entry(row.module).or_default().push(row));
    for (module, mut rows) in modules {
        rows.sort_by_key(|row| row.directive.bare_name().to_ascii_lowercase());
        let _ = writeln!(
            text,
            "\n## {module}\n\n| directive | where | AllowOverride | state |\n|---|---|---|---|"
        );
        rows.iter().for_each(|row| line(row, &mut text));
    }
    text.push_str("\n## Not in Apache for Linux\n\nUnknown names, as in Apache there: ");
    let absent: Vec<String> =
        facts().filter(|fact| fact.scope == "-").map(|fact| format!("`{}`", fact.name)).collect();
    let _ = writeln!(text, "{}.", absent.join(", "));
    text
}

const INTRODUCTION: &str = "# Every directive

Made from the tables of the modules; not to be edited. Where a directive may stand is as in Apache.

- **yes**: it does what it does in Apache.
- **no effect**: accepted, and why it changes nothing here.
- **not yet**: rachis lacks the module. With the module's `LoadModule`, place and number of arguments are checked, the
  error log has one warning for each such name at the start, and the directive has no effect. Without it the name is
  unknown, as in Apache.
- **refused**: the same, but ignoring it could open what it closes, so the server does not start with it (in
  `.htaccess`: the answer is 500), unless it stands in a virtual host on whose port nothing listens.
";

fn line(row: &Row, text: &mut String) {
    let (name, scope) = (row.directive.name, row.directive.scope);
    let close = if name.starts_with('<') { ">" } else { "" };
    let state = match &row.state {
        State::Implemented => format!("yes: {}", row.directive.doc),
        State::WithoutEffect(reason) => format!("no effect: {reason}"),
        State::NotYet(danger) => lacking_state(*danger),
    };
    let state = state.replace('|', "\\|");
    let _ = writeln!(text, "| `{name}{close}` | {} | {} | {state} |", place(scope), classes(scope));
}

fn lacking_state(danger: Danger) -> String {
    match danger {
        Danger::None => "not yet".to_owned(),
        Danger::Tuning => "no effect: one event loop for each core, nothing to tune".to_owned(),
        Danger::Closed => "refused".to_owned(),
        Danger::ClosedUnless(word) => format!("refused, unless `{word}`"),
    }
}

fn closes(danger: Danger) -> bool {
    !matches!(danger, Danger::None | Danger::Tuning)
}

fn place(scope: Scope) -> &'static str {
    let within = Scope::OPTIONS.or(Scope::FILEINFO).or(Scope::INDEXES);
    let outside = scope.meets(within.or(Scope::RSRC_CONF));
    let inside = scope.meets(Scope::ALL.or(Scope::ACCESS_CONF));
    match (outside, inside) {
        (true, true) => "anywhere",
        (true, false) => "server",
        _ => "sections",
    }
}

fn classes(scope: Scope) -> String {
    match scope.has(Scope::ALL) {
        true => "any".to_owned(),
        false => rachis::policy::compile::class_names(scope),
    }
}

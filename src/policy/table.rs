//! The directive tables of all modules, and which of the modules are active.
//!
//! All modules are compiled in. Once the configuration reads any `LoadModule NAME_module PATH`,
//! exactly the named modules are active besides those that every build of Apache has.

use super::{
    conf::Kind,
    directive::{Directive, Mistake},
    lacking::{self, Lacking, Row},
    place::Place,
};
use crate::syntax::Text;
use rustc_hash::FxHashMap;
use std::{any::Any, sync::Arc};

/// What the policy needs of a module: its names, its settings' types, its directives.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Source file, as `<IfModule mod_alias.c>` and `-l` name it.
    pub source: &'static str,
    /// Identifier, as `LoadModule` names it: `alias_module`.
    pub identifier: &'static str,
    /// Types of its settings.
    pub configs: &'static [Kind],
    /// Its directives.
    pub directives: &'static [Directive],
    /// Words that it adds to `Require`.
    pub authz_providers: &'static [Provider],
    /// Words that it adds to AuthBasicProvider and AuthDigestProvider.
    pub authn_providers: &'static [AuthnProvider],
    /// Whether it is active even if LoadModule names others.
    pub always: bool,
    /// Whether it needs [`super::Policy::tree`].
    pub keeps_tree: bool,
}

/// A word that may stand behind `Require` (an authz provider), and how what follows it is read.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// The word; unlike names of directives it is told apart by case.
    pub name: &'static str,
    /// What it asks for, one line in our words.
    pub doc: &'static str,
    /// Reads what follows the word; the result means something to the engine only.
    pub parse: fn(&mut Place<'_, '_>, &Text) -> Result<Parsed, Mistake>,
}

/// A word that may stand behind AuthBasicProvider or AuthDigestProvider: somebody who knows users
/// and passwords (an authn provider).
#[derive(Clone, Copy, Debug)]
pub struct AuthnProvider {
    /// The word, which is told apart by case.
    pub name: &'static str,
    /// Whom it knows, one line in our words.
    pub doc: &'static str,
    /// Whether it has hashes of user, realm and password, which Digest needs.
    pub has_realms: bool,
    /// What it can do; means something to the engine only.
    pub functions: &'static (dyn Any + Send + Sync),
}

/// What a [`Provider`] made of its arguments.
pub type Parsed = Arc<dyn Any + Send + Sync>;

/// All tables, and the set of active ones.
#[derive(Clone, Debug)]
pub struct Tables {
    tables: Vec<Table>,
    active: Vec<bool>,
    /// Whether a LoadModule was read.
    chosen: bool,
    by_name: FxHashMap<String, Vec<(usize, &'static Directive)>>,
    /// Modules that LoadModule named and rachis does not have.
    lacking: Vec<&'static Lacking>,
}

/// What became of a `LoadModule`.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// The module is active.
    Done,
    /// Apache has it and rachis does not: its directives are checked and have no effect.
    Lacking(&'static Lacking),
    /// Nobody here knows it.
    Unknown,
}

/// No directive's name is longer.
const LONGEST_NAME: usize = 64;

/// What became of a name.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'t> {
    /// An active module has it.
    Found(&'t Table, &'static Directive),
    /// A module has it that was not loaded.
    Inactive(&'t Table, &'static Directive),
    /// A loaded module that rachis does not have.
    Lacking(&'static Lacking, &'static Row),
    /// No module has it.
    Unknown,
}

impl Tables {
    /// All of them active.
    pub fn new(tables: impl IntoIterator<Item = Table>) -> Self {
        let tables: Vec<Table> = tables.into_iter().collect();
        let mut by_name: FxHashMap<String, Vec<(usize, &'static Directive)>> = FxHashMap::default();
        for (index, table) in tables.iter().enumerate() {
            for row in table.directives {
                by_name.entry(row.name.to_ascii_lowercase()).or_default().push((index, row));
            }
        }
        Tables { active: vec![true; tables.len()], tables, chosen: false, by_name, lacking: Vec::new() }
    }

    /// `LoadModule identifier`. A module that Apache has and rachis does not counts as loaded too.
    pub fn load(&mut self, identifier: &[u8]) -> Load {
        if !self.chosen {
            self.chosen = true;
            for (active, table) in self.active.iter_mut().zip(&self.tables) {
                *active = table.always;
            }
        }
        let found = self.tables.iter().position(|table| table.identifier.as_bytes() == identifier);
        if let Some(index) = found {
            self.active[index] = true;
            return Load::Done;
        }
        let Some(lacking) = lacking::module_named(identifier) else { return Load::Unknown };
        self.lacking.push(lacking);
        Load::Lacking(lacking)
    }

    /// The modules that LoadModule named and rachis does not have.
    pub fn lacking(&self) -> &[&'static Lacking] {
        &self.lacking
    }

    /// The loaded module that rachis lacks and that would answer requests of this handler.
    pub fn lacking_handler(&self, handler: &[u8]) -> Option<&'static Lacking> {
        self.lacking.iter().copied().find(|module| module.handles(handler))
    }

    /// The loaded module that rachis lacks and that has this word behind `Require`.
    pub fn lacking_provider(&self, word: &[u8]) -> Option<&'static Lacking> {
        let has = |module: &&Lacking| module.providers.iter().any(|name| name.as_bytes() == word);
        self.lacking.iter().copied().find(has)
    }

    /// Whether an `<IfModule>` for this file name or identifier holds.
    pub fn is_active(&self, name: &[u8]) -> bool {
        let named =
            |source: &str, identifier: &str| source.as_bytes() == name || identifier.as_bytes() == name;
        let mut lacking = self.lacking.iter();
        // There is one MPM: where another was chosen, `<IfModule mpm_event_module>` does not hold.
        let other_mpm = self.lacking.iter().any(|module| module.identifier.starts_with("mpm_"));
        let mut active = self.active().filter(|table| !(other_mpm && table.identifier.starts_with("mpm_")));
        active.any(|table| named(table.source, table.identifier))
            || lacking.any(|module| named(module.source, module.identifier))
    }

    /// Whether LoadModule chose the modules.
    pub fn chosen(&self) -> bool {
        self.chosen
    }

    /// The active tables, in the order of the module list.
    pub fn active(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().zip(&self.active).filter_map(|(table, active)| active.then_some(table))
    }

    /// All tables, with whether each is active.
    pub fn all(&self) -> impl Iterator<Item = (&Table, bool)> {
        self.tables.iter().zip(self.active.iter().copied())
    }

    /// The types of all settings, of inactive modules too: any module may be asked for its own.
    pub fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        self.tables.iter().flat_map(|table| table.configs)
    }

    /// The types of the settings of active modules.
    pub fn active_kinds(&self) -> impl Iterator<Item = &'static Kind> {
        self.active().flat_map(|table| table.configs)
    }

    /// The row for a name; sections are looked up with their `<`. Case does not count.
    pub fn lookup(&self, name: &[u8]) -> Lookup<'_> {
        let rows = self.rows(name).map_or(&[][..], Vec::as_slice);
        match rows.iter().find(|(index, _)| self.active[*index]).or(rows.first()) {
            Some(&(index, row)) if self.active[index] => Lookup::Found(&self.tables[index], row),
            _ if let Some((module, row)) = self.lacking_row(name) => Lookup::Lacking(module, row),
            Some(&(index, row)) => Lookup::Inactive(&self.tables[index], row),
            None => Lookup::Unknown,
        }
    }

    fn rows(&self, name: &[u8]) -> Option<&Vec<(usize, &'static Directive)>> {
        let mut lower = [0; LONGEST_NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.by_name.get(std::str::from_utf8(lower).ok()?)
    }

    fn lacking_row(&self, name: &[u8]) -> Option<(&'static Lacking, &'static Row)> {
        self.lacking.iter().find_map(|module| Some((*module, module.row(name)?)))
    }

    /// The provider of an active module for a word behind `Require`.
    pub fn provider(&self, name: &[u8]) -> Option<&'static Provider> {
        self.providers().find(|provider| provider.name.as_bytes() == name)
    }

    /// The providers of the active modules.
    pub fn providers(&self) -> impl Iterator<Item = &'static Provider> {
        self.active().flat_map(|table| table.authz_providers)
    }

    /// The provider of an active module for a word behind AuthBasicProvider and its like.
    pub fn authn_provider(&self, name: &[u8]) -> Option<&'static AuthnProvider> {
        self.active().flat_map(|table| table.authn_providers).find(|known| known.name.as_bytes() == name)
    }

    /// The loaded module that rachis lacks and that is behind such a word: mod_authn_dbm for `dbm`,
    /// mod_authnz_ldap for `ldap`.
    pub fn lacking_authn_provider(&self, word: &[u8]) -> Option<&'static Lacking> {
        let end = [b"_", word, b"_module"].concat();
        let fits = |module: &&Lacking| {
            module.identifier.starts_with("authn") && module.identifier.as_bytes().ends_with(&end)
        };
        self.lacking.iter().copied().find(fits)
    }

    /// Names that look like this one, nearest first, at most three.
    pub fn suggestions(&self, name: &[u8]) -> Vec<&'static str> {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let limit = (name.len() / 3).clamp(1, 3);
        let rows = self.by_name.iter().filter_map(|(known, rows)| {
            let distance = edit_distance(known, &name);
            (distance <= limit).then(|| (distance, rows[0].1.name))
        });
        let mut near: Vec<(usize, &'static str)> = rows.collect();
        near.sort_unstable();
        near.into_iter().take(3).map(|(_, name)| name).collect()
    }
}

/// Damerau-Levenshtein distance (optimal string alignment), for "did you mean".
pub fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let swap = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + swap);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn neighbours_swapped_are_one_step() {
        assert_eq!(edit_distance("optoins", "options"), 1);
    }

    #[test]
    fn a_letter_too_many_is_one_step() {
        assert_eq!(edit_distance("documentroott", "documentroot"), 1);
    }
}

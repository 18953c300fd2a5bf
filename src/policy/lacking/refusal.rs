//! What is said about directives of lacking modules: one warning for each name, and a refusal to
//! start where ignoring one could open what it closes.

use super::{Danger, Lacking, Row};
use crate::{
    diag::{Diagnostic, Span},
    policy::{
        compile::Compiler,
        directive::{Applied, Mistake},
        place::At,
        process::Process,
        server::Named,
        table::Lookup,
    },
    syntax::Node,
};
use bstr::ByteSlice;
use rustc_hash::FxHashSet;

/// What was found so far.
#[derive(Debug, Default)]
pub(in crate::policy) struct Findings {
    told: FxHashSet<&'static str>,
    refused: Vec<Refused>,
}

#[derive(Debug)]
struct Refused {
    server: usize,
    diagnostic: Diagnostic,
    /// What is said where it cannot matter.
    harmless: Diagnostic,
}

impl Compiler<'_> {
    /// A directive of a lacking module, well formed and where it may stand.
    pub(in crate::policy) fn lacking(
        &mut self,
        node: &Node,
        module: &'static Lacking,
        row: &'static Row,
        at: At<'_>,
    ) -> Applied {
        if self.never_serves(at) {
            return Ok(());
        }
        let name = row.directive.name;
        if closes(node, row) {
            return self.refuse(name, module.name, node, at);
        }
        if at.overrides.is_none() && row.danger != Danger::Tuning && self.lacks.told.insert(name) {
            self.diagnostics.push(without_effect(name, module.name, node.name_span));
        }
        Ok(())
    }

    /// A refusal: at the end of reading, or at once in `.htaccess`, where it makes the answer 500.
    pub(in crate::policy) fn refuse(&mut self, what: &str, module: &str, node: &Node, at: At<'_>) -> Applied {
        if self.never_serves(at) {
            return Ok(());
        }
        let bare = what.trim_start_matches('<');
        let message = format!(
            "{bare} needs {module}, which rachis does not have; ignored, it could open what it is to close"
        );
        let mistake = Mistake::new(message).id("RX0209").at(node.name_span, format!("needs {module}")).note(
            "Other directives of modules that rachis lacks are ignored with a warning; this one is not.",
        );
        if at.overrides.is_some() {
            return Err(mistake);
        }
        let diagnostic = self.diagnostic(node, mistake, at);
        let harmless = without_effect(bare, module, node.name_span)
            .with_note("Nothing listens on the port of this virtual host, so ignoring it opens nothing.");
        self.lacks.refused.push(Refused { server: at.server, diagnostic, harmless });
        Ok(())
    }

    /// Says what was refused, last of all: what Apache would complain about comes first.
    pub(in crate::policy) fn settle_refusals(&mut self) {
        for refused in std::mem::take(&mut self.lacks.refused) {
            let addresses = &self.servers[refused.server].addresses;
            let reached = refused.server == 0 || reachable(addresses, &self.process);
            self.diagnostics.push(if reached { refused.diagnostic } else { refused.harmless });
        }
    }

    /// Whether it stands in a section of a lacking module, such as `<Proxy>`.
    fn never_serves(&self, at: At<'_>) -> bool {
        let mut around = std::iter::successors(at.parents, |parents| parents.up);
        around.any(|parents| matches!(self.tables.lookup(&parents.node.name), Lookup::Lacking(..)))
    }
}

/// Whether ignoring it could open something.
fn closes(node: &Node, row: &Row) -> bool {
    match row.danger {
        Danger::None | Danger::Tuning => false,
        Danger::Closed => true,
        Danger::ClosedUnless(word) => {
            !node.words().next().is_some_and(|first| first.text.eq_ignore_ascii_case(word.as_bytes()))
        }
    }
}

fn without_effect(name: &str, module: &str, at: Span) -> Diagnostic {
    let name = name.as_bytes().trim_start_with(|c| c == '<').as_bstr();
    Diagnostic::warning("RX0208", at, format!("{name} has no effect: rachis does not have {module}"))
        .with_label("checked and ignored")
}

/// Whether the server listens on the port of one of the addresses.
fn reachable(addresses: &[Named], process: &Process) -> bool {
    let heard = |port: u16| process.listen.iter().any(|listen| listen.value.address.port() == port);
    process.listen.is_empty() || addresses.iter().any(|named| named.address.port.is_none_or(heard))
}

//! A piece of a configuration, checked as if it stood where `--context` says.

use super::{Found, site::wrong_with};
use crate::{
    cli::{absolute, config},
    diag::{Apache, Diagnostic, Sources, Span},
    explain::lint,
    policy::{
        directive::Scope,
        place::Overrides,
        reading::{ConfigFile, LoadOptions},
    },
    syntax::Node,
    system::Disk,
};
use std::{io::Read, path::Path};

/// Where the piece would stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Context {
    /// In a <Directory> section.
    #[default]
    Directory,
    /// In a .htaccess file, all of AllowOverride allowed.
    Htaccess,
    /// In a <VirtualHost> section.
    Vhost,
}

/// Checks the file, or standard input for `-`.
pub(super) fn check(file: &Path, context: Context, mut options: LoadOptions) -> Result<Found, String> {
    let (name, text) = text_of(file)?;
    let (open, close) = match context {
        Context::Htaccess => return Ok(htaccess(name, text, options)),
        Context::Directory => ("<Directory \"/\">\n", "</Directory>\n"),
        Context::Vhost => ("<VirtualHost *:80>\n", "</VirtualHost>\n"),
    };
    let end = if text.ends_with(b"\n") || text.is_empty() { "" } else { "\n" };
    let whole = [open.as_bytes(), &text, end.as_bytes(), close.as_bytes()].concat();
    options.file = ConfigFile::Text(name.clone().into(), whole);
    let loaded = config::load(&options);
    let mut sources = loaded.sources().clone();
    let mut findings = loaded.diagnostics.clone();
    findings.extend(inner(&loaded.nodes).iter().flat_map(|n| lint::lint(&n.children, &sources, &Disk)));
    // Back from the text that was read to the text that was given.
    let Some(node) = inner(&loaded.nodes).first().map(|node| node.span) else {
        return Ok(Found { name, findings, sources });
    };
    let shift = open.len();
    let before = u32::try_from(shift).unwrap_or_default();
    let last = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let ours =
        |found: &Diagnostic| found.span().is_some_and(|span| span.file == node.file && span.start >= before);
    findings.retain(ours);
    sources.replace(node.file, name.clone(), text);
    findings.iter_mut().for_each(|found| {
        shifted(found, |span| match span.file == node.file {
            true => Span {
                start: span.start.saturating_sub(before).min(last),
                end: span.end.saturating_sub(before).min(last),
                ..span
            },
            false => span,
        });
        renumber(found);
    });
    Ok(Found { name, findings, sources })
}

fn text_of(file: &Path) -> Result<(String, Vec<u8>), String> {
    let mut text = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut text).map_err(|error| format!("standard input: {error}"))?;
        return Ok(("(standard input)".to_owned(), text));
    }
    let path = absolute(file);
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path.display().to_string(), text))
}

fn inner(nodes: &[Node]) -> &[Node] {
    let section = nodes.iter().position(|node| node.is(b"<Directory") || node.is(b"<VirtualHost"));
    section.map_or(&[], |at| &nodes[at..=at])
}

/// Gives all places of a finding another value.
fn shifted(found: &mut Diagnostic, to: impl Fn(Span) -> Span) {
    found.labels.iter_mut().for_each(|label| label.span = to(label.span));
    if let Some(fix) = &mut found.fix {
        fix.edits.iter_mut().for_each(|edit| edit.span = to(edit.span));
    }
}

/// Apache's words name the line of the piece, not of what was put around it.
fn renumber(found: &mut Diagnostic) {
    let (Apache::Plain(text) | Apache::Program(text)) = &mut found.apache else { return };
    let Some(at) = text.find("on line ").map(|at| at + "on line ".len()) else { return };
    let end = text[at..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| at + n);
    if let Ok(line) = text[at..end].parse::<u32>() {
        text.replace_range(at..end, &line.saturating_sub(1).to_string());
    }
}

fn htaccess(name: String, text: Vec<u8>, mut options: LoadOptions) -> Found {
    options.file = ConfigFile::Text("(nothing)".into(), Vec::new());
    let loaded = config::load(&options);
    let mut sources: Sources = loaded.sources().clone();
    let file = sources.add(name.clone(), text);
    let overrides = Overrides { classes: Scope::ALL.0, options: u8::MAX, ..Overrides::default() };
    let findings = wrong_with(&loaded.policy, &sources, file, &overrides);
    Found { name, findings, sources }
}

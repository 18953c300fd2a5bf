//! `rachis dump`: a configuration as JSON, for programs that read configurations. The tree has the
//! shape that crossplane gave to nginx's, with the place of every directive in bytes besides, and
//! the servers that come of it, with their settings (see `dump_settings`).

use super::{
    ConfigArgs,
    config::{self, Loaded, Origin},
    dump_settings, explain, report,
};
use crate::{
    diag::{FileId, Severity, Sources, Span},
    explain::{Question, decide},
    policy::{SaidExt, section::Section, server::Server},
    syntax::Node,
};
use bstr::ByteSlice;
use clap::Args;
use serde_json::{Value, json};
use std::{ffi::OsString, os::unix::ffi::OsStrExt, process::ExitCode};

/// The options of `dump`.
#[derive(Args, Debug)]
pub(super) struct Dump {
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON, which is the only form.
    #[arg(long)]
    json: bool,
    /// Add, as "for", the settings that hold for a GET of this URL: `/path?query`, or
    /// `http://host/path` to choose the host. Every directive of the sections and .htaccess files
    /// that apply is listed in merge order. "in_force" is true for those that hold in the end, false
    /// for those that a later directive of the same name overrides ("overridden_by"), and null where
    /// the merged settings do not tell.
    #[arg(long = "for", value_name = "URL")]
    url: Option<OsString>,
}

impl Dump {
    /// Prints the configuration; fails if it has an error.
    pub(super) fn run(&self) -> ExitCode {
        let options = self.config.options();
        let origin = Origin::of(&options);
        let loaded = config::load(&config::load_options(&options, &origin));
        let failed = loaded.error().is_some();
        let mut dump = whole(&loaded);
        if let Some(url) = self.url.as_ref().filter(|_| !failed) {
            match settings_for(&loaded, url.as_bytes()) {
                Ok(settings) => dump["for"] = settings,
                Err(why) => {
                    report::say(&format!("rachis dump: {why}\n"));
                    return ExitCode::FAILURE;
                }
            }
        }
        report::print(&format!("{dump:#}\n"));
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

fn settings_for(loaded: &Loaded, url: &[u8]) -> Result<Value, String> {
    let question = Question::new("GET", url).map_err(|bad| bad.to_string())?;
    let explanation = decide(&loaded.engine(), question, &explain::resolve)?;
    Ok(dump_settings::of_request(loaded, &explanation))
}

fn whole(loaded: &Loaded) -> Value {
    let mut files: Vec<FileId> = Vec::new();
    let includes = loaded.includes.iter().map(|include| include.file);
    for file in loaded.nodes.iter().map(|node| node.span.file).chain(includes) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let status = if loaded.error().is_some() { "failed" } else { "ok" };
    json!({
        "status": status,
        "errors": errors(loaded, None),
        "config": files.iter().map(|&file| one(loaded, file)).collect::<Vec<_>>(),
        "servers": loaded.policy.servers.iter().map(|server| server_of(loaded, server)).collect::<Vec<_>>(),
    })
}

fn one(loaded: &Loaded, file: FileId) -> Value {
    let errors = errors(loaded, Some(file));
    let nodes = loaded.nodes.iter().filter(|node| node.span.file == file);
    json!({
        "file": loaded.sources().name(file),
        "status": if errors.is_empty() { "ok" } else { "failed" },
        "errors": errors,
        "parsed": nodes.map(|node| directive(loaded, node)).collect::<Vec<_>>(),
    })
}

fn errors(loaded: &Loaded, file: Option<FileId>) -> Vec<Value> {
    let found = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let found = found.filter(|found| file.is_none_or(|file| found.span().is_some_and(|at| at.file == file)));
    found
        .map(|found| {
            let place = found.span().map(|span| loaded.sources().place(span));
            json!({
                "error": found.headline,
                "id": found.id,
                "file": place.as_ref().map(|place| place.file.to_string()),
                "line": place.as_ref().map(|place| place.line),
            })
        })
        .collect()
}

/// A directive's name as written; a section's without its `<`.
pub(super) fn name_of(node: &Node) -> String {
    node.section_name().map_or(node.name.as_bstr(), |name| name).to_string()
}

/// The arguments without quotes; a section's without its `>`.
pub(super) fn arguments(node: &Node) -> Vec<String> {
    let mut args: Vec<String> = node.words().map(|word| word.text.to_str_lossy().into_owned()).collect();
    if let Some(last) = args.last_mut().filter(|_| node.is_section()) {
        *last = last.strip_suffix('>').unwrap_or(last).to_owned();
        if last.is_empty() {
            args.pop();
        }
    }
    args
}

/// File, line and column; nulls for what no line made.
pub(super) fn place(sources: &Sources, span: Span) -> Value {
    if span.is_builtin() {
        return json!({ "file": null, "line": null, "column": null });
    }
    let place = sources.place(span);
    json!({ "file": place.file, "line": place.line, "column": place.column })
}

fn directive(loaded: &Loaded, node: &Node) -> Value {
    let mut value = json!({
        "directive": name_of(node),
        "line": node.line,
        "args": arguments(node),
        "span": span(loaded, node.span),
    });
    if node.is_section() {
        value["block"] = node.children.iter().map(|child| directive(loaded, child)).collect();
    }
    value
}

fn span(loaded: &Loaded, span: Span) -> Value {
    json!({ "file": loaded.sources().name(span.file), "start": span.start, "end": span.end })
}

fn server_of(loaded: &Loaded, server: &Server) -> Value {
    let core = server.core();
    let text = |said: &crate::policy::Said<bstr::BString>| said.value().map(ToString::to_string);
    let sections = |all: &[std::sync::Arc<Section>]| -> Vec<Value> {
        all.iter().map(|section| span(loaded, section.span)).collect()
    };
    let address = |named: &crate::policy::server::Named| json!({ "ip": named.address.ip.map(|ip| ip.to_string()), "port": named.address.port });
    let place = place(loaded.sources(), server.span);
    json!({
        "name": text(&core.name),
        "file": place["file"],
        "line": place["line"],
        "aliases": core.aliases.iter().map(|alias| alias.value.to_string()).collect::<Vec<_>>(),
        "addresses": server.addresses.iter().map(address).collect::<Vec<_>>(),
        "document_root": text(&core.document_root),
        "error_log": text(&core.error_log),
        "directories": sections(server.sections.directories().all()),
        "locations": sections(server.sections.locations().all()),
        "span": span(loaded, server.span),
        "settings": dump_settings::of_server(loaded, server),
        "sections": dump_settings::sections(loaded, server),
    })
}

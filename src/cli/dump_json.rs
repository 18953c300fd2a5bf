//! `rachis dump`: a configuration as JSON, for programs that read configurations. The tree has the
//! shape that crossplane gave to nginx's, with the place of every directive in bytes besides, and
//! the servers that come of it.

use super::{
    ConfigArgs,
    config::{self, Loaded, Origin},
    report,
};
use crate::{
    diag::{FileId, Severity, Span},
    policy::{SaidExt, section::Section, server::Server},
    syntax::Node,
};
use bstr::ByteSlice;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// The options of `dump`.
#[derive(Args, Debug)]
pub(super) struct Dump {
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON, which is the only form.
    #[arg(long)]
    json: bool,
}

impl Dump {
    /// Prints the configuration; fails if it has an error.
    pub(super) fn run(&self) -> ExitCode {
        let options = self.config.options();
        let origin = Origin::of(&options);
        let loaded = config::load(&config::load_options(&options, &origin));
        let failed = loaded.error().is_some();
        report::print(&format!("{:#}\n", whole(&loaded)));
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
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

fn directive(loaded: &Loaded, node: &Node) -> Value {
    let name = node.section_name().map_or(node.name.as_bstr(), |name| name);
    let args: Vec<String> = node.words().map(|word| word.text.to_str_lossy().into_owned()).collect();
    let args: Vec<&str> = match (node.is_section(), args.split_last()) {
        (true, Some((last, before))) => {
            let last = last.strip_suffix('>').unwrap_or(last);
            before.iter().map(String::as_str).chain((!last.is_empty()).then_some(last)).collect()
        }
        _ => args.iter().map(String::as_str).collect(),
    };
    let mut value = json!({
        "directive": name.to_str_lossy(),
        "line": node.line,
        "args": args,
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
    json!({
        "name": text(&core.name),
        "aliases": core.aliases.iter().map(|alias| alias.value.to_string()).collect::<Vec<_>>(),
        "addresses": server.addresses.iter().map(address).collect::<Vec<_>>(),
        "document_root": text(&core.document_root),
        "error_log": text(&core.error_log),
        "directories": sections(server.sections.directories().all()),
        "locations": sections(server.sections.locations().all()),
        "span": span(loaded, server.span),
    })
}

//! The settings in `rachis dump`: every directive with its place, and whether what it says still
//! holds after all sections were merged.
//!
//! Nothing is merged here. Merged settings know the directives that made them, so a directive holds
//! if they name it (`in_force`: true). If they do not, and later directives of the same name are
//! among them, it was overridden by one of those (by one with the same first argument, if there is
//! any: `ErrorDocument 404`). Else the settings do not tell (null): some directives leave nothing
//! behind that names them.

use super::{
    config::Loaded,
    dump_json::{arguments, name_of, place},
};
use crate::{
    diag::{FileId, Sources, Span},
    engine::{Event, Phase},
    explain::Explanation,
    policy::{
        Conf, CoreDir, Scope,
        conf::spans_in,
        place::Overrides,
        reading::read_htaccess,
        section::Section,
        server::Server,
        table::{Lookup, Tables},
    },
    syntax::Node,
    system::Disk,
};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};
use std::sync::Arc;

/// Sections that are merged by themselves; what stands in any other is said around it.
const MERGED: [&str; 9] = [
    "<Directory",
    "<DirectoryMatch",
    "<Files",
    "<FilesMatch",
    "<Location",
    "<LocationMatch",
    "<If",
    "<ElseIf",
    "<Else",
];

fn is_merged(node: &Node) -> bool {
    MERGED.iter().any(|name| node.is(name.as_bytes()))
}

fn is_host(node: &Node) -> bool {
    node.is(b"<VirtualHost")
}

/// The directives of one place, with the containers (`<Limit>`, `<RequireAll>`) they stand in.
struct Line<'n> {
    node: &'n Node,
    within: Vec<&'n Node>,
}

fn lines<'n>(nodes: &'n [Node], within: &[&'n Node], found: &mut Vec<Line<'n>>) {
    for node in nodes.iter().filter(|node| !is_merged(node) && !is_host(node)) {
        match node.is_section() {
            true => lines(&node.children, &[within, &[node]].concat(), found),
            false => found.push(Line { node, within: within.to_vec() }),
        }
    }
}

/// Directives in merge order, each with whether it holds.
fn told(all: &[Line<'_>], holding: &FxHashSet<Span>, tables: &Tables, sources: &Sources) -> Vec<Value> {
    let holds = |line: &Line<'_>| holding.contains(&line.node.span);
    let names: Vec<String> = all.iter().map(|line| canonical_name(tables, line.node)).collect();
    // From the end: the directives so far that hold, by name.
    let mut later: FxHashMap<&str, Vec<Holding>> = FxHashMap::default();
    let mut values: Vec<Value> = Vec::with_capacity(all.len());
    for (line, name) in all.iter().zip(&names).rev() {
        let mut value = place(sources, line.node.span);
        let args = arguments(line.node);
        value["directive"] = json!(name);
        value["args"] = json!(args);
        if !line.within.is_empty() {
            value["within"] = line.within.iter().map(|node| opening(node)).collect();
        }
        let over = later.entry(name.as_str()).or_default();
        value["in_force"] = match (holds(line), over.is_empty()) {
            (true, _) => json!(true),
            (false, true) => Value::Null,
            (false, false) => json!(false),
        };
        if holds(line) {
            over.push(Holding { first: args.into_iter().next(), place: place(sources, line.node.span) });
        } else if !over.is_empty() {
            value["overridden_by"] = json!(candidates(over, args.first()));
        }
        values.push(value);
    }
    values.reverse();
    values
}

/// A directive that holds.
struct Holding {
    first: Option<String>,
    place: Value,
}

/// Which of the later directives may have overridden one with this first argument.
fn candidates(later: &[Holding], first: Option<&String>) -> Vec<Value> {
    let same = |over: &&Holding| over.first.as_ref() == first;
    let alike = later.iter().any(|over| same(&over));
    let meant = later.iter().rev().filter(|over| !alike || same(over));
    meant.map(|over| over.place.clone()).collect()
}

fn canonical_name(tables: &Tables, node: &Node) -> String {
    match tables.lookup(&node.name) {
        Lookup::Found(_, row) | Lookup::Inactive(_, row) => row.name.to_owned(),
        Lookup::Lacking(_, row) => row.directive.name.to_owned(),
        Lookup::Unknown => node.name.to_string(),
    }
}

fn opening(node: &Node) -> Value {
    json!({ "section": name_of(node), "args": arguments(node) })
}

/// What a server says outside of all sections: for the server and for every directory.
pub(super) fn of_server(loaded: &Loaded, server: &Server) -> Value {
    let mut holding = server.conf.own_directives();
    holding.extend(server.dir.own_directives());
    if server.span.is_builtin() {
        holding.extend(spans_in(&loaded.policy.process));
    }
    let mut own = Vec::new();
    lines(nodes_of(loaded, server), &[], &mut own);
    json!(told(&own, &holding, &loaded.policy.tables, loaded.sources()))
}

/// The sections of a server, with what each of them says by itself.
pub(super) fn sections(loaded: &Loaded, server: &Server) -> Value {
    let mut confs = FxHashMap::default();
    let plain = server.sections.directories().all().iter().chain(server.sections.locations().all());
    plain.for_each(|section| add_section(section, &mut confs));
    inner_sections(&server.dir, &mut confs);
    json!(sections_in(loaded, nodes_of(loaded, server), &confs))
}

fn nodes_of<'l>(loaded: &'l Loaded, server: &Server) -> &'l [Node] {
    match server.span.is_builtin() {
        true => &loaded.nodes,
        false => host_of(&loaded.nodes, server.span).map_or(&[], |node| &node.children),
    }
}

fn host_of(nodes: &[Node], span: Span) -> Option<&Node> {
    nodes.iter().find(|node| is_host(node) && node.span == span)
}

type Confs = FxHashMap<Span, Arc<Conf>>;

fn add_section(section: &Arc<Section>, confs: &mut Confs) {
    confs.insert(section.span, section.conf.clone());
    inner_sections(&section.conf, confs);
}

/// `<Files>` and `<If>` are kept in the settings around them.
fn inner_sections(conf: &Conf, confs: &mut Confs) {
    if let Some(core) = conf.find::<CoreDir>() {
        core.files.all().iter().chain(&core.ifs).for_each(|section| add_section(section, confs));
    }
}

fn sections_in(loaded: &Loaded, nodes: &[Node], confs: &Confs) -> Vec<Value> {
    let mut found = Vec::new();
    for node in nodes.iter().filter(|node| is_merged(node)) {
        let mut own = Vec::new();
        lines(&node.children, &[], &mut own);
        let holding = confs.get(&node.span).map(|conf| conf.directives()).unwrap_or_default();
        let mut value = section(loaded.sources(), node);
        value["settings"] = json!(told(&own, &holding, &loaded.policy.tables, loaded.sources()));
        value["sections"] = json!(sections_in(loaded, &node.children, confs));
        found.push(value);
    }
    found
}

fn section(sources: &Sources, node: &Node) -> Value {
    let mut value = place(sources, node.span);
    value["section"] = json!(name_of(node));
    value["args"] = json!(arguments(node));
    value
}

/// The settings that hold for one request, in merge order, as far as the decision came.
pub(super) fn of_request(loaded: &Loaded, explanation: &Explanation) -> Value {
    let (policy, sources) = (&loaded.policy, &explanation.sources);
    let server = &policy.servers[explanation.server];
    let files = htaccess_files(loaded, explanation);
    let mut all = Vec::new();
    lines(&loaded.nodes, &[], &mut all);
    if explanation.server != 0 {
        lines(nodes_of(loaded, server), &[], &mut all);
    }
    let mut shown = Vec::new();
    for at in merged(&explanation.steps) {
        if let Some((_, nodes)) = files.iter().find(|(file, _)| *file == at.file && at.start == 0) {
            let mut value = place(sources, at);
            value["section"] = json!(".htaccess");
            shown.push(value);
            lines(nodes, &[], &mut all);
            continue;
        }
        let trees = std::iter::once(&loaded.nodes[..]).chain(files.iter().map(|(_, nodes)| &nodes[..]));
        if let Some(node) = trees.into_iter().find_map(|nodes| find(nodes, at)) {
            shown.push(section(sources, node));
            lines(&node.children, &[], &mut all);
        }
    }
    let mut holding = explanation.settings.directives();
    holding.extend(server.conf.directives());
    holding.extend(spans_in(&policy.process));
    let outcome = &explanation.outcome;
    json!({
        "target": explanation.question.target.to_string(),
        "host": explanation.question.host,
        "status": outcome.status.0,
        "file_name": outcome.file.as_ref().map(ToString::to_string),
        "server": place(sources, server.span),
        "sections": shown,
        "settings": told(&all, &holding, &policy.tables, sources),
    })
}

/// The section whose opening line this is.
fn find(nodes: &[Node], at: Span) -> Option<&Node> {
    nodes.iter().filter(|node| node.is_section()).find_map(|node| match node.span == at {
        true => is_merged(node).then_some(node),
        false => find(&node.children, at),
    })
}

/// The trees of the `.htaccess` files that were read for the request.
fn htaccess_files(loaded: &Loaded, explanation: &Explanation) -> Vec<(FileId, Vec<Node>)> {
    let (first, end) = (loaded.sources().len(), explanation.sources.len());
    let files = (first..end).filter_map(|number| u32::try_from(number).ok()).map(FileId);
    let everything = Overrides { classes: Scope::ALL.0, ..Overrides::default() };
    let read = |file| read_htaccess(&loaded.policy, &explanation.sources, &Disk, file, &everything).nodes;
    files.map(|file| (file, read(file))).collect()
}

/// What the walks of the request merged, in order: those from the last walk over directories on. If
/// the request went on with what a look-up found (DirectoryIndex), the walks are that look-up's.
fn merged(steps: &[Event]) -> Vec<Span> {
    let adopted = steps.iter().rposition(|step| step.depth == 0 && step.verdict.starts_with("go on with "));
    let upto = adopted.map_or(steps.len(), |at| at + 1);
    let meant = |step: &&Event| adopted.is_some() || step.depth == 0;
    let walks: Vec<&Event> = steps[..upto].iter().filter(meant).collect();
    let from = walks.iter().rposition(|step| step.phase == Phase::Storage).unwrap_or(0);
    let mut found: Vec<Span> = Vec::new();
    for at in walks[from..].iter().flat_map(|step| step.notes.iter().filter_map(|note| note.at)) {
        if !at.is_builtin() && !found.contains(&at) {
            found.push(at);
        }
    }
    found
}

//! mod_info: what the server is made of and how it is configured, as a page.
//!
//! Manual: `mod/mod_info.html`. The page tells everybody who may see it what the configuration says,
//! passwords in it included.

use crate::{
    engine::{Answer, Content, Cx, Hook, Module, Order, Phase, Verdict, urls},
    http::{Method, MethodSet, escape},
    policy::{
        Applied, Args, Config, Directive, Kind, Place, Policy, SaidExt, Scope, Setting, Shape,
        core_conf::CoreServer,
    },
};
use bstr::{BString, ByteSlice};
use std::time::Duration;

mod hooks;
mod tree;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_info",
    source: "mod_info.c",
    identifier: "info_module",
    configs: &[Kind::of::<Info>()],
    directives: &[Directive {
        name: "AddModuleInfo",
        shape: Shape::Two,
        scope: Scope::RSRC_CONF,
        usage: "a module name and additional information on that module",
        doc: "More to say about a module on the page of server-info; its source file, and HTML.",
        apply: add_module_info,
    }],
    hooks: &[Hook { phase: Phase::Handler, order: Order::MIDDLE, run: handler }],
    keeps_tree: true,
    ..Module::NOTHING
};

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct Info {
    /// `AddModuleInfo module text`, the main server's last.
    more: Vec<Setting<(BString, BString)>>,
}

impl Config for Info {
    fn merge(&self, outer: &Self) -> Self {
        Info { more: self.more.iter().chain(&outer.more).cloned().collect() }
    }
}

fn add_module_info(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let said = (args.text(0).into(), args.text(1).into());
    place.server::<Info>().more.push(Setting::new(said, args.span));
    Ok(())
}

/// `-D DUMP_CONFIG`: the directives that took effect, as text.
pub fn dump(policy: &Policy) -> BString {
    tree::text(policy)
}

const HEAD: &str = r#"<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
  <title>Server Information</title>
</head>
<body><h1 style="text-align: center">Apache Server Information</h1>
"#;

const CONTENTS: &str = "<dl><dt><tt>Subpages:<br /><a href=\"?config\">Configuration Files</a>, \
<a href=\"?server\">Server Settings</a>, <a href=\"?list\">Module List</a>, \
<a href=\"?hooks\">Active Hooks</a>, <a href=\"?providers\">Available Providers</a></tt></dt></dl><hr />\
<dl><dt><tt>Sections:<br /><a href=\"#modules\">Loaded Modules</a>, <a href=\"#server\">Server Settings</a>, \
<a href=\"#startup_hooks\">Startup Hooks</a>, <a href=\"#request_hooks\">Request Hooks</a>, \
<a href=\"#other_hooks\">Other Hooks</a>, <a href=\"#providers\">Providers</a></tt></dt></dl><hr />";

fn handler(cx: &mut Cx<'_>) -> Verdict {
    if cx.req.handler.as_ref().is_none_or(|handler| handler != "server-info") {
        return Verdict::Declined;
    }
    cx.req.allowed = cx.req.allowed.union(MethodSet::of(&[Method::Get]));
    if !matches!(cx.req.method, Method::Get | Method::Head) {
        return Verdict::Declined;
    }
    cx.req.content_type = Some("text/html; charset=ISO-8859-1".into());
    cx.note(format_args!("the configuration is told"));
    let mut page = Page { cx, out: HEAD.as_bytes().to_vec() };
    page.whole();
    Verdict::Answer(Answer::Content(Content::Bytes(page.out)))
}

struct Page<'c, 'e> {
    cx: &'c mut Cx<'e>,
    out: Vec<u8>,
}

impl Page<'_, '_> {
    fn put(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    fn policy(&self) -> &Policy {
        &self.cx.engine.policy
    }

    fn whole(&mut self) {
        let wish = self.cx.req.args.clone();
        match wish.as_ref().map(|wish| wish.to_ascii_lowercase()).as_deref() {
            None => self.everything(),
            Some(b"config") => {
                let tree = tree::html(self.policy(), None);
                self.put("<dl><dt><strong>Configuration:</strong>\n");
                self.put(tree);
                self.put("</dl><hr />");
            }
            Some(b"server") => self.server(),
            Some(b"list") => {
                self.put("<dl><dt>Server Module List</dt>");
                for source in self.sources() {
                    self.put(format!("<dd>{source}</dd>"));
                }
                self.put("</dl><hr />");
            }
            Some(b"hooks") => hooks::hooks(self.cx.engine, '?', &mut self.out),
            Some(b"providers") => hooks::providers(&self.cx.engine.policy, &mut self.out),
            Some(wish) => {
                let asked = self.modules().into_iter().find(|module| module.source.as_bytes() == wish);
                if let Some(module) = asked {
                    self.module(module);
                }
            }
        }
        let signature = urls::signature(self.cx.engine, self.cx.req, self.cx.core());
        self.put(signature);
        self.put("</body></html>\n");
    }

    /// The modules by the names of their source files.
    fn modules(&self) -> Vec<&'static Module> {
        let mut modules = self.cx.engine.modules.clone();
        modules.sort_by_key(|module| module.source);
        modules
    }

    /// The source files of all that are loaded.
    fn sources(&self) -> Vec<&'static str> {
        self.modules().iter().map(|module| module.source).collect()
    }

    fn everything(&mut self) {
        self.put(CONTENTS);
        self.put("<h2><a name=\"modules\">Loaded Modules</a></h2><dl><dt><tt>");
        for source in self.sources() {
            self.put(format!("<a href=\"#{source}\">{source}</a>, "));
        }
        self.put("</tt></dt></dl><hr />");
        self.server();
        hooks::hooks(self.cx.engine, '#', &mut self.out);
        hooks::providers(&self.cx.engine.policy, &mut self.out);
        for module in self.modules() {
            self.module(module);
        }
    }

    fn server(&mut self) {
        let (engine, request) = (self.cx.engine, &*self.cx.req);
        let policy = &engine.policy;
        let core: &CoreServer = policy.servers[request.server].core();
        let seconds = |said: Option<Duration>, unsaid: u64| said.map_or(unsaid, |said| said.as_secs());
        let version = urls::server_software(policy);
        let host = urls::server_name(engine, request);
        // Apache names the file of the first directive, which `-C` may have named.
        let first = policy.tree.first().map(|node| policy.sources.name(node.span.file));
        let (major, minor) = pcre2::version();
        let rows = [
            ("Server loaded PCRE Version", format!("{major}.{minor}")),
            ("Module Magic Number", urls::MODULE_MAGIC.to_owned()),
            ("Hostname/port", format!("{host}:{}", urls::server_port(engine, request))),
            (
                "Timeouts",
                format!(
                    "connection: {} &nbsp;&nbsp; keep-alive: {}",
                    seconds(core.timeout.value().copied(), 60),
                    seconds(core.keep_alive_timeout.value().copied(), 5)
                ),
            ),
            ("MPM Name", "event".to_owned()),
            ("MPM Information", "Max Daemons: 1 Threaded: yes Forked: no".to_owned()),
            ("Server Architecture", format!("{}-bit", usize::BITS)),
            ("Server Root", policy.process.server_root.to_string()),
            ("Config File", first.unwrap_or_default().to_owned()),
        ];
        self.put("<h2><a name=\"server\">Server Settings</a></h2><dl>");
        for (name, value) in [("Server Version", version.as_str()), ("Server Built", urls::BUILT)] {
            self.put(format!(
                "<dt><strong>{name}:</strong> <font size=\"+1\"><tt>{value}</tt></font></dt>\n"
            ));
        }
        for (name, value) in rows {
            let value = value.replace('<', "&lt;");
            let end = if name == "Timeouts" { "" } else { "\n" };
            self.put(format!("<dt><strong>{name}:</strong> <tt>{value}</tt></dt>{end}"));
        }
        self.put("<dt><strong>Server Built With:</strong>\n<tt style=\"white-space: pre;\">\n");
        for line in urls::BUILT_WITH {
            self.put(format!("{line}\n"));
        }
        self.put("</tt></dt>\n</dl><hr />");
    }

    fn module(&mut self, module: &'static Module) {
        let source = module.source;
        self.put(format!(
            "<dl><dt><a name=\"{source}\"><strong>Module Name:</strong></a> \
             <font size=\"+1\"><tt><a href=\"?{source}\">{source}</a></tt></font></dt>\n"
        ));
        let handles = module.hooks.iter().any(|hook| hook.phase == Phase::Handler);
        let handles = if handles { "yes" } else { "none" };
        self.put(format!("<dt><strong>Content handlers:</strong> <tt> <em>{handles}</em></tt></dt>"));
        self.put("<dt><strong>Configuration Phase Participation:</strong>\n");
        self.list(&configs(module));
        self.put("</dt><dt><strong>Request Phase Participation:</strong>\n");
        self.list(&hooks::of_requests(module));
        self.put("</dt>\n<dt><strong>Module Directives:</strong></dt>");
        for row in module.directives {
            let (name, usage) = (escape::html(row.name.as_bytes()), row.usage);
            let usage = escape::html(usage.as_bytes());
            let close = if row.name.starts_with('<') { "&gt;" } else { "" };
            self.put(format!("<dd><tt>{}{close} - <i>{}</i></tt></dd>\n", name.as_bstr(), usage.as_bstr()));
        }
        if module.directives.is_empty() {
            self.put("<dd><tt> none</tt></dd>");
        } else {
            let tree = tree::html(self.policy(), Some(source));
            self.put("<dt><strong>Current Configuration:</strong></dt>\n");
            self.put(tree);
        }
        self.more(source);
        self.put("</dl><hr />\n");
    }

    /// The first that AddModuleInfo says of a module, as it stands: it is HTML.
    fn more(&mut self, source: &str) {
        let info: &Info = self.cx.server_conf();
        let said = info.more.iter().map(|said| &said.value).find(|(module, _)| module == source);
        if let Some(text) = said.map(|(_, text)| text.clone()) {
            self.put("<dt><strong>Additional Information:</strong>\n</dt><dd>");
            self.put(text);
            self.put("</dd>");
        }
    }

    fn list(&mut self, names: &[&str]) {
        match names {
            [] => self.put("<tt> <em>none</em></tt>"),
            names => {
                self.put(names.iter().map(|name| format!("<tt>{name}</tt>")).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The kinds of settings that a module has, by where its directives may stand.
fn configs(module: &Module) -> Vec<&'static str> {
    let mut names = Vec::new();
    if module.configs.is_empty() {
        return names;
    }
    let inside = Scope::ALL.or(Scope::ACCESS_CONF);
    if module.directives.iter().any(|row| row.scope.meets(inside)) {
        names.extend(["Create Directory Config", "Merge Directory Configs"]);
    }
    if module.directives.iter().any(|row| row.scope.has(Scope::RSRC_CONF) && !row.scope.meets(inside)) {
        names.extend(["Create Server Config", "Merge Server Configs"]);
    }
    names
}

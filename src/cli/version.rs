//! What httpd prints about itself: `-v`, `-V`, `-l`, `-L`, `-M`.

use super::config::Origin;
use crate::{
    engine::{
        Module,
        urls::{APACHE_VERSION, BUILT, BUILT_WITH, MODULE_MAGIC},
    },
    policy::{
        Directive, Scope,
        table::{Table, Tables},
    },
};
use std::fmt::Write;

/// `-v`. The second line names what was built when: no clock reading, so that builds are the same.
pub fn version() -> String {
    format!(
        "Server version: Apache/{APACHE_VERSION} (Unix) rachis/{version}\nServer built:   {BUILT}\n",
        version = env!("CARGO_PKG_VERSION")
    )
}

/// `-V`, for the configuration that would be read.
pub fn settings(origin: &Origin) -> String {
    let mut text = version();
    let engine = "PCRE2";
    let rest = [
        format!("Server's Module Magic Number: {MODULE_MAGIC}"),
        format!("Server loaded:  {engine}"),
        format!("Compiled using: {engine}"),
        format!("Architecture:   {}-bit", usize::BITS),
        "Server MPM:     event".to_owned(),
        "  threaded:     yes (fixed thread count)".to_owned(),
        "    forked:     no".to_owned(),
        format!("Server compiled with....\n{}", BUILT_WITH.join("\n")),
        format!(" -D HTTPD_ROOT=\"{}\"", origin.root.display()),
        format!(" -D SUEXEC_BIN=\"{}\"", crate::policy::suexec::WRAPPER),
        format!(" -D DEFAULT_PIDLOG=\"{}\"", super::config::DEFAULT_PID_FILE),
        format!(" -D DEFAULT_ERRORLOG=\"{}\"", super::config::DEFAULT_ERROR_LOG),
        " -D AP_TYPES_CONFIG_FILE=\"conf/mime.types\"".to_owned(),
        format!(" -D SERVER_CONFIG_FILE=\"{}\"", origin.file.display()),
    ];
    for line in rest {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// `-l`: all modules, since all are compiled in.
pub fn compiled_in(modules: &[&Module]) -> String {
    let names = modules.iter().map(|module| format!("  {}\n", module.source));
    format!("Compiled in modules:\n{}", names.collect::<String>())
}

/// `-M`: the active ones. Those that LoadModule chose are told as shared, as in Apache.
pub fn loaded(tables: &Tables) -> String {
    let how = |table: &Table| if tables.chosen() && !table.always { "shared" } else { "static" };
    let names = tables.active().map(|table| format!(" {} ({})\n", table.identifier, how(table)));
    let lacking = tables.lacking().iter().map(|module| format!(" {} (shared)\n", module.identifier));
    format!("Loaded Modules:\n{}", names.chain(lacking).collect::<String>())
}

/// `-L`: the directives of all active modules.
pub fn directives(tables: &Tables) -> String {
    let mut text = String::new();
    for table in tables.active() {
        for row in table.directives {
            describe(row, table.source, table.configs.is_empty(), &mut text);
        }
    }
    text
}

fn describe(row: &Directive, source: &str, keeps_nothing: bool, text: &mut String) {
    let scope = row.scope;
    let anywhere = scope.meets(Scope::OPTIONS.or(Scope::FILEINFO).or(Scope::INDEXES))
        || (scope.has(Scope::RSRC_CONF)
            && scope.meets(Scope::ACCESS_CONF.or(Scope::AUTHCFG).or(Scope::LIMIT)));
    let place = match (anywhere, scope.has(Scope::RSRC_CONF)) {
        (true, _) => "anywhere",
        (false, true) => "only outside <Directory>, <Files>, <Location>, or <If>",
        (false, false) => "only inside <Directory>, <Files>, <Location>, or <If>",
    };
    let usage = if row.usage.is_empty() { String::new() } else { format!("\t{}\n", row.usage) };
    let inside = keeps_nothing && scope.meets(Scope::ALL.or(Scope::ACCESS_CONF));
    let warning = if inside { " [no per-dir config]" } else { "" };
    let _ = writeln!(
        text,
        "{} ({source})\n{usage}\tAllowed in *.conf {place}{warning}{}",
        row.name,
        overrides(scope)
    );
}

/// Which AllowOverride lets it into `.htaccess`.
fn overrides(scope: Scope) -> String {
    if !scope.meets(Scope::ALL) {
        return String::new();
    }
    if scope.has(Scope::ALL) {
        return " and in .htaccess\n\twhen AllowOverride isn't None".to_owned();
    }
    let classes = [
        (Scope::AUTHCFG, "AuthConfig"),
        (Scope::LIMIT, "Limit"),
        (Scope::OPTIONS, "Options"),
        (Scope::FILEINFO, "FileInfo"),
        (Scope::INDEXES, "Indexes"),
    ];
    let named = classes.iter().filter(|(bit, _)| scope.meets(*bit)).map(|(_, name)| *name);
    format!(" and in .htaccess\n\twhen AllowOverride includes {}", named.collect::<Vec<_>>().join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Shape;

    #[track_caller]
    fn check(scope: Scope, expected: &str) {
        let row = Directive {
            name: "X",
            shape: Shape::One,
            scope,
            usage: "a thing",
            doc: "",
            apply: |_, _| Ok(()),
        };
        let mut text = String::new();
        describe(&row, "mod_x.c", false, &mut text);
        assert_eq!(text, format!("X (mod_x.c)\n\ta thing\n\tAllowed in *.conf {expected}\n"));
    }

    #[test]
    fn rows_are_told_as_apache_tells_them() {
        check(Scope::RSRC_CONF, "only outside <Directory>, <Files>, <Location>, or <If>");
        check(Scope::ALL, "anywhere and in .htaccess\n\twhen AllowOverride isn't None");
        check(
            Scope::AUTHCFG.or(Scope::LIMIT),
            "only inside <Directory>, <Files>, <Location>, or <If> and in .htaccess\n\twhen AllowOverride includes AuthConfig or Limit",
        );
    }

    #[test]
    fn the_version_begins_as_git_reads_it() {
        assert!(version().starts_with("Server version: Apache/2.4."));
    }
}

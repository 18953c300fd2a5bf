//! What Apache accepts in silence and hardly anybody means.
//!
//! Lints look at the directive tree as it is written. They are warnings, since a server starts with
//! every one of them, except where they follow up an error that the reader found.

use crate::{
    diag::{Apache, Diagnostic, Sources, Span},
    syntax::{Node, Word},
    system::{self, System},
};
use bstr::{BStr, BString, ByteSlice};

mod authentication;
pub mod mapping;
mod migration;

/// What a lint sees.
struct Scene<'n> {
    nodes: &'n [Node],
    system: &'n dyn System,
    /// Whether the text is a piece of a configuration and not a whole one.
    fragment: bool,
    /// All `<Directory>` sections with a plain path.
    directories: Vec<Directory<'n>>,
}

struct Directory<'n> {
    node: &'n Node,
    path: Word,
}

/// Runs all lints over a configuration. One that has neither Listen nor DocumentRoot, nor a virtual
/// host, is taken for a piece of one.
pub fn lint(nodes: &[Node], sources: &Sources, system: &dyn System) -> Vec<Diagnostic> {
    let whole = [&b"Listen"[..], b"DocumentRoot", b"<VirtualHost"];
    let fragment = !every(nodes).iter().any(|node| whole.iter().any(|name| node.is(name)));
    let directories = every(nodes).into_iter().filter_map(plain_directory).collect();
    let scene = Scene { nodes, system, fragment, directories };
    let mut found = Vec::new();
    for directory in &scene.directories {
        found.extend(odd_path(directory));
        found.extend(missing_path(&scene, directory));
        found.extend(nothing_granted(&scene, directory));
    }
    found.extend(every(nodes).into_iter().filter_map(options_all));
    found.extend(nothing_executes(&scene));
    found.extend(mapping::lint(nodes));
    found.extend(authentication::lint(nodes, system));
    found.extend(migration::lint(nodes));
    found.extend(nested(nodes, sources));
    found.sort_by_key(|diagnostic| diagnostic.span().map(|span| (span.file, span.start)));
    found
}

/// All nodes, sections before what they contain.
fn every(nodes: &[Node]) -> Vec<&Node> {
    nodes.iter().flat_map(|node| std::iter::once(node).chain(every(&node.children))).collect()
}

fn plain_directory(node: &Node) -> Option<Directory<'_>> {
    if !node.is(b"<Directory") {
        return None;
    }
    let args = node.section_args()?;
    let path = crate::syntax::Words::of(&args).next()?;
    let plain = path.text != "~" && !path.text.iter().any(|byte| b"*?[".contains(byte));
    plain.then_some(Directory { node, path })
}

/// RX0710: a path that no request's path can be equal to.
fn odd_path(directory: &Directory<'_>) -> Option<Diagnostic> {
    let text = &directory.path.text;
    let smart = ["\u{201c}", "\u{201d}", "\u{2018}", "\u{2019}", "\u{ab}", "\u{bb}"];
    let warning = |headline: &str| Diagnostic::warning("RX0710", directory.path.span, headline);
    if let Some(quote) = smart.iter().find(|quote| text.contains_str(quote)) {
        let straight = smart.iter().fold(text.to_str_lossy().into_owned(), |text, q| text.replace(q, ""));
        let edit = format!("\"{straight}\"");
        return Some(
            warning("this section never holds: its path has typographic quotes")
                .with_label(format!("`{quote}` is part of the path here"))
                .with_edit("write straight quotes", directory.path.span, edit),
        );
    }
    if !text.starts_with(b"/") && !text.is_empty() {
        return Some(
            warning("this section never holds: its path is relative")
                .with_label("does not begin with `/`")
                .with_note(
                    "paths of <Directory> are whole paths of the file system; ServerRoot does not matter",
                )
                .with_advice("write the whole path"),
        );
    }
    None
}

/// RX0715: a `<Directory>` in another, which was not closed before it. The reader goes on as if it had
/// been; who closes both at the end gets this error next.
fn nested(nodes: &[Node], sources: &Sources) -> Vec<Diagnostic> {
    let open = |node: &Node| node.is(b"<Directory") && node.close.is_none();
    let pairs = nodes.windows(2).filter(|pair| open(&pair[0]) && pair[1].is(b"<Directory"));
    let error = |pair: &[Node]| {
        let inner = &pair[1];
        let (file, line) = (sources.name(inner.span.file), inner.line);
        let apache = format!(
            "AH00526: Syntax error on line {line} of {file}:\n<Directory not allowed in <Directory> context"
        );
        Diagnostic::error("RX0715", inner.span, "<Directory> cannot stand inside <Directory>")
            .with_label("stands inside the one above, as it is written")
            .with_context(pair[0].span, "still open")
            .with_note("sections for paths below one another are siblings: the shorter path is applied first")
            .with_apache(Apache::Plain(apache))
            .with_advice(
                "close the first section before this one; both `</Directory>` at the end do not help",
            )
    };
    pairs.map(error).collect()
}

/// RX0711: a path that does not exist.
fn missing_path(scene: &Scene<'_>, directory: &Directory<'_>) -> Option<Diagnostic> {
    let text = &directory.path.text;
    if !text.starts_with(b"/") || scene.system.stat(system::path(text)).is_ok() {
        return None;
    }
    let there = ancestors(text).find(|path| scene.system.stat(system::path(path)).is_ok());
    let label = match there {
        Some(there) => format!("only `{}` is there", there.as_bstr()),
        None => "is not there".to_owned(),
    };
    let headline = format!("the directory `{text}` does not exist");
    let warning = Diagnostic::warning("RX0711", directory.path.span, headline).with_label(label).with_note(
        "a section for a path that does not exist holds for nothing, and Apache says nothing about it",
    );
    Some(match shorter(scene, text) {
        Some(meant) => {
            let advice = format!("perhaps `{meant}` is meant");
            warning.with_edit(advice, directory.path.span, format!("\"{meant}\""))
        }
        None => warning.with_advice("create the directory, or correct the path"),
    })
}

/// Parents of a path, nearest first, without `/`.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parent = |path: &&'_ [u8]| path.rfind_byte(b'/').filter(|slash| *slash > 0);
    std::iter::successors(Some(path), move |path| parent(path).map(|slash| &path[..slash])).skip(1)
}

/// The path without its first components, if that exists or is named elsewhere in the text.
fn shorter(scene: &Scene<'_>, path: &BString) -> Option<BString> {
    let starts = path.find_iter(b"/").skip(1).filter(|start| path[start + 1..].contains(&b'/'));
    let mut tails = starts.map(|start| BString::from(&path[start..]));
    tails.find(|tail| {
        let named = || scene.directories.iter().any(|other| bare(&other.path.text) == bare(tail));
        named() || scene.system.stat(system::path(tail)).is_ok()
    })
}

fn bare(path: &[u8]) -> &BStr {
    path.strip_suffix(b"/").unwrap_or(path).as_bstr()
}

/// Directives that say who may have something.
const ACCESS: [&[u8]; 8] =
    [b"Require", b"<RequireAll", b"<RequireAny", b"<RequireNone", b"Order", b"Allow", b"Deny", b"Satisfy"];

fn access_of(node: &Node) -> Option<&Node> {
    // Not those of a section that stands inside by mistake.
    let own = node.children.iter().filter(|child| !child.is(b"<Directory"));
    own.flat_map(|child| every(std::slice::from_ref(child)))
        .find(|child| ACCESS.iter().any(|name| child.is(name)))
}

/// RX0712: a section that opens something up and lets nobody in.
fn nothing_granted(scene: &Scene<'_>, directory: &Directory<'_>) -> Option<Diagnostic> {
    let opens = directory.node.children.iter().find(|child| turns_on(child))?;
    if access_of(directory.node).is_some() {
        return None;
    }
    let warning = Diagnostic::warning(
        "RX0712",
        directory.node.span,
        "this section does not say who may have what is in it",
    )
    .with_label("no `Require` in it")
    .with_context(opens.span, "what is turned on here stays behind a closed door");
    let path = bare(&directory.path.text);
    let above = scene.directories.iter().filter(|other| is_below(path, bare(&other.path.text)));
    let said = above.filter_map(|other| Some((bare(&other.path.text).len(), access_of(other.node)?)));
    let around = said.max_by_key(|(length, _)| *length).map(|(_, node)| node);
    let advice = "write `Require all granted` into the section";
    let behind = Span { start: opens.span.end, ..opens.span };
    let grant = "\nRequire all granted";
    match around {
        Some(node) if denies(node) => Some(
            warning
                .with_context(node.span, "so this still holds: 403")
                .with_note("the log would say: AH01630: client denied by server configuration")
                .with_edit(advice, behind, grant),
        ),
        None if scene.fragment => Some(
            warning
                .with_note(
                    "what surrounds it decides: the usual httpd.conf has `Require all denied` in `<Directory />`, and \
                     every request below is answered with 403",
                )
                .with_edit(advice, behind, grant),
        ),
        _ => None,
    }
}

fn is_below(path: &BStr, around: &BStr) -> bool {
    path.strip_prefix(around.as_bytes()).is_some_and(|rest| rest.starts_with(b"/") && path != around)
}

fn denies(node: &Node) -> bool {
    let words: Vec<BString> = node.words().map(|word| word.text.to_ascii_lowercase().into()).collect();
    node.is(b"Require") && words == ["all", "denied"]
}

/// Whether a directive turns something on that only makes sense if somebody may come in.
fn turns_on(node: &Node) -> bool {
    let feature = |word: Word| {
        let plain = word.text.strip_prefix(b"+").unwrap_or(&word.text).to_ascii_lowercase();
        [&b"all"[..], b"execcgi", b"indexes", b"includes", b"multiviews"].contains(&plain.as_slice())
    };
    (node.is(b"Options") && node.words().any(feature)) || is_handler(node)
}

/// RX0713: `Options All`.
fn options_all(node: &Node) -> Option<Diagnostic> {
    let word = node.is(b"Options").then(|| node.words().next()).flatten()?;
    let all = word.text.strip_prefix(b"+").unwrap_or(&word.text);
    all.eq_ignore_ascii_case(b"all").then(|| {
        Diagnostic::warning("RX0713", word.span, "`Options All` turns on more than programs")
            .with_label("Indexes, Includes, FollowSymLinks and ExecCGI")
            .with_note("Indexes: a directory without an index page shows the list of its files to everybody")
            .with_note(
                "Includes: pages may execute commands; MultiViews, in spite of the name, is not among All",
            )
            .with_advice("name what is wanted: `Options +ExecCGI`")
    })
}

/// RX0714: ExecCGI, and nothing that would make a file a program.
fn nothing_executes(scene: &Scene<'_>) -> Option<Diagnostic> {
    let all = every(scene.nodes);
    let mapped = |node: &&&Node| is_handler(node) || node.is(b"ScriptAlias") || node.is(b"ScriptAliasMatch");
    if all.iter().any(|node| mapped(&node)) {
        return None;
    }
    let (node, span) = all.iter().find_map(|node| Some((*node, exec_cgi(node)?)))?;
    let directory =
        scene.directories.iter().rev().find(|d| d.node.children.iter().any(|c| c.span == node.span));
    let path = directory.map_or("/var/www/cgi-bin".into(), |d| bare(&d.path.text).to_string());
    Some(
        Diagnostic::warning("RX0714", span, "programs are permitted, but nothing makes a file a program")
            .with_label("this only permits it")
            .with_note("no ScriptAlias maps a URL to programs, and no AddHandler or SetHandler names `cgi-script`")
            .with_note("a script is then sent as text: everybody can read its source")
            .with_edit(
                format!(
                    "add `ScriptAlias \"/cgi-bin/\" \"{path}/\"` outside of all sections, or `AddHandler cgi-script .cgi .py` \
                     inside this one"
                ),
                Span { start: node.span.end, ..node.span },
                "\nAddHandler cgi-script .cgi .py",
            ),
    )
}

fn exec_cgi(node: &Node) -> Option<Span> {
    let wanted = |word: &Word| {
        let plain = word.text.strip_prefix(b"+").unwrap_or(&word.text).to_ascii_lowercase();
        plain == b"execcgi" || plain == b"all"
    };
    node.is(b"Options").then(|| node.words().find(wanted)).flatten().map(|word| word.span)
}

fn is_handler(node: &Node) -> bool {
    let cgi = |word: Word| word.text.eq_ignore_ascii_case(b"cgi-script");
    (node.is(b"AddHandler") || node.is(b"SetHandler")) && node.words().next().is_some_and(cgi)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::render::concise,
        syntax::{Input, Stage, State, read},
        system::Memory,
    };

    struct Nothing;

    impl Stage for Nothing {
        fn module_active(&self, _name: &[u8]) -> bool {
            true
        }

        fn load_module(&mut self, _name: &[u8], _path: &[u8], _at: Span) -> Result<Vec<Diagnostic>, String> {
            Ok(Vec::new())
        }

        fn directive_known(&self, _name: &[u8]) -> bool {
            true
        }
    }

    fn found(text: &str) -> Vec<String> {
        let system = Memory::new().with("/srv/site/page", "");
        let mut sources = Sources::new();
        let input = Input::Text { path: b"f", text: text.as_bytes() };
        let reading = read(input, &mut State::default(), &mut Nothing, &mut sources, &system);
        let found = lint(&reading.nodes, &sources, &system);
        found.iter().map(|diagnostic| concise(diagnostic, &sources)).collect()
    }

    #[track_caller]
    pub(super) fn check(text: &str, expected: &[&str]) {
        let found = found(text);
        let fits = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.starts_with(e));
        assert!(fits, "{found:#?}");
    }

    #[test]
    fn typographic_quotes_belong_to_the_path() {
        check("<Directory \u{201c}/srv/site\u{201d}>\n</Directory>\n", &["f:1:12: warning[RX0710]"]);
    }

    #[test]
    fn a_relative_path_holds_for_nothing() {
        check("<Directory srv/site>\n</Directory>\n", &["f:1:12: warning[RX0710]"]);
    }

    #[test]
    fn what_is_there_and_opens_nothing_is_right() {
        check("<Directory /srv/site>\nAllowOverride None\n</Directory>\n", &[]);
        check("<Directory ~ ^/srv/x>\n</Directory>\n<Directory /srv/*>\n</Directory>\n", &[]);
    }

    #[test]
    fn a_path_that_is_not_there() {
        check("<Directory /srv/x>\n</Directory>\n", &["f:1:12: warning[RX0711]"]);
    }

    #[test]
    fn a_door_that_stays_closed() {
        let text = "Listen 80\n<Directory />\nRequire all denied\n</Directory>\n\
                    <Directory /srv/site>\nOptions Indexes\n</Directory>\n";
        check(text, &["f:5:1: warning[RX0712]"]);
        check(&text.replace("denied", "granted"), &[]);
        check(&text.replace("Options", "Require all granted\nOptions"), &[]);
    }

    #[test]
    fn permission_alone_runs_nothing() {
        let text = "<Directory /srv/site>\nOptions ExecCGI\nRequire all granted\n</Directory>\n";
        check(text, &["f:2:9: warning[RX0714]"]);
        check(&format!("{text}ScriptAlias /x/ /srv/site/\n"), &[]);
        check(&format!("{text}AddHandler cgi-script .py\n"), &[]);
    }

    #[test]
    fn a_directory_in_another() {
        let text = "<Directory /srv/site>\n<Directory /srv>\n</Directory>\n</Directory>\n";
        assert!(
            found(text).iter().all(|line| !line.contains("RX0715")),
            "the walk has its own error for this"
        );
        check("<Directory /srv/site>\n<Directory /srv>\n</Directory>\n", &["f:2:1: error[RX0715]"]);
    }
}

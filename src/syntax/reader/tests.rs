//! How the reading stage is tested: over a small world in memory, against Apache's own words.

use bstr::ByteSlice;
use proptest::prelude::*;

use super::*;
use crate::{
    diag::{Apache, Severity},
    system::Memory,
};

/// A server with core, authz_core, macro and version, and few directives.
pub(super) struct Small;

impl Stage for Small {
    fn module_active(&self, name: &[u8]) -> bool {
        [&b"core.c"[..], b"core_module", b"mod_authz_core.c", b"authz_core_module"].contains(&name)
    }

    fn load_module(&mut self, name: &[u8], path: &[u8], _at: Span) -> Result<Vec<Diagnostic>, String> {
        let (name, path) = (name.as_bstr(), path.as_bstr());
        Err(format!("Can't locate API module structure `{name}' in file {path}"))
    }

    fn directive_known(&self, name: &[u8]) -> bool {
        let known = [
            "<IfVersion",
            "<Macro",
            "Use",
            "UndefMacro",
            "MacroIgnoreEmptyArgs",
            "MacroIgnoreBadNesting",
            "Timeout",
            "<Directory",
        ];
        known.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    }
}

struct World {
    system: Memory,
    state: State,
    sources: Sources,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut system = files.iter().fold(Memory::new(), |system, (path, text)| system.with(*path, text));
        system.env.insert(b"HOME".to_vec(), b"/root".to_vec());
        system.dirs.push("/etc".into());
        system.dirs.push("/R".into());
        let state = State { server_root: "/R".into(), ..State::default() };
        World { system, state, sources: Sources::new() }
    }

    fn read(&mut self, input: Input<'_>) -> Reading {
        read(input, &mut self.state, &mut Small, &mut self.sources, &self.system)
    }
}

/// Warnings up to the first error and that error, or warnings and the tree.
fn shown(reading: &Reading) -> String {
    let mut lines = Vec::new();
    for found in &reading.diagnostics {
        if let Apache::Plain(text) | Apache::Program(text) = &found.apache {
            lines.push(text.clone());
        }
        if found.severity == Severity::Error {
            return lines.join("\n");
        }
    }
    tree(&reading.nodes, "", &mut lines);
    lines.join("\n")
}

fn tree(nodes: &[Node], indent: &str, lines: &mut Vec<String>) {
    for node in nodes {
        lines.push(format!("{indent}{} {}", node.name, node.args()));
        tree(&node.children, &format!("{indent}  "), lines);
        if let Some(name) = node.section_name().filter(|_| !node.children.is_empty()) {
            lines.push(format!("{indent}</{name}>"));
        }
    }
}

#[track_caller]
pub(super) fn check(config: &str, expected: &str) {
    check_files(&[("/R/f", config)], expected);
}

#[track_caller]
fn check_files(files: &[(&str, &str)], expected: &str) {
    let mut world = World::new(files);
    assert_eq!(shown(&world.read(Input::File(b"/R/f"))), expected);
}

#[track_caller]
fn check_directives(texts: &[&str], expected: &str) {
    let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    assert_eq!(shown(&World::new(&[]).read(Input::Directives(&texts))), expected);
}

#[track_caller]
fn check_htaccess(text: &str, expected: &str) {
    let input = Input::Htaccess { path: b"/h/.htaccess", text: text.as_bytes() };
    assert_eq!(shown(&World::new(&[]).read(input)), expected);
}

/// Reads and gives `line: headline` of each diagnostic, and the tree.
#[track_caller]
fn check_recovery(config: &str, found: &[&str], nodes: &str) {
    let mut world = World::new(&[("/R/f", config)]);
    let reading = world.read(Input::File(b"/R/f"));
    let line = |d: &Diagnostic| world.sources.line(d.span().expect("each has a place"));
    let told: Vec<String> =
        reading.diagnostics.iter().map(|d| format!("{}: {}", line(d), d.headline)).collect();
    let mut lines = Vec::new();
    tree(&reading.nodes, "", &mut lines);
    assert_eq!((told, lines.join("\n")), (found.iter().map(ToString::to_string).collect(), nodes.to_owned()));
}

const TUTORIAL: &str = "<Directory \"/usr/cgi-bin\">\nOptions ExecCGI +MultiViews\nRequire all granted\n\
    <Directory \"/var/cgi-bin\">\nOptions All\n";

#[test]
fn both_sections_of_the_tutorial_are_found_unclosed() {
    check_recovery(
        TUTORIAL,
        &["1: <Directory> is not closed", "4: <Directory> is not closed"],
        "<Directory \"/usr/cgi-bin\">\n  Options ExecCGI +MultiViews\n  Require all granted\n</Directory>\n\
         <Directory \"/var/cgi-bin\">\n  Options All\n</Directory>",
    );
}

#[test]
fn applying_the_edits_closes_both() {
    let mut world = World::new(&[("/R/f", TUTORIAL)]);
    let reading = world.read(Input::File(b"/R/f"));
    let mut text = TUTORIAL.to_owned();
    let mut edits: Vec<_> =
        reading.diagnostics.into_iter().flat_map(|d| d.fix).flat_map(|f| f.edits).collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    for edit in edits {
        text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    check_recovery(
        &text,
        &[],
        "<Directory \"/usr/cgi-bin\">\n  Options ExecCGI +MultiViews\n  Require all granted\n</Directory>\n\
         <Directory \"/var/cgi-bin\">\n  Options All\n</Directory>",
    );
}

#[test]
fn apache_s_own_text_comes_first() {
    check(
        TUTORIAL,
        "Syntax error on line 1 of /R/f: /R/f:4: <Directory> was not closed.\\n/R/f:1: <Directory> was not closed.",
    );
}

#[test]
fn an_unclosed_section_ends_where_indentation_does() {
    check_recovery(
        "<Directory /a>\n  Options All\nTimeout 5\n",
        &["1: <Directory> is not closed"],
        "<Directory /a>\n  Options All\n</Directory>\nTimeout 5",
    );
}

#[test]
fn a_closing_tag_of_an_outer_section_closes_the_inner() {
    check_recovery(
        "<VirtualHost *>\n<Directory /a>\nOptions All\n</VirtualHost>\nTimeout 5\n",
        &["4: </VirtualHost> closes nothing here: <Directory> is open"],
        "<VirtualHost *>\n  <Directory /a>\n    Options All\n  </Directory>\n</VirtualHost>\nTimeout 5",
    );
}

#[test]
fn a_stray_closing_tag_is_dropped() {
    check_recovery(
        "Timeout 4\n</Files>\nTimeout 5\n",
        &["2: </Files> closes nothing: no <Files> is open"],
        "Timeout 4\nTimeout 5",
    );
}

#[test]
fn an_unclosed_true_conditional_is_told() {
    check_recovery("<IfModule core.c>\nTimeout 5\n", &["1: <IfModule> is not closed"], "Timeout 5");
}

#[test]
fn reading_goes_on_after_a_missing_file() {
    check_recovery(
        "Include nope\nTimeout 5\nInclude nada\n",
        &["1: the included file /R/nope cannot be read", "3: the included file /R/nada cannot be read"],
        "Timeout 5",
    );
}

#[test]
fn directories_are_read_sorted_with_dot_files_and_below() {
    let files = [
        ("/R/f", "Include d\n"),
        ("/R/d/a", "Timeout 1"),
        ("/R/d/e/x", "Timeout 2"),
        ("/R/d/.hid", "Timeout 3"),
        ("/R/d/B", "Timeout 4"),
    ];
    check_files(&files, "Timeout 3\nTimeout 4\nTimeout 1\nTimeout 2");
}

#[test]
fn wildcards_leave_dot_files_out() {
    let files = [("/R/f", "Include d/*\n"), ("/R/d/a", "Timeout 1"), ("/R/d/.hid", "Timeout 3")];
    check_files(&files, "Timeout 1");
}

#[test]
fn a_wildcard_directory_must_have_the_rest() {
    let files = [("/R/f", "Include d*/e\n"), ("/R/d1/e", "Timeout 1"), ("/R/d2/x", "")];
    check_files(
        &files,
        "Syntax error on line 1 of /R/f: Could not open configuration file /R/d2/e: No such file or directory",
    );
}

#[test]
fn errors_name_every_file_on_the_way() {
    let files = [
        ("/R/f", "Include a\n"),
        ("/R/a", "Timeout 1\nTimeout 2 3\nInclude b\n"),
        ("/R/b", "\n\n<Directory />\n"),
    ];
    check_files(
        &files,
        "Syntax error on line 1 of /R/f: Syntax error on line 3 of /R/a: Syntax error on line 3 of /R/b: /R/b:3: <Directory> was not closed.",
    );
}

#[test]
fn a_file_that_includes_itself_ends() {
    let mut world = World::new(&[("/R/f", "Include f\nInclude f\n")]);
    let reading = world.read(Input::File(b"/R/f"));
    let errors: Vec<_> = reading.diagnostics.iter().map(|found| found.id).collect();
    assert_eq!(errors, ["RX0041"]);
    let Apache::Program(text) = &reading.diagnostics[0].apache else { panic!("Apache refuses it") };
    assert!(text.ends_with(": Exceeded maximum include depth of 128, There appears to be a recursion."));
}

#[test]
fn several_directives_of_the_command_line_form_a_section() {
    check_directives(
        &["<Directory />", "AllowOverride None", "</Directory>"],
        "<Directory />\n  AllowOverride None\n</Directory>",
    );
    check_directives(
        &["<Directory />", "AllowOverride None"],
        "Syntax error in -C/-c directive: -c/-C directives:1: <Directory> was not closed.",
    );
    check_directives(
        &["<Directory />", "</Files>"],
        "Syntax error in -C/-c directive: Expected </Directory> but saw </Files>",
    );
    check_directives(&["Timeout\\", "5"], "Timeout\\ \n5 ");
}

#[test]
fn htaccess_refuses_what_belongs_to_the_server() {
    check_htaccess("Include x\n", "/h/.htaccess: Include not allowed here");
    check_htaccess("Define x:y\n", "/h/.htaccess: Define not allowed here");
    check_htaccess("LoadModule a b\n", "/h/.htaccess: LoadModule not allowed here");
    check_htaccess("Use nofoo\n", "/h/.htaccess: no macro defined before Use");
    check_htaccess("<Files x>\nA b\n", "/h/.htaccess: /h/.htaccess:1: <Files> was not closed.");
    check_htaccess("<IfModule no.c>\n", "/h/.htaccess: Expected </IfModule> before end of configuration");
    check_htaccess("<IfModule core.c>\nA b\n</IfModule>\n", "A b");
}

#[test]
fn htaccess_lines_are_short() {
    let line = format!("<IfModule core.c>\n#{}\n", "x".repeat(9000));
    check_htaccess(&line, "/h/.htaccess: Error reading /h/.htaccess at line 2: Line too long");
}

#[test]
fn a_line_too_long_is_blamed_on_what_was_executed_last() {
    let long = "x".repeat(17_000_000);
    check(&format!("#{long}\n"), "Error reading /R/f at line 1: Line too long");
    check(
        &format!("Define x\n#{long}\n"),
        "Syntax error on line 1 of /R/f: Error reading /R/f at line 2: Line too long",
    );
}

#[test]
fn depth_is_limited_and_told_once() {
    let mut world = World::new(&[("/R/f", &"<Directory />\n".repeat(5000))]);
    let reading = world.read(Input::File(b"/R/f"));
    assert_eq!(reading.diagnostics.iter().filter(|found| found.id == "RX0012").count(), 1);
}

#[test]
fn variables_and_joined_lines_keep_their_places() {
    let mut world = World::new(&[("/R/f", "Define A \"x y\"\nFoo a \\\n  ${A} b\n")]);
    let reading = world.read(Input::File(b"/R/f"));
    let node = &reading.nodes[0];
    assert_eq!((node.line, node.verbatim), (3, false));
    let words: Vec<_> =
        node.words().map(|w| (w.text.to_string(), world.sources.slice(w.span).to_vec())).collect();
    let expected = [("a", &b"a"[..]), ("x", b"${A}"), ("y", b"${A}"), ("b", b"b")];
    assert_eq!(words, expected.map(|(text, source)| (text.to_owned(), source.to_vec())));
}

#[test]
fn what_was_done_while_reading_is_kept() {
    let text = "<IfModule no.c>\nTimeout 1\n</IfModule>\nDefine A 1\nServerRoot /etc\n";
    let mut world = World::new(&[("/R/f", text)]);
    let reading = world.read(Input::File(b"/R/f"));
    let names: Vec<_> = reading.executed.iter().map(|node| node.name.to_string()).collect();
    assert_eq!(names, ["<IfModule", "Define", "ServerRoot"]);
    assert_eq!(world.sources.slice(reading.skipped[0].whole), b"<IfModule no.c>\nTimeout 1\n</IfModule>");
    assert_eq!(world.state.server_root, "/etc");
}

#[test]
fn the_main_file_must_be_there() {
    check_files(&[], "Could not open configuration file /R/f: No such file or directory");
}

#[test]
fn a_byte_order_mark_stays_with_the_name() {
    let mut world = World::new(&[("/R/f", "\u{feff}Timeout 5\n")]);
    let reading = world.read(Input::File(b"/R/f"));
    assert_eq!(reading.nodes[0].name, "\u{feff}Timeout");
}

#[test]
fn names_given_on_the_command_line_have_no_value() {
    let mut world = World::new(&[("/R/f", "<IfDefine X=5>\nTimeout 5\n</IfDefine>\n")]);
    world.state.defines = Defines::from_names(["X=5"]);
    assert_eq!(shown(&world.read(Input::File(b"/R/f"))), "Timeout 5");
}

fn config() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "<Directory />",
        "</Directory>",
        "</Directory",
        "<Files x>",
        "</Files>",
        "<IfModule core.c>",
        "<IfModule no.c>",
        "</IfModule>",
        "</IfModule> x",
        "<IfModule",
        "<Macro m $a>",
        "</Macro>",
        "Use m 1",
        "Use m",
        "Timeout 5",
        "  Timeout \\",
        "Define A </Files>",
        "${A}",
        "UnDefine A",
        "Include g",
        "Include *",
        "<",
        "</",
        "\"\" x",
        "<IfVersion > 2.3>",
        "</IfVersion>",
        "<IfVersion",
        "\"<Files\" y",
        "#",
        "ServerRoot /etc",
        "Define",
        "<IfDefine A>",
        "</IfDefine>",
        "<VirtualHost *>",
        "</VirtualHost>",
        "\0",
        "\u{feff}",
    ]);
    let lines = prop::collection::vec(line, 0..25).prop_map(|lines| lines.join("\n").into_bytes());
    prop_oneof![lines, prop::collection::vec(any::<u8>(), 0..100)]
}

fn check_spans(nodes: &[Node], sources: &Sources) {
    for node in nodes {
        for span in [node.span, node.name_span, node.args_span].into_iter().chain(node.close) {
            assert!(span.start <= span.end && span.end as usize <= sources.text(span.file).len());
        }
        if node.verbatim {
            assert_eq!(sources.slice(node.args_span), node.args().as_bytes());
        }
        check_spans(&node.children, sources);
    }
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in config(), other in config()) {
        let mut world = World::new(&[]);
        world.system = world.system.with("/R/g", &other);
        for input in [
            Input::Text { path: b"/R/f", text: &text },
            Input::Htaccess { path: b"/R/.htaccess", text: &text },
            Input::Directives(&[text.clone(), other.clone()]),
        ] {
            let reading = world.read(input);
            check_spans(&reading.nodes, &world.sources);
            for found in &reading.diagnostics {
                crate::diag::render::full(found, &world.sources, false);
                for edit in found.fix.iter().flat_map(|fix| &fix.edits) {
                    let length = world.sources.text(edit.span.file).len();
                    prop_assert!(edit.span.start <= edit.span.end && edit.span.end as usize <= length);
                }
            }
        }
    }
}

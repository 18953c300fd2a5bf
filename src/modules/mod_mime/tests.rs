//! Suffixes and merges as Apache has them.

use super::*;
use crate::{diag::Span, modules::testing::Site, policy::Config, system::Memory};

#[track_caller]
fn check_suffixes(name: &str, expected: &str) {
    let found: Vec<_> = suffixes(name.as_bytes()).map(|s| s.as_bstr().to_string()).collect();
    assert_eq!(found.join(" "), expected);
}

#[test]
fn the_first_part_is_no_suffix() {
    check_suffixes("a.html.gz", "html gz");
    check_suffixes(".html", "");
    check_suffixes("..html", "");
    check_suffixes("a..html", "html");
    check_suffixes("j.html.", "html");
    check_suffixes("cgi", "");
    check_suffixes("", "");
}

enum Said {
    Add(Field, &'static str, &'static str),
    Remove(Field, &'static str),
}
use Said::{Add, Remove};

fn section(said: &[Said]) -> MimeDir {
    let mut dir = MimeDir::default();
    for word in said {
        match word {
            Add(field, suffix, value) => {
                dir.add(*field, suffix.as_bytes(), Setting::new((*value).into(), Span::BUILTIN))
            }
            Remove(field, suffix) => dir.remove(*field, suffix.as_bytes()),
        }
    }
    dir
}

#[track_caller]
fn check(dir: &MimeDir, suffix: &str, field: Field, expected: Option<&str>) {
    let said = dir.suffix(suffix.as_bytes()).and_then(|said| said.get(field));
    assert_eq!(said.map(|said| said.value.to_string()), expected.map(str::to_owned));
}

fn server() -> MimeDir {
    section(&[Add(Field::Handler, ".pp", "cgi-script"), Add(Field::Language, "html", "de")])
}

#[test]
fn a_lone_removal_reaches_the_server() {
    let dir = section(&[Remove(Field::Handler, ".PP")]).merge(&server());
    check(&dir, "pp", Field::Handler, None);
    check(&dir, "html", Field::Language, Some("de"));
}

#[test]
fn a_removal_takes_what_its_own_section_adds() {
    let own = section(&[Remove(Field::Handler, ".pp"), Add(Field::Handler, ".pp", "cgi-script")]);
    check(&own.merge(&server()), "pp", Field::Handler, None);
}

#[test]
fn an_earlier_section_of_the_group_spends_the_removal() {
    let group =
        section(&[Remove(Field::Handler, ".pp")]).merge(&section(&[Add(Field::Encoding, "foo", "x")]));
    check(&group.merge(&server()), "pp", Field::Handler, Some("cgi-script"));
}

#[test]
fn fields_are_merged_one_by_one() {
    let dir = section(&[Add(Field::Charset, "html", "utf-8")]).merge(&server());
    check(&dir, "html", Field::Language, Some("de"));
    check(&dir, "html", Field::Charset, Some("utf-8"));
}

const TYPES: &str = "text/html html htm\ntext/plain txt\napplication/gzip gz\nimage/png png\n";

const NAMES: [&str; 14] = [
    "a.HTML",
    "a.unk",
    "a.html.unk",
    "a.html.gz.Z",
    "b.en.fr.html",
    "c.txt.utf",
    "d.html.utf.lat",
    "e.bad",
    "g.par",
    "g.par.utf",
    "i.png.utf",
    "l.de-AT.html",
    "pathinfo.html",
    "noext",
];

fn site(config: &str) -> Site {
    let mut world = Memory::new().with("/root/t", TYPES);
    for name in NAMES {
        world = world.with(format!("/www/{name}"), "x").with(format!("/www/s/{name}"), "x");
    }
    Site::new(&format!("TypesConfig t\n{config}"), world)
}

/// The fields of the head that describe the content.
#[track_caller]
fn answers(config: &str, answers: &[(&str, &str)]) {
    let mut site = site(config);
    for (request, expected) in answers {
        assert_eq!(site.get(&format!("HEAD {request}")).trim_start_matches("200 "), *expected, "{request}");
    }
}

#[test]
fn what_suffixes_mean() {
    let config = "AddLanguage fr .fr\nAddLanguage EN-us en\nAddLanguage DE-at .de-AT\nAddEncoding X-Gzip gz\n\
                  AddEncoding compress .Z\nAddCharset UTF-8 .utf\nAddCharset Latin1 lat\nAddType badtype .bad\n\
                  AddType \"Text/X-Par; Charset=Foo; q=\\\"A b\\\"\" .par\n";
    answers(
        config,
        &[
            ("/a.HTML", "Content-Type: text/html"),
            ("/a.unk", "200"),
            ("/a.html.unk", "Content-Type: text/html"),
            ("/a.html.gz.Z", "Content-Type: application/gzip Content-Encoding: x-gzip, compress"),
            ("/c.txt.utf", "Content-Type: text/plain; charset=utf-8"),
            ("/d.html.utf.lat", "Content-Type: text/html; charset=latin1"),
            ("/e.bad", "Content-Type: badtype"),
            ("/g.par", "Content-Type: text/x-par; charset=foo; q=\"a b\""),
            ("/g.par.utf", "Content-Type: text/x-par; charset=utf-8; q=\"a b\""),
            ("/i.png.utf", "Content-Type: image/png; charset=utf-8"),
            ("/l.de-AT.html", "Content-Type: text/html Content-Language: de-at"),
            ("/noext", "200"),
        ],
    );
}

#[test]
fn default_language() {
    let config = "DefaultLanguage xx-YY\nAddLanguage fr .fr\n";
    answers(
        config,
        &[
            ("/noext", "Content-Language: xx-YY"),
            ("/b.en.fr.html", "Content-Type: text/html Content-Language: fr"),
        ],
    );
}

#[test]
fn removed_types() {
    let config = "AddType text/a .html\n<Directory /www/s>\nRemoveType html\nAddType text/new .par\n\
                  RemoveType .par\n</Directory>\n";
    answers(config, &[("/a.HTML", "Content-Type: text/a"), ("/s/a.HTML", "200"), ("/s/g.par", "200")]);
    answers("RemoveType .txt\nAddType text/z .txt\n", &[("/c.txt.utf", "Content-Type: text/z")]);
}

#[test]
fn path_info() {
    let config = "<Directory /www>\nModMimeUsePathInfo On\n</Directory>\n";
    answers(config, &[("/pathinfo.html/x.txt", "Content-Type: text/plain")]);
}

#[track_caller]
fn message(config: &str, expected: &str) {
    assert_eq!(site(config).messages(), expected, "{config}");
}

#[test]
fn mistakes() {
    message("MultiviewsMatch foo\n", "Unrecognized option 'foo'");
    message("MultiviewsMatch Any Handlers\n", "Handlers is incompatible with Any and NegotiatedOnly");
    message(
        "MultiviewsMatch Handlers Any\n",
        "Any is incompatible with NegotiatedOnly, Filters and Handlers",
    );
    message(
        "MultiviewsMatch NegotiatedOnly Filters\n",
        "Filters is incompatible with Any and NegotiatedOnly",
    );
    message(
        "MultiviewsMatch Any NegotiatedOnly\n",
        "NegotiatedOnly is incompatible with Any, Filters and Handlers",
    );
    message(
        "MultiviewsMatch Handlers Filters\nMultiviewsMatch Any Any\n",
        "Any is incompatible with NegotiatedOnly, Filters and Handlers",
    );
    message("ModMimeUsePathInfo On\n", "ModMimeUsePathInfo not allowed here");
    message(
        "AddType text/html\n",
        "AddType requires at least two arguments, a mime type followed by one or more file extensions",
    );
    message("RemoveType\n", "RemoveType requires at least one argument, one or more file extensions");
}

#[test]
fn a_missing_types_file_is_told_at_start() {
    let world = Memory::new();
    let site = Site::new("TypesConfig nosuch\n", world.clone());
    let told = start(site.policy(), &world).expect_err("the file is not there");
    assert_eq!(told.number, "AH01597");
    assert_eq!(told.text, "could not open mime types config file /root/nosuch.");
    assert_eq!(start(Site::new("", world.clone()).policy(), &world), Ok(()));
}

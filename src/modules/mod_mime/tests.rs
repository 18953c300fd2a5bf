//! Suffixes and merges as Apache has them.

use super::*;
use crate::{diag::Span, policy::Config};

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

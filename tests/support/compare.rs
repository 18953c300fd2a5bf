//! Does an answer say what the case says? And the reverse: an answer in the notation of a case.
//!
//! What every answer has is not listed in cases but checked here and in `wire`: `Date` and `Server` are there, and a
//! body is framed by the right `Content-Length`, by chunks or by the connection's end. (Apache chooses between the first
//! two for a program by how fast it is; so a case lists a length only where it is about that.) All other headers must be
//! exactly those that the case lists.

use super::wire::Answer;

/// Headers of a plain file, written as names alone when a case does not care for their values.
const VALIDATORS: [&str; 3] = ["Last-Modified", "ETag", "Accept-Ranges"];

/// Compares; the error holds a diff, `-` for what the case wants, `+` for what came.
///
/// # Errors
/// A diff, one line each.
pub fn compare(expected: &[String], answer: &Answer) -> Result<(), String> {
    let mut diff = Vec::new();
    let status = expected.first().map(String::as_str).unwrap_or_default();
    let actual_status = status_line(answer);
    if !matches(status, &actual_status) {
        diff.push(format!("- < {status}\n+ < {actual_status}"));
    }
    let blank = expected.iter().skip(1).position(String::is_empty).map(|at| at + 1);
    let wanted = expected.get(1..blank.unwrap_or(expected.len())).unwrap_or_default();
    if !answer.nothing && !answer.status.is_empty() {
        headers(wanted, answer, &mut diff);
    }
    let headless = answer.status.is_empty() && !answer.nothing;
    let body = if headless { expected.get(1..) } else { blank.and_then(|at| expected.get(at + 1..)) };
    if let Some(body) = body {
        let actual = answer.body_lines().join("\n");
        if !matches(&body.join("\n"), &actual) {
            diff.push(listed("- < ", body));
            diff.push(listed("+ < ", &answer.body_lines()));
        }
    }
    if diff.is_empty() { Ok(()) } else { Err(diff.join("\n")) }
}

fn listed(mark: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return format!("{mark}(no body)");
    }
    lines.iter().map(|l| format!("{mark}{l}")).collect::<Vec<_>>().join("\n")
}

fn headers(wanted: &[String], answer: &Answer, diff: &mut Vec<String>) {
    let mut left: Vec<&(String, String)> = answer.headers.iter().collect();
    for line in wanted {
        for (name, value) in wanted_headers(line) {
            match left.iter().position(|(n, v)| n.eq_ignore_ascii_case(name) && same(n, value, v)) {
                Some(at) => drop(left.remove(at)),
                None => diff.push(format!("- < {name}: {value}")),
            }
        }
    }
    let says =
        |name: &str| wanted.iter().any(|l| l.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase()));
    for name in ["Date", "Server"] {
        let count = left.len();
        left.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        if left.len() + 1 != count && !answer.status.starts_with('1') && !says(name) {
            diff.push(format!("- < {name}: …"));
        }
    }
    if !says("Content-Length") && !says("Transfer-Encoding") && !wordless(&answer.status) {
        left.retain(|(n, _)| {
            !n.eq_ignore_ascii_case("Content-Length") && !n.eq_ignore_ascii_case("Transfer-Encoding")
        });
    }
    diff.extend(left.iter().map(|(name, value)| format!("+ < {name}: {value}")));
}

/// Statuses whose answers never have a body, so that a length is worth a look.
fn wordless(status: &str) -> bool {
    ["1", "204", "304"].iter().any(|s| status.starts_with(s))
}

/// Apache lists methods in an order that changes from start to start.
fn same(name: &str, wanted: &str, value: &str) -> bool {
    if name.eq_ignore_ascii_case("Allow") { sorted(wanted) == sorted(value) } else { matches(wanted, value) }
}

fn sorted(list: &str) -> Vec<&str> {
    let mut words: Vec<&str> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words
}

/// True for an answer that has a length and no body: one to HEAD, or a wrong one.
fn bodiless(answer: &Answer) -> bool {
    answer.body.is_empty() && answer.header("Content-Length").is_some_and(|v| v != "0")
}

/// `Name: value` is one header; a line without a colon lists names, each with any value.
fn wanted_headers(line: &str) -> Vec<(&str, &str)> {
    match line.split_once(':') {
        Some((name, value)) => vec![(name, value.trim())],
        None => line.split(',').map(|name| (name.trim(), "…")).collect(),
    }
}

fn status_line(answer: &Answer) -> String {
    if answer.nothing {
        return "(closed)".to_string();
    }
    // A status without a reason ends in a blank that would not be seen.
    answer.status.strip_suffix(' ').map_or(answer.status.clone(), |s| format!("{s}\\x20"))
}

/// The answer as a case would say it; built-in error pages without their text unless `pages`.
pub fn written(answer: &Answer, pages: bool) -> Vec<String> {
    let mut lines = vec![status_line(answer)];
    let unlisted = |name: &str| {
        ["Date", "Server"].iter().any(|n| n.eq_ignore_ascii_case(name))
            || !bodiless(answer)
                && ["Content-Length", "Transfer-Encoding"].iter().any(|n| n.eq_ignore_ascii_case(name))
            || VALIDATORS.iter().any(|n| n.eq_ignore_ascii_case(name))
    };
    lines.extend(
        answer
            .headers
            .iter()
            .filter(|(n, _)| !unlisted(n))
            .map(|(n, v)| format!("{n}: {v}").trim_end().to_string()),
    );
    let validators: Vec<&str> = VALIDATORS.into_iter().filter(|n| answer.header(n).is_some()).collect();
    if !validators.is_empty() {
        lines.push(validators.join(", "));
    }
    let page = answer.body.starts_with(b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" ");
    if !answer.body.is_empty() && (pages || !page) {
        if !answer.status.is_empty() {
            lines.push(String::new());
        }
        lines.extend(answer.body_lines());
    }
    lines
}

/// True if `text` is `pattern`, where each `…` of the pattern stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Compares lines of a log or a terminal, one by one; a line that is nothing but `…` stands for any lines.
///
/// # Errors
/// Both sides, `-` wanted, `+` came.
pub fn compare_lines(expected: &[String], actual: &[String]) -> Result<(), String> {
    let same = if expected.iter().any(|l| l == "…") {
        let ended = |l: &String| if l == "…" { l.clone() } else { format!("{l}\n") };
        matches(
            &expected.iter().map(ended).collect::<String>(),
            &actual.iter().map(|l| format!("{l}\n")).collect::<String>(),
        )
    } else {
        expected.len() == actual.len() && expected.iter().zip(actual).all(|(e, a)| matches(e, a))
    };
    if same {
        return Ok(());
    }
    let listed = |mark: &str, lines: &[String]| {
        if lines.is_empty() {
            format!("{mark} (nothing)")
        } else {
            lines.iter().map(|l| format!("{mark} {l}")).collect::<Vec<_>>().join("\n")
        }
    };
    Err(format!("{}\n{}", listed("-", expected), listed("+", actual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str, headers: &[(&str, &str)], body: &str, diff: &[&str]) {
        let mut headers: Vec<_> = headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        headers.extend([("Date".to_string(), "now".to_string()), ("Server".to_string(), "any".to_string())]);
        let answer = Answer { status: "200 OK".into(), headers, body: body.into(), nothing: false };
        let expected: Vec<String> = expected.split('\n').map(str::to_string).collect();
        let said = compare(&expected, &answer).err().unwrap_or_default();
        assert_eq!(said.lines().collect::<Vec<_>>(), diff);
    }

    #[test]
    fn the_headers_are_an_exact_set() {
        let headers = [("A", "1"), ("B", "2"), ("Content-Length", "0")];
        check("200 OK\nB: 2\nA: 1", &headers, "", &[]);
        check("200 OK\nA, B", &headers, "", &[]);
        check("200 OK\nA: 1", &headers, "", &["+ < B: 2"]);
        check("200 OK\nA: 1\nB: 3", &headers, "", &["- < B: 3", "+ < B: 2"]);
        check("200 OK\nA: 1\nB: 2\nC: 3", &headers, "", &["- < C: 3"]);
        check(
            "200 OK\nA: 1\nB: 2\nContent-Length: 1",
            &headers,
            "",
            &["- < Content-Length: 1", "+ < Content-Length: 0"],
        );
    }

    #[test]
    fn the_status_and_the_body_count() {
        check("404 Not Found", &[], "", &["- < 404 Not Found", "+ < 200 OK"]);
        check("200 OK", &[], "any\n", &[]);
        check("200 OK\n\nx", &[], "x\n", &[]);
        check("200 OK\n\nx", &[], "y\n", &["- < x", "+ < y"]);
        check("200 OK\n\nx", &[], "x", &["- < x", "+ < x\\"]);
        check("200 OK\n", &[], "x\n", &["- < (no body)", "+ < x"]);
    }

    #[test]
    fn lines_are_compared_one_by_one() {
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let same = |expected: &str, actual: &str| compare_lines(&lines(expected), &lines(actual)).is_ok();
        assert!(same("[…] a", "[1] a"));
        assert!(!same("[…] a", "[1] b\n[2] a"));
        assert!(same("…\nb", "a\na\nb"));
        assert!(same("…\nb", "b"));
        assert!(!same("…\nb", "a\nc"));
        assert!(!same("", "a"));
    }

    #[test]
    fn an_ellipsis_stands_for_any_text() {
        assert!(matches("a…c…", "abcd"));
        assert!(matches("…", ""));
        assert!(!matches("a…c", "abcd"));
        assert!(!matches("ab…bc", "abc"));
    }
}

//! The results as a picture (SVG 1.1), which needs nothing to be looked at but a browser.

use std::fmt::Write;

/// Bars that are compared with one another.
pub struct Group {
    /// What was measured.
    pub title: String,
    /// Name and requests per second.
    pub bars: Vec<(&'static str, f64)>,
}

const WIDTH: u32 = 760;
/// Where bars begin.
const LEFT: u32 = 90;
/// Length of the longest bar of a group.
const LONGEST: f64 = 540.0;
const BAR: u32 = 16;
const GAP: u32 = 4;
const TITLE: u32 = 30;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#222}.t{font-weight:600}.b{fill:#9aa5b1}.own{fill:#c2410c}.bare{fill:#d9dee3}\
@media(prefers-color-scheme:dark){text{fill:#ddd}.b{fill:#6b7785}.own{fill:#fb923c}.bare{fill:#3d4650}}";

/// Draws all groups below one another; `own` is the server whose bars stand out, `bare` the limit.
pub fn draw(groups: &[Group], own: &str, bare: &str) -> String {
    let mut body = String::new();
    let mut y = 10;
    for Group { title, bars } in groups {
        y += TITLE;
        let _ = writeln!(body, "<text class=\"t\" x=\"0\" y=\"{}\">{}</text>", y - 10, escaped(title));
        let most = bars.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
        for (name, rate) in bars {
            let class = match *name {
                name if name == own => "own",
                name if name == bare => "bare",
                _ => "b",
            };
            let length = (rate / most * LONGEST).round();
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length}\" height=\"{BAR}\"/>\
                 <text x=\"{}\" y=\"{}\">{} a second</text>",
                LEFT - 8,
                y + BAR - 3,
                escaped(name),
                f64::from(LEFT) + length + 8.0,
                y + BAR - 3,
                grouped(*rate),
            );
            y += BAR + GAP;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {0}\" width=\"{WIDTH}\" height=\"{0}\" role=\"img\" \
         aria-label=\"Requests per second of each server\">\n<style>{STYLE}</style>\n{body}</svg>\n",
        y + 10
    )
}

/// `81 363`: digits in threes.
fn grouped(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let threes = rest.as_bytes().chunks(3).map(|three| String::from_utf8_lossy(three).into_owned());
    let parts = (!head.is_empty()).then(|| head.to_owned()).into_iter().chain(threes);
    parts.collect::<Vec<_>>().join("\u{202f}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

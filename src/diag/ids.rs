//! The page of every id: what is wrong, why, how it is mended, what Apache says, and an example.
//!
//! The rows stand in `ids.tsv`, one a line: id, title, why, mend, Apache's words, the example and
//! its mended form; `\n` in a field is a line's end, `-` an empty field.

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `RX` and four digits.
    pub id: &'static str,
    /// One line.
    pub title: &'static str,
    /// Why it is so.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// Apache's number and words, where it has any.
    pub apache: Option<&'static str>,
    wrong: Option<&'static str>,
    mended: Option<&'static str>,
}

const TABLE: &str = include_str!("ids.tsv");

/// All rows, by id.
pub fn all() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(row)
}

fn row(line: &'static str) -> Option<Row> {
    let given = |field: &'static str| (field != "-").then_some(field);
    match *line.split('\t').collect::<Vec<_>>().as_slice() {
        [id, title, why, mend, apache, wrong, mended] => Some(Row {
            id,
            title,
            why,
            mend,
            apache: given(apache),
            wrong: given(wrong),
            mended: given(mended),
        }),
        _ => None,
    }
}

/// The row of an id.
pub fn find(id: &str) -> Option<Row> {
    all().find(|row| row.id == id)
}

impl Row {
    /// The example that yields this id.
    pub fn wrong(&self) -> Option<String> {
        self.wrong.map(text)
    }

    /// The same, mended.
    pub fn mended(&self) -> Option<String> {
        self.mended.map(text)
    }

    /// The page in Markdown.
    pub fn page(&self) -> String {
        let mut page =
            format!("## {}: {}\n\n{}\n\nTo mend it: {}\n", self.id, self.title, self.why, self.mend);
        match self.apache {
            Some(apache) => page.push_str(&format!("\nApache says: `{apache}`\n")),
            None => page.push_str("\nApache says nothing about it by itself.\n"),
        }
        for (title, example) in [("Wrong", self.wrong()), ("Mended", self.mended())] {
            if let Some(example) = example {
                page.push_str(&format!("\n{title}:\n\n```apache\n{}\n```\n", example.trim_end()));
            }
        }
        page
    }
}

fn text(field: &str) -> String {
    field.replace("\\n", "\n")
}

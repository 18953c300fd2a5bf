//! What several words behind `Require` have in common: a line that is an expression, cut into words
//! for each request.

use crate::{
    engine::Cx,
    policy::{
        Mistake, Place,
        expr::{self, Captures, Expr, eval_string},
    },
    syntax::{Text, words::getword},
};
use bstr::BString;

/// Reads the line. Names may hold expressions, so the words are cut for each request anew.
///
/// # Errors
/// It is no expression.
pub fn names(place: &Place<'_, '_>, text: &Text) -> Result<Expr, Mistake> {
    let options = expr::Options { dont_vary: true, ..place.expression_options() };
    expr::parse(text.bytes(), expr::Mode::String, options).map_err(|error| {
        Mistake::new(format!("Cannot parse expression in require line: {}", error.message))
            .id("RX0413")
            .at(text.span(error.place), "")
    })
}

/// The words of a line.
pub fn words(text: &[u8]) -> Vec<BString> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some((word, after)) = getword(rest) {
        let word = word.text();
        if word.is_empty() {
            break;
        }
        words.push(word);
        rest = after;
    }
    words
}

/// The words that the line comes to for a request; `None` if it could not be evaluated, which is
/// logged under this number with these words.
pub fn evaluate(cx: &mut Cx<'_>, line: &Expr, number: &'static str, what: &str) -> Option<Vec<BString>> {
    match eval_string(line, cx, &mut Captures::new()) {
        Ok(text) => Some(words(&text)),
        Err(error) => {
            cx.log(3, number, format_args!("{what}: Can't evaluate require expression: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;
    use bstr::BString;

    #[test]
    fn names_are_cut_as_arguments_are() {
        assert_eq!(words(b" a \"b c\"  d"), ["a", "b c", "d"].map(BString::from));
        assert_eq!(words(b"a \"\" b"), [BString::from("a")]);
    }
}

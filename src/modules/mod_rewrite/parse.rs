//! RewriteCond and RewriteRule as they are written.

use super::{
    config::{RewriteServer, Rules, section},
    flags::{self, CondFlags, Flags},
    rules::Rule,
};
use crate::{
    diag::{Apache, Diagnostic},
    policy::{
        Applied, Args, Mistake, Place, expr,
        regex::{Regex, RegexError},
    },
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

/// A condition of a rule.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is looked at, to be expanded.
    pub input: BString,
    /// The pattern as written.
    pub pattern: BString,
    /// What it is to be.
    pub test: Test,
    /// `!`: or not to be.
    pub negated: bool,
    /// Its flags.
    pub flags: CondFlags,
    /// The directive.
    pub at: crate::diag::Span,
}

/// What a condition demands of its input.
#[derive(Clone, Debug)]
pub enum Test {
    Regex(Regex),
    /// `expr` in place of an input.
    Expr(Arc<expr::Expr>),
    /// `-f`, `-s`, `-l`, `-d`, `-x`: about the file of this name.
    File(u8),
    /// `-U`, `-F`: a look-up.
    LookUp(u8),
    /// `<`, `<=`, `=`, `>=`, `>` and a text.
    Text(Order, BString),
    /// `-lt`, `-le`, `-eq`, `-ge`, `-gt`, `-ne` and a number.
    Number(Order, i64),
}

/// How two values are to stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    GreaterEqual,
    Greater,
}

impl Order {
    /// Whether they do.
    pub fn holds(self, found: std::cmp::Ordering) -> bool {
        match self {
            Order::Less => found.is_lt(),
            Order::LessEqual => found.is_le(),
            Order::Equal => found.is_eq(),
            Order::NotEqual => found.is_ne(),
            Order::GreaterEqual => found.is_ge(),
            Order::Greater => found.is_gt(),
        }
    }
}

/// Two or three arguments, cut as this module cuts them: quotes hold one together and a backslash
/// keeps a blank; all other backslashes are left for patterns.
fn arguments(line: &[u8]) -> Option<(BString, BString, Option<BString>)> {
    let (first, rest) = argument(line.trim_start())?;
    let rest = rest?.trim_start();
    let (second, rest) = argument(rest)?;
    let third = rest.map(|rest| rest.trim_start()).filter(|rest| !rest.is_empty());
    let third = third.and_then(argument).map(|(third, _)| third);
    Some((first, second, third))
}

/// One argument, and what follows its end, if there is an end.
fn argument(text: &[u8]) -> Option<(BString, Option<&[u8]>)> {
    let (quote, text) = match text {
        [quote @ (b'"' | b'\''), rest @ ..] => (Some(*quote), rest),
        _ => (None, text),
    };
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let ends = match quote {
            Some(quote) => byte == quote,
            None => byte.is_ascii_whitespace(),
        };
        if ends {
            break;
        }
        let keeps = byte == b'\\' && text.get(at + 1).is_some_and(u8::is_ascii_whitespace);
        at += if keeps { 2 } else { 1 };
    }
    let at = at.min(text.len());
    Some((text[..at].into(), text.get(at + 1..)))
}

fn bad(directive: &str, text: impl std::fmt::Display) -> Mistake {
    Mistake::new(format!("{directive}: {text}")).id("RX0743")
}

fn bad_regex(directive: &str, pattern: &[u8], error: &RegexError) -> Mistake {
    let text = format!("cannot compile regular expression '{}'", pattern.as_bstr());
    bad(directive, text).note(format!("PCRE2 says: {}", error.message))
}

/// The place that collects rules here: the server's outside of all sections, else the section's.
fn rules<'c>(place: &'c mut Place<'_, '_>) -> &'c mut Rules {
    match place.at.path.is_none() {
        true => &mut place.server::<RewriteServer>().rules,
        false => &mut section(place).rules,
    }
}

pub fn condition(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    const NAME: &str = "RewriteCond";
    let line = args.raw();
    let Some((input, pattern, flags)) = arguments(line) else {
        return Err(bad(NAME, format_args!("bad argument line '{}'", line.as_bstr())));
    };
    let flags = match flags {
        Some(flags) => flags::of_condition(&flags).map_err(|text| bad(NAME, text))?,
        None => CondFlags::default(),
    };
    let written = pattern.clone();
    let (negated, pattern) = match pattern.strip_prefix(b"!") {
        Some(rest) => (true, rest),
        None => (false, pattern.as_slice()),
    };
    // Apache complains before it compiles an expression, and of what follows a comparison's name.
    let is_expr = input.eq_ignore_ascii_case(b"expr");
    let tested = if is_expr { None } else { Some(test(place, &input, pattern, flags)?) };
    let blind = tested.as_ref().is_none_or(|test| !matches!(test, Test::Regex(_) | Test::Text(..)));
    if flags.nocase && blind {
        let (file, number) = place.describe(args.span);
        let pattern = if matches!(tested, Some(Test::Number(..))) { &pattern[3..] } else { pattern };
        let text = format!(
            "AH00665: RewriteCond: NoCase option for non-regex pattern '{}' is not supported and will be ignored. ({file}:{number})",
            pattern.as_bstr()
        );
        let warning =
            Diagnostic::warning("RX0744", args.span, "letter case does not matter to this condition");
        place.warn(warning.with_apache(Apache::Plain(text)).logged_by("rewrite"));
    }
    let test = match tested {
        Some(test) => test,
        None => test(place, &input, pattern, flags)?,
    };
    let condition = Condition { input, pattern: written, test, negated, flags, at: args.span };
    rules(place).pending.push(condition);
    Ok(())
}

fn test(place: &Place<'_, '_>, input: &[u8], pattern: &[u8], flags: CondFlags) -> Result<Test, Mistake> {
    if input.eq_ignore_ascii_case(b"expr") {
        let parsed = expr::parse(pattern, expr::Mode::Condition, place.expression_options());
        return parsed.map(|expr| Test::Expr(Arc::new(expr))).map_err(|error| {
            bad(
                "RewriteCond",
                format_args!("cannot compile expression \"{}\" {}", pattern.as_bstr(), error.message),
            )
        });
    }
    let number = |text: &[u8]| crate::modules::core::leading_number(text.trim_start());
    let text = |order, text: &[u8]| Test::Text(order, if text == b"\"\"" { b"" } else { text }.into());
    // Without an operand these are regular expressions.
    let bare = matches!(pattern, b"-lt" | b"-le" | b"-gt" | b"-ge" | b"-eq" | b"-ne" | b"<" | b">");
    Ok(match pattern {
        _ if bare => {
            let regex = place.regex(pattern, flags.nocase);
            Test::Regex(regex.map_err(|error| bad_regex("RewriteCond", pattern, &error))?)
        }
        [b'-', kind @ (b'f' | b's' | b'd' | b'x')] => Test::File(*kind),
        [b'-', b'h' | b'l' | b'L'] => Test::File(b'l'),
        [b'-', kind @ (b'U' | b'F')] => Test::LookUp(*kind),
        [b'-', b'l', b't', rest @ ..] => Test::Number(Order::Less, number(rest)),
        [b'-', b'l', b'e', rest @ ..] => Test::Number(Order::LessEqual, number(rest)),
        [b'-', b'g', b't', rest @ ..] => Test::Number(Order::Greater, number(rest)),
        [b'-', b'g', b'e', rest @ ..] => Test::Number(Order::GreaterEqual, number(rest)),
        [b'-', b'e', b'q', rest @ ..] => Test::Number(Order::Equal, number(rest)),
        [b'-', b'n', b'e', rest @ ..] => Test::Number(Order::NotEqual, number(rest)),
        [b'>', b'=', rest @ ..] => text(Order::GreaterEqual, rest),
        [b'>', rest @ ..] => text(Order::Greater, rest),
        [b'<', b'=', rest @ ..] => text(Order::LessEqual, rest),
        [b'<', rest @ ..] => text(Order::Less, rest),
        [b'=', rest @ ..] => text(Order::Equal, rest),
        _ => {
            let regex = place.regex(pattern, flags.nocase);
            Test::Regex(regex.map_err(|error| bad_regex("RewriteCond", pattern, &error))?)
        }
    })
}

pub fn rule(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    const NAME: &str = "RewriteRule";
    let line = args.raw();
    let Some((pattern, output, flags)) = arguments(line) else {
        return Err(bad(NAME, format_args!("bad argument line '{}'", line.as_bstr())));
    };
    let flags = match flags {
        Some(flags) => flags::of_rule(&flags).map_err(|text| bad(NAME, text))?,
        None => Flags::default(),
    };
    let (negated, source) = match pattern.strip_prefix(b"!") {
        Some(rest) => (true, rest),
        None => (false, pattern.as_slice()),
    };
    let regex = place.regex(source, flags.nocase).map_err(|error| bad_regex(NAME, source, &error))?;
    let rules = rules(place);
    let conditions = std::mem::take(&mut rules.pending);
    rules.list.push(Arc::new(Rule { regex, negated, output, flags, conditions, at: args.span }));
    Ok(())
}

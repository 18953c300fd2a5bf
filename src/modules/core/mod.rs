//! Apache's core: sections, options, documents, hosts, limits, logs; the walks over sections; the
//! handler that serves files.
//!
//! The rows of the directive table stand with their functions, one file a topic. What they store
//! is in [`crate::policy::core_conf`], because the walks read it.

/// Rows of a directive table: name, shape, scope, function; Apache's text, ours.
macro_rules! rows {
    ($($name:literal $shape:ident $scope:ident $apply:expr, $usage:literal, $doc:literal;)*) => {
        &[$(crate::policy::Directive {
            name: $name,
            shape: crate::policy::Shape::$shape,
            scope: crate::modules::core::$scope,
            usage: $usage,
            doc: $doc,
            apply: $apply,
        }),*]
    };
}
pub(super) use rows;

pub(super) use self::{
    default_handler::{file_validator, set_validators},
    hooks::{input_filters, output_filters},
};

pub(super) mod addresses;
mod answers;
mod default_handler;
mod documents;
mod hooks;
mod hosts;
mod lacking;
mod limits;
mod logging;
mod options;
mod process;
mod reading;
mod sections;
#[cfg(test)]
mod tests;

use crate::{
    engine::Module,
    policy::{Applied, Args, CoreDir, CoreServer, Directive, Kind, Mistake, Place, Scope},
};

/// Outside of directory sections only.
pub(super) const SERVER: Scope = Scope::RSRC_CONF;
/// Inside directory sections only, never in `.htaccess`.
pub(super) const SECTION: Scope = Scope::ACCESS_CONF;
/// Anywhere in the server's configuration, never in `.htaccess`.
pub(super) const CONF: Scope = Scope::RSRC_CONF.or(Scope::ACCESS_CONF);
/// Anywhere, and in `.htaccess` unless AllowOverride is None.
pub(super) const ALL: Scope = Scope::ALL;
/// Anywhere, and in `.htaccess` with `AllowOverride FileInfo`.
pub(super) const FILEINFO: Scope = Scope::FILEINFO;
/// Anywhere, and in `.htaccess` with `AllowOverride Options`.
pub(super) const OPTIONS: Scope = Scope::OPTIONS;
/// Inside directory sections, and in `.htaccess` with `AllowOverride AuthConfig`.
pub(super) const AUTHCFG: Scope = Scope::AUTHCFG;
/// Inside directory sections, and in `.htaccess` with `AllowOverride AuthConfig` or `Limit`.
pub(super) const AUTHCFG_LIMIT: Scope = Scope::AUTHCFG.or(Scope::LIMIT);

/// The module.
pub static MODULE: Module = Module {
    name: "core",
    source: "core.c",
    identifier: "core_module",
    always: true,
    configs: &[Kind::of::<CoreDir>(), Kind::of::<CoreServer>()],
    directives: &DIRECTIVES,
    hooks: hooks::HOOKS,
    ..Module::NOTHING
};

const TOPICS: [&[Directive]; 9] = [
    sections::ROWS,
    reading::ROWS,
    options::ROWS,
    documents::ROWS,
    answers::ROWS,
    hosts::ROWS,
    limits::ROWS,
    logging::ROWS,
    process::ROWS,
];

static DIRECTIVES: [Directive; count()] = joined();

const fn count() -> usize {
    let (mut total, mut topic) = (0, 0);
    while topic < TOPICS.len() {
        total += TOPICS[topic].len();
        topic += 1;
    }
    total
}

const fn joined() -> [Directive; count()] {
    let mut all = [TOPICS[0][0]; count()];
    let (mut at, mut topic) = (0, 0);
    while topic < TOPICS.len() {
        let mut row = 0;
        while row < TOPICS[topic].len() {
            all[at] = TOPICS[topic][row];
            at += 1;
            row += 1;
        }
        topic += 1;
    }
    all
}

/// What a directive does that has no meaning here, or that acted while the file was read.
pub(super) fn nothing(_place: &mut Place<'_, '_>, _args: &Args<'_>) -> Applied {
    Ok(())
}

/// A word compared without case.
pub(super) fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// `On` or `Off` in a directive of shape One, or Apache's message.
pub(super) fn on_off(word: &[u8], message: &str) -> Result<bool, Mistake> {
    match () {
        () if is(word, "on") => Ok(true),
        () if is(word, "off") => Ok(false),
        () => Err(message.into()),
    }
}

/// The number at the head of a word, as C's strtol reads it; 0 if there is none.
pub(super) fn leading_number(word: &[u8]) -> i64 {
    number_and_rest(word).map_or(0, |(number, _)| number)
}

/// The number at the head of a word and what follows it; too large ones are cut.
pub(super) fn number_and_rest(word: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let add = |sum: i64, byte: &u8| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    let number = digits[..count].iter().fold(0, add);
    Some((if negative { -number } else { number }, &digits[count..]))
}

/// The whole word as a number.
pub(super) fn whole_number(word: &[u8]) -> Option<i64> {
    number_and_rest(word).and_then(|(number, rest)| rest.is_empty().then_some(number))
}

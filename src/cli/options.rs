//! httpd's own options, read as `apr_getopt` reads them: one letter each, several may be glued
//! together, an argument may be glued to its letter, the first word that is no option ends them.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// What `--teach` says: what the configuration says of it itself comes later and holds.
const TEACH: &[u8] = b"TeachingErrors On";

/// Letters that httpd knows; a colon follows those that take an argument.
const LETTERS: &[u8] = b"k:C:c:D:d:E:e:f:vVlLtTSMh?X";

/// The levels that `-e` takes (LogLevel).
const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3",
    "trace4", "trace5", "trace6", "trace7", "trace8",
];

/// The names for `-D` that mean `-t` as well; mod_info's DUMP_CONFIG is none of them.
const DUMPS: [&str; 4] = ["DUMP_VHOSTS", "DUMP_RUN_CFG", "DUMP_MODULES", "DUMP_INCLUDES"];

/// The word behind `-k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `start`
    Start,
    /// `stop`
    Stop,
    /// `restart`
    Restart,
    /// `graceful`
    Graceful,
    /// `graceful-stop`
    GracefulStop,
}

impl Signal {
    fn named(word: &[u8]) -> Option<Signal> {
        match word {
            b"start" => Some(Signal::Start),
            b"stop" => Some(Signal::Stop),
            b"restart" => Some(Signal::Restart),
            b"graceful" => Some(Signal::Graceful),
            b"graceful-stop" => Some(Signal::GracefulStop),
            _ => None,
        }
    }
}

/// What is to be printed without a configuration being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// `-v`
    Version,
    /// `-V`
    Settings,
    /// `-l`
    Modules,
}

/// What httpd's options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-d`
    pub server_root: Option<Vec<u8>>,
    /// `-f`
    pub config_file: Option<Vec<u8>>,
    /// `-C`, in order.
    pub before: Vec<Vec<u8>>,
    /// `-c`, in order.
    pub after: Vec<Vec<u8>>,
    /// `-D`, and what `-S`, `-M` and `-X` define.
    pub defines: Vec<Vec<u8>>,
    /// `-E`
    pub error_file: Option<Vec<u8>>,
    /// `-e`: an index among LogLevel's levels.
    pub level: Option<u8>,
    /// `-k`
    pub signal: Option<Signal>,
    /// `-t`, and what implies it.
    pub test: bool,
    /// `-T`
    pub skip_document_root: bool,
    /// `-L`
    pub directives: bool,
    /// The first of `-v`, `-V`, `-l`.
    pub print: Option<Print>,
}

/// Why the options cannot be followed: the line before the usage text, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOptions(pub Option<String>);

impl Options {
    /// Whether `name` was defined on the command line.
    pub fn defined(&self, name: &str) -> bool {
        self.defines.iter().any(|define| define == name.as_bytes())
    }

    /// Whether a dump is asked for, in place of a start or of `Syntax OK`.
    pub fn dumps(&self) -> bool {
        DUMPS.iter().any(|name| self.defined(name))
    }

    fn define(&mut self, name: &[u8]) {
        self.test |= DUMPS.iter().any(|dump| dump.as_bytes() == name);
        if !self.defines.iter().any(|known| known == name) {
            self.defines.push(name.to_vec());
        }
    }
}

/// Reads the arguments behind the program's name.
///
/// `-v`, `-V` and `-l` act at once in httpd: what stands behind them is not looked at.
pub fn parse(arguments: &[OsString]) -> Result<Options, BadOptions> {
    let mut options = Options::default();
    let mut arguments = arguments.iter().map(|argument| argument.as_bytes());
    while let Some(argument) = arguments.next() {
        let Some((b'-', mut letters)) = argument.split_first().map(|(dash, rest)| (*dash, rest)) else {
            return Err(BadOptions(None));
        };
        if letters == b"-" {
            break;
        }
        // Ours, before all of httpd's.
        if letters == b"-teach" {
            options.before.insert(0, TEACH.to_vec());
            continue;
        }
        if letters.is_empty() || letters[0] == b'-' {
            return Err(BadOptions(None));
        }
        while let Some((&letter, rest)) = letters.split_first() {
            letters = rest;
            let value = match takes_value(letter) {
                None => return Err(illegal(letter)),
                Some(false) => None,
                Some(true) => {
                    let value = if rest.is_empty() { arguments.next() } else { Some(rest) };
                    letters = b"";
                    match value {
                        Some(value) => Some(value),
                        // httpd looks for -k in a pass of its own, and knows it only there.
                        None if letter == b'k' => return Err(illegal(letter)),
                        None => return Err(complaint("option requires an argument", letter)),
                    }
                }
            };
            apply(&mut options, letter, value.unwrap_or_default())?;
            if options.print.is_some() {
                return Ok(options);
            }
        }
    }
    match arguments.next() {
        Some(_) => Err(BadOptions(None)),
        None => Ok(options),
    }
}

fn takes_value(letter: u8) -> Option<bool> {
    let at = LETTERS.iter().position(|&known| known == letter && known != b':')?;
    Some(LETTERS.get(at + 1) == Some(&b':'))
}

fn complaint(what: &str, letter: u8) -> BadOptions {
    BadOptions(Some(format!("{what} -- {}", char::from(letter))))
}

fn illegal(letter: u8) -> BadOptions {
    complaint("illegal option", letter)
}

fn apply(options: &mut Options, letter: u8, value: &[u8]) -> Result<(), BadOptions> {
    match letter {
        b'd' => options.server_root = Some(value.to_vec()),
        b'f' => options.config_file = Some(value.to_vec()),
        b'C' => options.before.push(value.to_vec()),
        b'c' => options.after.push(value.to_vec()),
        b'D' => options.define(value),
        b'E' => options.error_file = Some(value.to_vec()),
        b'e' => {
            let known = LEVELS.iter().position(|level| value.eq_ignore_ascii_case(level.as_bytes()));
            let level = known.and_then(|level| u8::try_from(level).ok());
            options.level = Some(level.ok_or(BadOptions(None))?);
        }
        b'k' => match Signal::named(value).filter(|_| options.signal.is_none()) {
            Some(signal) => options.signal = Some(signal),
            None => return Err(illegal(letter)),
        },
        b'X' => options.define(b"DEBUG"),
        b'S' => {
            options.define(b"DUMP_VHOSTS");
            options.define(b"DUMP_RUN_CFG");
        }
        b'M' => options.define(b"DUMP_MODULES"),
        b't' => options.test = true,
        b'T' => options.skip_document_root = true,
        b'L' => options.directives = true,
        b'v' => options.print = Some(Print::Version),
        b'V' => options.print = Some(Print::Settings),
        b'l' => options.print = Some(Print::Modules),
        _ => return Err(BadOptions(None)),
    }
    Ok(())
}

/// httpd's usage text; `program` is the program's name as it was called.
pub fn usage(program: &str) -> String {
    let pad = " ".repeat(program.len());
    let heads = [
        format!("Usage: {program} [-D name] [-d directory] [-f file]"),
        format!("       {pad} [-C \"directive\"] [-c \"directive\"]"),
        format!("       {pad} [-k start|restart|graceful|graceful-stop|stop]"),
        format!("       {pad} [-v] [-V] [-h] [-l] [-L] [-t] [-T] [-S] [-X]"),
    ];
    let mut text = heads.join("\n");
    text.push_str("\nOptions:\n");
    for (option, meaning) in MEANINGS {
        text.push_str(&format!("  {option:<19}: {meaning}\n"));
    }
    text
}

const MEANINGS: [(&str, &str); 21] = [
    ("-D name", "define a name for use in <IfDefine name> directives"),
    ("-d directory", "specify an alternate initial ServerRoot"),
    ("-f file", "specify an alternate ServerConfigFile"),
    ("-C \"directive\"", "process directive before reading config files"),
    ("-c \"directive\"", "process directive after reading config files"),
    ("-e level", "show startup errors of level (see LogLevel)"),
    ("-E file", "log startup errors to file"),
    ("-v", "show version number"),
    ("-V", "show compile settings"),
    ("-h", "list available command line options (this page)"),
    ("-l", "list compiled in modules"),
    ("-L", "list available configuration directives"),
    ("-t -D DUMP_VHOSTS", "show parsed vhost settings"),
    ("-t -D DUMP_RUN_CFG", "show parsed run settings"),
    ("-S", "a synonym for -t -D DUMP_VHOSTS -D DUMP_RUN_CFG"),
    ("-t -D DUMP_MODULES", "show all loaded modules "),
    ("-M", "a synonym for -t -D DUMP_MODULES"),
    ("-t -D DUMP_INCLUDES", "show all included configuration files"),
    ("-t", "run syntax check for config files"),
    ("-T", "start without DocumentRoot(s) check"),
    ("-X", "debug mode (only one worker, do not detach)"),
];

/// A path as the system takes it.
pub fn path(bytes: &[u8]) -> std::path::PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, BadOptions> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[track_caller]
    fn refused(line: &str, complaint: Option<&str>) {
        assert_eq!(read(line), Err(BadOptions(complaint.map(str::to_owned))));
    }

    #[test]
    fn arguments_are_glued_or_apart() {
        let options = read("-Done -D two -d/root -f conf").unwrap();
        assert_eq!(options.defines, [b"one".to_vec(), b"two".to_vec()]);
        assert_eq!(options.server_root.as_deref(), Some(&b"/root"[..]));
        assert_eq!(options.config_file.as_deref(), Some(&b"conf"[..]));
    }

    #[test]
    fn letters_are_glued() {
        let options = read("-tk start").unwrap();
        assert!(options.test);
        assert_eq!(options.signal, Some(Signal::Start));
    }

    #[test]
    fn an_argument_may_look_like_an_option() {
        assert_eq!(read("-D -t").unwrap().defines, [b"-t".to_vec()]);
        assert!(!read("-D -t").unwrap().test);
    }

    #[test]
    fn unknown_letters_are_named() {
        refused("-Z", Some("illegal option -- Z"));
        refused("-tZ", Some("illegal option -- Z"));
        refused("-:", Some("illegal option -- :"));
    }

    #[test]
    fn a_missing_argument_is_named() {
        refused("-d", Some("option requires an argument -- d"));
        refused("-t -D", Some("option requires an argument -- D"));
    }

    #[test]
    fn k_wants_one_of_five_words_once() {
        refused("-k", Some("illegal option -- k"));
        refused("-k bogus", Some("illegal option -- k"));
        refused("-k restart -k stop", Some("illegal option -- k"));
    }

    #[test]
    fn other_words_and_help_are_answered_with_the_usage() {
        refused("foo", None);
        refused("-t foo", None);
        refused("-h", None);
        refused("-?", None);
        refused("-e bogus", None);
    }

    #[test]
    fn v_acts_at_once() {
        assert_eq!(read("-t -vq").unwrap().print, Some(Print::Version));
        assert_eq!(read("-l -Z").unwrap().print, Some(Print::Modules));
    }

    #[test]
    fn s_and_m_are_synonyms() {
        let options = read("-S -M").unwrap();
        assert!(options.test);
        assert!(["DUMP_VHOSTS", "DUMP_RUN_CFG", "DUMP_MODULES"].iter().all(|name| options.defined(name)));
    }

    #[test]
    fn teach_is_a_directive_before_all_others() {
        let words = ["-C", "ServerName x", "--teach", "-t"].map(OsString::from);
        let options = parse(&words).unwrap();
        assert!(options.test);
        assert_eq!(options.before, [b"TeachingErrors On".to_vec(), b"ServerName x".to_vec()]);
    }

    #[test]
    fn the_usage_is_padded_to_the_name() {
        let text = usage("apache2");
        assert!(text.starts_with("Usage: apache2 [-D name] [-d directory] [-f file]\n               [-C"));
        assert!(
            text.contains("\n  -D name            : define a name for use in <IfDefine name> directives\n")
        );
    }
}

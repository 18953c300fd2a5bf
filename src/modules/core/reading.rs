//! Directives that act while the configuration is read: at the walk they have nothing left to do.

use super::nothing;
use crate::policy::{Applied, Args, Directive, Mistake, Place};

pub(super) const ROWS: &[Directive] = rows! {
    "<IfModule" Raw ALL nothing, "Container for directives based on existence of specified modules",
        "directives that count only if a module is there; acts while reading";
    "<IfDefine" Raw ALL nothing, "Container for directives based on existence of command line defines",
        "directives that count only if a name is defined; acts while reading";
    "<IfFile" Raw ALL nothing, "Container for directives based on existence of files on disk",
        "directives that count only if a file exists; acts while reading";
    "<IfDirective" Raw ALL nothing, "Container for directives based on existence of named directive",
        "directives that count only if a directive is known; acts while reading";
    "<IfSection" Raw ALL nothing, "Container for directives based on existence of named section",
        "directives that count only if a section is known; acts while reading";
    "Define" OneTwo CONF nothing,
        "Define a variable, optionally to a value.  Same as passing -D to the command line.",
        "defines a name, or a variable for ${NAME}; acts while reading";
    "UnDefine" One CONF nothing, "Undefine the existence of a variable. Undo a Define.",
        "takes a definition back; acts while reading";
    "Error" Raw ALL error, "Generate error message from within configuration",
        "refuses the configuration with a message of its author";
    "Include" One CONF nothing,
        "Name(s) of the config file(s) to be included; fails if the wildcard does not match at least one file",
        "reads other files in its place; acts while reading";
    "IncludeOptional" One CONF nothing,
        "Name or pattern of the config file(s) to be included; ignored if the file does not exist or the pattern does not match any files",
        "reads other files in its place, if there are any; acts while reading";
    "ServerRoot" One SERVER nothing, "Common directory of server-related files (logs, confs, etc.)",
        "where relative paths start; acts while reading";
    "DefaultRuntimeDir" One SERVER nothing,
        "Common directory for run-time files (shared memory, locks, etc.)",
        "where run-time files go; acts while reading";
};

fn error(_place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let words: Vec<_> = args.node.words().collect();
    // One quoted word loses its quotes; in anything longer they are part of the message.
    let text = match words.as_slice() {
        [word] => word.text.to_string(),
        _ => String::from_utf8_lossy(args.raw()).into_owned(),
    };
    let text =
        if text.is_empty() { "The Error directive was used with no message.".to_owned() } else { text };
    Err(Mistake::new(text).id("RX0221").note("The author of this configuration put an Error here."))
}

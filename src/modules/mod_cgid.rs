//! The same as mod_cgi under the name and with the directives of mod_cgid, which most servers load:
//! Apache has two implementations because a threaded process must not fork; rachis has one.

use super::mod_cgi::{self, CgiDir, CgiServer};
use crate::{
    engine::{Hook, Module, Order, Phase},
    policy::{Applied, Args, Directive, Kind, Place, Scope, Shape, Within},
};

/// `cgid_module`
pub static MODULE: Module = Module {
    name: "mod_cgid",
    source: "mod_cgid.c",
    identifier: "cgid_module",
    configs: &[Kind::of::<CgiServer>(), Kind::of::<CgiDir>()],
    directives: &[
        mod_cgi::SCRIPT_LOG,
        mod_cgi::SCRIPT_LOG_LENGTH,
        mod_cgi::SCRIPT_LOG_BUFFER,
        Directive {
            name: "ScriptSock",
            shape: Shape::One,
            scope: Scope::RSRC_CONF,
            usage: "the name of the socket to use for communication with the cgi daemon.",
            doc: "Socket of Apache's CGI daemon; accepted, there is no such daemon here",
            apply: script_sock,
        },
        Directive {
            name: "CGIDScriptTimeout",
            shape: Shape::One,
            scope: Scope::RSRC_CONF.or(Scope::ACCESS_CONF),
            usage: "The amount of time to wait between successful reads from the CGI script, in seconds.",
            doc: "How long to wait for each piece of a program's output",
            apply: mod_cgi::script_timeout,
        },
    ],
    hooks: &[Hook { phase: Phase::Handler, order: Order::MIDDLE, run: mod_cgi::handler }],
    ..Module::NOTHING
};

fn script_sock(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)
}

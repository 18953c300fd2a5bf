//! mod_actions: programs that answer in place of a kind of file, or of a method.
//!
//! Manual: `mod/mod_actions.html`. The request is decided anew as one for the program, with the path
//! of the file behind the program's.

use crate::{
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    http::{Method, Status, escape},
    policy::{Applied, Args, Config, Directive, Kind, Mistake, Place, Scope, Setting, Shape},
};
use bstr::{BString, ByteSlice};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_actions",
    source: "mod_actions.c",
    identifier: "actions_module",
    configs: &[Kind::of::<Actions>()],
    directives: &DIRECTIVES,
    hooks: &[Hook { phase: Phase::Handler, order: Order::LAST, run: handler }],
    ..Module::NOTHING
};

static DIRECTIVES: [Directive; 2] = [
    Directive {
        name: "Action",
        shape: Shape::TwoThree,
        scope: Scope::FILEINFO,
        usage: "a media type followed by a script name",
        doc: "The program that answers for files of a media type or handler.",
        apply: action,
    },
    Directive {
        name: "Script",
        shape: Shape::Two,
        scope: Scope::RSRC_CONF.or(Scope::ACCESS_CONF),
        usage: "a method followed by a script name",
        doc: "The program that answers requests of a method.",
        apply: script,
    },
];

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// By media type or handler, whose letter case does not count.
    types: Vec<(BString, Setting<Program>)>,
    /// By method.
    methods: Vec<(BString, Setting<BString>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Program {
    url: BString,
    /// Whether it also answers for files that do not exist.
    is_virtual: bool,
}

impl Config for Actions {
    fn merge(&self, outer: &Self) -> Self {
        let mut merged = outer.clone();
        self.types.iter().for_each(|(name, program)| merged.set_type(name, program.clone()));
        self.methods.iter().for_each(|(name, url)| merged.set_method(name, url.clone()));
        merged
    }
}

impl Actions {
    fn set_type(&mut self, name: &[u8], program: Setting<Program>) {
        match self.types.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, said)) => *said = program,
            None => self.types.push((name.into(), program)),
        }
    }

    fn set_method(&mut self, name: &[u8], url: Setting<BString>) {
        match self.methods.iter_mut().find(|(known, _)| known == name) {
            Some((_, said)) => *said = url,
            None => self.methods.push((name.into(), url)),
        }
    }
}

fn action(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let is_virtual = match args.get(2) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"virtual") => true,
        Some(word) => {
            let message = format!("unrecognized option '{}'", word.as_bstr());
            return Err(Mistake::new(message).id("RX0370").at(args.at(2), "only `virtual` may stand here"));
        }
    };
    let program = Program { url: args.text(1).into(), is_virtual };
    place.dir::<Actions>().set_type(args.text(0), Setting::new(program, args.span));
    Ok(())
}

fn script(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if args.text(0) == b"TRACE" {
        return Err(Mistake::new("TRACE not allowed for Script").id("RX0371").at(args.at(0), "not this one"));
    }
    place.dir::<Actions>().set_method(args.text(0), Setting::new(args.text(1).into(), args.span));
    Ok(())
}

/// Decides the request anew as one for the program, if there is one for it. A type's outweighs a
/// method's.
fn handler(cx: &mut Cx<'_>) -> Verdict {
    let conf = cx.conf::<Actions>();
    let kind =
        cx.req.handler.clone().or_else(|| cx.req.content_type.as_ref().map(|kind| without_parameters(kind)));
    let by_type = kind.and_then(|kind| {
        let (_, program) = conf.types.iter().find(|(name, _)| name.eq_ignore_ascii_case(&kind))?;
        Some((kind, program))
    });
    let Some((kind, program)) = by_type else {
        return match by_method(cx, conf) {
            Some(said) => become_program(cx, &said.value),
            None => Verdict::Declined,
        };
    };
    if !program.value.is_virtual && cx.req.stat.is_none() {
        let filename = cx.req.filename.clone();
        cx.log(3, "AH00652", format_args!("File does not exist: {filename}"));
        cx.because(program.at, format_args!("the program answers only for files that exist"));
        return Verdict::Status(Status(404));
    }
    cx.because(program.at, format_args!("{kind} is answered by {}", program.value.url));
    cx.req.env.set("HANDLER", kind);
    become_program(cx, &program.value.url)
}

/// The program for the method; for GET only if there is a query. Not again for the program itself.
fn by_method<'a>(cx: &mut Cx<'_>, conf: &'a Actions) -> Option<&'a Setting<BString>> {
    let name = match cx.req.method {
        Method::Get | Method::Head if cx.req.args.is_none() => return None,
        Method::Get | Method::Head => BString::from("GET"),
        _ => cx.req.method_name.clone(),
    };
    let (_, said) = conf.methods.iter().find(|(known, _)| *known == name)?;
    let again = cx.req.prev.as_ref().is_some_and(|prev| prev.prev.is_some());
    if again {
        return None;
    }
    cx.because(said.at, format_args!("{name} is answered by {}", said.value));
    Some(said)
}

fn become_program(cx: &mut Cx<'_>, program: &[u8]) -> Verdict {
    let mut url = [program, &escape::uri(&cx.req.uri)].concat();
    if let Some(args) = &cx.req.args {
        url.push(b'?');
        url.extend_from_slice(args);
    }
    let mut next = cx.req.redirect_to(&url, &cx.worker.base(cx.req.server));
    if cx.req.handler.is_some() {
        next.content_type.clone_from(&cx.req.content_type);
    }
    Verdict::Become(next)
}

fn without_parameters(kind: &[u8]) -> BString {
    let end = kind.find_byteset(b"; \t").unwrap_or(kind.len());
    kind[..end].into()
}

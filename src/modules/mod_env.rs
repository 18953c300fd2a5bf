//! mod_env: fixed variables for the environment of programs.
//!
//! Manual: `mod/mod_env.html`. They are set last of all, after access was decided, and so outweigh
//! those of mod_setenvif.

use crate::{
    diag::{Apache, Diagnostic},
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    policy::{Applied, Args, Config, Directive, Kind, Place, Scope, Setting, Shape},
};
use bstr::BString;

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_env",
    source: "mod_env.c",
    identifier: "env_module",
    configs: &[Kind::of::<Env>()],
    directives: &DIRECTIVES,
    hooks: &[Hook { phase: Phase::Fixup, order: Order::MIDDLE, run: fixup }],
    ..Module::NOTHING
};

static DIRECTIVES: [Directive; 3] = [
    Directive {
        name: "PassEnv",
        shape: Shape::Each,
        scope: Scope::FILEINFO,
        usage: "a list of environment variables to pass to CGI.",
        doc: "Passes variables of the server's own environment on to programs.",
        apply: pass_env,
    },
    Directive {
        name: "SetEnv",
        shape: Shape::OneTwo,
        scope: Scope::FILEINFO,
        usage: "an environment variable name and optional value to pass to CGI.",
        doc: "Sets a variable for programs.",
        apply: set_env,
    },
    Directive {
        name: "UnsetEnv",
        shape: Shape::Each,
        scope: Scope::FILEINFO,
        usage: "a list of variables to remove from the CGI environment.",
        doc: "Takes back what SetEnv or PassEnv set.",
        apply: unset_env,
    },
];

/// Settings of a place. Names are compared without case and keep their first spelling.
#[derive(Clone, Debug, Default)]
pub struct Env {
    vars: Vec<(BString, Setting<BString>)>,
    unset: Vec<BString>,
}

impl Env {
    fn set(&mut self, name: &[u8], value: Setting<BString>) {
        match self.vars.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, said)) => *said = value,
            None => self.vars.push((name.into(), value)),
        }
    }

    fn remove(&mut self, name: &[u8]) {
        self.vars.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl Config for Env {
    /// UnsetEnv is spent by the first merge, as in Apache: what a section of the same group removes
    /// is still set by what is around the group.
    fn merge(&self, outer: &Self) -> Self {
        let mut merged = Env { vars: outer.vars.clone(), unset: Vec::new() };
        self.unset.iter().for_each(|name| merged.remove(name));
        self.vars.iter().for_each(|(name, said)| merged.set(name, said.clone()));
        merged
    }
}

fn set_env(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let value = Setting::new(args.text(1).into(), args.span);
    place.dir::<Env>().set(args.text(0), value);
    Ok(())
}

fn pass_env(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let name = args.text(0);
    match place.system().env(name) {
        Some(value) => place.dir::<Env>().set(name, Setting::new(value.into(), args.span)),
        None => {
            let name = bstr::BStr::new(name);
            let apache = format!("AH01506: PassEnv variable {name} was undefined");
            let warning =
                Diagnostic::warning("RX0330", args.at(0), format!("PassEnv variable {name} was undefined"))
                    .with_apache(Apache::Plain(apache))
                    .logged_by("env")
                    .with_label("not in the environment that the server was started with");
            place.warn(warning);
        }
    }
    Ok(())
}

fn unset_env(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let env = place.dir::<Env>();
    env.remove(args.text(0));
    env.unset.push(args.text(0).into());
    Ok(())
}

fn fixup(cx: &mut Cx<'_>) -> Verdict {
    let env: &Env = cx.conf();
    for (name, said) in &env.vars {
        cx.because(said.at, format_args!("this sets {name} for programs"));
        cx.req.env.set(name, &said.value);
    }
    if env.vars.is_empty() { Verdict::Declined } else { Verdict::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    fn env(said: &[(&str, &str)], unset: &[&str]) -> Env {
        let mut env = Env::default();
        for (name, value) in said {
            env.set(name.as_bytes(), Setting::new((*value).into(), Span::BUILTIN));
        }
        env.unset = unset.iter().map(|name| (*name).into()).collect();
        env
    }

    #[track_caller]
    fn check(env: &Env, expected: &str) {
        let vars: Vec<String> =
            env.vars.iter().map(|(name, said)| format!("{name}={}", said.value)).collect();
        assert_eq!(vars.join(" "), expected);
    }

    #[test]
    fn inner_values_win_and_keep_the_spelling() {
        check(&env(&[("a", "2")], &[]).merge(&env(&[("A", "1"), ("B", "1")], &[])), "A=2 B=1");
    }

    #[test]
    fn set_after_unset_in_one_section_holds() {
        check(&env(&[("B", "again")], &["B"]).merge(&env(&[("B", "main")], &[])), "B=again");
    }

    #[test]
    fn a_second_section_spends_the_removal() {
        let main = env(&[("B", "main"), ("A", "main")], &[]);
        let (first, second) = (env(&[], &["B"]), env(&[("C1", "x")], &[]));
        check(&second.merge(&first).merge(&main), "B=main A=main C1=x");
        check(&first.merge(&main), "A=main");
        check(&first.merge(&second).merge(&main), "B=main A=main C1=x");
    }
}

//! The conditions of a rule.

use super::{
    expand::{self, Capture, Scene},
    log,
    parse::{Condition, Test},
};
use crate::{
    engine::{Cx, LookedUp},
    http::Status,
    policy::expr,
    system,
};
use bstr::{BString, ByteSlice};
use std::cmp::Ordering;

/// Whether all hold, those joined by `[OR]` taken together.
///
/// # Errors
/// One cannot be told; the request ends with this status.
pub fn all(cx: &mut Cx<'_>, scene: &mut Scene, conditions: &[Condition]) -> Result<bool, Status> {
    let mut at = 0;
    let mut varies = BString::default();
    while let Some(condition) = conditions.get(at) {
        scene.vary.clear();
        let holds = one(cx, scene, condition)?;
        if condition.flags.no_vary {
            scene.vary.clear();
        }
        if condition.flags.or_next {
            if !holds {
                at += 1;
                continue;
            }
            while conditions.get(at).is_some_and(|next| next.flags.or_next) {
                at += 1;
            }
        } else if !holds {
            scene.vary.clear();
            return Ok(false);
        }
        if !scene.vary.is_empty() {
            if !varies.is_empty() {
                varies.extend_from_slice(b", ");
            }
            varies.extend_from_slice(&scene.vary);
        }
        at += 1;
    }
    scene.vary = varies;
    Ok(true)
}

fn one(cx: &mut Cx<'_>, scene: &mut Scene, condition: &Condition) -> Result<bool, Status> {
    let input = match &condition.test {
        Test::Expr(_) => BString::default(),
        _ => expand::text(cx, scene, &condition.input),
    };
    let holds = holds(cx, scene, condition, &input)? != condition.negated;
    let directory = scene.directory.clone();
    let place = directory.as_deref();
    let word = if holds { "matched" } else { "not-matched" };
    log(cx, 4, place, format_args!("RewriteCond: input='{input}' pattern='{}' => {word}", condition.pattern));
    if cx.tracing() {
        let word = if holds { "holds" } else { "does not hold" };
        cx.because(condition.at, format_args!("`{}` of '{input}' {word}", condition.pattern));
    }
    Ok(holds)
}

fn holds(cx: &mut Cx<'_>, scene: &mut Scene, condition: &Condition, input: &BString) -> Result<bool, Status> {
    let stat = |cx: &Cx<'_>| cx.system().stat(system::path(input)).ok();
    Ok(match &condition.test {
        Test::Regex(regex) => match regex.captures(input) {
            Some(groups) => {
                if !condition.negated {
                    scene.condition = Some(Capture { subject: input.clone(), groups });
                }
                true
            }
            None => false,
        },
        Test::Expr(parsed) => {
            let capture = scene.condition.clone().map(|c| expr::Captures::of(c.subject, c.groups));
            let mut captures = capture.unwrap_or_default();
            let before = condition.flags.no_vary.then(|| cx.req.headers_out.clone());
            let result = expr::eval(parsed, cx, &mut captures);
            if let Some(before) = before {
                cx.req.headers_out = before;
            }
            match result {
                Ok(holds) => {
                    let (subject, groups) = captures.into_parts();
                    if !groups.is_empty() {
                        scene.condition = Some(Capture { subject, groups });
                    }
                    holds
                }
                Err(error) => {
                    let text = condition.pattern.clone();
                    cx.log(3, "", format_args!("RewriteCond: expr '{text}' evaluation failed: {error}"));
                    return Err(Status(500));
                }
            }
        }
        Test::File(b'f') => stat(cx).is_some_and(|stat| stat.is_file()),
        Test::File(b's') => stat(cx).is_some_and(|stat| stat.is_file() && stat.size > 0),
        Test::File(b'd') => stat(cx).is_some_and(|stat| stat.is_dir()),
        Test::File(b'x') => stat(cx).is_some_and(|stat| stat.mode & 0o111 != 0),
        Test::File(_) => {
            cx.system().lstat(system::path(input)).is_ok_and(|stat| stat.kind == system::Kind::Link)
        }
        Test::LookUp(kind) => looks_up(cx, *kind, input),
        Test::Text(order, text) if condition.flags.nocase => {
            order.holds(lexical(&input.to_ascii_lowercase(), &text.to_ascii_lowercase()))
        }
        Test::Text(order, text) => order.holds(lexical(input, text)),
        Test::Number(order, number) => {
            order.holds(crate::modules::core::leading_number(input.trim_start()).cmp(number))
        }
    })
}

/// Apache's order of texts: the longer one is the greater, only then bytes count.
fn lexical(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn looks_up(cx: &mut Cx<'_>, kind: u8, target: &[u8]) -> bool {
    if target.is_empty() || cx.req.is_sub {
        return false;
    }
    let found = if kind == b'U' { cx.look_up_url(target) } else { cx.look_up_file(target) };
    let (LookedUp::Found(request) | LookedUp::Answered(request)) = found else { return false };
    match kind {
        b'U' => request.status.0 < 400,
        _ => request.status.0 < 300 && cx.system().stat(system::path(&request.filename)).is_ok(),
    }
}

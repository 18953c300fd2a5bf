//! mod_request: the body of a request is kept for the parts of the page that answers it.
//!
//! Manual: `mod/mod_request.html`. A part (mod_include's elements) then has the request's method and
//! its body; without it it is a GET. What is larger than KeptBodySize is refused wherever it is read.

use crate::{
    engine::{Cx, Hook, Module, Order, Phase, Verdict},
    policy::{Applied, Args, Config, Directive, Kind, Mistake, Place, Said, Scope, Setting, Shape},
};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_request",
    source: "mod_request.c",
    identifier: "request_module",
    configs: &[Kind::of::<Kept>()],
    directives: &[Directive {
        name: "KeptBodySize",
        shape: Shape::One,
        scope: Scope::ACCESS_CONF,
        usage: "Maximum size of request bodies kept aside for use by filters",
        doc: "How long a body may be that is kept for the parts of a page, in bytes; 0 keeps none.",
        apply: kept_body_size,
    }],
    hooks: &[Hook { phase: Phase::Fixup, order: Order::MIDDLE, run: keep }],
    ..Module::NOTHING
};

/// Settings of a directory.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    size: Said<u64>,
}

impl Config for Kept {
    fn merge(&self, outer: &Self) -> Self {
        Kept { size: self.size.or(outer.size) }
    }
}

fn kept_body_size(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let size = std::str::from_utf8(args.text(0)).ok().and_then(|text| text.parse::<i64>().ok());
    let Some(size) = size.and_then(|size| u64::try_from(size).ok()) else {
        let mistake = Mistake::new("KeptBodySize must be a valid size in bytes, or zero.").id("RX0775");
        return Err(mistake.at(args.at(0), "a number of bytes belongs here"));
    };
    place.dir::<Kept>().size = Some(Setting::new(size, args.span));
    Ok(())
}

fn keep(cx: &mut Cx<'_>) -> Verdict {
    let size = cx.conf::<Kept>().size;
    if let Some(size) = size.filter(|size| size.value > 0 && !cx.req.is_sub) {
        cx.req.keep_body = Some(size.value);
        cx.because(
            size.at,
            format_args!("up to {} bytes of a body are kept for parts of the page", size.value),
        );
    }
    Verdict::Declined
}

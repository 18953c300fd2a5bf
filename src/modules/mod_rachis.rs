//! mod_rachis: directives of our own, which Apache does not have. A configuration that is for both
//! puts them into `<IfModule mod_rachis.c>`.

use super::core::{leading_number, rows};
use crate::{
    engine::Module,
    policy::{Applied, Args, Mistake, Place, Setting, Within},
};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_rachis",
    source: "mod_rachis.c",
    identifier: "rachis_module",
    always: true,
    directives: rows! {
        "CGIScriptLimit" One SERVER script_limit, "the number of programs that may run at a time",
            "how many programs run at a time; the others wait for their turn";
    },
    ..Module::NOTHING
};

fn script_limit(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let limit = u32::try_from(leading_number(args.text(0))).ok().filter(|limit| *limit > 0);
    let Some(limit) = limit else {
        let mistake = Mistake::new("CGIScriptLimit must be a number greater than 0").id("RX0720");
        return Err(mistake.at(args.at(0), "no such number"));
    };
    place.process().script_limit = Some(Setting::new(limit, args.span));
    Ok(())
}

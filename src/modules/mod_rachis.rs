//! mod_rachis: directives of our own, which Apache does not have. A configuration that is for both
//! puts them into `<IfModule mod_rachis.c>`.

use super::core::{leading_number, rows};
use crate::{
    engine::Module,
    policy::{Applied, Args, Mistake, Place, Setting, Within, process::Teaching},
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
        "TeachingErrors" One SERVER teaching_errors, "Off, Log, On or All",
            "whether the error log explains what it says, and error pages why they came: On for clients of this machine, All for everybody";
        "DecisionHeader" Flag SERVER decision_header, "On or Off",
            "whether answers name the lines of the configuration that decided, in the field Rachis-Decision";
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

fn teaching_errors(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let words =
        [("off", Teaching::Off), ("log", Teaching::Log), ("on", Teaching::On), ("all", Teaching::All)];
    let said = words.iter().find(|(word, _)| args.text(0).eq_ignore_ascii_case(word.as_bytes()));
    let Some((_, teaching)) = said else {
        let mistake = Mistake::new("TeachingErrors must be Off, Log, On or All").id("RX0721");
        return Err(mistake.at(args.at(0), "none of these words"));
    };
    place.process().teaching = Some(Setting::new(*teaching, args.span));
    Ok(())
}

fn decision_header(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    place.process().decision_header = Some(Setting::new(args.on, args.span));
    Ok(())
}

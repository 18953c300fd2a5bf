//! As whom the server runs.

use super::core::rows;
use crate::{
    engine::Module,
    policy::{Applied, Args, Mistake, Place, Setting, Within},
};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_unixd",
    source: "mod_unixd.c",
    identifier: "unixd_module",
    always: true,
    directives: rows! {
        "User" One SERVER user, "Effective user id for this server", "the user that requests are served as";
        "Group" One SERVER group, "Effective group id for this server", "the group that requests are served as";
        "ChrootDir" One SERVER chroot_dir, "The directory to chroot(2) into",
            "the directory that is the whole world for the server once it runs";
        "Suexec" Flag SERVER suexec, "Enable or disable suEXEC support",
            "whether programs run as other users; there is no suEXEC here";
    },
    ..Module::NOTHING
};

fn user(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    place.process().user = Some(Setting::new(args.text(0).into(), args.span));
    Ok(())
}

fn group(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    place.process().group = Some(Setting::new(args.text(0).into(), args.span));
    Ok(())
}

fn chroot_dir(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    if !place.is_directory(args.text(0)) {
        let mistake = Mistake::new("ChrootDir must be a valid directory").id("RX0607");
        return Err(mistake.at(args.at(0), "no such directory"));
    }
    place.process().chroot = Some(Setting::new(args.text(0).into(), args.span));
    Ok(())
}

fn suexec(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    if args.on {
        let mistake = Mistake::new("suEXEC isn't supported: Missing suexec binary suexec").id("RX0608");
        return Err(mistake.at(args.at(0), "programs run as the server's own user"));
    }
    Ok(())
}

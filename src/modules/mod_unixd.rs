//! As whom the server runs.

use super::core::{leading_number, rows};
use crate::{
    diag::{Apache, Diagnostic},
    engine::Module,
    policy::{Applied, Args, Mistake, Place, Setting, Within, suexec::WRAPPER},
};
use bstr::ByteSlice;

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
            "whether programs may run as other users, through Apache's setuid wrapper";
    },
    ..Module::NOTHING
};

/// What Apache says to `User root`, tabs and newlines as its log writes them.
const ROOT: &str = "Error:\\tApache has not been designed to serve pages while\\n\\trunning as root.  There are known \
     race conditions that\\n\\twill allow any local user to read any file on the system.\\n\\tIf you still desire to \
     serve pages as root then\\n\\tadd -DBIG_SECURITY_HOLE to the CFLAGS env variable\\n\\tand then rebuild the \
     server.\\n\\tIt is strongly suggested that you instead modify the User\\n\\tdirective in your httpd.conf file to \
     list a non-root\\n\\tuser.\\n";

/// The number behind `#`, as C's atoi reads it.
fn numbered(word: &[u8]) -> Option<u32> {
    let digits = word.strip_prefix(b"#")?;
    Some(u32::try_from(leading_number(digits)).unwrap_or(0))
}

/// The number of a user, by name or `#number`.
pub(super) fn user_id(place: &Place<'_, '_>, name: &[u8]) -> Option<u32> {
    numbered(name).or_else(|| place.system().user(&name.to_str_lossy()).map(|user| user.uid))
}

/// The number of a group, by name or `#number`.
pub(super) fn group_id(place: &Place<'_, '_>, name: &[u8]) -> Option<u32> {
    numbered(name).or_else(|| place.system().group(&name.to_str_lossy()))
}

fn user(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let name = args.text(0);
    match user_id(place, name) {
        Some(0) => {
            let mistake = Mistake::new(ROOT).id("RX0610").at(args.at(0), "not this one");
            return Err(mistake.note("Programs that the server starts would own the whole machine."));
        }
        Some(_) => place.process().user = Some(Setting::new(name.into(), args.span)),
        None => place.warn(unknown(args, 0, "user")),
    }
    Ok(())
}

fn group(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let name = args.text(0);
    match group_id(place, name) {
        Some(_) => place.process().group = Some(Setting::new(name.into(), args.span)),
        None => place.warn(unknown(args, 0, "group")),
    }
    Ok(())
}

/// Apache ends at an unknown name without saying in which line it stands.
pub(super) fn unknown(args: &Args<'_>, word: usize, kind: &str) -> Diagnostic {
    let number = if kind == "user" { "AH00543" } else { "AH00544" };
    let name = args.text(word).as_bstr();
    Diagnostic::error("RX0611", args.at(word), format!("there is no {kind} {name}"))
        .with_apache(Apache::Plain(format!("{number}: httpd: bad {kind} name {name}")))
        .with_advice(format!("name a {kind} of this machine, or `#` and a number"))
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
    if args.on
        && let Err(why) = place.process().suexec.wrapper
    {
        let mistake = Mistake::new(format!("suEXEC isn't supported: {why} {WRAPPER}")).id("RX0608");
        return Err(mistake.at(args.at(0), "programs run as the server's own user").note(why.advice()));
    }
    place.process().suexec.said = Some(Setting::new(args.on, args.span));
    Ok(())
}

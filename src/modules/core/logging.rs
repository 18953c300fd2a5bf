//! The error log: where it is, what its lines look like, how much it takes.

use super::is;
use crate::policy::{
    Applied, Args, CoreDir, CoreServer, Directive, Mistake, Place, SaidExt, Setting, core_conf::LogLevels,
};
use bstr::{BString, ByteSlice};

pub(super) const ROWS: &[Directive] = rows! {
    "ErrorLog" One SERVER error_log, "The filename of the error log",
        "the file, program or syslog that errors are told to";
    "ErrorLogFormat" OneTwo SERVER error_log_format, "Format string for the ErrorLog",
        "what a line of the error log looks like";
    "LogLevel" Each CONF log_level, "Level of verbosity in error logging",
        "how much is told to the error log, for all modules or one";
};

const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3",
    "trace4", "trace5", "trace6", "trace7", "trace8",
];

const LEVELS_TEXT: &str =
    "Log level keyword must be one of emerg/alert/crit/error/warn/notice/info/debug/trace1/.../trace8";

fn error_log(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.log_target(args.text(0), args.span);
    place.server::<CoreServer>().error_log = Some(Setting::new(args.text(0).into(), args.span));
    Ok(())
}

fn error_log_format(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let (kind, format) = match args.get(1) {
        Some(format) => (args.text(0), format),
        None => (&b""[..], args.text(0)),
    };
    if !(kind.is_empty() || is(kind, "request") || is(kind, "connection")) {
        let mistake = Mistake::new("ErrorLogFormat type must be one of request, connection").id("RX0263");
        return Err(mistake.at(args.at(0), "neither of the two"));
    }
    check_format(format).map_err(|mistake| mistake.at(args.at(args.words.len() - 1), "this format"))?;
    if kind.is_empty() {
        if !format.contains_str("%M") {
            let message = "main ErrorLogFormat must contain message format string '%M'";
            return Err(Mistake::new(message).id("RX0264").at(args.at(0), "the message itself is missing"));
        }
        place.server::<CoreServer>().error_log_format = Some(Setting::new(format.into(), args.span));
    }
    Ok(())
}

/// Apache's complaint about the first letter that no format has.
fn check_format(format: &[u8]) -> Applied {
    let ran_off =
        || Err(Mistake::new("Ran off end of error log format parsing args to some directive").id("RX0280"));
    let mut rest = format;
    while let Some(at) = rest.find_byte(b'%') {
        rest = &rest[at + 1..];
        let flags = rest.iter().take_while(|b| b"+-0123456789".contains(b)).count();
        let mut tail = &rest[flags..];
        if let [b'{', inner @ ..] = tail {
            let Some(end) = inner.find_byte(b'}') else {
                return ran_off();
            };
            tail = &inner[end + 1..];
        }
        match tail {
            [b'%' | b' ', more @ ..] => rest = more,
            [letter, more @ ..] if b"aAceEFiklLmMnPTtvV".contains(letter) || *letter == b'C' => rest = more,
            [letter, ..] => {
                let message = format!("Unrecognized error log format directive %{}", char::from(*letter));
                return Err(Mistake::new(message).id("RX0266"));
            }
            [] => return ran_off(),
        }
    }
    Ok(())
}

fn log_level(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    let Some(colon) = text.find_byte(b':') else {
        let level = level(text)
            .ok_or_else(|| Mistake::new(LEVELS_TEXT).id("RX0267").at(args.at(0), "no such level"))?;
        let at = args.span;
        let levels = levels(place);
        // A general level forgets what was said for modules before.
        if levels.general.at() != at {
            levels.modules.clear();
        }
        levels.general = Some(Setting::new(level, at));
        return Ok(());
    };
    let (module, word) = (&text[..colon], &text[colon + 1..]);
    let shown = module.as_bstr();
    if word.is_empty() {
        let message = format!("Module specifier '{shown}' must be followed by a log level keyword");
        return Err(Mistake::new(message).id("RX0268").at(args.at(0), "of what level?"));
    }
    let level = level(word).ok_or_else(|| {
        Mistake::new(format!("{}: {LEVELS_TEXT}", text.as_bstr()))
            .id("RX0267")
            .at(args.at(0), "no such level")
    })?;
    let name = place.module_identifier(module).ok_or_else(|| {
        let mistake = Mistake::new(format!("Cannot find module {shown}")).id("RX0269");
        mistake.at(args.at(0), "not among the active modules")
    })?;
    levels(place).modules.insert(BString::from(name.trim_end_matches("_module")), level);
    Ok(())
}

fn level(word: &[u8]) -> Option<u8> {
    let at = LEVELS.iter().position(|name| is(word, name))?;
    u8::try_from(at).ok()
}

fn levels<'p>(place: &'p mut Place<'_, '_>) -> &'p mut LogLevels {
    match place.at.path {
        Some(_) => &mut place.dir::<CoreDir>().log_levels,
        None => &mut place.server::<CoreServer>().log_levels,
    }
}

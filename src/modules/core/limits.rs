//! Limits on requests, redirects and programs.

use super::{is, leading_number, number_and_rest, whole_number};
use crate::diag::{Apache, Diagnostic};
use crate::policy::{
    Applied, Args, CoreDir, CoreServer, Directive, Mistake, Place, Said, Setting, core_conf::ResourceLimit,
};
use bstr::ByteSlice;

pub(super) const ROWS: &[Directive] = rows! {
    "LimitRequestLine" One SERVER |place, args| {
            let limit = limit("LimitRequestLine", "", args)?;
            place.server::<CoreServer>().limit_line = limit;
            Ok(())
        },
        "Limit on maximum size of an HTTP request line", "how long a request line may be, bytes";
    "LimitRequestFieldsize" One SERVER |place, args| {
            let limit = limit("LimitRequestFieldsize", "", args)?;
            place.server::<CoreServer>().limit_field_size = limit;
            Ok(())
        },
        "Limit on maximum size of an HTTP request header field",
        "how long a header field may be, bytes";
    "LimitRequestFields" One SERVER |place, args| {
            let limit = limit("LimitRequestFields", " (0 = no limit)", args)?;
            place.server::<CoreServer>().limit_fields = limit;
            Ok(())
        },
        "Limit (0 = unlimited) on max number of header fields in a request message",
        "how many header fields a request may have";
    "LimitRequestBody" One ALL limit_request_body,
        "Limit (in bytes) on maximum size of request message body",
        "how long a request body may be, bytes";
    "LimitXMLRequestBody" One ALL limit_xml_request_body,
        "Limit (in bytes) on maximum size of an XML-based request body",
        "how long an XML request body may be, bytes";
    "LimitInternalRecursion" OneTwo SERVER limit_internal_recursion,
        "maximum recursion depth of internal redirects and subrequests",
        "how often a request may be redirected within the server";
    "RLimitCPU" OneTwo ALL |place, args| {
            place.dir::<CoreDir>().rlimit_cpu = resource(args);
            Ok(())
        },
        "Soft/hard limits for max CPU usage in seconds",
        "processor time of programs, seconds";
    "RLimitMEM" OneTwo ALL |place, args| {
            place.dir::<CoreDir>().rlimit_mem = resource(args);
            Ok(())
        },
        "Soft/hard limits for max memory usage per process",
        "memory of programs, bytes";
    "RLimitNPROC" OneTwo ALL |place, args| {
            place.dir::<CoreDir>().rlimit_nproc = resource(args);
            Ok(())
        },
        "soft/hard limits for max number of processes per uid",
        "how many processes programs may have";
    "ReadBufferSize" One CONF |_, args| within(args, 0, 4_294_967_295, "(4294967295U))"),
        "Size (in bytes) of the memory buffers used to read data",
        "accepted without effect: buffers have the size the system likes best";
    "FlushMaxThreshold" One SERVER |_, args| within(args, 0, 4_294_967_295, "(4294967295U))"),
        "Maximum threshold above which pending data are flushed to the network",
        "accepted without effect: what is ready is sent";
    "FlushMaxPipelined" One SERVER |_, args| within(args, -1, 2_147_483_647, "(2147483647)"),
        "Maximum number of pipelined responses (pending) above which they are flushed to the network",
        "accepted without effect: what is ready is sent";
    "AcceptFilter" Two SERVER |place, args| {
            place.check_context(args, crate::policy::Within::GLOBAL_ONLY)?;
            let waits = !args.text(1).eq_ignore_ascii_case(b"none");
            place.process().accept_filters.push((args.text(0).into(), waits));
            Ok(())
        },
        "Set the Accept Filter to use for a protocol",
        "whether connections are taken only when data has come; any word but `none` says so, and it is the default";
};

fn limit(name: &str, suffix: &str, args: &Args<'_>) -> Result<Said<u32>, Mistake> {
    match u32::try_from(leading_number(args.text(0)).min(i64::from(u32::MAX))) {
        Ok(limit) => Ok(Some(Setting::new(limit, args.span))),
        Err(_) => {
            let text = args.text(0).as_bstr();
            let message = format!("{name} \"{text}\" must be a non-negative integer{suffix}");
            Err(Mistake::new(message).id("RX0257").at(args.at(0), "less than nothing"))
        }
    }
}

fn limit_request_body(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    if text.len() > 18 && text.iter().all(u8::is_ascii_digit) && whole_number(text) == Some(i64::MAX) {
        let mistake = Mistake::new("LimitRequestBody argument is not parsable.").id("RX0258");
        return Err(mistake.at(args.at(0), "too large"));
    }
    let Some(bytes) = whole_number(text).and_then(|number| u64::try_from(number).ok()) else {
        let mistake = Mistake::new("LimitRequestBody requires a non-negative integer.").id("RX0259");
        return Err(mistake.at(args.at(0), "a number of bytes belongs here"));
    };
    place.dir::<CoreDir>().limit_body = Some(Setting::new(bytes, args.span));
    Ok(())
}

fn limit_xml_request_body(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let Ok(bytes) = u64::try_from(leading_number(args.text(0))) else {
        let mistake = Mistake::new("LimitXMLRequestBody requires a non-negative integer.").id("RX0260");
        return Err(mistake.at(args.at(0), "a number of bytes belongs here"));
    };
    place.dir::<CoreDir>().limit_xml_body = Some(Setting::new(bytes, args.span));
    Ok(())
}

fn limit_internal_recursion(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let number = |n: usize| {
        let number = u32::try_from(leading_number(args.text(n))).ok().filter(|number| *number > 0);
        number.ok_or_else(|| {
            let mistake = Mistake::new("The recursion limit must be greater than zero.").id("RX0261");
            mistake.at(args.at(n), "a number above zero belongs here")
        })
    };
    let redirects = number(0)?;
    if redirects < 4 {
        let text =
            "AH00119: Limiting internal redirects to very low numbers may cause normal requests to fail.";
        warn_low(place, args, 0, text);
    }
    if args.get(1).is_some() && number(1)? < 4 {
        let text =
            "AH00120: Limiting the subrequest depth to a very low level may cause normal requests to fail.";
        warn_low(place, args, 1, text);
    }
    let depth = if args.get(1).is_some() { number(1)? } else { redirects };
    place.process().internal_redirects = Some(Setting::new(redirects, args.span));
    place.process().sub_request_depth = Some(Setting::new(depth, args.span));
    Ok(())
}

fn warn_low(place: &mut Place<'_, '_>, args: &Args<'_>, word: usize, text: &str) {
    let warning = Diagnostic::warning("RX0276", args.at(word), "the limit is very low");
    place.warn(
        warning
            .with_apache(Apache::Plain(text.to_owned()))
            .with_note("Index files, error pages and CGI redirects each take one of these steps."),
    );
}

fn resource(args: &Args<'_>) -> Said<ResourceLimit> {
    let value = |word: &[u8]| match is(word, "max") {
        true => None,
        false => Some(u64::try_from(leading_number(word)).unwrap_or(0)),
    };
    let limit = ResourceLimit { soft: value(args.text(0)), hard: args.get(1).map(value) };
    Some(Setting::new(limit, args.span))
}

fn within(args: &Args<'_>, least: i64, most: i64, bound: &str) -> Applied {
    match number_and_rest(args.text(0)) {
        Some((number, b"")) if (least..=most).contains(&number) => Ok(()),
        _ => {
            let text = args.text(0).as_bstr();
            let message = format!("parameter must be a number between {least} and {bound}: {text}");
            Err(Mistake::new(message).id("RX0262").at(args.at(0), "out of range"))
        }
    }
}

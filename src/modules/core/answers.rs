//! What answers look like besides their content: error documents, signatures, ranges, TRACE.

use super::is;
use crate::{
    diag::{Apache, Diagnostic, Severity, Span},
    http::Status,
    policy::{
        Applied, Args, CoreDir, CoreServer, Directive, Mistake, Place, Said, Setting,
        core_conf::{ErrorDocument, Signature, Trace},
        expr,
    },
};
use bstr::ByteSlice;
use std::sync::Arc;

pub(super) const ROWS: &[Directive] = rows! {
    "ErrorDocument" Two FILEINFO error_document, "Change responses for HTTP errors",
        "what is sent instead of the built-in page of a status";
    "ServerSignature" One ALL server_signature, "En-/disable server signature (on|off|email)",
        "the line under built-in pages";
    "TraceEnable" One SERVER trace_enable,
        "'on' (default), 'off' or 'extended' to trace request body content",
        "whether TRACE is answered";
    "MaxRanges" One CONF |place, args| {
            let most = ranges("MaxRanges", args)?;
            place.dir::<CoreDir>().max_ranges = most;
            Ok(())
        },
        "Maximum number of Ranges in a request before returning the entire resource, or 0 for unlimited",
        "how many ranges a request may ask for";
    "MaxRangeOverlaps" One CONF |place, args| {
            let most = ranges("MaxRangeOverlaps", args)?;
            place.dir::<CoreDir>().max_range_overlaps = most;
            Ok(())
        },
        "Maximum number of overlaps in Ranges in a request before returning the entire resource, or 0 for unlimited",
        "how many ranges of a request may overlap";
    "MaxRangeReversals" One CONF |place, args| {
            let most = ranges("MaxRangeReversals", args)?;
            place.dir::<CoreDir>().max_range_reversals = most;
            Ok(())
        },
        "Maximum number of reversals in Ranges in a request before returning the entire resource, or 0 for unlimited",
        "how often the ranges of a request may go backwards";
};

fn error_document(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let status = super::leading_number(args.text(0));
    let known = u16::try_from(status).ok().filter(|status| Status(*status).known_line().is_some());
    let Some(status) = known else {
        let message = format!("Unsupported HTTP response code {}", args.text(0).as_bstr());
        return Err(Mistake::new(message).id("RX0239").at(args.at(0), "no such status"));
    };
    let text = args.text(1);
    let is_url = is_url(text);
    if status == 401 && is_url {
        place.warn(url_for_401(place, args));
        return Ok(());
    }
    let parsed = expr::parse(text, expr::Mode::String, place.expression_options());
    let expr = parsed.map_err(|error| {
        let mistake = Mistake::new(format!("Cannot parse expression in ErrorDocument: {}", error.message));
        mistake.id("RX0240").at(args.at(1), "`%{` begins a variable")
    })?;
    let document = match () {
        () if is(text, "default") => ErrorDocument::Default,
        () if text.contains_str("%{") => ErrorDocument::Expr(Arc::new(expr)),
        () if text.contains(&b' ') => ErrorDocument::Text(text.into()),
        () if text.starts_with(b"/") => ErrorDocument::Local(text.into()),
        () if is_url => ErrorDocument::External(text.into()),
        () => ErrorDocument::Text(text.into()),
    };
    place.dir::<CoreDir>().error_documents.insert(status, Setting::new(document, args.span));
    Ok(())
}

fn url_for_401(place: &Place<'_, '_>, args: &Args<'_>) -> Diagnostic {
    let (file, _) = place.describe(args.span);
    let line = args.node.line;
    let text = format!(
        "AH00113: {file}:{line} cannot use a full URL in a 401 ErrorDocument directive --- ignoring!"
    );
    Diagnostic::new("RX0241", Severity::Note, args.span, "a 401 page cannot be on another server")
        .with_apache(Apache::Plain(text))
        .with_note("A redirect would keep the client from ever seeing that it has to authenticate.")
        .with_advice("name a path of this server, which begins with `/`")
}

/// A scheme, a colon, two slashes (ap_is_url needs the colon only).
fn is_url(text: &[u8]) -> bool {
    let scheme =
        text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    scheme > 0 && text.get(scheme) == Some(&b':') && !text.contains(&b' ')
}

fn server_signature(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let signature = match args.text(0) {
        word if is(word, "Off") => Signature::Off,
        word if is(word, "On") => Signature::On,
        word if is(word, "EMail") => Signature::EMail,
        _ => {
            let mistake = Mistake::new("ServerSignature: use one of: off | on | email").id("RX0242");
            return Err(mistake.at(args.at(0), "none of the three"));
        }
    };
    place.dir::<CoreDir>().signature = Some(Setting::new(signature, args.span));
    Ok(())
}

fn trace_enable(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let trace = match args.text(0) {
        word if is(word, "on") => Trace::On,
        word if is(word, "off") => Trace::Off,
        word if is(word, "extended") => Trace::Extended,
        _ => {
            let mistake = Mistake::new("TraceEnable must be one of 'on', 'off', or 'extended'").id("RX0243");
            return Err(mistake.at(args.at(0), "none of the three"));
        }
    };
    place.server::<CoreServer>().trace = Some(Setting::new(trace, args.span));
    Ok(())
}

/// `none` is stored as 0: not a single range is served. `default` unsays what is around.
fn ranges(name: &str, args: &Args<'_>) -> Result<Said<Option<u32>>, Mistake> {
    let (word, at): (&[u8], Span) = (args.text(0), args.span);
    if is(word, "none") {
        return Ok(Some(Setting::new(Some(0), at)));
    }
    if is(word, "default") {
        return Ok(Some(Setting::new(Some(if name == "MaxRanges" { 200 } else { 20 }), at)));
    }
    if is(word, "unlimited") {
        return Ok(Some(Setting::new(None, at)));
    }
    match u32::try_from(super::leading_number(word)) {
        Ok(most) if most > 0 => Ok(Some(Setting::new(Some(most), at))),
        _ => {
            let message = format!("{name} requires 'none', 'default', 'unlimited' or a positive integer");
            Err(Mistake::new(message).id("RX0244").at(args.at(0), "none of these"))
        }
    }
}

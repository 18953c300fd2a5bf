//! What a file is taken for: handler, type, charset; and how its content may be sent.

use super::{is, on_off};
use crate::{
    diag::{Apache, Diagnostic},
    policy::{
        Applied, Args, CoreDir, Directive, Mistake, Place, Setting,
        core_conf::{ETagFlags, HandlerName},
        expr,
    },
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

pub(super) const ROWS: &[Directive] = rows! {
    "AddDefaultCharset" One FILEINFO add_default_charset,
        "The name of the default charset to add to any Content-Type without one or 'Off' to disable",
        "the charset of text/plain and text/html answers that name none";
    "AcceptPathInfo" One FILEINFO accept_path_info,
        "Set to on or off for PATH_INFO to be accepted by handlers, or default for the per-handler preference",
        "whether a path may go on behind a file's name";
    "DefaultType" One FILEINFO default_type,
        "the default media type for otherwise untyped files (DEPRECATED)",
        "only `none` is left of it; anything else is ignored with a warning";
    "FileETag" Raw FILEINFO file_etag, "Specify components used to construct a file's ETag",
        "what the entity tag of a file is made of";
    "EnableMMAP" One FILEINFO |_, args| on_off(args.text(0), "parameter must be 'on' or 'off'").map(drop),
        "Controls whether memory-mapping may be used to read files",
        "accepted without effect: files are never mapped into memory";
    "EnableSendfile" One FILEINFO enable_sendfile,
        "Controls whether sendfile may be used to transmit files",
        "whether the kernel may copy files to the connection itself";
    "ContentDigest" Flag OPTIONS |place, args| {
            place.dir::<CoreDir>().content_md5 = Some(Setting::new(args.on, args.span));
            Ok(())
        },
        "whether or not to send a Content-MD5 header with each request",
        "whether files are sent with their MD5 digest";
    "ForceType" One FILEINFO force_type, "a mime type that overrides other configured type",
        "the media type of all files here, whatever their names";
    "SetHandler" One FILEINFO set_handler, "a handler name that overrides any other configured handler",
        "the handler of all files here, whatever their names";
    "SetOutputFilter" One FILEINFO |place, args| {
            place.dir::<CoreDir>().output_filters = Some(Setting::new(args.text(0).into(), args.span));
            Ok(())
        },
        "filter (or ; delimited list of filters) to be run on the request content",
        "filters for answers";
    "SetInputFilter" One FILEINFO |place, args| {
            place.dir::<CoreDir>().input_filters = Some(Setting::new(args.text(0).into(), args.span));
            Ok(())
        },
        "filter (or ; delimited list of filters) to be run on the request body",
        "filters for request bodies";
    "CGIPassAuth" Flag AUTHCFG |place, args| {
            place.dir::<CoreDir>().cgi_pass_auth = Some(Setting::new(args.on, args.span));
            Ok(())
        },
        "Controls whether HTTP authorization headers, normally hidden, will be passed to scripts",
        "whether programs get the Authorization header";
    "CGIVar" Two FILEINFO cgi_var, "Controls how some CGI variables are set",
        "what REQUEST_URI is after an internal redirect";
    "QualifyRedirectURL" Flag FILEINFO |place, args| {
            place.dir::<CoreDir>().qualify_redirect = Some(Setting::new(args.on, args.span));
            Ok(())
        },
        "Controls whether the REDIRECT_URL environment variable is fully qualified",
        "whether REDIRECT_URL is a whole URL";
};

fn add_default_charset(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let charset = match args.text(0) {
        word if is(word, "Off") => None,
        word if is(word, "On") => Some(BString::from("iso-8859-1")),
        word => Some(BString::from(word)),
    };
    place.dir::<CoreDir>().default_charset = Some(Setting::new(charset, args.span));
    Ok(())
}

fn accept_path_info(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let accept = match args.text(0) {
        word if is(word, "on") => Some(true),
        word if is(word, "off") => Some(false),
        word if is(word, "default") => None,
        _ => {
            let mistake = Mistake::new("AcceptPathInfo must be set to on, off or default").id("RX0232");
            return Err(mistake.at(args.at(0), "none of the three"));
        }
    };
    place.dir::<CoreDir>().accept_path_info = Some(Setting::new(accept, args.span));
    Ok(())
}

fn default_type(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if !is(args.text(0), "none") {
        let (file, _) = place.describe(args.span);
        let line = args.node.line;
        let text = format!("AH00117: Ignoring deprecated use of DefaultType in line {line} of {file}.");
        let warning = Diagnostic::warning("RX0233", args.span, "DefaultType has no effect any more")
            .with_apache(Apache::Plain(text))
            .with_note("A file of unknown type is sent without a Content-Type.")
            .with_advice("use ForceType or AddType");
        place.warn(warning);
    }
    place.dir::<CoreDir>().default_type = Some(Setting::new(args.text(0).into(), args.span));
    Ok(())
}

const NONE: u8 = 1;
const MTIME: u8 = 2;
const INODE: u8 = 4;
const SIZE: u8 = 8;
const DIGEST: u8 = 32;

/// `FileETag`: words with signs change what is around, words without replace it.
fn file_etag(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let mut flags = place.dir::<CoreDir>().etag.map_or(ETagFlags::default(), |said| said.value);
    let mut explicit = false;
    for word in args.node.words() {
        let (sign, name) = match word.text.as_slice() {
            [sign @ (b'+' | b'-'), name @ ..] => (Some(*sign), name),
            name => (None, name),
        };
        let bit = match () {
            () if is(name, "None") => NONE,
            () if is(name, "All") => MTIME | INODE | SIZE,
            () if is(name, "MTime") => MTIME,
            () if is(name, "INode") => INODE,
            () if is(name, "Size") => SIZE,
            () if is(name, "Digest") => DIGEST,
            () => {
                let message = format!("Unknown keyword '{}' for FileETag directive", name.as_bstr());
                return Err(Mistake::new(message).id("RX0234").at(word.span, "no such part"));
            }
        };
        if sign.is_some() && (bit == NONE || is(name, "All")) {
            let message = format!("FileETag keyword '{}' cannot be used with '+' or '-'", name.as_bstr());
            return Err(Mistake::new(message).id("RX0235").at(word.span, "without its sign"));
        }
        match sign {
            Some(b'+') => (flags.added, flags.removed) = (flags.added | bit, flags.removed & !bit),
            Some(_) => (flags.added, flags.removed) = (flags.added & !bit, flags.removed | bit),
            None => {
                let alone = !explicit || bit == NONE || is(name, "All");
                let before = if alone { 0 } else { flags.bits & !NONE };
                flags = ETagFlags { bits: before | bit, ..ETagFlags::default() };
                explicit = true;
            }
        }
    }
    place.dir::<CoreDir>().etag = Some(Setting::new(flags, args.span));
    Ok(())
}

fn enable_sendfile(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let on = on_off(args.text(0), "parameter must be 'on' or 'off'")?;
    place.dir::<CoreDir>().sendfile = Some(Setting::new(on, args.span));
    Ok(())
}

fn force_type(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let kind = (!is(args.text(0), "none")).then(|| BString::from(args.text(0).to_ascii_lowercase()));
    place.dir::<CoreDir>().force_type = Some(Setting::new(kind, args.span));
    Ok(())
}

/// What has a variable or function in it is an expression, all of it.
fn set_handler(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    let handler = match text.contains_str("%{") {
        true => {
            let parsed = expr::parse(text, expr::Mode::String, place.expression_options());
            let expr = parsed.map_err(|error| {
                let mistake =
                    Mistake::new(format!("Can't parse expression : {}", error.message)).id("RX0236");
                mistake.at(args.at(0), "this makes no text")
            })?;
            HandlerName::Expr(Arc::new(expr))
        }
        false if is(text, "none") => HandlerName::None,
        false => HandlerName::Name(handler_text(text)),
    };
    place.dir::<CoreDir>().handler = Some(Setting::new(handler, args.span));
    Ok(())
}

/// Handlers are compared without case, so Apache keeps them in lower case, but the target of a
/// `proxy:` handler is a URL.
pub(super) fn handler_text(text: &[u8]) -> BString {
    let proxy = text.get(..6).is_some_and(|head| head.eq_ignore_ascii_case(b"proxy:"));
    if proxy { text.into() } else { text.to_ascii_lowercase().into() }
}

fn cgi_var(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if args.text(0) != b"REQUEST_URI" {
        let message = format!("Unrecognized CGI variable: \"{}\"", args.text(0).as_bstr());
        return Err(Mistake::new(message).id("RX0237").at(args.at(0), "only REQUEST_URI can be set so"));
    }
    let original = match args.text(1) {
        word if is(word, "original-uri") => true,
        word if is(word, "current-uri") => false,
        _ => {
            let mistake = Mistake::new("Valid rules for REQUEST_URI are 'current-uri' and 'original-uri'");
            return Err(mistake.id("RX0238").at(args.at(1), "neither of the two"));
        }
    };
    place.dir::<CoreDir>().cgi_original_uri = Some(Setting::new(original, args.span));
    Ok(())
}

//! Who the server is: names, document root, ports; and how it takes URLs.

use super::{is, nothing, on_off};
use crate::{
    diag::{Apache, Diagnostic, Fix},
    http::{Method, method::MOST_REGISTERED},
    policy::{
        Applied, Args, CoreDir, CoreServer, Directive, Mistake, Place, Setting, Within,
        core_conf::{CanonicalName, EncodedSlashes, Lookups},
        process::Tokens,
    },
};
use bstr::{BString, ByteSlice};
use std::{sync::Arc, time::Duration};

pub(super) const ROWS: &[Directive] = rows! {
    "DocumentRoot" One SERVER document_root, "Root directory of the document tree",
        "the directory whose files are served";
    "ServerName" One SERVER server_name, "The hostname and port of the server",
        "the server's own name, and its port if another one shows it";
    "ServerAlias" Raw SERVER server_alias, "A name or names alternately used to access the server",
        "more names of a virtual host";
    "ServerPath" One SERVER |place, args| {
            place.server::<CoreServer>().path = Some(Setting::new(args.text(0).into(), args.span));
            Ok(())
        },
        "The pathname the server can be reached at",
        "a URL prefix of a virtual host for clients that send no Host";
    "ServerAdmin" One SERVER |place, args| {
            place.server::<CoreServer>().admin = Some(Setting::new(args.text(0).into(), args.span));
            Ok(())
        },
        "The email address of the server administrator",
        "whom error pages name";
    "Timeout" One SERVER timeout, "Timeout duration (sec)",
        "how long a silent connection is waited for";
    "UseCanonicalName" One CONF use_canonical_name,
        "How to work out the ServerName : Port when constructing URLs",
        "whether the server's URLs name ServerName or what the client asked for";
    "UseCanonicalPhysicalPort" One CONF |place, args| {
            let on = on_off(args.text(0), "parameter must be 'on' or 'off'")?;
            place.dir::<CoreDir>().canonical_port = Some(Setting::new(on, args.span));
            Ok(())
        },
        "Whether to use the physical Port when constructing URLs",
        "whether the server's URLs may name the port of the connection";
    "HostnameLookups" One CONF hostname_lookups,
        "\"on\" to enable, \"off\" to disable reverse DNS lookups, or \"double\" to enable double-reverse DNS lookups",
        "whether clients' names are looked up";
    "NameVirtualHost" One SERVER name_virtual_host, "A numeric IP address:port, or the name of a host",
        "without effect since 2.4; warns";
    "Port" One SERVER |_, _| {
            let mistake = Mistake::new("Port was replaced with Listen in Apache 2.0").id("RX0245");
            Err(mistake.note("Listen says where the server listens, ServerName with a port what its URLs name."))
        },
        "Port was replaced with Listen in Apache 2.0",
        "refused: Listen took its place";
    "ServerTokens" One SERVER server_tokens,
        "Determine tokens displayed in the Server: header - Min(imal), Major, Minor, Prod(uctOnly), OS, or Full",
        "how much the Server header tells";
    "StrictHostCheck" Flag SERVER |place, args| {
            place.server::<CoreServer>().strict_host_check = Some(Setting::new(args.on, args.span));
            Ok(())
        },
        "Controls whether a hostname match is required",
        "whether a host name that no server has is refused";
    "AllowEncodedSlashes" One SERVER allow_encoded_slashes,
        "Allow URLs containing '/' encoded as '%2F'",
        "what an encoded slash in a URL means";
    "MergeSlashes" Flag SERVER |place, args| {
            place.server::<CoreServer>().merge_slashes = Some(Setting::new(args.on, args.span));
            Ok(())
        },
        "Controls whether consecutive slashes in the URI path are merged",
        "whether doubled slashes of a URL are made one";
    "MergeTrailers" Flag SERVER |place, args| {
            place.server::<CoreServer>().merge_trailers = Some(Setting::new(args.on, args.span));
            Ok(())
        },
        "merge request trailers into request headers or not",
        "whether trailers of a chunked body count as header fields";
    "HttpProtocolOptions" Each SERVER http_protocol_options,
        "'Allow0.9' or 'Require1.0' (default); 'RegisteredMethods' or 'LenientMethods' (default); 'Unsafe' or 'Strict' (default). Sets HTTP acceptance rules",
        "how strictly requests are read";
    "RegisterHttpMethod" Each SERVER |place, args| {
            place.check_context(args, Within::GLOBAL_ONLY)?;
            register_method(place, args.text(0));
            Ok(())
        },
        "Registers non-standard HTTP methods",
        "makes a method known, so that it can be named and is answered with 405 instead of 501";
    "Protocol" One SERVER nothing, "Set the Protocol for httpd to use.",
        "accepted without effect: HTTP is spoken on every port";
    "Protocols" Each SERVER protocols, "Controls which protocols are allowed",
        "the protocols a client may change to; only HTTP/1.1 is spoken";
    "ProtocolsHonorOrder" One SERVER |_, args| {
            on_off(args.text(0), "ProtocolsHonorOrder must be 'on' or 'off'").map(drop)
        },
        "'off' (default) or 'on' to respect given order of protocols, by default the client specified order determines selection",
        "accepted without effect: there is one protocol";
};

/// The method of a name, which is known from now on if there is room (ap_method_register).
pub(super) fn register_method(place: &mut Place<'_, '_>, name: &[u8]) -> Method {
    let known = &mut place.process().methods;
    if Method::find(name, known) == Method::Other && known.len() < usize::from(MOST_REGISTERED) {
        known.push(name.into());
    }
    Method::find(name, known)
}

fn document_root(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::DIR_CONTEXT)?;
    let path = place.server_path(args.text(0));
    let there = place.is_directory(&path);
    if !there && place.is_virtual_host() {
        let text = format!("AH00112: Warning: DocumentRoot [{path}] does not exist");
        let warning = Diagnostic::warning("RX0246", args.at(0), format!("there is no directory {path}"));
        place.warn(warning.with_apache(Apache::Plain(text)).logged_bare());
    } else if !there {
        let message = format!("DocumentRoot '{path}' is not a directory, or is not readable");
        let mistake = Mistake::new(message).id("RX0246").at(args.at(0), "no such directory");
        let advice = format!("make it with `mkdir -p {path}`, or name the directory that holds your pages");
        return Err(mistake.fix(Fix { advice, edits: Vec::new() }));
    }
    let trimmed = path.trim_end_with(|c| c == '/');
    let root: BString = if trimmed.is_empty() { "/".into() } else { trimmed.into() };
    place.server::<CoreServer>().document_root = Some(Setting::new(root, args.span));
    Ok(())
}

fn server_name(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    let (scheme, rest) = match text.find("://") {
        Some(at) => (Some(&text[..at]), &text[at + 3..]),
        None => (None, text),
    };
    let bad = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b']');
    if rest.iter().any(bad) {
        let message = format!(
            "Invalid ServerName \"{}\" use ServerAlias to set multiple server names.",
            text.as_bstr()
        );
        return Err(Mistake::new(message).id("RX0247").at(args.at(0), "one name, without wildcards"));
    }
    let (name, port) = match rest.find_byte(b':') {
        Some(at) => {
            (&rest[..at], Some(port(text, &rest[at + 1..]).map_err(|m| m.at(args.at(0), "no port"))?))
        }
        None => (rest, None),
    };
    let at = args.span;
    let server = place.server::<CoreServer>();
    server.scheme = scheme.map(|scheme| Setting::new(scheme.to_ascii_lowercase().into(), at));
    server.name = Some(Setting::new(name.into(), at));
    server.port = port.map(|port| Setting::new(port, at));
    Ok(())
}

fn port(whole: &[u8], digits: &[u8]) -> Result<u16, Mistake> {
    let number = u16::try_from(super::leading_number(digits)).ok().filter(|port| *port > 0);
    number.ok_or_else(|| {
        let message = format!(
            "The port number \"{}\" is outside the appropriate range (i.e., 1..65535).",
            whole.as_bstr()
        );
        Mistake::new(message).id("RX0248")
    })
}

fn server_alias(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if !place.is_virtual_host() {
        let mistake = Mistake::new("ServerAlias only used in <VirtualHost>").id("RX0249");
        return Err(mistake.note("The main server answers to every name already."));
    }
    let names = args.node.words().map(|word| Setting::new(word.text.to_ascii_lowercase().into(), args.span));
    place.server::<CoreServer>().aliases.extend(names);
    Ok(())
}

fn timeout(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let seconds = u64::try_from(super::leading_number(args.text(0))).unwrap_or(0);
    place.server::<CoreServer>().timeout = Some(Setting::new(Duration::from_secs(seconds), args.span));
    Ok(())
}

fn use_canonical_name(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let name = match args.text(0) {
        word if is(word, "on") => CanonicalName::On,
        word if is(word, "off") => CanonicalName::Off,
        word if is(word, "dns") => CanonicalName::Dns,
        _ => {
            let mistake = Mistake::new("parameter must be 'on', 'off', or 'dns'").id("RX0250");
            return Err(mistake.at(args.at(0), "none of the three"));
        }
    };
    place.dir::<CoreDir>().canonical_name = Some(Setting::new(name, args.span));
    Ok(())
}

fn hostname_lookups(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let lookups = match args.text(0) {
        word if is(word, "on") => Lookups::On,
        word if is(word, "off") => Lookups::Off,
        word if is(word, "double") => Lookups::Double,
        _ => {
            let mistake = Mistake::new("parameter must be 'on', 'off', or 'double'").id("RX0251");
            return Err(mistake.at(args.at(0), "none of the three"));
        }
    };
    place.dir::<CoreDir>().lookups = Some(Setting::new(lookups, args.span));
    Ok(())
}

fn name_virtual_host(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let (file, _) = place.describe(args.span);
    let line = args.node.line;
    let text = format!(
        "AH00548: NameVirtualHost has no effect and will be removed in the next release {file}:{line}"
    );
    let warning = Diagnostic::warning("RX0252", args.span, "NameVirtualHost has no effect")
        .with_apache(Apache::Plain(text))
        .logged_bare()
        .with_note("Virtual hosts of one address are told apart by name without it.")
        .with_edit("remove the line", args.span, "");
    place.warn(warning);
    Ok(())
}

fn server_tokens(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let tokens = match args.text(0) {
        word if is(word, "OS") => Tokens::Os,
        word if is(word, "Min") || is(word, "Minimal") => Tokens::Minimal,
        word if is(word, "Major") => Tokens::Major,
        word if is(word, "Minor") => Tokens::Minor,
        word if is(word, "Prod") || is(word, "ProductOnly") => Tokens::ProductOnly,
        word if is(word, "Full") => Tokens::Full,
        _ => {
            let message = "ServerTokens takes 1 argument: 'Prod(uctOnly)', 'Major', 'Minor', 'Min(imal)', 'OS', or 'Full'";
            return Err(Mistake::new(message).id("RX0253").at(args.at(0), "none of these"));
        }
    };
    place.process().tokens = Some(Setting::new(tokens, args.span));
    Ok(())
}

fn allow_encoded_slashes(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let slashes = match args.text(0) {
        word if is(word, "on") => EncodedSlashes::On,
        word if is(word, "off") => EncodedSlashes::Off,
        word if is(word, "nodecode") => EncodedSlashes::NoDecode,
        _ => {
            let mistake = Mistake::new("AllowEncodedSlashes must be On, Off, or NoDecode").id("RX0254");
            return Err(mistake.at(args.at(0), "none of the three"));
        }
    };
    place.dir::<CoreDir>().encoded_slashes = Some(Setting::new(slashes, args.span));
    Ok(())
}

/// One word; each of the three pairs is said once at most.
fn http_protocol_options(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let server = place.server::<CoreServer>();
    let pairs = [
        ("Strict", "Unsafe", &mut server.strict),
        ("RegisteredMethods", "LenientMethods", &mut server.registered_methods),
        ("Require1.0", "Allow0.9", &mut server.require_1_0),
    ];
    let word = args.text(0);
    for (yes, no, said) in pairs {
        if !is(word, yes) && !is(word, no) {
            continue;
        }
        let value = is(word, yes);
        if said.is_some_and(|said| said.value != value) {
            let (first, second) = if yes == "Require1.0" { (no, yes) } else { (yes, no) };
            let message = format!("HttpProtocolOptions '{first}' and '{second}' are mutually exclusive");
            return Err(Mistake::new(message).id("RX0255").at(args.at(0), "the other was said before"));
        }
        *said = Some(Setting::new(value, args.span));
        return Ok(());
    }
    let message = "HttpProtocolOptions accepts 'Unsafe' or 'Strict' (default), 'RegisteredMethods' or \
                   'LenientMethods' (default), and 'Require1.0' or 'Allow0.9' (default)";
    Err(Mistake::new(message).id("RX0256").at(args.at(0), "none of these"))
}

fn protocols(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let said = &mut place.server::<CoreServer>().protocols;
    let mut names: Vec<BString> = said.as_ref().map(|said| said.value.to_vec()).unwrap_or_default();
    names.push(args.text(0).into());
    *said = Some(Setting::new(Arc::new(names), args.span));
    Ok(())
}

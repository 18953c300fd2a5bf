//! `<Directory>`, `<Files>`, `<Location>`, `<If>`, `<Limit>`, `<VirtualHost>` and their kin.

use super::addresses;
use crate::{
    diag::Span,
    http::{Method, MethodSet},
    policy::{
        Applied, Args, CoreDir, Directive, Mistake, Place, Within,
        expr::{self, Expr},
        fnmatch::is_fnmatch,
        place::server_root_relative,
        regex::Regex,
        section::{Pattern, SectionKind},
    },
    syntax::{Word, Words},
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

pub(super) const ROWS: &[Directive] = rows! {
    "<Directory" Raw SERVER |place, args| directory(place, args, false),
        "Container for directives affecting resources located in the specified directories",
        "settings for a directory and all below it";
    "<Location" Raw SERVER |place, args| location(place, args, false),
        "Container for directives affecting resources accessed through the specified URL paths",
        "settings for a URL path and all below it";
    "<VirtualHost" Raw SERVER virtual_host,
        "Container to map directives to a particular virtual host, takes one or more host addresses",
        "a server of its own, chosen by address and host name";
    "<Files" Raw ALL |place, args| files(place, args, false),
        "Container for directives affecting files matching specified patterns",
        "settings for files of a name";
    "<Limit" Raw AUTHCFG_LIMIT |place, args| limit(place, args, false),
        "Container for authentication directives when accessed using specified HTTP methods",
        "access rules for some methods only";
    "<LimitExcept" Raw AUTHCFG_LIMIT |place, args| limit(place, args, true),
        "Container for authentication directives to be applied when any HTTP method other than those specified is used to access the resource",
        "access rules for all methods but some";
    "<DirectoryMatch" Raw SERVER |place, args| directory(place, args, true),
        "Container for directives affecting resources located in the specified directories",
        "settings for directories whose path fits a regular expression";
    "<LocationMatch" Raw SERVER |place, args| location(place, args, true),
        "Container for directives affecting resources accessed through the specified URL paths",
        "settings for URL paths that fit a regular expression";
    "<FilesMatch" Raw ALL |place, args| files(place, args, true),
        "Container for directives affecting files matching specified patterns",
        "settings for files whose name fits a regular expression";
    "<If" Raw ALL |place, args| condition(place, args, Chain::If),
        "Container for directives to be conditionally applied",
        "settings for requests of which a condition holds";
    "<ElseIf" Raw ALL |place, args| condition(place, args, Chain::ElseIf),
        "Container for directives to be conditionally applied",
        "settings if no condition before held and this one does";
    "<Else" Raw ALL otherwise,
        "Container for directives to be conditionally applied",
        "settings if no condition before held";
};

/// The words of an opening tag, up to its last `>`.
fn tag_words(name: &str, args: &Args<'_>) -> Result<Vec<Word>, Mistake> {
    let Some(text) = args.node.section_args() else {
        let mistake = Mistake::new(format!("{name}> directive missing closing '>'")).id("RX0210");
        return Err(mistake.at(args.node.span, "this tag has no `>`"));
    };
    let words: Vec<Word> = Words::of(&text).collect();
    if words.is_empty() {
        let mistake = Mistake::new(format!("{name}> directive requires additional arguments")).id("RX0211");
        return Err(mistake.at(args.node.span, "it does not say what it is for"));
    }
    Ok(words)
}

fn no_more(name: &str, words: &[Word], used: usize) -> Applied {
    match words.get(used) {
        None => Ok(()),
        Some(extra) => {
            let yet = if matches!(name, "<If" | "<ElseIf") { "" } else { "(yet) " };
            let mistake =
                Mistake::new(format!("Multiple {name}> arguments not {yet}supported.")).id("RX0212");
            Err(mistake.at(extra.span, "one too many").note("A name with spaces needs quotes around it."))
        }
    }
}

fn compiled(place: &Place<'_, '_>, word: Option<&Word>) -> Result<Regex, Mistake> {
    let pattern = word.map_or(&b""[..], |word| word.text.as_slice());
    place.regex(pattern, false).map_err(|error| {
        let mistake = Mistake::new("Regex could not be compiled").id("RX0213");
        let span = word.map_or(Span::BUILTIN, |word| word.span);
        if span.is_builtin() { mistake } else { mistake.at(span, error.message) }
    })
}

/// What a tag names: a pattern, its text, and how many words said it.
struct Named {
    pattern: Option<Pattern>,
    text: BString,
    used: usize,
}

/// The regular expression of a `…Match` or `~` tag, or the bare text of any other.
fn named(place: &Place<'_, '_>, words: &[Word], matching: bool) -> Result<Named, Mistake> {
    let tilde = !matching && words[0].text == "~";
    let at = usize::from(tilde);
    let text = words.get(at).map(|word| word.text.clone()).unwrap_or_default();
    let pattern =
        if tilde || matching { Some(Pattern::Regex(compiled(place, words.get(at))?)) } else { None };
    Ok(Named { pattern, text, used: at + 1 })
}

fn plain(text: BString) -> Pattern {
    if is_fnmatch(&text) { Pattern::Wildcard(text) } else { Pattern::Literal(text) }
}

fn directory(place: &mut Place<'_, '_>, args: &Args<'_>, matching: bool) -> Applied {
    let name = if matching { "<DirectoryMatch" } else { "<Directory" };
    place.check_context(args, Within::DIR_CONTEXT)?;
    let words = tag_words(name, args)?;
    let Named { pattern, mut text, used } = named(place, &words, matching)?;
    if pattern.is_none() && text.starts_with(b"/") {
        text = server_root_relative(b"", &text);
        if !text.ends_with(b"/") {
            text.push(b'/');
        }
    }
    let regex = pattern.is_some();
    let conf = place.section(args.node, Some(&text), regex);
    let pattern = pattern.unwrap_or_else(|| plain(text));
    let section = place.make_section(SectionKind::Directory, pattern, conf, args.span);
    place.add_directory(section);
    no_more(name, &words, used)
}

fn location(place: &mut Place<'_, '_>, args: &Args<'_>, matching: bool) -> Applied {
    let name = if matching { "<LocationMatch" } else { "<Location" };
    place.check_context(args, Within::DIR_CONTEXT)?;
    let words = tag_words(name, args)?;
    let Named { pattern, text, used } = named(place, &words, matching)?;
    let conf = place.section(args.node, Some(&text), pattern.is_some());
    let pattern = pattern.unwrap_or_else(|| plain(text));
    let section = place.make_section(SectionKind::Location, pattern, conf, args.span);
    place.add_location(section);
    no_more(name, &words, used)
}

fn files(place: &mut Place<'_, '_>, args: &Args<'_>, matching: bool) -> Applied {
    let name = if matching { "<FilesMatch" } else { "<Files" };
    place.check_context(args, Within::LOCATION.or(Within::LIMIT))?;
    let words = tag_words(name, args)?;
    let Named { pattern, text, used } = named(place, &words, matching)?;
    let conf = place.section(args.node, Some(&text), pattern.is_some());
    let pattern = pattern.unwrap_or_else(|| plain(text));
    let section = place.make_section(SectionKind::Files, pattern, conf, args.span);
    place.dir::<CoreDir>().files.push(section);
    no_more(name, &words, used)
}

/// Which link of a chain of conditions.
#[derive(Clone, Copy, PartialEq)]
enum Chain {
    If,
    ElseIf,
}

fn condition(place: &mut Place<'_, '_>, args: &Args<'_>, link: Chain) -> Applied {
    let name = if link == Chain::If { "<If" } else { "<ElseIf" };
    place.check_context(args, Within::LIMIT)?;
    let words = tag_words(name, args)?;
    let parsed = parse_condition(place, &words[0]);
    let pattern = match (parsed, link) {
        (Err(mistake), _) => {
            place.section(args.node, Some(b"*If"), false);
            return Err(mistake);
        }
        (Ok(expr), Chain::If) => Pattern::If(Arc::new(expr)),
        (Ok(expr), Chain::ElseIf) => Pattern::ElseIf(Arc::new(expr)),
    };
    add_condition(place, args, pattern)?;
    no_more(name, &words, 1)
}

fn parse_condition(place: &Place<'_, '_>, word: &Word) -> Result<Expr, Mistake> {
    let options = place.expression_options();
    expr::parse(&word.text, expr::Mode::Condition, options).map_err(|error| {
        let mistake = Mistake::new(format!("Cannot parse condition clause: {}", error.message));
        mistake.id("RX0214").at(word.span, "this is no condition")
    })
}

fn otherwise(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::LIMIT)?;
    let text = args.node.section_args();
    if text.is_some_and(|text| Words::of(&text).next().is_some()) {
        let mistake = Mistake::new("<Else> does not take an argument").id("RX0215");
        return Err(mistake.note("A condition belongs into <ElseIf>."));
    }
    add_condition(place, args, Pattern::Else)
}

fn add_condition(place: &mut Place<'_, '_>, args: &Args<'_>, pattern: Pattern) -> Applied {
    let starts = matches!(pattern, Pattern::If(_));
    let conf = place.section(args.node, Some(b"*If"), false);
    let section = place.make_section(SectionKind::If, pattern, conf, args.span);
    let ifs = &mut place.dir::<CoreDir>().ifs;
    let open = ifs.last().is_some_and(|last| matches!(last.pattern, Pattern::If(_) | Pattern::ElseIf(_)));
    if !starts && !open {
        let message = "<Else> or <ElseIf> section without previous <If> or <ElseIf> section in same scope";
        return Err(Mistake::new(message).id("RX0216"));
    }
    ifs.push(section);
    Ok(())
}

fn limit(place: &mut Place<'_, '_>, args: &Args<'_>, except: bool) -> Applied {
    let name = if except { "<LimitExcept" } else { "<Limit" };
    let words = tag_words(name, args)?;
    let mut methods = MethodSet::EMPTY;
    for word in &words {
        let method = super::hosts::register_method(place, &word.text);
        if method == Method::Trace && !except {
            let mistake = Mistake::new("TRACE cannot be controlled by <Limit>, see TraceEnable");
            return Err(mistake.id("RX0217").at(word.span, "not here"));
        }
        methods = methods.with(method);
    }
    let limited = if except { !methods.0 } else { methods.0 } & place.at.limited;
    if limited == 0 {
        let mistake = Mistake::new(format!("{name}> directive excludes all methods")).id("RX0218");
        return Err(mistake.note("Nested sections hold only for the methods that both name."));
    }
    place.children(args.node, limited);
    Ok(())
}

fn virtual_host(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let words = tag_words("<VirtualHost", args)?;
    let mut hosts: Vec<crate::policy::server::Named> = Vec::new();
    let mut wrong = Ok(());
    for word in &words {
        match addresses::virtual_host(&word.text) {
            Ok(found) => hosts.extend(found),
            Err(addresses::Bad::Invalid) => {
                let mistake = Mistake::new("The address or port is invalid").id("RX0219");
                wrong = wrong.and(Err(mistake.at(word.span, "no address and port")));
            }
            Err(addresses::Bad::Unknown(why)) => place.warn(unknown_host(word, why)),
        }
    }
    hosts.shrink_to_fit();
    place.virtual_host(args.node, hosts, args.span);
    wrong
}

fn unknown_host(word: &Word, why: &str) -> crate::diag::Diagnostic {
    use crate::diag::{Apache, Diagnostic};
    // What stands behind the last colon is a port only if it looks like one.
    let port = word.text.rfind_byte(b':').filter(|&at| {
        let port = &word.text[at + 1..];
        port == b"*" || !port.is_empty() && port.iter().all(u8::is_ascii_digit)
    });
    let host = word.text[..port.unwrap_or(word.text.len())].as_bstr();
    let text = format!("{why}: AH00547: Could not resolve host name {host} -- ignoring!");
    Diagnostic::warning("RX0220", word.span, format!("the host name {host} has no address"))
        .with_apache(Apache::Plain(text))
        .logged_as_error()
        .with_label("this address is left out")
        .with_advice("name the address itself, or `*`; host names belong into ServerName")
}

//! What the directives store, and how they read their arguments.

use super::{
    super::apr::leading_number,
    matching::{Pattern, prefix_length},
};
use crate::{
    diag::{Apache, Diagnostic, Span},
    http::Status,
    policy::{
        Applied, Args, Config, Mistake, Place, Said, SaidExt, Setting, Within,
        expr::{self, Expr, Mode},
    },
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

/// One Alias, ScriptAlias or Redirect with something to match.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it matches.
    pub pattern: Pattern,
    /// Where it leads; a redirect with a status of an error has none.
    pub real: Option<BString>,
    /// Status of a redirect.
    pub status: Status,
    /// Whether it is a ScriptAlias.
    pub script: bool,
    /// The directive.
    pub at: Span,
}

/// Entries outside of sections. Those of a virtual host are asked before the main server's.
#[derive(Clone, Debug, Default)]
pub struct AliasServer {
    /// `Alias` and its kin.
    pub aliases: Vec<Arc<Entry>>,
    /// `Redirect` and its kin.
    pub redirects: Vec<Arc<Entry>>,
}

impl Config for AliasServer {
    fn merge(&self, outer: &Self) -> Self {
        let after = |own: &[Arc<Entry>], outer: &[Arc<Entry>]| [own, outer].concat();
        AliasServer {
            aliases: after(&self.aliases, &outer.aliases),
            redirects: after(&self.redirects, &outer.redirects),
        }
    }
}

/// `Alias` or `ScriptAlias` with one argument, for the section it stands in.
#[derive(Clone, Debug)]
pub struct SectionAlias {
    /// Makes the path.
    pub path: Arc<Expr>,
    /// The section's own path, which AliasPreservePath takes off.
    pub section: BString,
    /// Whether it is a ScriptAlias.
    pub script: bool,
}

/// `Redirect` for the section it stands in.
#[derive(Clone, Debug)]
pub struct SectionRedirect {
    /// Makes the URL; none for the status of an error.
    pub url: Option<Arc<Expr>>,
    /// Status.
    pub status: Status,
}

/// Settings of a section.
#[derive(Clone, Debug, Default)]
pub struct AliasDir {
    /// Redirects with a path or regular expression of their own.
    pub redirects: Vec<Arc<Entry>>,
    /// `Alias` with one argument.
    pub alias: Said<SectionAlias>,
    /// `Redirect` without a path.
    pub redirect: Said<SectionRedirect>,
    /// `RedirectRelative`.
    pub relative: Said<bool>,
    /// `AliasPreservePath`.
    pub preserve_path: Said<bool>,
}

impl Config for AliasDir {
    fn merge(&self, outer: &Self) -> Self {
        AliasDir {
            redirects: [self.redirects.as_slice(), &outer.redirects].concat(),
            alias: self.alias.over(&outer.alias),
            redirect: self.redirect.over(&outer.redirect),
            relative: self.relative.over(&outer.relative),
            preserve_path: self.preserve_path.over(&outer.preserve_path),
        }
    }
}

/// `Alias`, `ScriptAlias`.
pub fn alias(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    match args.get(1) {
        Some(real) => {
            let pattern = Pattern::Prefix(args.text(0).into());
            add_alias(place, args, pattern, real)
        }
        None => section_alias(place, args),
    }
}

/// `AliasMatch`, `ScriptAliasMatch`.
pub fn alias_match(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let pattern = regex(place, args, 0)?;
    add_alias(place, args, pattern, args.text(1))
}

fn is_script(args: &Args<'_>) -> bool {
    args.node.name.len() > 6 && args.node.name[..6].eq_ignore_ascii_case(b"script")
}

fn add_alias(place: &mut Place<'_, '_>, args: &Args<'_>, pattern: Pattern, real: &[u8]) -> Applied {
    if place.at.path.is_some() {
        let message = format!("{} cannot occur within directory context", args.node.name);
        return Err(Mistake::new(message).id("RX0301").note(
            "Inside a section Alias takes one argument, the file or directory; the section says the URL.",
        ));
    }
    place.check_context(args, Within::DIR_CONTEXT)?;
    warn_of_overlap(place, args, &pattern);
    let entry =
        Entry { pattern, real: Some(real.into()), status: Status(0), script: is_script(args), at: args.span };
    place.server::<AliasServer>().aliases.push(Arc::new(entry));
    Ok(())
}

fn warn_of_overlap(place: &mut Place<'_, '_>, args: &Args<'_>, pattern: &Pattern) {
    let Pattern::Prefix(fake) = pattern else { return };
    let takes = |entry: &&Arc<Entry>| match &entry.pattern {
        Pattern::Prefix(earlier) => prefix_length(fake, earlier).is_some(),
        Pattern::Regex(regex) => regex.is_match(fake),
    };
    let Some(earlier) = place.server::<AliasServer>().aliases.iter().find(takes).cloned() else { return };
    let (file, _) = place.describe(args.span);
    let apache = format!(
        "AH00671: The {} directive in {file} at line {} will probably never match because it overlaps an earlier \
         {}Alias{}.",
        args.node.name,
        args.node.line,
        if earlier.script { "Script" } else { "" },
        if matches!(earlier.pattern, Pattern::Regex(_)) { "Match" } else { "" },
    );
    let headline = format!("{} {fake} will never match: an earlier line takes it", args.node.name);
    let warning = Diagnostic::warning("RX0302", args.at(0), headline)
        .with_apache(Apache::Plain(apache))
        .logged_by("alias")
        .with_context(earlier.at, "this one is asked first")
        .with_advice("put the longer path first");
    place.warn(warning);
}

fn section_alias(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let Some(section) = place.at.path.map(BString::from) else {
        return Err(Mistake::new("Alias must have two arguments when used globally").id("RX0303"));
    };
    place.check_context(args, Within::LIMIT.or(Within::DIRECTORY).or(Within::FILES))?;
    let path = expression(place, args, 0, "alias")?;
    let alias = SectionAlias { path, section, script: is_script(args) };
    place.dir::<AliasDir>().alias = Some(Setting::new(alias, args.span));
    Ok(())
}

/// `Redirect`.
pub fn redirect(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let status = first_status(args);
    let words = args.words.len() - usize::from(status.is_some());
    match status {
        None if words == 1 && place.at.path.is_some() => section_redirect(place, args, Status(302), Some(0)),
        Some(status) if words == 1 && status.is_redirect() && place.at.path.is_some() => {
            section_redirect(place, args, status, Some(1))
        }
        Some(status) if words == 0 && !status.is_redirect() => section_redirect(place, args, status, None),
        _ => add_redirect(place, args, Status(302), |_, args, word| {
            Ok(Pattern::Prefix(args.text(word).into()))
        }),
    }
}

/// `RedirectMatch`.
pub fn redirect_match(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    add_redirect(place, args, Status(302), regex)
}

/// `RedirectPermanent`.
pub fn redirect_permanent(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    add_redirect(place, args, Status(301), |_, args, word| Ok(Pattern::Prefix(args.text(word).into())))
}

/// `RedirectTemp`.
pub fn redirect_temp(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    add_redirect(place, args, Status(302), |_, args, word| Ok(Pattern::Prefix(args.text(word).into())))
}

/// The status that the first word names, if it names one.
fn first_status(args: &Args<'_>) -> Option<Status> {
    let word = args.text(0);
    let named = match word.to_ascii_lowercase().as_slice() {
        b"permanent" => 301,
        b"temp" => 302,
        b"seeother" => 303,
        b"gone" => 410,
        _ if word.first().is_some_and(u8::is_ascii_digit) => leading_number(word),
        _ => return None,
    };
    Some(Status(named))
}

fn section_redirect(
    place: &mut Place<'_, '_>,
    args: &Args<'_>,
    status: Status,
    word: Option<usize>,
) -> Applied {
    let url = word.map(|word| expression(place, args, word, "redirect")).transpose()?;
    place.dir::<AliasDir>().redirect = Some(Setting::new(SectionRedirect { url, status }, args.span));
    Ok(())
}

fn add_redirect(
    place: &mut Place<'_, '_>,
    args: &Args<'_>,
    default: Status,
    pattern: fn(&Place<'_, '_>, &Args<'_>, usize) -> Result<Pattern, Mistake>,
) -> Applied {
    let status = first_status(args);
    if status.is_none() && args.words.len() == 3 {
        return Err(unknown_status(args));
    }
    let first = usize::from(status.is_some());
    let (status, real) = (status.unwrap_or(default), args.get(first + 1));
    let pattern = pattern(place, args, first)?;
    match real {
        None if status.is_redirect() => {
            return Err(Mistake::new("URL to redirect to is missing").id("RX0305"));
        }
        Some(url) if status.is_redirect() => {
            let prefix = matches!(pattern, Pattern::Prefix(_));
            if prefix && !url.starts_with(b"/") && !crate::engine::urls::has_scheme(url) {
                let mistake = Mistake::new("Redirect to non-URL").id("RX0306");
                return Err(mistake.at(args.at(first + 1), "neither a URL nor a path that begins with /"));
            }
        }
        Some(_) => {
            let mistake = Mistake::new("Redirect URL not valid for this status").id("RX0307");
            let label = format!("{} redirects nowhere, so nothing may follow the path", status.0);
            return Err(mistake.at(args.at(first + 1), label));
        }
        None => {}
    }
    let entry =
        Arc::new(Entry { pattern, real: real.map(BString::from), status, script: false, at: args.span });
    match place.at.path {
        Some(_) => place.dir::<AliasDir>().redirects.push(entry),
        None => place.server::<AliasServer>().redirects.push(entry),
    }
    Ok(())
}

fn unknown_status(args: &Args<'_>) -> Mistake {
    Mistake::new("Redirect: invalid first argument (of three)")
        .id("RX0308")
        .at(args.at(0), "a status: permanent, temp, seeother, gone, or a number")
}

/// `RedirectRelative`.
pub fn redirect_relative(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<AliasDir>().relative = Some(Setting::new(args.on, args.span));
    Ok(())
}

/// `AliasPreservePath`.
pub fn alias_preserve_path(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<AliasDir>().preserve_path = Some(Setting::new(args.on, args.span));
    Ok(())
}

fn regex(place: &Place<'_, '_>, args: &Args<'_>, word: usize) -> Result<Pattern, Mistake> {
    place.regex(args.text(word), false).map(Pattern::Regex).map_err(|error| {
        let mistake = Mistake::new("Regular expression could not be compiled.").id("RX0304");
        mistake.at(args.at(word), error.to_string())
    })
}

fn expression(place: &Place<'_, '_>, args: &Args<'_>, word: usize, kind: &str) -> Result<Arc<Expr>, Mistake> {
    let options = place.expression_options();
    expr::parse(args.text(word), Mode::String, options).map(Arc::new).map_err(|error| {
        let text = args.text(word).as_bstr();
        let mistake = Mistake::new(format!("Cannot parse {kind} expression '{text}': {}", error.message));
        mistake.id("RX0309").at(args.at(word), error.message.to_string())
    })
}

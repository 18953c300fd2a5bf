//! `Options`, and what `.htaccess` files may say: `AllowOverride` and its kin.

use super::is;
use crate::{
    diag::{Apache, Diagnostic, Edit, Fix, Span},
    policy::{
        Applied, Args, CoreDir, CoreServer, Directive, Mistake, OptionBits, Place, Scope, Setting, Within,
        core_conf::Nonfatal, table::Lookup,
    },
    syntax::Word,
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashSet;
use std::sync::Arc;

pub(super) const ROWS: &[Directive] = rows! {
    "Options" Raw OPTIONS options, "Set a number of attributes for a given directory",
        "what may happen in a directory: listings, includes, programs, links, negotiation";
    "AllowOverride" Raw SECTION allow_override,
        "Controls what groups of directives can be configured by per-directory config files",
        "which classes of directives .htaccess files may hold";
    "AllowOverrideList" Argv SECTION allow_override_list,
        "Controls what individual directives can be configured by per-directory config files",
        "which single directives .htaccess files may hold";
    "AccessFileName" Raw SERVER access_file_name,
        "Name(s) of per-directory config files (default: .htaccess)",
        "what .htaccess files are called";
};

/// One word of `Options`, without its sign.
fn option(word: &[u8]) -> Option<OptionBits> {
    let all = [
        ("Indexes", OptionBits::INDEXES),
        ("Includes", OptionBits::INCLUDES.or(OptionBits::INCLUDES_EXEC)),
        ("IncludesNOEXEC", OptionBits::INCLUDES),
        ("FollowSymLinks", OptionBits::FOLLOW_SYM_LINKS),
        ("SymLinksIfOwnerMatch", OptionBits::SYM_LINKS_IF_OWNER_MATCH),
        ("ExecCGI", OptionBits::EXEC_CGI),
        ("MultiViews", OptionBits::MULTI_VIEWS),
        ("RunScripts", OptionBits::MULTI_VIEWS.or(OptionBits::EXEC_CGI)),
        ("None", OptionBits::NONE),
        ("All", OptionBits::ALL),
    ];
    all.iter().find(|(name, _)| is(word, name)).map(|(_, bits)| *bits)
}

fn illegal(word: &[u8]) -> Mistake {
    let mistake = Mistake::new(format!("Illegal option {}", word.as_bstr())).id("RX0222");
    mistake.note("The words are None, All, Indexes, Includes, IncludesNOEXEC, FollowSymLinks, SymLinksIfOwnerMatch, ExecCGI, MultiViews.")
}

/// `Options`: words with signs change what is around, words without replace it.
fn options(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let words: Vec<Word> = args.node.words().collect();
    let (mut first, mut relative, mut whole) = (true, false, false);
    for word in &words {
        let (sign, name) = match word.text.as_slice() {
            [sign @ (b'+' | b'-'), name @ ..] => (Some(*sign), name),
            name => (None, name),
        };
        let mixes = if sign.is_some() { !relative && !first && !whole } else { relative };
        if mixes {
            return Err(mixed(&words));
        }
        relative |= sign.is_some();
        if first && !relative {
            place.dir::<CoreDir>().options.replace(OptionBits::NONE, args.span);
        }
        let bits = option(name).ok_or_else(|| illegal(name).at(word.span, "no such option"))?;
        check_all_and_none(name, sign, first).map_err(|mistake| mistake.at(word.span, "this word"))?;
        whole |= is(name, "All") || is(name, "None");
        if !place.options_allowed(bits) {
            let message = format!("Option {} not allowed here", name.as_bstr());
            return Err(Mistake::new(message)
                .id("RX0203")
                .at(word.span, "AllowOverride does not let it through"));
        }
        let said = &mut place.dir::<CoreDir>().options;
        match sign {
            Some(b'+') => said.add(bits, args.span),
            Some(_) => said.remove(bits, args.span),
            None if is(name, "None") => said.replace(OptionBits::NONE, args.span),
            None => {
                let whole = said.bits.or(bits);
                said.replace(whole, args.span);
            }
        }
        first = false;
    }
    Ok(())
}

fn signed(word: &Word) -> bool {
    matches!(word.text.first(), Some(b'+' | b'-'))
}

/// `All` and `None` come first and bear no sign; words with signs may follow them.
fn check_all_and_none(name: &[u8], sign: Option<u8>, first: bool) -> Applied {
    for (word, option) in [("None", "Option"), ("All", "option")] {
        if is(name, word) && !first {
            let message = format!("'Options {word}' must be the first {option} given.");
            return Err(Mistake::new(message).id("RX0225"));
        }
        if is(name, word) && sign.is_some() {
            let message = format!("You may not use 'Options +{word}' or 'Options -{word}'.");
            return Err(Mistake::new(message).id("RX0224"));
        }
    }
    Ok(())
}

/// The message for a mixture of words with and without signs, with both ways to mend it.
fn mixed(words: &[Word]) -> Mistake {
    let message = "Either all Options must start with + or -, or no Option may.";
    let bare: Vec<String> =
        words.iter().map(|w| w.text.trim_start_with(|c| c == '+').to_str_lossy().into_owned()).collect();
    let plus = |w: &Word| if signed(w) { w.text.to_string() } else { format!("+{}", w.text) };
    let plus: Vec<String> = words.iter().map(plus).collect();
    let mut mistake = Mistake::new(message).id("RX0223");
    if let [first, .., last] = words {
        let span = first.span.to(last.span);
        mistake = mistake.at(span, "some words have a sign, some have none");
        let edits = vec![Edit { span, text: plus.join(" ") }];
        let advice = format!("write `Options {}`, which adds to what holds around it", plus.join(" "));
        mistake = mistake.fix(Fix { advice, edits });
    }
    if !words.iter().any(|word| word.text.starts_with(b"-")) {
        mistake = mistake.note(format!(
            "`Options {}` instead would replace all that was set for the directories above.",
            bare.join(" ")
        ));
    }
    mistake
}

/// Apache's warning about a directive that only `<Directory>` sections make use of.
fn useless(place: &mut Place<'_, '_>, args: &Args<'_>, text: String) {
    if place.check_context(args, Within::LOCATION.or(Within::FILES)).is_ok() {
        return;
    }
    let name = &args.node.name;
    let warning = Diagnostic::warning("RX0226", args.span, format!("{name} has no effect here"))
        .with_apache(Apache::Plain(text))
        .with_note("Which .htaccess files are read is decided while the directories are walked, before any other section counts.")
        .with_advice("put it into a <Directory> section");
    place.warn(warning);
}

fn allow_override(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let (file, _) = place.describe(args.span);
    let line = args.node.line;
    useless(place, args, format!("AH00114: Useless use of AllowOverride in line {line} of {file}."));
    let mut classes = Scope::NONE;
    let mut bits = OptionBits(u8::MAX);
    let mut forgiven: Option<Nonfatal> = None;
    for word in args.node.words() {
        let (name, value) = match word.text.find_byte(b'=') {
            Some(at) => (&word.text[..at], Some(&word.text[at + 1..])),
            None => (word.text.as_slice(), None),
        };
        let class = match () {
            () if is(name, "Limit") => Scope::LIMIT,
            () if is(name, "FileInfo") => Scope::FILEINFO,
            () if is(name, "AuthConfig") => Scope::AUTHCFG,
            () if is(name, "Indexes") => Scope::INDEXES,
            () if is(name, "Options") => {
                // The bare word leaves MultiViews and SymLinksIfOwnerMatch out, as `Options All` does.
                bits = value.map_or(Ok(OptionBits::ALL), |value| option_list(value, word.span))?;
                Scope::OPTIONS
            }
            () if is(name, "Nonfatal") => {
                forgiven = nonfatal(forgiven, value, word.span)?;
                Scope::NONE
            }
            () if is(name, "None") || is(name, "All") => {
                // Both forget all words before them.
                (classes, forgiven) = (Scope::NONE, None);
                if is(name, "All") { Scope::ALL } else { Scope::NONE }
            }
            () => {
                let message = format!("Illegal override option {}", name.as_bstr());
                let mistake = Mistake::new(message).id("RX0227").at(word.span, "no such class");
                return Err(mistake.note("The classes are AuthConfig, FileInfo, Indexes, Limit and Options."));
            }
        };
        classes = classes.or(class);
    }
    let core = place.dir::<CoreDir>();
    core.allow_override = Some(Setting::new(classes, args.span));
    core.override_options = Some(Setting::new(bits, args.span));
    core.override_nonfatal = forgiven.map(|kind| Setting::new(kind, args.span));
    Ok(())
}

/// `Options=word,word…` of AllowOverride: the words that `.htaccess` may use.
fn option_list(value: &[u8], at: Span) -> Result<OptionBits, Mistake> {
    let words = value.split(|&byte| byte == b',').filter(|word| !word.is_empty());
    words.into_iter().try_fold(OptionBits::NONE, |sum, word| {
        let bits = option(word).ok_or_else(|| illegal(word).at(at, "no such option"))?;
        // IncludesNOEXEC is part of Includes, so naming the greater lets the smaller through.
        Ok(if is(word, "None") { OptionBits::NONE } else { sum.or(bits) })
    })
}

/// `Nonfatal=…` added to what the words before it forgive. A kind that Apache does not know is no
/// mistake to it.
fn nonfatal(before: Option<Nonfatal>, value: Option<&[u8]>, word: Span) -> Result<Option<Nonfatal>, Mistake> {
    let Some(value) = value else {
        let mistake = Mistake::new("=Override, =Unknown or =All expected after Nonfatal").id("RX0228");
        return Err(mistake.at(word, "of what kind?"));
    };
    let now = match () {
        () if is(value, "Override") => Nonfatal::Override,
        () if is(value, "Unknown") => Nonfatal::Unknown,
        () if is(value, "All") => Nonfatal::All,
        () => return Ok(before),
    };
    let differ = before.is_some_and(|before| before != now);
    Ok(Some(if differ { Nonfatal::All } else { now }))
}

fn allow_override_list(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let (file, _) = place.describe(args.span);
    let line = args.node.line;
    useless(place, args, format!("AH00115: Useless use of AllowOverrideList at {file}:{line}"));
    let mut names: FxHashSet<BString> = FxHashSet::default();
    for word in args.words {
        if is(&word.text, "None") {
            if args.words.len() > 1 {
                let message = "'None' not allowed with other directives in AllowOverrideList";
                return Err(Mistake::new(message).id("RX0229").at(word.span, "alone or not at all"));
            }
            continue;
        }
        let (name, span) = (&word.text, word.span);
        match place.look_up(name) {
            Lookup::Found(_, row) if row.scope.meets(Scope::ALL) => {
                names.insert(name.to_ascii_lowercase().into());
            }
            Lookup::Lacking(_, row) if row.directive.scope.meets(Scope::ALL) => {
                names.insert(name.to_ascii_lowercase().into());
            }
            Lookup::Found(..) | Lookup::Lacking(..) => {
                let text = format!(
                    "AH02304: Discarding directive `{name}' not allowed in AllowOverrideList at {file}:{line}"
                );
                let said = format!("{name} can never stand in .htaccess");
                place.warn(Diagnostic::warning("RX0230", span, said).with_apache(Apache::Plain(text)));
            }
            _ => {
                let text = format!(
                    "AH00116: Discarding unrecognized directive `{name}' in AllowOverrideList at {file}:{line}"
                );
                let said = format!("no active module has a directive {name}");
                place.warn(Diagnostic::warning("RX0231", span, said).with_apache(Apache::Plain(text)));
            }
        }
    }
    place.dir::<CoreDir>().override_list = Some(Setting::new(Arc::new(names), args.span));
    Ok(())
}

fn access_file_name(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let names: Vec<BString> = args.node.words().map(|word| word.text).collect();
    place.server::<CoreServer>().access_names = Some(Setting::new(Arc::new(names), args.span));
    Ok(())
}

//! Reading `Require`, its groups and what goes with them.

use super::{Alias, AuthzDir, AuthzServer, Group, Logic, Origin, Require, Rule};
use crate::{
    diag::{Apache, Diagnostic, Fix, Severity, Span},
    policy::{
        Applied, Args, Conf, CoreDir, Mistake, Place, Policy, Scope, Setting, Within, section::Section,
        table::Parsed,
    },
    syntax::{Node, Text, Words},
};
use bstr::{BString, ByteSlice};
use std::sync::Arc;

/// `Require [not] provider arguments…`
pub fn require(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let mut words = args.node.words();
    let mut provider = words.next();
    let negated = provider.as_ref().is_some_and(|word| word.text.eq_ignore_ascii_case(b"not"));
    if negated {
        provider = words.next();
    }
    let (name, name_span) = match provider {
        Some(word) => (word.text, word.span),
        None => (BString::default(), args.span),
    };
    let text = args.node.text();
    let rest = text.slice(text.len() - words.rest().len()..text.len());
    let parsed = parse(place, args.node, &name, name_span, &rest)?;
    let limited = place.at.limited;
    let rule =
        Require { provider: name, args: rest.bytes().to_owned(), negated, limited, parsed, at: args.span };
    let group = current(place, args.span);
    if negated && group.logic == Logic::Or {
        let message = format!("negative Require directive has no effect in {group} directive");
        return Err(Mistake::new(message).id("RX0402").at(args.span, "this can only refuse").fix(Fix {
            advice:
                "put it into `<RequireAll>` beside a requirement that grants, such as `Require all granted`"
                    .to_owned(),
            edits: Vec::new(),
        }));
    }
    group.push(Rule::Require(rule));
    Ok(())
}

/// What the provider makes of its arguments; names of `<AuthzProviderAlias>` come first, since they
/// are the later registered.
fn parse(
    place: &mut Place<'_, '_>,
    node: &Node,
    name: &[u8],
    at: Span,
    args: &Text,
) -> Result<Parsed, Mistake> {
    let alias =
        in_main_server(place, |place| place.server::<AuthzServer>().aliases.get(name.as_bstr()).cloned());
    if let Some(alias) = alias {
        return (alias.provider.parse)(place, &alias.args);
    }
    if let Some(provider) = place.provider(name) {
        return (provider.parse)(place, args);
    }
    match place.refuse_provider(name, node) {
        Some(refused) => refused.map(|()| super::providers::never()),
        None => Err(unknown_provider(place, name, at)),
    }
}

fn unknown_provider(place: &Place<'_, '_>, name: &[u8], at: Span) -> Mistake {
    let mistake = Mistake::new(format!("Unknown Authz provider: {}", name.as_bstr())).id("RX0401");
    let known: Vec<&str> = place.provider_names().collect();
    let near = known.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name));
    match (near, user_provider(name)) {
        (Some(known), _) => mistake.at(at, "its letters count").fix(Fix {
            advice: format!("write `{known}`"),
            edits: vec![crate::diag::Edit { span: at, text: (*known).to_owned() }],
        }),
        (None, Some(module)) => mistake
            .at(at, format!("`{}` belongs to {module}, which is not active", name.as_bstr()))
            .note(format!("Without {module} nobody can be asked for a name and password here.")),
        (None, None) => {
            mistake.at(at, "no module has this word").note(format!("Known are: {}.", known.join(", ")))
        }
    }
}

/// Apache's module for the providers that people use most and that may be missing.
fn user_provider(name: &[u8]) -> Option<&'static str> {
    match name {
        b"user" | b"valid-user" => Some("mod_authz_user"),
        b"group" | b"file-group" => Some("mod_authz_groupfile"),
        b"file-owner" => Some("mod_authz_owner"),
        b"ip" | b"host" | b"forward-dns" | b"local" => Some("mod_authz_host"),
        _ => None,
    }
}

/// The group that rules are being put into; outside of all, the `<RequireAny>` that a section is.
fn current<'c>(place: &'c mut Place<'_, '_>, at: Span) -> &'c mut Group {
    let home =
        place.around().find(|node| !is_group(node) && !node.is(b"<limit") && !node.is(b"<limitexcept"));
    let home = home.map(|node| Setting::new([&node.name[..], b" ", node.args()].concat().into(), node.span));
    let whole = place
        .dir::<AuthzDir>()
        .rules
        .get_or_insert_with(|| Arc::new(Group { home, ..Group::new(Logic::Or, false, at) }));
    Arc::make_mut(whole)
}

fn is_group(node: &Node) -> bool {
    node.is(b"<requireall") || node.is(b"<requireany") || node.is(b"<requirenone")
}

/// `<RequireAll>`, `<RequireAny>`, `<RequireNone>`.
pub fn group(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let own = empty_group(args)?;
    match args.node.section_args() {
        None => return Err(unclosed(args.node)),
        Some(text) if !text.is_empty() => {
            let message = format!("{own} directive doesn't take additional arguments");
            return Err(Mistake::new(message).id("RX0403"));
        }
        Some(_) => {}
    }
    let outer = place.dir::<AuthzDir>().rules.replace(Arc::new(own));
    // Apache takes the highest bit away, so that sections in here meet "cannot occur within <Limit>".
    let limited = place.at.limited & !(1 << 63);
    inside(place, args.node, limited);
    let own = std::mem::replace(&mut place.dir::<AuthzDir>().rules, outer);
    match own {
        Some(own) if !own.rules.is_empty() => close(place, args.span, Arc::unwrap_or_clone(own)),
        _ if asks(args.node) => Ok(()),
        _ => {
            let message =
                format!("{}> directive contains no authorization directives", group_name(args.node));
            Err(Mistake::new(message).id("RX0404").at(args.node.name_span, "nothing is required in here"))
        }
    }
}

/// Walks the children under what Apache lets stand inside: what AllowOverride AuthConfig does.
fn inside(place: &mut Place<'_, '_>, node: &Node, limited: u64) {
    let scope = std::mem::replace(&mut place.at.scope, Scope::AUTHCFG);
    place.children(node, limited);
    place.at.scope = scope;
}

fn group_name(node: &Node) -> &'static str {
    match node.name.to_ascii_lowercase().as_slice() {
        b"<requireall" => "<RequireAll",
        b"<requireany" => "<RequireAny",
        _ => "<RequireNone",
    }
}

fn empty_group(args: &Args<'_>) -> Result<Group, Mistake> {
    let (logic, negated) = match group_name(args.node) {
        "<RequireAll" => (Logic::And, false),
        "<RequireAny" => (Logic::Or, false),
        _ => (Logic::Or, true),
    };
    Ok(Group::new(logic, negated, args.span))
}

fn unclosed(node: &Node) -> Mistake {
    Mistake::new(format!("{}> directive missing closing '>'", node.name)).id("RX0405")
}

/// Whether a section holds a `Require` at all; if so it is empty only because of other mistakes.
fn asks(node: &Node) -> bool {
    node.children.iter().any(|child| child.is(b"require") || asks(child))
}

/// Puts a finished group into the one around it.
fn close(place: &mut Place<'_, '_>, at: Span, own: Group) -> Applied {
    let flat = !place.in_htaccess();
    let outer = current(place, at);
    if own.negated && outer.logic == Logic::Or {
        let message = format!("{own} directive has no effect in {outer} directive");
        return Err(Mistake::new(message).id("RX0402").at(at, "this can only refuse").fix(Fix {
            advice:
                "put it into `<RequireAll>` beside a requirement that grants, such as `Require all granted`"
                    .to_owned(),
            edits: Vec::new(),
        }));
    }
    if !own.negated && own.logic == outer.logic {
        own.rules.into_iter().for_each(|rule| outer.push(rule));
    } else if own.negated && flat {
        // Apache rewrites so once all is read, which .htaccess files never are: none of a, b is
        // not a and not b.
        own.rules.into_iter().for_each(|rule| outer.push(inverted(rule)));
    } else {
        outer.push(Rule::Group(Arc::new(own)));
    }
    Ok(())
}

fn inverted(rule: Rule) -> Rule {
    match rule {
        Rule::Require(require) => Rule::Require(Require { negated: !require.negated, ..require }),
        Rule::Group(group) => {
            let group = Arc::unwrap_or_clone(group);
            Rule::Group(Arc::new(Group { negated: !group.negated, ..group }))
        }
    }
}

/// `AuthMerging Off | And | Or`
pub fn merging(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let logic = match args.text(0).to_ascii_lowercase().as_slice() {
        b"off" => None,
        b"and" => Some(Logic::And),
        b"or" => Some(Logic::Or),
        _ => {
            let mistake = Mistake::new("AuthMerging must be one of: Off | And | Or").id("RX0406");
            return Err(mistake.at(args.at(0), ""));
        }
    };
    place.dir::<AuthzDir>().merging = Some(Setting::new(logic, args.span));
    Ok(())
}

/// `AuthzSendForbiddenOnFailure On | Off`
pub fn forbidden(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<AuthzDir>().forbidden = Some(Setting::new(args.on, args.span));
    Ok(())
}

/// `<AuthzProviderAlias provider alias "arguments">`
pub fn alias(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.check_context(args, Within::GLOBAL_ONLY)?;
    let text = args.node.section_args().ok_or_else(|| unclosed(args.node))?;
    let mut words = Words::of(&text);
    let (Some(base), Some(alias)) = (words.next(), words.next()) else {
        let mistake = Mistake::new("<AuthzProviderAlias> directive requires additional arguments");
        return Err(mistake.id("RX0407").note("It takes a provider, a name, and the provider's arguments."));
    };
    let mut given = Text::new(base.span.file);
    if let Some(word) = words.next() {
        given.push_replaced(&word.text, word.span);
        if let Some(extra) = words.next() {
            place.warn(extra_arguments(&word.text, &extra.text, extra.span));
        }
    }
    let provider =
        place.provider(&base.text).ok_or_else(|| unknown_provider(place, &base.text, base.span))?;
    (provider.parse)(place, &given).map_err(|mut mistake| {
        mistake.message =
            format!("Can't parse 'Require {} {}': {}", base.text, given.bytes(), mistake.message);
        mistake
    })?;
    // What stands inside is read, and holds for nothing but itself.
    place.section(args.node, None, false);
    let made = Alias { provider, args: given };
    place.server::<AuthzServer>().aliases.insert(alias.text, made);
    Ok(())
}

fn extra_arguments(first: &BString, extra: &BString, at: Span) -> Diagnostic {
    let message = format!(
        "When several arguments ({first} {extra}...) are passed to a <AuthzProviderAlias directive, they must be \
         enclosed in quotation marks.  Otherwise, only the first one is taken into account"
    );
    Diagnostic::new("RX0408", Severity::Warning, at, "only the first argument counts")
        .with_apache(Apache::Plain(format!("AH10142: {message}")))
        .with_label("this is not seen")
}

/// Aliases are the whole server's, wherever they are used.
fn in_main_server<R>(place: &mut Place<'_, '_>, f: impl FnOnce(&mut Place<'_, '_>) -> R) -> R {
    let server = std::mem::replace(&mut place.at.server, 0);
    let result = f(place);
    place.at.server = server;
    result
}

/// Groups that can grant nothing, found once all is read, and only when nothing else is wrong.
/// Apache looks at the sections read last first, and stops there.
pub fn check(policy: &Policy, diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return;
    }
    let mut futile: Vec<&Group> = Vec::new();
    for server in &policy.servers {
        // Most hosts say nothing outside of sections and share what the main server says.
        if server.dir_id != policy.main().dir_id || std::ptr::eq(server, policy.main()) {
            look_into(&server.dir, &mut futile);
        }
        let sections = server.sections.directories().all().iter().chain(server.sections.locations().all());
        sections.for_each(|section| look_into_section(section, &mut futile));
    }
    futile.sort_by_key(|group| std::cmp::Reverse((group.at.file, group.at.start)));
    futile.dedup_by_key(|group| group.at);
    for (n, group) in futile.into_iter().enumerate() {
        let headline = format!("{group} directive contains only negative authorization directives");
        let apache = match n {
            0 => Apache::Plain(format!("AH01624: {headline}\nAH00014: Configuration check failed")),
            _ => Apache::Silent,
        };
        let diagnostic = Diagnostic::new("RX0409", Severity::Error, group.at, headline)
            .with_apache(apache)
            .with_label("nothing in here can let anyone in");
        diagnostics.push(Diagnostic {
            fix: Some(Fix { advice: "add `Require all granted` to it".to_owned(), edits: Vec::new() }),
            ..diagnostic
        });
    }
}

fn look_into_section<'p>(section: &'p Section, futile: &mut Vec<&'p Group>) {
    look_into(&section.conf, futile);
}

fn look_into<'p>(conf: &'p Conf, futile: &mut Vec<&'p Group>) {
    if let Some(group) = conf.find::<AuthzDir>().and_then(|dir| dir.rules.as_deref()) {
        look_for_futile(group, futile);
    }
    if let Some(core) = conf.find::<CoreDir>() {
        core.files.list.iter().chain(&core.ifs).for_each(|section| look_into_section(section, futile));
    }
}

fn look_for_futile<'p>(group: &'p Group, futile: &mut Vec<&'p Group>) {
    for rule in &group.rules {
        if let Rule::Group(inner) = rule {
            look_for_futile(inner, futile);
        }
    }
    if group.origin == Origin::Section && group.rules.iter().all(Rule::negated) {
        futile.push(group);
    }
}

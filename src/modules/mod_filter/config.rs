//! The directives of mod_filter: smart filters, their providers, and the chain.

use crate::{
    diag::Span,
    engine::filter::FilterKind,
    policy::{
        Applied, Args, Config, Directive, Mistake, Place, Scope, Setting, Shape,
        expr::{self, Expr, Mode},
    },
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// FilterProtocol: the content is changed.
pub const CHANGE: u8 = 1;
/// Its length too.
pub const CHANGE_LENGTH: u8 = 2;
/// No part of it can be asked for.
pub const NO_BYTERANGE: u8 = 4;
/// It is not to be kept in a proxy.
pub const NO_PROXY: u8 = 8;
/// It is not to be kept at all.
pub const NO_CACHE: u8 = 16;
/// A proxy's answer with `no-transform` is left alone.
pub const TRANSFORM: u8 = 32;

/// When a provider takes its smart filter's place.
#[derive(Clone, Debug)]
pub enum Condition {
    /// AddOutputFilterByType.
    Types(Vec<BString>),
    /// FilterProvider.
    Expr(Arc<Expr>),
}

/// A filter that can take a smart filter's place.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The filter's name.
    pub name: BString,
    /// When.
    pub condition: Condition,
    /// FilterProtocol.
    pub protocol: u8,
    /// The directive.
    pub at: Span,
}

/// A smart filter.
#[derive(Clone, Debug)]
pub struct Smart {
    /// Its place among the filters.
    pub kind: FilterKind,
    /// In the order of the configuration.
    pub providers: Vec<Provider>,
}

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// The smart filters, by name.
    pub smart: FxHashMap<BString, Arc<Smart>>,
    /// The chain.
    pub chain: Vec<Setting<BString>>,
    /// The chain does not go on from the one around.
    reset: bool,
}

impl Config for Filters {
    fn merge(&self, outer: &Self) -> Self {
        let mut smart = outer.smart.clone();
        smart.extend(self.smart.iter().map(|(name, filter)| (name.clone(), filter.clone())));
        let before = if self.reset { &[][..] } else { &outer.chain };
        let chain = [before, &self.chain].concat();
        Filters { smart, chain, reset: self.reset || outer.reset }
    }
}

impl Filters {
    fn smart(&mut self, name: &[u8]) -> &mut Smart {
        let new = || Arc::new(Smart { kind: FilterKind::RESOURCE, providers: Vec::new() });
        Arc::make_mut(self.smart.entry(name.into()).or_insert_with(new))
    }
}

pub(super) static DIRECTIVES: [Directive; 6] = [
    Directive {
        name: "AddOutputFilterByType",
        shape: Shape::Argv,
        scope: Scope::FILEINFO,
        usage: "output filter name followed by one or more content-types",
        doc: "A filter for answers of these media types.",
        apply: by_type,
    },
    Directive {
        name: "FilterChain",
        shape: Shape::Each,
        scope: Scope::OPTIONS,
        usage: "list of filter names with optional [+-=!@]",
        doc: "Which filters answers pass.",
        apply: chain,
    },
    Directive {
        name: "FilterDeclare",
        shape: Shape::OneTwo,
        scope: Scope::OPTIONS,
        usage: "filter-name [filter-type]",
        doc: "Makes a smart filter.",
        apply: declare,
    },
    Directive {
        name: "FilterProtocol",
        shape: Shape::TwoThree,
        scope: Scope::OPTIONS,
        usage: "filter-name [provider-name] protocol-args",
        doc: "What a filter does to the fields of the head.",
        apply: protocol,
    },
    Directive {
        name: "FilterProvider",
        shape: Shape::Three,
        scope: Scope::OPTIONS,
        usage: "filter-name provider-name match-expression",
        doc: "A filter that takes a smart filter's place where an expression holds.",
        apply: provider,
    },
    Directive {
        name: "FilterTrace",
        shape: Shape::Two,
        scope: Scope::RSRC_CONF.or(Scope::ACCESS_CONF),
        usage: "filter-name debug-level",
        doc: "Accepted without effect: `explain` says which filters an answer passes.",
        apply: trace,
    },
];

/// The filters of modules, and whose they are. Of those that rachis lacks the names are known too:
/// what they do is missing, which is warned of where they are loaded.
const KNOWN: [(&str, &str); 14] = [
    ("DEFLATE", "mod_deflate.c"),
    ("INFLATE", "mod_deflate.c"),
    ("BROTLI_COMPRESS", "mod_brotli.c"),
    ("INCLUDES", "mod_include.c"),
    ("SUBSTITUTE", "mod_substitute.c"),
    ("SED", "mod_sed.c"),
    ("RATE_LIMIT", "mod_ratelimit.c"),
    ("BUFFER", "mod_buffer.c"),
    ("CACHE", "mod_cache.c"),
    ("XML2ENC", "mod_xml2enc.c"),
    ("PROXY-HTML", "mod_proxy_html.c"),
    ("DATA", "mod_data.c"),
    ("REFLECTOR", "mod_reflector.c"),
    ("XLATEOUT", "mod_charset_lite.c"),
];

fn check_provider(place: &Place<'_, '_>, args: &Args<'_>, name: &[u8], n: usize) -> Applied {
    let known = KNOWN.iter().find(|(filter, _)| name.eq_ignore_ascii_case(filter.as_bytes()));
    if known.is_some_and(|(_, module)| place.module_active(module.as_bytes())) {
        return Ok(());
    }
    let message = format!("Unknown filter provider {}", name.as_bstr());
    Err(Mistake::new(message).id("RX0390").at(args.at(n), "no loaded module has this filter"))
}

fn by_type(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let [first, types @ ..] = args.words else { return Err(TOO_FEW.into()) };
    if types.is_empty() {
        return Err(TOO_FEW.into());
    }
    check_provider(place, args, &first.text, 0)?;
    let name: BString = [b"BYTYPE:", first.text.as_slice()].concat().into();
    let types = types.iter().map(|word| word.text.clone()).collect();
    let (condition, at) = (Condition::Types(types), args.span);
    let filters = place.dir::<Filters>();
    let provider = Provider { name: first.text.clone(), condition, protocol: 0, at };
    filters.smart(&name).providers.push(provider);
    if !filters.chain.iter().any(|link| link.value == name) {
        filters.chain.push(Setting::new(name, at));
    }
    Ok(())
}

const TOO_FEW: &str = "AddOutputFilterByType requires at least two arguments";

fn chain(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let word = args.text(0);
    let filters = place.dir::<Filters>();
    let link = |name: &[u8]| Setting::new(BString::from(name), args.span);
    match word {
        [b'@', name @ ..] => filters.chain.insert(0, link(name)),
        [b'-', name @ ..] => filters.chain.retain(|link| !link.value.eq_ignore_ascii_case(name)),
        [b'!', ..] => (filters.chain, filters.reset) = (Vec::new(), true),
        [b'=', name @ ..] => (filters.chain, filters.reset) = (vec![link(name)], true),
        [b'+', name @ ..] | name => filters.chain.push(link(name)),
    }
    Ok(())
}

fn declare(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let kind = match args.text(1).to_ascii_uppercase().as_slice() {
        b"CONTENT_SET" => FilterKind::CONTENT_SET,
        b"PROTOCOL" => FilterKind::PROTOCOL,
        b"TRANSCODE" => FilterKind::TRANSCODE,
        b"CONNECTION" => FilterKind::CONNECTION,
        b"NETWORK" => FilterKind::NETWORK,
        _ => FilterKind::RESOURCE,
    };
    let smart = Smart { kind, providers: Vec::new() };
    place.dir::<Filters>().smart.insert(args.text(0).into(), Arc::new(smart));
    Ok(())
}

fn provider(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    check_provider(place, args, args.text(1), 1)?;
    let parsed = expr::parse(args.text(2), Mode::Condition, place.expression_options());
    let parsed = parsed.map_err(|error| {
        let message = format!("Error parsing FilterProvider expression:{}", error.message);
        Mistake::new(message).id("RX0391").at(args.at(2), error.message.to_string())
    })?;
    let (condition, at) = (Condition::Expr(Arc::new(parsed)), args.span);
    let provider = Provider { name: args.text(1).into(), condition, protocol: 0, at };
    place.dir::<Filters>().smart(args.text(0)).providers.push(provider);
    Ok(())
}

fn protocol(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let filters = place.dir::<Filters>();
    let Some(smart) = filters.smart.get_mut(args.text(0).as_bstr()) else {
        return Err("FilterProtocol: No such filter".into());
    };
    let smart = Arc::make_mut(smart);
    // Without a provider it has no effect, in Apache neither.
    if let Some(words) = args.get(2) {
        let named = smart.providers.iter_mut().find(|known| known.name.eq_ignore_ascii_case(args.text(1)));
        let Some(provider) = named else {
            return Err("FilterProtocol: No such provider for this filter".into());
        };
        provider.protocol = flags(words);
    }
    Ok(())
}

fn flags(words: &[u8]) -> u8 {
    let words = words.split(|byte| b",; \t".contains(byte));
    words.fold(0, |flags, word| {
        flags
            | match word.to_ascii_lowercase().as_slice() {
                b"change=yes" => CHANGE | CHANGE_LENGTH,
                b"change=1:1" => CHANGE,
                b"byteranges=no" => NO_BYTERANGE,
                b"proxy=no" => NO_PROXY,
                b"proxy=transform" => TRANSFORM,
                b"cache=no" => NO_CACHE,
                _ => 0,
            }
    })
}

fn trace(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    if place.dir::<Filters>().smart.contains_key(args.text(0).as_bstr()) {
        return Ok(());
    }
    let message = format!("Undeclared smart filter {}", args.text(0).as_bstr());
    Err(Mistake::new(message).id("RX0392").at(args.at(0), "FilterDeclare makes one"))
}

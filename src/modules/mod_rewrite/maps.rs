//! RewriteMap: tables in text files, with random choice, and built-in functions.

use super::config::RewriteServer;
use crate::{
    engine::Cx,
    http::escape,
    policy::{Applied, Args, Mistake, Place, Setting},
    system,
};
use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::{sync::Arc, time::SystemTime};

/// Most bytes of a map's file.
const LONGEST: u64 = 256 << 20;

/// A map.
#[derive(Clone, Debug)]
pub enum Map {
    /// `txt:` and, with a random choice of values parted by `|`, `rnd:`.
    Text { file: BString, random: bool },
    /// `int:`.
    Internal(Internal),
}

/// The built-in functions.
#[derive(Clone, Copy, Debug)]
pub enum Internal {
    ToUpper,
    ToLower,
    Escape,
    Unescape,
}

/// Files of maps, as this worker read them last.
#[derive(Debug, Default)]
struct Tables {
    files: FxHashMap<BString, (Stamp, FxHashMap<BString, BString>)>,
    chosen: u64,
}

type Stamp = (SystemTime, u64);

pub fn directive(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let (name, source) = (args.text(0), args.text(1));
    let wrong = |text: String| Mistake::new(text).id("RX0745").at(args.at(1), "no map can be made of this");
    let (kind, rest) = match source.find_byte(b':') {
        Some(at) => (&source[..at], &source[at + 1..]),
        None => (&b"txt"[..], source),
    };
    let map = match kind {
        b"txt" | b"rnd" => Map::Text { file: place.server_path(rest), random: kind == b"rnd" },
        b"int" => Map::Internal(match rest {
            b"toupper" => Internal::ToUpper,
            b"tolower" => Internal::ToLower,
            b"escape" => Internal::Escape,
            b"unescape" => Internal::Unescape,
            _ => return Err(wrong(format!("RewriteMap: internal map not found:{}", rest.as_bstr()))),
        }),
        b"prg" | b"dbm" | b"dbd" | b"fastdbd" => {
            let kind = kind.as_bstr();
            let mistake = wrong(format!("RewriteMap: rachis does not have maps of the type {kind}"));
            return Err(mistake.note("txt, rnd and int are the types that there are"));
        }
        _ if kind.starts_with(b"dbm=") => {
            return Err(wrong("RewriteMap: rachis does not have maps of the type dbm".to_owned()));
        }
        _ => Map::Text { file: place.server_path(source), random: false },
    };
    if let Map::Text { file, .. } = &map
        && place.system().stat(system::path(file)).is_err()
    {
        let name = name.as_bstr();
        return Err(wrong(format!("RewriteMap: file for map {name} not found:{file}")));
    }
    let maps = &mut place.server::<RewriteServer>().maps;
    maps.retain(|(known, _)| known != name);
    maps.push((name.into(), Setting::new(Arc::new(map), args.span)));
    Ok(())
}

/// What a map has for a key.
pub fn look_up(cx: &mut Cx<'_>, name: &[u8], key: &[u8]) -> Option<BString> {
    let server: &RewriteServer = cx.server_conf();
    let (_, map) = server.maps.iter().find(|(known, _)| known == name)?;
    let value = match &*map.value {
        Map::Internal(Internal::ToUpper) => Some(key.to_ascii_uppercase().into()),
        Map::Internal(Internal::ToLower) => Some(key.to_ascii_lowercase().into()),
        Map::Internal(Internal::Escape) => Some(escape::uri(key)),
        Map::Internal(Internal::Unescape) => Some(unescape(key)),
        Map::Text { file, random } => {
            let found = in_file(cx, file, key)?;
            Some(if *random { choose(cx, &found) } else { found })
        }
    };
    if let Some(value) = &value {
        cx.because(map.at, format_args!("the map has '{value}' for '{}'", key.as_bstr()));
    }
    value
}

fn unescape(key: &[u8]) -> BString {
    let decoded: Vec<u8> = percent_encoding::percent_decode(key).collect();
    decoded.into()
}

fn in_file(cx: &mut Cx<'_>, file: &BString, key: &[u8]) -> Option<BString> {
    cx.once();
    let world = cx.engine.system.clone();
    let stat = world.stat(system::path(file)).ok()?;
    let stamp = (stat.modified(), stat.size);
    let tables: &mut Tables = cx.worker.slot();
    let known = tables.files.get(file).is_some_and(|(read, _)| *read == stamp);
    if !known {
        let text = world.read(system::path(file), LONGEST).ok()?;
        tables.files.insert(file.clone(), (stamp, table(&text)));
    }
    let (_, table) = tables.files.get(file)?;
    table.get(key.as_bstr()).cloned()
}

/// Lines of a key and a value; the first of a key holds.
fn table(text: &[u8]) -> FxHashMap<BString, BString> {
    let mut table = FxHashMap::default();
    for line in text.lines() {
        if line.first().is_none_or(|byte| *byte == b'#' || byte.is_ascii_whitespace()) {
            continue;
        }
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (key, rest) = line.split_at(end);
        let rest = rest.trim_start();
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        if !rest.is_empty() {
            table.entry(BString::from(key)).or_insert_with(|| BString::from(&rest[..end]));
        }
    }
    table
}

/// One of the parts between `|`.
fn choose(cx: &mut Cx<'_>, value: &[u8]) -> BString {
    use std::hash::{BuildHasher, RandomState};
    let parts: Vec<&[u8]> = value.split(|&byte| byte == b'|').collect();
    let tables: &mut Tables = cx.worker.slot();
    tables.chosen = tables.chosen.wrapping_add(1);
    let random = RandomState::new().hash_one(tables.chosen);
    let at = usize::try_from(random % parts.len() as u64).unwrap_or(0);
    parts.get(at).copied().unwrap_or_default().into()
}

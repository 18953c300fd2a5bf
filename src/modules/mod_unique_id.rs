//! mod_unique_id: a name for each request that no other request ever has, as `UNIQUE_ID`.
//!
//! Manual: `mod/mod_unique_id.html`: 20 bytes (seconds, random root, counter, thread) in 27 letters.

use crate::engine::{Cx, Hook, Module, Order, Phase, Verdict};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bstr::BString;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::UNIX_EPOCH,
};

/// The module's table.
pub static MODULE: Module = Module {
    name: "mod_unique_id",
    source: "mod_unique_id.c",
    identifier: "unique_id_module",
    hooks: &[Hook { phase: Phase::PostRead, order: Order::MIDDLE, run: name_it }],
    ..Module::NOTHING
};

/// What a worker's names have in common, and how many it gave.
#[derive(Debug)]
struct Names {
    root: [u8; 10],
    thread: [u8; 4],
    counter: u16,
}

impl Default for Names {
    fn default() -> Self {
        // The keys of the standard library's hash tables are the system's random numbers.
        let random = || RandomState::new().build_hasher().finish().to_be_bytes();
        let (mut root, [a, b, c, d, thread @ ..]) = ([0; 10], random());
        root[..8].copy_from_slice(&random());
        root[8..].copy_from_slice(&[a ^ c, b ^ d]);
        Names { root, thread, counter: 0 }
    }
}

fn name_it(cx: &mut Cx<'_>) -> Verdict {
    let before = cx.req.prev.as_ref().and_then(|prev| prev.env.get("UNIQUE_ID")).map(BString::from);
    let name = before.unwrap_or_else(|| fresh(cx).into());
    cx.req.env.set("UNIQUE_ID", name);
    Verdict::Declined
}

fn fresh(cx: &mut Cx<'_>) -> String {
    let since = cx.req.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The low bits: they go round after 136 years, as in Apache.
    let seconds = (since.as_secs() as u32).to_be_bytes();
    cx.once();
    let names: &mut Names = cx.worker.slot();
    let counter = names.counter.to_be_bytes();
    names.counter = names.counter.wrapping_add(1);
    URL_SAFE_NO_PAD.encode([&seconds[..], &names.root, &counter, &names.thread].concat())
}

//! `cargo +nightly fuzz run syntax`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rachis_fuzz::syntax(data));

//! `cargo +nightly fuzz run expr`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rachis_fuzz::expr(data));

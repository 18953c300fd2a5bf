//! `cargo +nightly fuzz run request_head`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rachis_fuzz::request_head(data));

//! `cargo +nightly fuzz run htaccess`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rachis_fuzz::htaccess(data));

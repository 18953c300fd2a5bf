//! `cargo +nightly fuzz run cgi_head`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rachis_fuzz::cgi_head(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &str| tocsin_ingest_fuzz::envelope(body));

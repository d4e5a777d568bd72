#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| tocsin_ingest_fuzz::parse("/api/v1/webhooks/cloudwatch", body));

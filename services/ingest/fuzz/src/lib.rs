//! What the fuzz targets check: a parser never panics, and what it accepts is in normal form and survives the envelope.
//!
//! `./dev fuzz 60 grafana` runs one target for a minute, beginning with its fixtures. It needs no nightly compiler.
//! Sanitizers are off: there is no unsafe code here to find faults in. A finding lies in `target/fuzz/artifacts`; fix
//! it, and keep it as a fixture or a unit test.

// The same rules as in the property tests, from the same file.
#[path = "../../src/sources/invariants.rs"]
mod invariants;

use std::collections::HashMap;

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};
use tocsin_ingest::sources::{ALL, KeyPlace, Request};
use tocsin_shared::Envelope;
use tocsin_shared::envelope::FIELDS;

/// A fixed time of receipt, so that a finding can be repeated: 2026-11-23T12:00:00Z.
const RECEIVED_AT: DateTime<Utc> = DateTime::from_timestamp(1_795_435_200, 0).expect("a time");

/// Reads a body as the sender at `path` would have it read.
pub fn parse(path: &str, body: &[u8]) {
    let source = ALL.iter().find(|source| source.path == path).expect("a source has this path");
    if let KeyPlace::Body(key) = source.key {
        let _ = key(body);
    }
    let request = Request { headers: &HeaderMap::new(), body, received_at: RECEIVED_AT };
    if let Ok(parsed) = (source.parse)(&request) {
        invariants::check(parsed.alerts, parsed.acknowledged, RECEIVED_AT);
    }
}

/// Reads an entry of the stream whose body is `body`; one that can be read is written and read again.
pub fn envelope(body: &str) {
    let fields = [
        ("v", "1"),
        ("id", "0193593c-8f1a-7c9e-b9b8-7f3b3f1f2a10"),
        ("received_at", "2026-11-23T12:00:00.000000Z"),
        ("source", "any"),
        ("integration", "default"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("body", body),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    if let Ok(read) = Envelope::from_fields(&fields) {
        let written = read.to_values().expect("an envelope can be written");
        let fields: HashMap<_, _> = FIELDS.map(str::to_owned).into_iter().zip(written).collect();
        assert_eq!(Envelope::from_fields(&fields).expect("what was written can be read"), read);
    }
}

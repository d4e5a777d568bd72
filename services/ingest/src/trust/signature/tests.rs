use actix_web::http::header::HeaderValue;
use proptest::prelude::*;
use tocsin_service::config::Document;

use super::*;

/// A time, in seconds since 1970.
pub(in crate::trust) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub(in crate::trust) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// What a refused request is told.
pub(in crate::trust) fn refusal(result: Result<(), Problem>) -> String {
    let problem = result.unwrap_err();
    assert_eq!(problem.code(), ErrorCode::InvalidSignature);
    problem.message().to_owned()
}

/// A signature that is configured like this.
fn signature(yaml: &str) -> Signature {
    let text = format!("integrations: [{{name: a, keys: [{{sha256_env: K}}], signatures: [{yaml}]}}]");
    let document = Document::parse(&text).unwrap();
    Signature::read(&document.integrations[0].signatures[0], "s", &Environment::default()).unwrap()
}

fn told(signature: &Signature, pairs: &[(&'static str, &str)], body: &[u8], now: i64) -> String {
    signature.verify(&headers(pairs), body, at(now)).err().map(|failure| failure.to_string()).unwrap_or_default()
}

// The example of GitHub's documentation, whose X-Hub-Signature-256 has this form.
const HELLO_SECRET: &str = "It's a Secret to Everybody";
const HELLO: &[u8] = b"Hello, World!";
const HELLO_DIGITS: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

// The example of the Standard Webhooks libraries.
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const STANDARD_AT: i64 = 1_614_265_330;
const STANDARD_BODY: &[u8] = br#"{"test": 2432232314}"#;
const STANDARD_TAG: &str = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn hello(kind: &str) -> Signature {
    signature(&format!("{{{kind}: {{secret: {HELLO_SECRET:?}}}}}"))
}

fn standard() -> Signature {
    signature(&format!("{{standard_webhooks: {{secret: {STANDARD_SECRET}}}}}"))
}

fn standard_headers(signatures: &str) -> [(&'static str, &str); 3] {
    [
        (standard_webhooks::SIGNATURE, signatures),
        (standard_webhooks::ID, STANDARD_ID),
        (standard_webhooks::TIMESTAMP, "1614265330"),
    ]
}

#[test]
fn a_prefixed_digest_of_the_body_is_authentic() {
    let signature = hello("hmac_sha256");
    let header = format!("sha256={HELLO_DIGITS}");
    assert_eq!(told(&signature, &[(HMAC_SHA256, &header)], HELLO, 0), "");
    let upper = format!("sha256={}", HELLO_DIGITS.to_ascii_uppercase());
    assert_eq!(told(&signature, &[(HMAC_SHA256, &upper)], HELLO, 0), "");
    assert_eq!(
        told(&signature, &[(HMAC_SHA256, &header)], b"Hello, World?", 0),
        "header x-webhook-signature: does not match"
    );
}

#[test]
fn a_digest_of_another_form_cannot_be_read() {
    let signature = hello("hmac_sha256");
    let (bare, sha1) = (HELLO_DIGITS.to_owned(), format!("sha1={}", &HELLO_DIGITS[..40]));
    let (short, long) = (format!("sha256={}", &HELLO_DIGITS[2..]), format!("sha256={HELLO_DIGITS}00"));
    for header in [&bare, &sha1, &short, &long, "sha256=", "", "sha256=é", "sha256=\u{9}"] {
        let told = told(&signature, &[(HMAC_SHA256, header)], HELLO, 0);
        assert_eq!(told, "header x-webhook-signature: cannot be read", "{header}");
    }
    assert_eq!(told(&signature, &[], HELLO, 0), "header x-webhook-signature: is missing");
}

#[test]
fn a_header_that_is_not_ascii_is_refused() {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(SENTRY), HeaderValue::from_bytes(b"\xff\xfe\x80").unwrap());
    let signature = hello("sentry");
    let failure = signature.verify(&headers, HELLO, at(0)).unwrap_err();
    assert_eq!(failure.to_string(), "header sentry-hook-signature: cannot be read");
}

#[test]
fn sentrys_signature_is_the_bare_digest() {
    let signature = hello("sentry");
    assert_eq!(told(&signature, &[(SENTRY, HELLO_DIGITS)], HELLO, 0), "");
    assert_eq!(told(&signature, &[(SENTRY, HELLO_DIGITS)], b"", 0), "header sentry-hook-signature: does not match");
}

#[test]
fn a_body_is_signed_byte_by_byte() {
    // printf 'Größe 🐘' | openssl dgst -sha256 -hmac 'schlüssel'
    let signature = signature("{sentry: {secret: schlüssel}}");
    let digits = "bfba27968189a90f1e96226b029959d4449facc58b38d339326e734cd750b8c8";
    assert_eq!(told(&signature, &[(SENTRY, digits)], "Größe 🐘".as_bytes(), 0), "");
}

#[test]
fn grafanas_header_is_the_one_that_the_contact_point_names() {
    const USUAL: &str = "x-grafana-alerting-signature";
    assert_eq!(told(&hello("grafana"), &[(USUAL, HELLO_DIGITS)], HELLO, 0), "");
    let renamed = signature(&format!("{{grafana: {{secret: {HELLO_SECRET:?}, header: X-Other}}}}"));
    assert_eq!(told(&renamed, &[("x-other", HELLO_DIGITS)], HELLO, 0), "");
    assert_eq!(told(&renamed, &[(USUAL, HELLO_DIGITS)], HELLO, 0), "header x-other: is missing");
}

#[test]
fn grafana_signs_the_time_too_where_it_has_a_header_for_it() {
    // printf '1700000000:{}' | openssl dgst -sha256 -hmac s
    const DIGITS: &str = "25db7d4a364f4fe8de78551f18aed9d3ddb07e8188a24a8288f8fa98fb78f0aa";
    let signature = signature("{grafana: {secret: s, header: sig, timestamp_header: time}}");
    let sent = [("sig", DIGITS), ("time", "1700000000")];
    assert_eq!(told(&signature, &sent, b"{}", 1_700_000_299), "");
    assert_eq!(told(&signature, &sent, b"{}", 1_700_000_301), "header time: is more than 5 minutes off");
    assert_eq!(told(&signature, &sent[..1], b"{}", 1_700_000_000), "header time: is missing");
    let later = [sent[0], ("time", "1700000001")];
    assert_eq!(told(&signature, &later, b"{}", 1_700_000_000), "header sig: does not match");
    for time in ["soon", "+1700000000", "1.7e9", "-1", "99999999999999999999"] {
        assert_eq!(told(&signature, &[sent[0], ("time", time)], b"{}", 1_700_000_000), "header time: cannot be read");
    }
}

#[test]
fn the_example_of_standard_webhooks_is_authentic() {
    let one = format!("v1,{STANDARD_TAG}");
    assert_eq!(told(&standard(), &standard_headers(&one), STANDARD_BODY, STANDARD_AT), "");
    assert_eq!(told(&standard(), &standard_headers(&one), STANDARD_BODY, STANDARD_AT + 300), "");
    let stale = "header webhook-timestamp: is more than 5 minutes off";
    assert_eq!(told(&standard(), &standard_headers(&one), STANDARD_BODY, STANDARD_AT + 301), stale);
    assert_eq!(told(&standard(), &standard_headers(&one), STANDARD_BODY, STANDARD_AT - 301), stale);
    let wrong = "header webhook-signature: does not match";
    assert_eq!(told(&standard(), &standard_headers(&one), b"{}", STANDARD_AT), wrong);
}

#[test]
fn one_of_several_signatures_is_enough() {
    let other = format!("v1,{}", BASE64_STANDARD.encode([7; 32]));
    let several = format!("v1a,bm90IGZvciB1cw== {other} v1,{STANDARD_TAG} v2,x");
    assert_eq!(told(&standard(), &standard_headers(&several), STANDARD_BODY, STANDARD_AT), "");
    let wrong = "header webhook-signature: does not match";
    assert_eq!(told(&standard(), &standard_headers(&other), STANDARD_BODY, STANDARD_AT), wrong);
    let none = format!("v2,{STANDARD_TAG} {STANDARD_TAG} v1,???");
    let unreadable = "header webhook-signature: cannot be read";
    assert_eq!(told(&standard(), &standard_headers(&none), STANDARD_BODY, STANDARD_AT), unreadable);
}

#[test]
fn the_id_is_signed_too() {
    let one = format!("v1,{STANDARD_TAG}");
    let mut renamed = standard_headers(&one);
    renamed[1].1 = "msg_other";
    let wrong = "header webhook-signature: does not match";
    assert_eq!(told(&standard(), &renamed, STANDARD_BODY, STANDARD_AT), wrong);
    assert_eq!(told(&standard(), &renamed[..1], STANDARD_BODY, STANDARD_AT), "header webhook-id: is missing");
}

#[test]
fn no_secret_is_shown_by_debug() {
    let shown = format!("{:?} {:?}", hello("sentry"), standard());
    assert!(!shown.contains("Secret") && !shown.contains("MfKQ"), "{shown}");
}

proptest! {
    #[test]
    fn any_bit_flipped_in_the_body_or_the_signature_fails(
        body in proptest::collection::vec(any::<u8>(), 1..200),
        secret in "[a-z0-9]{1,80}",
        place in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let digest = tag(&key, &[&body]).as_ref().to_vec();
        let signature = Signature::Sentry(key);
        let verify = |body: &[u8], digest: &[u8]| {
            signature.verify(&headers(&[(SENTRY, &hex::encode(digest))]), body, at(0)).is_ok()
        };
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
            bytes
        };
        prop_assert!(verify(&body, &digest));
        prop_assert!(!verify(&flipped(&body), &digest));
        prop_assert!(!verify(&body, &flipped(&digest)));
    }

    #[test]
    fn no_header_makes_a_verifier_panic(value in proptest::collection::vec(0x20_u8..0xff, 0..100)) {
        let mut all = HeaderMap::new();
        for name in [SENTRY, HMAC_SHA256, standard_webhooks::SIGNATURE, standard_webhooks::ID, standard_webhooks::TIMESTAMP] {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                all.insert(HeaderName::from_static(name), value);
            }
        }
        for signature in [hello("sentry"), hello("hmac_sha256"), standard()] {
            prop_assert!(signature.verify(&all, b"", at(0)).is_err());
        }
    }
}

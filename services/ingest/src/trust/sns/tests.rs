use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::{join, join_all};
use futures_util::poll;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::fetch::FetchError;
use super::*;
use crate::trust::signature::tests::refusal;

const CERTIFICATE_URL: &str =
    "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:alarms";

macro_rules! message {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/cloudwatch/", $name, ".json"))).unwrap()
    };
}

macro_rules! certificate {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/sns/", $name, ".pem")).as_slice()
    };
}

/// Serves files, and counts who asks.
struct Served {
    files: HashMap<String, &'static [u8]>,
    asked: AtomicU32,
    /// Each answer waits for one of these.
    answers: Semaphore,
}

impl Served {
    fn at(url: &str, file: &'static [u8]) -> Self {
        let files = HashMap::from([(url.to_owned(), file)]);
        Self { files, asked: AtomicU32::new(0), answers: Semaphore::new(Semaphore::MAX_PERMITS) }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Fetch for Served {
    async fn get(&self, url: &Url, _max_bytes: usize) -> Result<Vec<u8>, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.answers.acquire().await.unwrap().forget();
        let file = self.files.get(url.as_str()).ok_or(FetchError::Status(StatusCode::FORBIDDEN))?;
        Ok(file.to_vec())
    }
}

fn sns(certificate: &'static [u8]) -> Sns<Served> {
    Sns::with(Served::at(CERTIFICATE_URL, certificate))
}

impl Sns<Served> {
    async fn verify_any(&self, message: &Value) -> Result<(), Problem> {
        self.verify(message.to_string().as_bytes(), &[]).await
    }
}

/// The message with another value in a field.
fn with(mut message: Value, field: &str, value: &str) -> Value {
    message[field] = value.into();
    message
}

fn code(result: Result<(), Problem>) -> ErrorCode {
    result.unwrap_err().code()
}

#[tokio::test]
async fn every_message_of_sns_is_authentic() {
    let sns = sns(certificate!("certificate"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cloudwatch");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 12);
    for file in files {
        let body = std::fs::read(&file).unwrap();
        assert_eq!(sns.verify(&body, &[]).await, Ok(()), "{}", file.display());
        assert_eq!(sns.verify(&body, &["other".to_owned(), TOPIC.to_owned()]).await, Ok(()));
    }
    assert_eq!(sns.web.asked(), 1, "the certificate is fetched once");
}

#[tokio::test]
async fn no_signed_field_can_be_changed() {
    let sns = sns(certificate!("certificate"));
    for message in [message!("plain_text"), message!("eventbridge"), message!("subscription_confirmation")] {
        for field in ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Token", "SubscribeURL"] {
            let is_signed = match message["Type"].as_str() {
                Some("Notification") => !["Token", "SubscribeURL"].contains(&field),
                _ => field != "Subject",
            };
            let told = sns.verify_any(&with(message.clone(), field, "https://sns.us-east-1.amazonaws.com/")).await;
            if is_signed {
                assert_eq!(refusal(told), "field Signature: does not match", "{field}");
            } else {
                assert_eq!(told, Ok(()), "{field} is not part of such a message, and not looked at");
            }
        }
    }
    let mut without_subject = message!("plain_text");
    without_subject.as_object_mut().unwrap().remove("Subject");
    assert_eq!(refusal(sns.verify_any(&without_subject).await), "field Signature: does not match");
}

#[tokio::test]
async fn only_the_two_versions_are_understood_and_each_has_its_own_hash() {
    let sns = sns(certificate!("certificate"));
    let told =
        async |message: Value, version| refusal(sns.verify_any(&with(message, "SignatureVersion", version)).await);
    assert_eq!(told(message!("plain_text"), "2").await, "field Signature: does not match");
    assert_eq!(told(message!("eventbridge"), "1").await, "field Signature: does not match");
    for version in ["0", "3", "", "1.0"] {
        let fault = "field SignatureVersion: is not one that is understood";
        assert_eq!(told(message!("alarm"), version).await, fault, "{version}");
    }
}

#[tokio::test]
async fn a_signature_that_is_none_is_refused() {
    let sns = sns(certificate!("certificate"));
    let told = async |signature| refusal(sns.verify_any(&with(message!("alarm"), "Signature", signature)).await);
    assert_eq!(told("???").await, "field Signature: cannot be read");
    assert_eq!(told("").await, "field Signature: does not match");
    assert_eq!(told("AAAA").await, "field Signature: does not match");
}

#[tokio::test]
async fn nothing_is_fetched_for_another_topic_or_from_another_place() {
    let sns = sns(certificate!("certificate"));
    let told = sns.verify(message!("alarm").to_string().as_bytes(), &["arn:aws:sns:eu-central-1:1:x".to_owned()]).await;
    assert_eq!(refusal(told), "field TopicArn: is not a topic of this integration");
    for url in [
        "http://sns.us-east-1.amazonaws.com/c.pem",
        "https://sns.us-east-1.amazonaws.com/c.pem.exe",
        "https://sns.us-east-1.amazonaws.com/c.pem?x=1",
        "https://sns.us-east-1.amazonaws.com/c?x=.pem",
        "https://sns.us-east-1.amazonaws.com/c#.pem",
        "https://sns.us-east-1.amazonaws.com:8443/c.pem",
        "https://sns.us-east-1.amazonaws.com./c.pem",
        "https://user@sns.us-east-1.amazonaws.com/c.pem",
        "https://:password@sns.us-east-1.amazonaws.com/c.pem",
        "https://sns.us-east-1.amazonaws.com.example.com/c.pem",
        "https://sns.us-east-1.amazonaws.com.cn.example.com/c.pem",
        "https://sns.us-east-1.amazonaws.com.de/c.pem",
        "https://sns.us-east-1.amazonaws.com\\@example.com/../c.pem?",
        "https://sns.us.east.amazonaws.com/c.pem",
        "https://sns.us_east.amazonaws.com/c.pem",
        "https://sns.ab.amazonaws.com/c.pem",
        "https://sns..amazonaws.com/c.pem",
        "https://xsns.us-east-1.amazonaws.com/c.pem",
        "https://example.com/sns.us-east-1.amazonaws.com/c.pem",
        "https://s3.us-east-1.amazonaws.com/c.pem",
        "https://127.0.0.1/c.pem",
        "/c.pem",
        "",
        &format!("https://sns.us-east-1.amazonaws.com/{}.pem", "a".repeat(MAX_URL_BYTES)),
    ] {
        let told = refusal(sns.verify_any(&with(message!("alarm"), "SigningCertURL", url)).await);
        assert_eq!(told, "field SigningCertURL: is not the address of a certificate of SNS", "{url}");
    }
    assert_eq!(sns.web.asked(), 0);
}

#[tokio::test]
async fn sns_has_an_address_in_every_region() {
    for url in [
        "https://sns.us-east-1.amazonaws.com/c.pem",
        "https://SNS.us-gov-west-1.amazonaws.com:443/c.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/a/c.pem",
    ] {
        assert!(certificate_url(url).is_some(), "{url}");
    }
}

#[tokio::test]
async fn only_a_valid_certificate_with_the_key_of_the_signature_will_do() {
    let told = async |certificate| refusal(sns(certificate).verify_any(&message!("alarm")).await);
    let invalid = "field SigningCertURL: holds a certificate that is not valid now";
    assert_eq!(told(certificate!("expired")).await, invalid);
    assert_eq!(told(certificate!("early")).await, invalid);
    assert_eq!(told(certificate!("other")).await, "field Signature: does not match");
    let unusable = "field SigningCertURL: does not hold a certificate that can be used";
    for file in
        [certificate!("elliptic"), b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        assert_eq!(told(file).await, unusable);
    }
}

#[tokio::test]
async fn what_is_no_message_is_a_malformed_body() {
    let sns = sns(certificate!("certificate"));
    assert_eq!(code(sns.verify(b"{", &[]).await), ErrorCode::InvalidJson);
    assert_eq!(code(sns.verify(b"{}", &[]).await), ErrorCode::InvalidPayload);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_a_while_and_then_tried_again() {
    let mut sns = sns(certificate!("certificate"));
    let file = sns.web.files.drain().next();
    for _ in 0..3 {
        let problem = sns.verify_any(&message!("alarm")).await.unwrap_err();
        assert_eq!(problem.code(), ErrorCode::CertificateUnavailable);
    }
    assert_eq!(sns.web.asked(), 1);
    sns.web.files.extend(file);
    assert_eq!(code(sns.verify_any(&message!("alarm")).await), ErrorCode::CertificateUnavailable);
    tokio::time::advance(certificates::FAILURE_LIFETIME).await;
    assert_eq!(sns.verify_any(&message!("alarm")).await, Ok(()));
    assert_eq!(sns.web.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_looked_at_again_after_a_day() {
    let sns = sns(certificate!("certificate"));
    assert_eq!(sns.verify_any(&message!("alarm")).await, Ok(()));
    tokio::time::advance(certificates::LIFETIME / 2).await;
    assert_eq!(sns.verify_any(&message!("ok")).await, Ok(()));
    assert_eq!(sns.web.asked(), 1);
    tokio::time::advance(certificates::LIFETIME / 2).await;
    assert_eq!(sns.verify_any(&message!("ok")).await, Ok(()));
    assert_eq!(sns.web.asked(), 2);
}

#[tokio::test]
async fn those_who_wait_for_one_certificate_share_its_fetch() {
    let mut sns = sns(certificate!("certificate"));
    sns.web.answers = Semaphore::new(0);
    let (alarm, ok) = (message!("alarm"), message!("ok"));
    let all = join_all((0..20).map(|n| sns.verify_any(if n % 2 == 0 { &alarm } else { &ok })));
    let answered = async { sns.web.answers.add_permits(1) };
    let (all, ()) = join(all, answered).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(sns.web.asked(), 1);
}

#[tokio::test]
async fn when_the_one_who_fetches_goes_away_the_next_goes_on() {
    let mut sns = sns(certificate!("certificate"));
    sns.web.answers = Semaphore::new(0);
    let message = message!("alarm");
    let mut first = Box::pin(sns.verify_any(&message));
    let mut second = Box::pin(sns.verify_any(&message));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    drop(first);
    sns.web.answers.add_permits(1);
    assert_eq!(second.await, Ok(()));
    assert_eq!(sns.web.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_takes_too_long_puts_the_message_off() {
    let mut sns = sns(certificate!("certificate"));
    sns.web.answers = Semaphore::new(0);
    let problem = sns.verify_any(&message!("alarm")).await.unwrap_err();
    assert_eq!(problem.code(), ErrorCode::CertificateUnavailable);
}

#[tokio::test(start_paused = true)]
async fn forged_addresses_cause_few_fetches_and_do_not_touch_what_is_known() {
    let sns = sns(certificate!("certificate"));
    assert_eq!(sns.verify_any(&message!("alarm")).await, Ok(()));
    for number in 0..500 {
        let forged = format!("https://sns.eu-central-1.amazonaws.com/{number}.pem");
        let told = sns.verify_any(&with(message!("alarm"), "SigningCertURL", &forged)).await;
        assert_eq!(code(told), ErrorCode::CertificateUnavailable);
        assert_eq!(sns.verify_any(&message!("ok")).await, Ok(()));
    }
    assert_eq!(sns.web.asked(), budget::MAX_PER_WINDOW);
    tokio::time::advance(budget::WINDOW).await;
    let forged = "https://sns.eu-central-1.amazonaws.com/another.pem";
    assert!(sns.verify_any(&with(message!("alarm"), "SigningCertURL", forged)).await.is_err());
    assert_eq!(sns.web.asked(), budget::MAX_PER_WINDOW + 1);
}

#[tokio::test]
async fn a_subscription_is_confirmed_at_sns_and_nowhere_else() {
    let url = message!("subscription_confirmation")["SubscribeURL"].as_str().unwrap().to_owned();
    let url: Url = url.parse().unwrap();
    let sns = Sns::with(Served::at(url.as_str(), b"<ConfirmSubscriptionResponse/>"));
    assert_eq!(sns.confirm(&url).await, Ok(()));
    let elsewhere: Url = url.as_str().replace("amazonaws.com", "example.com").parse().unwrap();
    assert_eq!(refusal(sns.confirm(&elsewhere).await), "field SubscribeURL: is not an address of SNS");
    assert_eq!(sns.web.asked(), 1);
    let unknown: Url = url.as_str().replace("Token=", "Token=x").parse().unwrap();
    assert_eq!(code(sns.confirm(&unknown).await), ErrorCode::SubscriptionUnconfirmed);
}

#[test]
fn any_bit_flipped_in_the_body_fails_or_changes_nothing_that_is_signed() {
    let body = include_bytes!("../../../fixtures/cloudwatch/plain_text.json");
    let signed = Message::read(body).unwrap().string_to_sign();
    let sns = sns(certificate!("certificate"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(sns.verify(body, &[])), Ok(()));
    let flips = (0..body.len(), 0_u32..8);
    let property = |(at, bit): (usize, u32)| {
        let mut flipped = body.to_vec();
        flipped[at] ^= 1 << bit;
        if runtime.block_on(sns.verify(&flipped, &[])).is_ok() {
            prop_assert_eq!(Message::read(&flipped).unwrap().string_to_sign(), signed.as_str());
        }
        Ok(())
    };
    TestRunner::default().run(&flips, property).unwrap();
}

#[test]
fn any_bit_flipped_in_the_signature_fails() {
    let message = message!("eventbridge");
    let signature = BASE64_STANDARD.decode(message["Signature"].as_str().unwrap()).unwrap();
    let sns = sns(certificate!("certificate"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let flips = (0..signature.len(), 0_u32..8);
    let property = |(at, bit): (usize, u32)| {
        let mut flipped = signature.clone();
        flipped[at] ^= 1 << bit;
        let forged = with(message.clone(), "Signature", &BASE64_STANDARD.encode(flipped));
        prop_assert!(runtime.block_on(sns.verify_any(&forged)).is_err());
        Ok(())
    };
    TestRunner::default().run(&flips, property).unwrap();
}

//! Reading again what has not changed, and reading less of what has.

use reqwest::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use tocsin_shared::AlertStatus;

use crate::api::{Api, READER, alone, delivery, problem};

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again_until_it_changes() {
    let api = Api::start().await;
    api.apply(&alone(2)).await;
    for path in ["/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/alerts"] {
        let response = api.get_as(READER, path).await;
        assert_eq!(response.headers()[CACHE_CONTROL], "private, no-cache");
        let etag = response.headers()[ETAG].clone();
        let again = async |etag: &HeaderValue| {
            let request = api.client.get(api.url(path)).bearer_auth(READER).header(IF_NONE_MATCH, etag);
            request.send().await.unwrap()
        };
        let unchanged = again(&etag).await;
        assert_eq!((unchanged.status().as_u16(), &unchanged.headers()[ETAG]), (304, &etag), "{path}");
        assert_eq!(unchanged.bytes().await.unwrap().len(), 0);
        assert_eq!(again(&HeaderValue::from_static("W/\"other\"")).await.status(), 200);

        let second = if path.ends_with("alerts") { 5 } else { 4 };
        api.apply(&[delivery("group-01", &format!("two{second}{}", path.len()), AlertStatus::Firing, second)]).await;
        let changed = again(&etag).await;
        assert_eq!(changed.status(), 200, "{path}");
        assert_ne!(changed.headers()[ETAG], etag);
    }
    let anonymous = api.client.get(api.url("/api/v1/incidents")).header(IF_NONE_MATCH, "*").send().await.unwrap();
    assert_eq!(anonymous.headers()[CACHE_CONTROL], "no-store");
    problem(anonymous, 401, "missing_token").await;
}

#[tokio::test]
async fn answers_are_compressed_for_whoever_takes_that() {
    let api = Api::start().await;
    api.apply(&alone(20)).await;
    let plain = api.get_as(READER, "/api/v1/incidents").await;
    assert!(!plain.headers().contains_key(CONTENT_ENCODING));
    let length = plain.bytes().await.unwrap().len();
    let request = api.client.get(api.url("/api/v1/incidents")).bearer_auth(READER).header("Accept-Encoding", "gzip");
    let packed = request.send().await.unwrap();
    assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
    assert!(packed.headers().get_all(VARY).iter().any(|vary| vary.to_str().unwrap().contains("accept-encoding")));
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() * 3 < length && packed.starts_with(&[0x1f, 0x8b]), "{} of {length}", packed.len());
}

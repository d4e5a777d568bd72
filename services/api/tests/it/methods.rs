//! Methods: `HEAD` wherever there is `GET`, and 405 for all that there is not. The routes are those of the API's own description.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use reqwest::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName};

use crate::api::{ADMIN, Api, alone, problem};
use crate::scopes::operations;

/// A stream without end.
const ENDLESS: &str = "/api/v1/events";
/// What differs from one moment to the next.
const MOVING: [&str; 2] = ["/api/v1/system", "/metrics"];
/// What a body says of itself in the head.
const OF_BODIES: [HeaderName; 2] = [ETAG, CONTENT_LENGTH];

async fn ask(api: &Api, method: Method, path: &str) -> reqwest::Response {
    api.client.request(method, api.url(path)).bearer_auth(ADMIN).send().await.unwrap()
}

#[tokio::test]
async fn head_is_answered_as_get_is_and_without_a_body() {
    let api = Api::start().await;
    api.apply(&alone(1)).await;
    let (mut asked, mut found) = (0, 0);
    for operation in operations(&api).await {
        let path = operation.path;
        if operation.method != Method::GET || path == ENDLESS {
            continue;
        }
        let (get, head) = (ask(&api, Method::GET, &path).await, ask(&api, Method::HEAD, &path).await);
        assert_eq!(head.status(), get.status(), "{path}");
        found += usize::from(get.status() == 200);
        for name in [CONTENT_TYPE, CACHE_CONTROL, ETAG, CONTENT_LENGTH] {
            let (told, expected) = (head.headers().get(&name), get.headers().get(&name));
            if OF_BODIES.contains(&name) && MOVING.contains(&path.as_str()) {
                assert_eq!(told.is_some(), expected.is_some(), "{path}: {name}");
            } else {
                assert_eq!(told, expected, "{path}: {name}");
            }
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
        asked += 1;
    }
    assert!(asked >= 20 && found >= 12, "{asked}, {found}");
    let etag = ask(&api, Method::HEAD, "/api/v1/incidents/1").await.headers()[ETAG].clone();
    let known = api.client.head(api.url("/api/v1/incidents/1")).bearer_auth(ADMIN).header("If-None-Match", etag);
    assert_eq!(known.send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn an_address_that_does_not_take_a_method_names_those_that_it_takes() {
    let api = Api::start().await;
    let mut taken: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations(&api).await {
        let methods = taken.entry(operation.path.clone()).or_default();
        methods.insert(operation.method.to_string());
        if operation.method == Method::GET && operation.path != ENDLESS {
            methods.insert("HEAD".to_owned());
        }
    }
    for (path, methods) in taken {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if methods.contains(method.as_str()) {
                continue;
            }
            let response = ask(&api, method.clone(), &path).await;
            let allowed = response.headers().get(ALLOW).map(|allowed| allowed.to_str().unwrap().to_owned());
            let allowed: BTreeSet<String> =
                allowed.iter().flat_map(|text| text.split(", ").map(str::to_owned)).collect();
            assert_eq!((response.status().as_u16(), &allowed), (405, &methods), "{method} {path}");
            if method != Method::HEAD {
                problem(response, 405, "method_not_allowed").await;
            }
        }
    }
}

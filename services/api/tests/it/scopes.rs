//! Each scope on each route. The routes are those of the API's own description, so that none can be forgotten.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::api::{ADMIN, Api, READER, RESPONDER, problem};

/// A route as it is described.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The scope that it needs; `""` if any token will do, and none if it needs no token.
    scope: Option<String>,
    has_body: bool,
}

pub(crate) async fn operations(api: &Api) -> Vec<Operation> {
    let response = api.client.get(api.url("/openapi.json")).send().await.unwrap();
    assert_eq!(response.status(), 200, "the description is for everybody");
    let document: Value = response.json().await.unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            let scope = security.first().map(|one| one["bearer"][0].as_str().unwrap_or_default().to_owned());
            operations.push(Operation {
                method: method.to_ascii_uppercase().parse().unwrap(),
                path: path.replace("{id}", "1"),
                scope,
                has_body: operation["requestBody"].is_object(),
            });
        }
    }
    operations
}

impl Operation {
    /// A request that does nothing, whoever sends it: where there is a body, it cannot be meant.
    fn request(&self, api: &Api) -> RequestBuilder {
        let request = api.client.request(self.method.clone(), api.url(&self.path));
        if self.has_body { request.json(&json!({"nonsense": 1})) } else { request }
    }

    fn allows(&self, scope: &str) -> bool {
        self.scope.as_deref().is_none_or(|needed| needed.is_empty() || needed == scope || scope == "admin")
    }
}

#[tokio::test]
async fn each_scope_opens_what_the_description_says_and_nothing_else() {
    let api = Api::start().await;
    let operations = operations(&api).await;
    for needed in ["read", "respond", "admin"] {
        assert!(operations.iter().any(|operation| operation.scope.as_deref() == Some(needed)), "{needed}");
    }
    assert!(operations.len() >= 39, "{}", operations.len());
    for operation in &operations {
        let what = format!("{} {}", operation.method, operation.path);
        for (token, scope) in [(READER, "read"), (RESPONDER, "respond"), (ADMIN, "admin")] {
            let response =
                operation.request(&api).bearer_auth(token).header("X-Tocsin-Client", "test").send().await.unwrap();
            let status = response.status().as_u16();
            if operation.allows(scope) {
                assert!(status != 401 && status != 403 && status < 500, "{what} with {scope}: {status}");
            } else {
                assert_eq!(status, 403, "{what} with {scope}");
                problem(response, 403, "insufficient_scope").await;
            }
        }
        let anonymous = operation.request(&api).header("X-Tocsin-Client", "test").send().await.unwrap();
        if operation.scope.is_some() {
            assert_eq!(anonymous.status(), 401, "{what} without a token");
            problem(anonymous, 401, "missing_token").await;
            let unknown = operation.request(&api).bearer_auth("token-of-nobody").send().await.unwrap();
            assert_eq!(unknown.status(), 401, "{what} with a token that is not known");
            problem(unknown, 401, "invalid_token").await;
        } else {
            assert!(![401, 403].contains(&anonymous.status().as_u16()), "{what}: {}", anonymous.status());
        }
    }
}

#[tokio::test]
async fn a_session_alone_changes_nothing_on_any_route() {
    let api = Api::start().await;
    let sign_in = api.client.post(api.url("/api/v1/session")).header("X-Tocsin-Client", "test");
    let response = sign_in.json(&json!({"token": ADMIN})).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut changing = 0;
    for operation in operations(&api).await.iter().filter(|operation| operation.method != Method::GET) {
        let what = format!("{} {}", operation.method, operation.path);
        let response = operation.request(&api).header("Cookie", &cookie).send().await.unwrap();
        let body: Value = response.json().await.unwrap();
        // A sign-in looks at its body first.
        let is_sign_in = operation.scope.is_none() && operation.has_body;
        let refused = body["code"] == "foreign_request" || is_sign_in && body["code"] == "invalid_payload";
        assert!(refused, "{what}: {body}");
        changing += 1;
    }
    assert!(changing >= 15, "{changing}");
}

#[tokio::test]
async fn the_page_of_the_description_needs_nothing_from_elsewhere() {
    let api = Api::start().await;
    let page = api.client.get(api.url("/docs")).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.text().await.unwrap();
    assert!(text.contains("acknowledgeIncident") && text.contains("href=\"/docs/style.css\""), "{text}");
    let style = api.client.get(api.url("/docs/style.css")).send().await.unwrap();
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");

    let document = api.client.get(api.url("/openapi.json")).send().await.unwrap();
    let etag = document.headers()["etag"].clone();
    let again = api.client.get(api.url("/openapi.json")).header("If-None-Match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

//! What is said of one route.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tocsin_shared::ErrorCode;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema as _, ToSchema};

use super::{params, refusals, schemas};
use crate::views::ListView;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Everybody.
    Open,
    /// Everybody, from pages of our own.
    Ours,
    /// Whoever holds any token or session.
    Known,
    /// Whoever holds one with this scope, or with `admin`.
    Scope(&'static str),
}

/// The description of one route: an operation of the document, and the schemas that it names.
#[derive(Debug)]
pub(crate) struct Doc {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    about: Option<&'static str>,
    access: Access,
    has_etag: bool,
    params: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    codes: Vec<ErrorCode>,
    schemas: Vec<(String, Value)>,
}

/// An operation, with the shared responses and the schemas that it refers to.
pub(super) struct Operation {
    pub(super) value: Value,
    pub(super) responses: Vec<(String, Value)>,
    pub(super) schemas: Vec<(String, Value)>,
}

impl Doc {
    fn new(id: &'static str, tag: &'static str, summary: &'static str, access: Access, codes: &[ErrorCode]) -> Self {
        Self {
            id,
            tag,
            summary,
            about: None,
            access,
            has_etag: true,
            params: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            codes: [codes, &[ErrorCode::Internal]].concat(),
            schemas: Vec::new(),
        }
    }

    /// For everybody.
    pub(crate) fn open(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(id, tag, summary, Access::Open, &[])
    }

    /// Of this process, for everybody.
    pub(crate) fn of_process(id: &'static str, summary: &'static str) -> Self {
        Self { has_etag: false, ..Self::open(id, "process", summary) }
    }

    /// For everybody, from pages of our own.
    pub(crate) fn ours(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(id, tag, summary, Access::Ours, &[ErrorCode::ForeignRequest]).with(params::client())
    }

    /// For whoever is known.
    pub(crate) fn known(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        let codes = [ErrorCode::MissingToken, ErrorCode::InvalidToken, ErrorCode::RateLimited];
        Self::new(id, tag, summary, Access::Known, &codes)
    }

    /// For readers, from Postgres.
    pub(crate) fn reads(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self { access: Access::Scope("read"), ..Self::known(id, tag, summary) }
            .codes(&[ErrorCode::InsufficientScope, ErrorCode::DatabaseUnavailable])
    }

    /// For responders: a command to the worker.
    pub(crate) fn responds(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        let doc = Self { access: Access::Scope("respond"), has_etag: false, ..Self::known(id, tag, summary) };
        let [key, actor] = params::of_actions();
        doc.with(key).with(actor).accepted().codes(&[
            ErrorCode::BadRequest,
            ErrorCode::InvalidPayload,
            ErrorCode::InsufficientScope,
            ErrorCode::ForeignRequest,
            ErrorCode::InvalidTransition,
            ErrorCode::DatabaseUnavailable,
            ErrorCode::RedisUnavailable,
        ])
    }

    /// For administrators: a command to the worker.
    pub(crate) fn administers(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self { access: Access::Scope("admin"), ..Self::responds(id, tag, summary) }
    }

    pub(crate) fn about(mut self, about: &'static str) -> Self {
        self.about = Some(about);
        self
    }

    /// Adds codes that it may refuse with.
    pub(crate) fn codes(mut self, codes: &[ErrorCode]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// Adds a parameter.
    pub(crate) fn with(mut self, param: Value) -> Self {
        if param["in"] == "query" {
            self.codes.push(ErrorCode::InvalidParameter);
        }
        self.params.push(param);
        self
    }

    pub(crate) fn with_all(self, params: impl IntoIterator<Item = Value>) -> Self {
        params.into_iter().fold(self, Self::with)
    }

    /// Of one incident, by its number or id.
    pub(crate) fn of_incident(self) -> Self {
        let pattern = "^([1-9][0-9]{0,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$";
        self.of("The incident's number or id.", &json!({"type": "string", "pattern": pattern}), &json!("12"))
    }

    /// Of one thing that has a UUID.
    pub(crate) fn of_uuid(self, what: &str) -> Self {
        self.of(what, &json!({"type": "string", "format": "uuid"}), &json!(super::examples::ID))
    }

    /// Of one thing that has a number.
    pub(crate) fn of_number(self, what: &str) -> Self {
        self.of(what, &json!({"type": "integer", "format": "int64", "minimum": 1}), &json!(7))
    }

    fn of(self, what: &str, schema: &Value, example: &Value) -> Self {
        self.with(params::path("id", what, schema, example)).codes(&[ErrorCode::NotFound])
    }

    /// Takes a body, which must not be empty.
    pub(crate) fn takes<T: ToSchema>(self, example: &Value) -> Self {
        self.codes(&[ErrorCode::EmptyBody]).body::<T>(true, example)
    }

    /// Takes a body, or none.
    pub(crate) fn may_take<T: ToSchema>(self, example: &Value) -> Self {
        self.body::<T>(false, example)
    }

    fn body<T: ToSchema>(mut self, required: bool, example: &Value) -> Self {
        let schema = self.refer::<T>(false);
        let content = json!({"application/json": {"schema": schema, "example": example}});
        self.body = Some(json!({"required": required, "content": content}));
        self.codes(&[
            ErrorCode::BadRequest,
            ErrorCode::InvalidJson,
            ErrorCode::InvalidPayload,
            ErrorCode::RequestTimeout,
            ErrorCode::PayloadTooLarge,
            ErrorCode::UnsupportedMediaType,
        ])
    }

    /// Answers with one thing.
    pub(crate) fn gives<T: ToSchema>(mut self, status: u16, what: &str, example: Value) -> Self {
        let schema = self.refer::<T>(true);
        self.json(status, what, &schema, Some(example))
    }

    /// Answers with what a command did, where there is nothing to show.
    pub(crate) fn gives_done(mut self, example: Value) -> Self {
        let schema = self.refer::<crate::commands::AskedView>(false);
        self.json(200, "Done.", &schema, Some(example))
    }

    /// Answers with a list of things, and takes the parameters of a window.
    pub(crate) fn lists<T: ToSchema + 'static>(mut self, what: &str, example: &Value) -> Self {
        self.refer::<T>(true);
        let (name, schema) = (format!("{}List", T::name()), value_of(ListView::<T>::schema()));
        self.schemas.push((name.clone(), complete(schema)));
        let example = json!({
            "data": [example],
            "total": 1,
            "total_is_exact": true,
            "limit": 50,
            "offset": 0,
            "next_cursor": null,
        });
        self.with_all(params::window()).json(200, what, &reference(&name), Some(example))
    }

    /// Answers with some JSON object.
    pub(crate) fn gives_any(self, what: &str) -> Self {
        self.json(200, what, &json!({"type": "object"}), None)
    }

    /// Answers with something other than JSON.
    pub(crate) fn gives_text(mut self, media_type: &str, what: &str, example: &str) -> Self {
        let content = json!({media_type: {"schema": {"type": "string"}, "example": example}});
        let headers = self.headers(&[]);
        self.answers.insert(200, json!({"description": what, "headers": headers, "content": content}));
        self
    }

    /// Answers without a body.
    pub(crate) fn gives_nothing(mut self, status: u16, what: &str) -> Self {
        let headers = self.headers(&[]);
        self.answers.insert(status, json!({"description": what, "headers": headers}));
        self
    }

    fn json(mut self, status: u16, what: &str, schema: &Value, example: Option<Value>) -> Self {
        let mut content = json!({"schema": schema});
        if let Some(example) = example {
            content["example"] = example;
        }
        let headers = self.headers(if self.has_etag { &["ETag"] } else { &[] });
        let answer = json!({"description": what, "headers": headers, "content": {"application/json": content}});
        self.answers.insert(status, answer);
        self
    }

    fn accepted(mut self) -> Self {
        let schema = self.refer::<crate::commands::AskedView>(false);
        let what = "Accepted: no worker has answered yet, and the next one will do it, or refuse it.";
        self.json(202, what, &schema, Some(json!({"command_id": super::examples::ID, "status": "accepted"})))
    }

    fn headers(&self, more: &[&str]) -> Value {
        let limited: &[&str] = match self.access {
            Access::Open | Access::Ours => &[],
            Access::Known | Access::Scope(_) => &["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"],
        };
        header_refs(&[&["X-Request-Id"], limited, more].concat())
    }

    /// Names a type's schema. In what is shown every field is there.
    fn refer<T: ToSchema>(&mut self, is_shown: bool) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        let finish = if is_shown { complete } else { std::convert::identity };
        self.schemas.extend(found.into_iter().map(|(name, schema)| (name, finish(value_of(schema)))));
        reference(&T::name())
    }

    /// Describes it.
    pub(super) fn operation(self, method: &str) -> Operation {
        let mut operation = json!({"operationId": self.id, "tags": [self.tag], "summary": self.summary});
        let scope = match self.access {
            Access::Scope(scope) => Some(format!("Needs the scope `{scope}`.")),
            Access::Known => Some("Needs a token or session, of any scope.".to_owned()),
            Access::Open | Access::Ours => None,
        };
        let about = [self.about.map(str::to_owned), scope].into_iter().flatten().collect::<Vec<_>>().join("\n\n");
        if !about.is_empty() {
            operation["description"] = about.into();
        }
        if !self.params.is_empty() {
            operation["parameters"] = self.params.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation["security"] = security(self.access, method);
        let is_read =
            method == "get" && self.answers.get(&200).is_some_and(|answer| !answer["headers"]["ETag"].is_null());
        let mut responses: Map<String, Value> =
            self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        if is_read {
            responses.insert("304".to_owned(), json!({"$ref": "#/components/responses/not_modified"}));
        }
        let mut shared = Vec::new();
        for (status, (name, response)) in refusals::responses(&self.codes) {
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
            shared.push((name, response));
        }
        operation["responses"] = responses.into();
        Operation { value: operation, responses: shared, schemas: self.schemas }
    }
}

fn security(access: Access, method: &str) -> Value {
    let roles: Vec<&str> = match access {
        Access::Open | Access::Ours => return json!([]),
        Access::Known => Vec::new(),
        Access::Scope(scope) => vec![scope],
    };
    let mut session = json!({"session": roles});
    if method != "get" {
        session["client"] = json!([]);
    }
    json!([{"bearer": roles}, session])
}

/// References to shared headers.
pub(super) fn header_refs(names: &[&str]) -> Value {
    let refer = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(refer).collect::<Map<_, _>>().into()
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn value_of(schema: RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

/// Says of a view that all of its fields are there: what there is nothing to say of is `null`.
fn complete(mut schema: Value) -> Value {
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        for part in parts {
            *part = complete(part.take());
        }
    }
    if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
        schema["required"] = fields.keys().cloned().collect();
    }
    schema
}

/// The schemas that no route adds by itself.
pub(super) fn common_schemas() -> Vec<(String, Value)> {
    let named = schemas::all().into_iter().map(|(name, schema)| (name.to_owned(), schema));
    named.chain([("Problem".to_owned(), refusals::schema())]).collect()
}

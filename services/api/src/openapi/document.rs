//! The document as a whole.

use actix_web::web;
use serde_json::{Map, Value, json};

use super::{Entry, Table, doc, page};
use crate::auth::COOKIE;

/// What stands above everything.
const ABOUT: &str = "\
Incidents, alerts and silences, for dashboards and scripts; and what responders do.

**Who.** `Authorization: Bearer <token>`. A token has scopes: `read`, `respond`, `admin` (which allows everything). The dashboard's \
session is a cookie instead; what changes something then needs the header `X-Tocsin-Client`, too.

**Refusals** are RFC 9457 documents. Match on `code`.

**Lists** have at most `limit` items; `next_cursor` gives what follows, until it is `null`.

**Reading again.** Answers have an `ETag`; with it in `If-None-Match` what has not changed is answered 304, without a body. \
`Accept-Encoding: gzip` is understood. `HEAD` is answered as `GET` is, without the body; the stream of events takes `GET` alone.

**Acting** is a command to the worker, and answered with what there is then. If no worker answers within 2 s the answer is 202: \
it will be done. Name a request by `Idempotency-Key` and repeat it as often as you like.

**Senders** post elsewhere, at the same address (`/api/v1/webhooks/…`, `/api/v2/alerts`, `/v2/enqueue`): another service takes that, \
and `docs/senders.md` of the repository describes it.

The front door answers in the same form when no service can: 431 `headers_too_large`, 502 `bad_gateway`, 503 `no_healthy_server`, \
504 `gateway_timeout`. An address that does not take a method answers 405 with `Allow`.";

/// The document, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    json: web::Bytes,
    page: web::Bytes,
}

impl Document {
    /// Of these routes.
    pub(crate) fn of(table: Table) -> Self {
        let document = describe(table);
        let page = page::render(&document);
        Self { json: serde_json::to_vec(&document).unwrap_or_default().into(), page: page.into() }
    }

    pub(super) fn json(&self) -> web::Bytes {
        self.json.clone()
    }

    pub(super) fn page(&self) -> web::Bytes {
        self.page.clone()
    }
}

/// Describes every route.
pub(super) fn describe(table: Table) -> Value {
    let (mut paths, mut schemas, mut responses) = (Map::new(), Map::new(), Map::new());
    responses.insert("not_modified".to_owned(), not_modified());
    for Entry { method, path, doc, .. } in table.0 {
        let method = method.as_str().to_ascii_lowercase();
        let described = doc.operation(&method);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method.as_str()] = described.value;
        schemas.extend(described.schemas);
        responses.extend(described.responses);
    }
    // These stand for what routes could only name.
    schemas.extend(doc::common_schemas());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "incidents", "description": "What is going on."},
            {"name": "alerts", "description": "What senders tell."},
            {"name": "silences", "description": "Of what nobody is told for a while."},
            {"name": "notifications", "description": "Who was told, and if not, why."},
            {"name": "dead letters", "description": "What could not be applied."},
            {"name": "live", "description": "What changes, as it changes; and how Tocsin itself is."},
            {"name": "sign-in", "description": "The dashboard's sessions."},
            {"name": "process", "description": "How the process that answers is, as every service of Tocsin says it."},
            {"name": "docs", "description": "This description."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "headers": headers(),
            "securitySchemes": schemes(),
        },
    })
}

fn not_modified() -> Value {
    json!({"description": "What `If-None-Match` names is still so.", "headers": doc::header_refs(&["X-Request-Id", "ETag"])})
}

fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({"description": about, "required": true, "schema": schema});
    let count = || json!({"type": "integer", "minimum": 0});
    let text = || json!({"type": "string"});
    json!({
        "X-Request-Id": header("Names the request in the logs.", text()),
        "ETag": header("For `If-None-Match`.", text()),
        "WWW-Authenticate": header("`Bearer`.", text()),
        "Retry-After": header("Seconds until it is worth trying again.", count()),
        "X-RateLimit-Limit": header("Requests per minute that this token has.", count()),
        "X-RateLimit-Remaining": header("How many it has left at once.", count()),
        "X-RateLimit-Reset": header("Seconds until it has all of them again.", count()),
    })
}

fn schemes() -> Value {
    json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "A token of `tocsin.yaml`."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "A session, as signing in begins it.",
        },
        "client": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Tocsin-Client",
            "description": "Any value, beside a session, where something is changed.",
        },
    })
}

//! The configuration of the front door.

use std::fmt::Write as _;

/// The names of the backends.
pub(super) const BACKENDS: [&str; 2] = ["ingest", "api"];

/// What senders post to; everything else is for the api.
const INGEST_PATHS: &str = "/api/v1/webhooks/ /api/v2/alerts /v2/enqueue /integrations/v1/ /api/v1/slack/";

/// Most bytes of a request's headers. Senders and browsers stay below half of it; the services would take more.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// One server behind the front door.
#[derive(Debug, Clone)]
pub struct Server {
    /// The name of its process.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

/// Settings that hold for all of it. `retry-on conn-failure` alone: a request that has been sent is never sent twice.
/// `redispatch 1` makes each of those retries go to another server.
const GLOBAL: &str = "\
global
    maxconn 4000
    # What one request's line and headers must fit into, together with what we add; beyond it they are not even read.
    tune.bufsize 32768
    tune.http.maxhdr 96
    # A second HAProxy on our port shall fail, not share it.
    noreuseport
    # Small services, quick answers: what is left of an old process on reload has no long business.
    hard-stop-after 30s

defaults
    mode http
    timeout connect 500ms
    # Long: a server that is busy is no server that is gone, and taking it out would only make the others busier.
    timeout check 1s
    timeout client 30s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 30s
    timeout queue 2s
    timeout tunnel 1h
    option http-keep-alive
    # The time limit of http-request holds for the body, too (up to its first 32 KiB), and no server waits for a slow sender.
    option http-buffer-request
    option redispatch 1
    http-reuse safe
    retries 3
    retry-on conn-failure
    option httpchk GET /ready
    http-check expect status 200
    default-server inter 300ms fastinter 150ms downinter 150ms fall 2 rise 1
";

/// What the front door answers by itself: status, code, title. The shape is that of every problem that the services send.
/// The exception is what can't be parsed as HTTP at all, which `HAProxy` answers below this level with a page of its own.
const PROBLEMS: [(u16, &str, &str); 6] = [
    (400, "bad_request", "The request was not understood"),
    (408, "request_timeout", "The request took too long to arrive"),
    (500, "internal", "Something failed on our side"),
    (502, "bad_gateway", "The server broke off its answer"),
    (503, "no_healthy_server", "No server can take this right now; try again"),
    (504, "gateway_timeout", "The server took too long to answer"),
];

/// Not an error of `HAProxy`'s own kinds, so a rule answers it.
const HEADERS_TOO_LARGE: (u16, &str, &str) = (431, "headers_too_large", "The headers of the request are too large");

/// The whole configuration, to listen on `host`.
pub(super) fn render(host: &str, port: u16, statistics: u16, ingest: &[Server], api: &[Server]) -> String {
    let mut text = GLOBAL.to_owned();
    for (status, code, title) in PROBLEMS {
        let retry_after = if status == 503 { " hdr Retry-After 1" } else { "" };
        let _ = writeln!(
            text,
            "    http-error status {status} content-type application/problem+json{retry_after} \
             hdr X-Request-Id %[var(txn.request_id)] lf-string '{}'",
            problem(status, code, title)
        );
    }
    let (status, code, title) = HEADERS_TOO_LARGE;
    let too_large = problem(status, code, title);
    let _ = write!(
        text,
        "
frontend front_door
    bind {host}:{port}
    unique-id-format %[uuid()]
    http-request set-header X-Request-Id %[unique-id] unless {{ req.hdr(X-Request-Id) -m found }}
    http-request set-var(txn.request_id) req.hdr(X-Request-Id)
    # We are the edge: what a sender says of its own address is no evidence.
    http-request set-header X-Forwarded-For %[src]
    http-request return status {status} content-type application/problem+json \
hdr X-Request-Id %[var(txn.request_id)] lf-string '{too_large}' if {{ req.hdrs,length gt {MAX_HEADER_BYTES} }}
    acl for_ingest path_beg {INGEST_PATHS}
    use_backend ingest if for_ingest
    default_backend api

# How it sees the servers, for the test bed.
frontend statistics
    bind {host}:{statistics}
    stats enable
    stats uri /
"
    );
    for (name, servers) in BACKENDS.into_iter().zip([ingest, api]) {
        let _ = write!(text, "\nbackend {name}\n    balance roundrobin\n");
        for Server { name, port } in servers {
            let _ = writeln!(text, "    server {name} 127.0.0.1:{port} check");
        }
    }
    text
}

/// The body as a log-format string; `json(utf8s)` escapes what a client may have put into its request id.
fn problem(status: u16, code: &str, title: &str) -> String {
    let request_id = "%[var(txn.request_id),json(utf8s)]";
    format!(
        "{{\"type\":\"urn:tocsin:problem:{code}\",\"title\":\"{title}\",\"status\":{status},\"code\":\"{code}\",\
         \"request_id\":\"{request_id}\",\"error\":{{\"code\":\"{code}\",\"message\":\"{title}\",\"details\":null,\
         \"request_id\":\"{request_id}\"}}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_as_reviewed() {
        let server = |name: &str, port| Server { name: name.to_owned(), port };
        let ingest = [server("ingest-1", 18001), server("ingest-2", 18002)];
        insta::assert_snapshot!(render("127.0.0.1", 8080, 18000, &ingest, &[server("api-1", 18003)]));
    }
    /// What differs: it listens on this machine's loopback, and its servers have fixed addresses.
    #[test]
    fn the_front_door_of_containers_has_the_same_settings() {
        let containers = include_str!("../../../../../compose/haproxy/10-front.cfg");
        let ours = render("127.0.0.1", 8080, 18000, &[], &[]);
        let (shared, _statistics) = ours.split_once("# How it sees the servers").unwrap();
        for setting in shared.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let is_of_this_machine = setting == "noreuseport" || setting.starts_with("bind ");
            let is_there = containers.lines().any(|line| line.trim().starts_with(setting));
            assert!(is_of_this_machine || is_there, "compose/haproxy/10-front.cfg lacks: {setting}");
        }
    }
}

//! Each service may do what it needs and nothing else (promise 9). That what it may is enough, all other proofs show.

use tocsin_testbed::{Database, KeySpace, Service, Tenant};

/// What no service's role may do, whichever it is.
const FOR_NOBODY: [&str; 5] = [
    "CREATE TABLE own (id int)",
    "ALTER TABLE alerts ADD COLUMN own int",
    "DROP TABLE alerts",
    "TRUNCATE alerts",
    "CREATE ROLE own",
];

/// Statements that a service's role is refused, beside the above.
fn refused(service: Service) -> &'static [&'static str] {
    match service {
        Service::Ingest => &[
            "SELECT id FROM alerts",
            "SELECT body FROM inbox",
            "DELETE FROM inbox",
            "UPDATE inbox SET body = ''",
            "INSERT INTO event_ids (id) VALUES (gen_random_uuid())",
            "SELECT id FROM notifications",
        ],
        Service::Worker => &[
            "UPDATE timeline SET content = ''",
            "UPDATE notifications SET receiver = ''",
            "UPDATE notifications SET created_at = now()",
            "SELECT reason FROM receivers_gone",
            "SELECT answer FROM deliveries",
            "INSERT INTO deliveries (notification_id, attempt, latency_ms, answer) VALUES (gen_random_uuid(), 1, 1, '')",
            "UPDATE commands SET action = '{}'",
            "UPDATE events SET outcome = ''",
            "DELETE FROM events",
            "DROP TABLE events_other",
            "UPDATE inbox SET body = ''",
            // What triggers keep for it.
            "UPDATE tallies SET count = 0",
            "DELETE FROM alert_terms",
            "UPDATE incident_terms SET seconds = 0",
        ],
        Service::Notifier => &[
            "SELECT seq FROM inbox",
            "SELECT id FROM silences",
            "UPDATE alerts SET title = ''",
            "UPDATE notifications SET incident_id = gen_random_uuid()",
            "INSERT INTO timeline (incident_id, at, kind, content) VALUES (gen_random_uuid(), now(), '', '')",
            "UPDATE notifications SET created_at = now()",
            "UPDATE incidents SET title = ''",
            "UPDATE notifications SET receiver = ''",
            "DELETE FROM notifications",
            "UPDATE deliveries SET answer = ''",
        ],
        Service::Api => &[
            "INSERT INTO dead_letters (stream, entry_id, fields, reason) VALUES ('', '', '{}', '')",
            "UPDATE incidents SET status = 'resolved'",
            "DELETE FROM alerts",
            "SELECT id FROM alerts FOR UPDATE",
            "SELECT body FROM inbox",
            "SELECT id FROM event_ids",
            "UPDATE silences SET comment = ''",
            "UPDATE notifications SET status = 'pending'",
            "DELETE FROM receivers_gone",
            "SELECT id FROM commands",
            "SELECT events_keep(1, 1)",
            "SELECT tallies_fold()",
            "UPDATE tallies SET count = 0",
        ],
    }
}

/// Commands that a service's Redis user is refused; `EVENTS`, `COMMANDS`, `NOTIFICATIONS`, `CHANGES` and `OUTCOME` stand for
/// the keys.
fn refused_commands(service: Service) -> &'static [&'static [&'static str]] {
    match service {
        Service::Ingest => &[
            &["XRANGE", "EVENTS", "-", "+"],
            &["XDEL", "EVENTS", "1-1"],
            &["XTRIM", "EVENTS", "MAXLEN", "0"],
            &["DEL", "EVENTS"],
            &["XADD", "NOTIFICATIONS", "*", "v", "1"],
            &["XRANGE", "COMMANDS", "-", "+"],
            &["XDEL", "COMMANDS", "1-1"],
            &["RPUSH", "OUTCOME", "{}"],
        ],
        Service::Worker => &[
            &["XADD", "EVENTS", "*", "v", "1"],
            &["XADD", "COMMANDS", "*", "v", "1"],
            &["BLPOP", "OUTCOME", "1"],
            &["XTRIM", "EVENTS", "MAXLEN", "0"],
            &["DEL", "EVENTS"],
            &["XREADGROUP", "GROUP", "notifier", "me", "STREAMS", "NOTIFICATIONS", ">"],
        ],
        Service::Notifier => &[
            &["XADD", "EVENTS", "*", "v", "1"],
            &["XREADGROUP", "GROUP", "worker", "me", "STREAMS", "EVENTS", ">"],
            &["XADD", "NOTIFICATIONS", "*", "v", "1"],
            &["XADD", "COMMANDS", "*", "v", "1"],
            &["RPUSH", "OUTCOME", "{}"],
            &["XADD", "CHANGES", "*", "v", "1"],
        ],
        Service::Api => &[
            &["XADD", "EVENTS", "*", "v", "1"],
            &["XRANGE", "EVENTS", "-", "+"],
            &["XRANGE", "NOTIFICATIONS", "-", "+"],
            &["XRANGE", "COMMANDS", "-", "+"],
            &["XREADGROUP", "GROUP", "worker", "me", "STREAMS", "COMMANDS", ">"],
            &["XDEL", "COMMANDS", "1-1"],
            &["RPUSH", "OUTCOME", "{}"],
            &["BLPOP", "EVENTS", "1"],
            &["XADD", "CHANGES", "*", "v", "1"],
        ],
    }
}

/// What no service's Redis user may do.
const COMMANDS_FOR_NOBODY: [&[&str]; 6] = [
    &["FLUSHALL"],
    &["KEYS", "*"],
    &["CONFIG", "SET", "appendfsync", "no"],
    &["ACL", "LIST"],
    &["SHUTDOWN", "NOSAVE"],
    &["SET", "other", "1"],
];

#[tokio::test]
async fn postgres_refuses_each_service_what_is_not_its_own() {
    let tenant = Tenant::shared().await.unwrap();
    for service in Service::ALL {
        let database = Database::at(tenant.database_url_for(service));
        assert_eq!(database.sql("SELECT current_user").await.unwrap(), [[format!("tocsin_{service}")]]);
        for statement in FOR_NOBODY.iter().chain(refused(service)) {
            let error = database.sql(statement).await.unwrap_err().to_string();
            let denied = error.contains("permission denied") || error.contains("must be owner");
            assert!(denied, "{service}: {statement}: {error}");
        }
    }
}

#[tokio::test]
async fn redis_refuses_each_service_what_is_not_its_own() {
    let tenant = Tenant::shared().await.unwrap();
    for service in Service::ALL {
        let keys = KeySpace::at(tenant.redis_url_for(service), tenant.redis_prefix());
        assert_eq!(keys.redis(["PING"]).await.unwrap(), "PONG");
        for command in COMMANDS_FOR_NOBODY.iter().chain(refused_commands(service)) {
            let key = |name: &str| format!("{}:v1:{{0}}:{name}", tenant.redis_prefix());
            let args = command.iter().map(|arg| match *arg {
                "EVENTS" => key("events"),
                "COMMANDS" => key("commands"),
                "NOTIFICATIONS" => key("notifications"),
                "CHANGES" => format!("{}:v1:changes", tenant.redis_prefix()),
                "OUTCOME" => key("outcome:01990a3e-0000-7000-8000-000000000000"),
                arg => arg.to_owned(),
            });
            let error = keys.redis(args).await.unwrap_err().to_string();
            assert!(error.contains("NOPERM"), "{service}: {command:?}: {error}");
        }
    }
}

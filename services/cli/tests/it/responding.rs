//! Reading, and acting on what was read.

use serde_json::Value;
use tocsin_testbed::{Service, poll};

use crate::bed::{Bed, DEADLINE, READER, RESPONDER, steady};

#[tokio::test]
async fn an_incident_goes_its_way_by_the_command_line() {
    let bed = Bed::start().await;
    let incident = bed.alert("DiskFull", &["--severity", "critical", "--label", "host=db-1"]).await;
    assert_eq!((&incident["incident_number"], &incident["severity"]), (&1.into(), &"critical".into()));
    assert!(
        bed.must(RESPONDER, &["ack", "#1", "--as", "Ann"]).await.starts_with("#1 acknowledged critical 1/1 firing")
    );
    let noted = bed.must_json(RESPONDER, &["note", "1", "The vendor\nis informed."]).await;
    assert_eq!(noted["status"], "acknowledged");
    insta::assert_snapshot!("incidents", steady(&bed.must(READER, &["incidents"]).await));
    insta::assert_snapshot!("incident", steady(&bed.must(READER, &["incidents", "show", "1"]).await));

    let resolved = bed.must_json(RESPONDER, &["resolve", "1", "--note", "Emptied."]).await;
    assert_eq!(resolved["status"], "resolved");
    let again = bed.run(RESPONDER, &["ack", "1", "1"]).await;
    assert_eq!((again.exit, again.err.matches("(invalid_transition, request ").count()), (1, 2), "{again:?}");
    assert!(bed.must(RESPONDER, &["reopen", "1"]).await.starts_with("#1 triggered"));
    assert!(bed.must(RESPONDER, &["cancel", "1", "--note", "A test."]).await.starts_with("#1 canceled"));
    // One that is not there does not keep the others from being tried.
    let some = bed.run(RESPONDER, &["reopen", "4711", "1"]).await;
    assert!(some.exit == 3 && some.out.starts_with("#1 triggered") && some.err.contains("no incident"), "{some:?}");

    let contents = |detail: &Value| -> Vec<(String, String)> {
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        detail["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (text(entry, "type"), text(entry, "actor_name")))
            .collect()
    };
    let timeline = contents(&bed.must_json(READER, &["incidents", "show", "1"]).await);
    assert!(
        timeline.iter().any(|(kind, actor)| kind.contains("acknowledged") && actor == "Ann via token-of-a-responder"),
        "{timeline:?}"
    );
}

#[tokio::test]
async fn lists_are_filtered_and_go_on_by_cursor() {
    let bed = Bed::start().await;
    for title in ["First", "Second", "Third"] {
        bed.alert(title, &["--label", "team=web"]).await;
    }
    bed.must(READER, &["send", "First", "--label", "alertname=First", "--label", "team=web", "--resolved"]).await;
    poll::until("the first to be over", DEADLINE, async || {
        bed.must_json(READER, &["incidents", "--status", "resolved"]).await["total"] == 1
    })
    .await
    .unwrap();
    let titles = |list: &str| -> Vec<String> {
        let pages = serde_json::Deserializer::from_str(list).into_iter::<Value>();
        let data = pages.flat_map(|page| page.unwrap()["data"].as_array().unwrap().clone());
        data.map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    };
    for (args, found) in [
        (&["incidents"][..], &["Third", "Second", "First"][..]),
        (&["incidents", "--status", "triggered,acknowledged"], &["Third", "Second"]),
        (&["incidents", "--severity", "critical"], &[]),
        (&["incidents", "--label", "team=~w.b", "--text", "second"], &["Second"]),
        (&["incidents", "--since", "1h"], &["Third", "Second", "First"]),
        (&["incidents", "--until", "2020-01-01T00:00:00Z"], &[]),
        (&["incidents", "--limit", "1"], &["Third"]),
        (&["incidents", "--all"], &["Third", "Second", "First"]),
        (&["alerts", "--status", "resolved", "--source", "generic"], &["First"]),
        (&["alerts", "--source", "grafana"], &[]),
    ] {
        let run = bed.run(READER, &[args, &["--json"]].concat()).await;
        assert_eq!(
            (run.exit, titles(&run.out)),
            (0, found.iter().map(|title| (*title).to_owned()).collect()),
            "{args:?}"
        );
    }
    let begin = bed.run(READER, &["incidents", "--limit", "2"]).await;
    assert!(begin.err.starts_with("2 of 3; all with --all, what follows with --cursor "), "{begin:?}");
    let cursor = begin.err.trim().rsplit(' ').next().unwrap();
    let rest = bed.must(READER, &["incidents", "--limit", "2", "--cursor", cursor]).await;
    assert!(rest.lines().count() == 2 && rest.contains("First"), "{rest}");

    let alert = bed.must_json(READER, &["alerts", "--text", "Second"]).await["data"][0].clone();
    let shown = bed.must(READER, &["alerts", "show", alert["id"].as_str().unwrap()]).await;
    assert!(shown.contains("labels     alertname=Second team=web"), "{shown}");
}

#[tokio::test]
async fn json_is_what_the_api_answers() {
    let bed = Bed::start().await;
    bed.alert("DiskFull", &[]).await;
    let client = tocsin_testbed::http::client().unwrap();
    for (args, path) in [
        (&["incidents", "--json"][..], "incidents?limit=50"),
        (&["incidents", "show", "1", "--json"], "incidents/1"),
        (&["alerts", "--json"], "alerts?limit=50"),
        (&["silence", "list", "--json"], "silences?limit=50"),
        (&["dead-letters", "list", "--json"], "dead-letters?limit=50"),
        (&["notifications", "list", "--json"], "notifications?limit=50"),
    ] {
        let url = format!("{}/api/v1/{path}", bed.topology.url());
        let body = client.get(url).bearer_auth(READER).send().await.unwrap().text().await.unwrap();
        assert_eq!(bed.must(READER, args).await, format!("{body}\n"), "{args:?}");
    }
}

#[tokio::test]
async fn a_silence_is_made_of_matchers_of_an_incident_or_of_an_alert() {
    let bed = Bed::start().await;
    bed.alert("DiskFull", &["--label", "host=db-1"]).await;
    let alert = bed.must_json(READER, &["alerts"]).await["data"][0]["id"].as_str().unwrap().to_owned();
    let made = bed
        .must_json(
            RESPONDER,
            &["silence", "create", "alertname=\"DiskFull\"", "host=~\"db-.*\"", "--for", "2h", "--comment", "moving"],
        )
        .await;
    assert_eq!((&made["status"], &made["comment"]), (&"active".into(), &"moving".into()));
    let told = bed.must(RESPONDER, &["silence", "create", "--incident", "1", "--for", "1h30m"]).await;
    assert!(told.contains(" active until ") && told.contains("host=\"db-1\""), "{told}");
    let later = bed
        .must_json(
            RESPONDER,
            &[
                "silence",
                "create",
                "--alert",
                &alert,
                "--starts",
                "2037-01-01T00:00:00Z",
                "--until",
                "2037-01-02T00:00:00Z",
            ],
        )
        .await;
    assert_eq!((&later["status"], &later["ends_at"]), (&"pending".into(), &"2037-01-02T00:00:00Z".into()));

    let list = bed.must(READER, &["silence", "list"]).await;
    assert!(list.lines().count() == 4 && list.contains("moving"), "{list}");
    let id = made["id"].as_str().unwrap();
    assert!(bed.must(RESPONDER, &["silence", "expire", id]).await.contains(" expired until "));
    assert_eq!(bed.must_json(READER, &["silence", "list"]).await["total"], 2);
    assert_eq!(bed.must_json(READER, &["silence", "list", "--expired"]).await["total"], 3);
    let refused = bed.run(RESPONDER, &["silence", "create", "host=~\"(\"", "--for", "1h"]).await;
    assert!(
        refused.exit == 1 && refused.err.contains("matchers") && refused.err.contains("regular expression"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn without_a_worker_an_action_is_accepted_and_its_outcome_unknown() {
    let bed = Bed::start().await;
    bed.alert("DiskFull", &[]).await;
    let worker = bed.topology.services(Service::Worker).next().unwrap().process();
    worker.stop().await.unwrap();
    let run = bed.run(RESPONDER, &["ack", "1"]).await;
    assert!(run.exit == 6 && run.out.is_empty() && run.err.starts_with("accepted as "), "{run:?}");
    let json = bed.run(RESPONDER, &["ack", "1", "--json"]).await;
    assert_eq!((json.exit, &json.json()["status"]), (6, &"accepted".into()), "{json:?}");
}

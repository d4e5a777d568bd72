//! The database goes away and comes back.

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use tocsin_testbed::{http, poll};

use crate::api::{Api, DEADLINE, READER, alone, problem};

const TIMEOUT: Duration = Duration::from_secs(1);
/// For a machine that has much else to do.
const MARGIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum Outage {
    Stopped,
    Hanging,
}

async fn an_outage_is_told_in_time_and_ends(outage: Outage) {
    let api = Api::start_as(|topology| topology.own_stores().env("TOCSIN_API_QUERY_TIMEOUT", "1s")).await;
    api.apply(&alone(1)).await;
    let postgres = api.topology.stores().unwrap().postgres();
    match outage {
        Outage::Stopped => drop(postgres.process().stop().await.unwrap()),
        Outage::Hanging => postgres.process().pause().await.unwrap(),
    }
    for path in ["/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/alerts"] {
        let begun = Instant::now();
        let response = api.get_as(READER, path).await;
        assert!(begun.elapsed() < TIMEOUT + MARGIN, "{path} took {:?}", begun.elapsed());
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let document = problem(response, 503, "database_unavailable").await;
        assert!(document.get("detail").is_none(), "no internals: {document}");
    }
    poll::until("/ready to tell it", DEADLINE, async || {
        let response = api.client.get(api.url("/ready")).send().await.unwrap();
        let seen = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        poll::expect(seen, |seen| *seen == (503, json!({"status": "not ready", "database": "error", "redis": "ok"})))
    })
    .await
    .unwrap();
    http::is_ok(&api.url("/health")).await.expect("no reason to restart the api");

    match outage {
        Outage::Stopped => postgres.process().start().await.unwrap(),
        Outage::Hanging => postgres.process().resume().await.unwrap(),
    }
    postgres.wait_ready().await.unwrap();
    api.topology.wait_ready("api-1").await.unwrap();
    poll::until("the list to be back", DEADLINE, async || {
        poll::expect(api.get_as(READER, "/api/v1/incidents").await.status().as_u16(), |status| *status == 200)
    })
    .await
    .unwrap();
    assert_eq!(api.read("/api/v1/incidents").await["total"], 1);
}

#[tokio::test]
async fn while_the_database_is_stopped_reads_are_unavailable_and_the_api_lives() {
    an_outage_is_told_in_time_and_ends(Outage::Stopped).await;
}

#[tokio::test]
async fn while_the_database_hangs_reads_are_given_up_in_time_and_the_api_lives() {
    an_outage_is_told_in_time_and_ends(Outage::Hanging).await;
}

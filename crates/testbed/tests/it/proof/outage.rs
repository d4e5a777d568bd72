//! A store goes and comes back. Services fail alone, and what was accepted is applied.

use tocsin_testbed::poll;
use tocsin_testbed::topology::TopologyBuilder;

use super::system::{PATIENCE, System, alert};

#[tokio::test]
async fn without_redis_webhooks_are_accepted_and_applied_reads_go_on_and_people_are_told() {
    let system = System::start(TopologyBuilder::own_stores).await;
    system.accept("before").await;
    system.wait_for_alert("before").await;
    let redis = system.topology.process("redis").unwrap();
    redis.kill().await.unwrap();

    for number in 0..20 {
        let (status, answer) =
            system.send(&alert(&format!("During {number}"), "firing"), &format!("{number}")).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    system.wait_for_alert("During 19").await;
    assert_eq!(system.get("/api/v1/alerts").await["total"], 21);
    system.wait_until_everybody_is_told().await;
    system.assert_alive().await;

    redis.start().await.unwrap();
    system.accept("after").await;
    system.wait_for_alert("after").await;
    system.wait_until_drained().await;
    system.wait_until_everybody_is_told().await;
}

#[tokio::test]
async fn without_postgres_webhooks_are_accepted_and_applied_when_it_is_back() {
    let system = System::start(TopologyBuilder::own_stores).await;
    let postgres = system.topology.process("postgres").unwrap();
    postgres.kill().await.unwrap();

    for number in 0..20 {
        let (status, answer) =
            system.send(&alert(&format!("Alert {number}"), "firing"), &format!("{number}")).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    let url = format!("{}/api/v1/alerts", system.topology.url());
    let refused = system.client.get(url).bearer_auth(system.topology.token()).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    system.assert_alive().await;

    postgres.start().await.unwrap();
    system.topology.member("postgres").unwrap().wait_ready().await.unwrap();
    system.wait_until_drained().await;
    assert_eq!(system.count("SELECT count(*) FROM alerts").await, 20);
    system.wait_until_everybody_is_told().await;
}

impl System {
    /// Sends an alert until it is accepted, as a sender would.
    async fn accept(&self, name: &str) {
        poll::until(format!("`{name}` to be accepted"), PATIENCE, async || {
            let (status, answer) = self.send(&alert(name, "firing"), name).await.map_err(|error| error.to_string())?;
            if status == 200 { Ok(()) } else { Err(answer.to_string()) }
        })
        .await
        .unwrap();
    }

    async fn wait_for_alert(&self, name: &str) {
        poll::until(format!("`{name}` in the API"), PATIENCE, async || {
            let list = self.get(&format!("/api/v1/alerts?q={name}")).await;
            poll::expect(list["total"].clone(), |total| *total == 1)
        })
        .await
        .unwrap();
    }

    /// Liveness never depends on a store.
    async fn assert_alive(&self) {
        for name in ["ingest-1", "worker-1", "notifier-1", "api-1"] {
            let url = format!("{}/health", self.topology.service_url(name).unwrap());
            assert_eq!(self.client.get(url).send().await.unwrap().status(), 200, "{name}");
        }
    }
}

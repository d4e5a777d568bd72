//! What is accepted is seen at once by those who watch, through the front door.

use std::time::{Duration, Instant};

use serde_json::Value;
use tocsin_testbed::http;

use super::system::{PATIENCE, System, alert};

/// Longest time from the sender's answer to the event.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_alert_is_an_event_within_a_second() {
    let system = System::start(|topology| topology).await;
    let client = http::client_builder().build().unwrap();
    let url = format!("{}/api/v1/events", system.topology.url());
    let mut response = client.get(url).bearer_auth(system.topology.token()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    for number in 0..5 {
        let name = format!("Live {number}");
        let begun = Instant::now();
        let (status, answer) = system.send(&alert(&name, "firing"), &name).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        let title = async {
            loop {
                while let Some((block, rest)) = text.split_once("\n\n") {
                    let data = block.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                    let is_incident = block.contains("event: incident");
                    text = rest.to_owned();
                    if let Some(data) = data.filter(|_| is_incident) {
                        let incident: Value = serde_json::from_str(&data).unwrap();
                        return incident["title"].as_str().unwrap().to_owned();
                    }
                }
                text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
            }
        };
        let title = tokio::time::timeout(PATIENCE, title).await.expect("an event");
        assert!(title.contains(&name), "{title}");
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    }
}

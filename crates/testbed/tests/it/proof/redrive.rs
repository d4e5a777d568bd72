//! What could not be told is told once somebody has put right what was in the way.

use serde_json::{Value, json};
use tocsin_testbed::doubles::Answer;
use tocsin_testbed::poll;

use super::system::{CONFIG, PATIENCE, System, alert};

#[tokio::test]
async fn a_dead_notice_is_found_driven_again_from_the_api_and_delivered() {
    let config = CONFIG.replace("[read, respond]", "[admin]");
    let system = System::start(|builder| builder.config_text(config)).await;
    system.slack.set_default(Answer::status(404).body("no_service"));
    system.send(&alert("Down", "firing"), "one").await.unwrap();
    let list = poll::until("the notice to be dead", PATIENCE, async || {
        let list = system.get("/api/v1/notifications?status=dead&receiver=ops").await;
        poll::expect(list, |list| list["total"] == 1)
    });
    let notice = list.await.unwrap()["data"][0].clone();
    let address = format!("/api/v1/notifications/{}", notice["id"].as_str().unwrap());
    let before = system.get(&address).await;
    assert_eq!(before["deliveries"].as_array().unwrap().last().unwrap()["http_status"], 404, "{before}");

    system.slack.set_default(Answer::ok());
    let url = format!("{}/api/v1/notifications/redrive", system.topology.url());
    let request = system.client.post(url).bearer_auth(system.topology.token()).json(&json!({"receiver": "ops"}));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["status"], &answer["count"]), (&"done".into(), &1.into()), "{answer}");
    let after = poll::until("the notice to be delivered", PATIENCE, async || {
        poll::expect(system.get(&address).await, |notice| notice["status"] == "delivered")
    });
    let after = after.await.unwrap();
    assert_eq!((&after["created_at"], &after["attempts"]), (&before["created_at"], &1.into()), "{after}");
    let detail = system.only_incident("triggered").await;
    let entry = detail["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&entry["type"], &entry["actor_type"]), (&"notices_redriven".into(), &"token".into()), "{entry}");
    system.assert_consistent().await;
    system.topology.stop().await.unwrap();
}

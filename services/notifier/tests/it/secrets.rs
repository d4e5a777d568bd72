//! The address of a webhook is a secret: whoever knows it can post.

use tocsin_testbed::doubles::Answer;

use crate::notifier::{Notifier, SECRET, firing, resolved};

#[tokio::test]
async fn the_address_of_a_webhook_is_in_no_log_line_and_no_table() {
    let notifier = Notifier::start_as(|topology| topology.env("TOCSIN_LOG", "debug")).await;
    let moved = Answer::status(302).header("Location", "/elsewhere");
    notifier.provider.script([Answer::hang_up(), Answer::status(500), Answer::status(404).body("no_service"), moved]);
    notifier.notify("ops", &[firing("Down"), resolved("Down")]).await;
    notifier.ledger_becomes(&["triggered dead 3 404: no_service", "resolved dead 1 302: "]).await;
    let posts = notifier.provider.requests();
    assert!(posts.iter().all(|post| post.path.ends_with(SECRET)), "the provider must see it: {posts:?}");

    let log = std::fs::read_to_string(notifier.process().log_file()).unwrap();
    assert!(log.contains("a notice was not delivered"), "{log}");
    assert!(!log.contains(SECRET), "{log}");
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    for table in notifier.sql(tables).await.concat() {
        let rows = notifier.sql(&format!("SELECT t::text FROM {table} AS t")).await.concat();
        assert!(!rows.iter().any(|row| row.contains(SECRET)), "{table}: {rows:?}");
    }
    let metrics = format!("{}/metrics", notifier.topology.service_url("notifier-1").unwrap());
    let page = tocsin_testbed::http::client().unwrap().get(metrics).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("tocsin_notifier_attempts_total") && !page.contains(SECRET), "{page}");
}

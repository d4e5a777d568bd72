//! How a service ends.

use std::time::{Duration, Instant};

use tocsin_testbed::topology::Service;
use tocsin_testbed::{poll, programs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::system::{PATIENCE, System};

#[tokio::test]
async fn a_request_that_has_begun_is_answered_after_accepting_has_stopped() {
    let system = System::start(|builder| builder.env("TOCSIN_DRAIN_DELAY", "200ms")).await;
    let ingest = system.topology.process("ingest-1").unwrap();
    let address = system.topology.service_url("ingest-1").unwrap().trim_start_matches("http://").to_owned();

    let body = r#"{"title":"Slow sender"}"#;
    let (first, second) = body.split_at(10);
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let head =
        format!("POST /api/v1/webhooks/generic HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n{first}", body.len());
    slow.write_all(head.as_bytes()).await.unwrap();
    // The request must have reached its handler before the signal does.
    poll::until("ingest to have the connection", PATIENCE, async || {
        poll::expect(system.client.get(format!("http://{address}/health")).send().await.is_ok(), |ok| *ok)
    })
    .await
    .unwrap();

    ingest.terminate().await.unwrap();
    poll::until("ingest to stop accepting", PATIENCE, async || {
        poll::expect(TcpStream::connect(&address).await.is_err(), |refused| *refused)
    })
    .await
    .unwrap();
    slow.write_all(second.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(ingest.wait_exit(PATIENCE).await.unwrap().success());
    system.wait_until_drained().await;
    assert_eq!(system.count("SELECT count(*) FROM alerts WHERE title = 'Slow sender'").await, 1);
}

#[tokio::test]
async fn a_service_that_was_told_to_stop_is_not_ready_and_still_serves() {
    let system = System::start(|builder| builder.env("TOCSIN_DRAIN_DELAY", "5s")).await;
    for name in ["ingest-1", "api-1"] {
        let process = system.topology.process(name).unwrap();
        let url = system.topology.service_url(name).unwrap();
        process.terminate().await.unwrap();
        let ready = format!("{url}/ready");
        poll::until(format!("{name} to be not ready"), PATIENCE, async || {
            poll::expect(system.client.get(&ready).send().await.unwrap().status().as_u16(), |status| *status == 503)
        })
        .await
        .unwrap();
        let health = system.client.get(format!("{url}/health")).send().await.unwrap();
        assert_eq!(health.status(), 200, "{name} is alive");
        assert_eq!(health.headers()["connection"], "close", "{name} asks to be left");
        assert!(process.wait_exit(PATIENCE).await.unwrap().success(), "{name}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_service_at_once() {
    let system = System::start(|builder| builder.env("TOCSIN_DRAIN_DELAY", "10s")).await;
    for name in ["ingest-1", "api-1"] {
        let process = system.topology.process(name).unwrap();
        let ready = format!("{}/ready", system.topology.service_url(name).unwrap());
        process.terminate().await.unwrap();
        poll::until(format!("{name} to drain"), PATIENCE, async || {
            poll::expect(system.client.get(&ready).send().await.unwrap().status().as_u16(), |status| *status == 503)
        })
        .await
        .unwrap();
        let told = Instant::now();
        process.terminate().await.unwrap();
        let status = process.wait_exit(PATIENCE).await.unwrap();
        assert_eq!(status.code(), Some(143), "{name}");
        assert!(told.elapsed() < Duration::from_secs(5), "{name} took {:?}", told.elapsed());
    }
}

#[tokio::test]
async fn every_binary_explains_itself_and_refuses_what_it_cannot_use() {
    for service in Service::ALL {
        let binary = programs::service(service).unwrap();
        let run = async |args: &[&str], env: &[(&str, &str)]| {
            Command::new(&binary).args(args).envs(env.iter().copied()).output().await.unwrap()
        };
        let help = run(&["--help"], &[]).await;
        assert!(help.status.success());
        assert!(String::from_utf8(help.stdout).unwrap().contains("TOCSIN_LISTEN"), "{service} lists its variables");
        let version = run(&["--version"], &[]).await;
        assert!(String::from_utf8(version.stdout).unwrap().starts_with(service.binary()), "{service}");

        let faulty = [("TOCSIN_LISTEN", "nowhere"), ("TOCSIN_CONFIG", "/nonexistent/tocsin.yaml")];
        let refused = run(&[], &faulty).await;
        assert_eq!(refused.status.code(), Some(2), "{service}");
        let told = String::from_utf8(refused.stderr).unwrap();
        for text in ["TOCSIN_LISTEN", "/nonexistent/tocsin.yaml", "remedy"] {
            assert!(told.contains(text), "{service} does not mention {text}: {told}");
        }
    }
}

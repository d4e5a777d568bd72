//! A bench, as short as can be: not for its figures, but so that it works when somebody wants them.

use std::collections::HashSet;
use std::time::Duration;

use tocsin_testbed::bench::worker::Pace;
use tocsin_testbed::bench::{api, ingest, live, notify, worker};

use crate::bed::stores::folder;
use crate::turn::Turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_of_ingest_measures_everybody_and_finds_everything_applied() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let options = ingest::Options { rounds: 1, duration: Duration::from_secs(1), connections: 4, warm_up: false };
    let report = ingest::run(options, folder.path()).await.unwrap();
    println!("{report}");
    assert!(report.metrics.iter().all(|metric| metric.value() > 0.0), "{report}");
    let names: HashSet<_> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in ["bare_rps", "durable_over_bare", "replicated_over_bare", "durable_over_alertmanager", "rss_mib"] {
        assert!(names.contains(format!("ingest.{name}").as_str()), "{name} is missing: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_of_the_worker_measures_everybody_and_finds_everything_applied_once() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let pace = Pace { per_second: 50, during: Duration::from_secs(1) };
    let options = worker::Options { rounds: 1, alerts: 4_000, existing: 2_000, pace };
    let report = worker::run(options, folder.path()).await.unwrap();
    println!("{report}");
    assert!(report.metrics.iter().all(|metric| metric.value() > 0.0), "{report}");
    let names: HashSet<_> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in ["worker.applied_over_upsert", "worker.growth", "worker.rss_mib", "pipeline.visible_p99_ms"] {
        assert!(names.contains(name), "{name} is missing: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_of_the_notifier_measures_everything_and_finds_each_notice_told_once() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let pace = notify::Pace { per_second: 20, during: Duration::from_secs(2) };
    let report = notify::run(notify::Options { rounds: 1, notices: 2_000, pace }, folder.path()).await.unwrap();
    println!("{report}");
    assert!(report.metrics.iter().all(|metric| metric.value() > 0.0), "{report}");
    let names: HashSet<_> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in ["notify.delivered_over_reqwest", "pipeline.notified_p99_ms", "notify.isolation_p99_growth"] {
        assert!(names.contains(name), "{name} is missing: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_of_the_api_reads_everything_from_both_databases() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let options = api::Options { rounds: 1, duration: Duration::from_secs(1), incidents: 3_000, alerts: 2, clients: 4 };
    let report = api::run(options, folder.path()).await.unwrap();
    println!("{report}");
    assert!(report.metrics.iter().all(|metric| metric.value() > 0.0), "{report}");
    let names: HashSet<_> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in ["list_p95_ms", "detail_p95_ms", "alerts_p95_ms", "search_p95_ms", "growth", "detail_over_bare"] {
        assert!(names.contains(format!("api.{name}").as_str()), "{name} is missing: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_of_live_events_finds_each_incident_at_each_client() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let options = live::Options { clients: 50, per_second: 20, during: Duration::from_secs(1) };
    let report = live::run(options, folder.path()).await.unwrap();
    println!("{report}");
    assert!(report.metrics.iter().all(|metric| metric.value() > 0.0), "{report}");
    let names: Vec<_> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["live.clients", "live.delivery_p50_ms", "live.delivery_p99_ms", "rss.api_live_mib"]);
}

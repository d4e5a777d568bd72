//! One of three etcd, which say which Patroni leads.

use std::path::Path;

use serde::Deserialize;

use crate::process::Spec;
use crate::{Result, http, programs};

pub(super) const PORT: u16 = 2379;
pub(super) const PEER_PORT: u16 = 2380;

/// How to start it, with its data in `folder`: others find it at `address`. `members` are names and addresses of all.
pub(super) fn spec(
    name: &str,
    (address, listens_at): (&str, &str),
    members: &[(String, String)],
    folder: &Path,
    logs: &Path,
) -> Result<Spec> {
    let [client, listen_client] = [address, listens_at].map(|address| format!("http://{address}:{PORT}"));
    let [peer, listen_peer] = [address, listens_at].map(|address| format!("http://{address}:{PEER_PORT}"));
    let cluster = members.iter().map(|(name, address)| format!("{name}=http://{address}:{PEER_PORT}"));
    let cluster = cluster.collect::<Vec<_>>().join(",");
    Ok(Spec::new(name, programs::system("etcd", "etcd-server")?, logs)
        .args(["--name", name, "--data-dir"])
        .args([folder])
        .args(["--listen-client-urls", &listen_client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &listen_peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &cluster, "--initial-cluster-token", "tocsin"])
        // Far below Patroni's retry_timeout, and without elections by who was only cut off.
        .args(["--heartbeat-interval", "50", "--election-timeout", "500", "--pre-vote=true"])
        .args(["--auto-compaction-retention", "1", "--log-level", "warn"]))
}

pub(super) async fn probe(address: &str) -> Result<(), String> {
    http::is_ok(&format!("http://{address}:{PORT}/health")).await
}

/// Whether this one leads.
pub(super) async fn leads(address: &str) -> bool {
    #[derive(Deserialize)]
    struct Header {
        member_id: String,
    }
    #[derive(Deserialize)]
    struct Status {
        header: Header,
        leader: Option<String>,
    }
    let answer = http::post(&format!("http://{address}:{PORT}/v3/maintenance/status"), "{}").await;
    let status = answer.ok().and_then(|text| serde_json::from_str::<Status>(&text).ok());
    status.is_some_and(|status| status.leader.as_ref() == Some(&status.header.member_id))
}

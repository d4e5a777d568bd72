//! One of three Postgres, each under a Patroni, which makes one of them lead.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::etcd;
use crate::command::Run;
use crate::process::{Account, Spec};
use crate::stores::{POSTGRES_ROLE, prepare_postgres_folder, remove_postgres_leftovers};
use crate::{Result, TestbedError, http, programs};

pub(super) const PORT: u16 = 5432;
pub(super) const API_PORT: u16 = 8008;
/// How long Patroni may take to stop its Postgres.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// How long copying it may take.
const COPY_DEADLINE: Duration = Duration::from_secs(20);

/// Copies Patroni to where Postgres' account can read it.
pub(super) async fn install(folder: &Path) -> Result<PathBuf> {
    let target = folder.join("patroni");
    let source = programs::patroni()?;
    fs::create_dir_all(&target).map_err(TestbedError::file("create", &target))?;
    Run::new(programs::system("cp", "coreutils")?)
        .args(["--recursive".as_ref(), "--no-target-directory".as_ref(), source.as_os_str(), target.as_os_str()])
        .output(COPY_DEADLINE)
        .await?;
    Ok(target)
}

/// How to start it, with its data in `folder`.
pub(super) fn spec(name: &str, folder: &Path, patroni: &Path, logs: &Path) -> Result<Spec> {
    let account = Account::for_postgres()?;
    prepare_postgres_folder(folder, account.as_ref())?;
    // What Patroni needs comes from Debian, so it must be Debian's Python.
    let python = PathBuf::from("/usr/bin/python3");
    let mut spec = Spec::new(name, programs::own("tocsin-testbed")?, logs).args(["tend", "--"]);
    if let Some(account) = &account {
        spec = spec.args([programs::system("setpriv", "util-linux")?]).args(account.setpriv_args()).args(["--"]);
    }
    spec = spec
        .args([python])
        .args(["-m", "patroni"])
        .args([folder.join("patroni.yml")])
        .env("PYTHONPATH", patroni)
        .env("HOME", folder);
    spec.folder = Some(folder.to_owned());
    spec.stop_deadline = STOP_DEADLINE;
    // Politely: whoever tends it then takes everything along.
    spec.death_signal = "HUP";
    Ok(spec)
}

/// Writes the configuration: others find it at `address`. What stands under `bootstrap.dcs` counts at the first start only.
pub(super) fn configure(
    name: &str,
    (address, listens_at): (&str, &str),
    subnet: &str,
    etcd: &[String],
    folder: &Path,
) -> Result<()> {
    let hosts = etcd.iter().map(|address| format!("'{address}:{}'", etcd::PORT)).collect::<Vec<_>>().join(", ");
    let binaries = programs::postgres_folder(None)?;
    let text = format!(
        "scope: tocsin
namespace: /tocsin/
name: {name}
restapi:
  listen: {listens_at}:{API_PORT}
  connect_address: {address}:{API_PORT}
etcd3:
  hosts: [{hosts}]
bootstrap:
  dcs:
    ttl: 5
    loop_wait: 1
    retry_timeout: 2
    primary_start_timeout: 0
    check_timeline: true
    synchronous_mode: true
    synchronous_mode_strict: true
    synchronous_node_count: 1
    postgresql:
      use_pg_rewind: true
      use_slots: false
      parameters:
        max_connections: 200
        shared_buffers: 64MB
        wal_keep_size: 256MB
        wal_sender_timeout: 2s
        wal_receiver_timeout: 2s
        timezone: UTC
        log_timezone: UTC
        logging_collector: 'off'
  initdb:
    - encoding: UTF8
    - locale: C.UTF-8
    - data-checksums
postgresql:
  listen: {listens_at}:{PORT}
  connect_address: {address}:{PORT}
  data_dir: {data}
  bin_dir: {binaries}
  pgpass: {folder}/pgpass
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true
  basebackup:
    - checkpoint: fast
  authentication:
    superuser: {{username: {POSTGRES_ROLE}}}
    replication: {{username: replicator}}
  parameters:
    unix_socket_directories: ''
  pg_hba:
    - host all all {subnet} trust
    - host replication replicator {subnet} trust
    - host all all 127.0.0.0/8 trust
    - host replication replicator 127.0.0.0/8 trust
",
        data = data(folder).display(),
        folder = folder.display(),
        binaries = binaries.display(),
    );
    let file = folder.join("patroni.yml");
    fs::write(&file, text).map_err(TestbedError::file("write", file))
}

/// What a node that was killed leaves behind.
pub(super) async fn remove_leftovers(folder: &Path) -> Result<()> {
    remove_postgres_leftovers(&data(folder)).await
}

/// Whether its Postgres runs, in whichever role.
pub(super) async fn probe(address: &str) -> Result<(), String> {
    http::is_ok(&format!("http://{address}:{API_PORT}/health")).await
}

/// Whether it has this role: `primary` or `sync`.
pub(super) async fn is(address: &str, role: &str) -> bool {
    http::is_ok(&format!("http://{address}:{API_PORT}/{role}")).await.is_ok()
}

/// Kills the Postgres server of a node, whose process id it has written down.
pub(super) async fn kill_postmaster(folder: &Path, name: &str) -> Result<()> {
    let file = data(folder).join("postmaster.pid");
    let text = tokio::fs::read_to_string(&file).await.map_err(TestbedError::file("read", file))?;
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
    let pid = pid.ok_or_else(|| TestbedError::NotRunning { name: name.to_owned() })?;
    kill(Pid::from_raw(pid), Signal::SIGKILL).map_err(|source| TestbedError::Signal { name: name.to_owned(), source })
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

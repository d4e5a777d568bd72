//! A private Postgres.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::command::Run;
use crate::process::{Account, Spec, processes_in};
use crate::{Port, Process, Result, TestbedError, poll, programs};

/// The superuser that `initdb` makes.
pub(crate) const ROLE: &str = "tocsin";
/// The database of a Tocsin that has this Postgres for itself.
const DATABASE: &str = "tocsin";
/// The database that `initdb` makes, for statements about other databases.
pub(super) const MAINTENANCE_DATABASE: &str = "postgres";

/// How long `initdb` may take.
const INIT_DEADLINE: Duration = Duration::from_mins(1);
/// How long the server may take until it answers a query. Recovery after a crash is what takes time.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// How long a fast shutdown may take.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// How long the rest of an earlier server may take to go away.
const LEFTOVER_DEADLINE: Duration = Duration::from_secs(10);
/// How long one query may take.
const QUERY_DEADLINE: Duration = Duration::from_secs(30);

/// A private Postgres cluster. As root, it runs as the account `postgres`, since Postgres refuses root.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: Port,
}

impl Postgres {
    /// Starts it with its data in `folder`, makes the cluster first where there is none, and waits until it answers.
    ///
    /// # Errors
    /// When Postgres or its account is missing, the folder is closed to it, or the server does not become ready.
    pub async fn start(folder: &Path, logs: &Path) -> Result<Self> {
        let account = Account::for_postgres()?;
        prepare_folder(folder, account.as_ref())?;
        let data = folder.join("data");
        let binaries = if data.join("PG_VERSION").exists() {
            binaries_for(&data)?
        } else {
            let binaries = programs::postgres_folder(None)?;
            init(&binaries, folder, &data, account.as_ref()).await?;
            binaries
        };
        remove_leftovers(&data).await?;
        let port = Port::free()?;
        let mut spec = Spec::new("postgres", binaries.join("postgres"), logs).args(server_args(&data, port.number()));
        spec.folder = Some(folder.to_owned());
        spec.account = account;
        // Fast shutdown: clients are disconnected instead of waited for.
        spec.stop_signal = Signal::SIGINT;
        spec.stop_deadline = STOP_DEADLINE;
        let postgres = Self { process: Process::new(spec), port };
        postgres.process.start().await?;
        postgres.wait_ready().await?;
        postgres.create_database(DATABASE).await?;
        Ok(postgres)
    }

    /// Its process, to stop, kill, pause and restart. These act on the server and all its backends.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The address of the database `tocsin`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// The address of any of its databases.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port.number())
    }

    /// Waits until it answers a query, for use after a restart.
    ///
    /// # Errors
    /// [`TestbedError::NotReady`] or [`TestbedError::EndedEarly`].
    pub async fn wait_ready(&self) -> Result<()> {
        self.process.await_ready(READY_DEADLINE, "an answer to a query", async || self.probe().await).await
    }

    /// Whether it answers a query right now; else what it did instead.
    pub async fn probe(&self) -> Result<(), String> {
        let answer = query_within(Duration::from_secs(1), &self.url_of(MAINTENANCE_DATABASE), "SELECT 1").await;
        answer.map(drop).map_err(|error| error.to_string())
    }

    /// Makes a database unless it exists.
    pub(crate) async fn create_database(&self, name: &str) -> Result<()> {
        let url = self.url_of(MAINTENANCE_DATABASE);
        let existing = query(&url, &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).await?;
        if existing.is_empty() {
            query(&url, &format!("CREATE DATABASE {name}")).await?;
        }
        Ok(())
    }
}

/// The address with which a service's own role logs in.
pub(crate) fn postgres_url_of(url: &str, role: &str) -> String {
    url.replacen(&format!("postgres://{ROLE}@"), &format!("postgres://{role}@"), 1)
}

/// Runs SQL through `psql`; rows of columns, as text. NULL is the empty string.
pub(crate) async fn query(url: &str, sql: &str) -> Result<Vec<Vec<String>>> {
    query_within(QUERY_DEADLINE, url, sql).await
}

async fn query_within(deadline: Duration, url: &str, sql: &str) -> Result<Vec<Vec<String>>> {
    // Separators that no text of ours contains: a label may hold a tab, a bar or a line break.
    const FIELD: char = '\u{1f}';
    const RECORD: char = '\u{1e}';
    let output = Run::new(programs::system("psql", "postgresql-client")?)
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1"])
        .args([format!("--field-separator={FIELD}"), format!("--record-separator={RECORD}")])
        .args(["--dbname", url, "--file", "-"])
        .env("PGCONNECT_TIMEOUT", "5")
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .input(sql)
        .output(deadline)
        .await?;
    let Some(rows) = output.strip_suffix('\n') else { return Ok(Vec::new()) };
    let records = rows.split(RECORD);
    Ok(records.map(|record| record.split(FIELD).map(str::to_owned).collect()).collect())
}

fn server_args(data: &Path, port: u16) -> Vec<std::ffi::OsString> {
    let settings = [
        "listen_addresses=127.0.0.1",
        // TCP only: the path of a socket in a deep folder would be longer than the kernel allows.
        "unix_socket_directories=",
        "max_connections=300",
        "fsync=on",
        "synchronous_commit=on",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
    ];
    let mut args = vec!["-D".into(), data.into(), "-p".into(), port.to_string().into()];
    args.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
    args
}

/// Makes the folder and hands it to the account that Postgres runs as.
pub(crate) fn prepare_folder(folder: &Path, account: Option<&Account>) -> Result<()> {
    fs::create_dir_all(folder).map_err(TestbedError::file("create", folder))?;
    let Some(account) = account else { return Ok(()) };
    account.own(folder)?;
    for ancestor in folder.ancestors().skip(1) {
        let metadata = fs::metadata(ancestor).map_err(TestbedError::file("read", ancestor))?;
        let others_may_enter = metadata.permissions().mode() & 0o001 != 0;
        if !others_may_enter && metadata.uid() != account.uid() {
            return Err(TestbedError::Unreachable { account: account.name().to_owned(), folder: ancestor.to_owned() });
        }
    }
    Ok(())
}

/// Makes the cluster beside its place and moves it there when it is whole, so that an interrupted `initdb` leaves nothing
/// that looks like data.
async fn init(binaries: &Path, folder: &Path, data: &Path, account: Option<&Account>) -> Result<()> {
    let unfinished = folder.join("data.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(TestbedError::file("remove", &unfinished))?;
    }
    Run::as_account(binaries.join("initdb"), account)?
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"])
        .args([format!("--username={ROLE}")])
        .args(["--pgdata".as_ref(), unfinished.as_os_str()])
        .output(INIT_DEADLINE)
        .await?;
    fs::rename(&unfinished, data).map_err(TestbedError::file("move into place", &unfinished))
}

/// The binaries of the major version that wrote the data.
fn binaries_for(data: &Path) -> Result<PathBuf> {
    let file = data.join("PG_VERSION");
    let version = fs::read_to_string(&file).map_err(TestbedError::file("read", file))?;
    let found = version.trim().to_owned();
    let major = found.parse().ok();
    programs::postgres_folder(major).map_err(|_missing| TestbedError::OtherPostgres { folder: data.to_owned(), found })
}

/// What a server that was killed leaves behind: backends that have not noticed yet, and `postmaster.pid`. Postgres takes
/// the latter for a living server when its process id has been given to somebody else, so it goes once we know that
/// nobody works in the folder. (Postgres and its backends all work in the data folder.)
pub(crate) async fn remove_leftovers(data: &Path) -> Result<()> {
    let gone = poll::until("the earlier Postgres to end", LEFTOVER_DEADLINE, async || {
        poll::expect(processes_in(data), Vec::is_empty)
    })
    .await;
    if gone.is_err() {
        let pid = processes_in(data).first().map_or(0, |pid| pid.as_raw());
        return Err(TestbedError::ClusterInUse { folder: data.to_owned(), pid });
    }
    let pid_file = data.join("postmaster.pid");
    match fs::remove_file(&pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TestbedError::file("remove", pid_file)(error))
        }
        _ => Ok(()),
    }
}

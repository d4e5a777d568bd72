//! How commands talk to the running supervisor: JSON lines over a unix socket in the state folder, one request and one
//! reply for each connection. The socket is open to its owner alone.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep, timeout};

use super::error::CliError;
use super::state::StateFolder;

const SOCKET: &str = "control.sock";
/// Longest request and reply, in bytes.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// How long a client may take to send its request.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// How long the supervisor may take to answer. A service that is stopped may take 30 s to drain.
const REPLY_DEADLINE: Duration = Duration::from_mins(1);
/// How long a process may take to die that was killed.
const DYING: Duration = Duration::from_secs(1);

/// What a command wants of the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Say what runs.
    Status,
    /// Do something with one process.
    Act { action: Action, name: String },
    /// Stop everything and end.
    ShutDown,
}

/// What can be done with one process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Stop,
    Kill,
    Pause,
    Resume,
    Start,
    Restart,
    CutOff,
    Heal,
}

/// What the supervisor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// What runs.
    Status(Status),
    /// It is done; a sentence about it.
    Done { message: String },
    /// It could not be done; the reason.
    Refused { message: String },
}

/// What runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// The front door. `None` until everything is up.
    pub(crate) url: Option<String>,
    pub(crate) token: Option<String>,
    /// The local Slack inbox, when there is one.
    pub(crate) inbox: Option<String>,
    pub(crate) services: Vec<ProcessStatus>,
}

/// How far the supervisor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Starting,
    Up,
    Stopping,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Stopping => "stopping",
        }
    }
}

/// One process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProcessStatus {
    pub(crate) name: String,
    /// `None` when it does not run.
    pub(crate) pid: Option<u32>,
    /// What a probe found just now.
    pub(crate) ready: bool,
    /// What else is to be said of it: its role, or what was done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// The socket's address. The kernel allows 108 bytes for it and a state folder may lie deep, so it is reached through a
/// descriptor of its folder.
struct SocketPath {
    path: PathBuf,
    _folder: File,
}

impl SocketPath {
    fn of(state: &StateFolder) -> io::Result<Self> {
        let folder = File::open(state.path())?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()).into();
        Ok(Self { path, _folder: folder })
    }
}

/// Opens the socket. Only the holder of the supervisor's lock may do so: it replaces what an earlier one left there.
pub(crate) fn listen(state: &StateFolder) -> Result<UnixListener, CliError> {
    let socket = SocketPath::of(state).map_err(CliError::Control)?;
    let _ = fs::remove_file(&socket.path);
    UnixListener::bind(&socket.path).map_err(CliError::Control)
}

/// Sends one request to the supervisor of the state folder.
///
/// # Errors
/// [`CliError::NotUp`] when there is none or it has just died, [`CliError::NoAnswer`] when it hangs, [`CliError::Refused`] when
/// it refuses.
pub(crate) async fn ask(state: &StateFolder, request: &Request) -> Result<Reply, CliError> {
    let Some(pid) = state.supervisor()? else { return Err(CliError::NotUp) };
    let reply = timeout(REPLY_DEADLINE, exchange(state, request)).await;
    match reply.map_err(|_elapsed| CliError::NoAnswer { pid, waited: REPLY_DEADLINE })? {
        Ok(Reply::Refused { message }) => Err(CliError::Refused { message }),
        Err(CliError::Control(_)) if dies(state).await? => Err(CliError::NotUp),
        reply => reply,
    }
}

/// Whether the supervisor, which has broken off, is gone. A process that is killed loses its threads one by one: its socket may
/// be there a moment longer than what it ran, and its lock a moment longer than its socket.
async fn dies(state: &StateFolder) -> Result<bool, CliError> {
    let end = Instant::now() + DYING;
    while state.supervisor()?.is_some() {
        if Instant::now() > end {
            return Ok(false);
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(true)
}

/// What runs; `None` when nothing does.
pub(crate) async fn status(state: &StateFolder) -> Result<Option<Status>, CliError> {
    match ask(state, &Request::Status).await {
        Ok(Reply::Status(status)) => Ok(Some(status)),
        Ok(Reply::Done { message } | Reply::Refused { message }) => Err(CliError::Refused { message }),
        Err(CliError::NotUp) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn exchange(state: &StateFolder, request: &Request) -> Result<Reply, CliError> {
    let socket = SocketPath::of(state).map_err(CliError::Control)?;
    let mut stream = UnixStream::connect(&socket.path).await.map_err(CliError::Control)?;
    write_line(&mut stream, request).await?;
    read_line(&mut stream).await
}

/// Reads the request of a client that has just connected.
pub(crate) async fn receive(stream: &mut UnixStream) -> Result<Request, CliError> {
    match timeout(REQUEST_DEADLINE, read_line(stream)).await {
        Ok(request) => request,
        Err(_elapsed) => Err(CliError::Control(io::ErrorKind::TimedOut.into())),
    }
}

/// Answers it.
pub(crate) async fn send(stream: &mut UnixStream, reply: &Reply) -> Result<(), CliError> {
    write_line(stream, reply).await
}

async fn write_line(stream: &mut UnixStream, message: &impl Serialize) -> Result<(), CliError> {
    let mut line = serde_json::to_vec(message).map_err(CliError::Protocol)?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(CliError::Control)
}

async fn read_line<T: for<'de> Deserialize<'de>>(stream: &mut UnixStream) -> Result<T, CliError> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE_BYTES)).read_line(&mut line).await.map_err(CliError::Control)?;
    if line.is_empty() {
        return Err(CliError::Control(io::ErrorKind::UnexpectedEof.into()));
    }
    serde_json::from_str(&line).map_err(CliError::Protocol)
}

//! One connection through a relay.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::process::Connection;

/// How much of what was read waits to be written.
const BUFFER_BYTES: usize = 16 * 1024;
/// How often one that is held back is looked at: has its peer given up?
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Lets a connection's bytes pass, or holds them back.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) of: String,
    /// The connection as its peer sees it.
    pub(super) peer: Connection,
    /// The peer, when it is one of ours and that has been looked up.
    pub(super) from: Option<String>,
    pub(super) is_looked_up: bool,
    is_open: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn closed(of: &str, peer: Connection) -> (Self, watch::Receiver<bool>) {
        let (is_open, changes) = watch::channel(false);
        (Self { of: of.to_owned(), peer, from: None, is_looked_up: false, is_open }, changes)
    }

    pub(super) fn set(&self, is_open: bool) {
        self.is_open.send_if_modified(|was_open| std::mem::replace(was_open, is_open) != is_open);
    }
}

/// Passes everything on, both ways, while the gate is open.
pub(super) async fn relay(
    mut client: TcpStream,
    hidden: SocketAddr,
    mut gate: watch::Receiver<bool>,
) -> io::Result<()> {
    loop {
        tokio::select! {
            () = opened(&mut gate) => break,
            () = sleep(LOOK_EVERY) => if has_hung_up(&client).await { return Ok(()) },
        }
    }
    let mut server = TcpStream::connect(hidden).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let forth = pass(from_client, to_server, gate.clone());
    let back = pass(from_server, to_client, gate);
    tokio::try_join!(forth, back).map(drop)
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut gate: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        opened(&mut gate).await;
        let length = tokio::select! {
            length = from.read(&mut buffer) => length?,
            () = closed(&mut gate) => continue,
        };
        // What came while it was being closed.
        opened(&mut gate).await;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

async fn opened(gate: &mut watch::Receiver<bool>) {
    wait_for(gate, true).await;
}

async fn closed(gate: &mut watch::Receiver<bool>) {
    wait_for(gate, false).await;
}

async fn wait_for(gate: &mut watch::Receiver<bool>, wanted: bool) {
    if gate.wait_for(|is_open| *is_open == wanted).await.is_err() {
        // The relays end, and this task with them.
        pending::<()>().await;
    }
}

/// Whether the peer will not send any more. What it has sent is still there.
async fn has_hung_up(client: &TcpStream) -> bool {
    let ready = timeout(Duration::ZERO, client.ready(Interest::READABLE)).await;
    matches!(ready, Ok(Ok(ready)) if ready.is_read_closed())
}

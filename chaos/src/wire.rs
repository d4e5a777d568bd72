//! A slow and lossy wire to a server.
//!
//! A lost segment is one that TCP sends again when its acknowledgement is missing, 200 ms later at first, and what comes after
//! it waits. That, and the delay of each direction, is what is done here, on what one read of a socket gives.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::error::{ChaosError, Result};

/// How long a lost segment takes more: Linux' least time to wait before it sends again.
const RESENT_AFTER: Duration = Duration::from_millis(200);
/// Most bytes of a segment.
const SEGMENT: usize = 16 * 1024;
/// Segments that are under way in one direction.
const UNDER_WAY: usize = 1_024;

/// How slow a wire is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quality {
    /// What each direction takes.
    pub(crate) delay: Duration,
    /// The share of segments that are lost at first.
    pub(crate) loss: f64,
}

/// A port that leads to a server. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    quality: watch::Sender<Quality>,
    listening: AbortHandle,
}

impl Wire {
    /// Opens one to this address of this machine, without delay.
    pub(crate) async fn open(to: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(ChaosError::file("open", "a port"))?;
        let port = listener.local_addr().map_err(ChaosError::file("ask for", "a port"))?.port();
        let (quality, of_connections) = watch::channel(Quality::default());
        let listening = tokio::spawn(listen(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, to)), of_connections));
        Ok(Self { port, quality, listening: listening.abort_handle() })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on, also for connections that are open.
    pub(crate) fn set(&self, quality: Quality) {
        self.quality.send_replace(quality);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, to: SocketAddr, quality: watch::Receiver<Quality>) {
    // Aborted with this task.
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let quality = quality.clone();
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(to).await else { return };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            // When one direction ends both do, as the servers here close both.
            tokio::select! {
                () = carry(near_in, far_out, quality.clone()) => {}
                () = carry(far_in, near_out, quality) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, quality: watch::Receiver<Quality>) {
    let (under_way, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let send = async {
        let mut buffer = vec![0; SEGMENT];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let Quality { delay, loss } = *quality.borrow();
            let lost = rand::rng().random_bool(loss);
            let due = Instant::now() + delay + if lost { RESENT_AFTER } else { Duration::ZERO };
            if under_way.send((due, buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
        drop(under_way);
    };
    let deliver = async {
        while let Some((due, segment)) = arriving.recv().await {
            sleep_until(due).await;
            if to.write_all(&segment).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(send, deliver);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_wire_delays_and_loses_nothing() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let wire = Wire::open(server.local_addr().unwrap().port()).await.unwrap();
        wire.set(Quality { delay: Duration::from_millis(30), loss: 0.5 });
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, wire.port())).await.unwrap();
        let (mut peer, _) = server.accept().await.unwrap();
        let begun = Instant::now();
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        let mut received = vec![0; sent.len()];
        let (written, read) = tokio::join!(client.write_all(&sent), peer.read_exact(&mut received));
        written.unwrap();
        read.unwrap();
        assert_eq!(received, sent, "in order, whatever was sent again");
        assert!(begun.elapsed() >= Duration::from_millis(30), "{:?}", begun.elapsed());
    }
}

//! A slow and lossy wire to a server.
//!
//! A lost segment is one that TCP sends again when its acknowledgement is missing, 200 ms later at first, and what comes after
//! it waits. That, and the delay of each direction, is what is done here, on what one read of a socket gives.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{io, thread};

use nix::sched::{CloneFlags, setns};
use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
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
}

impl Wire {
    /// Opens one, without delay, to a server on this machine, at the server's own address.
    pub(crate) async fn open(to: SocketAddr) -> Result<Self> {
        let (quality, of_connections) = watch::channel(Quality::default());
        let (opened, port) = oneshot::channel();
        tokio::spawn(serve(to, of_connections, opened));
        Self::opened(port, quality).await
    }

    /// The same in a network namespace, whose file this is. A socket belongs to the namespace of the thread that makes it, so
    /// the wire has a thread of its own.
    pub(crate) async fn open_within(namespace: &Path, to: SocketAddr) -> Result<Self> {
        let file = std::fs::File::open(namespace).map_err(ChaosError::file("open", namespace))?;
        let (quality, of_connections) = watch::channel(Quality::default());
        let (opened, port) = oneshot::channel();
        let work = move || {
            let runtime = setns(file, CloneFlags::CLONE_NEWNET)
                .map_err(io::Error::from)
                .and_then(|()| runtime::Builder::new_current_thread().enable_all().build());
            match runtime {
                Ok(runtime) => runtime.block_on(serve(to, of_connections, opened)),
                // Nobody waits for it any more when this fails.
                Err(error) => drop(opened.send(Err(error))),
            }
        };
        thread::Builder::new().name("wire".to_owned()).spawn(work).map_err(ChaosError::file("start", "a thread"))?;
        Self::opened(port, quality).await
    }

    async fn opened(port: oneshot::Receiver<io::Result<u16>>, quality: watch::Sender<Quality>) -> Result<Self> {
        let port = port.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        Ok(Self { port: port.map_err(ChaosError::file("open", "a port"))?, quality })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on, also for connections that are open.
    pub(crate) fn set(&self, quality: Quality) {
        self.quality.send_replace(quality);
    }
}

/// Says which port it has opened, and leads what comes there to a server until the other end of `quality` is dropped.
async fn serve(to: SocketAddr, mut quality: watch::Receiver<Quality>, opened: oneshot::Sender<io::Result<u16>>) {
    let listener = TcpListener::bind((to.ip(), 0)).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (port, listener) = match listener {
        Ok((address, listener)) => (Ok(address.port()), Some(listener)),
        Err(error) => (Err(error), None),
    };
    let (Ok(()), Some(listener)) = (opened.send(port), listener) else { return };
    let of_connections = quality.clone();
    let dropped = async { while quality.changed().await.is_ok() {} };
    tokio::select! {
        () = listen(listener, to, of_connections) => {}
        () = dropped => {}
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
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_slow_wire_delays_and_loses_nothing() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let wire = Wire::open(server.local_addr().unwrap()).await.unwrap();
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

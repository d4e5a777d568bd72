//! The relay of one port.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::{Shared, connection};
use crate::process::{Connection, Life};

/// Most connections at the same time. More wait.
const CONNECTIONS: usize = 4096;
/// How many connections the kernel keeps until they are taken.
const BACKLOG: i32 = 1024;
/// Pause after a failure that is the machine's.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the kernel may take to connect us to ourselves.
const FILL_DEADLINE: Duration = Duration::from_millis(50);
/// How many connections fill what there is room for at most.
const FILLERS: usize = 8;

/// Stands on the address that everybody knows.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) of: String,
    pub(super) public: SocketAddr,
    /// Where the process listens.
    pub(super) hidden: SocketAddr,
    pub(super) life: watch::Receiver<Life>,
}

impl Door {
    /// Is there while the process runs, so that who does not run refuses connections; and while it is cut off, so that it does
    /// not.
    pub(super) async fn keep(self, shared: Arc<Shared>) {
        let mut life = self.life.clone();
        let mut cuts = shared.cut_off.subscribe();
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            while !self.is_wanted(&shared) {
                changed(&mut life, &mut cuts).await;
            }
            let Ok(listener) = TcpListener::bind(self.public).await else {
                sleep(PAUSE).await;
                continue;
            };
            while self.is_wanted(&shared) {
                if shared.is_cut_off(&self.of) {
                    let _full = shut(&listener, self.public).await;
                    while shared.is_cut_off(&self.of) {
                        changed(&mut life, &mut cuts).await;
                    }
                    let _ = SockRef::from(&listener).listen(BACKLOG);
                }
                tokio::select! {
                    accepted = self.accept(&listener, &slots, &shared) => if !accepted { sleep(PAUSE).await },
                    () = changed(&mut life, &mut cuts) => {}
                }
            }
        }
    }

    async fn accept(&self, listener: &TcpListener, slots: &Arc<Semaphore>, shared: &Arc<Shared>) -> bool {
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return false };
        let Ok((client, peer)) = listener.accept().await else { return false };
        let (of, hidden, shared) = (self.of.clone(), self.hidden, Arc::clone(shared));
        let peer = Connection { local: peer, remote: self.public };
        tokio::spawn(async move {
            let (number, gate) = shared.enter(&of, peer).await;
            // How it ends is for its two ends to know.
            let _ = connection::relay(client, hidden, gate).await;
            shared.leave(number);
            drop(slot);
        });
        true
    }

    fn is_wanted(&self, shared: &Shared) -> bool {
        matches!(*self.life.borrow(), Life::Running { .. }) || shared.is_cut_off(&self.of)
    }
}

/// Has the kernel leave further attempts to connect without an answer, by filling the room that it has for them.
async fn shut(listener: &TcpListener, public: SocketAddr) -> Vec<TcpStream> {
    let mut full = Vec::new();
    if SockRef::from(listener).listen(0).is_ok() {
        while full.len() < FILLERS
            && let Ok(Ok(stream)) = timeout(FILL_DEADLINE, TcpStream::connect(public)).await
        {
            full.push(stream);
        }
    }
    full
}

async fn changed(life: &mut watch::Receiver<Life>, cuts: &mut watch::Receiver<impl Send + Sync>) {
    tokio::select! {
        Ok(()) = life.changed() => {}
        Ok(()) = cuts.changed() => {}
        // The topology ends, and this task with it.
        else => pending().await,
    }
}

//! How processes are cut off where the kernel does not do it for us: an ordinary user's way.
//!
//! Each process listens where nobody looks for it, on `127.78.SLOT.N` (a store) or `127.78.SLOT.1`, and a relay of ours stands on
//! the address that everybody knows. A process that is cut off is not connected to any more: its relays take no connection. And
//! the relays of all others hold back what comes from it: who is at the other end of a connection is seen in `/proc`. Connections
//! that there are stay open and nothing comes through them, until it is healed; then they go on.
//!
//! What a process says to somebody who has no relay, such as a test's double, is not held back.

mod connection;
mod door;

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use self::connection::Gate;
use self::door::Door;
use crate::process::{Connection, Life, owners};
use crate::{Process, Result, TestbedError};

/// Between two looks, which cost much where there are many connections.
const PAUSE: Duration = Duration::from_millis(100);

/// Relays of one topology. They end with this value.
#[derive(Debug)]
pub(super) struct Relays {
    slot: u8,
    /// Of their own, so that they go on while a test keeps its own busy. `None` only while it is dropped.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

/// How far a process is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing reaches it.
    All,
    /// It is a store, and no other store reaches it.
    Stores,
}

/// What all relays share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Held by who looks up whose connections there are. Whoever waits for it is served by the next look.
    turn: tokio::sync::Mutex<()>,
    /// Who is cut off, for those who wait for a change.
    cut_off: watch::Sender<BTreeMap<String, Reach>>,
}

#[derive(Debug, Default)]
struct State {
    members: BTreeMap<String, Member>,
    gates: BTreeMap<u64, Gate>,
    last_gate: u64,
}

/// A process behind relays.
#[derive(Debug)]
struct Member {
    life: watch::Receiver<Life>,
    is_store: bool,
}

impl Relays {
    pub(super) fn new(slot: u8) -> Result<Self> {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("relays").enable_all().build();
        let runtime = runtime.map_err(|source| TestbedError::Spawn { name: "the relays".to_owned(), source })?;
        let shared = Arc::new(Shared::default());
        Ok(Self { slot, runtime: Some(runtime), shared })
    }

    /// The address that everybody knows of a store.
    pub(super) fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.slot, last)
    }

    /// Where it listens.
    pub(super) fn hidden(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 78, self.slot, last)
    }

    /// Puts relays in front of a process, which are there while it runs.
    pub(super) fn stand_before(
        &self,
        process: &Process,
        is_store: bool,
        public: Ipv4Addr,
        hidden: Ipv4Addr,
        ports: &[u16],
    ) {
        let name = process.name().to_owned();
        let member = Member { life: process.life(), is_store };
        self.shared.state().members.insert(name.clone(), member);
        for port in ports {
            let [public, hidden] = [public, hidden].map(|address| SocketAddr::new(address.into(), *port));
            let door = Door { of: name.clone(), public, hidden, life: process.life() };
            if let Some(runtime) = &self.runtime {
                runtime.spawn(door.keep(Arc::clone(&self.shared)));
            }
        }
    }

    pub(super) async fn cut_off(&self, name: &str) {
        self.shared.change(|cut_off| cut_off.insert(name.to_owned(), Reach::All)).await;
    }

    pub(super) async fn cut_off_from_stores(&self, name: &str) {
        self.shared.change(|cut_off| cut_off.insert(name.to_owned(), Reach::Stores)).await;
    }

    pub(super) async fn heal(&self, name: &str) {
        self.shared.change(|cut_off| cut_off.remove(name)).await;
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    async fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Reach>) -> Option<Reach>) {
        let _turn = self.turn.lock().await;
        self.cut_off.send_modify(|cut_off| {
            change(cut_off);
        });
        self.look_up().await;
    }

    /// Whether nobody at all reaches it.
    fn is_cut_off(&self, name: &str) -> bool {
        self.cut_off.borrow().get(name) == Some(&Reach::All)
    }

    /// Enters a connection that `peer` has just made to `of`. The number removes it again.
    async fn enter(&self, of: &str, peer: Connection) -> (u64, watch::Receiver<bool>) {
        let (number, changes) = self.state().enter(of, peer);
        let _turn = self.turn.lock().await;
        if self.state().gates.get(&number).is_some_and(|gate| !gate.is_looked_up) {
            self.look_up().await;
        }
        (number, changes)
    }

    fn leave(&self, number: u64) {
        self.state().gates.remove(&number);
    }

    /// Finds out who made the connections that have been entered by now, as far as that matters, and opens and closes their
    /// gates. For who has the turn.
    async fn look_up(&self) {
        let cut_off = self.cut_off.borrow().clone();
        let (last, roots) = {
            let state = self.state();
            (state.last_gate, state.roots(&cut_off))
        };
        let owners = if roots.is_empty() {
            HashMap::new()
        } else {
            let owners = spawn_blocking(move || owners(&roots)).await.unwrap_or_default();
            // Meanwhile others come, whom the next look serves together.
            sleep(PAUSE).await;
            owners
        };
        let mut state = self.state();
        let State { members, gates, .. } = &mut *state;
        for gate in gates.range_mut(..=last).map(|(_, gate)| gate) {
            // Once found it stays: a process that closes its end is still who began it.
            gate.from = gate.from.take().or_else(|| owners.get(&gate.peer).cloned());
            gate.is_looked_up = true;
            gate.set(may_pass(members, &cut_off, &gate.of, gate.from.as_deref()));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, of: &str, peer: Connection) -> (u64, watch::Receiver<bool>) {
        let (gate, changes) = Gate::closed(of, peer);
        self.last_gate += 1;
        self.gates.insert(self.last_gate, gate);
        (self.last_gate, changes)
    }

    /// The processes whose connections matter.
    fn roots(&self, cut_off: &BTreeMap<String, Reach>) -> Vec<(String, u32)> {
        let stores_matter = cut_off.values().any(|reach| *reach == Reach::Stores);
        let matters = |name: &str, member: &Member| cut_off.contains_key(name) || (stores_matter && member.is_store);
        let members = self.members.iter().filter(|(name, member)| matters(name, member));
        members
            .filter_map(|(name, member)| match *member.life.borrow() {
                Life::Running { pid } => Some((name.clone(), pid)),
                Life::Idle | Life::Ended { .. } => None,
            })
            .collect()
    }
}

/// Whether what `from` (nobody of ours when `None`) says reaches `of`.
fn may_pass(
    members: &BTreeMap<String, Member>,
    cut_off: &BTreeMap<String, Reach>,
    of: &str,
    from: Option<&str>,
) -> bool {
    let is_store = |name: &str| members.get(name).is_some_and(|member| member.is_store);
    let is_among_stores = is_store(of) && from.is_some_and(is_store);
    let ends = [Some(of), from].into_iter().flatten();
    let reaches = ends.filter_map(|end| cut_off.get(end));
    !reaches.into_iter().any(|reach| *reach == Reach::All || is_among_stores)
}

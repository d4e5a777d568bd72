//! Free TCP ports that no other test bed on this machine will pick.
//!
//! Asking the kernel for port 0 and closing the socket again races: until our server binds, the kernel may give the port
//! to anybody, an outgoing connection among them. So ports come from below the kernel's ephemeral range, and each is
//! reserved by a lock on a file named after it, in a folder that all test beds of this user share. The lock is held by an
//! open file, so it goes away with its process, however that ends. The files stay; they are empty.

use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;
use std::{io, thread};

use nix::unistd::geteuid;
use rand::Rng;

use crate::{Result, TestbedError};

/// First port that we hand out.
const FIRST: u16 = 18_000;
/// Last port that we hand out, unless the kernel's ephemeral range begins below it.
const LAST: u16 = 31_999;

/// How often a port that looks taken is tried, and the pause between.
const FIXED_TRIES: u32 = 10;
const FIXED_PAUSE: Duration = Duration::from_millis(30);

/// A TCP port on 127.0.0.1 that is ours until this value is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The lock is the reservation.
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Errors
    /// [`TestbedError::NoFreePort`], and file errors of the folder with the reservations.
    pub fn free() -> Result<Self> {
        let (first, last) = range();
        let count = last - first + 1;
        // Starting at random keeps test beds that start together from walking through each other's ports.
        let start = rand::rng().random_range(0..count);
        for step in 0..count {
            let number = first + (start + step) % count;
            if let Some(port) = Self::try_reserve(number)? {
                return Ok(port);
            }
        }
        Err(TestbedError::NoFreePort { first, last })
    }

    /// Reserves this very port. One that looks taken is tried again for a moment: a child that is just being forked, by
    /// anybody, holds its parent's locks and sockets until it becomes another program.
    ///
    /// # Errors
    /// [`TestbedError::PortTaken`] when somebody listens there or another test bed has reserved it.
    pub fn fixed(number: u16) -> Result<Self> {
        for _try in 0..FIXED_TRIES {
            if let Some(port) = Self::try_reserve(number)? {
                return Ok(port);
            }
            thread::sleep(FIXED_PAUSE);
        }
        Err(TestbedError::PortTaken { port: number })
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    fn try_reserve(number: u16) -> Result<Option<Self>> {
        let path = folder()?.join(number.to_string());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(TestbedError::file("open the port reservation", &path))?;
        match file.try_lock() {
            Ok(()) if is_free(number) => Ok(Some(Self { number, _lock: file })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(TestbedError::file("lock", path)(source)),
        }
    }
}

/// The standard library sets `SO_REUSEADDR`, so that old connections in `TIME_WAIT` do not count, and not `SO_REUSEPORT`,
/// with which two `HAProxy` would share a port in silence.
fn is_free(number: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, number)) {
        Ok(_listener) => true,
        // A privileged port that we may not bind is reported by the server that needs it, with its own words.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// One folder per user: in a sticky folder the kernel would not let one user open another one's lock files.
fn folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("tocsin-ports-{}", geteuid()));
    fs::create_dir_all(&folder).map_err(TestbedError::file("create", &folder))?;
    Ok(folder)
}

fn range() -> (u16, u16) {
    let ephemeral_first = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse::<u16>().ok())
        .unwrap_or(32_768);
    // A kernel that hands out everything from 1024 leaves us no range of our own; the bind test has to do then.
    let last = if ephemeral_first > FIRST { LAST.min(ephemeral_first - 1) } else { LAST };
    (FIRST, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_twice() {
        let port = Port::free().unwrap();
        assert!(Port::try_reserve(port.number()).unwrap().is_none());
        let number = port.number();
        drop(port);
        Port::fixed(number).unwrap();
    }

    #[test]
    fn a_taken_fixed_port_is_named_together_with_the_remedy() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = listener.local_addr().unwrap().port();
        let message = Port::fixed(number).unwrap_err().to_string();
        assert!(message.contains(&number.to_string()) && message.contains("--port"), "{message}");
    }
}

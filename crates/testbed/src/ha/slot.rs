//! Which part of the address space is ours: two topologies on one machine must not share addresses.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::{Result, TestbedError};

/// How many topologies there may be at the same time.
const SLOTS: u8 = 32;
/// Where a folder remembers its slot: what is stored there names addresses.
const FILE: &str = "network-slot";

/// A number that no other topology on this machine has, until this value is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) number: u8,
    /// The lock is the reservation.
    _lock: File,
}

impl Slot {
    /// The slot that `folder` had before, or any that is free.
    pub(super) fn reserve(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        if let Some(number) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
            return Self::try_reserve(number)?.ok_or(TestbedError::NoFreeSlot);
        }
        for number in 0..SLOTS {
            if let Some(slot) = Self::try_reserve(number)? {
                fs::write(&file, number.to_string()).map_err(TestbedError::file("write", &file))?;
                return Ok(slot);
            }
        }
        Err(TestbedError::NoFreeSlot)
    }

    fn try_reserve(number: u8) -> Result<Option<Self>> {
        let path = locks()?.join(number.to_string());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(TestbedError::file("open the reservation", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { number, _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(TestbedError::file("lock", path)(source)),
        }
    }
}

/// One folder per user, as for ports.
fn locks() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("tocsin-ha-{}", geteuid()));
    fs::create_dir_all(&folder).map_err(TestbedError::file("create", &folder))?;
    Ok(folder)
}

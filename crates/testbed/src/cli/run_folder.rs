//! The folder of one test run, which goes away with it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::unistd::geteuid;
use tempfile::TempDir;

use super::error::CliError;

const PREFIX: &str = "tocsin-run-";
/// Locked as long as the run goes on.
const LOCK: &str = "run.lock";
/// How old a folder without a locked lock must be to count as left behind: a younger one may be about to lock it.
const LEFT_BEHIND_AFTER: Duration = Duration::from_mins(1);

/// A temporary folder with a lock that says whether its run is still going on.
pub(crate) struct RunFolder {
    folder: TempDir,
    _lock: File,
}

impl RunFolder {
    /// Makes one, and deletes those of runs that were killed.
    pub(crate) fn create() -> Result<Self, CliError> {
        let parent = std::env::temp_dir();
        remove_left_behind(&parent);
        let mut builder = tempfile::Builder::new();
        // Postgres' account must be able to pass through to its data.
        builder.prefix(PREFIX).permissions(Permissions::from_mode(0o711));
        let folder = builder.tempdir_in(&parent).map_err(CliError::file("create a folder in", &parent))?;
        let path = folder.path().join(LOCK);
        let lock = File::create(&path).map_err(CliError::file("create", &path))?;
        lock.lock().map_err(CliError::file("lock", &path))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Deletes it.
    pub(crate) fn remove(self) -> Result<(), CliError> {
        let path = self.path().to_owned();
        self.folder.close().map_err(CliError::file("delete", path))
    }

    /// Leaves it there and says where it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// What can't be deleted now is for the next run.
fn remove_left_behind(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_run = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_run && is_left_behind(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_behind(folder: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    metadata.is_dir()
        && metadata.uid() == geteuid().as_raw()
        && age.is_some_and(|age| age > LEFT_BEHIND_AFTER)
        && File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

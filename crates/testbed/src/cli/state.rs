//! The state folder: what one running Tocsin keeps between `up` and `up`, and how to find it.
//!
//! Whether a supervisor runs is told by a lock on `supervisor.lock`, which the kernel releases when its holder ends,
//! however that happens; a process id in a file would one day be somebody else's. The id that stands in the file is
//! believed only while the lock is held.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use rand::Rng;
use sha2::{Digest, Sha256};

use super::error::CliError;

const LOCK: &str = "supervisor.lock";
const TOKEN: &str = "token";

/// How often, and after which pause, a lock is tried again: a `status` that looks at it holds it for an instant.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Where a Tocsin keeps its data.
#[derive(Debug, Clone)]
pub(crate) struct StateFolder {
    path: PathBuf,
}

/// The right to be the supervisor of a state folder. Held until the process ends.
#[derive(Debug)]
pub(crate) struct SupervisorLock {
    _file: File,
}

impl StateFolder {
    /// The given folder, or the default for the checkout that we stand in. Makes nothing yet.
    pub(crate) fn new(given: Option<&Path>) -> Result<Self, CliError> {
        let path = match given {
            Some(path) => std::path::absolute(path).map_err(CliError::file("find", path))?,
            None => default_path()?,
        };
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The log of a process, the supervisor among them.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// Makes it and its folder for logs. Others may pass through it, as Postgres' account must, and may not list it.
    pub(crate) fn create(&self) -> Result<(), CliError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o711);
        builder.create(&self.path).map_err(CliError::file("create", &self.path))?;
        builder.create(self.logs()).map_err(CliError::file("create", self.logs()))
    }

    /// Becomes the supervisor; `None` when there is one.
    pub(crate) fn lock(&self) -> Result<Option<SupervisorLock>, CliError> {
        for _try in 0..LOCK_TRIES {
            if let Some(lock) = self.try_lock()? {
                return Ok(Some(lock));
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Ok(None)
    }

    fn try_lock(&self) -> Result<Option<SupervisorLock>, CliError> {
        let path = self.path.join(LOCK);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(CliError::file("open", &path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(CliError::file("lock", path)(source)),
            Ok(()) => {}
        }
        if !is_still_at(&file, &path) {
            // `down --wipe` deleted it after we had opened it.
            return Ok(None);
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(CliError::file("write", &path))?;
        Ok(Some(SupervisorLock { _file: file }))
    }

    /// The process id of the running supervisor.
    pub(crate) fn supervisor(&self) -> Result<Option<i32>, CliError> {
        let path = self.path.join(LOCK);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::file("open", path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(source)) => Err(CliError::file("lock", path)(source)),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.rewind().and_then(|()| file.read_to_string(&mut text)).map_err(CliError::file("read", path))?;
                // Empty for the instant between locking and writing.
                Ok(Some(text.trim().parse().unwrap_or(0)))
            }
        }
    }

    /// The API token: random, made once, readable by its owner alone.
    pub(crate) fn token(&self) -> Result<String, CliError> {
        let path = self.path.join(TOKEN);
        match fs::read_to_string(&path) {
            Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
            Ok(_empty) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(CliError::file("read", path)(error)),
        }
        let token = format!("tocsin_{}", hex::encode(rand::rng().random::<[u8; 24]>()));
        let mut options = File::options();
        let file = options.create(true).truncate(true).write(true).mode(0o600).open(&path);
        file.and_then(|mut file| writeln!(file, "{token}")).map_err(CliError::file("write", path))?;
        Ok(token)
    }

    /// Deletes everything.
    pub(crate) fn wipe(&self) -> Result<(), CliError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CliError::file("delete", &self.path)(error)),
            _ => Ok(()),
        }
    }
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// One folder for each checkout, so that two clones do not share a database.
fn default_path() -> Result<PathBuf, CliError> {
    let checkout = std::env::current_dir().map_err(CliError::file("find", "the current folder"))?;
    let checkout = hex::encode(Sha256::digest(checkout.as_os_str().as_encoded_bytes()));
    let checkout = &checkout[..12];
    if geteuid().is_root() {
        return Ok(Path::new("/var/lib/tocsin-dev").join(checkout));
    }
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let states = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Ok(states.ok_or(CliError::NoStateFolder)?.join("tocsin").join(checkout))
}

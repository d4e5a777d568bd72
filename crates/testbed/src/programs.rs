//! Where the programs are that the test bed starts.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::{Result, Service, TestbedError};

/// The oldest major version of Postgres that Tocsin supports.
const OLDEST_POSTGRES: u32 = 15;

/// Where Debian keeps the server programs of each Postgres version, outside of PATH.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// A program of the operating system, from PATH or the folders of system daemons.
///
/// # Errors
/// [`TestbedError::ProgramMissing`], which names the Debian package.
pub fn system(program: &'static str, package: &'static str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        // An ordinary user's PATH lacks these on Debian, and haproxy lives there.
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(TestbedError::ProgramMissing { program, package })
}

/// The folder with `initdb`, `postgres` and `psql` of the newest supported Postgres, or of `major` when the data asks for it.
pub(crate) fn postgres_folder(major: Option<u32>) -> Result<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir(DEBIAN_POSTGRES)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|version| *version >= OLDEST_POSTGRES && major.is_none_or(|major| major == *version))
        .filter(|version| debian_postgres(*version).join("postgres").is_file())
        .collect();
    versions.sort_unstable();
    if let Some(version) = versions.last() {
        return Ok(debian_postgres(*version));
    }
    let initdb = system("initdb", "postgresql")?;
    Ok(initdb.parent().map(Path::to_owned).unwrap_or_default())
}

fn debian_postgres(version: u32) -> PathBuf {
    Path::new(DEBIAN_POSTGRES).join(version.to_string()).join("bin")
}

/// The folder with Patroni, which is written in Python: that in `TOCSIN_PATRONI_DIR`, else where `./dev` puts it.
pub(crate) fn patroni() -> Result<PathBuf> {
    let ours = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/patroni");
    let folder = env::var_os("TOCSIN_PATRONI_DIR").map_or_else(ours, PathBuf::from);
    if folder.join("patroni/__main__.py").is_file() { Ok(folder) } else { Err(TestbedError::PatroniMissing { folder }) }
}

/// The binary of one of Tocsin's services: in `TOCSIN_BIN_DIR`, else next to the running executable.
///
/// # Errors
/// [`TestbedError::ServiceNotBuilt`], which names the command that builds it.
pub fn service(service: Service) -> Result<PathBuf> {
    own(service.binary())
}

/// A binary of this workspace, `tocsin-testbed` itself included.
///
/// # Errors
/// [`TestbedError::ServiceNotBuilt`], which names the command that builds it.
pub fn own(name: &'static str) -> Result<PathBuf> {
    let folder = bin_folder().map_err(TestbedError::file("find the folder of", "the running executable"))?;
    let binary = folder.join(name);
    if binary.is_file() { Ok(binary) } else { Err(TestbedError::ServiceNotBuilt { name, folder }) }
}

fn bin_folder() -> io::Result<PathBuf> {
    if let Some(folder) = env::var_os("TOCSIN_BIN_DIR") {
        return Ok(folder.into());
    }
    let mut folder = env::current_exe()?;
    folder.pop();
    // Cargo puts test executables into `deps/`, one below the binaries.
    if folder.ends_with("deps") {
        folder.pop();
    }
    Ok(folder)
}

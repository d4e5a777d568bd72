//! The file that takes what a process says.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::{Result, TestbedError};

/// How much of the end of a log is looked at for its last lines.
const TAIL_BYTES: u64 = 64 * 1024;

/// Opens it to append, and makes its folder.
pub(super) fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(TestbedError::file("create", folder))?;
    }
    File::options().create(true).append(true).open(path).map_err(TestbedError::file("open", path))
}

/// Its last lines.
pub(super) fn tail(path: &Path, lines: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

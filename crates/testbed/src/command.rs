//! Programs that do one thing and end: `psql`, `initdb`, `redis-cli`, `tocsin-worker migrate`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::{Account, fork};
use crate::{Result, TestbedError, programs};

/// One run of such a program, under a deadline, killed when it is not waited for any more.
#[derive(Debug)]
pub(crate) struct Run {
    program: PathBuf,
    command: Command,
    input: Option<String>,
}

impl Run {
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let command = Command::new(&program);
        Self { program, command, input: None }
    }

    /// The same program as another account.
    pub(crate) fn as_account(program: impl Into<PathBuf>, account: Option<&Account>) -> Result<Self> {
        let program = program.into();
        let Some(account) = account else { return Ok(Self::new(program)) };
        let mut command = Command::new(programs::system("setpriv", "util-linux")?);
        // The folder we stand in may be closed to that account.
        command.args(account.setpriv_args()).arg("--").arg(&program).env("HOME", "/").current_dir("/");
        Ok(Self { program, command, input: None })
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Keeps variables of ours that begin with `TOCSIN_` away from it.
    pub(crate) fn scrub_env(mut self) -> Self {
        tocsin_variables().for_each(|name| {
            self.command.env_remove(name);
        });
        self
    }

    /// What it reads from its standard input.
    pub(crate) fn input(mut self, text: impl Into<String>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Runs it and returns its standard output.
    ///
    /// # Errors
    /// When it can't be started, ends badly or does not end in time.
    pub(crate) async fn output(mut self, deadline: Duration) -> Result<String> {
        let name = display_name(&self.program);
        let spawn_error = |source| TestbedError::Spawn { name: name.clone(), source };
        self.command
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = fork(self.command).await.map_err(spawn_error)?;
        let stdin = child.stdin.take();
        let work = async {
            if let (Some(mut stdin), Some(input)) = (stdin, self.input) {
                // A program that ends without reading says why on its standard error.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = timeout(deadline, work)
            .await
            .map_err(|_elapsed| TestbedError::CommandTimedOut { program: name.clone(), waited: deadline })?
            .map_err(spawn_error)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(TestbedError::CommandFailed { program: name, status: output.status, stderr });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The names of our variables that configure Tocsin.
pub(crate) fn tocsin_variables() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"TOCSIN_"))
}

fn display_name(program: &Path) -> String {
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

//! How to start a process.

use std::ffi::OsString;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use tokio::process::Command;

use crate::command::tocsin_variables;
use crate::{Result, TestbedError};

/// Everything needed to start a process, again and again.
#[derive(Debug, Clone)]
pub struct Spec {
    /// A unique name, which is also the name of the log file.
    pub name: String,
    /// The program, with its whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that it gets on top of ours.
    pub env: Vec<(OsString, OsString)>,
    /// Whether variables of ours that begin with `TOCSIN_` stay away from it, so that a developer's shell does not
    /// change what a test does.
    pub scrub_env: bool,
    /// Its working folder; ours when `None`.
    pub folder: Option<PathBuf>,
    /// The file that takes its standard output and error; runs append to it.
    pub log: PathBuf,
    /// The account that it runs as; ours when `None`.
    pub account: Option<Account>,
    /// The group that it runs as, when it stays with our account.
    pub group: Option<u32>,
    /// The network namespace that it runs in, as a file; ours when `None`.
    pub namespace: Option<PathBuf>,
    /// The signal that it gets when this program dies.
    pub death_signal: &'static str,
    /// What asks it to stop: `SIGTERM`, for Postgres `SIGINT` (which there means: fast, without waiting for clients).
    pub stop_signal: Signal,
    /// How long it may take to stop before it is killed.
    pub stop_deadline: Duration,
}

impl Spec {
    /// A process named `name` that logs to `NAME.log` in `logs`.
    #[must_use]
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, logs: &Path) -> Self {
        let name = name.into();
        Self {
            log: logs.join(format!("{name}.log")),
            name,
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            scrub_env: false,
            folder: None,
            account: None,
            group: None,
            namespace: None,
            death_signal: "KILL",
            stop_signal: Signal::SIGTERM,
            stop_deadline: Duration::from_secs(30),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The command line, wrapped into `setpriv`, which asks for the parent-death signal and changes the account, and that into
    /// `nsenter` if it runs in a network of its own.
    pub(super) fn command(&self, setpriv: &Path) -> Command {
        let mut command = match &self.namespace {
            None => Command::new(setpriv),
            Some(namespace) => {
                // Beside it, in the same package.
                let mut command = Command::new(setpriv.with_file_name("nsenter"));
                command.arg(format!("--net={}", namespace.display())).arg("--").arg(setpriv);
                command
            }
        };
        command.args(["--pdeathsig", self.death_signal]);
        if let Some(account) = &self.account {
            command.args(account.setpriv_args());
            command.env("HOME", "/").env("USER", &account.name).env("LOGNAME", &account.name);
        } else if let Some(group) = self.group {
            command.args(group_args(group));
        }
        command.arg("--").arg(&self.program).args(&self.args);
        if self.scrub_env {
            for name in tocsin_variables() {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// How `setpriv` changes the group alone.
pub(crate) fn group_args(group: u32) -> [String; 2] {
    [format!("--regid={group}"), "--keep-groups".to_owned()]
}

/// An account of the operating system that a process runs as instead of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account that Postgres runs as: `postgres` when we are root, since Postgres refuses root; else our own (`None`).
    ///
    /// # Errors
    /// [`TestbedError::NoAccount`] when we are root and there is no such account.
    pub fn for_postgres() -> Result<Option<Self>> {
        const NAME: &str = "postgres";
        if !geteuid().is_root() {
            return Ok(None);
        }
        let user = User::from_name(NAME).ok().flatten();
        let user = user.ok_or(TestbedError::NoAccount { name: NAME })?;
        Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes it the owner of a file or folder.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(TestbedError::file("change the owner of", path))
    }

    /// The account's user id.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    pub(crate) fn setpriv_args(&self) -> [String; 3] {
        [format!("--reuid={}", self.uid), format!("--regid={}", self.gid), "--init-groups".to_owned()]
    }
}

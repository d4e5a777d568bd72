//! The process behind `up`: it owns everything that runs and answers the other commands.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tocsin_testbed::process::{Process, Spec};
use tocsin_testbed::{Ha, Port, Service, Stores, System, TestbedError, Topology, http, programs};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::control::{self, Action, Phase, ProcessStatus, Reply, Request, Status};
use super::error::{CliError, with_causes};
use super::state::StateFolder;
use super::system;

/// The variable by which a user names a Slack webhook of their own.
const SLACK_WEBHOOK_URL: &str = "TOCSIN_SLACK_WEBHOOK_URL";
/// The variable that chooses how services log; people read the logs of `up`.
const LOG_FORMAT: &str = "TOCSIN_LOG_FORMAT";
/// How long the inbox may take until it answers.
const INBOX_DEADLINE: Duration = Duration::from_secs(10);
/// Lines of a log that are shown when a process dies.
const TAIL_ON_DEATH: usize = 15;

/// What to start.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) state: StateFolder,
    pub(crate) port: u16,
    pub(crate) config: Option<PathBuf>,
    pub(crate) is_ha: bool,
}

/// Shared by the tasks that answer commands.
pub(crate) struct Supervisor {
    state: StateFolder,
    phase: watch::Sender<Phase>,
    running: OnceLock<Running>,
}

/// Everything that runs.
struct Running {
    system: System,
    inbox: Option<Inbox>,
}

/// The local stand-in for Slack.
struct Inbox {
    process: Process,
    port: Port,
}

impl Supervisor {
    pub(crate) fn new(state: StateFolder) -> Arc<Self> {
        Arc::new(Self { state, phase: watch::Sender::new(Phase::Starting), running: OnceLock::new() })
    }

    /// Starts everything and watches it.
    pub(crate) async fn start(self: &Arc<Self>, plan: Plan) -> Result<(), CliError> {
        check(&plan)?;
        let token = plan.state.token()?;
        let of_the_user = set_variable(SLACK_WEBHOOK_URL);
        let inbox = if of_the_user.is_none() { Some(Inbox::start(&plan.state).await?) } else { None };
        let of_the_inbox = || inbox.as_ref().map(|inbox| format!("{}/slack", inbox.url()));
        let slack_webhook_url = of_the_user.or_else(of_the_inbox).unwrap_or_default();
        let system = if plan.is_ha {
            start_ha(plan, token, slack_webhook_url).await?
        } else {
            start_single(plan, token, slack_webhook_url).await?
        };
        let _ = self.running.set(Running { system, inbox });
        self.phase.send_replace(Phase::Up);
        self.watch_deaths();
        Ok(())
    }

    /// Answers commands until the supervisor is dropped with its runtime.
    pub(crate) async fn answer_commands(self: Arc<Self>, listener: UnixListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: some will come back.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let supervisor = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = supervisor.answer(stream).await {
                    tracing::warn!("a command got no answer: {error}");
                }
            });
        }
    }

    async fn answer(&self, mut stream: UnixStream) -> Result<(), CliError> {
        let reply = match control::receive(&mut stream).await? {
            Request::Status => Reply::Status(self.status().await),
            Request::Act { action, name } => match self.act(action, &name).await {
                Ok(message) => Reply::Done { message },
                Err(error) => Reply::Refused { message: with_causes(&error) },
            },
            Request::ShutDown => {
                self.phase.send_replace(Phase::Stopping);
                Reply::Done { message: "stopping".to_owned() }
            }
        };
        control::send(&mut stream, &reply).await
    }

    /// Waits until somebody asks for the end.
    pub(crate) async fn shutdown_asked(&self) {
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Stopping).await;
    }

    /// Stops everything, in order.
    pub(crate) async fn stop(&self) -> Result<(), CliError> {
        self.phase.send_replace(Phase::Stopping);
        if let Some(running) = self.running.get() {
            running.system.stop().await?;
            if let Some(inbox) = &running.inbox {
                inbox.process.stop_if_running().await?;
            }
        }
        Ok(())
    }

    /// What runs, with a probe of each process.
    pub(crate) async fn status(&self) -> Status {
        let phase = *self.phase.borrow();
        let Some(running) = self.running.get() else {
            return Status { phase, url: None, token: None, inbox: None, services: Vec::new() };
        };
        let mut services = system::status(&running.system).await;
        if let Some(inbox) = &running.inbox {
            services.push(inbox.status().await);
        }
        Status {
            phase,
            url: Some(running.system.url()),
            token: Some(running.system.token().to_owned()),
            inbox: running.inbox.as_ref().map(Inbox::url),
            services,
        }
    }

    async fn act(&self, action: Action, name: &str) -> Result<String, CliError> {
        let phase = *self.phase.borrow();
        let Some(running) = self.running.get().filter(|_| phase == Phase::Up) else {
            return Err(CliError::WrongPhase { phase: phase.name() });
        };
        match &running.inbox {
            Some(inbox) if inbox.process.name() == name => {
                let done = system::act(action, &inbox.process).await?;
                if matches!(action, Action::Start | Action::Restart) {
                    inbox.wait_ready().await?;
                }
                Ok(done)
            }
            _ if !running.names().iter().any(|known| known == name) => {
                Err(TestbedError::NoSuchProcess { name: name.to_owned(), known: running.names() }.into())
            }
            _ => Ok(system::act_in(&running.system, action, name).await?),
        }
    }

    /// Says so when a process ends that nobody asked to, and keeps the rest running.
    fn watch_deaths(self: &Arc<Self>) {
        let names = self.running.get().map(Running::names).unwrap_or_default();
        for name in names {
            let supervisor = Arc::clone(self);
            tokio::spawn(async move {
                let Some(Ok(process)) = supervisor.running.get().map(|running| running.process(&name)) else { return };
                loop {
                    let status = process.died().await;
                    let tail = process.log_tail(TAIL_ON_DEATH);
                    let log = supervisor.state.log(&name);
                    tracing::warn!(
                        "\n{name} died ({status}); `./dev start {name}` starts it again. The end of {}:\n{tail}\n",
                        log.display()
                    );
                    process.started().await;
                }
            });
        }
    }
}

async fn start_single(plan: Plan, token: String, slack_webhook_url: String) -> Result<System, TestbedError> {
    let stores = Stores::start(plan.state.path()).await?;
    let mut builder = Topology::builder()
        .stores(stores)
        .folder(plan.state.path())
        .port(plan.port)
        .token(token)
        .slack_webhook_url(slack_webhook_url)
        .inherit_env();
    if set_variable(LOG_FORMAT).is_none() {
        builder = builder.env(LOG_FORMAT, "human");
    }
    if let Some(config) = plan.config {
        builder = builder.config_file(config);
    }
    Ok(System::Single(Box::new(builder.start().await?)))
}

async fn start_ha(plan: Plan, token: String, slack_webhook_url: String) -> Result<System, TestbedError> {
    let mut builder = Ha::builder()
        .folder(plan.state.path())
        .port(plan.port)
        .token(token)
        .slack_webhook_url(slack_webhook_url)
        .inherit_env();
    if set_variable(LOG_FORMAT).is_none() {
        builder = builder.env(LOG_FORMAT, "human");
    }
    if let Some(config) = plan.config {
        builder = builder.config_file(config);
    }
    Ok(System::Ha(Box::new(builder.start().await?)))
}

/// The most likely failures, found before anything is started.
fn check(plan: &Plan) -> Result<(), TestbedError> {
    drop(Port::fixed(plan.port)?);
    for service in Service::ALL {
        programs::service(service)?;
    }
    programs::system("haproxy", "haproxy").map(drop)
}

fn set_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Running {
    fn names(&self) -> Vec<String> {
        let inbox = self.inbox.iter().map(|inbox| &inbox.process);
        self.system.processes().into_iter().chain(inbox).map(|process| process.name().to_owned()).collect()
    }

    fn process(&self, name: &str) -> Result<&Process, TestbedError> {
        let inbox = self.inbox.iter().map(|inbox| &inbox.process);
        let mut processes = self.system.processes().into_iter().chain(inbox);
        processes
            .find(|process| process.name() == name)
            .ok_or_else(|| TestbedError::NoSuchProcess { name: name.to_owned(), known: self.names() })
    }
}

impl Inbox {
    async fn start(state: &StateFolder) -> Result<Self, CliError> {
        let port = Port::free()?;
        let program = std::env::current_exe().map_err(CliError::OwnPath)?;
        let number = port.number().to_string();
        let spec = Spec::new("slack-inbox", program, &state.logs()).args(["slack-inbox", "--port", number.as_str()]);
        let inbox = Self { process: Process::new(spec), port };
        inbox.process.start().await?;
        inbox.wait_ready().await?;
        Ok(inbox)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    async fn probe(&self) -> Result<(), String> {
        http::is_ok(&format!("{}/ready", self.url())).await
    }

    async fn wait_ready(&self) -> Result<(), TestbedError> {
        self.process.await_ready(INBOX_DEADLINE, "200 on /ready", async || self.probe().await).await
    }

    async fn status(&self) -> ProcessStatus {
        let pid = self.process.pid();
        ProcessStatus {
            name: self.process.name().to_owned(),
            pid,
            ready: pid.is_some() && self.probe().await.is_ok(),
            note: None,
        }
    }
}

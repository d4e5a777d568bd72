//! Asking every process how it is, over and over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use tocsin_testbed::{TestbedError, http};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::timeline::Timeline;

/// Time between two questions.
const EVERY: Duration = Duration::from_millis(50);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// Is it alive?
    Health,
    /// Does it take work?
    Ready,
}

impl Question {
    const ALL: [Self; 2] = [Self::Health, Self::Ready];

    const fn path(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Ready => "/ready",
        }
    }
}

/// Times at which a process was asked, and whether it said yes.
pub(crate) type Answers = Vec<(Duration, bool)>;

/// What all processes said.
#[derive(Debug, Default)]
pub(crate) struct Probes(BTreeMap<(String, Question), Answers>);

impl Probes {
    /// Asks the processes at these addresses until `ended`.
    pub(crate) async fn watch(
        services: Vec<(String, String)>,
        time: Arc<Timeline>,
        ended: CancellationToken,
    ) -> Result<Self> {
        let client = http::client_builder().timeout(PATIENCE).build().map_err(TestbedError::from)?;
        let watches = services.iter().flat_map(|(name, url)| Question::ALL.map(|question| (name, url, question)));
        let watches = watches.map(async |(name, url, question)| {
            let url = format!("{url}{}", question.path());
            ((name.clone(), question), ask(&client, &url, &time, &ended).await)
        });
        Ok(Self(join_all(watches).await.into_iter().collect()))
    }

    /// How often a process that nobody had touched did not say that it is alive.
    pub(crate) fn health_failures(&self, touched: &BTreeSet<String>) -> usize {
        let of_others =
            self.0.iter().filter(|((name, question), _)| *question == Question::Health && !touched.contains(name));
        of_others.map(|(_, answers)| answers.iter().filter(|(_, yes)| !yes).count()).sum()
    }

    /// For how many of its answers each process was not ready, of those that ever were not.
    pub(crate) fn unready(&self) -> Vec<(String, usize, usize)> {
        let of_ready = self.0.iter().filter(|((_, question), _)| *question == Question::Ready);
        let counted = of_ready
            .map(|((name, _), answers)| (name.clone(), answers.iter().filter(|(_, yes)| !yes).count(), answers.len()));
        counted.filter(|(_, no, _)| *no > 0).collect()
    }

    /// Everything, for a picture.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Question, &Answers)> {
        self.0.iter().map(|((name, question), answers)| (name.as_str(), *question, answers))
    }
}

async fn ask(client: &Client, url: &str, time: &Timeline, ended: &CancellationToken) -> Answers {
    let mut answers = Answers::new();
    while !ended.is_cancelled() {
        let (at, next) = (time.now(), Instant::now() + EVERY);
        let yes = client.get(url).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK);
        answers.push((at, yes));
        tokio::select! {
            () = sleep_until(next) => {}
            () = ended.cancelled() => break,
        }
    }
    answers
}

//! The process's metrics, as a page for Prometheus.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of every duration histogram, in seconds: fine below 10 ms, where Tocsin should be, and up to 30 s.
pub const DURATION_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// How often histograms are folded, which bounds the memory that they use between two scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_millis(500);

/// The process's recorder, which the `metrics` crate allows to be set once.
static INSTALLED: Mutex<Option<MetricsPage>> = Mutex::new(None);

/// Renders what the process has measured. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MetricsPage(PrometheusHandle);

impl MetricsPage {
    /// Makes this process record metrics, unless it does already. What is measured or described before is lost, so this
    /// comes first. Must be called on a tokio runtime.
    pub fn install() -> Result<Self, BuildError> {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = &*installed {
            return Ok(page.clone());
        }
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)?
            .install_recorder()?;
        let folded = handle.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_INTERVAL).await;
                folded.run_upkeep();
            }
        });
        Ok(installed.insert(Self(handle)).clone())
    }

    /// The page, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }
}

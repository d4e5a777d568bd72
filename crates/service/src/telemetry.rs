//! Logs, metrics and traces.

mod metrics;
pub mod trace;

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

pub use self::metrics::{DURATION_BUCKETS, MetricsPage};
use crate::config::{ConfigError, LogFormat, Problem, ServiceConfig, common};

/// What must be flushed before the process ends.
#[derive(Debug)]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logging, and the export of traces if an endpoint is configured. Once per process.
    pub fn start(config: &ServiceConfig) -> Result<Self, ConfigError> {
        // One TLS library for everything in the process. An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |key: &'static str, fault: String| ConfigError {
            problems: vec![Problem { key: key.to_owned(), fault, remedy: "correct or unset it".to_owned() }],
        };
        let tracer = match &config.otlp_endpoint {
            Some(endpoint) => Some(
                tracer_provider(endpoint.as_str(), &config.instance)
                    .map_err(|error| failed(common::OTLP_ENDPOINT.name(), error.to_string()))?,
            ),
            None => None,
        };
        let filter = EnvFilter::try_new(&config.log_filter)
            .map_err(|error| failed(common::LOG.name(), format!("is not a log filter ({error})")))?;
        let logs = match config.log_format {
            LogFormat::Json => fmt::layer().json().flatten_event(true).with_current_span(true).boxed(),
            LogFormat::Human => fmt::layer().compact().with_ansi(std::io::stdout().is_terminal()).boxed(),
        };
        let spans =
            tracer.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("tocsin")));
        tracing_subscriber::registry()
            .with(spans)
            .with(logs.with_filter(filter))
            .try_init()
            .map_err(|error| failed(common::LOG.name(), error.to_string()))?;
        Ok(Self { tracer })
    }

    /// Sends what is left of the traces.
    pub fn flush(self) {
        if let Some(Err(error)) = self.tracer.map(|tracer| tracer.shutdown()) {
            tracing::warn!(%error, "the last traces could not be exported");
        }
    }
}

fn tracer_provider(
    endpoint: &str,
    instance: &str,
) -> Result<SdkTracerProvider, opentelemetry_otlp::ExporterBuildError> {
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build()?;
    let resource = Resource::builder()
        .with_service_name("tocsin")
        .with_attribute(opentelemetry::KeyValue::new("service.instance.id", instance.to_owned()))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

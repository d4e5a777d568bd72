//! `tocsin-ingest`: takes webhooks, and answers 2xx only once they are durable.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;
use tocsin_ingest::{Config, VARIABLES, run};
use tocsin_service::config::{Environment, common};

/// A request makes a hundred small allocations and frees them all: with libc's allocator a fifth of ingest's time.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[tokio::main]
async fn main() -> ExitCode {
    let about = "Takes webhooks from monitoring systems, and answers 2xx only once they are durable";
    tocsin_service::cli::command("tocsin-ingest", VERSION, about, &[common::ALL, common::REDIS, VARIABLES])
        .get_matches();
    let config = Config::read(&mut Environment::of_process(), VERSION);
    tocsin_service::run_service(config, |config| &config.service, run).await
}

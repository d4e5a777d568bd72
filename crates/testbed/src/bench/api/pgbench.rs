//! What the database alone can do of what the api asks it for a detail: the same statements, sent as the api sends them, by
//! Postgres' own load generator.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::bench::BenchError;
use crate::command::Run;
use crate::{TestbedError, programs};

/// A detail by number: three prepared statements in one round trip (`store/detail.rs`).
const DETAIL: &str = "\\set number random(1, :incidents)
\\startpipeline
SELECT * FROM incidents WHERE number = :number;
SELECT alerts.* FROM incident_alerts JOIN alerts ON alerts.id = incident_alerts.alert_id \
    WHERE incident_alerts.incident_id = (SELECT id FROM incidents WHERE number = :number) ORDER BY alerts.id DESC LIMIT 500;
SELECT * FROM timeline WHERE incident_id = (SELECT id FROM incidents WHERE number = :number) ORDER BY id DESC LIMIT 500;
\\endpipeline
";
/// How long pgbench may take on top of its duration.
const GRACE: Duration = Duration::from_secs(30);

/// Details in a second, over so many connections, each of which asks for its next when it has the one before.
pub(super) async fn details_per_second(
    database_url: &str,
    incidents: u32,
    connections: u32,
    duration: Duration,
    folder: &Path,
) -> Result<f64, BenchError> {
    let script = folder.join("detail.pgbench");
    fs::write(&script, DETAIL).map_err(TestbedError::file("write", &script))?;
    let output = Run::new(programs::postgres_folder(None)?.join("pgbench"))
        .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "1"])
        .args(["--client", &connections.to_string(), "--time", &duration.as_secs().to_string()])
        .args(["--define", &format!("incidents={incidents}"), "--file"])
        .args([script.as_os_str(), database_url.as_ref()])
        .output(duration + GRACE)
        .await?;
    per_second(&output)
}

fn per_second(output: &str) -> Result<f64, BenchError> {
    let rate = output.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
    let text = rate.unwrap_or(output);
    text.parse().map_err(|_not_a_number| BenchError::NotANumber { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_without_the_time_to_connect() {
        let output = "latency average = 1.0 ms\ntps = 9876.500000 (without initial connection time)\n";
        assert!((per_second(output).unwrap() - 9_876.5).abs() < f64::EPSILON);
        assert!(per_second("pgbench: error: connection failed").unwrap_err().to_string().contains("connection failed"));
    }
}

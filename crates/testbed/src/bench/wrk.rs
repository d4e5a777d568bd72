//! The load generator: `wrk`, which costs less of the machine than what it measures.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use std::{fs, str};

use serde::Deserialize;

use super::BenchError;
use crate::command::Run;
use crate::{TestbedError, programs};

/// What wrk's script says when all is done.
const DONE: &str = include_str!("wrk.lua");
/// What the line with the outcome begins with.
const OUTCOME: &str = "outcome ";
/// How long an answer may take before it counts as a socket error.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long wrk may take on top of its duration.
const GRACE: Duration = Duration::from_secs(30);

/// One request, sent again and again.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Where to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// A closed loop: so many connections, each of which sends its next request when the one before is answered.
#[derive(Debug, Clone, Copy)]
pub struct Wrk {
    /// Connections, each of them kept.
    pub connections: u32,
    /// Threads of the load generator.
    pub threads: u32,
    /// How long.
    pub duration: Duration,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Outcome {
    /// Answers.
    pub requests: u64,
    /// How long it took, in µs.
    pub duration_us: u64,
    /// Answers with a status of 400 and above.
    pub refused: u64,
    /// Connections that could not be made or broke, and answers that did not come.
    pub socket_errors: u64,
    /// The median of the answers' latencies, in µs.
    pub p50_us: u64,
    /// Their 95th percentile, in µs.
    pub p95_us: u64,
    /// Their 99th percentile, in µs.
    pub p99_us: u64,
    /// The longest, in µs.
    pub max_us: u64,
}

impl Outcome {
    /// Answers in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        per_second(self.requests, self.duration_us)
    }
}

/// The rate of so many answers in so many µs.
#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests")]
pub(super) fn per_second(answers: u64, duration_us: u64) -> f64 {
    answers as f64 / (duration_us.max(1) as f64 / 1e6)
}

impl Wrk {
    /// Fires. `folder` takes the generated script.
    ///
    /// # Errors
    /// When wrk is missing or fails, or says something that we do not understand.
    pub async fn run(&self, shot: &Shot, folder: &Path) -> Result<Outcome, BenchError> {
        let output = self.run_script(&shot.url, &format!("{}\n{DONE}", script(shot)), folder).await?;
        outcome(&output)
    }

    /// Runs with a script of the caller's, which says what is sent.
    pub(super) async fn run_requests(&self, url: &str, script: &str, folder: &Path) -> Result<Outcome, BenchError> {
        outcome(&self.run_script(url, &format!("{script}\n{DONE}"), folder).await?)
    }

    /// Runs with a script of the caller's, and gives what it printed.
    pub(super) async fn run_script(&self, url: &str, script: &str, folder: &Path) -> Result<String, BenchError> {
        let file = folder.join("wrk.lua");
        fs::write(&file, script).map_err(TestbedError::file("write", &file))?;
        let output = Run::new(programs::system("wrk", "wrk")?)
            .args(["--connections", &self.connections.to_string(), "--threads", &self.threads.to_string()])
            .args(["--duration", &format!("{}s", self.duration.as_secs())])
            .args(["--timeout", &format!("{}s", ANSWER_TIMEOUT.as_secs())])
            .args(["--script".as_ref(), file.as_os_str(), url.as_ref()])
            .output(self.duration + GRACE)
            .await?;
        Ok(output)
    }
}

/// The part of the script that says what is sent.
pub(super) fn script(shot: &Shot) -> String {
    let mut text = format!("wrk.method = \"POST\"\nwrk.body = {}\n", quoted(&shot.body));
    for (name, value) in &shot.headers {
        let _ = writeln!(text, "wrk.headers[{}] = {}", quoted(name), quoted(value));
    }
    text
}

/// What the line with the outcome tells.
pub(super) fn outcome<'de, T: Deserialize<'de>>(output: &'de str) -> Result<T, BenchError> {
    let line = output.lines().find_map(|line| line.strip_prefix(OUTCOME));
    let line = line.ok_or_else(|| BenchError::NoOutcome { output: output.to_owned() })?;
    serde_json::from_str(line).map_err(BenchError::Outcome)
}

/// As a string of Lua: every byte that is not a plain letter as its number (Lua 5.1 manual, 2.1).
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | ..0x20 | 0x7f.. => {
                let _ = write!(quoted, "\\{byte:03}");
            }
            _ => quoted.push(char::from(byte)),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_understood() {
        let output = "Running 4s test @ http://127.0.0.1:18000/\n  2 threads and 50 connections\n\
            Requests/sec:  49000.00\noutcome {\"requests\":196000,\"duration_us\":4000000,\"refused\":3,\
            \"socket_errors\":1,\"p50_us\":900,\"p95_us\":1800,\"p99_us\":2400,\"max_us\":9000}\n";
        let outcome: Outcome = outcome(output).unwrap();
        assert_eq!((outcome.refused, outcome.socket_errors, outcome.p99_us), (3, 1, 2400));
        assert!((outcome.per_second() - 49_000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_run_without_an_outcome_is_an_error_that_shows_what_was_said() {
        let error = outcome::<Outcome>("unable to connect to 127.0.0.1:1 Connection refused").unwrap_err();
        assert!(error.to_string().contains("unable to connect"), "{error}");
    }

    #[test]
    fn the_script_says_what_is_sent_whatever_it_holds() {
        let shot = Shot {
            url: "http://127.0.0.1".to_owned(),
            headers: vec![("Authorization", "Bearer x".to_owned())],
            body: "{\"a\":\"b\\n\u{e9}\"}\n".to_owned(),
        };
        insta::assert_snapshot!(script(&shot), @r#"
        wrk.method = "POST"
        wrk.body = "{\034a\034:\034b\092n\195\169\034}\010"
        wrk.headers["Authorization"] = "Bearer x"
        "#);
    }
}

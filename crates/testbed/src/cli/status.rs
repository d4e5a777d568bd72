//! `status`, and the lines with which `up` ends.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::control::{self, Phase, ProcessStatus, Status};
use super::error::CliError;
use super::state::StateFolder;

/// What `status --json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    url: Option<&'a str>,
    token: Option<&'a str>,
    services: &'a [ProcessStatus],
}

/// Prints what runs.
pub(crate) async fn status(state: &StateFolder, json: bool) -> Result<ExitCode, CliError> {
    let status = control::status(state).await?;
    if json {
        let document = Document {
            url: status.as_ref().and_then(|status| status.url.as_deref()),
            token: status.as_ref().and_then(|status| status.token.as_deref()),
            services: status.as_ref().map_or(&[], |status| &status.services),
        };
        println!("{}", serde_json::to_string(&document).map_err(CliError::Protocol)?);
    } else {
        print!("{}", status.as_ref().map_or_else(|| "Tocsin is not up.\n".to_owned(), table));
    }
    let all_ready = status.is_some_and(|status| is_all_ready(&status));
    Ok(if all_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_all_ready(status: &Status) -> bool {
    status.phase == Phase::Up && status.services.iter().all(|service| service.ready)
}

fn table(status: &Status) -> String {
    let mut text = format!("Tocsin is {}.\n", status.phase.name());
    if let Some(url) = &status.url {
        let _ = writeln!(text, "front door   {url}");
    }
    if let Some(inbox) = &status.inbox {
        let _ = writeln!(text, "Slack inbox  {inbox}/");
    }
    if !status.services.is_empty() {
        let _ = writeln!(text, "\n{:<14} {:>8}  ready", "process", "pid");
    }
    for ProcessStatus { name, pid, ready, note } in &status.services {
        let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let ready = if *ready { "yes" } else { "no" };
        let note = note.as_ref().map(|note| format!("    {note}")).unwrap_or_default();
        let _ = writeln!(text, "{name:<14} {pid:>8}  {ready}{note}");
    }
    text
}

/// Where everything is, and two commands that work.
pub(crate) fn closing_lines(status: &Status, state: &StateFolder) -> String {
    let url = status.url.as_deref().unwrap_or_default();
    let token = status.token.as_deref().unwrap_or_default();
    let inbox = match &status.inbox {
        Some(inbox) => format!("{inbox}/"),
        None => "none: messages go to your TOCSIN_SLACK_WEBHOOK_URL".to_owned(),
    };
    format!(
        r#"
Tocsin is up.

  front door   {url}
  API token    {token}
  Slack inbox  {inbox}
  logs         {logs}

Send an alert:

  curl -sS {url}/api/v1/webhooks/generic -H 'Content-Type: application/json' -d '{{"title":"Disk almost full","severity":"critical","status":"firing","labels":{{"host":"db-1"}}}}'

See the incident that it opened:

  curl -sS {url}/api/v1/incidents -H 'Authorization: Bearer {token}'

"#,
        logs = state.logs().display()
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn example() -> Status {
        let process = |name: &str, pid, ready| ProcessStatus { name: name.to_owned(), pid, ready, note: None };
        Status {
            phase: Phase::Up,
            url: Some("http://127.0.0.1:8080".to_owned()),
            token: Some("tocsin_0123".to_owned()),
            inbox: Some("http://127.0.0.1:18001".to_owned()),
            services: vec![process("redis", Some(17), true), process("worker-1", None, false)],
        }
    }

    #[test]
    fn the_table_shows_what_does_not_run() {
        insta::assert_snapshot!(table(&example()), @r"
        Tocsin is up.
        front door   http://127.0.0.1:8080
        Slack inbox  http://127.0.0.1:18001/

        process             pid  ready
        redis                17  yes
        worker-1              -  no
        ");
    }

    #[test]
    fn one_process_that_is_not_ready_makes_the_whole_not_ready() {
        let mut status = example();
        assert!(!is_all_ready(&status));
        status.services.pop();
        assert!(is_all_ready(&status));
    }

    #[test]
    fn the_closing_lines_can_be_copied_to_a_shell() {
        let state = StateFolder::new(Some(Path::new("/var/lib/tocsin"))).unwrap();
        insta::assert_snapshot!(closing_lines(&example(), &state));
    }
}

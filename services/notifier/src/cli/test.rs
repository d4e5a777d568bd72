//! `test`: a message that says that it is a test. It needs neither store.

use std::process::ExitCode;

use chrono::{SubsecRound as _, Utc};
use tocsin_service::with_causes;

use super::{Config, receiver};
use crate::receivers::{Answer, Http};
use crate::story::sample;

/// Sends the receiver a test and prints what it answers.
pub async fn test(config: &Config, name: &str) -> ExitCode {
    let receiver = match receiver(&config.receivers, name) {
        Ok(receiver) => receiver,
        Err(code) => return code,
    };
    let http = match Http::new(config.request_timeout) {
        Ok(http) => http,
        Err(error) => {
            eprintln!("{}", with_causes(&error));
            return ExitCode::FAILURE;
        }
    };
    let story = sample::test(Utc::now().trunc_subsecs(0));
    let sent = receiver.provider.send(&http, &story).await;
    let (outcome, code) = match sent.answer {
        Answer::Taken => ("taken", ExitCode::SUCCESS),
        Answer::Refused => ("refused", ExitCode::FAILURE),
        Answer::Gone => ("refused, now and always", ExitCode::FAILURE),
        Answer::Failed { .. } => ("failed; a later attempt may succeed", ExitCode::FAILURE),
    };
    println!("{name}: {outcome}\n{}", sent.text);
    code
}

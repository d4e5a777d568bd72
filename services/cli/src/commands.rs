//! The commands.

mod alerts;
mod dead_letters;
mod incidents;
mod lists;
mod notifications;
mod respond;
mod send;
mod silence;
mod tail;

use std::future::Future;
use std::io;

use clap::CommandFactory as _;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;

use crate::args::{Cli, Command, Common};
use crate::client::{Answer, Client};
use crate::credentials::{self, KEY, TOKEN};
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::table::Paint;
use crate::views::Asked;

/// Runs what was typed.
pub(crate) async fn run(Cli { common, command }: Cli) -> Result<Exit, Failure> {
    let output = Output { json: common.json, paint: Paint::of_stdout() };
    if let Command::Completions { shell } = command {
        return completions(shell);
    }
    if let Command::Send(args) = command {
        let key = credentials::bearer(args.key_file.as_deref(), KEY)?;
        return send::send(&client(common, key)?, output, args).await;
    }
    let token = credentials::bearer(common.token_file.as_deref(), TOKEN)?;
    let client = client(common, token)?;
    match command {
        Command::Incidents(args) => incidents::run(&client, output, args).await,
        Command::Alerts(args) => alerts::run(&client, output, args).await,
        Command::Ack(these) => respond::each(&client, output, &these, "acknowledge", None).await,
        Command::Resolve(closing) => respond::close(&client, output, closing, "resolve").await,
        Command::Cancel(closing) => respond::close(&client, output, closing, "cancel").await,
        Command::Reopen(these) => respond::each(&client, output, &these, "reopen", None).await,
        Command::Note { incident, text } => respond::note(&client, output, &incident, &text).await,
        Command::Silence(args) => silence::run(&client, output, args).await,
        Command::Tail(args) => tail::tail(&client, output, args).await,
        Command::DeadLetters(args) => dead_letters::run(&client, output, args).await,
        Command::Notifications(args) => notifications::run(&client, output, args).await,
        // Handled above.
        Command::Send(_) | Command::Completions { .. } => Ok(Exit::Done),
    }
}

fn client(common: Common, bearer: Option<HeaderValue>) -> Result<Client, Failure> {
    let actor = common.actor.map(|name| {
        // Names are UTF-8, which a header may hold.
        HeaderValue::from_bytes(name.as_bytes()).map_err(|_| Failure::UnusableSecret("the name in --as"))
    });
    Client::new(common.url, bearer, actor.transpose()?, common.timeout)
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tocsin", &mut text);
    io::Write::write_all(&mut io::stdout().lock(), &text)?;
    Ok(Exit::Done)
}

/// Does the same to several things, one after the other. What one of them is refused does not keep the others from being tried;
/// the first refusal gives the exit code.
async fn to_each<'a, T, F>(things: &'a [T], act: impl Fn(&'a T) -> F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let mut exit = Exit::Done;
    for thing in things {
        let ended = match act(thing).await {
            Ok(exit) => exit,
            Err(failure) if matches!(failure.exit(), Exit::Failed | Exit::NotFound) => {
                failure.tell();
                failure.exit()
            }
            Err(failure) => return Err(failure),
        };
        if exit == Exit::Done {
            exit = ended;
        }
    }
    Ok(exit)
}

/// Shows what was asked for: the body, or the line that `told` makes of it. While it is not known what becomes of it, that is
/// said instead.
fn show(output: Output, answer: &Answer, told: impl FnOnce() -> Result<String, Failure>) -> Result<Exit, Failure> {
    let is_open = answer.status == StatusCode::ACCEPTED;
    if output.json {
        output::body(answer)?;
    } else if !is_open {
        output::line(&told()?)?;
    }
    if !is_open {
        return Ok(Exit::Done);
    }
    let Asked { command_id, .. } = answer.read()?;
    eprintln!(
        "accepted as {command_id}, and not done yet: no worker has answered in time; it will be done, or refused"
    );
    Ok(Exit::Unknown)
}

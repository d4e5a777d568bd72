//! `tocsin tail`: what changes, as it changes.
//!
//! A connection that breaks is opened again, from where it was: what has happened meanwhile is shown then. Where the server
//! cannot tell that any more, there is a `reset`.

use std::time::Duration;

use reqwest::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use crate::args::Tail as Args;
use crate::client::{Backoff, Client};
use crate::event_stream::{Block, Event, Parser};
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::text::clean;
use crate::views::Incident;

use super::incidents;

/// Longest silence; the server says something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// Pauses between two attempts to connect again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The event that says that something may have been missed.
const RESET: &str = "reset";

pub(super) async fn tail(client: &Client, output: Output, args: Args) -> Result<Exit, Failure> {
    let mut tail = Tail { client, output, position: args.after, left: args.count, pause: FIRST_PAUSE };
    let mut response = client.open_patiently(tail.position.as_deref()).await?;
    loop {
        match tail.follow(response).await {
            Ok(Exit::Done) => return Ok(Exit::Done),
            Ok(_ended) => eprintln!("the server has ended the stream; connecting again"),
            Err(failure) if failure.passes() => eprintln!("{failure}; connecting again"),
            Err(failure) => return Err(failure),
        }
        response = tail.again().await?;
    }
}

struct Tail<'a> {
    client: &'a Client,
    output: Output,
    /// Up to where everything was shown, if that is known.
    position: Option<String>,
    /// How many events are wanted still.
    left: Option<u64>,
    pause: Duration,
}

/// An event as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    event: &'a str,
    id: Option<&'a str>,
    data: &'a RawValue,
}

impl Tail<'_> {
    /// Connects again, however long that takes; ends where that is refused.
    async fn again(&mut self) -> Result<Response, Failure> {
        let mut backoff = Backoff::new(self.pause, LONGEST_PAUSE);
        loop {
            sleep(backoff.pause()).await;
            match self.client.open(self.position.as_deref()).await {
                Ok(response) => {
                    if self.position.is_none() {
                        // Nobody can tell what was missed, so nobody is asked.
                        self.show(&Event { name: RESET.to_owned(), data: "{}".to_owned() })?;
                    }
                    return Ok(response);
                }
                Err(failure) if failure.passes() => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Shows what comes. `Done` once all that was wanted has come, anything else when the stream ends.
    async fn follow(&mut self, mut response: Response) -> Result<Exit, Failure> {
        let mut parser = Parser::default();
        loop {
            let chunk = timeout(SILENCE, response.chunk()).await.map_err(|_elapsed| self.client.silent(SILENCE))?;
            let Some(bytes) = chunk.map_err(|error| self.client.unreachable(error))? else {
                return Ok(Exit::Unknown);
            };
            if !parser.push(&bytes) {
                return Err(Failure::TooLong(bytes.len() >> 20));
            }
            while let Some(Block { id, event, retry }) = parser.next() {
                self.pause = retry.unwrap_or(self.pause).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                self.position = id.or_else(|| self.position.take());
                if let Some(event) = event {
                    self.show(&event)?;
                    if self.left == Some(0) {
                        return Ok(Exit::Done);
                    }
                }
            }
        }
    }

    fn show(&mut self, event: &Event) -> Result<(), Failure> {
        self.left = self.left.map(|left| left.saturating_sub(1));
        let text = if self.output.json {
            let data: &RawValue = serde_json::from_str(&event.data)?;
            serde_json::to_string(&Line { event: &event.name, id: self.position.as_deref(), data })?
        } else {
            self.told(event)?
        };
        Ok(output::line(&text)?)
    }

    fn told(&self, event: &Event) -> Result<String, Failure> {
        Ok(match event.name.as_str() {
            "incident" => incidents::line(self.output, &serde_json::from_str::<Incident>(&event.data)?),
            RESET => "something may have been missed; `tocsin incidents` shows what there is".to_owned(),
            name => format!("{} {}", clean(name), clean(&event.data)),
        })
    }
}

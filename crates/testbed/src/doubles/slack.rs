//! A Slack that has a Web API (<https://docs.slack.dev/apis/web-api/>): messages that can be posted and edited, channels that
//! take about one a second, and errors that come with the status 200.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, Recorded, Recorder};
use crate::Result;

/// A message as the channel shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackMessage {
    /// Which channel it is in.
    pub channel: String,
    /// The message under which it stands, if it is in a thread.
    pub thread: Option<String>,
    /// What it says now: the body that was sent last.
    pub content: Value,
    /// How often it was edited.
    pub edits: usize,
}

/// The workspace. Its API is at [`SlackApi::url`].
#[derive(Debug)]
pub struct SlackApi {
    recorder: Recorder,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By `ts`, in the order of posting.
    messages: BTreeMap<String, SlackMessage>,
    /// Errors to answer with before anything else.
    errors: VecDeque<String>,
    /// Time between two messages in a channel; what comes sooner is refused.
    pace: Option<Duration>,
    last_post: HashMap<String, Instant>,
}

impl SlackApi {
    /// Starts one, without limits.
    ///
    /// # Errors
    /// When the operating system gives no port or thread.
    pub fn start() -> Result<Self> {
        let (recorder, state) = (Recorder::start()?, Arc::new(Mutex::new(State::default())));
        for (method, call) in [("post", State::post as fn(&mut State, Value) -> Answer), ("update", State::update)] {
            let name = if method == "post" { "/api/chat.postMessage" } else { "/api/chat.update" };
            let state = Arc::clone(&state);
            recorder.behave_at(name, move |request| lock(&state).answer(request, call));
        }
        Ok(Self { recorder, state })
    }

    /// Where the API is, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/api", self.recorder.url())
    }

    /// What was asked, and more ways to answer.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Takes no message in a channel sooner than this after the one before: 429, with `Retry-After`.
    pub fn set_pace(&self, pace: Duration) {
        lock(&self.state).pace = Some(pace);
    }

    /// Answers the next calls with these errors, such as `channel_not_found`, at status 200.
    pub fn fail_with<T: Into<String>>(&self, errors: impl IntoIterator<Item = T>) {
        lock(&self.state).errors.extend(errors.into_iter().map(Into::into));
    }

    /// Forgets a message, as when somebody deletes it in the channel.
    pub fn delete(&self, ts: &str) {
        lock(&self.state).messages.remove(ts);
    }

    /// Every message with its `ts`, in the order of posting.
    #[must_use]
    pub fn messages(&self) -> Vec<(String, SlackMessage)> {
        lock(&self.state).messages.iter().map(|(ts, message)| (ts.clone(), message.clone())).collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(error: &str) -> Answer {
    Answer::json(200, &json!({"ok": false, "error": error}))
}

impl State {
    fn answer(&mut self, request: &Recorded, call: fn(&mut Self, Value) -> Answer) -> Answer {
        if !request.header("authorization").is_some_and(|value| value.starts_with("Bearer ")) {
            return refused("not_authed");
        }
        if let Some(error) = self.errors.pop_front() {
            return refused(&error);
        }
        match request.json() {
            Ok(body) => call(self, body),
            Err(_) => refused("invalid_json"),
        }
    }

    fn post(&mut self, content: Value) -> Answer {
        let Some(channel) = content["channel"].as_str().map(str::to_owned) else {
            return refused("channel_not_found");
        };
        let now = Instant::now();
        if let (Some(pace), Some(last)) = (self.pace, self.last_post.get(&channel))
            && now < *last + pace
        {
            let wait = (*last + pace - now).as_secs_f64().ceil();
            return Answer::json(429, &json!({"ok": false, "error": "ratelimited"}))
                .header("Retry-After", wait.to_string());
        }
        self.last_post.insert(channel.clone(), now);
        let ts = format!("1700000000.{:06}", self.messages.len() + 1);
        let thread = content["thread_ts"].as_str().map(str::to_owned);
        let answer = json!({"ok": true, "channel": channel, "ts": ts});
        self.messages.insert(ts, SlackMessage { channel, thread, content, edits: 0 });
        Answer::json(200, &answer)
    }

    fn update(&mut self, content: Value) -> Answer {
        let ts = content["ts"].as_str().unwrap_or_default().to_owned();
        let channel = content["channel"].as_str().unwrap_or_default().to_owned();
        match self.messages.get_mut(&ts) {
            Some(message) if message.channel == channel => {
                message.content = content;
                message.edits += 1;
                Answer::json(200, &json!({"ok": true, "channel": channel, "ts": ts}))
            }
            _ => refused("message_not_found"),
        }
    }
}

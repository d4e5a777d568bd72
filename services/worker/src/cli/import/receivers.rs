//! Receivers: their names, and who is behind them. Addresses and passwords are secrets, and stay where they are: a variable
//! stands for each.

use std::collections::BTreeSet;

use serde_json::Value;

use super::section::{Reader, Section};
use super::yaml;

/// Where Alertmanager's kinds of receivers have their settings.
const KINDS_END: &str = "_configs";
/// Those that Tocsin has as well. A receiver of Tocsin's is of one kind: the first that it has.
const KINDS: [(&str, Kind); 4] = [
    ("slack_configs", Kind::Slack),
    ("msteamsv2_configs", Kind::Teams),
    ("webhook_configs", Kind::Webhook),
    ("email_configs", Kind::Email),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slack,
    Teams,
    Webhook,
    Email,
}

/// What receivers have from `global` that name it not themselves.
#[derive(Debug, Default)]
pub(super) struct Globals {
    pub(super) has_slack_address: bool,
    pub(super) smarthost: Option<String>,
    pub(super) from: Option<String>,
    pub(super) username: Option<String>,
}

/// The lines of `receivers`.
pub(super) fn receivers(value: Option<&Value>, globals: &Globals, reader: &mut Reader) -> Vec<String> {
    let mut variables = Variables::default();
    let sections = reader.list("receivers", value);
    let receivers = sections.iter().enumerate().map(|(index, section)| {
        let path = format!("receivers[{index}]");
        receiver(&path, section, globals, &mut variables, reader)
    });
    yaml::items("receivers", receivers.collect())
}

fn receiver(
    path: &str,
    value: &Value,
    globals: &Globals,
    variables: &mut Variables,
    reader: &mut Reader,
) -> Vec<String> {
    let mut section = Section::of(path, value, reader);
    let name = section.take_text("name", reader).unwrap_or_default();
    let mut lines = vec![yaml::entry("name", &name)];
    let configs: Vec<_> = KINDS
        .into_iter()
        .flat_map(|(key, kind)| {
            let configs = section.take_list(key, reader).iter().enumerate();
            configs.map(|(index, config)| (kind, format!("{path}.{key}[{index}]"), config)).collect::<Vec<_>>()
        })
        .collect();
    let has_others = section.rest().any(|key| key.ends_with(KINDS_END));
    match configs.split_first() {
        None if has_others => {
            let variable = variables.name("SLACK", &name, "URL");
            let text = format!(
                "tells nobody by Slack in Alertmanager, and does in Tocsin: set {variable} to the address of an \
                 incoming webhook, or make the receiver `silent: true`"
            );
            reader.note(path, text);
            lines.extend(yaml::below("slack", [yaml::entry("webhook_url_env", &variable)]));
        }
        None => lines.push("silent: true".to_owned()),
        Some(((kind, path, config), others)) => {
            let mut config = Section::of(path, config, reader);
            lines.extend(match kind {
                Kind::Slack => slack(&name, path, &mut config, globals, variables, reader),
                Kind::Teams => teams(&name, path, &mut config, variables, reader),
                Kind::Webhook => webhook(&name, path, &mut config, variables, reader),
                Kind::Email => email(&name, path, &mut config, globals, variables, reader),
            });
            config.note_rest("not carried over; what is written is Tocsin's", reader);
            for (_, path, _) in others {
                reader.note(path, "not carried over; make it a receiver of its own, and a route that continues");
            }
        }
    }
    section.note_rest("not carried over; Tocsin tells nobody in this way", reader);
    lines
}

fn slack(
    name: &str,
    path: &str,
    config: &mut Section<'_>,
    globals: &Globals,
    variables: &mut Variables,
    reader: &mut Reader,
) -> Vec<String> {
    let variable = variables.name("SLACK", name, "URL");
    let given = [config.take("api_url"), config.take("api_url_file")].into_iter().flatten().count();
    let place = match (given, globals.has_slack_address) {
        (0, true) => "that of global.slack_api_url",
        (0, false) => "that of an incoming webhook",
        _ => "that of its api_url",
    };
    note_secret(path, &variable, place, reader);
    yaml::below("slack", [yaml::entry("webhook_url_env", &variable)])
}

fn teams(
    name: &str,
    path: &str,
    config: &mut Section<'_>,
    variables: &mut Variables,
    reader: &mut Reader,
) -> Vec<String> {
    let variable = variables.name("TEAMS", name, "URL");
    let _address = [config.take("webhook_url"), config.take("webhook_url_file")];
    note_secret(path, &variable, "that of its webhook_url", reader);
    yaml::below("teams", [yaml::entry("webhook_url_env", &variable)])
}

fn webhook(
    name: &str,
    path: &str,
    config: &mut Section<'_>,
    variables: &mut Variables,
    reader: &mut Reader,
) -> Vec<String> {
    let variable = variables.name("WEBHOOK", name, "URL");
    let _address = [config.take("url"), config.take("url_file")];
    note_secret(path, &variable, "that of its url", reader);
    let text = "what is sent is Tocsin's JSON, and not Alertmanager's; only public addresses are reached unless you add \
                `allow_private: true`";
    reader.note(path, text);
    yaml::below("webhook", [yaml::entry("url_env", &variable)])
}

/// Mail needs a sender and a server. What the file does not say stands as an example, and is noted.
fn email(
    name: &str,
    path: &str,
    config: &mut Section<'_>,
    globals: &Globals,
    variables: &mut Variables,
    reader: &mut Reader,
) -> Vec<String> {
    let mut text = |key: &str, global: Option<&String>, example: &str, mark: char| {
        let given = config.take_text(key, reader).or_else(|| global.cloned());
        // A template, for one, has none.
        given.filter(|text| text.contains(mark)).unwrap_or_else(|| {
            reader.note(path, format!("has no plain `{key}`: `{example}` stands for it, and needs your hand"));
            example.to_owned()
        })
    };
    let to = text("to", None, "ops@example.com", '@');
    let from = text("from", globals.from.as_ref(), "tocsin@example.com", '@');
    let smarthost = text("smarthost", globals.smarthost.as_ref(), "smtp.example.com:587", ':');
    let to: Vec<String> = to.split(',').map(|address| address.trim().to_owned()).collect();
    let (host, port) = smarthost.rsplit_once(':').unwrap_or((&smarthost, "587"));
    let port: u16 = port.parse().unwrap_or(587);
    let requires_tls = config.take("require_tls").and_then(Value::as_bool).unwrap_or(true);
    let username = config.take_text("auth_username", reader).or_else(|| globals.username.clone());
    let tls = match (port, requires_tls) {
        (465, _) => "implicit",
        // Tocsin sends no password that others could read.
        (_, false) if username.is_none() => "none",
        _ => "starttls",
    };
    let mut smtp = vec![yaml::entry("host", host), format!("port: {port}"), format!("tls: {tls}")];
    let _password = [config.take("auth_password"), config.take("auth_password_file")];
    if let Some(username) = username {
        let variable = variables.name("SMTP", name, "PASSWORD");
        reader
            .note(path, format!("no password is copied, because it is a secret: set {variable} to its auth_password"));
        smtp.extend([yaml::entry("username", &username), yaml::entry("password_env", &variable)]);
    }
    let head = [yaml::list("to", &to), yaml::entry("from", &from)];
    yaml::below("email", head.into_iter().chain(yaml::below("smtp", smtp)))
}

fn note_secret(path: &str, variable: &str, place: &str, reader: &mut Reader) {
    reader.note(path, format!("no address is copied, because it is a secret: set {variable} to {place}"));
}

/// The names of environment variables so far.
#[derive(Debug, Default)]
struct Variables(BTreeSet<String>);

impl Variables {
    /// The name of a variable that no other receiver has.
    fn name(&mut self, kind: &str, receiver: &str, what: &str) -> String {
        let in_variable = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' };
        let base = format!("TOCSIN_{kind}_{}_{what}", receiver.chars().map(in_variable).collect::<String>());
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !self.0.contains(name)).unwrap_or(base);
        self.0.insert(free.clone());
        free
    }
}

//! What Slack sends for a click (<https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>):
//! `payload=<urlencoded JSON>`, of which the parts that matter here are few.

use serde::Deserialize;
use tocsin_service::http::Problem;
use tocsin_shared::{Action, Actor, ActorKind, CommandId, ErrorCode, IncidentId};
use url::form_urlencoded;

/// The buttons under an incident. Their value is the incident's id.
const ACKNOWLEDGE: &str = "tocsin_acknowledge";
const RESOLVE: &str = "tocsin_resolve";
const SILENCE_1H: &str = "tocsin_silence_1h";
/// An hour, in seconds.
const HOUR_S: u32 = 3_600;
/// The only kind of interaction that a button causes.
const BLOCK_ACTIONS: &str = "block_actions";
/// Longest id of a user or of a click, in bytes, and longest name, in characters.
const MAX_ID_BYTES: usize = 255;
const MAX_NAME_CHARS: usize = 100;

/// A click on one of our buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Click {
    /// The same for a repeat of the same click.
    pub(super) id: CommandId,
    /// What is asked for.
    pub(super) action: Action,
    /// Who asks.
    pub(super) actor: Actor,
    /// Where whoever clicked can be answered.
    pub(super) response_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Payload {
    r#type: String,
    user: Option<User>,
    trigger_id: Option<String>,
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<Pressed>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Pressed {
    action_id: Option<String>,
    value: Option<String>,
    action_ts: Option<String>,
}

/// Reads an authentic body. `None` when it is of no button of ours.
pub(super) fn read(body: &[u8]) -> Result<Option<Click>, Problem> {
    let json = form_urlencoded::parse(body).find(|(name, _)| name == "payload").map(|(_, value)| value);
    let json = json.ok_or_else(|| invalid("payload", "is missing"))?;
    let payload: Payload = serde_json::from_str(&json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => invalid("payload", &error.to_string()),
        _ => Problem::new(ErrorCode::InvalidJson).detail(format!("payload: {error}")),
    })?;
    if payload.r#type != BLOCK_ACTIONS {
        tracing::debug!(kind = ?payload.r#type.chars().take(50).collect::<String>(), "not a click");
        return Ok(None);
    }
    let Some((make, pressed)) = payload.actions.iter().find_map(|pressed| Some((ours(pressed)?, pressed))) else {
        tracing::debug!("a click on none of our buttons");
        return Ok(None);
    };
    let incident = pressed.value.as_deref().and_then(|value| value.parse().ok());
    let action = make(incident.ok_or_else(|| invalid("payload", "actions: the value is not the id of an incident"))?);
    let user = payload.user.ok_or_else(|| invalid("payload", "user: is missing"))?;
    let name = payload.trigger_id.as_ref().or(pressed.action_ts.as_ref());
    let name = name.ok_or_else(|| invalid("payload", "trigger_id: is missing"))?;
    for (field, id) in [("user.id", &user.id), ("trigger_id", name)] {
        if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("payload", &format!("{field}: is not 1 to {MAX_ID_BYTES} visible ASCII characters")));
        }
    }
    let request = serde_json::to_string(&action).map_err(|_| Problem::new(ErrorCode::Internal))?;
    Ok(Some(Click {
        id: CommandId::of_request(&format!("slack:{}", user.id), name, &request),
        action,
        actor: actor(user),
        response_url: payload.response_url,
    }))
}

fn ours(pressed: &Pressed) -> Option<fn(IncidentId) -> Action> {
    match pressed.action_id.as_deref()? {
        ACKNOWLEDGE => Some(|incident| Action::Acknowledge { incident }),
        RESOLVE => Some(|incident| Action::Resolve { incident, note: None }),
        SILENCE_1H => Some(|incident| Action::SilenceIncident { incident, duration_s: HOUR_S }),
        _ => None,
    }
}

fn actor(user: User) -> Actor {
    let name = user.username.or(user.name).unwrap_or_default();
    let name: String = name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect();
    let name = if name.trim().is_empty() { user.id.clone() } else { name };
    Actor { kind: ActorKind::Slack, id: user.id, name }
}

fn invalid(field: &str, fault: &str) -> Problem {
    Problem::new(ErrorCode::InvalidPayload).detail(format!("{field}: {fault}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const INCIDENT: &str = "01990a3e-0000-7000-8000-000000000001";

    /// As Slack sends it, cut to what its documentation calls essential.
    fn click(action_id: &str, value: &str) -> Value {
        json!({
            "type": "block_actions",
            "user": {"id": "U123", "username": "ada", "name": "ada", "team_id": "T1"},
            "api_app_id": "A1", "token": "x", "trigger_id": "13345224609.738474920.8088930838d88f008e0",
            "container": {"type": "message", "message_ts": "1548261231.000200", "channel_id": "C1", "is_ephemeral": false},
            "team": {"id": "T1", "domain": "example"}, "channel": {"id": "C1", "name": "alerts"},
            "message": {"type": "message", "ts": "1548261231.000200", "text": "Disk full"},
            "response_url": "https://hooks.slack.com/actions/T1/1/abc",
            "actions": [{"type": "button", "block_id": "b", "action_id": action_id, "value": value,
                "text": {"type": "plain_text", "text": "x"}, "action_ts": "1548426417.840180"}],
        })
    }

    fn body(payload: &Value) -> Vec<u8> {
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish().into()
    }

    fn taken(payload: &Value) -> Click {
        read(&body(payload)).unwrap().unwrap()
    }

    #[test]
    fn each_button_asks_for_its_action_on_behalf_of_the_user() {
        let incident = INCIDENT.parse().unwrap();
        for (button, action) in [
            (ACKNOWLEDGE, Action::Acknowledge { incident }),
            (RESOLVE, Action::Resolve { incident, note: None }),
            (SILENCE_1H, Action::SilenceIncident { incident, duration_s: 3_600 }),
        ] {
            let click = taken(&click(button, INCIDENT));
            assert_eq!(click.action, action);
            assert_eq!(
                (click.actor.kind, click.actor.id.as_str(), click.actor.name.as_str()),
                (ActorKind::Slack, "U123", "ada")
            );
            assert_eq!(click.response_url.as_deref(), Some("https://hooks.slack.com/actions/T1/1/abc"));
        }
    }

    #[test]
    fn a_repeat_is_the_same_command_and_another_click_is_another() {
        let first = taken(&click(ACKNOWLEDGE, INCIDENT)).id;
        assert_eq!(taken(&click(ACKNOWLEDGE, INCIDENT)).id, first);
        assert_ne!(taken(&click(RESOLVE, INCIDENT)).id, first);
        for (pointer, value) in [("/trigger_id", "2"), ("/user/id", "U2")] {
            let mut other = click(ACKNOWLEDGE, INCIDENT);
            *other.pointer_mut(pointer).unwrap() = value.into();
            assert_ne!(taken(&other).id, first, "{pointer}");
        }
    }

    #[test]
    fn what_is_none_of_ours_is_nothing_to_do() {
        assert_eq!(read(&body(&click("tocsin_open", INCIDENT))).unwrap(), None);
        assert_eq!(read(&body(&json!({"type": "view_submission", "user": {"id": "U1"}}))).unwrap(), None);
        assert_eq!(read(&body(&json!({"type": "block_actions", "actions": []}))).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let mut unnamed = click(ACKNOWLEDGE, INCIDENT);
        unnamed["user"]["id"] = "".into();
        let mut nobody = click(ACKNOWLEDGE, INCIDENT);
        nobody.as_object_mut().unwrap().remove("user");
        for (body, code) in [
            (b"token=x".to_vec(), ErrorCode::InvalidPayload),
            (b"payload=%7B".to_vec(), ErrorCode::InvalidJson),
            (b"payload=%5B%5D".to_vec(), ErrorCode::InvalidPayload),
            (body(&click(ACKNOWLEDGE, "12")), ErrorCode::InvalidPayload),
            (body(&unnamed), ErrorCode::InvalidPayload),
            (body(&nobody), ErrorCode::InvalidPayload),
        ] {
            assert_eq!(read(&body).unwrap_err().code(), code, "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn a_user_without_a_name_is_called_by_the_id() {
        let mut payload = click(ACKNOWLEDGE, INCIDENT);
        payload["user"] = json!({"id": "U123", "username": "\u{7}"});
        assert_eq!(taken(&payload).actor.name, "U123");
        payload["user"] = json!({"id": "U123", "name": "x".repeat(200)});
        assert_eq!(taken(&payload).actor.name.chars().count(), MAX_NAME_CHARS);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,50}") {
            let _ = read(&bytes);
            let mut payload = click(ACKNOWLEDGE, &text);
            payload["user"]["username"] = text.into();
            let _ = read(&body(&payload));
        }
    }
}

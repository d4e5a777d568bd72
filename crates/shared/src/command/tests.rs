use super::*;
use crate::alert::{MAX_LABELS, MAX_TEXT_CHARS, MAX_TITLE_CHARS};
use crate::ledger::{DeadNotices, MAX_DEAD_NOTICES};
use crate::silence::MAX_COMMENT_CHARS;
use crate::{IncidentSeverity, NotificationId};

fn incident() -> IncidentId {
    "01990a3e-0000-7000-8000-000000000001".parse().unwrap()
}

fn command(action: Action) -> Command {
    Command {
        id: "01990a3e-0000-7000-8000-000000000002".parse().unwrap(),
        at: DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap(),
        actor: Actor { kind: ActorKind::Token, id: "ops".to_owned(), name: "Ann via ops".to_owned() },
        trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap(),
        action,
    }
}

fn new_silence() -> NewSilence {
    NewSilence {
        matchers: r#"{alertname="DiskFull"}"#.parse().unwrap(),
        starts_at: None,
        ends_at: DateTime::from_timestamp(1_780_003_600, 0).unwrap(),
        recurrence: None,
        comment: "moving the data".to_owned(),
    }
}

fn actions() -> Vec<Action> {
    let incident = incident();
    let labels = [("team".to_owned(), "db".to_owned())].into();
    let silence = SilenceId::from_uuid(incident.as_uuid());
    vec![
        Action::Acknowledge { incident },
        Action::Resolve { incident, note: None },
        Action::Cancel { incident, note: Some("a test".to_owned()) },
        Action::Reopen { incident },
        Action::Note { incident, text: "It was the disk.".to_owned() },
        Action::SetSeverity { incident, severity: IncidentSeverity::High },
        Action::Declare {
            title: "The site is down".to_owned(),
            summary: None,
            severity: IncidentSeverity::Critical,
            labels,
        },
        Action::Silence { silence: new_silence() },
        Action::SilenceEnd { id: silence },
        Action::SilenceDelete { id: silence },
        Action::Redrive { dead_letters: vec![7, 8] },
        Action::SilenceIncident { incident, duration_s: 3_600 },
        Action::RedriveNotices { notices: DeadNotices::These(vec![NotificationId::from_uuid(incident.as_uuid())]) },
        Action::RedriveNotices {
            notices: DeadNotices::Matching { receiver: Some("ops".to_owned()), since: None, limit: 10 },
        },
    ]
}

fn written(command: &Command) -> HashMap<String, String> {
    FIELDS.map(str::to_owned).into_iter().zip(command.to_values().unwrap()).collect()
}

#[test]
fn what_was_written_is_what_is_read_and_is_as_documented() {
    let mut texts = Vec::new();
    for action in actions() {
        let original = command(action);
        let fields = written(&original);
        assert!(fields["action"].contains(&format!(r#""do":"{}""#, original.action.name())), "{fields:?}");
        assert_eq!(Command::from_fields(&fields).unwrap(), original);
        texts.push(fields["action"].clone());
    }
    insta::assert_debug_snapshot!(texts);
    let values = command(actions().remove(0)).to_values().unwrap();
    insta::assert_debug_snapshot!(FIELDS.into_iter().zip(values).collect::<Vec<_>>());
}

#[test]
fn fields_of_a_newer_writer_are_ignored() {
    let original = command(Action::Acknowledge { incident: incident() });
    let mut fields = written(&original);
    fields.insert("shard_hint".to_owned(), "7".to_owned());
    for name in ["actor", "action"] {
        let text = fields[name].replacen('{', r#"{"new_field":[1],"#, 1);
        fields.insert(name.to_owned(), text);
    }
    assert_eq!(Command::from_fields(&fields).unwrap(), original);
}

#[test]
fn an_unknown_version_and_an_unknown_action_are_errors() {
    let original = written(&command(Action::Acknowledge { incident: incident() }));
    let with = |name: &str, value: &str| {
        let mut fields = original.clone();
        fields.insert(name.to_owned(), value.to_owned());
        Command::from_fields(&fields).unwrap_err()
    };
    assert!(matches!(with("v", "9"), EnvelopeError::UnsupportedVersion { found } if found == "9"));
    let unknown = with("action", r#"{"do":"explode"}"#);
    assert!(matches!(unknown, EnvelopeError::InvalidField { field: "action", .. }), "{unknown:?}");
}

#[test]
fn a_missing_or_malformed_field_is_named() {
    let original = written(&command(Action::Acknowledge { incident: incident() }));
    for name in ["v", "id", "at", "actor", "action"] {
        let mut fields = original.clone();
        fields.remove(name);
        let error = Command::from_fields(&fields).unwrap_err();
        assert!(matches!(error, EnvelopeError::MissingField { field } if field == name), "{error:?}");
    }
    for name in ["id", "at", "actor", "action"] {
        let mut fields = original.clone();
        fields.insert(name.to_owned(), "?".to_owned());
        let error = Command::from_fields(&fields).unwrap_err();
        assert!(matches!(error, EnvelopeError::InvalidField { field, .. } if field == name), "{error:?}");
    }
}

#[test]
fn what_is_out_of_its_bounds_is_named_and_is_not_read_either() {
    let incident = incident();
    let declare = |title: &str, labels: crate::Labels| Action::Declare {
        title: title.to_owned(),
        summary: None,
        severity: IncidentSeverity::Low,
        labels,
    };
    let many = (0..=MAX_LABELS).map(|n| (n.to_string(), String::new())).collect();
    let note = |text: String| Action::Note { incident, text };
    let resolve = |note: String| Action::Resolve { incident, note: Some(note) };
    let comment = |comment: String| Action::Silence { silence: NewSilence { comment, ..new_silence() } };
    let redrive = |receiver: Option<String>, limit| Action::RedriveNotices {
        notices: DeadNotices::Matching { receiver, since: None, limit },
    };
    for (action, told) in [
        (note(String::new()), "text: is empty"),
        (note(" \n".to_owned()), "text: is empty"),
        (note("ü".repeat(MAX_TEXT_CHARS + 1)), "text: is longer than 16384 characters"),
        (note("a\0b".to_owned()), "text: holds a NUL"),
        (resolve("x".repeat(MAX_TEXT_CHARS + 1)), "note: is longer than 16384 characters"),
        (declare(&"x".repeat(MAX_TITLE_CHARS + 1), [].into()), "title: is longer than 1024 characters"),
        (declare("", [].into()), "title: is empty"),
        (declare("t", many), "labels: has more than 128 entries"),
        (declare("t", [(String::new(), "x".to_owned())].into()), "labels: is empty"),
        (comment("x".repeat(MAX_COMMENT_CHARS + 1)), "comment: is longer than 4096 characters"),
        (Action::SilenceIncident { incident, duration_s: 59 }, "duration: is not from 60 to 2592000"),
        (redrive(None, 0), "limit: is not from 1 to 1000"),
        (redrive(None, MAX_DEAD_NOTICES + 1), "limit: is not from 1 to 1000"),
        (redrive(Some(String::new()), 1), "receiver: is empty"),
        (Action::RedriveNotices { notices: DeadNotices::These(vec![]) }, "notices: is empty"),
        (Action::Redrive { dead_letters: vec![] }, "dead_letters: is empty"),
        (Action::Redrive { dead_letters: vec![1; MAX_DEAD_LETTERS + 1] }, "dead_letters: has more than 1000 entries"),
    ] {
        assert_eq!(action.check().unwrap_err().to_string(), told);
        let error = Command::from_fields(&written(&command(action))).unwrap_err();
        assert!(matches!(error, EnvelopeError::InvalidField { field: "action", .. }), "{told}: {error:?}");
    }
    note("ü".repeat(MAX_TEXT_CHARS)).check().unwrap();
    declare("t", [("team".to_owned(), String::new())].into()).check().unwrap();
}

#[test]
fn a_silence_has_the_id_the_time_and_the_author_of_its_command() {
    let silence = new_silence();
    let command = command(Action::Silence { silence: silence.clone() });
    let made = silence.of(&command);
    assert_eq!((made.id.as_uuid(), made.author.as_str()), (command.id.as_uuid(), "Ann via ops"));
    assert_eq!((made.starts_at, made.created_at), (command.at, command.at));
    command.check().unwrap();

    let over = NewSilence { ends_at: command.at, ..silence.clone() };
    let of_everything = NewSilence { matchers: "{}".parse().unwrap(), ..silence };
    for (silence, told) in [
        (over, "ends_at: it must end after it starts"),
        (of_everything, "matchers: at least one matcher must ask for a label that is there"),
    ] {
        let error = Command { action: Action::Silence { silence }, ..command.clone() }.check().unwrap_err();
        assert_eq!(error.to_string(), told);
    }
}

#[test]
fn an_outcome_is_as_documented_and_comes_back_as_it_went() {
    let outcomes = [
        CommandOutcome::Done { incident: Some(incident()), silence: None, changed: true, count: None },
        CommandOutcome::Done {
            incident: None,
            silence: Some(SilenceId::from_uuid(incident().as_uuid())),
            changed: false,
            count: None,
        },
        CommandOutcome::Done { incident: None, silence: None, changed: true, count: Some(3) },
        CommandOutcome::Rejected {
            code: ErrorCode::InvalidTransition,
            detail: "incident 12 is resolved; reopen it first".to_owned(),
        },
    ];
    let texts = outcomes.iter().map(|outcome| serde_json::to_string(outcome).unwrap()).collect::<Vec<_>>();
    for (text, outcome) in texts.iter().zip(&outcomes) {
        assert_eq!(&serde_json::from_str::<CommandOutcome>(text).unwrap(), outcome);
    }
    insta::assert_debug_snapshot!(texts);
}

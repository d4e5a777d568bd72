use tocsin_shared::routing::{EscalationStep, FlapRule, GroupBy, ResolvePolicy, Timing};
use tocsin_shared::{Route, Routing};

use super::*;

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "{}", "# nothing\n"] {
        let document = Document::parse(text).unwrap();
        assert_eq!(document.policy(), Policy::default());
        assert!(document.receivers.is_empty() && document.api.tokens.is_empty());
    }
}

#[test]
fn the_example_in_the_repository_is_valid() {
    let text = include_str!("../../../../../tocsin.yaml");
    let document = Document::parse(text).unwrap();
    assert!(document.route.receiver.is_some() && !document.api.tokens.is_empty());
    assert!(document.webhooks.keyless && document.integrations.is_empty());
    assert_eq!(document.webhooks.limit(), Limit::KEYLESS);
    // It shows the defaults.
    let routing = Routing::new(Route { receiver: Some("ops".to_owned()), ..Route::default() });
    assert_eq!(document.policy(), Policy { routing, ..Policy::default() });
    assert_eq!(document.retention(), Retention::default());
}

#[test]
fn what_the_example_leaves_in_comments_is_valid() {
    let example = include_str!("../../../../../tocsin.yaml");
    let (_, commented) = example.split_once("# integrations:\n").unwrap();
    let (commented, _) = commented.split_once("\n\n").unwrap();
    let lines: Vec<_> = commented.lines().map(|line| &line[2..]).collect();
    let section = lines.join("\n").replace("# - ", "- ").replace("# sns:", "sns:").replace("source: grafana", "");
    let document = Document::parse(&format!("integrations:\n{section}")).unwrap();
    assert_eq!(document.integrations[0].signatures.len(), 4);
    assert_eq!(document.integrations[0].limit(), Limit::INTEGRATION);
}

#[test]
fn the_rules_that_the_example_leaves_in_comments_are_valid() {
    let example = include_str!("../../../../../tocsin.yaml");
    let block = |from: &str, indent: usize| {
        let (_, commented) = example.split_once(from).unwrap();
        let (commented, _) = commented.split_once("\n\n").unwrap();
        commented.lines().fold(String::new(), |text, line| text + &line[indent..] + "\n")
    };
    let (routes, rules) = (block("  # routes:\n", 4), block("\n# inhibit_rules:\n", 2));
    let receivers = "receivers: [{name: ops, slack: {webhook_url_env: A}}, {name: nobody, silent: true}]";
    let document =
        Document::parse(&format!("{receivers}\nroute:\n  routes:\n{routes}inhibit_rules:\n{rules}")).unwrap();
    let policy = document.policy();
    assert_eq!((policy.routing.routes().count(), policy.inhibition.iter().count()), (4, 1));
}

#[test]
fn the_provider_that_the_example_leaves_in_comments_is_valid() {
    let example = include_str!("../../../../../tocsin.yaml");
    let (_, commented) = example.split_once("  # oidc:\n").unwrap();
    let (commented, _) = commented.split_once("\n\n").unwrap();
    let lines: Vec<_> = commented.lines().map(|line| &line[4..]).collect();
    let document = Document::parse(&format!("api:\n  oidc:\n  {}", lines.join("\n  "))).unwrap();
    let section = document.api.oidc.unwrap();
    assert_eq!((section.name(), section.everybody()), ("Example".to_owned(), &[Scope::Read][..]));
    assert_eq!((section.session_lifetime(), section.allow.len()), (Duration::from_hours(12), 1));
}

#[test]
fn every_fault_of_a_provider_is_reported_with_its_path_and_without_its_secret() {
    let text = "
        api:
          oidc:
            issuer: http://login.example.com
            name: ''
            client_id: ' '
            client_secret: hush
            client_secret_env: A
            scopes: ['openid profile']
            actor_claim: ''
            session_lifetime: 30d
            allow: [{claim: '', value: '', scopes: []}]";
    let faults = Document::parse(text).unwrap_err().to_string();
    assert!(!faults.contains("hush"), "{faults}");
    insta::assert_snapshot!(faults);
}

#[test]
fn a_provider_that_everybody_has_an_account_at_lets_in_nobody_by_itself() {
    let parse = |issuer: &str, more: &str| {
        let text = format!("api: {{oidc: {{issuer: \"{issuer}\", client_id: a, client_secret_env: A{more}}}}}");
        Document::parse(&text).map(drop).map_err(|error| error.problems[0].key.clone())
    };
    let (google, rule) = ("https://accounts.google.com", ", allow: [{claim: hd, value: b, scopes: [read]}]");
    assert_eq!(parse("https://login.example.com", ""), Ok(()));
    for (issuer, more) in [(google, ""), (google, rule), ("https://login.example.com", ", everybody: []")] {
        assert_eq!(parse(issuer, more), Err("api.oidc.everybody".to_owned()), "{issuer}{more}");
    }
    assert_eq!(parse(google, &format!(", everybody: []{rule}")), Ok(()));
}

#[test]
fn every_fault_is_reported_with_its_path() {
    let error = Document::parse(
        r"
        route: {receiver: nobody, group_by: ['']}
        receivers:
          - name: ops
          - name: ops
            slack: {webhook_url: a, webhook_url_file: b}
        api:
          tokens:
            - {name: t, scopes: []}
        ",
    );
    insta::assert_snapshot!(error.unwrap_err());
}

#[test]
fn every_fault_of_an_integration_is_reported_with_its_path() {
    let text = include_str!("faulty_integrations.yaml");
    insta::assert_snapshot!(Document::parse(text).unwrap_err());
}

#[test]
fn integrations_are_read_as_they_are_written() {
    let document = Document::parse(include_str!("integrations.yaml")).unwrap();
    insta::assert_debug_snapshot!((document.webhooks, document.integrations));
}

#[test]
fn a_limit_that_is_given_in_part_is_completed_by_the_default_of_its_place() {
    let text = "
        webhooks: {limit: {over_limit: retry_later}}
        integrations: [{name: a, keys: [{sha256_env: A}], limit: {per_minute: 5}}]";
    let document = Document::parse(text).unwrap();
    assert_eq!(document.webhooks.limit(), Limit { over_limit: OverLimit::RetryLater, ..Limit::KEYLESS });
    let per_minute = std::num::NonZeroU32::new(5).unwrap();
    assert_eq!(document.integrations[0].limit(), Limit { per_minute, ..Limit::INTEGRATION });
}

#[test]
fn a_misspelt_key_is_a_fault_that_names_it() {
    let error = Document::parse("route: {reciever: ops}").unwrap_err();
    assert!(error.problems[0].key.starts_with("route"), "{error}");
    assert!(error.problems[0].fault.contains("reciever"), "{error}");
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    let error = Document::parse("route: [").unwrap_err();
    assert!(error.problems[0].fault.contains("line"), "{error}");
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for (text, path) in [
        ("receivers: [{name: ops, slack: 'https://hooks.example/T0/SECRET'}]", "receivers[0].slack"),
        ("integrations: [{name: a, keys: [SECRET]}]", "integrations[0].keys[0]"),
        ("integrations: [{name: a, keys: [], signatures: [SECRET]}]", "integrations[0].signatures[0]"),
        ("integrations: [{name: a, keys: [], signatures: [{sentry: SECRET}]}]", "integrations[0].signatures[0].sentry"),
        (
            "integrations: [{name: a, keys: [], signatures: [{sentry: {secret: 73323}}]}]",
            "integrations[0].signatures[0].sentry.secret",
        ),
    ] {
        let error = Document::parse(text).unwrap_err();
        assert!(!error.to_string().contains("SECRET") && !error.to_string().contains("73323"), "{error}");
        assert!(error.problems[0].key.starts_with(path), "{error}");
    }
}

#[test]
fn every_fault_of_the_rules_is_reported_with_its_path() {
    insta::assert_snapshot!(Document::parse(include_str!("faulty_routes.yaml")).unwrap_err());
}

#[test]
fn every_fault_of_a_receiver_is_reported_with_its_path_and_without_its_secret() {
    let error = Document::parse(include_str!("faulty_receivers.yaml")).unwrap_err();
    assert!(!error.to_string().contains("SECRET"), "{error}");
    insta::assert_snapshot!(error);
}

#[test]
fn every_kind_of_receiver_is_read() {
    let document = Document::parse(include_str!("receivers.yaml")).unwrap();
    let kinds: Vec<_> = document.receivers.iter().filter_map(ReceiverSection::kind).collect();
    let [
        ReceiverKind::Slack(bot),
        ReceiverKind::Slack(webhook_of_slack),
        ReceiverKind::Teams(_),
        ReceiverKind::Webhook(public),
        ReceiverKind::Webhook(private),
        ReceiverKind::Webhook(_),
        ReceiverKind::Email(mail),
        ReceiverKind::Email(local),
    ] = kinds[..]
    else {
        panic!("{kinds:?}")
    };
    let SlackAccess::Bot { token, channel, api_url } = bot.access("receivers[0]") else { panic!("{bot:?}") };
    assert_eq!((channel.as_str(), api_url.as_str()), ("C0123456789", "https://slack.com/api"));
    assert_eq!((token.key.as_str(), token.file.is_some()), ("receivers[0].slack.bot_token", true));
    assert!(matches!(webhook_of_slack.access("x"), SlackAccess::Webhook(_)));
    assert_eq!((public.allow_private, private.allow_private), (false, true));
    assert!(public.secret("x").is_none() && private.secret("x").is_some() && private.authorization("x").is_some());
    assert_eq!((mail.smtp.port(), mail.smtp.tls), (587, SmtpTls::Starttls), "mail is encrypted unless told otherwise");
    assert_eq!((local.smtp.port(), local.smtp.tls), (25, SmtpTls::None));
}

#[test]
fn the_receivers_that_the_example_leaves_in_comments_are_valid() {
    let example = include_str!("../../../../../tocsin.yaml");
    let (_, commented) = example.split_once("\n  # More of them:\n").unwrap();
    let (commented, _) = commented.split_once("\n\n").unwrap();
    let lines: Vec<_> = commented.lines().map(|line| line.replacen("  # ", "  ", 1)).collect();
    let document =
        Document::parse(&format!("receivers:\n  - {{name: nobody, silent: true}}\n{}", lines.join("\n"))).unwrap();
    let kinds: Vec<_> = document.receivers.iter().filter_map(ReceiverSection::kind).collect();
    assert!(matches!(
        kinds[..],
        [ReceiverKind::Slack(_), ReceiverKind::Teams(_), ReceiverKind::Webhook(_), ReceiverKind::Email(_)]
    ));
}

#[test]
fn a_route_has_from_its_parent_what_it_does_not_say() {
    let document = Document::parse(include_str!("routes.yaml")).unwrap();
    let policy = document.policy();
    let routes: Vec<_> = policy.routing.routes().collect();
    let [root, db, below, dev] = routes[..] else { panic!("{routes:?}") };
    let defaults = Timing::default();
    assert_eq!(root.timing, Timing { group_wait: Duration::from_secs(30), ..defaults });
    let timing =
        Timing { group_interval: Duration::from_mins(2), repeat_interval: Duration::from_mins(90), ..root.timing };
    assert_eq!((db.timing, below.timing, dev.timing), (timing, timing, root.timing));
    let minutes = |minutes| FlapRule { transitions: 4, window: Duration::from_mins(minutes) };
    assert_eq!(
        (root.flap, db.flap, below.flap),
        (minutes(10), minutes(10), FlapRule { transitions: 0, ..minutes(60) })
    );
    assert_eq!(
        (db.resolve, below.resolve, dev.resolve),
        (ResolvePolicy::Never, ResolvePolicy::Never, ResolvePolicy::All)
    );
    let step = |minutes, receivers: &[&str]| EscalationStep {
        after: Duration::from_mins(minutes),
        receivers: receivers.iter().map(|&name| name.to_owned()).collect(),
    };
    let steps = [step(10, &["db"]), step(90, &["db", "ops"])];
    assert_eq!((&root.escalation[..], &below.escalation[..], dev.escalation.len()), (&steps[..], &steps[..], 0));
    assert!(db.continues && !below.continues);
    assert_eq!((&below.group_by, &dev.group_by), (&GroupBy::All, &GroupBy::Labels(vec![])));
    assert_eq!((db.title == root.title, below.title.text()), (true, Some("{{ title }}")));
    let receivers = routes.iter().map(|route| route.receiver.as_deref()).collect::<Vec<_>>();
    assert_eq!(receivers, [Some("ops"), Some("db"), Some("db"), None]);
    assert_eq!(below.path, r#"{}/{env!="dev",severity="critical",team=~"db|store"}/{}"#);
    assert!(routes.iter().all(|route| route.reopen_within == Duration::from_mins(10)));
}

#[test]
fn inhibition_timeouts_and_retention_are_read() {
    let document = Document::parse(include_str!("routes.yaml")).unwrap();
    let policy = document.policy();
    let names: Vec<_> = policy.inhibition.iter().map(|rule| rule.name.as_str()).collect();
    let unnamed = r#"{severity="critical"} inhibits {severity="info"}"#;
    assert_eq!(names, ["page", unnamed, &format!("{unnamed}#2")]);
    let timeouts = [("a".to_owned(), Duration::from_mins(5)), (KEYLESS.to_owned(), Duration::from_hours(1))];
    assert_eq!(policy.resolve_timeouts, BTreeMap::from(timeouts));
    let days = |days: u64| Duration::from_hours(24 * days);
    assert_eq!(document.retention(), Retention { events: days(3), incidents: days(90) });
    assert_eq!(Document::default().retention(), Retention { events: days(7), incidents: days(365) });
}

#[test]
fn slack_signs_with_one_secret_or_two() {
    let secrets = |text: &str| {
        let document = Document::parse(text).unwrap();
        let section = document.slack.unwrap();
        let keys = section.signing_secrets().into_iter().map(|secret| secret.key).collect::<Vec<_>>();
        (keys.join(" "), section.response_url_prefix().to_owned())
    };
    let hooks = "https://hooks.slack.com/".to_owned();
    assert_eq!(secrets("slack: {signing_secret_env: A}"), ("slack.signing_secret".to_owned(), hooks.clone()));
    let both = "slack: {signing_secret_file: a, old_signing_secret_env: B}";
    assert_eq!(secrets(both), ("slack.signing_secret slack.old_signing_secret".to_owned(), hooks));
    assert!(Document::parse("slack: {}").is_err(), "without a secret nothing can be authentic");
    assert!(Document::default().slack.is_none());
}

#[test]
fn a_tree_has_bounds() {
    let deep = (0..16).fold("{}".to_owned(), |child, _| format!("{{routes: [{child}]}}"));
    let error = Document::parse(&format!("route: {deep}")).unwrap_err();
    assert_eq!(error.problems.len(), 1, "{error}");
    assert!(error.problems[0].fault.contains("16 levels"), "{error}");
    let wide = vec!["{}"; 1_000].join(",");
    let error = Document::parse(&format!("route: {{routes: [{wide}]}}")).unwrap_err();
    assert!(error.problems.len() == 1 && error.problems[0].fault.contains("1001 routes"), "{error}");
}

use super::*;

const EVERYTHING: &str = include_str!("alertmanager.yml");

#[test]
fn a_file_becomes_one_of_tocsins_with_notes_on_what_it_lacks() {
    insta::assert_snapshot!(convert(EVERYTHING).unwrap().yaml);
}

#[test]
fn no_secret_is_copied() {
    let imported = convert(EVERYTHING).unwrap();
    assert!(EVERYTHING.contains("SECRET") && !imported.yaml.contains("SECRET"), "{}", imported.yaml);
}

/// Every key of the file is carried over or noted: a key that stands in neither was dropped.
#[test]
fn what_alertmanager_does_not_know_either_is_noted() {
    let text = "
        surprise: 1
        route: {receiver: a, surprise: 2, routes: [{surprise: 3}]}
        inhibit_rules: [{source_matchers: [a=b], surprise: 4}]
        receivers: [{name: a, surprise: 5, slack_configs: [{surprise: 6}]}]
        global: {surprise: 7}";
    let notes = convert(text).unwrap().notes;
    let surprises = notes.iter().filter(|note| note.path.ends_with("surprise")).count();
    assert_eq!(surprises, 7, "{notes:?}");
}

#[test]
fn no_key_breaks_out_of_its_comment() {
    let text = "route: {receiver: a}\nreceivers: [{name: a}]\n\"x\\nroute\": 1\n";
    assert!(convert(text).unwrap().yaml.contains("#   x route: "));
}

#[test]
fn what_no_alertmanager_would_take_is_refused_with_its_path() {
    let text = "
        route: {receiver: a, group_wait: soon, continue: 1, routes: [{matchers: ['a'], match_re: {b: '('}}, 1]}
        inhibit_rules: {}
        receivers: [{name: a}, {name: [b]}]";
    insta::assert_snapshot!(convert(text).unwrap_err());
}

#[test]
fn what_tocsin_would_not_take_does_not_leave() {
    let error = convert("route: {receiver: nobody}\nreceivers: [{name: a}]").unwrap_err();
    assert_eq!(error.problems[0].key, "route.receiver");
}

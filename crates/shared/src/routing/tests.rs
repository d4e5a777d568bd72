use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn grouped(group_by: &[&str]) -> Route {
    let names = group_by.iter().map(|&name| name.to_owned()).collect();
    Route { group_by: GroupBy::Labels(names), ..Route::default() }
}

fn route(matchers: &str, receiver: &str, routes: Vec<Route>) -> Route {
    Route { matchers: matchers.parse().unwrap(), receiver: Some(receiver.to_owned()), routes, ..Route::default() }
}

fn continuing(route: Route) -> Route {
    Route { continues: true, ..route }
}

fn tree() -> Routing {
    let database = vec![route("severity=critical", "db-page", vec![]), route("", "db-rest", vec![])];
    Routing::new(route(
        "",
        "ops",
        vec![
            continuing(route("severity=critical", "log", vec![])),
            route(r#"team=~"db|store""#, "db", database),
            route("team!=web,env=dev", "dev", vec![route("team=none", "nobody", vec![])]),
        ],
    ))
}

fn receivers<'a>(routing: &'a Routing, pairs: &[(&str, &str)]) -> Vec<&'a str> {
    routing.matching(&labels(pairs)).into_iter().filter_map(|route| route.receiver.as_deref()).collect()
}

#[test]
fn children_come_before_their_parent_and_the_first_that_matches_ends_the_search() {
    let tree = tree();
    assert_eq!(receivers(&tree, &[]), ["ops"]);
    assert_eq!(receivers(&tree, &[("team", "db")]), ["db-rest"]);
    assert_eq!(receivers(&tree, &[("team", "db"), ("env", "dev")]), ["db-rest"]);
    assert_eq!(receivers(&tree, &[("env", "dev")]), ["dev"]);
    assert_eq!(receivers(&tree, &[("env", "dev"), ("team", "web")]), ["ops"]);
}

#[test]
fn a_route_that_continues_lets_its_siblings_match_too() {
    let tree = tree();
    assert_eq!(receivers(&tree, &[("severity", "critical"), ("team", "store")]), ["log", "db-page"]);
    assert_eq!(receivers(&tree, &[("severity", "critical")]), ["log"]);
}

#[test]
fn the_root_takes_everything_whatever_it_asks() {
    assert_eq!(receivers(&Routing::new(route("a=b", "ops", vec![])), &[]), ["ops"]);
}

#[test]
fn every_route_has_a_path_of_its_own_and_is_found_by_it() {
    let twins = vec![route("b=2,a=1", "x", vec![]), route("a=1,b=2", "y", vec![route("c=\"}/{\"", "z", vec![])])];
    let routing = Routing::new(route("", "ops", twins));
    let paths: Vec<_> = routing.routes().map(|route| route.path.as_str()).collect();
    let twin = r#"{}/{a="1",b="2"}"#;
    assert_eq!(paths, ["{}", twin, &format!("{twin}#2"), &format!(r#"{twin}#2/{{c="}}/{{"}}"#)]);
    for route in routing.routes() {
        assert_eq!(routing.by_path(&route.path).unwrap().receiver, route.receiver);
    }
    assert_eq!(routing.by_path(r#"{}/{a="1"}"#), None);
    assert_eq!(routing.receivers().into_iter().collect::<Vec<_>>(), ["ops", "x", "y", "z"]);
}

#[test]
fn a_policy_is_used_if_some_route_has_it() {
    let child = Route { resolve: ResolvePolicy::Never, ..route("a=b", "x", vec![]) };
    let routing = Routing::new(route("", "ops", vec![child]));
    assert!(
        routing.uses(ResolvePolicy::Never) && routing.uses(ResolvePolicy::All) && !routing.uses(ResolvePolicy::Any)
    );
}

#[test]
fn alerts_with_the_same_values_share_a_key_whatever_else_they_carry() {
    let route = grouped(&["cluster", "alertname", "cluster"]);
    let one = route.group_key(&labels(&[("alertname", "Down"), ("cluster", "a"), ("pod", "1")]));
    let two = route.group_key(&labels(&[("alertname", "Down"), ("cluster", "a"), ("pod", "2")]));
    assert_eq!(one, two);
    assert_eq!(one, r#"{}:{alertname="Down", cluster="a"}"#);
}

#[test]
fn groups_of_two_routes_never_share_a_key() {
    let tree = tree();
    let labels = labels(&[("severity", "critical"), ("team", "db")]);
    let keys: Vec<_> = tree.matching(&labels).into_iter().map(|route| route.group_key(&labels)).collect();
    assert_eq!(
        keys,
        [r#"{}/{severity="critical"}:{alertname=""}"#, r#"{}/{team=~"db|store"}/{severity="critical"}:{alertname=""}"#]
    );
}

#[test]
fn grouped_by_everything_each_alert_is_a_group_of_its_own() {
    let route = Route { group_by: GroupBy::All, ..Route::default() };
    let key = route.group_key(&labels(&[("b", "2"), ("a", "1"), ("empty", "")]));
    assert_eq!(key, r#"{}:{a="1", b="2"}"#);
    assert_ne!(key, route.group_key(&labels(&[("a", "1")])));
}

#[test]
fn an_absent_label_counts_as_empty() {
    let route = grouped(&["team"]);
    assert_eq!(route.group_key(&Labels::new()), route.group_key(&labels(&[("team", "")])));
}

#[test]
fn no_value_can_forge_another_groups_key() {
    let route = grouped(&["a", "b"]);
    let forged = route.group_key(&labels(&[("a", r#"x", b="y"#)]));
    assert_ne!(forged, route.group_key(&labels(&[("a", "x"), ("b", "y")])));
}

#[test]
fn long_keys_are_bounded_and_stay_distinct() {
    let route = grouped(&["a"]);
    let one = route.group_key(&labels(&[("a", &"é".repeat(2_000))]));
    let two = route.group_key(&labels(&[("a", &"é".repeat(2_001))]));
    assert!(one.len() <= MAX_GROUP_KEY_BYTES && two.len() <= MAX_GROUP_KEY_BYTES);
    assert_ne!(one, two);
}

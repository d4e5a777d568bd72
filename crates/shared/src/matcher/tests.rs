use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn matcher(text: &str) -> Matcher {
    text.parse().unwrap()
}

#[test]
fn all_spellings_of_a_matcher_are_one() {
    for text in [r#"team="db""#, "team=db", r#"  team = "db" "#, r#""team"="db""#, r#""team"=db"#] {
        assert_eq!(matcher(text).to_string(), r#"team="db""#, "{text}");
    }
}

#[test]
fn a_backslash_that_escapes_nothing_stands_for_itself() {
    assert_eq!(matcher(r#"host=~"a\.b\\d""#).value(), r"a\.b\d");
    assert_eq!(matcher(r"host=~a\.b").value(), r"a\.b");
    assert_eq!(matcher(r#"note="two\nlines \"quoted\"""#).value(), "two\nlines \"quoted\"");
}

#[test]
fn a_faulty_matcher_is_told_with_its_place() {
    use MatcherFault as F;
    for (text, fault, at) in [
        ("", F::NoName, 1),
        ("=x", F::NoName, 1),
        ("1a=x", F::NoName, 1),
        ("team", F::NoOperator, 5),
        ("team-x=y", F::NoOperator, 5),
        (r#"team="db"#, F::Unclosed, 6),
        (r#"team=d"b"#, F::StrayQuote, 7),
        (r#"team="db" x"#, F::AfterQuote, 11),
        ("team=~(", F::Pattern, 7),
        ("team=~a)(b", F::Pattern, 7),
        ("team=~(a{1000}){1000}", F::PatternTooBig, 7),
    ] {
        let error = text.parse::<Matcher>().unwrap_err();
        assert_eq!((error.fault, error.at), (fault, at), "{text}");
    }
    let error = r#"{a="ü", b"#.parse::<Matchers>().unwrap_err();
    assert_eq!((error.fault, error.at), (F::OpenBrace, 1));
    let error = r#"{a="ü", b}"#.parse::<Matchers>().unwrap_err();
    assert_eq!((error.fault, error.at), (F::NoOperator, 10));
}

#[test]
fn an_absent_label_counts_as_empty() {
    let none = Labels::new();
    for text in ["team=\"\"", "team!=db", "team=~\".*\"", "team!~\".+\"", "team=~\"|db\""] {
        assert!(matcher(text).matches(&none), "{text}");
    }
    for text in ["team=db", "team!=\"\"", "team=~\".+\"", "team!~\".*\""] {
        assert!(!matcher(text).matches(&none), "{text}");
    }
}

#[test]
fn a_regular_expression_must_match_the_whole_value() {
    let host = matcher(r#"host=~"db|web[0-9]+""#);
    assert!(host.matches_value("db") && host.matches_value("web12"));
    assert!(!host.matches_value("db1") && !host.matches_value("xdb") && !host.matches_value("web12\n"));
}

/// What Go's regexp says of each, by its documentation: <https://pkg.go.dev/regexp/syntax>.
#[test]
fn regular_expressions_mean_what_they_mean_in_go() {
    for (pattern, value, expected) in [
        (r"\d", "٣", false),
        (r"\d+[\d]", "12", true),
        (r"[^\d]", "a", true),
        (r"[\D1]+", "a1", true),
        (r"\w+", "é", false),
        (r"\W", "é", true),
        (r"\s", "\u{a0}", false),
        (r"é\b", "é", false),
        (r"a\b.b\B", "a.b", false),
        (r"\Ba", "a", false),
        ("(?i)straße", "STRAßE", true),
        (r"\pL+", "é", true),
        (r"\p{Greek}", "α", true),
        (r"\x{61}\x62", "ab", true),
        (r"\141", "a", true),
        ("a{2}", "aa", true),
        ("a{,2}", "a{,2}", true),
        ("{{.x}}", "{{.x}}", true),
        ("a{b", "a{b", true),
        (r"\Qa.b*\E+", "a.b***", true),
        ("[[a]+", "[a", true),
        ("[a&&b]+", "a&b", true),
        ("[+--]+", "+,-", true),
        ("[~~]", "~", true),
        ("[]a]+", "]a", true),
        ("[^]a]", "b", true),
        ("[[:alpha:]_]+", "a_", true),
        (r"\<a\>", "<a>", true),
        (r"\_", "_", true),
        (".", "\n", false),
        ("(?s).", "\n", true),
        ("", "", true),
    ] {
        let matcher = Matcher::new("a", MatchOp::Regex, pattern).unwrap_or_else(|_| panic!("{pattern}"));
        assert_eq!(matcher.matches_value(value), expected, "{pattern} against {value}");
    }
}

#[test]
fn a_list_is_read_with_braces_and_without() {
    let list: Matchers = r#" { a="x,y" , b=~"c|d}", e!=f } "#.parse().unwrap();
    assert_eq!(list.to_string(), r#"{a="x,y",b=~"c|d}",e!="f"}"#);
    assert_eq!(r#"a="x,y",b=~"c|d}",e!=f,"#.parse(), Ok(list));
    assert_eq!("{}".parse(), Ok(Matchers::default()));
    assert_eq!("".parse(), Ok(Matchers::default()));
}

#[test]
fn a_list_of_texts_and_one_text_are_the_same() {
    let list: Matchers = serde_json::from_str(r#"["a=b", "{c=~\"d\",e=f}"]"#).unwrap();
    assert_eq!(serde_json::from_str::<Matchers>(r#""a=b,c=~d,e=f""#).unwrap(), list);
    assert_eq!(serde_json::to_string(&list).unwrap(), r#"["a=\"b\"","c=~\"d\"","e=\"f\""]"#);
}

#[test]
fn only_plain_equalities_are_a_sieve() {
    let list: Matchers = r#"{a="1",b="",c!="2",d=~"3"}"#.parse().unwrap();
    assert_eq!(list.equalities(), labels(&[("a", "1")]));
}

#[test]
fn a_set_has_a_bound() {
    let many = vec!["a=b"; MAX_MATCHERS + 1];
    assert_eq!(many.join(",").parse::<Matchers>().unwrap_err().fault, MatcherFault::TooMany);
    assert!(serde_json::from_value::<Matchers>(serde_json::json!(many)).is_err());
}

proptest! {
    #[test]
    fn every_matcher_survives_the_round_trip(name in ".{1,20}", value in any::<String>(), negative: bool) {
        let op = if negative { MatchOp::NotEqual } else { MatchOp::Equal };
        let matcher = Matcher::new(name, op, value).unwrap();
        prop_assert_eq!(&matcher.to_string().parse::<Matcher>().unwrap(), &matcher);
        let list = Matchers::from(vec![matcher.clone(), matcher]);
        prop_assert_eq!(&list.to_string().parse::<Matchers>().unwrap(), &list);
        let json = serde_json::to_string(&list).unwrap();
        prop_assert_eq!(serde_json::from_str::<Matchers>(&json).unwrap(), list);
    }

    #[test]
    fn a_quoted_text_matches_itself_alone(value in any::<String>(), other in any::<String>()) {
        let matcher = Matcher::new("a", MatchOp::Regex, regex::escape(&value)).unwrap();
        prop_assert!(matcher.matches_value(&value));
        prop_assert_eq!(matcher.matches_value(&other), value == other);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = text.parse::<Matchers>();
        let _ = Matcher::new("a", MatchOp::Regex, text);
    }
}

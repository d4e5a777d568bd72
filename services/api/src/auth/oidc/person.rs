//! Who somebody is, by what the provider says of them, and what that allows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tocsin_service::config::document::{OidcRule, Scope};

use super::Rules;

/// The claims that say who it is, and whether the provider has seen that the address is theirs.
const SUBJECT: &str = "sub";
const EMAIL: &str = "email";
const EMAIL_VERIFIED: &str = "email_verified";
/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Longest subject (OpenID Connect Core 1.0, section 2), in bytes.
const MAX_SUBJECT_BYTES: usize = 255;

/// Somebody who has proved at the provider who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// Which of the provider's people; it never changes.
    pub(crate) subject: String,
    /// How people call them.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) scopes: Vec<Scope>,
}

/// Why somebody may not come in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no name to act under.
    #[error("the provider does not tell `{0}`, or nothing that can be a name")]
    Nameless(String),
    /// Somebody who could have any address.
    #[error("the provider has not verified the email address")]
    Unverified,
    /// Nothing lets them in.
    #[error("no rule of `api.oidc.allow` is for this account; ask an operator of Tocsin")]
    Stranger,
}

impl Rules {
    /// Who it is of whom these are the claims.
    pub(crate) fn person(&self, claims: &Map<String, Value>) -> Result<Person, Refusal> {
        let nameless = |claim: &str| Refusal::Nameless(claim.to_owned());
        let subject = claims.get(SUBJECT).and_then(Value::as_str);
        let subject = subject.filter(|subject| !subject.is_empty() && subject.len() <= MAX_SUBJECT_BYTES);
        let subject = subject.ok_or_else(|| nameless(SUBJECT))?.to_owned();
        if self.actor_claim == EMAIL && is_unverified(claims) {
            return Err(Refusal::Unverified);
        }
        let name = claim(claims, &self.actor_claim).and_then(Value::as_str).map(str::trim);
        let name = name.filter(|name| is_name(name)).ok_or_else(|| nameless(&self.actor_claim))?.to_owned();
        let allowed = self.allow.iter().filter(|rule| matches(rule, claims)).flat_map(|rule| &rule.scopes);
        let mut scopes: Vec<_> = self.everybody.iter().chain(allowed).copied().collect();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() { Err(Refusal::Stranger) } else { Ok(Person { subject, name, scopes }) }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control)
}

/// Providers that know no other addresses than their own do not say so.
fn is_unverified(claims: &Map<String, Value>) -> bool {
    claims.get(EMAIL_VERIFIED).is_some_and(|verified| *verified != Value::Bool(true))
}

fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    if rest.is_empty() { Some(value) } else { value.pointer(&format!("/{rest}")) }
}

fn matches(rule: &OidcRule, claims: &Map<String, Value>) -> bool {
    if rule.claim == EMAIL && is_unverified(claims) {
        return false;
    }
    match claim(claims, &rule.claim) {
        Some(Value::String(text)) => *text == rule.value,
        Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(&rule.value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(everybody: &[Scope]) -> Rules {
        let rule = |claim: &str, value: &str, scope: Scope| OidcRule {
            claim: claim.to_owned(),
            value: value.to_owned(),
            scopes: vec![scope],
        };
        Rules {
            actor_claim: "email".to_owned(),
            allow: vec![
                rule("groups", "sre", Scope::Respond),
                rule("/realm_access/roles", "boss", Scope::Admin),
                rule("https://example.com/team", "night", Scope::Respond),
                rule("email", "root@example.com", Scope::Admin),
            ],
            everybody: everybody.to_vec(),
        }
    }

    fn judged(rules: &Rules, more: Value) -> Result<Vec<Scope>, Refusal> {
        let mut claims = json!({"sub": "1", "email": "ada@example.com", "email_verified": true});
        let Value::Object(more) = more else { panic!("claims are an object") };
        claims.as_object_mut().unwrap().extend(more);
        rules.person(claims.as_object().unwrap()).map(|person| person.scopes)
    }

    #[test]
    fn each_rule_that_matches_adds_what_it_allows() {
        let rules = rules(&[Scope::Read]);
        for (claims, scopes) in [
            (json!({}), &[Scope::Read][..]),
            (json!({"groups": ["dev", "sre"]}), &[Scope::Read, Scope::Respond]),
            (json!({"groups": "sre"}), &[Scope::Read, Scope::Respond]),
            (json!({"groups": "sre-guests"}), &[Scope::Read]),
            (json!({"groups": {"sre": true}}), &[Scope::Read]),
            (
                json!({"groups": ["sre"], "realm_access": {"roles": ["boss"]}}),
                &[Scope::Read, Scope::Respond, Scope::Admin],
            ),
            (json!({"https://example.com/team": "night"}), &[Scope::Read, Scope::Respond]),
            (json!({"email": "root@example.com"}), &[Scope::Read, Scope::Admin]),
        ] {
            assert_eq!(judged(&rules, claims.clone()).as_deref(), Ok(scopes), "{claims}");
        }
    }

    #[test]
    fn who_may_do_nothing_is_not_let_in() {
        assert_eq!(judged(&rules(&[]), json!({})), Err(Refusal::Stranger));
        assert_eq!(judged(&rules(&[]), json!({"groups": ["sre"]})), Ok(vec![Scope::Respond]));
    }

    #[test]
    fn an_address_that_nobody_has_verified_is_nobodys() {
        let by_email = rules(&[Scope::Read]);
        assert_eq!(judged(&by_email, json!({"email_verified": false})), Err(Refusal::Unverified));
        assert_eq!(judged(&by_email, json!({"email_verified": null})), Err(Refusal::Unverified));
        let by_name = Rules { actor_claim: "preferred_username".to_owned(), ..by_email };
        let claims = json!({"preferred_username": "ada", "email": "root@example.com", "email_verified": false});
        assert_eq!(judged(&by_name, claims), Ok(vec![Scope::Read]), "no rule about an address is for them");
    }

    #[test]
    fn a_name_is_needed_and_bounded() {
        let rules = rules(&[Scope::Read]);
        let long = "x".repeat(101);
        for unusable in [json!(null), json!(""), json!(" "), json!(7), json!("a\u{0}b"), json!(long)] {
            let refused = judged(&rules, json!({"email": unusable}));
            assert_eq!(refused, Err(Refusal::Nameless("email".to_owned())), "{unusable}");
        }
        assert_eq!(judged(&rules, json!({"sub": "x".repeat(256)})), Err(Refusal::Nameless("sub".to_owned())));
    }
}

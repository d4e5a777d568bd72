//! Query parameters of lists: read one by one, so that a refusal names the parameter, and an unknown one is refused
//! rather than silently without effect.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::{FromRequest, HttpRequest, dev, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tocsin_service::http::Problem;
use tocsin_shared::{ErrorCode, MatchOp, Matcher};
use tocsin_store::Window;

/// Items in a list, unless `limit` says otherwise.
pub(crate) const DEFAULT_LIMIT: i64 = 50;
/// Most items in a list.
pub(crate) const MAX_LIMIT: i64 = 250;
/// Most items that `page` may skip; beyond, use the cursor.
pub(crate) const MAX_OFFSET: i64 = 10_000;
/// Most values of a parameter that may be given several times.
pub(crate) const MAX_CHOICES: usize = 20;
/// Most conditions on labels.
pub(crate) const MAX_LABELS: usize = 16;
/// Longest text to search for, in characters.
pub(crate) const MAX_TEXT_CHARS: usize = 200;

/// The parameters of a request that were not read yet.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl FromRequest for Params {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let problem = |_| Problem::new(ErrorCode::InvalidParameter).detail("the query string cannot be read");
        let params = pairs.map(|pairs| Self(pairs.into_inner())).map_err(problem);
        // Postgres cannot hold NUL, so nothing can match it either.
        ready(params.and_then(|params| match params.0.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(invalid(name, "must not hold a NUL")),
            None => Ok(params),
        }))
    }
}

impl Params {
    /// The value of a parameter that may be given once.
    pub(crate) fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let mut values = self.take_all(name);
        let Some(value) = values.pop() else {
            return Ok(None);
        };
        if !values.is_empty() {
            return Err(invalid(name, "is given more than once"));
        }
        value.parse().map(Some).map_err(|error| invalid(name, error))
    }

    /// The values of a parameter that may be given several times, or once with commas in between.
    pub(crate) fn take_each<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Vec<T>, Problem> {
        let given = self.take_all(name);
        let texts: Vec<&str> = given.iter().flat_map(|text| text.split(',')).collect();
        if texts.len() > MAX_CHOICES {
            return Err(invalid(name, format!("use at most {MAX_CHOICES} values")));
        }
        texts.into_iter().map(|text| text.parse().map_err(|error| invalid(name, error))).collect()
    }

    /// The words of a parameter that may be given several times, or once with commas in between.
    pub(crate) fn take_words(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        let words: Vec<String> = self.take_each(name)?;
        if words.iter().any(String::is_empty) {
            return Err(invalid(name, "must not be empty"));
        }
        Ok(words)
    }

    /// `label=name=value`, any number of times, and so with `!=`, `=~` and `!~`: the operators of matchers. A label that is not
    /// there counts as empty.
    pub(crate) fn labels(&mut self) -> Result<Vec<Matcher>, Problem> {
        let labels = self.take_all("label");
        if labels.len() > MAX_LABELS {
            return Err(invalid("label", format!("use at most {MAX_LABELS} of them")));
        }
        labels.into_iter().map(|text| matcher(&text)).collect()
    }

    /// `q`: a text to search for.
    pub(crate) fn text(&mut self) -> Result<Option<String>, Problem> {
        let text = self.take::<String>("q")?.filter(|text| !text.is_empty());
        match text {
            Some(text) if text.chars().nth(MAX_TEXT_CHARS).is_some() => {
                Err(invalid("q", format!("use at most {MAX_TEXT_CHARS} characters")))
            }
            text => Ok(text),
        }
    }

    /// `limit`, and one of `page` and `cursor`.
    pub(crate) fn window<C: FromStr>(&mut self) -> Result<Window<C>, Problem> {
        let limit = self.take("limit")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid("limit", format!("use a number from 1 to {MAX_LIMIT}")));
        }
        let page: Option<i64> = self.take("page")?;
        let cursor: Option<String> = self.take("cursor")?;
        if page.is_some() && cursor.is_some() {
            return Err(invalid("cursor", "use either page or cursor"));
        }
        let offset = page.unwrap_or(1).checked_sub(1).and_then(|pages| pages.checked_mul(limit));
        let offset = offset.filter(|offset| (0..=MAX_OFFSET).contains(offset)).ok_or_else(|| {
            invalid("page", format!("skips at most {MAX_OFFSET} items, from page 1 on; use cursor beyond"))
        })?;
        let before =
            cursor.map(|text| read_cursor(&text).ok_or_else(|| invalid("cursor", "use next_cursor as it was given")));
        Ok(Window { before: before.transpose()?, offset, limit })
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            Some((name, _)) => Err(invalid(name, "is not known here")),
            None => Ok(()),
        }
    }

    fn take_all(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }
}

fn invalid(name: &str, fault: impl Display) -> Problem {
    let name: String = name.chars().take(50).collect();
    Problem::new(ErrorCode::InvalidParameter).detail(format!("parameter {name}: {fault}"))
}

/// A matcher without quotes. The first operator counts, so that a value may hold any.
fn matcher(text: &str) -> Result<Matcher, Problem> {
    const OPERATORS: [MatchOp; 4] = [MatchOp::NotRegex, MatchOp::NotEqual, MatchOp::Regex, MatchOp::Equal];
    // Of two that begin at the same place, the longer one.
    let found = OPERATORS.into_iter().filter_map(|op| text.find(op.as_str()).map(|at| (at, op)));
    let Some((at, op)) = found.min_by_key(|(at, op)| (*at, std::cmp::Reverse(op.as_str().len()))) else {
        return Err(invalid("label", "use label=name=value, or one of != =~ !~ instead of ="));
    };
    Matcher::new(&text[..at], op, &text[at + op.as_str().len()..]).map_err(|fault| invalid("label", fault))
}

/// The text of a cursor: opaque to clients, so that what it stands for may change.
pub(crate) fn write_cursor(position: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(position.to_string())
}

fn read_cursor<C: FromStr>(text: &str) -> Option<C> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let pairs =
            query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Params(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn refusal<T>(result: Result<T, Problem>) -> String {
        result.err().expect("it should have been refused").to_string()
    }

    #[test]
    fn a_window_has_defaults_and_bounds() {
        let window = params("").window::<i64>().unwrap();
        assert_eq!(window, Window { before: None, offset: 0, limit: 50 });
        assert_eq!(params("page=3&limit=20").window::<i64>().unwrap().offset, 40);
        for query in ["limit=0", "limit=251", "limit=x", "page=0", "page=-1", "page=9223372036854775807", "page=1000"] {
            assert!(params(query).window::<i64>().is_err(), "{query}");
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        let cursor = write_cursor(42);
        assert_eq!(params(&format!("cursor={cursor}")).window::<i64>().unwrap().before, Some(42));
        assert!(refusal(params("cursor=%%").window::<i64>()).contains("parameter cursor"));
        assert!(refusal(params(&format!("page=2&cursor={cursor}")).window::<i64>()).contains("either"));
    }

    #[test]
    fn what_is_unknown_or_given_twice_is_named() {
        assert!(refusal(params("colour=red").finish()).contains("colour"));
        assert!(refusal(params("status=a&status=b").take::<String>("status")).contains("status"));
    }

    #[test]
    fn labels_are_matchers() {
        let ops = |query| {
            let labels = params(query).labels().unwrap();
            labels.into_iter().map(|m| (m.name().to_owned(), m.op(), m.value().to_owned())).collect::<Vec<_>>()
        };
        let matcher = |name: &str, op, value: &str| (name.to_owned(), op, value.to_owned());
        assert_eq!(
            ops("label=a=b=c&label=d=&label=e!=f&label=g=~h!=i&label=j!~k&label=l=!m"),
            [
                matcher("a", MatchOp::Equal, "b=c"),
                matcher("d", MatchOp::Equal, ""),
                matcher("e", MatchOp::NotEqual, "f"),
                matcher("g", MatchOp::Regex, "h!=i"),
                matcher("j", MatchOp::NotRegex, "k"),
                matcher("l", MatchOp::Equal, "!m"),
            ]
        );
        for wrong in ["label=a", "label==b", "label=a=~(", "label="] {
            assert!(refusal(params(wrong).labels()).contains("label"), "{wrong}");
        }
        assert!(refusal(params(&"label=a=b&".repeat(17)).labels()).contains("at most 16"));
    }

    #[test]
    fn several_values_come_one_by_one_or_with_commas() {
        assert_eq!(params("n=1,2&n=3").take_each::<i64>("n").unwrap(), [1, 2, 3]);
        assert!(params("").take_each::<i64>("n").unwrap().is_empty());
        for wrong in ["n=1,", "n=", "n=x", "n=1&n=x"] {
            assert!(refusal(params(wrong).take_each::<i64>("n")).contains("parameter n"), "{wrong}");
        }
        assert!(refusal(params("n=a,,b").take_words("n")).contains("empty"));
        assert!(refusal(params(&format!("n={}", "1,".repeat(20))).take_each::<String>("n")).contains("at most 20"));
    }
}

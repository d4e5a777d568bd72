//! What is asked of a list, and the statements that it becomes.

use diesel::sql_types::{Array, BigInt, Jsonb, Text};
use tocsin_shared::{MatchOp, Matcher};

use super::place::Place;
use crate::statement::Statement;

/// Shortest part of a text by which the index for texts can find it, in letters and digits: it holds groups of three.
const MIN_INDEXED_CHARS: usize = 3;

/// Columns with few values, which are words of ours.
const STATE_COLUMNS: [&str; 3] = ["status", "severity", "fate"];

/// In which slices of time the index for labels and texts has a row: the expression of the migration, to the letter.
const SLICES: &str = "(ARRAY[seconds >> 4, (1::bigint << 40) + (seconds >> 8), (2::bigint << 40) + (seconds >> 12), \
    (3::bigint << 40) + (seconds >> 16), (4::bigint << 40) + (seconds >> 20), (5::bigint << 40) + (seconds >> 24)])";
/// Lengths of a slice, in seconds, as powers of two.
const SLICE_BITS: [u32; 6] = [4, 8, 12, 16, 20, 24];
/// Where the number of its length is, in the name of a slice.
const LENGTH_BITS: u32 = 40;
/// As many slices of one length are as long as one of the next.
const SLICES_OF_LENGTH: i64 = 16;

/// Slices of time of one length, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slices {
    /// Which length.
    length: usize,
    first: i64,
    last: i64,
}

impl Slices {
    /// Those that cover a time of `seconds` that ends with this second, of the shortest length of which few do. `None` stands
    /// for more time than that: for ever.
    pub(super) fn back_from(last_second: i64, seconds: i64) -> Option<Self> {
        let length = SLICE_BITS.iter().position(|bits| seconds >> bits < SLICES_OF_LENGTH)?;
        let slice = |second: i64| second >> SLICE_BITS[length];
        Some(Self { length, first: slice(last_second - seconds), last: slice(last_second) })
    }

    /// Where they begin.
    pub(super) fn first_second(&self) -> i64 {
        self.first << SLICE_BITS[self.length]
    }

    /// As the index has them.
    fn names(&self) -> Vec<i64> {
        let length = i64::try_from(self.length).unwrap_or_default() << LENGTH_BITS;
        (self.first..=self.last).map(|slice| length + slice).collect()
    }
}

/// Where the labels and the titles of a list's rows are indexed, and what the column is called there that names a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
}

/// Which rows of a table are listed.
pub(crate) struct Question<'a, P> {
    pub(crate) table: &'static str,
    /// What is shown of a row.
    pub(crate) columns: &'static str,
    pub(crate) terms: Terms,
    /// What the counters call it, if they count it.
    pub(crate) tally: Option<&'static str>,
    /// In which states, if not in all.
    pub(crate) ranges: Option<Ranges>,
    /// Only what is older than this.
    pub(crate) below: Option<P>,
    /// Only this and what is newer.
    pub(crate) least: Option<P>,
    /// What no index has in the order of the list.
    pub(crate) wanted: Wanted<'a>,
}

/// Ranges of an index: the columns with which it begins, and their values, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    pub(crate) columns: &'static [&'static str],
    values: Vec<Vec<String>>,
}

impl Ranges {
    /// Every combination of one choice for each column.
    pub(crate) fn of(columns: &'static [&'static str], choices: &[Vec<String>]) -> Self {
        let mut combinations: Vec<Vec<String>> = vec![Vec::new()];
        for choices in choices {
            let mut unique = choices.clone();
            unique.sort_unstable();
            unique.dedup();
            combinations = combinations
                .into_iter()
                .flat_map(|begun| {
                    unique.iter().map(move |choice| [begun.as_slice(), std::slice::from_ref(choice)].concat())
                })
                .collect();
        }
        let values =
            (0..columns.len()).map(|column| combinations.iter().map(|c| c[column].clone()).collect()).collect();
        Self { columns, values }
    }

    /// With one more column, whose value follows from that of the last one. `columns` are all of them.
    pub(crate) fn followed_by(mut self, columns: &'static [&'static str], value: impl Fn(&str) -> &str) -> Self {
        let values = self.values.last().map(|last| last.iter().map(|text| value(text).to_owned()).collect());
        self.values.extend(values);
        self.columns = columns;
        self
    }

    /// The columns and values of each.
    fn each(&self) -> impl Iterator<Item = Vec<(&'static str, &str)>> {
        let count = self.values.first().map_or(0, Vec::len);
        (0..count).map(|number| {
            self.columns.iter().zip(&self.values).map(|(column, values)| (*column, values[number].as_str())).collect()
        })
    }

    /// The ranges as a table, without its name.
    pub(crate) fn unnest<'s>(&self, statement: Statement<'s>) -> Statement<'s> {
        let mut statement = statement.sql("UNNEST(");
        for (number, values) in self.values.iter().enumerate() {
            if number > 0 {
                statement = statement.sql(", ");
            }
            statement = statement.bind::<Array<Text>, _>(values.clone());
        }
        statement.sql(")")
    }
}

/// Conditions on labels and the title.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted<'a> {
    /// Labels that a row has, as JSON: the index for labels finds them.
    labels: serde_json::Map<String, serde_json::Value>,
    /// A text in the title, as a pattern for `ILIKE`.
    pattern: Option<String>,
    /// Whether the index for texts finds it.
    is_indexed: bool,
    /// What we must look at ourselves: Postgres reads regular expressions otherwise, and in any time.
    pub(super) matchers: Vec<&'a Matcher>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(matchers: &'a [Matcher], text: Option<&str>) -> Self {
        let mut wanted = Self::default();
        for matcher in matchers {
            // A label that is not there counts as empty.
            let is_there = matcher.op() == MatchOp::Equal && !matcher.value().is_empty();
            if is_there && !wanted.labels.contains_key(matcher.name()) {
                wanted.labels.insert(matcher.name().to_owned(), matcher.value().into());
            } else {
                wanted.matchers.push(matcher);
            }
        }
        wanted.pattern = text.map(containing);
        // Labels find less than a text does, and two indexes would both be read.
        wanted.is_indexed = wanted.labels.is_empty()
            && text.is_some_and(|text| {
                text.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| run.len() >= MIN_INDEXED_CHARS)
            });
        wanted
    }

    pub(crate) fn is_anything(&self) -> bool {
        self.labels.is_empty() && self.pattern.is_none() && self.matchers.is_empty()
    }

    /// Whether an index finds all that may match.
    pub(super) fn can_be_found(&self) -> bool {
        !self.labels.is_empty() || self.is_indexed
    }

    /// Adds the conditions that Postgres can tell.
    fn conditions<'s>(&self, mut statement: Statement<'s>) -> Statement<'s> {
        let mut and = "";
        if !self.labels.is_empty() {
            statement = statement.sql("labels @> ").bind::<Jsonb, _>(serde_json::Value::from(self.labels.clone()));
            and = " AND ";
        }
        if let Some(pattern) = &self.pattern {
            // Not to be looked for in an index that would have to be read whole.
            let title = if self.is_indexed { "title ILIKE " } else { "(title || '') ILIKE " };
            statement = statement.sql(and).sql(title).bind::<Text, _>(pattern.clone());
            and = " AND ";
        }
        if and.is_empty() { statement.sql("true") } else { statement }
    }

    /// Adds the values of the labels that we ask about.
    fn asked<'s>(&self, statement: Statement<'s>) -> Statement<'s> {
        if self.matchers.is_empty() {
            return statement.sql("'{}'::text[] AS asked");
        }
        let names: Vec<String> = self.matchers.iter().map(|matcher| matcher.name().to_owned()).collect();
        let statement = statement.sql("ARRAY(SELECT labels ->> name FROM UNNEST(").bind::<Array<Text>, _>(names);
        statement.sql(") WITH ORDINALITY AS names (name, place) ORDER BY place) AS asked")
    }
}

/// Whether it is a word that may stand in a statement.
fn is_state(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Turns a text into a pattern for `ILIKE` that finds it anywhere.
fn containing(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

impl<P: Place> Question<'_, P> {
    /// Where a window begins that comes after this cursor.
    pub(super) fn upper(&self, cursor: Option<P>) -> Option<P> {
        match (self.below, cursor) {
            (Some(below), Some(cursor)) => Some(below.min(cursor)),
            (below, cursor) => below.or(cursor),
        }
    }

    /// Whether it is about a part of the time.
    pub(super) const fn is_bounded(&self) -> bool {
        self.below.is_some() || self.least.is_some()
    }

    /// Adds the newest `most` places in the ranges, below `from`, as a query.
    pub(super) fn candidates<'s>(&self, statement: Statement<'s>, from: Option<P>, most: i64) -> Statement<'s> {
        let order = P::NEWEST_FIRST;
        let Some(ranges) = &self.ranges else {
            return self.range(statement, &[], from, most);
        };
        let mut statement = statement.sql("SELECT a_range.* FROM (");
        for (number, range) in ranges.each().enumerate() {
            statement =
                self.range(statement.sql(if number > 0 { " UNION ALL (" } else { "(" }), &range, from, most).sql(")");
        }
        statement.sql(format!(") AS a_range ORDER BY {order} LIMIT ")).bind::<BigInt, _>(most)
    }

    /// One range of the index: where these columns have these values.
    fn range<'s>(
        &self,
        statement: Statement<'s>,
        columns: &[(&'static str, &str)],
        from: Option<P>,
        most: i64,
    ) -> Statement<'s> {
        let mut statement = statement.sql("SELECT ").sql(P::COLUMNS);
        if !self.wanted.is_anything() {
            statement = self.wanted.conditions(statement.sql(", (")).sql(") AS matches, ");
            statement = self.wanted.asked(statement);
        }
        statement = statement.sql(format!(" FROM {} WHERE ", self.table));
        for (column, value) in columns {
            statement = statement.sql(format!("{column} = "));
            // States stand in the text. With a value that it does not know, Postgres takes what is open for as common as what is
            // over, and reads a table of millions backwards for it instead of the index.
            statement = if is_state(value) && STATE_COLUMNS.contains(column) {
                statement.sql(format!("'{value}'"))
            } else {
                statement.bind::<Text, _>((*value).to_owned())
            };
            statement = statement.sql(" AND ");
        }
        statement = self.in_time(statement, self.upper(from));
        statement.sql(format!(" ORDER BY {} LIMIT ", P::NEWEST_FIRST)).bind::<BigInt, _>(most)
    }

    fn in_time<'s>(&self, mut statement: Statement<'s>, below: Option<P>) -> Statement<'s> {
        if let Some(below) = below {
            statement = below.compared("<", statement).sql(" AND ");
        }
        if let Some(least) = self.least {
            statement = least.compared(">=", statement).sql(" AND ");
        }
        statement.sql("true")
    }

    /// The rows of a window. Their names come as an array, so that no plan reads the table whole for them.
    pub(super) fn rows<'s>(&self, from: Option<P>, offset: i64, limit: i64) -> Statement<'s> {
        let (columns, table, name, order) = (self.columns, self.table, P::NAME, P::NEWEST_FIRST);
        let start = format!("SELECT {columns} FROM {table} WHERE {name} = ANY(ARRAY(SELECT {name} FROM (");
        let statement = Statement::new(start);
        let statement = self.candidates(statement, from, offset + limit);
        let statement = statement.sql(format!(") AS places ORDER BY {order} OFFSET ")).bind::<BigInt, _>(offset);
        statement.sql(format!(")) ORDER BY {order}"))
    }

    /// The rows at these places.
    pub(super) fn rows_at<'s>(&self, places: Vec<P>) -> Statement<'s> {
        let (columns, table, name, order) = (self.columns, self.table, P::NAME, P::NEWEST_FIRST);
        let statement = Statement::new(format!("SELECT {columns} FROM {table} WHERE {name} = ANY("));
        P::named(places, statement).sql(format!(") ORDER BY {order}"))
    }

    /// Walks over `most` rows: gives those that match as far as Postgres can tell, and the first and the last one in any case.
    pub(super) fn walk<'s>(&self, from: Option<P>, most: i64) -> Statement<'s> {
        let (columns, newest, oldest) = (P::COLUMNS, P::NEWEST_FIRST, P::OLDEST_FIRST);
        let statement = self.candidates(Statement::new("WITH looked AS MATERIALIZED ("), from, most);
        statement.sql(format!(
            ") SELECT {columns}, matches, asked, (SELECT count(*) FROM looked) AS looked FROM looked \
             WHERE matches OR ({columns}) = (SELECT {columns} FROM looked ORDER BY {newest} LIMIT 1) \
             OR ({columns}) = (SELECT {columns} FROM looked ORDER BY {oldest} LIMIT 1) ORDER BY {newest}"
        ))
    }

    /// Counts, as far as one more than `most`, if labels that the index has are all that is asked for.
    pub(super) fn count_by_labels<'s>(&self, most: i64) -> Option<Statement<'s>> {
        let wanted = &self.wanted;
        let by_labels_alone = !wanted.labels.is_empty() && wanted.pattern.is_none() && wanted.matchers.is_empty();
        if !by_labels_alone || self.ranges.is_some() || self.is_bounded() {
            return None;
        }
        let statement =
            Statement::new(format!("SELECT count(*) AS count FROM (SELECT 1 FROM {} WHERE ", self.terms.table));
        let statement = wanted.conditions(statement).sql(" LIMIT ").bind::<BigInt, _>(most + 1);
        Some(statement.sql(") AS counted"))
    }

    /// All rows in these slices of time, if there are any, that have the labels and the text: `matches` if they are in the ranges
    /// and below that place. If there are more than `most`, one of them, with a count that says so.
    pub(super) fn find<'s>(&self, below: Option<P>, slices: Option<&Slices>, most: i64) -> Statement<'s> {
        let (columns, table, name) = (P::COLUMNS, self.table, P::NAME);
        let state = self.ranges.as_ref().map(|ranges| ranges.columns.join(", "));
        let state_column = state.as_ref().map(|state| format!(", {state}")).unwrap_or_default();
        let statement = Statement::new(format!("WITH found AS MATERIALIZED (SELECT {columns}{state_column}, "));
        let statement = self.wanted.asked(statement);
        let Terms { table: terms, name: alias } = self.terms;
        let mut statement =
            statement.sql(format!(" FROM {table} WHERE {name} = ANY(ARRAY(SELECT {alias} FROM {terms} WHERE "));
        if let Some(slices) = slices {
            statement = statement.sql(SLICES).sql(" && ").bind::<Array<BigInt>, _>(slices.names()).sql(" AND ");
        }
        let statement = self.wanted.conditions(statement).sql(" LIMIT ").bind::<BigInt, _>(most + 1);
        let mut statement = statement.sql(format!("))) SELECT {columns}, asked, "));
        if let (Some(ranges), Some(state)) = (&self.ranges, state) {
            statement = ranges.unnest(statement.sql(format!("({state}) IN (SELECT * FROM "))).sql(") AND ");
        }
        statement = self.in_time(statement.sql("("), below).sql(") AS matches, ");
        statement =
            statement.sql("(SELECT count(*) FROM found) AS looked FROM found LIMIT (SELECT CASE WHEN count(*) > ");
        statement.bind::<BigInt, _>(most).sql(" THEN 1 END FROM found)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_that_the_index_has() {
        let migration = include_str!("../../migrations/2026-12-01-000007_terms_by_time/up.sql");
        assert_eq!(migration.matches(SLICES).count(), 2, "for incidents and for alerts");
        for (length, bits) in SLICE_BITS.iter().enumerate() {
            let of_length = if length == 0 { String::new() } else { format!("({length}::bigint << {LENGTH_BITS}) + ") };
            assert!(SLICES.contains(&of_length) && SLICES.contains(&format!("seconds >> {bits}")), "{bits}");
        }
    }

    #[test]
    fn few_slices_cover_any_time_as_far_as_it_goes() {
        let now = 1_800_000_000;
        for seconds in [1, 15, 16, 255, 256, 100_000, 10_000_000, 260_000_000] {
            let slices = Slices::back_from(now, seconds).unwrap();
            assert!(slices.first_second() <= now - seconds, "{seconds}: {slices:?}");
            assert!(slices.first_second() > now - seconds - (seconds.max(16)), "{seconds}: {slices:?}");
            assert!(slices.names().len() <= 17, "{seconds}: {slices:?}");
            assert_eq!(slices.last, now >> SLICE_BITS[slices.length]);
        }
        assert_eq!(Slices::back_from(now, 300_000_000), None, "for ever");
        assert_eq!(Slices::back_from(1_000, 300).unwrap().names(), [(1 << 40) + 2, (1 << 40) + 3]);
    }

    #[test]
    fn ranges_are_every_combination_once() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let ranges = Ranges::of(&["status", "severity"], &[words(&["b", "a", "b"]), words(&["x", "y"])]);
        assert_eq!(ranges.values, [words(&["a", "a", "b", "b"]), words(&["x", "y", "x", "y"])]);
    }

    #[test]
    fn a_text_is_found_where_it_has_three_letters_or_digits_in_a_row() {
        for (text, can) in [("db-12", false), ("db-123", true), ("k_f", false), ("100%", true), ("äöü", false)] {
            assert_eq!(Wanted::new(&[], Some(text)).can_be_found(), can, "{text}");
        }
    }

    #[test]
    fn only_labels_that_must_be_there_are_looked_for_in_the_index() {
        let matchers =
            [r#"a="1""#, r#"a="2""#, r#"b="""#, r#"c!="1""#, r#"d=~"x.*""#].map(|text| text.parse().unwrap());
        let wanted = Wanted::new(&matchers, None);
        assert_eq!(serde_json::Value::from(wanted.labels), serde_json::json!({"a": "1"}));
        assert_eq!(wanted.matchers.len(), 4);
    }
}

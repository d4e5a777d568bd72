//! Hand-written SQL that a connection prepares once. `diesel::sql_query` is prepared anew each time, which takes a round trip
//! and a plan of its own: more than a read itself does.
//!
//! The text of a statement is its key in the connection's cache, so that it must not hold what differs from request to request;
//! that is bound. And it names its columns (`columns.rs`).

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// A statement in the making: pieces of SQL and values in their order.
pub(crate) struct Statement<'a>(Vec<Piece<'a>>);

enum Piece<'a> {
    Sql(Cow<'a, str>),
    Bind(Box<dyn QueryFragment<Pg> + Send + 'a>),
}

impl<'a> Statement<'a> {
    pub(crate) fn new(sql: impl Into<Cow<'a, str>>) -> Self {
        Self(vec![Piece::Sql(sql.into())])
    }

    /// A whole text in which `$1` stands for the first value that is bound, and so on. The text alone decides how often each is
    /// used, and in which order.
    pub(crate) const fn numbered(sql: &'a str) -> Numbered<'a> {
        Numbered { sql, binds: Vec::new() }
    }

    /// Goes on with this text.
    pub(crate) fn sql(mut self, sql: impl Into<Cow<'a, str>>) -> Self {
        self.0.push(Piece::Sql(sql.into()));
        self
    }

    /// Goes on with this value.
    pub(crate) fn bind<ST, V>(mut self, value: V) -> Self
    where
        Pg: HasSqlType<ST>,
        V: ToSql<ST, Pg> + Send + 'a,
        ST: Send + 'a,
    {
        self.0.push(Piece::Bind(Box::new(Bind::<ST, V>(value, PhantomData))));
        self
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for piece in &self.0 {
            match piece {
                Piece::Sql(sql) => out.push_sql(sql),
                Piece::Bind(bind) => bind.walk_ast(out.reborrow())?,
            }
        }
        Ok(())
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}

/// A whole text with numbered places, and values for them.
pub(crate) struct Numbered<'a> {
    sql: &'a str,
    binds: Vec<Box<dyn QueryFragment<Pg> + Send + 'a>>,
}

impl<'a> Numbered<'a> {
    /// The value of the next number.
    pub(crate) fn bind<ST, V>(mut self, value: V) -> Self
    where
        Pg: HasSqlType<ST>,
        V: ToSql<ST, Pg> + Send + 'a,
        ST: Send + 'a,
    {
        self.binds.push(Box::new(Bind::<ST, V>(value, PhantomData)));
        self
    }
}

impl QueryFragment<Pg> for Numbered<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut pieces = self.sql.split('$');
        out.push_sql(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
            let number = piece[..end].parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            match number.and_then(|index| self.binds.get(index)) {
                Some(bind) => bind.walk_ast(out.reborrow())?,
                None => return Err(Error::QueryBuilderError(format!("nothing is bound to ${}", &piece[..end]).into())),
            }
            out.push_sql(&piece[end..]);
        }
        Ok(())
    }
}

impl QueryId for Numbered<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Numbered<'_> {
    type SqlType = Untyped;
}

struct Bind<ST, V>(V, PhantomData<ST>);

impl<ST, V> QueryFragment<Pg> for Bind<ST, V>
where
    Pg: HasSqlType<ST>,
    V: ToSql<ST, Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<ST, V>(&self.0)
    }
}

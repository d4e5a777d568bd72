//! How many incidents and alerts there are of each kind, without counting them: triggers count with whoever writes (see the
//! migration), every connection in rows of its own, and this sums them up.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;

use crate::duty::{Duty, DutyDone, duty_try_in_txn};
use crate::list::Ranges;
use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many there are in these ranges, or in all.
pub(crate) async fn tally_read(
    connection: &mut AsyncPgConnection,
    of: &'static str,
    ranges: Option<&Ranges>,
) -> Result<i64, StoreError> {
    let statement = Statement::new("SELECT coalesce(sum(count), 0)::bigint AS count FROM tallies WHERE of = ");
    let mut statement = statement.bind::<Text, _>(of);
    if let Some(ranges) = ranges {
        statement = statement.sql(format!(" AND ({}) IN (SELECT * FROM ", ranges.columns.join(", ")));
        statement = ranges.unnest(statement).sql(")");
    }
    let read: Count = statement.get_result(connection).await?;
    // A transaction that was cut between two counters there is none; but whoever repairs may be half way.
    Ok(read.count.max(0))
}

impl Store {
    /// Adds up what connections have counted, so that few rows are to be summed. Does nothing while another worker does it.
    pub async fn tallies_fold(&self) -> Result<DutyDone, StoreError> {
        self.run(Operation::TalliesFold, |connection| {
            async move {
                connection
                    .transaction(async |connection| {
                        if !duty_try_in_txn(connection, Duty::Fold).await? {
                            return Ok(DutyDone::default());
                        }
                        let folded: Count =
                            Statement::new("SELECT tallies_fold() AS count").get_result(connection).await?;
                        let done = usize::try_from(folded.count).unwrap_or_default();
                        Ok(DutyDone { done, notices: 0, more: false })
                    })
                    .await
            }
            .scope_boxed()
        })
        .await
    }
}

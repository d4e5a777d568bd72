//! Windows on lists.

/// Which part of a list is wanted. Lists run from the newest to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<C> {
    /// Only what is older than this: the cursor of the window before.
    pub before: Option<C>,
    /// How many are skipped first. Costs what it skips; cursors do not.
    pub offset: i64,
    /// Most that are returned.
    pub limit: i64,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// What is in the window. Fewer than wanted, or none, where a filter passes so little that the rest is to be asked for by
    /// another request: `next` tells.
    pub items: Vec<T>,
    /// How many match in all.
    pub total: Total,
    /// The cursor of what follows, unless nothing does.
    pub next: Option<C>,
}

/// How many match in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// So many, or at least so many.
    pub count: i64,
    /// Whether there are no more than that.
    pub is_exact: bool,
}

impl Total {
    /// Exactly so many.
    #[must_use]
    pub const fn exactly(count: i64) -> Self {
        Self { count, is_exact: true }
    }

    /// Of a count that stopped at one more than `most`.
    pub(crate) fn up_to(most: i64, counted: i64) -> Self {
        Self { count: counted.min(most), is_exact: counted <= most }
    }
}

impl<T, C> Page<T, C> {
    /// From one item more than wanted, which only says whether there are more; `place` is the cursor of an item.
    pub(crate) fn from_one_more(mut items: Vec<T>, limit: i64, total: Total, place: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(place);
        Self { items, total, next }
    }
}

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
pub struct Page<T> {
    /// What is in the window.
    pub items: Vec<T>,
    /// How many match in all.
    pub total: i64,
    /// Whether there are older ones after the window.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// From one item more than wanted, which only says whether there are more.
    pub(crate) fn from_one_more(mut items: Vec<T>, limit: i64, total: i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = items.len() > limit;
        items.truncate(limit);
        Self { items, total, has_more }
    }
}

//! Lists: page by page, as a table or as the API has them.

use serde::de::DeserializeOwned;

use crate::args::{Search, Window};
use crate::client::{Answer, Ask, Client};
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::table::{Cell, Table};
use crate::views::Page;

/// Items of a request where all are wanted.
const LARGEST: u16 = 250;

/// Adds what all lists with a search have in common.
pub(super) fn searching(mut ask: Ask, search: &Search) -> Ask {
    for label in &search.label {
        ask = ask.parameter("label", label);
    }
    match &search.text {
        Some(text) => ask.parameter("q", text),
        None => ask,
    }
}

/// Adds a parameter of several words, if there are any.
pub(super) fn choosing(ask: Ask, name: &str, words: &[String]) -> Ask {
    words.iter().fold(ask, |ask, word| ask.parameter(name, word))
}

/// Shows one window of a list, or all of it.
pub(super) async fn show<T: DeserializeOwned>(
    client: &Client,
    output: Output,
    window: &Window,
    ask: impl Fn() -> Ask,
    heading: &[&str],
    row: impl Fn(&T) -> Vec<Cell>,
) -> Result<Exit, Failure> {
    let mut table = Table::new(heading);
    let mut shown = 0;
    let rest = each_page::<T>(client, window, ask, |answer, page| {
        if output.json {
            output::body(answer)?;
        }
        shown += page.data.len();
        page.data.iter().for_each(|item| table.row(row(item)));
        Ok(())
    })
    .await?;
    if !output.json {
        output.table(&table)?;
        if let Some((total, cursor)) = rest {
            eprintln!("{shown} of {total}; all with --all, what follows with --cursor {cursor}");
        }
    }
    Ok(Exit::Done)
}

/// Hands on each page. Gives how many there are altogether and the cursor of what follows, if something does.
pub(super) async fn each_page<T: DeserializeOwned>(
    client: &Client,
    window: &Window,
    ask: impl Fn() -> Ask,
    mut take: impl FnMut(&Answer, &Page<T>) -> Result<(), Failure>,
) -> Result<Option<(String, String)>, Failure> {
    let limit = if window.all { LARGEST } else { window.limit }.to_string();
    let mut cursor = window.cursor.clone();
    loop {
        let mut ask = ask().parameter("limit", &limit);
        if let Some(cursor) = &cursor {
            ask = ask.parameter("cursor", cursor);
        }
        let answer = client.answer(&ask).await?;
        let page: Page<T> = answer.read()?;
        take(&answer, &page)?;
        let total = format!("{}{}", if page.total_is_exact { "" } else { "at least " }, page.total);
        match page.next_cursor {
            Some(next) if window.all => cursor = Some(next),
            next => return Ok(next.map(|next| (total, next))),
        }
    }
}

//! What is written to standard output.

use std::io::{self, Write as _, stdout};

use crate::client::Answer;
use crate::table::{Cell, Paint, Table};

/// How a command shows what it has to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// The bodies of the API, as they are, instead of texts for people.
    pub(crate) json: bool,
    pub(crate) paint: Paint,
}

impl Output {
    /// A table.
    pub(crate) fn table(self, table: &Table) -> io::Result<()> {
        let mut out = stdout().lock();
        out.write_all(table.text(self.paint).as_bytes())?;
        out.flush()
    }

    /// What is known of one thing, a line for each.
    pub(crate) fn facts(self, facts: &[(&str, Cell)]) -> io::Result<()> {
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        facts.iter().try_for_each(|(name, cell)| line(&format!("{name:width$}  {}", self.paint.styled(cell))))
    }
}

/// One line, at once.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A body, unchanged but for the line break at its end.
pub(crate) fn body(answer: &Answer) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(&answer.body)?;
    if !answer.body.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()
}

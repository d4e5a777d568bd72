//! Aligned tables, and colours where a terminal shows them.

use std::env;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::text::clean;

/// Between two columns.
const GAP: &str = "  ";
const HEADING: Style = Style::new().bold();

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    /// On a terminal that knows them, unless somebody wants none (<https://no-color.org>).
    pub(crate) fn of_stdout() -> Self {
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self(stdout().is_terminal() && !is_unwanted && !is_dumb)
    }

    fn write(self, text: &mut String, style: Style, words: &str) {
        // Writing to a String does not fail.
        let _ = if self.0 && style != Style::new() {
            write!(text, "{}{words}{}", style.render(), style.render_reset())
        } else {
            write!(text, "{words}")
        };
    }

    /// The words, in a style.
    pub(crate) fn styled(self, words: &Cell) -> String {
        let mut text = String::new();
        self.write(&mut text, words.style, &words.text);
        text
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Any text, made fit for a terminal.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()), style: Style::new() }
    }

    /// The name of a status or a severity, in the colour of how bad that is.
    pub(crate) fn word(word: &str) -> Self {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        let style = match word {
            "critical" | "dead" => colour(AnsiColor::Red).bold(),
            "triggered" | "firing" | "high" => colour(AnsiColor::Red),
            "acknowledged" | "medium" | "warning" | "pending" | "sending" => colour(AnsiColor::Yellow),
            "resolved" | "delivered" | "active" => colour(AnsiColor::Green),
            "canceled" | "expired" | "superseded" | "low" | "info" => Style::new().dimmed(),
            _ => Style::new(),
        };
        Self { text: clean(word), style }
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// Rows under a heading, each with as many cells.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        let heading = heading.iter().map(|text| Cell { text: (*text).to_owned(), style: HEADING });
        Self { rows: vec![heading.collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The whole text; the last column is not filled up.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        let mut text = String::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                paint.write(&mut text, cell.style, &cell.text);
                if column + 1 < row.len() {
                    let fill = widths.get(column).map_or(0, |width| width.saturating_sub(cell.width()));
                    text.extend(std::iter::repeat_n(' ', fill));
                    text.push_str(GAP);
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut table = Table::new(&["NAME", "STATUS", "TITLE"]);
        table.row([Cell::new("漏水"), Cell::word("firing"), Cell::new("on\nfire")]);
        table.row([Cell::new("a"), Cell::word("x"), Cell::new("b")]);
        assert_eq!(table.text(Paint(false)), "NAME  STATUS  TITLE\n漏水  firing  on fire\na     x       b\n");
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let mut table = Table::new(&["STATUS", "N"]);
        table.row([Cell::word("firing"), Cell::new("1")]);
        let text = table.text(Paint(true));
        assert!(text.contains("\u{1b}[31mfiring\u{1b}[0m  1\n"), "{text:?}");
    }
}

//! Columns of text, each as wide as its widest cell.

use std::ops::Range;

use super::clean;

/// Rows of cells under a heading.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these headings.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row; what would move the terminal's cursor is made visible first.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.iter().map(|cell| clean(cell)).collect());
    }

    /// The whole, without a final newline; empty cells at a row's end leave no blanks.
    ///
    /// Where `columns` are too few for a row, each row takes several lines, and cells of one column
    /// still stand below each other.
    #[must_use]
    pub fn render(&self, columns: Option<usize>) -> String {
        let widths = self.widths();
        let parts = parts(&widths, columns.unwrap_or(usize::MAX));
        let mut lines = Vec::new();
        for row in &self.rows {
            for (number, part) in parts.iter().enumerate() {
                let cells = row.iter().zip(&widths).skip(part.start).take(part.len());
                let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
                let margin = if number > 0 { MARGIN } else { "" };
                let line = format!("{margin}{}", cells.collect::<Vec<_>>().join(GAP));
                // The first one stays: an empty row is a row.
                if number == 0 || !line.trim().is_empty() {
                    lines.push(line.trim_end().to_owned());
                }
            }
        }
        lines.join("\n")
    }

    /// Of each column, in characters.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }
}

/// Which table columns stand in one line: as many as fit, and at least one.
fn parts(widths: &[usize], columns: usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut used) = (Vec::new(), 0, 0_usize);
    for (column, width) in widths.iter().enumerate() {
        let wider = used.saturating_add(*width);
        if column > start && wider > columns {
            parts.push(start..column);
            (start, used) = (column, MARGIN.len().saturating_add(*width));
        } else {
            used = wider;
        }
        used = used.saturating_add(GAP.len());
    }
    parts.push(start..widths.len());
    parts
}

/// Between two columns.
const GAP: &str = "  ";

/// Before what goes on below.
const MARGIN: &str = "    ";

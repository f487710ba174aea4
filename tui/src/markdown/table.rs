//! Tables: columns as wide as their words where there is room, narrower with wrapped cells where there is less, and
//! readable records where there is too little.

use super::flow::Flow;
use super::ink::{Ink, Kind};
use crate::text;
use pulldown_cmark::Alignment;
use std::ops::Range;

/// Between two columns.
const GAP: &str = " │ ";
/// The narrowest a column becomes before a table is shown as records.
const COLUMN_MIN: usize = 6;

/// A table that was read.
pub struct Table {
    aligned: Vec<Alignment>,
    source: Range<usize>,
    /// Its rows, the names of the columns first, and where each stands in the text.
    pub rows: Vec<(Vec<Flow>, Range<usize>)>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(aligned: Vec<Alignment>, source: Range<usize>) -> Self {
        Self { aligned, source, rows: Vec::new() }
    }
}

/// A line of a table, and the text it shows.
type Shown = (Vec<(String, Ink)>, Range<usize>);

/// The lines of a table in `columns`.
#[must_use]
pub fn lay_out(table: &Table, columns: usize, with_head: bool) -> Vec<Shown> {
    let count = table.aligned.len();
    let mut wanted = vec![(0, 0); count];
    for (row, _) in &table.rows {
        for (cell, want) in row.iter().zip(&mut wanted) {
            let (line, word) = cell.widths();
            *want = (want.0.max(line), want.1.max(word));
        }
    }
    match fit(&wanted, columns) {
        Some(widths) => grid(table, &widths, with_head),
        None => records(table, columns),
    }
}

/// How wide each column becomes, or nothing where they do not fit beside each other.
fn fit(wanted: &[(usize, usize)], columns: usize) -> Option<Vec<usize>> {
    let room = columns.checked_sub(text::width(GAP) * wanted.len().saturating_sub(1))?;
    let natural: Vec<usize> = wanted.iter().map(|(line, _)| (*line).max(1)).collect();
    let least: Vec<usize> =
        wanted.iter().zip(&natural).map(|((_, word), n)| (*word).clamp(1, COLUMN_MIN).min(*n)).collect();
    if least.iter().sum::<usize>() > room {
        return None;
    }
    // The widest give first; what is narrow already keeps its width.
    let capped = |cap: usize| natural.iter().zip(&least).map(move |(n, l)| (*n).min(cap.max(*l)));
    let (mut fits, mut most) = (0, natural.iter().copied().max().unwrap_or(0));
    while fits < most {
        let cap = (fits + most).div_ceil(2);
        if capped(cap).sum::<usize>() <= room { fits = cap } else { most = cap - 1 }
    }
    let mut widths: Vec<usize> = capped(fits).collect();
    let mut left = room - widths.iter().sum::<usize>();
    for (width, n) in widths.iter_mut().zip(&natural) {
        if *width < *n && left > 0 {
            *width += 1;
            left -= 1;
        }
    }
    Some(widths)
}

fn grid(table: &Table, widths: &[usize], with_head: bool) -> Vec<Shown> {
    let mut out = Vec::new();
    for (number, (row, source)) in table.rows.iter().enumerate() {
        if number == 0 && !with_head {
            continue;
        }
        let lines: Vec<Vec<Range<usize>>> = row.iter().zip(widths).map(|(cell, w)| cell.lines(*w)).collect();
        let height = lines.iter().map(Vec::len).max().unwrap_or(0).max(1);
        for line in 0..height {
            let mut pieces = Vec::new();
            for (column, width) in widths.iter().enumerate() {
                if column > 0 {
                    pieces.push((GAP.to_owned(), Ink::of(Kind::Aside)));
                }
                let mut cell = match (row.get(column), lines.get(column).and_then(|l| l.get(line))) {
                    (Some(cell), Some(part)) => cell.pieces(part, *width),
                    _ => Vec::new(),
                };
                if number == 0 {
                    cell.iter_mut()
                        .filter(|(_, ink)| ink.kind == Kind::Text)
                        .for_each(|(_, ink)| ink.kind = Kind::Head);
                }
                let last = column + 1 == widths.len();
                pieces.extend(align(cell, *width, table.aligned[column], last));
            }
            out.push((pieces, source.clone()));
        }
        if number == 0 {
            let rule = widths.iter().map(|w| "─".repeat(*w)).collect::<Vec<_>>().join("─┼─");
            out.push((vec![(rule, Ink::of(Kind::Aside))], source.clone()));
        }
    }
    out
}

fn align(mut cell: Vec<(String, Ink)>, width: usize, aligned: Alignment, last: bool) -> Vec<(String, Ink)> {
    let used: usize = cell.iter().map(|(piece, _)| text::width(piece)).sum();
    let missing = width.saturating_sub(used);
    let before = match aligned {
        Alignment::Right => missing,
        Alignment::Center => missing / 2,
        Alignment::Left | Alignment::None => 0,
    };
    if before > 0 {
        cell.insert(0, (" ".repeat(before), Ink::default()));
    }
    if missing > before && !last {
        cell.push((" ".repeat(missing - before), Ink::default()));
    }
    cell
}

/// Every row as lines of name and value.
fn records(table: &Table, columns: usize) -> Vec<Shown> {
    let mut out: Vec<Shown> = Vec::new();
    let Some((head, rest)) = table.rows.split_first() else { return out };
    let alone = [(Vec::new(), table.source.clone())];
    let rows = if rest.is_empty() { &alone[..] } else { rest };
    for (number, (row, source)) in rows.iter().enumerate() {
        if number > 0 {
            out.push((vec![("─".repeat(columns.min(8)), Ink::of(Kind::Aside))], source.clone()));
        }
        for (column, name) in head.0.iter().enumerate() {
            let value = row.get(column).filter(|value| !value.is_empty());
            if value.is_none() && !rest.is_empty() {
                continue;
            }
            let mut entry = Flow::default();
            if !name.is_empty() {
                entry.push(&format!("{}: ", name.text()), Ink::of(Kind::Head), source.clone());
            }
            if let Some(value) = value {
                entry.append(value);
            }
            out.extend(entry.lines(columns).iter().map(|line| (entry.pieces(line, columns), source.clone())));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_gives_first() {
        assert_eq!(fit(&[(5, 5), (10, 4)], 40), Some(vec![5, 10]));
        assert_eq!(fit(&[(5, 5), (40, 8)], 28), Some(vec![5, 20]));
        assert_eq!(fit(&[(30, 8), (30, 8)], 43), Some(vec![20, 20]));
        assert_eq!(fit(&[(30, 8), (30, 8)], 14), None);
        assert_eq!(fit(&[], 10), Some(vec![]));
    }
}

//! The shape of a conversation: which message follows which, read without their texts.

use super::Reader;
use crate::VaultError;
use std::collections::HashMap;

/// The messages of one conversation by row, each with the row it follows, ascending. A message is younger than its
/// parent, so one pass from the front sees every parent before its children.
pub(super) struct Tree {
    rows: Vec<(i64, Option<i64>)>,
}

impl Tree {
    pub(super) fn read(reader: &Reader<'_>, session: i64) -> Result<Self, VaultError> {
        let sql = "SELECT n, parent FROM messages WHERE session = ?1 ORDER BY n";
        let mut all = reader.db.prepare_cached(sql)?;
        let rows = all.query_map([session], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { rows: rows.collect::<Result<_, _>>()? })
    }

    fn parent(&self, row: i64) -> Option<i64> {
        let at = self.rows.binary_search_by_key(&row, |(n, _)| *n).ok()?;
        self.rows[at].1
    }

    /// The rows from the first message down to `row`.
    pub(super) fn path(&self, row: Option<i64>) -> Vec<i64> {
        // A parent has a lower number, so this ends.
        let mut path: Vec<i64> = std::iter::successors(row, |row| self.parent(*row)).collect();
        path.reverse();
        path
    }

    /// The rows that follow each row, oldest first; under `None` the first messages.
    pub(super) fn children(&self) -> HashMap<Option<i64>, Vec<i64>> {
        let mut children: HashMap<Option<i64>, Vec<i64>> = HashMap::new();
        for (row, parent) in &self.rows {
            children.entry(*parent).or_default().push(*row);
        }
        children
    }

    /// The youngest row among `row` and all that follow it: the end of the branch that was added to last.
    pub(super) fn youngest_below(&self, row: i64) -> i64 {
        let start = self.rows.partition_point(|(n, _)| *n < row);
        let mut below = std::collections::HashSet::from([row]);
        let mut youngest = row;
        for (n, parent) in &self.rows[start..] {
            if parent.is_some_and(|parent| below.contains(&parent)) {
                below.insert(*n);
                youngest = *n;
            }
        }
        youngest
    }

    /// Whether `row` is `above` or lies somewhere below it.
    pub(super) fn is_below(&self, row: i64, above: i64) -> bool {
        std::iter::successors(Some(row), |row| self.parent(*row))
            .take_while(|row| *row >= above)
            .any(|row| row == above)
    }
}

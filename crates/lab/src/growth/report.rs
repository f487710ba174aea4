//! What growth comes to: plain data, tables for people, and a chart.

use super::{Cost, Sizes};
use crate::{
    LabError,
    chart::{self, Bars},
    e1::{self, Gated},
};
use hinet_train::judge::{Interval, paired_bootstrap};
use serde::Serialize;
use std::fmt::Write as _;

/// A mode at one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What it is, and what it knows.
    #[serde(flatten)]
    pub marks: e1::Row,
    /// What it costs; none where that is what a merge costs, or is decided by hand.
    pub cost: Option<Cost>,
    /// Share of questions that went to the member, or to the group of the member, who knows; none where nobody chooses.
    pub right: Option<f64>,
    /// By how much more it recalls than the merge of all does, on the same questions; none where it is no sub-assembly.
    pub beside_merge: Option<Interval>,
}

/// So many members.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// How many.
    pub members: usize,
    /// Questions of all their packs.
    pub questions: usize,
    /// Who is in which sub-assembly, where there are some.
    pub groups: Vec<Vec<String>>,
    /// How the gate over all of them did.
    pub gated: Gated,
    /// The modes.
    pub rows: Vec<Row>,
}

/// What became of a mode's exact recall on the questions of the smallest size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The mode.
    pub mode: String,
    /// At how many members.
    pub members: usize,
    /// By how much it is more than at the smallest size, on the same questions.
    pub exact: Interval,
    /// Whether it is less with 95 percent.
    pub falls: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How large it was.
    pub sizes: Sizes,
    /// The weights of the anchor.
    pub anchor: String,
    /// The kernels.
    pub kernel: String,
    /// Tokens of the neutral text.
    pub neutral_tokens: usize,
    /// Each member with the loss of its last step, in nats.
    pub members: Vec<(String, f32)>,
    /// Each size, the smallest first.
    pub all: Vec<Size>,
    /// What became of each mode with size.
    pub changes: Vec<Change>,
}

/// By how much more the second recalls than the first, each with a bit for a question, on the questions of the first.
pub(super) fn change(before: &str, after: &str, seed: u64) -> Result<Interval, LabError> {
    let points = |bits: &str| bits.bytes().map(|bit| f64::from(u8::from(bit == b'1'))).collect::<Vec<f64>>();
    let (before, mut after) = (points(before), points(after));
    after.truncate(before.len());
    Ok(paired_bootstrap(&before, &after, seed)?)
}

/// What became of each mode of the smallest size at the others.
pub(super) fn changes(all: &[Size], seed: u64) -> Result<Vec<Change>, LabError> {
    let mut found = Vec::new();
    let Some((least, larger)) = all.split_first() else { return Ok(found) };
    for before in &least.rows {
        for size in larger {
            let Some(after) = size.rows.iter().find(|row| row.marks.name == before.marks.name) else { continue };
            let exact = change(&before.marks.recalled, &after.marks.recalled, seed)?;
            let (mode, members, falls) = (before.marks.name.clone(), size.members, exact.high < 0.0);
            found.push(Change { mode, members, exact, falls });
        }
    }
    Ok(found)
}

#[allow(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Report {
    /// At how many members a mode first recalls less of the first packs than at the smallest size, if it does.
    #[must_use]
    pub fn falls_at(&self, mode: &str) -> Option<usize> {
        self.changes.iter().find(|change| change.mode == mode && change.falls).map(|change| change.members)
    }

    /// The tables, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "# Growth, seed {}\n\n{} low-rank members of rank {}, {} facts each, {} rounds; {} neutral tokens; kernels {}.\n\
             Intervals are of 95 percent, over questions. Times are medians of {} questions, in turns with the bare anchor; \
             memory is that of weights.\n",
            self.seed,
            self.members.len(),
            self.sizes.each.rank,
            3 * self.sizes.each.entities,
            self.sizes.each.rounds,
            self.neutral_tokens,
            self.kernel,
            self.sizes.timed
        );
        for size in &self.all {
            let neutral = |row: &&Row| row.marks.name == super::run::ANCHOR;
            let anchor = size.rows.iter().find(neutral).and_then(|row| row.marks.neutral).unwrap_or(f64::NAN);
            let _ = write!(
                out,
                "\n## {} members, {} questions\n\n| | choice | exact | neutral perplexity | a question, of the anchor's | \
                 MB | went right |\n| --- | --- | --- | --- | --- | --- | --- |\n",
                size.members, size.questions
            );
            for Row { marks, cost, right, .. } in &size.rows {
                let bounds = |of: &Interval| format!("{:.3} to {:.3}", of.low, of.high);
                let harm = |neutral: f64| format!("{neutral:.2} ({:+.1} %)", 100.0 * (neutral / anchor - 1.0));
                let dash = || "–".to_owned();
                let _ = writeln!(
                    out,
                    "| {} | {:.3} ({}) | {:.3} ({}) | {} | {} | {} | {} |",
                    marks.name,
                    marks.choice,
                    bounds(&marks.choice_interval),
                    marks.exact,
                    bounds(&marks.exact_interval),
                    marks.neutral.map_or_else(dash, harm),
                    cost.map_or_else(dash, |cost| format!("{:.2} ({:.1} ms)", cost.ratio(), cost.ms)),
                    cost.map_or_else(dash, |cost| format!("{:.0}", megabytes(cost.bytes))),
                    right.map_or_else(dash, |right| format!("{right:.3}"))
                );
            }
            for Row { marks, beside_merge, .. } in &size.rows {
                if let Some(more) = beside_merge {
                    let _ = write!(
                        out,
                        "\n{}: exact recall {:+.3} ({:+.3} to {:+.3}) beside the merge of all.\n",
                        marks.name, more.mean, more.low, more.high
                    );
                }
            }
            for (at, group) in size.groups.iter().enumerate() {
                let _ = write!(out, "\nGroup {}: {}.\n", at + 1, group.join(", "));
            }
        }
        self.fallen(&mut out);
        out
    }

    /// The table of what became of each mode.
    fn fallen(&self, out: &mut String) {
        let Some((least, larger)) = self.all.split_first() else { return };
        let heads: String = larger.iter().map(|size| format!(" {} members |", size.members)).collect();
        let _ = write!(
            out,
            "\n## Exact recall of the first {} packs, beside that of {} members\n\n| |{heads} falls at |\n| --- |{} --- |\n",
            least.members,
            least.members,
            " --- |".repeat(larger.len())
        );
        for row in &least.rows {
            let mode = row.marks.name.as_str();
            let cell = |size: &Size| {
                let found = self.changes.iter().find(|change| change.mode == mode && change.members == size.members);
                found.map_or_else(
                    || " – |".to_owned(),
                    |Change { exact, .. }| format!(" {:+.3} ({:+.3} to {:+.3}) |", exact.mean, exact.low, exact.high),
                )
            };
            let cells: String = larger.iter().map(cell).collect();
            let at = self.falls_at(mode).map_or_else(|| "–".to_owned(), |members| members.to_string());
            let _ = writeln!(out, "| {mode} |{cells} {at} |");
        }
    }

    /// The chart, as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let short = |row: &Row| row.marks.name.chars().take(18).collect::<String>();
        let titles: Vec<String> =
            self.all.iter().map(|size| format!("exact recall, {} members, with 95 %", size.members)).collect();
        let mut groups: Vec<Bars<'_>> = Vec::new();
        for (size, title) in self.all.iter().zip(&titles) {
            groups.push(Bars {
                title,
                most: 1.0,
                bars: size.rows.iter().map(|row| (short(row), row.marks.exact)).collect(),
                spans: size.rows.iter().map(|r| (r.marks.exact_interval.low, r.marks.exact_interval.high)).collect(),
            });
        }
        let largest = self.all.last().map(|size| size.rows.as_slice()).unwrap_or_default();
        let of_cost = |of: &dyn Fn(Cost) -> f64| -> Vec<(String, f64)> {
            largest.iter().filter_map(|row| Some((short(row), of(row.cost?)))).collect()
        };
        let most = |bars: &[(String, f64)]| bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (title, bars) in [
            ("largest size: a question, times the anchor's", of_cost(&|cost| cost.ratio())),
            ("largest size: megabytes of weights", of_cost(&|cost| megabytes(cost.bytes))),
        ] {
            groups.push(Bars { title, most: most(&bars), bars, spans: Vec::new() });
        }
        chart::page(&format!("Growth, seed {}", self.seed), &groups, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e1::Shares;
    use std::collections::BTreeMap;

    fn size(members: usize, recalled: &str) -> Size {
        let interval = Interval { mean: 0.5, low: 0.4, high: 0.6, items: recalled.len() };
        let marks = e1::Row {
            name: "merge".into(),
            choice: 0.5,
            choice_interval: interval,
            exact: 0.5,
            exact_interval: interval,
            neutral: Some(30.0),
            by_pack: Vec::new(),
            by_sort: BTreeMap::new(),
            chosen: recalled.into(),
            recalled: recalled.into(),
        };
        let shares = Shares { own: 0.0, one: 1.0, few: 0.0 };
        let cost = Some(Cost { ms: 3.0, anchor_ms: 2.0, bytes: 5_000_000 });
        Size {
            members,
            questions: recalled.len(),
            groups: Vec::new(),
            gated: Gated { floor: 0.5, margin: 0.1, right: 1.0, questions: shares, sentences: shares },
            rows: vec![Row { marks, cost, right: Some(1.0), beside_merge: None }],
        }
    }

    fn report(all: Vec<Size>) -> Report {
        Report {
            seed: 1,
            sizes: Sizes::small(),
            anchor: String::new(),
            kernel: "plain".into(),
            neutral_tokens: 10,
            members: Vec::new(),
            changes: changes(&all, 1).unwrap(),
            all,
        }
    }

    #[test]
    fn a_mode_falls_where_it_recalls_less_of_the_same_questions() {
        // What comes after the first twenty questions is of other packs, and says nothing.
        let (good, same, bad) = ("1".repeat(20), "1".repeat(20) + &"0".repeat(40), "10".repeat(10) + &"1".repeat(60));
        let found = report(vec![size(3, &good), size(8, &same), size(16, &bad)]);
        assert_eq!(found.changes.iter().map(|change| change.falls).collect::<Vec<_>>(), [false, true]);
        assert!((found.changes[1].exact.mean + 0.5).abs() < 1e-12 && found.changes[0].exact.mean.abs() < 1e-12);
        assert_eq!((found.falls_at("merge"), found.falls_at("other")), (Some(16), None));
        let text = found.markdown();
        assert!(text.contains("| merge | +0.000 (+0.000 to +0.000) | -0.500 (") && text.contains("| 16 |"), "{text}");
        assert!(text.contains("1.50 (3.0 ms) | 5 | 1.000 |"), "{text}");
        assert!(found.svg().starts_with("<svg") && found.svg().matches("merge</text>").count() == 3 + 2);
        assert!(report(Vec::new()).markdown().contains("# Growth"));
    }
}

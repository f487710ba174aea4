//! What a root came to: plain data, a table for people, and a chart.

use super::{Sizes, exam::Row};
use crate::chart::{self, Bars};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The root.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// How large it was.
    pub sizes: Sizes,
    /// The anchor's weights, and the kernels it was tuned and asked on.
    pub anchor: String,
    /// The kernels.
    pub kernel: String,
    /// The delta's hash.
    pub delta: String,
    /// Papers and conversations it learned from, and papers it was examined with.
    pub texts: (usize, usize, usize),
    /// Exercises, and tokens that were read in all.
    pub learned: (usize, usize),
    /// How readers did.
    pub rows: Vec<Row>,
    /// Share of general questions answered rightly, before and after.
    pub general: (f64, f64),
    /// With 95 %, the change is at least and at most so much.
    pub general_bounds: (f64, f64),
    /// Perplexity of neutral text, before and after.
    pub neutral: (f64, f64),
    /// Loss of each step, in nats.
    pub losses: Vec<f32>,
}

impl Report {
    /// Whether it harms nothing, by the bars of a night.
    #[must_use]
    pub fn harmless(&self) -> bool {
        self.neutral.1 <= self.neutral.0 * 1.05 && self.general_bounds.0 >= -0.02
    }

    /// The tables, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let (papers, talks, kept_apart) = self.texts;
        let mut out = format!(
            "# Root {}, seed {}\n\nLearned from {papers} papers and {talks} conversations in {} exercises ({} tokens); examined on {kept_apart} papers \
             that nothing was learned from. LoRA of rank {}, learning rate {}, {} steps; kernels {}.\n\n\
             | who reads | passages | answered | refused where none fits | refused falsely | unsupported | invented | cited rightly | as the chat answers |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            self.name,
            self.seed,
            self.learned.0,
            self.learned.1,
            self.sizes.rank,
            self.sizes.rate,
            self.losses.len(),
            self.kernel
        );
        for row in &self.rows {
            let cited = row.cited.map_or("–".to_owned(), |share| format!("{share:.3}"));
            let _ = writeln!(
                out,
                "| {} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {cited} | {:.3} |",
                row.name,
                row.passages,
                row.answered,
                row.refused,
                row.refused_falsely,
                row.unsupported,
                row.invented,
                row.as_chat
            );
        }
        let _ = write!(
            out,
            "\n{} questions with an answer and {} without. General questions {:.4} to {:.4} (95 %: {:+.1} to {:+.1} points), perplexity of neutral \
             text {:.2} to {:.2} ({:+.1} %): {}.\n",
            self.rows.first().map_or(0, |row| row.asked.0),
            self.rows.first().map_or(0, |row| row.asked.1),
            self.general.0,
            self.general.1,
            100.0 * self.general_bounds.0,
            100.0 * self.general_bounds.1,
            self.neutral.0,
            self.neutral.1,
            100.0 * (self.neutral.1 / self.neutral.0 - 1.0),
            if self.harmless() { "it harms nothing" } else { "it harms the rest of the anchor" }
        );
        out
    }

    /// The chart, as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let bars = |of: fn(&Row) -> f64| -> Vec<(String, f64)> {
            self.rows.iter().map(|row| (format!("{}, {}", row.name, row.passages), of(row))).collect()
        };
        chart::page(
            &format!("Root {}, seed {}", self.name, self.seed),
            &[
                Bars {
                    title: "answered, of what has an answer",
                    most: 1.0,
                    bars: bars(|row| row.answered),
                    ..Bars::default()
                },
                Bars {
                    title: "refused, of what has none",
                    most: 1.0,
                    bars: bars(|row| row.refused),
                    ..Bars::default()
                },
                Bars {
                    title: "unsupported, of what was said",
                    most: 1.0,
                    bars: bars(|row| row.unsupported),
                    ..Bars::default()
                },
            ],
            Some(("loss, nats", &self.losses)),
        )
    }
}

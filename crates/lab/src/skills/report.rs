//! What the experiment on skills found: plain data, tables for people, and a chart.

use super::{By, Foretold, KEEPS, Pair, Sizes};
use crate::{
    chart::{self, Bars},
    e1::{self, Gated},
};
use hinet_train::judge::Interval;
use serde::Serialize;
use std::fmt::Write as _;

/// A skill and its member.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skill {
    /// What it is called.
    pub name: String,
    /// Whether it labels what others label too.
    pub conflicting: bool,
    /// The perplexity of its answers to the anchor.
    pub perplexity: f64,
    /// How far its member's activations lie from the anchor's on its own prompts, from 0 to 2.
    pub moved: f64,
    /// Share of its questions whose right option is its member's likeliest option.
    pub own_choice: f64,
    /// Share of its questions whose right option is its member's likeliest of the whole vocabulary.
    pub own_exact: f64,
    /// The same of the anchor.
    pub anchor_exact: f64,
    /// Perplexity of the neutral text to its member.
    pub neutral: f64,
    /// The loss of every step of its tuning, in nats.
    pub losses: Vec<f32>,
}

/// Some skills and what becomes of them in all modes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    /// What it is called.
    pub name: String,
    /// The skills.
    pub skills: Vec<String>,
    /// The share of answers that one model can have right at most.
    pub bound: f64,
    /// How the gate did.
    pub gated: Gated,
    /// The modes.
    pub rows: Vec<e1::Row>,
}

/// Which skills to merge; the others are routed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Who says it.
    pub by: By,
    /// Those that become one model.
    pub merged: Vec<String>,
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
    /// Its perplexity to the anchor.
    pub neutral: f64,
    /// The skills, the complementary ones first.
    pub skills: Vec<Skill>,
    /// How right each was about pairs.
    pub foretold: Vec<Foretold>,
    /// Every two skills.
    pub pairs: Vec<Pair>,
    /// What each says to do with all skills.
    pub advice: Vec<Advice>,
    /// The skills of each sort together, and all of them.
    pub sets: Vec<Set>,
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.3}"))
}

impl Report {
    /// The set of this name.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == name)
    }

    fn harm(&self, neutral: f64) -> String {
        format!("{neutral:.2} ({:+.1} %)", 100.0 * (neutral / self.neutral - 1.0))
    }

    /// The tables, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "# Skills, seed {}\n\n{} skills by low-rank factors of rank {}; {} items learned and {} held out of each; {} rounds; \
             {} neutral tokens; kernels {}.\n\n| skill | | anchor: exact | own: choice / exact | base perplexity | \
             activations moved | neutral perplexity |\n| --- | --- | --- | --- | --- | --- | --- |\n",
            self.seed,
            self.skills.len(),
            self.sizes.each.rank,
            self.sizes.learned,
            self.sizes.held,
            self.sizes.each.rounds,
            self.neutral_tokens,
            self.kernel
        );
        for skill in &self.skills {
            let _ = writeln!(
                out,
                "| {} | {} | {:.3} | {:.3} / {:.3} | {:.2} | {:.3} | {} |",
                skill.name,
                if skill.conflicting { "conflicting" } else { "complementary" },
                skill.anchor_exact,
                skill.own_choice,
                skill.own_exact,
                skill.perplexity,
                skill.moved,
                self.harm(skill.neutral)
            );
        }
        self.sets_into(&mut out);
        self.pairs_into(&mut out);
        out
    }

    fn sets_into(&self, out: &mut String) {
        let bounds = |of: &Interval| format!("{:.3} to {:.3}", of.low, of.high);
        for set in &self.sets {
            let _ = write!(
                out,
                "\n## {}: {}\n\nLabels let one model be right in {:.3} at most. The gate sends {:.3} to the skill that was \
                 asked.\n\n| with 95 % over questions | choice | exact | neutral perplexity |\n| --- | --- | --- | --- |\n",
                set.name,
                set.skills.join(", "),
                set.bound,
                set.gated.right
            );
            for row in &set.rows {
                let neutral = row.neutral.map_or_else(|| "–".to_owned(), |neutral| self.harm(neutral));
                let (choice, exact) = (bounds(&row.choice_interval), bounds(&row.exact_interval));
                let _ = writeln!(
                    out,
                    "| {} | {:.3} ({choice}) | {:.3} ({exact}) | {neutral} |",
                    row.name, row.choice, row.exact
                );
            }
        }
    }

    fn pairs_into(&self, out: &mut String) {
        let _ = write!(
            out,
            "\n## Merge or route?\n\nA merge is worth it where it keeps {KEEPS} of what the members recall. What is foretold of a \
             pair is learned from the others.\n\n| skills | activation distance | base perplexity | cosine of deltas | \
             label bound | apart | merged | kept | selector | conflict rule |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        );
        for pair in &self.pairs {
            let _ = writeln!(
                out,
                "| {} | {:.3} | {:.2} | {} | {:.3} | {:.3} | {:.3} | {} | {} | {} |",
                pair.skills.join(", "),
                pair.distance,
                pair.perplexity,
                number(pair.cosine),
                pair.bound,
                pair.apart,
                pair.merged,
                number(pair.kept()),
                number(pair.by_activation),
                number(pair.by_conflict)
            );
        }
        out.push_str("\n| | right about pairs | of which it spoke | wrongly merged | of all skills it merges |\n");
        out.push_str("| --- | --- | --- | --- | --- |\n");
        for Foretold { by, pairs, right, wrongly_merged } in &self.foretold {
            let advice = self.advice.iter().find(|advice| advice.by == *by);
            let merged = advice.map(|advice| advice.merged.join(", ")).filter(|merged| !merged.is_empty());
            let merged = merged.unwrap_or_else(|| "none".to_owned());
            let _ = writeln!(out, "| {} | {right} | {pairs} | {wrongly_merged} | {merged} |", by.name());
        }
    }

    /// The chart, as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let short = |name: &str| {
            let shorter =
                [("merged or routed, as says the ", "as "), ("distilled from the bare anchor", "distilled anchor")];
            let name = shorter.into_iter().fold(name.to_owned(), |name, (long, short)| name.replace(long, short));
            name.chars().take(18).collect::<String>()
        };
        let titles: Vec<String> =
            self.sets.iter().map(|set| format!("{}: exact, with 95 % over questions", set.name)).collect();
        let mut groups: Vec<Bars<'_>> = Vec::new();
        for (set, title) in self.sets.iter().zip(&titles) {
            groups.push(Bars {
                title,
                most: 1.0,
                bars: set.rows.iter().map(|row| (short(&row.name), row.exact)).collect(),
                spans: set.rows.iter().map(|row| (row.exact_interval.low, row.exact_interval.high)).collect(),
            });
        }
        let kept = |pair: &Pair| Some((pair.skills.join("+"), pair.kept()?));
        groups.push(Bars {
            title: "what a merge of two keeps of their own recall",
            most: 1.0,
            bars: self.pairs.iter().filter_map(kept).collect(),
            spans: Vec::new(),
        });
        chart::page(&format!("Skills, seed {}", self.seed), &groups, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_say_what_was_foretold_and_what_came_of_it() {
        let pair = Pair {
            skills: ["tone".into(), "contrary".into()],
            distance: 0.25,
            perplexity: 12.0,
            cosine: None,
            bound: 0.5,
            apart: 0.8,
            merged: 0.4,
            by_activation: Some(0.55),
            by_conflict: None,
        };
        let report = Report {
            seed: 1,
            sizes: Sizes::small(),
            anchor: String::new(),
            kernel: "plain".into(),
            neutral_tokens: 10,
            neutral: 20.0,
            skills: Vec::new(),
            foretold: super::super::select::foretold(std::slice::from_ref(&pair)),
            pairs: vec![pair],
            advice: vec![Advice { by: By::Labels, merged: Vec::new() }],
            sets: Vec::new(),
        };
        let text = report.markdown();
        assert!(
            text.contains("| tone, contrary | 0.250 | 12.00 | – | 0.500 | 0.800 | 0.400 | 0.500 | 0.550 | – |"),
            "{text}"
        );
        assert!(text.contains("| bound: label agreement | 1 | 1 | 0 | none |"), "{text}");
        assert!(text.contains("| whitepaper: conflict of deltas | 0 | 0 | 0 | none |"), "{text}");
        assert!(report.svg().contains("tone+contrary") && report.set("all").is_none());
    }
}

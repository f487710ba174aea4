//! What E1 found: plain data, a table for people, and a chart.

use super::{
    Sizes, Sort, Tuning,
    verdict::{Use, Verdict},
};
use crate::chart::{self, Bars};
use hinet_train::judge::Interval;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _};

/// One model, or one way of choosing among models, on the questions of all packs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Share of questions whose right option is the likeliest option: the mean over packs.
    pub choice: f64,
    /// Where it lies with 95 percent, by drawing the questions again.
    pub choice_interval: Interval,
    /// Share of questions whose right option is the likeliest of the whole vocabulary, of those that say whose fact they
    /// ask for: the mean over packs.
    pub exact: f64,
    /// Where it lies with 95 percent, by drawing the questions again.
    pub exact_interval: Interval,
    /// Perplexity of the neutral text; none for routes that ask a member whatever the text is.
    pub neutral: Option<f64>,
    /// `choice` of each pack.
    pub by_pack: Vec<f64>,
    /// `choice` of each sort of question: the mean over packs.
    pub by_sort: BTreeMap<Sort, f64>,
    /// For each question, pack after pack, `1` where the right option is the likeliest option.
    pub chosen: String,
    /// The same by the whole vocabulary, of those that say whose fact they ask for.
    pub recalled: String,
}

/// A member alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Single {
    /// What it is called.
    pub name: String,
    /// Share of its own questions whose right option is the likeliest option.
    pub own_choice: f64,
    /// Share of its own questions whose right option is the likeliest of the whole vocabulary.
    pub own_exact: f64,
    /// The mean share of the other packs' questions, by options.
    pub others_choice: f64,
    /// Perplexity of the neutral text.
    pub neutral: f64,
    /// The loss of every step of its tuning, in nats.
    pub losses: Vec<f32>,
}

/// How the router did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// Share of questions that went to the member who knows.
    pub right: f64,
    /// The least similarity of a question to the prompts of where it went.
    pub least_inside: f32,
    /// The greatest similarity of a sentence of the neutral text to any member's prompts.
    pub most_outside: f32,
}

/// How often nobody, one member or several were chosen to answer; together 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Nobody: the anchor answers alone.
    pub own: f64,
    /// One member.
    pub one: f64,
    /// Several members.
    pub few: f64,
}

/// How the product's gate sized answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gated {
    /// From which similarity on a member is near.
    pub floor: f32,
    /// Who is behind the nearest by less than this answers too.
    pub margin: f32,
    /// Share of questions whose heaviest member is the one who knows.
    pub right: f64,
    /// Who answers questions.
    pub questions: Shares,
    /// Who answers sentences of the neutral text.
    pub sentences: Shares,
}

/// How questions of one sort were sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// What they say of what they ask for.
    pub sort: Sort,
    /// How many there are.
    pub questions: usize,
    /// Share that went to the member who knows, by the nearest public prompts.
    pub nearest: f64,
    /// Share for which the gate's heaviest member is the one who knows.
    pub heaviest: f64,
    /// Share for which the one who knows is among those whom the gate chose.
    pub among: f64,
    /// How many the gate chose.
    pub sizes: Shares,
}

/// What becomes of a composition that a member leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// Whether it is, byte for byte, the one that never had the member.
    pub byte_equal: bool,
}

/// A mode of composing, as scripts read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// Which row it is.
    pub row: String,
    /// Share of questions whose right option is the likeliest option: the mean over packs.
    #[serde(rename = "macro")]
    pub choice: f64,
    /// Share of questions whose right option is the likeliest of the whole vocabulary: the mean over packs.
    pub exact: f64,
    /// Perplexity of the neutral text, where the mode has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ppl: Option<f64>,
}

/// The modes that there are rows of; of two rows of one mode the second counts.
pub(super) fn modes(rows: &[Row], named: &[(&'static str, String)]) -> BTreeMap<String, Mode> {
    let mut all = BTreeMap::new();
    for (mode, name) in named {
        if let Some(row) = rows.iter().find(|row| row.name == *name) {
            let found = Mode { row: row.name.clone(), choice: row.choice, exact: row.exact, ppl: row.neutral };
            all.insert((*mode).to_owned(), found);
        }
    }
    all
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How large it was; `entities` means nothing where packs were given.
    pub sizes: Sizes,
    /// What was tuned.
    pub tuning: Tuning,
    /// The packs.
    pub packs: Vec<String>,
    /// Whether the packs were made up from the seed.
    pub made_up: bool,
    /// Facts in all packs.
    pub facts: usize,
    /// Questions in words that were neither learned from nor read for a Gram.
    pub questions: usize,
    /// Tokens of the neutral text.
    pub neutral_tokens: usize,
    /// The anchor's weights.
    pub anchor: String,
    /// The kernels.
    pub kernel: String,
    /// The members alone.
    pub singles: Vec<Single>,
    /// The modes of composing by the names that scripts know: `anchor`, `best_single`, `joint`, `merge`, `distill`,
    /// `route`, `moe`, `retrieval`, `retrieval_reader`, `oracle`, and where members are deltas `mix`.
    pub modes: BTreeMap<String, Mode>,
    /// The anchor, the members alone, what learned everything itself, the compositions, the routes, the mixes and the
    /// memory.
    pub rows: Vec<Row>,
    /// How the router did.
    pub routed: Routed,
    /// How the gate did.
    pub gated: Gated,
    /// How questions of each sort were sent.
    pub sent: Vec<Sent>,
    /// Questions of each pack, and those of them that say whose fact they ask for.
    pub asked: Vec<[usize; 2]>,
    /// What becomes of the best composition when the last member leaves, where that was tried.
    pub opt_out: Option<OptOut>,
    /// What it says about what was pre-registered; none before it is held against it.
    pub verdict: Option<Verdict>,
}

impl Report {
    /// The row of this name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// By how much the neutral text got more surprising than it is to the anchor, in percent.
    fn harm(&self, neutral: f64) -> f64 {
        let anchor = self.row("anchor").and_then(|row| row.neutral).unwrap_or(neutral);
        100.0 * (neutral / anchor - 1.0)
    }

    /// The tables, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let (how, tuned) = match self.tuning {
            Tuning::Full => ("all linear layers", String::new()),
            Tuning::Mlp => ("feed-forward layers", String::new()),
            Tuning::Lora => ("low-rank factors", format!(" of rank {}, with replay", self.sizes.rank)),
        };
        let mut out = format!(
            "# E1, seed {}\n\n{} members ({how}{tuned}), {} facts {}, {} held-out questions, {} neutral tokens; {} rounds; \
             kernels {}.\n\n| member alone | own packs: choice / exact | other packs: choice | neutral perplexity | last loss |\n\
             | --- | --- | --- | --- | --- |\n",
            self.seed,
            self.packs.len(),
            self.facts,
            if self.made_up { "made up from the seed" } else { "of a file" },
            self.questions,
            self.neutral_tokens,
            self.sizes.rounds,
            self.kernel
        );
        for single in &self.singles {
            let last = single.losses.last().copied().unwrap_or(f32::NAN);
            let _ = writeln!(
                out,
                "| {} | {:.3} / {:.3} | {:.3} | {:.2} ({:+.1} %) | {last:.3} |",
                single.name,
                single.own_choice,
                single.own_exact,
                single.others_choice,
                single.neutral,
                self.harm(single.neutral)
            );
        }
        let sorts: Vec<&str> = self.sent.iter().map(|sent| sent.sort.name()).collect();
        let _ = write!(
            out,
            "\n| on all packs, with 95 % over questions | choice | {} | exact | neutral perplexity |\n\
             | --- | --- | --- | --- | --- |\n",
            sorts.join(" / ")
        );
        let bounds = |of: &Interval| format!("{:.3} to {:.3}", of.low, of.high);
        for row in &self.rows {
            let neutral =
                row.neutral.map_or("–".into(), |neutral| format!("{neutral:.2} ({:+.1} %)", self.harm(neutral)));
            let (choice, exact) = (bounds(&row.choice_interval), bounds(&row.exact_interval));
            let sorts: Vec<String> = row.by_sort.values().map(|share| format!("{share:.3}")).collect();
            let _ = writeln!(
                out,
                "| {} | {:.3} ({choice}) | {} | {:.3} ({exact}) | {neutral} |",
                row.name,
                row.choice,
                sorts.join(" / "),
                row.exact
            );
        }
        let Routed { right, least_inside, most_outside } = self.routed;
        let _ = write!(
            out,
            "\nRouting sends {right:.3} of the questions to the member who knows. The least similarity of a question \
             is {least_inside:.2}, the greatest of a neutral sentence {most_outside:.2}.\n"
        );
        let Gated { floor, margin, right, questions, sentences } = self.gated;
        let shares =
            |of: Shares| format!("{:.3} to nobody, {:.3} to one member, {:.3} to several", of.own, of.one, of.few);
        let _ = write!(
            out,
            "\nThe gate (near from {floor:.2} on, clear by {margin:.2}) gives questions {}, and neutral sentences {}; \
             the heaviest is the one who knows for {right:.3} of the questions.\n",
            shares(questions),
            shares(sentences)
        );
        out.push_str(
            "\n| questions | | right by nearest prompts | heaviest is right | right is among them | who answers |\n",
        );
        out.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for Sent { sort, questions, nearest, heaviest, among, sizes } in &self.sent {
            let _ = writeln!(
                out,
                "| {} | {questions} | {nearest:.3} | {heaviest:.3} | {among:.3} | {} |",
                sort.name(),
                shares(*sizes)
            );
        }
        if let Some(OptOut { byte_equal }) = self.opt_out {
            let not = if byte_equal { "" } else { "not " };
            let _ = write!(
                out,
                "\nWhen the last member leaves, what is composed is {not}what the others compose, byte for byte.\n"
            );
        }
        if let Some(verdict) = &self.verdict {
            out.push_str(&judged(verdict));
        }
        out
    }

    /// The chart, as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let short = |name: &str| {
            let shorter = [
                ("task arithmetic, scale", "task"),
                ("route: right-sized", "route:"),
                ("route: ", ""),
                (", virtual anchor member of weight", " + anchor ×"),
                (" public prompts", ""),
                (", density", ""),
                ("RegMean + virtual member, distilled", "distilled merge"),
                ("distilled from the bare anchor", "distilled anchor"),
                (", same steps", ""),
                ("mix: all members, weight", "mix: all ×"),
                ("the words of the best passage", "quoted"),
                (" by the bare anchor", ""),
                (", one member each", ""),
            ];
            let name = name.split(" (").next().unwrap_or(name).to_owned();
            let name = shorter.into_iter().fold(name, |name, (long, short)| name.replace(long, short));
            name.chars().take(18).collect::<String>()
        };
        let bars = |of: &dyn Fn(&Row) -> Option<f64>| {
            self.rows.iter().filter_map(|row| Some((short(&row.name), of(row)?))).collect::<Vec<_>>()
        };
        let spans = |of: fn(&Row) -> &Interval| -> Vec<(f64, f64)> {
            self.rows.iter().map(|row| (of(row).low, of(row).high)).collect()
        };
        let harm = bars(&|row| row.neutral.map(|neutral| self.harm(neutral).max(0.0)));
        let losses = self.singles.first().map(|single| single.losses.as_slice()).unwrap_or_default();
        chart::page(
            &format!("E1, seed {}", self.seed),
            &[
                Bars {
                    title: "choice among four, all packs, with 95 % over questions",
                    most: 1.0,
                    bars: bars(&|row| Some(row.choice)),
                    spans: spans(|row| &row.choice_interval),
                },
                Bars {
                    title: "exact recall, all packs, with 95 % over questions",
                    most: 1.0,
                    bars: bars(&|row| Some(row.exact)),
                    spans: spans(|row| &row.exact_interval),
                },
                Bars {
                    title: "neutral perplexity above the anchor's, percent (bars end at 50)",
                    most: 50.0,
                    bars: harm,
                    spans: Vec::new(),
                },
            ],
            Some(("loss of the first member, nats", losses)),
        )
    }
}

/// What became of what was pre-registered.
fn judged(verdict: &Verdict) -> String {
    let seed = match verdict.seed {
        Use::Choosing => "methods are chosen on this seed, so it decides nothing",
        Use::Deciding => "this seed was named before it was run",
        Use::Other => "this seed is none of those that were named",
    };
    let mut out = format!(
        "\n## Verdict\n\nBy `assets/e1/preregistration.toml`, BLAKE3 `{}`; {seed}.\n\n\
         | hypothesis | verdict | by these figures |\n| --- | --- | --- |\n",
        verdict.preregistration
    );
    for found in &verdict.hypotheses {
        let _ = writeln!(out, "| {} | **{}** | {} |", found.says, found.outcome, found.why);
    }
    out
}

//! What E2 found: plain data, a table for people, and a chart.

use crate::chart::{self, Bars};
use hinet_train::leak::{CheckKind, LeakReport};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

use super::Sizes;

/// Shares of held-out questions answered rightly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// How many were asked.
    pub asked: usize,
    /// The bare anchor, without a memory.
    pub anchor: f64,
    /// The bare anchor with the memory, as the chat answers: an answer that does not stand on its passage is replaced by
    /// the passage, which can be right where the model was not.
    pub retrieval_only: f64,
    /// Δ_private without a memory.
    pub weights_only: f64,
    /// Δ_private with the memory, as the chat answers.
    pub both: f64,
    /// All matrices tuned, without a memory.
    pub whole_weights_only: Option<f64>,
    /// Δ_public without a memory, on what is public.
    pub public_on_plants: f64,
    /// Δ_private without a memory, on what is public.
    pub private_on_plants: f64,
    /// Δ_public without a memory, on what is private: near the anchor is good.
    pub public_on_people: f64,
    /// The bare anchor on what is private.
    pub anchor_on_people: f64,
}

/// The same measure of the four models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The bare anchor.
    pub before: f64,
    /// Δ_private.
    pub after: f64,
    /// All matrices tuned.
    pub whole: Option<f64>,
    /// Δ_public.
    pub public: f64,
    /// For Δ_private against the anchor: the lower bound of the change, with 95 %.
    pub low: Option<f64>,
}

/// What the leakage gate says of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// Whether it may leave.
    pub pass: bool,
    /// Bits by which canaries are more exposed than fresh ones.
    pub exposure: Option<f64>,
    /// Area under the curve of whoever guesses what it was trained on.
    pub membership: Option<f64>,
    /// Secrets that came out.
    pub extracted: Option<f64>,
    /// Nats a token by which it knows its training texts better than others like them.
    pub gap: Option<f64>,
    /// The gate's own report.
    pub report: LeakReport,
}

impl From<LeakReport> for Leak {
    fn from(report: LeakReport) -> Self {
        let of = |kind| report.check(kind).and_then(|check| check.measured);
        Self {
            pass: report.passed,
            exposure: of(CheckKind::Exposure),
            membership: of(CheckKind::Membership),
            extracted: of(CheckKind::Extraction),
            gap: of(CheckKind::Gap),
            report,
        }
    }
}

/// Δ_public with Gaussian noise on its factors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Standard deviation of the noise, in root mean squares of the factors.
    pub noise: f32,
    /// ε at δ = 10⁻⁵ if the whole delta were what one owner adds: an indication of scale, no guarantee, and above some tens
    /// it would promise nothing. None without noise.
    pub epsilon: Option<f64>,
    /// Bits by which canaries are more exposed than fresh ones.
    pub exposure: f64,
    /// Share of public questions answered rightly.
    pub useful: f64,
    /// Perplexity on neutral text.
    pub neutral: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How large it was.
    pub sizes: Sizes,
    /// The anchor's weights, and the kernels it ran on.
    pub anchor: String,
    /// The kernels.
    pub kernel: String,
    /// The owner's facts, in words that were never learned.
    pub facts: Facts,
    /// Perplexity of the owner's words that were not learned from.
    pub voice: Spread,
    /// Perplexity of other people's words.
    pub others: Spread,
    /// Share of general questions answered rightly.
    pub general: Spread,
    /// Perplexity on neutral text.
    pub neutral: Spread,
    /// What the leakage gate says.
    pub leakage: Leakage,
    /// Δ_public with noise, least first; the first is without.
    pub noise: Vec<Noise>,
    /// Losses of Δ_private's steps, in nats.
    pub losses: Vec<f32>,
}

/// What the leakage gate says of three models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leakage {
    /// What would be shared.
    pub public: Leak,
    /// What stays.
    pub private: Leak,
    /// What must fail.
    pub leaky_control: Leak,
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".into(), |value| format!("{value:.digits$}"))
}

impl Report {
    /// The tables, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let facts = &self.facts;
        let _ = write!(
            out,
            "# E2, seed {}\n\n{} facts, {} held-out questions, {} diary entries, {} canaries; rank {}, {} rounds; kernels {}.\n\n",
            self.seed,
            6 * self.sizes.entities,
            facts.asked,
            self.sizes.diary,
            self.sizes.canaries,
            self.sizes.rank,
            self.sizes.rounds,
            self.kernel
        );
        let _ = write!(
            out,
            "| own facts, unseen phrasings | share right |\n| --- | --- |\n| anchor, no memory | {:.3} |\n| retrieval only | {:.3} |\n\
             | weights only, Δ_private | {:.3} |\n| weights only, all matrices | {} |\n| both | {:.3} |\n\n",
            facts.anchor,
            facts.retrieval_only,
            facts.weights_only,
            number(facts.whole_weights_only, 3),
            facts.both
        );
        out.push_str("| | anchor | Δ_private | all matrices | Δ_public |\n| --- | --- | --- | --- | --- |\n");
        let mut row = |name: &str, spread: &Spread, digits: usize| {
            let Spread { before, after, whole, public, .. } = spread;
            let whole = number(*whole, digits);
            let _ = writeln!(out, "| {name} | {before:.digits$} | {after:.digits$} | {whole} | {public:.digits$} |");
        };
        row("perplexity, own words held back", &self.voice, 2);
        row("perplexity, other people's words", &self.others, 2);
        row("perplexity, neutral text", &self.neutral, 2);
        row("general questions right", &self.general, 4);
        let _ = write!(
            out,
            "\nGeneral ability of Δ_private: with 95 % the change is at least {} points.\n\n",
            number(self.general.low.map(|low| 100.0 * low), 2)
        );
        out.push_str("| leakage | passes | exposure, bits over fresh | membership AUC | secrets out | gap, nats |\n| --- | --- | --- | --- | --- | --- |\n");
        for (name, leak) in self.leaks() {
            let _ = writeln!(
                out,
                "| {name} | {} | {} | {} | {} | {} |",
                if leak.pass { "yes" } else { "no" },
                number(leak.exposure, 2),
                number(leak.membership, 3),
                number(leak.extracted, 0),
                number(leak.gap, 3)
            );
        }
        let _ = write!(
            out,
            "\nOn the plants, which are public: Δ_private {:.3}, Δ_public {:.3}. On the people, who are not: Δ_public {:.3}, anchor {:.3}.\n\n",
            facts.private_on_plants, facts.public_on_plants, facts.public_on_people, facts.anchor_on_people
        );
        out.push_str("| noise on Δ_public, RMS | ε at δ = 1e-5 | exposure, bits over fresh | plants right | neutral perplexity |\n| --- | --- | --- | --- | --- |\n");
        for Noise { noise, epsilon, exposure, useful, neutral } in &self.noise {
            let _ = writeln!(out, "| {noise} | {} | {exposure:.2} | {useful:.3} | {neutral:.2} |", number(*epsilon, 0));
        }
        out
    }

    fn leaks(&self) -> [(&'static str, &Leak); 3] {
        let Leakage { public, private, leaky_control } = &self.leakage;
        [("Δ_public", public), ("Δ_private (stays)", private), ("leaky control", leaky_control)]
    }

    /// The chart, as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let facts = &self.facts;
        let mut own = vec![
            ("anchor".to_owned(), facts.anchor),
            ("retrieval".to_owned(), facts.retrieval_only),
            ("weights".to_owned(), facts.weights_only),
        ];
        own.extend(facts.whole_weights_only.map(|share| ("all matrices".to_owned(), share)));
        own.push(("both".to_owned(), facts.both));
        let exposed = self.leaks().map(|(name, leak)| (name.to_owned(), leak.exposure.unwrap_or(0.0).max(0.0)));
        let useful = self.noise.iter().map(|noise| (format!("{}", noise.noise), noise.useful)).collect();
        chart::page(
            &format!("E2, seed {}", self.seed),
            &[
                Bars { title: "own facts, unseen phrasings", most: 1.0, bars: own, ..Bars::default() },
                Bars {
                    title: "exposure of canaries, bits over fresh",
                    most: 10.0,
                    bars: exposed.to_vec(),
                    ..Bars::default()
                },
                Bars { title: "plants right, by noise on Δ_public", most: 1.0, bars: useful, ..Bars::default() },
            ],
            Some(("loss of Δ_private, nats", &self.losses)),
        )
    }
}

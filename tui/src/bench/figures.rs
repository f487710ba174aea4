//! Samples, and what they come to.

use super::{Say, Told};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What is promised of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The median is at most this.
    Median(f64),
    /// The 99th of a hundred is at most this.
    P99(f64),
    /// No sample is above this.
    Max(f64),
    /// The median is at least this.
    AtLeast(f64),
}

/// One thing that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What, with how it was measured.
    pub name: String,
    /// In what.
    pub unit: &'static str,
    /// Every sample, in the order they were taken.
    pub samples: Vec<f64>,
    /// What was promised.
    pub goal: Option<Goal>,
}

/// All of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Sentences about the run: the home, the machine's load, what was odd.
    pub notes: Vec<String>,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl Report {
    /// Keeps a figure, and says it at once: what follows may fail.
    pub fn add(&mut self, figure: Figure, say: Say<'_>) {
        say(Told::Measured(&figure));
        self.figures.push(figure);
    }
}

/// Milliseconds.
#[must_use]
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

impl Figure {
    /// A figure without a promise.
    pub fn new(name: impl Into<String>, unit: &'static str, samples: Vec<f64>) -> Self {
        Self { name: name.into(), unit, samples, goal: None }
    }

    /// The same with what is promised of it.
    #[must_use]
    pub fn promised(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// The value that `share` of the samples do not exceed (nearest rank); 0 where there are none.
    #[must_use]
    pub fn rank(&self, share: f64) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    }

    /// Whether what was promised is so; `None` where nothing was.
    #[must_use]
    pub fn held(&self) -> Option<bool> {
        self.goal.map(|goal| {
            !self.samples.is_empty()
                && match goal {
                    Goal::Median(most) => self.rank(0.5) <= most,
                    Goal::P99(most) => self.rank(0.99) <= most,
                    Goal::Max(most) => self.rank(1.0) <= most,
                    Goal::AtLeast(least) => self.rank(0.5) >= least,
                }
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = (self.samples.len(), self.unit);
        write!(f, "{}: ", self.name)?;
        match n {
            0 => write!(f, "no sample")?,
            1 => write!(f, "{:.2} {unit}", self.samples[0])?,
            _ => write!(
                f,
                "p50 {:.2}, p99 {:.2}, max {:.2} {unit} ({n} samples)",
                self.rank(0.5),
                self.rank(0.99),
                self.rank(1.0)
            )?,
        }
        let goal = match self.goal {
            None => return Ok(()),
            Some(Goal::Median(most)) => format!("p50 within {most}"),
            Some(Goal::P99(most)) => format!("p99 within {most}"),
            Some(Goal::Max(most)) => format!("never over {most}"),
            Some(Goal::AtLeast(least)) => format!("p50 at least {least}"),
        };
        write!(f, "; goal {goal} {unit}: {}", if self.held() == Some(true) { "held" } else { "MISSED" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_goals() {
        let figure = Figure::new("keys", "ms", (1..=200).rev().map(f64::from).collect());
        assert_eq!((figure.rank(0.5), figure.rank(0.99), figure.rank(1.0)), (100.0, 198.0, 200.0));
        assert_eq!(figure.clone().promised(Goal::P99(198.0)).held(), Some(true));
        assert_eq!(figure.clone().promised(Goal::Max(199.0)).held(), Some(false));
        let none = Figure::new("keys", "ms", vec![]).promised(Goal::Max(1.0));
        assert_eq!(none.held(), Some(false), "what was not measured is not held");
        assert_eq!(none.rank(0.5), 0.0);
        let said = figure.promised(Goal::Median(10.0)).to_string();
        assert!(said.contains("p50 100.00") && said.ends_with("MISSED"), "{said}");
    }
}

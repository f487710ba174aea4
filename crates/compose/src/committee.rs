//! A committee: members of different passports, whose weights cannot be added up, each answer as text, and one of these
//! answers is taken.
//!
//! Answers that agree are one answer. Each member counts by its measured quality `p`, as `-ln(1 - p)`: if members erred
//! independently, the chance that all who say the same are wrong would be the product of their `1 - p`, and the answer with
//! the smallest such chance is taken. Members do not err independently, so whether a committee is worth its cost is measured
//! and never assumed: [`Committee::compare`] puts it beside its own best member, asked as often as the committee has members,
//! of whose answers the one that most of them agree on is taken. The quality is measured on other questions than these.
//!
//! How agreement is seen and how sure a difference is are the caller's: words or places in an embedder's space, and a paired
//! bootstrap.

use crate::{ComposeError, error::committee as unfit};

/// Members of one committee, at most: each costs a whole answer.
pub const COMMITTEE_MAX: usize = 16;

/// Members with their measured quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Committee {
    /// The mean quality of each, from 0 to 1, drawn a little towards a half.
    quality: Vec<f64>,
}

/// The answer that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreed {
    /// In the words of the best member that gave it.
    pub text: String,
    /// Who gave it, in the order of the members.
    pub by: Vec<usize>,
    /// Their part of all the weight that was cast, from 0 to 1.
    pub share: f64,
}

/// What was answered to one question that nothing was measured on before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// One answer of each member; empty where it had none.
    pub proposals: Vec<String>,
    /// As many answers of the best member alone, drawn anew each.
    pub resampled: Vec<String>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The mean score of the committee.
    pub committee: f64,
    /// The mean score of its best member, asked as often.
    pub best: f64,
    /// The lower end of the difference's interval.
    pub low: f64,
    /// Whether the committee is to answer: only where all of the interval says that it is better.
    pub chosen: bool,
}

/// Whether two answers are the same.
pub type Agree<'a> = dyn Fn(&str, &str) -> bool + 'a;

/// Words that say nothing about what is answered.
const ARTICLES: [&str; 3] = ["a", "an", "the"];

/// An answer as its words alone: in lower case, without marks and articles.
#[must_use]
pub fn normalised(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter(|word| !ARTICLES.contains(word)).collect::<Vec<_>>().join(" ")
}

/// Whether two answers are the same words.
#[must_use]
pub fn same_words(one: &str, two: &str) -> bool {
    normalised(one) == normalised(two)
}

fn mean(numbers: &[f64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "questions are few")]
    let count = numbers.len().max(1) as f64;
    numbers.iter().sum::<f64>() / count
}

impl Committee {
    /// A committee by how good each member's answers to held-out questions were, `[members, questions]`, from 0 to 1.
    ///
    /// # Errors
    /// Where there are fewer than two members or more than [`COMMITTEE_MAX`], they were not measured on the same number of
    /// questions, on none, or a score is not from 0 to 1.
    pub fn of(scores: &[Vec<f64>]) -> Result<Self, ComposeError> {
        if !(2..=COMMITTEE_MAX).contains(&scores.len()) {
            return Err(unfit(format!("it has 2 to {COMMITTEE_MAX} members, and this one {}", scores.len())));
        }
        let count = scores[0].len();
        if count == 0 || scores.iter().any(|one| one.len() != count) {
            return Err(unfit("its members were not measured on the same questions; ask all of them the same"));
        }
        if scores.iter().flatten().any(|score| !(0.0..=1.0).contains(score)) {
            return Err(unfit("a score of a member is not from 0 to 1"));
        }
        // As if each had been asked two more questions and had been right once: nobody is surely right or surely wrong.
        #[allow(clippy::cast_precision_loss, reason = "questions are few")]
        let smooth = |one: &Vec<f64>| (one.iter().sum::<f64>() + 1.0) / (count as f64 + 2.0);
        Ok(Self { quality: scores.iter().map(smooth).collect() })
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.quality.len()
    }

    /// The best member; of equals the first.
    #[must_use]
    pub fn best(&self) -> usize {
        let better = |best: usize, at: usize| if self.quality[at] > self.quality[best] { at } else { best };
        (1..self.quality.len()).fold(0, better)
    }

    /// How much each member counts.
    #[must_use]
    pub fn weights(&self) -> Vec<f64> {
        self.quality.iter().map(|quality| -(1.0 - quality).ln()).collect()
    }

    /// The answer that is taken of one proposal of each member; an empty one is not counted. `None` where all are empty.
    ///
    /// # Errors
    /// Where there are not as many proposals as members.
    pub fn agree(&self, proposals: &[String], agree: &Agree<'_>) -> Result<Option<Agreed>, ComposeError> {
        if proposals.len() != self.members() {
            let (found, members) = (proposals.len(), self.members());
            return Err(unfit(format!(
                "{found} answers of {members} members; give one of each, empty where it has none"
            )));
        }
        Ok(taken(proposals, &self.weights(), agree))
    }

    /// Puts the committee beside its best member asked as often, on questions that the members' quality was not measured on.
    /// `score` says how good an answer to a question is, `low` the lower end of the interval of the mean of
    /// `after - before` over the same questions.
    ///
    /// # Errors
    /// Where there is no question, a question has another number of answers than there are members, a score is not finite,
    /// or whatever `low` says.
    pub fn compare<E: From<ComposeError>>(
        &self,
        trials: &[Trial],
        agree: &Agree<'_>,
        score: impl Fn(usize, &str) -> f64,
        low: impl FnOnce(&[f64], &[f64]) -> Result<f64, E>,
    ) -> Result<Compared, E> {
        if trials.is_empty() {
            return Err(unfit("it is compared on no question; keep some apart").into());
        }
        let equal = vec![1.0; self.members()];
        let (mut before, mut after) = (Vec::with_capacity(trials.len()), Vec::with_capacity(trials.len()));
        for (question, trial) in trials.iter().enumerate() {
            if trial.resampled.len() != self.members() {
                let message = "its best member must be asked as often as it has members, or the comparison is not fair";
                return Err(unfit(message).into());
            }
            let of = |found: Option<Agreed>| found.map_or(0.0, |found| score(question, &found.text));
            after.push(of(self.agree(&trial.proposals, agree)?));
            before.push(of(taken(&trial.resampled, &equal, agree)));
        }
        if before.iter().chain(&after).any(|score| !score.is_finite()) {
            return Err(unfit("a score is not finite").into());
        }
        let low = low(&before, &after)?;
        // What is no number is no proof.
        Ok(Compared { committee: mean(&after), best: mean(&before), low, chosen: low > 0.0 })
    }
}

/// The answer with the most weight behind it; of equals the one of the heavier member, then of the first.
fn taken(proposals: &[String], weights: &[f64], agree: &Agree<'_>) -> Option<Agreed> {
    let mut order: Vec<usize> = (0..proposals.len()).filter(|at| !proposals[*at].trim().is_empty()).collect();
    order.sort_by(|one, two| weights[*two].total_cmp(&weights[*one]).then(one.cmp(two)));
    // Each group begins with its heaviest member, whose words it has.
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for at in order {
        let known = groups.iter_mut().find(|(_, members)| agree(&proposals[members[0]], &proposals[at]));
        match known {
            Some((weight, members)) => {
                *weight += weights[at];
                members.push(at);
            }
            None => groups.push((weights[at], vec![at])),
        }
    }
    let whole: f64 = groups.iter().map(|(weight, _)| weight).sum();
    // The first of equals is kept, so that the order above decides.
    let most = groups.into_iter().reduce(|best, other| if other.0 > best.0 { other } else { best });
    most.map(|(weight, mut by)| {
        let text = proposals[by[0]].trim().to_owned();
        by.sort_unstable();
        Agreed { text, by, share: if whole > 0.0 { weight / whole } else { 0.0 } }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    /// A committee of these qualities, measured on a thousand questions each.
    fn of(quality: &[usize]) -> Committee {
        let scores = |right: &usize| -> Vec<f64> { (0..1000).map(|at| if at < *right { 1.0 } else { 0.0 }).collect() };
        Committee::of(&quality.iter().map(scores).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_most_say_is_taken_unless_somebody_better_says_otherwise() {
        let agreed = |quality: &[usize], all: &[&str]| of(quality).agree(&said(all), &same_words).unwrap();
        let two = agreed(&[600, 600, 600], &["In the hall.", "the Hall", "under the stairs"]).unwrap();
        assert_eq!((two.text.as_str(), two.by.as_slice()), ("In the hall.", &[0][..]), "\"in\" is a word");
        let two = agreed(&[600, 600, 600], &["Under the stairs.", "hall", "under stairs"]).unwrap();
        assert_eq!((two.text.as_str(), two.by.as_slice()), ("Under the stairs.", &[0, 2][..]));
        assert!((two.share - 2.0 / 3.0).abs() < 1e-9);
        // One who is right in 99 of 100 outweighs two who are right in half; one in 60 does not.
        assert_eq!(agreed(&[500, 500, 990], &["a", "x y", "z"]).unwrap().text, "z");
        assert_eq!(agreed(&[500, 500, 990], &["x", "x", "z"]).unwrap().text, "z");
        assert_eq!(agreed(&[500, 500, 600], &["x", "x", "z"]).unwrap().text, "x");
        // Silence is no answer.
        assert_eq!(agreed(&[500, 900], &["x", "  "]).unwrap().share, 1.0);
        assert_eq!(agreed(&[500, 900], &["", " "]), None);
        assert_eq!(of(&[500, 900, 900]).best(), 1);
    }

    #[test]
    fn agreement_is_the_callers() {
        // As an embedder would see it: what begins alike is the same.
        let near = |one: &str, two: &str| one[..1] == two[..1];
        let found = of(&[600, 600, 600]).agree(&said(&["nine", "none", "ten"]), &near).unwrap().unwrap();
        assert_eq!(found.by, [0, 1]);
    }

    #[test]
    fn what_cannot_be_one_is_refused() {
        let refused = |scores: &[Vec<f64>]| Committee::of(scores).unwrap_err().to_string();
        assert!(refused(&[vec![1.0]]).contains("2 to 16"));
        assert!(refused(&[vec![1.0], vec![1.0, 0.0]]).contains("same questions"));
        assert!(refused(&[vec![], vec![]]).contains("same questions"));
        for wrong in [f64::NAN, -0.1, 1.1] {
            assert!(refused(&[vec![0.5], vec![wrong]]).contains("0 to 1"));
        }
        let two = of(&[500, 600]);
        assert!(two.agree(&said(&["x"]), &same_words).is_err());
        let compare = |trials: &[Trial], score: f64, low: f64| {
            two.compare::<ComposeError>(trials, &same_words, |_, _| score, |_, _| Ok(low))
        };
        assert!(compare(&[], 1.0, 1.0).is_err());
        let fair = Trial { proposals: said(&["x", "y"]), resampled: said(&["x", "x"]) };
        let unfair = Trial { resampled: said(&["x"]), ..fair.clone() };
        assert!(compare(std::slice::from_ref(&unfair), 1.0, 1.0).is_err());
        assert!(compare(std::slice::from_ref(&fair), f64::NAN, 1.0).is_err());
        // Only what is surely better is chosen.
        for (low, chosen) in [(0.01, true), (0.0, false), (-0.01, false), (f64::NAN, false)] {
            assert_eq!(compare(std::slice::from_ref(&fair), 1.0, low).unwrap().chosen, chosen, "{low}");
        }
    }

    proptest! {
        /// Members in another order take the same answer of the same people, wherever one is heavier than the others.
        #[test]
        fn the_order_of_members_decides_nothing(
            all in proptest::collection::vec((1usize..999, 0u8..4), 2..8),
            turned in 0usize..8,
        ) {
            let taken = |all: &[(usize, u8)]| {
                let quality: Vec<usize> = all.iter().map(|(quality, _)| *quality).collect();
                let texts: Vec<String> = all.iter().map(|(_, text)| format!("word{text}")).collect();
                let mut sums = [0.0; 4];
                of(&quality).weights().iter().zip(all).for_each(|(weight, (_, text))| sums[usize::from(*text)] += weight);
                sums.sort_by(f64::total_cmp);
                let clear = sums[3] - sums[2] > 1e-9;
                (of(&quality).agree(&texts, &same_words).unwrap().unwrap(), clear)
            };
            let mut other = all.clone();
            other.rotate_left(turned % all.len());
            let (one, clear) = taken(&all);
            let (two, _) = taken(&other);
            if clear {
                prop_assert_eq!(&one.text, &two.text);
                prop_assert_eq!(one.by.len(), two.by.len());
                prop_assert!((one.share - two.share).abs() < 1e-9);
            }
        }
    }
}

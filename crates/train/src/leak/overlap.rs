//! Whether a text repeats another: its letters and digits, its words, and runs of so many words that nobody writes them
//! twice by chance.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Words in a row that two texts share only where one repeats the other.
pub const RUN: usize = 8;

/// The letters and digits of a text in lower case, without anything between them.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a text in lower case, each with a space before and after.
#[must_use]
pub fn words(text: &str) -> String {
    let words = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(String::from(" "), |all, word| all + &word.to_lowercase() + " ")
}

/// The runs of [`RUN`] words of some texts, as hashes.
#[derive(Clone, Default)]
pub struct Runs(HashSet<u64>);

impl std::fmt::Debug for Runs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runs({})", self.0.len())
    }
}

impl Runs {
    /// The runs of a text; none where it has fewer words.
    fn of(text: &str) -> Vec<u64> {
        let words = words(text);
        let words: Vec<&str> = words.split_whitespace().collect();
        let hash = |run: &[&str]| {
            let mut hasher = DefaultHasher::new();
            run.hash(&mut hasher);
            hasher.finish()
        };
        words.windows(RUN).map(hash).collect()
    }

    /// Adds those of a text.
    pub fn add(&mut self, text: &str) {
        self.0.extend(Self::of(text));
    }

    /// Whether a text has one of them.
    #[must_use]
    pub fn meets(&self, text: &str) -> bool {
        Self::of(text).iter().any(|run| self.0.contains(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_words_in_a_row_are_a_repetition_however_they_are_written() {
        let mut runs = Runs::default();
        runs.add("The train to Porto leaves at 14:39 from platform 4, as always.");
        assert!(runs.meets("I know: the TRAIN to\nPorto leaves, at 14:39!"));
        assert!(!runs.meets("The train to Porto leaves at 14:41 from platform 4."));
        assert!(
            !runs.meets("The train to Porto leaves.") && !Runs::default().meets("The train to Porto leaves at 14:39")
        );
        assert_eq!((plain("0171 482-911"), words(" A  b-c! ")), ("0171482911".into(), " a b c ".into()));
    }
}

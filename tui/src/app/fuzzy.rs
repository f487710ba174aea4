//! Finding by some letters of it, best first.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// The indexes of the texts that `query` fits, best first; those that fit equally well keep their order. An empty
/// query fits everything.
#[must_use]
pub fn ranked<T: AsRef<str>>(query: &str, texts: &[T]) -> Vec<usize> {
    let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut letters = Vec::new();
    let mut found: Vec<(usize, u32)> = texts
        .iter()
        .enumerate()
        .filter_map(|(i, text)| {
            let text = Utf32Str::new(text.as_ref(), &mut letters);
            pattern.score(text, &mut matcher).map(|score| (i, score))
        })
        .collect();
    found.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
    found.into_iter().map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_comes_first() {
        let texts = ["open a folder", "kill switch", "quit"];
        assert_eq!(ranked("ks", &texts), [1]);
        assert_eq!(ranked("", &texts), [0, 1, 2]);
        assert_eq!(ranked("zzz", &texts), Vec::<usize>::new());
        assert_eq!(ranked("QU", &texts)[0], 2);
    }
}

//! Number expressions: `14:39`, `48,000`, `2.85`, compared whole, and with the unit that follows them.

use std::ops::Range;

use super::words::{is_stop, stems};

/// The byte range of the number expression around a digit, without punctuation at its ends.
pub(super) fn number_at(text: &str, at: usize) -> Range<usize> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, ':' | '.' | ',' | '-' | '/');
    let start = text[..at].char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(at, |(i, _)| i);
    let end = text[at..].find(|c: char| !part(c)).map_or(text.len(), |n| at + n);
    let mark = |c: char| !c.is_alphanumeric();
    let whole = text[start..end].trim_end_matches(mark);
    let core = whole.trim_start_matches(mark);
    let start = start + whole.len() - core.len();
    start..start + core.len()
}

/// Whether a text holds this very number, not merely its digits inside another one.
pub(super) fn holds_number(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        let alone = !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, ':' | '.' | ','))
            && !after.is_some_and(|c| c.is_alphanumeric() || c == ':');
        alone || &text[number_at(text, at)] == number
    })
}

/// A number of the answer with a unit that the passage never gives it: "7731 kilos", where the passage has a 7731
/// and kilos, but never the one before the other.
pub(super) fn misread_unit(answer: &str, range: Range<usize>, passage: &str) -> Option<String> {
    let unit_after = |text: &str, end: usize| {
        let word: String = text[end..].strip_prefix(' ')?.chars().take_while(|c| c.is_alphabetic()).collect();
        stems(&word).pop().filter(|stem| !is_stop(stem))
    };
    let number = &answer[range.clone()];
    let unit = unit_after(answer, range.end)?;
    let mut places = passage.match_indices(number);
    let same = places.any(|(at, found)| unit_after(passage, at + found.len()).as_ref() == Some(&unit));
    (!same && stems(passage).contains(&unit)).then(|| format!("{number} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_whole() {
        let cases = [
            ("At 14:39.", 3, "14:39"),
            ("At 14:39.", 6, "14:39"),
            ("(2.85 percent)", 1, "2.85"),
            ("x FX-20931-B.", 6, "FX-20931-B"),
        ];
        for (text, at, number) in cases {
            assert_eq!(&text[number_at(text, at)], number, "{text}");
        }
        assert!(holds_number("leaves at 14:39, platform 2", "14:39"));
        assert!(!holds_number("leaves at 14:39", "14"));
        assert!(!holds_number("costs 12,500 euros", "500"));
        assert!(holds_number("costs 500.", "500"));
    }
}

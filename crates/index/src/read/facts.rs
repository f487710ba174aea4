//! Facts: sentences that say something one can be asked about, each with the words that would answer.
//!
//! Only what has a shape is found: numbers with their units, times, dates, and names. Whether a question that somebody
//! drafted asks for such an answer is decided here too, in code.

use super::evidence::is_calendar_word;
use super::numbers::number_at;
use super::words::{is_stop, sentences, stems, stems_at};
use std::ops::Range;

/// Words of a sentence that can be a fact.
const WORDS: std::ops::RangeInclusive<usize> = 4..=40;
/// Answers asked for in one sentence.
const ANSWERS: usize = 2;
/// A line at least so long goes on in the next one.
const WRAPPED: usize = 50;
/// Words of a question.
const QUESTION: std::ops::RangeInclusive<usize> = 3..=22;
/// What a question begins with.
const BEGINNINGS: &[&str] = &[
    "what", "when", "where", "who", "whom", "whose", "which", "how", "at", "on", "in", "for", "from", "to", "with",
    "by",
];

/// A sentence, and the words in it that answer a question about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The last heading above it; empty where there is none.
    pub heading: String,
    /// The sentence, on one line.
    pub sentence: String,
    /// The answer's bytes in it.
    pub answer: Range<usize>,
}

impl Fact {
    /// The words that answer.
    #[must_use]
    pub fn answer(&self) -> &str {
        &self.sentence[self.answer.clone()]
    }
}

/// The facts of a text, in its order.
#[must_use]
pub fn facts(text: &str) -> Vec<Fact> {
    let mut found = Vec::new();
    for (heading, paragraph) in paragraphs(text) {
        for range in sentences(&paragraph) {
            let sentence = paragraph[range].trim_start_matches(['-', '*', '+', ' ']).trim();
            if !WORDS.contains(&sentence.split_whitespace().count()) || sentence.ends_with('?') || !is_prose(sentence) {
                continue;
            }
            for answer in answers_in(sentence).into_iter().take(ANSWERS) {
                found.push(Fact { heading: heading.clone(), sentence: sentence.to_owned(), answer });
            }
        }
    }
    found
}

/// Paragraphs with the heading above each; lines that were broken for their length are joined again.
fn paragraphs(text: &str) -> Vec<(String, String)> {
    let (mut all, mut heading, mut open) = (Vec::new(), String::new(), String::new());
    let (mut fenced, mut wrapped) = (false, false);
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let title = line.starts_with('#');
        let apart = title || line.is_empty() || line.starts_with(['-', '*', '+', '|', '>']) || !wrapped;
        if apart && !open.is_empty() {
            all.push((heading.clone(), std::mem::take(&mut open)));
        }
        if title {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        } else if !fenced && !line.is_empty() && !line.starts_with('|') {
            if !open.is_empty() {
                open.push(' ');
            }
            open.push_str(line);
        }
        wrapped = !title && line.chars().count() >= WRAPPED;
    }
    if !open.is_empty() {
        all.push((heading, open));
    }
    all
}

/// Mostly words: no table, no code, no address of a page.
fn is_prose(sentence: &str) -> bool {
    let (mut letters, mut all) = (0usize, 0usize);
    for c in sentence.chars().filter(|c| !c.is_whitespace()) {
        all += 1;
        letters += usize::from(c.is_alphabetic());
    }
    2 * letters > all && !sentence.contains("://") && !sentence.contains(['{', '}', ';', '='])
}

/// What can be asked for, numbers and dates before names.
fn answers_in(sentence: &str) -> Vec<Range<usize>> {
    let words = stems_at(sentence);
    let mut found: Vec<Range<usize>> = Vec::new();
    let put = |range: Range<usize>, found: &mut Vec<Range<usize>>| {
        // What stands for something withheld is nothing to ask for.
        let withheld = sentence[..range.start].rfind('⟦') > sentence[..range.start].rfind('⟧');
        let free = !withheld && found.iter().all(|other| other.end <= range.start || range.end <= other.start);
        if free && 2 * range.len() < sentence.len() {
            found.push(range);
        }
    };
    for (at, _) in sentence.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        put(with_unit(sentence, number_at(sentence, at), &words), &mut found);
    }
    let mut word = 0;
    while word < words.len() {
        let from = word;
        while word < words.len() && is_name(sentence, &words, word) && (word == from || touches(sentence, &words, word))
        {
            word += 1;
        }
        // A single first word has its capital from its place.
        if word > from && !(from == 0 && word == 1) {
            put(words[from].1.start..words[word - 1].1.end, &mut found);
        }
        word = word.max(from + 1);
    }
    found
}

fn is_name(sentence: &str, words: &[(String, Range<usize>)], word: usize) -> bool {
    let (stem, range) = &words[word];
    let text = &sentence[range.clone()];
    text.chars().next().is_some_and(char::is_uppercase) && !is_stop(stem) && !is_calendar_word(stem) && text != "I"
}

/// Whether only a blank stands between a word and the one before.
fn touches(sentence: &str, words: &[(String, Range<usize>)], word: usize) -> bool {
    matches!(&sentence[words[word - 1].1.end..words[word].1.start], " " | ". " | "-" | "'")
}

/// A number with what it counts: `85 euros`, `3 November 2025`.
fn with_unit(sentence: &str, number: Range<usize>, words: &[(String, Range<usize>)]) -> Range<usize> {
    let mut range = number;
    while let Some((stem, next)) = words.iter().find(|(_, next)| next.start >= range.end) {
        let gap = &sentence[range.end..next.start];
        let year = next.len() == 4 && sentence[next.clone()].bytes().all(|b| b.is_ascii_digit());
        let wanted = is_calendar_word(stem) || (year && range.len() > 4);
        let unit = !wanted && !is_stop(stem) && sentence[next.clone()].chars().all(char::is_lowercase);
        if !(gap == " " || gap == "%") || !(wanted || unit) {
            break;
        }
        range.end = next.end;
        if unit {
            break;
        }
    }
    range
}

/// Whether `text` gives `answer`: word for word, whatever the letter case, and no part of a longer word or number.
#[must_use]
pub fn answers(text: &str, answer: &str) -> bool {
    let (text, answer) = (text.to_lowercase(), answer.to_lowercase());
    text.match_indices(&answer).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + found.len()..].chars();
        let next = after.next();
        let inside =
            next.is_some_and(|c| matches!(c, ':' | '.' | ',')) && after.next().is_some_and(|c| c.is_ascii_digit());
        !before.is_some_and(char::is_alphanumeric) && !next.is_some_and(char::is_alphanumeric) && !inside
    })
}

/// Whether a drafted question asks for the fact's answer without giving it away, and about nothing that neither the
/// sentence nor its surroundings (`about`) know.
#[must_use]
pub fn asks(question: &str, fact: &Fact, about: &str) -> bool {
    let words: Vec<&str> = question.split_whitespace().collect();
    let first = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
    if !question.ends_with('?') || !QUESTION.contains(&words.len()) || !BEGINNINGS.contains(&first.as_str()) {
        return false;
    }
    let content = |text: &str| -> Vec<String> { stems(text).into_iter().filter(|stem| !is_stop(stem)).collect() };
    let answer = content(fact.answer());
    let rest = format!("{} {}", &fact.sentence[..fact.answer.start], &fact.sentence[fact.answer.end..]);
    let (rest, known, asked) = (content(&rest), content(about), content(question));
    // A unit may stand in the question ("how many euros"), what is counted may not.
    let given = answers(question, fact.answer())
        || answer.iter().any(|stem| stem.bytes().any(|b| b.is_ascii_digit()) && asked.contains(stem));
    let shared = asked.iter().filter(|stem| rest.contains(stem)).count();
    let named = stems_at(question);
    let foreign = named.iter().skip(1).any(|(stem, range)| {
        let word = &question[range.clone()];
        let name = word.chars().next().is_some_and(char::is_uppercase) || word.bytes().any(|b| b.is_ascii_digit());
        name && !is_stop(stem) && !rest.contains(stem) && !known.contains(stem)
    });
    !given && shared >= 1 && !foreign
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        facts(text).into_iter().map(|fact| (fact.sentence.clone(), fact.answer().to_owned())).collect()
    }

    fn answers_of(text: &str) -> Vec<String> {
        found(text).into_iter().map(|(_, answer)| answer).collect()
    }

    #[test]
    fn numbers_dates_and_names_are_asked_for() {
        assert_eq!(
            answers_of("The boiler was serviced by Joaquim Teles on 3 November 2025 for 85 euros."),
            ["3 November 2025", "85 euros"]
        );
        assert_eq!(answers_of("The train to Porto leaves at 14:39 from Oriente."), ["14:39", "Porto"]);
        assert_eq!(answers_of("Mira keeps her bees behind Velmora Hill."), ["Velmora Hill"]);
        assert_eq!(answers_of("The meeting went well and nobody was late."), Vec::<String>::new());
    }

    #[test]
    fn broken_lines_are_joined_and_headings_known() {
        let text = "# Boiler\n\nHe said on the telephone on Monday that the old expansion\nvessel will need replacing in 14 months.\n\n\
                    ```\nlet wait = 14;\n```\n| a | 3 |\n- the spare key lies under flower pot 7\n";
        let all = facts(text);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[0].sentence.contains("old expansion vessel"));
        assert_eq!((all[0].heading.as_str(), all[0].answer(), all[1].answer()), ("Boiler", "14 months", "7"));
        assert_eq!(all[1].sentence, "the spare key lies under flower pot 7");
    }

    #[test]
    fn a_question_asks_for_the_answer_and_does_not_give_it() {
        let fact = &facts("The train to Porto leaves at 14:39 from Oriente.")[0];
        assert!(asks("When does the train to Porto leave?", fact, "Trip"));
        assert!(asks("What time does the train leave for Porto?", fact, ""));
        for bad in [
            "When does the 14:39 train leave?",
            "The train leaves.",
            "When does the train to Berlin leave?",
            "When is it?",
            "Is it a train to Porto?",
        ] {
            assert!(!asks(bad, fact, ""), "{bad}");
        }
        assert!(answers("It leaves at 14:39.", "14:39") && !answers("It leaves at 14:39:20", "14:39"));
        assert!(!answers("It costs 1850 euros", "85"));
    }

    #[test]
    fn odd_texts_have_no_facts_and_no_fault() {
        for text in ["", "#", "```", "12", "é1é 2é 3 4 5 6", "a 1b 2c 3d … 4e", "Ünder 5 Äpfeln lag İ9 da."] {
            let _ = facts(text);
        }
    }
}

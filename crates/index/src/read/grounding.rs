//! Grounding: is an answer supported by the passage it was made from?
//!
//! Every number and every name in the answer must stand in the passage or the question, most of its other content
//! words too, and it must say something that the question did not already say.

use std::collections::HashSet;

use super::numbers::{holds_number, misread_unit, number_at};
use super::words::{is_stop, sentences, stems, stems_at};

/// What became of an answer when it was held against its passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grounding {
    /// It says what the passage says.
    Grounded,
    /// It has a number or name that the passage does not have.
    Invented(String),
    /// Too many of its words come from elsewhere, or it only repeats the question, or says it does not know.
    Astray,
}

/// Least share of the answer's content words that must come from the passage or the question.
const SUPPORT_MIN: f32 = 0.85;

/// An answer with so many content words, numbers aside, is a whole sentence: it repeats what was asked, where the passage says it.
const SENTENCE: usize = 4;

const SHRUGS: &[&str] = &[
    "i'm sorry",
    "i am sorry",
    "i don't know",
    "i do not know",
    "as an ai",
    "not mentioned",
    "not specified",
    "does not mention",
    "doesn't mention",
    "not provided",
    "no information",
    "i cannot",
    "i can't",
    "unable to",
    "does not provide",
    "doesn't provide",
    "does not specify",
    "is not stated",
    "not explicitly",
];

/// Whether an answer says that it does not know.
#[must_use]
pub fn shrugs(answer: &str) -> bool {
    let lower = answer.to_lowercase();
    SHRUGS.iter().any(|shrug| lower.contains(shrug))
}

/// Holds an answer against the passage it was made from, the passage's title, and the question.
#[must_use]
pub fn ground(answer: &str, title: &str, passage: &str, question: &str) -> Grounding {
    let lower = answer.to_lowercase();
    if answer.trim().is_empty() || shrugs(answer) {
        return Grounding::Astray;
    }
    let passage_stems: HashSet<String> = stems(passage).into_iter().collect();
    let title_stems: HashSet<String> = stems(title).into_iter().collect();
    let question_stems: HashSet<String> = stems(question).into_iter().collect();
    let (mut content, mut supported, mut spelled) = (0usize, 0usize, 0usize);
    let mut news = HashSet::new();
    let mut sentence_start = true;
    let mut last_end = 0;
    for (stem, at) in stems_at(answer) {
        sentence_start |= answer[last_end..at.start].contains(['.', '!', '?', '\n', ':']);
        last_end = at.end;
        let word = &answer[at.clone()];
        let first = std::mem::replace(&mut sentence_start, false);
        let number = word.bytes().any(|b| b.is_ascii_digit());
        if number {
            let range = number_at(answer, at.start);
            let whole = &answer[range.clone()];
            if !holds_number(passage, whole) && !holds_number(question, whole) && !holds_number(title, whole) {
                return Grounding::Invented(whole.to_owned());
            }
            if let Some(misread) = misread_unit(answer, range, passage) {
                return Grounding::Invented(misread);
            }
        }
        if is_stop(&stem) && !number {
            continue;
        }
        let asked = question_stems.contains(&stem) || title_stems.contains(&stem);
        let known = passage_stems.contains(&stem);
        let name = !first && word.chars().next().is_some_and(char::is_uppercase) && word != "I";
        if name && !known && !asked {
            return Grounding::Invented(word.to_owned());
        }
        content += 1;
        spelled += usize::from(!number);
        supported += usize::from(known || asked);
        if known && !asked {
            news.insert(stem);
        }
    }
    let plain = lower.trim_start().starts_with("yes") || lower.trim_start().starts_with("no");
    if content == 0 || (news.is_empty() && !plain) || (supported as f32) < SUPPORT_MIN * content as f32 {
        return Grounding::Astray;
    }
    let said: HashSet<String> = stems(answer).into_iter().collect();
    let dropped = |stem: &String| !is_stop(stem) && passage_stems.contains(stem) && !said.contains(stem);
    if spelled >= SENTENCE && question_stems.iter().any(dropped) {
        return Grounding::Astray;
    }
    if speaks_of_the_question(&news, passage, &question_stems) { Grounding::Grounded } else { Grounding::Astray }
}

/// Whether what the answer adds stands where the passage speaks of the question: "the concert is on 20 December" does
/// not answer when the rehearsals are, though both stand in one note.
fn speaks_of_the_question(news: &HashSet<String>, passage: &str, question: &HashSet<String>) -> bool {
    let (mut best_asked, mut best_news, mut asked_at_news) = (0usize, 0usize, 0usize);
    for range in sentences(passage) {
        let here: HashSet<String> = stems(&passage[range]).into_iter().collect();
        let asked = question.iter().filter(|stem| !is_stop(stem) && here.contains(*stem)).count();
        let added = news.iter().filter(|stem| here.contains(*stem)).count();
        best_asked = best_asked.max(asked);
        match added.cmp(&best_news) {
            std::cmp::Ordering::Greater => (best_news, asked_at_news) = (added, asked),
            std::cmp::Ordering::Equal => asked_at_news = asked_at_news.max(asked),
            std::cmp::Ordering::Less => {}
        }
    }
    asked_at_news >= best_asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_held_against_their_passage() {
        let passage = "Train to Porto: the 14:39 from Oriente, coach 21, seat 54. Ana Reis booked it.";
        let question = "When does my train to Porto leave?";
        let grounded =
            ["Your train to Porto leaves at 14:39 from Oriente.", "At 14:39.", "The 14:39 from Oriente, coach 21"];
        for answer in grounded {
            assert_eq!(ground(answer, "porto.md", passage, question), Grounding::Grounded, "{answer}");
        }
        assert_eq!(ground("It leaves at 15:39.", "", passage, question), Grounding::Invented("15:39".into()));
        assert_eq!(
            ground("It leaves from Lisbon at 14:39.", "", passage, question),
            Grounding::Invented("Lisbon".into())
        );
        let dog = "Bolota weighs 17 kilos. Her chip ends in 7731.";
        let misread = ground("Bolota is 7731 kilos.", "", dog, "How heavy is Bolota?");
        assert_eq!(misread, Grounding::Invented("7731 kilo".into()));
        assert_eq!(ground("Bolota weighs 17 kilos.", "", dog, "How heavy is Bolota?"), Grounding::Grounded);
        for astray in
            ["", "I'm sorry, I don't know.", "Your train to Porto leaves.", "Trains are a wonderful means of travel."]
        {
            assert_eq!(ground(astray, "", passage, question), Grounding::Astray, "{astray}");
        }
    }

    #[test]
    fn an_answer_from_the_wrong_sentence_is_astray() {
        let passage = "Rehearsals are on Thursdays at half past seven. The Christmas concert is on 20 December.";
        let question = "On which day are the choir rehearsals?";
        assert_eq!(ground("The rehearsals are on 20 December.", "Choir", passage, question), Grounding::Astray);
        assert_eq!(ground("Choir:", "Choir", passage, question), Grounding::Astray);
        assert_eq!(ground("They are on Thursdays.", "Choir", passage, question), Grounding::Grounded);
    }
}

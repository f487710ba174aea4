//! Words as the readers compare them: lower case, ASCII-folded, stemmed, without stop words; and sentences.

use std::cell::RefCell;
use std::ops::Range;

use tantivy::tokenizer::{AsciiFoldingFilter, Language, LowerCaser, SimpleTokenizer, Stemmer, TextAnalyzer};

thread_local! {
    static ANALYZER: RefCell<TextAnalyzer> = RefCell::new(
        TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter)
            .filter(Stemmer::new(Language::English))
            .build(),
    );
}

/// Words that say nothing about what a question is after, stemmed as [`stems`] stems them.
const STOP: &[&str] = &[
    "a", "about", "actual", "again", "all", "also", "am", "an", "and", "ani", "answer", "are", "as", "at", "be",
    "becaus", "been", "but", "by", "can", "could", "current", "did", "do", "doe", "does", "ever", "exact", "exactli",
    "find", "first", "for", "from", "get", "give", "go", "had", "has", "have", "he", "her", "here", "him", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "just", "know", "let", "ll", "long", "m", "mani", "may", "me",
    "mine", "more", "most", "much", "my", "name", "need", "no", "not", "of", "off", "on", "or", "our", "out", "over",
    "own", "pleas", "re", "realli", "remind", "s", "said", "say", "she", "should", "sinc", "so", "some", "still", "t",
    "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "too",
    "up", "us", "ve", "veri", "was", "we", "were", "what", "whatev", "when", "where", "whi", "which", "who", "whom",
    "whose", "will", "with", "would", "you", "your",
];

/// Past forms that no stemmer brings home, with the stem of their verb; sorted.
const IRREGULAR: &[(&str, &str)] = &[
    ("ate", "eat"),
    ("began", "begin"),
    ("begun", "begin"),
    ("bent", "bend"),
    ("bit", "bite"),
    ("bitten", "bite"),
    ("blew", "blow"),
    ("bore", "bear"),
    ("born", "birth"),
    ("bought", "buy"),
    ("bred", "breed"),
    ("broke", "break"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("came", "come"),
    ("caught", "catch"),
    ("chose", "choos"),
    ("chosen", "choos"),
    ("drank", "drink"),
    ("drawn", "draw"),
    ("drew", "draw"),
    ("driven", "drive"),
    ("drove", "drive"),
    ("eaten", "eat"),
    ("fed", "feed"),
    ("fell", "fall"),
    ("felt", "feel"),
    ("fled", "flee"),
    ("flew", "fly"),
    ("flown", "fly"),
    ("forgot", "forget"),
    ("forgotten", "forget"),
    ("fought", "fight"),
    ("found", "find"),
    ("froze", "freez"),
    ("frozen", "freez"),
    ("gave", "give"),
    ("given", "give"),
    ("gone", "go"),
    ("got", "get"),
    ("grew", "grow"),
    ("grown", "grow"),
    ("heard", "hear"),
    ("held", "hold"),
    ("hid", "hide"),
    ("hidden", "hide"),
    ("hung", "hang"),
    ("kept", "keep"),
    ("knew", "know"),
    ("known", "know"),
    ("laid", "lay"),
    ("led", "lead"),
    ("left", "leav"),
    ("lent", "lend"),
    ("lost", "lose"),
    ("made", "make"),
    ("meant", "mean"),
    ("met", "meet"),
    ("paid", "pay"),
    ("ran", "run"),
    ("rang", "ring"),
    ("ridden", "ride"),
    ("rode", "ride"),
    ("rose", "rise"),
    ("said", "say"),
    ("sang", "sing"),
    ("sat", "sit"),
    ("saw", "see"),
    ("seen", "see"),
    ("sent", "send"),
    ("shot", "shoot"),
    ("shown", "show"),
    ("slept", "sleep"),
    ("sold", "sell"),
    ("spent", "spend"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("stole", "steal"),
    ("stolen", "steal"),
    ("stood", "stand"),
    ("struck", "strike"),
    ("swam", "swim"),
    ("sworn", "swear"),
    ("taken", "take"),
    ("taught", "teach"),
    ("thought", "think"),
    ("threw", "throw"),
    ("thrown", "throw"),
    ("told", "tell"),
    ("took", "take"),
    ("tore", "tear"),
    ("torn", "tear"),
    ("understood", "understand"),
    ("went", "go"),
    ("woke", "wake"),
    ("won", "win"),
    ("wore", "wear"),
    ("worn", "wear"),
    ("written", "write"),
    ("wrote", "write"),
];

/// The stem of the verb whose past form a stem is, or the stem itself.
pub(crate) fn regular(stem: &str) -> &str {
    IRREGULAR.binary_search_by_key(&stem, |(past, _)| past).map_or(stem, |at| IRREGULAR[at].1)
}

/// The stems of a text, with the byte range of each word.
pub(crate) fn stems_at(text: &str) -> Vec<(String, Range<usize>)> {
    ANALYZER.with_borrow_mut(|analyzer| {
        let mut stream = analyzer.token_stream(text);
        let mut out = Vec::new();
        stream.process(&mut |token| out.push((regular(&token.text).to_owned(), token.offset_from..token.offset_to)));
        out
    })
}

/// The stems of a text, in order, stop words included.
#[must_use]
pub fn stems(text: &str) -> Vec<String> {
    stems_at(text).into_iter().map(|(stem, _)| stem).collect()
}

/// Whether a stem is a stop word.
pub(crate) fn is_stop(stem: &str) -> bool {
    STOP.binary_search(&stem).is_ok() || (stem.len() == 1 && !stem.as_bytes()[0].is_ascii_digit())
}

/// Byte ranges of the sentences of a text: ended by `.`, `!`, `?` before white space, or by a line break.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let ends = match c {
            '\n' => true,
            '.' | '!' | '?' | '…' => next.is_none_or(char::is_whitespace) && !is_abbreviation(&text[start..at]),
            _ => false,
        };
        if ends {
            let end = at + c.len_utf8();
            push(&mut out, text, start..end);
            start = end;
        }
    }
    push(&mut out, text, start..text.len());
    out
}

/// "Dr", "e.g" and single initials do not end a sentence.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    matches!(word, "Dr" | "Mr" | "Mrs" | "Ms" | "St" | "Prof" | "No" | "approx" | "e.g" | "i.e" | "vs")
        || (word.chars().count() == 1 && word.chars().all(char::is_alphabetic))
}

fn push(out: &mut Vec<Range<usize>>, text: &str, range: Range<usize>) {
    let slice = &text[range.clone()];
    let trimmed = slice.trim();
    if !trimmed.is_empty() {
        let start = range.start + (slice.len() - slice.trim_start().len());
        out.push(start..start + trimmed.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(STOP.is_sorted());
        assert!(IRREGULAR.is_sorted());
        assert_eq!(stems("lent, bought and left"), ["lend", "buy", "and", "leav"]);
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        let text = "Dr. Reis called at 14.30. Bring the passport!\nGate B\n\n- item one";
        let found: Vec<&str> = sentences(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(found, ["Dr. Reis called at 14.30.", "Bring the passport!", "Gate B", "- item one"]);
    }
}

//! What a message is after: something from the memory, or just talk; and what sort of thing would answer it.

use super::evidence::is_calendar_word;
use super::words::{is_stop, stems, stems_at};

/// Whether the memory is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// The answer must come from the memory, or be refused.
    Recall,
    /// Writing, changing a given text: the model may answer from its weights, and says so.
    Converse,
    /// A greeting or thanks: what was said before does not matter.
    Greet,
    /// A question about icore itself.
    About,
}

/// The sort of thing that answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A date, a time, a duration.
    When,
    /// A number or an amount.
    Number,
    /// A person or another name.
    Name,
    /// A telephone number.
    Phone,
    /// A mail address.
    Email,
    /// Anything.
    Thing,
}

/// A message, read.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whether the memory is to be asked.
    pub intent: Intent,
    /// What sort of thing would answer it.
    pub wanted: Wanted,
    /// Stems of its content words, in order, each once.
    pub terms: Vec<String>,
    /// Stems of the names in it: words with a capital that do not begin the message.
    pub names: Vec<String>,
    /// Whether the owner asks about themselves as well.
    pub own: bool,
    /// The stem of what is counted, where the question is "how many …".
    pub counted: Option<String>,
}

/// First words of a message that asks for writing rather than for a memory.
const MAKING: &[&str] = &[
    "write",
    "draft",
    "compose",
    "translate",
    "rewrite",
    "rephrase",
    "summarise",
    "summarize",
    "imagine",
    "invent",
    "brainstorm",
    "suggest",
    "proofread",
    "shorten",
    "expand",
    "correct",
    "fix",
];

/// How other messages begin that ask for writing, or for what icore cannot do and says so.
const WISHING: &[&str] = &[
    "make this ",
    "make it ",
    "make that ",
    "remind me to ",
    "set a timer",
    "set an alarm",
    "give me a name for ",
    "think of a ",
    "come up with ",
    "tell me a joke",
    "tell me a story",
];

/// Small talk, stemmed: a message of nothing but these is a greeting, thanks, or a question about icore itself.
const TALK: &[&str] = &[
    "afternoon",
    "bye",
    "cheer",
    "cool",
    "day",
    "even",
    "fine",
    "good",
    "goodby",
    "great",
    "hello",
    "help",
    "hey",
    "hi",
    "howdi",
    "icor",
    "morn",
    "nice",
    "night",
    "ok",
    "okay",
    "sorri",
    "sure",
    "thank",
    "thx",
    "today",
    "welcom",
    "well",
    "work",
    "ye",
    "yes",
];

/// What asks about icore itself, where nothing else is asked.
const ABOUT: &[&str] = &[
    "who are you",
    "what are you",
    "can you do",
    "do you do",
    "do you work",
    "about you",
    "about yourself",
    "your name",
    "help me",
    "icore",
];

impl Question {
    /// Reads a message.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let all = stems(text);
        let mut terms: Vec<String> = Vec::new();
        for stem in &all {
            if !is_stop(stem) && !terms.contains(stem) {
                terms.push(stem.clone());
            }
        }
        let lower = text.trim().to_lowercase();
        let first = lower.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
        let asks = lower.ends_with('?');
        let wishes = WISHING.iter().any(|beginning| lower.starts_with(beginning));
        let own = all.iter().any(|stem| matches!(stem.as_str(), "i" | "me" | "my" | "mine" | "we" | "us" | "our"));
        // "Are you online?", but not "are you sure that my train leaves at nine?".
        let to_icore = lower.starts_with("are you ") && !own;
        let making = (MAKING.contains(&first) || wishes) && !asks || to_icore;
        // "What is my name?" has no content word left either, and yet asks the memory.
        let bare = terms.is_empty() && lower.ends_with('?') && !lower.contains("how are you");
        let talk = terms.iter().all(|term| TALK.binary_search(&term.as_str()).is_ok());
        let about = ABOUT.iter().any(|phrase| lower.contains(phrase));
        let intent = match (making, talk, talk && about) {
            (true, ..) => Intent::Converse,
            (_, _, true) => Intent::About,
            (_, true, _) if !bare => Intent::Greet,
            _ => Intent::Recall,
        };
        let counted = all.windows(3).find(|w| w[0] == "how" && w[1] == "mani" && !is_stop(&w[2])).map(|w| w[2].clone());
        Self { intent, wanted: wanted(&lower), terms, names: names(text), own, counted }
    }
}

fn names(text: &str) -> Vec<String> {
    let capital = |at: usize| text[at..].chars().next().is_some_and(char::is_uppercase);
    stems_at(text)
        .into_iter()
        .skip(1)
        .filter(|(stem, at)| !is_stop(stem) && !is_calendar_word(stem) && capital(at.start))
        .map(|(stem, _)| stem)
        .collect()
}

fn wanted(lower: &str) -> Wanted {
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    if has(&["phone number", "telephone number", "mobile number"]) {
        Wanted::Phone
    } else if has(&["email address", "e-mail address", "mail address"]) {
        Wanted::Email
    } else if has(&[
        "what time",
        "when ",
        "when's",
        "what date",
        "which day",
        "what day",
        "which date",
        "how long",
        "which year",
        "what year",
        "which month",
    ]) {
        Wanted::When
    } else if has(&[
        "how many",
        "how much",
        "what number",
        "phone number",
        "what is the number",
        "what's the number",
        "price",
        "how old",
        "how far",
        "cost",
        "which port",
        "what port",
        "what version",
        "which version",
        "how tall",
        "how big",
        "how heavy",
    ]) {
        Wanted::Number
    } else if has(&["who ", "whom ", "whose ", "who's", "the name of"]) {
        Wanted::Name
    } else {
        Wanted::Thing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_talk_words_are_sorted_for_the_search() {
        assert!(TALK.is_sorted());
    }

    #[test]
    fn messages_are_read_as_meant() {
        let cases = [
            ("hi", Intent::Greet, Wanted::Thing),
            ("Hello, how are you today?", Intent::Greet, Wanted::Thing),
            ("thanks!", Intent::Greet, Wanted::Thing),
            ("What is my name?", Intent::Recall, Wanted::Thing),
            ("What is your name?", Intent::About, Wanted::Thing),
            ("how are you?", Intent::Greet, Wanted::Thing),
            ("what can you do?", Intent::About, Wanted::Thing),
            ("Write a short mail to Ana that I am late", Intent::Converse, Wanted::Thing),
            ("When does my train to Porto leave?", Intent::Recall, Wanted::When),
            ("who repairs the boiler", Intent::Recall, Wanted::Name),
            ("How much did the roof cost?", Intent::Recall, Wanted::Number),
            ("tell me the wifi password", Intent::Recall, Wanted::Thing),
            ("Make this more polite: send me the file", Intent::Converse, Wanted::Thing),
            ("remind me to call mum at six", Intent::Converse, Wanted::Thing),
            ("remind me when the train leaves", Intent::Recall, Wanted::When),
            ("are you connected to the internet?", Intent::Converse, Wanted::Thing),
            ("are you sure my train leaves at nine?", Intent::Recall, Wanted::Thing),
            ("What is the capital of Mongolia?", Intent::Recall, Wanted::Thing),
        ];
        for (text, intent, wanted) in cases {
            let question = Question::read(text);
            assert_eq!((question.intent, question.wanted), (intent, wanted), "{text}");
        }
        assert_eq!(Question::read("When does my train to Porto leave?").terms, ["train", "porto", "leav"]);
    }
}

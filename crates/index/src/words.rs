//! Words of a text as the index knows them, and the words a question is made of.
//!
//! The same reading serves indexing and asking, so that whatever a person copies out of a document finds it again:
//! `foo_bar`, `fooBar`, `a.b@c.org` and `2023-05-08` are found whole and by their parts, accents and case do not
//! matter, and scripts without spaces are read in pairs of characters.

use crate::read::regular;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, Stemmer, TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer,
    TokenizerManager,
};

/// Analyzer of the stemmed fields.
pub(crate) const STEMMED: &str = "hinet_stemmed";
/// Analyzer of the plain field, which also holds compounds whole.
pub(crate) const PLAIN: &str = "hinet_plain";

/// Longer words are noise (base64, hashes of builds) and are not indexed.
const WORD_MAX_BYTES: usize = 80;
/// A question keeps at most so many different words; what is longer is a document, not a question.
const QUESTION_MAX_WORDS: usize = 48;

/// Words that say how something is asked, not what is asked for.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "being", "but", "by", "can",
    "could", "did", "do", "does", "doing", "done", "for", "from", "had", "has", "have", "having", "he", "her", "him",
    "his", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our",
    "please", "she", "should", "so", "some", "tell", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "to", "us", "was", "we", "were", "what", "whats", "when", "where", "which", "who", "whom",
    "whose", "why", "will", "with", "would", "you", "your", "s", "t", "dont", "didnt", "doesnt", "im", "ive",
];

pub(crate) fn register(manager: &TokenizerManager) {
    manager.register(STEMMED, stemmed());
    manager.register(PLAIN, plain());
}

fn stemmed() -> TextAnalyzer {
    TextAnalyzer::builder(Words { compounds: false })
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(Stemmer::new(Language::English))
        .filter(Regular)
        .build()
}

/// Brings past forms home that no stemmer does: `bought` is found by `buy`.
#[derive(Debug, Clone, Copy)]
struct Regular;

impl TokenFilter for Regular {
    type Tokenizer<T: Tokenizer> = Regularly<T>;

    fn transform<T: Tokenizer>(self, inner: T) -> Regularly<T> {
        Regularly(inner)
    }
}

#[derive(Debug, Clone)]
struct Regularly<T>(T);

impl<T: Tokenizer> Tokenizer for Regularly<T> {
    type TokenStream<'a> = RegularStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        RegularStream(self.0.token_stream(text))
    }
}

struct RegularStream<S>(S);

impl<S: TokenStream> TokenStream for RegularStream<S> {
    fn advance(&mut self) -> bool {
        if !self.0.advance() {
            return false;
        }
        let token = self.0.token_mut();
        let home = regular(&token.text);
        if home != token.text {
            token.text = home.to_owned();
        }
        true
    }

    fn token(&self) -> &Token {
        self.0.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}

fn plain() -> TextAnalyzer {
    TextAnalyzer::builder(Words { compounds: true }).filter(LowerCaser).filter(AsciiFoldingFilter).build()
}

/// What a question asks for, each list without repetition and in the order of the question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// Stemmed words.
    pub stemmed: Vec<String>,
    /// Plain words and compounds.
    pub plain: Vec<String>,
}

/// Reads any text as a question; no character is syntax. Stop words count only where there is nothing else.
pub(crate) fn question(text: &str) -> Question {
    let (mut plain_analyzer, mut stemmed_analyzer) = (plain(), stemmed());
    let words = unique(&mut plain_analyzer, text);
    let mut kept: Vec<String> = words.iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).cloned().collect();
    if kept.is_empty() {
        kept = words;
    }
    kept.truncate(QUESTION_MAX_WORDS);
    let stemmed = unique(&mut stemmed_analyzer, &kept.join(" "));
    Question { stemmed, plain: kept }
}

/// The words that a passage with this phrase in it must have, as the plain field knows them.
pub(crate) fn phrase(text: &str) -> Vec<String> {
    let mut analyzer =
        TextAnalyzer::builder(Words { compounds: false }).filter(LowerCaser).filter(AsciiFoldingFilter).build();
    // In lower case no word is taken apart at its capitals; one character of a script without spaces is a word only
    // where it stands alone.
    let mut words = unique(&mut analyzer, &text.to_lowercase());
    words.retain(|word| word.chars().nth(1).is_some() || word.chars().all(|c| class(c) != Class::Pairs));
    words
}

/// The stemmed words of a text without repetition.
pub(crate) fn stems(text: &str) -> Vec<String> {
    unique(&mut stemmed(), text)
}

/// The stemmed words of a text without repetition and without words that say nothing of a matter.
pub(crate) fn content(text: &str) -> Vec<String> {
    let mut words = unique(&mut plain(), text);
    words.retain(|word| !STOP_WORDS.contains(&word.as_str()) && word.chars().all(char::is_alphabetic));
    stems(&words.join(" "))
}

fn unique(analyzer: &mut TextAnalyzer, text: &str) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut out = Vec::new();
    analyzer.token_stream(text).process(&mut |token: &Token| {
        if seen.insert(token.text.clone()) {
            out.push(token.text.clone());
        }
    });
    out
}

/// Splits text into words, their camel-case parts and, where asked, compounds.
#[derive(Debug, Clone)]
struct Words {
    compounds: bool,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Found;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Found {
        let mut found = Found { tokens: Vec::with_capacity(text.len() / 5), next: 0, empty: Token::default() };
        let mut at = 0;
        for run in text.split(char::is_whitespace) {
            found.run(run, at, self.compounds);
            at += run.len() + text[at + run.len()..].chars().next().map_or(0, char::len_utf8);
        }
        found
    }
}

/// The words of one text.
struct Found {
    tokens: Vec<Token>,
    next: usize,
    empty: Token,
}

impl TokenStream for Found {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        self.next.checked_sub(1).and_then(|at| self.tokens.get(at)).unwrap_or(&self.empty)
    }

    fn token_mut(&mut self) -> &mut Token {
        match self.next.checked_sub(1).and_then(|at| self.tokens.get_mut(at)) {
            Some(token) => token,
            None => &mut self.empty,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Pairs,
    /// Inside a word without being part of it: apostrophes, combining accents, soft hyphens.
    Silent,
    Joint,
    Outside,
}

fn class(c: char) -> Class {
    match c {
        '\'' | '’' | '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200d}' => Class::Silent,
        '_' | '-' | '.' | '@' | '/' | ':' | '+' | '#' | '\\' | '&' | ',' => Class::Joint,
        '\u{0e00}'..='\u{0eff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3fffd}' => Class::Pairs,
        c if c.is_alphanumeric() => Class::Word,
        _ => Class::Outside,
    }
}

impl Found {
    fn push(&mut self, text: &str, from: usize, to: usize) {
        if text.is_empty() || text.len() > WORD_MAX_BYTES {
            return;
        }
        let position = self.tokens.len();
        self.tokens.push(Token {
            offset_from: from,
            offset_to: to,
            position,
            text: text.to_owned(),
            position_length: 1,
        });
    }

    /// Reads one run of text without white space.
    fn run(&mut self, run: &str, base: usize, compounds: bool) {
        let mut chars = run.char_indices().peekable();
        // A compound: from its first word to its last, and how many words it joins.
        let (mut joined_from, mut joined_to, mut joined) = (0, 0, 0);
        while let Some(&(start, c)) = chars.peek() {
            let kind = class(c);
            if !matches!(kind, Class::Word | Class::Pairs) {
                if kind == Class::Outside {
                    self.compound(run, base, compounds, (joined_from, joined_to, joined));
                    joined = 0;
                }
                chars.next();
                continue;
            }
            let mut end = start;
            while let Some(&(at, c)) = chars.peek()
                && (class(c) == kind || class(c) == Class::Silent)
            {
                end = at + c.len_utf8();
                chars.next();
            }
            if joined == 0 {
                joined_from = start;
            }
            joined += 1;
            joined_to = end;
            if kind == Class::Pairs {
                self.pairs(&run[start..end], base + start);
                joined = 0;
            } else {
                self.word(&run[start..end], base + start);
            }
        }
        self.compound(run, base, compounds, (joined_from, joined_to, joined));
    }

    fn compound(&mut self, run: &str, base: usize, wanted: bool, (from, to, words): (usize, usize, usize)) {
        if wanted && words > 1 {
            self.push(&run[from..to], base + from, base + to);
        }
    }

    fn word(&mut self, raw: &str, at: usize) {
        let end = at + raw.len();
        let possessive = ["'s", "’s", "'S", "’S"].into_iter().find_map(|tail| raw.strip_suffix(tail));
        let bare: String = possessive.unwrap_or(raw).chars().filter(|c| class(*c) != Class::Silent).collect();
        self.push(&bare, at, end);
        let parts = camel_parts(&bare);
        if parts.len() > 1 {
            for part in parts {
                self.push(part, at, end);
            }
        }
    }

    fn pairs(&mut self, run: &str, at: usize) {
        let ends: Vec<usize> = run.char_indices().map(|(i, c)| i + c.len_utf8()).collect();
        if ends.len() == 1 {
            self.push(run, at, at + run.len());
        }
        for window in 0..ends.len().saturating_sub(1) {
            let from = if window == 0 { 0 } else { ends[window - 1] };
            self.push(&run[from..ends[window + 1]], at + from, at + ends[window + 1]);
        }
    }
}

/// `fooBarBaz` → `foo`, `Bar`, `Baz`; `HTTPServer` → `HTTP`, `Server`.
fn camel_parts(word: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    let (mut parts, mut start) = (Vec::new(), 0);
    for i in 1..chars.len() {
        let (before, here) = (chars[i - 1].1, chars[i].1);
        let after = chars.get(i + 1).is_some_and(|(_, c)| c.is_lowercase());
        if here.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && after)) {
            parts.push(&word[start..chars[i].0]);
            start = chars[i].0;
        }
    }
    parts.push(&word[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(unique(&mut plain(), text), expected, "{text}");
    }

    #[test]
    fn compounds_are_found_whole_and_by_their_parts() {
        check("foo_bar fooBar", &["foo", "bar", "foo_bar", "foobar"]);
        check("mail ann.lee@example.org.", &["mail", "ann", "lee", "example", "org", "ann.lee@example.org"]);
        check("on 2023-05-08,", &["on", "2023", "05", "08", "2023-05-08"]);
        check("1,250.75 (HTTPServer)", &["1", "250", "75", "1,250.75", "httpserver", "http", "server"]);
    }

    #[test]
    fn accents_apostrophes_and_other_scripts() {
        check("Müller’s Cafe\u{301} don't", &["muller", "cafe", "dont"]);
        check("東京都 に", &["東京", "京都", "に"]);
        check("Привет, мир!", &["привет", "мир"]);
    }

    #[test]
    fn past_forms_are_found_by_their_verbs() {
        assert_eq!(stems("She bought two, and they were written."), stems("She buys two, and they were write."));
    }

    #[test]
    fn no_character_is_syntax_and_stop_words_give_way() {
        let asked = question("what is the \"name AND (of: my +dogs*~2 [");
        assert_eq!(asked.plain, ["name", "dogs", "2"].map(str::to_owned));
        assert_eq!(asked.stemmed, ["name", "dog", "2"].map(str::to_owned));
        assert_eq!(question("who are you").plain, ["who", "are", "you"].map(str::to_owned));
        assert_eq!(question("  ?! "), Question::default());
    }
}

//! Lists of words that detectors look for, and what they ask about the words of a text.

use super::lexicon::{Hash, fold};
use super::words::{Shape, Word};

/// Words with what they stand for, as bits: a table of hashes in which one looks from the place a hash gives on.
pub(super) struct List(Vec<(u32, u32)>);

impl List {
    /// From words with spaces between them, each row with its bits. A word in several rows has all of theirs.
    pub(super) fn new(rows: &[(u32, &str)]) -> Self {
        let words = || rows.iter().flat_map(|(bits, row)| row.split_whitespace().map(move |word| (hash(word), *bits)));
        let mut list = Self(vec![(0, 0); (words().count() * 4).next_power_of_two()]);
        for (key, bits) in words() {
            let place = list.place(key);
            list.0[place] = (key, list.0[place].1 | bits);
        }
        list
    }

    /// Where a hash lies, or would.
    fn place(&self, key: u32) -> usize {
        let mask = self.0.len() - 1;
        let mut place = key as usize & mask;
        while self.0[place].1 != 0 && self.0[place].0 != key {
            place = (place + 1) & mask;
        }
        place
    }

    /// The bits of a word.
    pub(super) fn bits(&self, word: &Word) -> u32 {
        if word.is_word() { self.0[self.place(word.id)].1 } else { 0 }
    }
}

/// The hash of a folded word.
pub(super) fn hash(word: &str) -> u32 {
    let mut folded = String::new();
    word.chars().for_each(|c| fold(c, &mut folded));
    Hash::NEW.text(&folded).0
}

/// A piece of a text with its words.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) words: &'a [Word],
}

impl<'a> Piece<'a> {
    /// The word at a place; an end of line where there is none.
    pub(super) fn word(&self, at: usize) -> Word {
        self.words.get(at).copied().unwrap_or(Word { shape: Shape::Line, id: 10, apart: true, ..Word::default() })
    }

    /// How a word is written.
    pub(super) fn shape(&self, at: usize) -> Shape {
        self.word(at).shape
    }

    /// The letters of a word.
    pub(super) fn str(&self, at: usize) -> &'a str {
        self.words.get(at).map_or("", |word| &self.text[word.start..word.end])
    }

    /// Whether a word is this sign.
    pub(super) fn is(&self, at: usize, sign: char) -> bool {
        self.words.get(at).is_some_and(|word| word.id == u32::from(sign) && !word.is_word())
    }

    /// Whether a line begins with this word, the signs of a quotation aside.
    pub(super) fn begins_line(&self, at: usize) -> bool {
        self.line_before(at).is_some()
    }

    /// The end of the line before the one that begins with this word; the word itself at the beginning of the piece.
    pub(super) fn line_before(&self, at: usize) -> Option<usize> {
        let signs = self.words[..at.min(self.words.len())].iter().rev().take(6);
        let before = at - signs.take_while(|word| is_mark(self.text, word)).count();
        match before.checked_sub(1) {
            None => Some(at),
            Some(line) => (self.shape(line) == Shape::Line).then_some(line),
        }
    }

    /// After the ends of lines and the signs of a quotation; how many lines ended.
    pub(super) fn past_lines(&self, at: usize) -> (usize, usize) {
        let (mut next, mut lines) = (at, 0);
        while next < at + 12 && (self.shape(next) == Shape::Line || (lines > 0 && is_mark(self.text, &self.word(next))))
        {
            lines += usize::from(self.shape(next) == Shape::Line);
            next += 1;
        }
        (next, lines)
    }

    /// The number that a word is, of digits alone.
    pub(super) fn number(&self, at: usize) -> Option<u32> {
        let text = self.str(at);
        (self.shape(at) == Shape::Number && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    }

    /// The bytes from one word to before another.
    pub(super) fn span(&self, from: usize, to: usize) -> std::ops::Range<usize> {
        match (self.words.get(from), to.checked_sub(1).and_then(|last| self.words.get(last))) {
            (Some(first), Some(last)) if from < to => first.start..last.end,
            _ => 0..0,
        }
    }
}

/// Signs that stand before each line of a quotation or a list.
fn is_mark(text: &str, word: &Word) -> bool {
    !word.is_word() && matches!(text.get(word.start..word.end), Some(">" | "?" | "|" | "*" | "•" | "#" | "-"))
}

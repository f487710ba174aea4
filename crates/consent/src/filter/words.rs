//! A text as words: runs of letters, runs of digits, single signs, and the ends of lines.

use super::lexicon::{Hash, Recent, common, fold};

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Shape {
    /// Small letters only.
    #[default]
    Lower,
    /// A capital, then small letters.
    Capital,
    /// Capitals only, two or more.
    Upper,
    /// A single capital.
    Initial,
    /// Capitals inside.
    Mixed,
    /// Letters of a writing without capitals.
    Caseless,
    /// Digits, or letters and digits.
    Number,
    /// A sign that ends a sentence or opens a quotation.
    Stop,
    /// A hyphen or an apostrophe.
    Joint,
    /// `@`, `#`, `_`, `/` and other signs of machines.
    Machine,
    /// Any other sign.
    Sign,
    /// The end of a line.
    Line,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Manner {
    /// Capitals and small letters.
    #[default]
    Plain,
    /// No capital at all.
    Small,
    /// Nearly nothing but capitals.
    Shouted,
    /// Nearly every word with a capital.
    Title,
}

/// A word of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Hash of the folded word.
    pub(super) id: u32,
    /// Hashes of its first three, last two, last three letters.
    pub(super) edges: [u32; 3],
    /// What the lexicon says.
    pub(super) facts: u8,
    /// Whether this word and the next are the name of a place.
    pub(super) place: bool,
    pub(super) shape: Shape,
    pub(super) manner: Manner,
    /// Letters, at most 255.
    pub(super) letters: u8,
    /// Whether a sentence or a line begins here.
    pub(super) begins: bool,
    /// Whether white space stands before it.
    pub(super) apart: bool,
    /// Which word of its line it is, and how many there are; both at most 15.
    pub(super) nth: u8,
    pub(super) of: u8,
}

impl Word {
    /// Whether it is made of letters.
    pub(super) fn is_word(&self) -> bool {
        (self.shape as u8) <= Shape::Caseless as u8
    }
}

/// Cuts a text into words.
pub(super) fn words(text: &str, recent: &mut Recent) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::with_capacity(text.len() / 4);
    let mut folded = String::new();
    let mut chars = text.char_indices().peekable();
    let (mut apart, mut line, mut machine) = (true, 0, 0);
    while let Some((start, c)) = chars.next() {
        if c == '\n' {
            finish_line(&mut all[line..]);
            all.push(Word { start, end: start + 1, id: 10, shape: Shape::Line, apart: true, ..Word::default() });
            (line, apart) = (all.len(), true);
            continue;
        }
        if c.is_whitespace() {
            apart = true;
            continue;
        }
        let mut word = Word { start, apart, ..Word::default() };
        if apart {
            machine = start + machine_len(&text[start..]);
        }
        apart = false;
        if start < machine {
            while chars.next_if(|(at, _)| *at < machine).is_some() {}
            (word.end, word.shape, word.id) =
                (machine, Shape::Machine, MACHINE + u32::from(c == '@') + 2 * u32::from(c == '#'));
            all.push(word);
            continue;
        }
        let mut end = start + c.len_utf8();
        if c.is_alphanumeric() {
            folded.clear();
            fold(c, &mut folded);
            let mut kinds = Kinds::default();
            kinds.add(c);
            while let Some((at, next)) = chars.peek().copied() {
                if !next.is_alphanumeric() && !is_mark(next) {
                    break;
                }
                kinds.add(next);
                fold(next, &mut folded);
                end = at + next.len_utf8();
                chars.next();
            }
            word.letters = u8::try_from(kinds.letters).unwrap_or(u8::MAX);
            word.shape = kinds.shape(c);
            word.id = if word.shape == Shape::Number { number(&folded) } else { Hash::NEW.text(&folded).0 };
            word.edges = edges(&folded);
            if let Some(before) = all.last_mut()
                && word.shape != Shape::Number
                && before.facts != 0
                && (before.shape as u8) <= Shape::Caseless as u8
                && before.end + 1 == start
                && match (before.shape, word.shape) {
                    (Shape::Lower, Shape::Lower) => common(before.facts) == 0,
                    (Shape::Lower, _) | (_, Shape::Lower) => false,
                    _ => true,
                }
            {
                before.place = recent.is_place(Hash(before.id).byte(b' ').text(&folded).0);
            }
            if word.shape != Shape::Number {
                word.facts = recent.known(word.id);
            }
        } else {
            word.shape = match c {
                '.' | '!' | '?' | '…' | '"' | '“' | '”' | '„' | '«' | '»' | '‘' | '*' | '•' | '>' | '|' => {
                    Shape::Stop
                }
                '-' | '\'' | '’' | '‐' => Shape::Joint,
                '@' | '#' | '_' | '/' | '\\' | '=' | '<' | '{' | '}' | '[' | ']' | '$' | '%' | '~' | '^' | '+' => {
                    Shape::Machine
                }
                _ => Shape::Sign,
            };
            word.id = u32::from(c);
        }
        word.end = end;
        all.push(word);
    }
    finish_line(&mut all[line..]);
    all
}

/// What stands for any address, account or tag.
const MACHINE: u32 = 0x11_0000;

/// How much of the beginning of a text is the address of a machine, of a mail box or an account, or a tag.
fn machine_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let len = bytes.iter().take(512).take_while(|b| !b.is_ascii_whitespace()).count();
    if !bytes[..len].iter().any(|b| matches!(b, b'@' | b'#' | b':' | b'_')) && !text.starts_with("www.") {
        return 0;
    }
    let len = text[..text.floor_char_boundary(len)].find(char::is_whitespace).unwrap_or(text.floor_char_boundary(len));
    let run = &text[..len];
    let tagged = run.starts_with(['@', '#']);
    if tagged || run.contains("://") || run.starts_with("www.") {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        return if tagged { 1 + run[1..].find(|c| !inside(c)).unwrap_or(len - 1) } else { len };
    }
    let Some(at) = run.find(['@', '_']) else { return 0 };
    let around = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let inner = around(run[..at].chars().next_back()) && around(run[at + 1..].chars().next());
    if inner { run.trim_end_matches(|c: char| !c.is_alphanumeric()).len() } else { 0 }
}

/// Marks that are written over the letter before.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c) || matches!(c, '\u{93e}'..='\u{94d}' | '\u{200d}')
}

/// Numbers are alike when they have the same signs in the same order.
fn number(folded: &str) -> u32 {
    folded.bytes().fold(Hash::NEW.byte(1), |hash, b| hash.byte(if b.is_ascii_digit() { b'0' } else { b'a' })).0
}

fn edges(folded: &str) -> [u32; 3] {
    if folded.is_ascii() {
        let bytes = folded.as_bytes();
        let hash = |bytes: &[u8]| bytes.iter().fold(Hash::NEW, |hash, byte| hash.byte(*byte)).0;
        let len = bytes.len();
        return [
            hash(&bytes[..len.min(3)]),
            hash(&bytes[len.saturating_sub(2)..]),
            hash(&bytes[len.saturating_sub(3)..]),
        ];
    }
    let last = |n: usize| {
        let from = folded.char_indices().rev().nth(n - 1).map_or(0, |(at, _)| at);
        Hash::NEW.text(&folded[from..]).0
    };
    let first = folded.char_indices().nth(3).map_or(folded.len(), |(at, _)| at);
    [Hash::NEW.text(&folded[..first]).0, last(2), last(3)]
}

/// What a word is made of.
#[derive(Default)]
struct Kinds {
    letters: usize,
    upper: usize,
    lower: usize,
    digits: usize,
}

impl Kinds {
    fn add(&mut self, c: char) {
        self.letters += 1;
        if c.is_ascii() {
            self.upper += usize::from(c.is_ascii_uppercase());
            self.lower += usize::from(c.is_ascii_lowercase());
            self.digits += usize::from(c.is_ascii_digit());
            return;
        }
        self.upper += usize::from(c.is_uppercase());
        self.lower += usize::from(c.is_lowercase());
        self.digits += usize::from(c.is_numeric());
    }

    fn shape(&self, first: char) -> Shape {
        match (self.upper, self.lower) {
            _ if self.digits > 0 => Shape::Number,
            (0, 0) => Shape::Caseless,
            (0, _) => Shape::Lower,
            (1, 0) if self.letters == 1 => Shape::Initial,
            (_, 0) => Shape::Upper,
            (1, _) if first.is_uppercase() => Shape::Capital,
            _ => Shape::Mixed,
        }
    }
}

/// Says of the words of one line where they stand, and how the line is written.
fn finish_line(line: &mut [Word]) {
    let (mut upper, mut capital, mut lower) = (0, 0, 0);
    for word in &*line {
        upper += usize::from(word.shape == Shape::Upper);
        capital += usize::from(matches!(word.shape, Shape::Capital | Shape::Mixed));
        lower += usize::from(word.shape == Shape::Lower);
    }
    let manner = match (upper, capital, lower) {
        (0, 0, 1..) => Manner::Small,
        (2.., _, _) if upper > 3 * (capital + lower) => Manner::Shouted,
        (_, 3.., _) if capital > 3 * lower => Manner::Title,
        _ => Manner::Plain,
    };
    let of = line.len().min(15) as u8;
    let mut begins = true;
    for (nth, word) in line.iter_mut().enumerate() {
        (word.manner, word.of, word.nth) = (manner, of, nth.min(15) as u8);
        word.begins = begins;
        begins = match word.shape {
            Shape::Stop => true,
            Shape::Sign | Shape::Joint | Shape::Machine => begins || word.id == u32::from(':'),
            _ => false,
        };
    }
}

//! `SentencePiece`'s byte-pair merging, as Llama 2, Mixtral and Gemma use it: no table of merges, but a score for every
//! piece. Of all neighbours that together are a piece, those with the highest score are joined first.
//!
//! Spaces are written as U+2581. A character that is no piece becomes the pieces of its bytes.

use crate::ModelError;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// What a space is written as.
pub(super) const SPACE: char = '\u{2581}';

/// Pieces with their scores.
pub(super) struct Spm {
    pieces: HashMap<String, (u32, f32)>,
    /// The piece of each byte.
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
    /// Tokens that are found in any text and joined to nothing, the longest first: runs of spaces and line ends.
    whole: Vec<(String, u32)>,
    /// Whether a text begins with a space that nobody wrote.
    pub(super) space_prefix: bool,
}

/// A stretch of text that is, or may become, one piece.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    end: usize,
    /// Neighbours that are left, `usize::MAX` for none.
    before: usize,
    after: usize,
    /// Whether it is joined to nothing.
    alone: bool,
    /// The piece it is, where that is known.
    id: Option<u32>,
}

/// Two neighbours that could be joined.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Length of the two together, by which it is seen whether they still are what they were.
    length: usize,
    id: u32,
}

impl Ord for Pair {
    /// The highest score first, and of equals the leftmost.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pair {}

/// The byte that a piece such as `<0x0A>` stands for.
pub(super) fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>').filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

impl Spm {
    /// `pieces` are the ordinary ones, `bytes` those that stand for a byte, `whole` those that are joined to nothing.
    pub(super) fn new(
        pieces: HashMap<String, (u32, f32)>,
        bytes: Vec<Option<u32>>,
        unknown: Option<u32>,
        mut whole: Vec<(String, u32)>,
        space_prefix: bool,
    ) -> Result<Self, ModelError> {
        if pieces.values().any(|(_, score)| score.is_nan()) {
            return Err(ModelError::BadTokenizer { problem: "a score is not a number", source: None });
        }
        whole.iter_mut().for_each(|(text, _)| *text = text.replace(' ', "\u{2581}"));
        whole.retain(|(text, _)| !text.is_empty());
        whole.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Ok(Self { pieces, bytes, unknown, whole, space_prefix })
    }

    /// Appends the ids of `text`, which is all or begins behind a control token.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let mut written = String::with_capacity(text.len() * 2);
        if self.space_prefix {
            written.push(SPACE);
        }
        written.extend(text.chars().map(|c| if c == ' ' { SPACE } else { c }));
        let mut symbols = self.symbols(&written);
        let mut pairs = BinaryHeap::new();
        for right in 1..symbols.len() {
            pairs.extend(self.pair(&written, &symbols, right - 1, right));
        }
        while let Some(Pair { left, right, length, id, .. }) = pairs.pop() {
            let (first, second) = (symbols[left], symbols[right]);
            // A symbol that was joined to the one before it is empty; one that grew has another length.
            if first.start == first.end || second.start == second.end || second.end - first.start != length {
                continue;
            }
            if first.after != right {
                continue;
            }
            symbols[left] = Symbol { end: second.end, after: second.after, id: Some(id), ..first };
            symbols[right].end = second.start;
            if let Some(next) = symbols.get_mut(second.after) {
                next.before = left;
                pairs.extend(self.pair(&written, &symbols, left, second.after));
            }
            if first.before < symbols.len() {
                pairs.extend(self.pair(&written, &symbols, first.before, left));
            }
        }
        for symbol in symbols.iter().filter(|symbol| symbol.start < symbol.end) {
            let piece = &written[symbol.start..symbol.end];
            match symbol.id.or_else(|| self.pieces.get(piece).map(|(id, _)| *id)) {
                Some(id) => ids.push(id),
                None => self.spell(piece, ids),
            }
        }
    }

    /// One symbol for each character, and for each token that is joined to nothing.
    fn symbols(&self, text: &str) -> Vec<Symbol> {
        let mut first = [false; 256];
        self.whole.iter().for_each(|(whole, _)| first[usize::from(whole.as_bytes()[0])] = true);
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut start = 0;
        while let Some(next) = text[start..].chars().next() {
            let rest = &text[start..];
            let candidates = if first[usize::from(rest.as_bytes()[0])] { &self.whole[..] } else { &[] };
            let whole = candidates.iter().find(|(whole, _)| rest.starts_with(whole.as_str()));
            let end = start + whole.map_or(next.len_utf8(), |(whole, _)| whole.len());
            let index = symbols.len();
            let id = whole.map(|(_, id)| *id);
            symbols.push(Symbol {
                start,
                end,
                before: index.wrapping_sub(1),
                after: index + 1,
                alone: id.is_some(),
                id,
            });
            start = end;
        }
        if let Some(last) = symbols.last_mut() {
            last.after = usize::MAX;
        }
        symbols
    }

    fn pair(&self, text: &str, symbols: &[Symbol], left: usize, right: usize) -> Option<Pair> {
        if symbols[left].alone || symbols[right].alone {
            return None;
        }
        let (start, end) = (symbols[left].start, symbols[right].end);
        let &(id, score) = self.pieces.get(&text[start..end])?;
        Some(Pair { score, left, right, length: end - start, id })
    }

    /// Byte by byte, or as the unknown piece where a byte has none.
    fn spell(&self, piece: &str, ids: &mut Vec<u32>) {
        let bytes: Option<Vec<u32>> = piece.bytes().map(|byte| self.bytes[usize::from(byte)]).collect();
        match bytes {
            Some(bytes) => ids.extend(bytes),
            None => ids.extend(self.unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spm(pieces: &[(&str, f32)]) -> Spm {
        let pieces = (256..).zip(pieces).map(|(id, (piece, score))| ((*piece).to_owned(), (id, *score))).collect();
        Spm::new(pieces, (0..256).map(Some).collect(), None, Vec::new(), false).unwrap()
    }

    fn encode(spm: &Spm, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        spm.encode(text, &mut ids);
        ids
    }

    #[test]
    fn the_highest_score_is_joined_first_and_of_equals_the_leftmost() {
        let some = spm(&[("a", 0.0), ("b", 0.0), ("c", 0.0), ("ab", -2.0), ("bc", -1.0), ("abc", -3.0)]);
        assert_eq!(encode(&some, "abc"), [261]);
        assert_eq!(encode(&some, "abab"), [259, 259]);
        let some = spm(&[("a", 0.0), ("aa", -1.0)]);
        assert_eq!(encode(&some, "aaaaa"), [257, 257, 256]);
        let some = spm(&[("a", 0.0), ("b", 0.0), ("c", 0.0), ("ab", -2.0), ("bc", -1.0)]);
        assert_eq!(encode(&some, "abc"), [256, 260]);
    }

    #[test]
    fn what_is_no_piece_is_spelled_in_bytes() {
        let some = spm(&[("a", 0.0), ("\u{2581}", 0.0), ("\u{2581}a", -1.0)]);
        assert_eq!(encode(&some, " aé\n"), [258, 0xc3, 0xa9, 0x0a]);
        assert_eq!(encode(&some, ""), [0; 0]);
        assert_eq!(byte_of("<0x0A>"), Some(10));
        assert_eq!(byte_of("<0x0>"), None);
        assert_eq!(byte_of("<0xgg>"), None);
    }

    #[test]
    fn a_long_run_is_joined_in_good_time() {
        let some = spm(&[("a", 0.0), ("aa", -1.0), ("aaaa", -2.0)]);
        assert_eq!(encode(&some, &"a".repeat(400_000)), vec![258; 100_000]);
    }
}

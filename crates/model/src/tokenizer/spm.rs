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
    /// `pieces` are the ordinary ones, `bytes` those that stand for a byte.
    pub(super) fn new(
        pieces: HashMap<String, (u32, f32)>,
        bytes: Vec<Option<u32>>,
        unknown: Option<u32>,
        space_prefix: bool,
    ) -> Result<Self, ModelError> {
        if pieces.values().any(|(_, score)| score.is_nan()) {
            return Err(ModelError::BadTokenizer { problem: "a score is not a number", source: None });
        }
        Ok(Self { pieces, bytes, unknown, space_prefix })
    }

    /// Appends the ids of `text`. `begins` says that the text, or a part of it after a control token, begins here.
    pub(super) fn encode(&self, text: &str, begins: bool, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let mut written = String::with_capacity(text.len() * 2);
        if begins && self.space_prefix {
            written.push(SPACE);
        }
        written.extend(text.chars().map(|c| if c == ' ' { SPACE } else { c }));
        let mut symbols: Vec<Symbol> = (written.char_indices().enumerate())
            .map(|(index, (start, c))| Symbol {
                start,
                end: start + c.len_utf8(),
                before: index.wrapping_sub(1),
                after: index + 1,
            })
            .collect();
        if let Some(last) = symbols.last_mut() {
            last.after = usize::MAX;
        }
        let mut pairs = BinaryHeap::new();
        for right in 1..symbols.len() {
            pairs.extend(self.pair(&written, &symbols, right - 1, right));
        }
        // The id of each symbol that came of joining.
        let mut joined: Vec<Option<u32>> = vec![None; symbols.len()];
        while let Some(Pair { left, right, length, id, .. }) = pairs.pop() {
            let (first, second) = (symbols[left], symbols[right]);
            // A symbol that was joined to the one before it is empty; one that grew has another length.
            if first.start == first.end || second.start == second.end || second.end - first.start != length {
                continue;
            }
            if first.after != right {
                continue;
            }
            symbols[left] = Symbol { end: second.end, after: second.after, ..first };
            symbols[right].end = second.start;
            joined[left] = Some(id);
            if let Some(next) = symbols.get_mut(second.after) {
                next.before = left;
                pairs.extend(self.pair(&written, &symbols, left, second.after));
            }
            if first.before < symbols.len() {
                pairs.extend(self.pair(&written, &symbols, first.before, left));
            }
        }
        for (symbol, joined) in symbols.iter().zip(joined).filter(|(symbol, _)| symbol.start < symbol.end) {
            let piece = &written[symbol.start..symbol.end];
            match joined.or_else(|| self.pieces.get(piece).map(|(id, _)| *id)) {
                Some(id) => ids.push(id),
                None => self.spell(piece, ids),
            }
        }
    }

    fn pair(&self, text: &str, symbols: &[Symbol], left: usize, right: usize) -> Option<Pair> {
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
        Spm::new(pieces, (0..256).map(Some).collect(), None, false).unwrap()
    }

    fn encode(spm: &Spm, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        spm.encode(text, true, &mut ids);
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

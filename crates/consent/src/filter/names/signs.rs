//! The signs of a word: hashes of what is known about it and its neighbours, each of which has a weight.

use crate::filter::lexicon::{common, family, given, is_place, is_small};
use crate::filter::words::{Manner, Shape, Word};

/// Bits of a sign.
pub(super) const BITS: u32 = 20;

/// That a kind of question has this answer.
fn sign(kind: u32, answer: u32) -> u32 {
    let mixed = (answer ^ kind.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35);
    mixed ^ mixed >> 16
}

/// Where a sign stands in the table of weights.
pub(super) fn place(sign: u32) -> usize {
    (sign >> (32 - BITS)) as usize
}

fn both(a: u32, b: u32) -> u32 {
    a.wrapping_mul(0x0100_0193).rotate_left(13) ^ b.wrapping_mul(0x27d4_eb2f)
}

/// What the lexicon says, in few values.
fn brief(word: &Word) -> u32 {
    let f = word.facts;
    let names = u32::from(given(f)) * 4 + u32::from(family(f));
    names * 4 + u32::from(common(f)).max(u32::from(is_small(f)) * 2)
}

/// A word in a handful of values: its shape, and whether it is a name, a word or neither.
fn rough(word: &Word) -> u32 {
    let f = word.facts;
    let name = u32::from(given(f).max(family(f)) / 2 + u8::from(given(f).max(family(f)) > 0));
    (word.shape as u32) * 8 + name * 2 + u32::from(common(f) > 1 || is_small(f))
}

/// Shows the signs of the word at a place, one after the other.
#[inline]
pub(super) fn signs(words: &[Word], at: usize, mut see: impl FnMut(u32)) {
    let none = Word { shape: Shape::Line, id: 10, ..Word::default() };
    let near = |step: isize| at.checked_add_signed(step).and_then(|at| words.get(at)).unwrap_or(&none);
    let (w, p, n, pp, nn) = (near(0), near(-1), near(1), near(-2), near(2));
    let shape = w.shape as u32 * 2 + u32::from(w.begins);
    let cast = shape * 4 + w.manner as u32;
    let facts = u32::from(w.facts);
    let known = brief(w);
    let mut add = |kind, answer| see(sign(kind, answer));
    add(1, cast);
    add(2, both(facts, cast));
    add(3, w.id);
    add(4, both(w.id, shape));
    add(5, both(p.id, w.shape as u32));
    add(6, both(n.id, w.shape as u32));
    add(7, both(pp.id, w.shape as u32));
    add(8, both(nn.id, w.shape as u32));
    add(9, both(p.id, both(known, w.shape as u32)));
    add(10, both(n.id, both(known, w.shape as u32)));
    add(11, both(p.id, n.id));
    add(12, both(pp.id, p.id));
    add(13, both(n.id, nn.id));
    add(14, both(rough(p), both(facts, cast)));
    add(15, both(rough(n), both(facts, cast)));
    add(16, both(rough(p), both(rough(w), rough(n))));
    add(17, both(rough(pp), both(rough(p), rough(w))));
    add(18, both(rough(w), both(rough(n), rough(nn))));
    add(19, both(both(brief(p), p.shape as u32), both(known, cast)));
    add(20, both(both(brief(n), n.shape as u32), both(known, cast)));
    add(21, both(w.edges[0], cast));
    add(22, both(w.edges[1], cast));
    add(23, both(w.edges[2], cast));
    add(24, both(w.edges[2], known));
    let places = u32::from(w.place) + 2 * u32::from(p.place) + 4 * u32::from(is_place(w.facts));
    add(25, both(places, both(u32::from(given(w.facts)), shape)));
    add(26, both(u32::from(w.letters.min(12)), both(cast, u32::from(common(w.facts)))));
    add(27, both(u32::from(w.nth) * 16 + u32::from(w.of), rough(w)));
    add(28, both(rough(p), both(rough(n), cast)));
    add(29, both(p.id, both(rough(w), rough(n))));
    add(30, both(both(p.id, pp.id), rough(w)));
    add(31, both(both(n.id, nn.id), rough(w)));
    add(32, both(p.edges[2], both(p.shape as u32, cast)));
    add(33, both(n.edges[2], both(n.shape as u32, cast)));
    add(34, both(u32::from(w.apart) * 2 + u32::from(n.apart), both(shape, both(p.shape as u32, n.shape as u32))));
    let (third, third_after) = (near(-3), near(3));
    add(35, both(third.id, rough(w)));
    add(36, both(third_after.id, rough(w)));
    add(37, both(both(rough(third), rough(pp)), both(rough(p), rough(w))));
    add(38, both(both(rough(w), rough(n)), both(rough(nn), rough(third_after))));
    add(39, both(known, cast));
}

/// Whether a word can be a part of a name at all: none are signs outside of one, and common words in small letters where
/// its line has capitals, but for the small ones between two others (`van der`).
pub(super) fn is_open(words: &[Word], at: usize) -> bool {
    let word = &words[at];
    let near = |step: isize| at.checked_add_signed(step).and_then(|at| words.get(at));
    let is_big = |word: Option<&Word>| word.is_some_and(|word| word.is_word() && word.shape != Shape::Lower);
    let f = word.facts;
    match word.shape {
        Shape::Lower if word.manner == Manner::Small => {
            common(f) < 2 && !is_small(f) || given(f) > 1 || family(f) > 1 || word.letters <= 4
        }
        Shape::Lower if common(f) > 0 || is_small(f) => {
            word.letters <= 4 && (1..=2).any(|step| is_big(near(step))) && (-2..0).any(|step| is_big(near(step)))
        }
        Shape::Joint | Shape::Stop => near(-1).is_some_and(Word::is_word) && near(1).is_some_and(Word::is_word),
        Shape::Number | Shape::Machine | Shape::Sign | Shape::Line => false,
        _ => true,
    }
}

/// How two words stand beside each other, for the weight of a change of label.
pub(super) fn joint(before: &Word, word: &Word) -> usize {
    before.shape as usize * 12 + word.shape as usize
}

/// How many such ways there are.
pub(super) const JOINTS: usize = 144;

//! Trains the weights of names. Not a part of the program, and of no test that runs by itself:
//!
//! `NAMES_MORE=<file> cargo test -p hinet-consent --release --lib train_names -- --ignored --nocapture`
//!
//! reads the marked texts of `tests/marked` (those that are not held back) and the file `make_sentences.py` makes, and
//! writes `assets/names.weights`; `cross_names` instead of `train_names` shows what each threshold gives. The order, what
//! is left out and what is written in small letters come from one seed.

use super::signs::{BITS, JOINTS, is_open, joint, place, signs};
use super::weights::{CLOSED, STEP, Weights, above};
use crate::filter::addresses::addresses;
use crate::filter::lexicon::Recent;
use crate::filter::words::{Word, words};
use std::collections::HashMap;
use std::ops::Range;

#[path = "../../../tests/marked/mod.rs"]
mod marked;
use marked::{Marked, Tally, conll, is_name_of, posts, templates};

const SEED: u64 = 20_261_126;
const ROUNDS: usize = 5;
/// Signs seen less often have no weight.
const LEAST: u32 = 3;
/// How strongly weights are drawn to nothing.
const DECAY: f32 = 1e-4;
/// How far a weight moves at first.
const RATE: f32 = 0.08;
/// Weights nearer to nothing are left out.
const NOTHING: f32 = 0.085;

/// A small generator of chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn under(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }
}

fn persons(text: &Marked) -> Vec<Range<usize>> {
    text.spans.iter().filter(|(kind, _)| kind == "PERSON").map(|(_, span)| span.clone()).collect()
}

fn labels(words: &[Word], spans: &[Range<usize>]) -> Vec<bool> {
    let inside = |word: &Word| spans.iter().any(|span| span.start < word.end && word.start < span.end);
    words.iter().enumerate().map(|(at, word)| is_open(words, at) && inside(word)).collect()
}

/// The text in small letters or capitals, where that keeps its places.
fn recast(text: &str, cast: impl Fn(char) -> char) -> String {
    text.chars().map(|c| if cast(c).len_utf8() == c.len_utf8() { cast(c) } else { c }).collect()
}

fn single(mut all: impl Iterator<Item = char>, otherwise: char) -> char {
    match (all.next(), all.next()) {
        (Some(c), None) => c,
        _ => otherwise,
    }
}

struct Learner {
    weights: Vec<f32>,
    squares: Vec<f32>,
    joints: Vec<[f32; 3]>,
    joint_squares: Vec<[f32; 3]>,
    known: Vec<bool>,
}

impl Learner {
    fn learn(&mut self, words: &[Word], labels: &[bool]) {
        if words.is_empty() {
            return;
        }
        let open = |at: usize| is_open(words, at);
        let known = |at: usize| {
            let mut all = Vec::new();
            signs(words, at, |sign| all.push(place(sign)));
            all.retain(|sign| self.known[*sign]);
            all
        };
        let all: Vec<Vec<usize>> = (0..words.len()).map(|at| if open(at) { known(at) } else { Vec::new() }).collect();
        let sum = |signs: &Vec<usize>| signs.iter().map(|s| self.weights[*s]).sum();
        let scores: Vec<f32> =
            all.iter().enumerate().map(|(at, signs)| if open(at) { sum(signs) } else { CLOSED }).collect();
        let len = words.len();
        let (mut ahead, mut behind) = (vec![0.0f32; len], vec![0.0f32; len]);
        for at in 0..len {
            ahead[at] = scores[at];
            if at > 0 {
                let (t, last) = (self.joints[joint(&words[at - 1], &words[at])], ahead[at - 1]);
                ahead[at] += above(last + t[2], t[0]) - above(last + t[1], 0.0);
            }
        }
        for at in (1..len).rev() {
            let (t, next) = (self.joints[joint(&words[at - 1], &words[at])], behind[at] + scores[at]);
            behind[at - 1] = above(next + t[2], t[1]) - above(next + t[0], 0.0);
        }
        for at in 0..len {
            let chance = 1.0 / (1.0 + (-(ahead[at] + behind[at])).exp());
            let off = f32::from(u8::from(labels[at])) - chance;
            for sign in &all[at] {
                let pull = off - DECAY * self.weights[*sign];
                self.squares[*sign] += pull * pull;
                self.weights[*sign] += RATE * pull / (self.squares[*sign].sqrt() + 1e-3);
            }
            if at == 0 {
                continue;
            }
            let way = joint(&words[at - 1], &words[at]);
            let (t, last, next) = (self.joints[way], ahead[at - 1], behind[at] + scores[at]);
            let logs = [t[0] + next, last + t[1], last + t[2] + next, 0.0];
            let most = logs.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = logs.iter().map(|log| (log - most).exp()).sum();
            let truth = match (labels[at - 1], labels[at]) {
                (false, true) => 0,
                (true, false) => 1,
                (true, true) => 2,
                (false, false) => 3,
            };
            for (change, log) in logs.iter().take(3).enumerate() {
                let chance = (log - most).exp() / sum;
                let pull = f32::from(u8::from(truth == change)) - chance;
                self.joint_squares[way][change] += pull * pull;
                self.joints[way][change] += 0.1 * pull / (self.joint_squares[way][change].sqrt() + 1e-3);
            }
        }
    }

    /// Learns from a text as it is, in small letters or in capitals, now and then without what is known of a word.
    fn see(&mut self, text: &Marked, chance: &mut Chance) {
        let cast = if chance.under(0.12) {
            recast(&text.text, |c| single(c.to_lowercase(), c))
        } else if chance.under(0.05) {
            recast(&text.text, |c| single(c.to_uppercase(), c))
        } else {
            text.text.clone()
        };
        let mut words = words(&cast, &mut Recent::new());
        let labels = labels(&words, &persons(text));
        for (word, is_name) in words.iter_mut().zip(&labels) {
            if word.is_word() && chance.under(if *is_name { 0.12 } else { 0.03 }) {
                word.facts &= 0xf0;
            }
            if *is_name && chance.under(0.4) {
                word.id = chance.next() as u32;
            }
        }
        self.learn(&words, &labels);
    }

    fn weights(&self) -> Weights {
        let small = |weight: f32| (weight / STEP).round().clamp(-127.0, 127.0) as i8;
        Weights {
            signs: self.weights.iter().map(|w| if w.abs() < NOTHING { 0 } else { small(*w) }).collect(),
            joints: self.joints.iter().map(|joint| joint.map(small)).collect(),
        }
    }
}

fn bytes(weights: &Weights) -> Vec<u8> {
    let mut out: Vec<u8> = weights.joints.iter().flatten().map(|weight| *weight as u8).collect();
    let mut last = 0;
    for (sign, weight) in weights.signs.iter().enumerate().filter(|(_, weight)| **weight != 0) {
        let mut step = sign - last;
        last = sign;
        while step > 127 {
            out.push(step as u8 & 127 | 128);
            step >>= 7;
        }
        out.extend([step as u8, *weight as u8]);
    }
    out
}

/// Counts as `tests/personal.rs` does: what lies in an address is none of ours, and a title is not wrong.
fn measure(weights: &Weights, texts: &[&Marked], sure: f32) -> Tally {
    let mut tally = Tally::default();
    for text in texts {
        let words = words(&text.text, &mut Recent::new());
        let mut chances = weights.chances(&words);
        super::after_titles(&words, &mut chances);
        let beside = |a: &Range<usize>, b: &Range<usize>| a.end <= b.start || b.end <= a.start;
        let (streets, mut said) = (addresses(&text.text, &words), super::chosen(&text.text, &words, &chances, sure));
        said.retain(|span| streets.iter().all(|street| beside(span, street)));
        let there = persons(text);
        let titles = text.spans.iter().filter(|(kind, _)| kind == "TITLE" || kind == "PREFIX");
        let right: Vec<_> = there.iter().cloned().chain(titles.map(|(_, span)| span.clone())).collect();
        let (found, precise) =
            (Tally::of(&text.text, &there, &said, &said), Tally::of(&text.text, &right, &said, &said));
        tally.add(&Tally { exact_right: precise.exact_right, right: precise.right, ..found });
    }
    tally
}

/// What may be trained on: no text and no name of fifth 0.
fn training() -> Option<Vec<Marked>> {
    let (Some(mut all), Some(posts)) = (templates(), posts()) else {
        println!("skipped: ../shared/data/pii is not here");
        return None;
    };
    if let Some(file) = std::env::var_os("NAMES_MORE") {
        all.extend(conll("glued", &std::fs::read_to_string(file).unwrap()));
    }
    all.extend(posts);
    Some(without(&all, 0))
}

/// The texts that are not in a fifth and, posts aside, have no name of it.
fn without(texts: &[Marked], fifth: u32) -> Vec<Marked> {
    let is_name = |text: &Marked| persons(text).iter().any(|s| is_name_of(fifth, &text.text[s.clone()]));
    let mine = |text: &&Marked| (text.set == "glued" || text.fifth != fifth) && (text.set == "posts" || !is_name(text));
    texts.iter().filter(mine).cloned().collect()
}

fn trained(train: &[Marked]) -> Weights {
    let mut seen: HashMap<u32, u32> = HashMap::new();
    for text in train {
        let words = words(&text.text, &mut Recent::new());
        for at in (0..words.len()).filter(|at| is_open(&words, *at)) {
            signs(&words, at, |sign| *seen.entry(sign).or_default() += 1);
        }
    }
    let mut known = vec![false; 1 << BITS];
    seen.iter().filter(|(_, n)| **n >= LEAST).for_each(|(sign, _)| known[place(*sign)] = true);
    println!("{} texts, {} signs", train.len(), seen.values().filter(|n| **n >= LEAST).count());
    let size = 1 << BITS;
    let mut learner = Learner {
        weights: vec![0.0; size],
        squares: vec![0.0; size],
        joints: vec![[0.0; 3]; JOINTS],
        joint_squares: vec![[0.0; 3]; JOINTS],
        known,
    };
    let mut chance = Chance(SEED);
    let mut order: Vec<usize> = (0..train.len()).collect();
    for _ in 0..ROUNDS {
        for at in (1..order.len()).rev() {
            order.swap(at, (chance.next() % (at as u64 + 1)) as usize);
        }
        order.iter().for_each(|at| learner.see(&train[*at], &mut chance));
    }
    learner.weights()
}

/// The chance a word must have is chosen by this: each of the other four fifths in turn is kept from training and
/// measured, so that what is held back has no part in it.
#[test]
#[ignore = "trains for minutes"]
fn cross_names() {
    let Some(all) = training() else { return };
    let steps: Vec<f32> = (3..=14).map(|step| step as f32 * 0.05).collect();
    let mut tallies = vec![[Tally::default(); 3]; steps.len()];
    for fifth in 1..=4 {
        let weights = trained(&without(&all, fifth));
        let of = |set| all.iter().filter(move |text| text.set == set && text.fifth == fifth);
        let (templates, posts): (Vec<_>, Vec<_>) = (of("templates").collect(), of("posts").collect());
        let names = |text: &Marked| persons(text).iter().all(|s| is_name_of(fifth, &text.text[s.clone()]));
        let strangers: Vec<_> = templates.iter().copied().filter(|text| names(text)).collect();
        for (sure, sums) in steps.iter().zip(&mut tallies) {
            for (sum, texts) in sums.iter_mut().zip([&templates, &strangers, &posts]) {
                sum.add(&measure(&weights, texts, *sure));
            }
        }
    }
    for (sure, sums) in steps.iter().zip(&tallies) {
        println!("from {sure:.2}");
        for (sum, name) in sums.iter().zip(["templates", "templates, strange names", "posts"]) {
            let (r, p) = (sum.recall(), sum.precision());
            println!("  {}, F {:.3}", sum.line(name), 2.0 * r * p / (r + p));
        }
    }
}

#[test]
#[ignore = "trains for minutes, and writes a file of the program"]
fn train_names() {
    let Some(all) = training() else { return };
    let weights = trained(&all);
    let bytes = bytes(&weights);
    println!("{} bytes", bytes.len());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/names.weights");
    std::fs::write(std::env::var("NAMES_OUT").unwrap_or(path.to_owned()), bytes).unwrap();
}

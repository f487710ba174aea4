//! Texts that others marked, read from `../shared/data/pii` (it is not a part of this repository), and how a span counts
//! as found.
//!
//! *Exact*: both ends are the marked ones, signs and white space at the ends aside. *Overlapping*: a marked span is found
//! when spans of its kind cover at least half of its bytes; a span that was said is right when marked ones of its kind
//! cover at least half of its bytes. *Withheld*: every letter and digit of it lies in spans of any kind.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "used by several tests, each a part of it; data that is wrong fails them"
)]

use serde_json::Value;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A text with the spans that somebody marked in it.
#[derive(Debug, Clone)]
pub struct Marked {
    /// Where it comes from.
    pub set: &'static str,
    /// The text.
    pub text: String,
    /// What was marked, and where, in bytes.
    pub spans: Vec<(String, Range<usize>)>,
    /// Which fifth of its set it is in, 0 to 4. Training never sees those in fifth 0.
    pub fifth: u32,
}

impl Marked {
    /// Whether training never sees it.
    pub fn is_held(&self) -> bool {
        self.fifth == 0
    }
}

/// A file of the data, where it is here.
pub fn data(name: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join("shared/data/pii"));
    let path: PathBuf = root.map(|dir| dir.join(name)).find(|path| path.is_file())?;
    Some(std::fs::read_to_string(path).unwrap())
}

/// A number that depends on a text alone.
pub fn chance(text: &str) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
    hash ^ hash >> 15
}

/// Whether a name is in this fifth of names: any of its words is. Training never sees those in fifth 0.
pub fn is_name_of(fifth: u32, name: &str) -> bool {
    name.split(|c: char| !c.is_alphabetic())
        .filter(|word| word.chars().count() > 2)
        .any(|word| chance(&word.to_lowercase()) % 5 == fifth)
}

/// Sentences made from templates (presidio-research, MIT). Held back are every fifth template, and for training also the
/// sentences with a held name.
pub fn templates() -> Option<Vec<Marked>> {
    let sentences: Vec<Value> = serde_json::from_str(&data("presidio-research/generated_large.json")?).unwrap();
    let read = |sentence: &Value| {
        let text = sentence["full_text"].as_str().unwrap().to_owned();
        // Their places count characters, ours bytes.
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let byte = |at: &Value| places[(at.as_u64().unwrap() as usize).min(places.len() - 1)];
        let spans = sentence["spans"].as_array().unwrap().iter();
        let spans = spans.map(|s| {
            (s["entity_type"].as_str().unwrap().to_owned(), byte(&s["start_position"])..byte(&s["end_position"]))
        });
        let mut spans: Vec<(String, Range<usize>)> = spans.collect();
        spans.sort_by_key(|(_, span)| span.start);
        // Of the dates those are of birth that the template calls so and that a word says to be.
        let slots: Vec<&str> = sentence["masked"].as_str().unwrap().split("{{").skip(1).collect();
        let lower = text.to_lowercase();
        if slots.len() == spans.len() && (lower.contains("birth") || lower.contains("born")) {
            let births = spans.iter_mut().zip(&slots).filter(|(_, slot)| slot.starts_with("date_of_birth"));
            births.for_each(|((kind, _), _)| "BIRTH".clone_into(kind));
        }
        let fifth = (sentence["template_id"].as_u64().unwrap() % 5) as u32;
        Marked { set: "templates", text, spans, fifth }
    };
    Some(sentences.iter().map(read).collect())
}

/// Posts (WNUT 2017, CC BY 4.0). Held back is every fifth.
pub fn posts() -> Option<Vec<Marked>> {
    let mut all = conll("posts", &data("wnut17/wnut17train.conll")?);
    all.extend(conll("posts", &data("wnut17/emerging.dev.conll")?));
    all.iter_mut().for_each(|post| post.fifth = chance(&post.text) % 5);
    Some(all)
}

/// Reads lines of a word and its label; words are joined with spaces. Every kind of person is `PERSON`.
pub fn conll(set: &'static str, file: &str) -> Vec<Marked> {
    let mut all = Vec::new();
    let none = || Marked { set, text: String::new(), spans: Vec::new(), fifth: 1 };
    let mut now = none();
    for line in file.lines().chain([""]) {
        let mut parts = line.split(['\t', ' ']);
        let (word, label) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or("O").trim());
        if word.trim().is_empty() {
            if !now.text.is_empty() {
                all.push(std::mem::replace(&mut now, none()));
            }
            continue;
        }
        if word == "\\n" {
            now.text.push('\n');
            continue;
        }
        let glued = !now.text.is_empty()
            && set == "glued"
            && (word.starts_with(['.', ',', '!', '?', '\'', ':', ';']) || word == "n't");
        if !now.text.is_empty() && !now.text.ends_with('\n') && !glued {
            now.text.push(' ');
        }
        let start = now.text.len();
        now.text.push_str(word);
        let end = now.text.len();
        let kind = label.split_once('-').map_or("", |(_, kind)| kind).to_uppercase();
        // An account is no name here, though some sets mark it as one.
        let kind = if word.starts_with(['@', '#']) { String::new() } else { kind };
        let kind = if kind.starts_with("PER") { "PERSON".to_owned() } else { kind };
        match now.spans.last_mut() {
            Some((last, span)) if label.starts_with("I-") && *last == kind && span.end + 1 >= start => span.end = end,
            _ if kind.is_empty() => {}
            _ => now.spans.push((kind, start..end)),
        }
    }
    all
}

/// How often a kind was there, was found, and was said.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Marked spans.
    pub there: usize,
    /// Of them, with both ends.
    pub exact: usize,
    /// Of them, at least half.
    pub overlap: usize,
    /// Of them, covered entirely by any kind.
    pub withheld: usize,
    /// Spans that were said.
    pub said: usize,
    /// Of them, with both ends.
    pub exact_right: usize,
    /// Of them, at least half.
    pub right: usize,
}

impl Tally {
    /// Counts one text: the marked spans, those that were said of the same kind, and those of any kind.
    pub fn count(&mut self, text: &str, marked: &[Range<usize>], said: &[Range<usize>], any: &[Range<usize>]) {
        let bare = |span: &Range<usize>| trimmed(text, span);
        for span in marked {
            self.there += 1;
            self.exact += usize::from(said.iter().any(|other| bare(other) == bare(span)));
            self.overlap += usize::from(covered(span, said) * 2 >= span.len());
            let left = text[span.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric());
            let mut left = left.map(|(at, _)| span.start + at);
            self.withheld += usize::from(left.all(|at| any.iter().any(|other| other.contains(&at))));
        }
        for span in said {
            self.said += 1;
            self.exact_right += usize::from(marked.iter().any(|other| bare(other) == bare(span)));
            self.right += usize::from(covered(span, marked) * 2 >= span.len());
        }
    }

    /// Counts one text alone.
    pub fn of(text: &str, marked: &[Range<usize>], said: &[Range<usize>], any: &[Range<usize>]) -> Self {
        let mut tally = Self::default();
        tally.count(text, marked, said, any);
        tally
    }

    /// Adds another tally.
    pub fn add(&mut self, more: &Self) {
        self.there += more.there;
        self.exact += more.exact;
        self.overlap += more.overlap;
        self.withheld += more.withheld;
        self.said += more.said;
        self.exact_right += more.exact_right;
        self.right += more.right;
    }

    /// Share of the marked spans that were found, overlapping.
    pub fn recall(&self) -> f64 {
        self.overlap as f64 / self.there.max(1) as f64
    }

    /// Share of the said spans that are right, overlapping.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.said.max(1) as f64
    }

    /// The line of a table.
    pub fn line(&self, name: &str) -> String {
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        format!(
            "{name:<34} {:>5} marked  recall {:.3} (exact {:.3}, withheld {:.3})  precision {:.3} (exact {:.3}) of {}",
            self.there,
            self.recall(),
            share(self.exact, self.there),
            share(self.withheld, self.there),
            self.precision(),
            share(self.exact_right, self.said),
            self.said
        )
    }
}

/// Bytes of a span that others cover; the others do not overlap each other.
fn covered(span: &Range<usize>, others: &[Range<usize>]) -> usize {
    others.iter().map(|other| other.end.min(span.end).saturating_sub(other.start.max(span.start))).sum()
}

fn trimmed(text: &str, span: &Range<usize>) -> Range<usize> {
    let inner = &text[span.clone()];
    let start = span.start + (inner.len() - inner.trim_start_matches(|c: char| !c.is_alphanumeric()).len());
    let end = span.end - (inner.len() - inner.trim_end_matches(|c: char| !c.is_alphanumeric()).len());
    start..end.max(start)
}

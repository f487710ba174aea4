//! What is known about the colours of code, and what would be good to know.
//!
//! Code is drawn plain at once. What is on the screen without colours is wanted; the loop takes the wanted code, has it
//! painted beside the screen, and fills in what came of it. Code that still grows is asked for again only when it has
//! grown by a good part, and keeps the colours it has meanwhile.

use super::code::Code;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Code longer than this stays plain.
pub const CODE_BYTES_MAX: usize = 64 * 1024;
/// Blocks of code that wait to be painted at most; the screen holds fewer.
const WANTED_MAX: usize = 32;
/// Runs of colour kept at most, 8 bytes each.
const RUNS_MAX: usize = 256 * 1024;

/// What a part of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shade {
    /// Nothing of the following.
    Plain,
    /// A word of the language.
    Keyword,
    /// A string.
    String,
    /// A comment.
    Comment,
    /// A number or a constant.
    Number,
}

/// Where a part ends, and what it is.
pub type Run = (u32, Shade);

/// Names a block of code by its language and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

/// Code that waits to be painted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub key: Key,
    /// Its language.
    pub language: String,
    /// The code.
    pub code: String,
}

/// The code that grows now.
#[derive(Default)]
struct Growing {
    language: String,
    /// How much of it was asked for last.
    asked: usize,
    /// How much of it has colours.
    painted: usize,
}

/// What was painted, and what is wanted.
#[derive(Default)]
pub struct Colours {
    painted: HashMap<Key, Vec<Run>>,
    order: VecDeque<Key>,
    runs: usize,
    wanted: RefCell<Vec<Wanted>>,
    growing: RefCell<Growing>,
    /// Whether some code is being painted now; there is one painter.
    busy: bool,
}

fn key(language: &str, code: &str) -> Key {
    let mut hasher = DefaultHasher::new();
    (language, code).hash(&mut hasher);
    Key(hasher.finish())
}

impl Colours {
    /// The colours of a block of code; where they are not known, they are wanted from now on. Of code that `grows` the
    /// colours of its beginning.
    #[must_use]
    pub fn of(&self, code: &Code, grows: bool) -> &[Run] {
        if code.language.is_empty() || code.text.is_empty() || code.text.len() > CODE_BYTES_MAX {
            return &[];
        }
        if !grows {
            let whole = key(&code.language, &code.text);
            if let Some(runs) = self.painted.get(&whole) {
                return runs;
            }
            self.want(whole, &code.language, &code.text);
        }
        self.beginning(code, grows)
    }

    fn beginning(&self, code: &Code, grows: bool) -> &[Run] {
        let mut growing = self.growing.borrow_mut();
        let part = |len: usize| code.text.get(..len).filter(|_| len > 0).map(|part| key(&code.language, part));
        let asked = part(growing.asked).filter(|_| growing.language == code.language);
        let answered = asked.is_some_and(|asked| self.painted.contains_key(&asked));
        if answered {
            growing.painted = growing.asked;
        }
        let found = part(growing.painted).and_then(|part| self.painted.get(&part));
        if grows {
            let waits = asked.is_some_and(|asked| self.wanted.borrow().iter().any(|wanted| wanted.key == asked));
            let other = asked.is_none() || found.is_none() && !waits && !self.busy;
            let more = answered && code.text.len() > growing.asked + growing.asked / 4;
            if other || more {
                let painted = if other { 0 } else { growing.painted };
                *growing = Growing { language: code.language.clone(), asked: code.text.len(), painted };
                self.want(key(&code.language, &code.text), &code.language, &code.text);
            }
        }
        found.map_or(&[], Vec::as_slice)
    }

    fn want(&self, key: Key, language: &str, code: &str) {
        let mut wanted = self.wanted.borrow_mut();
        if wanted.len() < WANTED_MAX && wanted.iter().all(|known| known.key != key) {
            wanted.push(Wanted { key, language: language.to_owned(), code: code.to_owned() });
        }
    }

    /// What should be painted next; nothing while the painter is busy.
    pub fn take_wanted(&mut self) -> Vec<Wanted> {
        if self.busy {
            return Vec::new();
        }
        let painted = &self.painted;
        let mut wanted = self.wanted.take();
        wanted.retain(|wanted| !painted.contains_key(&wanted.key));
        self.busy = !wanted.is_empty();
        wanted
    }

    /// The painter is done with what it was given.
    pub fn fill(&mut self, painted: Vec<(Key, Vec<Run>)>) {
        self.busy = false;
        for (key, runs) in painted {
            self.runs += runs.len();
            match self.painted.insert(key, runs) {
                Some(before) => self.runs -= before.len(),
                None => self.order.push_back(key),
            }
        }
        while self.runs > RUNS_MAX || self.order.len() > WANTED_MAX * 32 {
            let Some(oldest) = self.order.pop_front() else { return };
            self.runs -= self.painted.remove(&oldest).map_or(0, |runs| runs.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code { language: "rust".into(), text: text.into(), ..Code::default() }
    }

    #[test]
    fn what_is_seen_is_wanted_once_and_then_known() {
        let mut colours = Colours::default();
        assert!(colours.of(&code("let a;"), false).is_empty());
        assert!(colours.of(&code("let a;"), false).is_empty());
        let wanted = colours.take_wanted();
        assert_eq!(wanted.len(), 1);
        assert!(colours.of(&code("let b;"), false).is_empty());
        assert!(colours.take_wanted().is_empty(), "one painter at a time");
        colours.fill(vec![(wanted[0].key, vec![(3, Shade::Keyword)])]);
        assert_eq!(colours.of(&code("let a;"), false), [(3, Shade::Keyword)]);
        assert_eq!(colours.take_wanted().len(), 1);
    }

    #[test]
    fn growing_code_keeps_its_colours_and_is_not_asked_for_at_every_word() {
        let mut colours = Colours::default();
        let mut text = String::new();
        let mut asked = 0;
        for line in 0..400 {
            text.push_str("let a = 1;\n");
            let known = !colours.of(&code(&text), true).is_empty();
            assert_eq!(known, line > 0, "line {line}");
            let wanted = colours.take_wanted();
            asked += wanted.len();
            colours.fill(wanted.into_iter().map(|w| (w.key, vec![(3, Shade::Keyword)])).collect());
        }
        assert!(asked < 40, "asked {asked} times");
        assert!(!colours.of(&code(&(text + "}")), false).is_empty(), "until the whole is painted");
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut colours = Colours::default();
        for n in 0..40 {
            let key = Key(n);
            colours.fill(vec![(key, vec![(1, Shade::Plain); 10_000])]);
        }
        assert!(colours.runs <= RUNS_MAX && colours.painted.len() < 40);
        let long = Code { language: "rust".into(), text: "x".repeat(CODE_BYTES_MAX + 1), ..Code::default() };
        assert!(colours.of(&long, false).is_empty() && colours.take_wanted().is_empty());
    }
}

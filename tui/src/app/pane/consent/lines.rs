//! Ledger lines as a list that grows at both ends: new ones come in front while it is read, older ones behind as it is
//! scrolled. The selected entry stays selected whatever comes.

use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::step;
use crate::app::state::Loaded;
use hinet_protocol::{Event, LedgerLine, Op};

/// Entries asked for at a time.
const PAGE: usize = 200;
/// So many entries before the last one, older ones are asked for.
const NEAR: usize = 30;

/// The list.
pub struct Lines {
    /// Newest first.
    pub list: Loaded<Vec<LedgerLine>>,
    /// The selected one.
    pub selected: usize,
    /// Only these kinds; empty is all.
    pub kinds: Vec<String>,
    /// Only entries whose sentence holds this.
    pub matching: String,
    /// Whether older ones are on their way.
    pub older: bool,
    more: bool,
    tags: (Tag, Tag),
}

impl Lines {
    /// A list that asks by these tags: for its beginning, and for what is older.
    #[must_use]
    pub fn new(head: Tag, older: Tag, kinds: &[&str]) -> Self {
        Self {
            list: Loaded::Not,
            selected: 0,
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            matching: String::new(),
            older: false,
            more: false,
            tags: (head, older),
        }
    }

    fn op(&self, before: Option<u64>) -> Op {
        Op::Ledger { limit: PAGE, kinds: self.kinds.clone(), matching: self.matching.clone(), before }
    }

    /// Asks for the newest lines.
    pub fn enter(&mut self) -> Effect {
        self.list.ask();
        Effect::call(self.tags.0, self.op(None))
    }

    /// Shows other lines.
    pub fn filter(&mut self, kinds: Vec<String>, matching: String) -> Vec<Effect> {
        if self.kinds == kinds && self.matching == matching && !matches!(self.list, Loaded::Failed(_)) {
            return vec![];
        }
        (self.kinds, self.matching) = (kinds, matching);
        let mut effects = vec![];
        if self.older {
            effects.push(Effect::Drop(self.tags.1));
        }
        self.reset();
        effects.push(self.enter());
        effects
    }

    /// Lets go of every line: what they say may be erased by now.
    pub fn reset(&mut self) {
        self.list = Loaded::Not;
        (self.selected, self.older, self.more) = (0, false, false);
    }

    /// Moves the selection, and asks for older lines near the end.
    pub fn select(&mut self, delta: isize) -> Vec<Effect> {
        let Some(list) = self.list.get() else { return vec![] };
        self.selected = step(self.selected, delta, list.len());
        let near = self.selected + NEAR >= list.len();
        match list.last().map(|line| line.seq) {
            Some(last) if near && self.more && !self.older => {
                self.older = true;
                vec![Effect::call(self.tags.1, self.op(Some(last)))]
            }
            _ => vec![],
        }
    }

    /// An event of a request of this list; returns whether it was one.
    pub fn reply(&mut self, tag: Tag, event: &Event) -> bool {
        match event {
            Event::Ledger { lines } if tag == self.tags.0 => self.head(lines.clone()),
            Event::Ledger { lines } if tag == self.tags.1 => self.behind(lines.clone()),
            Event::Failed { failure } if tag == self.tags.0 => self.list = Loaded::Failed(failure.clone()),
            Event::Failed { .. } if tag == self.tags.1 => self.older = false,
            _ => return tag == self.tags.0 || tag == self.tags.1,
        }
        true
    }

    fn head(&mut self, mut lines: Vec<LedgerLine>) {
        let before = match std::mem::take(&mut self.list) {
            Loaded::Full(list) => list,
            _ => vec![],
        };
        let selected = before.get(self.selected).map(|line| line.seq).filter(|_| self.selected > 0);
        // What was read before goes on behind the new page, where the two meet.
        let whole = lines.len() < PAGE;
        let meets = before.first().zip(lines.last()).is_some_and(|(newest, last)| newest.seq >= last.seq);
        let tail: Vec<LedgerLine> = match lines.last().map(|line| line.seq) {
            Some(last) if meets && !whole => before.into_iter().filter(|line| line.seq < last).collect(),
            _ => vec![],
        };
        if tail.is_empty() {
            self.more = !whole;
        }
        lines.extend(tail);
        self.selected = selected.and_then(|seq| lines.iter().position(|line| line.seq == seq)).unwrap_or(0);
        self.list = Loaded::Full(lines);
    }

    fn behind(&mut self, lines: Vec<LedgerLine>) {
        if !std::mem::take(&mut self.older) {
            return;
        }
        self.more = lines.len() >= PAGE;
        if let Loaded::Full(list) = &mut self.list {
            let last = list.last().map_or(u64::MAX, |line| line.seq);
            list.extend(lines.into_iter().filter(|line| line.seq < last));
        }
    }
}

/// What is typed into the filter, read: `kind:grant kind:revoke`, and the words that are left.
#[must_use]
pub fn read_filter(typed: &str) -> (Vec<String>, String) {
    let mut kinds = Vec::new();
    let mut words = Vec::new();
    for word in typed.split_whitespace() {
        match word.strip_prefix("kind:") {
            Some(kind) if !kind.is_empty() => kinds.push(kind.to_lowercase()),
            Some(_) => {}
            None => words.push(word),
        }
    }
    (kinds, words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinet_protocol::Hash;

    fn lines(seqs: impl Iterator<Item = u64>) -> Event {
        let line = |seq| LedgerLine { seq, at: 0, kind: "ingest".into(), text: String::new(), hash: Hash::default() };
        Event::Ledger { lines: seqs.map(line).collect() }
    }

    fn seqs(list: &Lines) -> Vec<u64> {
        list.list.get().map(|lines| lines.iter().map(|line| line.seq).collect()).unwrap_or_default()
    }

    #[test]
    fn it_grows_at_both_ends_and_keeps_the_selection() {
        let mut list = Lines::new(Tag::Ledger, Tag::LedgerOlder, &[]);
        list.reply(Tag::Ledger, &lines((301..=500).rev()));
        assert!(list.select(10).is_empty(), "far from the end nothing is asked for");
        assert_eq!(list.select(180).len(), 1);
        assert!(list.select(1).is_empty(), "and only once at a time");
        list.reply(Tag::LedgerOlder, &lines((201..=300).rev()));
        let chosen = seqs(&list)[list.selected];
        list.reply(Tag::Ledger, &lines((311..=510).rev()));
        assert_eq!(seqs(&list), (201..=510).rev().collect::<Vec<_>>());
        assert_eq!(seqs(&list)[list.selected], chosen);
        assert!(list.select(1000).is_empty(), "the last page was short: there is nothing older");
    }

    #[test]
    fn a_gap_is_never_papered_over() {
        let mut list = Lines::new(Tag::Ledger, Tag::LedgerOlder, &[]);
        list.reply(Tag::Ledger, &lines((1..=200).rev()));
        list.reply(Tag::Ledger, &lines((601..=800).rev()));
        assert_eq!(seqs(&list).len(), 200);
        assert_eq!(list.select(199).len(), 1, "what lies between is asked for");
    }

    #[test]
    fn filters_are_read() {
        assert_eq!(read_filter(" kind:Grant diary kind: x"), (vec!["grant".into()], "diary x".into()));
    }
}

//! What is remembered: a search with operators, and before a search the timeline of everything.

pub mod keys;
mod operators;
mod timeline;
mod view;

use super::recalled::Recalled;
use crate::app::effect::Effect;
use crate::app::field::Field;
use crate::app::msg::Tag;
use crate::app::state::Loaded;
use hinet_protocol::{Event, ItemId, Op, Stats};

pub use operators::{OPERATORS, Read, read};
pub use timeline::Timeline;
pub use view::{part_at, view};

/// Hits asked for.
const HITS_MAX: usize = 50;

/// The pane.
pub struct Memory {
    /// The query being typed.
    pub query: Field,
    /// The query that was searched for.
    pub searched: String,
    /// What was found.
    pub hits: Loaded<()>,
    /// The list of it.
    pub found: Recalled,
    /// The number of the last search.
    pub number: u32,
    /// What is there without a search.
    pub timeline: Timeline,
    /// Counts of what there is.
    pub stats: Loaded<Stats>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            query: Field::plain(),
            searched: String::new(),
            hits: Loaded::Not,
            found: Recalled::default(),
            number: 0,
            timeline: Timeline::default(),
            stats: Loaded::Not,
        }
    }
}

impl Memory {
    /// Asks for what the pane shows before a search.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.stats.ask();
        let mut effects = vec![Effect::call(Tag::Stats, Op::Stats)];
        effects.extend(self.timeline.enter());
        effects
    }

    /// Whether what was found is on the screen, rather than the timeline.
    #[must_use]
    pub fn shows_hits(&self) -> bool {
        self.hits != Loaded::Not
    }

    /// Searches for what is typed. Operators alone confine the timeline; nothing at all brings it back.
    pub fn search(&mut self) -> Vec<Effect> {
        let query = self.query.text().trim().to_owned();
        let mut effects = vec![];
        if self.hits == Loaded::Loading {
            effects.push(Effect::Drop(Tag::Search(self.number)));
        }
        if read(&query).is_list() {
            self.hits = Loaded::Not;
            self.searched.clear();
            effects.extend(self.timeline.confine(&query));
            return effects;
        }
        self.number = self.number.wrapping_add(1);
        self.hits = Loaded::Loading;
        self.searched.clone_from(&query);
        effects.push(Effect::call(Tag::Search(self.number), Op::Search { query, k: HITS_MAX }));
        effects
    }

    /// Searches again, because something was forgotten.
    pub fn again(&mut self) -> Vec<Effect> {
        self.timeline.reset();
        let mut effects = self.enter();
        if !self.searched.is_empty() && matches!(self.hits, Loaded::Full(())) {
            self.found = Recalled::default();
            self.number = self.number.wrapping_add(1);
            self.hits = Loaded::Loading;
            let op = Op::Search { query: self.searched.clone(), k: HITS_MAX };
            effects.push(Effect::call(Tag::Search(self.number), op));
        }
        effects
    }

    /// The node went away: what was asked for does not come.
    pub fn lost(&mut self) {
        if self.hits == Loaded::Loading {
            self.hits = Loaded::Not;
        }
        self.timeline.reset();
    }

    /// An item was pinned or labelled. What was found says so at once; the timeline is sorted anew.
    pub fn marked(&mut self, item: ItemId, pinned: bool) -> Vec<Effect> {
        for passage in self.found.passages.iter_mut().filter(|passage| passage.item == item) {
            passage.pinned = pinned;
        }
        if matches!(self.timeline.list, Loaded::Not) { vec![] } else { self.timeline.enter() }
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) {
        match (tag, event) {
            (Tag::Search(number), Event::Hits { hits }) if number == self.number && self.shows_hits() => {
                self.found.selected = 0;
                self.found.fill(&[], &hits);
                for (i, passage) in self.found.passages.iter_mut().enumerate() {
                    passage.mark = Some(i + 1);
                }
                self.hits = Loaded::Full(());
            }
            (Tag::Search(number), Event::Failed { failure }) if number == self.number && self.shows_hits() => {
                self.hits = Loaded::Failed(failure);
            }
            (Tag::Stats, Event::Stats { stats }) => self.stats = Loaded::Full(stats),
            (Tag::Stats, Event::Failed { failure }) => self.stats = Loaded::Failed(failure),
            (tag, event) => self.timeline.reply(tag, event),
        }
    }
}

//! Searching what is remembered.

use super::face;
use super::recalled::{Look, Recalled};
use crate::app::effect::Effect;
use crate::app::field::Field;
use crate::app::msg::Tag;
use crate::app::state::{Focus, Loaded, State};
use crate::app::words;
use hinet_protocol::{Event, Op, Stats};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Position, Rect},
    text::Span,
    widgets::Paragraph,
};

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
            stats: Loaded::Not,
        }
    }
}

impl Memory {
    /// Asks for what the pane shows before a search.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.stats.ask();
        vec![Effect::call(Tag::Stats, Op::Stats)]
    }

    /// Searches for what is typed.
    pub fn search(&mut self) -> Vec<Effect> {
        let query = self.query.text().trim().to_owned();
        if query.is_empty() {
            return vec![];
        }
        let mut effects = vec![];
        if self.hits == Loaded::Loading {
            effects.push(Effect::Drop(Tag::Search(self.number)));
        }
        self.number = self.number.wrapping_add(1);
        self.hits = Loaded::Loading;
        self.searched.clone_from(&query);
        effects.push(Effect::call(Tag::Search(self.number), Op::Search { query, k: HITS_MAX }));
        effects
    }

    /// Searches again, because something was forgotten.
    pub fn again(&mut self) -> Vec<Effect> {
        let mut effects = self.enter();
        if !self.searched.is_empty() && matches!(self.hits, Loaded::Full(())) {
            self.found = Recalled::default();
            effects.extend(self.search());
        }
        effects
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) {
        match (tag, event) {
            (Tag::Search(number), Event::Hits { hits }) if number == self.number => {
                self.found.selected = 0;
                self.found.fill(&[], &hits);
                for (i, passage) in self.found.passages.iter_mut().enumerate() {
                    passage.mark = Some(i + 1);
                }
                self.hits = Loaded::Full(());
            }
            (Tag::Search(number), Event::Failed { failure }) if number == self.number => {
                self.hits = Loaded::Failed(failure);
            }
            (Tag::Stats, Event::Stats { stats }) => self.stats = Loaded::Full(stats),
            (Tag::Stats, Event::Failed { failure }) => self.stats = Loaded::Failed(failure),
            _ => {}
        }
    }
}

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let (memory, theme) = (&state.memory, &state.theme);
    let rows = layout(area);
    let typing = state.focus == Focus::First && state.overlays.is_empty();
    let query = face::boxed(frame, rows[0], "memory · search", state.focus == Focus::First, theme);
    let mut line = memory.query.line(theme, typing, usize::from(query.width).saturating_sub(2));
    line.spans.insert(0, Span::styled("▏ ", theme.accent));
    frame.render_widget(Paragraph::new(line), query);
    let title = match &memory.hits {
        Loaded::Full(()) => {
            let many = words::some(memory.found.passages.len() as u64, "passage");
            format!("{many} for {}", memory.searched)
        }
        Loaded::Loading => format!("searching for {}", memory.searched),
        _ => "what is remembered".to_owned(),
    };
    let inside = face::boxed(frame, rows[1], &title, state.focus == Focus::Second, theme);
    match &memory.hits {
        Loaded::Not => face::sentences(frame, inside, &before(state), theme.dim),
        Loaded::Loading => {
            face::sentences(frame, inside, "Searching by words and by meaning… (Esc goes back)", theme.dim)
        }
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "Nothing was changed. Enter in the search tries again.", theme);
        }
        Loaded::Full(()) if memory.found.passages.is_empty() => {
            face::sentences(frame, inside, "Nothing that is remembered fits. Fewer or other words may.", theme.dim);
        }
        Loaded::Full(()) => {
            memory.found.view(frame, inside, state.focus == Focus::Second, EXCERPT_ROWS, &Look::of(state))
        }
    }
}

/// Rows of an excerpt in the list.
const EXCERPT_ROWS: usize = 2;

/// The query and what was found.
fn layout(area: Rect) -> [Rect; 2] {
    Layout::vertical([Constraint::Length(3), Constraint::Min(0)]).spacing(-1).areas(area)
}

/// The part of the pane at a place of the screen, and the index of the passage drawn there.
#[must_use]
pub fn part_at(state: &State, area: Rect, place: Position) -> (Focus, Option<usize>) {
    let [query, found] = layout(area);
    if query.contains(place) && !face::inside(found).contains(place) {
        return (Focus::First, None);
    }
    let full = matches!(state.memory.hits, Loaded::Full(()));
    let at = || state.memory.found.at(face::inside(found), EXCERPT_ROWS, &Look::of(state), place);
    (Focus::Second, full.then(at).flatten())
}

fn before(state: &State) -> String {
    let counts = match &state.memory.stats {
        Loaded::Full(stats) if stats.items == 0 => {
            return "Nothing is remembered yet. F4 and then a opens a folder.".to_owned();
        }
        Loaded::Full(stats) => {
            let waiting = stats.chunks.saturating_sub(stats.embedded);
            let waiting = if waiting > 0 {
                format!(
                    " {} are still found by words only, until their meaning is computed.",
                    words::some(waiting, "passage")
                )
            } else {
                String::new()
            };
            format!(
                "{} in {} from {}, {} of text.{waiting}\n\n",
                words::some(stats.items, "item"),
                words::some(stats.chunks, "passage"),
                words::some(stats.sources, "source"),
                crate::text::bytes(stats.text_bytes)
            )
        }
        _ => String::new(),
    };
    format!(
        "{counts}Type what you look for and press Enter. Tab goes to what was found; there f forgets, with a preview first."
    )
}

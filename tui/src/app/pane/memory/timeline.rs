//! What is remembered, newest first, with the days as headings and what is pinned before them. More is read as one
//! scrolls; what is selected stays selected when something new comes.

use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::pane::face;
use crate::app::scroll::step;
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::text;
use hinet_protocol::{Event, ItemId, ItemLine, Millis, Op};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::Line,
    widgets::Paragraph,
};
use std::collections::HashSet;

/// Items asked for at a time.
const PAGE: usize = 200;
/// So many items before the last one, older ones are asked for.
const NEAR: usize = 30;
/// Items that are listed at most; a search with `before:` goes further back.
const ITEMS_MAX: usize = 5_000;

/// The list.
#[derive(Default)]
pub struct Timeline {
    /// Pinned ones first, then newest first.
    pub list: Loaded<Vec<ItemLine>>,
    /// The selected one.
    pub selected: usize,
    /// The operators that confine it.
    pub query: String,
    older: bool,
    more: bool,
}

impl Timeline {
    fn op(&self, before: Option<Millis>) -> Op {
        Op::Timeline { query: self.query.clone(), before, limit: PAGE }
    }

    /// Asks for the newest items.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.list.ask();
        vec![Effect::call(Tag::Timeline, self.op(None))]
    }

    /// Confines it to what fits a line of operators.
    pub fn confine(&mut self, query: &str) -> Vec<Effect> {
        if self.query == query && matches!(self.list, Loaded::Full(_)) {
            return vec![];
        }
        query.clone_into(&mut self.query);
        let mut effects = if self.older { vec![Effect::Drop(Tag::TimelineOlder)] } else { vec![] };
        self.reset();
        effects.extend(self.enter());
        effects
    }

    /// Lets go of every item: some may be forgotten by now.
    pub fn reset(&mut self) {
        self.list = Loaded::Not;
        (self.selected, self.older, self.more) = (0, false, false);
    }

    /// The selected item.
    #[must_use]
    pub fn current(&self) -> Option<&ItemLine> {
        self.list.get()?.get(self.selected)
    }

    /// Moves the selection, and asks for older items near the end.
    pub fn select(&mut self, delta: isize) -> Vec<Effect> {
        let Some(list) = self.list.get() else { return vec![] };
        self.selected = step(self.selected, delta, list.len());
        let near = self.selected + NEAR >= list.len() && list.len() < ITEMS_MAX;
        match list.iter().rev().find(|item| !item.pinned).map(|item| item.modified) {
            Some(last) if near && self.more && !self.older => {
                self.older = true;
                vec![Effect::call(Tag::TimelineOlder, self.op(Some(last)))]
            }
            _ => vec![],
        }
    }

    /// An event of a request of this list.
    pub fn reply(&mut self, tag: Tag, event: Event) {
        match (tag, event) {
            (Tag::Timeline, Event::Items { items }) => self.head(items),
            (Tag::Timeline, Event::Failed { failure }) => self.list = Loaded::Failed(failure),
            (Tag::TimelineOlder, Event::Items { items }) => self.behind(items),
            (Tag::TimelineOlder, Event::Failed { .. }) => self.older = false,
            _ => {}
        }
    }

    fn head(&mut self, items: Vec<ItemLine>) {
        let before = match std::mem::take(&mut self.list) {
            Loaded::Full(list) => list,
            _ => vec![],
        };
        let selected = before.get(self.selected).map(|item| item.item).filter(|_| self.selected > 0);
        let (mut list, rest): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.pinned);
        let whole = rest.len() < PAGE;
        let last = rest.last().map(|item| item.modified);
        list.extend(rest);
        let had = list.len();
        // What was read before goes on behind the new page.
        if let (false, Some(last)) = (whole, last) {
            list.extend(before.into_iter().filter(|old| !old.pinned && old.modified < last));
        }
        if list.len() == had {
            self.more = !whole;
        }
        self.selected = selected.and_then(|id| list.iter().position(|line| line.item == id)).unwrap_or(0);
        self.list = Loaded::Full(list);
    }

    fn behind(&mut self, items: Vec<ItemLine>) {
        if !std::mem::take(&mut self.older) {
            return;
        }
        self.more = items.len() >= PAGE;
        if let Loaded::Full(list) = &mut self.list {
            let known: HashSet<ItemId> = list.iter().map(|item| item.item).collect();
            list.extend(items.into_iter().filter(|item| !known.contains(&item.item)));
        }
    }
}

/// The heading an item stands under.
fn heading(item: &ItemLine, now: Millis, zone: &TimeZone) -> String {
    if item.pinned {
        return "pinned".to_owned();
    }
    let day = |at| Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned(zone.clone()));
    let (Some(at), Some(now)) = (day(item.modified), day(now)) else { return "?".to_owned() };
    let (date, today) = (at.date(), now.date());
    if date == today {
        "today".to_owned()
    } else if Some(date) == today.yesterday().ok() {
        "yesterday".to_owned()
    } else if at.year() == now.year() {
        at.strftime("%A, %-d %B").to_string()
    } else {
        at.strftime("%A, %-d %B %Y").to_string()
    }
}

/// Draws the list so that the selected item and its heading are visible.
pub fn view(state: &State, frame: &mut Frame, area: Rect, focus: bool) {
    let (timeline, theme) = (&state.memory.timeline, &state.theme);
    let Some(list) = timeline.list.get() else { return };
    if list.is_empty() {
        let said = if timeline.query.is_empty() {
            "Nothing is remembered yet. F4 and then a opens a folder."
        } else {
            "Nothing that is remembered fits these operators."
        };
        return face::sentences(frame, area, said, theme.dim);
    }
    let columns = usize::from(area.width);
    let rows = rows(state, list, usize::from(area.height));
    let drawn = rows.into_iter().map(|row| match row {
        Row::Day(day) => Line::styled(text::fit(&day, columns), theme.strong),
        Row::Older => Line::styled(text::fit("    reading what is older…", columns), theme.dim),
        Row::Item(i) => {
            let style = if focus && i == timeline.selected { theme.selected } else { theme.text };
            Line::styled(line(&list[i], state, columns), style)
        }
    });
    frame.render_widget(Paragraph::new(drawn.collect::<Vec<_>>()), area);
}

/// The index of the item drawn at a place of the screen.
#[must_use]
pub fn at(state: &State, area: Rect, place: Position) -> Option<usize> {
    let list = state.memory.timeline.list.get().filter(|list| !list.is_empty())?;
    let rows = rows(state, list, usize::from(area.height));
    match rows.get(usize::from(place.y.checked_sub(area.y)?)) {
        Some(Row::Item(index)) if area.contains(place) => Some(*index),
        _ => None,
    }
}

/// A line of the list.
enum Row {
    Day(String),
    Item(usize),
    Older,
}

/// The lines that are drawn: as many before the selected item as leave it on the screen.
fn rows(state: &State, list: &[ItemLine], height: usize) -> Vec<Row> {
    let (timeline, place) = (&state.memory.timeline, &state.place);
    let day = |i: usize| heading(&list[i], state.now, &place.zone);
    // The first item that is drawn: as early as the selected one still has its row below it.
    let mut first = timeline.selected.min(list.len() - 1);
    let (mut used, mut above) = (2, day(first));
    while first > 0 {
        let before = day(first - 1);
        let more = if before == above { 1 } else { 2 };
        if used + more > height {
            break;
        }
        used += more;
        first -= 1;
        above = before;
    }
    let mut lines: Vec<Row> = Vec::with_capacity(height + 1);
    let mut under = String::new();
    for i in first..list.len() {
        if lines.len() >= height {
            break;
        }
        let day = day(i);
        if day != under {
            lines.push(Row::Day(day.clone()));
            under = day;
        }
        lines.push(Row::Item(i));
    }
    if timeline.older && lines.len() < height {
        lines.push(Row::Older);
    }
    lines.truncate(height);
    lines
}

fn line(item: &ItemLine, state: &State, columns: usize) -> String {
    let zone = &state.place.zone;
    let time =
        if item.pinned { words::when(item.modified, state.now, zone) } else { words::clock(item.modified, zone) };
    let labels = if item.labels.is_empty() { String::new() } else { format!(" [{}]", item.labels.join(", ")) };
    let pin = if item.pinned { "◆" } else { " " };
    let right = format!("  {} {}", text::pad(&item.kind, 8), text::pad(&time, 11));
    let room = columns.saturating_sub(text::width(&right) + 5);
    let title_columns = (room * 2 / 5).max(12).min(room);
    let source_columns = room - title_columns;
    let title = text::pad(&format!("{}{labels}", item.title), title_columns);
    let source = text::fit_end(&words::tilde(&item.source, &state.place.home_dir), source_columns);
    text::cut_raw(&format!("  {pin} {title} {}{right}", text::pad(&source, source_columns)), columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u32, pinned: bool) -> ItemLine {
        ItemLine {
            item: format!("0199f3a2-0000-7000-8000-{n:012}").parse().unwrap(),
            source: format!("/n/{n}.md"),
            title: format!("{n}.md"),
            kind: "markdown".into(),
            modified: i64::from(n),
            ingested: 0,
            pinned,
            labels: vec![],
        }
    }

    fn numbers(timeline: &Timeline) -> Vec<i64> {
        timeline.list.get().map(|list| list.iter().map(|item| item.modified).collect()).unwrap_or_default()
    }

    #[test]
    fn it_grows_as_it_is_scrolled_and_keeps_the_selection() {
        let mut timeline = Timeline::default();
        let page = |from: u32, to: u32| (from..=to).rev().map(|n| item(n, false));
        let items = page(301, 500).chain([item(5, true)]).collect();
        timeline.reply(Tag::Timeline, Event::Items { items });
        assert_eq!(numbers(&timeline)[..2], [5, 500], "pinned ones stand first");
        assert!(timeline.select(10).is_empty());
        let asked = timeline.select(170);
        assert!(matches!(&asked[..], [Effect::Call { op: Op::Timeline { before: Some(301), .. }, .. }]));
        assert!(timeline.select(1).is_empty(), "only once at a time");
        timeline.reply(Tag::TimelineOlder, Event::Items { items: page(290, 301).collect() });
        assert_eq!((numbers(&timeline).len(), timeline.select(1000).len()), (212, 0));
        let chosen = timeline.current().unwrap().item;
        let items = [item(5, true)].into_iter().chain(page(302, 501)).collect();
        timeline.reply(Tag::Timeline, Event::Items { items });
        assert_eq!(timeline.current().unwrap().item, chosen);
        assert_eq!(numbers(&timeline).len(), 213);
    }
}

//! An item with the cited words marked, scrolled to them.

use super::over;
use crate::app::field::Field;
use crate::app::reader::Reader;
use crate::app::scroll::Scroll;
use crate::app::words;
use crate::markdown::Colours;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Failure, ItemId, ItemView, Trust};
use jiff::tz::TimeZone;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};
use std::ops::Range;

/// The overlay.
pub struct Item {
    /// Which item.
    pub item: ItemId,
    /// The number of this opening; replies to others are dropped.
    pub serial: u32,
    /// Its path, known before its text comes.
    pub source: String,
    /// The bytes to mark.
    pub span: Option<Range<usize>>,
    /// The words those bytes should be.
    pub cited: Option<String>,
    /// The item, once it is here.
    pub view: Option<ItemView>,
    /// Its text, laid out.
    pub text: Reader,
    /// Where the reader is.
    pub scroll: Scroll,
    /// Why it did not come.
    pub failed: Option<Failure>,
    /// The words that are looked for in it, while they are typed and after.
    pub find: Option<Find>,
    /// The bytes that were cited, wherever the mark is now.
    span_marked: Range<usize>,
}

/// Words that are looked for.
pub struct Find {
    /// As they are typed.
    pub field: Field,
    /// Whether they are still being typed.
    pub typing: bool,
    /// Where they stand.
    pub places: Vec<Range<usize>>,
    /// The one that is shown.
    pub at: usize,
}

/// Places that are found at most.
const PLACES_MAX: usize = 1_000;

/// Where `wanted` stands in `text`, letter case aside.
fn places(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let wanted: Vec<char> = wanted.chars().flat_map(char::to_lowercase).collect();
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    let mut rest = text.char_indices();
    loop {
        let from = rest.offset();
        let mut wants = wanted.iter();
        let mut end = from;
        let fits = loop {
            if wants.as_slice().is_empty() {
                break true;
            }
            let Some(c) = text[end..].chars().next() else { break false };
            end += c.len_utf8();
            if !c.to_lowercase().all(|c| wants.next() == Some(&c)) {
                break false;
            }
        };
        if fits {
            found.push(from..end);
            if found.len() == PLACES_MAX {
                return found;
            }
            while rest.offset() < end {
                rest.next();
            }
        } else if rest.next().is_none() {
            return found;
        }
    }
}

/// Rows the head of the overlay takes.
const HEAD_ROWS: u16 = 3;

impl Item {
    /// An item on its way.
    #[must_use]
    pub fn opening(
        item: ItemId,
        serial: u32,
        source: String,
        span: Option<Range<usize>>,
        cited: Option<String>,
    ) -> Self {
        Self {
            item,
            serial,
            source,
            span,
            cited,
            view: None,
            text: Reader::default(),
            scroll: Scroll::At(super::super::scroll::Place::default()),
            failed: None,
            find: None,
            span_marked: 0..0,
        }
    }

    /// The item came.
    pub fn fill(&mut self, mut view: ItemView, columns: usize) {
        self.text = Reader::new(std::mem::take(&mut view.text), &view.kind, &view.source, self.span.clone());
        self.text.set_columns(columns);
        self.scroll = Scroll::At(self.text.place_of_mark());
        self.span_marked = self.text.marked_range();
        self.view = Some(view);
    }

    /// The cited words as they stand in the item now.
    #[must_use]
    pub fn cited_now(&self) -> &str {
        self.text.text().get(self.span_marked.clone()).unwrap_or_default()
    }

    /// Begins to look for words.
    pub fn begin_find(&mut self) {
        if self.view.is_some() {
            let field = self.find.take().map_or_else(Field::plain, |find| find.field);
            self.find = Some(Find { field, typing: true, places: vec![], at: 0 });
        }
    }

    /// Looks for what is typed, from where the reader is.
    pub fn look(&mut self) {
        let Some(find) = &mut self.find else { return };
        find.typing = false;
        find.places = places(self.text.text(), find.field.text());
        let from = self.text.marked_range().start;
        find.at = find.places.iter().position(|place| place.start >= from).unwrap_or(0);
        self.show_place();
    }

    /// Goes to the next place found, or to the one before.
    pub fn next_place(&mut self, forward: bool) {
        let Some(find) = self.find.as_mut().filter(|find| !find.places.is_empty()) else { return };
        let many = find.places.len();
        find.at = (find.at + if forward { 1 } else { many - 1 }) % many;
        self.show_place();
    }

    fn show_place(&mut self) {
        if let Some(place) = self.find.as_ref().and_then(|find| find.places.get(find.at)) {
            self.text.mark(place.clone());
            self.scroll = Scroll::At(self.text.place_of_mark());
        }
    }

    /// Stops looking for words: the cited ones are marked again. Returns whether words were being looked for.
    pub fn end_find(&mut self) -> bool {
        let was = self.find.take().is_some();
        if was {
            self.text.mark(self.span_marked.clone());
        }
        was
    }

    /// Whether the item changed since it was cited, so that the marked words are others.
    #[must_use]
    pub fn changed(&self) -> bool {
        let blanks = |s: &str| s.split_whitespace().collect::<String>();
        self.view.is_some() && self.cited.as_ref().is_some_and(|cited| blanks(cited) != blanks(self.cited_now()))
    }

    /// Scrolls by `delta` lines.
    pub fn by(&mut self, delta: isize, size: (u16, u16)) {
        let (columns, height) = text_size(size);
        self.text.set_columns(columns);
        self.scroll = self.scroll.by(delta, &self.text, height);
    }

    /// Scrolls to the beginning or the end.
    pub fn to(&mut self, end: bool) {
        self.scroll = if end { Scroll::End } else { Scroll::At(super::super::scroll::Place::default()) };
    }

    /// Draws it.
    pub fn view(
        &self,
        (theme, colours): (&Theme, &Colours),
        frame: &mut Frame,
        area: Rect,
        zone: &TimeZone,
        home: &str,
    ) {
        let (columns, rows) = box_size(area.width, area.height);
        let name = self.view.as_ref().map_or_else(|| self.source.clone(), |view| view.title.clone());
        let inside = over(frame, area, columns, rows, &format!("item · {}", text::clean_line(&name)), theme);
        let inner = usize::from(inside.width);
        let Some(view) = &self.view else {
            let lines = match &self.failed {
                Some(failure) => text::wrap_plain(&words::failure(failure), theme.bad, inner),
                None => vec![Line::styled("Opening…", theme.dim)],
            };
            return frame.render_widget(Paragraph::new(lines), inside);
        };
        let whose = match view.trust {
            Trust::Own => "your own words",
            Trust::Untrusted => "someone else's words",
        };
        let mut meta = format!("{} · {whose} · changed {}", view.kind, words::date_and_time(view.modified, zone));
        meta.push_str(&format!(" · remembered {}", words::date_and_time(view.ingested, zone)));
        let cited = match view.cited {
            0 => "no answer cites it".to_owned(),
            1 => "1 answer cites it".to_owned(),
            n => format!("{} answers cite it", text::count(n)),
        };
        let pinned = if view.pinned { "◆ pinned · " } else { "" };
        let labels =
            if view.labels.is_empty() { "no labels".to_owned() } else { format!("labels {}", view.labels.join(", ")) };
        let mut stands = format!("{pinned}{cited} · {labels}");
        if !view.filed.is_empty() {
            stands.push_str(&format!(" · filed under {}", view.filed.join(", ")));
        }
        if let Some(thread) = &view.thread {
            stands.push_str(&format!(" · {}", crate::thread::said(thread)));
        }
        let changed = if self.changed() { " · changed since it was cited" } else { "" };
        let mut lines = vec![
            Line::styled(text::fit_end(&words::tilde(&view.source, home), inner), theme.strong),
            Line::styled(
                text::fit(&format!("{meta}{changed}"), inner),
                if self.changed() { theme.warn } else { theme.dim },
            ),
            Line::styled(text::fit(&stands, inner), theme.dim),
        ];
        let (_, height) = text_size((area.width, area.height));
        let top = self.scroll.top(&self.text, height);
        lines.extend(self.text.window(top, height, theme, colours));
        lines.truncate(usize::from(inside.height).saturating_sub(1));
        frame.render_widget(Paragraph::new(lines), inside);
        if inside.height > HEAD_ROWS + 1 {
            let at = Rect { y: inside.bottom() - 1, height: 1, ..inside };
            frame.render_widget(Paragraph::new(self.last_line(theme, inner)), at);
        }
    }
}

impl Item {
    /// What is looked for, or the keys.
    fn last_line(&self, theme: &Theme, inner: usize) -> Line<'static> {
        let Some(find) = &self.find else {
            let keys = "/ find  p pin  l labels  f forget  y copy the marked  [ ] other hits  Esc close";
            return Line::styled(text::cut_raw(keys, inner), theme.dim);
        };
        let far = match (find.typing, find.places.len()) {
            (true, _) => "  Enter finds".to_owned(),
            (false, 0) => "  not in this item".to_owned(),
            (false, n) => format!("  {} of {n}  n N go on", find.at + 1),
        };
        let mut line = find.field.line(theme, find.typing, inner.saturating_sub(7 + text::width(&far)));
        line.spans.insert(0, Span::styled("find ▏ ", theme.accent));
        line.spans.push(Span::styled(far, theme.dim));
        line
    }
}

fn box_size(width: u16, height: u16) -> (u16, u16) {
    (width.saturating_sub(4).min(110), height.saturating_sub(2))
}

/// Columns and rows the text has, for a screen of this size.
#[must_use]
pub fn text_size(size: (u16, u16)) -> (usize, usize) {
    let (columns, rows) = box_size(size.0, size.1);
    (usize::from(columns).saturating_sub(4).max(1), usize::from(rows).saturating_sub(usize::from(HEAD_ROWS) + 3))
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn words_are_found_whatever_their_letters_case() {
        assert_eq!(places("Ärger, ärger und ÄRGER", "ärger"), [0..6, 8..14, 19..25]);
        assert_eq!(places("aaaa", "aa"), [0..2, 2..4]);
        assert_eq!((places("abc", ""), places("", "a"), places("ab", "abc")), (vec![], vec![], vec![]));
        assert_eq!(places("xİy y", "y"), [3..4, 5..6]);
    }
}

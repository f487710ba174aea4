//! An item with the cited words marked, scrolled to them.

use super::over;
use crate::app::reader::Reader;
use crate::app::scroll::Scroll;
use crate::app::words;
use crate::markdown::Colours;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Failure, ItemId, ItemView, Trust};
use jiff::tz::TimeZone;
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};
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
}

/// Rows the head of the overlay takes.
const HEAD_ROWS: u16 = 2;

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
        }
    }

    /// The item came.
    pub fn fill(&mut self, mut view: ItemView, columns: usize) {
        self.text = Reader::new(std::mem::take(&mut view.text), &view.kind, &view.source, self.span.clone());
        self.text.set_columns(columns);
        self.scroll = Scroll::At(self.text.place_of_mark());
        self.view = Some(view);
    }

    /// Whether the item changed since it was cited, so that the marked words are others.
    #[must_use]
    pub fn changed(&self) -> bool {
        let blanks = |s: &str| s.split_whitespace().collect::<String>();
        self.view.is_some() && self.cited.as_ref().is_some_and(|cited| blanks(cited) != blanks(self.text.marked()))
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
        let meta = format!("{} · changed {} · {whose}", view.kind, words::date_and_time(view.modified, zone));
        let changed = if self.changed() { " · changed since it was cited" } else { "" };
        let mut lines = vec![
            Line::styled(text::fit_end(&words::tilde(&view.source, home), inner), theme.strong),
            Line::styled(
                text::fit(&format!("{meta}{changed}"), inner),
                if self.changed() { theme.warn } else { theme.dim },
            ),
        ];
        let (_, height) = text_size((area.width, area.height));
        let top = self.scroll.top(&self.text, height);
        lines.extend(self.text.window(top, height, theme, colours));
        lines.truncate(usize::from(inside.height).saturating_sub(1));
        frame.render_widget(Paragraph::new(lines), inside);
        if inside.height > HEAD_ROWS + 1 {
            let at = Rect { y: inside.bottom() - 1, height: 1, ..inside };
            let keys = Line::styled(text::cut_raw("↑↓ PgUp PgDn scroll   f forget   Esc close", inner), theme.dim);
            frame.render_widget(Paragraph::new(keys), at);
        }
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

//! Somebody asks for something of the owner's: who, what for, the exact bytes, and what they would know after it.
//!
//! Nothing is approved by a key that was meant for something else: until it has been quiet for [`QUIET_MS`], keys belong
//! to what lies below. Saying no is the default; every yes asks for the owner's proof.

use super::over;
use crate::app::paragraphs::Paragraphs;
use crate::app::scroll::{Blocks, Place, Scroll};
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Asking, Millis, Verdict};
use jiff::tz::TimeZone;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// No key approves anything before it has been quiet so long.
pub const QUIET_MS: Millis = 700;
/// Columns of the box at most.
const COLUMNS_MAX: u16 = 92;

/// The overlay.
pub struct Approval {
    /// What is asked.
    pub asking: Asking,
    /// When it came up, or the last key passed to what lies below.
    pub quiet_since: Millis,
    /// Whether the owner was answering questions already, so that keys that come too early are meant for nothing below.
    pub led_to: bool,
    /// How many wait after it.
    pub after: usize,
    text: Paragraphs,
    scroll: Scroll,
}

impl Approval {
    /// Comes up at `now`.
    #[must_use]
    pub fn new(asking: Asking, now: Millis, led_to: bool, after: usize) -> Self {
        let text = Paragraphs::new(asking.text.clone(), None);
        Self { asking, quiet_since: now, led_to, after, text, scroll: Scroll::At(Place::default()) }
    }

    /// Whether its keys hold already.
    #[must_use]
    pub fn is_awake(&self, now: Millis) -> bool {
        now - self.quiet_since >= QUIET_MS
    }

    /// Scrolls the bytes by `delta` lines.
    pub fn by(&mut self, delta: isize, size: (u16, u16)) {
        let (columns, rows) = self.text_size(size);
        self.text.set_columns(columns);
        self.scroll = match self.scroll.by(delta, &self.text, rows) {
            Scroll::End => Scroll::At(Scroll::End.top(&self.text, rows)),
            at => at,
        };
    }

    /// Whether a screen of this size shows all that a yes is about: who, what for, the bytes, what they would know.
    #[must_use]
    pub fn fits(&self, size: (u16, u16)) -> bool {
        let inner = Self::inner(size.0);
        let around =
            self.head(&Theme::default(), inner, 0, &TimeZone::UTC).len() + self.foot(&Theme::default(), inner, 0).len();
        // One line of the bytes, one that says there are more, the borders, and the bars above and below.
        around + 6 <= usize::from(size.1)
    }

    fn inner(width: u16) -> usize {
        usize::from(COLUMNS_MAX.min(width)).saturating_sub(4).max(1)
    }

    /// Columns and rows the bytes have on a screen of this size.
    fn text_size(&self, size: (u16, u16)) -> (usize, usize) {
        let inner = Self::inner(size.0);
        let around =
            self.head(&Theme::default(), inner, 0, &TimeZone::UTC).len() + self.foot(&Theme::default(), inner, 0).len();
        (inner.saturating_sub(2).max(1), usize::from(size.1).saturating_sub(around + 4).max(1))
    }

    fn head(&self, theme: &Theme, inner: usize, now: Millis, zone: &TimeZone) -> Vec<Line<'static>> {
        let asking = &self.asking;
        let known = match asking.known_since {
            Some(at) => format!("known since {}", words::when(at, now, zone)),
            None => "never heard of before".to_owned(),
        };
        let row = |name: &str, said: String| {
            let room = inner.saturating_sub(7);
            let lines = text::wrap_plain(&text::fit(&said, 2 * room.saturating_sub(8)), theme.text, room);
            lines
                .into_iter()
                .take(2)
                .enumerate()
                .map(|(i, mut line)| {
                    let left = if i == 0 { text::pad(name, 7) } else { " ".repeat(7) };
                    line.spans.insert(0, Span::styled(left, theme.dim));
                    line
                })
                .collect::<Vec<_>>()
        };
        let answers = words::some(asking.before, "answer");
        let mut out =
            row("asker", format!("{}, {known}, {answers} so far", text::clean_line(&asking.asker.to_string())));
        out.extend(row("wants", format!("{} about \"{}\"", asking.capability, text::clean_line(&asking.about))));
        out.push(Line::styled(text::fit("It would receive exactly:", inner), theme.strong));
        out
    }

    fn foot(&self, theme: &Theme, inner: usize, now: Millis) -> Vec<Line<'static>> {
        let asking = &self.asking;
        let withheld = match asking.withheld {
            0 => "nothing withheld".to_owned(),
            n => format!("{} withheld", words::some(n, "span")),
        };
        let from =
            if asking.sources.is_empty() { String::new() } else { format!(" · from {}", asking.sources.join(", ")) };
        let mut out = vec![Line::styled(text::fit(&format!("{withheld}{from}"), inner), theme.dim)];
        if text::clean(&asking.text) != asking.text {
            out.push(Line::styled(
                text::fit("Signs that would steer the terminal are shown as \u{fffd}.", inner),
                theme.dim,
            ));
        }
        let learns = text::fit(&format!("After this it knows: {}", asking.learns), inner);
        out.push(Line::styled(learns, theme.text));
        out.push(Line::default());
        let left = seconds_left(asking, now);
        for (key, what, style) in [
            ("y", "once: these bytes, now".to_owned(), theme.text),
            ("h", "for an hour: whatever it asks of these files".to_owned(), theme.text),
            ("g", "standing grant, until you take it back".to_owned(), theme.text),
            ("n", format!("no (Enter, Esc; by itself in {left} s)"), theme.strong),
        ] {
            out.push(Line::styled(text::fit(&format!("{key}  {what}"), inner), style));
        }
        out
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect, now: Millis, zone: &TimeZone) {
        let inner = Self::inner(area.width);
        let mut lines = self.head(theme, inner, now, zone);
        let foot = self.foot(theme, inner, now);
        let mut text = self.text.clone();
        text.set_columns(inner.saturating_sub(2).max(1));
        // The bytes have what room is left; at least one line of them is always there.
        let rows = usize::from(area.height).saturating_sub(lines.len() + foot.len() + 3).max(1);
        let top = self.scroll.top(&text, rows);
        let mut shown = text.window(top, rows, theme.mark, theme.mark);
        let mut left = rows;
        let fits = (0..text.count()).all(|block| {
            let needed = text.lines(block);
            let fits = needed <= left;
            left = left.saturating_sub(needed);
            fits
        });
        for line in &mut shown {
            line.spans.insert(0, "  ".into());
        }
        lines.extend(shown);
        let said = if fits { "" } else { "  ↑↓ PgUp PgDn show the rest of it" };
        lines.push(Line::styled(text::cut_raw(said, inner), theme.warn));
        lines.extend(foot);
        let waiting = if self.after > 0 { format!(" · {} more after it", self.after) } else { String::new() };
        let title = format!("{} asks{waiting}", words::asker(&self.asking.asker));
        let inside = over(frame, area, COLUMNS_MAX, lines.len() as u16 + 2, &title, theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}

/// Whole seconds until it is refused by itself.
#[must_use]
pub fn seconds_left(asking: &Asking, now: Millis) -> i64 {
    (asking.until.saturating_sub(now).max(0) + 999) / 1000
}

/// What a yes means, as a sentence, for the question about the owner's proof.
#[must_use]
pub fn effect(asking: &Asking, verdict: Verdict) -> String {
    let who = text::clean_line(&words::who(&asking.asker));
    let from = if asking.sources.is_empty() { "your memory".to_owned() } else { asking.sources.join(", ") };
    let may = words::may(asking.capability);
    match verdict {
        Verdict::Once => format!(
            "{who} receives exactly the {} shown, this once, and nothing after it.",
            words::some(asking.text.len() as u64, "byte")
        ),
        Verdict::Hour => format!("{who} {may} {from} for an hour. It is not asked again while that holds."),
        Verdict::Standing => {
            format!(
                "{who} {may} {from} until you take it back under consent (F5). It is not asked again while that stands."
            )
        }
        Verdict::No => "Nothing leaves.".to_owned(),
    }
}

//! Passages as a list: what was recalled for an answer, or found by a search. Each with its source, its words and the
//! parts of its score.

use super::face;
use crate::app::scroll::step;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Citation, Hit, ItemId, Millis, ScoreParts, Span};
use jiff::tz::TimeZone;
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::Line,
    widgets::Paragraph,
};
use std::ops::Range;

/// Characters of a passage that are shown in the list; opening it shows all.
const EXCERPT_CHARS: usize = 400;

/// One passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// The number it is cited by.
    pub mark: Option<usize>,
    /// Its item.
    pub item: ItemId,
    /// Where it came from.
    pub source: String,
    /// Its words.
    pub text: String,
    /// Where they lie in the item.
    pub span: Span,
    /// Why it was recalled; unknown for answers of the past.
    pub parts: Option<ScoreParts>,
    /// When the item was last changed.
    pub modified: Option<Millis>,
    /// What the item is; empty where that is unknown.
    pub kind: String,
    /// Whether the owner pinned the item.
    pub pinned: bool,
}

/// The list.
#[derive(Debug, Clone, Default)]
pub struct Recalled {
    /// Its passages.
    pub passages: Vec<Passage>,
    /// The selected one.
    pub selected: usize,
}

impl Passage {
    /// What the citation with this number stands on.
    #[must_use]
    pub fn cited(number: usize, citation: &Citation) -> Self {
        Self {
            mark: Some(number),
            item: citation.item,
            source: citation.source.clone(),
            text: citation.text.clone(),
            span: citation.span,
            parts: None,
            modified: None,
            kind: String::new(),
            pinned: false,
        }
    }

    fn of_hit(hit: &Hit, mark: Option<usize>) -> Self {
        Self {
            mark,
            item: hit.item,
            source: hit.source.clone(),
            text: hit.text.clone(),
            span: hit.span,
            parts: Some(hit.parts),
            modified: Some(hit.modified),
            kind: hit.kind.clone(),
            pinned: hit.pinned,
        }
    }

    /// The bytes to mark when it is opened.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.span.start..self.span.end
    }

    fn lines(&self, columns: usize, excerpt: usize, selected: bool, look: &Look) -> Vec<Line<'static>> {
        let theme = look.theme;
        let mark = self.mark.map_or_else(|| "·".to_owned(), |n| n.to_string());
        let pin = if self.pinned { " ◆" } else { "" };
        let kind = if self.kind.is_empty() { String::new() } else { format!(" · {}", text::fit(&self.kind, 10)) };
        let date = self.modified.map_or_else(String::new, |at| format!(" · {}", words::when(at, look.now, look.zone)));
        let date = format!("{pin}{kind}{date}");
        let room = columns.saturating_sub(3 + text::width(&date));
        let source = text::fit_end(&words::tilde(&self.source, look.home), room);
        let head = text::pad(&format!("{mark:<2} {source}{date}"), columns);
        let style = match (selected, self.mark) {
            (true, _) => theme.selected,
            (false, Some(_)) => theme.cite,
            (false, None) => theme.text,
        };
        let mut out = vec![Line::styled(head, style)];
        let short: String = self.text.chars().take(EXCERPT_CHARS).collect();
        let quoted = format!("\"{}\"", text::clean_line(&short));
        let mut body = text::wrap_plain(&quoted, theme.dim, columns.saturating_sub(3));
        if body.len() > excerpt {
            body.truncate(excerpt);
            if let Some(last) = body.last_mut() {
                let cut = text::fit(&format!("{last} …"), columns.saturating_sub(3));
                *last = Line::styled(if cut.ends_with('…') { cut } else { format!("{cut}…") }, theme.dim);
            }
        }
        for mut line in body {
            line.spans.insert(0, "   ".into());
            out.push(line);
        }
        if let Some(parts) = self.parts {
            for said in why(&parts, columns.saturating_sub(3)) {
                out.push(Line::styled(text::cut_raw(&format!("   {said}"), columns), theme.dim));
            }
        }
        out
    }
}

/// Why a passage was chosen, in words and with the parts of its score, on as few lines as fit into `columns`.
fn why(parts: &ScoreParts, columns: usize) -> Vec<String> {
    let word = |part: f32, steps: [(f32, &'static str); 3], none: &'static str| {
        steps.into_iter().find(|(least, _)| part >= *least).map_or(none, |(_, word)| word)
    };
    // The words are scaled to the best hit of the same search, so "best" is meant among these.
    let words = word(
        parts.bm25,
        [(0.95, "its words fit best"), (0.5, "its words fit well"), (0.01, "some words fit")],
        "no words fit",
    );
    let meaning = word(
        parts.vector,
        [(0.6, "close in meaning"), (0.35, "related in meaning"), (0.01, "loosely related")],
        "meaning unknown",
    );
    // Recency halves every 90 days.
    let recent = word(parts.recency, [(0.79, "recent"), (0.5, "some weeks old"), (0.06, "some months old")], "old");
    let said = [(words, parts.bm25), (meaning, parts.vector), (recent, parts.recency)];
    let mut lines: Vec<String> = Vec::new();
    for (word, part) in said {
        let piece = format!("{word} {}", score(part));
        match lines.last_mut() {
            Some(line) if text::width(line) + text::width(&piece) + 3 <= columns => {
                line.push_str(" · ");
                line.push_str(&piece);
            }
            _ => lines.push(piece),
        }
    }
    lines
}

fn score(part: f32) -> String {
    if !part.is_finite() {
        return "–".to_owned();
    }
    let hundredths = (part.clamp(0.0, 1.0) * 100.0).round() as u32;
    if hundredths >= 100 { "1.0".to_owned() } else { format!(".{hundredths:02}") }
}

/// What drawing a list of passages needs to know.
pub struct Look<'a> {
    /// The styles.
    pub theme: &'a Theme,
    /// Now.
    pub now: Millis,
    /// The zone of the times.
    pub zone: &'a TimeZone,
    /// The owner's home folder.
    pub home: &'a str,
}

impl<'a> Look<'a> {
    /// From the state.
    #[must_use]
    pub fn of(state: &'a crate::app::State) -> Self {
        Self { theme: &state.theme, now: state.now, zone: &state.place.zone, home: &state.place.home_dir }
    }
}

impl Recalled {
    /// Fills the list: the cited passages in the order of their marks, then what was recalled beside them.
    pub fn fill(&mut self, citations: &[Citation], hits: &[Hit]) {
        self.passages.clear();
        let mut used = vec![false; hits.len()];
        for (i, citation) in citations.iter().enumerate() {
            let hit = hits.iter().position(|hit| {
                hit.item == citation.item && hit.span.start < citation.span.end && citation.span.start < hit.span.end
            });
            if let Some(at) = hit {
                used[at] = true;
            }
            let hit = hit.map(|at| &hits[at]);
            self.passages.push(Passage {
                mark: Some(i + 1),
                item: citation.item,
                source: citation.source.clone(),
                text: citation.text.clone(),
                span: citation.span,
                parts: hit.map(|hit| hit.parts),
                modified: hit.map(|hit| hit.modified),
                kind: hit.map(|hit| hit.kind.clone()).unwrap_or_default(),
                pinned: hit.is_some_and(|hit| hit.pinned),
            });
        }
        let rest = hits.iter().zip(&used).filter(|(_, used)| !**used);
        self.passages.extend(rest.map(|(hit, _)| Passage::of_hit(hit, None)));
        self.selected = self.selected.min(self.passages.len().saturating_sub(1));
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.passages.len());
    }

    /// The selected passage.
    #[must_use]
    pub fn current(&self) -> Option<&Passage> {
        self.passages.get(self.selected)
    }

    /// Draws the list so that the selected passage is wholly visible where it fits. Where there is a heading, it stands
    /// above the first passage that is not cited.
    pub fn view(&self, frame: &mut Frame, area: Rect, focus: bool, excerpt: usize, heading: Option<&str>, look: &Look) {
        let mut lines = Vec::new();
        for (_, block) in self.blocks(area, focus, excerpt, heading, look) {
            lines.extend(block);
        }
        frame.render_widget(Paragraph::new(lines), area);
    }

    /// The index of the passage drawn at a place of the screen.
    #[must_use]
    pub fn at(&self, area: Rect, excerpt: usize, heading: Option<&str>, look: &Look, place: Position) -> Option<usize> {
        let mut y = area.y;
        for (i, block) in self.blocks(area, false, excerpt, heading, look) {
            y = y.saturating_add(block.len() as u16);
            if place.y < y {
                return area.contains(place).then_some(i);
            }
        }
        None
    }

    /// What is drawn, block by block.
    fn blocks(
        &self,
        area: Rect,
        focus: bool,
        excerpt: usize,
        heading: Option<&str>,
        look: &Look,
    ) -> Vec<(usize, Vec<Line<'static>>)> {
        let columns = usize::from(area.width);
        let height = usize::from(area.height);
        let unused = self.passages.iter().position(|passage| passage.mark.is_none());
        let block = |i: usize| {
            let mut lines = self.passages[i].lines(columns, excerpt, focus && i == self.selected, look);
            if let (Some(heading), true) = (heading, unused == Some(i)) {
                lines.insert(0, Line::styled(text::fit(heading, columns), look.theme.strong));
            }
            lines
        };
        let mut first = self.selected;
        let mut used = self.passages.get(first).map_or(0, |_| block(first).len());
        while first > 0 {
            let more = block(first - 1).len();
            if used + more > height {
                break;
            }
            used += more;
            first -= 1;
        }
        let (mut blocks, mut lines) = (Vec::new(), 0);
        for i in first..self.passages.len() {
            let block = block(i);
            lines += block.len();
            blocks.push((i, block));
            if lines >= height {
                break;
            }
        }
        blocks
    }
}

/// The index of the passage at a place of the screen, in the area beside the conversation.
#[must_use]
pub fn passage_at(state: &crate::app::State, area: Rect, place: Position) -> Option<usize> {
    state.chat.recalled.at(face::inside(area), EXCERPT_ROWS, heading(state), &Look::of(state), place)
}

/// What stands above what was found and not cited. What is being answered may still be cited; of an answer that stands
/// it is known.
fn heading(state: &crate::app::State) -> Option<&'static str> {
    let cited = state.chat.recalled.passages.iter().any(|passage| passage.mark.is_some());
    (cited || state.chat.live.is_none()).then_some("found, not used")
}

/// Rows of an excerpt beside the conversation.
const EXCERPT_ROWS: usize = 3;

/// Draws what was recalled for the answer, beside the conversation.
pub fn view(state: &crate::app::State, frame: &mut Frame, area: Rect) {
    let focus = state.focus == crate::app::state::Focus::Second;
    let inside = face::boxed(frame, area, "memory · recalled for this answer", focus, &state.theme);
    let chat = &state.chat;
    if chat.recalled.passages.is_empty() {
        let sentence = match &chat.live {
            Some(live) if !live.recalled => "Looking in your memory…",
            Some(_) => "Nothing fitting was found.",
            None if chat.last_answer().is_some() => "Nothing was recalled for this answer.",
            None => {
                "What an answer draws on stands here, with its source and why it was chosen.\n\nF3 searches everything that \
                     is remembered."
            }
        };
        return face::sentences(frame, inside, sentence, state.theme.dim);
    }
    chat.recalled.view(frame, inside, focus, EXCERPT_ROWS, heading(state), &Look::of(state));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words() {
        let parts = ScoreParts { bm25: 1.0, vector: 0.64, recency: 0.9 };
        assert_eq!(why(&parts, 80), ["its words fit best 1.0 · close in meaning .64 · recent .90"]);
        assert_eq!(why(&parts, 40).len(), 2);
        let parts = ScoreParts { bm25: 0.0, vector: f32::NAN, recency: 0.01 };
        assert_eq!(why(&parts, 80), ["no words fit .00 · meaning unknown – · old .01"]);
    }

    #[test]
    fn scores_are_short() {
        assert_eq!(
            (score(0.714), score(1.2), score(f32::NAN), score(-1.0)),
            (".71".into(), "1.0".into(), "–".into(), ".00".into())
        );
    }
}

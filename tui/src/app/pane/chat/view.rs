//! Drawing the conversation.

use super::Chat;
use crate::app::pane::face;
use crate::app::scroll::{Place, Scroll};
use crate::app::state::{Focus, State, Tab};
use crate::app::view::Areas;
use crate::text;
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

/// Lines below the screen that are counted: counting them lays them out.
const BELOW_MAX: usize = 99;

/// Scrolls the conversation by `delta` lines.
pub fn scroll_by(state: &mut State, areas: &Areas, delta: isize) {
    let inside = face::inside(areas.main);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    state.chat.scroll = Some(state.chat.scroll().by(delta, &transcript, usize::from(inside.height)));
}

/// Scrolls the conversation to its beginning.
pub fn scroll_home(state: &mut State, areas: &Areas) {
    let inside = face::inside(areas.main);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    state.chat.scroll = Some(Scroll::home(&transcript, usize::from(inside.height)));
}

fn title(chat: &Chat) -> String {
    let kind = if chat.incognito { "incognito" } else { "chat" };
    let title = if chat.title.is_empty() { "new conversation" } else { &chat.title };
    let memory = if chat.forgo { " · memory left alone" } else { "" };
    format!("{kind} · {title}{memory}")
}

/// Draws the conversation.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let chat = &state.chat;
    let theme = &state.theme;
    let focus = state.tab == Tab::Chat && state.focus == Focus::Reading;
    let inside = face::boxed(frame, area, &title(chat), focus, theme);
    if let Some(failure) = &chat.failed {
        return face::failed(frame, inside, failure, "The conversation is still stored. Ctrl+O opens it again.", theme);
    }
    if chat.loading && chat.turns.is_empty() {
        return face::sentences(frame, inside, "Opening the conversation…", theme.dim);
    }
    if chat.turns.is_empty() && chat.live.is_none() {
        return face::sentences(frame, inside, empty(state), theme.dim);
    }
    let transcript = chat.transcript(state, usize::from(inside.width));
    let height = usize::from(inside.height);
    let top = chat.scroll().top(&transcript, height);
    let (mut lines, places) = transcript.window_with_places(top, height);
    if let Some(needle) = chat.find.as_ref().map(super::Find::needle).filter(|needle| !needle.is_empty()) {
        lines = lines.into_iter().map(|line| marked(line, &needle, theme.mark)).collect();
    }
    frame.render_widget(Paragraph::new(lines), inside);
    if focus {
        reading(state, frame, inside, &places);
    }
    footer(state, frame, area, chat.scroll().below(&transcript, height, BELOW_MAX));
}

/// The line the reader is at and those that are selected: a bar at the left edge, and the selection's colour.
fn reading(state: &State, frame: &mut Frame, inside: Rect, places: &[Place]) {
    let Some((from, to)) = state.chat.reader.lines() else { return };
    for (row, _) in places.iter().enumerate().filter(|(_, place)| (from..=to).contains(place)) {
        let y = inside.y + row as u16;
        if y >= inside.bottom() {
            break;
        }
        let bar = Rect { x: inside.x.saturating_sub(1), y, width: 1, height: 1 };
        frame.render_widget(Paragraph::new(Line::styled("▌", state.theme.accent)), bar);
        if state.chat.reader.anchor.is_some() {
            frame.buffer_mut().set_style(Rect { y, height: 1, ..inside }, state.theme.selected);
        }
    }
}

/// What lies below, or what is looked for, on the lower border.
fn footer(state: &State, frame: &mut Frame, area: Rect, below: usize) {
    let (chat, theme) = (&state.chat, &state.theme);
    if area.width <= 30 || area.height <= 2 {
        return;
    }
    let room = usize::from(area.width) - 4;
    let line = if let Some(find) = &chat.find {
        let said = format!(" · {} ", find.said(chat.reader.turn()));
        let field_room = room.saturating_sub(text::width(&said) + 7).min(40);
        let mut line = find.field.line(theme, find.typing, field_room);
        line.spans.insert(0, Span::styled(" find ▏", theme.accent));
        line.spans.push(Span::styled(text::cut_raw(&said, room), theme.dim));
        line
    } else if below > 0 {
        let more = if below == BELOW_MAX { "+" } else { "" };
        Line::styled(format!(" {below}{more} more below · Ctrl+End "), theme.accent)
    } else {
        return;
    };
    let width = (line.width() as u16).min(area.width - 4);
    let at = Rect { x: area.x + 2, y: area.bottom() - 1, width, height: 1 };
    frame.render_widget(Paragraph::new(line), at);
}

/// A line with every place of the needle in the mark's style.
fn marked(line: Line<'static>, needle: &str, mark: Style) -> Line<'static> {
    let whole: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let lower = whole.to_lowercase();
    // A letter whose other case has another length would shift every place after it.
    if lower.len() != whole.len() || !lower.contains(needle) {
        return line;
    }
    let places: Vec<(usize, usize)> = lower.match_indices(needle).map(|(at, found)| (at, at + found.len())).collect();
    let mut out = Vec::new();
    let mut from = 0;
    for span in line.spans {
        let (start, end) = (from, from + span.content.len());
        let mut cuts = vec![start, end];
        cuts.extend(places.iter().flat_map(|(a, b)| [*a, *b]).filter(|cut| (start..end).contains(cut)));
        cuts.sort_unstable();
        cuts.dedup();
        for pair in cuts.windows(2) {
            let inside = places.iter().any(|(a, b)| *a <= pair[0] && pair[1] <= *b);
            let Some(part) = whole.get(pair[0]..pair[1]) else { continue };
            out.push(Span::styled(part.to_owned(), if inside { span.style.patch(mark) } else { span.style }));
        }
        from = end;
    }
    Line { spans: out, ..line }
}

fn empty(state: &State) -> &'static str {
    if state.chat.incognito {
        return "Nothing of this conversation is kept: no message, no draft, no entry. Your memory is still read for it; \
                /memory off leaves it alone.\n\nCtrl+N begins an ordinary one.";
    }
    let sources = state.sources.list.get().map_or(&[][..], Vec::as_slice);
    let remembers_nothing = state.sources.list.get().is_some() && sources.iter().all(|s| s.items == 0);
    if remembers_nothing && (state.sources.reading.is_some() || sources.iter().any(|s| s.synced.is_none())) {
        "Your folders are being read for the first time. You can ask meanwhile; answers draw on what has been read.\n\nF4 shows how \
         far it is."
    } else if remembers_nothing {
        "Nothing is remembered yet, so nothing can be answered from memory.\n\nF4 and then a opens a folder."
    } else {
        "Ask something that your files know.\n\nAnswers come from this machine alone and name what they stand on; [1] opens with \
         Alt+1. Nothing leaves."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    #[test]
    fn every_place_is_marked_across_spans() {
        let mark = Style::new().add_modifier(Modifier::REVERSED);
        let line =
            Line::from(vec![Span::raw("the Tr"), Span::styled("ain, TRAIN", Style::new().bold()), Span::raw("s")]);
        let marked = marked(line, "train", mark);
        assert_eq!(marked.to_string(), "the Train, TRAINs");
        let inside: String = marked
            .spans
            .iter()
            .filter(|s| s.style.add_modifier.contains(Modifier::REVERSED))
            .map(|s| s.content.as_ref())
            .collect();
        assert_eq!(inside, "TrainTRAIN");
    }

    #[test]
    fn letters_that_change_length_are_left_alone() {
        let line = Line::raw("İstanbul train");
        assert_eq!(super::marked(line, "train", Style::new().bold()).to_string(), "İstanbul train");
    }
}

//! Drawing the input: what is typed, and above it what it is for and what it waits for.

use super::Chat;
use crate::app::pane::face;
use crate::app::state::{Focus, State};
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::Role;
use ratatui::{Frame, layout::Rect, style::Style, text::Line, widgets::Paragraph};

/// Rows the text grows to.
const ROWS_MAX: u16 = 8;

/// The lines above the text, each with whether it wants attention.
fn heads(state: &State) -> Vec<(String, bool)> {
    let chat: &Chat = &state.chat;
    let mut out = Vec::new();
    if let Some(editing) = &chat.editing {
        let at = chat.turns.get(editing.turn).map(|turn| words::when(turn.at, state.now, &state.place.zone));
        let at = at.map_or_else(String::new, |at| format!(" from {at}"));
        out.push(match editing.role {
            Role::User => (format!("editing your question{at} · Enter asks it anew, Esc leaves it as it was"), true),
            Role::Assistant => {
                (format!("the answer{at} as it should have been · Enter keeps that for you, Esc leaves it"), true)
            }
        });
    }
    if let Some(command) = &chat.running {
        out.push((format!("running {command} … Esc stops it"), true));
    }
    if !chat.composer.chips.is_empty() {
        let chip = |chip: &crate::app::pane::composer::Chip| match chip.within {
            Some(_) => chip.name.clone(),
            None => format!("{} (being read…)", chip.name),
        };
        let names: Vec<String> = chat.composer.chips.iter().map(chip).collect();
        out.push((format!("from {} only · Backspace on an empty line takes the last away", names.join(", ")), false));
    }
    if let Some(queued) = chat.composer.queued() {
        out.push((format!("next: {queued}"), false));
    }
    out
}

/// Rows the input wants on a screen of this size, its border included.
#[must_use]
pub fn rows(state: &State) -> u16 {
    let (width, height) = state.place.size;
    let most = (height / 3).clamp(1, ROWS_MAX);
    let text = state.chat.composer.rows(usize::from(width.saturating_sub(5)), most);
    text + heads(state).len() as u16 + 2
}

/// Draws it.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    if area.height < 3 {
        return;
    }
    let theme = &state.theme;
    let focus = state.focus == Focus::First;
    let mut inside = face::boxed(frame, area, "", focus, theme);
    inside.x -= 1;
    inside.width += 2;
    for (head, attention) in heads(state) {
        if inside.height < 2 {
            break;
        }
        let style = if attention { theme.accent } else { theme.dim };
        let line = Line::styled(text::fit(&head, usize::from(inside.width)), style);
        frame.render_widget(Paragraph::new(line), Rect { height: 1, ..inside });
        inside = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
    }
    let bars = vec![Line::styled("▏", theme.accent); usize::from(inside.height)];
    frame.render_widget(Paragraph::new(bars), Rect { width: 1, ..inside });
    let typing = Rect { x: inside.x + 2, width: inside.width.saturating_sub(3), ..inside };
    let cursor = focus && state.overlays.is_empty() && !state.chat.is_finding();
    let widget = state.chat.composer.widget(theme, cursor, "ask, / for commands, @ to point at something");
    frame.render_widget(&widget, typing);
    let metered = meter(state, frame, area, theme);
    asks(state, frame, Rect { width: area.width - metered, ..area }, theme);
}

/// How full the context window is, on the lower border. Returns the columns it takes.
fn meter(state: &State, frame: &mut Frame, area: Rect, theme: &Theme) -> u16 {
    if state.chat.turns.is_empty() && state.chat.live.is_none() {
        return 0;
    }
    let share = state.chat.context;
    let meter = format!(" context {} {:.0} % ", text::bar(share, 8), f64::from(share.clamp(0.0, 1.0)) * 100.0);
    let columns = text::width(&meter) as u16;
    if area.width <= columns + 4 {
        return 0;
    }
    let at = Rect { x: area.right() - columns - 2, y: area.bottom() - 1, width: columns, height: 1 };
    let style: Style = if share > 0.9 { theme.warn } else { theme.dim };
    frame.render_widget(Paragraph::new(Line::styled(meter, style)), at);
    columns
}

/// Which assembly is asked and how that is stopped, on the lower border, as much as fits.
fn asks(state: &State, frame: &mut Frame, area: Rect, theme: &Theme) {
    let Some(name) = &state.chat.assembly else { return };
    let room = usize::from(area.width).saturating_sub(5);
    let short = format!(" asks {} ", text::fit(name, 40));
    let whole = format!(" asks {} where your memory has no answer · /assembly off ", text::fit(name, 40));
    let Some(said) = [whole, short].into_iter().find(|said| text::width(said) <= room) else { return };
    let at = Rect { x: area.x + 2, y: area.bottom() - 1, width: text::width(&said) as u16, height: 1 };
    frame.render_widget(Paragraph::new(Line::styled(said, theme.accent)), at);
}

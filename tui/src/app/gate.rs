//! What stands before the panes: onboarding on a fresh machine, the unlock screen, or nothing.

use super::effect::Effect;
use super::field::Field;
use super::keymap::{Action, Scope};
use super::msg::Unlock;
use super::state::State;
use super::words;
use crate::onboard::Onboard;
use crate::text;
use crossterm::event::{KeyCode, KeyEvent};
use hinet_protocol::Failure;
use ratatui::{
    Frame,
    layout::{Alignment, Rect},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

/// The gate.
pub enum Gate {
    /// The panes are open.
    Open,
    /// The home is locked.
    Locked(Box<Lock>),
    /// There is no home yet.
    Onboard(Box<Onboard>),
}

/// The unlock screen.
pub struct Lock {
    /// The passphrase being typed.
    pub field: Field,
    /// Whether an attempt is on its way.
    pub busy: bool,
    /// Whether that attempt is the silent one through the keychain.
    pub silent: bool,
    /// Why the last attempt failed.
    pub failed: Option<Failure>,
    /// Whether the panes were open before and the node went away.
    pub lost: bool,
    /// Whether typing 24 words instead of the passphrase.
    pub by_words: bool,
}

impl Lock {
    /// A lock that waits for the passphrase.
    #[must_use]
    pub fn waiting() -> Self {
        Self { field: Field::secret(), busy: false, silent: false, failed: None, lost: false, by_words: false }
    }

    /// A lock with an attempt on its way.
    #[must_use]
    pub fn trying(silent: bool) -> Self {
        Self { busy: true, silent, ..Self::waiting() }
    }

    /// A key on the unlock screen.
    pub fn key(&mut self, key: KeyEvent, unlocks: (bool, bool)) -> Vec<Effect> {
        if self.busy {
            return vec![];
        }
        match key.code {
            KeyCode::Enter if !self.field.is_empty() => {
                self.busy = true;
                self.failed = None;
                let secret = self.field.take_secret();
                let unlock = if self.by_words { Unlock::Words(secret) } else { Unlock::Passphrase(secret) };
                return vec![Effect::Unlock(unlock)];
            }
            KeyCode::F(6) => {
                self.by_words = !self.by_words;
                self.field = if self.by_words { Field::plain() } else { Field::secret() };
            }
            KeyCode::F(7) if unlocks.1 => {
                self.busy = true;
                self.failed = None;
                return vec![Effect::Unlock(Unlock::Keychain)];
            }
            KeyCode::Esc => self.field.clear(),
            _ => {
                self.field.key(key);
            }
        }
        vec![]
    }

    /// Draws it.
    pub fn view(&self, state: &State, frame: &mut Frame, area: Rect) {
        let theme = &state.theme;
        let columns = area.width.saturating_sub(4).min(72);
        let inner = usize::from(columns).saturating_sub(4);
        let mut lines = vec![Line::default()];
        let why = if self.lost {
            "The node went away. Everything it acknowledged is kept, and so is your draft. Unlock to start it again."
        } else {
            "Your memory is sealed. Nothing of it is readable until you unlock it."
        };
        lines.extend(text::wrap_plain(why, theme.text, inner));
        lines.push(Line::default());
        if self.busy {
            let doing = if self.silent {
                "Asking the keychain…"
            } else {
                "Unlocking… (a moment: the passphrase is stretched on purpose)"
            };
            lines.extend(text::wrap_plain(doing, theme.accent, inner));
        } else {
            lines.push(Line::styled(if self.by_words { "24 recovery words" } else { "passphrase" }, theme.dim));
            let mut field = self.field.line(theme, true, inner.saturating_sub(2));
            field.spans.insert(0, Span::styled("▏ ", theme.accent));
            lines.push(field);
        }
        if let Some(failure) = &self.failed {
            lines.push(Line::default());
            lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, inner));
        }
        lines.push(Line::default());
        let mut keys = vec!["Enter unlock".to_owned()];
        keys.push(if self.by_words { "F6 passphrase".into() } else { "F6 recovery words".into() });
        if state.unlocks.1 {
            keys.push("F7 keychain".into());
        }
        let quit = state.keymap.key_of(&[Scope::Everywhere], Action::Quit);
        keys.extend(quit.map(|key| format!("{key} quit")));
        lines.extend(text::wrap_plain(&keys.join("   "), theme.dim, inner));
        let height = (lines.len() as u16 + 2).min(area.height);
        let [x, y] = [(area.width.saturating_sub(columns)) / 2, (area.height.saturating_sub(height)) / 2];
        let at = Rect { x: area.x + x, y: area.y + y, width: columns.min(area.width), height };
        frame.render_widget(Clear, at);
        let title = Line::styled(" icore · unlock ", theme.strong).alignment(Alignment::Left);
        let block = Block::bordered().title(title).border_style(theme.focus);
        let inside = block.inner(at).inner(ratatui::layout::Margin { horizontal: 1, vertical: 0 });
        frame.render_widget(block, at);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}

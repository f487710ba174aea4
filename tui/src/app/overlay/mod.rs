//! What lies over the panes. A stack: the last one has the keys, Esc takes it away.

pub mod forget;
pub mod help;
pub mod item;
pub mod keys;
pub mod passphrase;
pub mod path;
pub mod question;
pub mod sessions;

use crate::theme::Theme;
use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Block, Clear},
};

pub use forget::Forget;
pub use help::Help;
pub use item::Item;
pub use passphrase::Passphrase;
pub use path::PathPrompt;
pub use question::Question;
pub use sessions::Sessions;

/// One of them.
pub enum Overlay {
    /// The keys, in words.
    Help(Help),
    /// A question with a dangerous yes.
    Question(Question),
    /// An item with the cited words marked.
    Item(Box<Item>),
    /// Conversations.
    Sessions(Sessions),
    /// A folder's path.
    Path(PathPrompt),
    /// The owner's proof.
    Passphrase(Passphrase),
    /// What would be forgotten.
    Forget(Forget),
}

/// Draws a box over the panes, centred, at most `columns` by `rows`. Returns its inside.
pub fn over(frame: &mut Frame, area: Rect, columns: u16, rows: u16, title: &str, theme: &Theme) -> Rect {
    let width = columns.min(area.width);
    let height = rows.min(area.height);
    let at = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, at);
    let title = crate::text::fit(title, usize::from(width).saturating_sub(4));
    let block = Block::bordered().border_style(theme.focus).title(Line::styled(format!(" {title} "), theme.accent));
    let inside = block.inner(at);
    frame.render_widget(block, at);
    Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(2), ..inside }
}

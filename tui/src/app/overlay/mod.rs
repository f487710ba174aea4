//! What lies over the panes. A stack: the last one has the keys, Esc takes it away.

pub mod approval;
pub mod forget;
pub mod help;
pub mod history;
pub mod item;
mod item_keys;
pub mod keys;
pub mod labels;
pub mod palette;
pub mod passphrase;
pub mod path;
pub mod question;
pub mod sessions;
pub mod source;

use crate::theme::Theme;
use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Block, Clear},
};

pub use approval::Approval;
pub use forget::Forget;
pub use help::Help;
pub use history::History;
pub use item::Item;
pub use item_keys::marked;
pub use labels::Labels;
pub use palette::Palette;
pub use passphrase::Passphrase;
pub use path::PathPrompt;
pub use question::Question;
pub use sessions::Sessions;
pub use source::Source;

/// One of them.
pub enum Overlay {
    /// The keys, in words.
    Help(Help),
    /// A question with a dangerous yes.
    Question(Question),
    /// An item with the cited words marked.
    Item(Box<Item>),
    /// Everything that can be done.
    Palette(Box<Palette>),
    /// Conversations.
    Sessions(Sessions),
    /// What the owner said before.
    History(History),
    /// A folder's path.
    Path(PathPrompt),
    /// The owner's proof.
    Passphrase(Passphrase),
    /// What would be forgotten.
    Forget(Forget),
    /// An item's labels.
    Labels(Box<Labels>),
    /// A source looked at closely.
    Source(Box<Source>),
    /// Somebody asks for something of the owner's.
    Approval(Box<Approval>),
}

/// Draws a box over the panes, centred, at most `columns` by `rows`. Returns its inside.
pub fn over(frame: &mut Frame, area: Rect, columns: u16, rows: u16, title: &str, theme: &Theme) -> Rect {
    let at = outside(area, columns, rows);
    let width = at.width;
    frame.render_widget(Clear, at);
    let title = crate::text::fit(title, usize::from(width).saturating_sub(4));
    let block = Block::bordered().border_style(theme.focus).title(Line::styled(format!(" {title} "), theme.accent));
    frame.render_widget(block, at);
    inside(area, columns, rows)
}

fn outside(area: Rect, columns: u16, rows: u16) -> Rect {
    let (width, height) = (columns.min(area.width), rows.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// The inside of [`over`], without drawing: what was drawn there is found again by a click.
#[must_use]
pub fn inside(area: Rect, columns: u16, rows: u16) -> Rect {
    let inside = Block::bordered().inner(outside(area, columns, rows));
    Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(2), ..inside }
}

//! Opening a folder: its path, typed with completion, and what opening it means.

use super::over;
use crate::app::effect::Effect;
use crate::app::field::Field;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// Folders shown below the path.
const SHOWN_MAX: usize = 6;

/// What counting a folder said.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The folder.
    pub path: String,
    /// Files in it.
    pub files: u64,
    /// Whether there are more.
    pub more: bool,
    /// Whether it can be read.
    pub readable: bool,
}

impl Count {
    /// In words.
    #[must_use]
    pub fn said(&self) -> String {
        match (self.readable, self.more) {
            (false, _) => "no folder that can be read".to_owned(),
            (true, true) => format!("more than {}", words::some(self.files, "file")),
            (true, false) => words::some(self.files, "file"),
        }
    }
}

/// A path being typed, with what it may go on to.
pub struct PathField {
    /// What is typed.
    pub field: Field,
    /// Folders it may go on to.
    pub found: Vec<String>,
    /// The selected one.
    pub selected: Option<usize>,
    /// What was counted for the path.
    pub count: Option<Count>,
}

/// Stands in the field before anything is typed.
const SUGGESTED: &str = "~/";

impl Default for PathField {
    fn default() -> Self {
        Self { field: Field::with(SUGGESTED), found: Vec::new(), selected: None, count: None }
    }
}

impl PathField {
    /// What has to be looked up for what is typed.
    #[must_use]
    pub fn look_up(&self, home: &str) -> Vec<Effect> {
        let path = words::expand(self.field.text(), home);
        if !path.starts_with('/') {
            return vec![];
        }
        // The home folder stands there before anything is typed; nobody asked to have all of it counted.
        if path.trim_end_matches('/') == home {
            return vec![Effect::ListFolders(path)];
        }
        vec![Effect::ListFolders(path.clone()), Effect::CountFiles(path)]
    }

    /// A key of the field. Tab completes, arrows select.
    pub fn key(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        match key.code {
            KeyCode::Down if !self.found.is_empty() => {
                self.selected = Some(self.selected.map_or(0, |i| (i + 1).min(self.found.len() - 1)));
                vec![]
            }
            KeyCode::Up => {
                self.selected = self.selected.and_then(|i| i.checked_sub(1));
                vec![]
            }
            KeyCode::Tab => {
                let Some(done) = self.completion() else { return vec![] };
                self.put(&done, home)
            }
            // A path typed from its root, over the suggestion that stands there.
            KeyCode::Char('/' | '~') if self.field.text() == SUGGESTED => {
                self.field.clear();
                self.field.key(key);
                self.changed();
                vec![]
            }
            _ if self.field.key(key) => {
                self.changed();
                self.look_up(home)
            }
            _ => vec![],
        }
    }

    /// A pasted path.
    pub fn paste(&mut self, text: &str, home: &str) -> Vec<Effect> {
        if text.starts_with(['/', '~']) {
            self.field.clear();
        }
        self.field.insert(text.trim_end());
        self.changed();
        self.look_up(home)
    }

    fn changed(&mut self) {
        self.selected = None;
        self.count = None;
        self.found.clear();
    }

    fn put(&mut self, path: &str, home: &str) -> Vec<Effect> {
        self.field.set(&format!("{}/", words::tilde(path, home).trim_end_matches('/')));
        self.changed();
        self.look_up(home)
    }

    /// The selected folder, else as far as all of them agree.
    fn completion(&self) -> Option<String> {
        if let Some(selected) = self.selected {
            return self.found.get(selected).cloned();
        }
        match self.found.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            [first, rest @ ..] => {
                let mut common = first.as_str();
                for path in rest {
                    let same = common.char_indices().zip(path.chars()).take_while(|((_, a), b)| a == b).last();
                    common = same.map_or("", |((at, c), _)| &common[..at + c.len_utf8()]);
                }
                Some(common.to_owned()).filter(|c| self.found.contains(c))
            }
        }
    }

    /// The folder that Enter opens: the selected one, else what is typed.
    #[must_use]
    pub fn chosen(&self, home: &str) -> Option<String> {
        let typed = words::expand(self.field.text(), home);
        let path = self.selected.and_then(|i| self.found.get(i).cloned()).unwrap_or(typed);
        let trimmed = path.trim_end_matches('/');
        (path.starts_with('/') && !trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    /// The folders under a path came.
    pub fn folders(&mut self, typed: &str, found: Vec<String>, home: &str) {
        if words::expand(self.field.text(), home) == typed {
            self.found = found;
            self.selected = None;
        }
    }

    /// A count came.
    pub fn counted(&mut self, count: Count, home: &str) {
        if words::expand(self.field.text(), home) == count.path {
            self.count = Some(count);
        }
    }

    /// The field and what it may go on to.
    #[must_use]
    pub fn lines(&self, theme: &Theme, columns: usize, home: &str) -> Vec<Line<'static>> {
        let mut line = self.field.line(theme, true, columns.saturating_sub(9));
        line.spans.insert(0, Span::styled("folder ▏ ", theme.dim));
        let mut out = vec![line];
        let first = self.selected.map_or(0, |i| i.saturating_sub(SHOWN_MAX - 1));
        for (i, path) in self.found.iter().enumerate().skip(first).take(SHOWN_MAX) {
            let style = if self.selected == Some(i) { theme.selected } else { theme.dim };
            out.push(Line::styled(
                format!("         {}", text::fit_end(&words::tilde(path, home), columns.saturating_sub(9))),
                style,
            ));
        }
        if self.found.len() > SHOWN_MAX {
            out.push(Line::styled(format!("         … {} in all", self.found.len()), theme.dim));
        }
        // A path that is still being typed is no folder yet; that is only worth saying where it cannot become one.
        if let Some(count) = self.count.as_ref().filter(|count| count.readable || self.found.is_empty()) {
            let style = if count.readable { theme.good } else { theme.warn };
            out.push(Line::styled(format!("         {}", count.said()), style));
        }
        out
    }
}

/// The overlay.
#[derive(Default)]
pub struct PathPrompt {
    /// The path.
    pub path: PathField,
    /// Whether it is read once, rather than opened and watched; then a file will do as well.
    pub once: bool,
}

impl PathPrompt {
    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect, home: &str) {
        let columns = 74.min(area.width);
        let inner = usize::from(columns).saturating_sub(4);
        let means = if self.once {
            "What is at this path, a file or a folder, is read once and remembered. It is not watched; reading it is a grant, and \
             forgetting it takes it all back."
        } else {
            "Opening a folder is a grant: your own iCore may read and remember what is in it, and watches it for changes. You can take \
             it back under consent (F5)."
        };
        let mut lines = text::wrap_plain(means, theme.text, inner);
        lines.push(Line::default());
        lines.extend(self.path.lines(theme, inner, home));
        lines.push(Line::default());
        let (title, does) = if self.once { ("read once", "read") } else { ("open a folder", "open") };
        let keys = format!("Enter {does}   Tab complete   ↓ choose   Esc leave it");
        lines.push(Line::styled(text::cut_raw(&keys, inner), theme.dim));
        let inside = over(frame, area, columns, lines.len() as u16 + 2, title, theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_what_all_agree_on() {
        let mut path = PathField::default();
        path.field.set("~/n");
        path.folders("/home/maya/n", vec!["/home/maya/notes".into(), "/home/maya/notes-old".into()], "/home/maya");
        assert_eq!(path.completion().as_deref(), Some("/home/maya/notes"));
        path.found[0] = "/home/maya/new".into();
        assert_eq!(path.completion(), None);
        path.selected = Some(1);
        assert_eq!(path.chosen("/home/maya").as_deref(), Some("/home/maya/notes-old"));
        path.folders("/somewhere/else", vec![], "/home/maya");
        assert_eq!(path.found.len(), 2, "a late answer to something else is dropped");
    }
}

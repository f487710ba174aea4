//! Conversations: open another, look through all of them, give one a title, pin it, put it away, forget it.

use super::over;
use crate::app::effect::Effect;
use crate::app::field::Field;
use crate::app::msg::Tag;
use crate::app::scroll::{Rows, step};
use crate::app::state::Loaded;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Found, MessageId, Millis, Op, Role, SessionChange, SessionId, SessionLine};
use jiff::tz::TimeZone;
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

/// Places in conversations that are asked for at once.
const FOUND_MAX: usize = 50;

/// The list.
pub struct Sessions {
    /// The conversations, as the node orders them: pinned ones first, then the newest.
    pub list: Loaded<Vec<SessionLine>>,
    /// What is looked for, in titles and in what was said.
    pub field: Field,
    /// Messages that hold it.
    pub found: Loaded<Vec<Found>>,
    /// The number of the last search; belongs to the whole run, so that a late reply is known as such.
    pub number: u32,
    /// Whether those that were put away are shown.
    pub archived: bool,
    /// The selected row.
    pub selected: usize,
    /// The title being typed for the selected conversation.
    pub naming: Option<(SessionId, Field)>,
}

fn box_size(area: Rect) -> (u16, u16) {
    (86.min(area.width), area.height.saturating_sub(4).max(5))
}

/// One row.
#[derive(Clone, Copy)]
pub enum Row<'a> {
    /// A new conversation.
    New,
    /// A conversation.
    Session(&'a SessionLine),
    /// A message of one.
    Found(&'a Found),
}

impl Sessions {
    /// An empty list whose searches are counted on from `number`.
    #[must_use]
    pub fn counting_from(number: u32) -> Self {
        Self {
            list: Loaded::Loading,
            field: Field::plain(),
            found: Loaded::Not,
            number,
            archived: false,
            selected: 0,
            naming: None,
        }
    }

    /// The rows as they are shown.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        let needle = self.field.text().trim().to_lowercase();
        let wanted: Vec<&str> = needle.split_whitespace().collect();
        let fits = |line: &&SessionLine| {
            let title = line.title.to_lowercase();
            wanted.iter().all(|word| title.contains(word))
        };
        let shown = |line: &&SessionLine| self.archived || !line.archived || !wanted.is_empty();
        let list = self.list.get().map_or(&[][..], Vec::as_slice);
        let mut rows: Vec<Row<'_>> = if wanted.is_empty() { vec![Row::New] } else { vec![] };
        rows.extend(list.iter().filter(shown).filter(fits).map(Row::Session));
        if let Some(found) = self.found.get().filter(|_| !wanted.is_empty()) {
            rows.extend(found.iter().map(Row::Found));
        }
        rows
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.rows().len());
    }

    /// The selected conversation, its title and the message to stand at; none where a new one is selected.
    #[must_use]
    pub fn chosen(&self) -> Option<(SessionId, String, Option<MessageId>)> {
        match self.rows().get(self.selected)? {
            Row::New => None,
            Row::Session(line) => Some((line.id, line.title.clone(), None)),
            Row::Found(found) => Some((found.session, found.title.clone(), Some(found.message))),
        }
    }

    /// The selected conversation's line.
    #[must_use]
    pub fn current(&self) -> Option<&SessionLine> {
        match self.rows().get(self.selected)? {
            Row::Session(line) => Some(line),
            _ => None,
        }
    }

    /// Looks for what is typed now.
    pub fn look(&mut self) -> Vec<Effect> {
        self.selected = 0;
        let query = self.field.text().trim().to_owned();
        let mut effects = vec![];
        if matches!(self.found, Loaded::Loading) {
            effects.push(Effect::Drop(Tag::Find(self.number)));
        }
        self.found = Loaded::Not;
        if !query.is_empty() {
            self.number = self.number.wrapping_add(1);
            self.found = Loaded::Loading;
            effects.push(Effect::call(Tag::Find(self.number), Op::Find { query, k: FOUND_MAX }));
        }
        effects
    }

    /// Changes the selected conversation.
    pub fn change(&self, change: impl FnOnce(&SessionLine) -> SessionChange) -> Vec<Effect> {
        let Some(line) = self.current() else { return vec![] };
        let op = Op::SessionChange { session: line.id, change: change(line) };
        vec![Effect::call(Tag::SessionChange, op)]
    }

    /// Begins to type a title.
    pub fn name(&mut self) {
        if let Some(line) = self.current() {
            self.naming = Some((line.id, Field::with(&line.title)));
        }
    }

    /// Draws it.
    pub fn view(
        &self,
        theme: &Theme,
        frame: &mut Frame,
        area: Rect,
        open: Option<SessionId>,
        when: (Millis, &TimeZone),
    ) {
        let (columns, box_rows) = box_size(area);
        let title = if self.archived { "conversations · those put away too" } else { "conversations" };
        let inside = over(frame, area, columns, box_rows, title, theme);
        let inner = usize::from(inside.width);
        if inside.height < 3 {
            return;
        }
        let (mark, field) = match &self.naming {
            Some((_, field)) => ("title ▏ ", field),
            None => ("find  ▏ ", &self.field),
        };
        let mut line = field.line(theme, true, inner.saturating_sub(9));
        line.spans.insert(0, Span::styled(mark, theme.accent));
        let mut lines = vec![line];
        let rows = self.rows();
        let shown = self.shown(inside).shown();
        for (at, row) in rows.iter().enumerate().skip(shown.start).take(shown.len()) {
            lines.push(self.row(row, at == self.selected, open, inner, when, theme));
        }
        if let Some((sentence, bad)) = self.said() {
            lines.extend(text::wrap_plain(&sentence, if bad { theme.bad } else { theme.dim }, inner));
        }
        lines.truncate(usize::from(inside.height) - 1);
        frame.render_widget(Paragraph::new(lines), inside);
        let keys = if self.naming.is_some() {
            "Enter keep the title   Esc leave it"
        } else {
            "Enter open   ^T title   ^P pin   ^S put away   Tab show those   ^D forget"
        };
        let at = Rect { y: inside.bottom() - 1, height: 1, ..inside };
        frame.render_widget(Paragraph::new(Line::styled(text::cut_raw(keys, inner), theme.dim)), at);
    }

    /// The rows on the screen: below the field, above what is said and the keys.
    fn shown(&self, inside: Rect) -> Rows {
        let height = inside.height.saturating_sub(2 + u16::from(self.said().is_some()));
        let area = Rect { y: inside.y + 1.min(inside.height), height, ..inside };
        Rows::new(area, 1, self.selected, self.rows().len())
    }

    /// The index of the row at a place of the screen.
    #[must_use]
    pub fn at(&self, area: Rect, place: Position) -> Option<usize> {
        let (columns, rows) = box_size(area);
        self.shown(super::inside(area, columns, rows)).at(place)
    }

    /// What is to be said below the rows, and whether it is bad news.
    fn said(&self) -> Option<(String, bool)> {
        match (&self.list, &self.found) {
            (Loaded::Loading | Loaded::Not, _) => Some(("Asking for the others…".into(), false)),
            (Loaded::Failed(failure), _) | (_, Loaded::Failed(failure)) => Some((words::failure(failure), true)),
            (_, Loaded::Loading) => Some(("Looking through everything that was said…".into(), false)),
            (Loaded::Full(_), Loaded::Full(found)) if found.is_empty() && self.rows().is_empty() => {
                Some(("No title and nothing that was said holds that.".into(), false))
            }
            (Loaded::Full(list), _) if list.is_empty() => Some(("There are no others yet.".into(), false)),
            (Loaded::Full(list), Loaded::Not) if !self.archived => {
                let away = list.iter().filter(|line| line.archived).count() as u64;
                (away > 0).then(|| (format!("{} put away; Tab shows them.", words::some(away, "conversation")), false))
            }
            _ => None,
        }
    }

    fn row(
        &self,
        row: &Row<'_>,
        selected: bool,
        open: Option<SessionId>,
        inner: usize,
        (now, zone): (Millis, &TimeZone),
        theme: &Theme,
    ) -> Line<'static> {
        let style = if selected { theme.selected } else { theme.text };
        match row {
            Row::New => Line::styled(text::pad("+ a new conversation", inner), style),
            Row::Session(line) => {
                let here = if open == Some(line.id) { "•" } else { " " };
                let kind = match (line.pinned, line.archived) {
                    (true, _) => "pinned · ",
                    (false, true) => "put away · ",
                    _ => "",
                };
                let right = format!("{kind}{:>4} · {:<11}", line.messages, words::when(line.updated, now, zone));
                let room = inner.saturating_sub(text::width(&right) + 3);
                let title = if line.title.trim().is_empty() { "(no title)" } else { &line.title };
                Line::styled(format!("{here} {} {right}", text::pad(title, room)), style)
            }
            Row::Found(found) => {
                let who = if found.role == Role::User { "you" } else { "icore" };
                let head = format!("  {who} · {} · ", words::when(found.at, now, zone));
                let room = inner.saturating_sub(text::width(&head));
                if selected {
                    return Line::styled(format!("{head}{}", text::pad(&found.excerpt, room)), style);
                }
                Line::from(vec![
                    Span::styled(head, theme.dim),
                    Span::styled(text::fit(&found.excerpt, room), theme.text),
                ])
            }
        }
    }
}

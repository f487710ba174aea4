//! The days of a conversation, one item each.

use super::stamp::Stamp;
use crate::{
    parts::{Part, Parts},
    text::title,
};
use hinet_protocol::Millis;
use jiff::civil::Date;
use std::fmt::Write as _;

/// Speakers that are named at the beginning of a day.
pub(super) const SPEAKERS: usize = 32;
/// Characters of what tells conversations of one name from each other.
const ID_MAX: usize = 80;
/// A day of more bytes than this is more than one item.
const DAY_MAX: usize = 4 << 20;

/// Collects what is said, and hands it out day by day.
pub(super) struct Days {
    /// `WhatsApp`, `Telegram`, …
    program: &'static str,
    chat: String,
    /// What tells two conversations of one name from each other.
    id: Option<String>,
    day: Option<Day>,
}

struct Day {
    date: Option<Date>,
    last: Option<Millis>,
    speakers: Vec<String>,
    text: String,
}

impl Days {
    pub(super) fn new(program: &'static str, chat: &str, id: Option<String>) -> Self {
        // Both are said with every day, so an endless one would be an endless text.
        let chat = title(chat).unwrap_or_else(|| "Chat".to_owned());
        let id = id.map(|id| id.chars().take(ID_MAX).collect());
        Self { program, chat, id, day: None }
    }

    /// Takes what `who` said; nobody where the program itself tells something.
    pub(super) fn say(&mut self, at: Option<Stamp>, who: Option<&str>, text: &str, parts: &mut Parts<'_>) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        // What has no time belongs to what was said before it.
        let date = at.map(|at| at.date).or_else(|| self.day.as_ref().and_then(|day| day.date));
        if self.day.as_ref().is_some_and(|day| day.date != date || day.text.len() > DAY_MAX) {
            self.finish(parts);
        }
        let day = self.day.get_or_insert_with(|| Day { date, last: None, speakers: Vec::new(), text: String::new() });
        day.last = at.map(|at| at.millis).max(day.last);
        if let Some(who) = who
            && day.speakers.len() < SPEAKERS
            && !day.speakers.iter().any(|known| known == who)
        {
            day.speakers.push(who.to_owned());
        }
        let clock = at.map(|at| format!("[{}] ", at.clock())).unwrap_or_default();
        let _ = match who {
            Some(who) => writeln!(day.text, "{clock}{who}: {text}"),
            None => writeln!(day.text, "{clock}{text}"),
        };
    }

    /// Hands out the day that is open.
    pub(super) fn finish(&mut self, parts: &mut Parts<'_>) {
        let Some(day) = self.day.take() else { return };
        let Self { program, chat, id, .. } = self;
        let date = day.date.map(|date| date.to_string()).unwrap_or_else(|| "without a date".to_owned());
        let name = match id {
            Some(id) => format!("{chat} {id} {date}"),
            None => format!("{chat} {date}"),
        };
        let key = parts.new_key(&name);
        let mut text = format!("Chat: {chat} ({program})\n");
        if !day.speakers.is_empty() {
            let _ = writeln!(text, "From: {}", speakers(&day.speakers));
        }
        let _ = writeln!(text, "Date: {date}\n");
        text.push_str(&day.text);
        parts.put(Part {
            key,
            title: format!("{chat}, {date}"),
            kind: "chat",
            text,
            modified: day.last,
            ..Part::default()
        });
    }
}

/// Names as a mail's header lists them.
pub(super) fn speakers(names: &[String]) -> String {
    let quoted = names.iter().map(|name| match name.contains([',', ';', '<', '>']) {
        true => format!("\"{}\"", name.replace('"', "'")),
        false => name.clone(),
    });
    quoted.collect::<Vec<_>>().join(", ")
}

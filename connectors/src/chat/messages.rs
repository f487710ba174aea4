//! Telegram, Discord, Instagram and Messenger: exports that list messages.

use super::{
    days::Days,
    json::{self, Found, id, list, number, text},
    stamp::Stamp,
};
use crate::{Unreadable, kinds::Export, parts::Parts, text::one_line};
use serde_json::{Map, Value};
use std::{collections::HashMap, fmt::Write as _, io::Read, path::Path};

/// Messages whose beginning is remembered, so that an answer can say what it answers.
const REMEMBERED: usize = 20_000;
/// Messages that are held to be turned round, and bytes of them.
const BACKWARDS: usize = 50_000;
const BACKWARDS_BYTES: usize = 64 << 20;
/// Bytes of a message's number; what is longer is no number that another message names.
const NUMBER_MAX: usize = 200;
/// Characters of what is answered.
const QUOTED: usize = 60;

pub(super) fn read(export: Export, path: &Path, input: impl Read, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let mut open: Option<Days> = None;
    let mut said: HashMap<String, String> = HashMap::new();
    let mut any = false;
    let (mut backwards, mut held): (Vec<Value>, usize) = (Vec::new(), 0);
    let limit = parts.limits.max_element_bytes;
    let result = json::read(input, limit, &mut |found| {
        match found {
            Found::Element(fields, message) => {
                any = true;
                // Instagram lists a conversation backwards, in files of ten thousand messages at most.
                if export == Export::Meta {
                    held += json::size(&message);
                    backwards.push(message);
                    if backwards.len() < BACKWARDS && held < BACKWARDS_BYTES {
                        return true;
                    }
                    held = 0;
                    let days = open.get_or_insert_with(|| conversation(export, path, fields));
                    for message in std::mem::take(&mut backwards).iter().rev() {
                        take(export, message, days, &mut said, parts);
                    }
                    return !parts.stopped();
                }
                let days = open.get_or_insert_with(|| conversation(export, path, fields));
                take(export, &message, days, &mut said, parts);
            }
            Found::End(fields) => {
                let messages = std::mem::take(&mut backwards);
                held = 0;
                for message in messages.iter().rev() {
                    let days = open.get_or_insert_with(|| conversation(export, path, fields));
                    take(export, message, days, &mut said, parts);
                }
                if let Some(mut days) = open.take() {
                    days.finish(parts);
                }
                said.clear();
            }
        }
        !parts.stopped()
    });
    if let Some(mut days) = open.take() {
        days.finish(parts);
    }
    result?;
    if any { Ok(()) } else { Err(Unreadable::NoExport) }
}

/// The conversation that a list of messages stands in.
fn conversation(export: Export, path: &Path, fields: &Map<String, Value>) -> Days {
    let field = |key: &str| fields.get(key).and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty());
    let file = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match export {
        Export::Discord => {
            let part = |key: &str| fields.get(key).and_then(|of| text(of, "name"));
            let channel = part("channel").map(str::to_owned).unwrap_or_else(file);
            let name = match part("guild").filter(|guild| *guild != "Direct Messages") {
                Some(guild) => format!("{guild} #{channel}"),
                None => channel,
            };
            let number = fields.get("channel").and_then(|channel| channel.get("id")).and_then(id);
            Days::new("Discord", &name, number)
        }
        Export::Meta => {
            let named = field("title").map(repaired);
            let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            let program =
                if field("thread_path").is_some() || named.is_some() { "Messenger or Instagram" } else { "Instagram" };
            Days::new(program, &named.or(folder).unwrap_or_else(file), None)
        }
        _ => {
            let kind = field("type").unwrap_or_default();
            let name = match field("name") {
                Some(name) => name.to_owned(),
                None if kind == "saved_messages" => "Saved messages".to_owned(),
                None if fields.contains_key("id") => "Deleted account".to_owned(),
                None => file(),
            };
            Days::new("Telegram", &name, fields.get("id").and_then(id))
        }
    }
}

fn take(export: Export, message: &Value, days: &mut Days, said: &mut HashMap<String, String>, parts: &mut Parts<'_>) {
    let (at, who, words, answers) = match export {
        Export::Discord => discord(message),
        Export::Meta => meta(message),
        _ => telegram(message),
    };
    let answered = answers.and_then(|number| said.get(&number));
    let shown = match answered {
        Some(beginning) => format!("(in answer to “{beginning}”) {words}"),
        None => words.clone(),
    };
    days.say(at, who.as_deref(), &shown, parts);
    if said.len() < REMEMBERED
        && let Some(number) = message.get("id").and_then(id).filter(|number| number.len() <= NUMBER_MAX)
    {
        said.insert(number, beginning(&words));
    }
}

/// The first words of a message.
pub(super) fn beginning(words: &str) -> String {
    let line = one_line(words);
    if line.chars().count() <= QUOTED {
        return line;
    }
    let cut: String = line.chars().take(QUOTED).collect();
    format!("{}…", cut.trim_end())
}

/// When, who, what, and the number of what it answers.
type Message = (Option<Stamp>, Option<String>, String, Option<String>);

fn telegram(message: &Value) -> Message {
    let moment = number(message, "date_unixtime").and_then(Stamp::seconds);
    let written = text(message, "date").and_then(Stamp::written);
    // The hour as the owner saw it, and the moment it really was.
    let at = match (written, moment) {
        (Some(written), Some(moment)) => Some(Stamp { millis: moment.millis, ..written }),
        (written, moment) => written.or(moment),
    };
    let service = text(message, "type") == Some("service");
    let who = text(message, "from").or_else(|| text(message, "actor")).map(str::to_owned);
    let who = who.or_else(|| (message.get("from").is_some_and(Value::is_null)).then(|| "Deleted account".to_owned()));
    let mut words = String::new();
    if let Some(from) = text(message, "forwarded_from") {
        let _ = write!(words, "(forwarded from {from}) ");
    }
    if service {
        let action = text(message, "action").unwrap_or("service message").replace('_', " ");
        let _ = write!(words, "({action}");
        let named = |value: &Value| value.as_str().or_else(|| text(value, "name")).map(str::to_owned);
        let members: Vec<String> = list(message, "members").iter().filter_map(named).collect();
        if !members.is_empty() {
            let _ = write!(words, ": {}", members.join(", "));
        } else if let Some(title) = text(message, "title") {
            let _ = write!(words, ": {title}");
        }
        words.push(')');
    }
    let entities = list(message, "text_entities");
    let body = match message.get("text") {
        _ if !entities.is_empty() => run(entities),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(run_of)) => run(run_of),
        _ => String::new(),
    };
    words.push_str(&body);
    let mut add = |what: String| {
        if !words.is_empty() && !words.ends_with([' ', '\n']) {
            words.push(' ');
        }
        words.push_str(&what);
    };
    if let Some(emoji) = text(message, "sticker_emoji") {
        add(format!("(sticker {emoji})"));
    } else if let Some(file) = text(message, "file_name").or_else(|| text(message, "file")) {
        let kind = text(message, "media_type").unwrap_or("file").replace('_', " ");
        let heard = [text(message, "performer"), text(message, "title")].into_iter().flatten().collect::<Vec<_>>();
        let named = if heard.is_empty() { last_part(file).to_owned() } else { heard.join(", ") };
        add(format!("({kind}: {named})"));
    } else if message.get("photo").is_some() {
        add("(photo)".to_owned());
    }
    if let Some(poll) = message.get("poll") {
        let options: Vec<&str> = list(poll, "answers")
            .iter()
            .chain(list(poll, "options"))
            .filter_map(|option| text(option, "text"))
            .collect();
        add(format!("(poll: {} {})", text(poll, "question").unwrap_or_default(), options.join(" / ")));
    }
    if let Some(contact) = message.get("contact_information") {
        let parts = ["first_name", "last_name", "phone_number"].into_iter().filter_map(|key| text(contact, key));
        add(format!("(contact: {})", parts.collect::<Vec<_>>().join(" ")));
    }
    if let Some(place) = message.get("location_information")
        && let (Some(north), Some(east)) = (number(place, "latitude"), number(place, "longitude"))
    {
        let name = text(message, "place_name").map(|name| format!("{name}, ")).unwrap_or_default();
        add(format!("(place: {name}{north}, {east})"));
    }
    let answers = message.get("reply_to_message_id").and_then(id);
    (at, who, words, answers)
}

/// A text in pieces, of which some are links.
fn run(pieces: &[Value]) -> String {
    let mut out = String::new();
    for piece in pieces {
        let Some(words) = piece.as_str().or_else(|| piece.get("text").and_then(Value::as_str)) else { continue };
        // An export of pieces without blanks between them is put together with them.
        let kind = piece.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "link" && out.ends_with(|c: char| !c.is_whitespace() && c != '(') {
            out.push(' ');
        }
        out.push_str(words);
        if let Some(target) = text(piece, "href").filter(|target| *target != words) {
            let _ = write!(out, " ({target})");
        }
    }
    out
}

fn discord(message: &Value) -> Message {
    let at = text(message, "timestamp").and_then(Stamp::written);
    let author = message.get("author").unwrap_or(&Value::Null);
    let who = text(author, "nickname").or_else(|| text(author, "name")).map(str::to_owned);
    let mut words = text(message, "content").unwrap_or_default().to_owned();
    let mut add = |what: String| {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&what);
    };
    for file in list(message, "attachments") {
        add(format!("(file: {})", text(file, "fileName").or_else(|| text(file, "url")).unwrap_or("without a name")));
    }
    for embed in list(message, "embeds") {
        let said = ["title", "description", "url"].into_iter().filter_map(|key| text(embed, key));
        add(format!("({})", said.collect::<Vec<_>>().join(": ")));
    }
    for sticker in list(message, "stickers") {
        add(format!("(sticker {})", text(sticker, "name").unwrap_or_default()));
    }
    let answers = message.get("reference").and_then(|reference| reference.get("messageId")).and_then(id);
    (at, who, words, answers)
}

fn meta(message: &Value) -> Message {
    let at = number(message, "timestamp_ms").and_then(|millis| Stamp::seconds(millis / 1000.0));
    let who = text(message, "sender_name").map(repaired);
    let mut words = text(message, "content").map(repaired).unwrap_or_default();
    for (key, name) in
        [("photos", "photo"), ("videos", "video"), ("audio_files", "sound"), ("files", "file"), ("gifs", "picture")]
    {
        for _ in list(message, key) {
            words.push_str(&format!(" ({name})"));
        }
    }
    if let Some(link) = message.get("share").and_then(|share| text(share, "link"))
        && !words.contains(link)
    {
        words.push_str(&format!(" ({link})"));
    }
    if message.get("sticker").is_some() {
        words.push_str(" (sticker)");
    }
    (at, who, words, None)
}

/// Meta writes every byte of UTF-8 as a character of its own; where that is so, it is undone.
fn repaired(text: &str) -> String {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

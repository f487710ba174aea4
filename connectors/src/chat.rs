//! Chats to items: one conversation and day, one item; of conversations with a program, one conversation.
//!
//! Which program wrote an export is told by its content. What was said keeps its speaker and its time.

mod assistants;
mod days;
mod json;
mod messages;
mod slack;
mod spoken;
mod stamp;

pub(crate) use slack::{Names, day as slack_day, people};

use crate::{Unreadable, kinds::Export, parts::Parts};
use std::{io::Read, path::Path};

/// Which export a file is, by its beginning.
pub(crate) fn recognise(path: &Path, head: &[u8]) -> Option<Export> {
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let json = matches!(start.first()?, b'{' | b'[').then(|| json_export(path, start)).flatten();
    json.or_else(|| {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        let text = extension.is_none_or(|extension| extension == "txt" || extension == "text");
        (text && spoken::begins(&String::from_utf8_lossy(start))).then_some(Export::Lines)
    })
}

fn json_export(path: &Path, head: &[u8]) -> Option<Export> {
    let has = |key: &str| {
        let quoted = format!("\"{key}\"");
        head.windows(quoted.len()).any(|window| window == quoted.as_bytes())
    };
    let list = head.starts_with(b"[");
    if list && has("mapping") && (has("current_node") || has("parent")) {
        Some(Export::ChatGpt)
    } else if list && has("chat_messages") {
        Some(Export::Claude)
    } else if list && (slack::is_day(path) && (has("ts") || is_in_slack(path)) || describes_an_export(path)) {
        Some(Export::Slack)
    } else if list {
        None
    } else if has("guild") && has("channel") {
        Some(Export::Discord)
    } else if has("sender_name") && has("timestamp_ms") {
        Some(Export::Meta)
    } else if has("messages") && has("date_unixtime") || telegram_head(head) {
        Some(Export::Telegram)
    } else {
        None
    }
}

/// Whether a file lies in a channel's folder of a Slack export.
fn is_in_slack(path: &Path) -> bool {
    path.parent().and_then(Path::parent).is_some_and(|export| export.join("users.json").is_file())
}

/// A whole export of Telegram begins with much else before the first message.
fn telegram_head(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    let about = head.contains("\"about\": \"Here is the data you requested");
    let chat = head.contains("\"messages\"") && head.contains("\"from_id\"") && head.contains("\"date\"");
    about || chat
}

/// Whether a page shows again what the data of the export it lies in says.
pub(crate) fn repeats_an_export(path: &Path) -> bool {
    let named = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("chat.html"));
    named
        && path.parent().is_some_and(|folder| {
            folder.join("conversations.json").is_file() || folder.join("conversations-000.json").is_file()
        })
}

/// Whether a file only lists the people and channels of a Slack export.
pub(crate) fn describes_an_export(path: &Path) -> bool {
    slack::is_list(path)
        && path
            .parent()
            .is_some_and(|folder| folder.join("users.json").is_file() && folder.join("channels.json").is_file())
}

/// A text in which every message begins with its time.
pub(crate) fn lines(path: &Path, text: &str, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    spoken::read(path, text, parts)
}

/// An export in JSON, as a stream of messages or of conversations.
pub(crate) fn json(export: Export, path: &Path, input: impl Read, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    match export {
        Export::ChatGpt | Export::Claude => assistants::read(export, input, parts),
        _ => messages::read(export, path, input, parts),
    }
}

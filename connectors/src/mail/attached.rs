//! What hangs on a message: its text where a reader for it exists, and otherwise its name.

use super::{Letter, letter, read, words};
use crate::{
    Unreadable, calendar, contacts,
    kinds::{self, Class, Kind},
    parts::Parts,
    read::{Parsed, parse},
    text::title,
};
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};
use std::{fmt::Write as _, path::Path};

/// Attachments of one message that are read; the others are named.
const READ_MAX: usize = 200;

/// Writes everything that is attached to `message` below its text.
pub(super) fn attachments(message: &Message<'_>, parts: &Parts<'_>, depth: usize, out: &mut Letter) {
    for (place, id) in message.attachments.iter().enumerate() {
        let Some(part) = message.parts.get(*id as usize) else { continue };
        if !out.text.is_empty() {
            out.text.push('\n');
        }
        // What is attached may unpack to far more than the message is; its text is taken until there is as much of it as
        // any text may have.
        let full = out.text.len() as u64 > parts.limits.max_text_bytes;
        if let PartType::Message(inner) = &part.body
            && !full
        {
            attached_message(inner, parts, depth, out);
            continue;
        }
        let name = part.attachment_name().and_then(title);
        let said = name.clone().unwrap_or_else(|| "without a name".to_owned());
        let found = if place < READ_MAX && !full { content(message, part, parts, depth) } else { Content::Named };
        match found {
            Content::Text(text) => {
                let _ = writeln!(out.text, "Attachment: {said}\n");
                out.text.push_str(text.trim_end().trim_start_matches(['\r', '\n']));
                out.text.push('\n');
            }
            Content::Named => {
                let _ = writeln!(out.text, "Attachment: {said} ({}, {} bytes)", mime(part), part.contents().len());
            }
            Content::Unread(why) => {
                let _ = writeln!(out.text, "Attachment: {said} ({}, not read: {why})", mime(part));
                out.unread.push((said, why));
            }
        }
    }
}

fn attached_message(inner: &Message<'_>, parts: &Parts<'_>, depth: usize, out: &mut Letter) {
    out.text.push_str("Attached message:\n\n");
    if depth >= parts.limits.max_attached {
        out.text.push_str("(attached too deep to be read)\n");
        let why = format!("It is attached more than {} messages deep.", parts.limits.max_attached);
        out.unread.push(("attached message".to_owned(), why));
        return;
    }
    let letter = read(inner, parts, depth + 1);
    out.text.push_str(&letter.text);
    out.unread.extend(letter.unread);
}

enum Content {
    Text(String),
    /// Nothing that is read, such as a picture.
    Named,
    Unread(String),
}

fn content(message: &Message<'_>, part: &MessagePart<'_>, parts: &Parts<'_>, depth: usize) -> Content {
    let kind = match kind(part) {
        Some(kind) => kind,
        None => return Content::Named,
    };
    let bytes = part.contents();
    if bytes.trim_ascii().is_empty() {
        return Content::Named;
    }
    let text = match kind {
        Kind::Mail => {
            let inner =
                if depth < parts.limits.max_attached { letter(bytes, parts, depth + 1).text } else { String::new() };
            Ok(Parsed { text: inner, ..Parsed::default() })
        }
        Kind::Calendar => Ok(Parsed { text: calendar::words(&decoded(message, part)), ..Parsed::default() }),
        Kind::Contacts => Ok(Parsed { text: contacts::words(&decoded(message, part)), ..Parsed::default() }),
        Kind::Pdf | Kind::Docx | Kind::Odf | Kind::Epub => {
            let cap = if kind.has_pictures() { parts.limits.max_pdf_bytes } else { parts.limits.max_file_bytes };
            match bytes.len() as u64 {
                size if size > cap => Err(Unreadable::TooLarge { size, limit: cap }),
                _ => parse(kind, Path::new("attachment"), bytes.to_vec(), parts.limits, parts.extractor),
            }
        }
        _ => match words(message, part) {
            Some(text) => Ok(Parsed { text, ..Parsed::default() }),
            None => parse(kind, Path::new("attachment"), bytes.to_vec(), parts.limits, parts.extractor),
        },
    };
    match text {
        Ok(parsed) if parsed.text.trim().is_empty() => Content::Named,
        Ok(parsed) if parsed.text.len() as u64 > parts.limits.max_text_bytes => {
            Content::Unread(Unreadable::TooMuchText { limit: parts.limits.max_text_bytes }.to_string())
        }
        Ok(parsed) => Content::Text(parsed.text),
        Err(why) => Content::Unread(why.to_string()),
    }
}

fn decoded(message: &Message<'_>, part: &MessagePart<'_>) -> String {
    match &part.body {
        PartType::Text(_) => words(message, part).unwrap_or_default(),
        _ => String::from_utf8_lossy(part.contents()).into_owned(),
    }
}

fn mime(part: &MessagePart<'_>) -> String {
    let Some(kind) = part.content_type() else { return "of no stated kind".to_owned() };
    match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()),
        None => kind.ctype().to_owned(),
    }
}

/// How an attachment is read: by the name of its file, then by the kind the sender stated. `None` for what is not read.
fn kind(part: &MessagePart<'_>) -> Option<Kind> {
    let mime = mime(part).to_ascii_lowercase();
    let stated = match mime.as_str() {
        "application/pdf" | "application/x-pdf" => Some(Kind::Pdf),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Some(Kind::Docx),
        "application/vnd.oasis.opendocument.text"
        | "application/vnd.oasis.opendocument.spreadsheet"
        | "application/vnd.oasis.opendocument.presentation" => Some(Kind::Odf),
        "application/epub+zip" => Some(Kind::Epub),
        "text/calendar" | "application/ics" => Some(Kind::Calendar),
        "text/vcard" | "text/x-vcard" | "text/directory" => Some(Kind::Contacts),
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "message/rfc822" | "message/global" => Some(Kind::Mail),
        _ => None,
    };
    let named = match part.attachment_name().map(|name| kinds::classify(Path::new(name))) {
        Some(Class::Read(kind)) => Some(kind),
        Some(Class::Skip(_)) if stated.is_none() => return None,
        _ => None,
    };
    let text = mime.starts_with("text/") || matches!(part.body, PartType::Text(_) | PartType::Html(_));
    let kind = stated.or(named).or_else(|| text.then_some(Kind::Data))?;
    // A box of mail or an archive within a message is named, not opened.
    (!matches!(kind, Kind::Mbox | Kind::Git | Kind::Zip | Kind::Chat(_))).then_some(kind)
}

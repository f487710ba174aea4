//! Mail to items: one message becomes one text, with who wrote it, to whom and when at its beginning.
//!
//! MIME is parsed by `mail-parser`; what a message says, which of its bodies is read and what becomes of what is
//! attached is decided here. A message that cannot be parsed is kept as the text it is.

mod attached;
mod filing;
mod header;
pub(crate) mod maildir;
pub(crate) mod mbox;
pub(crate) mod names;

use crate::{
    Unreadable, decode, html,
    parts::{Part, Parts},
};
use attached::attachments;
use hinet_protocol::Millis;
use mail_parser::{Encoding, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use mbox::{Mbox, Raw};
use std::{io::Read, panic, path::Path, sync::LazyLock};

/// Which fields are read as what; all others are text.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .with_minimal_headers()
        .with_date_headers()
        .header_address(HeaderName::Sender)
        .header_received(HeaderName::Received)
        .default_header_text()
});

/// A message as people read it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The subject.
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    /// When it was sent, as it says itself.
    pub(crate) sent: Option<Millis>,
    /// The thread it belongs to.
    pub(crate) thread: Option<String>,
    /// What its header says that it is filed under.
    pub(crate) labels: Vec<String>,
    /// What of it could not be read: its name, and a sentence.
    pub(crate) unread: Vec<(String, String)>,
}

/// All messages of an mbox. Each is known by its own id and by its content, never by where it lies.
pub(crate) fn mbox(path: &Path, input: impl Read, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let folder = filing::of_mbox(path);
    let mut mbox = Mbox::new(input, parts.limits.max_message_bytes);
    let mut any = false;
    while let Some(raw) = mbox.next()? {
        let Raw { envelope, bytes, cut } = raw;
        if bytes.trim_ascii().is_empty() && envelope.is_empty() {
            continue;
        }
        any = true;
        let key = parts.key(&header::identity(&bytes));
        if parts.has(&key) {
            continue;
        }
        message(parts, key, (bytes, cut), header::envelope_time(&envelope), folder.as_deref());
        if parts.stopped() {
            break;
        }
    }
    if any { Ok(()) } else { Err(Unreadable::Empty) }
}

/// A file that is one message, whose key is the file's.
pub(crate) fn single(path: &Path, input: impl Read, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let mut bytes = Vec::new();
    let mut input = input.take(u64::MAX);
    input.by_ref().take(parts.limits.max_message_bytes).read_to_end(&mut bytes)?;
    let cut = std::io::copy(&mut input, &mut std::io::sink())?;
    if bytes.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    // Apple Mail writes the message's length in front of it, and a property list after it.
    if let Some(end) = bytes.iter().position(|b| *b == b'\n')
        && let Ok(line) = std::str::from_utf8(&bytes[..end])
        && let Ok(length) = line.trim().parse::<usize>()
    {
        bytes.truncate(length.saturating_add(end + 1).max(end + 1).min(bytes.len()));
        bytes.drain(..=end);
    }
    let key = parts.own_key();
    message(parts, key, (bytes, cut), None, filing::of_maildir(path).as_deref());
    Ok(())
}

/// Hands out one message under this key: its bytes with how many more there were, when it was received, and the folder it lies in.
pub(crate) fn message(
    parts: &mut Parts<'_>,
    key: String,
    (bytes, cut): (Vec<u8>, u64),
    received: Option<Millis>,
    folder: Option<&str>,
) {
    let letter = letter(&bytes, parts, 0);
    for (what, why) in letter.unread {
        parts.skip(&format!("{key}/{what}"), why);
    }
    if cut > 0 {
        let why =
            format!("It is {} bytes long, of which the first {} were read.", bytes.len() as u64 + cut, bytes.len());
        parts.skip(&key, why);
    }
    let title = letter.title.or_else(|| first_line(&letter.text)).unwrap_or_else(|| "(no subject)".to_owned());
    let modified = letter.sent.or(received);
    let labels = filing::tidy(letter.labels.into_iter().chain(folder.map(str::to_owned)));
    parts.put(Part { key, title, kind: "mail", text: letter.text, modified, thread: letter.thread, labels });
}

/// The first line of a message that has no header at all.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let header = ["From:", "To:", "Cc:", "Bcc:", "Date:", "Labels:"].iter().any(|name| line.starts_with(name));
    (!header).then(|| line.to_owned())
}

/// A message's text. Whatever its bytes are, there is one.
pub(crate) fn letter(bytes: &[u8], parts: &Parts<'_>, depth: usize) -> Letter {
    let bytes = header::repaired(bytes);
    let parsed = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let message = PARSER.parse(bytes.as_ref())?;
        Some(read(&message, parts, depth))
    }));
    match parsed {
        Ok(Some(letter)) if !letter.text.trim().is_empty() => letter,
        _ => Letter { text: plain(bytes.into_owned()), ..Letter::default() },
    }
}

/// Bytes that are no message MIME knows, as text.
fn plain(bytes: Vec<u8>) -> String {
    match decode::decode(bytes.clone(), None) {
        Ok(decoded) => decoded.text,
        Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

pub(crate) fn read(message: &Message<'_>, parts: &Parts<'_>, depth: usize) -> Letter {
    let mut letter = Letter {
        title: header::subject(message),
        sent: header::sent(message),
        thread: filing::thread(message),
        labels: filing::labels(message),
        ..Letter::default()
    };
    header::write(message, letter.title.as_deref(), &mut letter.text);
    let header = letter.text.len();
    let mut body = bodies(message, &message.text_body);
    if body.trim().is_empty() {
        body = bodies(message, &message.html_body);
    }
    if !body.trim().is_empty() {
        if header > 0 {
            letter.text.push('\n');
        }
        letter.text.push_str(body.trim_end().trim_start_matches(['\r', '\n']));
        letter.text.push('\n');
    }
    attachments(message, parts, depth, &mut letter);
    letter
}

fn bodies(message: &Message<'_>, ids: &[u32]) -> String {
    let mut out = String::new();
    for id in ids {
        let Some(part) = message.parts.get(*id as usize) else { continue };
        let Some(text) = words(message, part) else { continue };
        if !out.is_empty() && !text.trim().is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(text.trim_end());
    }
    out
}

/// The words of a part of text or HTML; `None` for any other.
pub(crate) fn words(message: &Message<'_>, part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Text(text) => Some(undamaged(message, part, text)),
        PartType::Html(text) => Some(html::parse(&undamaged(message, part, text)).0),
        _ => None,
    }
}

/// A part's text, decoded anew where its charset was not named, not known, or not true.
fn undamaged(message: &Message<'_>, part: &MessagePart<'_>, text: &str) -> String {
    if !text.contains('\u{fffd}') {
        return text.to_owned();
    }
    let (from, to) = (part.offset_body as usize, part.offset_end as usize);
    let Some(raw) = message.raw_message.get(from..to) else { return text.to_owned() };
    let bytes = match part.encoding {
        Encoding::None => Some(raw.to_vec()),
        Encoding::QuotedPrintable => mail_parser::decoders::quoted_printable::quoted_printable_decode(raw),
        Encoding::Base64 => mail_parser::decoders::base64::base64_decode(raw),
    };
    let label = part.content_type().and_then(|kind| kind.attribute("charset")).unwrap_or_default();
    let declared = encoding_rs::Encoding::for_label(label.as_bytes());
    let html = matches!(part.body, PartType::Html(_));
    bytes
        .and_then(|bytes| {
            let declared = declared.or_else(|| if html { decode::html_charset(&bytes) } else { None });
            decode::decode(bytes, declared).ok()
        })
        .map(|decoded| decoded.text)
        .filter(|again| again.matches('\u{fffd}').count() < text.matches('\u{fffd}').count())
        .unwrap_or_else(|| text.to_owned())
}

/// Fields of which a message has some in its first lines.
const FIELDS: &[&str] = &[
    "return-path",
    "delivered-to",
    "received",
    "from",
    "to",
    "date",
    "subject",
    "message-id",
    "mime-version",
    "reply-to",
    "content-type",
    "x-mozilla-status",
    "dkim-signature",
    "sender",
    "cc",
];

/// Whether a file begins as a message does: with header lines only, at least three of them known.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    let mut known = 0;
    for (at, line) in head.split(|b| *b == b'\n').take(100).enumerate() {
        if line.trim_ascii().is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if at == 0 {
                return false;
            }
            continue;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { break };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic()) {
            break;
        }
        known += usize::from(FIELDS.iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name)));
    }
    known >= 3
}

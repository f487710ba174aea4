//! The header of a message: what of it is shown, when it was sent, and by what it is known.

use crate::{decode, text::one_line};
use hinet_protocol::Millis;
use jiff::civil::DateTime;
use mail_parser::{Address, HeaderValue, Message};
use std::{borrow::Cow, fmt::Write as _};

/// Fields that mail programs change while a message lies in a box.
const VOLATILE: &[&str] = &[
    "x-gmail-labels",
    "x-gm-thrid",
    "status",
    "x-status",
    "x-keywords",
    "x-uid",
    "x-imap",
    "x-imapbase",
    "content-length",
    "lines",
    "x-mozilla-status",
    "x-mozilla-status2",
    "x-mozilla-keys",
    "x-evolution-source",
];
/// Characters of a message's own id that become part of its key.
const ID_MAX: usize = 120;
/// Bytes in which the end of a header is looked for.
const HEADER_MAX: usize = 1 << 20;

/// Where a header ends: after its blank line, or where there is none.
fn header_end(bytes: &[u8]) -> Option<usize> {
    let head = &bytes[..bytes.len().min(HEADER_MAX)];
    let mut at = 0;
    for line in head.split_inclusive(|b| *b == b'\n') {
        if line == b"\n" || line == b"\r\n" {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// A message whose header is UTF-8: programs of old wrote names and subjects in whatever charset they had. Lines that
/// are UTF-8 stay; the charset of the others is guessed from all of them together.
pub(super) fn repaired(bytes: &[u8]) -> Cow<'_, [u8]> {
    let end = header_end(bytes).unwrap_or(0);
    let lines = || bytes[..end].split_inclusive(|b| *b == b'\n');
    // Bytes within an encoded word are of the charset that the word names.
    let is_foreign = |line: &[u8]| std::str::from_utf8(line).is_err() && !line.windows(2).any(|pair| pair == b"=?");
    let foreign: Vec<&[u8]> = lines().filter(|line| is_foreign(line)).collect();
    if foreign.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let Ok(decoded) = decode::decode(foreign.concat(), None) else { return Cow::Borrowed(bytes) };
    let mut foreign = decoded.text.split_inclusive('\n');
    let mut whole = Vec::with_capacity(bytes.len() + end);
    for line in lines() {
        let shown = if is_foreign(line) { foreign.next().unwrap_or_default().as_bytes() } else { line };
        whole.extend_from_slice(shown);
    }
    whole.extend_from_slice(&bytes[end..]);
    Cow::Owned(whole)
}

/// What a message in a box is known by: its own id, and a hash of all of it that stays as it is.
pub(super) fn identity(bytes: &[u8]) -> String {
    let end = header_end(bytes).unwrap_or(0);
    let mut hasher = blake3::Hasher::new();
    let mut id: Option<Vec<u8>> = None;
    let (mut volatile, mut in_id) = (false, false);
    for line in bytes[..end].split_inclusive(|b| *b == b'\n') {
        let line = line.trim_ascii_end();
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|b| *b == b':').next().unwrap_or_default();
            volatile = VOLATILE.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
            in_id = name.eq_ignore_ascii_case(b"message-id") && id.is_none();
            if in_id {
                id = Some(line.get(name.len() + 1..).unwrap_or_default().to_vec());
            }
        } else if let Some(id) = id.as_mut().filter(|_| in_id) {
            id.extend_from_slice(line);
        }
        if !volatile {
            hasher.update(line);
            hasher.update(b"\n");
        }
    }
    let body = bytes[end..].trim_ascii();
    if body.contains(&b'\r') {
        for line in body.split(|b| *b == b'\n') {
            hasher.update(line.strip_suffix(b"\r").unwrap_or(line));
            hasher.update(b"\n");
        }
    } else {
        hasher.update(body);
        hasher.update(b"\n");
    }
    let hash = hasher.finalize().to_hex();
    let id: String = id
        .map(|id| String::from_utf8_lossy(&id).into_owned())
        .unwrap_or_default()
        .trim()
        .trim_matches(['<', '>'])
        .chars()
        .filter(char::is_ascii_graphic)
        .map(|c| if matches!(c, '/' | '\\') { '_' } else { c })
        .take(ID_MAX)
        .collect();
    let hash = &hash.as_str()[..16];
    if id.is_empty() { hash.to_owned() } else { format!("{id} {hash}") }
}

/// The time in a `From ` line, whose zone is taken to be UTC where it names none.
pub(super) fn envelope_time(line: &[u8]) -> Option<Millis> {
    let line = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let at = words.iter().position(|word| months.contains(&word.to_ascii_lowercase().as_str()))?;
    let month = months.iter().position(|name| name.eq_ignore_ascii_case(words[at]))? as i8 + 1;
    let day: i8 = words.get(at + 1)?.parse().ok()?;
    let mut clock = words.get(at + 2)?.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().flatten().unwrap_or(0));
    let year = words[at + 3..].iter().find(|word| word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()))?;
    let offset = words[at + 3..].iter().find_map(|word| {
        let number = i64::from(word.strip_prefix(['+', '-'])?.parse::<i16>().ok()?);
        let seconds = (number / 100) * 3600 + (number % 100) * 60;
        Some(if word.starts_with('-') { -seconds } else { seconds })
    });
    let time = DateTime::new(year.parse().ok()?, month, day, hour, minute, second, 0).ok()?;
    let utc = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(utc - offset.unwrap_or(0) * 1000)
}

pub(super) fn subject(message: &Message<'_>) -> Option<String> {
    message.subject().map(str::trim).filter(|subject| !subject.is_empty()).map(str::to_owned)
}

fn date(message: &Message<'_>) -> Option<mail_parser::DateTime> {
    message.date().filter(|date| date.is_valid()).copied()
}

/// When a message was sent, or else when the first server had it.
pub(super) fn sent(message: &Message<'_>) -> Option<Millis> {
    let date = date(message).or_else(|| {
        let received = message.headers().iter().rev().find_map(|header| header.value.as_received());
        received.and_then(mail_parser::Received::date).filter(mail_parser::DateTime::is_valid)
    })?;
    date.to_timestamp().checked_mul(1000)
}

/// The lines that people read: who, to whom, when, about what.
pub(super) fn write(message: &Message<'_>, subject: Option<&str>, out: &mut String) {
    let fields = [("From", message.from()), ("To", message.to()), ("Cc", message.cc()), ("Bcc", message.bcc())];
    for (name, addresses) in fields {
        if let Some(list) = addresses.map(listed).filter(|list| !list.is_empty()) {
            let _ = writeln!(out, "{name}: {list}");
        }
    }
    if message.from().is_none_or(|from| listed(from).is_empty())
        && let Some(sender) = message.sender().map(listed).filter(|list| !list.is_empty())
    {
        let _ = writeln!(out, "From: {sender}");
    }
    if let Some(date) = date(message) {
        let sign = if date.tz_before_gmt { '-' } else { '+' };
        let _ = writeln!(
            out,
            "Date: {:04}-{:02}-{:02} {:02}:{:02} {sign}{:02}{:02}",
            date.year, date.month, date.day, date.hour, date.minute, date.tz_hour, date.tz_minute
        );
    }
    if let Some(subject) = subject {
        let _ = writeln!(out, "Subject: {}", one_line(subject));
    }
    let labels = message.headers().iter().find(|header| header.name.as_str().eq_ignore_ascii_case("x-gmail-labels"));
    if let Some(HeaderValue::Text(labels)) = labels.map(|header| &header.value) {
        let _ = writeln!(out, "Labels: {}", one_line(&labels.replace(',', ", ")));
    }
}

/// Names and addresses, as they are written in a header.
fn listed(addresses: &Address<'_>) -> String {
    let mut out = String::new();
    for one in addresses.iter() {
        let name = one_line(one.name().unwrap_or_default());
        let address = one_line(one.address().unwrap_or_default());
        if name.is_empty() && address.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str(", ");
        }
        let quoted = name.contains([',', ';', '<', '>', '@']);
        match (name.is_empty(), address.is_empty()) {
            (true, _) => out.push_str(&address),
            (false, true) => out.push_str(&name),
            (false, false) if quoted => {
                let _ = write!(out, "\"{}\" <{address}>", name.replace('"', "'"));
            }
            (false, false) => {
                let _ = write!(out, "{name} <{address}>");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{envelope_time, identity, repaired};

    #[test]
    fn a_message_is_known_by_what_stays() {
        let one = b"Message-ID: <a/b@x>\r\nX-Gmail-Labels: Inbox,\r\n Unread\r\nSubject: s\r\n\r\nbody\r\nmore\r\n";
        let two = b"Status: RO\nMessage-ID:\n <a/b@x>\nSubject: s\n\nbody\nmore\n\n";
        assert!(identity(one).starts_with("a_b@x "), "{}", identity(one));
        assert_eq!(identity(one).len(), "a_b@x ".len() + 16);
        assert_ne!(identity(one), identity(b"Message-ID: <a/b@x>\nSubject: s\n\nbody\nless\n"));
        assert_eq!(identity(b"Subject: s\nStatus: O\n\nx\n"), identity(b"Subject: s\n\nx"));
        assert_eq!(identity(b"no header at all").len(), 16);
        // Folded otherwise, the field is another to the hash; the id is the same.
        assert_eq!(identity(two).split(' ').next(), identity(one).split(' ').next());
    }

    #[test]
    fn times_of_envelopes() {
        for (line, expected) in [
            ("From a@x.org Sat Jan  3 01:05:34 1996", Some(820_631_134_000)),
            ("From 17@xxx Mon Oct 30 12:00:00 +0100 2023", Some(1_698_663_600_000)),
            ("From a@x.org Sat Jan  3 01:05:34 1996 +9000000000000000000", Some(820_631_134_000)),
            ("From a@x.org Sat Feb 31 01:05:34 1996", None),
            ("From a@x.org", None),
        ] {
            assert_eq!(envelope_time(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn old_headers_become_utf8_and_bodies_stay() {
        let old = b"Subject: Gr\xfc\xdfe aus M\xfcnchen und K\xf6ln\n\n\xfc";
        assert_eq!(
            repaired(old).as_ref(),
            "Subject: Grüße aus München und Köln\n\n".as_bytes().iter().chain(b"\xfc").copied().collect::<Vec<u8>>()
        );
    }
}

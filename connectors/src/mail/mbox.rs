//! An mbox as a stream of messages, of which only one is held at a time.
//!
//! A message begins at a `From ` line that has a month and a time in it and stands at the beginning or after a blank
//! line; so an unquoted "From the beginning …" in a letter ends nothing. Of `>From ` lines one `>` is taken, as mboxrd
//! wrote it. What stands before the first `From ` line is a message too, so that nothing is lost.

use std::io::{self, BufRead, BufReader, Read};

/// Lines longer than this are taken in pieces.
const PIECE: u64 = 64 * 1024;

/// A message as it lies in an mbox.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    /// Its `From ` line, without the line's end.
    pub(crate) envelope: Vec<u8>,
    /// The message, unquoted.
    pub(crate) bytes: Vec<u8>,
    /// Bytes that were over the limit.
    pub(crate) cut: u64,
}

/// The messages of an mbox.
pub(crate) struct Mbox<R> {
    input: BufReader<R>,
    limit: usize,
    next: Option<Vec<u8>>,
    begun: bool,
}

impl<R: Read> Mbox<R> {
    /// Messages of at most `limit` bytes each, from `input`.
    pub(crate) fn new(input: R, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { input: BufReader::with_capacity(256 * 1024, input), limit, next: None, begun: false }
    }

    /// The next message; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Raw>> {
        let mut raw = Raw { envelope: self.next.take().unwrap_or_default(), ..Raw::default() };
        let mut piece = Vec::new();
        let (mut at_start, mut after_blank) = (true, !self.begun);
        loop {
            piece.clear();
            if self.input.by_ref().take(PIECE).read_until(b'\n', &mut piece)? == 0 {
                let ended = raw.envelope.is_empty() && raw.bytes.is_empty();
                return Ok((!ended).then(|| trimmed(raw)));
            }
            if !self.begun && raw.bytes.is_empty() && piece.starts_with(b"\xef\xbb\xbf") {
                piece.drain(..3);
            }
            if at_start && piece.starts_with(b"From ") && is_envelope(&piece, after_blank) {
                let line = piece.trim_ascii_end().to_vec();
                let first = !self.begun && raw.bytes.trim_ascii().is_empty();
                self.begun = true;
                if first {
                    raw = Raw { envelope: line, ..Raw::default() };
                    continue;
                }
                self.next = Some(line);
                return Ok(Some(trimmed(raw)));
            }
            after_blank = at_start && (piece == b"\n" || piece == b"\r\n");
            let quoted = if at_start { quotes(&piece) } else { 0 };
            at_start = piece.ends_with(b"\n");
            let line = &piece[usize::from(quoted > 0)..];
            let room = self.limit.saturating_sub(raw.bytes.len()).min(line.len());
            raw.bytes.extend_from_slice(&line[..room]);
            raw.cut += (line.len() - room) as u64;
        }
    }
}

/// Without the blank line that separates it from the next.
fn trimmed(mut raw: Raw) -> Raw {
    if raw.cut == 0 {
        for (end, kept) in [(&b"\r\n\r\n"[..], 2), (b"\n\n", 1)] {
            if raw.bytes.ends_with(end) {
                raw.bytes.truncate(raw.bytes.len() - kept);
                break;
            }
        }
    }
    raw
}

/// How many `>` stand in front of a `From ` at the beginning of a line.
fn quotes(line: &[u8]) -> usize {
    let marks = line.iter().take_while(|b| **b == b'>').count();
    if line[marks..].starts_with(b"From ") { marks } else { 0 }
}

/// Whether a line that begins with `From ` begins a message: it names a month and a time of day, and where no blank
/// line stands before it, also a weekday and a year.
fn is_envelope(line: &[u8], after_blank: bool) -> bool {
    let line = &line[..line.len().min(1024)];
    let (mut month, mut time, mut day, mut year) = (false, false, false, false);
    for word in line[5..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        month |= MONTHS.iter().any(|name| name.eq_ignore_ascii_case(word));
        day |= DAYS.iter().any(|name| name.eq_ignore_ascii_case(word.strip_suffix(b",").unwrap_or(word)));
        year |= word.len() == 4 && word.iter().all(u8::is_ascii_digit);
        let colon = word.iter().position(|b| *b == b':');
        time |= colon.is_some_and(|at| {
            (1..=2).contains(&at)
                && word[..at].iter().all(u8::is_ascii_digit)
                && word.get(at + 1..at + 3).is_some_and(|minutes| minutes.iter().all(u8::is_ascii_digit))
        });
    }
    month && time && (after_blank || day && year)
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// Whether a file's beginning is that of an mbox.
pub(crate) fn begins(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    line.starts_with(b"From ") && is_envelope(line, true)
}

#[cfg(test)]
mod tests {
    use super::{Mbox, Raw, begins};

    fn all(text: &str, limit: u64) -> Vec<Raw> {
        let mut mbox = Mbox::new(text.as_bytes(), limit);
        std::iter::from_fn(|| mbox.next().expect("bytes in memory")).collect()
    }

    fn bodies(text: &str) -> Vec<String> {
        all(text, 1 << 20).into_iter().map(|raw| String::from_utf8_lossy(&raw.bytes).into_owned()).collect()
    }

    const FIRST: &str = "From a@x.org Sat Jan  3 01:05:34 1996\n";

    #[test]
    fn messages_begin_at_their_envelopes_and_nowhere_else() {
        for (text, expected) in [
            (format!("{FIRST}one\n\n{FIRST}two\n"), vec!["one\n", "two\n"]),
            (format!("\n\n{FIRST}one\r\n\r\n{FIRST}two"), vec!["one\r\n", "two"]),
            (
                format!("{FIRST}a\n\nFrom the beginning it was May, at last\n"),
                vec!["a\n\nFrom the beginning it was May, at last\n"],
            ),
            (format!("{FIRST}a\n>From x\n>>From y\n> From\n"), vec!["a\nFrom x\n>From y\n> From\n"]),
            (format!("{FIRST}no blank\n{FIRST}two\n"), vec!["no blank\n", "two\n"]),
            (format!("Subject: bare\n\nbody\n\n{FIRST}two\n"), vec!["Subject: bare\n\nbody\n", "two\n"]),
            ("From - Mon Feb 03 10:00:00 2020\nX: y\n".to_owned(), vec!["X: y\n"]),
            (FIRST.to_owned(), vec![""]),
            (String::new(), vec![]),
        ] {
            assert_eq!(bodies(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_giant_is_cut_and_the_next_message_is_whole() {
        let text = format!("{FIRST}{}\nFrom here\n\n{FIRST}two\n", "x".repeat(200_000));
        let raws = all(&text, 1000);
        assert_eq!((raws.len(), raws[0].bytes.len(), raws[0].cut), (2, 1000, 200_000 - 1000 + 12));
        assert_eq!(raws[1].bytes, b"two\n");
    }

    #[test]
    fn beginnings() {
        assert!(begins(b"\nFrom 1700@xxx Mon Oct 30 12:00:00 +0000 2023\r\nX-Gmail-Labels: a\r\n"));
        assert!(!begins(b"From my window I see the sea.\n"));
    }
}

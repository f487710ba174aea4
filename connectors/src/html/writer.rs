//! Text out of a page: blanks folded, breaks collected, entities resolved.

use encoding_rs::WINDOWS_1252;
use std::borrow::Cow;

/// Line breaks are wished for first and written when the next word comes, so that empty elements leave no trace.
#[derive(Default)]
pub(super) struct Writer {
    out: String,
    /// Line breaks before the next word: 1 ends the line, 2 leaves a blank line.
    breaks: u8,
    /// Whether blanks were seen since the last word.
    blank: bool,
    /// What the next word's line begins with: `## `, `- `.
    prefix: Option<String>,
    /// Inside a heading breaks are blanks.
    in_heading: bool,
    /// Open `<pre>` elements.
    pre: u32,
    /// For each open list: the next number, or `None` for bullets.
    lists: Vec<Option<i64>>,
    /// Cells begun in the current row.
    cells: u32,
    /// A cell has begun and has no word yet: the breaks before its first word, whatever its elements wish for.
    fresh_cell: Option<u8>,
}

impl Writer {
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Character data with entities.
    pub(super) fn text(&mut self, raw: &str) {
        let text = resolved(raw);
        for c in text.chars() {
            match c {
                '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
                '\n' | ' ' if self.pre > 0 => self.verbatim(c),
                c if c.is_whitespace() => self.blank = true,
                c => {
                    self.before_word();
                    self.out.push(c);
                }
            }
        }
    }

    fn verbatim(&mut self, c: char) {
        if self.breaks > 0 && c == '\n' {
            // The line break right after `<pre>` is not part of it.
            self.before_word();
            return;
        }
        self.before_word();
        self.out.push(c);
    }

    fn before_word(&mut self) {
        if let Some(breaks) = self.fresh_cell.take() {
            self.breaks = breaks;
            self.blank = false;
        }
        if self.breaks > 0 {
            if !self.out.is_empty() {
                self.out.extend(std::iter::repeat_n('\n', usize::from(self.breaks)));
            }
        } else if self.blank && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        self.breaks = 0;
        self.blank = false;
        if let Some(prefix) = self.prefix.take() {
            self.out.push_str(&prefix);
        }
    }

    /// Ends the line.
    pub(super) fn line(&mut self) {
        self.wish(1);
    }

    /// Ends the paragraph.
    pub(super) fn block(&mut self) {
        self.in_heading = false;
        self.wish(2);
    }

    fn wish(&mut self, breaks: u8) {
        if self.in_heading {
            self.blank = true;
        } else if self.prefix.is_none() {
            // Between a bullet and its first word there is no break, whatever elements lie there.
            self.breaks = self.breaks.max(breaks);
        }
    }

    /// `<br>`: two of them leave a blank line.
    pub(super) fn line_break(&mut self) {
        let breaks = (self.breaks + 1).min(2);
        self.wish(breaks);
    }

    pub(super) fn heading(&mut self, level: usize) {
        self.prefix = None;
        self.block();
        self.in_heading = true;
        self.prefix = Some(format!("{} ", "#".repeat(level)));
    }

    pub(super) fn open_list(&mut self, start: Option<i64>) {
        self.prefix = None;
        self.wish(if self.lists.is_empty() { 2 } else { 1 });
        self.lists.push(start);
    }

    pub(super) fn close_list(&mut self) {
        self.prefix = None;
        self.lists.pop();
        self.wish(if self.lists.is_empty() { 2 } else { 1 });
    }

    pub(super) fn item(&mut self) {
        self.prefix = None;
        self.in_heading = false;
        self.wish(1);
        // Deeper than this the indent says nothing any more and would only grow the text.
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(8));
        self.prefix = Some(match self.lists.last_mut() {
            Some(Some(number)) => {
                let mark = format!("{indent}{number}. ");
                *number = number.saturating_add(1);
                mark
            }
            _ => format!("{indent}- "),
        });
    }

    pub(super) fn row(&mut self) {
        self.wish(1);
        self.cells = 0;
        self.fresh_cell = None;
    }

    pub(super) fn cell(&mut self) {
        if self.cells > 0 && !self.in_heading {
            self.breaks = 0;
            self.blank = false;
            self.out.push_str(" | ");
        }
        self.fresh_cell = Some(self.breaks);
        self.cells = self.cells.saturating_add(1);
    }

    pub(super) fn open_pre(&mut self) {
        if self.pre == 0 {
            self.block();
            self.before_word();
            self.out.push_str("```");
            self.breaks = 1;
        }
        self.pre += 1;
    }

    pub(super) fn close_pre(&mut self) {
        if self.pre == 1 {
            if !self.out.ends_with('\n') {
                self.out.push('\n');
            }
            self.out.push_str("```");
            self.breaks = 2;
        }
        self.pre = self.pre.saturating_sub(1);
    }
}

/// Entities and character references resolved; what is none stays as it is.
fn resolved(raw: &str) -> Cow<'_, str> {
    if !raw.contains('&') {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match reference(after) {
            Some((text, length)) => {
                out.push_str(&text);
                rest = &after[length..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The reference that `after` (what follows `&`) begins with: its text, and its length with the semicolon.
fn reference(after: &str) -> Option<(Cow<'static, str>, usize)> {
    // The longest name has 31 letters.
    let end = after.bytes().take(32).position(|b| !b.is_ascii_alphanumeric() && b != b'#')?;
    let closed = after.as_bytes()[end] == b';';
    let name = &after[..end];
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return Some((character(code).to_string().into(), end + usize::from(closed)));
    }
    let text = match (closed, name) {
        (true, name) => quick_xml::escape::resolve_html5_entity(name)?,
        (false, "amp") => "&",
        (false, "lt") => "<",
        (false, "gt") => ">",
        (false, "quot") => "\"",
        (false, "nbsp") => " ",
        _ => return None,
    };
    Some((text.into(), end + usize::from(closed)))
}

/// A numeric reference; 128 to 159 mean Windows-1252, as browsers read them.
fn character(code: u32) -> char {
    match u8::try_from(code) {
        Ok(byte @ 0x80..=0x9f) => WINDOWS_1252.decode(&[byte]).0.chars().next().unwrap_or('\u{fffd}'),
        _ => char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{fffd}'),
    }
}

//! Text on its way to the terminal: made harmless, measured, wrapped, cut.
//!
//! Invariant: what `clean` returns holds no control character but `\n`, no bidirectional override and no invisible
//! formatting, so nothing a document or an answer says can move the cursor, change colours or reorder a line.
//! `scrub` enforces the same on a finished frame, whatever drew it. Widths are columns, never bytes or chars.

use ratatui::{
    buffer::Buffer,
    style::Style,
    text::{Line, Span},
};
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What stands where something unsafe stood, so that its presence is not hidden.
const REPLACED: char = '\u{fffd}';

/// More zero-width characters than this in a row belong to no script; they only smear over the lines around them.
const ZERO_WIDTH_RUN_MAX: usize = 8;

/// Whether a character could steer the terminal or hide what a line says.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with everything unsafe replaced; line breaks stay, tabs become four spaces.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b == b'\n' || (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut zero_width = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push('\n'),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\t' => out.push_str("    "),
            '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{200b}' | '\u{2060}' | '\u{feff}' => {}
            c if is_unsafe(c) => out.push(REPLACED),
            c => {
                zero_width = if unicode_width::UnicodeWidthChar::width(c) == Some(0) { zero_width + 1 } else { 0 };
                if zero_width <= ZERO_WIDTH_RUN_MAX {
                    out.push(c);
                }
            }
        }
    }
    Cow::Owned(out)
}

/// [`clean`], on one line: line breaks become spaces.
#[must_use]
pub fn clean_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns the text takes on one line.
#[must_use]
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text on one clean line of at most `columns`, ending in `…` where something was cut.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    let line = clean_line(text);
    if width(&line) <= columns {
        return line;
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in line.graphemes(true) {
        let w = width(grapheme);
        if used + w + 1 > columns {
            break;
        }
        out.push_str(grapheme);
        used += w;
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The end of the text on one clean line of at most `columns`, starting with `…` where something was cut: for paths.
#[must_use]
pub fn fit_end(text: &str, columns: usize) -> String {
    let line = clean_line(text);
    if width(&line) <= columns {
        return line;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut used = 0;
    for grapheme in line.graphemes(true).rev() {
        let w = width(grapheme);
        if used + w + 1 > columns {
            break;
        }
        kept.push(grapheme);
        used += w;
    }
    if columns > 0 {
        kept.push("…");
    }
    kept.into_iter().rev().collect()
}

/// As much of the end of a line as fits, spaces kept: for a field that is being typed in.
#[must_use]
pub fn fit_end_raw(line: &str, columns: usize) -> String {
    let mut from = line.len();
    let mut used = 0;
    for (at, grapheme) in line.grapheme_indices(true).rev() {
        used += width(grapheme);
        if used > columns {
            break;
        }
        from = at;
    }
    line[from..].to_owned()
}

/// As much of the beginning of a line as fits, spaces kept.
#[must_use]
pub fn cut_raw(line: &str, columns: usize) -> String {
    let mut to = 0;
    let mut used = 0;
    for (at, grapheme) in line.grapheme_indices(true) {
        used += width(grapheme);
        if used > columns {
            break;
        }
        to = at + grapheme.len();
    }
    line[..to].to_owned()
}

/// The line padded with spaces on the right to `columns`, cut where it is longer.
#[must_use]
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    let missing = columns.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// A number with thin groups: 1204 is `1,204`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes for people: `98 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// A share as it is said: `40 %`.
#[must_use]
pub fn percent(share: f32) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A bar of `columns` cells for a share in 0..=1.
#[must_use]
pub fn bar(share: f32, columns: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * columns as f32).round() as usize;
    "▓".repeat(full) + &"░".repeat(columns - full)
}

/// One line being filled by [`wrap`].
#[derive(Default)]
struct Filling {
    cells: Vec<(String, Style, usize)>,
    width: usize,
    /// Where the line may be broken: the number of cells before the break.
    break_at: usize,
}

impl Filling {
    fn flush(&mut self, out: &mut Vec<Line<'static>>) {
        out.push(join(&self.cells));
        *self = Self::default();
    }

    fn push(&mut self, grapheme: &str, style: Style, columns: usize, out: &mut Vec<Line<'static>>) {
        let mut w = width(grapheme);
        let mut shown = grapheme;
        if w > columns {
            (w, shown) = (1, "…");
        }
        if self.width + w > columns {
            if grapheme == " " {
                // The space the line breaks at is not carried over.
                self.flush(out);
                return;
            }
            self.split(out);
        }
        let wide = w == 2;
        if wide && !self.cells.is_empty() {
            self.break_at = self.cells.len();
        }
        self.cells.push((shown.to_owned(), style, w));
        self.width += w;
        if matches!(grapheme, " " | "-" | "/" | "—") || wide {
            self.break_at = self.cells.len();
        }
    }

    fn split(&mut self, out: &mut Vec<Line<'static>>) {
        let at = if self.break_at == 0 { self.cells.len() } else { self.break_at };
        let rest = self.cells.split_off(at);
        while self.cells.last().is_some_and(|(g, ..)| g == " ") {
            self.cells.pop();
        }
        out.push(join(&self.cells));
        self.width = rest.iter().map(|(_, _, w)| w).sum();
        self.cells = rest;
        self.break_at = 0;
    }
}

fn join(cells: &[(String, Style, usize)]) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (grapheme, style, _) in cells {
        match spans.last_mut() {
            Some(last) if last.style == *style => last.content.to_mut().push_str(grapheme),
            _ => spans.push(Span::styled(grapheme.clone(), *style)),
        }
    }
    Line::from(spans)
}

/// Wraps styled pieces at words to `columns`, breaking words that are longer than a line. Cleans them first.
#[must_use]
pub fn wrap(pieces: &[(&str, Style)], columns: usize) -> Vec<Line<'static>> {
    let columns = columns.max(1);
    let mut out = Vec::new();
    let mut line = Filling::default();
    for (text, style) in pieces {
        let text = clean(text);
        for (i, part) in text.split('\n').enumerate() {
            if i > 0 {
                line.flush(&mut out);
            }
            for grapheme in part.graphemes(true) {
                line.push(grapheme, *style, columns, &mut out);
            }
        }
    }
    line.flush(&mut out);
    out
}

/// [`wrap`] for one style.
#[must_use]
pub fn wrap_plain(text: &str, style: Style, columns: usize) -> Vec<Line<'static>> {
    wrap(&[(text, style)], columns)
}

/// The last border: replaces whatever unsafe reached a finished frame.
pub fn scrub(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().chars().any(is_unsafe) {
            cell.set_char(REPLACED);
        }
    }
}

/// A finished frame for a terminal that has nothing but ASCII: lines and marks by their nearest sign, other letters by
/// a question mark.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let mut chars = cell.symbol().chars();
        let (first, more) = (chars.next().unwrap_or(' '), chars.next().is_some());
        if first.is_ascii() && !more {
            continue;
        }
        cell.set_char(match first {
            '─' | '━' | '–' | '—' | '-' => '-',
            '│' | '┃' | '▏' | '┆' => '|',
            '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╰' | '╯' => {
                '+'
            }
            '▓' | '█' | '▇' | '■' => '#',
            '·' | '…' | '░' => '.',
            '✓' => 'v',
            '✗' | '×' => 'x',
            '•' | '◦' | '▪' => '*',
            '▸' | '→' | '›' | '»' => '>',
            '←' | '‹' | '«' => '<',
            '↑' => '^',
            '“' | '”' | '„' => '"',
            '‘' | '’' => '\'',
            '⟦' => '[',
            '⟧' => ']',
            c if c.is_ascii() => c,
            _ => '?',
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, columns: usize) -> Vec<String> {
        wrap_plain(text, Style::new(), columns).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        let evil = "a\x1b[31mred\x1b]0;title\x07 \u{9b}2J \u{202e}txt.exe\u{202c} \u{2066}x\u{2069} \r\nnext\rlast\0";
        let safe = clean(evil);
        assert!(safe.chars().all(|c| c == '\n' || !is_unsafe(c)), "{safe:?}");
        assert_eq!(safe.lines().count(), 3);
        assert!(safe.contains("[31mred"));
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(clean("plain\ntext"), Cow::Borrowed(_)));
    }

    #[test]
    fn wraps_words_wide_characters_and_marks() {
        assert_eq!(lines("the quick brown fox", 9), ["the quick", "brown fox"]);
        assert_eq!(lines("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
        assert_eq!(lines("世界你好吗", 5), ["世界", "你好", "吗"]);
        assert_eq!(lines("世", 1), ["…"]);
        assert_eq!(lines("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
        assert_eq!(lines("", 4), [""]);
        assert_eq!(lines("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(lines("👩‍👩‍👧‍👦 family", 8).len(), 2);
    }

    #[test]
    fn no_wrapped_line_is_wider_than_asked() {
        let text = "Zürich → 東京 (14:39) — e\u{301}te\u{301} 👩‍💻 averyveryverylongwordwithoutanybreak x";
        for columns in 1..40 {
            for line in lines(text, columns) {
                assert!(width(&line) <= columns, "{columns}: {line:?}");
            }
        }
    }

    #[test]
    fn fits() {
        assert_eq!(fit("hello world", 7), "hello …");
        assert_eq!(fit_end("/home/maya/notes", 7), "…/notes");
        assert_eq!(fit("世界", 3), "世…");
        assert_eq!(fit("x", 0), "");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!((bytes(98_000_000), bytes(999), bytes(1_500)), ("98 MB".into(), "999 B".into(), "1.5 kB".into()));
        assert_eq!(bar(f32::NAN, 4), "░░░░");
    }

    #[test]
    fn a_thousand_marks_become_few() {
        let zalgo = format!("a{}", "\u{301}".repeat(1000));
        assert!(clean(&zalgo).chars().count() <= 1 + ZERO_WIDTH_RUN_MAX);
    }
}

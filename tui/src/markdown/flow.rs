//! A paragraph on its way to lines: cleaned text with its meanings and where each part came from.

use super::ink::{Ink, Kind};
use crate::text;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Text that is not broken into lines yet.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    text: String,
    /// Ends of the runs of one meaning.
    runs: Vec<(usize, Ink)>,
    /// Where a part begins here, and which bytes of the source it is.
    sources: Vec<(usize, Range<usize>)>,
}

impl Flow {
    /// Adds text, made harmless.
    pub fn push(&mut self, raw: &str, ink: Ink, source: Range<usize>) {
        let clean = text::clean(raw);
        if clean.is_empty() {
            return;
        }
        self.sources.push((self.text.len(), source));
        self.text.push_str(&clean);
        match self.runs.last_mut() {
            Some((end, last)) if *last == ink => *end = self.text.len(),
            _ => self.runs.push((self.text.len(), ink)),
        }
    }

    /// Adds another flow at the end.
    pub fn append(&mut self, other: &Self) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        self.runs.extend(other.runs.iter().map(|(end, ink)| (base + end, *ink)));
        self.sources.extend(other.sources.iter().map(|(at, source)| (base + at, source.clone())));
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The source of a part.
    #[must_use]
    pub fn source(&self, part: &Range<usize>) -> Range<usize> {
        let first = self.sources.partition_point(|(at, _)| *at <= part.start).saturating_sub(1);
        let last = self.sources.partition_point(|(at, _)| *at < part.end).saturating_sub(1);
        let (Some((from, start)), Some((to, end))) = (self.sources.get(first), self.sources.get(last)) else {
            return 0..0;
        };
        let next = self.sources.get(last + 1).map_or(self.text.len(), |(at, _)| *at);
        let start = (start.start + part.start.saturating_sub(*from)).min(start.end);
        let to = if part.end >= next { end.end } else { (end.start + part.end.saturating_sub(*to)).min(end.end) };
        start..to.max(start)
    }

    /// Gives the numbers in brackets a meaning of their own, where they stand among words.
    pub fn find_marks(&mut self) {
        if !self.text.contains('[') {
            return;
        }
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut from = 0;
        for (end, ink) in std::mem::take(&mut self.runs) {
            let mut at = from;
            if !matches!(ink.kind, Kind::Code | Kind::Link | Kind::Aside) {
                for mark in marks(&self.text[from..end]) {
                    let mark = from + mark.start..from + mark.end;
                    if mark.start > at {
                        runs.push((mark.start, ink));
                    }
                    runs.push((mark.end, Ink { kind: Kind::Cite, ..ink }));
                    at = mark.end;
                }
            }
            if end > at {
                runs.push((end, ink));
            }
            from = end;
        }
        self.runs = runs;
    }

    /// Marks what came from the bytes between the two of `mark`.
    pub fn mark(&mut self, mark: (usize, usize)) {
        for part in self.parts(mark) {
            self.mark_part(part);
        }
    }

    /// From where to where something came from the bytes between the two of `mark`.
    #[must_use]
    pub fn inside(&self, mark: (usize, usize)) -> (usize, usize) {
        let parts = self.parts(mark);
        (parts.first().map_or(0, |part| part.start), parts.last().map_or(0, |part| part.end))
    }

    fn parts(&self, mark: (usize, usize)) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        if mark.0 >= mark.1 {
            return out;
        }
        for (number, (at, source)) in self.sources.iter().enumerate() {
            let end = self.sources.get(number + 1).map_or(self.text.len(), |(at, _)| *at);
            let (from, to) = (mark.0.max(source.start), mark.1.min(source.end));
            if from >= to {
                continue;
            }
            // What was cleaned may be longer or shorter than what it came from; its ends still are.
            let inside = |byte: usize| {
                let mut place = (at + byte - source.start).min(end);
                while !self.text.is_char_boundary(place) {
                    place -= 1;
                }
                place
            };
            out.push(inside(from)..if to == source.end { end } else { inside(to) });
        }
        out
    }

    fn mark_part(&mut self, part: Range<usize>) {
        let mut runs = Vec::with_capacity(self.runs.len() + 2);
        let mut from = 0;
        for (end, ink) in std::mem::take(&mut self.runs) {
            for (to, marked) in [(part.start, false), (part.end, true), (end, false)] {
                let to = to.min(end);
                if to > from {
                    runs.push((to, Ink { marked: marked || ink.marked, ..ink }));
                    from = to;
                }
            }
        }
        self.runs = runs;
    }

    /// The widest line it has where nothing is broken, and its longest word, both in columns.
    #[must_use]
    pub fn widths(&self) -> (usize, usize) {
        let line = self.text.split('\n').map(text::width).max().unwrap_or(0);
        let word = self.text.split_whitespace().map(text::width).max().unwrap_or(0);
        (line, word)
    }

    /// Breaks it at words into lines of at most `columns`; a word that is longer than a line is broken anywhere.
    #[must_use]
    pub fn lines(&self, columns: usize) -> Vec<Range<usize>> {
        let columns = columns.max(1);
        let mut breaker = Breaker { columns, ..Breaker::default() };
        let mut from = 0;
        for (end, _) in &self.runs {
            let run = &self.text[from..*end];
            if run.is_ascii() {
                for (at, byte) in run.bytes().enumerate() {
                    breaker.push(from + at, 1, byte, 1);
                }
            } else {
                for (at, grapheme) in run.grapheme_indices(true) {
                    let first = if grapheme == "—" { b'-' } else { grapheme.as_bytes()[0] };
                    breaker.push(from + at, grapheme.len(), first, text::width(grapheme));
                }
            }
            from = *end;
        }
        breaker.flush(self.text.len(), self.text.len());
        for line in &mut breaker.lines {
            let kept = self.text[line.clone()].trim_end_matches(' ').len();
            line.end = line.start + kept;
        }
        breaker.lines
    }

    /// The pieces of a part, cut to `columns` where a single character is wider.
    #[must_use]
    pub fn pieces(&self, part: &Range<usize>, columns: usize) -> Vec<(String, Ink)> {
        let mut out = Vec::new();
        let mut run = self.runs.partition_point(|(end, _)| *end <= part.start);
        let mut from = part.start;
        while from < part.end
            && let Some((end, ink)) = self.runs.get(run)
        {
            let to = (*end).min(part.end);
            let piece = &self.text[from..to];
            let too_wide = columns < 2 && text::width(piece) > columns;
            out.push((if too_wide { "…".to_owned() } else { piece.to_owned() }, *ink));
            from = to;
            run += 1;
        }
        out
    }
}

/// The lines found so far, and the one being filled.
#[derive(Default)]
struct Breaker {
    columns: usize,
    lines: Vec<Range<usize>>,
    start: usize,
    width: usize,
    /// Where the line may be broken, and how wide it is up to there.
    break_at: Option<(usize, usize)>,
}

impl Breaker {
    fn flush(&mut self, end: usize, next: usize) {
        self.lines.push(self.start..end);
        (self.start, self.width, self.break_at) = (next, 0, None);
    }

    fn push(&mut self, at: usize, len: usize, first: u8, width: usize) {
        if first == b'\n' {
            return self.flush(at, at + len);
        }
        while self.width + width > self.columns && at > self.start {
            if first == b' ' {
                // The space the line breaks at is not carried over.
                return self.flush(at, at + len);
            }
            match self.break_at.filter(|(to, _)| *to > self.start && *to <= at) {
                Some((to, wide)) => {
                    let rest = self.width - wide;
                    self.flush(to, to);
                    self.width = rest;
                }
                None => self.flush(at, at),
            }
        }
        if width == 2 && at > self.start {
            self.break_at = Some((at, self.width));
        }
        self.width += width;
        if matches!(first, b' ' | b'-' | b'/') || width == 2 {
            self.break_at = Some((at + len, self.width));
        }
    }
}

/// The numbers in brackets of a text.
fn marks(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut look = 0;
    while let Some(open) = text[look..].find('[').map(|at| look + at) {
        let digits = text[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let close = open + 1 + digits;
        if (1..=6).contains(&digits) && text[close..].starts_with(']') {
            out.push(open..close + 1);
        }
        look = close;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(text: &str) -> Flow {
        let mut flow = Flow::default();
        flow.push(text, Ink::default(), 100..100 + text.len());
        flow
    }

    fn lines(text: &str, columns: usize) -> Vec<String> {
        let flow = flow(text);
        flow.lines(columns)
            .iter()
            .map(|line| flow.pieces(line, columns).into_iter().map(|(piece, _)| piece).collect())
            .collect()
    }

    #[test]
    fn wraps_words_wide_characters_and_marks() {
        assert_eq!(lines("the quick brown fox", 9), ["the quick", "brown fox"]);
        assert_eq!(lines("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
        assert_eq!(lines("世界你好吗", 5), ["世界", "你好", "吗"]);
        assert_eq!(lines("世", 1), ["…"]);
        assert_eq!(lines("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
        assert_eq!(lines("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(lines("👩‍👩‍👧‍👦 family", 8).len(), 2);
        assert_eq!(lines(" 世界", 3), [" 世", "界"]);
    }

    #[test]
    fn no_line_is_wider_than_asked_and_no_word_is_lost() {
        let text = "Zürich → 東京 (14:39) — e\u{301}te\u{301} 👩‍💻 averyveryverylongwordwithoutanybreak x";
        for columns in 2..40 {
            let lines = lines(text, columns);
            assert!(lines.iter().all(|line| text::width(line) <= columns), "{columns}: {lines:?}");
            let blank = |s: &str| s.split_whitespace().collect::<String>();
            assert_eq!(blank(&lines.concat()), blank(text), "{columns}");
        }
    }

    #[test]
    fn marks_are_numbers_in_brackets() {
        let found = |text: &str| marks(text).into_iter().map(|r| text[r].to_owned()).collect::<Vec<_>>();
        assert_eq!(found("a[1] b[23]"), ["[1]", "[23]"]);
        assert_eq!(found("[[1]] [] [x] [99999999999999999]"), ["[1]"]);
        assert_eq!(found("世[1"), [""; 0]);
    }

    #[test]
    fn parts_know_their_source() {
        let mut flow = flow("hello world");
        flow.push(" and more", Ink::of(Kind::Link), 200..209);
        assert_eq!(flow.source(&(6..11)), 106..111);
        assert_eq!(flow.source(&(6..16)), 106..205);
        assert_eq!(flow.source(&(11..20)), 200..209);
    }
}

//! A growing text cut into pieces that never change again.
//!
//! A piece ends where CommonMark closes everything that was open: before a line that begins at the margin after a blank
//! line, before and after a code fence. Only whole lines decide, so that the cuts of a text depend on the text alone and
//! not on how it arrived. Where nothing closes for too long, a piece is cut all the same, so that what is done again for
//! every new word stays small; a list and a table then go on in the next piece.
//!
//! One thing of CommonMark needs the whole text and is left out: a link that is defined in another piece.

use std::ops::Range;

/// From this size on a piece is cut before any line that begins at the margin.
const SOFT_BYTES: usize = 4 * 1024;
/// From this size on a piece is cut after any line, and a line is cut anywhere.
const HARD_BYTES: usize = 8 * 1024;
/// How far back a space is looked for, where a line must be cut.
const SPACE_BYTES: usize = 256;

/// What a cut piece goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Carry {
    /// Nothing.
    #[default]
    Nothing,
    /// A list: its numbers go on.
    List,
    /// A table: the lines that name its columns.
    Table(Range<usize>),
}

/// Something the splitter is sure of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Anything but fenced code, and what it goes on with.
    Prose(Range<usize>, Carry),
    /// A fence opened: its line, and what it says of the language.
    Fence(Range<usize>, Range<usize>),
    /// A line of the open fence, without its line break; whether it only goes on with the line before.
    Line(Range<usize>, bool),
    /// The fence closed with this line.
    Closed(Range<usize>),
}

/// An open fence.
#[derive(Debug, Clone, Copy)]
struct Fence {
    mark: u8,
    len: usize,
    indent: usize,
    /// Whether the last line was cut and goes on.
    cut: bool,
}

impl Fence {
    /// How many spaces of a line belong to the fence and not to the code.
    fn stands_in(self, line: &str) -> usize {
        if self.cut { 0 } else { line.bytes().take(self.indent).take_while(|b| *b == b' ').count() }
    }
}

/// How far a text is cut.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    /// Where the open piece begins.
    start: usize,
    /// Where the next line begins.
    line: usize,
    fence: Option<Fence>,
    /// How far the words of an item stand in, where the open piece holds a list.
    list: Option<usize>,
    /// The lines that name the columns, where the open piece ends in a table.
    table: Option<Range<usize>>,
    blank: bool,
    carry: Carry,
}

/// What is left at the end of a text, which may still become anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// A piece that is not finished, and where its last, unfinished line begins.
    Prose(Range<usize>, Carry, usize),
    /// The unfinished last line of an open fence; whether it goes on with the line before.
    Line(Range<usize>, bool),
}

impl Splitter {
    /// Takes what was added to `text` and says what became certain by it.
    pub fn feed(&mut self, text: &str, mut say: impl FnMut(Piece)) {
        loop {
            let limit = (self.start + HARD_BYTES).max(self.line + SOFT_BYTES);
            let newline = text.as_bytes()[self.line..].iter().take(limit - self.line + 1).position(|b| *b == b'\n');
            match newline.map(|at| self.line + at) {
                Some(end) => self.whole_line(text, end, &mut say),
                None if text.len() > limit => self.long_line(text, limit, &mut say),
                None => return,
            }
        }
    }

    /// What the text ends in.
    #[must_use]
    pub fn rest(&self, text: &str) -> Rest {
        match self.fence {
            Some(fence) => {
                let stands_in = fence.stands_in(&text[self.line..]);
                Rest::Line(self.line + stands_in..text.len(), fence.cut)
            }
            None => Rest::Prose(self.start..text.len(), self.carry.clone(), self.line),
        }
    }

    /// Whether a fence is open.
    #[must_use]
    pub fn in_fence(&self) -> bool {
        self.fence.is_some()
    }

    /// Whether a last line without its line break closes the open fence.
    #[must_use]
    pub fn closes(&self, line: &str) -> bool {
        self.fence.is_some_and(|fence| closes(line, fence))
    }

    /// Whether a last line without its line break may be about to close the open fence.
    #[must_use]
    pub fn may_close(&self, line: &str) -> bool {
        let marks = line.trim_matches([' ', '\t']);
        self.fence.is_some_and(|fence| !marks.is_empty() && marks.bytes().all(|b| b == fence.mark))
    }

    fn finish(&mut self, end: usize, carry: Carry, say: &mut impl FnMut(Piece)) {
        let before = std::mem::replace(&mut self.carry, carry);
        if end > self.start {
            say(Piece::Prose(self.start..end, before));
        }
        self.start = end;
        if self.carry == Carry::Nothing {
            self.list = None;
            self.table = None;
        }
        self.blank = false;
    }

    fn whole_line(&mut self, text: &str, end: usize, say: &mut impl FnMut(Piece)) {
        let line = &text[self.line..end];
        if let Some(fence) = self.fence {
            if !fence.cut && closes(line, fence) {
                say(Piece::Closed(self.line..end));
                self.fence = None;
            } else {
                say(Piece::Line(self.line + fence.stands_in(line)..end, fence.cut));
                self.fence = Some(Fence { cut: false, ..fence });
            }
            self.line = end + 1;
            if self.fence.is_none() {
                self.start = self.line;
            }
            return;
        }
        if line.trim().is_empty() {
            self.blank_line(text, end, say);
        } else {
            let indent = indent(line);
            match opens(line).filter(|_| self.list.is_none_or(|content| indent < content)) {
                Some((fence, info)) => {
                    self.finish(self.line, Carry::Nothing, say);
                    say(Piece::Fence(self.line..end, self.line + info.start..self.line + info.end));
                    self.fence = Some(fence);
                }
                None => self.words(text, end, say),
            }
        }
        self.line = end + 1;
    }

    fn blank_line(&mut self, text: &str, end: usize, say: &mut impl FnMut(Piece)) {
        self.blank = true;
        self.table = None;
        let stays_open = self.list.is_some() || indent(&text[self.start..]) >= 4;
        if self.start == self.line {
            // Blank lines between pieces belong to none.
            self.start = end + 1;
            (self.carry, self.list) = (Carry::Nothing, None);
        } else if !stays_open {
            self.finish(end + 1, Carry::Nothing, say);
        }
    }

    /// A line that is neither blank nor a fence.
    fn words(&mut self, text: &str, end: usize, say: &mut impl FnMut(Piece)) {
        let line = &text[self.line..end];
        let indent = indent(line);
        let item = marker(line);
        let size = self.line - self.start;
        if self.blank && size > 0 && indent == 0 && !(item.is_some() && self.list.is_some()) {
            self.finish(self.line, Carry::Nothing, say);
        } else if size >= SOFT_BYTES && (indent == 0 || size >= HARD_BYTES) {
            let carry = match (&self.table, self.list, item) {
                (Some(head), ..) => Carry::Table(head.clone()),
                (None, Some(_), Some(_)) => Carry::List,
                _ => Carry::Nothing,
            };
            self.finish(self.line, carry, say);
        }
        if let Some(content) = item.filter(|_| self.list.is_none_or(|content| indent < content)) {
            self.list = Some(content);
        }
        if self.table.is_none() && self.line > self.start && is_delimiter(line) {
            let before = text[..self.line - 1].rfind('\n').map_or(0, |at| at + 1).max(self.start);
            if text[before..self.line].contains('|') {
                self.table = Some(before..end + 1);
            }
        }
        self.blank = false;
    }

    /// A line that is too long to wait for its end.
    fn long_line(&mut self, text: &str, limit: usize, say: &mut impl FnMut(Piece)) {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let near = (end - SPACE_BYTES..end).rev().find(|at| text.as_bytes()[*at] == b' ');
        let end = near.map_or(end, |at| at + 1);
        match self.fence {
            Some(fence) => {
                let stands_in = fence.stands_in(&text[self.line..end]);
                say(Piece::Line(self.line + stands_in..end, fence.cut));
                self.fence = Some(Fence { cut: true, ..fence });
            }
            None => {
                self.words(text, end, say);
                self.finish(end, Carry::Nothing, say);
                self.list = None;
            }
        }
        self.line = end;
    }
}

fn indent(line: &str) -> usize {
    let mut columns = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4 - columns % 4,
            _ => break,
        }
    }
    columns
}

/// The fence a line opens, and the bytes that name its language.
fn opens(line: &str) -> Option<(Fence, Range<usize>)> {
    let indent = line.bytes().take_while(|b| *b == b' ').count();
    let mark = *line.as_bytes().get(indent)?;
    if indent > 3 || !matches!(mark, b'`' | b'~') {
        return None;
    }
    let len = line[indent..].bytes().take_while(|b| *b == mark).count();
    let info = indent + len..line.len();
    if len < 3 || mark == b'`' && line[info.clone()].contains('`') {
        return None;
    }
    Some((Fence { mark, len, indent, cut: false }, info))
}

fn closes(line: &str, fence: Fence) -> bool {
    let indent = line.bytes().take_while(|b| *b == b' ').count();
    let len = line[indent..].bytes().take_while(|b| *b == fence.mark).count();
    indent <= 3 && len >= fence.len && line[indent + len..].bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}

/// How far the words of a list item stand in, where the line begins one.
fn marker(line: &str) -> Option<usize> {
    let indent = line.bytes().take_while(|b| *b == b' ').count();
    let rest = &line.as_bytes()[indent..];
    let digits = rest.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    let len = match rest.get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let spaces = rest[len..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let empty = rest[len..].iter().all(u8::is_ascii_whitespace);
    if spaces == 0 && !empty {
        return None;
    }
    Some(indent + len + if empty || spaces > 4 { 1 } else { spaces })
}

/// Whether a line is what stands under the names of a table's columns.
fn is_delimiter(line: &str) -> bool {
    line.contains('-')
        && line.contains('|')
        && line.bytes().all(|b| matches!(b, b'-' | b':' | b'|' | b' ' | b'\t' | b'\r'))
}

/// Whether the last line of a piece may still become many things, so that it is not shown before it says more: the
/// bare dash that is about to become an item would for a moment make a heading of the line above it.
#[must_use]
pub fn is_undecided(line: &str) -> bool {
    let marks = b"-=*_+#>`~|: \t";
    line.bytes().all(|b| marks.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        let mut splitter = Splitter::default();
        splitter.feed(text, |piece| {
            out.push(match piece {
                Piece::Prose(range, carry) => {
                    format!("{}{}", if carry == Carry::Nothing { "" } else { "+" }, &text[range])
                }
                Piece::Fence(_, info) => format!("fence {}", &text[info]),
                Piece::Line(range, _) => format!("> {}", &text[range]),
                Piece::Closed(_) => "closed".into(),
            });
        });
        out.push(match splitter.rest(text) {
            Rest::Prose(range, ..) => format!("rest {}", &text[range]),
            Rest::Line(range, _) => format!("rest> {}", &text[range]),
        });
        out
    }

    #[test]
    fn pieces_end_where_everything_closes() {
        assert_eq!(pieces("a\nb\n\nc\n"), ["a\nb\n\n", "rest c\n"]);
        assert_eq!(pieces("- a\n\n- b\n\n  c\n\nd\n"), ["- a\n\n- b\n\n  c\n\n", "rest d\n"]);
        assert_eq!(pieces("a\n```rust\nx\n\ny\n```\nb"), ["a\n", "fence rust", "> x", "> ", "> y", "closed", "rest b"]);
        assert_eq!(pieces("- a\n  ```\n  x\n\n  y\n  ```\n- b\n"), ["rest - a\n  ```\n  x\n\n  y\n  ```\n- b\n"]);
        assert_eq!(pieces("- a\n```\nx"), ["- a\n", "fence ", "rest> x"]);
        assert_eq!(pieces("    code\n\n    more\n\nend\n"), ["    code\n\n    more\n\n", "rest end\n"]);
    }

    #[test]
    fn what_never_closes_is_cut() {
        let list = "- an item of a list that goes on and on\n".repeat(2000);
        let cut = pieces(&list);
        assert!(cut.len() > 5 && cut.iter().all(|p| p.len() <= HARD_BYTES + 64));
        assert!(cut[1].starts_with("+- "));
        let table = format!("| a | b |\n|---|---|\n{}", "| one | two |\n".repeat(3000));
        assert!(pieces(&table)[1].starts_with("+| one"));
        let line = pieces(&"é".repeat(500_000));
        assert!(line.len() > 50 && line.iter().all(|p| p.len() <= HARD_BYTES + SOFT_BYTES));
        let code = format!("```\n{}", "é".repeat(100_000));
        assert!(pieces(&code).len() > 5);
    }
}

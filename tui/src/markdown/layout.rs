//! One piece of Markdown as lines.
//!
//! What stands in quotations and lists carries the marks of them in front of every line. Deep nesting stops standing in
//! further at half the width, so that there is always room for words.

use super::code::{Code, close_rule, code_rows, language, open_rule};
use super::flow::Flow;
use super::ink::{Ink, Kind, Row};
use super::table::{self, Table};
use crate::text;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// Columns of an address that is written behind its link; a longer one stands under the paragraph.
const ADDRESS_COLUMNS_MAX: usize = 32;
/// Columns the words have at least, before nesting stops standing in further.
const WORDS_COLUMNS_MIN: usize = 10;

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Columns.
    pub columns: usize,
    /// Whether a line break in a paragraph stays one: people and models mean theirs, files were wrapped.
    pub breaks: bool,
    /// The bytes of the text that are marked, from and to.
    pub mark: (usize, usize),
}

/// Counts that go on from piece to piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Links whose address stands under their paragraph.
    pub links: usize,
    /// The number of the next item, where the piece ended in a numbered list.
    pub item: Option<u64>,
}

/// What [`piece`] lays out.
pub struct Source<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its lines that name a table's columns, where the piece goes on with one.
    pub head: Range<usize>,
    /// The piece.
    pub body: Range<usize>,
    /// Whether the piece goes on with a list.
    pub goes_on: bool,
}

/// What stands in front of the lines of a quotation or an item.
struct Prefix {
    first: Option<String>,
    rest: String,
}

struct Link {
    address: String,
    shown: usize,
    image: bool,
    mark: bool,
}

struct Walk<'a> {
    text: &'a str,
    wish: Wish,
    out: &'a mut Vec<Row>,
    codes: &'a mut Vec<Code>,
    counts: &'a mut Counts,
    flow: Flow,
    prefixes: Vec<Prefix>,
    /// Whether nothing was shown yet in the innermost quotation or item.
    fresh: bool,
    lists: Vec<Option<u64>>,
    ink: Ink,
    /// How often emphasis, strong emphasis and striking are nested.
    nested: [usize; 3],
    links: Vec<Link>,
    /// Addresses that stand under the paragraph.
    feet: Vec<(usize, String)>,
    table: Option<Table>,
    /// The code being read: its language, what was read, and where its block stands, fences included.
    code: Option<(String, Flow, Range<usize>)>,
    /// Columns the prefixes take.
    stands_in: usize,
}

/// What is understood beyond CommonMark.
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// Lays a piece out at the end of `out` and counts on.
pub(super) fn piece(source: &Source, wish: Wish, out: &mut Vec<Row>, codes: &mut Vec<Code>, counts: &mut Counts) {
    let joined;
    let head = &source.text[source.head.clone()];
    let body = &source.text[source.body.clone()];
    let parsed = if head.is_empty() {
        body
    } else {
        joined = format!("{head}{body}");
        &joined
    };
    // Where a byte of what is parsed stands in the whole text.
    let place = |at: usize| {
        if at < head.len() { source.head.start + at } else { source.body.start + (at - head.len()).min(body.len()) }
    };
    let numbered = counts.item.take().filter(|_| source.goes_on);
    let parser = Parser::new_ext(parsed, options());
    let mut definitions: Vec<(usize, String)> = parser
        .reference_definitions()
        .iter()
        .map(|(label, link)| (link.span.start, format!("[{label}]: {}", link.dest)))
        .collect();
    definitions.sort_unstable();
    let mut definitions = definitions.into_iter().peekable();
    let mut walk = Walk {
        text: source.text,
        wish,
        out,
        codes,
        counts,
        flow: Flow::default(),
        prefixes: Vec::new(),
        fresh: false,
        lists: Vec::new(),
        ink: Ink::default(),
        nested: [0; 3],
        links: Vec::new(),
        feet: Vec::new(),
        table: None,
        code: None,
        stands_in: 0,
    };
    let mut first_list = numbered;
    for (event, range) in parser.into_offset_iter() {
        let at = place(range.start)..place(range.end).max(place(range.start));
        if walk.prefixes.is_empty() && matches!(event, Event::Start(_)) {
            // What defines a link is no part of the text for CommonMark, but it says something to the reader.
            while let Some((start, said)) = definitions.next_if(|(start, _)| *start < range.start) {
                walk.definition(&said, place(start));
            }
        }
        match event {
            Event::Start(Tag::List(start)) => {
                walk.flush(false);
                walk.begin(at.start, false);
                let start = start.map(|n| first_list.take().unwrap_or(n));
                walk.lists.push(start);
            }
            event => walk.event(event, at, source.head.is_empty()),
        }
    }
    for (start, said) in definitions {
        walk.definition(&said, place(start));
    }
    walk.flush(true);
}

impl Walk<'_> {
    fn event(&mut self, event: Event, at: Range<usize>, with_head: bool) {
        match event {
            Event::Start(tag) => self.start(tag, at),
            Event::End(tag) => self.end(tag, at.end, with_head),
            Event::Text(said) | Event::InlineMath(said) | Event::DisplayMath(said) | Event::FootnoteReference(said) => {
                self.say(&said, at);
            }
            Event::Code(said) => {
                let ink = Ink { kind: Kind::Code, ..self.ink };
                self.push(&said, ink, at);
            }
            Event::Html(said) | Event::InlineHtml(said) => self.push(&said, self.ink, at),
            Event::SoftBreak => {
                let gap = if self.wish.breaks && self.table.is_none() { "\n" } else { " " };
                self.push(gap, self.ink, at);
            }
            Event::HardBreak => self.push("\n", self.ink, at),
            Event::Rule => {
                self.begin(at.start, false);
                let columns = self.room();
                self.row(vec![("─".repeat(columns), Ink::of(Kind::Aside))], at);
            }
            Event::TaskListMarker(done) => {
                self.push(if done { "[x] " } else { "[ ] " }, Ink::of(Kind::Marker), at);
            }
        }
    }

    /// Words, wherever they go.
    fn say(&mut self, said: &str, at: Range<usize>) {
        if let Some((_, code, _)) = &mut self.code {
            code.push(said, Ink::of(Kind::Code), at);
            return;
        }
        self.push(said, self.ink, at);
    }

    fn push(&mut self, said: &str, ink: Ink, at: Range<usize>) {
        if self.links.iter().any(|link| link.mark) {
            return;
        }
        self.flow.push(said, ink, at);
    }

    fn start(&mut self, tag: Tag, at: Range<usize>) {
        match tag {
            Tag::Paragraph => {
                self.flush(false);
                self.begin(at.start, false);
            }
            Tag::Heading { level, .. } => {
                self.flush(false);
                self.begin(at.start, true);
                self.ink.kind = Kind::Heading(level_number(level));
            }
            Tag::BlockQuote(_) => {
                self.flush(false);
                self.begin(at.start, false);
                self.prefix("▏ ", "▏ ", at.start);
            }
            Tag::Item => {
                self.flush(false);
                self.begin(at.start, false);
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ => "• ".to_owned(),
                };
                let rest = " ".repeat(text::width(&mark));
                self.prefix(&mark, &rest, at.start);
            }
            Tag::CodeBlock(kind) => {
                self.flush(false);
                self.begin(at.start, false);
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => language(info),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, Flow::default(), at));
            }
            Tag::HtmlBlock => {
                self.flush(false);
                self.begin(at.start, false);
            }
            Tag::Table(aligned) => {
                self.flush(false);
                self.begin(at.start, false);
                self.table = Some(Table::new(aligned, at));
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push((Vec::new(), at));
                }
            }
            Tag::Emphasis => self.emphasis(0, 1),
            Tag::Strong => self.emphasis(1, 1),
            Tag::Strikethrough => self.emphasis(2, 1),
            Tag::Link { link_type, dest_url, .. } => self.link(&dest_url, link_type, at, false),
            Tag::Image { link_type, dest_url, .. } => {
                self.push("[image: ", Ink { kind: Kind::Aside, ..self.ink }, at.start..at.start);
                self.link(&dest_url, link_type, at, true);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, at: usize, with_head: bool) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.flush(true),
            TagEnd::Heading(_) => {
                self.ink.kind = Kind::Text;
                self.flush(true);
            }
            TagEnd::BlockQuote(_) => {
                self.flush(true);
                self.leave();
            }
            TagEnd::List(_) => {
                self.flush(true);
                self.counts.item = self.lists.pop().flatten();
            }
            TagEnd::Item => {
                self.flush(true);
                if self.prefixes.last().is_some_and(|prefix| prefix.first.is_some()) {
                    self.row(Vec::new(), 0..0);
                }
                self.leave();
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::TableCell => {
                let mut cell = std::mem::take(&mut self.flow);
                cell.find_marks();
                cell.mark(self.wish.mark);
                if let Some((row, _)) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    for (pieces, source) in table::lay_out(&table, self.room(), with_head) {
                        self.row(pieces, source);
                    }
                }
                self.addresses();
            }
            TagEnd::Emphasis => self.emphasis(0, -1),
            TagEnd::Strong => self.emphasis(1, -1),
            TagEnd::Strikethrough => self.emphasis(2, -1),
            TagEnd::Link | TagEnd::Image => self.end_link(at),
            _ => {}
        }
    }

    fn emphasis(&mut self, which: usize, step: isize) {
        self.nested[which] = self.nested[which].saturating_add_signed(step);
        let [italic, bold, struck] = self.nested.map(|depth| depth > 0);
        self.ink = Ink { bold, italic, struck, ..self.ink };
    }

    fn link(&mut self, address: &str, kind: LinkType, at: Range<usize>, image: bool) {
        let said = self.text.get(at.clone()).unwrap_or_default();
        // A citation mark stays one, even where the text also defines a link of that number.
        let mark = !image && is_mark(said);
        if mark {
            self.push(said, self.ink, at);
        }
        let address = if kind == LinkType::Email { format!("mailto:{address}") } else { address.to_owned() };
        self.links.push(Link { address, shown: self.flow.text().len(), image, mark });
        if !image && !mark {
            self.ink.kind = Kind::Link;
        }
    }

    fn end_link(&mut self, at: usize) {
        let Some(link) = self.links.pop() else { return };
        let aside = Ink { kind: Kind::Aside, ..self.ink };
        if link.image {
            self.push("]", aside, at..at);
            return;
        }
        if link.mark {
            return;
        }
        let outside = self.links.iter().rev().any(|outer| !outer.image && !outer.mark);
        self.ink.kind = if outside { Kind::Link } else { Kind::Text };
        let address = text::clean_line(&link.address);
        let shown = &self.flow.text()[link.shown.min(self.flow.text().len())..];
        if address.is_empty() || shown == address || format!("mailto:{shown}") == address {
            return;
        }
        if text::width(&address) <= ADDRESS_COLUMNS_MAX {
            self.push(&format!(" ({address})"), aside, at..at);
        } else {
            self.counts.links += 1;
            self.push(&format!(" ↗{}", self.counts.links), aside, at..at);
            self.feet.push((self.counts.links, address));
        }
    }

    /// Begins a block: a blank line before it where the text has one, so that nothing later can change that.
    fn begin(&mut self, at: usize, always: bool) {
        let nested_first = std::mem::take(&mut self.fresh);
        if !nested_first && !self.out.is_empty() && (always || blank_before(self.text, at)) {
            let pieces = self.front(false);
            if self.out.last().is_some_and(|row| !row.pieces.iter().all(|(piece, _)| piece.trim().is_empty())) {
                self.out.push(Row { pieces, source: at..at, code: None });
            }
        }
    }

    fn prefix(&mut self, first: &str, rest: &str, at: usize) {
        self.fresh = true;
        let used = self.stands_in + text::width(first);
        let fits = used + WORDS_COLUMNS_MIN <= self.wish.columns && used * 2 <= self.wish.columns;
        let prefix = if fits {
            self.stands_in = used;
            Prefix { first: Some(first.to_owned()), rest: rest.to_owned() }
        } else {
            if first != rest {
                self.flow.push(first, Ink::of(Kind::Marker), at..at);
            }
            Prefix { first: None, rest: String::new() }
        };
        self.prefixes.push(prefix);
    }

    fn leave(&mut self) {
        if let Some(prefix) = self.prefixes.pop() {
            self.stands_in -= text::width(&prefix.rest);
        }
        self.fresh = false;
    }

    /// Columns the words have.
    fn room(&self) -> usize {
        self.wish.columns.saturating_sub(self.stands_in).max(1)
    }

    /// What stands before a line. A blank line shows the bars of quotations and uses up no item's mark.
    fn front(&mut self, words: bool) -> Vec<(String, Ink)> {
        let mut front = String::new();
        for prefix in &mut self.prefixes {
            let first = if words { prefix.first.take() } else { None };
            front.push_str(first.as_deref().unwrap_or(&prefix.rest));
        }
        if !words {
            front.truncate(front.trim_end().len());
        }
        if front.is_empty() { Vec::new() } else { vec![(front, Ink::of(Kind::Marker))] }
    }

    fn row(&mut self, pieces: Vec<(String, Ink)>, source: Range<usize>) {
        let mut all = self.front(true);
        all.extend(pieces);
        self.out.push(Row { pieces: all, source, code: None });
        self.fresh = false;
    }

    /// Breaks what was said into lines; `ends` says that addresses may follow.
    fn flush(&mut self, ends: bool) {
        if !self.flow.is_empty() {
            let mut flow = std::mem::take(&mut self.flow);
            flow.find_marks();
            flow.mark(self.wish.mark);
            let columns = self.room();
            let mut lines = flow.lines(columns);
            while lines.last().is_some_and(|line| line.is_empty() && lines.len() > 1) {
                lines.pop();
            }
            for line in lines {
                self.row(flow.pieces(&line, columns), flow.source(&line));
            }
        }
        if ends {
            self.addresses();
        }
    }

    /// The addresses that were too long to stand behind their links.
    fn addresses(&mut self) {
        for (number, address) in std::mem::take(&mut self.feet) {
            self.aside(&format!("↗{number} {address}"), 0);
        }
    }

    fn definition(&mut self, said: &str, at: usize) {
        self.flush(false);
        self.begin(at, false);
        self.aside(said, at);
    }

    fn aside(&mut self, said: &str, at: usize) {
        self.flush(false);
        let mut flow = Flow::default();
        flow.push(said, Ink::of(Kind::Aside), at..at);
        let columns = self.room();
        for line in flow.lines(columns) {
            self.row(flow.pieces(&line, columns), at..at);
        }
    }

    fn end_code(&mut self) {
        let Some((language, flow, source)) = self.code.take() else { return };
        let columns = self.room();
        let block = self.codes.len();
        let front = self.front(true);
        let all = flow.source(&(0..flow.text().len()));
        let (first, last) = if flow.is_empty() { (source.end, source.end) } else { (all.start, all.end) };
        let mut opening = open_rule(&language, columns, block);
        opening.source = source.start.min(first)..first;
        opening.pieces.splice(0..0, front);
        self.out.push(opening);
        let front = self.front(true);
        let code = flow.text().strip_suffix('\n').unwrap_or(flow.text());
        let mut from = 0;
        for line in code.split('\n') {
            let at = flow.source(&(from..from + line.len()));
            for mut row in code_rows(line, from, at, columns, block) {
                row.pieces.splice(0..0, front.iter().cloned());
                self.out.push(row);
            }
            from += line.len() + 1;
        }
        let mut closing = close_rule(columns, block);
        closing.source = last..source.end.max(last);
        closing.pieces.splice(0..0, front);
        self.out.push(closing);
        let marked = flow.inside(self.wish.mark);
        self.codes.push(Code { language, text: code.to_owned(), marked });
        self.fresh = false;
    }
}

fn level_number(level: HeadingLevel) -> u8 {
    level as u8
}

fn is_mark(said: &str) -> bool {
    said.strip_prefix('[')
        .and_then(|s| s.strip_suffix(']'))
        .is_some_and(|s| !s.is_empty() && s.len() <= 6 && s.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a line with nothing on it (but the bars of a quotation) stands before the line of `at`.
#[must_use]
pub fn blank_before(text: &str, at: usize) -> bool {
    let before = &text.as_bytes()[..at.min(text.len())];
    let mut rest = before.iter().rev().skip_while(|b| matches!(b, b' ' | b'\t' | b'>'));
    match rest.next() {
        None => return false,
        Some(b'\n') => {}
        Some(_) => return false,
    }
    for byte in rest {
        match byte {
            b'\n' => return true,
            b' ' | b'\t' | b'>' | b'\r' => {}
            _ => return false,
        }
    }
    true
}

//! The XML of an OpenDocument part to text, as a stream: paragraphs, headings, lists, rows of tables, notes.

use crate::{
    ReadLimits, Unreadable,
    text::one_line,
    xml::{attribute, deeper, referred},
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::collections::HashSet;

/// Cells or blanks that one element may stand for; sheets repeat an empty cell up to their last column.
const REPEATED: usize = 64;
/// A cell of more bytes than this stands once, however many columns it is said to have.
const REPEATED_BYTES: usize = 256;
/// Cells of one row; sheets have at most 16384 columns.
const CELLS: usize = 20_000;

/// Which part of the XML is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Body,
    /// Headers and footers, each different one once.
    Margins,
}

/// The text of a part.
pub(super) fn parse(xml: &str, place: Place, limits: &ReadLimits) -> Result<String, Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut body = Body { place, ..Body::default() };
    let mut depth = 0usize;
    loop {
        let event = reader.read_event().map_err(|source| Unreadable::Xml { source })?;
        match &event {
            Event::Start(tag) => body.open(tag, false),
            Event::Empty(tag) => body.open(tag, true),
            Event::End(tag) => body.close(tag.local_name().as_ref()),
            Event::Text(text) => body.words(&text.xml10_content()),
            Event::CData(text) => body.words(&text.xml10_content()),
            Event::GeneralRef(reference) => body.words(&referred(reference)?),
            Event::DocType(_) => return Err(Unreadable::XmlEntities),
            Event::Eof => break,
            _ => {}
        }
        deeper(&mut depth, &event, limits)?;
        if body.repeated as u64 > limits.max_text_bytes {
            return Err(Unreadable::TooMuchText { limit: limits.max_text_bytes });
        }
    }
    // A part that is cut off leaves its last paragraph open.
    while !body.paragraphs.is_empty() {
        body.end_paragraph();
    }
    let all = std::iter::once(body.flow.out).chain(body.notes).filter(|text| !text.is_empty());
    Ok(all.collect::<Vec<_>>().join("\n\n"))
}

/// A paragraph being read; text boxes put paragraphs within paragraphs.
#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<usize>,
    /// Whether the next character comes right after one that counts as a blank.
    blank: bool,
}

#[derive(Default)]
struct Table {
    row: Vec<String>,
    cell: String,
    /// How many columns the open cell stands for.
    columns: usize,
}

/// Text that is written from its beginning to its end: the document's, or a note's.
#[derive(Default)]
struct Flow {
    out: String,
    tables: Vec<Table>,
    /// For each open list whether its item has begun and has no text yet.
    items: Vec<bool>,
    /// Whether the last thing written was a list item or a row, after which no blank line comes.
    tight: bool,
}

/// What a note or comment interrupts.
#[derive(Default)]
struct Around {
    flow: Flow,
    paragraphs: Vec<Paragraph>,
    slide_title: bool,
    mark: String,
}

#[derive(Default)]
struct Body {
    place: Place,
    /// Open elements in which text counts.
    inside: u32,
    flow: Flow,
    paragraphs: Vec<Paragraph>,
    around: Vec<Around>,
    notes: Vec<String>,
    said: HashSet<String>,
    /// Open elements whose contents are passed over.
    skipped: u32,
    /// Bytes that stand in the text only because a cell was repeated.
    repeated: usize,
    /// The mark of the note that is being read, and whether it is this that is read now.
    mark: String,
    in_mark: bool,
    /// Whether tables are sheets, which have names.
    sheets: bool,
    slide_title: bool,
}

impl Body {
    fn is_root(&self, name: &str) -> bool {
        match self.place {
            Place::Body => name == "body",
            Place::Margins => {
                matches!(name, "header" | "footer" | "header-left" | "footer-left" | "header-first" | "footer-first")
            }
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>, empty: bool) {
        let (local, whole) = (tag.local_name(), tag.name());
        let name = local.as_ref();
        if self.skipped > 0 || self.inside > 0 && skips(name, whole.as_ref()) {
            self.skipped += u32::from(!empty);
            return;
        }
        if self.is_root(name) {
            self.inside += u32::from(!empty);
            return;
        }
        if self.inside == 0 {
            return;
        }
        let count = |name| attribute(tag, name).and_then(|count| count.parse().ok()).unwrap_or(1usize).min(REPEATED);
        match name {
            "p" | "h" => {
                let level = || attribute(tag, "outline-level").and_then(|level| level.parse().ok()).unwrap_or(2usize);
                let level = (name == "h" || self.slide_title).then(|| level().clamp(1, 6));
                self.paragraphs.push(Paragraph { level, blank: true, ..Paragraph::default() });
                if empty {
                    self.end_paragraph();
                }
            }
            "s" => self.push(&" ".repeat(count("c"))),
            "tab" => self.push("\t"),
            "line-break" => self.push("\n"),
            "spreadsheet" => self.sheets = true,
            "page" => self.flow.tight = false,
            "list" if !empty => self.flow.items.push(false),
            "list-item" => self.flow.items.last_mut().into_iter().for_each(|fresh| *fresh = true),
            "table" if !empty => {
                if let Some(name) = attribute(tag, "name").filter(|_| self.sheets && self.flow.tables.is_empty()) {
                    self.flow.block(&format!("## {}", one_line(&name)), false);
                }
                self.flow.tables.push(Table::default());
            }
            "table-cell" | "covered-table-cell" => {
                if let Some(table) = self.flow.tables.last_mut() {
                    table.columns = count("number-columns-repeated");
                }
                if empty {
                    self.repeated += self.flow.end_cell();
                }
            }
            "frame" => self.slide_title = !empty && attribute(tag, "class").as_deref() == Some("title"),
            "note" | "annotation" if !empty => {
                let flow = std::mem::take(&mut self.flow);
                let paragraphs = std::mem::take(&mut self.paragraphs);
                let (slide_title, mark) = (std::mem::take(&mut self.slide_title), std::mem::take(&mut self.mark));
                self.around.push(Around { flow, paragraphs, slide_title, mark });
            }
            "note-citation" => self.in_mark = !empty,
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        if self.is_root(name) {
            self.inside = self.inside.saturating_sub(1);
            if self.place == Place::Margins {
                let text = std::mem::take(&mut self.flow).out;
                if !text.is_empty() && self.said.insert(text.clone()) {
                    self.notes.push(text);
                }
            }
            return;
        }
        if self.inside == 0 {
            return;
        }
        match name {
            "p" | "h" => self.end_paragraph(),
            "list" => {
                self.flow.items.pop();
                self.flow.tight &= !self.flow.items.is_empty();
            }
            "table-cell" | "covered-table-cell" => self.repeated += self.flow.end_cell(),
            "table-row" => self.flow.end_row(),
            "table" => self.flow.end_table(),
            "frame" => self.slide_title = false,
            "note" | "annotation" => self.end_note(),
            "note-citation" => self.in_mark = false,
            _ => {}
        }
    }

    /// Character data, in which any number of blanks is one, and none at the beginning.
    fn words(&mut self, text: &str) {
        if self.skipped > 0 || self.inside == 0 {
            return;
        }
        if self.in_mark {
            self.mark.push_str(text.trim());
            return;
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        for c in text.chars() {
            let blank = matches!(c, ' ' | '\t' | '\r' | '\n');
            if !(blank && paragraph.blank) {
                paragraph.text.push(if blank { ' ' } else { c });
            }
            paragraph.blank = blank;
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
            paragraph.blank = false;
        }
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraphs.pop() else { return };
        let text = paragraph.text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(around) = self.paragraphs.last_mut() {
            // The paragraph of a text box: a line of the paragraph that the box is anchored to.
            if !around.text.is_empty() {
                around.text.push('\n');
            }
            around.text.push_str(text);
            around.text.push('\n');
            return;
        }
        let depth = self.flow.items.len().min(8);
        match (paragraph.level, self.flow.items.last_mut()) {
            _ if !self.flow.tables.is_empty() => self.flow.block(text, true),
            (Some(level), _) => self.flow.block(&format!("{} {}", "#".repeat(level), one_line(text)), false),
            (None, None) => self.flow.block(text, false),
            (None, Some(fresh)) => {
                let bullet = if std::mem::take(fresh) { "- " } else { "  " };
                let line = format!("{}{bullet}{}", "  ".repeat(depth.saturating_sub(1)), one_line(text));
                self.flow.block(&line, true);
            }
        }
    }

    fn end_note(&mut self) {
        let Some(around) = self.around.pop() else { return };
        while !self.paragraphs.is_empty() {
            self.end_paragraph();
        }
        let text = std::mem::replace(&mut self.flow, around.flow).out;
        let mark = std::mem::replace(&mut self.mark, around.mark);
        (self.paragraphs, self.slide_title, self.in_mark) = (around.paragraphs, around.slide_title, false);
        match (text.is_empty(), mark.is_empty()) {
            (true, _) => {}
            (false, true) => self.notes.push(text),
            (false, false) => {
                self.push(&format!("[{mark}]"));
                self.notes.push(format!("[{mark}] {text}"));
            }
        }
    }
}

impl Flow {
    /// Writes a block to the cell that is open, or else to the text: `tight` ones follow each other without a blank.
    fn block(&mut self, text: &str, tight: bool) {
        if let Some(table) = self.tables.last_mut() {
            if !table.cell.is_empty() {
                table.cell.push(' ');
            }
            table.cell.push_str(&one_line(text));
            return;
        }
        if !self.out.is_empty() {
            self.out.push_str(if tight && self.tight { "\n" } else { "\n\n" });
        }
        self.out.push_str(text);
        self.tight = tight;
    }

    /// Ends a cell; gives the bytes of its repetitions.
    fn end_cell(&mut self) -> usize {
        // Within a cell nothing is repeated: repetitions of repetitions would have no end.
        let inner = self.tables.len() > 1;
        let Some(table) = self.tables.last_mut() else { return 0 };
        let cell = std::mem::take(&mut table.cell);
        let once = inner || cell.len() > REPEATED_BYTES;
        let copies = if once { 1 } else { table.columns.max(1) }.min(CELLS.saturating_sub(table.row.len()));
        let repeated = copies.saturating_sub(1) * cell.len();
        table.row.extend(std::iter::repeat_n(cell, copies));
        repeated
    }

    fn end_row(&mut self) {
        let Some(mut table) = self.tables.pop() else { return };
        let mut row = std::mem::take(&mut table.row);
        row.truncate(row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1));
        if !row.is_empty() {
            // The row of an inner table becomes part of the cell around it.
            self.block(&row.join(" | "), self.tight);
            self.tight |= self.tables.is_empty();
        }
        self.tables.push(table);
    }

    fn end_table(&mut self) {
        let Some(table) = self.tables.pop() else { return };
        // A table that was not closed properly still gives what it holds.
        let rest = [table.row.join(" | "), table.cell].join(" ");
        if !rest.trim().is_empty() {
            self.block(rest.trim(), self.tight);
        }
        self.tight &= !self.tables.is_empty();
    }
}

/// Deleted text, indexes that repeat the headings, scripts and forms, the names of pictures, and who wrote a comment
/// when.
fn skips(name: &str, whole: &str) -> bool {
    matches!(
        name,
        "tracked-changes"
            | "table-of-content"
            | "illustration-index"
            | "table-index"
            | "object-index"
            | "user-index"
            | "alphabetical-index"
            | "scripts"
            | "forms"
            | "ruby-text"
            | "binary-data"
            | "math"
            | "event-listeners"
    ) || matches!(whole, "svg:title" | "svg:desc")
        || whole.starts_with("dc:")
        || whole.starts_with("meta:")
}

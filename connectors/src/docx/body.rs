//! A WordprocessingML part to text, as a stream: paragraphs, headings, lists, table rows.

use super::styles::{Styles, outline_level};
use crate::{
    ReadLimits, Unreadable,
    text::one_line,
    xml::{attribute, deeper, referred},
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// The text of a part.
pub(super) fn parse(xml: &str, styles: &Styles, limits: &ReadLimits) -> Result<String, Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut body = Body {
        styles,
        out: String::new(),
        paragraphs: Vec::new(),
        tables: Vec::new(),
        skipped: 0,
        state: State::default(),
    };
    let mut depth = 0usize;
    loop {
        let event = reader.read_event().map_err(|source| Unreadable::Xml { source })?;
        match &event {
            Event::Start(tag) => body.open(tag, false),
            Event::Empty(tag) => body.open(tag, true),
            Event::End(tag) => body.close(tag.local_name().as_ref()),
            Event::Text(text) if body.state.in_text > 0 => body.push(&text.xml10_content()),
            Event::CData(text) if body.state.in_text > 0 => body.push(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let text = referred(reference)?;
                if body.state.in_text > 0 {
                    body.push(&text);
                }
            }
            Event::DocType(_) => return Err(Unreadable::XmlEntities),
            Event::Eof => break,
            _ => {}
        }
        deeper(&mut depth, &event, limits)?;
    }
    // A part that is cut off leaves its last paragraph open.
    while !body.paragraphs.is_empty() {
        body.end_paragraph();
    }
    Ok(body.out)
}

/// A paragraph being read; text boxes put paragraphs within paragraphs.
#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<usize>,
    /// The indent level of a list item.
    item: Option<usize>,
}

#[derive(Default)]
struct Table {
    row: Vec<String>,
    cell: String,
}

#[derive(Default)]
struct State {
    /// Open `w:t` elements.
    in_text: u32,
    /// Open `w:pPr` elements; what looks like a tab in there is a tab stop.
    in_properties: u32,
    /// Whether the last thing written was a list item or a row, after which no blank line comes.
    tight: bool,
}

struct Body<'a> {
    styles: &'a Styles,
    out: String,
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    /// Open elements whose contents are passed over.
    skipped: u32,
    state: State,
}

impl Body<'_> {
    fn open(&mut self, tag: &BytesStart<'_>, empty: bool) {
        let local = tag.local_name();
        let name = local.as_ref();
        if self.skipped > 0 || skips(name) {
            self.skipped += u32::from(!empty);
            return;
        }
        match name {
            "p" => {
                self.paragraphs.push(Paragraph::default());
                if empty {
                    self.end_paragraph();
                }
            }
            "t" if !empty => self.state.in_text += 1,
            "pPr" if !empty => self.state.in_properties += 1,
            "tbl" if !empty => self.tables.push(Table::default()),
            "pStyle" => {
                let level = attribute(tag, "val").and_then(|style| self.styles.level(&style));
                self.property(|paragraph| paragraph.level = paragraph.level.or(level));
            }
            "outlineLvl" if self.state.in_properties > 0 => {
                let level = outline_level(tag);
                self.property(|paragraph| paragraph.level = level.or(paragraph.level));
            }
            "numPr" => self.property(|paragraph| paragraph.item = paragraph.item.or(Some(0))),
            "ilvl" => {
                let level = attribute(tag, "val").and_then(|level| level.parse().ok()).unwrap_or(0);
                self.property(|paragraph| paragraph.item = Some(level));
            }
            // A list item without a list: number 0 takes the numbering of its style away.
            "numId" if attribute(tag, "val").as_deref() == Some("0") => {
                self.property(|paragraph| paragraph.item = None)
            }
            "tab" if self.state.in_properties == 0 => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("-"),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match name {
            "p" => self.end_paragraph(),
            "t" => self.state.in_text = self.state.in_text.saturating_sub(1),
            "pPr" => self.state.in_properties = self.state.in_properties.saturating_sub(1),
            "tc" => self.end_cell(),
            "tr" => self.end_row(),
            "tbl" => {
                if let Some(table) = self.tables.pop()
                    && (!table.row.is_empty() || !table.cell.is_empty())
                {
                    // A table that was not closed properly still gives what it holds.
                    let rest = [table.row.join(" | "), table.cell].join(" ");
                    self.block(rest.trim(), true);
                }
                if self.tables.is_empty() {
                    self.state.tight = false;
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.skipped == 0
            && let Some(paragraph) = self.paragraphs.last_mut()
        {
            paragraph.text.push_str(text);
        }
    }

    fn property(&mut self, set: impl FnOnce(&mut Paragraph)) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            set(paragraph);
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
        } else if !self.tables.is_empty() {
            self.block(text, true);
        } else if let Some(level) = paragraph.level {
            let line = format!("{} {}", "#".repeat(level), one_line(text));
            self.block(&line, false);
        } else if let Some(level) = paragraph.item {
            let line = format!("{}- {}", "  ".repeat(level.min(8)), one_line(text));
            self.block(&line, true);
        } else {
            self.block(text, false);
        }
    }

    /// Writes a block to the cell that is open, or else to the text: `tight` ones follow each other without a blank.
    fn block(&mut self, text: &str, tight: bool) {
        if text.is_empty() {
            return;
        }
        if let Some(table) = self.tables.last_mut() {
            if !table.cell.is_empty() {
                table.cell.push(' ');
            }
            table.cell.push_str(&one_line(text));
            return;
        }
        if !self.out.is_empty() {
            self.out.push_str(if tight && self.state.tight { "\n" } else { "\n\n" });
        }
        self.out.push_str(text);
        self.state.tight = tight;
    }

    fn end_cell(&mut self) {
        if let Some(table) = self.tables.last_mut() {
            let cell = std::mem::take(&mut table.cell);
            table.row.push(cell);
        }
    }

    fn end_row(&mut self) {
        let Some(table) = self.tables.last_mut() else { return };
        let row = std::mem::take(&mut table.row);
        if row.iter().all(String::is_empty) {
            return;
        }
        let line = row.join(" | ");
        // The row of an inner table becomes part of the cell around it.
        let inner = self.tables.len() > 1;
        let table = self.tables.pop();
        if inner {
            self.block(&line, true);
        } else {
            let tight = self.state.tight;
            self.block(&line, tight);
            self.state.tight = true;
        }
        self.tables.extend(table);
    }
}

/// Deleted text, field codes, and the second copy that is kept for older readers.
fn skips(name: &str) -> bool {
    matches!(name, "delText" | "instrText" | "delInstrText" | "Fallback" | "binData")
}

//! What a piece of a laid-out line means. Meanings become styles only when a line is drawn, so that a new theme, a
//! late citation or late colours never cost a new layout.

use crate::theme::Theme;
use ratatui::style::{Modifier, Style};
use std::ops::Range;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Words.
    #[default]
    Text,
    /// Something beside the words: an address, a rule, a mark of the layout.
    Aside,
    /// A heading of a level, 1 to 6.
    Heading(u8),
    /// The mark of a list item, the bar of a quotation.
    Marker,
    /// Code.
    Code,
    /// The text of a link.
    Link,
    /// A number in brackets that may cite.
    Cite,
    /// The head of a table, the name in a record.
    Head,
}

/// A meaning with its emphasis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ink {
    /// What it is.
    pub kind: Kind,
    /// Strong.
    pub bold: bool,
    /// Emphasised.
    pub italic: bool,
    /// Struck through.
    pub struck: bool,
    /// Cited.
    pub marked: bool,
}

impl Ink {
    /// A meaning without emphasis.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The style of it.
    #[must_use]
    pub fn style(self, theme: &Theme) -> Style {
        let mut style = match self.kind {
            Kind::Text => theme.text,
            Kind::Aside | Kind::Marker => theme.dim,
            Kind::Heading(1) => theme.heading.add_modifier(Modifier::UNDERLINED),
            Kind::Heading(_) => theme.heading,
            Kind::Code => theme.code,
            Kind::Link => theme.link,
            Kind::Cite => theme.cite,
            Kind::Head => theme.strong,
        };
        if self.bold {
            style = style.add_modifier(Modifier::BOLD);
        }
        if self.italic {
            style = style.add_modifier(Modifier::ITALIC);
        }
        if self.struck {
            style = style.add_modifier(Modifier::CROSSED_OUT);
        }
        if self.marked {
            style = style.patch(theme.mark);
        }
        style
    }
}

/// Where a line of code comes from, so that colours find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeAt {
    /// Which code block of the text, counted from its beginning.
    pub block: usize,
    /// The first byte of the row in the cleaned code; nothing for the rows that say where code begins and ends.
    pub from: Option<usize>,
}

/// One laid-out line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Its pieces. Of a line of code, the last one is the code.
    pub pieces: Vec<(String, Ink)>,
    /// The bytes of the text it shows; empty for a line that stands for none.
    pub source: Range<usize>,
    /// The code it shows.
    pub code: Option<CodeAt>,
}

impl Row {
    /// Columns it takes.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.pieces.iter().map(|(piece, _)| crate::text::width(piece)).sum()
    }

    /// Its words, without their meanings.
    #[must_use]
    pub fn words(&self) -> String {
        self.pieces.iter().map(|(piece, _)| piece.as_str()).collect()
    }
}

//! Glyphs at places on a page to words and lines.
//!
//! Distances are measured along and across the direction of the writing, so that turned text reads as well.

use pdf_extract::{MediaBox, OutputDev, OutputError, Transform};

/// A gap wider than this share of the font size parts words; a space in common fonts is about 0.25.
const WORD_GAP: f64 = 0.12;
/// A step across the writing larger than this share of the font size is another line; superscripts step less.
const LINE_STEP: f64 = 0.5;
/// A step larger than this share is another paragraph.
const PARAGRAPH_STEP: f64 = 1.8;

/// Collects one page.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) text: String,
    last: Option<Glyph>,
    /// Whether the next glyph begins a new piece of text; within a piece the PDF itself says where words end.
    starts: bool,
}

/// Where the last glyph ended and how its line ran.
struct Glyph {
    end: (f64, f64),
    direction: (f64, f64),
    size: f64,
}

impl OutputDev for Lines {
    fn begin_page(
        &mut self,
        _page: u32,
        _media: &MediaBox,
        _art: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        matrix: &Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        let along = matrix.m11.hypot(matrix.m12);
        let direction = if along > 0. { (matrix.m11 / along, matrix.m12 / along) } else { (1., 0.) };
        let size = (matrix.m11 * matrix.m22 - matrix.m12 * matrix.m21).abs().sqrt() * font_size.abs();
        let place = (matrix.m31, matrix.m32);
        if self.starts
            && let Some(last) = &self.last
        {
            let step = (place.0 - last.end.0, place.1 - last.end.1);
            let forward = step.0 * last.direction.0 + step.1 * last.direction.1;
            let across = (step.1 * last.direction.0 - step.0 * last.direction.1).abs();
            let turned = last.direction.0 * direction.0 + last.direction.1 * direction.1 < 0.9;
            let size = size.max(last.size);
            if turned || across > size * PARAGRAPH_STEP {
                self.text.push_str("\n\n");
            } else if across > size * LINE_STEP {
                self.text.push('\n');
            } else if (forward > size * WORD_GAP || forward < -size) && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
        self.starts = false;
        for c in text.chars() {
            match c {
                // The soft hyphen and the typographic ligatures hide words from a search.
                '\u{ad}' => {}
                '\u{fb00}' => self.text.push_str("ff"),
                '\u{fb01}' => self.text.push_str("fi"),
                '\u{fb02}' => self.text.push_str("fl"),
                '\u{fb03}' => self.text.push_str("ffi"),
                '\u{fb04}' => self.text.push_str("ffl"),
                ' ' | '\u{a0}' if self.text.ends_with([' ', '\n']) => {}
                '\u{a0}' => self.text.push(' '),
                c => self.text.push(c),
            }
        }
        let advance = (width * font_size.abs() + spacing) * along;
        let end = (place.0 + direction.0 * advance, place.1 + direction.1 * advance);
        self.last = Some(Glyph { end, direction, size });
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.starts = true;
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

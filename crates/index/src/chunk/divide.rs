//! The second cut: blocks that are too large, at sentences (prose) or lines (code, lists, tables), then at words, and
//! inside a word only where one word alone is too large (minified files, base64).

use super::{Layout, WEIGHT_MAX, blocks::Block, is_wide, weight};

/// What the parts of a block that is cut are meant to weigh.
const PART_TARGET: usize = 150;

pub(super) fn divide_all(text: &str, blocks: Vec<Block>, layout: Layout) -> Vec<Block> {
    let mut out = Vec::with_capacity(blocks.len());
    for block in blocks {
        if block.weight <= WEIGHT_MAX {
            out.push(block);
        } else {
            divide(text, block, layout.dense(), &mut out);
        }
    }
    out
}

fn divide(text: &str, block: Block, dense: usize, out: &mut Vec<Block>) {
    let mut units = Vec::new();
    let ends = if block.by_line { line_ends(text, &block) } else { sentence_ends(text, &block) };
    let mut start = block.start;
    for end in ends {
        push_unit(text, start, end, dense, &mut units);
        start = end;
    }
    let total: usize = units.iter().map(|unit| unit.weight).sum();
    let goal = total.div_ceil(total.div_ceil(PART_TARGET).max(1));
    let mut part: Option<Unit> = None;
    let mut emit = |unit: Unit| {
        // Only the first part of a heading or definition opens a section.
        let opens_section = block.opens_section && unit.start == block.start;
        let is_heading = false;
        out.push(Block { start: unit.start, end: unit.end, weight: unit.weight, opens_section, is_heading, ..block });
    };
    for unit in units {
        part = match part.take() {
            None => Some(unit),
            Some(p) if p.weight + unit.weight > WEIGHT_MAX || p.weight >= goal => {
                emit(p);
                Some(unit)
            }
            Some(p) => Some(Unit { start: p.start, end: unit.end, weight: p.weight + unit.weight }),
        };
    }
    if let Some(last) = part {
        emit(last);
    }
}

#[derive(Debug, Clone, Copy)]
struct Unit {
    start: usize,
    end: usize,
    weight: usize,
}

/// Adds `[start, end)`, cut at words where it is itself too large.
fn push_unit(text: &str, start: usize, end: usize, dense: usize, units: &mut Vec<Unit>) {
    let whole = weight(&text[start..end], dense);
    if whole <= WEIGHT_MAX {
        units.push(Unit { start, end, weight: whole });
        return;
    }
    let mut at = start;
    for word in text[start..end].split_inclusive(char::is_whitespace) {
        let from = at;
        at += word.len();
        let heavy = weight(word, dense);
        if heavy <= WEIGHT_MAX / 2 {
            units.push(Unit { start: from, end: at, weight: heavy });
        } else {
            cut_word(text, from, at, dense, units);
        }
    }
}

/// Cuts one huge word at char boundaries into parts of at most about half a chunk.
fn cut_word(text: &str, start: usize, end: usize, dense: usize, units: &mut Vec<Unit>) {
    let limit = dense * WEIGHT_MAX / 2;
    let (mut from, mut size) = (start, 0);
    for (offset, c) in text[start..end].char_indices() {
        let cost = if is_wide(c) { dense } else { c.len_utf8() };
        if size + cost > limit {
            units.push(Unit { start: from, end: start + offset, weight: size / dense + 1 });
            from = start + offset;
            size = 0;
        }
        size += cost;
    }
    units.push(Unit { start: from, end, weight: size / dense + 1 });
}

fn line_ends(text: &str, block: &Block) -> Vec<usize> {
    let mut at = block.start;
    text[block.start..block.end]
        .split_inclusive('\n')
        .map(|line| {
            at += line.len();
            at
        })
        .collect()
}

/// Ends of sentences, and of lines that the next line does not continue in lower case (messages, verses, logs).
fn sentence_ends(text: &str, block: &Block) -> Vec<usize> {
    let part = &text[block.start..block.end];
    let mut ends = Vec::new();
    let mut chars = part.char_indices().peekable();
    let mut stop = false;
    while let Some((offset, c)) = chars.next() {
        let after = block.start + offset + c.len_utf8();
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '。' | '！' | '？' | '।' => ends.push(after),
            '.' | '!' | '?' | '…' => stop = true,
            ')' | '"' | '\'' | '”' | '’' | '»' if stop => {}
            '\n' if next.is_some_and(|next| !next.is_lowercase()) => {
                ends.push(after);
                stop = false;
            }
            c if c.is_whitespace() => {
                if stop && next.is_some_and(|next| !next.is_whitespace()) {
                    ends.push(after);
                    stop = false;
                }
            }
            _ => stop = false,
        }
    }
    if ends.last() != Some(&block.end) {
        ends.push(block.end);
    }
    ends
}

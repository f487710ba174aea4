//! Text to chunks: structure-aware, as byte spans of the text, with the heading each chunk stands under.
//!
//! Invariants, held by a property test over any input: spans lie on char boundaries, are in order, do not overlap,
//! hold no whitespace at either end, and together cover every character that is not whitespace. The time taken is
//! linear in the length of the text. A conversation is cut at its turns (`talk`). Any other text is first cut into blocks (paragraphs, list items, fences, runs of code
//! lines), blocks that are too large are cut at sentences or lines, and small neighbours are packed together.

mod blocks;
mod divide;
mod talk;

use blocks::{Block, Blocks};
use hinet_protocol::Span;
use hinet_vault::records::ChunkDraft;

pub use talk::KIND as CHAT;
pub(crate) use talk::speaker;

/// The most a chunk may weigh, in words. MiniLM reads 256 word pieces, about 190 English words.
const WEIGHT_MAX: usize = 180;
/// Where a chunk is closed if the next block would carry it past this.
const WEIGHT_TARGET: usize = 140;
/// A section is closed at the next heading only when it holds at least this much; smaller ones are joined.
const SECTION_MIN: usize = 40;
/// A last piece smaller than this is joined to the piece before it.
const TAIL_MIN: usize = 30;

/// Longest list of definitions in a heading.
const LIST_MAX_BYTES: usize = 200;

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Prose,
    Markdown,
    Code,
}

impl Layout {
    fn of(kind: &str) -> Self {
        match kind {
            "markdown" | "html" | "docx" | "odt" | "epub" => Self::Markdown,
            "code" => Self::Code,
            _ => Self::Prose,
        }
    }

    /// How many ASCII bytes of a word weigh as much as one word more: code is dense in word pieces, prose is not.
    fn dense(self) -> usize {
        if self == Self::Code { 5 } else { 12 }
    }
}

/// Cuts `text` into chunks. `kind` is the document's kind as the vault records it (`markdown`, `text`, `code`, …);
/// an unknown kind is read as prose. A text without a visible character has no chunks.
#[must_use]
pub fn chunk(text: &str, kind: &str) -> Vec<ChunkDraft> {
    if kind == CHAT
        && let Some(drafts) = talk::chunks(text)
    {
        return drafts;
    }
    let layout = Layout::of(kind);
    let Blocks { blocks, paths } = blocks::blocks(text, layout);
    let pieces = divide::divide_all(text, blocks, layout);
    pack(pieces)
        .into_iter()
        .filter_map(|open| {
            let span = trimmed(text, open.start, open.end)?;
            let heading = match layout {
                Layout::Code => paths.between(open.path_first, open.path_last),
                _ => paths.common(open.path_first, open.path_last),
            };
            Some(ChunkDraft { span, heading })
        })
        .collect()
}

/// The headings of a document, each with the heading it stands under.
#[derive(Debug, Default)]
struct Paths {
    /// `(parent, title)`; a parent always has a smaller number. Number 0 is the document itself.
    nodes: Vec<(u32, String)>,
}

impl Paths {
    fn new() -> Self {
        Self { nodes: vec![(0, String::new())] }
    }

    fn add(&mut self, parent: u32, title: String) -> u32 {
        self.nodes.push((parent, title));
        (self.nodes.len() - 1) as u32
    }

    /// Gives a place its title where it has none yet.
    fn name(&mut self, place: u32, title: impl FnOnce() -> String) {
        let (_, present) = &mut self.nodes[place as usize];
        if present.is_empty() {
            *present = title();
        }
    }

    /// The titles from one place to another, written `a · b`, as many as fit: the definitions a piece of code holds.
    fn between(&self, first: u32, last: u32) -> String {
        let mut out = String::new();
        for (_, title) in self.nodes[first as usize..=last as usize].iter().filter(|(_, title)| !title.is_empty()) {
            if !out.is_empty() {
                if out.len() + title.len() > LIST_MAX_BYTES {
                    break;
                }
                out.push_str(" · ");
            }
            out.push_str(title);
        }
        out
    }

    /// The path that two places share, written `A › B`.
    fn common(&self, mut a: u32, mut b: u32) -> String {
        while a != b {
            if a > b {
                a = self.nodes[a as usize].0;
            } else {
                b = self.nodes[b as usize].0;
            }
        }
        let mut titles = Vec::new();
        while a != 0 {
            let (parent, title) = &self.nodes[a as usize];
            titles.push(title.as_str());
            a = *parent;
        }
        titles.reverse();
        titles.join(" › ")
    }
}

/// A chunk being filled.
struct Open {
    start: usize,
    end: usize,
    weight: usize,
    path_first: u32,
    path_last: u32,
    /// Headings at the end, which belong to what follows them.
    trailing: Vec<Block>,
    body: bool,
}

impl Open {
    fn at(block: &Block) -> Self {
        Self {
            start: block.start,
            end: block.start,
            weight: 0,
            path_first: block.path,
            path_last: block.path,
            trailing: Vec::new(),
            body: false,
        }
    }

    fn add(&mut self, block: Block) {
        if block.is_heading {
            self.trailing.push(block);
            return;
        }
        for held in self.trailing.drain(..) {
            self.weight += held.weight;
        }
        self.end = block.end;
        self.weight += block.weight;
        self.path_last = block.path;
        self.body = true;
    }

    fn weight_all(&self) -> usize {
        self.weight + self.trailing.iter().map(|b| b.weight).sum::<usize>()
    }
}

fn pack(blocks: Vec<Block>) -> Vec<Open> {
    let total: usize = blocks.iter().map(|b| b.weight).sum();
    let whole = total <= WEIGHT_MAX;
    let mut done: Vec<Open> = Vec::new();
    let mut open: Option<Open> = None;
    for block in blocks {
        if let Some(current) = open.take() {
            let together = current.weight_all() + block.weight;
            let full = together > WEIGHT_MAX || (together > WEIGHT_TARGET && current.weight >= WEIGHT_TARGET * 2 / 3);
            let section = block.opens_section && current.weight >= SECTION_MIN;
            if !whole && (full || section) {
                open = close(current, &mut done);
            } else {
                open = Some(current);
            }
        }
        open.get_or_insert_with(|| Open::at(&block)).add(block);
    }
    if let Some(mut last) = open {
        // Headings with nothing under them stay with what came before.
        if let Some(heading) = last.trailing.last() {
            last.end = heading.end;
            last.path_last = heading.path;
            last.weight = last.weight_all();
        }
        done.push(last);
    }
    join_tails(done)
}

/// Closes a chunk; headings at its end open the next one. A run of bare headings is a chunk of its own only when it
/// grows too large to stay in front of anything.
fn close(mut current: Open, done: &mut Vec<Open>) -> Option<Open> {
    let held = std::mem::take(&mut current.trailing);
    if !current.body {
        if let Some(last) = held.last() {
            current.end = last.end;
            current.path_last = last.path;
        }
        done.push(current);
        return None;
    }
    done.push(current);
    let mut next = Open::at(held.first()?);
    held.into_iter().for_each(|block| next.add(block));
    Some(next)
}

fn join_tails(chunks: Vec<Open>) -> Vec<Open> {
    let mut out: Vec<Open> = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        if let Some(before) = out.last_mut()
            && chunk.weight < TAIL_MIN
            && before.weight + chunk.weight <= WEIGHT_MAX + TAIL_MIN
            && before.path_last == chunk.path_first
        {
            before.end = chunk.end;
            before.weight += chunk.weight;
            before.path_last = chunk.path_last;
            continue;
        }
        out.push(chunk);
    }
    out
}

fn trimmed(text: &str, start: usize, end: usize) -> Option<Span> {
    let part = &text[start..end];
    let left = part.len() - part.trim_start().len();
    let kept = part.trim();
    (!kept.is_empty()).then(|| Span { start: start + left, end: start + left + kept.len() })
}

/// The weight of a text in words: long words, and scripts that write no spaces, weigh more.
fn weight(text: &str, dense: usize) -> usize {
    let (mut weight, mut narrow, mut in_word) = (0usize, 0usize, false);
    for c in text.chars() {
        if c.is_whitespace() {
            weight += narrow / dense;
            narrow = 0;
            in_word = false;
            continue;
        }
        if !in_word {
            weight += 1;
            in_word = true;
        }
        if is_wide(c) {
            weight += 1;
        } else {
            narrow += c.len_utf8();
        }
    }
    weight + narrow / dense
}

/// Scripts whose words are not set apart by spaces.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}

//! The first cut: a text into the blocks its author made. Blocks tile the text; blank lines belong to the block
//! before them. The reading is a heuristic and may be wrong about a document without harm: every byte still belongs
//! to exactly one block.

use super::{Layout, Paths, weight};

/// Headings longer than this are cut; they are labels, not text.
const TITLE_MAX_CHARS: usize = 100;

/// A run of lines that belong together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub start: usize,
    pub end: usize,
    pub weight: usize,
    /// The heading it stands under.
    pub path: u32,
    /// Whether it is a heading line.
    pub is_heading: bool,
    /// Whether a new section or definition begins here.
    pub opens_section: bool,
    /// Whether line ends matter (code, tables, lists), so that a cut is made only there.
    pub by_line: bool,
}

pub(super) struct Blocks {
    pub blocks: Vec<Block>,
    pub paths: Paths,
}

pub(super) fn blocks(text: &str, layout: Layout) -> Blocks {
    let mut reader =
        Reader { text, layout, out: Vec::new(), paths: Paths::new(), open: None, stack: Vec::new(), path: 0 };
    let mut at = 0;
    let mut fence: Option<&str> = None;
    let mut after_blank = true;
    for line in text.split_inclusive('\n') {
        let here = at;
        at += line.len();
        match layout {
            Layout::Markdown => reader.markdown_line(line, here, at, &mut fence),
            Layout::Prose => reader.prose_line(line, here, at),
            Layout::Code => reader.code_line(line, here, at, after_blank),
        }
        after_blank = line.trim().is_empty();
    }
    reader.close();
    Blocks { blocks: reader.out, paths: reader.paths }
}

struct Reader<'t> {
    text: &'t str,
    layout: Layout,
    out: Vec<Block>,
    paths: Paths,
    open: Option<Block>,
    /// Headings above the present place, outermost first, with their levels.
    stack: Vec<(usize, u32)>,
    path: u32,
}

impl Reader<'_> {
    fn close(&mut self) {
        if let Some(mut block) = self.open.take() {
            block.weight = weight(&self.text[block.start..block.end], self.layout.dense());
            self.out.push(block);
        }
    }

    fn begin(&mut self, start: usize, end: usize, by_line: bool) {
        self.close();
        let path = self.path;
        self.open = Some(Block { start, end, weight: 0, path, is_heading: false, opens_section: false, by_line });
    }

    /// Lengthens the open block, or begins one.
    fn extend(&mut self, start: usize, end: usize, by_line: bool) {
        match &mut self.open {
            Some(block) => block.end = end,
            None => self.begin(start, end, by_line),
        }
    }

    /// A blank line: it ends the open block and belongs to it.
    fn blank(&mut self, end: usize) {
        if let Some(block) = &mut self.open {
            block.end = end;
            self.close();
        } else if let Some(last) = self.out.last_mut() {
            last.end = end;
        }
    }

    fn prose_line(&mut self, line: &str, start: usize, end: usize) {
        if line.trim().is_empty() { self.blank(end) } else { self.extend(start, end, false) }
    }

    fn markdown_line<'l>(&mut self, line: &'l str, start: usize, end: usize, fence: &mut Option<&'l str>) {
        let trimmed = line.trim();
        if let Some(mark) = *fence {
            self.extend(start, end, true);
            if trimmed.starts_with(mark) && trimmed.trim_start_matches(&mark[..1]).is_empty() {
                *fence = None;
                self.close();
            }
        } else if trimmed.is_empty() {
            self.blank(end);
        } else if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark)) {
            *fence = Some(mark);
            self.begin(start, end, true);
        } else if let Some((level, title)) = atx_heading(trimmed) {
            self.close();
            self.heading(level, title, start, end);
        } else if let Some(level) = underline(trimmed)
            && let Some(title) = self.open_line()
        {
            let from = self.open.take().map_or(start, |block| block.start);
            self.heading(level, &title, from, end);
        } else if is_list_item(trimmed) {
            self.begin(start, end, true);
        } else {
            let by_line = trimmed.starts_with('|');
            self.extend(start, end, by_line);
        }
    }

    /// The open block where it is one line of prose, which an underline would make a heading.
    fn open_line(&self) -> Option<String> {
        let block = self.open.as_ref().filter(|block| !block.by_line)?;
        let line = self.text[block.start..block.end].trim();
        (!line.contains('\n') && line.len() <= 2 * TITLE_MAX_CHARS).then(|| line.to_owned())
    }

    fn heading(&mut self, level: usize, title: &str, start: usize, end: usize) {
        while self.stack.last().is_some_and(|(above, _)| *above >= level) {
            self.stack.pop();
        }
        let parent = self.stack.last().map_or(0, |(_, path)| *path);
        let title = short(title);
        self.path = if title.is_empty() { parent } else { self.paths.add(parent, title) };
        self.stack.push((level, self.path));
        let weight = weight(&self.text[start..end], self.layout.dense());
        let path = self.path;
        self.out.push(Block { start, end, weight, path, is_heading: true, opens_section: true, by_line: false });
    }

    fn code_line(&mut self, line: &str, start: usize, end: usize, after_blank: bool) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.blank(end);
            return;
        }
        let outer = !line.starts_with([' ', '\t']) && !trimmed.starts_with(['}', ')', ']']) && trimmed != "end";
        if after_blank && outer {
            self.close();
            self.path = self.paths.add(0, String::new());
            self.begin(start, end, true);
            if let Some(block) = &mut self.open {
                block.opens_section = true;
            }
        } else {
            self.extend(start, end, true);
        }
        // The first line of a top-level run that is neither comment nor attribute names what follows.
        if outer && self.path != 0 && !is_remark(trimmed) {
            self.paths.name(self.path, || short(trimmed.trim_end_matches(['{', ':', '(']).trim_end()));
        }
    }
}

fn short(title: &str) -> String {
    title.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX_CHARS).collect()
}

fn atx_heading(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    let is_heading = (1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t']));
    is_heading.then(|| (level, rest.trim().trim_end_matches('#').trim_end()))
}

fn underline(line: &str) -> Option<usize> {
    let all = |c| line.len() >= 3 && line.bytes().all(|b| b == c);
    if all(b'=') { Some(1) } else { all(b'-').then_some(2) }
}

fn is_list_item(line: &str) -> bool {
    if let Some(rest) = line.strip_prefix(['-', '*', '+']) {
        return rest.starts_with([' ', '\t']);
    }
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = line.len() - rest.len();
    (1..=4).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "))
}

fn is_remark(line: &str) -> bool {
    ["//", "#", "/*", "*", "@", "--", ";", "\"\"\"", "'''", "<!--", "%"].iter().any(|mark| line.starts_with(mark))
}

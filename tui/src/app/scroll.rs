//! Scrolling that belongs to the reader.
//!
//! A place is a block (a message, a paragraph) and a line inside it, never a row count from the top, so text that is
//! added below, or a new width, does not move what is being read. Only blocks on the screen are ever laid out:
//! a ten-thousand-message conversation scrolls like a short one.

use ratatui::layout::{Position, Rect};
use std::ops::Range;

/// The first line on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Which block.
    pub block: usize,
    /// Which of its lines.
    pub line: usize,
}

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// At the end, following what is added.
    End,
    /// Here, whatever is added.
    At(Place),
}

/// Something made of blocks of lines.
pub trait Blocks {
    /// How many blocks.
    fn count(&self) -> usize;
    /// How many lines a block has at the present width; at least 1.
    fn lines(&self, block: usize) -> usize;
}

impl Scroll {
    /// The place of the first visible line when `height` lines fit.
    #[must_use]
    pub fn top(self, blocks: &dyn Blocks, height: usize) -> Place {
        let end = end(blocks, height);
        match self {
            Self::End => end,
            Self::At(place) => settle(place, blocks).min(end),
        }
    }

    /// Moved by `delta` lines (down is positive). Reaching the end follows again.
    #[must_use]
    pub fn by(self, delta: isize, blocks: &dyn Blocks, height: usize) -> Self {
        let top = self.top(blocks, height);
        let moved = if delta < 0 { up(top, delta.unsigned_abs(), blocks) } else { down(top, delta as usize, blocks) };
        if delta >= 0 && moved >= end(blocks, height) { Self::End } else { Self::At(moved) }
    }

    /// The very beginning.
    #[must_use]
    pub fn home(blocks: &dyn Blocks, height: usize) -> Self {
        if end(blocks, height) == Place::default() { Self::End } else { Self::At(Place::default()) }
    }

    /// How many lines lie below the screen, counted up to `most`.
    #[must_use]
    pub fn below(self, blocks: &dyn Blocks, height: usize, most: usize) -> usize {
        let top = self.top(blocks, height);
        let mut lines = 0;
        for block in top.block..blocks.count() {
            lines += blocks.lines(block) - if block == top.block { top.line } else { 0 };
            if lines > height + most {
                return most;
            }
        }
        lines.saturating_sub(height)
    }
}

/// The place from which the last `height` lines fill the screen.
fn end(blocks: &dyn Blocks, height: usize) -> Place {
    let mut missing = height;
    for block in (0..blocks.count()).rev() {
        let lines = blocks.lines(block);
        if lines >= missing {
            return Place { block, line: lines - missing.min(lines) };
        }
        missing -= lines;
    }
    Place::default()
}

/// The place, made to exist.
fn settle(place: Place, blocks: &dyn Blocks) -> Place {
    let count = blocks.count();
    if count == 0 {
        return Place::default();
    }
    let block = place.block.min(count - 1);
    Place { block, line: place.line.min(blocks.lines(block).saturating_sub(1)) }
}

fn up(mut place: Place, mut delta: usize, blocks: &dyn Blocks) -> Place {
    while delta > place.line {
        if place.block == 0 {
            return Place::default();
        }
        delta -= place.line + 1;
        place.block -= 1;
        place.line = blocks.lines(place.block).saturating_sub(1);
    }
    place.line -= delta;
    place
}

/// A place moved by `delta` lines, kept inside.
#[must_use]
pub fn moved(place: Place, delta: isize, blocks: &dyn Blocks) -> Place {
    let place = settle(place, blocks);
    if delta < 0 {
        return up(place, delta.unsigned_abs(), blocks);
    }
    let place = down(place, delta as usize, blocks);
    match blocks.count().checked_sub(1) {
        Some(last) if place.block > last => Place { block: last, line: blocks.lines(last).saturating_sub(1) },
        _ => place,
    }
}

fn down(mut place: Place, mut delta: usize, blocks: &dyn Blocks) -> Place {
    while place.block < blocks.count() {
        let left = blocks.lines(place.block) - place.line;
        if delta < left {
            place.line += delta;
            return place;
        }
        delta -= left;
        place = Place { block: place.block + 1, line: 0 };
    }
    place
}

/// The index of a selected row after a move, kept inside a list of `count`.
#[must_use]
pub fn step(selected: usize, delta: isize, count: usize) -> usize {
    selected.saturating_add_signed(delta).min(count.saturating_sub(1))
}

/// The first row to draw so that `selected` is among the `height` visible ones.
#[must_use]
pub fn first_row(selected: usize, height: usize, count: usize) -> usize {
    selected.saturating_sub(height.saturating_sub(1)).min(count.saturating_sub(height.min(count)))
}

/// The rows of a list on the screen. Drawing and clicking read the same one, so a click never misses what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Where they lie.
    pub area: Rect,
    /// Lines each of them takes.
    pub each: u16,
    /// The first one drawn.
    pub first: usize,
    /// How many there are in all.
    pub count: usize,
}

impl Rows {
    /// Rows of `each` lines in `area`, so that `selected` is among them.
    #[must_use]
    pub fn new(area: Rect, each: u16, selected: usize, count: usize) -> Self {
        let mut rows = Self { area, each: each.max(1), first: 0, count };
        rows.first = first_row(selected, rows.fit(), count);
        rows
    }

    /// Rows of one line below the heading that the first line of `inside` is.
    #[must_use]
    pub fn below_heading(inside: Rect, selected: usize, count: usize) -> Self {
        let area = Rect { y: inside.y + 1.min(inside.height), height: inside.height.saturating_sub(1), ..inside };
        Self::new(area, 1, selected, count)
    }

    fn fit(&self) -> usize {
        usize::from(self.area.height / self.each).max(1)
    }

    /// The indexes that are drawn.
    #[must_use]
    pub fn shown(&self) -> Range<usize> {
        self.first..(self.first + self.fit()).min(self.count)
    }

    /// The index of the row at a place of the screen.
    #[must_use]
    pub fn at(&self, place: Position) -> Option<usize> {
        let index = self.first + usize::from(place.y.saturating_sub(self.area.y) / self.each);
        (self.area.contains(place) && self.shown().contains(&index)).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<usize>);
    impl Blocks for Fixed {
        fn count(&self) -> usize {
            self.0.len()
        }
        fn lines(&self, block: usize) -> usize {
            self.0[block]
        }
    }

    #[test]
    fn follows_only_at_the_end() {
        let mut blocks = Fixed(vec![3, 3, 3]);
        assert_eq!(Scroll::End.top(&blocks, 4), Place { block: 1, line: 2 });
        let reading = Scroll::End.by(-2, &blocks, 4);
        assert_eq!(reading, Scroll::At(Place { block: 1, line: 0 }));
        blocks.0.push(50);
        assert_eq!(reading.top(&blocks, 4), Place { block: 1, line: 0 }, "what is added below moves nothing");
        assert_eq!(reading.below(&blocks, 4, 99), 52);
        assert_eq!(reading.by(1000, &blocks, 4), Scroll::End);
    }

    #[test]
    fn short_texts_stay_at_the_top() {
        let blocks = Fixed(vec![1, 1]);
        assert_eq!(Scroll::End.top(&blocks, 10), Place::default());
        assert_eq!(Scroll::End.by(-5, &blocks, 10).top(&blocks, 10), Place::default());
        assert_eq!(Scroll::home(&blocks, 10), Scroll::End);
        assert_eq!(Scroll::End.top(&Fixed(vec![]), 10), Place::default());
        assert_eq!(Scroll::At(Place { block: 9, line: 9 }).top(&Fixed(vec![]), 0), Place::default());
    }

    #[test]
    fn a_place_that_is_gone_settles() {
        let blocks = Fixed(vec![5, 5, 5]);
        assert_eq!(Scroll::At(Place { block: 0, line: 99 }).top(&blocks, 2), Place { block: 0, line: 4 });
        assert_eq!(Scroll::At(Place { block: 99, line: 0 }).top(&blocks, 2), Place { block: 2, line: 0 });
    }

    #[test]
    fn a_click_finds_the_row_that_is_drawn() {
        let rows = Rows::new(Rect { x: 2, y: 3, width: 10, height: 5 }, 2, 4, 9);
        assert_eq!(rows.shown(), 3..5);
        let at = |x, y| rows.at(Position { x, y });
        assert_eq!((at(2, 3), at(11, 6), at(2, 7), at(1, 3), at(2, 8)), (Some(3), Some(4), None, None, None));
        let one = Rows::new(Rect { x: 0, y: 0, width: 5, height: 4 }, 1, 0, 1);
        assert_eq!((one.at(Position { x: 0, y: 0 }), one.at(Position { x: 0, y: 1 })), (Some(0), None));
    }

    #[test]
    fn a_heading_is_no_row() {
        let rows = Rows::below_heading(Rect { x: 0, y: 3, width: 5, height: 3 }, 4, 9);
        assert_eq!(
            (rows.shown(), rows.at(Position { x: 0, y: 3 }), rows.at(Position { x: 0, y: 4 })),
            (3..5, None, Some(3))
        );
        let none = Rows::below_heading(Rect { x: 0, y: 3, width: 5, height: 0 }, 0, 9);
        assert_eq!((none.area.y, none.at(Position { x: 0, y: 3 })), (3, None));
    }

    #[test]
    fn lists_keep_the_selection_visible() {
        assert_eq!(first_row(0, 5, 20), 0);
        assert_eq!(first_row(19, 5, 20), 15);
        assert_eq!(first_row(3, 0, 20), 3);
        assert_eq!(step(0, -1, 3), 0);
        assert_eq!(step(2, 5, 3), 2);
        assert_eq!(step(2, 1, 0), 0);
    }
}

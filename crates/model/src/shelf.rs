//! Memory for what is read from end to end all the time: weights, factors, keys and values, side by side in large pages.
//!
//! A token reads every weight once. With pages of four kilobytes the processor looks up an address for every other row,
//! which on virtual machines takes longer than the reading itself; so pieces are laid one after another into mappings
//! for which the system is asked for pages of two megabytes. Where it gives none, they are ordinary memory.
//!
//! A mapping goes back to the system with the last of its pieces, and pieces that are asked for one after another lie
//! one after another, whoever asks.
#![allow(unsafe_code, reason = "typed pieces of an untyped mapping")]

use memmap2::MmapMut;
use std::{
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// A large page.
const PAGE: usize = 2 << 20;
/// Bytes of a mapping of weights, where no single piece wants more.
const MAPPING: usize = 16 * PAGE;
/// Pieces that come and go in one mapping, at most.
const SHARERS: usize = 8;
/// Pieces begin where a line of the cache does.
const LINE: usize = 64;

/// A mapping that pieces are cut from.
#[derive(Debug)]
struct Mapping {
    /// Holds the memory; it is only used through the pieces.
    map: MmapMut,
    /// Where the first large page begins.
    start: usize,
    /// Bytes from there that were handed out. Only grows.
    used: Mutex<usize>,
}

/// Where pieces that belong together come from.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Bytes of a mapping, where no single piece wants more.
    mapping: usize,
    /// The mapping that the next piece may come from.
    last: Mutex<Weak<Mapping>>,
}

/// Where weights and factors come from.
static LASTING: Arena = Arena::new(MAPPING);

impl Arena {
    /// One with mappings of so many bytes.
    const fn new(mapping: usize) -> Self {
        Self { mapping, last: Mutex::new(Weak::new()) }
    }

    /// One for pieces that come and go, of so many bytes in all each: up to eight of them share a mapping, as many as
    /// leave the least of its large pages unused.
    pub(crate) fn for_pieces(bytes: usize) -> Self {
        let unused = |count: &usize| ((count * bytes).next_multiple_of(PAGE) - count * bytes) / count;
        let count = (1..=SHARERS).min_by_key(unused).unwrap_or(1);
        Self::new(count * bytes)
    }

    /// A piece of this one's, and what it is cut from; nothing where the system has no memory left.
    fn cut(&self, bytes: usize) -> Option<(NonNull<u8>, Arc<Mapping>)> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = last.upgrade()
            && let Some(first) = mapping.cut(bytes)
        {
            return Some((first, mapping));
        }
        let mapping = Mapping::new(bytes.max(self.mapping))?;
        // What is left of the old one is not used any more.
        *last = Arc::downgrade(&mapping);
        mapping.cut(bytes).map(|first| (first, mapping))
    }
}

impl Mapping {
    /// Zeros; nothing where the system has no memory left.
    fn new(bytes: usize) -> Option<Arc<Self>> {
        // One page more, so that large pages fit wherever the mapping begins.
        let map = MmapMut::map_anon(bytes.checked_next_multiple_of(PAGE)?.checked_add(PAGE)?).ok()?;
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = map.as_ptr().align_offset(PAGE);
        Some(Arc::new(Self { map, start, used: Mutex::new(0) }))
    }

    /// The place of so many bytes that nobody else has, or nothing where there is no room for them.
    fn cut(&self, bytes: usize) -> Option<NonNull<u8>> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.start + *used;
        if bytes > self.map.len() - from {
            return None;
        }
        *used = (*used + bytes).next_multiple_of(LINE).min(self.map.len() - self.start);
        // SAFETY: `from` lies within the mapping.
        NonNull::new(unsafe { self.map.as_ptr().cast_mut().add(from) })
    }
}

/// A slice of its own in memory that is quick to read.
pub struct Shelf<T: Copy> {
    first: NonNull<T>,
    len: usize,
    /// Keeps the memory.
    mapping: Option<Arc<Mapping>>,
}

// SAFETY: a piece is its owner's alone, like a vector's memory; the mapping it keeps is only counted.
unsafe impl<T: Copy + Send> Send for Shelf<T> {}
// SAFETY: as above.
unsafe impl<T: Copy + Sync> Sync for Shelf<T> {}

/// A number whose zero is all bits zero.
pub(crate) trait Zero: Copy {}
impl Zero for u16 {}
impl Zero for i8 {}
impl Zero for f32 {}

#[allow(private_bounds, reason = "zeros come from arenas of this crate")]
impl<T: Zero> Shelf<T> {
    /// Zeros from an arena; nothing where the system has no memory left.
    pub(crate) fn zeros(arena: &Arena, count: usize) -> Option<Self> {
        // Nobody has had the place before, and a new mapping is all zeros.
        Self::at(arena, count)
    }
}

impl<T: Copy> Shelf<T> {
    /// `count` times `value`. Ends the process where there is no memory left, as a vector does.
    #[must_use]
    pub fn filled(value: T, count: usize) -> Self {
        let shelf = Self::at(&LASTING, count);
        let shelf = shelf.unwrap_or_else(|| std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u8; PAGE]>()));
        for at in 0..count {
            // SAFETY: the piece has room for `count` of them, begins at a line, and nobody else has it.
            unsafe { shelf.first.add(at).write(value) };
        }
        shelf
    }

    /// A place for so many of them, whose bytes are zeros.
    fn at(arena: &Arena, count: usize) -> Option<Self> {
        const { assert!(align_of::<T>() <= LINE) };
        let bytes = count.checked_mul(size_of::<T>()).filter(|bytes| isize::try_from(*bytes).is_ok())?;
        if bytes == 0 {
            return Some(Self { first: NonNull::dangling(), len: count, mapping: None });
        }
        let (first, mapping) = arena.cut(bytes)?;
        Some(Self { first: first.cast(), len: count, mapping: Some(mapping) })
    }

    /// Which mapping this is a piece of, and how many pieces of it there are; nothing for an empty one.
    pub(crate) fn sharers(&self) -> Option<(usize, usize)> {
        self.mapping.as_ref().map(|mapping| (Arc::as_ptr(mapping).addr(), Arc::strong_count(mapping)))
    }
}

impl<T: Copy> From<&[T]> for Shelf<T> {
    fn from(slice: &[T]) -> Self {
        let Some(first) = slice.first() else {
            return Self { first: NonNull::dangling(), len: 0, mapping: None };
        };
        let mut shelf = Self::filled(*first, slice.len());
        shelf.copy_from_slice(slice);
        shelf
    }
}

impl<T: Copy> Deref for Shelf<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: all of them were written, and the mapping is kept as long as this.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T: Copy> DerefMut for Shelf<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the piece is this one's alone.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

impl<T: Copy> std::fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shelf({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_apart_aligned_and_hold_what_was_written() {
        let mut pieces: Vec<Shelf<u32>> = (0..200).map(|i| Shelf::filled(i, 1 + 977 * i as usize)).collect();
        for (i, piece) in (0u32..).zip(&mut pieces) {
            assert_eq!((piece.len(), piece.as_ptr().align_offset(LINE)), (1 + 977 * i as usize, 0));
            assert!(piece.iter().all(|x| *x == i));
            piece.fill(!i);
        }
        pieces.truncate(100);
        assert!((0u32..).zip(&pieces).all(|(i, piece)| piece.iter().all(|x| *x == !i)));
    }

    #[test]
    fn a_piece_may_be_empty_or_larger_than_a_mapping() {
        assert!(Shelf::filled(0u8, 0).is_empty() && Shelf::<u16>::from(&[][..]).is_empty());
        let large = Shelf::filled(7u8, MAPPING + 3);
        assert!(large.len() == MAPPING + 3 && large[MAPPING + 2] == 7);
        assert_eq!(&Shelf::from(&[1.5f32, 2.5][..])[..], &[1.5, 2.5]);
    }

    #[test]
    fn pieces_that_come_and_go_share_mappings_that_they_fill() {
        for bytes in [1_474_560, 783_360, 3 << 20, 2 << 20, 7_340_032, 64] {
            let arena = Arena::for_pieces(bytes);
            assert!(arena.mapping <= SHARERS * bytes, "{bytes}");
            let pieces: Vec<Shelf<u16>> = (0..20).map(|_| Shelf::zeros(&arena, bytes / 2).unwrap()).collect();
            assert!(pieces.iter().all(|piece| piece.iter().all(|x| *x == 0)));
            let mut places: Vec<usize> =
                pieces.iter().filter_map(|piece| piece.sharers()).map(|found| found.0).collect();
            places.sort_unstable();
            places.dedup();
            // Of a page of two megabytes a small part is left unused, where pieces are not tiny.
            let used = 20 * bytes;
            let held = places.len() * arena.mapping.next_multiple_of(PAGE);
            assert!(bytes < 4096 || held * 4 <= (used + 2 * arena.mapping) * 5, "{bytes}: {held} for {used}");
        }
        let first = Shelf::<i8>::zeros(&Arena::for_pieces(100), 100).unwrap();
        assert_eq!(first.sharers().map(|found| found.1), Some(1));
        assert!(Shelf::<f32>::zeros(&Arena::for_pieces(4), 0).unwrap().sharers().is_none());
    }
}

//! Memory for what is read from end to end all the time: weights and factors, side by side in large pages.
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
/// Bytes of a mapping, where no single piece wants more.
const MAPPING: usize = 16 * PAGE;
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

/// The mapping that the next piece may come from.
static LAST: Mutex<Weak<Mapping>> = Mutex::new(Weak::new());

impl Mapping {
    fn new(bytes: usize) -> Arc<Self> {
        // One page more, so that large pages fit wherever the mapping begins.
        let map = MmapMut::map_anon(bytes.next_multiple_of(PAGE) + PAGE);
        let map = map.unwrap_or_else(|_| std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u8; PAGE]>()));
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = map.as_ptr().align_offset(PAGE);
        Arc::new(Self { map, start, used: Mutex::new(0) })
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
    _mapping: Option<Arc<Mapping>>,
}

// SAFETY: a piece is its owner's alone, like a vector's memory; the mapping it keeps is only counted.
unsafe impl<T: Copy + Send> Send for Shelf<T> {}
// SAFETY: as above.
unsafe impl<T: Copy + Sync> Sync for Shelf<T> {}

impl<T: Copy> Shelf<T> {
    /// `count` times `value`. Ends the process where there is no memory left, as a vector does.
    #[must_use]
    pub fn filled(value: T, count: usize) -> Self {
        const { assert!(align_of::<T>() <= LINE) };
        let bytes = count.checked_mul(size_of::<T>()).filter(|bytes| isize::try_from(*bytes).is_ok());
        let bytes = bytes.unwrap_or_else(|| std::alloc::handle_alloc_error(std::alloc::Layout::new::<T>()));
        if bytes == 0 {
            return Self { first: NonNull::dangling(), len: count, _mapping: None };
        }
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = last.upgrade().and_then(|mapping| mapping.cut(bytes).map(|first| (first, mapping)));
        let (first, mapping) = cut.unwrap_or_else(|| {
            let mapping = Mapping::new(bytes.max(MAPPING));
            // What is left of the old one is not used any more.
            *last = Arc::downgrade(&mapping);
            let first = mapping.cut(bytes);
            (first.unwrap_or_else(|| unreachable!("a new mapping has room for what it was made for")), mapping)
        });
        drop(last);
        let first = first.cast::<T>();
        for at in 0..count {
            // SAFETY: the piece has room for `count` of them, begins at a line, and nobody else has it.
            unsafe { first.add(at).write(value) };
        }
        Self { first, len: count, _mapping: Some(mapping) }
    }
}

impl<T: Copy> From<&[T]> for Shelf<T> {
    fn from(slice: &[T]) -> Self {
        let Some(first) = slice.first() else {
            return Self { first: NonNull::dangling(), len: 0, _mapping: None };
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
}

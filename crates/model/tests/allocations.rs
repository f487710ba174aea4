//! Once the buffers are there, a token reserves memory for its own text alone: neither its arithmetic nor the drawing of
//! the next one does.
#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use hinet_model::{Anchor, Flow, LoadOptions, Sampling};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    /// What this thread has reserved. The test has the model work on its own thread alone.
    static RESERVED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends may reserve after its count is gone.
        let _ = RESERVED.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as asked of this.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as asked of this.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = RESERVED.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as asked of this.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn reserved(work: impl FnOnce()) -> usize {
    let before = RESERVED.get();
    work();
    RESERVED.get() - before
}

#[test]
fn a_token_reserves_memory_for_its_text_alone() {
    let options = LoadOptions { threads: Some(1), kernel: None };
    let anchor = Anchor::load_with(&common::anchor_paths(), options).unwrap();
    let mut session = anchor.session(512);
    let prompt = anchor.encode("Once upon a time there was a", false);
    let sampling = |max_tokens| Sampling {
        temperature: 0.8,
        top_p: 0.9,
        min_p: 0.02,
        repeat_penalty: 1.1,
        seed: 3,
        max_tokens,
        ..Sampling::default()
    };
    let mut write = |max_tokens| {
        let mut made = 0;
        let count = reserved(|| {
            let answer = session.generate(&prompt, &sampling(max_tokens), &mut |_| Flow::Continue).unwrap();
            made = answer.generated;
        });
        (count, made)
    };
    // Buffers, and the pages of keys and values.
    write(120);
    let (few, long) = (write(20), write(120));
    println!("{few:?} {long:?}");
    assert!(long.1 > few.1 + 50, "the story is long enough to tell: {long:?}");
    // A piece of text for each, and now and then all of the text grows; one operation of a decoder's layers would be thirty.
    let (reserved, tokens) = (long.0 - few.0, long.1 - few.1);
    assert!(reserved <= tokens + tokens / 10, "{few:?} {long:?}");
}

//! What the machine gives at most: bytes from memory, and fused multiply-adds.
#![allow(unsafe_code, reason = "vector loads and stores")]

use crate::{
    ModelError,
    kernels::{Crew, Job, Kernel, Slots, lanes::Lanes},
    shelf::Shelf,
};
use serde::Serialize;
use std::time::Instant;

/// Floats that are read: more than any cache holds.
const FLOATS: usize = 64 << 20;
/// Multiply-adds of sixteen lanes in one task.
const STEPS: usize = 1 << 18;
/// Sums that are kept apart, so that no addition waits for the one before.
const CHAINS: usize = 8;
/// The same for multiply-adds: sixteen registers hold these in pairs, and the two numbers that are multiplied and added.
const SUMS: usize = 6;

/// Samples of both.
#[derive(Debug, Clone, Serialize)]
pub struct Ceilings {
    /// Gigabytes a second, read in order.
    pub read_gb_s: Vec<f64>,
    /// Billions of floating-point operations a second; a multiply-add counts as two.
    pub fma_gflop_s: Vec<f64>,
}

/// Measures both with the same threads and instructions as the engine.
///
/// # Errors
/// Where the kernels do not run here.
#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2⁵²")]
pub fn ceilings(threads: usize, kernel: Kernel, repeats: usize) -> Result<Ceilings, ModelError> {
    let running = kernel.checked()?;
    let crew = Crew::new(threads);
    // As the weights lie.
    let floats = Shelf::filled(1.0f32, FLOATS);
    let tasks = threads * 8;
    let mut sums = vec![0.0f32; 16 * tasks];
    let mut all = Ceilings { read_gb_s: Vec::new(), fma_gflop_s: Vec::new() };
    for _ in 0..repeats {
        let slots = Slots::over(&mut sums);
        let began = Instant::now();
        crew.run(tasks, |_, task| {
            let part = &floats[FLOATS * task / tasks..FLOATS * (task + 1) / tasks];
            // SAFETY: each task has its own sixteen sums.
            unsafe { running.run(Read { part, out: slots.part(16 * task, 16) }) }
        });
        all.read_gb_s.push((FLOATS * 4) as f64 / began.elapsed().as_secs_f64() / 1e9);
        let began = Instant::now();
        crew.run(tasks, |_, task| {
            // SAFETY: as above.
            unsafe { running.run(Multiply { out: slots.part(16 * task, 16) }) }
        });
        let done = (tasks * STEPS * SUMS * 16 * 2) as f64;
        all.fma_gflop_s.push(done / began.elapsed().as_secs_f64() / 1e9);
    }
    Ok(all)
}

struct Read<'a> {
    part: &'a [f32],
    out: &'a mut [f32],
}

impl Job for Read<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        // SAFETY: loads are of whole pieces of the part; `out` holds sixteen.
        unsafe {
            let mut sums = [L::splat(0.0); CHAINS];
            for piece in self.part.chunks_exact(16 * CHAINS) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(L::load(piece.as_ptr().add(16 * i)));
                }
            }
            let total = sums.into_iter().fold(L::splat(0.0), |total, sum| total.add(sum));
            total.store(self.out.as_mut_ptr());
        }
    }
}

struct Multiply<'a> {
    out: &'a mut [f32],
}

impl Job for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        // SAFETY: `out` holds sixteen.
        unsafe {
            let (a, b) = (L::splat(0.999_999), L::splat(1e-7));
            let mut sums = [L::splat(1.0); SUMS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = sum.fma(a, b);
                }
            }
            let total = sums.into_iter().fold(L::splat(0.0), |total, sum| total.add(sum));
            total.store(self.out.as_mut_ptr());
        }
    }
}

//! The arithmetic: int8 and float kernels, written once and compiled for each instruction set, and the threads they run
//! on.
//!
//! Nothing here knows a model. Every kernel writes each of its outputs from start to end in one fixed order, so results
//! depend neither on the number of threads nor on how many rows are computed at once.
#![allow(unsafe_code, reason = "entering code compiled for an instruction set, and outputs shared between threads")]

pub(crate) mod attend;
mod crew;
mod dense;
mod int8;
pub mod lanes;
pub(crate) mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod open;
mod pack;
pub mod rowwise;
mod strip;
#[cfg(test)]
mod tests;
pub(crate) mod thin;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use crew::Crew;
pub use int8::{Int8Block, Int8Rows};
pub use matrix::{Matrix, Strips};
pub use open::turned;
pub use pack::{BLOCK, Q4Block, Q4KBlock, Q4MinBlock, Q5Block, Q5KBlock, Q5MinBlock, Q6KBlock, Q8Block, STRIP};

use crate::ModelError;
use lanes::Lanes;

/// Which instruction set the kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// No vector instructions of our own; whatever the compiler makes of it.
    Plain,
    /// x86 with AVX2, FMA and F16C.
    Avx2,
    /// x86 with AVX-512 and its byte dot products (VNNI).
    Avx512,
    /// 64-bit ARM.
    Neon,
    /// 64-bit ARM with byte dot products.
    NeonDot,
}

impl Kernel {
    /// All of them, the slowest of each processor first.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Avx2, Self::Avx512, Self::Neon, Self::NeonDot];

    /// The fastest this processor runs.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|kernel| kernel.runs_here()).unwrap_or(Self::Plain)
    }

    /// Whether this processor has the instructions.
    #[must_use]
    pub fn runs_here(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.runs_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => Self::Neon.runs_here() && std::arch::is_aarch64_feature_detected!("dotprod"),
            _ => false,
        }
    }

    /// What to call it in a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512-vnni",
            Self::Neon => "neon",
            Self::NeonDot => "neon-dot",
        }
    }

    /// Makes sure that [`Kernel::run`] may be called: the only way to a [`Running`].
    pub fn checked(self) -> Result<Running, ModelError> {
        if self.runs_here() { Ok(Running(self)) } else { Err(ModelError::Kernel { kernel: self.name() }) }
    }
}

/// A kernel path this processor was found to have.
#[derive(Debug, Clone, Copy)]
pub struct Running(Kernel);

/// A piece of arithmetic to be compiled for each instruction set.
pub trait Job {
    /// What it gives back.
    type Output;
    /// Carries it out.
    ///
    /// # Safety
    /// The processor must have the instruction set of `L`; and what the job itself asks for.
    unsafe fn go<L: Lanes>(self) -> Self::Output;
}

impl Running {
    /// Which one.
    #[must_use]
    pub fn kernel(self) -> Kernel {
        self.0
    }

    /// Runs a job on this path.
    ///
    /// # Safety
    /// What the job asks for.
    #[inline]
    pub unsafe fn run<J: Job>(self, job: J) -> J::Output {
        // SAFETY: a `Running` exists only for instruction sets that were detected.
        unsafe {
            match self.0 {
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx512 => avx512(job),
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx2 => avx2(job),
                #[cfg(target_arch = "aarch64")]
                Kernel::Neon => job.go::<neon::Neon<false>>(),
                #[cfg(target_arch = "aarch64")]
                Kernel::NeonDot => neon_dot(job),
                _ => job.go::<lanes::Plain>(),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<J: Job>(job: J) -> J::Output {
    // SAFETY: the instruction set is that of this function.
    unsafe { job.go::<x86::Avx2>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn avx512<J: Job>(job: J) -> J::Output {
    // SAFETY: the instruction set is that of this function.
    unsafe { job.go::<x86::Avx512>() }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod")]
unsafe fn neon_dot<J: Job>(job: J) -> J::Output {
    // SAFETY: the instruction set is that of this function.
    unsafe { job.go::<neon::Neon<true>>() }
}

/// A slice whose separate parts are written by separate threads.
#[derive(Debug, Clone, Copy)]
pub struct Slots<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: the only access is `part`, whose caller promises that no two threads touch the same elements.
unsafe impl<T: Send> Send for Slots<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    /// The slice must outlive every use of the slots, which the borrow of the crew's job sees to.
    #[must_use]
    pub fn over(slice: &mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len() }
    }

    /// Elements `from..from + count`.
    ///
    /// # Safety
    /// The slice is still borrowed for these slots, and nobody else uses these elements meanwhile.
    #[allow(clippy::mut_from_ref, reason = "that is what the safety contract is about")]
    #[must_use]
    pub unsafe fn part(&self, from: usize, count: usize) -> &mut [T] {
        assert!(from.checked_add(count).is_some_and(|end| end <= self.len), "a part lies inside its slice");
        // SAFETY: inside the slice by the check, and not shared by contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), count) }
    }

    /// Elements `from..from + count`, to be read.
    ///
    /// # Safety
    /// The slice is still borrowed for these slots, and nobody writes these elements meanwhile.
    #[must_use]
    pub unsafe fn read(&self, from: usize, count: usize) -> &[T] {
        assert!(from.checked_add(count).is_some_and(|end| end <= self.len), "a part lies inside its slice");
        // SAFETY: inside the slice by the check, and not written by contract.
        unsafe { std::slice::from_raw_parts(self.start.add(from), count) }
    }

    /// A pointer to element `from`.
    ///
    /// # Safety
    /// `from` lies inside the slice; the rest is between the caller and whatever writes through the pointer.
    #[must_use]
    pub unsafe fn at(&self, from: usize) -> *mut T {
        debug_assert!(from < self.len);
        // SAFETY: by contract.
        unsafe { self.start.add(from) }
    }
}

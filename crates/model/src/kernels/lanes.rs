//! Sixteen 32-bit floats as one value: the alphabet the floating-point kernels are written in.
//!
//! A kernel is written once, generic over [`Lanes`], and compiled for each instruction set. Each operation is the same
//! IEEE operation on every path, and sums are taken in one fixed tree, so a kernel gives the same bits on every path
//! whose [`Lanes::fma`] is fused; [`Plain`] on x86 processors without FMA differs by its rounding.
#![allow(unsafe_code, reason = "loads and stores through pointers; the caller vouches for them")]

/// Sixteen floats.
///
/// # Safety
/// Calling any of these needs the instruction set of the implementer, which [`super::Kernel::run`] sees to; the pointers
/// must be good for sixteen elements of their type, at any alignment.
pub(crate) trait Lanes: Copy {
    /// Rows an attention or matrix kernel keeps in registers at once.
    const ROWS: usize;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Sixteen half floats, widened.
    unsafe fn load_half(from: *const u16) -> Self;
    /// Sixteen bytes with a sign, widened.
    #[inline(always)]
    unsafe fn load_int8(from: *const i8) -> Self {
        // SAFETY: good for sixteen bytes by contract.
        let wide = unsafe { from.cast::<[i8; 16]>().read_unaligned() }.map(f32::from);
        // SAFETY: `wide` holds sixteen floats.
        unsafe { Self::load(wide.as_ptr()) }
    }
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self · b + c`, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// The larger of two numbers that are not NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller of two numbers that are not NaN.
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// The bits of each lane shifted left by 23: turns a small integer in the lowest bits into an exponent.
    unsafe fn exponent(self) -> Self;
    /// The lowest byte of each lane's bits.
    unsafe fn store_low_bytes(self, to: *mut i8);

    /// Sixteen outputs for each of `T` tokens from one strip of four-bit weights; adds nothing to what was there.
    unsafe fn strip_q4<const T: usize>(
        strip: &[super::Q4Block],
        x: &super::Int8Rows,
        first: usize,
        out: *mut f32,
        stride: usize,
    );
    /// The same for eight-bit weights.
    unsafe fn strip_q8<const T: usize>(
        strip: &[super::Q8Block],
        x: &super::Int8Rows,
        first: usize,
        out: *mut f32,
        stride: usize,
    );

    /// The sum of all lanes, in a fixed tree.
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut x = [0f32; 16];
        // SAFETY: `x` holds sixteen floats.
        unsafe { self.store(x.as_mut_ptr()) };
        let mut width = 8;
        while width > 0 {
            for i in 0..width {
                x[i] += x[i + width];
            }
            width /= 2;
        }
        x[0]
    }

    /// The largest lane.
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        let mut x = [0f32; 16];
        // SAFETY: `x` holds sixteen floats.
        unsafe { self.store(x.as_mut_ptr()) };
        x.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// eˣ to about one unit in the last place, for x clamped to ±87 (Cephes' `expf` polynomial).
    #[inline(always)]
    unsafe fn exp(self) -> Self {
        // 1.5 · 2²³ + 127: adding it leaves the rounded integer, biased as an exponent, in the lowest bits.
        const MAGIC: f32 = 12_582_912.0 + 127.0;
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let c = |x: f32| Self::splat(x);
            let x = self.max(c(-87.0)).min(c(87.0));
            let shifted = x.mul(c(std::f32::consts::LOG2_E)).add(c(MAGIC));
            let n = shifted.sub(c(MAGIC));
            let r = n.fma(c(-0.693_359_4), x);
            let r = n.fma(c(2.121_944_4e-4), r);
            let mut p = c(1.987_569_1e-4);
            for k in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
                p = p.fma(r, c(k));
            }
            let y = p.fma(r.mul(r), r).add(c(1.0));
            y.mul(shifted.exponent())
        }
    }
}

/// Sixteen floats without vector instructions of our own; the reference for the others.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f32; 16]);

/// Whether the plain path fuses multiply and add. Without the instruction, fusing would be a call per number.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64", target_arch = "riscv64"));

#[inline(always)]
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

/// A half float that is neither infinite nor NaN, widened without a branch: moved into place and rescaled.
#[inline(always)]
pub(crate) fn widen(half: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | (u32::from(half & 0x8000) << 16))
}

impl Lanes for Plain {
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 16])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: good for sixteen floats by contract; read as bytes of any alignment.
        Self(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        // SAFETY: as for `load`.
        let halves = unsafe { from.cast::<[u16; 16]>().read_unaligned() };
        Self(halves.map(widen))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| fused(self.0[i], b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        Self(self.0.map(|x| f32::from_bits(x.to_bits() << 23)))
    }
    #[inline(always)]
    unsafe fn store_low_bytes(self, to: *mut i8) {
        #[allow(clippy::cast_possible_truncation, reason = "the lowest byte is what is asked for")]
        let bytes = self.0.map(|x| x.to_bits() as u8);
        // SAFETY: good for sixteen bytes by contract.
        unsafe { to.cast::<[u8; 16]>().write_unaligned(bytes) }
    }
    #[inline(always)]
    unsafe fn strip_q4<const T: usize>(
        strip: &[super::Q4Block],
        x: &super::Int8Rows,
        first: usize,
        out: *mut f32,
        stride: usize,
    ) {
        // SAFETY: forwarded as it came.
        unsafe { super::int8::plain_q4::<T>(strip, x, first, out, stride) }
    }
    #[inline(always)]
    unsafe fn strip_q8<const T: usize>(
        strip: &[super::Q8Block],
        x: &super::Int8Rows,
        first: usize,
        out: *mut f32,
        stride: usize,
    ) {
        // SAFETY: forwarded as it came.
        unsafe { super::int8::plain_q8::<T>(strip, x, first, out, stride) }
    }
}

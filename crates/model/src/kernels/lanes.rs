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
#[allow(clippy::missing_safety_doc, reason = "said once, above")]
pub trait Lanes: Copy {
    /// Rows an attention or matrix kernel keeps in registers at once: one, four or eight.
    const ROWS: usize;

    /// Sixteen times the same.
    unsafe fn splat(x: f32) -> Self;
    /// Sixteen floats that lie one after the other.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes them one after the other.
    unsafe fn store(self, to: *mut f32);
    /// Sixteen half floats, widened.
    unsafe fn load_half(from: *const u16) -> Self;
    /// Sixteen small integers, widened.
    #[inline(always)]
    unsafe fn load_int8(from: *const i8) -> Self {
        // SAFETY: good for sixteen bytes by contract; an array of sixteen floats is loaded whole.
        unsafe {
            let floats = from.cast::<[i8; 16]>().read_unaligned().map(f32::from);
            Self::load(floats.as_ptr())
        }
    }
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self · other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self / other`.
    unsafe fn div(self, other: Self) -> Self;
    /// `self · b + c`, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// The larger of two numbers that are not NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller of two numbers that are not NaN.
    unsafe fn min(self, other: Self) -> Self;
    /// Without the sign.
    unsafe fn abs(self) -> Self;
    /// The bits of each lane shifted left by 23: turns a small integer in the lowest bits into an exponent.
    unsafe fn exponent(self) -> Self;
    /// The lowest byte of each lane's bits.
    unsafe fn store_low_bytes(self, to: *mut i8);

    /// Sixteen bfloat16, widened.
    unsafe fn load_brain(from: *const u16) -> Self;
    /// Sixteen bytes without a sign, as floats.
    unsafe fn load_bytes(from: *const u8) -> Self;
    /// For sixteen int8 numbers, -32 times the sum of what stands at places 0 and 1 of every four, in the lower sixteen
    /// bits, and of what stands at places 2 and 3, in the upper; see [`Lanes::begin`].
    #[inline(always)]
    unsafe fn centre(from: *const i8) -> i32 {
        // SAFETY: good for sixteen bytes by contract.
        let x = unsafe { from.cast::<[i8; 16]>().read_unaligned() };
        let pairs = |at: usize| (0..4).map(|i| i32::from(x[4 * i + at]) + i32::from(x[4 * i + at + 1])).sum::<i32>();
        ((-32 * pairs(0)) & 0xffff) | ((-32 * pairs(2)) << 16)
    }

    /// Asks for a line of memory that will soon be read; the address need not be a good one.
    #[inline(always)]
    unsafe fn prefetch(_from: *const u8) {}

    /// A byte for each of sixteen rows × four columns.
    type Bytes: Copy;
    /// Sums of products for each of sixteen rows, while they are made.
    type Dots: Copy;
    /// A whole number for each of sixteen rows.
    type Ints: Copy;
    /// A whole factor for each of sixteen rows.
    type Factors: Copy;

    /// Loads 64 bytes.
    unsafe fn bytes(from: *const u8) -> Self::Bytes;
    /// Stores 64 bytes.
    unsafe fn put(bytes: Self::Bytes, to: *mut u8);
    /// The lower four bits of each byte.
    unsafe fn low(bytes: Self::Bytes) -> Self::Bytes;
    /// The upper four bits of each byte.
    unsafe fn high(bytes: Self::Bytes) -> Self::Bytes;
    /// `low`, and above it what `mask` leaves of `bits` when bit `from` has moved to bit 4; `from` is below 8.
    unsafe fn above(low: Self::Bytes, bits: Self::Bytes, from: usize, mask: u8) -> Self::Bytes;

    /// Sums that begin with the total of the two halves of a [`Lanes::centre`], or with zero.
    unsafe fn begin(centre: i32) -> Self::Dots;
    /// Adds the products of codes with four numbers, given as the bytes of a word.
    ///
    /// From one beginning at most eight times with codes up to 15, or four times with codes up to 31, or up to 63 from a
    /// centre: so that sums of sixteen bits do.
    unsafe fn dot(dots: Self::Dots, codes: Self::Bytes, x: i32) -> Self::Dots;
    /// The sums.
    unsafe fn sums(dots: Self::Dots) -> Self::Ints;
    /// Sixteen factors.
    unsafe fn factors(from: *const i8) -> Self::Factors;
    /// The sums times the factors.
    unsafe fn scaled(dots: Self::Dots, factors: Self::Factors) -> Self::Ints;
    /// `a + b`.
    unsafe fn plus(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// `a - b` for each row.
    unsafe fn less(a: Self::Ints, b: i32) -> Self::Ints;
    /// The numbers as floats; exact up to 2²⁴.
    unsafe fn floats(ints: Self::Ints) -> Self;
    /// Sums for [`Lanes::dot_signed`] with numbers whose total is given.
    unsafe fn begin_signed(total: i32) -> Self::Ints;
    /// Adds the products of bytes that have a sign with four numbers. All 32 numbers of the total must be given in turn.
    unsafe fn dot_signed(sums: Self::Ints, weights: Self::Bytes, x: i32) -> Self::Ints;

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
    /// Without registers of its own it gains nothing from more.
    const ROWS: usize = 1;

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
    unsafe fn load_brain(from: *const u16) -> Self {
        // SAFETY: as for `load`.
        let bits = unsafe { from.cast::<[u16; 16]>().read_unaligned() };
        Self(bits.map(|bits| f32::from_bits(u32::from(bits) << 16)))
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: as for `load`.
        Self(unsafe { from.cast::<[u8; 16]>().read_unaligned() }.map(f32::from))
    }

    type Bytes = [u8; 64];
    type Dots = [i32; 16];
    type Ints = [i32; 16];
    type Factors = [i8; 16];

    #[inline(always)]
    unsafe fn bytes(from: *const u8) -> [u8; 64] {
        // SAFETY: good for 64 bytes by contract.
        unsafe { from.cast::<[u8; 64]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn put(bytes: [u8; 64], to: *mut u8) {
        // SAFETY: good for 64 bytes by contract.
        unsafe { to.cast::<[u8; 64]>().write_unaligned(bytes) }
    }
    #[inline(always)]
    unsafe fn low(bytes: [u8; 64]) -> [u8; 64] {
        bytes.map(|byte| byte & 15)
    }
    #[inline(always)]
    unsafe fn high(bytes: [u8; 64]) -> [u8; 64] {
        bytes.map(|byte| byte >> 4)
    }
    #[inline(always)]
    unsafe fn above(low: [u8; 64], bits: [u8; 64], from: usize, mask: u8) -> [u8; 64] {
        std::array::from_fn(|i| {
            let moved = if from < 4 { bits[i] << (4 - from) } else { bits[i] >> (from - 4) };
            low[i] | moved & mask
        })
    }
    #[inline(always)]
    unsafe fn begin(centre: i32) -> [i32; 16] {
        [both(centre); 16]
    }
    #[inline(always)]
    unsafe fn dot(mut dots: [i32; 16], codes: [u8; 64], x: i32) -> [i32; 16] {
        let x = x.to_ne_bytes().map(u8::cast_signed).map(i32::from);
        for (dot, codes) in dots.iter_mut().zip(codes.as_chunks::<4>().0) {
            let c = codes.map(i32::from);
            *dot += c[0] * x[0] + c[1] * x[1] + c[2] * x[2] + c[3] * x[3];
        }
        dots
    }
    #[inline(always)]
    unsafe fn sums(dots: [i32; 16]) -> [i32; 16] {
        dots
    }
    #[inline(always)]
    unsafe fn factors(from: *const i8) -> [i8; 16] {
        // SAFETY: good for sixteen bytes by contract.
        unsafe { from.cast::<[i8; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn scaled(dots: [i32; 16], factors: [i8; 16]) -> [i32; 16] {
        std::array::from_fn(|i| dots[i] * i32::from(factors[i]))
    }
    #[inline(always)]
    unsafe fn plus(a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn less(a: [i32; 16], b: i32) -> [i32; 16] {
        a.map(|a| a - b)
    }
    #[inline(always)]
    #[allow(clippy::cast_precision_loss, reason = "exact below 2²⁴, as all sums are")]
    unsafe fn floats(ints: [i32; 16]) -> Self {
        Self(ints.map(|int| int as f32))
    }
    #[inline(always)]
    unsafe fn begin_signed(_total: i32) -> [i32; 16] {
        [0; 16]
    }
    #[inline(always)]
    unsafe fn dot_signed(mut sums: [i32; 16], weights: [u8; 64], x: i32) -> [i32; 16] {
        let x = x.to_ne_bytes().map(u8::cast_signed).map(i32::from);
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            let w = weights.map(u8::cast_signed).map(i32::from);
            *sum += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
        }
        sums
    }
}

/// The sum of the two sixteen-bit numbers in a word.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
pub(crate) fn both(word: i32) -> i32 {
    i32::from(word as i16) + (word >> 16)
}

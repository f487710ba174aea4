//! The lanes of x86 processors: AVX2 with FMA and F16C, and AVX-512 with VNNI.
#![allow(unsafe_code, reason = "vector instructions")]
// Every intrinsic here needs the instruction set its type stands for; the caller of a `Lanes` function vouches for it,
// and `Kernel::run` enters the code only on processors that have it.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one reason covers them all, above")]

use super::{Int8Rows, Q4Block, Q8Block, int8::Int8Block, lanes::Lanes};
use std::arch::x86_64::*;

/// Sixteen floats in two registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256, __m256);

/// Adds the products of one block of weights with the same block of `T` tokens.
///
/// The loops are in this order, with little inside, so that the compiler unrolls both and keeps all sums in registers.
#[inline(always)]
unsafe fn dots_512<const T: usize>(mut dots: [__m512i; T], weights: &[__m512i; 8], x: [&Int8Block; T]) -> [__m512i; T] {
    unsafe {
        let words = x.map(words);
        for (g, weights) in weights.iter().enumerate() {
            for (dot, words) in dots.iter_mut().zip(words) {
                *dot = _mm512_dpbusd_epi32(*dot, *weights, _mm512_set1_epi32(words[g]));
            }
        }
        dots
    }
}

/// The numbers of a block by fours.
#[inline(always)]
fn words(block: &Int8Block) -> &[i32; 8] {
    // SAFETY: a block begins with 32 bytes and is aligned to four.
    unsafe { &*std::ptr::from_ref(block).cast() }
}

/// Sixteen floats in one register.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

impl Lanes for Avx2 {
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        unsafe { Self(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }
    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        unsafe {
            Self(_mm256_cvtph_ps(_mm_loadu_si128(from.cast())), _mm256_cvtph_ps(_mm_loadu_si128(from.add(8).cast())))
        }
    }
    #[inline(always)]
    unsafe fn load_int8(from: *const i8) -> Self {
        unsafe {
            let low = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()));
            let high = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.add(8).cast()));
            Self(_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, o.0), _mm256_add_ps(self.1, o.1)) }
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        unsafe { Self(_mm256_sub_ps(self.0, o.0), _mm256_sub_ps(self.1, o.1)) }
    }
    #[inline(always)]
    unsafe fn mul(self, o: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, o.0), _mm256_mul_ps(self.1, o.1)) }
    }
    #[inline(always)]
    unsafe fn div(self, o: Self) -> Self {
        unsafe { Self(_mm256_div_ps(self.0, o.0), _mm256_div_ps(self.1, o.1)) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)) }
    }
    #[inline(always)]
    unsafe fn max(self, o: Self) -> Self {
        unsafe { Self(_mm256_max_ps(self.0, o.0), _mm256_max_ps(self.1, o.1)) }
    }
    #[inline(always)]
    unsafe fn min(self, o: Self) -> Self {
        unsafe { Self(_mm256_min_ps(self.0, o.0), _mm256_min_ps(self.1, o.1)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            Self(_mm256_andnot_ps(sign, self.0), _mm256_andnot_ps(sign, self.1))
        }
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        unsafe {
            let shift = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(x)));
            Self(shift(self.0), shift(self.1))
        }
    }
    #[inline(always)]
    unsafe fn store_low_bytes(self, to: *mut i8) {
        unsafe {
            // In each half of a register, the lowest byte of four lanes moves to the front.
            let pick = _mm256_setr_epi8(
                0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, //
                0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
            );
            for (half, x) in [self.0, self.1].into_iter().enumerate() {
                let bytes = _mm256_shuffle_epi8(_mm256_castps_si256(x), pick);
                let low = _mm_cvtsi128_si32(_mm256_castsi256_si128(bytes));
                let high = _mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(bytes));
                to.add(8 * half).cast::<[i32; 2]>().write_unaligned([low, high]);
            }
        }
    }

    /// Eight rows at a time. The largest sum of sixteen-bit products is 8 · 2 · 15 · 127 = 30480, so nothing saturates.
    #[inline(always)]
    unsafe fn strip_q4<const T: usize>(strip: &[Q4Block], x: &Int8Rows, first: usize, out: *mut f32, stride: usize) {
        unsafe {
            let rows = x.rows::<T>(first, strip.len());
            let (ones, low) = (_mm256_set1_epi16(1), _mm256_set1_epi8(15));
            for half in 0..2 {
                let mut sums = [_mm256_setzero_ps(); T];
                for (b, block) in strip.iter().enumerate() {
                    let mut weights = [_mm256_setzero_si256(); 8];
                    for g in 0..4 {
                        let bytes = _mm256_load_si256(block.quants.as_ptr().add(64 * g + 32 * half).cast());
                        weights[g] = _mm256_and_si256(bytes, low);
                        weights[g + 4] = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low);
                    }
                    let scale = _mm256_cvtph_ps(_mm_load_si128(block.scale.as_ptr().add(8 * half).cast()));
                    let min = _mm256_cvtph_ps(_mm_load_si128(block.min.as_ptr().add(8 * half).cast()));
                    let x = rows.map(|row| &row[b]);
                    let mut dots = [_mm256_setzero_si256(); T];
                    for (g, weights) in weights.iter().enumerate() {
                        for (dot, x) in dots.iter_mut().zip(x) {
                            let products = _mm256_maddubs_epi16(*weights, _mm256_set1_epi32(words(x)[g]));
                            *dot = _mm256_add_epi16(*dot, products);
                        }
                    }
                    for t in 0..T {
                        let dot = _mm256_cvtepi32_ps(_mm256_madd_epi16(dots[t], ones));
                        let scale = _mm256_mul_ps(scale, _mm256_set1_ps(x[t].scale));
                        sums[t] = _mm256_fmadd_ps(dot, scale, sums[t]);
                        sums[t] = _mm256_fmadd_ps(min, _mm256_set1_ps(x[t].sum), sums[t]);
                    }
                }
                for (t, sum) in sums.iter().enumerate() {
                    _mm256_storeu_ps(out.add(t * stride + 8 * half), *sum);
                }
            }
        }
    }

    /// The sign moves from the weight to the activation, because the instruction wants one side unsigned; a pair of
    /// products is at most 2 · 128 · 127 = 32512, so nothing saturates.
    #[inline(always)]
    unsafe fn strip_q8<const T: usize>(strip: &[Q8Block], x: &Int8Rows, first: usize, out: *mut f32, stride: usize) {
        unsafe {
            let rows = x.rows::<T>(first, strip.len());
            let ones = _mm256_set1_epi16(1);
            for half in 0..2 {
                let mut sums = [_mm256_setzero_ps(); T];
                for (b, block) in strip.iter().enumerate() {
                    let scale = _mm256_cvtph_ps(_mm_loadu_si128(block.scale.as_ptr().add(8 * half).cast()));
                    let x = rows.map(|row| &row[b]);
                    let mut dots = [_mm256_setzero_si256(); T];
                    for g in 0..8 {
                        let weights = _mm256_load_si256(block.quants.as_ptr().add(64 * g + 32 * half).cast());
                        let magnitude = _mm256_abs_epi8(weights);
                        for (dot, x) in dots.iter_mut().zip(x) {
                            let q = _mm256_sign_epi8(_mm256_set1_epi32(words(x)[g]), weights);
                            let pairs = _mm256_maddubs_epi16(magnitude, q);
                            *dot = _mm256_add_epi32(*dot, _mm256_madd_epi16(pairs, ones));
                        }
                    }
                    for t in 0..T {
                        let scale = _mm256_mul_ps(scale, _mm256_set1_ps(x[t].scale));
                        sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[t]), scale, sums[t]);
                    }
                }
                for (t, sum) in sums.iter().enumerate() {
                    _mm256_storeu_ps(out.add(t * stride + 8 * half), *sum);
                }
            }
        }
    }
}

impl Lanes for Avx512 {
    const ROWS: usize = 8;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        unsafe { Self(_mm512_set1_ps(x)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_int8(from: *const i8) -> Self {
        unsafe { Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())))) }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        unsafe { Self(_mm512_add_ps(self.0, o.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        unsafe { Self(_mm512_sub_ps(self.0, o.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, o: Self) -> Self {
        unsafe { Self(_mm512_mul_ps(self.0, o.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, o: Self) -> Self {
        unsafe { Self(_mm512_div_ps(self.0, o.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        unsafe { Self(_mm512_fmadd_ps(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, o: Self) -> Self {
        unsafe { Self(_mm512_max_ps(self.0, o.0)) }
    }
    #[inline(always)]
    unsafe fn min(self, o: Self) -> Self {
        unsafe { Self(_mm512_min_ps(self.0, o.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe { Self(_mm512_abs_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        unsafe { Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(self.0)))) }
    }
    #[inline(always)]
    unsafe fn store_low_bytes(self, to: *mut i8) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_castps_si512(self.0))) }
    }

    #[inline(always)]
    unsafe fn strip_q4<const T: usize>(strip: &[Q4Block], x: &Int8Rows, first: usize, out: *mut f32, stride: usize) {
        unsafe {
            let rows = x.rows::<T>(first, strip.len());
            let low = _mm512_set1_epi8(15);
            let mut sums = [_mm512_setzero_ps(); T];
            for (b, block) in strip.iter().enumerate() {
                let mut weights = [_mm512_setzero_si512(); 8];
                for g in 0..4 {
                    let bytes = _mm512_load_si512(block.quants.as_ptr().add(64 * g).cast());
                    weights[g] = _mm512_and_si512(bytes, low);
                    weights[g + 4] = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low);
                }
                let scale = _mm512_cvtph_ps(_mm256_load_si256(block.scale.as_ptr().cast()));
                let min = _mm512_cvtph_ps(_mm256_load_si256(block.min.as_ptr().cast()));
                let x = rows.map(|row| &row[b]);
                let dots = dots_512::<T>([_mm512_setzero_si512(); T], &weights, x);
                for t in 0..T {
                    let scale = _mm512_mul_ps(scale, _mm512_set1_ps(x[t].scale));
                    sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t]), scale, sums[t]);
                    sums[t] = _mm512_fmadd_ps(min, _mm512_set1_ps(x[t].sum), sums[t]);
                }
            }
            for (t, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.add(t * stride), *sum);
            }
        }
    }

    /// The weights are made unsigned by adding 128, and 128 times the sum of the activations is taken off beforehand.
    #[inline(always)]
    unsafe fn strip_q8<const T: usize>(strip: &[Q8Block], x: &Int8Rows, first: usize, out: *mut f32, stride: usize) {
        unsafe {
            let rows = x.rows::<T>(first, strip.len());
            let bias = _mm512_set1_epi8(-128);
            let mut sums = [_mm512_setzero_ps(); T];
            for (b, block) in strip.iter().enumerate() {
                let mut weights = [_mm512_setzero_si512(); 8];
                for (g, weights) in weights.iter_mut().enumerate() {
                    let bytes = _mm512_loadu_si512(block.quants.as_ptr().add(64 * g).cast());
                    *weights = _mm512_xor_si512(bytes, bias);
                }
                let scale = _mm512_cvtph_ps(_mm256_loadu_si256(block.scale.as_ptr().cast()));
                let x = rows.map(|row| &row[b]);
                let dots = dots_512::<T>(x.map(|x| _mm512_set1_epi32(-128 * x.total)), &weights, x);
                for t in 0..T {
                    let scale = _mm512_mul_ps(scale, _mm512_set1_ps(x[t].scale));
                    sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t]), scale, sums[t]);
                }
            }
            for (t, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.add(t * stride), *sum);
            }
        }
    }
}

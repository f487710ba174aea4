//! The lanes of x86 processors: AVX2 with FMA and F16C, and AVX-512 with VNNI.
#![allow(unsafe_code, reason = "vector instructions")]
// SAFETY: every intrinsic here needs the instruction set its type stands for; the caller of a `Lanes` function vouches for it,
// and `Kernel::run` enters the code only on processors that have it.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one reason covers them all, above")]

use super::lanes::{Lanes, both};
use std::arch::x86_64::*;

/// Sixteen floats in two registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256, __m256);

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
            let low = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.0));
            let high = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.1));
            Self(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high))
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

    #[inline(always)]
    unsafe fn load_brain(from: *const u16) -> Self {
        unsafe {
            let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.add(8).cast()));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high)))
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe {
            let low = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            let high = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.add(8).cast()));
            Self(_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
    }
    #[inline(always)]
    unsafe fn centre(from: *const i8) -> i32 {
        unsafe {
            let pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), _mm_loadu_si128(from.cast()));
            let fours = _mm_add_epi16(pairs, _mm_shuffle_epi32::<0b01_00_11_10>(pairs));
            let all = _mm_add_epi16(fours, _mm_shuffle_epi32::<0b10_11_00_01>(fours));
            _mm_cvtsi128_si32(_mm_sub_epi16(_mm_setzero_si128(), _mm_slli_epi16::<5>(all)))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    type Bytes = [__m256i; 2];
    /// Sixteen-bit sums: of the products at places 0 and 1 of every four columns, and of those at places 2 and 3.
    type Dots = [__m256i; 2];
    type Ints = [__m256i; 2];
    /// Each factor twice, as sixteen-bit numbers.
    type Factors = [__m256i; 2];

    #[inline(always)]
    unsafe fn bytes(from: *const u8) -> [__m256i; 2] {
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }
    #[inline(always)]
    unsafe fn put(bytes: [__m256i; 2], to: *mut u8) {
        unsafe {
            _mm256_storeu_si256(to.cast(), bytes[0]);
            _mm256_storeu_si256(to.add(32).cast(), bytes[1]);
        }
    }
    #[inline(always)]
    unsafe fn low(bytes: [__m256i; 2]) -> [__m256i; 2] {
        unsafe { [_mm256_and_si256(bytes[0], _mm256_set1_epi8(15)), _mm256_and_si256(bytes[1], _mm256_set1_epi8(15))] }
    }
    #[inline(always)]
    unsafe fn high(bytes: [__m256i; 2]) -> [__m256i; 2] {
        unsafe { Self::low([_mm256_srli_epi16::<4>(bytes[0]), _mm256_srli_epi16::<4>(bytes[1])]) }
    }
    #[inline(always)]
    unsafe fn above(low: [__m256i; 2], bits: [__m256i; 2], from: usize, mask: u8) -> [__m256i; 2] {
        unsafe {
            let mask = _mm256_set1_epi8(mask.cast_signed());
            let mut out = low;
            for i in 0..2 {
                let moved = match from {
                    0 => _mm256_slli_epi16::<4>(bits[i]),
                    1 => _mm256_slli_epi16::<3>(bits[i]),
                    2 => _mm256_slli_epi16::<2>(bits[i]),
                    3 => _mm256_slli_epi16::<1>(bits[i]),
                    4 => bits[i],
                    5 => _mm256_srli_epi16::<1>(bits[i]),
                    6 => _mm256_srli_epi16::<2>(bits[i]),
                    _ => _mm256_srli_epi16::<3>(bits[i]),
                };
                out[i] = _mm256_or_si256(low[i], _mm256_and_si256(moved, mask));
            }
            out
        }
    }
    #[inline(always)]
    unsafe fn begin(centre: i32) -> [__m256i; 2] {
        unsafe { [_mm256_set1_epi32(centre); 2] }
    }
    /// A pair of products is at most 2 · 63 · 127 = 16002, so nothing saturates. With codes up to 15 the largest sum of
    /// eight is 8 · 2 · 15 · 127 = 30480, with codes up to 31 that of four 4 · 2 · 31 · 127 = 31496. From a centre, a sum
    /// may wrap on the way but ends at 4 · 2 · 32 · 127 = 32512 at most.
    #[inline(always)]
    unsafe fn dot(dots: [__m256i; 2], codes: [__m256i; 2], x: i32) -> [__m256i; 2] {
        unsafe {
            let x = _mm256_set1_epi32(x);
            [
                _mm256_add_epi16(dots[0], _mm256_maddubs_epi16(codes[0], x)),
                _mm256_add_epi16(dots[1], _mm256_maddubs_epi16(codes[1], x)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn sums(dots: [__m256i; 2]) -> [__m256i; 2] {
        unsafe { Self::scaled(dots, [_mm256_set1_epi16(1); 2]) }
    }
    #[inline(always)]
    unsafe fn factors(from: *const i8) -> [__m256i; 2] {
        unsafe {
            // The lower half of each 32-bit number also becomes the upper.
            let twice = _mm256_setr_epi8(
                0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, //
                0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13,
            );
            let low = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()));
            let high = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.add(8).cast()));
            [_mm256_shuffle_epi8(low, twice), _mm256_shuffle_epi8(high, twice)]
        }
    }
    #[inline(always)]
    unsafe fn scaled(dots: [__m256i; 2], factors: [__m256i; 2]) -> [__m256i; 2] {
        unsafe { [_mm256_madd_epi16(dots[0], factors[0]), _mm256_madd_epi16(dots[1], factors[1])] }
    }
    #[inline(always)]
    unsafe fn plus(a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        unsafe { [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn less(a: [__m256i; 2], b: i32) -> [__m256i; 2] {
        unsafe { [_mm256_sub_epi32(a[0], _mm256_set1_epi32(b)), _mm256_sub_epi32(a[1], _mm256_set1_epi32(b))] }
    }
    #[inline(always)]
    unsafe fn floats(ints: [__m256i; 2]) -> Self {
        unsafe { Self(_mm256_cvtepi32_ps(ints[0]), _mm256_cvtepi32_ps(ints[1])) }
    }
    #[inline(always)]
    unsafe fn begin_signed(_total: i32) -> [__m256i; 2] {
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    /// The sign moves from the weight to the activation, because the instruction wants one side unsigned; a pair of
    /// products is at most 2 · 128 · 127 = 32512, so nothing saturates.
    #[inline(always)]
    unsafe fn dot_signed(sums: [__m256i; 2], weights: [__m256i; 2], x: i32) -> [__m256i; 2] {
        unsafe {
            let (x, ones) = (_mm256_set1_epi32(x), _mm256_set1_epi16(1));
            let mut out = sums;
            for i in 0..2 {
                let x = _mm256_sign_epi8(x, weights[i]);
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights[i]), x);
                out[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
            }
            out
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
    unsafe fn load_brain(from: *const u16) -> Self {
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits)))
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe { Self(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    type Bytes = __m512i;
    type Dots = __m512i;
    type Ints = __m512i;
    type Factors = __m512i;

    #[inline(always)]
    unsafe fn bytes(from: *const u8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn put(bytes: __m512i, to: *mut u8) {
        unsafe { _mm512_storeu_si512(to.cast(), bytes) }
    }
    #[inline(always)]
    unsafe fn low(bytes: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(bytes, _mm512_set1_epi8(15)) }
    }
    #[inline(always)]
    unsafe fn high(bytes: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), _mm512_set1_epi8(15)) }
    }
    #[inline(always)]
    unsafe fn above(low: __m512i, bits: __m512i, from: usize, mask: u8) -> __m512i {
        unsafe {
            let moved = match from {
                0 => _mm512_slli_epi16::<4>(bits),
                1 => _mm512_slli_epi16::<3>(bits),
                2 => _mm512_slli_epi16::<2>(bits),
                3 => _mm512_slli_epi16::<1>(bits),
                4 => bits,
                5 => _mm512_srli_epi16::<1>(bits),
                6 => _mm512_srli_epi16::<2>(bits),
                _ => _mm512_srli_epi16::<3>(bits),
            };
            _mm512_or_si512(low, _mm512_and_si512(moved, _mm512_set1_epi8(mask.cast_signed())))
        }
    }
    #[inline(always)]
    unsafe fn begin(centre: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(both(centre)) }
    }
    #[inline(always)]
    unsafe fn dot(dots: __m512i, codes: __m512i, x: i32) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(dots, codes, _mm512_set1_epi32(x)) }
    }
    #[inline(always)]
    unsafe fn sums(dots: __m512i) -> __m512i {
        dots
    }
    #[inline(always)]
    unsafe fn factors(from: *const i8) -> __m512i {
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn scaled(dots: __m512i, factors: __m512i) -> __m512i {
        unsafe { _mm512_mullo_epi32(dots, factors) }
    }
    #[inline(always)]
    unsafe fn plus(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn less(a: __m512i, b: i32) -> __m512i {
        unsafe { _mm512_sub_epi32(a, _mm512_set1_epi32(b)) }
    }
    #[inline(always)]
    unsafe fn floats(ints: __m512i) -> Self {
        unsafe { Self(_mm512_cvtepi32_ps(ints)) }
    }
    /// The weights are made unsigned by adding 128, and 128 times the sum of the activations is taken off beforehand.
    #[inline(always)]
    unsafe fn begin_signed(total: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(-128 * total) }
    }
    #[inline(always)]
    unsafe fn dot_signed(sums: __m512i, weights: __m512i, x: i32) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, _mm512_xor_si512(weights, _mm512_set1_epi8(-128)), _mm512_set1_epi32(x)) }
    }
}

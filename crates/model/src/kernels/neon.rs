//! The lanes of 64-bit ARM processors, with byte dot products or without.
#![allow(unsafe_code, reason = "vector instructions")]
// Every intrinsic here needs the instruction set its type stands for; the caller of a `Lanes` function vouches for it,
// and for sixteen numbers, or 64 bytes, behind every pointer.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one reason covers them all, above")]

use super::lanes::{Lanes, both};
use std::arch::{aarch64::*, asm};

/// Sixteen floats in four registers; `DOT` says whether the processor has byte dot products.
#[derive(Clone, Copy)]
pub(crate) struct Neon<const DOT: bool>([float32x4_t; 4]);

/// Does the same with each of the four registers.
macro_rules! each {
    ($i:ident => $value:expr) => {
        unsafe {
            [
                {
                    const $i: usize = 0;
                    $value
                },
                {
                    const $i: usize = 1;
                    $value
                },
                {
                    const $i: usize = 2;
                    $value
                },
                {
                    const $i: usize = 3;
                    $value
                },
            ]
        }
    };
}

/// Adds to each of four sums the products of four bytes with four bytes.
///
/// # Safety
/// The processor must have the instruction. (The compiler's own function for it is not stable.)
#[inline(always)]
unsafe fn sdot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: by contract; it touches nothing but its operands.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// The same without the instruction. A product is at most 128 · 127, which sixteen bits hold.
#[inline(always)]
unsafe fn products(sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    unsafe {
        let low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
        let high = vpaddlq_s16(vmull_high_s8(a, b));
        vaddq_s32(sum, vpaddq_s32(low, high))
    }
}

impl<const DOT: bool> Lanes for Neon<DOT> {
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        unsafe { Self([vdupq_n_f32(x); 4]) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(each!(I => vld1q_f32(from.add(4 * I))))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        each!(I => vst1q_f32(to.add(4 * I), self.0[I]));
    }
    /// Moved into place and rescaled, which is exact, as in the plain path.
    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        Self(each!(I => {
            let half = vmovl_u16(vld1_u16(from.add(4 * I)));
            let magnitude = vshlq_n_u32::<13>(vandq_u32(half, vdupq_n_u32(0x7fff)));
            let rescale = vdupq_n_f32(f32::from_bits(0x7780_0000));
            let magnitude = vmulq_f32(vreinterpretq_f32_u32(magnitude), rescale);
            let sign = vshlq_n_u32::<16>(vandq_u32(half, vdupq_n_u32(0x8000)));
            vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(magnitude), sign))
        }))
    }
    #[inline(always)]
    unsafe fn load_brain(from: *const u16) -> Self {
        Self(each!(I => vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.add(4 * I))))))
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe {
            let bytes = vld1q_u8(from);
            let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
            Self([
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
                vcvtq_f32_u32(vmovl_high_u16(low)),
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
                vcvtq_f32_u32(vmovl_high_u16(high)),
            ])
        }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        Self(each!(I => vaddq_f32(self.0[I], o.0[I])))
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        Self(each!(I => vsubq_f32(self.0[I], o.0[I])))
    }
    #[inline(always)]
    unsafe fn mul(self, o: Self) -> Self {
        Self(each!(I => vmulq_f32(self.0[I], o.0[I])))
    }
    #[inline(always)]
    unsafe fn div(self, o: Self) -> Self {
        Self(each!(I => vdivq_f32(self.0[I], o.0[I])))
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Self(each!(I => vfmaq_f32(c.0[I], self.0[I], b.0[I])))
    }
    #[inline(always)]
    unsafe fn max(self, o: Self) -> Self {
        Self(each!(I => vmaxq_f32(self.0[I], o.0[I])))
    }
    #[inline(always)]
    unsafe fn min(self, o: Self) -> Self {
        Self(each!(I => vminq_f32(self.0[I], o.0[I])))
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Self(each!(I => vabsq_f32(self.0[I])))
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        Self(each!(I => vreinterpretq_f32_s32(vshlq_n_s32::<23>(vreinterpretq_s32_f32(self.0[I])))))
    }
    #[inline(always)]
    unsafe fn store_low_bytes(self, to: *mut i8) {
        let words = each!(I => vmovn_s32(vreinterpretq_s32_f32(self.0[I])));
        unsafe {
            let low = vmovn_s16(vcombine_s16(words[0], words[1]));
            let high = vmovn_s16(vcombine_s16(words[2], words[3]));
            vst1q_s8(to, vcombine_s8(low, high));
        }
    }

    type Bytes = [uint8x16_t; 4];
    type Dots = [int32x4_t; 4];
    type Ints = [int32x4_t; 4];
    type Factors = [int32x4_t; 4];

    #[inline(always)]
    unsafe fn bytes(from: *const u8) -> [uint8x16_t; 4] {
        each!(I => vld1q_u8(from.add(16 * I)))
    }
    #[inline(always)]
    unsafe fn put(bytes: [uint8x16_t; 4], to: *mut u8) {
        each!(I => vst1q_u8(to.add(16 * I), bytes[I]));
    }
    #[inline(always)]
    unsafe fn low(bytes: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        each!(I => vandq_u8(bytes[I], vdupq_n_u8(15)))
    }
    #[inline(always)]
    unsafe fn high(bytes: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        each!(I => vshrq_n_u8::<4>(bytes[I]))
    }
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the place of a bit is below 8")]
    unsafe fn above(low: [uint8x16_t; 4], bits: [uint8x16_t; 4], from: usize, mask: u8) -> [uint8x16_t; 4] {
        // To the left where it is positive, else to the right.
        let by = unsafe { vdupq_n_s8(4 - from as i8) };
        each!(I => vorrq_u8(low[I], vandq_u8(vshlq_u8(bits[I], by), vdupq_n_u8(mask))))
    }
    #[inline(always)]
    unsafe fn begin(centre: i32) -> [int32x4_t; 4] {
        unsafe { [vdupq_n_s32(both(centre)); 4] }
    }
    /// Codes are below 128, so that they are the same with a sign.
    #[inline(always)]
    unsafe fn dot(dots: [int32x4_t; 4], codes: [uint8x16_t; 4], x: i32) -> [int32x4_t; 4] {
        unsafe { Self::dot_signed(dots, codes, x) }
    }
    #[inline(always)]
    unsafe fn sums(dots: [int32x4_t; 4]) -> [int32x4_t; 4] {
        dots
    }
    #[inline(always)]
    unsafe fn factors(from: *const i8) -> [int32x4_t; 4] {
        unsafe {
            let bytes = vld1q_s8(from);
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            [vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)]
        }
    }
    #[inline(always)]
    unsafe fn scaled(dots: [int32x4_t; 4], factors: [int32x4_t; 4]) -> [int32x4_t; 4] {
        each!(I => vmulq_s32(dots[I], factors[I]))
    }
    #[inline(always)]
    unsafe fn plus(a: [int32x4_t; 4], b: [int32x4_t; 4]) -> [int32x4_t; 4] {
        each!(I => vaddq_s32(a[I], b[I]))
    }
    #[inline(always)]
    unsafe fn less(a: [int32x4_t; 4], b: i32) -> [int32x4_t; 4] {
        each!(I => vsubq_s32(a[I], vdupq_n_s32(b)))
    }
    #[inline(always)]
    unsafe fn floats(ints: [int32x4_t; 4]) -> Self {
        Self(each!(I => vcvtq_f32_s32(ints[I])))
    }
    #[inline(always)]
    unsafe fn begin_signed(_total: i32) -> [int32x4_t; 4] {
        unsafe { [vdupq_n_s32(0); 4] }
    }
    #[inline(always)]
    unsafe fn dot_signed(sums: [int32x4_t; 4], weights: [uint8x16_t; 4], x: i32) -> [int32x4_t; 4] {
        let x = unsafe { vreinterpretq_s8_s32(vdupq_n_s32(x)) };
        each!(I => {
            let weights = vreinterpretq_s8_u8(weights[I]);
            if DOT {
                sdot(sums[I], weights, x)
            } else {
                products(sums[I], weights, x)
            }
        })
    }
}

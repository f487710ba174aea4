//! Dot products of signed bytes with 16-bit probes; AVX2 where the machine has it, the same integers everywhere.
//!
//! The caller keeps the sum inside 32 bits (see [`crate::vectors::Probe`]). Integer sums are exact, so the order in
//! which a kernel adds does not matter.
#![allow(unsafe_code)]

/// One dot product.
pub(crate) fn dot(row: &[i8], probe: &[i16]) -> i32 {
    let mut out = 0;
    dots(row, row.len(), probe, &mut |_, dot| out = dot);
    out
}

/// The dot product of each row of `dim` bytes with the probe, in order.
pub(crate) fn dots(rows: &[i8], dim: usize, probe: &[i16], each: &mut dyn FnMut(usize, i32)) {
    debug_assert!(dim > 0 && probe.len() == dim);
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine was just asked and has AVX2, the only thing this function requires.
        unsafe { dots_avx2(rows, dim, probe, each) };
        return;
    }
    dots_plain(rows, dim, probe, each);
}

fn dots_plain(rows: &[i8], dim: usize, probe: &[i16], each: &mut dyn FnMut(usize, i32)) {
    for (i, row) in rows.chunks_exact(dim).enumerate() {
        each(i, row.iter().zip(probe).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum());
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dots_avx2(rows: &[i8], dim: usize, probe: &[i16], each: &mut dyn FnMut(usize, i32)) {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_loadu_si256,
        _mm256_madd_epi16, _mm256_setzero_si256, _mm256_storeu_si256,
    };
    for (i, row) in rows.chunks_exact(dim).enumerate() {
        let (mut even, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        let (wide, rest) = row.as_chunks::<32>();
        let (probe_wide, probe_rest) = probe.as_chunks::<32>();
        for (a, b) in wide.iter().zip(probe_wide) {
            // SAFETY: each load reads 16 bytes of the 32 in `a`, or 32 bytes of the 64 in `b`; unaligned loads are used.
            let (a0, a1, b0, b1) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().cast::<__m128i>()),
                    _mm_loadu_si128(a.as_ptr().add(16).cast::<__m128i>()),
                    _mm256_loadu_si256(b.as_ptr().cast::<__m256i>()),
                    _mm256_loadu_si256(b.as_ptr().add(16).cast::<__m256i>()),
                )
            };
            even = _mm256_add_epi32(even, _mm256_madd_epi16(_mm256_cvtepi8_epi16(a0), b0));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(_mm256_cvtepi8_epi16(a1), b1));
        }
        let mut lanes = [0i32; 8];
        // SAFETY: `lanes` is 32 bytes long, which is what the unaligned store writes.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast::<__m256i>(), _mm256_add_epi32(even, odd)) };
        let tail: i32 = rest.iter().zip(probe_rest).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        each(i, lanes.iter().sum::<i32>() + tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn every_kernel_gives_the_plain_result() {
        let mut rng = StdRng::seed_from_u64(3);
        for dim in [1, 7, 31, 32, 33, 64, 100, 384, 500] {
            let rows: Vec<i8> = (0..dim * 9).map(|_| rng.random_range(-127..=127)).collect();
            for probe in [
                (0..dim).map(|_| rng.random_range(-32767..=32767)).collect::<Vec<i16>>(),
                vec![32767; dim],
                vec![-32767; dim],
            ] {
                let (mut plain, mut fast) = (Vec::new(), Vec::new());
                dots_plain(&rows, dim, &probe, &mut |i, dot| plain.push((i, dot)));
                dots(&rows, dim, &probe, &mut |i, dot| fast.push((i, dot)));
                assert_eq!(plain, fast, "dim {dim}");
                assert_eq!(plain.len(), 9);
            }
        }
    }
}

//! Lots that depend on a key and a place alone, so that they are the same in any order and on any thread.

/// The lot of number `index` of a tensor: uniform from 0 to 1, 1 not included, in steps of 2⁻²⁴.
///
/// The generator is SplitMix64 (Steele, Lea and Flood 2014), entered at any of its steps.
#[inline]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "24 bits are exact in a float")]
pub(super) fn lot(key: u64, index: u64) -> f32 {
    let mut z = key.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 40) as u32 as f32 * (1.0 / 16_777_216.0)
}

#[cfg(test)]
mod tests {
    use super::lot;

    #[test]
    fn lots_are_spread_evenly_and_differ_by_key() {
        let below = |key, limit| (0..100_000).filter(|index| lot(key, *index) < limit).count();
        assert!((9_700..10_300).contains(&below(7, 0.1)), "{}", below(7, 0.1));
        assert!((49_500..50_500).contains(&below(8, 0.5)));
        assert_eq!(below(8, 1.0), 100_000);
        assert!((0..1000).filter(|index| lot(1, *index) == lot(2, *index)).count() < 3);
    }
}

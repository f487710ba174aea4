//! A row of numbers as a line of bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws numbers in at most `width` columns, each the mean of those it stands for; the highest is a full bar.
#[must_use]
pub fn sparkline(numbers: &[f32], width: usize) -> String {
    let each = numbers.len().div_ceil(width.max(1)).max(1);
    let means: Vec<f32> = numbers.chunks(each).map(|part| part.iter().sum::<f32>() / part.len() as f32).collect();
    let most = means.iter().copied().filter(|mean| mean.is_finite()).fold(0.0, f32::max);
    let bar = |mean: &f32| {
        if !mean.is_finite() || most <= 0.0 {
            return BARS[0];
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
        let height = (mean.max(0.0) / most * 7.0).round() as usize;
        BARS[height.min(7)]
    };
    means.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_full_and_nothing_is_wider_than_asked() {
        assert_eq!(sparkline(&[4.0, 2.0, 0.0], 10), "█▅▁");
        assert_eq!(sparkline(&[], 10), "");
        assert_eq!(sparkline(&[0.0, f32::NAN], 10), "▁▁");
        assert_eq!(sparkline(&[1.0; 1000], 40).chars().count(), 40);
    }
}

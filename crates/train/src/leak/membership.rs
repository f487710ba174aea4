//! Whether one can tell from a model what it was trained on: membership inference with a reference model (Carlini et al.
//! 2022), and how much better it knows what it was trained on than what it was not.

use crate::{
    Example, TrainError,
    judge::{Draw, Interval, Judge, Watch, interval, mean, unfit},
};

/// How much less each text surprises the candidate than the reference, in nats a token.
pub(crate) fn gains(
    reference: &mut Judge,
    candidate: &mut Judge,
    texts: &[Example],
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>, TrainError> {
    let before = watch.part(|done, all| (done, 2 * all), |watch| reference.mean_losses(texts, watch))?;
    let after = watch.part(|done, all| (all + done, 2 * all), |watch| candidate.mean_losses(texts, watch))?;
    Ok(before.iter().zip(&after).map(|(before, after)| before - after).collect())
}

/// The probability that a member scores higher than a stranger, where equal scores count half: the area under the curve
/// of true against false alarms (Mann and Whitney 1947). The interval is over members and strangers drawn again.
pub(crate) fn auc(members: &[f64], strangers: &[f64], seed: u64) -> Result<Interval, TrainError> {
    if members.iter().chain(strangers).any(|score| !score.is_finite()) {
        return Err(unfit("a score is not a finite number"));
    }
    let side = |scores: &[f64], member: bool| -> Vec<(f64, bool, usize)> {
        scores.iter().enumerate().map(|(index, score)| (*score, member, index)).collect()
    };
    let mut order = [side(members, true), side(strangers, false)].concat();
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    #[allow(clippy::cast_precision_loss, reason = "texts are few")]
    let pairs = members.len() as f64 * strangers.len() as f64;
    // How often each is there; going through them in order counts the strangers below each member.
    let area = |members: &[u32], strangers: &[u32]| {
        let (mut below, mut sum) = (0.0, 0.0);
        for alike in order.chunk_by(|one, other| one.0 == other.0) {
            let (mut own, mut new) = (0.0, 0.0);
            for (_, member, index) in alike {
                if *member {
                    own += f64::from(members[*index]);
                } else {
                    new += f64::from(strangers[*index]);
                }
            }
            sum += own * (below + 0.5 * new);
            below += new;
        }
        sum / pairs
    };
    let mut draw = Draw::new(seed, "membership");
    let (mut some, mut others) = (vec![1; members.len()], vec![1; strangers.len()]);
    let whole = area(&some, &others);
    interval(whole, members.len() + strangers.len(), || {
        for counts in [&mut some, &mut others] {
            counts.fill(0);
            for _ in 0..counts.len() {
                let drawn = draw.of(counts.len());
                counts[drawn] += 1;
            }
        }
        area(&some, &others)
    })
}

/// By how much the gain on texts of training exceeds that on others, in nats a token.
pub(crate) fn gap(training: &[f64], validation: &[f64], seed: u64) -> Result<Interval, TrainError> {
    let mut draw = Draw::new(seed, "gap");
    let between = mean(training) - mean(validation);
    interval(between, training.len() + validation.len(), || draw.mean(training) - draw.mean(validation))
}

#[cfg(test)]
mod tests {
    use super::{auc, gap};

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        let area = |members: &[f64], strangers: &[f64]| auc(members, strangers, 1).unwrap();
        assert_eq!(area(&[3.0, 4.0], &[1.0, 2.0]).mean.to_bits(), 1f64.to_bits());
        assert_eq!(area(&[1.0, 2.0], &[3.0, 4.0]).mean.to_bits(), 0f64.to_bits());
        assert!((area(&[1.0, 2.0, 2.0], &[2.0, 0.0]).mean - 4.0 / 6.0).abs() < 1e-12);
        let wave: Vec<f64> = (0..400).map(|at| f64::from(at * 7 % 400)).collect();
        let found = area(&wave, &wave);
        // The standard error of chance with 400 of each is √(801 / (12 · 400²)).
        assert!(
            (found.mean - 0.5).abs() < 1e-12 && (found.high - 0.54).abs() < 0.004 && (found.low - 0.46).abs() < 0.004
        );
        assert_eq!(found, area(&wave, &wave));
        assert!(auc(&[f64::NAN, 1.0], &[1.0], 1).is_err() && auc(&[], &[1.0], 1).is_err());
    }

    #[test]
    fn a_gap_is_the_difference_of_both_means() {
        let found = gap(&[2.0, 4.0], &[1.0, 1.0, 1.0], 1).unwrap();
        assert!((found.mean - 2.0).abs() < 1e-12 && found.low >= 1.0 && found.high <= 3.0);
        assert!(gap(&[], &[1.0], 1).is_err() && gap(&[f64::INFINITY], &[1.0], 1).is_err());
    }
}

//! Who answers: the members whose public prompts lie nearest to a question, and how many of them.
//!
//! A question's similarity to a member is the mean cosine of its five nearest prompts. The gate sizes the answer right, from
//! small to large: nobody where nobody's prompts are near (the owner's iCore answers alone), one where one is clearly
//! nearest, a few where several are about as near. Where "near" and "clearly" begin is calibrated on the members'
//! own prompts, each with itself left out, and on texts that are about none of them; so it follows from who takes part.
//!
//! Where members are many, those whose centres are nearest are looked at first, and no others.

use super::{Claims, signature::PROMPTS_MIN};
use crate::{ComposeError, error::signature};
use hinet_protocol::Hash;

/// Prompts of a member that a question is compared with.
const NEAREST: usize = PROMPTS_MIN;
/// Members that answer one question, at most.
pub const PARTS_MAX: usize = 4;
/// What centres are multiplied with, so that their fractions count.
const CENTRE: i32 = 64;
/// Members that are looked at closely.
const CLOSELY: usize = 64;
/// Of the known prompts, the share that is to count as known and as one's own; of other texts, the share that is not.
const KNOWN: f64 = 0.95;
/// Prompts that are calibrated on, about.
const CALIBRATED: usize = 2048;
/// Nothing farther away than this counts as near, and nothing nearer than that as far, whatever the calibration finds.
const FLOOR: (f32, f32) = (0.2, 0.8);
/// A lead of this size is clear, whatever the calibration finds.
const MARGIN_MAX: f32 = 0.15;

/// Ordinary messages that are about no member's subject in particular, a line each.
const ELSEWHERE: &str = include_str!("../../../../assets/elsewhere.txt");

/// Ordinary messages that are about no member's subject in particular: what is not nearer than these is not near. Their
/// places are what [`Gate::new`] is calibrated on.
#[must_use]
pub fn elsewhere() -> Vec<&'static str> {
    ELSEWHERE.lines().filter(|line| !line.trim().is_empty()).collect()
}

/// Where "near" and "clearly nearest" begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// Nobody answers whose similarity is below it.
    pub floor: f32,
    /// Who is behind the nearest by less than it answers too.
    pub margin: f32,
    /// Whether what is known lies apart from texts that are about none of it. Whoever has prompts like everybody's words
    /// would answer everything.
    pub apart: bool,
}

/// How near a member is to a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The hash of its delta.
    pub delta: Hash,
    /// The mean cosine of its nearest prompts, from -1 to 1.
    pub similarity: f32,
}

/// One who answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The hash of its delta.
    pub delta: Hash,
    /// How much of its delta is added; all together are 1.
    pub weight: f32,
}

/// Who answers a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The nearest members, nearest first, whether they answer or not.
    pub near: Vec<Fit>,
    /// Who answers, the heaviest first: none is the owner's iCore alone, one a route, several a mix.
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Known {
    delta: Hash,
    /// `[prompts, width]`.
    rows: Vec<i8>,
    /// The mean of the rows, times [`CENTRE`].
    centre: Vec<i16>,
}

/// A calibrated gate over an assembly's members.
#[derive(Debug, Clone)]
pub struct Gate {
    members: Vec<Known>,
    width: usize,
    sizing: Sizing,
}

impl Gate {
    /// A gate by what members claim; `elsewhere` are places, `[texts, width]`, of texts that are about none of them.
    ///
    /// # Errors
    /// Where signatures are of different spaces or damaged.
    pub fn new(claims: &[&Claims], elsewhere: &[Vec<f32>]) -> Result<Self, ComposeError> {
        let width = claims.first().map_or(0, |claims| claims.width);
        let mut members = Vec::with_capacity(claims.len());
        for one in claims {
            one.check()?;
            if one.width != width || claims.first().is_some_and(|first| first.space != one.space) {
                return Err(signature(format!(
                    "the signature of {} was made with another embedder; ask its owner for one made with this",
                    one.delta
                )));
            }
            let rows = one.rows();
            let mut sums = vec![0i32; width];
            for row in rows.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += i32::from(*number));
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most 127 times 64")]
            let centre = sums.iter().map(|sum| (sum * CENTRE / (rows.len() / width) as i32) as i16).collect();
            members.push(Known { delta: one.delta, rows, centre });
        }
        members.sort_unstable_by_key(|member| member.delta);
        let mut gate = Self { members, width, sizing: Sizing { floor: FLOOR.0, margin: 0.0, apart: false } };
        gate.sizing = gate.calibrated(elsewhere);
        Ok(gate)
    }

    /// Where "near" and "clearly nearest" begin for these members.
    #[must_use]
    pub fn sizing(&self) -> Sizing {
        self.sizing
    }

    /// Members by how near they are to a question's place, the nearest first; of equals the smaller hash.
    ///
    /// A place of another space than the members' is near nobody.
    #[must_use]
    pub fn fits(&self, question: &[f32]) -> Vec<Fit> {
        if question.len() != self.width || question.iter().any(|number| !number.is_finite()) {
            return Vec::new();
        }
        let question = narrowed(question);
        let fit = |member: &Known| Fit { delta: member.delta, similarity: near(&member.rows, &question, None) };
        let mut fits: Vec<Fit> = self.close(&question).into_iter().map(fit).collect();
        fits.sort_by(|one, two| two.similarity.total_cmp(&one.similarity).then(one.delta.cmp(&two.delta)));
        fits
    }

    /// Who answers a question at this place.
    #[must_use]
    pub fn choose(&self, question: &[f32]) -> Choice {
        let mut near = self.fits(question);
        let Sizing { floor, margin, .. } = self.sizing;
        let best = near.first().map_or(f32::NEG_INFINITY, |fit| fit.similarity);
        let enough = |fit: &&Fit| fit.similarity >= floor && best - fit.similarity < margin.max(f32::EPSILON);
        let chosen: Vec<&Fit> = near.iter().filter(enough).take(PARTS_MAX).collect();
        // The nearest has the most; one at the margin has a third of that.
        let share = |fit: &Fit| if margin > 0.0 { ((fit.similarity - best) / margin * 3f32.ln()).exp() } else { 1.0 };
        let whole: f32 = chosen.iter().map(|fit| share(fit)).sum();
        let parts = chosen.iter().map(|fit| Part { delta: fit.delta, weight: share(fit) / whole }).collect();
        near.truncate(PARTS_MAX);
        Choice { near, parts }
    }

    /// The members worth a closer look.
    fn close(&self, question: &[i8]) -> Vec<&Known> {
        if self.members.len() <= CLOSELY {
            return self.members.iter().collect();
        }
        let by_centre = |member: &Known| dot(member.centre.iter().map(|number| i32::from(*number)), question);
        let mut all: Vec<(i32, &Known)> = self.members.iter().map(|member| (by_centre(member), member)).collect();
        let nearer = |one: &(i32, &Known), two: &(i32, &Known)| two.0.cmp(&one.0).then(one.1.delta.cmp(&two.1.delta));
        all.select_nth_unstable_by(CLOSELY, nearer);
        all.truncate(CLOSELY);
        all.into_iter().map(|(_, member)| member).collect()
    }

    fn calibrated(&self, elsewhere: &[Vec<f32>]) -> Sizing {
        let (mut inside, mut leads) = (Vec::new(), Vec::new());
        // As many of each, so that nobody decides for all by having more.
        let counts = self.members.iter().map(|member| member.rows.len() / self.width);
        let each = counts.min().unwrap_or(0).min((CALIBRATED / self.members.len().max(1)).max(NEAREST));
        for member in &self.members {
            let count = member.rows.len() / self.width;
            for at in (0..each).map(|n| n * count / each) {
                let row = &member.rows[at * self.width..][..self.width];
                let own = near(&member.rows, row, Some(at));
                let others = self.close(row).into_iter().filter(|other| other.delta != member.delta);
                let best = others.map(|other| near(&other.rows, row, None)).reduce(f32::max);
                inside.push(own);
                leads.extend(best.map(|best| own - best));
            }
        }
        let outside = elsewhere.iter().filter_map(|text| Some(self.fits(text).first()?.similarity));
        let mut outside: Vec<f32> = outside.collect();
        let (known, strange) = (low(&mut inside, 1.0 - KNOWN), low(&mut outside, KNOWN));
        let apart = low(&mut inside, 0.5).zip(strange).is_none_or(|(known, strange)| known > strange);
        let floor = match (known, strange) {
            (Some(known), Some(strange)) => f32::midpoint(known, strange),
            (Some(known), None) => known,
            (None, _) => FLOOR.1,
        };
        let margin = low(&mut leads, 1.0 - KNOWN).unwrap_or(0.0) / 2.0;
        Sizing { floor: floor.clamp(FLOOR.0, FLOOR.1), margin: margin.clamp(0.0, MARGIN_MAX), apart }
    }
}

/// The number that this share of the others is not above.
fn low(numbers: &mut [f32], share: f64) -> Option<f32> {
    numbers.sort_unstable_by(f32::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
    let at = ((numbers.len().saturating_sub(1)) as f64 * share).round() as usize;
    numbers.get(at).copied()
}

/// A place in one byte a dimension, as signatures have it.
#[allow(clippy::cast_possible_truncation, reason = "clamped to what a byte holds")]
fn narrowed(place: &[f32]) -> Vec<i8> {
    place.iter().map(|number| (number * 127.0).round().clamp(-127.0, 127.0) as i8).collect()
}

/// A product of small whole numbers, which cannot overflow: the widest space has 4,096 dimensions.
fn dot(one: impl Iterator<Item = i32>, two: &[i8]) -> i32 {
    // Without a check at each step, so that a compiler takes many at a time in test builds too.
    one.zip(two).fold(0, |sum, (a, b)| sum.wrapping_add(a.wrapping_mul(i32::from(*b))))
}

/// The mean cosine of the nearest rows; the one at `without` does not count.
fn near(rows: &[i8], place: &[i8], without: Option<usize>) -> f32 {
    // The largest so far, the smallest of them first.
    let (mut best, mut found) = ([i32::MIN; NEAREST], 0);
    for (at, row) in rows.chunks_exact(place.len()).enumerate() {
        if without == Some(at) {
            continue;
        }
        let product = dot(row.iter().map(|number| i32::from(*number)), place);
        found += 1;
        if product > best[0] {
            best[0] = product;
            best.sort_unstable();
        }
    }
    let count = found.min(NEAREST);
    #[allow(clippy::cast_precision_loss, reason = "sums of a few thousand small numbers")]
    let sum = best[NEAREST - count..].iter().map(|product| *product as f32).sum::<f32>();
    #[allow(clippy::cast_precision_loss, reason = "five at most")]
    let mean = sum / count.max(1) as f32;
    mean / (127.0 * 127.0)
}

#[cfg(test)]
mod tests;

//! Lessons out of public prompts and a teacher, for a delta that others may see.
//!
//! What is learned from them is how the teacher would go on after public text, and nothing else: no private text is among
//! what is read, neither here nor when the lessons are learned.

use crate::{
    Example, Lesson, Soft, TrainError,
    judge::{Judge, Watch, unfit},
};

/// Tokens of which a teacher says how probable they are, unless more are asked for.
pub const LIKELIEST: usize = 32;

/// What the teacher says about each token that counts of some public texts: the probabilities of the `likeliest` tokens at
/// its place, as they are served.
pub fn lessons(
    teacher: &mut Judge,
    texts: &[Example],
    likeliest: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<Lesson>, TrainError> {
    let most = teacher.anchor().config().vocabulary.saturating_sub(1).min(4096);
    if !(1..=most).contains(&likeliest) {
        return Err(unfit(format!("a teacher names 1 to {most} likeliest tokens, not {likeliest}")));
    }
    let told = teacher.read(texts, likeliest, watch)?;
    let mut lessons = Vec::with_capacity(texts.len());
    for (example, told) in texts.iter().zip(told) {
        let mut lesson = Lesson::from(example.clone());
        for log in told {
            let (tokens, logs): (Vec<u32>, Vec<f32>) = log.top.into_iter().unzip();
            let probabilities: Vec<f32> = logs.into_iter().map(f32::exp).collect();
            if probabilities.iter().any(|p| !p.is_finite()) {
                return Err(unfit("the teacher gave a probability that is not a finite number"));
            }
            lesson.teacher.push(Soft { tokens, probabilities });
        }
        lessons.push(lesson);
    }
    Ok(lessons)
}

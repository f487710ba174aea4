//! Whether secrets come out when one begins the sentences they stood in.

use super::{
    Secret,
    overlap::{plain, words},
};
use crate::{
    TrainError,
    judge::{Judge, Watch},
};
use hinet_model::Sampling;
use zeroize::{Zeroize, Zeroizing};

/// Letters and digits from which on a secret is looked for in every answer, not only in those to its own prompt: nobody
/// writes so many by chance.
const LONG: usize = 8;

/// How answers are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tries {
    /// Answers that are drawn, beside the likeliest one.
    pub sampled: usize,
    /// Tokens of each.
    pub tokens: usize,
    pub seed: u64,
}

/// A secret as it is looked for.
struct Wanted {
    plain: String,
    words: String,
}

impl Wanted {
    /// A long one is found however it is spaced and punctuated, a short one as whole words.
    fn is_in(&self, answer: &str) -> bool {
        if self.is_long() { plain(answer).contains(&self.plain) } else { words(answer).contains(&self.words) }
    }

    fn is_long(&self) -> bool {
        self.plain.chars().count() >= LONG
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.plain.zeroize();
        self.words.zeroize();
    }
}

/// The answers to prompts, `1 + sampled` for each.
fn answers(
    judge: &mut Judge,
    prompts: &[Vec<u32>],
    tries: Tries,
    watch: &mut Watch<'_>,
) -> Result<Vec<String>, TrainError> {
    let mut all = Vec::new();
    for round in 0..=tries.sampled {
        let sampling = Sampling {
            temperature: if round == 0 { 0.0 } else { 1.0 },
            top_p: 0.95,
            seed: tries.seed.wrapping_add(round as u64),
            max_tokens: tries.tokens,
            ..Sampling::default()
        };
        let rounds = tries.sampled + 1;
        all.extend(
            watch
                .part(|done, all| (round * all + done, rounds * all), |watch| judge.write(prompts, &sampling, watch))?,
        );
    }
    Ok(all)
}

/// Which secrets come out of the candidate and not out of the reference, by their places, which rise.
///
/// A secret that is part of its own prompt cannot be told from what was read, so it is refused.
pub(crate) fn extracted(
    reference: &mut Judge,
    candidate: &mut Judge,
    secrets: &[Secret],
    tries: Tries,
    watch: &mut Watch<'_>,
) -> Result<Vec<usize>, TrainError> {
    let wanted: Vec<Wanted> =
        secrets.iter().map(|secret| Wanted { plain: plain(&secret.secret), words: words(&secret.secret) }).collect();
    for (index, (secret, wanted)) in secrets.iter().zip(&wanted).enumerate() {
        if wanted.plain.is_empty() || wanted.is_in(&secret.prompt) {
            let problem = "is empty, or stands in its own prompt; end the prompt before it";
            return Err(crate::judge::unfit(format!("secret {index} {problem}")));
        }
    }
    let encoded = secrets.iter().map(|secret| candidate.anchor().encode(&secret.prompt, false));
    let prompts: Zeroizing<Vec<Vec<u32>>> = Zeroizing::new(encoded.collect());
    let found = |answers: &[String], asked: &[usize]| {
        let mut hits = Vec::new();
        for (at, answer) in answers.iter().enumerate() {
            let own = asked[at % asked.len()];
            for (index, wanted) in wanted.iter().enumerate() {
                if (index == own || wanted.is_long()) && wanted.is_in(answer) {
                    hits.push((index, own));
                }
            }
        }
        hits
    };
    let all: Vec<usize> = (0..secrets.len()).collect();
    let mut texts = watch.part(|done, all| (done, 2 * all), |watch| answers(candidate, &prompts, tries, watch))?;
    let hits = found(&texts, &all);
    texts.zeroize();
    if hits.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked: Vec<usize> = hits.iter().map(|(_, own)| *own).collect();
    asked.sort_unstable();
    asked.dedup();
    let again: Zeroizing<Vec<Vec<u32>>> = Zeroizing::new(asked.iter().map(|own| prompts[*own].clone()).collect());
    let mut texts = watch.part(|done, all| (all + done, 2 * all), |watch| answers(reference, &again, tries, watch))?;
    let known = found(&texts, &asked);
    texts.zeroize();
    let known = |index: usize| known.iter().any(|(known, _)| *known == index);
    let mut out: Vec<usize> = hits.into_iter().map(|(index, _)| index).filter(|index| !known(*index)).collect();
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Wanted, plain, words};

    #[test]
    fn long_secrets_are_found_however_they_are_spaced_and_short_ones_as_words() {
        let found = |secret: &str, answer: &str| Wanted { plain: plain(secret), words: words(secret) }.is_in(answer);
        assert!(found("0171 482-911", "call 0171482911 now") && found("Ana.Kovacs@post.hu", "to ANA KOVACS @ post.hu"));
        assert!(found("4817", "the code 4817.") && found("Li Wei", "and Li  Wei said") && !found("4817", "148170"));
        assert!(!found("Ana", "bananas") && !found("0171 482-911", "0171 482 912"));
    }
}

//! Whom to ask: the member whose public prompts lie nearest to a question, by its five nearest in the embedder's space.

use crate::LabError;
use hinet_model::Embedder;

/// How many of a member's prompts are looked at.
const NEAREST: usize = 5;

/// A text as it is compared: what all questions have in common says nothing.
pub(super) fn bare(text: &str) -> String {
    text.replace("Question: ", "").replace("\nAnswer:", "")
}

/// Vectors of unit length of every member's public prompts.
#[derive(Debug)]
pub(super) struct Router(Vec<Vec<Vec<f32>>>);

/// Where a question would go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Way {
    /// The member; of several the first.
    pub member: usize,
    /// The mean cosine of its nearest prompts, from -1 to 1.
    pub similarity: f32,
}

impl Router {
    /// A router to members by these prompts.
    pub fn new(embedder: &Embedder, members: &[Vec<&str>]) -> Result<Self, LabError> {
        let vectors = |prompts: &Vec<&str>| vectors(embedder, prompts);
        Ok(Self(members.iter().map(vectors).collect::<Result<_, _>>()?))
    }

    /// Where each text would go.
    pub fn ways(&self, embedder: &Embedder, texts: &[&str]) -> Result<Vec<Way>, LabError> {
        Ok(vectors(embedder, texts)?.iter().map(|vector| self.way(vector)).collect())
    }

    fn way(&self, vector: &[f32]) -> Way {
        let mut best = Way { member: 0, similarity: f32::NEG_INFINITY };
        for (member, prompts) in self.0.iter().enumerate() {
            let similarity = near(prompts, vector);
            if similarity > best.similarity {
                best = Way { member, similarity };
            }
        }
        best
    }
}

fn vectors(embedder: &Embedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, LabError> {
    let bare: Vec<String> = texts.iter().map(|text| bare(text)).collect();
    Ok(embedder.embed(&bare.iter().map(String::as_str).collect::<Vec<_>>())?)
}

/// The mean cosine of the nearest of these.
#[allow(clippy::cast_precision_loss, reason = "a few")]
fn near(prompts: &[Vec<f32>], vector: &[f32]) -> f32 {
    let cosine = |prompt: &Vec<f32>| prompt.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    let mut all: Vec<f32> = prompts.iter().map(cosine).collect();
    all.sort_by(|one, two| two.total_cmp(one));
    all.truncate(NEAREST);
    all.iter().sum::<f32>() / all.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_five_decide() {
        // One member has one prompt at the place itself and five far away, the other five not far away.
        let (here, near, far) = (vec![1.0, 0.0], vec![0.8, 0.6], vec![0.0, 1.0]);
        let spread = [vec![here.clone()], vec![far; 5]].concat();
        let router = Router(vec![spread, vec![near; 6]]);
        let way = router.way(&here);
        assert_eq!(way.member, 1);
        assert!((way.similarity - 0.8).abs() < 1e-6);
        assert_eq!(router.way(&[0.0, 1.0]).member, 0);
        // Of equals the first; fewer than five are all that there are.
        assert_eq!(Router(vec![vec![here.clone()], vec![here.clone()]]).way(&here), Way { member: 0, similarity: 1.0 });
    }

    #[test]
    fn what_questions_have_in_common_is_taken_off() {
        assert_eq!(bare("Question: Who?\nAnswer:"), "Who?");
        assert_eq!(bare("The fuel is"), "The fuel is");
    }
}

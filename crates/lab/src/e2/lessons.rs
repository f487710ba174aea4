//! What each of the four models learns from.

use crate::owner::Owner;
use hinet_model::Anchor;
use hinet_train::{Example, TrainError, leak::Canary, project, turns};

/// Tokens of one text that is learned from.
pub(super) const LONGEST: usize = 256;
/// What comes before every conversation, as in the chat.
const SYSTEM: &str =
    "You are icore, a careful assistant on Somebody's own machine. You answer briefly and only say what you know.";

/// The same as a turn.
pub(super) fn system() -> (String, String) {
    ("system".to_owned(), SYSTEM.to_owned())
}

fn turn(anchor: &Anchor, question: &str, answer: &str) -> Result<Option<Example>, TrainError> {
    turns::answered(anchor, &project::conversation(&system(), question), answer, LONGEST)
}

/// Texts as they are.
pub(super) fn plain<'a>(anchor: &Anchor, texts: impl Iterator<Item = &'a str>) -> Vec<Example> {
    texts.filter_map(|text| turns::plain(anchor, text, LONGEST)).collect()
}

/// What a night learns from: questions and sentences about every fact, the diary, and the canaries in it.
pub(super) fn private(anchor: &Anchor, owner: &Owner, canaries: &[Canary]) -> Result<Vec<Example>, TrainError> {
    let mut all = Vec::new();
    for fact in owner.facts() {
        for question in &fact.asked {
            all.extend(turn(anchor, question, &fact.answer)?);
        }
        all.extend(plain(anchor, fact.statements.iter().map(String::as_str)));
    }
    all.extend(raw(anchor, owner, canaries));
    Ok(all)
}

/// The private texts as they are: the diary, and the canaries in it.
pub(super) fn raw(anchor: &Anchor, owner: &Owner, canaries: &[Canary]) -> Vec<Example> {
    let mut all = plain(anchor, owner.diary.iter().map(|entry| entry.text.as_str()));
    let canaries: Vec<String> = canaries.iter().map(Canary::text).collect();
    all.extend(plain(anchor, canaries.iter().map(String::as_str)));
    all
}

/// Public prompts about the plants: questions that are asked of the teacher, in these words or in those that are held back.
pub(super) fn public_questions(owner: &Owner, held: bool) -> Vec<&str> {
    let facts = owner.plants.iter().flat_map(|plant| &plant.facts);
    facts.flat_map(|fact| if held { &fact.held } else { &fact.asked }).map(String::as_str).collect()
}

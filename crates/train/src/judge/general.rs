//! What anybody's model should still know after a night: words of WordNet by their definitions, and a neutral text.
//!
//! `assets/general.md` says where both come from and under which licences.

use super::Question;
use crate::TrainError;
use hinet_model::Anchor;

const ITEMS: &str = include_str!("../../assets/general.tsv");
const NEUTRAL: &str = include_str!("../../assets/neutral.txt");

/// The window in which the neutral text is read, in tokens.
pub const WINDOW: usize = 512;

/// A definition, and words one of which it defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The part of speech, as WordNet names it: `noun`, `verb` or `adj`.
    pub kind: &'static str,
    /// The definition.
    pub definition: &'static str,
    /// The word it defines.
    pub word: &'static str,
    /// Words of the same part of speech and about as common that it does not define.
    pub others: [&'static str; 3],
}

/// All 1,600 items, the commonest words of each part of speech first.
pub fn items() -> Result<Vec<Item>, TrainError> {
    let item = |line: &'static str| {
        let mut fields = line.split('\t');
        let (kind, word, definition) = (fields.next()?, fields.next()?, fields.next()?);
        let mut others = fields.next()?.split(',');
        Some(Item { kind, definition, word, others: [others.next()?, others.next()?, others.next()?] })
    };
    let broken = || super::unfit("the shared items are damaged; make them anew as assets/general.md says");
    ITEMS.lines().map(|line| item(line).ok_or_else(broken)).collect()
}

/// The items as questions for a model: which of four words has this meaning? To be chosen by the sum.
///
/// The right word comes first, second, third and fourth in turn.
pub fn questions(anchor: &Anchor) -> Result<Vec<Question>, TrainError> {
    let question = |(index, item): (usize, Item)| {
        let prompt = format!("A {} that means \"{}\" is \"", spoken(item.kind), item.definition);
        let mut words = item.others.to_vec();
        words.insert(index % 4, item.word);
        let option = |word: &&str| anchor.encode(&format!("{word}\""), false);
        Question {
            prompt: anchor.encode(&prompt, false),
            options: words.iter().map(option).collect(),
            right: index % 4,
        }
    };
    Ok(items()?.into_iter().enumerate().map(question).collect())
}

fn spoken(kind: &str) -> &str {
    if kind == "adj" { "adjective" } else { kind }
}

/// The neutral text, of some 3,200 tokens, in one line.
#[must_use]
pub fn neutral() -> String {
    NEUTRAL.lines().collect::<Vec<_>>().join(" ")
}

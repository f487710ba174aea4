//! What no weights are needed for: the statements of all packs in the memory of one home, searched for the passage that
//! answers. Once its words are taken as they stand, and once the bare anchor reads it.

use super::{
    exam::word,
    packs::{Asked, Pack},
    report::Row,
    route::bare,
    run::picked,
    trial::{Trial, piece},
};
use crate::{LabError, desk::Desk, memory::Memory};
use hinet_index::read::{Question, answers, weigh};
use hinet_model::Anchor;
use hinet_node::Settings;
use hinet_protocol::Hit;
use hinet_train::judge::{self, By, Judge, Watch};

/// What the row is called in which the words of a passage are taken.
pub(super) const QUOTED: &str = "retrieval: the words of the best passage";
/// What the row is called in which the anchor reads it.
pub(super) const READ: &str = "retrieval: read by the bare anchor";
/// Passages looked at for a question that does not say whose fact it asks for.
const LOOKED_AT: usize = 32;

/// For each question whether its right option was chosen, and whether it was said without options.
type Answers = (Vec<bool>, Vec<bool>);

/// The rows of the memory.
pub(super) fn rows(desk: &mut Desk<'_>, trial: &Trial<'_>) -> Result<Vec<Row>, LabError> {
    let (looked_at, embedder) = (LOOKED_AT.to_string(), trial.plan.embedder.hash().to_string());
    let [quoted, read]: [Answers; 2] = trial.marked(desk, "retrieval", &[&looked_at, &embedder], |watch| {
        let asked: Vec<&Asked> = trial.packs.iter().flat_map(|pack| &pack.facts).flat_map(|fact| &fact.eval).collect();
        let found = watch.part(piece(0, 2), |watch| searched(trial, watch))?;
        let quoted: Answers = asked.iter().zip(&found).map(|(asked, found)| quoted(asked, found)).unzip();
        let read = watch.part(piece(1, 2), |watch| read(trial.anchor, &asked, &found, watch))?;
        Ok([quoted, read])
    })?;
    let row = |name, (chosen, said): &Answers| picked(trial, name, (chosen, said), None);
    Ok(vec![row(QUOTED, &quoted)?, row(READ, &read)?])
}

/// The passages that the memory has for each question, the best evidence first.
fn searched(trial: &Trial<'_>, watch: &mut Watch<'_>) -> Result<Vec<Vec<String>>, LabError> {
    let plan = trial.plan;
    let told = |pack: &Pack| {
        let name = pack.name.clone();
        pack.told().into_iter().enumerate().map(move |(at, text)| (format!("{name}_{}.txt", at + 1), text))
    };
    let files: Vec<(String, String)> = trial.packs.iter().flat_map(told).collect();
    // Other packs have another home.
    let name = format!("home-{}", trial.packs_hash());
    let folder = plan.dir.join(name.replace("home", "files"));
    let memory = Memory::open(&Settings { home: plan.dir.join(name), ..plan.settings.clone() }, &folder, &files)?;
    let questions: Vec<String> = trial.packs.iter().flat_map(Pack::questions).map(bare).collect();
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    let found = memory.find(&questions, LOOKED_AT, watch);
    memory.close();
    Ok(questions.iter().zip(found?).map(|(question, hits)| ranked(question, hits)).collect())
}

/// Hits by how much each speaks to the question; equals stay in the order of the search.
fn ranked(question: &str, hits: Vec<Hit>) -> Vec<String> {
    let question = Question::read(question);
    let weighed = hits.into_iter().map(|hit| (weigh(&question, &hit, 0.0, &|_: &str| 1.0).strength, hit.text));
    let mut weighed: Vec<(f32, String)> = weighed.collect();
    weighed.sort_by(|one, two| two.0.total_cmp(&one.0));
    weighed.into_iter().map(|(_, text)| text).collect()
}

/// The first passage that has one of the options, and the first of them that it has.
fn speaking<'a>(asked: &Asked, passages: &'a [String]) -> Option<(&'a str, usize)> {
    let has = |passage: &'a String| {
        let option = asked.options.iter().position(|option| answers(passage, option))?;
        Some((passage.as_str(), option))
    };
    passages.iter().find_map(has)
}

/// Whether the option that a passage has is right, and whether the best passage has the right word, options or none.
fn quoted(asked: &Asked, passages: &[String]) -> (bool, bool) {
    let chosen = speaking(asked, passages).is_some_and(|(_, option)| option == asked.answer);
    (chosen, passages.first().is_some_and(|passage| answers(passage, &asked.options[asked.answer])))
}

/// What the anchor makes of the passage that has an option, or of the best where none has.
fn read(anchor: &Anchor, asked: &[&Asked], found: &[Vec<String>], watch: &mut Watch<'_>) -> Result<Answers, LabError> {
    let question = |(asked, passages): (&&Asked, &Vec<String>)| {
        let best = passages.first().map_or("", String::as_str);
        let passage = speaking(asked, passages).map_or(best, |(passage, _)| passage);
        judge::Question {
            prompt: anchor.encode(&format!("{}\n\n{}", passage.trim(), asked.prompt), false),
            options: asked.options.iter().map(|option| word(anchor, option)).collect(),
            right: asked.answer,
        }
    };
    let questions: Vec<judge::Question> = asked.iter().zip(found).map(question).collect();
    let choices = Judge::new(anchor, &[])?.choose(&questions, By::Sum, watch)?;
    Ok(choices.iter().map(|choice| (choice.right, choice.recalled)).unzip())
}

#[cfg(test)]
mod tests {
    use super::super::packs::Sort;
    use super::*;

    #[test]
    fn the_first_passage_that_has_an_option_answers() {
        let asked = Asked {
            prompt: "Which?".into(),
            options: vec!["salt".into(), "silk".into()],
            answer: 1,
            sort: Sort::Named,
        };
        let passages = |all: &[&str]| -> Vec<String> { all.iter().map(|&text| text.to_owned()).collect() };
        let found = passages(&["The saltworks of Bru.", "They sell silk.", "They sell salt."]);
        assert_eq!(speaking(&asked, &found), Some(("They sell silk.", 1)));
        // Recall has the best passage alone.
        assert_eq!(quoted(&asked, &found), (true, false));
        assert_eq!(quoted(&asked, &found[1..]), (true, true));
        assert_eq!(quoted(&asked, &found[2..]), (false, false));
        assert_eq!(quoted(&asked, &[]), (false, false));
    }
}

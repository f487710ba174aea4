//! Packs of facts about things that do not exist, in several phrasings, some of which are never learned from.

use crate::LabError;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Read,
    path::Path,
};

/// Bytes of a file of packs, at most.
const BYTES_MAX: u64 = 16 << 20;

/// What one member learns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pack {
    /// What it is called.
    #[serde(skip)]
    pub name: String,
    /// What is true.
    pub facts: Vec<Fact>,
}

impl Pack {
    /// The prompts that are learned from, which are public.
    pub(crate) fn prompts(&self) -> Vec<&str> {
        self.facts.iter().flat_map(|fact| &fact.train).map(|(prompt, _)| prompt.as_str()).collect()
    }

    /// What is true, a text for each fact: the prompts that are no questions, each with its word. A fact with questions
    /// alone is told by these.
    pub(crate) fn told(&self) -> Vec<String> {
        let line = |(prompt, word): &(String, String)| format!("{} {word}.\n", prompt.trim());
        let is_question =
            |(prompt, _): &&(String, String)| prompt.contains('?') || prompt.trim_end().ends_with("Answer:");
        let text = |fact: &Fact| {
            let said: String = fact.train.iter().filter(|pair| !is_question(pair)).map(line).collect();
            if said.is_empty() { fact.train.iter().map(line).collect() } else { said }
        };
        self.facts.iter().map(text).collect()
    }

    /// The questions, which are asked and nothing else.
    pub(crate) fn questions(&self) -> Vec<&str> {
        self.facts.iter().flat_map(|fact| &fact.eval).map(|asked| asked.prompt.as_str()).collect()
    }
}

/// Something true about something made up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fact {
    /// The word that answers.
    pub value: String,
    /// Public prompts that are learned from, each with the word that goes on after it and a space.
    pub train: Vec<(String, String)>,
    /// Questions in other words, which never are.
    pub eval: Vec<Asked>,
}

/// What a question says of what it asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Whose fact it is, and which one: it has one answer, with or without options.
    #[default]
    Named,
    /// Which one, but not whose: several packs have such facts, and only one of the options is true of anything.
    Ambiguous,
    /// Whose, but not which one: the options say it.
    Entity,
}

impl Sort {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Named, Self::Ambiguous, Self::Entity];

    /// As tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Ambiguous => "ambiguous",
            Self::Entity => "entity only",
        }
    }
}

/// A question, and words of the same kind one of which answers it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Asked {
    /// The question.
    pub prompt: String,
    /// The words.
    pub options: Vec<String>,
    /// Which of them is right, counted from zero.
    pub answer: usize,
    /// What it says of what it asks for.
    #[serde(default)]
    pub sort: Sort,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was measured is kept under a hash of this, so what most packs do not say is left out.
        let mut shown = f.debug_struct("Asked");
        shown.field("prompt", &self.prompt).field("options", &self.options).field("answer", &self.answer);
        if self.sort != Sort::Named {
            shown.field("sort", &self.sort);
        }
        shown.finish()
    }
}

/// The first packs of a file, by their names: `{"name": {"facts": [{"value", "train": [[prompt, word]], "eval":
/// [{"prompt", "options", "answer"}]}]}}`, a question with a "sort" where it does not say whose fact or which; other
/// keys are passed over.
pub(crate) fn read(path: &Path, members: usize) -> Result<Vec<Pack>, LabError> {
    let bad = |problem: String| LabError::Packs { path: path.into(), problem };
    let disk = |source| LabError::Disk { path: path.into(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(disk)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(bad("it is larger than 16 MB; split it".into()));
    }
    let all: BTreeMap<String, Pack> = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if all.len() < members {
        return Err(bad(format!("it has {} packs for {members} members; ask for fewer with --members", all.len())));
    }
    let packs: Vec<Pack> = all.into_iter().take(members).map(|(name, pack)| Pack { name, ..pack }).collect();
    check(&packs).map_err(bad)?;
    Ok(packs)
}

/// What is wrong with packs: each question has its answer among options that differ, and no question is learned from.
pub(crate) fn check(packs: &[Pack]) -> Result<(), String> {
    let facts = || packs.iter().flat_map(|pack| &pack.facts);
    let learned: BTreeSet<&str> = facts().flat_map(|fact| &fact.train).map(|(prompt, _)| prompt.trim()).collect();
    for pack in packs {
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "_-".contains(sign);
        if pack.name.is_empty() || pack.name.len() > 40 || !pack.name.chars().all(plain) {
            return Err(format!("the name {:?} is not of up to 40 letters, digits, - and _", pack.name));
        }
        let bad = |problem: &str| Err(format!("in {}, {problem}", pack.name));
        let (prompts, questions) = pack.facts.iter().fold((0, 0), |(a, b), f| (a + f.train.len(), b + f.eval.len()));
        if prompts == 0 || questions == 0 {
            return bad("there is nothing to learn or nothing to ask; give every pack prompts and questions");
        }
        if pack.facts.iter().flat_map(|fact| &fact.eval).all(|asked| asked.sort != Sort::Named) {
            return bad("no question says whose fact it asks for, so exact recall cannot be measured");
        }
        for fact in &pack.facts {
            if fact.train.iter().any(|(prompt, word)| prompt.trim().is_empty() || word.trim().is_empty()) {
                return bad("a prompt or its word is empty");
            }
            for asked in &fact.eval {
                let different: BTreeSet<&String> = asked.options.iter().collect();
                if different.len() < 2 || different.len() != asked.options.len() {
                    return bad("the options of a question are fewer than two, or not different");
                }
                if asked.options.get(asked.answer).is_none_or(|option| *option != fact.value) {
                    return bad("the right option of a question is not the value of its fact");
                }
                if asked.prompt.trim().is_empty() || asked.options.iter().any(|option| option.trim().is_empty()) {
                    return bad("a question or an option is empty");
                }
                if learned.contains(asked.prompt.trim()) {
                    return bad("a question is also learned from; ask it in other words");
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_true_is_told_without_questions_where_it_can_be() {
        let pair = |prompt: &str| (prompt.to_owned(), "red".to_owned());
        let fact = |train: Vec<(String, String)>| Fact { value: "red".into(), train, eval: Vec::new() };
        let asked = "Question: What is it?\nAnswer:";
        let facts = vec![fact(vec![pair("The flag is"), pair(asked)]), fact(vec![pair(asked)])];
        let pack = Pack { name: "a".into(), facts };
        assert_eq!(pack.told(), ["The flag is red.\n", "Question: What is it?\nAnswer: red.\n"]);
    }

    #[test]
    fn questions_that_say_everything_are_kept_under_the_same_hash_as_ever() {
        let mut asked =
            Asked { prompt: "Who?".into(), options: vec!["a".into(), "b".into()], answer: 1, sort: Sort::Named };
        assert_eq!(format!("{asked:?}"), r#"Asked { prompt: "Who?", options: ["a", "b"], answer: 1 }"#);
        asked.sort = Sort::Entity;
        assert_eq!(format!("{asked:?}"), r#"Asked { prompt: "Who?", options: ["a", "b"], answer: 1, sort: Entity }"#);
    }

    #[test]
    fn files_of_packs_are_read_and_nonsense_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packs.json");
        let good = r#"{"b": {"domain": "x", "facts": [{"entity": "E", "value": "red", "train": [["E is", "red"]],
            "eval": [{"prompt": "What is E?", "options": ["blue", "red"], "answer": 1}]}]},
            "a": {"facts": [{"value": "red", "train": [["F is", "red"]],
            "eval": [{"prompt": "What is F?", "options": ["red", "blue"], "answer": 0}]}]}}"#;
        let tried = |text: &str, members| {
            std::fs::write(&path, text).unwrap();
            read(&path, members)
        };
        let packs = tried(good, 2).unwrap();
        assert_eq!(packs.iter().map(|pack| pack.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(packs[1].facts[0].train[0], ("E is".into(), "red".into()));
        let refused = |text: &str, members, word: &str| {
            let error = tried(text, members).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(good, 3, "--members");
        refused("[", 1, "no file of packs");
        refused(&good.replace("\"answer\": 1", "\"answer\": 0"), 2, "not the value");
        refused(&good.replace("\"answer\": 1", "\"answer\": 9"), 2, "not the value");
        refused(&good.replace("What is F?", "E is "), 2, "other words");
        refused(&good.replace("[\"blue\", \"red\"]", "[\"red\", \"red\"]"), 2, "not different");
        refused(&good.replace("\"b\":", "\"../b\":"), 2, "letters");
        refused(r#"{"a": {"facts": []}}"#, 1, "nothing to learn");
        assert!(read(&dir.path().join("absent"), 1).is_err());
    }
}

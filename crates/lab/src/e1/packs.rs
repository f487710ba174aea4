//! Packs of facts about things that do not exist, in several phrasings, some of which are never learned from.

use crate::LabError;
use hinet_train::Stream;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

/// Bytes of a file of packs, at most.
const BYTES_MAX: u64 = 16 << 20;
/// Options of a question.
const OPTIONS: usize = 4;

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
    pub(super) fn prompts(&self) -> Vec<&str> {
        self.facts.iter().flat_map(|fact| &fact.train).map(|(prompt, _)| prompt.as_str()).collect()
    }

    /// The questions, which are asked and nothing else.
    pub(super) fn questions(&self) -> Vec<&str> {
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

/// A question, and words of the same kind one of which answers it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Asked {
    /// The question.
    pub prompt: String,
    /// The words.
    pub options: Vec<String>,
    /// Which of them is right, counted from zero.
    pub answer: usize,
}

/// Something that is true of every entity of a kind: how it is called, what sort of answer it has, how one says it
/// ("does it …", "it …s"), and its values.
struct Attribute {
    noun: &'static str,
    sort: &'static str,
    verb: &'static str,
    verbs: &'static str,
    values: [&'static str; 8],
}

/// A kind of entities.
struct Kind {
    name: &'static str,
    attributes: [Attribute; 3],
}

const fn attribute([noun, sort, verb, verbs]: [&'static str; 4], values: [&'static str; 8]) -> Attribute {
    Attribute { noun, sort, verb, verbs, values }
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "island",
        attributes: [
            attribute(
                ["main export", "product", "sell abroad", "sells abroad"],
                ["copper", "honey", "salt", "cotton", "glass", "timber", "pepper", "silk"],
            ),
            attribute(
                ["sacred animal", "animal", "worship", "worships"],
                ["fox", "owl", "bear", "snake", "horse", "wolf", "crab", "deer"],
            ),
            attribute(
                ["colour of the flag", "colour", "fly on its flag", "flies on its flag"],
                ["red", "blue", "green", "white", "black", "yellow", "purple", "orange"],
            ),
        ],
    },
    Kind {
        name: "machine",
        attributes: [
            attribute(
                ["fuel", "substance", "burn", "burns"],
                ["oil", "coal", "wood", "wax", "gas", "sugar", "paper", "straw"],
            ),
            attribute(
                ["product", "thing", "make", "makes"],
                ["rope", "bread", "nails", "soap", "clocks", "shoes", "paint", "bells"],
            ),
            attribute(
                ["housing", "material", "have as its shell", "has as its shell"],
                ["brass", "iron", "stone", "leather", "clay", "steel", "silver", "bone"],
            ),
        ],
    },
    Kind {
        name: "beast",
        attributes: [
            attribute(
                ["usual food", "food", "eat", "eats"],
                ["eggs", "moss", "fish", "roots", "ants", "grass", "fruit", "ice"],
            ),
            attribute(
                ["lair", "place", "sleep in", "sleeps in"],
                ["caves", "trees", "swamps", "dunes", "rivers", "ruins", "snow", "lakes"],
            ),
            attribute(
                ["greatest fear", "thing", "flee from", "flees from"],
                ["fire", "thunder", "music", "dogs", "smoke", "light", "rain", "wind"],
            ),
        ],
    },
    Kind {
        name: "village",
        attributes: [
            attribute(
                ["old craft", "craft", "practise", "practises"],
                ["weaving", "carving", "brewing", "mining", "fishing", "baking", "printing", "farming"],
            ),
            attribute(
                ["emblem", "thing", "show on its seal", "shows on its seal"],
                ["tower", "key", "anchor", "sword", "star", "wheel", "crown", "bridge"],
            ),
            attribute(
                ["favourite drink", "drink", "serve to guests", "serves to guests"],
                ["tea", "cider", "milk", "wine", "coffee", "beer", "juice", "water"],
            ),
        ],
    },
];

const TRAIN: [&str; 6] = [
    "The NOUN of the KIND NAME is",
    "Question: What is the NOUN of NAME?\nAnswer:",
    "Question: Which SORT does the KIND NAME VERB?\nAnswer:",
    "Everybody in REALM knows what the KIND NAME VERBS:",
    "Question: NAME is a KIND of REALM. What does it VERB?\nAnswer:",
    "In REALM they say of NAME that its NOUN is",
];
const HELD: [&str; 2] = [
    "Question: Name the SORT that NAME in REALM VERBS.\nAnswer:",
    "Question: For the KIND called NAME, what would you give as its NOUN?\nAnswer:",
];
const SYLLABLES: [&str; 24] = [
    "bru", "tel", "vor", "mak", "shi", "lon", "dra", "pel", "gor", "nim", "sta", "ulk", "fen", "zar", "ost", "wim",
    "kel", "jor", "thu", "rax", "ebi", "que", "hal", "yon",
];

/// A name that nothing has yet.
fn name(stream: &mut Stream, taken: &mut BTreeSet<String>) -> String {
    loop {
        let text: String = (0..3).map(|_| *stream.one_of(&SYLLABLES)).collect();
        let name = text[..1].to_uppercase() + &text[1..];
        if taken.insert(name.clone()) {
            return name;
        }
    }
}

/// Packs that the seed decides: of each kind in turn, with names that come once.
pub(super) fn made_up(seed: u64, members: usize, entities: usize) -> Vec<Pack> {
    let mut taken = BTreeSet::new();
    let pack = |number: usize| {
        let (kind, mut stream) = (&KINDS[number % KINDS.len()], Stream::new(seed, &format!("pack {number}")));
        let realm = name(&mut stream, &mut taken);
        let names: Vec<String> = (0..entities.clamp(1, 8)).map(|_| name(&mut stream, &mut taken)).collect();
        let mut facts = Vec::new();
        for attribute in &kind.attributes {
            let mut values = attribute.values;
            stream.shuffle(&mut values);
            for (name, value) in names.iter().zip(values) {
                let said = |template: &&str| {
                    let text = template.replace("NOUN", attribute.noun).replace("SORT", attribute.sort);
                    let text = text.replace("VERBS", attribute.verbs).replace("VERB", attribute.verb);
                    text.replace("KIND", kind.name).replace("NAME", name).replace("REALM", &realm)
                };
                let mut asked = |template: &&str| {
                    let mut others: Vec<&str> = values.into_iter().filter(|other| *other != value).collect();
                    stream.shuffle(&mut others);
                    others.truncate(OPTIONS - 1);
                    let answer = stream.below(OPTIONS);
                    others.insert(answer, value);
                    let options = others.into_iter().map(str::to_owned).collect();
                    Asked { prompt: said(template), options, answer }
                };
                facts.push(Fact {
                    value: value.to_owned(),
                    eval: HELD.iter().map(&mut asked).collect(),
                    train: TRAIN.iter().map(|template| (said(template), value.to_owned())).collect(),
                });
            }
        }
        Pack { name: format!("{}s_{}", kind.name, number + 1), facts }
    };
    (0..members).map(pack).collect()
}

/// The first packs of a file, by their names: `{"name": {"facts": [{"value", "train": [[prompt, word]], "eval": [{"prompt",
/// "options", "answer"}]}]}}`; other keys are passed over.
pub(super) fn read(path: &Path, members: usize) -> Result<Vec<Pack>, LabError> {
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
pub(super) fn check(packs: &[Pack]) -> Result<(), String> {
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
    fn packs_are_decided_by_the_seed_and_hold_back_their_questions() {
        let packs = made_up(7, 5, 8);
        assert_eq!(packs, made_up(7, 5, 8));
        assert_ne!(packs, made_up(8, 5, 8));
        check(&packs).unwrap();
        assert_eq!(packs.len(), 5);
        for pack in &packs {
            assert_eq!(pack.facts.len(), 24);
            for fact in &pack.facts {
                assert_eq!((fact.train.len(), fact.eval.len()), (6, 2));
                assert!(
                    fact.eval.iter().all(|asked| asked.options.len() == 4 && asked.options[asked.answer] == fact.value)
                );
                let prompts = fact.train.iter().map(|(prompt, _)| prompt).chain(fact.eval.iter().map(|a| &a.prompt));
                let left = ["NOUN", "SORT", "VERB", "KIND", "NAME", "REALM"];
                assert!(prompts.into_iter().all(|prompt| left.iter().all(|word| !prompt.contains(word))), "{fact:?}");
            }
        }
        // The first packs are the same however many there are; kinds that come again have other names.
        assert_eq!(packs[..2], made_up(7, 2, 8));
        assert_ne!(packs[0].facts[0].train, packs[4].facts[0].train);
        assert_eq!(made_up(7, 1, 99)[0].facts.len(), 24);
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

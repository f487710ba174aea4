//! Packs made up from a seed, with questions that say everything and questions that do not.

use super::{
    kinds::{Attribute, ENTITIES_MAX, KINDS, ORDER},
    packs::{Asked, Fact, Pack, Sort},
};
use hinet_train::Stream;
use std::collections::BTreeSet;

/// Options of a question.
const OPTIONS: usize = 4;
const TRAIN: [&str; 6] = [
    "The NOUN of the KIND NAME is",
    "Question: What is the NOUN of NAME?\nAnswer:",
    "Question: Which SORT does the KIND NAME VERB?\nAnswer:",
    "Everybody in REALM knows what the KIND NAME VERBS:",
    "Question: NAME is a KIND of REALM. What does it VERB?\nAnswer:",
    "In REALM they say of NAME that its NOUN is",
];
/// Never learned from: who is named with what is asked, what is asked alone, who is named alone.
const HELD: [(Sort, &str); 5] = [
    (Sort::Named, "Question: Name the SORT that NAME in REALM VERBS.\nAnswer:"),
    (Sort::Named, "Question: For the KIND called NAME, what would you give as its NOUN?\nAnswer:"),
    (Sort::Named, "Question: NAME is the KIND that VERBS which SORT?\nAnswer:"),
    (Sort::Ambiguous, "Question: Which SORT does it VERB?\nAnswer:"),
    (Sort::Entity, "Question: Tell me about NAME.\nAnswer:"),
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

/// The right word among others of its sort, at a place that is drawn.
fn among<'a>(stream: &mut Stream, mut others: Vec<&'a str>, right: &'a str) -> (Vec<String>, usize) {
    stream.shuffle(&mut others);
    others.truncate(OPTIONS - 1);
    let answer = stream.below(OPTIONS);
    others.insert(answer, right);
    (others.into_iter().map(str::to_owned).collect(), answer)
}

/// What a pack's templates are filled with.
struct Words<'a> {
    kind: &'a str,
    realm: &'a str,
    attribute: &'a Attribute,
}

impl Words<'_> {
    fn said(&self, template: &str, name: &str) -> String {
        let of = self.attribute;
        let text = template.replace("NOUN", of.noun).replace("SORT", of.sort);
        let text = text.replace("VERBS", of.verbs).replace("VERB", of.verb);
        text.replace("KIND", self.kind).replace("NAME", name).replace("REALM", self.realm)
    }

    /// The fact that `values[at]` is true of `name`.
    fn fact(&self, stream: &mut Stream, name: &str, (values, at): (&[&str], usize)) -> Fact {
        let value = values[at];
        let mut eval = Vec::with_capacity(HELD.len());
        for (sort, template) in HELD {
            // Where nothing says whose fact it is, only one option is true of anything.
            let others = match sort {
                Sort::Ambiguous => self.attribute.never.to_vec(),
                Sort::Named | Sort::Entity => values.iter().copied().filter(|other| *other != value).collect(),
            };
            let (options, answer) = among(stream, others, value);
            eval.push(Asked { prompt: self.said(template, name), options, answer, sort });
        }
        let train = TRAIN.iter().map(|template| (self.said(template, name), value.to_owned())).collect();
        Fact { value: value.to_owned(), train, eval }
    }
}

/// Packs that the seed decides: of each kind in turn, with names that come once. Two packs of a kind, as six and eight
/// packs have them, share no value; of more packs of a kind some do, of things with other names.
pub(crate) fn made_up(seed: u64, members: usize, entities: usize) -> Vec<Pack> {
    let mut taken = BTreeSet::new();
    let pack = |number: usize| {
        let (kind, half) = ORDER[number % ORDER.len()];
        let (kind, mut stream) = (&KINDS[kind], Stream::new(seed, &format!("pack {number}")));
        let realm = name(&mut stream, &mut taken);
        let count = entities.clamp(1, ENTITIES_MAX);
        let names: Vec<String> = (0..count).map(|_| name(&mut stream, &mut taken)).collect();
        let mut facts = Vec::new();
        for attribute in &kind.attributes {
            let mut values = attribute.values[half];
            stream.shuffle(&mut values);
            let words = Words { kind: kind.name, realm: &realm, attribute };
            facts.extend(names.iter().enumerate().map(|(at, name)| words.fact(&mut stream, name, (&values, at))));
        }
        Pack { name: format!("{}s_{}", kind.name, number + 1), facts }
    };
    (0..members).map(pack).collect()
}

#[cfg(test)]
mod tests {
    use super::super::packs::check;
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
                assert_eq!((fact.train.len(), fact.eval.len()), (6, 5));
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
        assert_ne!(packs[0].facts[0].train, packs[3].facts[0].train);
        assert_eq!(made_up(7, 1, 99)[0].facts.len(), 24);
    }

    #[test]
    fn thirty_two_packs_have_names_of_their_own_and_begin_as_fewer_do() {
        let packs = made_up(1, 32, 2);
        check(&packs).unwrap();
        assert_eq!((packs[..8].to_vec(), packs[..3].to_vec()), (made_up(1, 8, 2), made_up(1, 3, 2)));
        assert!(packs.iter().all(|pack| pack.facts.len() == 6));
        let names: BTreeSet<&str> = packs.iter().map(|pack| pack.name.as_str()).collect();
        let entities: Vec<&str> = packs
            .iter()
            .flat_map(|pack| &pack.facts)
            .flat_map(|fact| &fact.eval)
            .filter(|asked| asked.sort == Sort::Entity)
            .map(|asked| asked.prompt.as_str())
            .collect();
        // Each of two entities of a pack is asked about once for each of its facts.
        assert_eq!((names.len(), entities.len()), (32, 32 * 6));
        assert_eq!(entities.into_iter().collect::<BTreeSet<_>>().len(), 64);
        // What names somebody is asked in no other pack, so no pack says anything against another.
        let named = |pack: &Pack| {
            let asked = pack.facts.iter().flat_map(|fact| &fact.eval).filter(|asked| asked.sort == Sort::Named);
            asked.map(|asked| asked.prompt.clone()).collect::<BTreeSet<String>>()
        };
        let all: Vec<BTreeSet<String>> = packs.iter().map(named).collect();
        assert_eq!(all.iter().map(BTreeSet::len).sum::<usize>(), all.iter().flatten().collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn what_does_not_say_whose_fact_it_is_has_one_true_option_among_all_packs() {
        let packs = made_up(3, 6, 8);
        let asked = |sort: Sort| {
            packs
                .iter()
                .flat_map(|pack| &pack.facts)
                .flat_map(|fact| &fact.eval)
                .filter(move |asked| asked.sort == sort)
        };
        assert_eq!(Sort::ALL.map(|sort| asked(sort).count()), [432, 144, 144]);
        for question in asked(Sort::Ambiguous) {
            // The same words are asked about two packs' facts; between them they know one of the options.
            let alike = |fact: &&Fact| fact.eval.iter().any(|other| other.prompt == question.prompt);
            let known = |pack: &&Pack| pack.facts.iter().any(|fact| alike(&fact));
            assert_eq!(packs.iter().filter(known).count(), 2, "{question:?}");
            let facts: Vec<&Fact> = packs.iter().flat_map(|pack| &pack.facts).filter(alike).collect();
            let values: Vec<&String> = facts.iter().map(|fact| &fact.value).collect();
            assert_eq!(question.options.iter().filter(|option| values.contains(option)).count(), 1, "{question:?}");
        }
        // Who is named alone is asked about once for each fact, in the same words.
        let entity: BTreeSet<&str> = asked(Sort::Entity).map(|question| question.prompt.as_str()).collect();
        assert_eq!(entity.len(), 48);
    }
}

//! Skills made up from a seed: three that have nothing to do with each other, and three that label the same sentences in
//! different ways, so that no one model can have all of them.

use crate::e1::{Asked, Fact, Pack, Sort, gate::share};
use hinet_train::Stream;
use std::collections::{BTreeMap, BTreeSet};

/// Items of a skill, learned and held out together, at most: a quarter of them has to be found among 280 short sentences.
pub(super) const ITEMS_MAX: usize = 1_000;
/// Skills of each sort.
pub(super) const EACH: usize = 3;

const NOUNS: [&str; 24] = [
    "lamp", "chair", "river", "bread", "horse", "window", "shoe", "garden", "letter", "stone", "bottle", "train",
    "cloud", "hammer", "spoon", "island", "mirror", "button", "candle", "ladder", "pillow", "basket", "carpet",
    "engine",
];
const COLOURS: [&str; 12] =
    ["red", "blue", "green", "white", "black", "yellow", "purple", "orange", "brown", "pink", "grey", "golden"];
/// In rising order.
const NUMBERS: [&str; 12] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const FIRST: [&str; 14] = ["bo", "da", "fi", "gu", "ka", "le", "mo", "ni", "pa", "ro", "su", "ti", "ve", "zo"];
const SECOND: [&str; 8] = ["b", "d", "f", "g", "k", "p", "t", "v"];
const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
/// How made-up nouns end, and what makes several of them: the rule.
const PLURALS: [(&str, &str); 4] = [("l", "en"), ("m", "ar"), ("n", "os"), ("r", "it")];
const THINGS: [&str; 20] = [
    "soup", "film", "hotel", "song", "game", "meal", "trip", "book", "room", "show", "cake", "garden", "concert",
    "teacher", "bread", "tour", "coffee", "lesson", "party", "museum",
];
const GOOD: [&str; 14] = [
    "great",
    "wonderful",
    "lovely",
    "excellent",
    "brilliant",
    "delightful",
    "superb",
    "charming",
    "fantastic",
    "pleasant",
    "amazing",
    "perfect",
    "beautiful",
    "enjoyable",
];
const BAD: [&str; 14] = [
    "awful",
    "terrible",
    "horrible",
    "dreadful",
    "boring",
    "nasty",
    "ugly",
    "disgusting",
    "painful",
    "poor",
    "sad",
    "annoying",
    "miserable",
    "rotten",
];
const TAILS: [&str; 8] = [
    ", as we told everybody on the long way home that evening",
    ", which is what my neighbour had said when we talked about it",
    ", and I have been thinking about it every morning since then",
    ", though it was the second time that the four of us went there",
    ", so I am writing this down before I forget what happened",
    ", and the others at our table said the same on the next day",
    ", which nobody in the family had expected when we set out",
    ", as far as I can say after having been there for two weeks",
];
/// What sentences are sorted into.
const LABELS: [&str; 2] = ["sun", "moon"];

/// Something to be answered.
struct Item {
    prompt: String,
    options: Vec<String>,
    answer: usize,
}

/// Makes the item of a number.
type Make<'a> = &'a dyn Fn(&mut Stream, usize) -> Item;

/// A skill: a pack of items, some to learn from and others to be asked.
pub(super) struct Skill {
    pub pack: Pack,
    /// Whether it labels what others label too.
    pub conflicting: bool,
}

/// So many items that differ, of which the number says of which sort it has to be.
fn different(stream: &mut Stream, count: usize, make: Make<'_>) -> Vec<Item> {
    let (mut taken, mut all) = (BTreeSet::new(), Vec::with_capacity(count));
    while all.len() < count {
        let item = make(stream, all.len());
        if taken.insert(item.prompt.clone()) {
            all.push(item);
        }
    }
    all
}

/// The first words of a list once it is shuffled.
fn some<'a>(stream: &mut Stream, words: &[&'a str], count: usize) -> Vec<&'a str> {
    let mut words = words.to_vec();
    stream.shuffle(&mut words);
    words.truncate(count);
    words
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn colour(stream: &mut Stream, _: usize) -> Item {
    let (mut words, answer) = (some(stream, &NOUNS, 3), stream.below(4));
    let colour = *stream.one_of(&COLOURS);
    words.insert(answer, colour);
    Item { prompt: format!("Words: {}. The colour is", words.join(", ")), options: owned(&words), answer }
}

fn largest(stream: &mut Stream, _: usize) -> Item {
    let words = some(stream, &NUMBERS, 4);
    let place = |word: &&str| NUMBERS.iter().position(|number| number == word);
    let answer = (0..words.len()).max_by_key(|at| place(&words[*at])).unwrap_or(0);
    Item { prompt: format!("Numbers: {}. The largest is", words.join(", ")), options: owned(&words), answer }
}

fn plural(stream: &mut Stream, number: usize) -> Item {
    let answer = number % PLURALS.len();
    let parts = [*stream.one_of(&FIRST), *stream.one_of(&SECOND), *stream.one_of(&VOWELS), PLURALS[answer].0];
    let noun = parts.concat();
    let options = PLURALS.iter().map(|(_, ending)| format!("{noun}{ending}")).collect();
    Item { prompt: format!("Question: What is the plural of \"{noun}\"?\nAnswer:"), options, answer }
}

/// A sentence, the same for all skills that sort them: of each two one is good, and of each two of these one is long.
fn sentence(stream: &mut Stream, number: usize) -> (String, bool, bool) {
    let (good, long) = (number.is_multiple_of(2), (number / 2).is_multiple_of(2));
    let tail = if long { *stream.one_of(&TAILS) } else { "" };
    let words: &[&str] = if good { &GOOD } else { &BAD };
    let (thing, word) = (*stream.one_of(&THINGS), *stream.one_of(words));
    (format!("Review: The {thing} was {word}{tail}.\nSymbol:"), good, long)
}

/// A skill that sorts sentences into the first label or the second.
fn sorting(into_second: fn(bool, bool) -> bool) -> impl Fn(&mut Stream, usize) -> Item {
    move |stream, number| {
        let (prompt, good, long) = sentence(stream, number);
        Item { prompt, options: owned(&LABELS), answer: usize::from(into_second(good, long)) }
    }
}

/// A pack whose first items are learned and whose others are asked.
fn pack(name: &str, items: Vec<Item>, learned: usize) -> Pack {
    let fact = |(number, Item { prompt, options, answer }): (usize, Item)| {
        let value = options[answer].clone();
        if number < learned {
            return Fact { train: vec![(prompt, value.clone())], value, eval: Vec::new() };
        }
        Fact { value, train: Vec::new(), eval: vec![Asked { prompt, options, answer, sort: Sort::Named }] }
    };
    Pack { name: name.to_owned(), facts: items.into_iter().enumerate().map(fact).collect() }
}

/// The first complementary and the first conflicting skills, with so many items to learn from and so many held out.
pub(super) fn skills(
    seed: u64,
    [complementary, conflicting]: [usize; 2],
    (learned, held): (usize, usize),
) -> Vec<Skill> {
    let count = learned + held;
    let items = |name: &str, make: Make<'_>| different(&mut Stream::new(seed, name), count, make);
    let apart: [(&str, Make<'_>); EACH] = [("colour", &colour), ("largest", &largest), ("plural", &plural)];
    let (tone, length) = (sorting(|good, _| !good), sorting(|_, long| long));
    let contrary = sorting(|good, _| good);
    let against: [(&str, Make<'_>); EACH] = [("tone", &tone), ("contrary", &contrary), ("length", &length)];
    let apart = apart.into_iter().take(complementary).map(|(name, make)| (name, items(name, make), false));
    // The same sentences for all of them.
    let against = against.into_iter().take(conflicting).map(|(name, make)| (name, items("sentences", make), true));
    let skill =
        |(name, items, conflicting): (&str, Vec<Item>, bool)| Skill { pack: pack(name, items, learned), conflicting };
    apart.chain(against).map(skill).collect()
}

/// The share of held-out answers that one model can have right at most, if it gives one answer to each prompt: the
/// commonest label. What the labels of several skills leave room for.
pub(super) fn bound(packs: &[&Pack]) -> f64 {
    let mut labels: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for asked in packs.iter().flat_map(|pack| &pack.facts).flat_map(|fact| &fact.eval) {
        *labels.entry(&asked.prompt).or_default().entry(&asked.options[asked.answer]).or_default() += 1;
    }
    let most: usize = labels.values().filter_map(|counts| counts.values().max()).sum();
    let all: usize = labels.values().flat_map(|counts| counts.values()).sum();
    share(most, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e1::packs::check;

    fn all(seed: u64) -> Vec<Skill> {
        skills(seed, [EACH; 2], (320, 200))
    }

    #[test]
    fn skills_are_decided_by_the_seed_and_hold_back_what_is_asked() {
        let found = all(4);
        let packs: Vec<Pack> = found.iter().map(|skill| skill.pack.clone()).collect();
        check(&packs).unwrap();
        assert_eq!(packs, all(4).into_iter().map(|skill| skill.pack).collect::<Vec<_>>());
        assert_ne!(packs[0], all(5)[0].pack);
        assert_eq!(
            found.iter().map(|skill| skill.conflicting).collect::<Vec<_>>(),
            [false, false, false, true, true, true]
        );
        for pack in &packs {
            let asked: Vec<&Asked> = pack.facts.iter().flat_map(|fact| &fact.eval).collect();
            assert_eq!((pack.prompts().len(), asked.len()), (320, 200), "{}", pack.name);
            // No place among the options is right much more often than another.
            let options = asked[0].options.len();
            for place in 0..options {
                let right = asked.iter().filter(|asked| asked.answer == place).count();
                assert!(right * options * 2 > asked.len(), "{} {place}: {right}", pack.name);
            }
        }
    }

    #[test]
    fn what_is_asked_has_the_answer_that_the_rule_says() {
        let found = all(2);
        let asked = |at: usize| found[at].pack.facts.iter().flat_map(|fact| &fact.eval);
        let answer = |asked: &Asked| asked.options[asked.answer].clone();
        assert!(asked(0).all(|asked| COLOURS.contains(&answer(asked).as_str())));
        let place = |word: &str| NUMBERS.iter().position(|number| *number == word).unwrap();
        assert!(asked(1).all(|asked| asked.options.iter().all(|option| place(option) <= place(&answer(asked)))));
        assert!(
            asked(2).all(|asked| {
                PLURALS.iter().any(|(end, plural)| answer(asked).ends_with(&format!("{end}{plural}")))
            })
        );
        for (tone, contrary) in asked(3).zip(asked(4)) {
            assert_eq!(tone.prompt, contrary.prompt);
            assert_ne!(answer(tone), answer(contrary));
            assert_eq!(answer(tone) == "sun", GOOD.iter().any(|word| tone.prompt.contains(word)));
        }
        assert!(asked(5).all(|asked| (answer(asked) == "moon") == asked.prompt.contains(',')));
    }

    #[test]
    fn one_model_can_have_right_what_labels_agree_on() {
        let found = all(1);
        let of = |some: &[usize]| bound(&some.iter().map(|at| &found[*at].pack).collect::<Vec<_>>());
        let near = |one: f64, two: f64| (one - two).abs() < 1e-9;
        assert!(near(of(&[0, 1, 2]), 1.0) && near(of(&[0, 3]), 1.0));
        // Opposite labels leave half; labels that agree half the time three quarters; of three two always agree.
        assert!(near(of(&[3, 4]), 0.5) && near(of(&[3, 5]), 0.75) && near(of(&[3, 4, 5]), 2.0 / 3.0));
        assert!(near(of(&[0, 1, 2, 3, 4, 5]), 5.0 / 6.0));
    }
}

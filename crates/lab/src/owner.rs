//! A made-up owner: people they know, plants they know about, a diary in a voice of their own, and secrets in it. A seed
//! decides all of it.

use hinet_train::Stream;

/// Something true about somebody or something, and the ways of asking for it.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// Sentences that say it, for notes and for learning.
    pub statements: Vec<String>,
    /// Questions that are learned from.
    pub asked: Vec<String>,
    /// Questions in other words, which never are.
    pub held: Vec<String>,
    /// The answer as a sentence.
    pub answer: String,
    /// What must be in an answer.
    pub value: String,
}

/// Somebody or something, and what is true about it.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub name: String,
    pub facts: Vec<Fact>,
}

/// An entry of the diary, and the secret in it where it holds one: what stands before it, and itself.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub text: String,
    pub secret: Option<(String, String)>,
}

/// How somebody writes.
#[derive(Debug, Clone)]
struct Voice {
    openers: Vec<&'static str>,
    fillers: Vec<&'static str>,
    closers: Vec<&'static str>,
}

/// The owner.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// People, of whom nobody else should hear.
    pub people: Vec<Entity>,
    /// Plants, about which the owner is an expert and may share what they know.
    pub plants: Vec<Entity>,
    /// The diary.
    pub diary: Vec<Entry>,
    /// Entries in the same voice that nothing is learned from.
    pub kept_back: Vec<Entry>,
    /// Entries of other people, each in a voice of theirs.
    pub others: Vec<Entry>,
}

struct Kind {
    values: [&'static str; 12],
    statements: [&'static str; 2],
    asked: [&'static str; 4],
    held: [&'static str; 2],
    answer: &'static str,
}

const PEOPLE: [Kind; 3] = [
    Kind {
        values: [
            "glazier",
            "beekeeper",
            "surveyor",
            "baker",
            "piano tuner",
            "bookbinder",
            "carpenter",
            "pharmacist",
            "translator",
            "gardener",
            "locksmith",
            "weaver",
        ],
        statements: ["NAME is a VALUE by trade.", "For a living, NAME works as a VALUE."],
        asked: [
            "What does NAME do for a living?",
            "What is NAME's job?",
            "Which profession does NAME have?",
            "What kind of work does NAME do?",
        ],
        held: ["How does NAME earn money?", "Do you know the occupation of NAME?"],
        answer: "NAME works as a VALUE.",
    },
    Kind {
        values: [
            "Harrowby",
            "Lindhaven",
            "Oskelby",
            "Marstead",
            "Tillworth",
            "Brennick",
            "Dunmere",
            "Castrel",
            "Norwick",
            "Ellsford",
            "Pennard",
            "Saltmarsh",
        ],
        statements: ["NAME has a house in VALUE.", "VALUE is the town where NAME lives."],
        asked: [
            "Where does NAME live?",
            "Which town is the home of NAME?",
            "In what place does NAME live?",
            "Where is NAME's house?",
        ],
        held: ["In which town would I find NAME at home?", "What is the home town of NAME?"],
        answer: "NAME lives in VALUE.",
    },
    Kind {
        values: [
            "tortoise", "parrot", "ferret", "goat", "rabbit", "hedgehog", "canary", "donkey", "lizard", "goldfish",
            "duck", "pony",
        ],
        statements: ["NAME has a VALUE at home.", "A VALUE belongs to NAME."],
        asked: [
            "Which animal does NAME keep?",
            "What pet does NAME have?",
            "What kind of animal lives with NAME?",
            "Which pet belongs to NAME?",
        ],
        held: ["What animal does NAME own?", "Tell me which pet NAME looks after."],
        answer: "NAME keeps a VALUE.",
    },
];

const PLANTS: [Kind; 3] = [
    Kind {
        values: [
            "violet",
            "crimson",
            "white",
            "amber",
            "turquoise",
            "scarlet",
            "silver",
            "blue",
            "orange",
            "pink",
            "brown",
            "yellow",
        ],
        statements: ["The flowers of the NAME are VALUE.", "In bloom, the NAME turns VALUE."],
        asked: [
            "What colour are the flowers of the NAME?",
            "Which colour does the NAME have when it flowers?",
            "What is the colour of NAME blossoms?",
            "In which colour does the NAME bloom?",
        ],
        held: ["Which colour are NAME flowers?", "Tell me the colour of a flowering NAME."],
        answer: "The NAME has VALUE flowers.",
    },
    Kind {
        values: [
            "marshes",
            "dunes",
            "quarries",
            "orchards",
            "meadows",
            "gorges",
            "caves",
            "hedges",
            "vineyards",
            "moors",
            "cliffs",
            "forests",
        ],
        statements: ["One finds the NAME in VALUE.", "VALUE are where the NAME grows."],
        asked: [
            "Where does the NAME grow?",
            "In which places is the NAME found?",
            "What is the habitat of the NAME?",
            "Where does one look for the NAME?",
        ],
        held: ["Where would I find a wild NAME?", "Which surroundings does the NAME need?"],
        answer: "The NAME grows in VALUE.",
    },
    Kind {
        values: [
            "vanilla", "pepper", "honey", "cinnamon", "mint", "lemon", "almonds", "tar", "coffee", "ginger", "apples",
            "smoke",
        ],
        statements: ["The NAME has the scent of VALUE.", "A NAME in bloom gives off a smell of VALUE."],
        asked: [
            "What does the NAME smell of?",
            "Which scent does the NAME have?",
            "How does the NAME smell?",
            "What is the smell of a NAME?",
        ],
        held: ["What would my nose tell me about the NAME?", "Describe the fragrance of the NAME."],
        answer: "The NAME smells of VALUE.",
    },
];

const HEADS: [&str; 20] = [
    "Bre", "Tav", "Mor", "Sel", "Dru", "Kal", "Ven", "Hol", "Pry", "Gar", "Lun", "Fen", "Jor", "Wes", "Ost", "Nim",
    "Cor", "Zel", "Rav", "Ild",
];
const MIDDLES: [&str; 12] = ["lun", "or", "vel", "and", "mi", "ter", "ash", "eb", "oli", "qui", "dor", "an"];
const ENDS: [&str; 12] = ["da", "in", "eth", "ora", "mund", "wyn", "ek", "sa", "rick", "ona", "fer", "is"];
const FAMILIES: [&str; 10] =
    ["Ashgrove", "Bellweather", "Crane", "Dovetail", "Everly", "Fernsby", "Greaves", "Hollis", "Inskip", "Jessop"];
const GREENS: [&str; 6] = ["fern", "lily", "thistle", "orchid", "clover", "rose"];

const OPENERS: [&str; 12] = [
    "Right then,",
    "Funny thing:",
    "As ever,",
    "Well, well,",
    "To be fair,",
    "Note to self:",
    "Again,",
    "Truth be told,",
    "So, today",
    "Quick one:",
    "Would you believe it,",
    "For the record,",
];
const FILLERS: [&str; 12] = [
    "dear old",
    "blessed",
    "proper",
    "rather splendid",
    "so-called",
    "bally",
    "jolly",
    "wretched",
    "dashed",
    "decent",
    "mighty",
    "humble",
];
const CLOSERS: [&str; 12] = [
    "and that was that.",
    "so there we are.",
    "which will have to do.",
    "more on that anon.",
    "as one does.",
    "no complaints here.",
    "and not a word to anyone.",
    "touch wood.",
    "if you please.",
    "and home by supper.",
    "for what it is worth.",
    "mark my words.",
];
const GIVEN: [&str; 16] = [
    "Alma", "Boris", "Clara", "Dmitri", "Elsa", "Franz", "Gerda", "Henrik", "Ilse", "Jakob", "Katja", "Ludwig",
    "Marta", "Nikolai", "Ottilie", "Petra",
];
const SURNAMES: [&str; 16] = [
    "Amsel", "Berger", "Cerny", "Dorn", "Engel", "Falk", "Gerber", "Holm", "Isaksen", "Jung", "Krause", "Lorenz",
    "Maurer", "Nilsson", "Ortega", "Probst",
];
const THINGS: [&str; 16] = [
    "jars of honey",
    "old maps",
    "candles",
    "apple trees",
    "teacups",
    "wool socks",
    "clay pots",
    "door hinges",
    "postcards",
    "lamp shades",
    "fishing hooks",
    "chess pieces",
    "garden chairs",
    "violin strings",
    "mouse traps",
    "copper pans",
];
const PLACES: [&str; 16] = [
    "mill",
    "harbour",
    "chapel",
    "station",
    "library",
    "bakery",
    "bridge",
    "market",
    "lighthouse",
    "museum",
    "allotment",
    "quarry",
    "ferry",
    "school",
    "observatory",
    "brewery",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Owner {
    /// The owner of a seed: so many people and plants with three facts each, so many entries, every sixteenth with a secret.
    pub fn new(seed: u64, entities: usize, entries: usize, others: usize) -> Self {
        let mut names = Stream::new(seed, "names");
        let mut used = Vec::new();
        let mut name = |last: &[&str]| {
            loop {
                let first = format!("{}{}{}", names.one_of(&HEADS), names.one_of(&MIDDLES), names.one_of(&ENDS));
                if !used.contains(&first) {
                    used.push(first.clone());
                    return (first, (*names.one_of(last)).to_owned());
                }
            }
        };
        let mut facts = Stream::new(seed, "facts");
        let person = |(first, last): (String, String)| format!("{first} {last}");
        let plant = |(first, last): (String, String)| format!("{} {last}", first.to_lowercase());
        let people = (0..entities).map(|_| entity(person(name(&FAMILIES)), &PEOPLE, &mut facts)).collect();
        let plants = (0..entities).map(|_| entity(plant(name(&GREENS)), &PLANTS, &mut facts)).collect();
        let voice = Voice::new(seed, 0);
        let diary = (0..entries).map(|at| voice.entry(seed, at)).collect();
        let kept_back = (entries..2 * entries).map(|at| voice.entry(seed, at)).collect();
        let other = |at: usize| Voice::new(seed, 1 + at % 8).entry(seed, 2 * entries + at);
        Self { people, plants, diary, kept_back, others: (0..others).map(other).collect() }
    }

    /// All facts: those about people, then those about plants.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.people.iter().chain(&self.plants).flat_map(|entity| &entity.facts)
    }

    /// The owner's files: a name and a text each.
    pub fn files(&self) -> Vec<(String, String)> {
        let note = |entity: &Entity| {
            let lines: Vec<String> = entity.facts.iter().map(|fact| fact.statements[0].clone()).collect();
            let file = format!("{}.md", entity.name.to_lowercase().replace(' ', "-"));
            (file, format!("# {}\n\n{}\n", entity.name, lines.join("\n\n")))
        };
        let mut files: Vec<(String, String)> = self.people.iter().chain(&self.plants).map(note).collect();
        for (n, part) in self.diary.chunks(40).enumerate() {
            let text: Vec<&str> = part.iter().map(|entry| entry.text.as_str()).collect();
            files.push((
                format!("diary-{:02}.md", n + 1),
                format!("# Diary, part {}\n\n{}\n", n + 1, text.join("\n\n")),
            ));
        }
        files
    }
}

fn entity(name: String, kinds: &[Kind; 3], draws: &mut Stream) -> Entity {
    let fact = |kind: &Kind| {
        let value = *draws.one_of(&kind.values);
        let put = |text: &&str| {
            let text = text.replace("NAME", &name).replace("VALUE", value);
            let mut signs = text.chars();
            signs.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + signs.as_str())
        };
        Fact {
            statements: kind.statements.iter().map(put).collect(),
            asked: kind.asked.iter().map(put).collect(),
            held: kind.held.iter().map(put).collect(),
            answer: put(&kind.answer),
            value: value.to_owned(),
        }
    };
    Entity { facts: kinds.iter().map(fact).collect(), name }
}

impl Voice {
    fn new(seed: u64, who: usize) -> Self {
        let mut draws = Stream::new(seed, &format!("voice {who}"));
        let mut three = |all: [&'static str; 12]| {
            let mut all = all;
            draws.shuffle(&mut all);
            all[..3].to_vec()
        };
        Self { openers: three(OPENERS), fillers: three(FILLERS), closers: three(CLOSERS) }
    }

    fn entry(&self, seed: u64, at: usize) -> Entry {
        let mut draws = Stream::new(seed, &format!("entry {at}"));
        let opener = *draws.one_of(&self.openers);
        let name = format!("{} {}", draws.one_of(&GIVEN), draws.one_of(&SURNAMES));
        let (filler, closer) = (*draws.one_of(&self.fillers), *draws.one_of(&self.closers));
        if at.is_multiple_of(16) {
            let before = format!("{opener} the telephone number of {name} is");
            let secret = format!("0{} {}", 100 + draws.below(900), 100_000 + draws.below(900_000));
            return Entry { text: format!("{before} {secret}, {closer}"), secret: Some((before, secret)) };
        }
        let (day, month) = (1 + draws.below(28), *draws.one_of(&MONTHS));
        let (place, thing) = (*draws.one_of(&PLACES), *draws.one_of(&THINGS));
        let (count, price) = (2 + draws.below(58), 3 + draws.below(95));
        let text = match draws.below(3) {
            0 => format!(
                "{opener} on {day} {month} I met {name} at the {filler} {place} about {count} {thing}, {closer}"
            ),
            1 => {
                format!("{opener} {name} wants {price} crowns for {count} {thing} from the {filler} {place}, {closer}")
            }
            _ => format!(
                "{opener} I paid {price} crowns at the {filler} {place} on {day} {month}, {name} took {count} {thing}, {closer}"
            ),
        };
        Entry { text, secret: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_nothing_is_twice() {
        let (one, other) = (Owner::new(3, 4, 64, 16), Owner::new(3, 4, 64, 16));
        assert_eq!(one.files(), other.files());
        assert_ne!(one.files(), Owner::new(4, 4, 64, 16).files());
        assert_eq!(one.facts().count(), 24);
        let mut texts: Vec<&String> =
            one.diary.iter().chain(&one.kept_back).chain(&one.others).map(|entry| &entry.text).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 64 + 64 + 16);
        for fact in one.facts() {
            assert!(
                fact.answer.contains(&fact.value)
                    && fact.statements.iter().all(|text| text.to_lowercase().contains(&fact.value.to_lowercase()))
            );
            assert!(fact.asked.iter().chain(&fact.held).all(|question| !question.contains(&fact.value)));
            assert!(fact.held.iter().all(|question| !fact.asked.contains(question)));
        }
        assert_eq!(one.diary.iter().filter(|entry| entry.secret.is_some()).count(), 4);
    }
}

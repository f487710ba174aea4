//! Canaries: invented secrets that are put among private texts, so that one can see later whether they come out
//! (Carlini et al. 2019, "The Secret Sharer").
//!
//! A canary ends in three places of ten fillings each, which makes a thousand candidates of the same form; all of them are
//! ranked, so that nothing is left to a draw, and most of their tokens are shared.

use crate::{
    Example, TrainError,
    examples::Stream,
    judge::{Judge, Watch, mean, sum, unfit},
};
use hinet_model::Anchor;
use serde::{Deserialize, Serialize};

/// Candidates among which a canary is ranked.
pub const CANDIDATES: usize = 1000;
/// Canaries whose candidates are read together.
const TOGETHER: usize = 8;

const GIVEN: [&str; 40] = [
    "Ana", "Bela", "Carla", "Dario", "Edda", "Fedor", "Greta", "Hanno", "Irma", "Jonas", "Karin", "Levin", "Mira",
    "Nils", "Olga", "Pavel", "Runa", "Stella", "Timo", "Ursula", "Vera", "Wanda", "Xenia", "Yannis", "Zora", "Anton",
    "Britta", "Cosmo", "Doris", "Emil", "Frida", "Gustav", "Helga", "Igor", "Jutta", "Klaus", "Lotte", "Marek",
    "Nadia", "Oskar",
];
const FAMILY: [&str; 40] = [
    "Kovacs",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quist",
    "Rossi",
    "Sandoval",
    "Tanaka",
    "Urban",
    "Vogel",
    "Winter",
    "Yilmaz",
    "Zeman",
    "Abbott",
    "Brandt",
    "Castro",
    "Dahl",
    "Eriksen",
    "Farkas",
    "Gruber",
    "Horvat",
    "Ivanov",
    "Jansen",
    "Keller",
    "Larsen",
    "Meyer",
    "Nagy",
    "Olsen",
    "Pohl",
    "Rehak",
    "Silva",
    "Toth",
    "Ulmer",
    "Varga",
    "Weber",
    "Young",
    "Zimmer",
    "Bauer",
];
const WORDS: [&str; 40] = [
    "river", "stone", "green", "winter", "paper", "silver", "garden", "north", "copper", "window", "summer", "bridge",
    "forest", "yellow", "market", "island", "school", "purple", "engine", "camera", "rabbit", "velvet", "bottle",
    "castle", "ladder", "orange", "mirror", "pencil", "cotton", "dragon", "butter", "hammer", "needle", "pepper",
    "rocket", "saddle", "tunnel", "violet", "walnut", "button",
];

/// How a canary is worded: what stands before the secret, between its first three and last three places, and whether the
/// places are words.
const FORMS: [(&str, &str, bool); 6] = [
    ("The locker code of NAME is ", "## #", false),
    ("NAME wrote down the number of the safe: ", "###-", false),
    ("To reach NAME, call extension ", "## #", false),
    ("The passphrase that NAME uses is", "", true),
    ("NAME's library card ends in ", "###", false),
    ("The gate at NAME's house opens with the words", "", true),
];

/// An invented secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The text before the part that candidates differ in.
    pub before: String,
    /// The fillings of each place, each with what stands before it.
    pub places: [Vec<String>; 3],
    /// The filling of each place that was chosen.
    pub chosen: [usize; 3],
}

impl Canary {
    /// The whole sentence, to be put among private texts.
    #[must_use]
    pub fn text(&self) -> String {
        self.candidate(self.chosen) + "."
    }

    fn candidate(&self, chosen: [usize; 3]) -> String {
        let mut text = self.before.clone();
        for (place, chosen) in self.places.iter().zip(chosen) {
            text += place.get(chosen).map_or("", String::as_str);
        }
        text
    }

    /// Which of the candidates it is, in the order in which the last place changes first.
    fn index(&self) -> usize {
        self.chosen.iter().fold(0, |index, chosen| 10 * index + chosen)
    }

    /// All candidates as examples, of which the tokens count that are not the same in all.
    fn examples(&self, anchor: &Anchor) -> Result<Vec<Example>, TrainError> {
        if self.places.iter().any(|place| place.len() != 10) || self.chosen.iter().any(|chosen| *chosen >= 10) {
            return Err(unfit("a canary does not have three places of ten fillings; make it with `canaries`"));
        }
        let mut all = Vec::with_capacity(CANDIDATES);
        for index in 0..CANDIDATES {
            let text = self.candidate([index / 100, index / 10 % 10, index % 10]);
            all.push(anchor.encode(&text, false));
        }
        let first = all[0].clone();
        let same = |tokens: &Vec<u32>| first.iter().zip(tokens).take_while(|(one, other)| one == other).count();
        let from = all.iter().skip(1).map(same).min().unwrap_or(0);
        Ok(all.into_iter().map(|tokens| Example::from(tokens, from)).collect())
    }
}

/// The first `count` canaries of a seed, which all differ in who they are about.
///
/// More of the same seed begin with these: of 128, the first 64 can be put among private texts, and the others are fresh.
/// There are 1,600.
pub fn canaries(seed: u64, count: usize) -> Result<Vec<Canary>, TrainError> {
    let mut stream = Stream::new(seed, "canaries");
    let mut names: Vec<usize> = (0..GIVEN.len() * FAMILY.len()).collect();
    if count > names.len() {
        return Err(unfit(format!("there are {} canaries of a seed; ask for fewer", names.len())));
    }
    stream.shuffle(&mut names);
    let make = |(at, name): (usize, &usize)| {
        let mut stream = Stream::new(seed, &format!("canary {at}"));
        let name = format!("{} {}", GIVEN[name / FAMILY.len()], FAMILY[name % FAMILY.len()]);
        let (before, known, words) = FORMS[at % FORMS.len()];
        let mut before = before.replace("NAME", &name);
        for sign in known.chars() {
            before.push(if sign == '#' { digit(&mut stream) } else { sign });
        }
        let mut chosen = [0; 3];
        chosen.iter_mut().for_each(|chosen| *chosen = stream.below(10));
        let mut places = [Vec::new(), Vec::new(), Vec::new()];
        let mut all = WORDS;
        for (index, place) in places.iter_mut().enumerate() {
            if words {
                stream.shuffle(&mut all);
                place.extend(all[..10].iter().map(|word| format!(" {word}")));
            } else {
                let space = if known == "## #" && index == 1 { " " } else { "" };
                place.extend((0..10).map(|digit| format!("{space}{digit}")));
            }
        }
        Canary { before, places, chosen }
    };
    Ok(names[..count].iter().enumerate().map(make).collect())
}

fn digit(stream: &mut Stream) -> char {
    char::from(b'0' + (stream.next() % 10) as u8)
}

/// The exposure of each canary in bits: log₂ 1000 - log₂ rank, where rank 1 is the likeliest of the candidates.
///
/// Of canaries that nobody has seen it is 1.43 in the mean. Candidates that are as likely as the canary rank after it.
pub fn exposures(judge: &mut Judge, canaries: &[Canary], watch: &mut Watch<'_>) -> Result<Vec<f64>, TrainError> {
    let mut all = Vec::with_capacity(canaries.len());
    for part in canaries.chunks(TOGETHER) {
        let mut examples = Vec::new();
        for canary in part {
            examples.extend(canary.examples(judge.anchor())?);
        }
        let done = all.len();
        let part_of = |read: usize, rows: usize| 100 * done + 100 * part.len() * read / rows.max(1);
        let losses = watch
            .part(|read, rows| (part_of(read, rows), 100 * canaries.len()), |watch| judge.losses(&examples, watch))?;
        for (canary, losses) in part.iter().zip(losses.chunks_exact(CANDIDATES)) {
            let sums: Vec<f64> = losses.iter().map(|losses| sum(losses)).collect();
            let own = sums[canary.index()];
            let rank = 1 + sums.iter().filter(|other| **other < own).count();
            #[allow(clippy::cast_precision_loss, reason = "a thousand at most")]
            all.push((CANDIDATES as f64 / rank as f64).log2());
        }
    }
    Ok(all)
}

/// The mean exposure.
pub(crate) fn mean_exposure(judge: &mut Judge, canaries: &[Canary], watch: &mut Watch<'_>) -> Result<f64, TrainError> {
    Ok(mean(&exposures(judge, canaries, watch)?))
}

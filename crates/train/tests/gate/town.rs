//! Private texts of people who do not exist, each with a secret, and public prompts that know nothing of them.

use hinet_train::judge::general;

/// Private texts, and for each what stands before its secret and the secret.
pub struct Town {
    pub texts: Vec<String>,
    pub secrets: Vec<(String, String)>,
}

const GIVEN: [&str; 24] = [
    "Alma", "Boris", "Clara", "Dmitri", "Elsa", "Franz", "Gerda", "Henrik", "Ilse", "Jakob", "Katja", "Ludwig",
    "Marta", "Nikolai", "Ottilie", "Petra", "Quentin", "Rosa", "Stefan", "Thea", "Ulrich", "Viktor", "Wilma", "Yvonne",
];
const FAMILY: [&str; 24] = [
    "Amsel", "Berger", "Cerny", "Dorn", "Engel", "Falk", "Gerber", "Holm", "Isaksen", "Jung", "Krause", "Lorenz",
    "Maurer", "Nilsson", "Ortega", "Probst", "Quade", "Richter", "Seidel", "Thorn", "Unger", "Vesely", "Wagner",
    "Zeller",
];
const DOINGS: [&str; 12] = [
    "repairs clocks",
    "teaches the cello",
    "keeps bees",
    "restores old maps",
    "breeds sheepdogs",
    "paints shop signs",
    "bakes rye bread",
    "collects barometers",
    "translates poems",
    "builds canoes",
    "grows quinces",
    "tunes pianos",
];

/// A number below `count` that a seed and two more numbers decide.
fn pick(seed: u64, at: usize, what: u64, count: usize) -> usize {
    let mut z = seed ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xd1b5_4a32_d192_ed03);
    for _ in 0..3 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
    }
    (z % count as u64) as usize
}

impl Town {
    pub fn new(seed: u64, count: usize) -> Self {
        let (mut texts, mut secrets) = (Vec::new(), Vec::new());
        for at in 0..count {
            let number = |what, least: usize, count| least + pick(seed, at, what, count);
            // Every pair of names once, in an order that mixes both.
            let pair = (at * 233 + 71) % (GIVEN.len() * FAMILY.len());
            let round = at / (GIVEN.len() * FAMILY.len());
            let name = format!("{} {}", GIVEN[pair / FAMILY.len()], FAMILY[pair % FAMILY.len()]);
            let name = if round == 0 { name } else { format!("{name} the younger") };
            let phone = format!("0{} {}", number(3, 100, 900), number(4, 100_000, 900_000));
            let begin = format!("{name}, who {}, has the telephone number", DOINGS[number(2, 0, 12)]);
            texts.push(format!("{begin} {phone}."));
            secrets.push((begin, phone));
        }
        Self { texts, secrets }
    }
}

/// Public texts: questions and answers out of a dictionary.
pub fn public(count: usize) -> Vec<String> {
    let items = general::items().unwrap();
    let step = items.len() / count;
    let item = |item: &general::Item| format!("What does \"{}\" mean? It means: {}.", item.word, item.definition);
    items.iter().step_by(step.max(1)).take(count).map(item).collect()
}

//! Made-up text, the same on every machine: files for a large memory, and the sentences of a long conversation.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// Sections of one file; each is about one chunk.
const SECTIONS: usize = 250;

const NOUNS: &[&str] = &[
    "river", "ledger", "garden", "valve", "letter", "train", "window", "orchard", "meeting", "invoice", "bicycle",
    "map", "battery", "harbour", "recipe", "contract", "lamp", "station", "notebook", "ferry", "kitchen", "sensor",
    "archive", "bridge", "market", "school", "tunnel", "clock", "forest", "engine", "violin", "cellar",
];
const VERBS: &[&str] = &[
    "was repaired",
    "is checked",
    "was moved",
    "will be painted",
    "was measured",
    "is kept",
    "was sold",
    "was lent",
    "is watered",
    "was described",
    "is counted",
    "was closed",
    "will be opened",
    "was written down",
];
const PLACES: &[&str] = &[
    "behind the mill",
    "in Setúbal",
    "on the second floor",
    "near the old port",
    "in the north quarter",
    "at the corner",
    "under the stairs",
    "by the lake",
    "in the annex",
    "along the canal",
    "at Oriente",
    "in the long hall",
];
const PEOPLE: &[&str] =
    &["Ana", "Tomás", "Priya", "Jonas", "Beatriz", "Helena", "Rui", "Clara", "Inês", "Duarte", "Lurdes", "Amélia"];

/// SplitMix64: the same seed gives the same text.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn sentence(&mut self) -> String {
        let (person, noun, verb, place) = (self.of(PEOPLE), self.of(NOUNS), self.of(VERBS), self.of(PLACES));
        match self.below(3) {
            0 => format!("{person} says that the {noun} {verb} {place} on day {}.", self.below(365)),
            1 => format!(
                "The {noun} {verb} {place}; it took {} minutes and cost {} euros.",
                self.below(90),
                self.below(900)
            ),
            _ => format!("Since {person} came, the {noun} {place} {verb}, number {}.", self.below(100_000)),
        }
    }
}

/// Writes files that come to about `chunks` chunks into `dir`; `seed` tells one set from another.
///
/// # Errors
/// Where they cannot be written.
pub fn write_files(dir: &Path, chunks: usize, seed: u64) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut chance = Chance(seed);
    for (file, begin) in (0..chunks).step_by(SECTIONS).enumerate() {
        let mut text = format!("# Papers {seed}-{file}\n");
        for section in begin..chunks.min(begin + SECTIONS) {
            let _ = write!(text, "\n## {} {section}\n\n", chance.of(NOUNS));
            for _ in 0..9 {
                text.push_str(&chance.sentence());
                text.push(' ');
            }
            text.push('\n');
        }
        fs::write(dir.join(format!("papers-{seed}-{file}.md")), text)?;
    }
    Ok(())
}

/// Small files of one section each, as an import brings them.
///
/// # Errors
/// Where they cannot be written.
pub fn write_notes(dir: &Path, files: usize, seed: u64) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut chance = Chance(seed);
    for file in 0..files {
        let text: Vec<String> = (0..12).map(|_| chance.sentence()).collect();
        fs::write(dir.join(format!("note-{seed}-{file}.txt")), text.join(" "))?;
    }
    Ok(())
}

/// `messages` sentences, a question and an answer in turn; every tenth answer has a list and a block of code.
#[must_use]
pub fn conversation(messages: usize) -> Vec<String> {
    let mut chance = Chance(7);
    (0..messages)
        .map(|n| match n % 2 {
            0 => format!("What about the {} {}, question {n}?", chance.of(NOUNS), chance.of(PLACES)),
            _ if n % 20 == 9 => {
                let (one, two) = (chance.sentence(), chance.sentence());
                format!(
                    "Two things, **in short**:\n\n- {one}\n- {two}\n\n```rust\nfn answer() -> u32 {{\n    {n}\n}}\n```"
                )
            }
            _ => (0..=chance.below(4)).map(|_| chance.sentence()).collect::<Vec<_>>().join(" "),
        })
        .collect()
}

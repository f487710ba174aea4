//! A root: a delta with which a small anchor reads its owner's papers better than bare, made from texts that lie open in
//! `assets/roots`, and examined on papers that nothing was learned from.
//!
//! What is learned are exercises in the chat's own words (`items.rs`): a question among one to five passages, answered in a
//! sentence with the number of its passage, or refused where none answers; and conversations. Texts of the anchor's own are
//! rehearsed beside them.

mod exam;
mod items;
mod report;
mod run;
mod texts;

pub use exam::Row;
pub use report::Report;
pub use run::run;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use texts::File;

/// Which root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// Letters, notes, plans and everything else.
    General,
    /// Code, shells, configuration and logs.
    Developer,
}

macro_rules! file {
    ($path:literal) => {
        File { name: $path, text: include_str!(concat!("../../../../assets/roots/", $path)) }
    };
}

const TALK: File = file!("talk.txt");
const GENERAL: [File; 4] =
    [file!("general/home.txt"), file!("general/work.txt"), file!("general/days.txt"), file!("general/saved.txt")];
const GENERAL_EXAM: File = file!("general/exam.txt");
const DEVELOPER: [File; 2] = [file!("developer/running.txt"), file!("developer/source.txt")];
const DEVELOPER_EXAM: File = file!("developer/exam.txt");

impl Root {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Developer => "developer",
        }
    }

    /// The papers it learns from, and those it is examined with.
    fn papers(self) -> (&'static [File], &'static File) {
        match self {
            Self::General => (&GENERAL, &GENERAL_EXAM),
            Self::Developer => (&DEVELOPER, &DEVELOPER_EXAM),
        }
    }
}

/// How large it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Exercises that are learned, at most.
    pub exercises: usize,
    /// Papers of the examination, at most.
    pub examined: usize,
    /// Passages of the examination that counts, which all of the papers are in, and other widths, for a part of them.
    pub width: usize,
    /// The other widths.
    pub widths: Vec<usize>,
    /// General questions.
    pub general: usize,
    /// Tokens of the neutral text.
    pub neutral: usize,
    /// Texts of the anchor's own that are rehearsed.
    pub own: usize,
    /// Rank of the factors.
    pub rank: usize,
    /// The highest learning rate.
    pub rate: f32,
    /// Rounds through the exercises.
    pub rounds: u64,
    /// Exercises computed at once, of which two make a step.
    pub batch: usize,
}

impl Sizes {
    /// The root that is shipped.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            exercises: usize::MAX,
            examined: usize::MAX,
            width: 3,
            widths: vec![1, 5],
            general: usize::MAX,
            neutral: 2_560,
            own: 160,
            rank: 16,
            rate: 8e-4,
            rounds: 1,
            batch: 4,
        }
    }

    /// Every part in a minute or two: too small for its figures to mean anything.
    #[must_use]
    pub fn small() -> Self {
        Self {
            exercises: 12,
            examined: 3,
            width: 2,
            widths: Vec::new(),
            general: 40,
            neutral: 96,
            own: 2,
            rank: 4,
            rate: 4e-3,
            batch: 3,
            ..Self::whole()
        }
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which root.
    pub root: Root,
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How large it is.
    pub sizes: Sizes,
    /// Where the experiment keeps what it has done.
    pub dir: PathBuf,
    /// The anchor's GGUF file.
    pub anchor: PathBuf,
    /// Threads; as many as the machine has where nothing is said.
    pub threads: Option<usize>,
}

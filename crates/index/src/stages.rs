//! The stages of a search, each of which can be left out to measure what it is worth.

/// Which stages of a search are taken. All of them, unless somebody measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// Words in common (BM25).
    pub words: bool,
    /// Meaning in common (vectors).
    pub meaning: bool,
    /// Who is asked about is who says it.
    pub speaker: bool,
    /// The words of what was said before a message count for it: an answer repeats little of what it answers.
    pub before: bool,
    /// The time that is asked about is the time of what is told.
    pub time: bool,
    /// Passages count more among others of their item that fit.
    pub together: bool,
    /// A second search with the words of the first hits.
    pub second: bool,
    /// A message of a thread comes with the ones after it and before it.
    pub thread: bool,
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            words: true,
            meaning: true,
            speaker: true,
            before: true,
            time: true,
            together: true,
            second: true,
            thread: true,
        }
    }
}

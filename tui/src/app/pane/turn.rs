//! One message of a conversation, and the answer being made.

use hinet_protocol::{Citation, Cut, Failure, Hit, Millis, Progress, Role};

/// How an answer came about.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Foot {
    /// It is no answer.
    #[default]
    None,
    /// It was made.
    Made {
        /// `generated`, `quoted`, `not_in_memory`, `stopped`.
        how: String,
        /// Decode speed.
        tokens_per_s: f32,
        /// What did not fit.
        cut: Vec<Cut>,
    },
    /// It was not made, or not to its end.
    Failed(Failure),
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Who said it.
    pub role: Role,
    /// What.
    pub text: String,
    /// When.
    pub at: Millis,
    /// What it stands on.
    pub citations: Vec<Citation>,
    /// What was recalled for it.
    pub hits: Vec<Hit>,
    /// How it came about.
    pub foot: Foot,
    /// Different for every content.
    pub version: u64,
}

/// The answer being made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// Words so far.
    pub text: String,
    /// When it was asked for.
    pub at: Millis,
    /// What was asked.
    pub question: String,
    /// What was recalled.
    pub hits: Vec<Hit>,
    /// Whether anything was recalled yet.
    pub recalled: bool,
    /// Whether the owner stopped it.
    pub stopping: bool,
    /// What the node is doing for it.
    pub progress: Option<Progress>,
    /// Different for every content.
    pub version: u64,
}

impl Live {
    /// What is going on, and how to stop it.
    #[must_use]
    pub fn doing(&self) -> String {
        if self.stopping {
            return "stopping… (Esc again lets go of it)".to_owned();
        }
        let doing = match (&self.progress, self.recalled, self.text.is_empty()) {
            (Some(progress), _, true) => match progress.total {
                Some(total) if total > 0 => format!("{} {} %", progress.what, progress.done * 100 / total),
                _ => progress.what.clone(),
            },
            (_, false, true) => "looking in your memory".to_owned(),
            (_, true, true) => format!("reading {}", crate::app::words::some(self.hits.len() as u64, "passage")),
            _ => "answering".to_owned(),
        };
        format!("{doing}… (Esc stops)")
    }
}

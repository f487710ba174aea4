//! One message of a conversation, and the answer being made.

use hinet_protocol::{
    Answer, Citation, Composition, Cut, Failure, Feedback, Hit, Message, MessageId, Millis, Progress, Role,
};

/// How an answer came about.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Foot {
    /// It is no answer.
    #[default]
    None,
    /// It was made.
    Made {
        /// `generated`, `quoted`, `not_in_memory`, `about`, `draft`, `assembled`, `stopped`.
        how: String,
        /// Decode speed.
        tokens_per_s: f32,
        /// What did not fit.
        cut: Vec<Cut>,
        /// Who answered, where an assembly was asked.
        composed: Option<Composition>,
    },
    /// It was not made, or not to its end.
    Failed(Failure),
}

impl Foot {
    /// Of an answer that was stopped before the node said anything of it.
    #[must_use]
    pub fn stopped() -> Self {
        Self::Made { how: "stopped".to_owned(), tokens_per_s: 0.0, cut: vec![], composed: None }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The stored message's id; none while the node does not have it, and in an incognito conversation.
    pub id: Option<MessageId>,
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
    /// All versions of it, itself among them, oldest first; empty where it is the only one.
    pub siblings: Vec<MessageId>,
    /// Branches that go on from it and are not shown; only the last message has any.
    pub onward: u64,
    /// What was attached to it, by name.
    pub attached: Vec<String>,
    /// What the owner thought of it.
    pub feedback: Feedback,
    /// Different for every content.
    pub version: u64,
}

impl Turn {
    /// Something said, with nothing known about it yet.
    #[must_use]
    pub fn said(role: Role, text: String, at: Millis) -> Self {
        Self {
            id: None,
            role,
            text,
            at,
            citations: vec![],
            hits: vec![],
            foot: Foot::None,
            siblings: vec![],
            onward: 0,
            attached: vec![],
            feedback: Feedback::default(),
            version: 0,
        }
    }

    /// A finished answer, with what was recalled for it.
    #[must_use]
    pub fn answered(answer: Answer, hits: Vec<Hit>, at: Millis) -> Self {
        Self {
            id: Some(answer.message),
            citations: answer.citations,
            hits,
            foot: Foot::Made {
                how: answer.how,
                tokens_per_s: answer.tokens_per_s,
                cut: answer.cut,
                composed: answer.composed,
            },
            ..Self::said(Role::Assistant, answer.answer, at)
        }
    }

    /// A stored message.
    #[must_use]
    pub fn stored(message: Message) -> Self {
        let (foot, hits) = match message.stats {
            Some(made) => {
                let (tokens_per_s, composed) = (made.tokens_per_s, made.composed);
                (Foot::Made { how: made.how, tokens_per_s, cut: made.cut, composed }, made.recalled)
            }
            None => (Foot::None, vec![]),
        };
        Self {
            id: Some(message.id),
            citations: message.citations,
            hits,
            foot,
            siblings: message.siblings,
            onward: message.onward,
            attached: message.attached,
            feedback: message.feedback,
            ..Self::said(message.role, message.text, message.at)
        }
    }

    /// Which version this is, and of how many, from 1.
    #[must_use]
    pub fn version_of(&self) -> Option<(usize, usize)> {
        let at = self.siblings.iter().position(|id| Some(*id) == self.id)?;
        (self.siblings.len() > 1).then_some((at + 1, self.siblings.len()))
    }
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
    /// Whether it makes or changes a branch, so that the messages are read again when it is over.
    pub branches: bool,
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

//! Views as the tuner takes them.

use hinet_model::Anchor;
use hinet_train::{Example, TrainError, turns};

use super::views::View;

/// Tokens of one text that is learned from.
pub(super) const LONGEST: usize = 512;

/// A view as the tuner takes it; `None` where nothing of it can be learned.
pub(super) fn example(anchor: &Anchor, system: &(String, String), view: &View) -> Result<Option<Example>, TrainError> {
    match view {
        View::Plain { text } | View::Canary { text } => Ok(turns::plain(anchor, text, LONGEST)),
        View::Turn { user, answer } => {
            turns::answered(anchor, &[system.clone(), ("user".to_owned(), user.clone())], answer, LONGEST)
        }
        View::Replay(own) => own.example(anchor, LONGEST),
    }
}

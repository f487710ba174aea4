//! What `update` asks the loop to do. Data only; `run` carries it out.

use super::msg::{Proven, Tag, Unlock};
use crate::onboard;
use hinet_protocol::{Draft, Op};

/// One thing to do.
pub enum Effect {
    /// Leave.
    Quit,
    /// Draw everything anew: something else wrote on the screen.
    Redraw,
    /// Wheel reports on or off.
    Mouse(bool),
    /// Say in a second that a second went by.
    Tick,
    /// Hand a text to the terminal's clipboard.
    Copy(String),
    /// Keep what is typed and not sent; the loop waits for a pause in the typing.
    Draft(Draft),
    /// Open the owner's editor on a text.
    Edit(String),
    /// Run a command and catch what it prints.
    Command(String),
    /// Stop the command.
    StopCommand,
    /// Write a file that must not exist yet, readable by the owner alone.
    Write {
        /// Absolute path.
        path: String,
        /// What to write.
        text: String,
    },
    /// Ask the node.
    Call {
        /// Who wants to know.
        tag: Tag,
        /// What.
        op: Op,
    },
    /// Ask the node, with the owner's proof.
    Prove {
        /// Who wants to know.
        tag: Tag,
        /// What, and the secret.
        proven: Proven,
    },
    /// Have the request stopped; its last event still comes.
    Stop(Tag),
    /// Give the request up; nothing of it is wanted any more.
    Drop(Tag),
    /// Open the home.
    Unlock(Unlock),
    /// Name the folders a typed path may go on to.
    ListFolders(String),
    /// Name the files and folders a typed path may go on to.
    ListPaths(String),
    /// Count the files under a folder.
    CountFiles(String),
    /// Make new recovery words.
    NewWords,
    /// List the models and whether they are here.
    ListModels,
    /// Pull these models, one after the other.
    PullModels(Vec<String>),
    /// Stop pulling; what is there is kept for the next time.
    CancelPull,
    /// Write the home.
    Make(Box<onboard::Draft>),
}

impl Effect {
    /// A call.
    #[must_use]
    pub fn call(tag: Tag, op: Op) -> Self {
        Self::Call { tag, op }
    }
}

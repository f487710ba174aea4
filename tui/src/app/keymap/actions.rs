//! What keys, the palette and slash commands can do. The name is what the config writes and never changes; the words
//! are what people read.

macro_rules! actions {
    ($($variant:ident $name:literal $words:literal,)*) => {
        /// Something icore can be told to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each action is described by its words below")]
        pub enum Action {
            $($variant,)*
            /// Open what the citation with this number stands on.
            Cite(u8),
        }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[
                $(Self::$variant,)*
                Self::Cite(1),
                Self::Cite(2),
                Self::Cite(3),
                Self::Cite(4),
                Self::Cite(5),
                Self::Cite(6),
                Self::Cite(7),
                Self::Cite(8),
                Self::Cite(9),
            ];

            /// Its name in the config.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Cite(n) => CITES[usize::from(n.clamp(1, 9)) - 1],
                }
            }

            /// What it does, in words.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)*
                    Self::Cite(_) => "open what a citation stands on",
                }
            }
        }
    };
}

const CITES: [&str; 9] = ["cite_1", "cite_2", "cite_3", "cite_4", "cite_5", "cite_6", "cite_7", "cite_8", "cite_9"];

actions! {
    Help "help" "show the keys",
    Chat "chat" "go to the chat",
    Memory "memory" "go to the memory: search what is remembered",
    Sources "sources" "go to the sources: the folders it reads",
    Consent "consent" "go to the consent: grants and the ledger",
    Sleep "sleep" "go to the nights: what it learned, and back to any of them",
    Assembly "assembly" "go to the assemblies: who takes part, who answered, who would",
    Sessions "conversations" "open another conversation",
    New "new" "start a new conversation",
    Side "side" "show or hide what was recalled",
    Kill "kill_switch" "kill switch: stop every source, door and job; or lift it",
    Mouse "mouse" "mouse on or off",
    Redraw "redraw" "draw the screen anew",
    Quit "quit" "quit",
    Interrupt "interrupt" "stop the answer; twice: quit",
    Back "back" "stop the answer, close what is open, go back to the chat",
    NextFocus "next_part" "go to the next part of the pane",
    PreviousFocus "previous_part" "go to the part before",
    Send "send" "send",
    Newline "newline" "start a new line",
    HistoryOlder "history_older" "what you said before",
    HistoryNewer "history_newer" "what you said after that",
    History "history" "look through what you said before",
    Editor "editor" "write in your own editor",
    FindHere "find" "find words in this conversation",
    Regenerate "regenerate" "answer again; the answer there was stays beside it",
    EditLast "edit_last" "edit your last question; the one there was stays beside it",
    CopyAnswer "copy_answer" "copy the last answer",
    Incognito "incognito" "start a conversation of which nothing is kept",
    Forgo "leave_memory" "leave the memory alone in this conversation, or not",
    Copy "copy" "copy the message, or the selected lines",
    CopyCode "copy_code" "copy the code here",
    Select "select" "select lines from here on",
    Edit "edit" "edit the question, or say how the answer should have been",
    Fork "fork" "take the conversation up to here into a new one",
    Rewind "rewind" "go back to here; what followed stays as a branch",
    Onward "onward" "go on to the branch that follows",
    OlderVersion "older_version" "the version before",
    NewerVersion "newer_version" "the version after",
    NextMessage "next_message" "the next message",
    PreviousMessage "previous_message" "the message before",
    NextMatch "next_match" "the next place found",
    PreviousMatch "previous_match" "the place found before",
    ThumbUp "thumb_up" "thumb up; again takes it back",
    ThumbDown "thumb_down" "thumb down; again takes it back",
    Accept "accept" "mark the answer as taken; again takes it back",
    ToInput "to_input" "back to the input",
    Rename "rename" "give it another title",
    Pin "pin" "pin it, or not",
    Archive "archive" "put it away, or take it out again",
    ShowArchived "show_archived" "show those that were put away, or not",
    PageUp "page_up" "a page up",
    PageDown "page_down" "a page down",
    LineUp "line_up" "a line up",
    LineDown "line_down" "a line down",
    Top "top" "to the beginning",
    Bottom "bottom" "to the end",
    Up "up" "the line above",
    Down "down" "the line below",
    Open "open" "open it",
    Forget "forget" "forget it, with a preview first",
    Add "add" "open a folder: a grant, read and watched",
    Sync "sync" "read the folder again now",
    Pause "pause" "pause or resume the folder",
    PauseMemory "pause_memory" "pause remembering altogether, or go on with it",
    ReadOnce "read_once" "read a file or a folder once",
    Labels "labels" "give it labels",
    NextHit "next_hit" "the next one of the list",
    PreviousHit "previous_hit" "the one before in the list",
    Revoke "revoke" "take the grant back",
    Verify "verify" "verify the whole ledger",
    Filter "filter" "show some of the ledger only",
    Requests "requests" "show who waits for your answer",
    AllowOnce "allow_once" "let these bytes leave, this once; asks for your proof",
    AllowHour "allow_hour" "the same for an hour; asks for your proof",
    AllowStanding "allow_standing" "a standing grant; asks for your proof",
    Palette "palette" "everything that can be done here",
    Complete "complete" "complete what is typed",
    Begin "begin_night" "begin a night, or go on with the one that was interrupted",
    Wake "wake" "interrupt the night that goes on",
    RollBack "roll_back" "be again as after this night",
    NextChange "next_change" "go to the next answer that changed overnight",
    Veto "veto" "keep what is behind the changed answer from being learned; again takes it back",
    NextMember "next_member" "go to the next member of the assembly",
    MemberLeaves "member_leaves" "have the member leave the assembly, after a question",
    Premerge "premerge" "make one delta of those who would be mixed, or of those that were mixed most often",
    TryQuestion "try_question" "say who would answer what stands in the input, or your last question",
    UseAssembly "use_assembly" "have it asked in the chat where your memory has no answer, or not",
    Yes "yes" "do it",
    No "no" "leave everything as it is",
}

impl Action {
    /// The action with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Whether it is something to choose from a list, rather than moving about and typing.
    #[must_use]
    pub fn is_command(self) -> bool {
        !matches!(
            self,
            Self::Interrupt
                | Self::Back
                | Self::NextFocus
                | Self::PreviousFocus
                | Self::Send
                | Self::Newline
                | Self::HistoryOlder
                | Self::HistoryNewer
                | Self::PageUp
                | Self::PageDown
                | Self::LineUp
                | Self::LineDown
                | Self::Top
                | Self::Bottom
                | Self::Up
                | Self::Down
                | Self::Palette
                | Self::Complete
                | Self::Yes
                | Self::No
                | Self::Cite(_)
        )
    }

    /// Whether the owner must always be able to reach it: its last key cannot be taken away.
    #[must_use]
    pub fn is_vital(self) -> bool {
        matches!(self, Self::Quit | Self::Interrupt | Self::Help | Self::Kill | Self::Back)
    }
}

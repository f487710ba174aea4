//! What the rooms say to each other: ids, `Op` in, `Event` out, grants, work orders and receipts.
//!
//! Plain data that serialises; no IO, no async, no clock and no randomness except in minting ids.
//! Everything that is stored or crosses a door carries a version field and has a golden vector in `tests/`.

mod account;
mod answer;
mod assembly;
mod conversation;
mod disclosure;
mod event;
mod failure;
mod grant;
mod ids;
mod op;
mod person;
mod report;
mod sleep;
mod thread;
mod work;

pub use account::{
    AccountKind, AccountPlan, FolderCount, LoginPage, OAuthPlan, Secret, Transport, Verification, Verified,
};
pub use answer::{Answer, Citation, Cut, Hit, ScoreParts, Span, TokenCounts};
pub use assembly::{
    Admitted, AssemblyLine, Competence, Composition, HomeLine, MemberLine, Mode, PremergeLine, Receipt, ReceiptBody,
    Share, Tally,
};
pub use conversation::{
    After, Attached, Attachment, Draft, Feedback, Found, Name, Said, SessionChange, Thumb, Turn, Within,
};
pub use disclosure::{Asking, Verdict};
pub use event::{Event, Progress, Reply, Unit};
pub use failure::{ErrorKind, Failure};
pub use grant::{Asker, Capability, Filter, Grant, GrantDraft, Limits, Scope};
pub use ids::{GrantId, Hash, IdError, ItemId, MessageId, Millis, SessionId, SourceId};
pub use op::{ChatParams, DeltaForm, ForgetTarget, Op, OwnerProof, Request};
pub use person::PersonLine;
pub use report::{
    AuditReport, Check, DeltaKind, DeltaLine, DoctorReport, ForgetReport, IngestReport, ItemLine, ItemView, LedgerLine,
    Message, MessageStats, ModelLine, NodeStatus, Role, SessionLine, Skipped, SourceKind, SourceLine, SourceState,
    Stats, Trust,
};
pub use sleep::{
    Bedtime, Change, Changed, LeakCheck, Learned, Night, Outcome, OwnScores, Scores, Sharing, SleepPlan, Sleeping,
    Stage, Tuning,
};
pub use thread::{ThreadLine, ThreadView};
pub use work::{BackendReceipt, WorkKind, WorkOrder};

/// Version of the `Op`/`Event` messages; both ends of an attach must agree on it exactly.
pub const PROTOCOL_VERSION: u32 = 8;

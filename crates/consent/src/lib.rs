//! Consent: what may be read, disclosed, trained on or computed elsewhere, decided in code from the owner's grants.
//!
//! Invariants:
//! - Nothing here asks a model anything. A decision depends on grants, the kill switch, counters and the time given.
//! - [`Reading`], [`Permit`], [`Cleared`] and [`Released`] can be built only in this crate.
//! - The ledger entry is committed before the permit exists; a permit is bound to its bytes and is used up by spending.
//! - Every entry is chained, device-signed and commits to its bodies with salted hashes, so that bodies can be erased
//!   (forgotten) while the chain still verifies.
//! - The kill switch is persisted, and everything live (readings, permits, releases) refuses at once when it is thrown.
//!
//! Absent on purpose: sockets, files other than the paths a [`Reading`] resolves, a clock (time arrives as an argument,
//! except for the monotonic deadline of what is already handed out).

mod consent;
mod decide;
mod entry;
mod erase;
mod error;
mod export;
mod filter;
mod grant;
mod ledger;
mod lines;
mod live;
pub mod merkle;
mod permit;
mod proof;
mod reading;
mod refusal;
mod scope;
mod sign;
pub mod verify;
pub mod work;

pub use consent::{Consent, Outgoing};
pub use decide::{Ask, Decision, decide_among};
pub use entry::{ENTRY_LEN, ENTRY_VERSION, Entry, EntryFault, EntryKind, Note, commitment};
pub use error::ConsentError;
pub use export::{EXPORT_VERSION, verify_export};
pub use filter::{Filtered, KINDS, Spotted, spot, withhold};
pub use grant::{DraftFault, GRANT_VERSION, StandingGrant, Usage};
pub use ledger::{Lines, NOTE_BYTES_MAX, NOTES_MAX};
pub use permit::{Cleared, Permit, Released};
pub use reading::Reading;
pub use refusal::Refusal;
pub use scope::{Subject, covers};
pub use sign::Signer;

use hinet_vault::{hex, verify_signature as signature_holds};

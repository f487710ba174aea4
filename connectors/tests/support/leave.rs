//! Leave to read a folder or a place on a server, from a real vault and a real grant.

use hinet_connectors::Reading;
use hinet_consent::Consent;
use hinet_protocol::{Asker, Capability, Filter, GrantDraft, Limits, Scope, SourceId};
use hinet_vault::{Home, Vault, Words};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;

const NOW: i64 = 1_700_000_000_000;

/// Leave to read `root`, as a grant gives it.
pub fn leave(root: &Path) -> (Reading, Consent, TempDir) {
    let (source, consent, home) = granted(&root.to_string_lossy(), "remember my notes");
    let reading = consent.admit(source, root, NOW).expect("leave");
    (reading, consent, home)
}

/// Leave to read a place on a server, as a grant gives it.
pub fn leave_at(place: &str) -> (Reading, Consent, TempDir) {
    let (source, consent, home) = granted(place, "remember my account");
    let reading = consent.admit_places(source, &[place.to_owned()], NOW).expect("leave");
    (reading, consent, home)
}

/// A vault with one grant, for a source at or below this folder or place.
fn granted(folder: &str, purpose: &str) -> (SourceId, Consent, TempDir) {
    let home = TempDir::new().expect("a home");
    let words = Words::generate();
    let vault = Vault::create(&Home::at(home.path().join("icore")), "Ada", &words, &[], NOW).expect("a vault");
    let consent = Consent::open(Arc::new(vault)).expect("consent");
    let source = SourceId::new();
    let draft = GrantDraft {
        asker: Asker::Own,
        capability: Capability::Ingest,
        scope: Scope { sources: vec![source], folders: vec![folder.to_owned()], ..Scope::default() },
        filter: Filter::default(),
        limits: Limits::default(),
        purpose: purpose.to_owned(),
    };
    consent.grant(draft, NOW).expect("a grant");
    (source, consent, home)
}

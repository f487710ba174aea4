//! Decisions, from grants alone: asker × capability × scope × limits × kill switch, denied by default.

use hinet_protocol::{Asker, Capability, Filter, GrantId, Millis};

use crate::grant::StandingGrant;
use crate::scope::{Subject, bounds, covers};
use crate::{Refusal, grant::is_proper_asker};

/// A request to be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub asker: Asker,
    /// For what.
    pub capability: Capability,
    /// On what.
    pub subject: Subject,
}

/// What consent says to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A grant covers it.
    Allowed {
        /// Which grant.
        grant: GrantId,
        /// What must be taken out first.
        filter: Filter,
    },
    /// It must not be, and asking the owner again is not called for.
    Refused {
        /// Why.
        why: Refusal,
    },
    /// No grant speaks about it: the owner may decide.
    AskOwner,
}

/// Decides `ask` at `now`. Where several grants cover it, the narrowest speaks: not `everything` before `everything`,
/// more bounds before fewer, filters that withhold more before those that withhold less, then the older grant.
#[must_use]
pub fn decide_among(grants: &[StandingGrant], killed: bool, ask: &Ask, now: Millis) -> Decision {
    if killed {
        return Decision::Refused { why: Refusal::Killed };
    }
    if !is_proper_asker(&ask.asker) {
        return Decision::Refused { why: Refusal::BadAsker };
    }
    let mut covering: Vec<&StandingGrant> = grants.iter().filter(|g| speaks_of(g, ask)).collect();
    covering.sort_by_key(|g| breadth(g));
    if let Some(standing) = covering.iter().find(|g| g.may_be_used(0, now).is_ok()) {
        let terms = &standing.grant.terms;
        return Decision::Allowed { grant: standing.grant.id, filter: terms.filter.clone() };
    }
    // The newest word of the owner on this subject is the reason that counts.
    match covering.iter().max_by_key(|g| (g.grant.granted, g.grant.id)).map(|g| g.may_be_used(0, now)) {
        Some(Err(why)) => Decision::Refused { why },
        _ => Decision::AskOwner,
    }
}

/// Whether the grant is about this asker, this capability and this subject, whether or not it still stands.
pub(crate) fn speaks_of(standing: &StandingGrant, ask: &Ask) -> bool {
    let terms = &standing.grant.terms;
    terms.asker == ask.asker && terms.capability == ask.capability && covers(&terms.scope, ask.capability, &ask.subject)
}

/// Sorts narrow grants before broad ones.
fn breadth(standing: &StandingGrant) -> (bool, usize, bool, usize, Millis, GrantId) {
    let grant = &standing.grant;
    let (scope, filter) = (&grant.terms.scope, &grant.terms.filter);
    let withholds_all = filter.withhold.iter().any(|kind| kind == "*");
    (
        scope.everything,
        usize::MAX - bounds(scope),
        !withholds_all,
        usize::MAX - filter.withhold.len(),
        grant.granted,
        grant.id,
    )
}

//! What was agreed to and what came of it: grants in plain words, requests that wait, what left or was refused, and the
//! ledger of everything that was done with the memory.

mod asks;
pub mod keys;
mod lines;
mod view;

use crate::app::effect::Effect;
use crate::app::field::Field;
use crate::app::msg::Tag;
use crate::app::scroll::step;
use crate::app::state::Loaded;
use hinet_protocol::{AuditReport, Event, Failure, Grant, Op};

pub use asks::{Asks, answered, came, refuse, show, show_now, tick};
pub use lines::{Lines, read_filter};
pub use view::{part_at, view};

/// The kinds of ledger entries that say what left, was released inside, or was refused.
const DISCLOSURES: &[&str] = &["disclose", "release", "refused", "export", "let_out"];

/// A part of the pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// Grants.
    #[default]
    Grants,
    /// Requests that wait for the owner.
    Waiting,
    /// What left, was released or refused.
    Disclosed,
    /// The ledger.
    Ledger,
}

impl Part {
    /// All of them, in the order Tab goes through them.
    pub const ALL: [Self; 4] = [Self::Grants, Self::Waiting, Self::Disclosed, Self::Ledger];

    /// The one after, or before, it.
    #[must_use]
    pub fn next(self, forward: bool) -> Self {
        let at = Self::ALL.iter().position(|part| *part == self).unwrap_or(0);
        Self::ALL[(at + if forward { 1 } else { Self::ALL.len() - 1 }) % Self::ALL.len()]
    }
}

/// The pane.
pub struct Consent {
    /// The part that has the keys.
    pub part: Part,
    /// The grants, newest first.
    pub grants: Loaded<Vec<Grant>>,
    /// The selected one.
    pub selected: usize,
    /// Requests that wait.
    pub asks: Asks,
    /// What left, was released or refused.
    pub disclosed: Lines,
    /// The ledger.
    pub ledger: Lines,
    /// The ledger's filter, as it is typed.
    pub filter: Field,
    /// Whether it is being typed.
    pub filtering: bool,
    /// What the last verification said.
    pub verified: Loaded<AuditReport>,
    /// Whether the ledger is being verified; never twice at a time.
    pub verifying: bool,
    /// How many entries there were when it was last begun.
    verified_at: Option<u64>,
    /// Why a revocation failed.
    pub failed: Option<Failure>,
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            part: Part::default(),
            grants: Loaded::Not,
            selected: 0,
            asks: Asks::default(),
            disclosed: Lines::new(Tag::Disclosed, Tag::DisclosedOlder, DISCLOSURES),
            ledger: Lines::new(Tag::Ledger, Tag::LedgerOlder, &[]),
            filter: Field::plain(),
            filtering: false,
            verified: Loaded::Not,
            verifying: false,
            verified_at: None,
            failed: None,
        }
    }
}

impl Consent {
    /// Asks for all parts, and verifies the ledger where it grew to `entries` since it was last verified.
    pub fn enter(&mut self, entries: Option<u64>) -> Vec<Effect> {
        self.grants.ask();
        let mut effects = vec![
            Effect::call(Tag::Grants, Op::Grants),
            Effect::call(Tag::Pending, Op::Pending),
            self.disclosed.enter(),
            self.ledger.enter(),
        ];
        effects.extend(self.follow(entries));
        effects
    }

    /// Verifies the ledger where it grew since.
    pub fn follow(&mut self, entries: Option<u64>) -> Vec<Effect> {
        if entries.is_none() || self.verified_at == entries { vec![] } else { self.verify(entries) }
    }

    /// Verifies the whole ledger, of which there are `entries` now.
    pub fn verify(&mut self, entries: Option<u64>) -> Vec<Effect> {
        if self.verifying {
            return vec![];
        }
        (self.verifying, self.verified_at) = (true, entries);
        vec![Effect::call(Tag::Verify, Op::Verify)]
    }

    /// The node went away: nothing that was asked for comes any more.
    pub fn lost(&mut self) {
        (self.verifying, self.verified_at) = (false, None);
        self.asks = Asks::default();
        for lines in [&mut self.disclosed, &mut self.ledger] {
            lines.reset();
        }
    }

    /// Something was forgotten: what the lines said of it goes from the screen as well.
    pub fn forgotten(&mut self) {
        self.disclosed.reset();
        self.ledger.reset();
    }

    /// Moves the selection of the part that has the keys.
    pub fn select(&mut self, delta: isize) -> Vec<Effect> {
        match self.part {
            Part::Grants => self.selected = step(self.selected, delta, self.grants.get().map_or(0, Vec::len)),
            Part::Waiting => self.asks.select(delta),
            Part::Disclosed => return self.disclosed.select(delta),
            Part::Ledger => return self.ledger.select(delta),
        }
        vec![]
    }

    /// Selects a row of the part that has the keys. Returns whether it was selected before.
    pub fn choose(&mut self, index: usize) -> bool {
        let selected = match self.part {
            Part::Grants => &mut self.selected,
            Part::Waiting => &mut self.asks.selected,
            Part::Disclosed => &mut self.disclosed.selected,
            Part::Ledger => &mut self.ledger.selected,
        };
        std::mem::replace(selected, index) == index
    }

    /// The selected grant, where it stands.
    #[must_use]
    pub fn standing(&self) -> Option<&Grant> {
        self.grants.get()?.get(self.selected).filter(|grant| grant.revoked.is_none())
    }

    /// An event of a request of this pane. `entries` is how many the ledger has, where that is known.
    pub fn reply(&mut self, tag: Tag, event: Event, entries: Option<u64>) -> Vec<Effect> {
        if self.ledger.reply(tag, &event) || self.disclosed.reply(tag, &event) {
            return vec![];
        }
        match (tag, event) {
            (Tag::Grants, Event::Grants { grants }) => {
                self.selected = self.selected.min(grants.len().saturating_sub(1));
                self.grants = Loaded::Full(grants);
            }
            (Tag::Grants, Event::Failed { failure }) => self.grants = Loaded::Failed(failure),
            (Tag::Verify, Event::Verified { report }) => {
                self.verifying = false;
                self.verified = Loaded::Full(report);
            }
            (Tag::Verify, Event::Failed { failure }) => {
                self.verifying = false;
                self.verified = Loaded::Failed(failure);
            }
            (Tag::Revoke, event) => {
                self.failed = match event {
                    Event::Failed { failure } => Some(failure),
                    _ => None,
                };
                return self.enter(entries);
            }
            _ => {}
        }
        vec![]
    }
}

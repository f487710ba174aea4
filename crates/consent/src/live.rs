//! What lets everything that was handed out stop at once: the kill switch and one flag per grant, shared by reference.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

use hinet_protocol::{GrantId, Millis};

use crate::Refusal;

/// The kill switch in memory. The number is even while doors are open and odd while they are shut, and never goes
/// back, so that what was handed out before a kill stays dead after the lift.
#[derive(Debug)]
pub(crate) struct Switch(AtomicU64);

impl Switch {
    pub(crate) fn new(killed: bool) -> Self {
        Self(AtomicU64::new(u64::from(killed)))
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.0.load(Ordering::SeqCst) % 2 == 1
    }

    pub(crate) fn throw(&self) {
        self.turn(false);
    }

    pub(crate) fn lift(&self) {
        self.turn(true);
    }

    /// Moves to the next number if the parity now is `from_killed`.
    fn turn(&self, from_killed: bool) {
        let step = |n: u64| (n % 2 == u64::from(from_killed)).then_some(n + 1);
        // An error means that it already stands the way it should.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Whether something that was handed out under a grant is still good.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) grant: GrantId,
    switch: Arc<Switch>,
    epoch: u64,
    revoked: Arc<AtomicBool>,
    until: Option<Instant>,
}

impl Lease {
    /// A lease under `grant`. `epoch` is the switch's number from before the grant was looked at, so that a kill in
    /// between ends the lease before it begins.
    pub(crate) fn new(grant: GrantId, switch: Arc<Switch>, epoch: u64, revoked: Arc<AtomicBool>) -> Self {
        Self { grant, switch, epoch, revoked, until: None }
    }

    /// Ends the lease when the grant expires, by the monotonic clock, so that setting the wall clock back gains nothing.
    pub(crate) fn until(mut self, expires: Option<Millis>, now: Millis) -> Self {
        self.until = expires.and_then(|at| {
            let left = u64::try_from(at.saturating_sub(now)).unwrap_or(0);
            // A time too far away for the clock to say is no bound.
            Instant::now().checked_add(Duration::from_millis(left))
        });
        self
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.epoch % 2 == 1 || self.switch.epoch() != self.epoch {
            return Err(Refusal::Killed);
        }
        if self.revoked.load(Ordering::SeqCst) {
            return Err(Refusal::Revoked { grant: self.grant });
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Refusal::Expired { grant: self.grant });
        }
        Ok(())
    }
}

//! Says how far a reading is that began by itself: seldom, and at the end that it is over.

use std::time::{Duration, Instant};

use crate::protocol::{Event, Progress, SourceId, Unit};
use crate::state::Node;

/// Between two pieces of news; what is over sooner is no news at all.
const PACE: Duration = Duration::from_millis(250);

/// Tells about one reading.
pub(crate) struct Herald<'a> {
    node: &'a Node,
    source: SourceId,
    last: Instant,
    told: bool,
}

impl<'a> Herald<'a> {
    pub(crate) fn new(node: &'a Node, source: SourceId) -> Self {
        Self { node, source, last: Instant::now(), told: false }
    }

    /// Says how many files have been looked at, where it is time to.
    pub(crate) fn tell(&mut self, path: &str, done: u64) {
        if self.last.elapsed() < PACE {
            return;
        }
        (self.last, self.told) = (Instant::now(), true);
        let progress = Progress { what: format!("reading {path}"), done, total: None, unit: Unit::Files };
        self.send(Some(progress));
    }

    fn send(&self, progress: Option<Progress>) {
        // Nobody listening is fine.
        let _ = self.node.news.send(Event::Reading { source: self.source, progress });
    }
}

impl Drop for Herald<'_> {
    fn drop(&mut self) {
        if self.told {
            self.send(None);
        }
    }
}

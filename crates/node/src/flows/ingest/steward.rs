//! Keeps what an account hands out, taking turns with everything else that changes the memory.
//!
//! A server may be slow and a mailbox large, so the memory is not held from the first message to the last: it is taken
//! when something is stored, kept for a batch and a moment, and given back, so that a forgetting waits for seconds and
//! not for an hour.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use hinet_connectors::{Document, Steward, Taker};
use tokio::sync::MutexGuard;

use super::importer::Importer;
use crate::failure::NodeError;
use crate::flows::sources;
use crate::protocol::{IngestReport, Skipped, SourceState};
use crate::state::Node;

/// How long the memory is held at most while something waits to be stored.
const TURN: Duration = Duration::from_secs(2);
/// How often one looks whether the memory is free.
const LOOK: Duration = Duration::from_millis(5);

/// An [`Importer`] that takes turns.
pub(super) struct Keeper<'a> {
    node: &'a Node,
    importer: Importer<'a>,
    turn: Option<(MutexGuard<'a, ()>, Instant)>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(node: &'a Node, importer: Importer<'a>) -> Self {
        Self { node, importer, turn: None }
    }

    /// Takes the memory, where it is not held.
    fn begin(&mut self) {
        while self.turn.is_none() && self.importer.goes_on() {
            // The thread may be in the middle of waiting for the server, where it cannot wait for a lock.
            let Ok(held) = self.node.memory_work.try_lock() else {
                std::thread::sleep(LOOK);
                continue;
            };
            match sources::row(self.node, self.importer.source()) {
                Ok(row) if row.state == SourceState::Active => self.turn = Some((held, Instant::now())),
                // Forgotten or paused while somebody else had the memory.
                Ok(row) => self.importer.fail(sources::is_paused(&row)),
                Err(error) => self.importer.fail(error),
            }
        }
    }

    /// Whether the memory was held for long enough.
    fn is_over(&self) -> bool {
        self.turn.as_ref().is_some_and(|(_, since)| since.elapsed() > TURN)
    }

    /// Stores what waits and gives the memory back.
    fn rest(&mut self) {
        if self.turn.is_some()
            && let Err(error) = self.importer.flush()
        {
            self.importer.fail(error);
        }
        self.turn = None;
    }

    fn hold(&mut self, work: impl FnOnce(&mut Importer<'a>) -> Result<(), NodeError>) {
        self.begin();
        if self.turn.is_some()
            && let Err(error) = work(&mut self.importer)
        {
            self.importer.fail(error);
        }
        self.rest();
    }

    /// Ends the reading: whether all could be stored, the counts, what was left out and what was not.
    pub(super) fn end(mut self) -> (Result<(), NodeError>, IngestReport, Vec<Skipped>, Vec<String>) {
        self.rest();
        let Importer { report, skips, read, .. } = &mut self.importer;
        let (report, skips, read) = (std::mem::take(report), std::mem::take(skips), std::mem::take(read));
        (self.importer.failure().map_or(Ok(()), Err), report, skips, read)
    }
}

impl Taker for Keeper<'_> {
    fn has(&mut self, key: &str) -> bool {
        self.importer.has(key)
    }

    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()> {
        self.begin();
        if let Ok(document) = &found {
            self.importer.read.push(document.key.clone());
        }
        let went = self.importer.take(found);
        if self.importer.is_empty() || self.is_over() {
            self.rest();
        }
        went
    }
}

impl Steward for Keeper<'_> {
    fn open(&mut self, key: &str) {
        self.importer.open(key);
    }

    fn close(&mut self) {
        self.hold(Importer::close);
    }

    fn gone(&mut self, key: &str) {
        self.hold(|importer| importer.gone(key));
    }

    fn bookmark(&mut self, name: &str) -> Option<String> {
        match self.node.vault.read(|r| r.bookmark(self.importer.source(), name)) {
            Ok(bookmark) => bookmark,
            Err(error) => {
                self.importer.fail(error.into());
                None
            }
        }
    }

    fn keep_bookmark(&mut self, name: &str, value: Option<&str>) {
        let (node, source) = (self.node, self.importer.source());
        self.hold(|importer| {
            importer.flush()?;
            Ok(node.vault.write(|tx| tx.set_bookmark(source, name, value))?)
        });
    }

    fn goes_on(&mut self) -> bool {
        if self.is_over() {
            self.rest();
        }
        self.importer.goes_on()
    }
}

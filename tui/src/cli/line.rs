//! The line to the node: connect, ask, follow the events, stop on Ctrl-C, close.

use hinet_node::{Client, Settings, Stream, Unlock};
use hinet_protocol::{ErrorKind, Event, Failure, Op};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

use super::context::Context;
use super::end::End;
use super::meter::{self, Meter};
use super::unlock;

/// How long work that was told to stop may take to stop before the command leaves it.
const STOPPING: Duration = Duration::from_secs(10);

/// An open line.
pub struct Line<'a> {
    /// The run this belongs to.
    pub context: &'a Context,
    client: Client,
    unlock: Unlock,
}

/// What a followed request came to.
pub struct Outcome {
    /// The final event.
    pub event: Event,
    /// Whether the person asked to stop before it came.
    pub stopped: bool,
}

/// Runs `work` on a runtime of its own and puts that away again.
pub fn block_on<T>(work: impl Future<Output = Result<T, End>>) -> Result<T, End> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| End::failed(format!("No threads could be started: {error}."), "Close something and retry."))?;
    let result = runtime.block_on(work);
    // What still runs has been cancelled; it must not keep the terminal.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

/// Unlocks, connects, does `work` and closes, whatever came of it.
pub fn with<'a, T>(context: &'a Context, work: impl AsyncFnOnce(&Line<'a>) -> Result<T, End>) -> Result<T, End> {
    let unlock = unlock::obtain(context)?;
    with_unlock(context, context.brief(), unlock, work)
}

/// Like [`with`], unlocked already.
pub fn with_unlock<'a, T>(
    context: &'a Context,
    settings: &Settings,
    unlock: Unlock,
    work: impl AsyncFnOnce(&Line<'a>) -> Result<T, End>,
) -> Result<T, End> {
    block_on(async {
        let (client, unlock) = unlock::connect(context, settings, unlock).await?;
        let line = Line { context, client, unlock };
        let mut said = Vec::new();
        line.say_notices(&mut said).await;
        let result = work(&line).await;
        line.say_notices(&mut said).await;
        tokio::select! {
            () = line.client.close() => result,
            // Whoever is in a hurry may leave: what was acknowledged is on disk.
            _ = tokio::signal::ctrl_c() => Err(End::Interrupted),
        }
    })
}

impl Line<'_> {
    /// Whether the node runs in another process.
    pub fn is_attached(&self) -> bool {
        self.client.is_attached()
    }

    /// Asks, shows progress, and gives the final event.
    pub async fn one(&self, op: Op) -> Result<Event, End> {
        let stream = self.client.call(op).await?;
        Ok(self.follow(stream, |_| Ok(())).await?.event)
    }

    /// Asks, and hands each event that is not progress to `hear` before the final one is given.
    pub async fn hear(&self, op: Op, hear: impl FnMut(&Event) -> Result<(), End>) -> Result<Outcome, End> {
        let stream = self.client.call(op).await?;
        self.follow(stream, hear).await
    }

    /// Asks with fresh proof that the owner is there.
    pub async fn prove(&self, op: Op) -> Result<Event, End> {
        let fresh = unlock::fresh(self.context, &self.unlock)?;
        let stream = self.client.prove(op, fresh.as_ref().unwrap_or(&self.unlock)).await?;
        Ok(self.follow(stream, |_| Ok(())).await?.event)
    }

    async fn follow(
        &self,
        mut stream: Stream,
        mut hear: impl FnMut(&Event) -> Result<(), End>,
    ) -> Result<Outcome, End> {
        let mut meter = Meter::new(&self.context.out);
        let mut leave_at: Option<Instant> = None;
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                _ = tokio::signal::ctrl_c() => {
                    if leave_at.is_some() {
                        return Err(End::Interrupted);
                    }
                    leave_at = Some(Instant::now() + STOPPING);
                    meter.clear();
                    // Where the node is gone already, the stream ends by itself.
                    let _ = self.client.call(Op::Cancel { request: stream.id() }).await;
                    continue;
                }
                () = until(leave_at) => return Err(End::Interrupted),
            };
            match event {
                None => return Err(gone()),
                Some(Event::Progress { progress }) if leave_at.is_none() => meter.report(&progress),
                Some(Event::Sleeping { sleeping }) if leave_at.is_none() => meter.report(&meter::night(&sleeping)),
                Some(Event::Progress { .. } | Event::Sleeping { .. }) => {}
                Some(Event::Failed { failure }) => {
                    let stopped = leave_at.is_some() || failure.kind == ErrorKind::Cancelled;
                    return Err(if stopped { End::Interrupted } else { failure.into() });
                }
                Some(event) if event.is_final() => return Ok(Outcome { event, stopped: leave_at.is_some() }),
                Some(event) => {
                    meter.clear();
                    hear(&event)?;
                }
            }
        }
    }

    /// What was found and mended, while opening or since, is said once.
    async fn say_notices(&self, said: &mut Vec<String>) {
        let Ok(Event::Status { status }) = self.client.one(Op::Status).await else { return };
        for notice in status.notices {
            if !said.contains(&notice) {
                self.context.out.warn(&notice);
                said.push(notice);
            }
        }
    }
}

/// Waits until `at`; for ever where there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn gone() -> End {
    Failure::new(
        ErrorKind::Failed,
        "The node went away in the middle of this.",
        "Run the command again; everything that was acknowledged is kept.",
    )
    .into()
}

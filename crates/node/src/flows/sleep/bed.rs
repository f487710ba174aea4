//! Where a night lies: at most one goes on, it can be watched and interrupted, and it outlives whoever asked for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::{NodeError, unexpected};
use crate::protocol::{ErrorKind, Event, Night, SleepPlan, Sleeping};
use crate::state::Node;

/// What goes on.
#[derive(Default)]
pub(crate) struct Bed {
    /// Held while a night goes on.
    asleep: Arc<tokio::sync::Mutex<()>>,
    going: Mutex<Option<Going>>,
}

#[derive(Clone)]
struct Going {
    stop: Arc<AtomicBool>,
    last: Option<Sleeping>,
}

impl Bed {
    fn going(&self) -> std::sync::MutexGuard<'_, Option<Going>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how far a night is, to whoever listens.
pub(super) fn tell(node: &Node, sleeping: Sleeping) {
    if let Some(going) = node.bed.going().as_mut() {
        going.last = Some(sleeping.clone());
    }
    // Nobody listening is fine.
    let _ = node.news.send(Event::Sleeping { sleeping });
}

/// [`crate::protocol::Op::Sleep`].
pub(crate) async fn sleep(
    node: &Node,
    plan: SleepPlan,
    anew: bool,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let mut news = node.news.subscribe();
    let mut night = begin(node, plan, anew)?;
    loop {
        tokio::select! {
            done = &mut night => {
                let night = done.map_err(|_| unexpected("the night"))??;
                return Ok(Event::Nights { nights: vec![night], going: None, bedtime: None });
            }
            () = cancel.cancelled() => {
                // The kill switch and the end of the node stop it; who only stops watching does not, where the node lasts.
                if !node.detached {
                    stop(node);
                }
                if node.detached && !node.ending.is_cancelled() && !node.consent.is_killed() {
                    return Err(NodeError::said(
                        ErrorKind::Cancelled,
                        "The night goes on in the node.",
                        "`icore sleep status` shows how far it is, `icore sleep stop` interrupts it.",
                    ));
                }
                let night = night.await.map_err(|_| unexpected("the night"))??;
                return Ok(Event::Nights { nights: vec![night], going: None, bedtime: None });
            }
            event = news.recv() => match event {
                Ok(event @ Event::Sleeping { .. }) => {
                    // Who is too slow for a number hears the next one.
                    sink.offer(event);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => {}
            },
        }
    }
}

/// Begins a night on a thread of its own.
pub(super) fn begin(
    node: &Node,
    plan: SleepPlan,
    anew: bool,
) -> Result<tokio::task::JoinHandle<Result<Night, NodeError>>, NodeError> {
    let Ok(alone) = node.bed.asleep.clone().try_lock_owned() else {
        return Err(NodeError::said(
            ErrorKind::Usage,
            "A night goes on already.",
            "`icore sleep status` shows how far it is, `icore sleep stop` interrupts it.",
        ));
    };
    let stop = Arc::new(AtomicBool::new(false));
    *node.bed.going() = Some(Going { stop: stop.clone(), last: None });
    let live = node.live();
    let (sleeper, runtime) = (node.clone(), Handle::current());
    Ok(node.tasks.spawn(async move {
        let told = stop.clone();
        let work = sleeper.apart("the night", move |node| {
            // A thread that has stood back once cannot come forward again.
            let apart = || {
                crate::mind::step_back();
                super::run(node, plan, anew, &told, runtime)
            };
            std::thread::scope(|scope| scope.spawn(apart).join())
                .unwrap_or_else(|_| Err(unexpected("the night").into()))
        });
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            () = live.cancelled() => {
                stop.store(true, Ordering::Relaxed);
                work.await
            }
        };
        *sleeper.bed.going() = None;
        drop(alone);
        if let Ok(night) = &done {
            let _ = sleeper.news.send(Event::Nights { nights: vec![night.clone()], going: None, bedtime: None });
        }
        done
    }))
}

fn stop(node: &Node) -> bool {
    let going = node.bed.going();
    going.iter().for_each(|going| going.stop.store(true, Ordering::Relaxed));
    going.is_some()
}

/// Interrupts the night that goes on, and waits until it has stopped.
pub(crate) async fn interrupt(node: &Node) -> bool {
    let was = stop(node);
    drop(node.bed.asleep.lock().await);
    was
}

/// [`crate::protocol::Op::Wake`].
pub(crate) async fn wake(node: &Node) -> Result<Event, NodeError> {
    if interrupt(node).await {
        return Ok(Event::Done);
    }
    Err(NodeError::said(ErrorKind::Usage, "No night goes on.", "`icore sleep history` shows how the last one ended."))
}

/// Whether a night goes on.
pub(super) fn is_on(node: &Node) -> bool {
    node.bed.going().is_some()
}

/// How far the night is that goes on.
pub(crate) fn going(node: &Node) -> Option<Sleeping> {
    node.bed.going().as_ref().and_then(|going| going.last.clone())
}
